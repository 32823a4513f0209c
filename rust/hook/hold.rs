// SPDX-License-Identifier: GPL-2.0

//! Connections whose first bytes are held: when to acknowledge them, giving them to their owner,
//! and giving them again until it has what the client was told that we have.
//!
//! The rules are in [`crate::decide::hold`]. What the owner gets is made from the held bytes, so
//! the application reads the stream that was read here.

use kernel::{
    prelude::*,
    sync::{
        rcu::{self, Guard},
        ArcBorrow, //
    },
};

use super::{
    answer,
    classify::Tcp,
    decision::Asked,
    deliver,
    encap::{self, With},
    host::Host,
    ingress,
    request, //
};
use crate::{
    decide::{
        assemble::Added,
        flow::State,
        hold::Due,
        limits,
        reason::Reason, //
    },
    kapi::{
        lock::BhOff,
        nf::{HookPacket, Verdict},
        skb::Packet,
        time,
        work::Job,
    },
    table::{
        config::Config,
        flow::{Flow, Terms},
        member,
        pending::{Full, Waiting},
    },
    wire::{
        addr::Tuple,
        checksum,
        control::Report,
        ip,
        tcp::{self, flags},
    },
};

/// Looks after what is due. Queued only while something is held.
pub(super) struct HoldJob;

/// How often a connection is decided anew because its owner did not want it.
const REDIRECTS: u8 = 3;

/// Connections that are looked after at once; the others follow in the next round.
const BATCH: u32 = 256;

impl Job for HoldJob {
    type State = Host;

    fn run(host: ArcBorrow<'_, Host>) -> u32 {
        let guard = rcu::read_lock();
        host.disarm();
        if let Some(config) = host.net.config(&guard) {
            for _ in 0..BATCH {
                // A packet of a connection that is taken out here would be one of no connection. What
                // another processor receives meanwhile is dropped as such, and comes again.
                let _quiet = BhOff::new();
                let Some(waiting) = host.net.pending.take_due(time::boot_ms()) else {
                    break;
                };
                due(&host, &guard, config, waiting);
            }
        }
        host.arm(&guard, host.net.pending.next_ms());
        0
    }
}

fn scale(config: &Config) -> u64 {
    u64::from(config.farm.scale)
}

/// Adds a segment to what is held, notes what else it says, and counts it.
pub(super) fn add(host: &Host, waiting: &mut Waiting, packet: &Packet, tcp: &Tcp<'_>) {
    let s = &tcp.seg;
    waiting.manner.stamps = s.options.timestamps.or(waiting.manner.stamps);
    waiting.manner.window = s.window;
    let segment = (s.seq, tcp.payload_len);
    let fin = tcp.has(flags::FIN);
    host.net.count(
        match waiting.add(packet, tcp.payload(), segment, s.ack, fin) {
            Added::New => Reason::Held,
            Added::Duplicate | Added::Refused => Reason::HoldRefused,
        },
    );
}

/// Goes on waiting; when there is no room, the oldest has to go.
pub(super) fn keep(host: &Host, guard: &Guard, config: &Config, mut waiting: KBox<Waiting>) {
    // Each round makes room, so the count only proves that it ends.
    for _ in 0..BATCH {
        match host.net.pending.put(waiting, scale(config)) {
            Ok(due_ms) => return host.arm(guard, due_ms),
            Err(Full {
                waiting: new,
                oldest: Some(oldest),
            }) => {
                evicted(host, guard, config, oldest);
                waiting = new;
            }
            Err(Full { waiting: new, .. }) => return evicted(host, guard, config, new),
        }
    }
}

/// A connection that has to make room is decided as it is; not if its client was told that we
/// have its bytes: nobody could give them a second time, so it is told that they are lost.
fn evicted(host: &Host, guard: &Guard, config: &Config, waiting: KBox<Waiting>) {
    host.net.count(Reason::HoldFull);
    if waiting.hold.acked() > 0 {
        return give_up(host, guard, &waiting);
    }
    if waiting.head() == 0 {
        // Its beginning is still to come, and is read when it does.
        return;
    }
    let tuple = &waiting.tuple;
    if let Some(service) = config.service(&tuple.vip, tuple.vip_port) {
        request::decide(host, guard, config, service, waiting, Asked::Unknown, true);
    }
}

