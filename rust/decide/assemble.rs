// SPDX-License-Identifier: GPL-2.0
//! Which bytes of a stream's beginning are held, whatever segments bring them.
//!
//! Speaks to RFC 9293 section 3.10.7.4 (what a receiver does with overlapping segments).
//!
//! The stream that is read here must be the stream that the application will read, or a request
//! could be shown to us with one session and to the application with another. Segments may
//! overlap and differ where they do. So each byte is kept once, as the segment that brought it
//! first had it, and what the application gets is made from the kept bytes, never from the
//! segments.

use crate::decide::limits::HOLD_BYTES;
use crate::decide::limits::HOLD_PARTS;
use crate::wire::tcp::seq;

/// Where a segment lies in the held beginning of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Payload bytes to pass over: they stand before the stream.
    pub skip: u32,
    /// Offset of the next payload byte from the start of the stream.
    pub begin: u32,
    /// Offset behind the last payload byte that counts; `begin < end <= HOLD_BYTES`.
    pub end: u32,
}

/// Finds the place of a segment in a stream whose first byte has sequence number `start`; `None`
/// if nothing of it can be held.
pub fn place(start: u32, seq: u32, len: u32) -> Option<Place> {
    let offset = seq::diff(seq, start);
    // Longer than any packet: not a length.
    let len = i32::try_from(len).ok().filter(|len| *len <= 1 << 30)?;
    let end = u32::try_from(offset.checked_add(len)?)
        .ok()?
        .min(HOLD_BYTES);
    let begin = u32::try_from(offset.max(0)).ok()?;
    let skip = begin.wrapping_sub(offset as u32);
    (begin < end).then_some(Place { skip, begin, end })
}

/// What became of bytes that were offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// Some of them are new.
    New,
    /// All were held already.
    Duplicate,
    /// Not held: too many gaps, or no memory. The client sends them again.
    Refused,
}

/// The bytes that are held, as ranges of offsets from the start of the stream.
///
/// # Invariants
///
/// The first `count` parts ascend, are not empty and do not touch each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    parts: [(u32, u32); HOLD_PARTS],
    count: usize,
}

impl Held {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            parts: [(0, 0); HOLD_PARTS],
            count: 0,
        }
    }

    fn parts(&self) -> &[(u32, u32)] {
        self.parts.get(..self.count).unwrap_or(&[])
    }

    /// Bytes from the start of the stream to the first gap.
    pub fn head(&self) -> u32 {
        match self.parts().first() {
            Some(&(0, end)) => end,
            _ => 0,
        }
    }

    /// Whether something is held behind a gap.
    pub fn gap(&self) -> bool {
        self.parts()
            .last()
            .is_some_and(|(_, end)| *end > self.head())
    }

    /// Whether all bytes from `begin` to `end` are held.
    pub fn has(&self, begin: u32, end: u32) -> bool {
        self.parts()
            .iter()
            .any(|(first, last)| *first <= begin && end <= *last)
    }

    /// Adds the bytes from `begin` to `end`. `keep` is called with each range that is not held
    /// yet, in order, and stores its bytes; when it answers `false` nothing is added.
    pub fn add(&mut self, begin: u32, end: u32, mut keep: impl FnMut(u32, u32) -> bool) -> Added {
        let mut next = Self::new();
        // The new part grows over those it touches; `at`: up to here nothing new is left.
        let (mut from, mut to, mut at) = (begin, end, begin);
        let (mut fresh, mut placed) = (false, false);
        for &(b, e) in self.parts() {
            let fits = if e < from {
                next.push((b, e))
            } else if b > to {
                let first = placed || next.push((from, to));
                placed = true;
                first && next.push((b, e))
            } else {
                if at < b {
                    fresh = true;
                    if !keep(at, b) {
                        return Added::Refused;
                    }
                }
                at = at.max(e);
                from = from.min(b);
                to = to.max(e);
                true
            };
            if !fits {
                return Added::Refused;
            }
        }
        if !placed && !next.push((from, to)) {
            return Added::Refused;
        }
        if at < end {
            fresh = true;
            if !keep(at, end) {
                return Added::Refused;
            }
        }
        if !fresh {
            return Added::Duplicate;
        }
        *self = next;
        Added::New
    }

    fn push(&mut self, part: (u32, u32)) -> bool {
        match self.parts.get_mut(self.count) {
            Some(slot) => {
                *slot = part;
                self.count = self.count.wrapping_add(1);
                true
            }
            None => false,
        }
    }
}

