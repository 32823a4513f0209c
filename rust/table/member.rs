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
        load::{self, Report},
        member::{self, Liveness, Times},
        replay::Window, //
    },
    kapi::{lock::BhLock, rcu::RcuCell, tunnel::Route},
    wire::{
        addr::Addr,
        control::{AdminState, StateMsg, HEARS_WORDS, MAX_LISTENERS},
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
    /// What the operator wants.
    pub(crate) admin: AdminState,
    /// Forced answer to "is it us?"; by its address when `None`.
    pub(crate) local: Option<bool>,
}

/// A believed state that replaces what a member reports (`homing debug state`).
#[derive(Clone, Copy, Default)]
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
    /// Two state messages missed: no new sessions.
    Suspect = 1,
    /// Silent for long enough, or set down.
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
}

/// The replay state of one peer.
pub(crate) struct Inbox {
    /// Boot nonce that `window` belongs to.
    pub(crate) nonce: u64,
    /// Sequence numbers seen.
    pub(crate) window: Window,
}

/// What changes by itself; kept when settings change.
pub(crate) struct Live {
    /// The way there.
    pub(crate) route: Route,
    /// Boot time in ms when it was last heard; 0 for never.
    pub(crate) heard_ms: Atomic<u64>,
    /// Boot nonce of its present start; 0 for unknown.
    pub(crate) nonce: Atomic<u64>,
    /// Replay window.
    pub(crate) inbox: BhLock<Inbox>,
    sessions: Atomic<u32>,
    flows: Atomic<u32>,
    requests: Atomic<u32>,
    cpu: Atomic<u32>,
    admin: Atomic<u32>,
    /// Generation of its configuration.
    pub(crate) generation: Atomic<u32>,
    /// Its clock minus ours in ms when it was last heard.
    pub(crate) skew_ms: Atomic<i64>,
    /// Sessions given to it since its last report.
    unreported: Atomic<u32>,
    /// Service hashes with a listener; 0 = free.
    listeners: [Atomic<u32>; MAX_LISTENERS],
    /// The members that it hears.
    pub(crate) hears: [Atomic<u64>; HEARS_WORDS],
    /// Number of the last batch of associations received from it.
    pub(crate) batch_seen: Atomic<u64>,
    /// The state last told to listeners of the `member` group.
    pub(crate) announced: Atomic<u32>,
    /// Overrides; replaced under `Net::control`.
    pub(crate) belief: RcuCell<Belief>,
}

impl Live {
    fn new() -> Result<Self> {
        Ok(Self {
            route: Route::new()?,
            heard_ms: Atomic::new(0),
            nonce: Atomic::new(0),
            inbox: BhLock::new(
                Inbox {
                    nonce: 0,
                    window: Window::default(),
                },
                GFP_KERNEL,
            )?,
            sessions: Atomic::new(0),
            flows: Atomic::new(0),
            requests: Atomic::new(0),
            cpu: Atomic::new(0),
            admin: Atomic::new(0),
            generation: Atomic::new(0),
            skew_ms: Atomic::new(0),
            unreported: Atomic::new(0),
            listeners: [const { Atomic::new(0u32) }; MAX_LISTENERS],
            hears: [const { Atomic::new(0u64) }; HEARS_WORDS],
            batch_seen: Atomic::new(0),
            announced: Atomic::new(State::Down as u32),
            belief: RcuCell::new()?,
        })
    }

    /// Stores what a member reports. Fields change one by one: a reader may see some of the old
    /// and some of the new, which is no worse than a report that came a moment later.
    pub(crate) fn report(&self, state: &StateMsg) {
        self.sessions.store(state.sessions, Relaxed);
        self.flows.store(state.flows, Relaxed);
        self.requests.store(state.requests, Relaxed);
        self.cpu.store(u32::from(state.cpu_permille), Relaxed);
        self.admin.store(state.admin as u32, Relaxed);
        self.generation.store(state.generation, Relaxed);
        let mut with = state.listeners.as_slice().iter().filter(|l| l.present);
        for slot in &self.listeners {
            slot.store(with.next().map_or(0, |l| l.service), Relaxed);
        }
        for (slot, word) in self.hears.iter().zip(state.hears) {
            slot.store(word, Relaxed);
        }
        // What was assigned before this report was made is in it, give or take one interval.
        self.unreported.store(0, Relaxed);
    }

