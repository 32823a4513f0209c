// SPDX-License-Identifier: GPL-2.0
//! What is owed to a connection whose first bytes are held, and when.
//!
//! Speaks to RFC 9293 section 3.8.6.3 and RFC 1122 section 4.2.3.4 (a sender that waits for an
//! acknowledgement before it sends a small segment, Nagle's algorithm).
//!
//! Held bytes are not acknowledged: as long as they are not, the client would send them again.
//! But a client may wait for the acknowledgement before it sends the rest of its request. So when
//! one is silent for a moment in the middle of its head, what is held is acknowledged. From then
//! on the client has forgotten these bytes, and they are ours to deliver: they are given to the
//! owner again and again until its socket has them, or the client is told by a RST.
//!
//! Times are milliseconds of a clock that never goes back. Offsets count from the first byte of
//! the stream.

use crate::decide::limits::DECIDED_MS;
use crate::decide::limits::HOLD_AGAIN_MS;
use crate::decide::limits::HOLD_IDLE_MS;
use crate::decide::limits::HOLD_RESEND_MAX_MS;
use crate::decide::limits::HOLD_RESEND_MS;
use crate::decide::limits::HOLD_STALL_MS;
use crate::decide::limits::HOLD_TOTAL_MS;
use crate::wire::control::Report;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// Acknowledge everything up to the first gap.
    Acknowledge,
    /// Decide with what is there.
    Decide,
    /// Decide on the head once more.
    DecideAgain,
    /// Give the bytes to the owner again.
    Give,
    /// Tell the client that its connection is lost.
    GiveUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The head is being read.
    Reading,
    /// The head has been read, and its owner is waited for.
    Postponed { next_ms: u64 },
    /// The owner is known.
    Given {
        since_ms: u64,
        next_ms: u64,
        wait_ms: u64,
    },
}

/// The clock and the debt of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    phase: Phase,
    since_ms: u64,
    last_ms: u64,
    /// Bytes that the client has been told we have.
    acked: u32,
    /// Bytes that the owner's socket has.
    delivered: u32,
}

impl Hold {
    /// A connection whose first segment comes now.
    pub const fn new(now_ms: u64) -> Self {
        Self {
            phase: Phase::Reading,
            since_ms: now_ms,
            last_ms: now_ms,
            acked: 0,
            delivered: 0,
        }
    }

    /// When the first segment came.
    pub const fn since_ms(&self) -> u64 {
        self.since_ms
    }

    /// Bytes that were acknowledged to the client, and that it will not send again.
    pub const fn acked(&self) -> u32 {
        self.acked
    }

    /// Bytes that the owner's socket is known to have.
    pub const fn delivered(&self) -> u32 {
        self.delivered
    }

    /// Whether the owner is known.
    pub const fn is_given(&self) -> bool {
        matches!(self.phase, Phase::Given { .. })
    }

    /// A segment with data has come while the head is read; `head` bytes are held without a gap.
    /// Whether to acknowledge them at once: who has waited for us once would do so again, and one
    /// that repeats what was acknowledged has not heard it.
    pub fn on_data(&mut self, now_ms: u64, head: u32) -> bool {
        self.last_ms = now_ms;
        let owed = self.acked > 0 && !self.is_given();
        if owed {
            self.acked = self.acked.max(head);
        }
        owed
    }

    /// The head has been read, and who shall have it is to be decided later.
    pub fn on_postponed(&mut self, now_ms: u64) {
        self.phase = Phase::Postponed {
            next_ms: now_ms.saturating_add(HOLD_AGAIN_MS),
        };
    }

    /// Whether the head has been read and its owner is waited for.
    pub const fn is_postponed(&self) -> bool {
        matches!(self.phase, Phase::Postponed { .. })
    }

    /// The bytes have been given to the owner for the first time.
    pub fn on_given(&mut self, now_ms: u64) {
        self.phase = Phase::Given {
            since_ms: now_ms,
            next_ms: now_ms.saturating_add(HOLD_RESEND_MS),
            wait_ms: HOLD_RESEND_MS,
        };
    }

