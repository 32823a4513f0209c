// SPDX-License-Identifier: GPL-2.0

//! State messages: what this member tells the others of itself at each interval, and what it
//! keeps of what they tell. Runs on a work queue.

use kernel::sync::{
    atomic::Relaxed,
    rcu::{self, Guard},
    ArcBorrow, //
};

use super::{decision::Candidates, events, host::Host, lost, push};
use crate::{
    decide::{
        batch::Need,
        fabric,
        limits::SERVICES_MAX,
        member,
        reason::Reason,
        select::Policy, //
    },
    kapi::{time, work::Job},
    table::{
        config::Config,
        member::{Member, State as Believed},
        service::Maglev,
    },
    wire::control::{
        self,
        AdminState,
        Listener,
        Order,
        State,
        StateMsg,
        MAX_LISTENERS,
        MAX_ORDERS, //
    },
};

/// The job of one interval.
pub(super) struct StateJob;

impl Job for StateJob {
    type State = Host;

    fn run(host: ArcBorrow<'_, Host>) -> u32 {
        let host = &*host;
        let guard = rcu::read_lock();
        let Some(config) = host.net.config(&guard) else {
            return 0;
        };
        settle(host, config);
        let mtu = fabric(host, config);
        if let Some(me) = config.me() {
            late(host, &guard, config);
            say(host, &guard, config, me, mtu);
            probe(host, &guard, config);
        }
        announce(host, &guard, config);
        drop(guard);
        tables(host);
        let guard = rcu::read_lock();
        let Some(config) = host.net.config(&guard) else {
            return 0;
        };
        // A tenth of jitter keeps the members of a farm from speaking at once.
        let interval = config.interval();
        let jitter = time::random().checked_rem(interval / 10).unwrap_or(0);
        interval.saturating_add(jitter).clamp(1, 60_000) as u32
    }
}

/// What the network between the members carries, by all that are heard; answers with the smallest
/// packet that comes from them to this one.
fn fabric(host: &Host, config: &Config) -> u16 {
    let clock = host.net.clock(config);
    let heard = || config.others().filter(|m| m.is_heard(&clock));
    let here = fabric::smallest(heard().map(|m| m.live.carried(&clock)));
    let elsewhere = fabric::smallest(heard().map(|m| m.live.mtu()));
    host.net.found_fabric_mtu(config, here.min(elsewhere));
    here
}

/// Sends what has waited for the end of the interval.
fn late(host: &Host, guard: &Guard, config: &Config) {
    if !host.net.debug.push.load(Relaxed) {
        return;
    }
    for to in config.others() {
        let run = to.live.audience.lock().late.take();
        if let Some(run) = run {
            push::late(host, guard, config, to, run);
        }
    }
}

/// Tries the way to every member that is heard, each sixteenth interval.
fn probe(host: &Host, guard: &Guard, config: &Config) {
    let net = &host.net;
    let left = net.probe_in.load(Relaxed);
    if left > 0 {
        net.probe_in.store(left.saturating_sub(1), Relaxed);
        return;
    }
    net.probe_in.store(fabric::PROBE_EVERY - 1, Relaxed);
    let clock = net.clock(config);
    for to in config.others().filter(|m| m.is_heard(&clock)) {
        push::probe(host, guard, config, to);
    }
}

