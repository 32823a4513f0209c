// SPDX-License-Identifier: GPL-2.0

//! What has happened and user space has not been told yet.
//!
//! A message to user space costs more than most packets: what happens on the packet path is noted
//! here, while somebody listens, and told by a job.

use kernel::prelude::*;

use crate::{kapi::lock::BhLock, wire::control::Association};

/// Why a session is told about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A home was selected.
    New,
    /// The client showed the id for the first time.
    Confirm,
    /// It has another home.
    Move,
    /// It was ended by an operator.
    End,
    /// A timeout has passed.
    Expire,
}

/// What has happened.
#[derive(Clone, Copy)]
pub(crate) enum Event {
    /// Something happened to a session.
    Session(Association, Cause),
    /// The state of the member with this id has changed.
    Member(u16),
    /// What the member with this id pushed was lost for too long; it tells everything again.
    Resync(u16),
}

/// How many are noted; what happens beyond that is lost, and those who listen are told so.
const MAX: usize = 4096;

/// How many are taken at once.
pub(crate) const TAKEN: usize = 32;

/// When noted events are to be told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// With those before it.
    Then,
    /// Soon: it is the first.
    Soon,
    /// Now: there will be no more room before long.
    Now,
}

/// The events, oldest first.
pub(crate) struct Untold(BhLock<Queue>);

/// # Invariants
///
/// `len` is not above the number of slots.
struct Queue {
    slots: KVVec<Event>,
    first: usize,
    len: usize,
    lost: bool,
}

impl Untold {
    /// Without room. Process context.
    pub(crate) fn new() -> Result<Self> {
        let queue = Queue {
            slots: KVVec::new(),
            first: 0,
            len: 0,
            lost: false,
        };
        Ok(Self(BhLock::new(queue, GFP_KERNEL)?))
    }

    /// Makes room; once. Process context.
    pub(crate) fn make_room(&self) -> Result {
        let slots = KVVec::from_elem(Event::Member(0), MAX, GFP_KERNEL)?;
        self.0.lock().slots = slots;
        Ok(())
    }

    /// Notes an event. Any context.
    pub(crate) fn push(&self, event: Event) -> When {
        let mut queue = self.0.lock();
        let queue = &mut *queue;
        let at = queue.first.wrapping_add(queue.len);
        let slot = at
            .checked_rem(queue.slots.len())
            .filter(|_| queue.len < queue.slots.len())
            .and_then(|at| queue.slots.get_mut(at));
        match slot {
            Some(slot) => *slot = event,
            None => {
                queue.lost = true;
                return When::Then;
            }
        }
        queue.len = queue.len.saturating_add(1);
        match queue.len {
            1 => When::Soon,
            n if n == MAX / 2 => When::Now,
            _ => When::Then,
        }
    }

    /// Takes the oldest. Any context.
    pub(crate) fn take(&self) -> ([Option<Event>; TAKEN], usize) {
        let mut out = [None; TAKEN];
        let mut queue = self.0.lock();
        let queue = &mut *queue;
        let mut taken = 0usize;
        for slot in &mut out {
            if queue.len == 0 {
                break;
            }
            *slot = queue.slots.get(queue.first).copied();
            let next = queue.first.wrapping_add(1);
            queue.first = next.checked_rem(queue.slots.len()).unwrap_or(0);
            queue.len = queue.len.saturating_sub(1);
            taken = taken.saturating_add(1);
        }
        (out, taken)
    }

    /// Whether some were lost since this was asked last. Any context.
    pub(crate) fn lost(&self) -> bool {
        core::mem::take(&mut self.0.lock().lost)
    }
}
