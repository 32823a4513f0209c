// SPDX-License-Identifier: GPL-2.0

//! A packet on the ingress of an attached device: the order of checks.
//!
//! 1. valid, and for a service; 2. a flow that is known, or waits; 3. a connection of the local
//!    stack's own; 4. SYN; 5. a cookie that verifies; 6. nobody here knows it.

use kernel::sync::rcu::Guard;

use super::{
    answer,
    classify::{self, classify, Class, Tcp, Way},
    decision,
    deliver::Handshake,
    directory,
    encap::{self, With},
    hold,
    host::Host,
    icmp,
    lost,
    refuse,
    request, //
};
use crate::{
    decide::{
        flow::{Action, ClientSegment, First, Role, State},
        reason::Reason,
    },
    kapi::{
        hash::Ref,
        nf::{Hook, HookPacket, Reassembled, Verdict},
        tcp::{self as stack, Socket},
    },
    table::{config::Config, flow::Flow, keys::KeyRing, member::State as MemberState},
    wire::{
        addr::Tuple,
        plain::Plain,
        tcp::flags, //
    },
};

/// The hook on a device.
pub(super) struct Ingress;

impl Hook for Ingress {
    type State = Host;
    type Read = Option<Plain>;

    #[inline]
    fn read(bytes: &[u8], len: usize) -> Option<Plain> {
        Plain::parse(bytes, len, true)
    }

    #[inline]
    fn call(host: &Host, guard: &Guard, mut packet: HookPacket, plain: Option<Plain>) -> Verdict {
        let net = &host.net;
        let Some(config) = net.config(guard) else {
            net.count(Reason::PassUnconfigured);
            return packet.accept();
        };
        if let Some(plain) = plain {
            let flow = net.flows.get(guard, &plain.tuple);
            if let Some(flow) = flow {
                packet = match settled(host, guard, config, packet, &plain, flow) {
                    Ok(verdict) => return verdict,
                    Err(packet) => packet,
                };
            }
            // Looked at where it is: it is too large to be moved for every packet.
            let read = classify::closer(config, &mut packet, &plain);
            return match &read {
                Ok(tcp) => service(host, guard, config, packet, tcp, flow),
                Err(Reason::DropNoMemory) => {
                    net.count(Reason::DropNoMemory);
                    packet.drop()
                }
                Err(why) => {
                    net.count(*why);
                    packet.accept()
                }
            };
        }
        let known = |tuple: &Tuple| net.knows(guard, tuple);
        let mut class = classify(config, &mut packet, Way::In, known);
        if let Class::Fragment(Some(part)) = class {
            packet = match packet.reassemble(net.ns, part.total_len, part.ipv6) {
                Reassembled::Whole(whole) => {
                    net.count(Reason::FragmentWhole);
                    whole
                }
                Reassembled::Untouched(as_it_was) => {
                    net.count(Reason::PassFragment);
                    return as_it_was.accept();
                }
                Reassembled::Waits(verdict) => {
                    net.count(Reason::FragmentHeld);
                    return verdict;
                }
                Reassembled::Refused(verdict) => {
                    net.count(Reason::FragmentBad);
                    return verdict;
                }
            };
            class = classify(config, &mut packet, Way::In, known);
        }
        let why = match class {
            Class::Tcp(tcp) => {
                let flow = net.flows.get(guard, &tcp.tuple);
                return service(host, guard, config, packet, &tcp, flow);
            }
            Class::Known(p) => {
                packet = match serviceless(host, guard, config, packet, &p) {
                    Ok(verdict) => return verdict,
                    Err(packet) => packet,
                };
                Reason::PassOther
            }
            Class::Icmp(error) => return icmp::ingress(host, guard, config, packet, &error),
            Class::Other => Reason::PassOther,
            Class::NotHost => Reason::PassNotHost,
            Class::Fragment(_) => Reason::PassFragment,
            Class::Extensions => Reason::PassExtensions,
            Class::Malformed => Reason::PassMalformed,
            Class::NoMemory => {
                net.count(Reason::DropNoMemory);
                return packet.drop();
            }
        };
        net.count(why);
        packet.accept()
    }
}

/// Takes a packet out of the way for good, without calling it a drop.
pub(super) fn done(packet: HookPacket) -> Verdict {
    let (packet, verdict) = packet.steal();
    packet.consume();
    verdict
}

/// A packet to what was a service, by the slow way. Apart from the others: it would cost them.
#[cold]
#[inline(never)]
fn serviceless(
    host: &Host,
    guard: &Guard,
    config: &Config,
    packet: HookPacket,
    p: &Plain,
) -> Result<Verdict, HookPacket> {
    match host.net.flows.get(guard, &p.tuple) {
        Some(flow) => settled(host, guard, config, packet, p, flow),
        None => Err(packet),
    }
}

