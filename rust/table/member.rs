// SPDX-License-Identifier: GPL-2.0

//! Members: what the operator set, and what this member believes of each.

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu::Guard,
        Arc, //
    },
};

use super::{
    config::Config,
    text::Text, //
};
use crate::{
    decide::{
        batch,
        fabric,
        health::Flaps,
        join::{Intake, Sending},
        load::{self, Report},
        member::{self, Ears, Liveness, Times, Votes},
        reason::Reason,
        replay::Starts, //
    },
    kapi::{lock::BhLock, once, rcu::RcuCell, tunnel::Route},
    wire::{
        addr::Addr,
        control::{AdminState, Listener, Order, StateMsg, HEARS_WORDS, MAX_LISTENERS},
    },
};

/// What the operator set.
#[derive(Clone, Copy)]
pub(crate) struct Settings {
    /// 1..=1023.
    pub(crate) id: u16,
    /// Unique.
    pub(crate) name: Text<31>,
    /// Address for farm traffic.
    pub(crate) addr: Addr,
    /// Share of new sessions; 0 gets none.
    pub(crate) weight: u16,
    /// Forced answer to "is it us?"; by its address when `None`.
    pub(crate) local: Option<bool>,
}

/// A believed state that replaces what a member reports (`homing debug state`).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Belief {
    /// Open sessions.
    pub(crate) sessions: Option<u32>,
    /// Open flows.
    pub(crate) flows: Option<u32>,
    /// Requests in flight.
    pub(crate) requests: Option<u32>,
    /// CPU share in permille.
    pub(crate) cpu: Option<u16>,
    /// Weight.
    pub(crate) weight: Option<u16>,
    /// State.
    pub(crate) state: Option<State>,
    /// All services have (or have not) a listener there.
    pub(crate) listener: Option<bool>,
}

/// What this member believes of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub(crate) enum State {
    /// Heard lately.
    Up = 0,
    /// Two state messages missed, or it does not hear us: no new sessions.
    Suspect = 1,
    /// Silent or deaf for long enough, or set down.
    Down = 2,
    /// Started lately; has not all associations yet.
    Joining = 3,
    /// No new sessions, serves the old ones.
    Draining = 4,
}

impl State {
    /// The state of a number, as in the netlink contract.
    pub(crate) fn from_u32(n: u32) -> Option<Self> {
        Some(match n {
            0 => Self::Up,
            1 => Self::Suspect,
            2 => Self::Down,
            3 => Self::Joining,
            4 => Self::Draining,
            _ => return None,
        })
    }
}

impl From<State> for Liveness {
    fn from(s: State) -> Self {
        match s {
            State::Up => Self::Up,
            State::Suspect => Self::Suspect,
            State::Down => Self::Down,
            State::Joining => Self::Joining,
            State::Draining => Self::Draining,
        }
    }
}

impl From<Liveness> for State {
    fn from(l: Liveness) -> Self {
        match l {
            Liveness::Up => Self::Up,
            Liveness::Suspect => Self::Suspect,
            Liveness::Down => Self::Down,
            Liveness::Joining => Self::Joining,
            Liveness::Draining => Self::Draining,
        }
    }
}

/// The time and how long silence may last; all in ms since boot.
#[derive(Clone, Copy)]
pub(crate) struct Clock {
    /// Now.
    pub(crate) now_ms: u64,
    /// When this namespace began to listen.
    pub(crate) born_ms: u64,
    /// Intervals of the farm.
    pub(crate) times: Times,
    /// How long slow start lasts.
    pub(crate) slow_start_ms: u64,
}

/// What has come from one peer since it started.
#[derive(Default)]
pub(crate) struct Inbox {
    /// The start that the rest belongs to, and the messages seen.
    pub(crate) starts: Starts,
    /// Which of its associations have arrived.
    pub(crate) seen: batch::Seen,
    /// How much of all that it knows.
    pub(crate) intake: Intake,
}

