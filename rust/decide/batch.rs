// SPDX-License-Identifier: GPL-2.0
//! Associations pushed to the other members without loss: numbers, gaps, and what is sent again.
//!
//! Speaks to [`crate::wire::control`]: an origin numbers its associations from 1, keeps the newest
//! in a ring, and each receiver says with its state messages what has arrived. What was pushed
//! before the receiver's last report and is still missing in the next is sent again.

use core::ops::DerefMut;

use crate::wire::control::Arrived;
use crate::wire::control::Association;
use crate::wire::control::SEEN_WORDS;

/// How far behind a gap arrivals are noted.
pub const WINDOW: u64 = SEEN_WORDS as u64 * 64;

/// What has arrived of one origin's associations.
///
/// # Invariants
///
/// `low` + 1 has not arrived: the lowest bit of the map is clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen(Arrived);

impl Seen {
    /// What a state message says of it.
    pub const fn report(&self) -> &Arrived {
        &self.0
    }

    /// The last number before the first gap.
    pub const fn low(&self) -> u64 {
        self.0.low
    }

    /// Notes that number `n` has arrived; whether that is news. Numbers too far behind the first
    /// gap are not noted: they will be sent again.
    pub fn note(&mut self, n: u64) -> bool {
        let Some(offset) = n.checked_sub(self.0.low).and_then(|d| d.checked_sub(1)) else {
            return false;
        };
        if offset >= WINDOW {
            return false;
        }
        let bit = 1u64.wrapping_shl((offset % 64) as u32);
        let Some(word) = self.0.map.get_mut((offset / 64) as usize) else {
            return false;
        };
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        self.close();
        true
    }

    /// Notes that everything up to `n` has arrived in another way.
    pub fn jump(&mut self, n: u64) {
        let Some(ahead) = n.checked_sub(self.0.low) else {
            return;
        };
        self.shift(ahead);
        self.close();
    }

    /// Moves `low` over what is there without a gap.
    fn close(&mut self) {
        for _ in 0..=SEEN_WORDS {
            let [first, ..] = self.0.map;
            let run = first.trailing_ones();
            if run == 0 {
                return;
            }
            self.shift(u64::from(run));
        }
    }

    /// Moves `low` up by `by`.
    fn shift(&mut self, by: u64) {
        self.0.low = self.0.low.saturating_add(by);
        let (words, bits) = ((by / 64).min(WINDOW) as usize, (by % 64) as u32);
        let old = self.0.map;
        let mut from = old.get(words..).unwrap_or_default().iter();
        let mut low = from.next().copied().unwrap_or(0);
        for word in &mut self.0.map {
            let high = from.next().copied().unwrap_or(0);
            // A shift by 64 has no meaning; without bits nothing comes from the next word.
            let carry = if bits == 0 {
                0
            } else {
                high.wrapping_shl(64u32.wrapping_sub(bits))
            };
            *word = low.wrapping_shr(bits) | carry;
            low = high;
        }
    }
}

/// The first number behind `after` and up to `mark` that a report does not have.
pub fn missing(report: &Arrived, after: u64, mark: u64) -> Option<u64> {
    let mut n = after.max(report.low).checked_add(1)?;
    while n <= mark {
        let offset = n.wrapping_sub(report.low).wrapping_sub(1);
        let word = report.map.get((offset / 64) as usize).copied().unwrap_or(0);
        // How many from here on are there, as far as this word tells.
        let run = word.wrapping_shr((offset % 64) as u32).trailing_ones();
        if run == 0 {
            return Some(n);
        }
        n = n.checked_add(u64::from(run))?;
    }
    None
}

/// What an origin knows of one receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reader {
    /// What it reported last.
    pub report: Arrived,
    /// The last number that had been pushed when it reported.
    pub pushed: u64,
    /// Up to here it should have had everything when it reported: what had been pushed at the
    /// report before.
    pub due: u64,
}

/// What a receiver needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing that is not on its way.
    Nothing,
    /// Some associations again.
    Resend,
    /// What the ring no longer has: all of them again.
    All,
}

