// SPDX-License-Identifier: GPL-2.0
//! Which members remember whose a connection is, when they are told, and when they are asked.
//!
//! Speaks to D. Thaler and C. Ravishankar, "Using Name-Based Mappings to Increase Hit Rates"
//! (1998), for the places, and to RFC 9293 section 3.10.7.1 for the reset at the end.
//!
//! A router may begin to deliver the packets of an open connection to another member. That one asks
//! the connection's directory members, which its owner has told. Places follow from the members that
//! are not down, so members that agree on them ask where was listed, and while they do not, the
//! second place usually is the same.

use crate::decide::limits::LIST_AGAIN_S;
use crate::wire::addr::Tuple;

/// Directory members of one connection: the first, and its deputy.
pub const PLACES: usize = 2;

/// Milliseconds after which a question that was not answered is asked again.
pub const ASK_AGAIN_MS: u32 = 50;

/// Milliseconds of asking during which "nobody" may mean that the connection is too young to be
/// listed: owners list within [`LIST_MS`], and a message takes its time.
pub const TOO_YOUNG_MS: u32 = 3 * LIST_MS;

/// Milliseconds within which an owner lists a new connection.
pub const LIST_MS: u32 = 100;

/// Milliseconds of asking in vain after which the client is told that nobody knows its connection.
pub const ASK_FOR_MS: u32 = 3_000;

/// Milliseconds after which what was learned about an unknown connection is out of date.
pub const ASKED_MS: u32 = 10_000;