    /// Counts a session that was given to the member.
    pub(crate) fn assigned(&self) {
        self.unreported.fetch_add(1, Relaxed);
    }

    /// Forgets what an earlier start of the member said.
    pub(crate) fn restarted(&self) {
        self.batch_seen.store(0, Relaxed);
        for slot in &self.listeners {
            slot.store(0, Relaxed);
        }
    }
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
    /// See [`crate::decide::load`].
    pub(crate) load: u32,
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
        let said = match self.live.admin.load(Relaxed) {
            n if n == AdminState::Down as u32 => AdminState::Down,
            n if n == AdminState::Draining as u32 => AdminState::Draining,
            _ => AdminState::Up,
        };
        let admin = match self.settings.admin {
            AdminState::Up => said,
            ours => ours,
        };
        member::Seen {
            // A member hears itself, however late its own timer runs.
            last_heard_ms: if self.local {
                clock.now_ms
            } else {
                self.live.heard_ms.load(Relaxed).max(clock.born_ms)
            },
            admin,
            joined: true,
        }
    }

    /// Whether it hears another member, by its last state message.
    fn hears(&self, id: u16) -> bool {
        let word = self.live.hears.get(usize::from(id >> 6));
        word.is_some_and(|w| w.load(Relaxed).wrapping_shr(u32::from(id & 63)) & 1 != 0)
    }

    /// Whether we hear it now.
    pub(crate) fn is_heard(&self, clock: &Clock) -> bool {
        self.live.heard_ms.load(Relaxed) != 0
            && member::heard(&self.heard(clock), clock.now_ms, &clock.times)
    }

    /// The member as it is believed to be.
    pub(crate) fn seen(&self, guard: &Guard, config: &Config, clock: &Clock) -> Seen {
        let live = &*self.live;
        let belief = live.belief.read(guard).copied().unwrap_or_default();
        let state = if live.heard_ms.load(Relaxed) == 0 {
            // Never heard: nothing is lost by calling it down.
            State::Down
        } else {
            let mut votes = member::Votes::default();
            for voter in config
                .others()
                .filter(|v| v.id() != self.id() && v.is_heard(clock))
            {
                votes.add(voter.hears(self.id()));
            }
            member::liveness(&self.heard(clock), clock.now_ms, &clock.times, &votes).into()
        };
        let report = Report {
            sessions: belief.sessions.unwrap_or(live.sessions.load(Relaxed)),
            requests: belief.requests.unwrap_or(live.requests.load(Relaxed)),
            cpu_permille: belief.cpu.unwrap_or(live.cpu.load(Relaxed) as u16),
            unreported: live.unreported.load(Relaxed),
        };
        Seen {
            state: belief.state.unwrap_or(state),
            weight: belief.weight.unwrap_or(self.settings.weight),
            sessions: report.sessions,
            flows: belief.flows.unwrap_or(live.flows.load(Relaxed)),
            requests: report.requests,
            cpu: report.cpu_permille,
            load: load::load(&report),
        }
    }

    /// Whether it reports a listener for a service (by the service's hash).
    pub(crate) fn has_listener(&self, guard: &Guard, service: u32) -> bool {
        match self.live.belief.read(guard).and_then(|b| b.listener) {
            Some(believed) => believed,
            None => self
                .live
                .listeners
                .iter()
                .any(|l| l.load(Relaxed) == service),
        }
    }

    /// For how many services it reports a listener.
    pub(crate) fn listeners(&self) -> u32 {
        let all = self.live.listeners.iter();
        all.filter(|l| l.load(Relaxed) != 0).count() as u32
    }
}
