// SPDX-License-Identifier: GPL-2.0

//! An owner follows the requests and responses of its relayed connections, and tells their entry
//! members which of them are at rest: should it die, those can go on elsewhere. The rules are in
//! [`crate::decide::exchange`].

use kernel::{prelude::*, sync::rcu::Guard};

use super::{host::Host, push};
use crate::{
    decide::{
        exchange::{Exchange, Part, Phase, Request, Want},
        flow::{Role, State},
        reason::Reason,
        shift::Outgoing,
    },
    kapi::{
        hash::Ref,
        skb::Packet,
        tcp::{self as stack, Socket},
    },
    table::{
        config::Config,
        directory::{Batch, FRESH},
        flow::{Flow, Terms},
        service::Service,
    },
    wire::{
        addr::Tuple,
        control::{self, Resting, MAX_RESTING},
        http::{
            answer::{AnswerParser, ChunkParser},
            head::Outcome,
        },
        plain::Plain,
        tcp::flags,
    },
};

/// Begins to follow a connection that was handed over. `whole`: with one whole request of so many
/// bytes, by another method than HEAD. Without memory it is not followed.
pub(super) fn begin(
    host: &Host,
    guard: &Guard,
    flow: &Flow,
    tuple: &Tuple,
    terms: &Terms,
    whole: Option<u32>,
) {
    let net = &host.net;
    let first = terms.client_isn.wrapping_add(1);
    let mut from = Exchange::new(first, terms.cookie.wrapping_add(1));
    if let Some(len) = whole {
        from.on_client(first, len, |_| Some(Request { len, head: false }));
    }
    if net.exchanges.begin(guard, tuple, from, first).is_ok() {
        flow.on(net.uptime(), |f| f.set_followed(true));
    }
}

/// Data of the client on its way up, on a connection that is followed.
pub(super) fn client(
    host: &Host,
    guard: &Guard,
    service: &Service,
    packet: &Packet,
    p: &Plain,
    flow: &Flow,
) {
    let net = &host.net;
    let Some(followed) = net.exchanges.get(guard, &p.tuple) else {
        return;
    };
    let name = service.settings.cookie.as_bytes();
    let now = followed.on(|e| {
        e.on_client(p.seq, p.payload_len, |offset| {
            request(packet, p, offset, name)
        });
    });
    if now.phase == Phase::Lost {
        stop(host, guard, flow, &p.tuple);
    }
}

/// Reads a request head that begins `offset` bytes into a segment and is whole in it.
fn request(packet: &Packet, p: &Plain, offset: u32, name: &[u8]) -> Option<Request> {
    let at = p.payload().checked_add(offset as usize)?;
    let len = p.payload_len.checked_sub(offset)? as usize;
    match super::request::read_head(packet, at, len, name) {
        Some(Outcome::Head(head)) => Request::of(&head),
        _ => None,
    }
}

/// A segment of the local stack, on a connection that is followed. In its own numbers.
pub(super) fn server(host: &Host, guard: &Guard, packet: &Packet, p: &Plain, flow: &Flow) {
    let net = &host.net;
    let ends = p.has(flags::FIN | flags::RST);
    if p.payload_len == 0 && !ends {
        return;
    }
    let Some(followed) = net.exchanges.get(guard, &p.tuple) else {
        return;
    };
    let before = followed.now().phase;
    let now = followed.on(|e| {
        if ends {
            e.phase = Phase::Lost;
        }
        e.on_server(p.seq, p.payload_len, |want, offset| {
            part(packet, p, offset, want)
        });
    });
    if now.phase == Phase::Lost {
        stop(host, guard, flow, &p.tuple);
    } else if now.phase == Phase::Rest && before != Phase::Rest {
        if net.resting.push(&p.tuple) {
            host.list(guard);
        }
    }
}

/// Reads a part of a response that begins `offset` bytes into a segment and is whole in it.
fn part(packet: &Packet, p: &Plain, offset: u32, want: Want) -> Option<Part> {
    let at = p.payload().checked_add(offset as usize)?;
    let len = p.payload_len.checked_sub(offset)? as usize;
    match want {
        Want::Head { head } => {
            let mut parser = AnswerParser::new();
            packet.for_each_chunk(at, len, |bytes| parser.feed(bytes));
            let (len, answer) = parser.answer(head)?;
            Some(Part::Head(len, answer))
        }
        Want::Chunk => {
            let mut parser = ChunkParser::new();
            packet.for_each_chunk(at, len, |bytes| parser.feed(bytes));
            let (len, more) = parser.chunk()?;
            Some(Part::Chunk(len, more))
        }
    }
}

