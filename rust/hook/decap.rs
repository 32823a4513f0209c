// SPDX-License-Identifier: GPL-2.0

//! What arrives through the tunnel: packets for this member's stack, and control messages.
//!
//! Everything is hostile until its code has been verified. A packet is never decided on and never
//! forwarded again: either this member owns its connection, or it is dropped.

use kernel::sync::{
    atomic::Relaxed,
    rcu::Guard, //
};

use super::{
    decision::{self, Home},
    deliver,
    directory,
    events::{self, Cause},
    exchange,
    hold,
    host::Host,
    ingress,
    leftover,
    push,
    state,
    tell, //
};
use crate::{
    decide::{
        flow::{Flow as Status, Role, State},
        limits::EPOCH_S,
        lost::Mark,
        reason::Reason,
        replay::Message,
        session::ended,
        sid::Sid,
    },
    kapi::{skb::Packet, time, tunnel::Receiver},
    table::{
        config::Config,
        flow::{Flow, Terms},
        keys::Key,
        member::{Inbox, Member},
        service::Service,
        session::Applied, //
    },
    wire::{
        addr::{Addr, Tuple},
        control::{self, Association, Body, Report},
        geneve::{self, Data, Frame, HandOff, Route},
        icmp, ip,
        plain::Plain,
        tcp::{self, Segment},
        Fault, Layer,
    },
};

/// Takes what the tunnel's sockets receive.
pub(super) struct Decap;

impl Receiver for Decap {
    type State = Host;

    fn receive(host: &Host, guard: &Guard, mut packet: Packet, from: Addr) {
        let net = &host.net;
        match frame(host, guard, &mut packet, from) {
            Ok(Todo::Nothing) => packet.consume(),
            Ok(Todo::Deliver { header_len, ipv6 }) => {
                let inner = host
                    .tunnel(guard)
                    .and_then(|t| t.unwrap(packet, header_len, ipv6));
                match inner.map(|inner| inner.reinject(net.ns, host.device(), true)) {
                    Some(true) => {}
                    Some(false) => net.count(Reason::DropNoDevice),
                    None => net.count(Reason::DropNoMemory),
                }
            }
            // Dropping the packet is the outcome.
            Err(why) => {
                net.count(why);
                let config = net.config(guard).filter(|_| concerns_sender(why));
                let sender = config.and_then(|c| c.others().find(|m| m.settings.addr == from));
                if let Some(sender) = sender {
                    sender.live.refuse(why);
                }
            }
        }
    }
}

/// Whether an outcome says that something is wrong with its sender, or between it and this member.
fn concerns_sender(why: Reason) -> bool {
    matches!(
        why,
        Reason::TunnelMalformed
            | Reason::TunnelVersion
            | Reason::TunnelNotMember
            | Reason::TunnelOtherFarm
            | Reason::TunnelForged
            | Reason::TunnelReplay
            | Reason::TunnelOldBoot
            | Reason::TunnelNotService
    )
}

enum Todo {
    Nothing,
    Deliver { header_len: usize, ipv6: bool },
}

/// For how long the hand-off of a member with a lower id is not taken by one that has handed the same
/// connection to it, seconds.
const CROSSED_S: u32 = 2;

/// Bytes of a control message that are looked at.
const LOOK: usize = control::MAX_MESSAGE;
/// Bytes of any message that are looked at first. A data message has so many in its headers; those
/// of the client's data stay where they are: moved to the front they would be copied, accounted
/// for twice in the socket's buffer, and never be merged with what follows.
const FIRST_LOOK: usize = geneve::MIN_DATA_HEADER + ip::IPV4_LEN + tcp::HEADER_LEN;
/// Bytes that all headers of a data message may have behind the outer ones.
const MOST_INNER: usize = 1024;

