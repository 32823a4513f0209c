// SPDX-License-Identifier: GPL-2.0

//! The first request of a connection: read it, holding packets until its head is complete.
//!
//! What is held has not been acknowledged, and is passed on in the order in which it was read, so
//! that the application reads the stream that was read here.

use kernel::{
    prelude::*,
    sync::rcu::Guard, //
};

use super::{
    answer,
    classify::Tcp,
    decision::{self, Asked},
    deliver::{self, Handshake},
    host::Host, //
};
use crate::{
    decide::{
        assemble::{self, Admission},
        limits,
        reason::Reason,
    },
    kapi::{
        nf::{HookPacket, Verdict},
        skb::Packet,
        time,
    },
    table::{
        config::Config,
        pending::{Held, Waiting},
        service::Service,
    },
    wire::http::head::{HeadParser, Outcome, Progress},
};

/// Counts how reading ended and says what it means for the decision.
fn asked(host: &Host, outcome: Outcome) -> Asked {
    let net = &host.net;
    match outcome {
        Outcome::Head(head) => {
            net.count(Reason::Request);
            return Asked::Http(head.cookie);
        }
        Outcome::NotHttp(_) => net.count(Reason::NotHttp),
        Outcome::Ambiguous(_) => net.count(Reason::Ambiguous),
        Outcome::TooLong => net.count(Reason::HeadTooLong),
    }
    Asked::Unknown
}

