// SPDX-License-Identifier: GPL-2.0

//! A cell whose value readers see whole and writers replace.
//!
//! C header: `include/linux/rcupdate.h`.

use core::ptr;
use kernel::{
    prelude::*,
    sync::rcu::{self, Guard},
};

use super::ffi;

/// Zero or one `T`, published under RCU.
///
/// # Invariants
///
/// The slot is null or a pointer from `KBox::into_raw`, owned by this cell. A pointer that was
/// taken out is freed only after a grace period.
pub(crate) struct RcuCell<T>(core::cell::UnsafeCell<*mut T>);

// SAFETY: Readers share `&T` across threads and the last owner may drop it on any.
unsafe impl<T: Send + Sync> Send for RcuCell<T> {}
// SAFETY: As above; the slot itself is only accessed by RCU's own primitives.
unsafe impl<T: Send + Sync> Sync for RcuCell<T> {}

impl<T> RcuCell<T> {
    /// An empty cell.
    pub(crate) const fn empty() -> Self {
        Self(core::cell::UnsafeCell::new(ptr::null_mut()))
    }

    /// The value, for as long as the guard lives. Any context.
    #[inline]
    pub(crate) fn read<'g>(&'g self, _guard: &'g Guard) -> Option<&'g T> {
        // SAFETY: The slot is valid for reading by RCU's dereference.
        let p = unsafe { ffi::homing_rcu_read(self.0.get().cast()) };
        // SAFETY: By the invariant it is null or a live `T`; a writer waits for the guard before
        // it frees.
        unsafe { p.cast::<T>().as_ref() }
    }

    /// Puts `new` in the place of the old value. Process context: waits for a grace period when
    /// there was one. The caller excludes other writers.
    pub(crate) fn replace(&self, new: Option<KBox<T>>) {
        if let Some(old) = self.swap(new) {
            rcu::synchronize_rcu();
            drop(old);
        }
    }

    /// Puts `new` in place and gives the old value back, which readers may still see: the caller
    /// waits for a grace period before it drops it.
    fn swap(&self, new: Option<KBox<T>>) -> Option<KBox<T>> {
        let new = new.map_or(ptr::null_mut(), KBox::into_raw);
        // SAFETY: The caller excludes other writers, so the slot may be read plainly.
        let old = unsafe { *self.0.get() };
        // SAFETY: The slot is valid; the assignment orders `T`'s initialisation before it.
        unsafe { ffi::homing_rcu_assign(self.0.get().cast(), new.cast()) };
        if old.is_null() {
            return None;
        }
        // SAFETY: By the invariant it came from `KBox::into_raw`, and the slot no longer has it.
        Some(unsafe { KBox::from_raw(old) })
    }
}

impl<T> Drop for RcuCell<T> {
    fn drop(&mut self) {
        // Nobody can read a cell that is being dropped.
        drop(self.swap(None));
    }
}