fn frame(host: &Host, guard: &Guard, packet: &mut Packet, from: Addr) -> Result<Todo, Reason> {
    let net = &host.net;
    let config = net.config(guard).ok_or(Reason::TunnelNotMember)?;
    let sender = config
        .others()
        .find(|m| m.settings.addr == from)
        .ok_or(Reason::TunnelNotMember)?;
    let keys = net.keys.read(guard).ok_or(Reason::TunnelForged)?;
    let view = packet.view(FIRST_LOOK).ok_or(Reason::DropNoMemory)?;
    let parsed = match geneve::parse(view.bytes) {
        Err(e) if e.fault == Fault::Short && e.needed > view.bytes.len() => {
            let view = packet.view(e.needed).ok_or(Reason::DropNoMemory)?;
            geneve::parse(view.bytes)
        }
        parsed => parsed,
    };
    match parsed.map_err(|_| Reason::TunnelMalformed)? {
        Frame::Data {
            data,
            header_len,
            mac,
            mac_offset,
        } => {
            if data.farm != config.farm.id {
                return Err(Reason::TunnelOtherFarm);
            }
            if data.sender.member != sender.id() {
                return Err(Reason::TunnelNotMember);
            }
            let key = keys.get(data.sender.key).ok_or(Reason::TunnelForged)?;
            let ipv6 = data.inner == geneve::Inner::V6;
            let code = |bytes: &[u8]| key.data_mac(bytes);
            let inner = inner(packet, header_len, mac_offset, ipv6, config.local, code)?;
            // A plain comparison of words: its time tells nothing about which byte was wrong.
            if u64::from_be_bytes(inner.code) ^ u64::from_be_bytes(mac) != 0 {
                return Err(Reason::TunnelForged);
            }
            if inner.protocol != ip::TCP && matches!(data.route, Route::HandOff(_)) {
                return Err(Reason::TunnelMalformed);
            }
            net.count(Reason::TunnelData);
            if accept(host, guard, config, sender, key, &data, &inner)? {
                Ok(Todo::Deliver { header_len, ipv6 })
            } else {
                Ok(Todo::Nothing)
            }
        }
        Frame::Control { farm, header_len } => {
            if farm != config.farm.id {
                return Err(Reason::TunnelOtherFarm);
            }
            let view = packet.view(LOOK).ok_or(Reason::DropNoMemory)?;
            let bytes = control::in_datagram(view.bytes, header_len, view.len)
                .ok_or(Reason::TunnelMalformed)?;
            control(host, guard, config, sender, bytes, view.len)?;
            Ok(Todo::Nothing)
        }
    }
}

/// The inner packet of a data message.
struct Inner {
    /// The connection that it is of, or as an ICMP error is about.
    tuple: Tuple,
    /// Its protocol.
    protocol: u8,
    /// `None` for an ICMP error.
    seg: Option<Segment>,
    /// The sequence number behind its last byte; 0 for an ICMP error.
    end: u32,
    /// What the message's code must be.
    code: [u8; geneve::MAC_LEN],
}

/// The length of the headers of a TCP packet; `None` where they are not the usual ones, or where `packet`
/// ends before it is said.
fn headers_len(packet: &[u8]) -> Option<usize> {
    let ip = ip::parse(packet).ok().filter(|ip| ip.protocol == ip::TCP)?;
    let tcp = tcp::header_len(packet.get(ip.header_len..)?)?;
    ip.header_len.checked_add(tcp)
}

