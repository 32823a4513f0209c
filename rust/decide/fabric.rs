// SPDX-License-Identifier: GPL-2.0
//! How large packets the network between the members carries, as far as they have seen it.
//!
//! Every member sends each other one, now and then, a probe: a message filled up to what its route
//! carries, that may not be cut (as RFC 8899 probes a path). Each tells the others the smallest that
//! comes to it; the smallest of what all tell is what the farm uses. What was never seen to arrive is
//! never used, whatever devices say: a switch between them may carry less and tell nobody.

use crate::decide::limits::FABRIC_MTU;
use crate::decide::limits::FABRIC_MTU_MAX;
use crate::decide::limits::FABRIC_MTU_MIN;

/// State intervals from one probe to the next.
pub const PROBE_EVERY: u32 = 16;
/// Probes that may get lost before the last one counts no more.
const PROBES_LOST: u64 = 3;

/// Bytes that a probe has, as an IP packet: what the route carries, within what is useful.
pub fn probe(route: u32) -> u16 {
    let most = u32::from(FABRIC_MTU_MAX);
    (route.min(most) as u16).max(FABRIC_MTU_MIN)
}

/// Bytes of packets that come whole from a member whose last probe had `size` bytes and came `age_ms`
/// ago, with a state message each `interval_ms`. Without one that is new enough, what Ethernet carries.
pub fn carried(size: u16, age_ms: u64, interval_ms: u64) -> u16 {
    let probes = interval_ms.saturating_mul(PROBE_EVERY.into());
    // A tenth of jitter is in every interval.
    let keep = probes.saturating_mul(PROBES_LOST + 1);
    match size {
        FABRIC_MTU_MIN..=FABRIC_MTU_MAX if age_ms <= keep => size,
        _ => FABRIC_MTU,
    }
}

/// The smallest of several, of which one that says nothing (0) is as Ethernet; of none, Ethernet's.
pub fn smallest(sizes: impl Iterator<Item = u16>) -> u16 {
    let said = sizes.map(|size| match size {
        FABRIC_MTU_MIN..=FABRIC_MTU_MAX => size,
        _ => FABRIC_MTU,
    });
    said.min().unwrap_or(FABRIC_MTU)
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_fabric))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn a_probe_is_as_long_as_the_route_carries() {
        for (route, size) in [
            (0, 1280),
            (576, 1280),
            (1280, 1280),
            (1420, 1420),
            (9000, 9000),
            (9216, 9216),
            (65535, 9216),
            (65536 + 1280, 9216),
            (u32::MAX, 9216),
        ] {
            assert_eq!(probe(route), size);
        }
    }

    #[test]
    fn the_last_probe_counts_for_four() {
        let keep = 100 * 16 * 4;
        assert_eq!(carried(9000, 0, 100), 9000);
        assert_eq!(carried(9000, keep, 100), 9000);
        assert_eq!(carried(9000, keep + 1, 100), 1500);
        assert_eq!(carried(1420, keep, 100), 1420);
        assert_eq!(carried(1420, keep + 1, 100), 1500);
        assert_eq!(carried(9000, u64::MAX - 1, u64::MAX), 9000);
    }

    #[test]
    fn what_is_no_size_is_ethernet() {
        for size in [0, 1, 1279, 9217, u16::MAX] {
            assert_eq!(carried(size, 0, 100), 1500);
            assert_eq!(smallest([9000, size].into_iter()), 1500);
        }
    }

    #[test]
    fn the_smallest_counts() {
        assert_eq!(smallest([].into_iter()), 1500);
        assert_eq!(smallest([9000].into_iter()), 9000);
        assert_eq!(smallest([9000, 1420, 4000].into_iter()), 1420);
    }
}