    /// The owner has said what its socket has; `start` is the sequence number of the first byte.
    /// Whether the debt is paid: then the connection need not be kept here.
    pub fn on_report(&mut self, report: Report, start: u32) -> bool {
        match report {
            Report::NotYet => {}
            Report::Over => self.delivered = self.delivered.max(self.acked),
            Report::Has(next) => {
                // A socket cannot be behind the start; what is ahead by 2 GiB has wrapped.
                let has = next.wrapping_sub(start);
                if has <= i32::MAX as u32 {
                    self.delivered = self.delivered.max(has);
                }
            }
        }
        self.delivered >= self.acked
    }

    /// When [`Hold::on_due`] is to be called. `scale` multiplies the bounds, not the short times.
    pub fn due_ms(&self, head: u32, scale: u64) -> u64 {
        match self.phase {
            Phase::Reading => {
                let end = self.end_ms(scale);
                if head > self.acked {
                    end.min(self.stall_ms())
                } else {
                    end
                }
            }
            Phase::Postponed { next_ms } => next_ms,
            Phase::Given {
                since_ms, next_ms, ..
            } => next_ms.min(since_ms.saturating_add(DECIDED_MS.saturating_mul(scale))),
        }
    }

    /// The time has come, or perhaps not. After [`Due::Acknowledge`] and [`Due::Give`] it is
    /// taken as done.
    pub fn on_due(&mut self, now_ms: u64, head: u32, scale: u64) -> Due {
        let (end_ms, stall_ms) = (self.end_ms(scale), self.stall_ms());
        match &mut self.phase {
            Phase::Reading if now_ms >= end_ms => Due::Decide,
            Phase::Reading if head > self.acked && now_ms >= stall_ms => {
                self.acked = head;
                Due::Acknowledge
            }
            Phase::Postponed { next_ms } if now_ms >= *next_ms => Due::DecideAgain,
            Phase::Reading | Phase::Postponed { .. } => Due::Nothing,
            Phase::Given { since_ms, .. }
                if now_ms.saturating_sub(*since_ms) >= DECIDED_MS.saturating_mul(scale) =>
            {
                Due::GiveUp
            }
            Phase::Given {
                next_ms, wait_ms, ..
            } if now_ms >= *next_ms => {
                *wait_ms = wait_ms.saturating_mul(2).min(HOLD_RESEND_MAX_MS);
                *next_ms = now_ms.saturating_add(*wait_ms);
                Due::Give
            }
            Phase::Given { .. } => Due::Nothing,
        }
    }

    fn end_ms(&self, scale: u64) -> u64 {
        let idle = HOLD_IDLE_MS.saturating_mul(scale);
        let all = HOLD_TOTAL_MS.saturating_mul(scale);
        let idle = self.last_ms.saturating_add(idle);
        idle.min(self.since_ms.saturating_add(all))
    }