/// What one peer has of ours, and needs.
#[derive(Default)]
pub(crate) struct Audience {
    /// What it reported.
    pub(crate) reader: batch::Reader,
    /// What it is told a little later.
    pub(crate) late: batch::Late,
    /// It is to be told everything.
    pub(crate) all: bool,
    /// Before this time (ms since boot) that it wants everything is old news.
    pub(crate) told_ms: u64,
    /// It lacks some; behind this number they were not sent again yet.
    pub(crate) resend: Option<u64>,
    /// The walk that tells it everything.
    pub(crate) sending: Option<Sending>,
}

/// What an operator wants of a member, and what it was like when this was heard.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ordered {
    /// The newest order.
    pub(crate) order: Order,
    /// When it came, ms since boot.
    pub(crate) since_ms: u64,
    /// Sessions at that time.
    pub(crate) sessions: u32,
    /// Flows at that time.
    pub(crate) flows: u32,
}

/// What changes by itself; kept when settings change.
pub(crate) struct Live {
    /// The way there.
    pub(crate) route: Route,
    /// Boot time in ms when it was last heard; 0 for never.
    pub(crate) heard_ms: Atomic<u64>,
    /// Boot nonce of its present start; 0 for unknown.
    pub(crate) nonce: Atomic<u64>,
    /// Boot time in ms (ours) when its present start was first heard of.
    started_ms: Atomic<u64>,
    /// How often we have noticed that it started anew.
    starts: Atomic<u32>,
    /// What has come from it.
    pub(crate) inbox: BhLock<Inbox>,
    /// What it has of ours.
    pub(crate) audience: BhLock<Audience>,
    /// It has told us everything once since we started.
    pub(crate) told: Atomic<bool>,
    /// The newest order about it; the next two repeat parts of it for readers without the lock.
    pub(crate) ordered: BhLock<Ordered>,
    admin: Atomic<u32>,
    deadline: Atomic<u32>,
    sessions: Atomic<u32>,
    flows: Atomic<u32>,
    requests: Atomic<u32>,
    /// Microseconds from a request to its answer.
    pub(crate) latency_us: Atomic<u32>,
    cpu: Atomic<u32>,
    joined: Atomic<bool>,
    /// Milliseconds since it joined, when it was last heard.
    age_ms: Atomic<u32>,
    /// Digest of its configuration; 0 for unknown.
    pub(crate) config: Atomic<u32>,
    /// Bytes of its last probe that came whole, and when that was (ms since boot).
    probed: Atomic<u32>,
    probed_ms: Atomic<u64>,
    /// Bytes of the smallest packet that comes whole to it, as it reports; 0 for unknown.
    mtu: Atomic<u32>,
    /// Messages of it that were refused, and why the last one: the number of a `Reason` and 1.
    pub(crate) refused: Atomic<u64>,
    refused_why: Atomic<u32>,
    /// Its clock minus ours in ms when it was last heard.
    pub(crate) skew_ms: Atomic<i64>,
    /// Sessions given to it that its reports cannot contain yet: since `given_mark` was taken, and
    /// before.
    given: Atomic<u32>,
    given_before: Atomic<u32>,
    /// Number of our last association when `given` was last moved to `given_before`.
    given_mark: Atomic<u64>,
    /// Services with a listener: hash << 32 | fill of the accept queue in permille; 0 = free.
    listeners: [Atomic<u64>; MAX_LISTENERS],
    /// Sessions that others have given to it since its last report.
    heard_of: Atomic<u32>,
    /// The members that it hears.
    pub(crate) hears: [Atomic<u64>; HEARS_WORDS],
    /// Whether it hears us, by its own word: the two fields of [`Ears`]. Messages come one at a time,
    /// nearly always; what two at once make of it, the next one mends.
    deaf_since_ms: Atomic<u64>,
    deaf_said_ms: Atomic<u64>,
    /// State intervals of ours that have ended without its being heard.
    missed: Atomic<u32>,
    /// State intervals of ours for which it has been out of reach. Time in which this member did not
    /// run itself is not in it.
    away: Atomic<u32>,
    /// Of this member itself: state intervals for which it has heard most of the farm.
    whole: Atomic<u32>,
    /// Boot time in ms when the first of them began.
    whole_since_ms: Atomic<u64>,
    /// As what owner of connections it was last seen: a [`crate::decide::lost::Owner`].
    pub(crate) owner: Atomic<u32>,
    /// How often it is still to be told, when it is back, which of its connections have gone on
    /// elsewhere.
    pub(crate) to_tell: Atomic<u32>,
    /// It is to be told now.
    pub(crate) tell_now: Atomic<bool>,
    /// How often it has gone away lately.
    pub(crate) flaps: BhLock<Flaps>,
    /// It has come and gone too often to get new sessions.
    pub(crate) damped: Atomic<bool>,
    /// The state last told to listeners of the `member` group, and with a member that drains, a
    /// number that changes with its progress.
    pub(crate) announced: Atomic<u32>,
    /// Overrides; replaced under `Net::control`.
    pub(crate) belief: RcuCell<Belief>,
}