/// Sends how this member is to every other. `mtu`: as [`StateMsg::mtu`].
fn say(host: &Host, guard: &Guard, config: &Config, me: &Member, mtu: u16) {
    let net = &host.net;
    let mut message = own(host, config, me);
    message.mtu = mtu;
    let mut all = [Listener::default(); MAX_LISTENERS];
    let mut count = 0usize;
    for (slot, s) in all.iter_mut().zip(&config.services) {
        let l = host.listener(&s.vip, s.port);
        let clamp = |n: u32| n.min(u32::from(Listener::LIMIT_MAX)) as u16;
        *slot = Listener {
            service: s.hash,
            accept_depth: clamp(l.backlog),
            accept_limit: clamp(l.backlog_max),
            present: l.present,
        };
        count = count.saturating_add(1);
    }
    let listeners = all.get(..count).unwrap_or_default();
    let pushed = net.ring.lock().head();
    heard(me);
    // What this member gave to itself it has.
    message.arrived.low = pushed;
    if !net.is_frozen() && me.live.report(&message, listeners.iter().copied(), pushed) {
        fell(config, me);
    }
    let (orders, count) = orders(host, config);
    let orders = orders.get(..count).unwrap_or_default();
    for to in config.others() {
        {
            let inbox = to.live.inbox.lock();
            message.arrived = *inbox.seen.report();
            // A peer that was never heard has nothing to tell yet.
            message.wants_all = inbox.starts.nonce() != 0 && !inbox.intake.is_complete();
        }
        let sent =
            push::send_long::<{ control::MAX_STATE }>(host, guard, config, to, |buf, header| {
                control::emit_state(buf, header, &message, listeners, orders)
            });
        if sent {
            net.count(Reason::StateSent);
        }
    }
}

/// How this member is, apart from what only the receiver of the message wants to know.
fn own(host: &Host, config: &Config, me: &Member) -> StateMsg {
    let net = &host.net;
    let clock = net.clock(config);
    let joined = net.joined_ms.load(Relaxed);
    let age = clock.now_ms.saturating_sub(joined);
    let mut message = StateMsg {
        config: config.digest,
        joined: joined != 0,
        clock_s: net.now_s(),
        sessions: net.homed(),
        flows: net.owned.load(Relaxed),
        requests: net.requests.open(),
        latency_us: net.requests.latency_us(),
        age_ms: if joined == 0 {
            0
        } else {
            age.min(u64::from(u32::MAX)) as u32
        },
        cpu_permille: cpu(host),
        weight: me.settings.weight,
        ..StateMsg::default()
    };
    message.set_hears(me.id());
    for m in config.others().filter(|m| m.is_heard(&clock)) {
        message.set_hears(m.id());
    }
    message
}

/// Notes when the others have told us all they know.
fn settle(host: &Host, config: &Config) {
    let net = &host.net;
    // A configuration that is still being written does not say yet who the others are.
    let known = net.settled.xchg(config.generation, Relaxed) == config.generation;
    let clock = net.clock(config);
    let since = match net.member_ms.load(Relaxed) {
        _ if config.local == 0 => 0,
        0 => clock.now_ms.max(1),
        since => since,
    };
    net.member_ms.store(since, Relaxed);
    if net.joined_ms.load(Relaxed) != 0 || !known || since == 0 {
        return;
    }
    let (mut others, mut told, mut silent) = (0usize, 0usize, 0usize);
    for m in config.others() {
        others = others.saturating_add(1);
        if m.live.told.load(Relaxed) {
            told = told.saturating_add(1);
        } else if !m.is_heard(&clock) || m.is_deaf(&clock) {
            // It cannot tell, or has not heard that it is to.
            silent = silent.saturating_add(1);
        }
    }
    let waited = clock.now_ms.saturating_sub(since) >= clock.times.down_ms;
    if member::joined(others, told, silent, waited) {
        net.joined_ms.store(clock.now_ms.max(1), Relaxed);
    }
}

