// SPDX-License-Identifier: GPL-2.0

//! The shift of a flow as several CPUs change it at once, without a lock: one word, which what leaves,
//! what comes in and the sweep change, and which is closed for good when the connection is over.
//!
//! `rust/tests/lock_free.rs` tries every order of these steps.

use kernel::sync::atomic::{Atomic, Full};

use crate::decide::shift::Shift;

/// Of a connection that is over; no [`Shift`], which is odd.
const OVER: u64 = 2;

/// Begins to shift; `false` when the connection is over, or shifted already.
pub(super) fn begin(word: &Atomic<u64>, new: Shift) -> bool {
    word.cmpxchg(0, new.to_bits(), Full).is_ok()
}

/// Lets something happen to the shift, if there still is one: `event` changes a copy of `old`, then of
/// what it has become meanwhile. The shift before this and after it.
pub(super) fn on(
    word: &Atomic<u64>,
    mut old: Shift,
    event: impl Fn(&mut Shift),
) -> Option<(Shift, Shift)> {
    loop {
        let mut new = old;
        event(&mut new);
        if new == old {
            return Some((old, new));
        }
        match word.cmpxchg(old.to_bits(), new.to_bits(), Full) {
            Ok(_) => return Some((old, new)),
            Err(other) => old = Shift::from_bits(other)?,
        }
    }
}

/// Ends the shift for good; whether there was one.
pub(super) fn end(word: &Atomic<u64>) -> bool {
    Shift::from_bits(word.xchg(OVER, Full)).is_some()
}
