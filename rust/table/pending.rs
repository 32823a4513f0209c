// SPDX-License-Identifier: GPL-2.0

//! Packets held until the head of a first request can be read.
//!
//! Bounded per connection (segments and bytes), in number of connections, and in memory in all;
//! what waits too long is dropped and the client sends it again. Nothing that is held has been
//! acknowledged.

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
    pub(crate) held: KVec<Held>,
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
    ) -> Result<Self> {
        Ok(Self {
            tuple,
            client_isn,
            cookie,
            agreed,
            tsecr: None,
            ifindex,
            held: KVec::with_capacity(limits::HOLD_SEGMENTS, GFP_ATOMIC)?,
            since_ms: now_ms,
            last_ms: now_ms,
        })
    }

    /// Sequence numbers and lengths of what is held, for [`assemble`].
    pub(crate) fn ranges(&self) -> ([(u32, u32); limits::HOLD_SEGMENTS], usize) {
        let mut ranges = [(0, 0); limits::HOLD_SEGMENTS];
        for (to, h) in ranges.iter_mut().zip(&self.held) {
            *to = (h.seq, h.len);
        }
        (ranges, self.held.len().min(limits::HOLD_SEGMENTS))
    }

    /// What to do with one more segment.
    pub(crate) fn admit(&self, seq: u32, len: u32) -> Admission {
        let (ranges, n) = self.ranges();
        let held = ranges.get(..n).unwrap_or_default();
        assemble::admit(self.client_isn.wrapping_add(1), held, (seq, len))
    }

    fn memory(&self) -> u64 {
        self.held.iter().map(|h| h.packet.truesize() as u64).sum()
    }
}

/// All connections that wait.
pub(crate) struct Pending {
    buckets: KVec<BhLock<KVec<KBox<Waiting>>>>,
    memory: Atomic<u64>,
    count: Atomic<u32>,
    max_memory: u64,
}

impl Pending {
    /// Nothing waits; at most `max_memory` bytes will. Process context.
    pub(crate) fn new(max_memory: u64) -> Result<Self> {
        let mut buckets = KVec::with_capacity(BUCKETS, GFP_KERNEL)?;
        for _ in 0..BUCKETS {
            buckets.push(BhLock::new(KVec::new(), GFP_KERNEL)?, GFP_KERNEL)?;
        }
        Ok(Self {
            buckets,
            memory: Atomic::new(0),
            count: Atomic::new(0),
            max_memory,
        })
    }

    /// How many connections wait.
    pub(crate) fn len(&self) -> u32 {
        self.count.load(Relaxed)
    }

    fn bucket(&self, tuple: &Tuple) -> Option<&BhLock<KVec<KBox<Waiting>>>> {
        // Only spreads locks; each bucket is bounded, so a bad spread costs the attacker.
        let hash = tuple
            .to_bytes()
            .iter()
            .fold(0u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(*b)));
        self.buckets.get((hash ^ (hash >> 6)) as usize % BUCKETS)
    }

    /// Takes a connection out, to add to it or to decide on it. Only one CPU can have it.
    pub(crate) fn take(&self, tuple: &Tuple) -> Option<KBox<Waiting>> {
        if self.len() == 0 {
            return None;
        }
        let mut bucket = self.bucket(tuple)?.lock();
        let i = bucket.iter().position(|w| w.tuple == *tuple)?;
        let waiting = bucket.remove(i).ok()?;
        drop(bucket);
        self.count.fetch_sub(1, Relaxed);
        self.memory.fetch_sub(waiting.memory(), Relaxed);
        Some(waiting)
    }

    /// Puts a connection (back) in. `Err` gives it back when there is no room.
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
        if bucket.len() >= PER_BUCKET || bucket.reserve(1, GFP_ATOMIC).is_err() {
            drop(bucket);
            return Err(waiting);
        }
        // Two CPUs may hold parts of one connection; the parts stay apart and the client's
        // retransmission brings them together.
        match bucket.push_within_capacity(waiting) {
            Ok(()) => {
                drop(bucket);
                self.count.fetch_add(1, Relaxed);
                self.memory.fetch_add(memory, Relaxed);
                Ok(())
            }
            // Room was reserved under the lock.
            Err(_) => Ok(()),
        }
    }

    /// Takes out one connection that waited too long (`scale` multiplies the limits).
    pub(crate) fn take_expired(&self, now_ms: u64, scale: u64) -> Option<KBox<Waiting>> {
        if self.len() == 0 {
            return None;
        }
        let idle = limits::HOLD_IDLE_MS.saturating_mul(scale);
        let all = limits::HOLD_TOTAL_MS.saturating_mul(scale);
        for bucket in &self.buckets {
            let mut b = bucket.lock();
            let old = b.iter().position(|w| {
                now_ms.saturating_sub(w.last_ms) >= idle || now_ms.saturating_sub(w.since_ms) >= all
            });
            if let Some(waiting) = old.and_then(|i| b.remove(i).ok()) {
                drop(b);
                self.count.fetch_sub(1, Relaxed);
                self.memory.fetch_sub(waiting.memory(), Relaxed);
                return Some(waiting);
            }
        }
        None
    }

    /// Drops everything (a device or the namespace goes).
    pub(crate) fn clear(&self) {
        while self.take_expired(u64::MAX, 0).is_some() {}
    }
}
