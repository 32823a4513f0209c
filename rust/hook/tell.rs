// SPDX-License-Identifier: GPL-2.0

//! Telling members what they lack: single associations again, or everything to one that started
//! or fell too far behind. Runs on a work queue while there is something to tell.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu::{self, Guard},
        Arc,
        ArcBorrow, //
    },
};

use super::{events, host::Host, push};
use crate::{
    decide::{
        batch,
        join::{Next, Sending},
        limits::{MEMBERS_MAX, MEMBER_WORDS, RESEND, TELL_AGAIN_MS, TELL_MS},
        member,
        reason::Reason, //
    },
    kapi::{genl::Listing, time, work::Job},
    table::{
        config::Config,
        member::Member,
        session::{Key, Session},
    },
    wire::control::{self, Association, Part, Parts, Records, MAX_PARTS, MAX_PART_ASSOCIATIONS},
};

/// Associations of one chunk of a walk.
const CHUNK: usize = MAX_PARTS * MAX_PART_ASSOCIATIONS;

/// Sessions that are looked at in one run.
const LOOK: usize = 8 * CHUNK;

/// A walk through all sessions for one member.
pub(super) struct Telling {
    to: u16,
    /// Boot nonce of the member that it is for.
    nonce: u64,
    /// Number of the last association that was pushed before it began.
    base: u64,
    listing: Listing<Host, Key, Session>,
    chunk: KVVec<Association>,
}

impl Telling {
    fn new(host: Arc<Host>, to: u16, nonce: u64, base: u64) -> Result<KBox<Self>> {
        Ok(KBox::new(
            Self {
                to,
                nonce,
                base,
                listing: Listing::new(host, |host: &Host| host.net.sessions.walk())?,
                chunk: KVVec::with_capacity(CHUNK, GFP_KERNEL)?,
            },
            GFP_KERNEL,
        )?)
    }
}

/// The walks that are under way, at most one for each member.
pub(super) type Tellings = [Option<KBox<Telling>>; MEMBERS_MAX];

/// The job.
pub(super) struct TellJob;

impl Job for TellJob {
    type State = Host;

    fn run(host: ArcBorrow<'_, Host>) -> u32 {
        let mut tellings = host.tellings.lock();
        begin(host, &mut tellings);
        let mut more = false;
        for slot in tellings.iter_mut() {
            let goes_on = match slot {
                Some(telling) => go_on(&host, telling),
                None => continue,
            };
            if goes_on {
                more = true;
            } else {
                *slot = None;
            }
        }
        drop(tellings);
        more |= again(&host);
        if more {
            TELL_MS as u32
        } else {
            0
        }
    }
}

/// Begins walks for those that want everything.
fn begin(host: ArcBorrow<'_, Host>, tellings: &mut Tellings) {
    let net = &host.net;
    let mut wanted: [Option<(u16, u64)>; MEMBERS_MAX] = [None; MEMBERS_MAX];
    {
        let guard = rcu::read_lock();
        let Some(config) = net.config(&guard) else {
            return;
        };
        for (slot, to) in wanted.iter_mut().zip(config.others()) {
            let nonce = to.live.nonce.load(Relaxed);
            if to.live.audience.lock().all && nonce != 0 {
                *slot = Some((to.id(), nonce));
            }
        }
    }
    for (to, nonce) in wanted.iter().flatten() {
        let same = |t: &KBox<Telling>| t.to == *to && t.nonce == *nonce;
        if tellings.iter().flatten().any(same) {
            continue;
        }
        // An earlier walk was for an earlier start.
        let old = tellings
            .iter_mut()
            .find(|slot| slot.as_ref().is_some_and(|t| t.to == *to));
        let slot = match old {
            Some(slot) => slot,
            None => match tellings.iter_mut().find(|slot| slot.is_none()) {
                Some(slot) => slot,
                None => return,
            },
        };
        let base = net.ring.lock().head();
        // Without memory the next run tries again.
        let Ok(telling) = Telling::new(host.into(), *to, *nonce, base) else {
            net.count(Reason::DropNoMemory);
            continue;
        };
        *slot = Some(telling);
        let walk = net.walks.fetch_add(1, Relaxed).wrapping_add(1);
        let guard = rcu::read_lock();
        if let Some(to) = net.config(&guard).and_then(|c| c.member(*to)) {
            to.live.audience.lock().sending = Some(Sending::new(walk));
        }
    }
}

/// Goes on with a walk; `false` when it is over.
fn go_on(host: &Host, telling: &mut Telling) -> bool {
    let net = &host.net;
    let now = time::boot_ms();
    let guard = rcu::read_lock();
    let Some(config) = net.config(&guard) else {
        return false;
    };
    let Some(to) = config.member(telling.to) else {
        return false;
    };
    let clock = net.clock(config);
    if to.live.nonce.load(Relaxed) != telling.nonce || !to.is_heard(&clock) {
        return false;
    }
    let scaled = TELL_AGAIN_MS.saturating_mul(u64::from(config.farm.scale));
    let next = |to: &Member| {
        let mut audience = to.live.audience.lock();
        audience.sending.as_mut().map(|s| s.next(now, scaled))
    };
    let mut todo = next(to);
    if todo == Some(Next::Chunk) {
        let last = !fill(host, config, to, telling);
        let parts = telling.chunk.len().div_ceil(MAX_PART_ASSOCIATIONS).max(1);
        {
            let mut audience = to.live.audience.lock();
            if let Some(sending) = audience.sending.as_mut() {
                sending.made(parts.min(MAX_PARTS) as u8, last);
            }
        }
        todo = next(to);
    }
    match todo {
        Some(Next::Send(map)) => {
            parts(host, &guard, config, to, telling, map);
            true
        }
        Some(Next::Wait | Next::Chunk) => true,
        Some(Next::Done) => {
            let mut audience = to.live.audience.lock();
            audience.all = false;
            audience.sending = None;
            // A state message that it made before the end may still be on its way.
            audience.told_ms = now.saturating_add(clock.times.interval_ms);
            false
        }
        None => false,
    }
}