#[inline]
fn inner(
    packet: &mut Packet,
    header_len: usize,
    mac_offset: usize,
    ipv6: bool,
    me: u16,
    code: impl FnOnce(&[u8]) -> [u8; geneve::MAC_LEN],
) -> Result<Inner, Reason> {
    let least = if ipv6 { ip::IPV6_LEN } else { ip::IPV4_LEN };
    let least = header_len
        .saturating_add(least)
        .saturating_add(tcp::HEADER_LEN);
    let view = packet.view(least).ok_or(Reason::DropNoMemory)?;
    if let Some((header, inner)) = view.bytes.split_at_checked(header_len) {
        let len = view.len.saturating_sub(header_len);
        let plain = Plain::parse(inner, len, true).filter(|p| (p.l4 != ip::IPV4_LEN) == ipv6);
        if let Some((p, seg)) = plain.and_then(|p| Some((p, p.segment(inner)?))) {
            let code = geneve::covered(header, mac_offset, &p.tuple, ip::TCP, me, code);
            return Ok(Inner {
                tuple: p.tuple,
                protocol: ip::TCP,
                seg: Some(seg),
                end: p.seq.wrapping_add(p.payload_len),
                code: code.ok_or(Reason::TunnelMalformed)?,
            });
        }
    }
    let want = view.bytes.get(header_len..).and_then(headers_len);
    let want = header_len.saturating_add(want.unwrap_or(MOST_INNER));
    let view = packet.view(want).ok_or(Reason::DropNoMemory)?;
    let (header, inner) = view
        .bytes
        .split_at_checked(header_len)
        .ok_or(Reason::TunnelMalformed)?;
    let ip = ip::parse(inner).map_err(|_| Reason::TunnelMalformed)?;
    if ip.fragment || (ip.version == 6) != ipv6 {
        return Err(Reason::TunnelMalformed);
    }
    let payload = inner.get(ip.header_len..).ok_or(Reason::TunnelMalformed)?;
    let (tuple, seg, end) = if ip.protocol == ip::TCP {
        let seg = tcp::parse(payload).map_err(|_| Reason::TunnelMalformed)?;
        let tuple = Tuple::from_client(ip.src, ip.dst, seg.src_port, seg.dst_port);
        let headers = ip.header_len.saturating_add(seg.header_len);
        let len = ip.total_len.saturating_sub(headers) as u32;
        let end = seg.seq.wrapping_add(len);
        (tuple, Some(seg), end)
    } else {
        let quote = icmp::parse(ip.protocol, payload).ok_or(Reason::TunnelMalformed)?;
        // The MAC covers what is quoted. What it goes to is the service, like all that is relayed.
        if ip.dst != quote.tuple.vip {
            return Err(Reason::TunnelMalformed);
        }
        (quote.tuple, None, 0)
    };
    let code = geneve::covered(header, mac_offset, &tuple, ip.protocol, me, code);
    Ok(Inner {
        tuple,
        protocol: ip.protocol,
        seg,
        end,
        code: code.ok_or(Reason::TunnelMalformed)?,
    })
}

/// Whether an authenticated packet is for a connection of ours; a hand-off makes it one. Answers
/// whether it is to be delivered: `false` when our socket has all of it.
#[allow(clippy::too_many_arguments)]
fn accept(
    host: &Host,
    guard: &Guard,
    config: &Config,
    sender: &Member,
    key: &Key,
    data: &Data,
    inner: &Inner,
) -> Result<bool, Reason> {
    let net = &host.net;
    let tuple = &inner.tuple;
    let now = net.uptime();
    let flow = net.flows.get(guard, tuple);
    let service = config.service(&tuple.vip, tuple.vip_port);
    if flow.is_none() && service.is_none() {
        return Err(Reason::TunnelNotService);
    }
    match data.route {
        Route::Relay { generation } => match flow.filter(|f| f.owner() == config.local) {
            Some(flow) => {
                flow.touch(now);
                if flow.entry() != sender.id() && !flow.status().moved {
                    flow.on(now, |f| f.moved = true);
                }
                if begins_another(host, guard, &flow, inner) {
                    // Only who gets it from the client may decide on it.
                    push::flow_gone(host, guard, config, sender, tuple, generation);
                    return Err(Reason::TunnelOver);
                }
            }
            // The ingress hook answers it, as every SYN that belongs to nothing.
            None if service.is_some() && inner.seg.as_ref().is_some_and(tcp::Segment::is_syn) => {}
            None => {
                directory::not_here(host, guard, config, sender, tuple, generation);
                return Err(Reason::TunnelNoFlow);
            }
        },
        Route::HandOff(h) => {
            let mut known = flow.filter(|f| f.client_isn() == h.client_isn);
            if let Some(flow) = known.filter(|f| f.owner() != config.local) {
                // It came in here, too, and was given to another member.
                let status = flow.status();
                if status.state != State::Decided || status.kept() {
                    if status.state != State::Closed {
                        directory::not_ours(host, guard, config, sender, tuple, &flow);
                    }
                    return Err(Reason::TunnelNoFlow);
                }
                // That member has not said that it has it. It may be the sender itself: two that have
                // decided for each other would both wait for ever. One of them takes it, the other only
                // when its own hand-off was lost; nobody does if there is an owner.
                let owner = flow.owner();
                let listed = directory::owner(host, guard, config, tuple);
                if listed == Some((owner, h.client_isn)) {
                    directory::not_ours(host, guard, config, sender, tuple, &flow);
                    return Err(Reason::TunnelNoFlow);
                }
                let crossed = owner == sender.id() && owner < config.local;
                if crossed && flow.age(now) < CROSSED_S {
                    return Err(Reason::TunnelNoFlow);
                }
                net.flows.remove(guard, flow, &net.edits);
                known = None;
            }
            if let Some(flow) = known {
                // The option is repeated until we have acknowledged it: handling it twice is
                // harmless.
                flow.touch(now);
            } else {
                let service = service.ok_or(Reason::TunnelNotService)?;
                take(host, guard, config, sender, service, key, &h, inner, now)?;
                net.count(Reason::TunnelHandOff);
            }
            let report = if h.flags & HandOff::KEPT != 0 {
                deliver::report(host, guard, tuple, host.device())
            } else {
                Report::NotYet
            };
            let entry = sender.id();
            push::hand_off_ack(host, guard, config, entry, tuple, h.client_isn, report);
            // A copy that is not needed would only make the socket say so to the client.
            return Ok(match report {
                Report::NotYet => true,
                Report::Has(next) => tcp::seq::gt(inner.end, next),
                Report::Over => false,
            });
        }
    }
    Ok(true)
}

