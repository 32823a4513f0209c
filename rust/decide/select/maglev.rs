// SPDX-License-Identifier: GPL-2.0
//! By the client's address, out of a table that the members fill in turn.
//!
//! Speaks to D. Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer"
//! (2016), section 3.4.
//!
//! Each member has an order of its own in which it would like the places of the table; members
//! take turns, as often as their weights say, and each takes the first place of its order that is
//! free. All members that see the same farm make the same table, and one that leaves or comes
//! moves little more than its own part.

use crate::decide::limits::MEMBERS_MAX;
use crate::decide::select::wrr;
use crate::decide::select::Candidate;

/// Places of the table: a prime, as the orders need, and a thousand for each of 64 members, so
/// that shares are exact to a thousandth and a change moves little more than it must.
pub const SIZE: usize = 65_537;

/// A place that nobody has.
pub const NOBODY: u8 = u8::MAX;

/// Fills a table of [`SIZE`] places with indices into `candidates`; with [`NOBODY`] if nobody may
/// be chosen. Candidates beyond [`MEMBERS_MAX`] get nothing.
pub fn fill(table: &mut [u8], candidates: &[Candidate]) {
    for place in table.iter_mut() {
        *place = NOBODY;
    }
    let size = table.len() as u64;
    let mut next = [0u64; MEMBERS_MAX];
    let mut skip = [0u64; MEMBERS_MAX];
    for ((next, skip), c) in next.iter_mut().zip(&mut skip).zip(candidates) {
        let (a, b) = (mix(u64::from(c.id)), mix(!u64::from(c.id)));
        *next = a.checked_rem(size).unwrap_or(0);
        let steps = b.checked_rem(size.saturating_sub(1)).unwrap_or(0);
        *skip = steps.saturating_add(1);
    }
    let mut credits = wrr::Credits::default();
    for _ in 0..size {
        let Some(index) = wrr::pick(candidates, &mut credits) else {
            return;
        };
        let (Some(next), Some(skip)) = (next.get_mut(index), skip.get(index)) else {
            return;
        };
        // The size is a prime, so the steps come to every place.
        for _ in 0..size {
            let place = table.get_mut(*next as usize);
            *next = next.wrapping_add(*skip);
            if *next >= size {
                *next = next.wrapping_sub(size);
            }
            if let Some(place @ &mut NOBODY) = place {
                *place = index as u8;
                break;
            }
        }
    }
}

/// The client's number: 64 uniform bits, the same at all members of a farm. Without a key: members in
/// the middle of a change of keys must agree, and no client may move because of one. Who has many
/// addresses can choose its member, as it can with any key by trying.
pub fn client(farm: u32, address: &[u8; 16]) -> u64 {
    let start = mix(u64::from(farm));
    let hash = address.iter().fold(start, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(hash)
}

/// What the table says for a client, and if that may not be chosen, what the places behind say:
/// the table is made anew only at the next interval. `may` is asked for an index.
pub fn pick(table: &[u8], client: u64, may: impl Fn(usize) -> bool) -> Option<usize> {
    let start = client.checked_rem(table.len() as u64)? as usize;
    let (front, back) = table.split_at_checked(start)?;
    Iterator::chain(back.iter(), front)
        .take(TRIES)
        .filter(|place| **place != NOBODY)
        .map(|place| usize::from(*place))
        .find(|index| may(*index))
}

/// Places that are looked at: with every second member out, all fail once in 2^64.
const TRIES: usize = 64;

/// The finalizer of SplitMix64: members choose no ids to do harm.
fn mix(n: u64) -> u64 {
    let z = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg_attr(
    CONFIG_RUST,
    ::kernel::prelude::kunit_tests(homing_decide_select_maglev)
)]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn member(id: u16, weight: u16) -> Candidate {
        Candidate {
            id,
            weight,
            eligible: true,
            ..Candidate::NONE
        }
    }

    #[test]
    fn a_small_table_is_shared_by_weight() {
        let mut table = [0u8; 251];
        fill(&mut table, &[member(1, 1), member(2, 0), member(9, 4)]);
        let count = |index: u8| table.iter().filter(|p| **p == index).count();
        assert_eq!(count(1), 0);
        assert!(count(0).abs_diff(50) <= 1);
        assert_eq!(count(0) + count(2), 251);
        fill(&mut table, &[member(1, 0)]);
        assert!(table.iter().all(|p| *p == NOBODY));
        assert_eq!(pick(&table, 5, |_| true), None);
        assert_eq!(pick(&[], 5, |_| true), None);
    }

    #[test]
    fn who_is_out_is_passed_over() {
        let mut table = [0u8; 251];
        fill(&mut table, &[member(1, 1), member(2, 1), member(3, 1)]);
        for client in 0..1000 {
            let usual = pick(&table, client, |_| true);
            let without = pick(&table, client, |i| i != 1);
            assert!(usual.is_some() && without.is_some_and(|i| i != 1));
            if usual != Some(1) {
                assert_eq!(usual, without);
            }
        }
        assert_eq!(pick(&table, 7, |_| false), None);
    }
}
