// SPDX-License-Identifier: GPL-2.0

//! What the local stack sends to a client: the session cookie goes into the first response, and
//! from there on sequence numbers are shifted. Last in LOCAL_OUT, so that conntrack has seen the
//! stack's own numbers. Softirq, or process context with bottom halves on.

use kernel::sync::rcu::Guard;

use super::{
    classify::{classify, Class, Tcp, Way},
    host::Host, //
};
use crate::{
    decide::{
        insert::{self, Attributes, Finder, Place},
        limits,
        reason::Reason,
        shift::{Insert, Outgoing, Shift},
        sid, //
    },
    kapi::nf::{Hook, HookPacket, Verdict},
    table::{
        flow::Flow,
        service::{SameSite, Service},
    },
    wire::{http::response::Fieldset, tcp::seq},
};

/// The hook in LOCAL_OUT.
pub(super) struct Egress;

impl Hook for Egress {
    type State = Host;

    #[inline]
    fn call(host: &Host, guard: &Guard, mut packet: HookPacket) -> Verdict {
        let net = &host.net;
        let Some(config) = net.config(guard) else {
            return packet.accept();
        };
        let Class::Tcp(tcp) = classify(config, &mut packet, Way::Out) else {
            return packet.accept();
        };
        let Some(flow) = net.flows.get(guard, &tcp.tuple) else {
            return packet.accept();
        };
        if flow.owner() != config.local {
            return packet.accept();
        }
        let now = net.uptime();
        flow.touch(now);
        flow.on(now, |f| f.on_server_segment(tcp.seg.flags));
        if flow.wants_insert() && tcp.payload_len > 0 {
            begin(host, guard, &packet, &tcp, &flow);
        }
        match flow.shift() {
            None => packet.accept(),
            Some(shift) => shifted(host, guard, packet, &tcp, &flow, shift),
        }
    }
}

/// Looks for the place of the cookie, and begins to shift when it is there.
fn begin(
    host: &Host,
    guard: &Guard,
    packet: &crate::kapi::skb::Packet,
    tcp: &Tcp<'_>,
    flow: &Flow,
) {
    let net = &host.net;
    let Some(start) = flow.response_at() else {
        return;
    };
    if seq::lt(tcp.seg.seq, start) {
        // Sent before, as it is.
        return;
    }
    let service = tcp.service;
    let mut finder = Finder::new();
    if tcp.seg.seq == start {
        let name = service.settings.cookie.as_bytes();
        packet.for_each_chunk(tcp.payload(), tcp.payload_len as usize, |bytes| {
            finder.feed(bytes, name)
        });
    }
    let why = match finder.place() {
        Place::At { offset, fields } => {
            match put(host, guard, service, tcp, flow, offset, fields.as_ref()) {
                Some(()) => Reason::Inserted,
                None => Reason::InsertFailed,
            }
        }
        Place::Next { offset } => {
            flow.response_next(start.wrapping_add(offset as u32));
            return;
        }
        Place::Partial => Reason::InsertFailed,
        Place::NotHttp => Reason::InsertNotHttp,
    };
    flow.insert_done();
    net.count(why);
}

/// Prepares the insert: its bytes are kept first, then the shift begins; without either nothing
/// is changed.
fn put(
    host: &Host,
    guard: &Guard,
    service: &Service,
    tcp: &Tcp<'_>,
    flow: &Flow,
    offset: usize,
    fields: Option<&Fieldset>,
) -> Option<()> {
    let net = &host.net;
    if fields.is_some_and(|f| f.sets_cookie) {
        // The application's own cookie of that name wins.
        return None;
    }
    let key = flow.terms().session?;
    let text = sid::encode(&net.keys.read(guard)?.send()?.sid_of(&key));
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
        // Unless it says otherwise, a shared cache may store it, and our id with it.
        private: fields.is_none_or(|f| !f.caching.private && !f.caching.no_store),
    };
    let mut buf = [0; limits::INSERT_MAX as usize];
    let len = insert::write(&mut buf, s.cookie.as_bytes(), &text, &with)?;
    net.inserts.store(guard, &tcp.tuple, buf.get(..len)?).ok()?;
    let new = Shift::new(Insert {
        at: tcp.seg.seq.wrapping_add(offset as u32),
        len: len as u16,
    });
    if !net.shifts.begin() {
        net.inserts.forget(guard, &tcp.tuple);
        return None;
    }
    if !flow.set_shift(None, new) {
        net.shifts.end();
        return None;
    }
    Some(())
}

/// A packet of a connection with a shift.
fn shifted(
    host: &Host,
    guard: &Guard,
    mut packet: HookPacket,
    tcp: &Tcp<'_>,
    flow: &Flow,
    shift: Shift,
) -> Verdict {
    let net = &host.net;
    let l4 = tcp.l4();
    match shift.outgoing(tcp.seg.seq, tcp.payload_len, tcp.seg.flags) {
        Outgoing::Before => packet.accept(),
        Outgoing::After { seq } => {
            if packet.writable(tcp.payload()).is_none()
                || !packet.replace_tcp(l4, 4, &seq.to_be_bytes())
            {
                // Unshifted it would corrupt the stream; the stack sends it again.
                net.count(Reason::DropNoMemory);
                return packet.drop();
            }
            net.count(Reason::Shifted);
            packet.accept()
        }
        Outgoing::Split { offset } => {
            let done = net.inserts.get(guard, &tcp.tuple).and_then(|bytes| {
                let (header, at) = (tcp.seg.header_len, offset as usize);
                packet
                    .insert_tcp(l4, header, at, bytes.as_bytes(), tcp.ipv6())
                    .ok()
            });
            if done.is_none() {
                net.count(Reason::InsertFailed);
                return packet.drop();
            }
            let mut sent = shift;
            sent.on_sent();
            if sent != shift {
                flow.set_shift(Some(shift), sent);
            }
            packet.accept()
        }
    }
}