/// Whether a segment is of a newer connection than the flow here, which is over.
fn begins_another(host: &Host, guard: &Guard, flow: &Flow, inner: &Inner) -> bool {
    if !flow.status().expects_first() {
        return false;
    }
    // A SYN carries no cookie, so none verifies.
    let Some(seg) = &inner.seg else {
        return false;
    };
    ingress::begins_another(
        host,
        guard,
        &inner.tuple,
        flow.client_isn(),
        seg.seq,
        seg.ack,
    )
}

/// Takes over a connection: stores its flow and its association.
#[allow(clippy::too_many_arguments)]
fn take(
    host: &Host,
    guard: &Guard,
    config: &Config,
    sender: &Member,
    service: &Service,
    key: &Key,
    h: &HandOff,
    inner: &Inner,
    now: u32,
) -> Result<(), Reason> {
    let net = &host.net;
    let tuple = &inner.tuple;
    let has = |flag: u8| h.flags & flag != 0;
    let mut tsecr = h.tsecr;
    if has(HandOff::TAKEN_OVER) {
        // No cookie says how old it is, so it does itself.
        let age = net.now().abs_diff(h.tsecr);
        if u64::from(age) > EPOCH_S {
            return Err(Reason::TunnelReplay);
        }
        let stamps = inner.seg.as_ref().and_then(|s| s.options.timestamps);
        tsecr = stamps.map_or(0, |(_, ecr)| ecr);
    } else {
        // A recorded hand-off is worth no more than its cookie: nothing once that is too old.
        let keys = net.keys.read(guard).ok_or(Reason::TunnelForged)?;
        keys.verify_cookie(tuple, h.client_isn, h.cookie_isn, None, net.now_s())
            .ok_or(Reason::TunnelReplay)?;
    }
    if leftover::is_occupied(host, guard, tuple, h.client_isn, h.cookie_isn) {
        return Err(Reason::TunnelOccupied);
    }
    let mut session = has(HandOff::HAS_SID).then(|| Sid(h.sid).key());
    let mut insert = has(HandOff::NEW_SESSION);
    if let Some(k) = session {
        // What the hand-off says was said by an authenticated member; the id proves itself too.
        if key.sid_of(&k) != Sid(h.sid) {
            return Err(Reason::SidForged);
        }
        if h.home_version > 0 {
            // The home alone knows when its session was last used: that somebody shows the id is no
            // use before it has said so. Unless the session is new here, or the home itself is.
            let known = net.sessions.get(guard, &k).map(|e| e.association(&k));
            let news = known.is_none_or(|a| a.home != config.local || a.version < h.home_version)
                && h.home_version > 1;
            let fresh = insert || news || net.joined_ms.load(Relaxed) == 0;
            let a = Association {
                key: k,
                home: config.local,
                origin: h.origin,
                version: h.home_version,
                created: h.created,
                last_used: if fresh { net.now() } else { h.created },
                group: h.group,
                flags: 0,
            };
            // A repetition, or a returning client: nothing new is no news.
            stored(host, guard, config, &a);
        }
        if !insert {
            // The client has shown the id, so its home has the last word.
            match decision::at_home(host, guard, config, service, &k) {
                Home::Serve => {}
                Home::NotMine(a) => {
                    push::not_mine(host, guard, config, sender, tuple, h.client_isn, &a);
                    return Err(Reason::NotMine);
                }
                Home::Renewed(new) => {
                    session = Some(new);
                    insert = true;
                }
            }
        }
    }
    let terms = Terms {
        client_isn: h.client_isn,
        cookie: h.cookie_isn,
        tsecr: has(HandOff::TSTAMP).then_some(tsecr),
        mss: h.mss,
        snd_wscale: h.snd_wscale,
        rcv_wscale: h.rcv_wscale,
        sack: has(HandOff::SACK),
        ecn: has(HandOff::ECN),
        insert,
        owner: config.local,
        entry: h.entry,
        session,
        taken_over: has(HandOff::TAKEN_OVER),
        start: 0,
    };
    let status = Status::decided(Role::Owner);
    let flow = net
        .flows
        .store(guard, tuple, &terms, status, now, &net.edits)
        .map_err(|_| Reason::FlowFull)?;
    // Only what begins the connection can be its whole first request.
    let whole = inner
        .seg
        .as_ref()
        .filter(|seg| has(HandOff::WHOLE) && seg.seq == h.client_isn.wrapping_add(1))
        .map(|seg| inner.end.wrapping_sub(seg.seq));
    exchange::begin(host, guard, &flow, tuple, &terms, whole);
    Ok(())
}