impl Default for Held {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_assemble))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    /// Adds a range; the answer and what was new of it.
    fn add(held: &mut Held, begin: u32, end: u32) -> (Added, [(u32, u32); 4]) {
        let (mut new, mut n) = ([(0, 0); 4], 0);
        let added = held.add(begin, end, |from, to| {
            if let Some(slot) = new.get_mut(n) {
                *slot = (from, to);
            }
            n += 1;
            true
        });
        (added, new)
    }

    #[test]
    fn in_order_and_out_of_order() {
        let mut held = Held::new();
        assert_eq!((held.head(), held.gap()), (0, false));
        let none = [(0, 0); 4];
        let new = |a, b| (Added::New, [(a, b), (0, 0), (0, 0), (0, 0)]);
        assert_eq!(add(&mut held, 10, 20), new(10, 20));
        assert_eq!((held.head(), held.gap()), (0, true));
        assert_eq!(add(&mut held, 30, 40), new(30, 40));
        assert_eq!(add(&mut held, 30, 40), (Added::Duplicate, none));
        assert_eq!(add(&mut held, 12, 20), (Added::Duplicate, none));
        assert_eq!(add(&mut held, 0, 10), new(0, 10));
        assert_eq!((held.head(), held.gap()), (20, true));
        assert_eq!(add(&mut held, 15, 30), new(20, 30));
        assert_eq!((held.head(), held.gap()), (40, false));
        assert_eq!(add(&mut held, 0, 40), (Added::Duplicate, none));
    }

    #[test]
    fn one_that_spans_many() {
        let mut held = Held::new();
        for begin in [2, 6, 10] {
            assert_eq!(add(&mut held, begin, begin + 2).0, Added::New);
        }
        assert_eq!(
            add(&mut held, 0, 14),
            (Added::New, [(0, 2), (4, 6), (8, 10), (12, 14)])
        );
        assert_eq!((held.head(), held.gap()), (14, false));
    }

    #[test]
    fn what_is_held() {
        let mut held = Held::new();
        assert!(!held.has(0, 1));
        held.add(10, 20, |_, _| true);
        held.add(30, 40, |_, _| true);
        assert!(held.has(10, 20) && held.has(12, 15) && held.has(30, 40));
        assert!(!held.has(9, 12) && !held.has(15, 21) && !held.has(10, 40) && !held.has(20, 30));
    }

    #[test]
    fn what_cannot_be_kept_is_not_held() {
        let mut held = Held::new();
        assert_eq!(held.add(0, 5, |_, _| false), Added::Refused);
        assert_eq!(held, Held::new());
        for n in 0..HOLD_PARTS as u32 {
            assert_eq!(add(&mut held, 2 * n + 1, 2 * n + 2).0, Added::New);
        }
        let full = held;
        assert_eq!(add(&mut held, 1000, 1001).0, Added::Refused);
        assert_eq!(held, full);
        // What fills a gap needs no room.
        assert_eq!(add(&mut held, 0, 1).0, Added::New);
        assert_eq!(held.head(), 2);
    }

    #[test]
    fn places() {
        let is = |skip, begin, end| Some(Place { skip, begin, end });
        for start in [0u32, 1, 1000, u32::MAX, 0x7fff_ff80, 0x8000_0000] {
            let at = |offset: i32, len| place(start, start.wrapping_add_signed(offset), len);
            assert_eq!(at(0, 100), is(0, 0, 100));
            assert_eq!(at(5, 100), is(0, 5, 105));
            assert_eq!(at(-5, 100), is(5, 0, 95));
            assert_eq!(at(0, 20_000), is(0, 0, 16_384));
            assert_eq!(at(16_383, 10), is(0, 16_383, 16_384));
            // Nothing within the stream: no bytes, a probe before it, too far, no length.
            assert_eq!(at(0, 0), None);
            assert_eq!(at(-1, 1), None);
            assert_eq!(at(16_384, 1), None);
            assert_eq!(at(0, u32::MAX), None);
            assert_eq!(at(0x4000_0000, 0x4000_0000), None);
        }
    }
}
