// SPDX-License-Identifier: GPL-2.0

//! Reading and writing a shared number once, in line: what `READ_ONCE()` and `WRITE_ONCE()` do.
//!
//! The methods of [`Atomic`] call a helper of the kernel for each access, which is more than the
//! access costs on the way of each packet.
//!
//! C header: `include/asm-generic/rwonce.h`.

use kernel::sync::atomic::{Atomic, AtomicType};

/// As [`Atomic::load`] with `Relaxed`.
#[inline]
pub(crate) fn read<T: AtomicType + Copy>(from: &Atomic<T>) -> T {
    // SAFETY: The pointer is valid and aligned. A volatile access of a whole number races with
    // atomic ones as `READ_ONCE()` does with them in C.
    unsafe { from.as_ptr().read_volatile() }
}

/// As [`Atomic::store`] with `Relaxed`.
#[inline]
pub(crate) fn write<T: AtomicType + Copy>(to: &Atomic<T>, value: T) {
    // SAFETY: As in [`read`].
    unsafe { to.as_ptr().write_volatile(value) };
}
