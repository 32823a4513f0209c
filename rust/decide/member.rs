// SPDX-License-Identifier: GPL-2.0
//! Whether a member is there: what this member hears of it, and what the others say they hear.
//!
//! Speaks to state messages ([`crate::wire::control::StateMsg`]).
//!
//! One member's ears are not enough to call another dead: a cable that works in one direction
//! only, or a pause of the listener itself, looks the same. Times are milliseconds of a clock that
//! only goes forward.

use crate::decide::limits::DOWN_INTERVALS;
use crate::decide::limits::DOWN_MS;
use crate::decide::limits::MEMBER_WORDS;
use crate::decide::limits::SLOW_START_LEAST;
use crate::decide::limits::STATE_FAN_OUT;
use crate::decide::limits::STATE_INTERVAL_MS;
use crate::decide::limits::SUSPECT_INTERVALS;
use crate::wire::control::AdminState;
use crate::wire::control::Order;

/// Whom a member hears: bit `id % 64` of word `id / 64`.
pub type Hears = [u64; MEMBER_WORDS];

/// Whether member `id` is in the map.
pub fn hears(map: &Hears, id: u16) -> bool {
    map.get(usize::from(id / 64))
        .is_some_and(|word| word & bit(id) != 0)
}

/// Adds member `id` to the map. An id that has no place in it changes nothing.
pub fn hear(map: &mut Hears, id: u16) {
    if let Some(word) = map.get_mut(usize::from(id / 64)) {
        *word |= bit(id);
    }
}

fn bit(id: u16) -> u64 {
    1u64.wrapping_shl(u32::from(id % 64))
}

/// How a member is, as this one sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Heard, and ready for new sessions.
    Up,
    /// Not heard for some messages, or does not hear us: no new sessions, but its connections are
    /// still sent there.
    Suspect,
    /// Confirmed dead or out of reach, or taken out by the operator: its sessions get new homes.
    Down,
    /// Back with an empty table: no new sessions until the others have told it what they know.
    Joining,
    /// Heard; serves its sessions but gets no new ones.
    Draining,
}

/// What is known of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When its last state message came; before the first, when we began to listen for it.
    pub last_heard_ms: u64,
    /// Intervals of ours that have ended since without its being heard.
    pub missed: u32,
    /// What it last said of itself, or the operator of it.
    pub admin: AdminState,
    /// It has been told all that the others know since it came up.
    pub joined: bool,
}

/// Time constants, scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// Interval at which the member sends, as stretched by the size of the farm.
    pub interval_ms: u64,
    /// Silence before it may be called down.
    pub down_ms: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            interval_ms: STATE_INTERVAL_MS,
            down_ms: DOWN_MS,
        }
    }
}

/// What is said of a member, or by it: of those that we hear now, without it and us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Votes {
    /// Members that we hear.
    pub voters: u16,
    /// Those among them that hear it; where ears are judged, that are heard.
    pub hear_it: u16,
}

impl Votes {
    /// Adds what one member says, or what is said of one, that we hear ourselves (see [`heard`]).
    pub fn add(&mut self, hears_it: bool) {
        self.voters = self.voters.saturating_add(1);
        self.hear_it = self.hear_it.saturating_add(u16::from(hears_it));
    }

    /// Whether more than half of them do not hear it. If there is nobody to ask, time decides.
    fn silent(&self) -> bool {
        let silent = u32::from(self.voters.saturating_sub(self.hear_it));
        self.voters == 0 || silent.saturating_mul(2) > u32::from(self.voters)
    }
}

/// Whether a member is heard now: no more than two messages missed. Messages come with some
/// jitter, so half an interval is added.
pub fn heard(seen: &Seen, now_ms: u64, times: &Times) -> bool {
    now_ms.saturating_sub(seen.last_heard_ms) <= patience(times)
}

/// Milliseconds for which a member is given the benefit of the doubt.
fn patience(times: &Times) -> u64 {
    let missed = times.interval_ms.saturating_mul(SUSPECT_INTERVALS);
    missed.saturating_add(times.interval_ms / 2)
}

/// What a member says of whether it hears this one. Zeros: it does, or has said nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ears {
    /// When it began to say in every message that it does not.
    pub deaf_since_ms: u64,
    /// When it last said so.
    pub said_ms: u64,
}