/// Feeds a part of a packet to the parser.
fn feed(
    parser: &mut HeadParser,
    packet: &Packet,
    at: usize,
    len: usize,
    name: &[u8],
) -> Option<Outcome> {
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

/// The first data of a connection whose cookie verified.
pub(super) fn first(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tcp: &Tcp<'_>,
    packet: HookPacket,
    hs: &Handshake,
) -> Verdict {
    let mut parser = HeadParser::new();
    let name = tcp.service.settings.cookie.as_bytes();
    let len = tcp.payload_len as usize;
    let Some(outcome) = feed(&mut parser, &packet, tcp.payload(), len, name) else {
        return early(host, guard, config, tcp, packet, hs);
    };
    let asked = asked(host, outcome);
    let Some(choice) = decision::choose(host, guard, config, tcp.service, &hs.tuple.client, asked)
    else {
        return nobody(host, tcp, packet);
    };
    let Some(terms) = deliver::decided(host, guard, config, hs, &choice) else {
        return packet.drop();
    };
    if terms.owner == config.local {
        // The usual case: one packet, and it goes on its way up.
        host.net.count(Reason::PassLocal);
        return packet.accept();
    }
    let (packet, verdict) = packet.steal();
    let one = core::iter::once((packet, tcp.l4()));
    deliver::hand_over(
        host,
        guard,
        config,
        &hs.tuple,
        &terms,
        one,
        tcp.ifindex,
        false,
    );
    verdict
}

/// A segment of a request whose beginning, or end, has not come yet.
pub(super) fn early(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tcp: &Tcp<'_>,
    packet: HookPacket,
    hs: &Handshake,
) -> Verdict {
    let now = time::boot_ms();
    let new = Waiting::new(
        hs.tuple,
        hs.client_isn,
        hs.cookie,
        hs.agreed,
        tcp.ifindex,
        now,
    );
    match KBox::new(new, GFP_ATOMIC) {
        Ok(waiting) => more(host, guard, config, tcp, packet, waiting),
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

/// One more segment of a connection that waits.
pub(super) fn more(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tcp: &Tcp<'_>,
    packet: HookPacket,
    mut waiting: KBox<Waiting>,
) -> Verdict {
    let net = &host.net;
    let (seq, len) = (tcp.seg.seq, tcp.payload_len);
    let admission = waiting.admit(seq, len);
    if matches!(admission, Admission::Duplicate | Admission::Outside) {
        keep(host, guard, config, tcp.service, waiting);
        net.count(Reason::HoldRefused);
        let (packet, verdict) = packet.steal();
        packet.consume();
        return verdict;
    }
    let (packet, verdict) = packet.steal();
    let held = Held {
        packet,
        seq,
        len,
        payload: tcp.payload(),
        l4: tcp.l4(),
    };
    if let Some((_, ecr)) = tcp.seg.options.timestamps {
        waiting.tsecr = Some(ecr);
    }
    net.count(Reason::Held);
    // What does not fit any more comes again when the connection has its owner.
    if waiting.hold(held).is_err() || admission == Admission::Full {
        net.count(Reason::HoldFull);
        decide(
            host,
            guard,
            config,
            tcp.service,
            waiting,
            Asked::Unknown,
            false,
        );
        return verdict;
    }
    match read(&waiting, tcp.service) {
        Some(outcome) => {
            let asked = asked(host, outcome);
            decide(host, guard, config, tcp.service, waiting, asked, false);
        }
        None => keep(host, guard, config, tcp.service, waiting),
    }
    verdict
}

/// Reads what is held, in order.
fn read(waiting: &Waiting, service: &Service) -> Option<Outcome> {
    let (ranges, n) = waiting.ranges();
    let start = waiting.client_isn.wrapping_add(1);
    let plan = assemble::assemble(start, ranges.get(..n).unwrap_or_default());
    let mut parser = HeadParser::new();
    let name = service.settings.cookie.as_bytes();
    let read = plan.pieces().iter().find_map(|piece| {
        let held = waiting.held.get(piece.index)?.as_ref()?;
        let at = held.payload.saturating_add(piece.skip as usize);
        feed(&mut parser, &held.packet, at, piece.take as usize, name)
    });
    // Nothing is acknowledged while it is held, so a client that has filled the window that the
    // SYN-ACK promised can say no more.
    let ipv6 = !waiting.tuple.vip.is_v4();
    let mtu = limits::FABRIC_MTU;
    let most = answer::window(ipv6, mtu).saturating_sub(answer::our_mss(ipv6, mtu));
    read.or((plan.len > u32::from(most)).then_some(Outcome::TooLong))
}

/// The sequence number that the client sends next, as far as nothing is missing.
pub(super) fn expected(waiting: &Waiting) -> u32 {
    let (ranges, n) = waiting.ranges();
    let start = waiting.client_isn.wrapping_add(1);
    let plan = assemble::assemble(start, ranges.get(..n).unwrap_or_default());
    start.wrapping_add(plan.len)
}

/// Goes on waiting; when there is no room, decides with what is there.
fn keep(host: &Host, guard: &Guard, config: &Config, service: &Service, waiting: KBox<Waiting>) {
    if let Err(waiting) = host.net.pending.put(waiting, time::boot_ms()) {
        host.net.count(Reason::HoldFull);
        decide(host, guard, config, service, waiting, Asked::Unknown, false);
    }
}

/// Decides on a connection that waited and hands its packets over, those that were read first and
/// in that order.
fn decide(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    waiting: KBox<Waiting>,
    asked: Asked,
    later: bool,
) {
    let hs = Handshake {
        tuple: waiting.tuple,
        client_isn: waiting.client_isn,
        cookie: waiting.cookie,
        tsecr: waiting.tsecr,
        agreed: waiting.agreed,
    };
    let Some(choice) = decision::choose(host, guard, config, service, &hs.tuple.client, asked)
    else {
        return;
    };
    let Some(terms) = deliver::decided(host, guard, config, &hs, &choice) else {
        return;
    };
    let (ranges, n) = waiting.ranges();
    let start = waiting.client_isn.wrapping_add(1);
    let plan = assemble::assemble(start, ranges.get(..n).unwrap_or_default());
    let ifindex = waiting.ifindex;
    let mut held = KBox::into_inner(waiting).held;
    // What was read goes first, in the order in which it was read; the rest follows.
    let give = |h: Held| {
        if terms.owner != config.local {
            // It has been held; what becomes of it now counts as of one more packet, as that of
            // those which this member's own hook sees again.
            host.net.count(Reason::Packets);
        }
        let one = core::iter::once((h.packet, h.l4));
        deliver::hand_over(host, guard, config, &hs.tuple, &terms, one, ifindex, later);
    };
    for piece in plan.pieces() {
        if let Some(h) = held.get_mut(piece.index).and_then(Option::take) {
            give(h);
        }
    }
    for h in held.into_iter().flatten() {
        give(h);
    }
}

/// Decides on a connection that waited too long, as on one that named no session.
pub(super) fn expired(host: &Host, guard: &Guard, config: &Config, waiting: KBox<Waiting>) {
    host.net.count(Reason::HoldTimeout);
    let tuple = waiting.tuple;
    if let Some(service) = config.service(&tuple.vip, tuple.vip_port) {
        decide(host, guard, config, service, waiting, Asked::Unknown, true);
    }
}
