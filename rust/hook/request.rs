// SPDX-License-Identifier: GPL-2.0

//! The first request of a connection: read it, holding its bytes until its head is complete.

use kernel::{
    prelude::*,
    sync::rcu::Guard, //
};

use super::{
    answer,
    classify::Tcp,
    decision::{self, Asked, Chosen},
    deliver::{self, Handshake},
    encap::{self, With},
    hold,
    host::Host,
    ingress,
    refuse, //
};
use crate::{
    decide::{exchange::Request, limits, reason::Reason},
    kapi::{
        hash::Ref,
        nf::{HookPacket, Verdict},
        skb::Packet,
        time,
    },
    table::{
        config::Config,
        flow::Flow,
        pending::{Manner, Waiting},
        service::{Reply, Service},
    },
    wire::{
        addr::Tuple,
        http::head::{Head, HeadParser, Method, Outcome, Progress},
        tcp::flags,
    },
};

fn http(head: &Head) -> Asked {
    Asked::Http {
        cookie: head.cookie,
        head: head.method == Method::Head,
        request: Request::of(head),
    }
}

/// Counts how reading ended and says what it means for the decision.
fn asked(host: &Host, outcome: Outcome) -> Asked {
    let net = &host.net;
    match outcome {
        Outcome::Head(head) => {
            net.count(Reason::Request);
            return http(&head);
        }
        Outcome::NotHttp(_) => net.count(Reason::NotHttp),
        Outcome::Ambiguous(_) => net.count(Reason::Ambiguous),
        Outcome::TooLong => net.count(Reason::HeadTooLong),
    }
    Asked::Unknown
}

/// Reads a request head that begins `at` bytes into a packet and ends within `len` bytes.
pub(super) fn read_head(packet: &Packet, at: usize, len: usize, name: &[u8]) -> Option<Outcome> {
    let mut parser = HeadParser::new();
    let mut outcome = None;
    packet.for_each_chunk(at, len, |bytes| match parser.feed(bytes, name) {
        Progress::Partial => true,
        Progress::Done(done) => {
            outcome = Some(done);
            false
        }
    });
    outcome
}

/// Reads the request head that a packet begins with.
fn head_of(tcp: &Tcp<'_>, packet: &Packet) -> Option<Outcome> {
    let name = tcp.service.settings.cookie.as_bytes();
    read_head(packet, tcp.payload(), tcp.payload_len as usize, name)
}

/// The first data of a connection whose cookie verified.
pub(super) fn first(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tcp: &Tcp<'_>,
    packet: HookPacket,
    hs: &Handshake,
) -> Verdict {
    let asked = match head_of(tcp, &packet) {
        Some(outcome) => asked(host, outcome),
        // Urgent data has no place among bytes that are kept: it goes as it came.
        None if tcp.has(flags::URG) => asked(host, Outcome::TooLong),
        None => return early(host, guard, config, tcp, packet, hs, false),
    };
    give(host, guard, config, tcp, packet, hs, asked, None)
}

/// What a packet asks for if a whole request head is at its front; `safe`: and its method is safe.
pub(super) fn whole(host: &Host, tcp: &Tcp<'_>, packet: &Packet, safe: bool) -> Option<Asked> {
    let outcome = head_of(tcp, packet)?;
    let Outcome::Head(head) = outcome else {
        return None;
    };
    (!safe || head.method.is_safe()).then(|| asked(host, outcome))
}

