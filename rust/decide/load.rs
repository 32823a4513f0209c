// SPDX-License-Identifier: GPL-2.0
//! How much a member has to do, as one number, from what it last reported.
//!
//! Speaks to nothing outside; the numbers come from state messages.

use crate::decide::limits::CPU_FULL_PERMILLE;
use crate::decide::limits::LOAD_CPU;
use crate::decide::limits::LOAD_REQUEST;
use crate::decide::limits::LOAD_SESSION;

/// What is known of a member's work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Open sessions, as it reported.
    pub sessions: u32,
    /// Requests in flight, as it reported.
    pub requests: u32,
    /// Share of processor time that was busy over its last interval, thousandths; or how full the
    /// service's accept queue is, if that is more.
    pub cpu_permille: u16,
    /// Sessions that this member assigned to it and that its last report cannot contain. Without
    /// them everybody would send everything to whoever looked idle a moment ago.
    pub unreported: u32,
}

/// The load for [`crate::decide::select::Candidate`]; only comparisons have a meaning.
///
/// `(1 + sessions + 8 * requests + unreported) * (1 + 2 * cpu^2)`. The square leaves ordinary
/// differences of a lightly used processor out of account; the 1 lets the processor count on a
/// member without sessions. Exact to 22 million sessions, then saturates.
pub fn load(report: &Report) -> u32 {
    let work = u64::from(report.sessions)
        .saturating_add(u64::from(report.requests).saturating_mul(LOAD_REQUEST))
        .saturating_add(u64::from(report.unreported))
        .saturating_add(1);
    let cpu = u64::from(report.cpu_permille.min(CPU_FULL_PERMILLE));
    let square = cpu
        .saturating_mul(cpu)
        .saturating_mul(LOAD_CPU * LOAD_SESSION)
        / FULL_SQUARE;
    let unit = LOAD_SESSION.saturating_add(square);
    u32::try_from(work.saturating_mul(unit)).unwrap_or(u32::MAX)
}

/// How full an accept queue is, thousandths: full from the limit on, as the kernel sees it
/// (`sk_acceptq_is_full` is one later). A member whose queue is full is as overloaded as one whose
/// processors are.
pub fn fill(depth: u16, limit: u16) -> u16 {
    let depth = u32::from(depth).saturating_mul(u32::from(CPU_FULL_PERMILLE));
    let fill = depth.checked_div(u32::from(limit)).unwrap_or(depth);
    u16::try_from(fill)
        .unwrap_or(u16::MAX)
        .min(CPU_FULL_PERMILLE)
}

const FULL_SQUARE: u64 = CPU_FULL_PERMILLE as u64 * CPU_FULL_PERMILLE as u64;

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_load))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const IDLE: Report = Report {
        sessions: 0,
        requests: 0,
        cpu_permille: 0,
        unreported: 0,
    };

    #[test]
    fn everything_counts() {
        let base = Report {
            sessions: 10,
            requests: 3,
            cpu_permille: 500,
            unreported: 2,
        };
        for more in [
            Report {
                sessions: 11,
                ..base
            },
            Report {
                requests: 4,
                ..base
            },
            Report {
                cpu_permille: 600,
                ..base
            },
            Report {
                unreported: 3,
                ..base
            },
        ] {
            assert!(load(&more) > load(&base));
        }
        assert!(
            load(&Report {
                cpu_permille: 1000,
                ..IDLE
            }) > load(&IDLE)
        );
    }

    #[test]
    fn queues() {
        assert_eq!(fill(0, 128), 0);
        assert_eq!(fill(64, 128), 500);
        assert_eq!(fill(128, 128), 1000);
        assert_eq!(fill(u16::MAX, 1), 1000);
        assert_eq!((fill(0, 0), fill(1, 0)), (0, 1000));
    }

    #[test]
    fn full_counts_triple() {
        let idle = Report {
            sessions: 999,
            ..IDLE
        };
        assert_eq!(load(&idle), 64_000);
        assert_eq!(
            load(&Report {
                cpu_permille: 1000,
                ..idle
            }),
            192_000
        );
        assert_eq!(
            load(&Report {
                cpu_permille: 500,
                ..idle
            }),
            96_000
        );
        // More than full is full.
        assert_eq!(
            load(&Report {
                cpu_permille: u16::MAX,
                ..idle
            }),
            192_000
        );
    }

    #[test]
    fn a_request_is_worth_eight_sessions() {
        assert_eq!(
            load(&Report {
                requests: 2,
                ..IDLE
            }),
            load(&Report {
                sessions: 16,
                ..IDLE
            })
        );
    }

    #[test]
    fn the_largest_numbers_saturate() {
        let big = Report {
            sessions: u32::MAX,
            requests: u32::MAX,
            cpu_permille: 1000,
            unreported: u32::MAX,
        };
        assert_eq!(load(&big), u32::MAX);
        let ten_million = Report {
            sessions: 10_000_000,
            cpu_permille: 1000,
            ..IDLE
        };
        assert!(load(&ten_million) < u32::MAX);
    }
}
