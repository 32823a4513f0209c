// SPDX-License-Identifier: GPL-2.0

//! State messages: what this member tells the others of itself at each interval, and what it
//! keeps of what they tell. Runs on a work queue.

use kernel::sync::{
    atomic::Relaxed,
    rcu::{self, Guard}, //
};

use super::{events, host::Host, push};
use crate::{
    decide::reason::Reason,
    kapi::{tcp as stack, time, work::Job},
    table::{config::Config, member::Member},
    wire::control::{
        self,
        BatchSeen,
        Listener,
        StateMsg, //
    },
};

/// The job of one interval.
pub(super) struct StateJob;

impl Job for StateJob {
    type State = Host;

    fn run(host: &Host) -> u32 {
        let guard = rcu::read_lock();
        let Some(config) = host.net.config(&guard) else {
            return 0;
        };
        if let Some(me) = config.me() {
            let message = own(host, config, me);
            keep(host, me, &message);
            for member in config.others() {
                let sent = push::send(host, &guard, config, member, |buf, header| {
                    control::emit_state(buf, header, &message)
                });
                if sent {
                    host.net.count(Reason::StateSent);
                }
            }
        }
        announce(host, &guard, config);
        // A tenth of jitter keeps the members of a farm from speaking at once.
        let interval = config.farm.interval();
        let jitter = time::random().checked_rem(interval / 10).unwrap_or(0);
        interval.saturating_add(jitter).clamp(1, 60_000) as u32
    }
}

/// How this member is.
fn own(host: &Host, config: &Config, me: &Member) -> StateMsg {
    let net = &host.net;
    let clock = net.clock(config);
    let mut message = StateMsg {
        generation: config.generation,
        admin: me.settings.admin,
        clock_s: net.now_s(),
        sessions: net.homed.load(Relaxed),
        flows: net.owned.load(Relaxed),
        requests: 0,
        cpu_permille: cpu(host),
        weight: me.settings.weight,
        ..StateMsg::default()
    };
    for s in &config.services {
        let l = stack::listener(net.ns, &s.vip, s.port, host.device());
        let clamp = |n: u32| n.min(u32::from(u16::MAX)) as u16;
        let listener = Listener {
            service: s.hash,
            accept_depth: clamp(l.backlog),
            accept_limit: clamp(l.backlog_max),
            present: l.present,
        };
        if message.listeners.push(listener).is_none() {
            break;
        }
    }
    message.set_hears(me.id());
    for m in config.others().filter(|m| m.is_heard(&clock)) {
        message.set_hears(m.id());
        // Beyond the list's room nothing is said: the origin then repeats a little more.
        let _ = message.batch_seen.push(BatchSeen {
            member: m.id(),
            batch: m.live.batch_seen.load(Relaxed),
        });
    }
    message
}

/// Busy share of all processors since the last interval.
fn cpu(host: &Host) -> u16 {
    let (busy, total) = time::cpu_times();
    let (last_busy, last_total) = host.net.cpu_before.swap(busy, total);
    let (busy, total) = (
        busy.saturating_sub(last_busy),
        total.saturating_sub(last_total),
    );
    let permille = busy.saturating_mul(1000).checked_div(total).unwrap_or(0);
    permille.min(1000) as u16
}

/// Stores what a member says of itself.
fn keep(host: &Host, member: &Member, said: &StateMsg) {
    let live = &member.live;
    live.heard_ms.store(time::boot_ms().max(1), Relaxed);
    if !host.net.is_frozen() {
        live.report(said);
    }
}

/// A state message has arrived.
pub(super) fn received(host: &Host, from: &Member, said: &StateMsg) {
    host.net.count(Reason::StateReceived);
    let skew = (said.clock_s as i64).wrapping_sub(host.net.now_s() as i64);
    from.live.skew_ms.store(skew.saturating_mul(1000), Relaxed);
    keep(host, from, said);
}

/// Tells listeners which members have changed.
fn announce(host: &Host, guard: &Guard, config: &Config) {
    let clock = host.net.clock(config);
    for member in &config.members {
        let state = member.seen(guard, config, &clock).state as u32;
        if member.live.announced.load(Relaxed) != state {
            member.live.announced.store(state, Relaxed);
            events::member(host, member);
        }
    }
}
