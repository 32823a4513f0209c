// SPDX-License-Identifier: GPL-2.0
//! Selection of a home for a new session, out of the stored state of the members.
//!
//! Speaks to nothing outside. The candidates of one call are a snapshot that the caller took, so
//! a frozen state table makes every choice repeatable.

pub mod p2c;
pub mod rendezvous;
pub mod rr;

/// How a service selects homes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Two candidates drawn by weight; the one with less load per weight wins.
    #[default]
    P2c,
    /// In turn, each as often as its weight says, whatever the load.
    Rr,
}

/// A member as selection sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Member id.
    pub id: u16,
    /// Share that the operator gave it, after slow start; 0 gets nothing.
    pub weight: u16,
    /// What it has to do: see [`crate::decide::load::load`].
    pub load: u32,
    /// May get new sessions: see [`crate::decide::member::eligible`].
    pub eligible: bool,
}

impl Candidate {
    /// The weight that counts: 0 if it may not be chosen.
    pub(crate) fn share(&self) -> u64 {
        if self.eligible {
            u64::from(self.weight)
        } else {
            0
        }
    }
}

/// Picks the home of a new session: an index into `candidates`, `None` if nobody may be chosen.
///
/// `random` is 64 uniform bits (used by `P2c`). `cursor` is the service's place in the turn (used
/// and advanced by `Rr`); two processors that pass the same value get the same answer, so a
/// caller that shares it must fetch and add.
pub fn pick(
    policy: Policy,
    candidates: &[Candidate],
    random: u64,
    cursor: &mut u32,
) -> Option<usize> {
    match policy {
        Policy::P2c => p2c::pick(candidates, random),
        Policy::Rr => {
            let turn = *cursor;
            *cursor = cursor.wrapping_add(1);
            rr::pick(candidates, turn)
        }
    }
}

/// The sum of all shares. A table has at most 2^16 members of weight 2^16: no overflow.
pub(crate) fn total(candidates: &[Candidate]) -> u64 {
    candidates
        .iter()
        .fold(0, |sum, c| sum.saturating_add(c.share()))
}

/// Candidates with their indices. (The iterator adapter for it counts with a check for overflow.)
pub(crate) fn indexed(candidates: &[Candidate]) -> impl Iterator<Item = (usize, &Candidate)> {
    (0..candidates.len()).zip(candidates)
}

/// The candidate in whose part of the line `0..total` a point lies; `skip` has no part.
pub(crate) fn at(candidates: &[Candidate], mut point: u64, skip: Option<usize>) -> Option<usize> {
    indexed(candidates)
        .filter(|(i, _)| Some(*i) != skip)
        .find_map(|(i, c)| match point.checked_sub(c.share()) {
            Some(rest) => {
                point = rest;
                None
            }
            None => Some(i),
        })
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_select))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const A: Candidate = Candidate {
        id: 1,
        weight: 2,
        load: 0,
        eligible: true,
    };

    #[test]
    fn nobody_to_choose() {
        let out = Candidate {
            eligible: false,
            ..A
        };
        let zero = Candidate { weight: 0, ..A };
        for policy in [Policy::P2c, Policy::Rr] {
            for list in [&[] as &[Candidate], &[out], &[zero], &[out, zero, out]] {
                for random in [0, 1, u64::MAX] {
                    assert_eq!(pick(policy, list, random, &mut 0), None);
                }
            }
        }
    }

    #[test]
    fn the_only_one_is_chosen() {
        let out = Candidate {
            eligible: false,
            ..A
        };
        for policy in [Policy::P2c, Policy::Rr] {
            for random in [0, 1, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
                let mut cursor = random as u32;
                assert_eq!(pick(policy, &[out, A, out], random, &mut cursor), Some(1));
            }
        }
    }

    #[test]
    fn only_rr_moves_the_cursor() {
        let mut cursor = u32::MAX;
        pick(Policy::P2c, &[A], 0, &mut cursor);
        assert_eq!(cursor, u32::MAX);
        pick(Policy::Rr, &[A], 0, &mut cursor);
        assert_eq!(cursor, 0);
    }

    #[test]
    fn the_line_of_shares() {
        let b = Candidate {
            id: 2,
            weight: 3,
            ..A
        };
        let out = Candidate {
            id: 3,
            eligible: false,
            ..A
        };
        let list = [A, out, b];
        assert_eq!(total(&list), 5);
        for (point, want) in [(0, 0), (1, 0), (2, 2), (3, 2), (4, 2)] {
            assert_eq!(at(&list, point, None), Some(want));
        }
        assert_eq!(at(&list, 5, None), None);
        assert_eq!(at(&list, 0, Some(0)), Some(2));
        assert_eq!(at(&list, 3, Some(0)), None);
    }
}