/// A packet of a connection whose owner has it, not its first: nearly all are. Such a one needs no
/// look at its options, its checksum, or anything else; what it may be apart from that, [`service`]
/// finds.
#[inline(always)]
fn settled(
    host: &Host,
    guard: &Guard,
    config: &Config,
    mut packet: HookPacket,
    p: &Plain,
    flow: Ref<'_, Tuple, Flow>,
) -> Result<Verdict, HookPacket> {
    let net = &host.net;
    let status = flow.status();
    if p.has(flags::SYN) || !status.is_settled() {
        return Err(packet);
    }
    if status.role != Role::Entry {
        // It would pass whatever becomes of the service or of this member.
        flow.touch(net.uptime());
        net.count(Reason::PassLocal);
        return Ok(packet.accept());
    }
    // A service may have been removed; its connections go on.
    if config.local == 0 || net.keys.read(guard).is_none() {
        return Err(packet);
    }
    flow.touch(net.uptime());
    if p.has(flags::FIN | flags::RST) {
        let segment = ClientSegment {
            flags: p.flags,
            payload_len: p.payload_len,
            first: First::No,
            socket: false,
        };
        flow.on(net.uptime(), |f| f.on_client_segment(&segment));
    }
    if p.has(flags::ACK) && !p.has(flags::RST) {
        let fin = u32::from(p.has(flags::FIN));
        flow.note(p.seq.wrapping_add(p.payload_len).wrapping_add(fin), p.ack);
    }
    // Padding must not travel as data.
    if packet.trim(p.total_len()).is_err() {
        net.count(Reason::DropNoMemory);
        return Ok(packet.drop());
    }
    let (packet, verdict) = packet.steal();
    let (tuple, terms) = (&p.tuple, flow.terms());
    encap::relay(
        host,
        guard,
        config,
        packet,
        tuple,
        p.l4,
        &terms,
        With::Relay,
    );
    Ok(verdict)
}

