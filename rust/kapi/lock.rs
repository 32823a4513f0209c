// SPDX-License-Identifier: GPL-2.0

//! A spin lock that also keeps bottom halves off, and keeping them off without one.
//!
//! Hooks run in softirq, but LOCAL_OUT also in process context with bottom halves on: a plain
//! spin lock taken there would deadlock with the receive path on the same CPU.
//!
//! C header: `include/linux/spinlock.h`.

use core::{
    cell::UnsafeCell,
    ops::{Deref, DerefMut},
};
use kernel::{
    prelude::*,
    types::NotThreadSafe, //
};

use super::ffi;

/// Storage of a `spinlock_t`; the C side asserts that it fits.
#[repr(C, align(8))]
struct Raw([u8; ffi::HOMING_LOCK_SIZE as usize]);

/// `T` behind a spin lock. Lives in a box, because lockdep knows a lock by its address.
///
/// # Invariants
///
/// `raw` is initialised and never moves (it is only ever inside a `KBox`).
struct Inner<T> {
    raw: UnsafeCell<Raw>,
    value: UnsafeCell<T>,
}

/// A lock for `T`, usable in any context but hard interrupts.
pub(crate) struct BhLock<T>(KBox<Inner<T>>);

// SAFETY: The lock gives one thread at a time access to the value.
unsafe impl<T: Send> Send for BhLock<T> {}
// SAFETY: As above.
unsafe impl<T: Send> Sync for BhLock<T> {}

impl<T> BhLock<T> {
    /// A new, unlocked lock. `flags` as for any allocation.
    pub(crate) fn new(value: T, flags: kernel::alloc::Flags) -> Result<Self> {
        let inner = KBox::new(
            Inner {
                raw: UnsafeCell::new(Raw([0; ffi::HOMING_LOCK_SIZE as usize])),
                value: UnsafeCell::new(value),
            },
            flags,
        )?;
        // SAFETY: The storage is large enough (asserted in C) and will not move again.
        unsafe { ffi::homing_lock_init(inner.raw.get().cast()) };
        // INVARIANT: Initialised just now.
        Ok(Self(inner))
    }

    /// Takes the lock and turns bottom halves off until the guard is dropped.
    pub(crate) fn lock(&self) -> BhGuard<'_, T> {
        // SAFETY: By the invariant the lock is initialised.
        unsafe { ffi::homing_lock_bh(self.0.raw.get().cast()) };
        // INVARIANT: The lock was just taken.
        BhGuard(&self.0)
    }
}

/// Evidence that the lock is held.
///
/// # Invariants
///
/// The lock of the inner value is held by this thread.
pub(crate) struct BhGuard<'a, T>(&'a Inner<T>);

impl<T> Deref for BhGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the invariant nobody else has access.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for BhGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the invariant nobody else has access, and `self` is borrowed mutably.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for BhGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: By the invariant we hold it.
        unsafe { ffi::homing_unlock_bh(self.0.raw.get().cast()) };
    }
}

/// Evidence that no bottom half runs on this processor: no packet is received here meanwhile. Not in
/// hard interrupts.
///
/// # Invariants
///
/// Made and dropped by the same thread, which does not sleep in between.
pub(crate) struct BhOff(NotThreadSafe);

impl BhOff {
    /// Turns bottom halves off until this is dropped; may be nested.
    pub(crate) fn new() -> Self {
        // SAFETY: No requirements but the context; turned on again exactly once, when dropped.
        unsafe { ffi::homing_bh_off() };
        // INVARIANT: It cannot be sent to another thread.
        Self(NotThreadSafe)
    }
}

impl Drop for BhOff {
    fn drop(&mut self) {
        // SAFETY: By the invariant this thread turned them off.
        unsafe { ffi::homing_bh_on() };
    }
}
