// SPDX-License-Identifier: GPL-2.0
//! Selection of a home for a new session, out of the stored state of the members.
//!
//! Speaks to nothing outside. The candidates of one call are a snapshot that the caller took, so
//! a frozen state table makes every choice repeatable.

pub mod least_sessions;
pub mod maglev;
pub mod p2c;
pub mod rendezvous;
pub mod rr;
pub mod wrr;

/// How a service selects homes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Two candidates drawn by weight; the one with less load per weight wins: [`p2c`].
    #[default]
    P2c,
    /// In turn, each as often as its weight says, whatever the load: [`rr`].
    Rr,
    /// Who is furthest behind its share of what was given so far: [`wrr`].
    Wrr,
    /// Who has the fewest sessions for its weight: [`least_sessions`].
    LeastSessions,
    /// By the client's address: [`maglev`].
    Maglev,
}

/// A member as selection sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Member id.
    pub id: u16,
    /// Share that the operator gave it; 0 gets nothing.
    pub weight: u16,
    /// Sessions that it reported and was given since.
    pub sessions: u32,
    /// What it has to do: see [`crate::decide::load::load`].
    pub load: u32,
    /// May get new sessions: see [`crate::decide::health`].
    pub eligible: bool,
}

impl Candidate {
    /// Nobody.
    pub const NONE: Self = Self {
        id: 0,
        weight: 0,
        sessions: 0,
        load: 0,
        eligible: false,
    };

    /// The weight that counts: 0 if it may not be chosen.
    pub(crate) fn share(&self) -> u64 {
        if self.eligible {
            u64::from(self.weight)
        } else {
            0
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
        eligible: true,
        ..Candidate::NONE
    };

    /// What each policy picks; where it goes by something else than chance, `random` says that.
    fn picks(list: &[Candidate], random: u64) -> [Option<usize>; 5] {
        let mut table = [0; 61];
        maglev::fill(&mut table, list);
        [
            p2c::pick(list, random),
            rr::pick(list, random as u32),
            wrr::pick(list, &mut wrr::Credits::default()),
            least_sessions::pick(list, random),
            maglev::pick(&table, random, |i| {
                list.get(i).is_some_and(|c| c.share() != 0)
            }),
        ]
    }

    #[test]
    fn nobody_to_choose() {
        let out = Candidate {
            eligible: false,
            ..A
        };
        let zero = Candidate { weight: 0, ..A };
        for list in [&[] as &[Candidate], &[out], &[zero], &[out, zero, out]] {
            for random in [0, 1, u64::MAX] {
                assert_eq!(picks(list, random), [None; 5]);
            }
        }
    }

    #[test]
    fn the_only_one_is_chosen() {
        let out = Candidate {
            eligible: false,
            ..A
        };
        for random in [0, 1, 1 << 31, 1 << 32, 1 << 63, u64::MAX] {
            assert_eq!(picks(&[out, A, out], random), [Some(1); 5]);
        }
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
