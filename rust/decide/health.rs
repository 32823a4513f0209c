// SPDX-License-Identifier: GPL-2.0
//! Who may get new sessions: liveness, listeners, and members that come and go.
//!
//! Speaks to [`crate::decide::member`] and [`crate::decide::select`]. The damping is that of
//! RFC 2439, section 4.2, with steps instead of an exponential curve.

use crate::decide::limits::FLAP_HALF_LIFE_MS;
use crate::decide::limits::FLAP_PENALTY;
use crate::decide::limits::FLAP_REUSE;
use crate::decide::limits::FLAP_SUPPRESS;
use crate::decide::member::Liveness;

/// How a member stands for new sessions of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It cannot serve: down, or without a listener.
    Out,
    /// It could, but is not to get new sessions: draining, joining, suspect, of weight 0.
    Kept,
    /// It comes and goes too often.
    Unwell,
    /// It has begun lately and is left out of this selection.
    Starting,
    /// It gets new sessions.
    Well,
}

/// How a member stands.
///
/// `admitted`: slow start lets it take part this time; `damped`: it came and went too often.
pub fn standing(
    liveness: Liveness,
    listener: bool,
    weight: u16,
    damped: bool,
    admitted: bool,
) -> Standing {
    match liveness {
        _ if !listener => Standing::Out,
        Liveness::Down => Standing::Out,
        Liveness::Suspect | Liveness::Joining | Liveness::Draining => Standing::Kept,
        Liveness::Up if weight == 0 => Standing::Kept,
        Liveness::Up if damped => Standing::Unwell,
        Liveness::Up if !admitted => Standing::Starting,
        Liveness::Up => Standing::Well,
    }
}

/// How many members stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    kept: u32,
    unwell: u32,
    starting: u32,
    well: u32,
}

impl Count {
    /// Counts one.
    pub fn add(&mut self, standing: Standing) {
        let slot = match standing {
            Standing::Out => return,
            Standing::Kept => &mut self.kept,
            Standing::Unwell => &mut self.unwell,
            Standing::Starting => &mut self.starting,
            Standing::Well => &mut self.well,
        };
        *slot = slot.saturating_add(1);
    }

    /// The worst standing that still gets new sessions; `None` if nobody can serve.
    ///
    /// Of the members that could take new sessions, no more than `most` per cent are left out for
    /// coming and going; if more would be, none is. If nobody is well, whoever is in slow start is
    /// better than nobody, and then whoever can serve at all.
    pub fn least(&self, most: u8) -> Option<Standing> {
        let up = self
            .unwell
            .saturating_add(self.starting)
            .saturating_add(self.well);
        let too_many = u64::from(self.unwell).saturating_mul(100)
            > u64::from(most).saturating_mul(u64::from(up));
        match *self {
            _ if self.unwell > 0 && too_many => Some(Standing::Unwell),
            Self { well: 1.., .. } => Some(Standing::Well),
            Self { starting: 1.., .. } => Some(Standing::Starting),
            Self { unwell: 1.., .. } => Some(Standing::Unwell),
            Self { kept: 1.., .. } => Some(Standing::Kept),
            _ => None,
        }
    }
}

/// Whether a standing is good enough.
pub fn eligible(standing: Standing, least: Option<Standing>) -> bool {
    least.is_some_and(|least| rank(standing) >= rank(least))
}

fn rank(standing: Standing) -> u8 {
    match standing {
        Standing::Out => 0,
        Standing::Kept => 1,
        Standing::Unwell => 2,
        Standing::Starting => 3,
        Standing::Well => 4,
    }
}

/// How often a member has gone away lately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flaps {
    penalty: u32,
    at_ms: u64,
    damped: bool,
}

impl Flaps {
    /// It has gone away, or lost a listener.
    pub fn lost(&mut self, now_ms: u64, scale: u64) {
        self.decay(now_ms, scale);
        self.penalty = self.penalty.saturating_add(FLAP_PENALTY);
        self.damped |= self.penalty >= FLAP_SUPPRESS;
    }

