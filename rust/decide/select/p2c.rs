// SPDX-License-Identifier: GPL-2.0
//! Power of two choices, weighted: draw two by weight, take the one with less load per weight.
//!
//! Speaks to M. Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing" (2001).
//!
//! Two different candidates are drawn, so with two members the less loaded one always wins, and
//! the most loaded one of any farm never does. At equal load per weight the first draw wins, so
//! members that are all idle share by weight.

use crate::decide::select::at;
use crate::decide::select::total;
use crate::decide::select::Candidate;

/// Picks by `random`, 64 uniform bits: the upper half draws the first, the lower the second.
pub fn pick(candidates: &[Candidate], random: u64) -> Option<usize> {
    let all = total(candidates);
    let first = at(candidates, scale(random >> 32, all), None)?;
    let a = candidates.get(first)?;
    let rest = all.saturating_sub(a.share());
    let Some(second) = at(candidates, scale(random & HALF, rest), Some(first)) else {
        return Some(first);
    };
    let b = candidates.get(second)?;
    Some(if less(b, a) { second } else { first })
}

const HALF: u64 = u32::MAX as u64;

/// Maps 32 uniform bits to `0..range`. The sum of weights is below 2^32: no overflow.
fn scale(bits: u64, range: u64) -> u64 {
    bits.wrapping_mul(range) >> 32
}

/// Whether `a` has less load per weight than `b`: 32 by 16 bits each side.
fn less(a: &Candidate, b: &Candidate) -> bool {
    u64::from(a.load).wrapping_mul(b.share()) < u64::from(b.load).wrapping_mul(a.share())
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_select_p2c))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::decide::crypto::toy::mix;
    use crate::decide::load::load;
    use crate::decide::load::Report;

    fn member(id: u16, weight: u16, load: u32) -> Candidate {
        Candidate {
            id,
            weight,
            load,
            eligible: true,
            ..Candidate::NONE
        }
    }

    #[test]
    fn of_two_the_less_loaded_always_wins() {
        for random in (0..1000).map(mix).chain([0, u64::MAX]) {
            assert_eq!(pick(&[member(1, 1, 10), member(2, 1, 9)], random), Some(1));
            assert_eq!(pick(&[member(1, 1, 9), member(2, 1, 10)], random), Some(0));
            // Per weight: 30 on 4 is less than 10 on 1, and the largest numbers do not overflow.
            assert_eq!(pick(&[member(1, 1, 10), member(2, 4, 30)], random), Some(1));
            let full = member(1, u16::MAX, u32::MAX);
            assert_eq!(
                pick(&[full, member(2, u16::MAX, u32::MAX - 1)], random),
                Some(1)
            );
        }
    }

    #[test]
    fn the_ineligible_never_wins() {
        let list = [
            Candidate {
                eligible: false,
                ..member(1, 9, 0)
            },
            member(2, 1, 500),
            member(3, 0, 0),
            member(4, 1, 500),
        ];
        for random in (0..1000).map(mix) {
            assert!(matches!(pick(&list, random), Some(1 | 3)));
        }
    }

    #[test]
    fn idle_members_share_by_weight() {
        let list = [
            member(1, 1, 0),
            member(2, 1, 0),
            member(3, 2, 0),
            member(4, 4, 0),
        ];
        let mut got = [0u32; 4];
        for random in (0..8000).map(mix) {
            if let Some(count) = pick(&list, random).and_then(|i| got.get_mut(i)) {
                *count += 1;
            }
        }
        for (count, c) in got.iter().zip(&list) {
            let want = 1000 * u32::from(c.weight);
            assert!(count.abs_diff(want) <= want / 10);
        }
    }

    /// 2,000 sessions that stay, weights 1:1:2:4: each share within 10 %.
    #[test]
    fn sessions_end_in_proportion_to_weight() {
        let mut sessions = [0u32; 4];
        for random in (0..2000).map(mix) {
            let mut list = [
                member(1, 1, 0),
                member(2, 1, 0),
                member(3, 2, 0),
                member(4, 4, 0),
            ];
            for (c, s) in list.iter_mut().zip(&sessions) {
                c.load = load(&Report {
                    sessions: *s,
                    ..Report::default()
                });
            }
            if let Some(count) = pick(&list, random).and_then(|i| sessions.get_mut(i)) {
                *count += 1;
            }
        }
        for (count, weight) in sessions.iter().zip([1u32, 1, 2, 4]) {
            assert!(count.abs_diff(250 * weight) <= 25 * weight);
        }
    }

    /// State that is 20 picks old, corrected by the picker's own: still no herd.
    #[test]
    fn old_state_does_not_herd() {
        let mut sessions = [0u32; 4];
        let mut own = [0u32; 4];
        let mut reported = sessions;
        for (turn, random) in (0..2000).map(mix).enumerate() {
            if turn % 20 == 0 {
                reported = sessions;
                own = [0; 4];
            }
            let mut list = [
                member(1, 1, 0),
                member(2, 1, 0),
                member(3, 1, 0),
                member(4, 1, 0),
            ];
            for ((c, s), o) in list.iter_mut().zip(&reported).zip(&own) {
                c.load = load(&Report {
                    sessions: *s,
                    unreported: *o,
                    ..Report::default()
                });
            }
            let picked = pick(&list, random);
            for count in [&mut sessions, &mut own] {
                if let Some(count) = picked.and_then(|i| count.get_mut(i)) {
                    *count += 1;
                }
            }
            let (low, high) = (sessions.iter().min(), sessions.iter().max());
            assert!(high.zip(low).is_some_and(|(h, l)| h - l <= 6));
        }
    }

    /// A member whose processors are full gets at most half of what an idle equal gets.
    #[test]
    fn a_busy_member_gets_at_most_half() {
        for members in [2, 3, 8] {
            let mut sessions = [0u32; 8];
            for random in (0..4000).map(mix) {
                let mut list = [member(1, 1, 0); 8];
                for ((i, c), s) in list.iter_mut().enumerate().zip(&sessions) {
                    c.eligible = i < members;
                    let cpu_permille = if i == 0 { 1000 } else { 0 };
                    c.load = load(&Report {
                        sessions: *s,
                        cpu_permille,
                        ..Report::default()
                    });
                }
                if let Some(count) = pick(&list, random).and_then(|i| sessions.get_mut(i)) {
                    *count += 1;
                }
            }
            let [busy, others @ ..] = sessions;
            assert!(busy > 0);
            assert!(others.iter().take(members - 1).all(|s| busy * 2 <= *s));
        }
    }
}
