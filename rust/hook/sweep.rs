// SPDX-License-Identifier: GPL-2.0

//! What ends by time: flows, sessions. Runs on a work queue once a second.

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu::{self, Guard},
        ArcBorrow, //
    },
};

use super::{
    decision,
    directory,
    events::{self, Cause},
    exchange,
    host::Host, //
};
use crate::{
    decide::{
        flow::{self, Expiry, Flow as Status, Rest, Role, Socket, State},
        limits,
        reason::Reason,
        session::{self, Timeouts},
        shift::Phase,
    },
    kapi::{
        hash::Ref,
        tcp::{self as stack},
        time,
        work::Job,
    },
    table::{config::Config, flow::Flow, net::Net, session::Session},
    wire::addr::Tuple,
};

/// Silence after which an entry member takes a client's goodbye for the end, in ms.
const ENTRY_CLOSING_MS: u64 = 2_000;

/// Silence after which a connection is asked whether the client has what was put in, in ms.
const SETTLED_MS: u64 = 1_000;

/// Sessions that one sweep moves away from a member whose drain is overdue: no more than half of
/// what can be sent again.
const MOVES: u32 = 2_048;

/// Entries that are looked at under one RCU section.
const BATCH: u32 = 256;

/// The job of one second.
pub(super) struct SweepJob;

impl Job for SweepJob {
    type State = Host;

    fn run(host: ArcBorrow<'_, Host>) -> u32 {
        let net = &host.net;
        net.requests.sweep(time::coarse_ms());
        let swept = paced(&net.flows_due_ms, || flows(&host))
            .and_then(|()| paced(&net.sessions_due_ms, || sessions(&host)))
            .and_then(|()| paced(&net.directory_due_ms, || directory::sweep(&host)))
            .and_then(|()| paced(&net.exchanges_due_ms, || exchange::sweep(&host)));
        if swept.is_err() {
            net.count(Reason::DropNoMemory);
        }
        1000
    }
}

/// Goes through a table unless that is not due. Hundreds of thousands of entries take their time: no
/// more than a twentieth of that of one processor.
fn paced(due_ms: &Atomic<u64>, pass: impl FnOnce() -> Result) -> Result {
    let begun = time::boot_ms();
    if begun < due_ms.load(Relaxed) {
        return Ok(());
    }
    pass()?;
    let ended = time::boot_ms();
    let rest = ended.saturating_sub(begun).saturating_mul(19);
    due_ms.store(ended.saturating_add(rest), Relaxed);
    Ok(())
}

fn scale(config: Option<&Config>) -> u32 {
    config.map_or(1, |c| u32::from(c.farm.scale))
}

fn flows(host: &Host) -> Result {
    let net = &host.net;
    let now = net.uptime();
    let mut owned = 0u32;
    let pressed_ms = pressed(net.flows.len());
    let rest = {
        let guard = rcu::read_lock();
        Rest::new(scale(net.config(&guard)), pressed_ms)
    };
    let mut lister = directory::Lister::new(net.swept.load(Relaxed))?;
    let mut walk = net.flows.walk()?;
    loop {
        let mut left = BATCH;
        let more = walk.next(|guard, flow| {
            let config = net.config(guard);
            let status = flow.status();
            let resting = rest.has(&status, flow.idle(now), flow.age(now));
            if !resting || flow.is_edited() {
                one_flow(host, guard, flow, now, scale(config), pressed_ms);
            } else if status.state == State::Closed {
                net.requests.over(&flow);
            }
            if let (Some(config), true) = (config, status.role != Role::Entry) {
                owned = owned.saturating_add((status.state != State::Closed).into());
                lister.look(host, guard, config, &flow, now);
            }
            left = left.saturating_sub(1);
            left > 0
        });
        if !more {
            break;
        }
    }
    drop(walk);
    let guard = rcu::read_lock();
    if let Some(config) = net.config(&guard) {
        lister.send(host, &guard, config);
    }
    net.owned.store(owned, Relaxed);
    net.swept.store(now, Relaxed);
    Ok(())
}

/// Silence after which a tombstone goes although its cookie is still good, in ms: when the table
/// fills, a new connection is worth more than the guard against a late copy of an old one.
fn pressed(len: u32) -> u64 {
    match u64::from(len).saturating_mul(4) / u64::from(limits::FLOWS_CEILING) {
        0 | 1 => u64::MAX,
        2 => limits::CLOSING_IDLE_MS,
        _ => 5_000,
    }
}