/// The orders that this message tells: all of them if they are few, else some in turn.
fn orders(host: &Host, config: &Config) -> ([Order; MAX_ORDERS], usize) {
    let mut out = [Order::default(); MAX_ORDERS];
    let mut count = 0usize;
    // One look at each member, beginning behind the last that was told the time before.
    let last = host.last_order.load(Relaxed);
    let (mut end, all) = (last, &config.members);
    let ids = |m: &Member| u32::from(m.id());
    let turn = Iterator::chain(
        all.iter().filter(|m| ids(m) > last),
        all.iter().filter(|m| ids(m) <= last),
    );
    for m in turn {
        let order = m.live.ordered.lock().order;
        if order.version == 0 {
            continue;
        }
        let Some(slot) = out.get_mut(count) else {
            break;
        };
        *slot = order;
        count = count.saturating_add(1);
        end = ids(m);
    }
    host.last_order.store(end, Relaxed);
    (out, count)
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

/// A member has gone away, or a listener of it.
fn fell(config: &Config, member: &Member) {
    let mut flaps = member.live.flaps.lock();
    flaps.lost(time::boot_ms(), config.farm.scale.into());
}

/// The member has said something.
pub(super) fn heard(member: &Member) {
    member.live.heard(time::boot_ms());
}

/// A state message has arrived.
pub(super) fn received(
    host: &Host,
    guard: &Guard,
    config: &Config,
    from: &Member,
    said: &State<'_>,
) {
    let net = &host.net;
    net.count(Reason::StateReceived);
    let fixed = &said.fixed;
    let skew = (fixed.clock_s as i64).wrapping_sub(net.now_s() as i64);
    from.live.skew_ms.store(skew.saturating_mul(1000), Relaxed);
    let (head, oldest) = {
        let ring = net.ring.lock();
        (ring.head(), ring.oldest())
    };
    let head = from.live.audience.lock().late.sent(head);
    if !net.is_frozen() {
        let hears_us = fixed.hears(config.local);
        from.live.said_hearing(hears_us, &net.clock(config));
        if from.live.report(fixed, said.listeners(), head) {
            fell(config, from);
        }
    }
    for order in said.orders() {
        if let Some(about) = config.member(order.member) {
            if about.live.order(&order, time::boot_ms()) {
                events::member(host, about);
            }
        }
    }
    let now = time::boot_ms();
    let tell = {
        let mut audience = from.live.audience.lock();
        let need = audience.reader.reported(&fixed.arrived, head, oldest);
        if fixed.wants_all && now >= audience.told_ms || need == Need::All {
            audience.all = true;
        }
        audience.resend = (need == Need::Resend).then_some(fixed.arrived.low);
        audience.all || audience.resend.is_some()
    };
    if tell {
        host.tell(guard);
    }
}

/// Makes the tables of `maglev` anew whose members have changed.
fn tables(host: &Host) {
    let net = &host.net;
    for index in 0..SERVICES_MAX {
        let (live, members, candidates) = {
            let guard = rcu::read_lock();
            let Some(config) = net.config(&guard) else {
                return;
            };
            let Some(service) = config.services.get(index) else {
                return;
            };
            if service.settings.policy != Policy::Maglev {
                continue;
            }
            let candidates = Candidates::new(host, &guard, config, service, None);
            // FNV-1a over what the table depends on.
            let members = candidates.as_slice().iter().filter(|c| c.eligible);
            let members = members.fold(0xcbf2_9ce4_8422_2325u64, |hash, c| {
                let word = u64::from(c.id) << 16 | u64::from(c.weight);
                (hash ^ word).wrapping_mul(0x0000_0100_0000_01b3)
            });
            let table = service.live.maglev.read(&guard);
            if table.is_some_and(|t| t.members == members) {
                continue;
            }
            (service.live.clone(), members, candidates)
        };
        // Without memory the old one stays, and the next interval tries again.
        if let Ok(table) = Maglev::new(members, candidates.as_slice()) {
            live.maglev.replace(Some(table));
        }
    }
}

/// Tells listeners which members have changed, and how far those have come that drain.
fn announce(host: &Host, guard: &Guard, config: &Config) {
    let clock = host.net.clock(config);
    for member in &config.members {
        member.live.count_missed(!member.is_heard(&clock));
        let seen = member.seen(guard, config, &clock);
        let mut word = seen.state as u32;
        if seen.state == Believed::Draining {
            // Progress is news too.
            let left = seen.sessions.wrapping_mul(31).wrapping_add(seen.flows);
            word |= left.wrapping_shl(3);
        }
        let before = member.live.announced.xchg(word, Relaxed);
        let is_worse = seen.state == Believed::Suspect || seen.state == Believed::Down;
        lost::watch(host, guard, config, member);
        if before == Believed::Up as u32 && is_worse && member.live.admin() == AdminState::Up {
            fell(config, member);
        }
        let damped = {
            let mut flaps = member.live.flaps.lock();
            flaps.damped(clock.now_ms, config.farm.scale.into())
        };
        let was_damped = member.live.damped.load(Relaxed);
        member.live.damped.store(damped, Relaxed);
        if before != word || was_damped != damped {
            events::member(host, member);
        }
    }
}
