// SPDX-License-Identifier: GPL-2.0

//! Requests of a session whose home is dead, of a service that gives it to nobody else: the module
//! answers 503 by itself and ends the connection.
//!
//! Speaks to RFC 9110 section 15.6.4 (503) and section 10.2.3 (Retry-After).
//!
//! Nothing is kept but a tombstone: a request that comes again, since the answer was lost, is
//! decided on again.

use kernel::sync::rcu::Guard;

use super::{
    answer::{self, Words, WORDS},
    classify::Tcp,
    decision::Asked,
    deliver::Handshake,
    host::Host,
    ingress, //
};
use crate::{
    decide::{flow::Flow as Status, limits::RETRY_AFTER_S, reason::Reason},
    kapi::{
        hash::Ref,
        nf::{HookPacket, Verdict},
        skb::Packet,
    },
    table::{
        flow::{Flow, Terms},
        keys::KeyRing,
        pending::Waiting,
        service::Reply,
    },
    wire::{addr::Tuple, http::refusal, tcp::flags},
};

/// Answers a request that came in one packet.
pub(super) fn packet(
    host: &Host,
    guard: &Guard,
    tcp: &Tcp<'_>,
    packet: &Packet,
    hs: &Handshake,
    asked: Asked,
) {
    say(host, tcp, packet, asked);
    remember(host, guard, hs);
}

fn say(host: &Host, tcp: &Tcp<'_>, packet: &Packet, asked: Asked) {
    let mut buf = [0; WORDS];
    let Some(data) = text(&mut buf, asked) else {
        return;
    };
    let fin = u32::from(tcp.has(flags::FIN));
    let words = Words {
        tuple: &tcp.tuple,
        seq: tcp.seg.ack,
        ack: tcp.seg.seq.wrapping_add(tcp.payload_len).wrapping_add(fin),
        stamps: tcp.seg.options.timestamps.map(|(val, ecr)| (ecr, val)),
        data,
    };
    let route = tcp.service.settings.reply == Reply::Route;
    answer::say(host, &words, Reason::Unavailable, |bytes, at| {
        packet.reply(bytes, at, tcp.ipv6(), route)
    });
}

/// Answers a request whose bytes are held.
pub(super) fn held(host: &Host, guard: &Guard, w: &Waiting, hs: &Handshake, asked: Asked) {
    let mut buf = [0; WORDS];
    let Some(data) = text(&mut buf, asked) else {
        return;
    };
    let fin = u32::from(w.ended());
    let words = Words {
        tuple: &w.tuple,
        seq: w.ack,
        ack: w.start().wrapping_add(w.head()).wrapping_add(fin),
        stamps: w.manner.stamps.map(|(val, ecr)| (ecr, val)),
        data,
    };
    let ipv6 = !w.tuple.vip.is_v4();
    // It was counted as held; what becomes of it counts as of one more packet.
    host.net.count(Reason::Packets);
    answer::say(host, &words, Reason::Unavailable, |bytes, at| {
        w.link
            .reply(host.net.ns, w.ifindex, bytes, at, ipv6, w.manner.route)
    });
    remember(host, guard, hs);
}

fn text(buf: &mut [u8; WORDS], asked: Asked) -> Option<&[u8]> {
    let head = matches!(asked, Asked::Http { head: true, .. });
    let len = refusal::write(buf, RETRY_AFTER_S, head)?;
    buf.get(..len)
}

/// Notes that the connection was answered. Without room it is forgotten, and its last packets are
/// those of a connection that nobody knows.
fn remember(host: &Host, guard: &Guard, hs: &Handshake) {
    let net = &host.net;
    let terms = Terms {
        client_isn: hs.client_isn,
        cookie: hs.cookie,
        taken_over: hs.taken_over,
        ..Terms::NONE
    };
    let status = Status::refused();
    let now = net.uptime();
    let stored = net
        .flows
        .store(guard, &hs.tuple, &terms, status, now, &net.edits);
    if stored.is_err() {
        net.count(Reason::FlowFull);
    }
}

/// A packet of a connection that was answered. `Err`: it is to be decided on.
pub(super) fn after(
    host: &Host,
    guard: &Guard,
    keys: &KeyRing,
    mut packet: HookPacket,
    tcp: &Tcp<'_>,
    flow: Ref<'_, Tuple, Flow>,
) -> Result<Verdict, HookPacket> {
    let net = &host.net;
    let Some(begins) = ingress::belongs(host, keys, &mut packet, tcp, &flow) else {
        return Err(packet);
    };
    if begins && tcp.payload_len > 0 {
        if flow.terms().taken_over {
            // No cookie lets it begin again.
            say(host, tcp, &packet, Asked::Unknown);
            return Ok(ingress::done(packet));
        }
        net.flows.remove(guard, flow, &net.edits);
        return Err(packet);
    }
    if tcp.has(flags::RST) {
        net.count(Reason::RstBeforeData);
    } else if tcp.has(flags::FIN) {
        answer::fin_acked(host, tcp, &packet, flow.terms().snd_wscale.is_some());
    } else {
        net.count(Reason::AckBare);
    }
    Ok(ingress::done(packet))
}