const MOVES: u32 = 4;

impl Live {
    fn new() -> Result<Self> {
        Ok(Self {
            route: Route::new()?,
            heard_ms: Atomic::new(0),
            nonce: Atomic::new(0),
            started_ms: Atomic::new(0),
            starts: Atomic::new(0),
            inbox: BhLock::new(Inbox::default(), GFP_KERNEL)?,
            audience: BhLock::new(Audience::default(), GFP_KERNEL)?,
            told: Atomic::new(false),
            ordered: BhLock::new(Ordered::default(), GFP_KERNEL)?,
            admin: Atomic::new(0),
            deadline: Atomic::new(0),
            sessions: Atomic::new(0),
            flows: Atomic::new(0),
            requests: Atomic::new(0),
            latency_us: Atomic::new(0),
            cpu: Atomic::new(0),
            joined: Atomic::new(false),
            age_ms: Atomic::new(0),
            config: Atomic::new(0),
            probed: Atomic::new(0),
            probed_ms: Atomic::new(0),
            mtu: Atomic::new(0),
            refused: Atomic::new(0),
            refused_why: Atomic::new(0),
            skew_ms: Atomic::new(0),
            given: Atomic::new(0),
            given_before: Atomic::new(0),
            given_mark: Atomic::new(0),
            heard_of: Atomic::new(0),
            listeners: [const { Atomic::new(0u64) }; MAX_LISTENERS],
            hears: [const { Atomic::new(0u64) }; HEARS_WORDS],
            deaf_since_ms: Atomic::new(0),
            deaf_said_ms: Atomic::new(0),
            missed: Atomic::new(0),
            away: Atomic::new(0),
            whole: Atomic::new(0),
            whole_since_ms: Atomic::new(0),
            owner: Atomic::new(0),
            to_tell: Atomic::new(0),
            tell_now: Atomic::new(false),
            flaps: BhLock::new(Flaps::default(), GFP_KERNEL)?,
            damped: Atomic::new(false),
            announced: Atomic::new(State::Down as u32),
            belief: RcuCell::new()?,
        })
    }

    /// Stores what a member reports. Fields change one by one: a reader may see some of the old
    /// and some of the new, which is no worse than a report that came a moment later.
    ///
    /// `pushed` is the number of our last association that was sent to it; a member that has all up to one has counted
    /// the sessions that we gave to it before. Returns whether it has lost a listener.
    pub(crate) fn report(
        &self,
        said: &StateMsg,
        listeners: impl Iterator<Item = Listener>,
        pushed: u64,
    ) -> bool {
        self.sessions.store(said.sessions, Relaxed);
        self.flows.store(said.flows, Relaxed);
        self.requests.store(said.requests, Relaxed);
        self.latency_us.store(said.latency_us, Relaxed);
        self.cpu.store(u32::from(said.cpu_permille), Relaxed);
        self.joined.store(said.joined, Relaxed);
        self.age_ms.store(said.age_ms, Relaxed);
        self.config.store(said.config, Relaxed);
        self.mtu.store(said.mtu.into(), Relaxed);
        let mut with = listeners.filter(|l| l.present);
        let (mut before, mut after) = (0u32, 0u32);
        for slot in &self.listeners {
            let new = with.next().map_or(0, |l| pack(&l));
            before = before.saturating_add(u32::from(slot.xchg(new, Relaxed) != 0));
            after = after.saturating_add(u32::from(new != 0));
        }
        for (slot, word) in self.hears.iter().zip(said.hears) {
            slot.store(word, Relaxed);
        }
        if said.arrived.low >= self.given_mark.load(Relaxed) {
            self.given_mark.store(pushed, Relaxed);
            let given = self.given.xchg(0, Relaxed);
            self.given_before.store(given, Relaxed);
        }
        // It has heard of these when we did.
        self.heard_of.store(0, Relaxed);
        after < before
    }