/// The client is told that its connection is lost.
pub(super) fn give_up(host: &Host, guard: &Guard, waiting: &Waiting) {
    answer::hold_reset(host, waiting);
    if let Some(flow) = flow(host, guard, waiting) {
        flow.on(host.net.uptime(), |f| {
            f.set_kept(false);
            f.state = State::Closed;
        });
    }
}

fn flow<'g>(
    host: &'g Host,
    guard: &'g Guard,
    waiting: &Waiting,
) -> Option<crate::kapi::hash::Ref<'g, Tuple, Flow>> {
    let flow = host.net.flows.get(guard, &waiting.tuple);
    flow.filter(|f| f.client_isn() == waiting.client_isn)
}

/// Gives a decided connection's bytes to its owner, and keeps them if the client was told that we
/// have them.
pub(super) fn give_first(
    host: &Host,
    guard: &Guard,
    config: &Config,
    mut waiting: KBox<Waiting>,
    later: bool,
) {
    let kept = waiting.hold.acked() > 0;
    let parcel = Parcel::new(host, &mut waiting, 0);
    if !kept {
        return parcel.send(host, guard, config, kept, later);
    }
    waiting.hold.on_given(time::boot_ms());
    let tuple = waiting.tuple;
    // The owner's report may be here before the parcel is sent, so to speak.
    keep(host, guard, config, waiting);
    parcel.send(host, guard, config, kept, later);
    let Some(mut waiting) = host.net.pending.take(&tuple) else {
        return;
    };
    if paid_here(host, guard, config, &mut waiting) {
        finish(host, guard, config, &mut waiting, later);
    } else {
        keep(host, guard, config, waiting);
    }
}

/// Whether the local stack is the owner and has what is owed.
fn paid_here(host: &Host, guard: &Guard, config: &Config, waiting: &mut Waiting) -> bool {
    if waiting.terms.as_ref().map(|t| t.owner) != Some(config.local) {
        return false;
    }
    let report = deliver::report(host, guard, &waiting.tuple, waiting.ifindex);
    let start = waiting.start();
    waiting.hold.on_report(report, start)
}

/// The owner has what is owed: what it does not have the client will send again. Later packets
/// need not wait any more.
fn finish(host: &Host, guard: &Guard, config: &Config, waiting: &mut Waiting, later: bool) {
    if let Some(flow) = flow(host, guard, waiting) {
        flow.on(host.net.uptime(), |f| f.set_kept(false));
    }
    let has = waiting.hold.delivered();
    if has < waiting.head() || waiting.ended() {
        Parcel::new(host, waiting, has).send(host, guard, config, false, later);
    }
}

/// Held bytes as packets for the owner of their connection.
struct Parcel {
    packets: [Option<(Packet, usize)>; PACKETS],
    tuple: Tuple,
    ifindex: u32,
    terms: Option<Terms>,
}

/// Packets that all bytes of a connection fit into, and one for a FIN.
const PACKETS: usize = 14;

impl Parcel {
    /// The bytes from offset `from` on.
    fn new(host: &Host, waiting: &mut Waiting, from: u32) -> Self {
        let mut this = Self {
            packets: [const { None }; PACKETS],
            tuple: waiting.tuple,
            ifindex: waiting.ifindex,
            terms: waiting.terms,
        };
        let head = waiting.head();
        let ipv6 = !waiting.tuple.vip.is_v4();
        let mss = answer::our_mss(ipv6, limits::FABRIC_MTU);
        let most = u32::from(mss).saturating_sub(limits::TIMESTAMPS_LEN);
        let mut at = from.min(head);
        waiting.given = head;
        for slot in &mut this.packets {
            let len = head.wrapping_sub(at).min(most);
            let fin = at.wrapping_add(len) == head && waiting.ended();
            if len == 0 && !fin {
                break;
            }
            *slot = packet(waiting, at, len, fin);
            if slot.is_none() {
                host.net.count(Reason::DropNoMemory);
                break;
            }
            at = at.wrapping_add(len);
            if fin {
                break;
            }
        }
        this
    }

