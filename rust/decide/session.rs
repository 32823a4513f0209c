// SPDX-License-Identifier: GPL-2.0
//! Associations between sessions and homes: which version counts, and what an id is good for.
//!
//! Speaks to [`crate::wire::control`] for the record and [`crate::decide::sid`] for the id.
//!
//! All members apply the same rules to what they hear, in whatever order it reaches them, and end
//! with the same association. Times are seconds of the farm's clock, which may differ a little
//! between members: what was made in the future is new.

use crate::decide::limits::SESSION_ABSOLUTE_S;
use crate::decide::limits::SESSION_IDLE_S;
use crate::decide::limits::TENTATIVE_S;
use crate::decide::sid::Claims;
use crate::wire::control::Association;

/// What to do with an association that another member sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It says something new: store what [`combine`] makes of both.
    Store,
    /// It is old, or known.
    Ignore,
}

/// Decides whether `new` changes what is known of its session, as [`combine`] says.
pub fn merge(old: Option<&Association>, new: &Association) -> Merge {
    match old {
        Some(old) if combine(Some(old), new) == *old => Merge::Ignore,
        _ => Merge::Store,
    }
}

/// What is known of a session after hearing `new`. Both must be of the same key.
///
/// An ended session stays ended: an end that is overtaken by a re-homing elsewhere must not be undone by
/// it. Else the higher version wins, then the lower origin. Flags only ever add: a client that has shown
/// its id has shown it (and every version but the first is confirmed when it is made, so members that
/// hear different ones agree); and the time of use only grows. So does [`rank`]: each of the three can be kept in
/// a word of its own, and be raised by several CPUs at once.
pub fn combine(old: Option<&Association>, new: &Association) -> Association {
    let Some(old) = old else { return *new };
    // The rest of a version never changes; should it all the same, any fixed choice will do.
    let order = |a: &Association| (rank(a), a.created, a.group);
    let winner = if order(new) > order(old) { new } else { old };
    Association {
        flags: old.flags | new.flags,
        last_used: old.last_used.max(new.last_used),
        ..*winner
    }
}

/// Bits of a member's id in a rank; [`MEMBER_ID_MAX`](crate::decide::limits::MEMBER_ID_MAX) needs fewer.
const ID: u16 = 0x7fff;

/// Whether it is over, its version, origin and home in one number: of the associations of a session the
/// greatest counts.
pub fn rank(a: &Association) -> u64 {
    let origin = u64::from(!a.origin & ID);
    let over = u64::from(ended(a));
    (over << 62) | (u64::from(a.version) << 30) | (origin << 15) | u64::from(a.home & ID)
}

/// What [`rank`] was made of: whether it is over, its version, origin and home.
pub fn place(rank: u64) -> (bool, u32, u16, u16) {
    let origin = !((rank >> 15) as u16) & ID;
    (
        (rank >> 62) & 1 != 0,
        (rank >> 30) as u32,
        origin,
        rank as u16 & ID,
    )
}

/// The version that follows when the session moves or ends: the counter goes up.
///
/// Versions are compared as plain numbers: the re-home epoch in the upper 16 bits, the counter in
/// the lower. After the last there is none higher.
pub fn next_version(version: u32) -> u32 {
    version.saturating_add(1)
}

/// The version that follows when the home was lost and members select a new one, each by itself:
/// the epoch goes up, so it beats what the old home may have counted meanwhile.
pub fn next_epoch(version: u32) -> u32 {
    match (version >> 16)
        .checked_add(1)
        .filter(|epoch| *epoch <= 0xffff)
    {
        Some(epoch) => epoch.wrapping_shl(16),
        None => u32::MAX,
    }
}

/// How long sessions last, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Without a request.
    pub idle: u32,
    /// From creation.
    pub absolute: u32,
    /// Until the client first shows its id; then only the association goes, not the session.
    pub tentative: u32,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            idle: SESSION_IDLE_S,
            absolute: SESSION_ABSOLUTE_S,
            tentative: TENTATIVE_S,
        }
    }
}

/// Where a request with a genuine session id belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// The association is here and counts.
    Known {
        /// Member to serve it.
        home: u16,
    },
    /// Nothing is known here but the id. If `home` is this member, it serves the request and
    /// stores the association again; else that member alone decides.
    SidOnly {
        /// Member named in the id.
        home: u16,
    },
    /// The session is over: as if there were no id.
    Expired,
    /// The session was ended by decree: as if there were no id.
    Ended,
}