    /// A state message of it says whether it hears us.
    pub(crate) fn said_hearing(&self, us: bool, clock: &Clock) {
        let before = Ears {
            deaf_since_ms: self.deaf_since_ms.load(Relaxed),
            said_ms: self.deaf_said_ms.load(Relaxed),
        };
        let after = before.after(us, clock.now_ms, &clock.times);
        self.deaf_since_ms.store(after.deaf_since_ms, Relaxed);
        self.deaf_said_ms.store(after.said_ms, Relaxed);
    }

    /// It has said something, at `now_ms`. Any context.
    pub(crate) fn heard(&self, now_ms: u64) {
        self.heard_ms.store(now_ms.max(1), Relaxed);
        self.missed.store(0, Relaxed);
    }

    /// A packet of `size` bytes has come whole from it, at `now_ms`. Any context.
    pub(crate) fn probed(&self, size: u16, now_ms: u64) {
        self.probed_ms.store(now_ms, Relaxed);
        self.probed.store(size.into(), Relaxed);
    }

    /// Bytes of packets that come whole from it.
    pub(crate) fn carried(&self, clock: &Clock) -> u16 {
        let age_ms = clock.now_ms.saturating_sub(self.probed_ms.load(Relaxed));
        let size = self.probed.load(Relaxed) as u16;
        fabric::carried(size, age_ms, clock.times.interval_ms)
    }

    /// Bytes of the smallest packet that comes whole to it from any member, as it reports; 0: it has
    /// not said.
    pub(crate) fn mtu(&self) -> u16 {
        self.mtu.load(Relaxed) as u16
    }

    /// One of our intervals is over: whether it was heard then.
    pub(crate) fn count_missed(&self, missed: bool) {
        count(&self.missed, missed);
    }

    /// One of our intervals is over: whether it was out of reach then.
    pub(crate) fn count_away(&self, away: bool) {
        count(&self.away, away);
    }

    /// The same of this member itself: whether it heard most of the farm.
    pub(crate) fn count_whole(&self, whole: bool, clock: &Clock) {
        if !whole || self.whole.load(Relaxed) == 0 {
            let begun = clock.now_ms.saturating_sub(clock.times.interval_ms);
            self.whole_since_ms.store(begun, Relaxed);
        }
        count(&self.whole, whole);
    }

    /// Whether this member has heard most of the farm for as long as it takes to call one down. When
    /// a broken network is mended, the first that are heard have not heard the rest yet.
    ///
    /// Intervals are counted, since time in which this member did not run is none; but they come
    /// earlier than they should when the configuration changes.
    pub(crate) fn is_whole(&self, clock: &Clock) -> bool {
        let intervals = u64::from(self.whole.load(Relaxed));
        let counted = intervals.saturating_mul(clock.times.interval_ms);
        let since = self.whole_since_ms.load(Relaxed);
        counted.min(clock.now_ms.saturating_sub(since)) >= clock.times.down_ms
    }

    /// A message that came from its address was refused. Any context.
    pub(crate) fn refuse(&self, why: Reason) {
        self.refused_why
            .store((why as u32).saturating_add(1), Relaxed);
        self.refused.fetch_add(1, Relaxed);
    }