/// A control message, in a datagram of `len` bytes: verified, fresh, and then believed.
fn control(
    host: &Host,
    guard: &Guard,
    config: &Config,
    sender: &Member,
    bytes: &[u8],
    len: usize,
) -> Result<(), Reason> {
    let net = &host.net;
    let message = control::parse(bytes).map_err(|e| match (e.layer, e.fault) {
        (Layer::Control, Fault::Version) => Reason::TunnelVersion,
        _ => Reason::TunnelMalformed,
    })?;
    let header = message.header;
    if header.sender != sender.id() {
        return Err(Reason::TunnelNotMember);
    }
    let key = net
        .keys
        .read(guard)
        .and_then(|k| k.get(header.key))
        .ok_or(Reason::TunnelForged)?;
    let covered = bytes
        .get(..message.mac_offset)
        .ok_or(Reason::TunnelMalformed)?;
    let (ours, theirs) = (key.control_mac(covered), message.mac);
    if u128::from_be_bytes(ours) ^ u128::from_be_bytes(theirs) != 0 {
        return Err(Reason::TunnelForged);
    }
    let live = &sender.live;
    if header.peer_nonce != net.boot {
        // Made for an earlier start of ours, or by one that has not heard of us: it learns our
        // nonce, and nothing else happens. A challenge is never answered by one.
        if !matches!(message.body, Body::Challenge { .. }) {
            push::challenge(host, guard, config, sender, header.nonce, header.sequence);
        }
        return Err(Reason::TunnelOldBoot);
    }
    let mut restarted = false;
    {
        let mut inbox = live.inbox.lock();
        // It knows our nonce; but it may have been recorded before the sender started anew.
        match inbox.starts.accept(header.nonce, header.sequence) {
            Message::Replay => return Err(Reason::TunnelReplay),
            Message::New => {}
            Message::First => {
                *inbox = Inbox {
                    starts: inbox.starts,
                    ..Inbox::default()
                };
                live.nonce.store(header.nonce, Relaxed);
                restarted = true;
            }
        }
    }
    if restarted {
        live.restarted(time::boot_ms());
        host.look_for_lost(guard);
    }
    // Whatever it says, it is there.
    state::heard(sender);
    match message.body {
        Body::State(said) => state::received(host, guard, config, sender, &said),
        Body::Associations { first, records } => {
            let mut number = first;
            for a in records {
                net.count(Reason::PushReceived);
                let applied = learned(host, guard, config, &a);
                assigned(host, config, &a, applied);
                live.inbox.lock().seen.note(number);
                number = number.wrapping_add(1);
            }
        }
        Body::Part { part, records } => {
            tell::part(host, guard, config, sender, &part, records);
        }
        Body::Parts(parts) => tell::parts_arrived(host, guard, sender, &parts),
        Body::HandOffAck {
            tuple,
            client_isn,
            report,
        } => {
            if let Some(flow) = net.flows.get(guard, &tuple) {
                if flow.client_isn() == client_isn && flow.owner() == sender.id() {
                    flow.on(net.uptime(), Status::on_hand_off_ack);
                    if flow.status().kept() {
                        hold::reported(host, guard, config, &tuple, client_isn, report);
                    }
                }
            }
        }
        Body::NotMine {
            tuple,
            client_isn,
            association,
        } => {
            learned(host, guard, config, &association);
            let flow = net.flows.get(guard, &tuple).filter(|f| {
                let status = f.status();
                f.client_isn() == client_isn
                    && f.owner() == sender.id()
                    && status.role == Role::Entry
                    && status.state == State::Decided
            });
            if let Some(flow) = flow {
                // Nothing of it has reached an application: the client's repetition is decided
                // anew, with what is known now; and so is what the client will not repeat, since
                // it was acknowledged.
                let kept = flow.status().kept();
                net.flows.remove(guard, flow, &net.edits);
                net.count(Reason::Redirected);
                if kept {
                    hold::anew(host, guard, config, &tuple, client_isn);
                }
            }
        }
        Body::FlowGone { tuple, client_isn } => {
            directory::owner_gone(host, guard, sender, &tuple, client_isn);
        }
        Body::Challenge { .. } => {}
        Body::Probe { size } => {
            let outer = geneve::outer_len(&sender.settings.addr);
            if len.saturating_add(outer) != usize::from(size) {
                return Err(Reason::TunnelMalformed);
            }
            live.probed(size, time::boot_ms());
            net.count(Reason::MtuProbeReceived);
        }
        Body::List(listing) => directory::listed(host, guard, sender, listing),
        Body::Rest(rests) => {
            for r in rests {
                let flow = net.flows.get(guard, &r.tuple);
                let ours = flow.filter(|f| f.client_isn() == r.client_isn);
                if let Some(flow) = ours.filter(|f| f.owner() == sender.id()) {
                    flow.set_mark(Mark {
                        asked: r.asked,
                        answered: r.answered,
                    });
                }
            }
            net.count(Reason::RestReceived);
        }
        Body::Ask { tuple } => directory::asked(host, guard, config, sender, &tuple),
        Body::Answer(answer) => directory::answered(host, guard, config, sender, &answer),
        Body::TakenOver(now) => leftover::taken_over(host, guard, config, &now),
        Body::Unknown { tuple } => directory::disowned(host, guard, sender, &tuple),
    }
    Ok(())
}