/// A digest of a connection of a farm. Without a key: members in the middle of a change of keys must
/// agree, and whoever chose ports by it would only give one member more to remember, each entry of
/// which costs an open connection.
pub fn digest(farm: u32, tuple: &Tuple) -> u64 {
    let start = mix(u64::from(farm));
    tuple.to_bytes().iter().fold(start, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Spreads 64 bits: each output bit depends on each input bit.
const fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

/// What a member draws for a digest; the largest is the first place.
const fn draw(digest: u64, id: u16) -> u64 {
    mix(digest ^ (id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// The directory members of a connection among those in `ids`, whose order does not matter.
pub fn places(digest: u64, ids: impl Iterator<Item = u16>) -> [Option<u16>; PLACES] {
    let mut first: Option<(u64, u16)> = None;
    let mut second: Option<(u64, u16)> = None;
    for id in ids {
        let drawn = Some((draw(digest, id), id));
        if drawn > first {
            second = first;
            first = drawn;
        } else if drawn > second {
            second = drawn;
        }
    }
    [first.map(|f| f.1), second.map(|s| s.1)]
}

/// A number for a set of members that are not down, never 0: connections that were listed under
/// another are listed anew.
pub fn view(ids: impl Iterator<Item = u16>) -> u8 {
    let mixed = ids.fold(0u64, |sum, id| sum.wrapping_add(draw(0x5bd1_e995, id)));
    ((mixed >> 56) as u8).max(1)
}

/// Whether a connection that was listed is to be listed again: each has its second of the uptime, so
/// that the work is even, and that second has come after `last`, when it was asked before, and not
/// after `now`. A list that gets lost is made good by the next.
pub const fn again(client_port: u16, last: u32, now: u32) -> bool {
    // How long ago its second was.
    let since = now.wrapping_sub(client_port as u32) % LIST_AGAIN_S;
    since < now.wrapping_sub(last)
}

/// A connection that was asked for. Times are in ms modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The first question.
    pub since: u32,
    /// The last.
    pub last: u32,
    /// The member that was asked last; 0 is none.
    pub asked: u16,
    /// A directory member that does not know it; 0 is none.
    pub no: u16,
    /// A packet of it had data: the connection may be so young that nobody knows it, because its very
    /// first segment was lost.
    pub data: bool,
}

/// What is known at a member about a connection that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// It was asked for.
    Waiting(Waiting),
    /// Its directory members do not know it either; told at `at` (ms modulo 2^32).
    Nobody {
        /// The answer.
        at: u32,
    },
}

/// What to do with a packet of a connection that is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Ask, and drop it: it will come again.
    Ask,
    /// Drop it: an answer is on its way.
    Wait,
    /// Tell the client that there is no such connection.
    Reset,
}

/// Decides on a packet at `now` (ms modulo 2^32), with or without data, and what is known from then on.
pub fn unknown(known: Option<Asked>, data: bool, now: u32) -> (Unknown, Asked) {
    let fresh = Waiting {
        since: now,
        last: now,
        asked: 0,
        no: 0,
        data,
    };
    match known {
        Some(Asked::Nobody { at }) if now.wrapping_sub(at) < ASKED_MS => {
            (Unknown::Reset, Asked::Nobody { at })
        }
        Some(Asked::Waiting(before)) if now.wrapping_sub(before.last) < ASKED_MS => {
            let waiting = Waiting {
                data: before.data || data,
                ..before
            };
            if now.wrapping_sub(before.since) >= ASK_FOR_MS {
                (Unknown::Reset, Asked::Nobody { at: now })
            } else if now.wrapping_sub(before.last) >= ASK_AGAIN_MS {
                let last = now;
                (Unknown::Ask, Asked::Waiting(Waiting { last, ..waiting }))
            } else {
                (Unknown::Wait, Asked::Waiting(waiting))
            }
        }
        Some(_) | None => (Unknown::Ask, Asked::Waiting(fresh)),
    }
}

/// What is known of a connection that was to be asked for at `now`, had there not been too many
/// questions: as much as before, if anything was. Nobody may say from that that it is gone, so the
/// time to say so begins anew.
pub const fn not_asked(before: Option<Asked>, now: u32) -> Option<Asked> {
    match before {
        Some(Asked::Waiting(before)) => Some(Asked::Waiting(Waiting {
            since: now,
            ..before
        })),
        Some(Asked::Nobody { .. }) | None => None,
    }
}

/// Which of `places`, those of other members, is asked next, and what is known then: one that has not
/// said that it does not know the connection, as `no` says just now; if there is a choice not the one
/// that was asked last, for that one may be silent. `None` when all have said so, or there is none.
pub fn next(
    places: impl Iterator<Item = u16>,
    known: Asked,
    no: Option<u16>,
) -> Option<(u16, Asked)> {
    let Asked::Waiting(before) = known else {
        return None;
    };
    let mut to = None;
    for id in places.filter(|id| *id != before.no && Some(*id) != no) {
        if to.is_none() || to == Some(before.asked) {
            to = Some(id);
        }
    }
    let asked = to?;
    let known = Asked::Waiting(Waiting {
        asked,
        no: no.unwrap_or(before.no),
        ..before
    });
    Some((asked, known))
}

/// What is known when the directory members have said at `now` that nobody has the connection. One
/// that may be too young is asked for anew: for as long as it takes to be listed; if it sends data, for
/// as long as it may take until its first segment, lost once, is there.
pub const fn nobody(known: Asked, now: u32) -> Asked {
    match known {
        Asked::Waiting(before) => {
            let young = if before.data {
                ASK_FOR_MS
            } else {
                TOO_YOUNG_MS
            };
            if now.wrapping_sub(before.since) >= young {
                return Asked::Nobody { at: now };
            }
            Asked::Waiting(Waiting {
                asked: 0,
                no: 0,
                ..before
            })
        }
        Asked::Nobody { .. } => Asked::Nobody { at: now },
    }
}

/// A token bucket in one word: what is left, in thousandths of a token, and when that was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Thousandths of a token.
    left: u32,
    /// Milliseconds modulo 2^32.
    at: u32,
}

/// By how much the clocks of processors may differ, ms.
const BACKWARDS_MS: u32 = 60_000;

impl Bucket {
    /// A full one.
    pub const fn full(burst: u32, now: u32) -> Self {
        Self {
            left: burst.saturating_mul(1000),
            at: now,
        }
    }

    /// Takes a token out of a bucket that fills by `rate` tokens a second up to `burst`; `None` when
    /// there is none.
    pub fn take(self, rate: u32, burst: u32, now: u32) -> Option<Self> {
        // A clock that seems to go backwards by a little is another CPU's. All else is time that has
        // passed, in which nobody may have asked for weeks.
        let gone = now.wrapping_sub(self.at);
        let gone = if gone > u32::MAX - BACKWARDS_MS {
            0
        } else {
            gone
        };
        let left = self
            .left
            .saturating_add(gone.saturating_mul(rate))
            .min(burst.saturating_mul(1000));
        Some(Self {
            left: left.checked_sub(1000)?,
            at: now,
        })
    }

    /// In one word.
    pub const fn to_bits(self) -> u64 {
        ((self.left as u64) << 32) | self.at as u64
    }

    /// From one word.
    pub const fn from_bits(bits: u64) -> Self {
        Self {
            left: (bits >> 32) as u32,
            at: bits as u32,
        }
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_directory))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::wire::addr::Addr;

    fn tuple(n: u16) -> Tuple {
        Tuple::from_client(Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]), n, 80)
    }

    #[test]
    fn order_does_not_matter() {
        for n in 0..500 {
            let d = digest(1, &tuple(n));
            let forward = places(d, [1, 2, 3, 4].into_iter());
            assert_eq!(forward, places(d, [4, 2, 1, 3].into_iter()));
            assert!(forward[0].is_some() && forward[1].is_some() && forward[0] != forward[1]);
        }
    }

    #[test]
    fn a_member_that_leaves_makes_its_deputy_the_first() {
        for n in 0..500 {
            let d = digest(1, &tuple(n));
            let [first, second] = places(d, [1, 2, 3, 4].into_iter());
            let left = [1, 2, 3, 4].into_iter().filter(|id| Some(*id) != first);
            assert_eq!(places(d, left)[0], second);
        }
    }

    #[test]
    fn places_are_spread() {
        let mut got = [[0u32; 5]; PLACES];
        for n in 0..4000 {
            let chosen = places(digest(7, &tuple(n)), [1, 2, 3, 4].into_iter());
            for (counts, id) in got.iter_mut().zip(chosen) {
                if let Some(count) = id.and_then(|id| counts.get_mut(usize::from(id))) {
                    *count += 1;
                }
            }
        }
        for counts in got {
            for count in &counts[1..] {
                assert!(count.abs_diff(1000) < 120);
            }
        }
    }

    #[test]
    fn few_members() {
        assert_eq!(places(5, [].into_iter()), [None, None]);
        assert_eq!(places(5, [9].into_iter()), [Some(9), None]);
    }

    #[test]
    fn the_view_is_of_a_set() {
        assert_eq!(view([1, 2, 3].into_iter()), view([3, 1, 2].into_iter()));
        assert!(view([1, 2, 3].into_iter()) != view([1, 2].into_iter()));
        assert!(view([].into_iter()) != 0);
    }

    #[test]
    fn listed_again_once_in_a_round() {
        for port in [0, 1, 63, 64, 65, 40_000, u16::MAX] {
            let times = (1000..1000 + LIST_AGAIN_S).filter(|now| again(port, now - 1, *now));
            assert_eq!(times.count(), 1);
        }
    }

    #[test]
    fn no_second_is_left_out_or_counted_twice() {
        for port in [0, 1, 63, 64, 40_000, u16::MAX] {
            for steps in [&[1, 2, 1, 3][..], &[7, 1], &[0, 1], &[1, 0, 0, 2], &[63, 1]] {
                let (mut now, mut listed) = (1000, 0);
                for step in steps.iter().cycle() {
                    if now == 1000 + 4 * LIST_AGAIN_S {
                        break;
                    }
                    let last = now;
                    now = (now + step).min(1000 + 4 * LIST_AGAIN_S);
                    listed += u32::from(again(port, last, now));
                }
                assert_eq!(listed, 4);
            }
            assert!(again(port, 1000, 1000 + LIST_AGAIN_S));
            assert!(again(port, 1000, u32::MAX));
        }
    }

    #[test]
    fn what_could_not_be_asked_for_is_not_gone() {
        assert_eq!(not_asked(None, 7), None);
        assert_eq!(not_asked(Some(Asked::Nobody { at: 1 }), 7), None);
        // However long questions are too many, the connection is asked for when they are not.
        let (_, mut known) = unknown(None, false, 0);
        let mut now = 0;
        for _ in 0..20 {
            now += ASK_AGAIN_MS;
            let (what, _) = unknown(Some(known), false, now);
            assert_eq!(what, Unknown::Ask);
            known = not_asked(Some(known), now).unwrap_or(known);
        }
        // From the first question that was asked it has its time.
        let (_, known) = unknown(Some(known), false, now);
        assert!(unknown(Some(known), false, now + ASK_FOR_MS - 1).0 != Unknown::Reset);
        assert_eq!(
            unknown(Some(known), false, now + ASK_FOR_MS).0,
            Unknown::Reset
        );
    }

    #[test]
    fn data_may_be_of_a_connection_that_nobody_knows_yet() {
        for (first, second) in [(true, false), (false, true), (true, true)] {
            let (_, known) = unknown(None, first, 1000);
            let (_, known) = unknown(Some(known), second, 1010);
            // The other members say no, again and again: it is not reset before its first segment
            // can have been repeated.
            let mut known = nobody(known, 1400);
            for now in (1400..1000 + ASK_FOR_MS).step_by(100) {
                let (what, next) = unknown(Some(known), second, now);
                assert!(what != Unknown::Reset);
                known = nobody(next, now);
            }
            assert_eq!(
                unknown(Some(known), second, 1000 + ASK_FOR_MS).0,
                Unknown::Reset
            );
        }
    }

    #[test]
    fn asked_once_then_waited_for_then_again() {
        let (what, known) = unknown(None, false, 1000);
        assert_eq!(what, Unknown::Ask);
        let (what, same) = unknown(Some(known), false, 1049);
        assert_eq!((what, same), (Unknown::Wait, known));
        let (what, known) = unknown(Some(known), false, 1050);
        assert_eq!(what, Unknown::Ask);
        assert_eq!(
            known,
            Asked::Waiting(Waiting {
                since: 1000,
                last: 1050,
                asked: 0,
                no: 0,
                data: false
            })
        );
    }

    #[test]
    fn a_silent_member_is_passed_over_and_asked_again_if_the_other_does_not_know() {
        let ask = |known, no| next([4u16, 9].into_iter(), known, no);
        let (_, known) = unknown(None, false, 1000);
        // Silence of the first: its deputy, then the first again.
        let (to, known) = ask(known, None).unwrap_or((0, known));
        assert_eq!(to, 4);
        let (to, known) = ask(known, None).unwrap_or((0, known));
        assert_eq!(to, 9);
        assert_eq!(ask(known, None).map(|a| a.0), Some(4));
        // The deputy does not know it; the first may, and nobody else is asked from then on.
        let (to, known) = ask(known, Some(9)).unwrap_or((0, known));
        assert_eq!(to, 4);
        assert_eq!(ask(known, None).map(|a| a.0), Some(4));
        // Now both have said so.
        assert_eq!(ask(known, Some(4)), None);
    }

    #[test]
    fn the_first_does_not_know_it_then_its_deputy() {
        let ask = |known, no| next([4u16, 9].into_iter(), known, no);
        let (_, known) = unknown(None, false, 1000);
        let (_, known) = ask(known, None).unwrap_or((0, known));
        let (to, known) = ask(known, Some(4)).unwrap_or((0, known));
        assert_eq!(to, 9);
        assert_eq!(ask(known, Some(9)), None);
        assert_eq!(next([].into_iter(), known, None), None);
        // The one left after a change of members has not been asked.
        let to = next([9u16, 5].into_iter(), known, Some(9)).map(|a| a.0);
        assert_eq!(to, Some(5));
        assert_eq!(ask(Asked::Nobody { at: 1 }, None), None);
    }

    #[test]
    fn nobody_knows_it() {
        let at = Asked::Nobody { at: 5000 };
        assert_eq!(unknown(Some(at), false, 5001).0, Unknown::Reset);
        // What was true then may not be so now: the port is used again.
        assert_eq!(unknown(Some(at), false, 5000 + ASKED_MS).0, Unknown::Ask);
    }

    #[test]
    fn a_connection_may_be_too_young() {
        let (_, known) = unknown(None, false, 1000);
        let (_, no) = next([4].into_iter(), known, None).unwrap_or((0, known));
        assert_eq!(nobody(no, 1000 + TOO_YOUNG_MS - 1), known);
        let at = 1000 + TOO_YOUNG_MS;
        assert_eq!(nobody(no, at), Asked::Nobody { at });
        assert_eq!(unknown(Some(nobody(no, at)), false, at).0, Unknown::Reset);
    }

    #[test]
    fn no_answer_is_one_in_the_end() {
        let mut known = None;
        let mut now = u32::MAX - 1000;
        let mut asked = 0;
        for _ in 0..59 {
            let (what, next) = unknown(known, false, now);
            assert!(what != Unknown::Reset);
            asked += u32::from(what == Unknown::Ask);
            known = Some(next);
            now = now.wrapping_add(50);
        }
        assert_eq!(asked, 59);
        now = now.wrapping_add(50);
        assert_eq!(unknown(known, false, now).0, Unknown::Reset);
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut bucket = Bucket::full(5, 0);
        let mut got = 0;
        while let Some(next) = bucket.take(100, 5, 0) {
            bucket = next;
            got += 1;
        }
        assert_eq!(got, 5);
        // 100 a second: one in 10 ms.
        assert_eq!(bucket.take(100, 5, 9), None);
        for ms in 1..=1000u32 {
            if let Some(next) = bucket.take(100, 5, ms) {
                bucket = next;
                got += 1;
            }
        }
        assert_eq!(got, 105);
        assert_eq!(Bucket::from_bits(bucket.to_bits()), bucket);
        // However long it was quiet, it holds no more than the burst.
        assert_eq!(
            bucket.take(100, 5, 900_000).map(|b| b.left),
            Some(5000 - 1000)
        );
        // Nor does it matter that half of the clock's turn has passed; a step back is no time.
        let empty = Bucket::from_bits(0);
        assert!(empty.take(2000, 1000, 3_000_000_000).is_some());
        assert!(empty.take(2000, 1000, 50u32.wrapping_neg()).is_none());
    }
}