    /// Why the last message of it that was refused was: the name of a counter.
    pub(crate) fn refused_why(&self) -> Option<&'static str> {
        let index = self.refused_why.load(Relaxed).checked_sub(1)?;
        Reason::NAMES.get(index as usize).copied()
    }

    /// Counts a session that was given to the member.
    pub(crate) fn assigned(&self) {
        self.given.fetch_add(1, Relaxed);
    }

    /// Counts a session that another entry member has given to the member.
    pub(crate) fn assigned_elsewhere(&self) {
        self.heard_of.fetch_add(1, Relaxed);
    }

    /// Sessions given to it that its last report cannot contain.
    fn unreported(&self) -> u32 {
        let (before, since) = (&self.given_before, &self.given);
        once::read(before)
            .saturating_add(once::read(since))
            .saturating_add(once::read(&self.heard_of))
    }

    /// A number of the start that the member is in, 0 to 3.
    pub(crate) fn start(&self) -> u8 {
        (self.starts.load(Relaxed) & 3) as u8
    }

    /// Second since boot when the present start was noticed.
    pub(crate) fn restarted_s(&self) -> u32 {
        (self.started_ms.load(Relaxed) / 1000) as u32
    }

    /// Forgets what an earlier start of the member said; the present one is heard of at `now_ms`.
    pub(crate) fn restarted(&self, now_ms: u64) {
        self.started_ms.store(now_ms, Relaxed);
        self.starts.fetch_add(1, Relaxed);
        *self.audience.lock() = Audience::default();
        self.joined.store(false, Relaxed);
        self.given_mark.store(0, Relaxed);
        self.deaf_since_ms.store(0, Relaxed);
        for slot in &self.listeners {
            slot.store(0, Relaxed);
        }
    }

    /// Takes an order, if it is newer than what is known; whether it is. Any context.
    pub(crate) fn order(&self, new: &Order, now_ms: u64) -> bool {
        let mut ordered = self.ordered.lock();
        if !member::replaces(new, &ordered.order) {
            return false;
        }
        *ordered = Ordered {
            order: *new,
            since_ms: now_ms,
            sessions: self.sessions.load(Relaxed),
            flows: self.flows.load(Relaxed),
        };
        let moves = if new.moves { MOVES } else { 0 };
        self.admin.store(new.state as u32 | moves, Relaxed);
        self.deadline.store(new.deadline, Relaxed);
        true
    }

    /// What the operator wants.
    pub(crate) fn admin(&self) -> AdminState {
        match self.admin.load(Relaxed) & 3 {
            n if n == AdminState::Down as u32 => AdminState::Down,
            n if n == AdminState::Draining as u32 => AdminState::Draining,
            _ => AdminState::Up,
        }
    }

    /// Whether its sessions are to get new homes although it is there, at `now` of the farm's
    /// clock.
    pub(crate) fn moves(&self, now: u32) -> bool {
        let word = self.admin.load(Relaxed);
        if word & 3 != AdminState::Draining as u32 {
            return false;
        }
        word & MOVES != 0 || self.overdue(now)
    }

    /// Whether it drains and the deadline has passed.
    pub(crate) fn overdue(&self, now: u32) -> bool {
        let deadline = self.deadline.load(Relaxed);
        self.admin() == AdminState::Draining && deadline != 0 && now >= deadline
    }
}

/// Counts intervals in a row.
fn count(intervals: &Atomic<u32>, goes_on: bool) {
    let before = intervals.load(Relaxed);
    let after = if goes_on { before.saturating_add(1) } else { 0 };
    intervals.store(after, Relaxed);
}

/// A listener in a slot of [`Live::listeners`].
fn pack(l: &Listener) -> u64 {
    let fill = load::fill(l.accept_depth, l.accept_limit);
    u64::from(l.service) << 32 | u64::from(fill)
}

/// What selection and people see of a member: its report with the overrides applied.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    /// State.
    pub(crate) state: State,
    /// Weight.
    pub(crate) weight: u16,
    /// Open sessions.
    pub(crate) sessions: u32,
    /// Open flows.
    pub(crate) flows: u32,
    /// Requests in flight.
    pub(crate) requests: u32,
    /// CPU share in permille.
    pub(crate) cpu: u16,
    /// Microseconds from a request to its answer.
    pub(crate) latency_us: u32,
    /// What of its work counts in a selection.
    pub(crate) report: Report,
}

