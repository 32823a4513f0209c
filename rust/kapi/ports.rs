// SPDX-License-Identifier: GPL-2.0

//! A bit for each TCP port: what hooks look at before anything else.
//!
//! C header: `include/linux/bitops.h`.

use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed}, //
};

/// Words of a bitmap of all ports.
const WORDS: usize = 65536 / 64;

/// Ports that somebody is interested in. Bits change while readers look.
pub(crate) struct Ports(KVec<Atomic<u64>>);

impl Ports {
    /// No ports. Process context.
    pub(crate) fn new() -> Result<Self> {
        let mut words = KVec::with_capacity(WORDS, GFP_KERNEL)?;
        for _ in 0..WORDS {
            words
                .push_within_capacity(Atomic::new(0u64))
                .map_err(|_| ENOMEM)?;
        }
        Ok(Self(words))
    }

    /// Adds ports. One writer at a time.
    pub(crate) fn add(&self, ports: impl Iterator<Item = u16>) {
        for port in ports {
            if let Some(word) = self.0.get(usize::from(port >> 6)) {
                word.store(word.load(Relaxed) | bit(port), Relaxed);
            }
        }
    }

    /// Takes out all ports but those for which `stays` answers `true`. One writer at a time.
    pub(crate) fn keep(&self, stays: impl Fn(u16) -> bool) {
        for (word, first) in self.0.iter().zip((0..=u16::MAX).step_by(64)) {
            let old = word.load(Relaxed);
            if old == 0 {
                continue;
            }
            let ports = (0..64).map(|i| first.wrapping_add(i));
            let left = ports.filter(|p| old & bit(*p) != 0 && stays(*p));
            word.store(left.fold(0, |all, p| all | bit(p)), Relaxed);
        }
    }

    /// As `test_bit()` of C takes it; it stays where it is.
    pub(super) fn as_ptr(&self) -> *const c_ulong {
        // `Atomic<u64>` is laid out as `u64`, which is an unsigned long on 64 bits.
        const { assert!(size_of::<Atomic<u64>>() == size_of::<c_ulong>()) };
        self.0.as_ptr().cast()
    }
}

fn bit(port: u16) -> u64 {
    1u64.wrapping_shl(u32::from(port & 63))
}
