// SPDX-License-Identifier: GPL-2.0

//! What ends by time: flows, sessions. Runs on a work queue once a second.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
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
        flow::{self, Expiry, Flow as Status, Role, Socket, State},
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
    table::{config::Config, flow::Flow, session::Session},
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
        host.net.requests.sweep(time::coarse_ms());
        let swept = flows(&host)
            .and_then(|()| sessions(&host))
            .and_then(|()| directory::sweep(&host))
            .and_then(|()| exchange::sweep(&host));
        if swept.is_err() {
            host.net.count(Reason::DropNoMemory);
        }
        1000
    }
}

fn scale(config: Option<&Config>) -> u64 {
    config.map_or(1, |c| u64::from(c.farm.scale))
}

fn flows(host: &Host) -> Result {
    let net = &host.net;
    let now = net.uptime();
    let mut owned = 0u32;
    let pressed_ms = pressed(net.flows.len());
    let mut lister = directory::Lister::new()?;
    let mut walk = net.flows.walk()?;
    loop {
        let mut left = BATCH;
        let more = walk.next(|guard, flow| {
            let config = net.config(guard);
            let status = flow.status();
            if status.role != Role::Entry && status.state != State::Closed {
                owned = owned.saturating_add(1);
            }
            one_flow(host, guard, flow, now, scale(config), pressed_ms);
            if let (Some(config), true) = (config, status.role != Role::Entry) {
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

fn one_flow(
    host: &Host,
    guard: &Guard,
    flow: Ref<'_, Tuple, Flow>,
    now: u32,
    scale: u64,
    pressed_ms: u64,
) {
    let net = &host.net;
    // Time runs slower for everything when the farm is scaled.
    let ms = |s: u32| {
        u64::from(s)
            .saturating_mul(1000)
            .checked_div(scale)
            .unwrap_or(0)
    };
    let (idle, age) = (ms(flow.idle(now)), ms(flow.age(now)));
    let socket = || stack::lookup(net.ns, flow.key(), host.device());
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
        Expiry::Keep | Expiry::Decide | Expiry::AskSocket => {}
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
    } else if shift.phase() == Phase::Sent && ms(flow.idle(now)) >= SETTLED_MS {
        // A connection that is kept alive need not say anything for long.
        if let Some(una) = stack::accepted(net.ns, flow.key(), host.device()) {
            net.edits.accepted(guard, flow, shift, una);
        }
    }
}

fn sessions(host: &Host) -> Result {
    let net = &host.net;
    let begun = time::boot_ms();
    if begun < net.sessions_due_ms.load(Relaxed) {
        return Ok(());
    }
    let now = net.now();
    let mut homed = 0u32;
    let mut moves = MOVES;
    let mut walk = net.sessions.walk()?;
    loop {
        let mut left = BATCH;
        let more = walk.next(|guard, entry| {
            if let Some(config) = net.config(guard) {
                one_session(host, guard, config, entry, now, &mut homed, &mut moves);
            }
            left = left.saturating_sub(1);
            left > 0
        });
        if !more {
            break;
        }
    }
    net.set_homed(homed);
    // Millions of them take longer: no more than a twentieth of one processor.
    let ended = time::boot_ms();
    let rest = ended.saturating_sub(begun).saturating_mul(19);
    net.sessions_due_ms
        .store(ended.saturating_add(rest), Relaxed);
    Ok(())
}

fn one_session(
    host: &Host,
    guard: &Guard,
    config: &Config,
    entry: Ref<'_, crate::table::session::Key, Session>,
    now: u32,
    homed: &mut u32,
    moves: &mut u32,
) {
    let net = &host.net;
    let a = entry.association(entry.key());
    let timeouts = config.timeouts(a.group);
    let pressed = session::pressed(net.sessions.len(), config.farm.sessions_max);
    let early = Timeouts {
        tentative: timeouts.tentative.min(pressed),
        ..timeouts
    };
    if session::expired(&a, config.local, now, &early) {
        if net.sessions.remove(guard, entry, &a) {
            let due = session::expired(&a, config.local, now, &timeouts);
            net.count(match due {
                true => Reason::SessionExpired,
                false => Reason::SessionEvicted,
            });
            events::session(host, &a, Cause::Expire);
        }
    } else if a.home == config.local && !session::ended(&a) {
        let overdue = config.me().is_some_and(|me| me.live.overdue(now));
        if overdue && *moves > 0 {
            *moves = moves.saturating_sub(1);
            decision::leave(host, guard, config, &a);
        } else {
            *homed = homed.saturating_add(1);
        }
    }
}

/// Resets every connection whose sequence numbers are shifted, and forgets the shifts. Process
/// context.
pub(super) fn reset_shifted(host: &Host) -> Result {
    let net = &host.net;
    let now = net.uptime();
    // Resetting sleeps, walking does not allow it: a batch at a time.
    loop {
        let mut batch: [Option<Tuple>; 32] = [None; 32];
        let mut n = 0usize;
        let mut walk = net.flows.walk()?;
        walk.next(|_, flow| {
            if flow.shift().is_some() {
                if let Some(slot) = batch.get_mut(n) {
                    *slot = Some(*flow.key());
                    n = n.saturating_add(1);
                }
            }
            n < 32
        });
        drop(walk);
        for tuple in batch.iter().flatten() {
            // ENOENT: the socket is gone already.
            let _ = stack::reset(net.ns, tuple, host.device());
            let guard = rcu::read_lock();
            if let Some(flow) = net.flows.get(&guard, tuple) {
                flow.on(now, |f| f.state = State::Closed);
                net.edits.end(&guard, flow);
            }
        }
        if n == 0 {
            return Ok(());
        }
    }
}