/// A member.
pub(crate) struct Member {
    /// What the operator set.
    pub(crate) settings: Settings,
    /// It is this namespace.
    pub(crate) local: bool,
    /// What changes by itself.
    pub(crate) live: Arc<Live>,
}

impl Member {
    /// A member; `live` is taken from the one it replaces. Process context.
    pub(crate) fn new(
        settings: Settings,
        local: bool,
        live: Option<Arc<Live>>,
    ) -> Result<Arc<Self>> {
        let live = match live {
            Some(live) => live,
            None => Arc::new(Live::new()?, GFP_KERNEL)?,
        };
        Ok(Arc::new(
            Self {
                settings,
                local,
                live,
            },
            GFP_KERNEL,
        )?)
    }

    /// Its number.
    pub(crate) fn id(&self) -> u16 {
        self.settings.id
    }

    /// What the rules of [`member`] need.
    fn heard(&self, clock: &Clock) -> member::Seen {
        member::Seen {
            // A member hears itself, however late its own timer runs.
            last_heard_ms: if self.local {
                clock.now_ms
            } else {
                once::read(&self.live.heard_ms).max(clock.born_ms)
            },
            missed: once::read(&self.live.missed),
            admin: self.live.admin(),
            joined: once::read(&self.live.joined),
        }
    }

    /// Whether it hears another member, by its last state message.
    fn hears(&self, id: u16) -> bool {
        let word = self.live.hears.get(usize::from(id >> 6));
        word.is_some_and(|w| once::read(w).wrapping_shr(u32::from(id & 63)) & 1 != 0)
    }

    /// Whether we hear it now.
    pub(crate) fn is_heard(&self, clock: &Clock) -> bool {
        once::read(&self.live.heard_ms) != 0
            && member::heard(&self.heard(clock), clock.now_ms, &clock.times)
    }

    /// For how long it has said that it does not hear us.
    pub(crate) fn deaf_ms(&self, clock: &Clock) -> u64 {
        match once::read(&self.live.deaf_since_ms) {
            since if since != 0 && !self.local => clock.now_ms.saturating_sub(since),
            _ => 0,
        }
    }

    /// Whether nothing that we send to it arrives, by its own word.
    pub(crate) fn is_deaf(&self, clock: &Clock) -> bool {
        member::is_deaf(self.deaf_ms(clock), &clock.times)
    }

    /// How it is, with this order of an operator about it.
    fn liveness(&self, config: &Config, clock: &Clock, admin: AdminState) -> Liveness {
        if !self.local && once::read(&self.live.heard_ms) == 0 {
            // Never heard: nothing is lost by calling it down. This one is there before it speaks.
            return Liveness::Down;
        }
        let seen = member::Seen {
            admin,
            ..self.heard(clock)
        };
        let others = config.others().filter(|v| v.id() != self.id());
        let voters = others.filter(|v| v.is_heard(clock));
        let mut votes = Votes::default();
        // Who is heard needs no witnesses.
        if !self.is_heard(clock) {
            voters.for_each(|v| votes.add(v.hears(self.id())));
            return member::liveness(&seen, clock.now_ms, &clock.times, &votes);
        }
        let liveness = member::liveness(&seen, clock.now_ms, &clock.times, &votes);
        if !self.is_deaf(clock) {
            return liveness;
        }
        let mut hear_us = Votes::default();
        for voter in voters {
            votes.add(self.hears(voter.id()));
            hear_us.add(!voter.is_deaf(clock));
        }
        let deaf_ms = self.deaf_ms(clock);
        member::deaf(liveness, deaf_ms, &clock.times, &votes, &hear_us)
    }

    /// Its state as it is believed to be.
    pub(crate) fn state(&self, guard: &Guard, config: &Config, clock: &Clock) -> State {
        match self.live.belief.read(guard).and_then(|b| b.state) {
            Some(believed) => believed,
            None => self.liveness(config, clock, self.live.admin()).into(),
        }
    }

