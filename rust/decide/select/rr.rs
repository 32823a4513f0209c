// SPDX-License-Identifier: GPL-2.0
//! Weighted round robin without state: a turn number, expanded by weight.
//!
//! Speaks to nothing outside.
//!
//! A round is as many turns as the weights add up to. A member of weight w would like its turns
//! at 1/2w, 3/2w, 5/2w ... of the round; turns are given in the order of those wishes, and equal
//! wishes in the order of the list. So shares are exact over a round, the turns of one member are
//! spread over it instead of coming in a row, and equal members take strict turns.

use crate::decide::select::indexed;
use crate::decide::select::total;
use crate::decide::select::Candidate;

/// Picks for turn number `turn`. When weights or members change, a new round begins somewhere.
pub fn pick(candidates: &[Candidate], turn: u32) -> Option<usize> {
    let turn = u64::from(turn).checked_rem(total(candidates))?;
    // The moment by which more than `turn` wishes were made, by bisection: (low, high].
    let (mut low, mut high) = (0, ROUND);
    while high.wrapping_sub(low) > 1 {
        let middle = low.midpoint(high);
        if wishes(candidates, middle) > turn {
            high = middle;
        } else {
            low = middle;
        }
    }
    let place = turn.saturating_sub(wishes(candidates, low));
    // No member makes two wishes in one moment: weights are far smaller than a round is long.
    let mut now = indexed(candidates)
        .filter(|(_, c)| made(c, high) > made(c, low))
        .map(|(index, _)| index);
    now.nth(usize::try_from(place).ok()?)
}

/// Moments in a round.
const ROUND: u64 = 1 << 32;

/// Wishes that all have made by moment `at`.
fn wishes(candidates: &[Candidate], at: u64) -> u64 {
    candidates
        .iter()
        .fold(0, |sum, c| sum.wrapping_add(made(c, at)))
}

/// Wishes that one has made by moment `at`: its weight times the part of the round, rounded.
fn made(c: &Candidate, at: u64) -> u64 {
    // 16 by 33 bits: no overflow.
    c.share().wrapping_mul(at).wrapping_add(ROUND / 2) / ROUND
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_select_rr))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn count(weights: [u16; 4], from: u32, turns: u32) -> [u64; 4] {
        let list = weights.map(|weight| Candidate {
            id: 1,
            weight,
            load: 9,
            eligible: true,
            ..Candidate::NONE
        });
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
        let list = [Candidate {
            id: 1,
            weight: 100,
            load: 0,
            eligible: true,
            ..Candidate::NONE
        }; 3];
        for turn in 0..30 {
            let next = [
                pick(&list, turn),
                pick(&list, turn + 1),
                pick(&list, turn + 2),
            ];
            for index in 0..3 {
                assert!(next.contains(&Some(index)));
            }
        }
    }

    /// Large weights do not send a long row to one member.
    #[test]
    fn large_weights_are_interleaved() {
        let got = count([100, 200, 300, 400], 0, 20);
        assert!(got
            .iter()
            .zip([2u64, 4, 6, 8])
            .all(|(g, w)| g.abs_diff(w) <= 1));
        let got = count([u16::MAX; 4], 0, 400);
        assert!(got.iter().all(|g| *g == 100));
    }
}