/// Decides where a session id leads.
///
/// `association` is what this member, `me`, knows; `now` is in seconds. The home alone applies the
/// idle timeout, since only it sees all requests; others hold the association until they are told
/// or the absolute timeout. The caller has compared `claims.group` with the service's.
pub fn resolve(
    association: Option<&Association>,
    claims: &Claims,
    me: u16,
    now: u32,
    idle_timeout: u32,
    absolute: u32,
) -> Resolve {
    if age(claims.created, now) > absolute {
        return Resolve::Expired;
    }
    match association {
        Some(a) if ended(a) => Resolve::Ended,
        Some(a) if a.home == me && age(a.last_used, now) > idle_timeout => Resolve::Expired,
        Some(a) => Resolve::Known { home: a.home },
        None if claims.home == me && age(claims.created, now) > idle_timeout => Resolve::Expired,
        None => Resolve::SidOnly { home: claims.home },
    }
}

/// Whether a member, `me`, may forget an association.
///
/// A tombstone stays as long as its id could come back. A tentative one goes early: while its
/// session lives, the id is enough to make it again. Unless it is not where the id says: a moved
/// session is not tentative, whoever moved it sets [`Association::CONFIRMED`].
pub fn expired(a: &Association, me: u16, now: u32, timeouts: &Timeouts) -> bool {
    if age(a.created, now) > timeouts.absolute {
        return true;
    }
    if ended(a) {
        return false;
    }
    let idle = age(a.last_used, now);
    if a.flags & Association::CONFIRMED == 0 {
        return idle > timeouts.tentative;
    }
    a.home == me && idle > timeouts.idle
}

/// Seconds that a tentative association is kept at most when `len` of `ceiling` places are taken:
/// when the table fills they go first, since nothing is lost with them.
pub fn pressed(len: u32, ceiling: u32) -> u32 {
    match u64::from(len)
        .saturating_mul(8)
        .checked_div(u64::from(ceiling))
    {
        Some(0..=3) | None => u32::MAX,
        Some(4 | 5) => TENTATIVE_S / 3,
        Some(6) => TENTATIVE_S / 10,
        Some(_) => 1,
    }
}

/// Whether the session was ended by decree.
pub fn ended(a: &Association) -> bool {
    a.flags & Association::ENDED != 0
}

