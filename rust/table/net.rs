// SPDX-License-Identifier: GPL-2.0

//! Everything that one namespace, a member, keeps.

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu::Guard, //
    },
};

use super::{
    config::Config,
    directory::{Directory, Fresh, Strangers},
    exchange::Exchanges,
    flow::Flows,
    insert::Edits,
    keys::KeyRing,
    member::Clock,
    pending::Pending,
    requests::Requests,
    session::{Applied, Sessions},
    untold::Untold, //
};
use crate::{
    decide::{batch::Ring, limits, reason::Reason, session::ended},
    kapi::{
        counters::Counters,
        lock::BhLock,
        nf::Glance,
        pernet::NetNs,
        ports::Ports,
        rcu::RcuCell,
        time, //
    },
    wire::{addr::Tuple, control::Association},
};

/// Switches for tests and for looking closer (`homing debug`).
pub(crate) struct Debug {
    /// Stored member states do not change.
    pub(crate) frozen: Atomic<bool>,
    /// Associations are sent to other members.
    pub(crate) push: Atomic<bool>,
    /// Seconds added to the clock.
    pub(crate) clock_offset: Atomic<i32>,
}

/// CPU times (busy, total) in ns, as last read.
pub(crate) struct CpuTimes(Atomic<u64>, Atomic<u64>);

impl CpuTimes {
    fn new() -> Self {
        Self(Atomic::new(0), Atomic::new(0))
    }

    /// Stores new times and gives the old ones back. One job writes.
    pub(crate) fn swap(&self, busy: u64, total: u64) -> (u64, u64) {
        let old = (self.0.load(Relaxed), self.1.load(Relaxed));
        self.0.store(busy, Relaxed);
        self.1.store(total, Relaxed);
        old
    }
}

/// The state of one namespace.
pub(crate) struct Net {
    /// The namespace.
    pub(crate) ns: NetNs,
    /// Random number of this start; never 0.
    pub(crate) boot: u64,
    /// When this start was, in ms since boot.
    pub(crate) born_ms: u64,
    /// Replaced under the control lock; always there.
    config: RcuCell<Config>,
    /// Those of the services: at least of the present configuration. Changed under the control
    /// lock.
    ports: Ports,
    /// Replaced under the control lock; empty until a key is set.
    pub(crate) keys: RcuCell<KeyRing>,
    /// Sessions.
    pub(crate) sessions: Sessions,
    /// Connections.
    pub(crate) flows: Flows,
    /// Responses that are read or were changed.
    pub(crate) edits: Edits,
    /// Connections whose first request is not complete.
    pub(crate) pending: KBox<Pending>,
    /// Connections that other members have listed here.
    pub(crate) directory: Directory,
    /// Connections of this member that are to be listed.
    pub(crate) fresh: Fresh,
    /// What is known of connections that nobody here knows; there from the first configuration on,
    /// since it is larger than all else that a namespace without one needs.
    pub(crate) strangers: RcuCell<Strangers>,
    /// Requests and responses of connections that are relayed to this member.
    pub(crate) exchanges: Exchanges,
    /// Connections that have come to rest, which their entry members are to hear of.
    pub(crate) resting: Fresh,
    /// Connections whose sockets here are to be closed.
    pub(crate) leftover: Fresh,
    /// What user space is to be told; there is room from the first configuration on.
    pub(crate) untold: Untold,
    stats: Counters<{ Reason::COUNT }>,
    /// Switches.
    pub(crate) debug: Debug,
    /// Number of the last control message sent; one count for all receivers.
    pub(crate) sequence: Atomic<u64>,
    /// Associations pushed to the others.
    pub(crate) ring: BhLock<Ring<KVVec<Association>>>,
    /// Number of the last walk through the sessions for another member.
    pub(crate) walks: Atomic<u32>,
    /// When the others had told us all they know, in ms since boot; 0: not yet.
    pub(crate) joined_ms: Atomic<u64>,
    /// Since when this namespace is a member, in ms since boot; 0: it is none.
    pub(crate) member_ms: Atomic<u64>,
    /// Generation of the configuration at the last interval.
    pub(crate) settled: Atomic<u32>,
    /// Requests that are being answered here.
    pub(crate) requests: Requests,
    /// Bytes that the network between the members carries, as configured or found out at the last
    /// interval.
    fabric_mtu: Atomic<u32>,
    /// State intervals until the next probe of it.
    pub(crate) probe_in: Atomic<u32>,
    /// CPU times at the last interval.
    pub(crate) cpu_before: CpuTimes,
    /// Sessions whose home we are: counted by each sweep, and kept up to date between two. A few
    /// may be counted twice or not at all until the next.
    homed: Atomic<i32>,
    /// Flows that we own, counted by the last sweep.
    pub(crate) owned: Atomic<u32>,
    /// When flows were gone through, in seconds since boot.
    pub(crate) swept: Atomic<u32>,
    /// When flows are to be gone through again, in ms since boot.
    pub(crate) flows_due_ms: Atomic<u64>,
    /// The same of sessions.
    pub(crate) sessions_due_ms: Atomic<u64>,
    pub(crate) directory_due_ms: Atomic<u64>,
    pub(crate) exchanges_due_ms: Atomic<u64>,
}

