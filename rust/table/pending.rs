// SPDX-License-Identifier: GPL-2.0

//! Packets held until the head of a first request can be read.
//!
//! Bounded per connection (segments and bytes), in number of connections, and in memory in all;
//! what waits too long is decided on as it is. Nothing that is held has been acknowledged.

use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed}, //
};

use crate::{
    decide::{
        assemble::{self, Admission},
        cookie::Established,
        limits,
    },
    kapi::{lock::BhLock, skb::Packet},
    wire::addr::Tuple,
};

/// Segments of one connection.
const SLOTS: usize = limits::HOLD_SEGMENTS;
const BUCKETS: usize = 64;
/// Connections in one bucket; with 64 buckets no more than 4096 are held.
const PER_BUCKET: usize = 64;

/// A held segment.
pub(crate) struct Held {
    /// The packet.
    pub(crate) packet: Packet,
    /// First sequence number of its payload.
    pub(crate) seq: u32,
    /// Bytes of payload.
    pub(crate) len: u32,
    /// Where its payload starts in the packet.
    pub(crate) payload: usize,
    /// Where its TCP header starts.
    pub(crate) l4: usize,
}

/// A connection whose first request is not complete.
pub(crate) struct Waiting {
    /// Its connection.
    pub(crate) tuple: Tuple,
    /// The client's ISN.
    pub(crate) client_isn: u32,
    /// Our ISN.
    pub(crate) cookie: u32,
    /// What the cookie says.
    pub(crate) agreed: Established,
    /// TSecr of the last segment held.
    pub(crate) tsecr: Option<u32>,
    /// Device the segments came by.
    pub(crate) ifindex: u32,
    /// The segments in the order of arrival.
    pub(crate) held: [Option<Held>; SLOTS],
    since_ms: u64,
    last_ms: u64,
}

impl Waiting {
    /// A connection without segments.
    pub(crate) fn new(
        tuple: Tuple,
        client_isn: u32,
        cookie: u32,
        agreed: Established,
        ifindex: u32,
        now_ms: u64,
    ) -> Self {
        Self {
            tuple,
            client_isn,
            cookie,
            agreed,
            tsecr: None,
            ifindex,
            held: [const { None }; SLOTS],
            since_ms: now_ms,
            last_ms: now_ms,
        }
    }

    /// Sequence numbers and lengths of what is held, for [`assemble`]: as many as were said.
    pub(crate) fn ranges(&self) -> ([(u32, u32); SLOTS], usize) {
        let mut ranges = [(0, 0); SLOTS];
        let mut n = 0usize;
        for (to, h) in ranges.iter_mut().zip(self.held.iter().flatten()) {
            *to = (h.seq, h.len);
            n = n.wrapping_add(1);
        }
        (ranges, n)
    }

    /// Holds one more; `Err` when all places are taken.
    pub(crate) fn hold(&mut self, held: Held) -> Result<(), Held> {
        match self.held.iter_mut().find(|slot| slot.is_none()) {
            Some(slot) => {
                *slot = Some(held);
                Ok(())
            }
            None => Err(held),
        }
    }

    /// What to do with one more segment.
    pub(crate) fn admit(&self, seq: u32, len: u32) -> Admission {
        let (ranges, n) = self.ranges();
        let held = ranges.get(..n).unwrap_or_default();
        assemble::admit(self.client_isn.wrapping_add(1), held, (seq, len))
    }

    fn memory(&self) -> u64 {
        let held = self.held.iter().flatten();
        held.fold(0, |sum: u64, h| {
            sum.saturating_add(h.packet.truesize() as u64)
        })
    }
}

type Bucket = [Option<KBox<Waiting>>; PER_BUCKET];

/// All connections that wait.
pub(crate) struct Pending {
    /// All there: filled when made.
    buckets: [Option<BhLock<Bucket>>; BUCKETS],
    memory: Atomic<u64>,
    count: Atomic<u32>,
    max_memory: u64,
}

