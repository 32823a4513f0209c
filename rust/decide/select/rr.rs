// SPDX-License-Identifier: GPL-2.0
//! Weighted round robin without state: a turn number, expanded by weight.
//!
//! Speaks to nothing outside.
//!
//! The members lie side by side on a line as long as the sum of their weights (divided by what
//! the weights have in common: equal members take strict turns). Turn after turn moves along the
//! line by a step that is near its golden section and has no divisor in common with its length:
//! each round meets each point once, so shares are exact, and the turns of one member are spread
//! over the round instead of coming in a row.

use crate::decide::select::at;
use crate::decide::select::total;
use crate::decide::select::Candidate;

/// Picks for turn number `turn`. When weights or members change, a new round begins somewhere.
pub fn pick(candidates: &[Candidate], turn: u32) -> Option<usize> {
    let common = candidates.iter().fold(0, |g, c| divisor(g, c.share()));
    let all = total(candidates).checked_div(common)?;
    // Both factors are below 2^32: no overflow.
    let point = u64::from(turn).checked_rem(all)?.wrapping_mul(step(all)).checked_rem(all)?;
    at(candidates, point.wrapping_mul(common), None)
}

/// 2^32 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9;

/// The first number from the golden section of `all` upward that has no divisor in common.
fn step(all: u64) -> u64 {
    let from = (all.wrapping_mul(GOLDEN) >> 32).max(1);
    // There is always one within the next `all` numbers; below 2^32 within the next 40 or so.
    (from..from.saturating_add(all)).find(|s| divisor(*s, all) == 1).unwrap_or(1)
}

/// Greatest common divisor, by Euclid's algorithm; 0 has all divisors.
fn divisor(mut a: u64, mut b: u64) -> u64 {
    while let Some(rest) = a.checked_rem(b) {
        a = b;
        b = rest;
    }
    a
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_select_rr))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn count(weights: [u16; 4], from: u32, turns: u32) -> [u64; 4] {
        let list = weights.map(|weight| Candidate { id: 1, weight, load: 9, eligible: true });
        let mut got = [0; 4];
        for turn in from..from + turns {
            if let Some(count) = pick(&list, turn).and_then(|i| got.get_mut(i)) {
                *count += 1;
            }
        }
        got
    }

    #[test]
    fn two_thousand_turns_are_exact() {
        assert_eq!(count([1, 1, 2, 4], 0, 2000), [250, 250, 500, 1000]);
        assert_eq!(count([1, 1, 2, 4], 77, 2000), [250, 250, 500, 1000]);
        assert_eq!(count([0, 5, 0, 0], 3, 2000), [0, 2000, 0, 0]);
    }

    /// Never more than one session away from the exact share, after any number of turns.
    #[test]
    fn every_beginning_is_within_one_session() {
        for weights in [[1, 1, 1, 1], [1, 1, 2, 4], [2, 1, 0, 0], [3, 3, 3, 0]] {
            let sum: u64 = weights.iter().map(|w| u64::from(*w)).sum();
            for turns in 0..64u32 {
                for (got, weight) in count(weights, 0, turns).iter().zip(weights) {
                    let want = u64::from(turns) * u64::from(weight);
                    assert!((got * sum).abs_diff(want) <= sum);
                }
            }
        }
    }

    #[test]
    fn equal_members_take_strict_turns() {
        let list = [Candidate { id: 1, weight: 100, load: 0, eligible: true }; 3];
        for turn in 0..30 {
            let next = [pick(&list, turn), pick(&list, turn + 1), pick(&list, turn + 2)];
            for index in 0..3 {
                assert!(next.contains(&Some(index)));
            }
        }
    }

    /// Large weights do not send a long row to one member.
    #[test]
    fn large_weights_are_interleaved() {
        let got = count([100, 200, 300, 400], 0, 20);
        assert!(got.iter().zip([2u64, 4, 6, 8]).all(|(g, w)| g.abs_diff(w) <= 1));
        let got = count([u16::MAX; 4], 0, 400);
        assert!(got.iter().all(|g| g.abs_diff(100) <= 3));
    }

    #[test]
    fn steps_have_no_divisor_in_common() {
        for (a, b, want) in [(1, 1, 1), (5, 8, 1), (8, 5, 1), (6, 4, 2), (0, 7, 7), (7, 0, 7)] {
            assert_eq!(divisor(a, b), want);
        }
        for all in (1..2000).chain([2 * 3 * 5 * 7 * 11 * 13 * 17, 1 << 22, 64 * 65_535]) {
            assert_eq!(divisor(step(all), all), 1);
        }
    }
}
