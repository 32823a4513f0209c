// SPDX-License-Identifier: GPL-2.0

//! Requests that are being answered here, and how long answers take: an estimate for the other
//! members.
//!
//! A request begins with data of the client on a connection that is owned here and is answered by
//! the next data that the local stack sends on it; streams without framing are taken as they
//! look. A connection has one slot, given by the address of its flow; where two meet, one of them
//! is not counted.

use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Full, Relaxed}, //
};

use super::flow::Flow;
use crate::kapi::once;

/// Connections that are watched at once.
const SLOTS: usize = 4096;

/// Milliseconds after which a request without an answer is not counted any more.
const FORGOTTEN_MS: u32 = 60_000;

/// A table of requests.
pub(crate) struct Requests {
    /// mark of the flow << 32 | when its request began, ms; 0 = free.
    slots: KVVec<Atomic<u64>>,
    open: Atomic<i32>,
    latency_us: Atomic<u32>,
}

impl Requests {
    /// None. Process context.
    pub(crate) fn new() -> Result<Self> {
        let mut slots = KVVec::with_capacity(SLOTS, GFP_KERNEL)?;
        for _ in 0..SLOTS {
            slots
                .push_within_capacity(Atomic::new(0u64))
                .map_err(|_| ENOMEM)?;
        }
        Ok(Self {
            slots,
            open: Atomic::new(0),
            latency_us: Atomic::new(0),
        })
    }

    fn slot(&self, mark: u32) -> Option<&Atomic<u64>> {
        // The best bits of the product are the upper ones (Knuth, volume 3, section 6.4).
        let place = mark.wrapping_mul(0x9e37_79b1) >> 20;
        self.slots.get(place as usize)
    }

    /// Data of the client on `flow`, at `now_ms`. Any context.
    #[inline]
    pub(crate) fn asked(&self, flow: &Flow, now_ms: u64) {
        let mark = flow.tag();
        let Some(slot) = self.slot(mark) else { return };
        let old = once::read(slot);
        let stale = (now_ms as u32).wrapping_sub(old as u32) > FORGOTTEN_MS;
        if old != 0 && !stale {
            return;
        }
        let new = u64::from(mark) << 32 | u64::from(now_ms as u32);
        if slot.cmpxchg(old, new.max(1), Full).is_ok() && old == 0 {
            self.open.fetch_add(1, Relaxed);
        }
    }

    /// Takes out the request of `flow`, if it is counted; when it began.
    #[inline]
    fn take(&self, flow: &Flow) -> Option<u32> {
        let mark = flow.tag();
        let slot = self.slot(mark)?;
        let old = once::read(slot);
        if old == 0 || (old >> 32) as u32 != mark || slot.cmpxchg(old, 0, Full).is_err() {
            return None;
        }
        self.open.fetch_sub(1, Relaxed);
        Some(old as u32)
    }

    /// `flow` is over: if a request of it had no answer, it gets none. Any context.
    pub(crate) fn over(&self, flow: &Flow) {
        self.take(flow);
    }

    /// Data of the local stack on `flow`. Any context.
    #[inline]
    pub(crate) fn answered(&self, flow: &Flow, now_ms: u64) {
        let Some(began) = self.take(flow) else { return };
        // A moving average over some eight answers; two CPUs may lose one of them.
        let sample = (now_ms as u32).wrapping_sub(began).min(FORGOTTEN_MS);
        let sample = u64::from(sample).saturating_mul(1000);
        let before = u64::from(self.latency_us.load(Relaxed));
        let after = before.saturating_mul(7).saturating_add(sample) / 8;
        self.latency_us.store(after as u32, Relaxed);
    }

    /// Forgets requests that will never be answered. Process context.
    pub(crate) fn sweep(&self, now_ms: u64) {
        if once::read(&self.open) == 0 {
            return;
        }
        for slot in &self.slots {
            let old = slot.load(Relaxed);
            let stale = (now_ms as u32).wrapping_sub(old as u32) > FORGOTTEN_MS;
            if old != 0 && stale && slot.cmpxchg(old, 0, Full).is_ok() {
                self.open.fetch_sub(1, Relaxed);
            }
        }
    }

    /// How many there are.
    pub(crate) fn open(&self) -> u32 {
        self.open.load(Relaxed).max(0) as u32
    }

    /// How long an answer takes, microseconds; counted in milliseconds.
    pub(crate) fn latency_us(&self) -> u32 {
        self.latency_us.load(Relaxed)
    }
}
