// SPDX-License-Identifier: GPL-2.0
//! Replay window over 64-bit sequence numbers, one for each sender of control messages.
//!
//! Speaks to RFC 6479: the bitmap is a ring of words, so moving it forward clears whole words and
//! shifts nothing.

use crate::decide::limits::REPLAY_WINDOW;
use crate::decide::limits::REPLAY_WORDS;

const BITS: u64 = 64;
const WORDS: u64 = REPLAY_WORDS as u64;

/// Which sequence numbers of one sender have been seen.
///
/// # Invariants
///
/// `top` is the highest number seen, 0 if none. The words of the ring that hold the numbers
/// `top - REPLAY_WINDOW + 1 ..= top` say of each of them whether it was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    top: u64,
    words: [u64; REPLAY_WORDS],
}

impl Default for Window {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    /// A window that has seen nothing: for a sender's new boot nonce.
    pub const fn new() -> Self {
        Self {
            top: 0,
            words: [0; REPLAY_WORDS],
        }
    }

    /// The highest sequence number seen; 0 if none.
    pub const fn top(&self) -> u64 {
        self.top
    }

    /// Whether `sequence` is new, without remembering it: a cheap refusal before the MAC.
    ///
    /// Senders begin with 1; 0 is never new.
    pub fn is_new(&self, sequence: u64) -> bool {
        if sequence == 0 {
            return false;
        }
        if sequence > self.top {
            return true;
        }
        if self.top.wrapping_sub(sequence) >= REPLAY_WINDOW {
            return false;
        }
        let (word, bit) = place(sequence);
        self.words.get(word).is_some_and(|w| w & bit == 0)
    }

    /// Remembers `sequence`; false if it is not new. Call only once the message has proved
    /// genuine: a forged high number would shut out all that follow.
    pub fn accept(&mut self, sequence: u64) -> bool {
        if !self.is_new(sequence) {
            return false;
        }
        if sequence > self.top {
            let from = self.top / BITS;
            // One round of the ring clears all of it.
            let steps = (sequence / BITS).wrapping_sub(from).min(WORDS);
            for step in 1..=steps {
                let index = from.wrapping_add(step) % WORDS;
                if let Some(word) = self.words.get_mut(index as usize) {
                    *word = 0;
                }
            }
            self.top = sequence;
        }
        let (word, bit) = place(sequence);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
        true
    }
}

/// Index of the word in the ring, and the bit in it.
fn place(sequence: u64) -> (usize, u64) {
    let word = (sequence / BITS) % WORDS;
    (word as usize, 1u64.wrapping_shl((sequence % BITS) as u32))
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_replay))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn each_number_once() {
        let mut w = Window::new();
        assert!(!w.accept(0));
        for sequence in 1..=5000 {
            assert!(w.is_new(sequence));
            assert!(w.accept(sequence));
            assert!(!w.is_new(sequence));
            assert!(!w.accept(sequence));
        }
        assert_eq!(w.top(), 5000);
    }

    #[test]
    fn late_but_within_the_window() {
        let mut w = Window::new();
        assert!(w.accept(10_000));
        assert!(w.accept(10_000 - REPLAY_WINDOW + 1));
        assert!(!w.accept(10_000 - REPLAY_WINDOW + 1));
        assert!(!w.accept(10_000 - REPLAY_WINDOW));
        assert!(w.accept(9_999));
        assert!(!w.accept(10_000));
    }

    #[test]
    fn a_jump_forgets_only_what_is_too_old() {
        let mut w = Window::new();
        assert!(w.accept(63));
        assert!(w.accept(64));
        assert!(w.accept(64 + 800));
        assert!(!w.accept(63));
        assert!(!w.accept(64));
        assert!(w.accept(65));
        assert!(w.accept(64 + 800 + 1_000_000));
        assert!(!w.accept(64 + 800));
        assert!(w.accept(64 + 800 + 1_000_000 - 100));
    }

    #[test]
    fn the_last_number_there_is() {
        let mut w = Window::new();
        assert!(w.accept(u64::MAX));
        assert!(!w.accept(u64::MAX));
        assert!(w.accept(u64::MAX - 1));
        assert!(!w.accept(1));
    }
}