impl Reader {
    /// A report has come; `head` is the last number pushed, `oldest` the oldest in the ring.
    pub fn reported(&mut self, report: &Arrived, head: u64, oldest: u64) -> Need {
        self.due = self.pushed;
        self.pushed = head;
        self.report = *report;
        if report.low >= self.due {
            Need::Nothing
        } else if report.low.saturating_add(1) < oldest {
            Need::All
        } else if missing(report, report.low, self.due).is_some() {
            Need::Resend
        } else {
            Need::Nothing
        }
    }
}

/// Most numbers that wait for one receiver.
pub const LATE_MAX: u64 = 7;

/// Numbers that one receiver is told of a little later, since it has what they stand for already: the
/// home of a new session has it from the hand-off. They follow each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Late {
    first: u64,
    count: u64,
}

impl Late {
    /// Number `n` has been pushed. Answers with the numbers to be sent now: the first, and how many
    /// (not above [`LATE_MAX`] + 1); none if `n` waits, which it does only where it `may`.
    pub fn push(&mut self, n: u64, may: bool) -> Option<(u64, u64)> {
        let follows = self.count == 0 || self.first.wrapping_add(self.count) == n;
        if !follows {
            // Another processor pushes at the same time. The message has no room for a gap.
            return Some((n, 1));
        }
        if may && self.count < LATE_MAX {
            if self.count == 0 {
                self.first = n;
            }
            self.count = self.count.saturating_add(1);
            return None;
        }
        let run = self.take().map_or(0, |(_, count)| count);
        Some((n.wrapping_sub(run), run.saturating_add(1)))
    }

    /// Those that wait, the first and how many: they are to be sent.
    pub fn take(&mut self) -> Option<(u64, u64)> {
        let Self { first, count } = core::mem::take(self);
        (count > 0).then_some((first, count))
    }

    /// Up to which number the receiver has been sent all, of those up to `head`.
    pub fn sent(&self, head: u64) -> u64 {
        if self.count > 0 {
            head.min(self.first.saturating_sub(1))
        } else {
            head
        }
    }
}

/// The newest associations of an origin, by number. `S` has a fixed length.
pub struct Ring<S> {
    slots: S,
    head: u64,
}

impl<S: DerefMut<Target = [Association]>> Ring<S> {
    /// An empty ring.
    pub fn new(slots: S) -> Self {
        Self { slots, head: 0 }
    }

    /// Number of the newest; 0 if there is none.
    pub fn head(&self) -> u64 {
        self.head
    }

    /// Number of the oldest that is still here; 1 before there is any.
    pub fn oldest(&self) -> u64 {
        let len = self.slots.len() as u64;
        self.head.saturating_sub(len).saturating_add(1)
    }

    /// Puts one in; its number.
    pub fn push(&mut self, association: &Association) -> u64 {
        self.head = self.head.wrapping_add(1);
        if let Some(slot) = self.place(self.head).and_then(|i| self.slots.get_mut(i)) {
            *slot = *association;
        }
        self.head
    }

    /// The association of a number, if it is still here.
    pub fn get(&self, n: u64) -> Option<&Association> {
        if n == 0 || n > self.head || n < self.oldest() {
            return None;
        }
        self.slots.get(self.place(n)?)
    }

