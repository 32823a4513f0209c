// SPDX-License-Identifier: GPL-2.0
//! Weighted rendezvous hashing: members that share a key and a view pick the same member.
//!
//! Speaks to D. Thaler and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates"
//! (1998); the logarithm for weights is the usual method for weighted sampling.
//!
//! Each candidate draws a uniform number u in (0, 1) from a keyed hash of the key and its id; the
//! largest `weight / -log2(u)` wins. A member that leaves moves only its own keys. There are no
//! floats in a kernel, so the logarithm is in fixed point, the same bits everywhere.

use crate::decide::crypto::Prf;
use crate::decide::crypto::Use;
use crate::decide::select::indexed;
use crate::decide::select::Candidate;

/// Picks the member for `key` (a session key, or the digest of a connection); index into
/// `candidates`, whose order does not matter.
pub fn pick<P: Prf>(prf: &P, key: &[u8; 16], candidates: &[Candidate]) -> Option<usize> {
    let mut best: Option<(usize, Score)> = None;
    for (index, c) in indexed(candidates).filter(|(_, c)| c.share() != 0) {
        let score = Score {
            weight: c.share(),
            cost: cost(draw(prf, key, c.id)),
            id: c.id,
        };
        if best.as_ref().is_none_or(|(_, other)| score.beats(other)) {
            best = Some((index, score));
        }
    }
    best.map(|(index, _)| index)
}

/// What a candidate drew: `weight` over `cost`, the larger the better.
struct Score {
    weight: u64,
    cost: u64,
    id: u16,
}

impl Score {
    /// 16 by 38 bits each side. Equal scores go to the lower id, so that order does not matter.
    fn beats(&self, other: &Self) -> bool {
        let (mine, its) = (
            self.weight.wrapping_mul(other.cost),
            other.weight.wrapping_mul(self.cost),
        );
        mine > its || mine == its && self.id < other.id
    }
}

/// The candidate's 64 uniform bits for this key.
fn draw<P: Prf>(prf: &P, key: &[u8; 16], id: u16) -> u64 {
    let [h, l] = id.to_be_bytes();
    let [a, b, c, d, e, f, g, i, j, k, m, n, o, p, q, r] = *key;
    prf.prf(&[
        Use::Rendezvous as u8,
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        i,
        j,
        k,
        m,
        n,
        o,
        p,
        q,
        r,
        h,
        l,
    ])
}

/// Bits behind the point of [`cost`].
const FRACTION: u32 = 32;

/// `-log2(u)` for `u = (bits + 1) / 2^64`, as fixed point with 32 bits behind the point: 0 to 64.
fn cost(bits: u64) -> u64 {
    let value = bits.saturating_add(1);
    let zeros = value.leading_zeros();
    // The mantissa, 1 <= m < 2 with 31 bits behind the point; squaring it doubles the logarithm,
    // and each overflow past 2 is the next bit of it.
    let mut mantissa = value.wrapping_shl(zeros) >> 32;
    let mut log = 0u64;
    for _ in 0..FRACTION {
        mantissa = mantissa.wrapping_mul(mantissa) >> 31;
        log <<= 1;
        if mantissa >> 32 != 0 {
            mantissa >>= 1;
            log |= 1;
        }
    }
    // log2(u) = (63 - zeros) + log - 64.
    (u64::from(zeros).wrapping_add(1) << FRACTION).wrapping_sub(log)
}

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(homing_decide_select_rendezvous)
)]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::decide::crypto::toy::mix;
    use crate::decide::crypto::toy::Toy;

    const ONE: u64 = 1 << FRACTION;

    fn key(n: u64) -> [u8; 16] {
        ((u128::from(mix(n)) << 64) | u128::from(n)).to_be_bytes()
    }

    fn members() -> [Candidate; 4] {
        let m = |id, weight| Candidate {
            id,
            weight,
            load: 0,
            eligible: true,
            ..Candidate::NONE
        };
        [m(1, 1), m(2, 1), m(3, 2), m(4, 4)]
    }

    #[test]
    fn the_logarithm_at_known_points() {
        // u = 1/2, 1/4, 2^-64, and (as near as bits go) 1.
        assert_eq!(cost((1 << 63) - 1), ONE);
        assert_eq!(cost((1 << 62) - 1), 2 * ONE);
        assert_eq!(cost(0), 64 * ONE);
        assert!(cost(u64::MAX) <= 4);
        // u = 3/4: 0.41503749927884381 of 2^32.
        assert!(cost(3 * (1 << 62) - 1).abs_diff(1_782_572_513) <= 40);
        // Falls as u rises.
        let mut last = u64::MAX;
        for step in 0..64 {
            let now = cost(u64::MAX / 64 * step);
            assert!(now < last);
            last = now;
        }
    }

    #[test]
    fn order_does_not_matter() {
        let forward = members();
        let mut backward = members();
        backward.reverse();
        for n in 0..500 {
            let a = pick(&Toy(1), &key(n), &forward).and_then(|i| forward.get(i));
            let b = pick(&Toy(1), &key(n), &backward).and_then(|i| backward.get(i));
            assert!(a.is_some());
            assert_eq!(a, b);
        }
    }

    #[test]
    fn a_member_that_leaves_moves_only_its_own() {
        let all = members();
        let mut less = members();
        for c in less.iter_mut().filter(|c| c.id == 3) {
            c.eligible = false;
        }
        let mut moved = 0;
        for n in 0..500 {
            let before = pick(&Toy(1), &key(n), &all);
            let after = pick(&Toy(1), &key(n), &less);
            if before == Some(2) {
                assert!(after.is_some() && after != Some(2));
                moved += 1;
            } else {
                assert_eq!(before, after);
            }
        }
        assert!(moved > 50);
    }

    #[test]
    fn shares_follow_weights() {
        let all = members();
        let mut got = [0u32; 4];
        for n in 0..8000 {
            if let Some(count) = pick(&Toy(1), &key(n), &all).and_then(|i| got.get_mut(i)) {
                *count += 1;
            }
        }
        for (count, c) in got.iter().zip(&all) {
            let want = 1000 * u32::from(c.weight);
            assert!(count.abs_diff(want) <= want / 10);
        }
    }

    #[test]
    fn nobody() {
        assert_eq!(pick(&Toy(1), &key(1), &[]), None);
        let mut none = members();
        for c in &mut none {
            c.eligible = false;
        }
        assert_eq!(pick(&Toy(1), &key(1), &none), None);
    }
}