    /// Gives it to the owner. `kept`: and asks what its socket has; `later`: as for
    /// [`request::decide`].
    fn send(self, host: &Host, guard: &Guard, config: &Config, kept: bool, later: bool) {
        let Some(terms) = self.terms else { return };
        let with = if kept {
            With::KeptHandOff
        } else {
            With::HandOff
        };
        for (packet, l4) in self.packets.into_iter().flatten() {
            if terms.owner == config.local {
                if !packet.reinject(host.net.ns, self.ifindex, later) {
                    host.net.count(Reason::DropNoDevice);
                }
            } else {
                // What becomes of it counts as of one more packet, as that of those which this
                // member's own hook sees again.
                host.net.count(Reason::Packets);
                encap::relay(host, guard, config, packet, &self.tuple, l4, &terms, with);
            }
        }
    }
}

/// A packet with `len` of the held bytes from offset `at` on, and where its TCP header starts.
fn packet(waiting: &Waiting, at: u32, len: u32, fin: bool) -> Option<(Packet, usize)> {
    let tuple = &waiting.tuple;
    let ipv6 = !tuple.vip.is_v4();
    let l4 = if ipv6 { ip::IPV6_LEN } else { ip::IPV4_LEN };
    let header = tcp::Header {
        src_port: tuple.client_port,
        dst_port: tuple.vip_port,
        seq: waiting.start().wrapping_add(at),
        // Only the segment that the cookie came with makes the socket.
        ack: if at == 0 {
            waiting.cookie.wrapping_add(1)
        } else {
            waiting.ack
        },
        flags: flags::ACK | flags::PSH | if fin { flags::FIN } else { 0 },
        window: waiting.manner.window,
    };
    let mut tcp_header = [0; tcp::MAX_HEADER_LEN];
    let header_len = tcp::emit_bare(&mut tcp_header, &header, waiting.manner.stamps)?;
    let segment_len = header_len.checked_add(len as usize)?;
    let total = l4.checked_add(segment_len)?;
    let mut packet = waiting.link.packet(total, ipv6)?;
    let bytes = packet.writable(total)?;
    let out = ip::Out {
        src: tuple.client,
        dst: tuple.vip,
        protocol: ip::TCP,
        tos: waiting.manner.tos,
        ttl: waiting.manner.ttl,
        payload_len: segment_len,
    };
    ip::emit(bytes, &out)?;
    let segment = bytes.get_mut(l4..total)?;
    let (to, payload) = segment.split_at_mut_checked(header_len)?;
    for (t, f) in to.iter_mut().zip(&tcp_header) {
        *t = *f;
    }
    waiting.copy(at as usize, payload)?;
    let sum = checksum::transport(&tuple.client, &tuple.vip, ip::TCP, segment)?;
    let field = segment.get_mut(tcp::CHECKSUM_OFFSET..)?.first_chunk_mut()?;
    *field = sum.to_be_bytes();
    Some((packet, l4))
}

/// A connection whose time has come.
fn due(host: &Host, guard: &Guard, config: &Config, mut waiting: KBox<Waiting>) {
    if waiting.hold.is_given() && paid_here(host, guard, config, &mut waiting) {
        return finish(host, guard, config, &mut waiting, true);
    }
    let head = waiting.head();
    match waiting.hold.on_due(time::boot_ms(), head, scale(config)) {
        Due::Nothing => {}
        Due::Acknowledge => answer::hold_ack(host, &waiting),
        Due::Decide => {
            host.net.count(Reason::HoldTimeout);
            if waiting.head() == 0 {
                // Its beginning was lost and comes again, with the whole of what follows: without it
                // nothing is known of the session, and perhaps it is no connection at all.
                return;
            }
            let tuple = &waiting.tuple;
            return match config.service(&tuple.vip, tuple.vip_port) {
                Some(s) => request::decide(host, guard, config, s, waiting, Asked::Unknown, true),
                None if waiting.hold.acked() > 0 => give_up(host, guard, &waiting),
                None => {}
            };
        }
        Due::DecideAgain => {
            let tuple = &waiting.tuple;
            return match config.service(&tuple.vip, tuple.vip_port) {
                Some(s) => request::again(host, guard, config, s, waiting),
                None => give_up(host, guard, &waiting),
            };
        }
        Due::Give if owner_alive(host, guard, config, &waiting) => {
            host.net.count(Reason::HoldRepeated);
            let from = waiting.hold.delivered();
            let parcel = Parcel::new(host, &mut waiting, from);
            keep(host, guard, config, waiting);
            return parcel.send(host, guard, config, true, true);
        }
        Due::Give | Due::GiveUp => return give_up(host, guard, &waiting),
    }
    keep(host, guard, config, waiting);
}