impl Ears {
    /// After another state message of the member.
    ///
    /// One that was paused hears nobody in its first message afterwards, and so after every pause:
    /// what it said before a gap does not count.
    pub fn after(&self, hears_us: bool, now_ms: u64, times: &Times) -> Self {
        if hears_us {
            return Self::default();
        }
        let now_ms = now_ms.max(1);
        let goes_on =
            self.deaf_since_ms != 0 && now_ms.saturating_sub(self.said_ms) <= patience(times);
        Self {
            deaf_since_ms: if goes_on { self.deaf_since_ms } else { now_ms },
            said_ms: now_ms,
        }
    }
}

/// Whether a member that has not heard this one for `deaf_ms` by its own word is to be believed: a
/// message that was under way, or a start, is over by then.
pub fn is_deaf(deaf_ms: u64, times: &Times) -> bool {
    deaf_ms > patience(times)
}

/// How a member is that is heard, but does not hear this one ([`is_deaf`]); `liveness`: apart from
/// that.
///
/// Nothing that is sent to it arrives: it gets no new sessions. Whether its old ones are still its
/// own is not for this member alone to say: the way from here to there may be all that is broken.
/// They are not if it does not hear most of the others either (`it_hears`). Nor can they be reached
/// from here if most of the others do not hear this member (`hear_us`). If there is nobody to ask,
/// time decides.
pub fn deaf(
    liveness: Liveness,
    deaf_ms: u64,
    times: &Times,
    it_hears: &Votes,
    hear_us: &Votes,
) -> Liveness {
    let long = deaf_ms >= times.down_ms;
    if liveness == Liveness::Down || long && (it_hears.silent() || hear_us.silent()) {
        Liveness::Down
    } else {
        Liveness::Suspect
    }
}

/// How a member is.
///
/// Down needs silence for [`Times::down_ms`] here, and that most of the members heard here do not
/// hear it either; in a farm of two, or if we hear nobody, silence alone. Silence is what we have
/// listened to: after a pause of our own, as of a machine that is moved, it begins anew.
pub fn liveness(seen: &Seen, now_ms: u64, times: &Times, votes: &Votes) -> Liveness {
    if seen.admin == AdminState::Down {
        return Liveness::Down;
    }
    if !heard(seen, now_ms, times) {
        let long = now_ms.saturating_sub(seen.last_heard_ms) >= times.down_ms
            && seen.missed >= DOWN_INTERVALS;
        return if long && votes.silent() {
            Liveness::Down
        } else {
            Liveness::Suspect
        };
    }
    match (seen.admin, seen.joined) {
        (AdminState::Draining, _) => Liveness::Draining,
        (_, false) => Liveness::Joining,
        (_, true) => Liveness::Up,
    }
}

/// Whether requests of a member's sessions are still sent to it. If not they get a new home.
pub fn keeps_sessions(liveness: Liveness) -> bool {
    liveness != Liveness::Down
}

/// Whether this member may tell the others of new homes for the sessions of a dead one.
///
/// `heard` members of `configured` are heard, both with this one. The smaller part of a divided
/// farm serves, but replicates nothing, or the other part's choices would be overruled when they
/// meet again. Of two equal halves the one with the lowest id of the farm counts (`has_lowest`).
/// In a farm of two, time alone decides.
pub fn may_rehome(heard: u16, configured: u16, has_lowest: bool) -> bool {
    let (twice, all) = (u32::from(heard).saturating_mul(2), u32::from(configured));
    all <= 2 || twice > all || twice == all && has_lowest
}

/// The interval of state messages in a farm of so many members: each member sends one to every
/// other, so it grows with them, and the messages a second do not.
pub fn stretched(interval_ms: u64, members: usize) -> u64 {
    let others = (members as u64).saturating_sub(1);
    interval_ms.saturating_mul(others.div_ceil(STATE_FAN_OUT).max(1))
}

/// Whether a member that started has been told all that the others know.
///
/// `told` of its `others` have told it; `silent` of the rest are not heard or do not hear it, and no
/// word of them can be expected once it has been here for `settled`: as long as silence makes a member
/// down.
pub fn joined(others: usize, told: usize, silent: usize, settled: bool) -> bool {
    others != 0 && told >= others || settled && told.saturating_add(silent) >= others
}

/// Whether this member, `me`, is the one that tells `to` of an association, when `to` has started.
///
/// Its origin does; if that is `to` itself or does not know it, its home does; else `lowest`, the
/// lowest id of those that know. `knows`: see [`told_before`]. More than one telling does no harm;
/// that nobody tells would be the loss of an association, so who is in doubt tells.
pub fn tells(
    me: u16,
    to: u16,
    origin: u16,
    home: u16,
    knows: impl Fn(u16) -> bool,
    lowest: u16,
) -> bool {
    let can = |id: u16| id != to && (id == me || knows(id));
    if can(origin) {
        origin == me
    } else if can(home) {
        home == me
    } else {
        lowest == me
    }
}

