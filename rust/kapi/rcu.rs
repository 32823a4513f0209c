// SPDX-License-Identifier: GPL-2.0

//! A cell whose value readers see whole and writers replace.
//!
//! C header: `include/linux/rcupdate.h`.

use core::{
    cell::UnsafeCell,
    ptr, //
};
use kernel::{
    bindings, new_mutex,
    prelude::*,
    sync::{
        rcu::Guard,
        Mutex, //
    },
};

use super::ffi;

/// Waits until every reader of this moment has let go of its guard. Process context.
pub(crate) fn synchronize() {
    // SAFETY: Process context, by the contract above; no other requirements.
    unsafe { bindings::synchronize_rcu() };
}

/// The guard of a reader whose caller has locked RCU already; it is not locked once more.
///
/// # Safety
///
/// The RCU read lock is held for all of `'a`, on this CPU.
#[inline]
pub(super) unsafe fn held<'a>() -> &'a Guard {
    const { assert!(size_of::<Guard>() == 0) };
    // SAFETY: A reference to a type without bytes needs no memory. Its invariant, that the lock is
    // held, is the caller's promise; nobody drops what is only borrowed.
    unsafe { ptr::NonNull::<Guard>::dangling().as_ref() }
}

/// Zero or one `T`, published under RCU.
///
/// # Invariants
///
/// The slot is null or a pointer from `KBox::into_raw`, owned by this cell. It is changed only
/// under `writer`, and a pointer that was taken out is freed only after a grace period.
pub(crate) struct RcuCell<T> {
    slot: UnsafeCell<*mut T>,
    writer: Pin<KBox<Mutex<()>>>,
}

// SAFETY: Readers share `&T` across threads and the last owner may drop it on any.
unsafe impl<T: Send + Sync> Send for RcuCell<T> {}
// SAFETY: As above; the slot itself is only accessed by RCU's own primitives.
unsafe impl<T: Send + Sync> Sync for RcuCell<T> {}

impl<T> RcuCell<T> {
    /// An empty cell. Process context.
    pub(crate) fn new() -> Result<Self> {
        // INVARIANT: Null.
        Ok(Self {
            slot: UnsafeCell::new(ptr::null_mut()),
            writer: KBox::pin_init(new_mutex!(()), GFP_KERNEL)?,
        })
    }

    /// The value, for as long as the guard lives. Any context.
    #[inline]
    pub(crate) fn read<'g>(&'g self, _guard: &'g Guard) -> Option<&'g T> {
        // SAFETY: The slot is valid for reading. This is `rcu_dereference()`: one volatile load,
        // which what depends on the pointer is ordered after.
        let p = unsafe { self.slot.get().read_volatile() };
        // SAFETY: By the invariant it is null or a live `T`; a writer waits for the guard before
        // it frees.
        unsafe { p.as_ref() }
    }

    /// Calls `f` with the value, which is not replaced meanwhile; `f` may sleep. Process context.
    pub(crate) fn with<R>(&self, f: impl FnOnce(Option<&T>) -> R) -> R {
        let _writer = self.writer.lock();
        // SAFETY: By the invariant the slot does not change while the lock is held, and what it
        // points to is alive.
        f(unsafe { (*self.slot.get()).as_ref() })
    }

    /// Puts `new` in the place of the old value. Process context: waits for a grace period when
    /// there was one.
    pub(crate) fn replace(&self, new: Option<KBox<T>>) {
        let writer = self.writer.lock();
        let new = new.map_or(ptr::null_mut(), KBox::into_raw);
        // SAFETY: Under the lock nobody else writes the slot, so it may be read plainly.
        let old = unsafe { *self.slot.get() };
        // SAFETY: The slot is valid; the assignment orders `T`'s initialisation before it.
        unsafe { ffi::homing_rcu_assign(self.slot.get().cast(), new.cast()) };
        drop(writer);
        if !old.is_null() {
            synchronize();
            // SAFETY: By the invariant it came from `KBox::into_raw`; the slot no longer has it
            // and no reader that saw it is left.
            drop(unsafe { KBox::from_raw(old) });
        }
    }
}

impl<T> Drop for RcuCell<T> {
    fn drop(&mut self) {
        let old = *self.slot.get_mut();
        if !old.is_null() {
            // SAFETY: By the invariant; nobody can read a cell that is being dropped.
            drop(unsafe { KBox::from_raw(old) });
        }
    }
}