    /// Whether it is dead or out of reach, whatever an operator has ordered: one that was set down
    /// still serves the connections that it has.
    pub(crate) fn is_away(&self, guard: &Guard, config: &Config, clock: &Clock) -> bool {
        match self.live.belief.read(guard).and_then(|b| b.state) {
            Some(believed) => believed == State::Down,
            None => self.liveness(config, clock, AdminState::Up) == Liveness::Down,
        }
    }

    /// Milliseconds for which it has been away without a break, as far as this member ran meanwhile.
    pub(crate) fn away_ms(&self, clock: &Clock) -> u64 {
        let intervals = u64::from(self.live.away.load(Relaxed));
        let counted = intervals.saturating_mul(clock.times.interval_ms);
        counted.min(self.silent_ms(clock))
    }

    /// Milliseconds since it could last be talked with: it was heard (or we began to listen), and
    /// heard us.
    pub(crate) fn silent_ms(&self, clock: &Clock) -> u64 {
        let silent = clock.now_ms.saturating_sub(self.heard(clock).last_heard_ms);
        silent.max(self.deaf_ms(clock))
    }

    /// The member as it is believed to be.
    pub(crate) fn seen(&self, guard: &Guard, config: &Config, clock: &Clock) -> Seen {
        let live = &*self.live;
        let belief = live.belief.read(guard).copied().unwrap_or_default();
        let report = Report {
            sessions: belief.sessions.unwrap_or(once::read(&live.sessions)),
            requests: belief.requests.unwrap_or(once::read(&live.requests)),
            cpu_permille: belief.cpu.unwrap_or(once::read(&live.cpu) as u16),
            unreported: live.unreported(),
        };
        Seen {
            state: self.state(guard, config, clock),
            weight: belief.weight.unwrap_or(self.settings.weight),
            sessions: report.sessions,
            flows: belief.flows.unwrap_or(once::read(&live.flows)),
            requests: report.requests,
            cpu: report.cpu_permille,
            latency_us: once::read(&live.latency_us),
            report,
        }
    }

    /// Whether it can be left to this one to tell `to`, which has started, what it has: it is heard,
    /// and had been told everything before, by this member too.
    pub(crate) fn knows(&self, clock: &Clock, to: &Self) -> bool {
        let live = &*self.live;
        self.is_heard(clock)
            && !live.audience.lock().all
            && member::told_before(
                live.joined.load(Relaxed),
                live.heard_ms.load(Relaxed),
                live.age_ms.load(Relaxed).into(),
                live.started_ms.load(Relaxed),
                to.live.started_ms.load(Relaxed),
                clock.times.down_ms,
            )
    }

    /// Milliseconds since it joined; 0 for one that was never heard.
    pub(crate) fn age_ms(&self, clock: &Clock) -> u64 {
        let heard = once::read(&self.live.heard_ms);
        if heard == 0 {
            return 0;
        }
        // It grows between two reports.
        u64::from(once::read(&self.live.age_ms)).saturating_add(clock.now_ms.saturating_sub(heard))
    }

    /// Its share of new sessions in slow start, permille; `eldest_ms`: the greatest age of a member.
    pub(crate) fn ramp(&self, clock: &Clock, eldest_ms: u64) -> u16 {
        member::ramp(self.age_ms(clock), eldest_ms, clock.slow_start_ms)
    }

    /// How full its accept queue for a service is, permille, if it reports a listener for it (by
    /// the service's hash).
    pub(crate) fn listener(&self, guard: &Guard, service: u32) -> Option<u16> {
        let slots = self.live.listeners.iter().map(once::read);
        let fill = slots
            .filter(|slot| (slot >> 32) as u32 == service)
            .map(|slot| slot as u16)
            .next();
        match self.live.belief.read(guard).and_then(|b| b.listener) {
            Some(true) => Some(fill.unwrap_or(0)),
            Some(false) => None,
            None => fill,
        }
    }

    /// For how many services it reports a listener.
    pub(crate) fn listeners(&self) -> u32 {
        let all = self.live.listeners.iter();
        all.fold(0, |n: u32, l| {
            n.saturating_add(u32::from(l.load(Relaxed) != 0))
        })
    }
}
