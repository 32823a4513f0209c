// SPDX-License-Identifier: GPL-2.0

//! What the local stack sends to a client: the session cookie goes into the first response, and
//! from there on sequence numbers are shifted. Last in LOCAL_OUT, so that conntrack has seen the
//! stack's own numbers. Softirq, or process context with bottom halves on.

use kernel::sync::rcu::Guard;

use super::{
    classify::{classify, Class, Way},
    exchange,
    host::Host, //
};
use crate::{
    decide::{
        flow::{Role, State},
        insert::{self, Attributes, Place},
        reason::Reason,
        shift::{Outgoing, Shift},
        sid, //
    },
    kapi::{
        hash::Ref,
        nf::{Hook, HookPacket, Verdict},
        skb::Packet,
        time, //
    },
    table::{
        flow::Flow,
        insert::Inserted,
        service::{SameSite, Service},
    },
    wire::{
        addr::Tuple,
        http::response::Fieldset,
        plain::Plain,
        tcp::{self, flags, seq},
    },
};
use Read::{Begun, More};

/// The hook in LOCAL_OUT.
pub(super) struct Egress;

impl Hook for Egress {
    type State = Host;
    type Read = Option<Plain>;

    #[inline]
    fn read(bytes: &[u8], len: usize) -> Option<Plain> {
        Plain::parse(bytes, len, false)
    }

    #[inline]
    fn call(host: &Host, guard: &Guard, mut packet: HookPacket, plain: Option<Plain>) -> Verdict {
        let net = &host.net;
        let Some(config) = net.config(guard) else {
            return packet.accept();
        };
        let p = match plain {
            Some(p) => p,
            None => match classify(config, &mut packet, Way::Out, |t| net.knows(guard, t)) {
                Class::Tcp(tcp) => Plain::from(&tcp),
                Class::Known(p) => p,
                Class::NoMemory => {
                    // Unshifted it would corrupt the stream; the stack sends it again.
                    net.count(Reason::DropNoMemory);
                    return packet.drop();
                }
                _ => return packet.accept(),
            },
        };
        let Some(flow) = net.flows.get(guard, &p.tuple) else {
            return packet.accept();
        };
        // What was changed stays changed, whatever the configuration says by now of who is who.
        if flow.status().role == Role::Entry {
            // What the module itself answers has no socket.
            if packet.sender().is_none() {
                return packet.accept();
            }
            net.count(Reason::LeftoverDropped);
            return packet.drop();
        }
        let now = net.uptime();
        flow.touch(now);
        if p.has(flags::FIN | flags::RST) || flow.status().state == State::Decided {
            flow.on(now, |f| f.on_server_segment(p.flags));
        }
        if p.payload_len > 0 {
            net.requests.answered(&flow, time::coarse_ms());
        }
        if flow.status().followed() {
            exchange::server(host, guard, &packet, &p, &flow);
        }
        if flow.wants_insert() && p.payload_len > 0 {
            if let Some(service) = config.service(&p.tuple.vip, p.tuple.vip_port) {
                match read(host, guard, service, &packet, &p, flow) {
                    Ok(More) => {}
                    Ok(Begun) => net.count(Reason::Inserted),
                    Err(why) => {
                        net.edits.stop_reading(guard, flow);
                        net.count(why);
                    }
                }
            }
        }
        match flow.shift() {
            None => packet.accept(),
            Some(shift) => shifted(host, guard, packet, &p, flow, shift),
        }
    }
}

/// What reading a segment has come to.
enum Read {
    /// The place of the cookie is not here.
    More,
    /// It is, and the shift has begun.
    Begun,
}

/// Looks for the place of the cookie, and begins to shift when it is there. An error ends the
/// reading for good.
fn read(
    host: &Host,
    guard: &Guard,
    service: &Service,
    packet: &Packet,
    p: &Plain,
    flow: Ref<'_, Tuple, Flow>,
) -> Result<Read, Reason> {
    let net = &host.net;
    let Some(next) = flow.response_at() else {
        return Ok(More);
    };
    let seq = p.seq;
    let end = seq.wrapping_add(p.payload_len);
    if seq::le(end, next) {
        // Read before.
        return Ok(More);
    }
    if seq::gt(seq, next) {
        // Another hook has dropped what was between; that comes later, and this would be gone.
        return Err(Reason::InsertFailed);
    }
    let skip = next.wrapping_sub(seq) as usize;
    let want = end.wrapping_sub(next) as usize;
    let mut finder = net.edits.reader(guard, flow).ok_or(Reason::InsertFailed)?;
    let name = service.settings.cookie.as_bytes();
    let mut fed = 0usize;
    packet.for_each_chunk(p.payload().saturating_add(skip), want, |bytes| {
        fed = fed.saturating_add(bytes.len());
        finder.feed(bytes, name)
    });
    match finder.place() {
        Place::At { offset, fields } => {
            let at = next.wrapping_add(offset as u32);
            let room = packet.sender().map(|s| s.wnd_end.wrapping_sub(at));
            put(host, guard, service, flow, at, fields.as_ref(), room)?;
            net.edits.stop_reading(guard, flow);
            Ok(Begun)
        }
        // Pages that cannot be looked at.
        Place::More if fed < want => Err(Reason::InsertFailed),
        Place::More => {
            let kept = net.edits.keep_reader(guard, flow, finder, end);
            kept.map(|()| More).map_err(|_| Reason::InsertFailed)
        }
        Place::NotHttp => Err(Reason::InsertNotHttp),
        Place::Unreadable => Err(Reason::InsertUnreadable),
    }
}

