// SPDX-License-Identifier: GPL-2.0

//! Sockets that are left here of connections whose clients are elsewhere by now: they are closed.
//!
//! There are two ways to get one. A member that was taken for dead and lives still has the
//! connections that others have taken over; when it is back, those who know of one tell it. And an
//! application may never have closed a socket whose client has long gone and begins another
//! connection between the same ports, which is handed over here.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu::{self, Guard},
        ArcBorrow, //
    },
};

use super::{
    directory,
    host::Host,
    push, //
};
use crate::{
    decide::{
        flow::{Flow as Status, Role, State},
        limits::MEMBER_WORDS,
        lost::{self, Owner},
        member::{self, Hears},
        reason::Reason,
    },
    kapi::{
        tcp::{self as stack, Socket, Stands},
        work::Job,
    },
    table::{
        config::Config,
        flow::{Flow, Terms},
        member::Member, //
    },
    wire::{
        addr::Tuple,
        control::{self, Answer},
        tcp::seq, //
    },
};

/// How often a member that is back is told, at as many intervals: a message may get lost.
const TELL: u32 = 3;

/// Entries that are looked at under one RCU section.
const BATCH: u32 = 256;

/// Where the socket of a connection here stands.
fn stands(host: &Host, tuple: &Tuple) -> Option<Stands> {
    host.ask_socket(|ns, device| match stack::stands(ns, tuple, device) {
        (Socket::Full, at) => Some(at),
        _ => None,
    })
}

/// Whether another connection's socket is in the way of one that is handed over here, whose client
/// has proved that it began it. It is closed then. Softirq.
///
/// `client_isn` and `server_isn` are the two initial numbers, as the client knows them: it goes on
/// with them.
pub(super) fn is_occupied(
    host: &Host,
    guard: &Guard,
    tuple: &Tuple,
    client_isn: u32,
    server_isn: u32,
) -> bool {
    let net = &host.net;
    // The same connection's, from before others took this member for dead: its socket goes on with
    // it. Not if the client counts what was put into a response: it has had more than was sent.
    let goes_on = |at: Stands| {
        lost::is_of(client_isn, at.next) && seq::ge(at.sent, server_isn.wrapping_add(1))
    };
    if stands(host, tuple).is_none_or(goes_on) {
        return false;
    }
    if let Some(old) = net.flows.get(guard, tuple) {
        net.requests.over(&old);
        net.flows.remove(guard, old, &net.edits);
    }
    close(host, guard, tuple);
    true
}

/// A connection that this member may have has gone on at another owner. Under RCU.
pub(super) fn taken_over(host: &Host, guard: &Guard, config: &Config, now: &Answer) {
    let net = &host.net;
    let tuple = &now.tuple;
    let Some(owner) = config.member(now.owner).filter(|m| !m.local) else {
        return;
    };
    let old = net.flows.get(guard, tuple).filter(|f| {
        let status = f.status();
        status.role != Role::Entry
            && status.state != State::Closed
            && f.client_isn() != now.client_isn
    });
    let Some(old) = old else { return };
    if !stands(host, tuple).is_some_and(|at| lost::is_of(now.client_isn, at.next)) {
        return;
    }
    if !net.leftover.has_room() {
        // Nothing has changed, so the next telling finds it.
        return host.clear_up(guard);
    }
    // From now on its packets are relayed, should they come here.
    let terms = Terms {
        client_isn: now.client_isn,
        owner: now.owner,
        entry: config.local,
        start: owner.live.start(),
        ..Terms::NONE
    };
    let client_isn = old.client_isn();
    net.requests.over(&old);
    let (status, at) = (Status::found(), net.uptime());
    let stored = net
        .flows
        .store(guard, tuple, &terms, status, at, &net.edits);
    if stored.is_err() {
        return net.count(Reason::FlowFull);
    }
    close(host, guard, tuple);
    directory::tell(host, guard, config, tuple, client_isn);
}

/// Has a socket closed, soon. One that the list has no room for is found again: if it is in the way with
/// the client's repetition, else with the next telling.
fn close(host: &Host, guard: &Guard, tuple: &Tuple) {
    host.net.leftover.push(tuple);
    host.clear_up(guard);
}

/// The end of an interval: sees to it that a member that was dead is told when it is not.
pub(super) fn watch(host: &Host, guard: &Guard, member: &Member, now: Owner) {
    let left = member.live.to_tell.load(Relaxed);
    match now {
        Owner::Dead => member.live.to_tell.store(TELL, Relaxed),
        Owner::There if left > 0 => {
            member.live.to_tell.store(left.saturating_sub(1), Relaxed);
            member.live.tell_now.store(true, Relaxed);
            host.clear_up(guard);
        }
        Owner::There | Owner::Away => {}
    }
}

/// Closes sockets, and tells members.
pub(super) struct LeftoverJob;

impl Job for LeftoverJob {
    type State = Host;

    fn run(host: ArcBorrow<'_, Host>) -> u32 {
        let host = &*host;
        while let Some(batch) = host.net.leftover.take() {
            batch.as_slice().iter().for_each(|tuple| end(host, tuple));
        }
        let mut who = [0; MEMBER_WORDS];
        {
            let guard = rcu::read_lock();
            let others = host.net.config(&guard).map(Config::others);
            for m in others.into_iter().flatten() {
                if m.live.tell_now.xchg(false, Relaxed) {
                    member::hear(&mut who, m.id());
                }
            }
        }
        if who != [0; MEMBER_WORDS] && tell(host, &who).is_err() {
            host.net.count(Reason::DropNoMemory);
        }
        0
    }
}

/// Closes a socket, unless a connection of this member has it by now. Sleeps.
fn end(host: &Host, tuple: &Tuple) {
    let taken = {
        let guard = rcu::read_lock();
        let flow = host.net.flows.get(&guard, tuple);
        flow.is_some_and(|f| f.status().role != Role::Entry)
    };
    let reset = || host.ask_socket(|ns, device| stack::reset(ns, tuple, device).ok());
    if !taken && reset().is_some() {
        host.net.count(Reason::LeftoverClosed);
    }
}

/// Tells these members of all connections that have gone on elsewhere: one of them may be theirs.
fn tell(host: &Host, who: &Hears) -> Result {
    let net = &host.net;
    let mut walk = net.flows.walk()?;
    loop {
        let mut left = BATCH;
        let more = walk.next(|guard, flow| {
            if let Some(config) = net.config(guard) {
                one(host, guard, config, who, flow.key(), &flow);
            }
            left = left.saturating_sub(1);
            left > 0
        });
        if !more {
            return Ok(());
        }
    }
}

fn one(host: &Host, guard: &Guard, config: &Config, who: &Hears, tuple: &Tuple, flow: &Flow) {
    let status = flow.status();
    if status.state == State::Closed || !flow.is_taken_over() {
        return;
    }
    let now = Answer {
        tuple: *tuple,
        client_isn: flow.client_isn(),
        owner: flow.owner(),
    };
    for m in config.others() {
        if member::hears(who, m.id()) && m.id() != now.owner {
            push::send(host, guard, config, m, |buf, header| {
                control::emit_taken_over(buf, header, &now)
            });
        }
    }
    if status.role != Role::Entry {
        // The old owner may just have listed it as its own.
        flow.on(host.net.uptime(), |f| f.listed = 0);
    }
}
