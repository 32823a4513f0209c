// SPDX-License-Identifier: GPL-2.0
//! Weighted round robin with credits: who is furthest behind its share is next.
//!
//! Speaks to nothing outside. The method is the one that nginx calls smooth.
//!
//! At each turn every member gets credit for its weight, and the one that is chosen pays for all.
//! So shares follow the weights as they are at each turn, also while these change and members come
//! and go; turns of one member are spread, not in a row.

use crate::decide::limits::MEMBERS_MAX;
use crate::decide::select::indexed;
use crate::decide::select::total;
use crate::decide::select::Candidate;

/// What each member has saved, in the order of the candidates.
#[derive(Clone, Debug)]
pub struct Credits([Credit; MEMBERS_MAX]);

#[derive(Clone, Copy, Debug, Default)]
struct Credit {
    id: u16,
    /// At most the sum of all weights, either way.
    saved: i64,
}

impl Default for Credits {
    fn default() -> Self {
        Self([Credit::default(); MEMBERS_MAX])
    }
}

/// Picks and settles the accounts. Candidates beyond [`MEMBERS_MAX`] are not seen.
pub fn pick(candidates: &[Candidate], credits: &mut Credits) -> Option<usize> {
    let mut best: Option<(usize, i64)> = None;
    for ((index, c), credit) in indexed(candidates).zip(&mut credits.0) {
        if credit.id != c.id || c.share() == 0 {
            // Another member, or one that is out: it begins anew.
            *credit = Credit { id: c.id, saved: 0 };
        }
        if c.share() == 0 {
            continue;
        }
        credit.saved = credit.saved.saturating_add(c.share() as i64);
        if best.is_none_or(|(_, saved)| credit.saved > saved) {
            best = Some((index, credit.saved));
        }
    }
    let (index, _) = best?;
    if let Some(credit) = credits.0.get_mut(index) {
        credit.saved = credit.saved.saturating_sub(total(candidates) as i64);
    }
    Some(index)
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_select_wrr))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn farm(weights: [u16; 4]) -> [Candidate; 4] {
        let mut list = [Candidate::NONE; 4];
        for (id, (c, weight)) in (1..).zip(list.iter_mut().zip(weights)) {
            *c = Candidate {
                id,
                weight,
                eligible: true,
                ..Candidate::NONE
            };
        }
        list
    }

    fn count(list: &[Candidate; 4], credits: &mut Credits, turns: u32) -> [u32; 4] {
        let mut got = [0; 4];
        for _ in 0..turns {
            if let Some(count) = pick(list, credits).and_then(|i| got.get_mut(i)) {
                *count += 1;
            }
        }
        got
    }

    #[test]
    fn shares_are_exact() {
        let mut credits = Credits::default();
        let list = farm([1, 1, 2, 4]);
        assert_eq!(count(&list, &mut credits, 2000), [250, 250, 500, 1000]);
        assert_eq!(count(&list, &mut credits, 8), [1, 1, 2, 4]);
        let large = farm([1000, 1000, 1000, u16::MAX]);
        let [a, b, c, d] = count(&large, &mut credits, 6854);
        assert!(a.abs_diff(100) <= 1 && b.abs_diff(100) <= 1 && c.abs_diff(100) <= 1);
        assert!(d.abs_diff(6554) <= 1);
    }

    #[test]
    fn a_member_that_comes_back_claims_nothing_for_the_past() {
        let mut credits = Credits::default();
        let mut list = farm([1, 1, 1, 1]);
        list[2].eligible = false;
        assert_eq!(count(&list, &mut credits, 300), [100, 100, 0, 100]);
        list[2].eligible = true;
        let [a, b, c, d] = count(&list, &mut credits, 40);
        assert!([a, b, c, d].iter().all(|n| n.abs_diff(10) <= 1));
        assert_eq!(a + b + c + d, 40);
    }

    #[test]
    fn weights_that_change_count_at_once() {
        let mut credits = Credits::default();
        count(&farm([1, 1, 1, 1]), &mut credits, 77);
        let [a, b, c, d] = count(&farm([1, 1, 1, 5]), &mut credits, 80);
        assert!(a.abs_diff(10) <= 1 && b.abs_diff(10) <= 1 && c.abs_diff(10) <= 1);
        assert!(d.abs_diff(50) <= 2);
    }
}