/// Looks at a flow that does not rest. One of many, so it is no part of the loop.
#[inline(never)]
fn one_flow(
    host: &Host,
    guard: &Guard,
    flow: Ref<'_, Tuple, Flow>,
    now: u32,
    scale: u32,
    pressed_ms: u64,
) {
    let net = &host.net;
    // Time runs slower for everything when the farm is scaled.
    let ms = |s: u32| {
        u64::from(s)
            .saturating_mul(1000)
            .checked_div(scale.into())
            .unwrap_or(0)
    };
    let (idle, age) = (ms(flow.idle(now)), ms(flow.age(now)));
    let socket = || host.socket(flow.key());
    let status = flow.status();
    if status.role != Role::Entry && status.state == State::Live && status.closing() {
        // The end of a connection is looked for, not waited for.
        if !matches!(socket(), stack::Socket::Full | stack::Socket::Request) {
            flow.on(now, Status::on_gone);
        }
    }
    if status.role == Role::Entry && status.closing() && idle >= ENTRY_CLOSING_MS {
        // The owner's stack has the last word; what still comes is relayed to it all the same.
        flow.on(now, Status::on_gone);
    }
    let status = flow.status();
    let mut what = flow::expire(&status, idle, age, Socket::Unknown);
    if what == Expiry::AskSocket {
        let there = match socket() {
            stack::Socket::None => Socket::Absent,
            _ => Socket::Present,
        };
        what = flow::expire(&status, idle, age, there);
    }
    if status.state == State::Closed && idle >= pressed_ms && flow.shift().is_none() {
        what = Expiry::Free;
    }
    match what {
        Expiry::Close => flow.on(now, |f| f.state = State::Closed),
        // A half-closed connection may go on for long; its entry member is its only way.
        Expiry::Free
            if status.role == Role::Entry && idle < limits::CLOSING_IDLE_MS.min(pressed_ms) => {}
        Expiry::Free => {
            net.requests.over(&flow);
            net.flows.remove(guard, flow, &net.edits);
            return;
        }
        Expiry::Keep | Expiry::AskSocket => {}
    }
    if flow.status().state == State::Closed {
        net.requests.over(&flow);
        net.edits.stop_reading(guard, flow);
    }
    let Some(shift) = flow.shift() else { return };
    if flow.status().state == State::Closed {
        // TIME_WAIT still answers, and its answers are shifted.
        if socket() == stack::Socket::None {
            net.edits.end(guard, flow);
        }
    } else if shift.phase() == Phase::Sent && idle >= SETTLED_MS {
        // A connection that is kept alive need not say anything for long.
        if let Some(una) = host.ask_socket(|ns, device| stack::accepted(ns, flow.key(), device)) {
            net.edits.accepted(guard, flow, shift, una);
        }
    }
}

fn sessions(host: &Host) -> Result {
    let net = &host.net;
    let now = net.now();
    let mut homed = 0u32;
    let mut moves = MOVES;
    let mut walk = net.sessions.walk()?;
    loop {
        let mut left = BATCH;
        let mut rules = None;
        let more = walk.next(|guard, entry| {
            let group = entry.group();
            let known = rules.filter(|r: &Rules| r.group == group);
            rules = known.or_else(|| Some(Rules::new(net, net.config(guard)?, group, now)));
            if let Some(rules) = &rules {
                one_session(host, guard, rules, entry, now, &mut homed, &mut moves);
            }
            left = left.saturating_sub(1);
            left > 0
        });
        if !more {
            break;
        }
    }
    net.set_homed(homed);
    Ok(())
}

/// What sessions of a group go by, during one RCU section.
#[derive(Clone, Copy)]
struct Rules {
    group: u16,
    timeouts: Timeouts,
    /// The same, but those that are tentative go earlier when the table fills.
    early: Timeouts,
    local: u16,
    /// This member drains, and should have finished.
    overdue: bool,
}

impl Rules {
    fn new(net: &Net, config: &Config, group: u16, now: u32) -> Self {
        let timeouts = config.timeouts(group);
        let pressed = session::pressed(net.sessions.len(), config.farm.sessions_max);
        Self {
            group,
            timeouts,
            early: Timeouts {
                tentative: timeouts.tentative.min(pressed),
                ..timeouts
            },
            local: config.local,
            overdue: config.me().is_some_and(|me| me.live.overdue(now)),
        }
    }
}

fn one_session(
    host: &Host,
    guard: &Guard,
    rules: &Rules,
    entry: Ref<'_, crate::table::session::Key, Session>,
    now: u32,
    homed: &mut u32,
    moves: &mut u32,
) {
    let net = &host.net;
    let a = entry.association(entry.key());
    if session::expired(&a, rules.local, now, &rules.early) {
        if net.sessions.remove(guard, entry, &a) {
            let due = session::expired(&a, rules.local, now, &rules.timeouts);
            net.count(match due {
                true => Reason::SessionExpired,
                false => Reason::SessionEvicted,
            });
            events::session(host, &a, Cause::Expire);
        }
    } else if a.home == rules.local && !session::ended(&a) {
        let config = net.config(guard).filter(|_| rules.overdue && *moves > 0);
        let left = config.is_some_and(|config| {
            *moves = moves.saturating_sub(1);
            decision::leave(host, guard, config, &a)
        });
        // One that cannot leave is still served here only.
        *homed = homed.saturating_add(u32::from(!left));
    }
}

/// Resets every connection whose sequence numbers are shifted, and forgets the shifts; no new ones
/// begin meanwhile ([`Edits::stop`](crate::table::insert::Edits::stop)). Process context.
pub(super) fn reset_shifted(host: &Host) -> Result {
    let net = &host.net;
    let now = net.uptime();
    // Resetting sleeps, walking does not allow it: a batch at a time.
    let mut walk = net.flows.walk()?;
    loop {
        let mut shifted = [const { None::<Tuple> }; 32];
        let mut slots = shifted.iter_mut();
        let mut left = BATCH;
        let more = walk.next(|_, flow| {
            if flow.shift().is_some() {
                if let Some(slot) = slots.next() {
                    *slot = Some(*flow.key());
                }
            }
            left = left.saturating_sub(1);
            left > 0 && slots.len() > 0
        });
        for tuple in shifted.iter().flatten() {
            // There is none when the socket is gone already.
            let _ = host.ask_socket(|ns, device| stack::reset(ns, tuple, device).ok());
            let guard = rcu::read_lock();
            if let Some(flow) = net.flows.get(&guard, tuple) {
                flow.on(now, |f| f.state = State::Closed);
                net.edits.end(&guard, flow);
            }
        }
        if !more {
            return Ok(());
        }
    }
}