    fn stall_ms(&self) -> u64 {
        self.last_ms.saturating_add(HOLD_STALL_MS)
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_hold))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn a_silent_client_is_acknowledged_once_and_then_at_once() {
        let mut h = Hold::new(1000);
        assert!(!h.on_data(1000, 5));
        assert_eq!(h.due_ms(5, 1), 1000 + HOLD_STALL_MS);
        assert_eq!(h.on_due(1000 + HOLD_STALL_MS - 1, 5, 1), Due::Nothing);
        // Still sending: the moment begins again.
        assert!(!h.on_data(1010, 9));
        assert_eq!(h.on_due(1000 + HOLD_STALL_MS, 9, 1), Due::Nothing);
        assert_eq!(h.on_due(1010 + HOLD_STALL_MS, 9, 1), Due::Acknowledge);
        assert_eq!(h.acked(), 9);
        assert_eq!(h.on_due(1010 + HOLD_STALL_MS, 9, 1), Due::Nothing);
        assert_eq!(h.due_ms(9, 1), 1010 + HOLD_IDLE_MS);
        assert!(h.on_data(1100, 30));
        assert_eq!(h.acked(), 30);
        // Our acknowledgement was lost.
        assert!(h.on_data(1300, 30));
        assert_eq!(h.due_ms(30, 1), 1300 + HOLD_IDLE_MS);
    }

    #[test]
    fn what_lies_behind_a_gap_is_not_acknowledged() {
        let mut h = Hold::new(0);
        assert!(!h.on_data(0, 0));
        assert_eq!(h.due_ms(0, 1), HOLD_IDLE_MS);
        assert_eq!(h.on_due(500, 0, 1), Due::Nothing);
        assert_eq!(h.on_due(HOLD_IDLE_MS, 0, 1), Due::Decide);
    }

    #[test]
    fn reading_ends() {
        let mut h = Hold::new(0);
        for t in 1..=11 {
            h.on_data(t * 900, t as u32);
        }
        assert_eq!(h.due_ms(0, 1), HOLD_TOTAL_MS);
        assert_eq!(h.on_due(HOLD_TOTAL_MS, 11, 1), Due::Decide);
        assert_eq!(h.on_due(HOLD_TOTAL_MS, 11, 2), Due::Acknowledge);
        assert_eq!(h.due_ms(11, 10), 11 * 900 + 10 * HOLD_IDLE_MS);
    }

    #[test]
    fn who_shall_have_it_is_asked_again() {
        let mut h = Hold::new(0);
        h.on_data(0, 40);
        assert_eq!(h.on_due(HOLD_STALL_MS, 40, 1), Due::Acknowledge);
        h.on_postponed(100);
        assert!(h.is_postponed() && !h.is_given());
        // What comes meanwhile is acknowledged as before.
        assert!(h.on_data(150, 50));
        assert_eq!(h.due_ms(50, 1), 100 + HOLD_AGAIN_MS);
        assert_eq!(h.on_due(99 + HOLD_AGAIN_MS, 50, 1), Due::Nothing);
        assert_eq!(h.on_due(100 + HOLD_AGAIN_MS, 50, 1), Due::DecideAgain);
        h.on_given(400);
        assert!(h.is_given() && !h.is_postponed());
    }

    #[test]
    fn a_debt_is_paid_by_the_owners_socket() {
        let start = u32::MAX - 10;
        let mut h = Hold::new(0);
        h.on_data(0, 40);
        assert_eq!(h.on_due(HOLD_STALL_MS, 40, 1), Due::Acknowledge);
        h.on_given(100);
        assert!(h.is_given());
        // What comes later is queued, not acknowledged.
        assert!(!h.on_data(101, 50));
        assert_eq!(h.acked(), 40);
        assert!(!h.on_report(Report::NotYet, start));
        assert_eq!(h.due_ms(50, 1), 100 + HOLD_RESEND_MS);
        assert_eq!(h.on_due(100 + HOLD_RESEND_MS, 50, 1), Due::Give);
        assert_eq!(h.due_ms(50, 1), 100 + 3 * HOLD_RESEND_MS);
        assert!(!h.on_report(Report::Has(start.wrapping_add(39)), start));
        assert_eq!(h.delivered(), 39);
        // An older report that comes late changes nothing; nor does one from before the start.
        assert!(!h.on_report(Report::Has(start), start));
        assert!(!h.on_report(Report::Has(start.wrapping_sub(1)), start));
        assert_eq!(h.delivered(), 39);
        assert!(h.on_report(Report::Has(start.wrapping_add(1000)), start));
    }

    #[test]
    fn an_owner_that_stays_silent_is_given_up() {
        let mut h = Hold::new(0);
        h.on_data(0, 40);
        assert_eq!(h.on_due(HOLD_STALL_MS, 40, 1), Due::Acknowledge);
        h.on_given(100);
        let (mut now, mut given) = (100, 0);
        loop {
            let due = h.due_ms(40, 1);
            assert!(due > now && due <= now + HOLD_RESEND_MAX_MS);
            now = due;
            match h.on_due(now, 40, 1) {
                Due::Give => given += 1,
                other => {
                    assert_eq!(other, Due::GiveUp);
                    break;
                }
            }
        }
        assert_eq!(now, 100 + DECIDED_MS);
        assert!(given > 60 && given < 80);
        let mut over = h;
        assert!(over.on_report(Report::Over, 0));
    }
}
