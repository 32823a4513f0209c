// SPDX-License-Identifier: GPL-2.0

//! Sessions: the associations between a session and its home.
//!
//! An entry's home, origin and version change together, in one 64-bit word; its other fields
//! one by one. Which of two associations counts is decided in [`crate::decide::session`].

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Full, Relaxed},
        rcu::Guard, //
    },
};

use crate::{
    decide::session::{combine, merge, Merge},
    kapi::hash::{Inserted, Ref, Table, Walk},
    wire::control::Association, //
};

/// Key of a session: the first 16 bytes of its id.
pub(crate) type Key = [u8; 16];

/// One session.
pub(crate) struct Session {
    /// version << 32 | home << 16 | origin.
    place: Atomic<u64>,
    created: u32,
    /// Seconds of the farm's clock.
    used: Atomic<u32>,
    group: u16,
    /// [`Association`]'s flags.
    flags: Atomic<u32>,
}

fn place(a: &Association) -> u64 {
    u64::from(a.version) << 32 | u64::from(a.home) << 16 | u64::from(a.origin)
}

impl Session {
    fn new(a: &Association) -> Self {
        Self {
            place: Atomic::new(place(a)),
            created: a.created,
            used: Atomic::new(a.last_used),
            group: a.group,
            flags: Atomic::new(u32::from(a.flags)),
        }
    }

    /// The whole association.
    pub(crate) fn association(&self, key: &Key) -> Association {
        let place = self.place.load(Relaxed);
        Association {
            key: *key,
            home: (place >> 16) as u16,
            origin: place as u16,
            version: (place >> 32) as u32,
            created: self.created,
            last_used: self.used.load(Relaxed),
            group: self.group,
            flags: self.flags.load(Relaxed) as u8,
        }
    }

    /// Notes a request at `now` (seconds). Written only when it changes, so that a busy session's
    /// cache line stays quiet.
    pub(crate) fn touch(&self, now: u32) {
        if self.used.load(Relaxed) != now {
            self.used.store(now, Relaxed);
        }
    }

    /// Notes that the client has shown the id; whether that is news.
    pub(crate) fn confirm(&self) -> bool {
        let flag = u32::from(Association::CONFIRMED);
        let old = self.flags.load(Relaxed);
        old & flag == 0 && self.flags.cmpxchg(old, old | flag, Full).is_ok()
    }
}

/// What [`Sessions::apply`] did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was not known.
    New,
    /// It replaced, or added to, what was known: this.
    Changed(Association),
    /// It is older, or known: this is.
    Stale(Association),
    /// There is no room or no memory.
    Full,
}

/// All sessions.
pub(crate) struct Sessions(Table<Key, Session>);

impl Sessions {
    /// An empty table for at most `max` sessions. Process context.
    pub(crate) fn new(max: u32) -> Result<Self> {
        Ok(Self(Table::new(max)?))
    }

    /// How many there are, tombstones included.
    pub(crate) fn len(&self) -> u32 {
        self.0.len()
    }

    /// Changes the ceiling; what is beyond a lower one stays until it expires. Any context.
    pub(crate) fn set_max(&self, max: u32) {
        self.0.set_max(max);
    }

    /// What is known of a session. Any context.
    pub(crate) fn get<'g>(&'g self, guard: &'g Guard, key: &Key) -> Option<Ref<'g, Key, Session>> {
        self.0.get(guard, key)
    }

    /// Stores an association unless a newer one is known. Any context.
    pub(crate) fn apply(&self, guard: &Guard, new: &Association) -> Applied {
        let entry = match self.0.insert(guard, &new.key, Session::new(new)) {
            Ok(Inserted::New(_)) => return Applied::New,
            Ok(Inserted::Existing(entry)) => entry,
            Err(_) => match self.0.get(guard, &new.key) {
                Some(entry) => entry,
                None => return Applied::Full,
            },
        };
        // Bounded: whoever wins a race has stored something at least as new.
        for _ in 0..4 {
            let old = entry.association(&new.key);
            if merge(Some(&old), new) == Merge::Ignore {
                return Applied::Stale(old);
            }
            let both = combine(Some(&old), new);
            if entry.place.cmpxchg(place(&old), place(&both), Full).is_ok() {
                // Flags of another version do not carry over, but "ended" always does.
                entry.flags.store(u32::from(both.flags), Relaxed);
                entry.used.store(both.last_used, Relaxed);
                return Applied::Changed(old);
            }
        }
        Applied::Stale(entry.association(&new.key))
    }

    /// Takes a session out. Any context.
    pub(crate) fn remove(&self, guard: &Guard, entry: Ref<'_, Key, Session>) -> bool {
        self.0.remove(guard, entry)
    }

    /// Goes through all of them. Process context.
    pub(crate) fn walk(&self) -> Result<Walk<'_, Key, Session>> {
        self.0.walk()
    }
}
