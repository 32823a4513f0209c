// SPDX-License-Identifier: GPL-2.0

//! A small lossy memory of packets that nobody knew: has this one been seen before?

use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed}, //
};

use crate::{
    kapi::time,
    wire::addr::Tuple, //
};

const SLOTS: usize = 256;

/// The memory. Losing an entry costs one retransmission; a false hit costs a RST that would have
/// been sent a little later.
pub(crate) struct Sighted {
    slots: KBox<[Atomic<u32>; SLOTS]>,
    seed: u32,
}

impl Sighted {
    /// Empty. Process context.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            slots: KBox::new([const { Atomic::new(0) }; SLOTS], GFP_KERNEL)?,
            seed: time::random() as u32,
        })
    }

    /// Whether a segment was seen before; it is remembered. Any context.
    pub(crate) fn again(&self, tuple: &Tuple, seq: u32) -> bool {
        let (tuple, seq) = (tuple.to_bytes(), seq.to_be_bytes());
        let hash = Iterator::chain(tuple.iter(), &seq).fold(self.seed, |h, b| {
            (h ^ u32::from(*b)).wrapping_mul(0x0100_0193).rotate_left(5)
        });
        let mark = hash.max(1);
        match self.slots.get(hash as usize % SLOTS) {
            Some(slot) if slot.load(Relaxed) == mark => true,
            Some(slot) => {
                slot.store(mark, Relaxed);
                false
            }
            None => false,
        }
    }
}