/// Counts a session that another entry member has just given to its home, so that this one does not
/// select by that home's last report alone.
fn assigned(host: &Host, config: &Config, a: &Association, applied: Applied) {
    let given = match applied {
        Applied::New => true,
        Applied::Changed { old, now } => old.home != now.home && !ended(&now),
        Applied::Stale(_) | Applied::Full => false,
    };
    if given && !ended(a) && !host.net.is_frozen() {
        if let Some(home) = config.member(a.home) {
            home.live.assigned_elsewhere();
        }
    }
}

/// An association that another member, or user space, tells.
pub(crate) fn learned(host: &Host, guard: &Guard, config: &Config, a: &Association) -> Applied {
    let applied = stored(host, guard, config, a);
    if let Applied::Stale(_) = applied {
        host.net.count(Reason::PushStale);
    }
    applied
}

/// Stores an association that came from elsewhere, and tells listeners what is new in it.
fn stored(host: &Host, guard: &Guard, config: &Config, a: &Association) -> Applied {
    let net = &host.net;
    let applied = net.apply(guard, config, a);
    match applied {
        Applied::Stale(_) => {}
        Applied::Full => net.count(Reason::SessionFull),
        Applied::New => {
            let cause = if ended(a) { Cause::End } else { Cause::New };
            events::session(host, a, cause);
        }
        Applied::Changed { old, now } => {
            let cause = if ended(&now) {
                Cause::End
            } else if old.home != now.home {
                Cause::Move
            } else {
                Cause::Confirm
            };
            events::session(host, &now, cause);
        }
    }
    applied
}