/// Decides on a packet that begins a connection and has been read, and gives it to the owner.
/// `old`: the flow of the connection until now, which goes when there is a decision.
#[allow(clippy::too_many_arguments)]
pub(super) fn give(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tcp: &Tcp<'_>,
    packet: HookPacket,
    hs: &Handshake,
    asked: Asked,
    old: Option<Ref<'_, Tuple, Flow>>,
) -> Verdict {
    let net = &host.net;
    let client = &hs.tuple.client;
    let chosen = decision::choose(host, guard, config, tcp.service, client, asked, true);
    if let Chosen::Wait = chosen {
        net.count(Reason::HomeWaited);
        return packet.drop();
    }
    if let Some(old) = old {
        net.flows.remove(guard, old, &net.edits);
    }
    let choice = match chosen {
        Chosen::To(choice) => choice,
        Chosen::Unavailable => {
            refuse::packet(host, guard, tcp, &packet, hs, asked);
            return packet.drop();
        }
        Chosen::Nobody | Chosen::Wait => return nobody(host, tcp, packet),
    };
    let Some(terms) = deliver::decided(host, guard, config, hs, &choice) else {
        return packet.drop();
    };
    if terms.owner == config.local {
        // The usual case: one packet, and it goes on its way up.
        host.net.count(Reason::PassLocal);
        return packet.accept();
    }
    // Of a packet that is sent on in several each would say so.
    let with = match asked {
        Asked::Http {
            request: Some(Request { len, head: false }),
            ..
        } if len == tcp.payload_len && !tcp.merged => With::WholeHandOff,
        _ => With::HandOff,
    };
    let (packet, verdict) = packet.steal();
    let (tuple, l4) = (&hs.tuple, tcp.l4());
    encap::relay(host, guard, config, packet, tuple, l4, &terms, with);
    verdict
}

/// A segment of a request whose beginning, or end, has not come yet. `rough`: its beginning has not, so
/// that `hs` is what the cookie says without the first segment's timestamps.
pub(super) fn early(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tcp: &Tcp<'_>,
    packet: HookPacket,
    hs: &Handshake,
    rough: bool,
) -> Verdict {
    let manner = Manner {
        tos: tcp.tos,
        ttl: tcp.ttl,
        stamps: None,
        window: 0,
        promised: answer::window(tcp.ipv6(), host.net.fabric_mtu()),
        route: tcp.service.settings.reply == Reply::Route,
    };
    let new = Waiting::new(
        hs.tuple,
        hs.client_isn,
        hs.cookie,
        hs.agreed,
        tcp.ifindex,
        packet.link(),
        manner,
        time::boot_ms(),
    );
    match KBox::new(new, GFP_ATOMIC) {
        Ok(mut waiting) => {
            waiting.rough = rough;
            more(host, guard, config, tcp, packet, waiting)
        }
        Err(_) => {
            host.net.count(Reason::DropNoMemory);
            packet.drop()
        }
    }
}

/// Nobody can serve: the client is told.
fn nobody(host: &Host, tcp: &Tcp<'_>, packet: HookPacket) -> Verdict {
    answer::reset(host, tcp, &packet, Reason::SynRefused);
    packet.drop()
}

/// One more segment of a connection whose head is read.
pub(super) fn more(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tcp: &Tcp<'_>,
    packet: HookPacket,
    mut waiting: KBox<Waiting>,
) -> Verdict {
    let net = &host.net;
    if waiting.hold.is_postponed() {
        return behind_head(host, guard, config, tcp, packet, waiting);
    }
    if tcp.has(flags::URG) {
        // It comes again when the connection has its owner, and goes there as it is.
        net.count(Reason::HeadTooLong);
        net.count(Reason::HoldRefused);
        decide(
            host,
            guard,
            config,
            tcp.service,
            waiting,
            Asked::Unknown,
            false,
        );
        return packet.drop();
    }
    if waiting.rough && tcp.seg.seq == waiting.start() {
        let keys = net.keys.read(guard);
        if let Some(agreed) = keys.and_then(|keys| ingress::cookie(host, keys, tcp)) {
            waiting.agreed = agreed;
            waiting.rough = false;
        }
    }
    hold::add(host, &mut waiting, &packet, tcp);
    let (packet, verdict) = packet.steal();
    packet.consume();
    match read(&mut waiting, tcp.service) {
        Some(outcome) => {
            let asked = asked(host, outcome);
            decide(host, guard, config, tcp.service, waiting, asked, false);
        }
        None if waiting.ended() => {
            // Nothing more will come.
            net.count(Reason::NotHttp);
            decide(
                host,
                guard,
                config,
                tcp.service,
                waiting,
                Asked::Unknown,
                false,
            );
        }
        None => {
            let head = waiting.head();
            if waiting.hold.on_data(time::boot_ms(), head) {
                answer::hold_ack(host, &waiting);
            }
            hold::keep(host, guard, config, waiting);
        }
    }
    verdict
}