    fn place(&self, n: u64) -> Option<usize> {
        Some(n.checked_rem(self.slots.len() as u64)? as usize)
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_batch))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn in_order() {
        let mut seen = Seen::default();
        assert!(!seen.note(0));
        for n in 1..=2000 {
            assert!(seen.note(n));
            assert!(!seen.note(n));
            assert_eq!((seen.low(), seen.report().map), (n, [0; SEEN_WORDS]));
        }
    }

    #[test]
    fn backwards_and_over_the_edge() {
        let mut seen = Seen::default();
        for n in (1..=WINDOW).rev() {
            assert_eq!(seen.low(), 0);
            assert!(seen.note(n));
        }
        assert_eq!(seen.low(), WINDOW);
        assert!(!seen.note(2 * WINDOW + 1));
        assert!(seen.note(2 * WINDOW));
        assert_eq!(seen.low(), WINDOW);
        assert_eq!(missing(seen.report(), 0, 2 * WINDOW), Some(WINDOW + 1));
        assert_eq!(missing(seen.report(), 2 * WINDOW - 1, 2 * WINDOW), None);
        assert_eq!(
            missing(seen.report(), 2 * WINDOW, 2 * WINDOW + 5),
            Some(2 * WINDOW + 1)
        );
    }

    #[test]
    fn gaps_are_named_one_by_one() {
        let mut seen = Seen::default();
        for n in (1..=200).filter(|n| n % 50 != 0) {
            assert!(seen.note(n));
        }
        assert_eq!(seen.low(), 49);
        let mut gaps = [0; 4];
        let mut at = 0;
        for gap in &mut gaps {
            at = missing(seen.report(), at, 200).unwrap_or(0);
            *gap = at;
        }
        assert_eq!(gaps, [50, 100, 150, 200]);
        assert_eq!(missing(seen.report(), at, 200), None);
        assert_eq!(missing(seen.report(), 150, 199), None);
    }

    #[test]
    fn a_jump_keeps_what_lies_behind_it() {
        let mut seen = Seen::default();
        for n in [10, 12, 100, 101] {
            assert!(seen.note(n));
        }
        seen.jump(9);
        assert_eq!(seen.low(), 10);
        seen.jump(5);
        assert_eq!(seen.low(), 10);
        seen.jump(99);
        assert_eq!(seen.low(), 101);
        seen.jump(u64::MAX);
        assert_eq!(seen.low(), u64::MAX);
        assert!(!seen.note(7) && !seen.note(u64::MAX));
        assert_eq!(missing(seen.report(), 0, u64::MAX), None);
    }

    #[test]
    fn only_what_was_due_is_asked_for() {
        let mut reader = Reader::default();
        let none = Arrived::default();
        // Pushed since its last report: on its way.
        assert_eq!(reader.reported(&none, 5, 1), Need::Nothing);
        assert_eq!(reader.reported(&none, 9, 1), Need::Resend);
        assert_eq!(reader.due, 5);
        let five = Arrived { low: 5, ..none };
        assert_eq!(reader.reported(&five, 9, 1), Need::Resend);
        assert_eq!(reader.due, 9);
        let most = Arrived {
            low: 5,
            map: [0b1110, 0, 0, 0, 0, 0, 0, 0],
        };
        assert_eq!(reader.reported(&most, 9, 7), Need::All);
        assert_eq!(reader.reported(&most, 9, 6), Need::Resend);
        let all = Arrived { low: 9, ..none };
        assert_eq!(reader.reported(&all, 9, 1), Need::Nothing);
    }

    #[test]
    fn the_ring_forgets_the_oldest() {
        let mut slots = [Association::default(); 4];
        let mut ring = Ring::new(&mut slots[..]);
        assert_eq!((ring.head(), ring.oldest(), ring.get(1)), (0, 1, None));
        for n in 1..=10u64 {
            let a = Association {
                created: n as u32,
                ..Association::default()
            };
            assert_eq!(ring.push(&a), n);
            for m in 0..=12 {
                let there = m <= n && m != 0 && m + 4 > n;
                assert_eq!(ring.get(m).map(|a| a.created), there.then_some(m as u32));
            }
        }
        assert_eq!(ring.oldest(), 7);
    }

    #[test]
    fn what_waits_goes_with_the_next() {
        let mut late = Late::default();
        assert_eq!((late.take(), late.sent(4)), (None, 4));
        assert_eq!(late.push(5, false), Some((5, 1)));
        assert_eq!(late.push(6, true), None);
        assert_eq!(late.push(7, true), None);
        assert_eq!((late.sent(7), late.sent(5), late.sent(3)), (5, 5, 3));
        assert_eq!(late.push(8, false), Some((6, 3)));
        assert_eq!((late.take(), late.sent(8)), (None, 8));
        for n in 9..9 + LATE_MAX {
            assert_eq!(late.push(n, true), None);
        }
        assert_eq!(late.push(9 + LATE_MAX, true), Some((9, LATE_MAX + 1)));
        assert_eq!(late.push(20, true), None);
        assert_eq!(late.take(), Some((20, 1)));
        assert_eq!(late.take(), None);
    }

    #[test]
    fn what_waits_has_no_gap() {
        let mut late = Late::default();
        assert_eq!(late.push(2, true), None);
        // These overtake others, which come behind them.
        assert_eq!(late.push(4, true), Some((4, 1)));
        assert_eq!(late.push(1, false), Some((1, 1)));
        assert_eq!(late.push(3, true), None);
        assert_eq!(late.take(), Some((2, 2)));
    }
}