/// A TCP packet to a service; `flow` is what is known of its connection.
fn service(
    host: &Host,
    guard: &Guard,
    config: &Config,
    mut packet: HookPacket,
    tcp: &Tcp<'_>,
    flow: Option<Ref<'_, Tuple, Flow>>,
) -> Verdict {
    let net = &host.net;
    // Without one of these nothing of ours can work: the local stack serves as if alone.
    let Some(keys) = net.keys.read(guard).filter(|_| config.local != 0) else {
        net.count(Reason::PassUnconfigured);
        return packet.accept();
    };
    let had_flow = flow.is_some();
    if let Some(flow) = flow {
        flow.touch(net.uptime());
        if flow.status().kept() {
            packet = match hold::behind(host, guard, config, tcp, packet) {
                Ok(verdict) => return verdict,
                Err(packet) => packet,
            };
        }
        let status = flow.status();
        let known = if status.lost() || status.is_refused() {
            let aside = if status.lost() {
                lost::packet(host, guard, config, keys, packet, tcp, flow)
            } else {
                refuse::after(host, guard, keys, packet, tcp, flow)
            };
            match aside {
                Ok(verdict) => return verdict,
                Err(new) => packet = new,
            }
            Known::New
        } else {
            known(host, guard, config, keys, tcp, &flow)
        };
        match known {
            Known::Pass => {
                if tcp.is_syn() {
                    net.count(Reason::SynOnLive);
                }
                net.count(Reason::PassLocal);
                return packet.accept();
            }
            Known::Relay { hand_off } => {
                if tcp.is_syn() {
                    net.count(Reason::SynOnLive);
                }
                let terms = flow.terms();
                if !tcp.has(flags::SYN | flags::RST) && tcp.has(flags::ACK) {
                    let fin = u32::from(tcp.has(flags::FIN));
                    let end = tcp.seg.seq.wrapping_add(tcp.payload_len).wrapping_add(fin);
                    flow.note(end, tcp.seg.ack);
                }
                // Padding must not travel as data.
                if packet.trim(tcp.total_len()).is_err() {
                    net.count(Reason::DropNoMemory);
                    return packet.drop();
                }
                let (packet, verdict) = packet.steal();
                let (tuple, l4) = (&tcp.tuple, tcp.l4());
                let with = if hand_off { With::HandOff } else { With::Relay };
                encap::relay(host, guard, config, packet, tuple, l4, &terms, with);
                return verdict;
            }
            Known::Duplicate => {
                net.count(Reason::Duplicate);
                return done(packet);
            }
            Known::New => {}
        }
    } else {
        let pre_existing = stack::lookup(net.ns, &tcp.tuple, tcp.ifindex);
        match pre_existing {
            Socket::Full | Socket::Request => {
                net.count(Reason::PassEstablished);
                return packet.accept();
            }
            // Only what begins a connection, or goes on with one that began here, is not for it.
            Socket::TimeWait
                if !may_reuse(host, tcp)
                    || !(tcp.is_syn()
                        || net.pending.holds(&tcp.tuple)
                        || cookie(host, keys, tcp).is_some()) =>
            {
                net.count(Reason::PassEstablished);
                return packet.accept();
            }
            Socket::TimeWait | Socket::None => {}
        }
    }
    // Padding first: it is no part of what the checksum covers.
    if packet.trim(tcp.total_len()).is_err() {
        net.count(Reason::DropNoMemory);
        return packet.drop();
    }
    if !packet.tcp_checksum_ok(tcp.l4(), tcp.ipv6()) {
        net.count(Reason::DropChecksum);
        return packet.drop();
    }
    if tcp.is_syn() {
        return syn(host, guard, config, packet, keys, tcp);
    }
    if let Some(waiting) = net.pending.take(&tcp.tuple) {
        let ours = tcp.has(flags::ACK) && tcp.seg.ack.wrapping_sub(1) == waiting.cookie;
        let says = tcp.payload_len > 0 || tcp.has(flags::FIN);
        let next = waiting.start().wrapping_add(waiting.head());
        if tcp.has(flags::RST) && tcp.seg.seq == next {
            net.count(Reason::HoldRefused);
            return done(packet);
        }
        if ours && says && !tcp.has(flags::SYN | flags::RST) {
            if waiting.rough {
                packet = match begun(host, guard, config, packet, tcp, waiting.client_isn) {
                    Ok(verdict) => return verdict,
                    Err(packet) => packet,
                };
                if waiting.comes_again(tcp.seg.seq, tcp.payload_len) {
                    // A client repeats from its first byte that is not acknowledged: somebody has
                    // acknowledged the beginning, and this member is the wrong one.
                    hold::keep(host, guard, config, waiting);
                    return directory::unknown(host, guard, config, packet, tcp);
                }
            }
            return request::more(host, guard, config, tcp, packet, waiting);
        }
        if !ours && cookie(host, keys, tcp).is_some() {
            // The client has begun anew: what it said before will not be completed.
            return before_request(host, guard, config, packet, keys, tcp, had_flow);
        }
        hold::keep(host, guard, config, waiting);
        net.count(Reason::AckBare);
        return done(packet);
    }
    before_request(host, guard, config, packet, keys, tcp, had_flow)
}

/// The kernel's rule for a new connection from a port that is in TIME_WAIT here.
fn may_reuse(host: &Host, tcp: &Tcp<'_>) -> bool {
    let tsval = tcp.seg.options.timestamps.map(|t| t.0);
    stack::timewait_may_reuse(
        host.net.ns,
        &tcp.tuple,
        tcp.ifindex,
        tcp.seg.seq,
        tsval,
        false,
    )
}

/// What to do with a packet whose flow is known.
enum Known {
    /// To the local stack.
    Pass,
    /// To the owner.
    Relay { hand_off: bool },
    /// A late copy of the first segment of a connection that is over.
    Duplicate,
    /// A new connection between the same ports.
    New,
}

