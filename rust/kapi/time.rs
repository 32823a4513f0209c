// SPDX-License-Identifier: GPL-2.0

//! Clocks, randomness, and what the machine has. All callable in any context.
//!
//! C headers: `include/linux/timekeeping.h`, `include/linux/random.h`.

use super::ffi;

/// CLOCK_REALTIME in whole seconds since 1970.
pub(crate) fn real_seconds() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::homing_real_seconds() }
}

/// CLOCK_REALTIME in milliseconds since 1970, as of the last timer tick.
pub(crate) fn coarse_real_ms() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::homing_coarse_real_ms() }
}

/// Milliseconds since boot, suspend included; never goes back.
pub(crate) fn boot_ms() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::homing_boot_ms() }
}

/// Seconds since boot, suspend not included; never goes back. Costs one load.
pub(crate) fn up_seconds() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::homing_up_seconds() }
}

/// As [`boot_ms`], as of the last timer tick: some milliseconds old, and no clock is read.
pub(crate) fn coarse_ms() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::homing_coarse_ms() }
}

/// 64 random bits.
pub(crate) fn random() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::homing_random_u64() }
}

/// Bytes of memory that this machine has.
pub(crate) fn total_memory() -> u64 {
    // SAFETY: No requirements.
    unsafe { ffi::homing_total_ram() }
}

/// Nanoseconds of all CPUs together since boot: (busy, busy and idle).
pub(crate) fn cpu_times() -> (u64, u64) {
    let (mut busy, mut total) = (0, 0);
    // SAFETY: Both pointers are valid for writing.
    unsafe { ffi::homing_cpu_times(&mut busy, &mut total) };
    (busy, total)
}
