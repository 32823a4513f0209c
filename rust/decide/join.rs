// SPDX-License-Identifier: GPL-2.0
//! Telling a member all that another knows: a walk in chunks, each acknowledged before the next.
//!
//! Speaks to [`crate::wire::control::Part`] and its acknowledgement.

use crate::wire::control::Part;
use crate::wire::control::Parts;
use crate::wire::control::MAX_PARTS;

/// What has arrived of one member's walk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Intake {
    /// 0: none has begun.
    walk: u32,
    chunk: u32,
    map: u32,
    done: bool,
}

/// What a part brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Took {
    /// The acknowledgement.
    pub answer: Parts,
    /// The first part of a new walk, although an earlier one was complete.
    pub again: bool,
    /// With it, and not before, the walk is complete.
    pub complete: bool,
}

impl Intake {
    /// Whether the newest walk has arrived to its end.
    pub const fn is_complete(&self) -> bool {
        self.done
    }

    /// Takes a part; `None` if it belongs to a walk that is over. What is in the part may be
    /// believed in any case.
    pub fn take(&mut self, part: &Part) -> Option<Took> {
        let mut again = false;
        if part.walk > self.walk {
            if part.chunk != 0 {
                return None;
            }
            again = self.done;
            *self = Self {
                walk: part.walk,
                chunk: 0,
                map: 0,
                done: false,
            };
        } else if part.walk < self.walk || part.chunk < self.chunk {
            return None;
        }
        if part.chunk > self.chunk {
            // The next is sent only when all of the last one was acknowledged.
            self.chunk = part.chunk;
            self.map = 0;
        }
        self.map |= 1u32.wrapping_shl(part.index.into());
        let complete = part.last && self.map == full(part.parts) && !self.done;
        self.done |= complete;
        Some(Took {
            answer: Parts {
                walk: self.walk,
                chunk: self.chunk,
                map: self.map,
            },
            again,
            complete,
        })
    }
}

/// One bit for each part of a chunk.
fn full(parts: u8) -> u32 {
    match usize::from(parts) {
        n if n >= MAX_PARTS => u32::MAX,
        _ => 1u32.wrapping_shl(parts.into()).wrapping_sub(1),
    }
}

/// How far a walk has been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    walk: u32,
    chunk: u32,
    parts: u8,
    last: bool,
    acked: u32,
    /// When it was last sent, or last heard of, ms.
    at_ms: u64,
}

/// What to do next for a walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Make the next chunk.
    Chunk,
    /// Send these parts of this one (again).
    Send(u32),
    /// Wait.
    Wait,
    /// All has arrived.
    Done,
}

impl Sending {
    /// A walk that begins; its first chunk is still to be made.
    pub const fn new(walk: u32) -> Self {
        Self {
            walk,
            chunk: u32::MAX,
            parts: 0,
            last: false,
            acked: 0,
            at_ms: 0,
        }
    }

    /// The next chunk has been made, with so many parts (at least 1).
    pub fn made(&mut self, parts: u8, last: bool) {
        self.chunk = self.chunk.wrapping_add(1);
        self.parts = parts;
        self.last = last;
        self.acked = 0;
        self.at_ms = 0;
    }

    /// Which part of the chunk a message carries.
    pub const fn part(&self, index: u8, base: u64) -> Part {
        Part {
            walk: self.walk,
            chunk: self.chunk,
            index,
            parts: self.parts,
            last: self.last,
            base,
        }
    }

    /// An acknowledgement has come; whether it says something new.
    pub fn on_parts(&mut self, parts: &Parts) -> bool {
        let fits = parts.walk == self.walk && parts.chunk == self.chunk;
        let news = fits && parts.map & !self.acked != 0;
        if news {
            self.acked |= parts.map;
        }
        news
    }

    /// What to do at `now_ms`; what was sent is sent again after `again_ms`.
    pub fn next(&mut self, now_ms: u64, again_ms: u64) -> Next {
        let left = full(self.parts) & !self.acked;
        if left == 0 {
            return if self.last { Next::Done } else { Next::Chunk };
        }
        if self.at_ms != 0 && now_ms.saturating_sub(self.at_ms) < again_ms {
            return Next::Wait;
        }
        self.at_ms = now_ms.max(1);
        Next::Send(left)
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_join))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn a_walk_of_three_chunks() {
        let (mut out, mut into) = (Sending::new(1), Intake::default());
        for (parts, last) in [(32u8, false), (3, false), (1, true)] {
            assert_eq!(out.next(5, 50), Next::Chunk);
            out.made(parts, last);
            let map = match out.next(10, 50) {
                Next::Send(map) => map,
                _ => 0,
            };
            assert_eq!(map.count_ones(), u32::from(parts));
            assert_eq!(out.next(20, 50), Next::Wait);
            assert_eq!(out.next(60, 50), Next::Send(map));
            for index in 0..parts {
                let part = out.part(index, 7);
                let took = into.take(&part);
                let end = last && index + 1 == parts;
                assert_eq!(took.map(|t| t.complete), Some(end));
                assert_eq!(took.map(|t| t.again), Some(false));
                let answer = took.map(|t| t.answer).unwrap_or_default();
                assert!(out.on_parts(&answer));
                assert!(!out.on_parts(&answer));
            }
        }
        assert_eq!(out.next(70, 50), Next::Done);
        assert!(into.is_complete());
        // A late copy changes nothing.
        assert_eq!(into.take(&out.part(0, 7)).map(|t| t.complete), Some(false));
        assert!(into.is_complete());
    }

    #[test]
    fn only_what_is_missing_is_sent_again() {
        let mut out = Sending::new(3);
        out.made(4, true);
        assert_eq!(out.next(100, 50), Next::Send(0b1111));
        let answer = |map| Parts {
            walk: 3,
            chunk: 0,
            map,
        };
        assert!(out.on_parts(&answer(0b1010)));
        assert!(!out.on_parts(&Parts {
            walk: 2,
            ..answer(0b1111)
        }));
        assert_eq!(out.next(151, 50), Next::Send(0b0101));
        assert!(out.on_parts(&answer(0b1111)));
        assert_eq!(out.next(152, 50), Next::Done);
    }

    #[test]
    fn a_new_walk_replaces_the_old() {
        let mut into = Intake::default();
        let mut old = Sending::new(1);
        old.made(1, true);
        assert!(into.take(&old.part(0, 0)).is_some_and(|t| t.complete));
        let mut new = Sending::new(2);
        new.made(2, true);
        let took = into.take(&new.part(1, 0));
        assert!(took.is_some_and(|t| t.again && !t.complete));
        assert!(!into.is_complete());
        assert_eq!(into.take(&old.part(0, 0)), None);
        assert!(into.take(&new.part(0, 0)).is_some_and(|t| t.complete));
    }
}