/// A segment behind a head that has been read and whose owner is waited for. Urgent data comes again.
fn behind_head(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tcp: &Tcp<'_>,
    packet: HookPacket,
    mut waiting: KBox<Waiting>,
) -> Verdict {
    if tcp.has(flags::URG) {
        host.net.count(Reason::HoldRefused);
    } else {
        hold::add(host, &mut waiting, &packet, tcp);
    }
    let head = waiting.head();
    if waiting.hold.on_data(time::boot_ms(), head) {
        answer::hold_ack(host, &waiting);
    }
    hold::keep(host, guard, config, waiting);
    let (packet, verdict) = packet.steal();
    packet.consume();
    verdict
}

/// Reads what is new of the head.
fn read(waiting: &mut Waiting, service: &Service) -> Option<Outcome> {
    let name = service.settings.cookie.as_bytes();
    while let Some((parser, bytes)) = waiting.unread() {
        if let Progress::Done(outcome) = parser.feed(bytes, name) {
            return Some(outcome);
        }
    }
    // A client that has filled the window that the SYN-ACK promised can say no more.
    let ipv6 = !waiting.tuple.vip.is_v4();
    let mtu = limits::FABRIC_MTU;
    let most = answer::window(ipv6, mtu).saturating_sub(answer::our_mss(ipv6, mtu));
    (waiting.head() > u32::from(most)).then_some(Outcome::TooLong)
}

/// Decides once more on a connection whose bytes are held, with what is known now.
pub(super) fn again(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    mut waiting: KBox<Waiting>,
) {
    waiting.reread();
    let asked = match read(&mut waiting, service) {
        Some(Outcome::Head(head)) => http(&head),
        _ => Asked::Unknown,
    };
    decide(host, guard, config, service, waiting, asked, true);
}

/// Decides on a connection whose bytes are held, and gives them to its owner. `later`: the caller
/// is not on the receive path of its device.
pub(super) fn decide(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    mut waiting: KBox<Waiting>,
    asked: Asked,
    later: bool,
) {
    let hs = Handshake {
        tuple: waiting.tuple,
        client_isn: waiting.client_isn,
        cookie: waiting.cookie,
        tsecr: waiting.manner.stamps.map(|(_, ecr)| ecr),
        agreed: waiting.agreed,
        kept: waiting.hold.acked() > 0,
        taken_over: false,
    };
    let first = !waiting.hold.is_postponed();
    let client = &hs.tuple.client;
    let chosen = decision::choose(host, guard, config, service, client, asked, first);
    let terms = match chosen {
        Chosen::To(choice) => deliver::decided(host, guard, config, &hs, &choice),
        Chosen::Nobody => None,
        Chosen::Wait if !hs.kept => {
            // As if it had come now, for the sum.
            host.net.count(Reason::Packets);
            host.net.count(Reason::HomeWaited);
            return;
        }
        Chosen::Wait => {
            // The client does not send these bytes again: this member asks again.
            waiting.hold.on_postponed(time::boot_ms());
            return hold::keep(host, guard, config, waiting);
        }
        Chosen::Unavailable => {
            refuse::held(host, guard, &waiting, &hs, asked);
            return;
        }
    };
    match terms {
        Some(terms) => {
            waiting.terms = Some(terms);
            hold::give_first(host, guard, config, waiting, later);
        }
        // What was not acknowledged comes again, and is tried again.
        None if !hs.kept => {}
        None => hold::give_up(host, guard, &waiting),
    }
}
