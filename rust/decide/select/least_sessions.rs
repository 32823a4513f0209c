// SPDX-License-Identifier: GPL-2.0
//! The member with the fewest sessions for its weight.
//!
//! Speaks to nothing outside. Sessions are those that a member reported and those that were given
//! to it since, so that members that all see the same old report do not all choose the same.

use crate::decide::select::indexed;
use crate::decide::select::Candidate;

/// Picks; among equals by `random`, 64 uniform bits.
pub fn pick(candidates: &[Candidate], random: u64) -> Option<usize> {
    let len = candidates.len() as u64;
    let start = (random >> 32).wrapping_mul(len) >> 32;
    let mut best: Option<(usize, &Candidate)> = None;
    // From a random place on, so that the first of equals is another each time.
    let turn = Iterator::chain(
        indexed(candidates).filter(|(i, _)| *i as u64 >= start),
        indexed(candidates).filter(|(i, _)| (*i as u64) < start),
    );
    for (index, c) in turn.filter(|(_, c)| c.share() != 0) {
        if best.is_none_or(|(_, other)| fewer(c, other)) {
            best = Some((index, c));
        }
    }
    best.map(|(index, _)| index)
}

/// Whether `a` would have fewer for its weight, with one more, than `b`: 33 by 16 bits each side.
fn fewer(a: &Candidate, b: &Candidate) -> bool {
    let with = |c: &Candidate| u64::from(c.sessions).wrapping_add(1);
    with(a).wrapping_mul(b.share()) < with(b).wrapping_mul(a.share())
}

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(homing_decide_select_least_sessions)
)]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::decide::crypto::toy::mix;

    fn member(id: u16, weight: u16, sessions: u32) -> Candidate {
        Candidate {
            id,
            weight,
            sessions,
            eligible: true,
            ..Candidate::NONE
        }
    }

    #[test]
    fn the_fewest_for_its_weight_wins() {
        for random in (0..100).map(mix) {
            let list = [member(1, 1, 10), member(2, 1, 9), member(3, 1, 11)];
            assert_eq!(pick(&list, random), Some(1));
            let list = [member(1, 1, 10), member(2, 2, 19), member(3, 4, 50)];
            assert_eq!(pick(&list, random), Some(1));
            let out = Candidate {
                eligible: false,
                ..member(2, 9, 0)
            };
            assert_eq!(pick(&[out, member(1, 1, u32::MAX)], random), Some(1));
        }
        assert_eq!(pick(&[], 0), None);
    }

    #[test]
    fn equals_are_not_always_the_same() {
        let list = [member(1, 1, 5); 4];
        let mut got = [0u32; 4];
        for random in (0..4000).map(mix) {
            if let Some(count) = pick(&list, random).and_then(|i| got.get_mut(i)) {
                *count += 1;
            }
        }
        assert!(got.iter().all(|n| n.abs_diff(1000) <= 100));
    }

    #[test]
    fn sessions_that_stay_end_in_proportion() {
        let mut list = [
            member(1, 1, 0),
            member(2, 1, 0),
            member(3, 2, 0),
            member(4, 4, 0),
        ];
        for random in (0..2000).map(mix) {
            if let Some(c) = pick(&list, random).and_then(|i| list.get_mut(i)) {
                c.sessions += 1;
            }
        }
        for c in &list {
            assert!(c.sessions.abs_diff(250 * u32::from(c.weight)) <= 4);
        }
    }
}