/// Prepares the insert in front of the server's byte `at`: its bytes are kept first, then the
/// shift begins; without either nothing is changed. `room`: bytes that the client has for it.
#[allow(clippy::too_many_arguments)]
fn put(
    host: &Host,
    guard: &Guard,
    service: &Service,
    flow: Ref<'_, Tuple, Flow>,
    at: u32,
    fields: Option<&Fieldset>,
    room: Option<u32>,
) -> Result<(), Reason> {
    let net = &host.net;
    if fields.is_some_and(|f| f.sets_cookie) {
        return Err(Reason::InsertOwn);
    }
    if fields.is_some_and(|f| f.caching.targeted) {
        return Err(Reason::InsertCacheable);
    }
    let new = Inserted::new(|buf| line(host, guard, service, flow, fields, buf));
    let new = new.ok_or(Reason::InsertFailed)?;
    if room.is_some_and(|room| !insert::fits(new.as_bytes().len(), room)) {
        return Err(Reason::InsertWindow);
    }
    let begun = net.edits.begin(guard, flow, at, new);
    begun.map_err(|_| Reason::InsertFailed)
}

/// Writes what is put in; its length.
fn line(
    host: &Host,
    guard: &Guard,
    service: &Service,
    flow: Ref<'_, Tuple, Flow>,
    fields: Option<&Fieldset>,
    buf: &mut [u8],
) -> Option<usize> {
    let key = flow.terms().session?;
    let known = host.net.sessions.get(guard, &key);
    let known = known.map(|entry| entry.association(&key));
    // Its MAC is of the same key as the rest of it, whoever sends with another by now.
    let made = host.net.keys.read(guard)?.shared(&key, known.as_ref())?;
    let text = sid::encode(&made.sid_of(&key));
    let s = &service.settings;
    let with = Attributes {
        secure: s.secure,
        domain: s.domain.as_bytes(),
        max_age: s.max_age,
        same_site: match s.same_site {
            SameSite::Lax => b"Lax",
            SameSite::Strict => b"Strict",
            SameSite::None => b"None",
            SameSite::Unset => b"",
        },
        // A shared cache that stores it would give our id to others.
        private: fields.is_none_or(|f| f.caching.shared()),
    };
    insert::write(buf, s.cookie.as_bytes(), &text, &with)
}

/// A packet of a connection with a shift.
fn shifted(
    host: &Host,
    guard: &Guard,
    mut packet: HookPacket,
    p: &Plain,
    flow: Ref<'_, Tuple, Flow>,
    mut shift: Shift,
) -> Verdict {
    let net = &host.net;
    if let Some(sender) = packet.sender() {
        shift = net.edits.accepted(guard, flow, shift, sender.una);
    }
    match shift.outgoing(p.seq, p.payload_len, p.flags) {
        Outgoing::Before => packet.accept(),
        Outgoing::After { seq } => {
            if !packet.replace_tcp_u32(p.l4, tcp::SEQ_OFFSET, seq) {
                // Unshifted it would corrupt the stream; the stack sends it again.
                net.count(Reason::DropNoMemory);
                return packet.drop();
            }
            net.count(Reason::Shifted);
            packet.accept()
        }
        Outgoing::Split { offset } => {
            let done = net.edits.bytes(guard, &p.tuple).and_then(|bytes| {
                let (header, at, mss) = (p.header_len, offset as usize, flow.terms().mss);
                let ipv6 = !p.tuple.vip.is_v4();
                packet
                    .insert_tcp(p.l4, header, at, bytes.as_bytes(), mss, ipv6)
                    .ok()
            });
            if done.is_none() {
                net.count(Reason::InsertDropped);
                return packet.drop();
            }
            flow.on_shift(shift, Shift::on_sent);
            packet.accept()
        }
    }
}
