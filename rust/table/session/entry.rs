// SPDX-License-Identifier: GPL-2.0

//! One session as several CPUs change it at once, without a lock.
//!
//! Each word only grows, as [`crate::decide::session::combine`] says: none can undo what another CPU
//! has just written. Whoever takes an entry out of its table marks it first. A change is written before
//! the mark is looked at, and the mark before the change is: one of the two sees the other.
//!
//! `rust/tests/lock_free.rs` tries every order of these steps.

use kernel::sync::atomic::{Atomic, Full};

use crate::{
    decide::session::{place, rank},
    kapi::once,
    wire::control::Association, //
};

/// It is being taken out; above the flags of an association.
const RETIRED: u32 = 1 << 31;

/// The flags that are not in the rank.
fn beside(a: &Association) -> u32 {
    u32::from(a.flags & !Association::ENDED)
}

/// One session.
pub(crate) struct Session {
    /// [`rank`].
    rank: Atomic<u64>,
    created: u32,
    /// Seconds of the farm's clock.
    used: Atomic<u32>,
    group: u16,
    /// [`Association`]'s flags but the end, which is in the rank; and [`RETIRED`].
    flags: Atomic<u32>,
}

impl Session {
    /// As an association says.
    pub(super) fn new(a: &Association) -> Self {
        Self {
            rank: Atomic::new(rank(a)),
            created: a.created,
            used: Atomic::new(a.last_used),
            group: a.group,
            flags: Atomic::new(beside(a)),
        }
    }

    /// The whole association.
    pub(crate) fn association(&self, key: &[u8; 16]) -> Association {
        self.whole(
            key,
            once::read(&self.rank),
            once::read(&self.used),
            once::read(&self.flags),
        )
    }

    /// Its group. That never changes.
    pub(crate) fn group(&self) -> u16 {
        self.group
    }

    fn whole(&self, key: &[u8; 16], rank: u64, used: u32, flags: u32) -> Association {
        let (over, version, origin, home) = place(rank);
        let end = if over { Association::ENDED } else { 0 };
        Association {
            key: *key,
            home,
            origin,
            version,
            created: self.created,
            last_used: used,
            group: self.group,
            flags: flags as u8 | end,
        }
    }

    /// Notes a request at `now` (seconds). Written only when it changes, so that a busy session's
    /// cache line stays quiet.
    pub(crate) fn touch(&self, now: u32) {
        if once::read(&self.used) != now {
            once::write(&self.used, now);
        }
    }

    /// Notes that the client has shown the id; whether that is news.
    pub(crate) fn confirm(&self) -> bool {
        let flag = u32::from(Association::CONFIRMED);
        if once::read(&self.flags) & flag != 0 {
            return false;
        }
        self.add(flag) & flag == 0
    }

    /// Adds what `new` says: what was known, and what is. `None` when the entry is being taken out; it
    /// must be stored anew then.
    pub(super) fn join(&self, new: &Association) -> Option<(Association, Association)> {
        let (said, wanted) = (rank(new), beside(new));
        let flags = once::read(&self.flags);
        if flags & RETIRED != 0 {
            return None;
        }
        let old_rank = self.raise(said);
        let old_used = once::read(&self.used);
        if new.last_used > old_used {
            // Two CPUs at once: one time of use may be lost to an earlier one, of about now.
            once::write(&self.used, new.last_used);
        }
        let old_flags = if said > old_rank || wanted & !flags != 0 {
            // Also when no flag is new: the mark is to be looked at after the change.
            self.add(wanted)
        } else {
            flags
        };
        if old_flags & RETIRED != 0 {
            return None;
        }
        let (rank, used) = (old_rank.max(said), old_used.max(new.last_used));
        Some((
            self.whole(&new.key, old_rank, old_used, old_flags),
            self.whole(&new.key, rank, used, old_flags | wanted),
        ))
    }

    /// Marks the entry as one that is being taken out: what it says at last. `None` when somebody else
    /// has.
    pub(super) fn retire(&self, key: &[u8; 16]) -> Option<Association> {
        if self.add(RETIRED) & RETIRED != 0 {
            return None;
        }
        Some(self.association(key))
    }

    /// Raises the rank; what it was.
    fn raise(&self, to: u64) -> u64 {
        let mut old = once::read(&self.rank);
        while to > old {
            match self.rank.cmpxchg(old, to, Full) {
                Ok(_) => break,
                Err(other) => old = other,
            }
        }
        old
    }

    /// Adds flags; what they were. Orders all accesses before and after it.
    fn add(&self, flags: u32) -> u32 {
        let mut old = once::read(&self.flags);
        loop {
            match self.flags.cmpxchg(old, old | flags, Full) {
                Ok(_) => return old,
                Err(other) => old = other,
            }
        }
    }
}