fn known(
    host: &Host,
    guard: &Guard,
    config: &Config,
    keys: &KeyRing,
    tcp: &Tcp<'_>,
    flow: &Flow,
) -> Known {
    let net = &host.net;
    let mut status = flow.status();
    let local = status.role != Role::Entry;
    // The usual cases need no look at anything else.
    if local && status.state == State::Live && !tcp.is_syn() {
        return Known::Pass;
    }
    let found = if local {
        stack::lookup(net.ns, &tcp.tuple, tcp.ifindex)
    } else {
        Socket::None
    };
    if tcp.is_syn() {
        if found == Socket::TimeWait && !may_reuse(host, tcp) {
            // The stack answers with the last ACK of the old connection.
            return Known::Pass;
        }
        if !local && is_down(host, guard, config, flow.owner()) {
            return Known::New;
        }
    }
    let talks = tcp.has(flags::ACK) && !tcp.has(flags::SYN | flags::RST);
    if !local && talks && status.state == State::Live && status.expects_first() {
        if let Some(said) = flow.said() {
            status = flow.on(net.uptime(), |f| {
                f.on_continued(tcp.seg.seq, tcp.seg.ack, said.next, said.ack);
                *f
            });
        }
    }
    let socket = matches!(found, Socket::Full | Socket::Request);
    // Bare segments too: the ACK of a new handshake must not reach what is left of the old one.
    let first = if !status.expects_first() {
        First::No
    } else if tcp.seg.seq.wrapping_sub(1) == flow.client_isn() {
        First::Same
    } else if cookie(host, keys, tcp).is_some() {
        First::Other
    } else {
        First::No
    };
    if first == First::Other {
        return Known::New;
    }
    if local && !tcp.is_syn() {
        // What becomes of it is decided where its socket can be seen and made (`spawn`).
        return Known::Pass;
    }
    let segment = ClientSegment {
        flags: tcp.seg.flags,
        payload_len: tcp.payload_len,
        first,
        socket,
    };
    match flow.on(net.uptime(), |f| f.on_client_segment(&segment)) {
        Action::Relay { hand_off } => Known::Relay { hand_off },
        Action::AnswerSyn | Action::Renew => Known::New,
        Action::DropDuplicate => Known::Duplicate,
        Action::Deliver | Action::Spawn | Action::DropEarly | Action::Refuse => Known::Pass,
    }
}

/// Whether nobody is left who could answer for the owner of a connection.
fn is_down(host: &Host, guard: &Guard, config: &Config, owner: u16) -> bool {
    let clock = host.net.clock(config);
    config
        .member(owner)
        .is_none_or(|m| m.state(guard, config, &clock) == MemberState::Down)
}

/// A SYN that belongs to nothing that is live.
fn syn(
    host: &Host,
    guard: &Guard,
    config: &Config,
    packet: HookPacket,
    keys: &KeyRing,
    tcp: &Tcp<'_>,
) -> Verdict {
    let net = &host.net;
    net.count(Reason::Syn);
    if tcp.has(flags::FIN) {
        // Nobody's client; the kernel's listener drops it too.
        net.count(Reason::PassMalformed);
        return packet.accept();
    }
    if tcp.seg.options.signed {
        net.count(Reason::PassSigned);
        return packet.accept();
    }
    let Some(key) = keys.send().filter(|_| stack::cookies_allowed(net.ns)) else {
        net.count(Reason::PassUnconfigured);
        return packet.accept();
    };
    if host.device() == 0 {
        net.count(Reason::PassUnconfigured);
        return packet.accept();
    }
    if !decision::servable(host, guard, config, tcp.service) {
        answer::reset(host, tcp, &packet, Reason::SynRefused);
        return done(packet);
    }
    answer::syn_ack(host, key, tcp, packet)
}

/// What the cookie in a segment says, if it is genuine.
pub(super) fn cookie(
    host: &Host,
    keys: &KeyRing,
    tcp: &Tcp<'_>,
) -> Option<crate::decide::cookie::Established> {
    keys.verify_cookie(
        &tcp.tuple,
        tcp.seg.seq.wrapping_sub(1),
        tcp.seg.ack.wrapping_sub(1),
        tcp.seg.options.timestamps.map(|t| t.1),
        host.net.now_s(),
    )
}

/// Whether a segment carries the cookie of another connection between the same ports than the one that
/// began behind the client's number `client_isn`.
pub(super) fn begins_another(
    host: &Host,
    guard: &Guard,
    tuple: &Tuple,
    client_isn: u32,
    seq: u32,
    ack: u32,
) -> bool {
    let (isn, cookie) = (seq.wrapping_sub(1), ack.wrapping_sub(1));
    isn != client_isn
        && host.net.keys.read(guard).is_some_and(|keys| {
            keys.verify_cookie(tuple, isn, cookie, None, host.net.now_s())
                .is_some()
        })
}

/// Whether a packet is one of the connection that `flow` is about, of which no member has a socket:
/// `Some(true)` if it begins it. `None`: it is no good, or of another connection between the same
/// ports, and is looked at as if there were no such flow. It has no padding any more.
pub(super) fn belongs(
    host: &Host,
    keys: &KeyRing,
    packet: &mut HookPacket,
    tcp: &Tcp<'_>,
    flow: &Flow,
) -> Option<bool> {
    let good = packet.trim(tcp.total_len()).is_ok()
        && !tcp.is_syn()
        && packet.tcp_checksum_ok(tcp.l4(), tcp.ipv6());
    let begins = tcp.seg.seq == flow.client_isn().wrapping_add(1);
    let ours = good && (begins || cookie(host, keys, tcp).is_none());
    ours.then_some(begins)
}