impl Net {
    /// An empty state. Process context.
    pub(crate) fn new(ns: NetNs) -> Result<Self> {
        let config = RcuCell::new()?;
        config.replace(Some(Config::new()?));
        Ok(Self {
            ns,
            boot: time::random().max(1),
            born_ms: time::boot_ms(),
            config,
            ports: Ports::new()?,
            keys: RcuCell::new()?,
            sessions: Sessions::new(limits::SESSIONS_CEILING)?,
            flows: Flows::new(limits::FLOWS_CEILING)?,
            edits: Edits::new(limits::FLOWS_CEILING)?,
            pending: Pending::new(time::total_memory() / limits::HOLD_MEMORY_SHARE)?,
            directory: Directory::new()?,
            fresh: Fresh::new()?,
            strangers: RcuCell::new()?,
            exchanges: Exchanges::new()?,
            resting: Fresh::new()?,
            leftover: Fresh::new()?,
            untold: Untold::new()?,
            stats: Counters::new()?,
            debug: Debug {
                frozen: Atomic::new(false),
                push: Atomic::new(true),
                clock_offset: Atomic::new(0),
            },
            sequence: Atomic::new(0),
            ring: BhLock::new(
                Ring::new(KVVec::from_elem(
                    Association::default(),
                    limits::RING,
                    GFP_KERNEL,
                )?),
                GFP_KERNEL,
            )?,
            walks: Atomic::new(0),
            joined_ms: Atomic::new(0),
            member_ms: Atomic::new(0),
            settled: Atomic::new(0),
            requests: Requests::new()?,
            fabric_mtu: Atomic::new(limits::FABRIC_MTU.into()),
            probe_in: Atomic::new(0),
            cpu_before: CpuTimes::new(),
            homed: Atomic::new(0),
            owned: Atomic::new(0),
            swept: Atomic::new(0),
            flows_due_ms: Atomic::new(0),
            sessions_due_ms: Atomic::new(0),
            directory_due_ms: Atomic::new(0),
            exchanges_due_ms: Atomic::new(0),
        })
    }

    /// The configuration. `None` cannot happen: [`Net::new`] stores one.
    #[inline]
    pub(crate) fn config<'g>(&'g self, guard: &'g Guard) -> Option<&'g Config> {
        self.config.read(guard)
    }

    /// A copy of the configuration, to be changed and published. Process context, under the
    /// control lock.
    pub(crate) fn next_config(&self) -> Result<KBox<Config>> {
        self.config.with(|old| old.ok_or(EINVAL)?.next())
    }

    /// Publishes a configuration. Process context, under the control lock.
    pub(crate) fn publish(&self, config: KBox<Config>) {
        // First those that are new, last those that are gone: hooks never miss one in between.
        self.ports.add(config.services.iter().map(|s| s.port));
        self.found_fabric_mtu(&config, self.fabric_mtu());
        self.config.replace(Some(config));
        // Connections go on, whatever becomes of their service: while there are any, all ports stay.
        if self.flows.len() > 0 {
            return;
        }
        self.config.with(|now| {
            let of = |port| now.is_some_and(|c| c.services.iter().any(|s| s.port == port));
            self.ports.keep(of);
        });
    }