impl Pending {
    /// Nothing waits; at most `max_memory` bytes will. Process context.
    pub(crate) fn new(max_memory: u64) -> Result<KBox<Self>> {
        let mut this = KBox::new(
            Self {
                buckets: [const { None }; BUCKETS],
                memory: Atomic::new(0),
                count: Atomic::new(0),
                max_memory,
            },
            GFP_KERNEL,
        )?;
        for bucket in &mut this.buckets {
            *bucket = Some(BhLock::new([const { None }; PER_BUCKET], GFP_KERNEL)?);
        }
        Ok(this)
    }

    /// How many connections wait.
    pub(crate) fn len(&self) -> u32 {
        self.count.load(Relaxed)
    }

    fn bucket(&self, tuple: &Tuple) -> Option<&BhLock<Bucket>> {
        // Only spreads locks; each bucket is bounded, so a bad spread costs the attacker.
        let hash = tuple
            .to_bytes()
            .iter()
            .fold(0u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(*b)));
        self.buckets
            .get((hash ^ (hash >> 6)) as usize % BUCKETS)?
            .as_ref()
    }

    fn taken(&self, waiting: &Waiting) {
        self.count.fetch_sub(1, Relaxed);
        self.memory.fetch_sub(waiting.memory(), Relaxed);
    }

    /// Takes a connection out, to add to it or to decide on it. Only one CPU can have it.
    pub(crate) fn take(&self, tuple: &Tuple) -> Option<KBox<Waiting>> {
        if self.len() == 0 {
            return None;
        }
        let is = |w: &KBox<Waiting>| w.tuple == *tuple;
        let waiting = self
            .bucket(tuple)?
            .lock()
            .iter_mut()
            .find_map(|slot| slot.take_if(|w| is(w)))?;
        self.taken(&waiting);
        Some(waiting)
    }

    /// Puts a connection (back) in. `Err` gives it back when there is no room. Two CPUs may hold
    /// parts of one connection; the parts stay apart, and the client's retransmission brings them
    /// together.
    pub(crate) fn put(&self, mut waiting: KBox<Waiting>, now_ms: u64) -> Result<(), KBox<Waiting>> {
        let memory = waiting.memory();
        if self.memory.load(Relaxed).saturating_add(memory) > self.max_memory {
            return Err(waiting);
        }
        waiting.last_ms = now_ms;
        let Some(bucket) = self.bucket(&waiting.tuple) else {
            return Err(waiting);
        };
        let mut bucket = bucket.lock();
        let Some(slot) = bucket.iter_mut().find(|slot| slot.is_none()) else {
            drop(bucket);
            return Err(waiting);
        };
        self.count.fetch_add(1, Relaxed);
        self.memory.fetch_add(memory, Relaxed);
        *slot = Some(waiting);
        Ok(())
    }

    /// Takes out one connection that waited too long (`scale` multiplies the limits).
    pub(crate) fn take_expired(&self, now_ms: u64, scale: u64) -> Option<KBox<Waiting>> {
        if self.len() == 0 {
            return None;
        }
        let idle = limits::HOLD_IDLE_MS.saturating_mul(scale);
        let all = limits::HOLD_TOTAL_MS.saturating_mul(scale);
        let old = |w: &KBox<Waiting>| {
            now_ms.saturating_sub(w.last_ms) >= idle || now_ms.saturating_sub(w.since_ms) >= all
        };
        let waiting = self.buckets.iter().flatten().find_map(|bucket| {
            let mut bucket = bucket.lock();
            bucket.iter_mut().find_map(|slot| slot.take_if(|w| old(w)))
        })?;
        self.taken(&waiting);
        Some(waiting)
    }

    /// Drops everything (a device or the namespace goes).
    pub(crate) fn clear(&self) {
        while self.take_expired(u64::MAX, 0).is_some() {}
    }
}