/// Fills the next chunk; whether there is more.
fn fill(host: &Host, config: &Config, to: &Member, telling: &mut Telling) -> bool {
    let clock = host.net.clock(config);
    let mut knowing = [0; MEMBER_WORDS];
    let mut lowest = config.local;
    for m in config.others() {
        if m.id() != to.id() && m.knows(&clock, to) {
            member::hear(&mut knowing, m.id());
            lowest = lowest.min(m.id());
        }
    }
    let knows = |id: u16| member::hears(&knowing, id);
    let silent = !host.net.debug.push.load(Relaxed);
    let chunk = &mut telling.chunk;
    chunk.clear();
    if silent {
        return false;
    }
    let mut left = LOOK;
    telling.listing.next(|_, _, entry| {
        let a = entry.association(entry.key());
        // What no client has shown yet comes home by its id alone.
        let worth = a.flags & (Association::CONFIRMED | Association::ENDED) != 0;
        let ours = member::tells(config.local, to.id(), a.origin, a.home, knows, lowest);
        if worth && ours {
            // There is room: the walk stops when it is used up.
            let _ = chunk.push_within_capacity(a);
        }
        left = left.saturating_sub(1);
        left > 0 && chunk.len() < CHUNK
    })
}

/// Sends parts of the present chunk.
fn parts(host: &Host, guard: &Guard, config: &Config, to: &Member, telling: &Telling, map: u32) {
    for index in 0..MAX_PARTS as u8 {
        if map.wrapping_shr(index.into()) & 1 == 0 {
            continue;
        }
        let from = usize::from(index).saturating_mul(MAX_PART_ASSOCIATIONS);
        let end = from.saturating_add(MAX_PART_ASSOCIATIONS);
        let records = telling.chunk.get(from..end.min(telling.chunk.len()));
        let records = records.unwrap_or_default();
        let part = match &to.live.audience.lock().sending {
            Some(sending) => sending.part(index, telling.base),
            None => return,
        };
        let sent = push::send(host, guard, config, to, |buf, header| {
            control::emit_part(buf, header, &part, records)
        });
        if sent {
            host.net.count(Reason::WalkSent);
        }
    }
}

/// Sends again what members lack; whether some is left.
fn again(host: &Host) -> bool {
    let guard = rcu::read_lock();
    let Some(config) = host.net.config(&guard) else {
        return false;
    };
    let mut more = false;
    for to in config.others() {
        let mut left = RESEND;
        while left > 0 && resend(host, &guard, config, to, &mut left) {}
        more |= left == 0;
    }
    more
}

/// Sends one message with associations that follow each other; whether there may be more.
fn resend(host: &Host, guard: &Guard, config: &Config, to: &Member, left: &mut u32) -> bool {
    let (first, count);
    {
        // Not together with the ring's lock.
        let mut audience = to.live.audience.lock();
        let Some(after) = audience.resend else {
            return false;
        };
        let reader = audience.reader;
        let Some(n) = batch::missing(&reader.report, after, reader.due) else {
            audience.resend = None;
            return false;
        };
        first = n;
        let mut last = n;
        for _ in 1..MAX_PART_ASSOCIATIONS {
            let next = last.wrapping_add(1);
            if batch::missing(&reader.report, last, reader.due) != Some(next) {
                break;
            }
            last = next;
        }
        audience.resend = Some(last);
        count = last.wrapping_sub(first).saturating_add(1);
    }
    let Some(sent) = push::run::<MAX_PART_ASSOCIATIONS>(host, guard, config, to, first, count)
    else {
        return true;
    };
    *left = left.saturating_sub(count as u32);
    for _ in 0..sent {
        host.net.count(Reason::PushResent);
    }
    true
}

/// A part of another member's walk has come.
pub(super) fn part(
    host: &Host,
    guard: &Guard,
    config: &Config,
    from: &Member,
    part: &Part,
    records: Records<'_>,
) {
    let net = &host.net;
    net.count(Reason::WalkReceived);
    // This member has just started: its own sessions were last used nobody knows when, since others
    // see only the first request. They are not to end for that.
    let starts = net.joined_ms.load(Relaxed) == 0;
    for mut a in records {
        if starts && a.home == config.local {
            a.last_used = net.now();
        }
        super::decap::learned(host, guard, config, &a);
    }
    let took = {
        let mut inbox = from.live.inbox.lock();
        let took = inbox.intake.take(part);
        if took.is_some_and(|t| t.complete) {
            inbox.seen.jump(part.base);
        }
        took
    };
    let Some(took) = took else {
        return;
    };
    if took.again {
        // It no longer had what we lacked.
        net.count(Reason::Resync);
        events::resync(host, from);
    }
    if took.complete {
        from.live.told.store(true, Relaxed);
    }
    push::send(host, guard, config, from, |buf, header| {
        control::emit_parts(buf, header, &took.answer)
    });
}

/// What has arrived of a walk of ours.
pub(super) fn parts_arrived(host: &Host, guard: &Guard, from: &Member, parts: &Parts) {
    let news = {
        let mut audience = from.live.audience.lock();
        let sending = audience.sending.as_mut();
        sending.is_some_and(|s| s.on_parts(parts))
    };
    if news {
        host.tell(guard);
    }
}