/// Whether the owner can still get the bytes.
fn owner_alive(host: &Host, guard: &Guard, config: &Config, waiting: &Waiting) -> bool {
    let Some(owner) = waiting.terms.as_ref().map(|t| t.owner) else {
        return false;
    };
    let clock = host.net.clock(config);
    let down = |m: &member::Member| m.state(guard, config, &clock) == member::State::Down;
    owner == config.local || config.member(owner).is_some_and(|m| !down(m))
}

/// The owner of a connection has said what its socket has.
pub(super) fn reported(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tuple: &Tuple,
    client_isn: u32,
    report: Report,
) {
    let Some(mut waiting) = host.net.pending.take(tuple) else {
        return;
    };
    let same = waiting.client_isn == client_isn && waiting.hold.is_given();
    let start = waiting.start();
    if same && waiting.hold.on_report(report, start) {
        finish(host, guard, config, &mut waiting, true);
    } else {
        keep(host, guard, config, waiting);
    }
}

/// The owner of a connection whose first bytes are kept does not want it: it is decided anew.
pub(super) fn anew(host: &Host, guard: &Guard, config: &Config, tuple: &Tuple, client_isn: u32) {
    let Some(mut waiting) = host.net.pending.take(tuple) else {
        return;
    };
    if waiting.client_isn != client_isn || !waiting.hold.is_given() {
        return keep(host, guard, config, waiting);
    }
    // Members that disagree for long would send it to and fro for ever.
    waiting.redirected = waiting.redirected.saturating_add(1);
    let service = config.service(&tuple.vip, tuple.vip_port);
    match service.filter(|_| waiting.redirected <= REDIRECTS) {
        Some(service) => request::again(host, guard, config, service, waiting),
        None => give_up(host, guard, &waiting),
    }
}

/// A packet of a connection whose first bytes are kept: new data waits behind them. `Err` gives
/// back what goes the ordinary way.
pub(super) fn behind(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tcp: &Tcp<'_>,
    mut packet: HookPacket,
) -> Result<Verdict, HookPacket> {
    let net = &host.net;
    let Some(mut waiting) = net.pending.take(&tcp.tuple) else {
        return Err(packet);
    };
    let (isn, seg) = (waiting.client_isn, &tcp.seg);
    // What acknowledges nothing but our SYN-ACK is of this connection.
    if seg.ack.wrapping_sub(1) != waiting.cookie
        && ingress::begins_another(host, guard, &tcp.tuple, isn, seg.seq, seg.ack)
    {
        // The client has begun anew between the same ports: nobody waits for these bytes.
        if let Some(flow) = flow(host, guard, &waiting) {
            flow.on(net.uptime(), |f| f.set_kept(false));
        }
        return Err(packet);
    }
    if !waiting.hold.is_given() {
        keep(host, guard, config, waiting);
        return Err(packet);
    }
    let fin = u32::from(tcp.has(flags::FIN));
    let end = tcp.seg.seq.wrapping_add(tcp.payload_len).wrapping_add(fin);
    // The end was given with the last byte. The local stack gets it through this very hook.
    let ended = u32::from(waiting.ended() && waiting.head() == waiting.given);
    let given = waiting.start().wrapping_add(waiting.given);
    let given = given.wrapping_add(ended);
    // What was given, and what we give ourselves, passes; so does what only the owner's stack can
    // judge.
    let ordinary = tcp.has(flags::SYN | flags::RST | flags::URG) || !tcp.has(flags::ACK);
    if ordinary || tcp::seq::le(end, given) {
        keep(host, guard, config, waiting);
        return Err(packet);
    }
    // Padding first: it is no part of what the checksum covers.
    if packet.trim(tcp.total_len()).is_err() {
        keep(host, guard, config, waiting);
        net.count(Reason::DropNoMemory);
        return Ok(packet.drop());
    }
    if !packet.tcp_checksum_ok(tcp.l4(), tcp.ipv6()) {
        keep(host, guard, config, waiting);
        net.count(Reason::DropChecksum);
        return Ok(packet.drop());
    }
    add(host, &mut waiting, &packet, tcp);
    keep(host, guard, config, waiting);
    let (packet, verdict) = packet.steal();
    packet.consume();
    Ok(verdict)
}
