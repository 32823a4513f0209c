// SPDX-License-Identifier: GPL-2.0

//! Per-CPU counters, summed when read.
//!
//! C header: `include/linux/percpu.h`.

use core::{
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::prelude::*;

use super::ffi;

/// `N` counters; adding touches only this CPU's line.
///
/// # Invariants
///
/// The pointer is a live `homing_counters` of `N` entries, owned by this value.
pub(crate) struct Counters<const N: usize>(NonNull<ffi::homing_counters>);

// SAFETY: The C side uses per-CPU operations only; the pointer is never changed.
unsafe impl<const N: usize> Send for Counters<N> {}
// SAFETY: As above: adding from several CPUs at once is what they are made for.
unsafe impl<const N: usize> Sync for Counters<N> {}

impl<const N: usize> Counters<N> {
    /// Allocates zeroed counters. Process context.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Takes a number; the result is checked below.
        let p = unsafe { ffi::homing_counters_new(N as u32) };
        // INVARIANT: A non-null result is ours alone and has `N` entries.
        Ok(Self(NonNull::new(p).ok_or(ENOMEM)?))
    }

    /// Counters for packets at ingress: of all, and of those that pass at a glance, as none of ours
    /// or for another host. `None` if there is no such counter.
    pub(crate) fn passed(
        &self,
        packets: usize,
        other: usize,
        not_host: usize,
    ) -> Option<Passed<'_>> {
        if packets.max(other).max(not_host) >= N {
            return None;
        }
        // INVARIANT: Just checked.
        Some(Passed {
            raw: self.0.as_ptr(),
            indexes: [packets as u32, other as u32, not_host as u32],
            _counters: PhantomData,
        })
    }

    /// Adds `by` to counter `index`; an index out of range is ignored. Any context.
    #[inline]
    pub(crate) fn add(&self, index: usize, by: u64) {
        if index < N {
            // SAFETY: By the invariant; `index` was checked.
            unsafe { ffi::homing_counters_add(self.0.as_ptr(), index as u32, by) };
        }
    }

    /// The sum over all CPUs; not a snapshot of one moment.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        if index >= N {
            return 0;
        }
        // SAFETY: By the invariant; `index` was checked.
        unsafe { ffi::homing_counters_sum(self.0.as_ptr(), index as u32) }
    }
}

/// Counters that C code adds to by itself (see [`super::nf::Glance`]).
///
/// # Invariants
///
/// The counters are live for `'a` and have these indexes.
pub(crate) struct Passed<'a> {
    raw: *mut ffi::homing_counters,
    indexes: [u32; 3],
    _counters: PhantomData<&'a ()>,
}

impl Passed<'_> {
    pub(super) fn as_ptr(&self) -> *mut ffi::homing_counters {
        self.raw
    }

    /// Of packets, of what is none of ours, of what is for another host.
    pub(super) fn indexes(&self) -> [u32; 3] {
        self.indexes
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: By the invariant we own it, and `drop` runs once.
        unsafe { ffi::homing_counters_free(self.0.as_ptr()) };
    }
}