    /// What lets packets pass at a glance.
    pub(crate) fn glance(&self) -> Option<Glance<'_>> {
        let (packets, other) = (Reason::Packets.index(), Reason::PassOther.index());
        let not_host = Reason::PassNotHost.index();
        Some(Glance {
            ports: &self.ports,
            shifted: self.edits.shifted_count(),
            passed: self.stats.passed(packets, other, not_host)?,
        })
    }

    /// Counts one.
    #[inline]
    pub(crate) fn count(&self, reason: Reason) {
        self.stats.add(reason.index(), 1);
    }

    /// The value of a counter.
    pub(crate) fn counter(&self, index: usize) -> u64 {
        self.stats.sum(index)
    }

    /// The farm's clock: seconds since 1970, with this member's offset.
    pub(crate) fn now_s(&self) -> u64 {
        let offset = i64::from(self.debug.clock_offset.load(Relaxed));
        time::real_seconds().saturating_add_signed(offset)
    }

    /// Seconds since boot, as flows count.
    #[inline]
    pub(crate) fn uptime(&self) -> u32 {
        time::up_seconds() as u32
    }

    /// The farm's clock in 32 bits, as associations carry it (until 2106).
    pub(crate) fn now(&self) -> u32 {
        self.now_s() as u32
    }

    /// The farm's clock in milliseconds, as of the last timer tick.
    pub(crate) fn now_ms(&self) -> u64 {
        let offset = i64::from(self.debug.clock_offset.load(Relaxed)).saturating_mul(1000);
        time::coarse_real_ms().saturating_add_signed(offset)
    }

    /// What members are judged by.
    pub(crate) fn clock(&self, config: &Config) -> Clock {
        Clock {
            now_ms: time::coarse_ms(),
            born_ms: self.born_ms,
            times: config.times(),
            slow_start_ms: limits::SLOW_START_MS.saturating_mul(u64::from(config.farm.scale)),
        }
    }

    /// Whether there is a flow of a connection. Any context.
    pub(crate) fn knows(&self, guard: &Guard, tuple: &Tuple) -> bool {
        self.flows.get(guard, tuple).is_some()
    }

    /// Stores an association unless a newer one is known. Any context.
    pub(crate) fn apply(&self, guard: &Guard, config: &Config, a: &Association) -> Applied {
        let applied = self.sessions.apply(guard, a);
        let here = |a: &Association| i32::from(a.home == config.local && !ended(a));
        let more = match &applied {
            Applied::New => here(a),
            Applied::Changed { old, now } => here(now).wrapping_sub(here(old)),
            Applied::Stale(_) | Applied::Full => 0,
        };
        if more != 0 {
            self.homed.fetch_add(more, Relaxed);
        }
        applied
    }

    /// Sessions whose home we are.
    pub(crate) fn homed(&self) -> u32 {
        self.homed.load(Relaxed).max(0) as u32
    }

    /// They have been counted.
    pub(crate) fn set_homed(&self, count: u32) {
        self.homed
            .store(i32::try_from(count).unwrap_or(i32::MAX), Relaxed);
    }

    /// Bytes of an IP packet that the network between the members carries: as configured, or as found
    /// out. Any context.
    pub(crate) fn fabric_mtu(&self) -> u16 {
        self.fabric_mtu.load(Relaxed) as u16
    }

    /// The members have found out that the network between them carries so much. What is configured
    /// counts more.
    pub(crate) fn found_fabric_mtu(&self, config: &Config, found: u16) {
        let size = match config.farm.fabric_mtu {
            0 => found,
            set => set,
        };
        self.fabric_mtu.store(size.into(), Relaxed);
    }

    /// Whether the stored member states are frozen.
    pub(crate) fn is_frozen(&self) -> bool {
        self.debug.frozen.load(Relaxed)
    }
}