    /// Whether it is to get no new sessions for it.
    pub fn damped(&mut self, now_ms: u64, scale: u64) -> bool {
        self.decay(now_ms, scale);
        self.damped &= self.penalty >= FLAP_REUSE;
        self.damped
    }

    /// Halves the penalty for each half-life that has passed.
    fn decay(&mut self, now_ms: u64, scale: u64) {
        let half = FLAP_HALF_LIFE_MS.saturating_mul(scale.max(1));
        let passed = now_ms.saturating_sub(self.at_ms);
        let halves = passed.checked_div(half).unwrap_or(0);
        if self.penalty == 0 {
            self.at_ms = now_ms;
            return;
        }
        self.penalty = match u32::try_from(halves) {
            Ok(n @ 0..=31) => self.penalty.wrapping_shr(n),
            _ => 0,
        };
        self.at_ms = self.at_ms.saturating_add(halves.saturating_mul(half));
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_health))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use Standing::*;

    fn least(list: &[Standing], most: u8) -> Option<Standing> {
        let mut count = Count::default();
        for standing in list {
            count.add(*standing);
        }
        count.least(most)
    }

    #[test]
    fn how_members_stand() {
        let of = |liveness| standing(liveness, true, 1, false, true);
        assert_eq!(of(Liveness::Up), Well);
        for liveness in [Liveness::Suspect, Liveness::Joining, Liveness::Draining] {
            assert_eq!(of(liveness), Kept);
        }
        assert_eq!(of(Liveness::Down), Out);
        assert_eq!(standing(Liveness::Up, false, 1, false, true), Out);
        assert_eq!(standing(Liveness::Up, true, 0, false, true), Kept);
        assert_eq!(standing(Liveness::Up, true, 1, true, true), Unwell);
        assert_eq!(standing(Liveness::Up, true, 1, false, false), Starting);
    }

    #[test]
    fn the_best_there_are() {
        assert_eq!(least(&[Well, Starting, Kept, Out], 50), Some(Well));
        assert_eq!(least(&[Starting, Kept, Out], 50), Some(Starting));
        assert_eq!(least(&[Kept, Out], 50), Some(Kept));
        assert_eq!(least(&[Out], 50), None);
        assert_eq!(least(&[], 50), None);
        assert!(eligible(Well, Some(Well)) && !eligible(Starting, Some(Well)));
        assert!(eligible(Kept, Some(Kept)) && !eligible(Out, Some(Kept)));
        assert!(!eligible(Well, None));
    }

    #[test]
    fn health_alone_takes_out_only_so_many() {
        assert_eq!(least(&[Unwell, Well], 50), Some(Well));
        assert_eq!(least(&[Unwell, Unwell, Well], 50), Some(Unwell));
        assert_eq!(least(&[Unwell, Unwell, Well], 70), Some(Well));
        assert_eq!(least(&[Unwell, Well, Well, Well], 10), Some(Unwell));
        assert_eq!(least(&[Unwell, Unwell], 100), Some(Unwell));
        // The dead and the draining are not out for their health.
        assert_eq!(least(&[Unwell, Well, Out, Kept], 50), Some(Well));
    }

    #[test]
    fn who_comes_and_goes_waits() {
        let mut flaps = Flaps::default();
        flaps.lost(1_000, 1);
        assert!(!flaps.damped(1_000, 1));
        for second in 2..5 {
            flaps.lost(second * 1_000, 1);
        }
        assert!(flaps.damped(4_000, 1));
        // 4000, then 2000, then 1000.
        assert!(flaps.damped(11_000, 1));
        assert!(flaps.damped(20_999, 1));
        assert!(!flaps.damped(21_000, 1));
        assert!(!flaps.damped(u64::MAX, 1));
        // Once in a while is nothing.
        for minute in 0..100 {
            flaps.lost(minute * 60_000, 1);
            assert!(!flaps.damped(minute * 60_000, 1));
        }
    }
}
