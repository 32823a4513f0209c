// SPDX-License-Identifier: GPL-2.0

//! Sessions: the associations between a session and its home, by key.
//!
//! Which of two associations counts is decided in [`crate::decide::session`]; how several CPUs change
//! one at once, in [`entry`].

use kernel::{
    prelude::*,
    sync::rcu::Guard, //
};

use crate::{
    kapi::hash::{Inserted, Ref, Table, Walk},
    wire::control::Association, //
};

mod entry;

pub(crate) use entry::Session;

/// Key of a session: the first 16 bytes of its id.
pub(crate) type Key = [u8; 16];

/// What [`Sessions::apply`] did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was not known.
    New,
    /// It replaced, or added to, what was known.
    Changed {
        /// What was known.
        old: Association,
        /// What is.
        now: Association,
    },
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
        // Bounded: between two rounds somebody has taken the entry out.
        for _ in 0..4 {
            let entry = match self.0.insert(guard, &new.key, Session::new(new)) {
                Ok(Inserted::New(_)) => return Applied::New,
                Ok(Inserted::Existing(entry)) => entry,
                Err(_) => match self.0.get(guard, &new.key) {
                    Some(entry) => entry,
                    None => return Applied::Full,
                },
            };
            match entry.join(new) {
                Some((old, now)) if old == now => return Applied::Stale(now),
                Some((old, now)) => return Applied::Changed { old, now },
                // Whoever takes it out has not got to it yet.
                None => {
                    self.0.remove(guard, entry);
                }
            }
        }
        Applied::Full
    }

    /// Takes a session out if it still is what `seen` says; whether it was this call that did. Any
    /// context.
    pub(crate) fn remove(
        &self,
        guard: &Guard,
        entry: Ref<'_, Key, Session>,
        seen: &Association,
    ) -> bool {
        let Some(last) = entry.retire(entry.key()) else {
            return false;
        };
        let removed = self.0.remove(guard, entry);
        if last != *seen {
            // What came meanwhile is not lost with it.
            self.apply(guard, &last);
            return false;
        }
        removed
    }

    /// Goes through all of them. Process context.
    pub(crate) fn walk(&self) -> Result<Walk<'_, Key, Session>> {
        self.0.walk()
    }
}