/// The connection is not followed any more.
fn stop(host: &Host, guard: &Guard, flow: &Flow, tuple: &Tuple) {
    flow.on(host.net.uptime(), |f| f.set_followed(false));
    host.net.exchanges.end(guard, tuple);
}

/// The entry member of a connection that is followed.
fn entry_of(host: &Host, guard: &Guard, tuple: &Tuple) -> Option<u16> {
    let flow = host.net.flows.get(guard, tuple)?;
    let status = flow.status();
    let there = status.role == Role::Owner && status.state == State::Live && status.followed();
    there.then(|| flow.terms().entry)
}

/// A connection as its entry member is to hear of it: at rest, and both sides have everything.
fn resting(host: &Host, guard: &Guard, tuple: &Tuple) -> Option<Resting> {
    let net = &host.net;
    let flow = net.flows.get(guard, tuple)?;
    let followed = net.exchanges.get(guard, tuple)?;
    let (asked, answered) = followed.now().rest()?;
    // Most were told long ago: sockets are looked up for the others only.
    if followed.is_told(asked) {
        return None;
    }
    let received = host.ask_socket(|ns, device| match stack::stands(ns, tuple, device) {
        (Socket::Full, at) => Some(at.next),
        _ => None,
    });
    if received != Some(asked)
        || host.ask_socket(|ns, device| stack::accepted(ns, tuple, device)) != Some(answered)
        || !followed.tell(asked)
    {
        return None;
    }
    let answered = match flow.shift() {
        None => answered,
        Some(shift) => match shift.outgoing(answered, 0, flags::ACK) {
            Outgoing::Before => answered,
            Outgoing::After { seq } => seq,
            Outgoing::Split { .. } => return None,
        },
    };
    Some(Resting {
        tuple: *tuple,
        client_isn: flow.client_isn(),
        asked,
        answered,
    })
}

/// Tells entry members which of these connections are at rest. Process context, under RCU.
pub(super) fn tell(host: &Host, guard: &Guard, config: &Config, batch: &Batch) {
    let mut entries = [0u16; FRESH];
    for (entry, tuple) in entries.iter_mut().zip(batch.as_slice()) {
        *entry = entry_of(host, guard, tuple).unwrap_or(0);
    }
    for to in config.others() {
        let mut out = [Resting::default(); MAX_RESTING];
        let mut n = 0usize;
        let send = |some: &[Resting]| {
            push::send(host, guard, config, to, |buf, header| {
                control::emit_rest(buf, header, some)
            });
            host.net.count(Reason::RestSent);
        };
        let here = batch.as_slice().iter().zip(entries);
        for (tuple, _) in here.filter(|(_, entry)| *entry == to.id()) {
            let (Some(one), Some(slot)) = (resting(host, guard, tuple), out.get_mut(n)) else {
                continue;
            };
            *slot = one;
            n = n.saturating_add(1);
            if n == MAX_RESTING {
                send(&out);
                n = 0;
            }
        }
        if n > 0 {
            send(out.get(..n).unwrap_or_default());
        }
    }
}

/// Has the entry member of a connection told once more, with the next sweep, that it is at rest, if it
/// is: what was said may have got lost. Under RCU.
pub(super) fn again(host: &Host, guard: &Guard, flow: &Ref<'_, Tuple, Flow>) {
    if let Some(followed) = host.net.exchanges.get(guard, flow.key()) {
        followed.tell_again(flow.client_isn().wrapping_add(1));
    }
}

/// Forgets what is over, and tells what was not told: a client acknowledges late what it has.
/// Process context.
pub(super) fn sweep(host: &Host) -> Result {
    let net = &host.net;
    let mut batch = Batch::new()?;
    let mut walk = net.exchanges.walk()?;
    loop {
        let mut left = FRESH;
        let more = walk.next(|guard, followed| {
            if entry_of(host, guard, followed.key()).is_some() {
                let rest = followed.now().rest();
                if rest.is_some_and(|(asked, _)| !followed.is_told(asked)) {
                    batch.push(followed.key());
                }
            } else if !is_young(host, guard, followed.key()) {
                net.exchanges.end(guard, followed.key());
            }
            left = left.saturating_sub(1);
            left > 0
        });
        let guard = kernel::sync::rcu::read_lock();
        if let Some(config) = net.config(&guard) {
            tell(host, &guard, config, &batch);
        }
        drop(guard);
        batch.clear();
        if !more {
            return Ok(());
        }
    }
}

/// Whether a connection's socket has not been seen yet.
fn is_young(host: &Host, guard: &Guard, tuple: &Tuple) -> bool {
    let flow = host.net.flows.get(guard, tuple);
    flow.is_some_and(|f| f.status().state == State::Decided && f.status().followed())
}