/// Whether a member that joined `age_ms` before it was last heard had done so before another one
/// started, by more than `margin_ms`. Only then what it tells that one is all that there is: a
/// member that starts too has forgotten what it made, and may have told before it was told.
///
/// `noticed_ms` is when its own start was noticed here. Before that it joined without this member,
/// which could not be heard; so it has not been told what is known here, however long ago it was.
pub fn told_before(
    joined: bool,
    heard_ms: u64,
    age_ms: u64,
    noticed_ms: u64,
    started_ms: u64,
    margin_ms: u64,
) -> bool {
    let since = heard_ms.saturating_sub(age_ms).max(noticed_ms);
    joined && since.saturating_add(margin_ms) <= started_ms
}

/// Whether an order replaces another about the same member: the higher version does, then the
/// lower `by`, then what is left in any fixed order.
pub fn replaces(new: &Order, old: &Order) -> bool {
    let rank = |o: &Order| (o.version, !o.by, o.state as u8, o.moves, o.deadline);
    rank(new) > rank(old)
}

/// The share of new sessions that a member may have `age_ms` after it joined, thousandths of its
/// usual one: it grows from a tenth to the whole over `slow_start_ms`, so that a member with cold
/// caches is not given every new session.
///
/// In a farm that starts as a whole nobody has to be spared: one that joined not much later than the
/// eldest, whose age is `eldest_ms`, has its whole share.
pub fn ramp(age_ms: u64, eldest_ms: u64, slow_start_ms: u64) -> u16 {
    if age_ms >= slow_start_ms || eldest_ms.saturating_sub(age_ms) < slow_start_ms {
        return 1000;
    }
    let grown = age_ms
        .saturating_mul(1000)
        .checked_div(slow_start_ms)
        .unwrap_or(1000);
    u16::try_from(grown).unwrap_or(1000).max(SLOW_START_LEAST)
}