/// Seconds from `then` to `now`; 0 if it lies in the future.
fn age(then: u32, now: u32) -> u32 {
    now.saturating_sub(then)
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_session))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const CREATED: u32 = 1_000_000;
    const A: Association = Association {
        key: [7; 16],
        home: 3,
        origin: 2,
        version: 0x1_0005,
        created: CREATED,
        last_used: CREATED,
        group: 1,
        flags: Association::CONFIRMED,
    };
    const CLAIMS: Claims = Claims {
        home: 3,
        group: 1,
        created: CREATED,
    };

    #[test]
    fn versions_then_origins() {
        assert_eq!(merge(None, &A), Merge::Store);
        assert_eq!(merge(Some(&A), &A), Merge::Ignore);
        for (new, want) in [
            (
                Association {
                    version: 0x1_0006,
                    origin: 9,
                    home: 4,
                    ..A
                },
                Merge::Store,
            ),
            (
                Association {
                    version: 0x2_0000,
                    origin: 9,
                    home: 4,
                    ..A
                },
                Merge::Store,
            ),
            (
                Association {
                    version: 0x1_0004,
                    origin: 1,
                    home: 4,
                    ..A
                },
                Merge::Ignore,
            ),
            (
                Association {
                    origin: 1,
                    home: 4,
                    ..A
                },
                Merge::Store,
            ),
            (
                Association {
                    origin: 3,
                    home: 4,
                    ..A
                },
                Merge::Ignore,
            ),
        ] {
            assert_eq!(merge(Some(&A), &new), want);
            let result = combine(Some(&A), &new);
            assert_eq!(result.home, if want == Merge::Store { 4 } else { 3 });
        }
    }

    #[test]
    fn flags_and_use_only_grow() {
        let tentative = Association { flags: 0, ..A };
        assert_eq!(merge(Some(&tentative), &A), Merge::Store);
        assert_eq!(merge(Some(&A), &tentative), Merge::Ignore);
        let used = Association {
            flags: 0,
            last_used: CREATED + 9,
            ..A
        };
        assert_eq!(merge(Some(&A), &used), Merge::Store);
        let moved = Association {
            version: 0x1_0006,
            home: 4,
            ..used
        };
        for (new, want) in [
            (
                &used,
                Association {
                    last_used: CREATED + 9,
                    ..A
                },
            ),
            (
                &moved,
                Association {
                    flags: A.flags,
                    ..moved
                },
            ),
        ] {
            assert_eq!(combine(Some(&A), new), want);
            assert_eq!(combine(Some(new), &A), want);
        }
    }

    #[test]
    fn the_end_is_final() {
        let end = Association {
            flags: A.flags | Association::ENDED,
            ..A
        };
        assert_eq!(merge(Some(&A), &end), Merge::Store);
        let later = Association {
            version: 0x9_0000,
            origin: 1,
            ..A
        };
        assert_eq!(merge(Some(&end), &later), Merge::Ignore);
        assert_eq!(merge(Some(&later), &end), Merge::Store);
        assert_eq!(combine(Some(&later), &end), end);
    }

    #[test]
    fn ranks_are_places() {
        for (version, origin, home) in [(0, 0, 0), (1, 2, 3), (u32::MAX, ID, ID)] {
            for flags in [A.flags, A.flags | Association::ENDED] {
                let a = Association {
                    version,
                    origin,
                    home,
                    flags,
                    ..A
                };
                assert_eq!(place(rank(&a)), (ended(&a), version, origin, home));
            }
        }
    }

    #[test]
    fn version_arithmetic() {
        assert_eq!(next_version(0x1_0005), 0x1_0006);
        assert_eq!(next_version(0x1_ffff), 0x2_0000);
        assert_eq!(next_version(u32::MAX), u32::MAX);
        assert_eq!(next_epoch(0x1_0005), 0x2_0000);
        assert_eq!(next_epoch(0), 0x1_0000);
        assert_eq!(next_epoch(0xffff_0001), u32::MAX);
        assert!(next_epoch(0x1_0005) > next_version(0x1_0005));
    }

    #[test]
    fn where_an_id_leads() {
        let at = |association: Option<&Association>, me, now| {
            resolve(association, &CLAIMS, me, now, 1800, 86_400)
        };
        let moved = Association { home: 5, ..A };
        // The association counts, not the id.
        assert_eq!(at(Some(&A), 1, CREATED), Resolve::Known { home: 3 });
        assert_eq!(at(Some(&moved), 3, CREATED), Resolve::Known { home: 5 });
        // Nothing known: the home in the id decides.
        assert_eq!(at(None, 1, CREATED), Resolve::SidOnly { home: 3 });
        assert_eq!(at(None, 1, CREATED + 80_000), Resolve::SidOnly { home: 3 });
        assert_eq!(at(None, 3, CREATED + 1800), Resolve::SidOnly { home: 3 });
        assert_eq!(at(None, 3, CREATED + 1801), Resolve::Expired);
        // Idle: the home decides.
        assert_eq!(at(Some(&A), 3, CREATED + 1800), Resolve::Known { home: 3 });
        assert_eq!(at(Some(&A), 3, CREATED + 1801), Resolve::Expired);
        assert_eq!(at(Some(&A), 1, CREATED + 1801), Resolve::Known { home: 3 });
        let used = Association {
            last_used: CREATED + 80_000,
            ..A
        };
        assert_eq!(
            at(Some(&used), 3, CREATED + 80_100),
            Resolve::Known { home: 3 }
        );
        // Absolute: everybody.
        for me in [1, 3] {
            for known in [None, Some(&used), Some(&moved)] {
                assert_eq!(at(known, me, CREATED + 86_401), Resolve::Expired);
            }
        }
        // A clock that is behind.
        assert_eq!(at(None, 3, CREATED - 100), Resolve::SidOnly { home: 3 });
        assert_eq!(at(Some(&A), 3, 0), Resolve::Known { home: 3 });
        // Ended.
        let end = Association {
            flags: Association::ENDED | Association::CONFIRMED,
            ..A
        };
        for me in [1, 3] {
            assert_eq!(at(Some(&end), me, CREATED + 80_000), Resolve::Ended);
        }
    }

    #[test]
    fn what_may_be_forgotten() {
        let t = Timeouts::default();
        let tentative = Association { flags: 0, ..A };
        let end = Association {
            flags: Association::ENDED,
            ..A
        };
        for (a, me, after, want) in [
            (&tentative, 1, 60, false),
            (&tentative, 1, 61, true),
            (&tentative, 3, 61, true),
            (&A, 3, 61, false),
            (&A, 3, 1800, false),
            (&A, 3, 1801, true),
            (&A, 1, 1801, false),
            (&A, 1, 86_400, false),
            (&A, 1, 86_401, true),
            (&end, 3, 86_400, false),
            (&end, 3, 86_401, true),
        ] {
            assert_eq!(expired(a, me, CREATED + after, &t), want);
        }
        assert!(!expired(&tentative, 1, 0, &t));
    }

    #[test]
    fn the_tentative_go_first() {
        for (len, want) in [
            (0, u32::MAX),
            (499, u32::MAX),
            (500, 20),
            (749, 20),
            (750, 6),
            (875, 1),
            (1000, 1),
            (u32::MAX, 1),
        ] {
            assert_eq!(pressed(len, 1000), want);
        }
        assert_eq!(pressed(5, 0), u32::MAX);
    }
}