/// A segment with data of a connection whose first segment is not here, or comes here now: if it came in
/// elsewhere before, its owner gets it. A second decision would run the request twice.
fn begun(
    host: &Host,
    guard: &Guard,
    config: &Config,
    packet: HookPacket,
    tcp: &Tcp<'_>,
    client_isn: u32,
) -> Result<Verdict, HookPacket> {
    let Some(terms) = directory::begun(host, guard, config, &tcp.tuple, client_isn) else {
        return Err(packet);
    };
    let (packet, verdict) = packet.steal();
    let (tuple, l4) = (&tcp.tuple, tcp.l4());
    encap::relay(host, guard, config, packet, tuple, l4, &terms, With::Relay);
    Ok(verdict)
}

/// A segment of a connection that has not asked for anything yet, or that nobody here knows.
/// `had_flow`: there is, or just was, a flow between the same ports.
fn before_request(
    host: &Host,
    guard: &Guard,
    config: &Config,
    mut packet: HookPacket,
    keys: &KeyRing,
    tcp: &Tcp<'_>,
    had_flow: bool,
) -> Verdict {
    let net = &host.net;
    if tcp.has(flags::RST) && !tcp.has(flags::SYN) {
        return directory::unknown(host, guard, config, packet, tcp);
    }
    if !tcp.has(flags::ACK) || tcp.has(flags::SYN) {
        net.count(Reason::RstBeforeData);
        return done(packet);
    }
    let s = &tcp.seg;
    if let Some(agreed) = cookie(host, keys, tcp) {
        net.count(Reason::CookieOk);
        let scaled = agreed.snd_wscale.is_some();
        // What is left of an earlier connection between the same ports has nothing to say to this
        // one, whose next packets carry no cookie.
        if had_flow {
            let old = net.flows.get(guard, &tcp.tuple);
            if let Some(old) = old.filter(|f| f.client_isn() != s.seq.wrapping_sub(1)) {
                net.flows.remove(guard, old, &net.edits);
            }
        }
        if tcp.payload_len == 0 {
            if tcp.has(flags::FIN) {
                answer::fin_ack(host, tcp, &packet, scaled);
            } else {
                net.count(Reason::AckBare);
            }
            return done(packet);
        }
        let isn = s.seq.wrapping_sub(1);
        packet = match begun(host, guard, config, packet, tcp, isn) {
            Ok(verdict) => return verdict,
            Err(packet) => packet,
        };
        let hs = Handshake {
            tuple: tcp.tuple,
            client_isn: isn,
            cookie: s.ack.wrapping_sub(1),
            tsecr: s.options.timestamps.map(|t| t.1),
            agreed,
            kept: false,
            taken_over: false,
        };
        return request::first(host, guard, config, tcp, packet, &hs);
    }
    let now = net.now_s();
    let own = s.ack.wrapping_sub(1);
    if tcp.payload_len <= 1 {
        // A keep-alive probe repeats the byte before the window: here, the SYN.
        let probe = keys.verify_cookie(&tcp.tuple, s.seq, own, None, now);
        if let Some(agreed) = probe.filter(|_| !tcp.has(flags::FIN)) {
            answer::probe_ack(host, tcp, &packet, agreed.snd_wscale.is_some());
            return done(packet);
        }
        // The last word of a connection without data whose FIN was answered here.
        let last = |n: u32| n.wrapping_sub(2);
        let ended = || keys.verify_cookie(&tcp.tuple, last(s.seq), last(s.ack), None, now);
        if tcp.payload_len == 0 && !tcp.has(flags::FIN) && ended().is_some() {
            net.count(Reason::AckBare);
            return done(packet);
        }
    }
    if tcp.payload_len > 0 {
        let fits = answer::fits(net, tcp.ipv6());
        let stamps = s.options.timestamps;
        if let Some((isn, _, agreed)) =
            keys.early_segment(&tcp.tuple, s.seq, s.ack, &fits, stamps.is_some(), now)
        {
            packet = match begun(host, guard, config, packet, tcp, isn) {
                Ok(verdict) => return verdict,
                Err(packet) => packet,
            };
            net.count(Reason::EarlySegment);
            let hs = Handshake {
                tuple: tcp.tuple,
                client_isn: isn,
                cookie: own,
                tsecr: stamps.map(|t| t.1),
                agreed,
                kept: false,
                taken_over: false,
            };
            return request::early(host, guard, config, tcp, packet, &hs, true);
        }
    }
    net.count(Reason::CookieBad);
    directory::unknown(host, guard, config, packet, tcp)
}