/// Whether a member in slow start takes part in a selection, by 64 uniform bits. For a policy that
/// sends the same client to the same member, the bits are the client's, so that it moves once.
pub fn admitted(ramp: u16, bits: u64) -> bool {
    // 10 by 32 bits.
    let drawn = (bits & 0xffff_ffff).wrapping_mul(1000) >> 32;
    drawn < u64::from(ramp)
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_member))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const T0: u64 = 50_000;
    const SEEN: Seen = Seen {
        last_heard_ms: T0,
        missed: DOWN_INTERVALS,
        admin: AdminState::Up,
        joined: true,
    };

    fn votes(voters: u16, hear_it: u16) -> Votes {
        Votes { voters, hear_it }
    }

    fn after(ms: u64, votes: Votes) -> Liveness {
        liveness(&SEEN, T0 + ms, &Times::default(), &votes)
    }

    #[test]
    fn the_map_of_who_hears_whom() {
        let mut map: Hears = [0; MEMBER_WORDS];
        for id in [1, 63, 64, 1023] {
            assert!(!hears(&map, id));
            hear(&mut map, id);
            assert!(hears(&map, id));
        }
        assert!(!hears(&map, 2) && !hears(&map, 65) && !hears(&map, 1022));
        hear(&mut map, 1024);
        hear(&mut map, u16::MAX);
        assert!(!hears(&map, 1024) && !hears(&map, u16::MAX));
        assert_eq!(map.iter().map(|w| w.count_ones()).sum::<u32>(), 4);
    }

    #[test]
    fn two_missed_messages_make_a_suspect() {
        assert_eq!(after(0, votes(5, 0)), Liveness::Up);
        assert_eq!(after(250, votes(5, 0)), Liveness::Up);
        assert_eq!(after(251, votes(5, 0)), Liveness::Suspect);
        // A stretched interval stretches it.
        let slow = Times {
            interval_ms: 1000,
            ..Times::default()
        };
        assert_eq!(
            liveness(&SEEN, T0 + 2500, &slow, &votes(0, 0)),
            Liveness::Up
        );
        assert_eq!(
            liveness(&SEEN, T0 + 2501, &slow, &votes(0, 0)),
            Liveness::Down
        );
    }

    #[test]
    fn down_needs_a_second_and_a_majority() {
        assert_eq!(after(999, votes(4, 0)), Liveness::Suspect);
        assert_eq!(after(1000, votes(4, 0)), Liveness::Down);
        assert_eq!(after(1000, votes(4, 1)), Liveness::Down);
        assert_eq!(after(1000, votes(4, 2)), Liveness::Suspect);
        assert_eq!(after(60_000, votes(4, 4)), Liveness::Suspect);
        // A farm of three: the third has the say.
        assert_eq!(after(1000, votes(1, 1)), Liveness::Suspect);
        assert_eq!(after(1000, votes(1, 0)), Liveness::Down);
        // A farm of two: time alone.
        assert_eq!(after(999, votes(0, 0)), Liveness::Suspect);
        assert_eq!(after(1000, votes(0, 0)), Liveness::Down);
    }

    #[test]
    fn votes_are_counted() {
        let mut v = Votes::default();
        v.add(true);
        v.add(false);
        v.add(false);
        assert_eq!(v, votes(3, 1));
    }

    #[test]
    fn what_it_says_of_itself() {
        let at = |admin, joined, ms| {
            let seen = Seen {
                admin,
                joined,
                ..SEEN
            };
            liveness(&seen, T0 + ms, &Times::default(), &votes(3, 0))
        };
        assert_eq!(at(AdminState::Up, false, 10), Liveness::Joining);
        assert_eq!(at(AdminState::Draining, true, 10), Liveness::Draining);
        assert_eq!(at(AdminState::Draining, false, 10), Liveness::Draining);
        assert_eq!(at(AdminState::Down, true, 10), Liveness::Down);
        // Silence is worse than what it said last.
        assert_eq!(at(AdminState::Up, false, 300), Liveness::Suspect);
        assert_eq!(at(AdminState::Draining, true, 5000), Liveness::Down);
    }

    #[test]
    fn a_pause_of_our_own_is_no_silence() {
        for missed in 0..DOWN_INTERVALS {
            let seen = Seen { missed, ..SEEN };
            let state = liveness(&seen, T0 + 60_000, &Times::default(), &votes(0, 0));
            assert_eq!(state, Liveness::Suspect);
        }
        assert_eq!(after(60_000, votes(0, 0)), Liveness::Down);
    }

    #[test]
    fn a_clock_that_stood_still() {
        // Heard after `now` was read.
        assert_eq!(
            liveness(&SEEN, T0 - 5, &Times::default(), &votes(3, 0)),
            Liveness::Up
        );
    }

    #[test]
    fn ears_are_judged_by_message_after_message() {
        let times = Times::default();
        let first = Ears::default().after(false, T0, &times);
        assert_eq!((first.deaf_since_ms, first.said_ms), (T0, T0));
        let second = first.after(false, T0 + 250, &times);
        assert_eq!((second.deaf_since_ms, second.said_ms), (T0, T0 + 250));
        // A gap: it may have been paused, and begins anew.
        let third = second.after(false, T0 + 501, &times);
        assert_eq!(third.deaf_since_ms, T0 + 501);
        assert_eq!(third.after(true, T0 + 600, &times), Ears::default());
        // Zero is for those that hear.
        assert_eq!(Ears::default().after(false, 0, &times).deaf_since_ms, 1);
        assert!(!is_deaf(0, &times) && !is_deaf(250, &times) && is_deaf(251, &times));
    }

    #[test]
    fn a_deaf_member_is_down_only_if_most_are_not_heard() {
        let of =
            |ms, it_hears, hear_us| deaf(Liveness::Up, ms, &Times::default(), &it_hears, &hear_us);
        // One way is broken, whichever end it is that is looked at.
        assert_eq!(of(300, votes(1, 1), votes(1, 1)), Liveness::Suspect);
        assert_eq!(of(60_000, votes(1, 1), votes(1, 1)), Liveness::Suspect);
        assert_eq!(of(60_000, votes(4, 2), votes(4, 2)), Liveness::Suspect);
        // It hears nobody.
        assert_eq!(of(999, votes(4, 0), votes(4, 4)), Liveness::Suspect);
        assert_eq!(of(1000, votes(4, 0), votes(4, 4)), Liveness::Down);
        assert_eq!(of(1000, votes(4, 1), votes(4, 4)), Liveness::Down);
        // Nobody hears us.
        assert_eq!(of(999, votes(4, 4), votes(4, 1)), Liveness::Suspect);
        assert_eq!(of(1000, votes(4, 4), votes(4, 1)), Liveness::Down);
        // A farm of two.
        assert_eq!(of(1000, votes(0, 0), votes(0, 0)), Liveness::Down);
        // Taken out by the operator.
        let times = Times::default();
        let all = votes(4, 4);
        assert_eq!(
            deaf(Liveness::Down, 300, &times, &all, &all),
            Liveness::Down
        );
        assert_eq!(
            deaf(Liveness::Joining, 300, &times, &all, &all),
            Liveness::Suspect
        );
    }

    #[test]
    fn who_keeps_its_sessions() {
        use Liveness::*;
        for (state, keeps) in [
            (Up, true),
            (Suspect, true),
            (Joining, true),
            (Draining, true),
            (Down, false),
        ] {
            assert_eq!(keeps_sessions(state), keeps);
        }
    }

    #[test]
    fn only_the_larger_part_replicates_new_homes() {
        assert!(may_rehome(1, 1, true) && may_rehome(1, 2, false));
        assert!(may_rehome(2, 3, false) && !may_rehome(1, 3, true));
        assert!(may_rehome(2, 4, true) && !may_rehome(2, 4, false));
        assert!(may_rehome(3, 4, false) && !may_rehome(1, 4, true));
    }

    #[test]
    fn slow_start() {
        for (age, want) in [
            (0, 100),
            (500, 100),
            (5_000, 500),
            (9_999, 999),
            (10_000, 1000),
        ] {
            assert_eq!(ramp(age, 60_000, 10_000), want);
        }
        assert_eq!(ramp(0, 0, 0), 1000);
        assert!(ramp(u64::MAX - 1, u64::MAX, u64::MAX) <= 1000);
        // A farm that starts, one member after the other.
        assert_eq!(
            [ramp(1_000, 10_999, 10_000), ramp(1_000, 11_000, 10_000)],
            [1000, 100]
        );
        assert!(admitted(1000, u64::MAX) && admitted(1, 0) && !admitted(0, 0));
        assert!(!admitted(500, 0x8000_0000) && admitted(501, 0x8000_0000));
    }

    #[test]
    fn messages_a_second_stay_bounded() {
        for (members, want) in [
            (0, 100),
            (1, 100),
            (2, 100),
            (17, 100),
            (18, 200),
            (64, 400),
        ] {
            assert_eq!(stretched(100, members), want);
            let sent = (members as u64).saturating_sub(1) * 1000 / want;
            assert!(sent <= 160);
        }
        assert_eq!(stretched(u64::MAX, 64), u64::MAX);
    }

    #[test]
    fn joined_when_all_have_told() {
        assert!(joined(2, 2, 0, false));
        assert!(!joined(2, 1, 1, false) && joined(2, 1, 1, true));
        assert!(!joined(2, 1, 0, true) && !joined(2, 0, 1, true));
        assert!(!joined(0, 0, 0, false) && joined(0, 0, 0, true));
        assert!(joined(3, 0, 3, true));
    }

    #[test]
    fn one_tells() {
        // Member 2 has started; 1, 3 and 4 are here; 5 is not.
        let heard = |id: u16| matches!(id, 1..=4);
        for (origin, home, want) in [
            (3, 1, 3),
            (2, 4, 4),
            (2, 2, 1),
            (5, 3, 3),
            (5, 5, 1),
            (5, 2, 1),
        ] {
            for me in [1, 3, 4] {
                assert_eq!(tells(me, 2, origin, home, heard, 1), me == want);
            }
        }
    }

    #[test]
    fn who_joined_late_does_not_tell_for_others() {
        // Joined at 4,000 on our clock.
        assert!(told_before(true, 5000, 1000, 0, 5000, 1000));
        assert!(!told_before(true, 5000, 1000, 0, 4999, 1000));
        assert!(!told_before(false, 5000, 5000, 0, u64::MAX, 0));
        assert!(told_before(true, 10, 20, 0, 0, 0) && !told_before(true, u64::MAX, 0, 0, 1, 1));
        // In service for long, but without us: we notice both starts at the same time.
        assert!(!told_before(true, 90_000, 60_000, 90_000, 90_000, 1000));
        assert!(told_before(true, 90_000, 60_000, 88_000, 90_000, 1000));
    }

    #[test]
    fn the_later_order_counts() {
        let old = Order {
            member: 1,
            by: 3,
            version: 5,
            state: AdminState::Draining,
            moves: false,
            deadline: 9,
        };
        assert!(!replaces(&old, &old));
        let later = Order {
            version: 6,
            by: 9,
            ..old
        };
        assert!(replaces(&later, &old) && !replaces(&old, &later));
        let other = Order {
            by: 2,
            state: AdminState::Up,
            ..old
        };
        assert!(replaces(&other, &old) && !replaces(&old, &other));
        // Whatever the order in which they come, all end with the same.
        let third = Order { moves: true, ..old };
        assert!(replaces(&third, &old) != replaces(&old, &third));
    }
}
