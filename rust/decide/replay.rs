// SPDX-License-Identifier: GPL-2.0
//! Replay window over 64-bit sequence numbers, one for each sender of control messages.
//!
//! Speaks to RFC 6479: the bitmap is a ring of words, so moving it forward clears whole words and
//! shifts nothing.

use crate::decide::limits::REPLAY_STARTS;
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

    /// A window that has seen everything up to `top`.
    const fn behind(top: u64) -> Self {
        Self {
            top,
            words: [u64::MAX; REPLAY_WORDS],
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

/// An earlier start of a sender.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Earlier {
    nonce: u64,
    top: u64,
}

/// The start that a sender is in, and what has been seen of it and of those before.
///
/// A message that repeats the receiver's nonce is of the receiver's present start; of which of the
/// sender's it is, nothing in it says. So the receiver remembers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Starts {
    nonce: u64,
    window: Window,
    earlier: [Earlier; REPLAY_STARTS],
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// New, of the present start.
    New,
    /// New, of a start that begins with it.
    First,
    /// Seen before, or of a start that is over.
    Replay,
}

impl Starts {
    /// The boot nonce of the present start; 0 if the sender was never heard.
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Remembers a message. Call only once it has proved genuine.
    ///
    /// An earlier start is one again only with a number above all that was seen of it, which nobody
    /// who has listened to what arrived can have. So the sender is not shut out for good when a start
    /// that is too long over to be remembered took its place.
    pub fn accept(&mut self, nonce: u64, sequence: u64) -> Message {
        if nonce == 0 {
            return Message::Replay;
        }
        if nonce == self.nonce {
            return match self.window.accept(sequence) {
                true => Message::New,
                false => Message::Replay,
            };
        }
        let known = self.earlier.iter().position(|e| e.nonce == nonce);
        let mut window = match known.and_then(|at| self.earlier.get(at)) {
            Some(e) => Window::behind(e.top),
            None => Window::new(),
        };
        if !window.accept(sequence) {
            return Message::Replay;
        }
        // The newest first; the place of the one that is back is free.
        let mut moved = Earlier {
            nonce: self.nonce,
            top: self.window.top(),
        };
        let places = known.map_or(REPLAY_STARTS, |at| at.saturating_add(1));
        for place in self.earlier.iter_mut().take(places) {
            core::mem::swap(place, &mut moved);
        }
        self.nonce = nonce;
        self.window = window;
        Message::First
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
    fn what_is_behind_was_seen() {
        let mut w = Window::behind(1000);
        for sequence in [1, 40, 500, 999, 1000] {
            assert!(!w.accept(sequence));
        }
        assert!(w.accept(1001) && w.accept(1500) && w.accept(1499));
        assert!(!w.accept(1000) && !w.accept(1001) && !w.accept(600));
    }

    #[test]
    fn an_earlier_start_is_over() {
        let mut s = Starts::default();
        assert_eq!((s.nonce(), s.accept(0, 1)), (0, Message::Replay));
        assert_eq!(s.accept(7, 5), Message::First);
        assert_eq!(s.accept(7, 6), Message::New);
        assert_eq!(s.accept(7, 5), Message::Replay);
        // It starts; what it sent before comes again.
        assert_eq!(s.accept(8, 1), Message::First);
        for sequence in [0, 1, 5, 6] {
            let before = s;
            assert_eq!(s.accept(7, sequence), Message::Replay);
            assert_eq!(s, before);
        }
        assert_eq!(s.accept(8, 1), Message::Replay);
        assert_eq!(s.accept(8, 2), Message::New);
        // So it is with each of the last few.
        for start in 9..9 + REPLAY_STARTS as u64 {
            assert_eq!(s.accept(start, 3), Message::First);
            assert_eq!(s.accept(start - 1, 2), Message::Replay);
        }
        assert_eq!(s.accept(8, 2), Message::Replay);
    }

    #[test]
    fn a_start_too_long_over_does_not_shut_the_sender_out() {
        let mut s = Starts::default();
        let last = 2 + REPLAY_STARTS as u64;
        for start in 1..=last {
            assert_eq!(s.accept(start, 9), Message::First);
        }
        // Nobody remembers the first.
        assert_eq!(s.accept(1, 9), Message::First);
        // What the true one has sent is no proof; what it sends next is.
        assert_eq!(s.accept(last, 9), Message::Replay);
        assert_eq!(s.accept(last, 10), Message::First);
        assert_eq!(s.accept(last, 8), Message::Replay);
        assert_eq!(s.accept(1, 9), Message::Replay);
        assert_eq!(s.accept(last, 11), Message::New);
        for start in 3..last {
            assert_eq!(s.accept(start, 9), Message::Replay);
        }
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
