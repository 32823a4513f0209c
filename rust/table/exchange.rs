// SPDX-License-Identifier: GPL-2.0

//! What the owner of a relayed connection follows of its requests and responses, by connection.
//!
//! The rules are in [`crate::decide::exchange`]; how several CPUs change one at once, in [`followed`].

use kernel::{
    prelude::*,
    sync::rcu::Guard, //
};

use crate::{
    decide::{
        exchange::Exchange,
        limits, //
    },
    kapi::hash::{Ref, Table, Walk},
    wire::addr::Tuple,
};

mod followed;

pub(crate) use followed::Followed;

/// All of them.
pub(crate) struct Exchanges(Table<Tuple, Followed>);

impl Exchanges {
    /// An empty table. Process context.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Table::new(limits::FLOWS_CEILING)?))
    }

    /// Begins to follow a connection whose first request begins at the client's number `first`. Any
    /// context.
    ///
    /// # Errors
    ///
    /// Those of the table: then it is not followed.
    pub(crate) fn begin(&self, guard: &Guard, tuple: &Tuple, from: Exchange, first: u32) -> Result {
        self.end(guard, tuple);
        // Before the first request there is nothing to tell.
        self.0.insert(guard, tuple, Followed::new(from, first))?;
        Ok(())
    }

    /// The exchange of a connection. Any context.
    pub(crate) fn get<'g>(
        &'g self,
        guard: &'g Guard,
        tuple: &Tuple,
    ) -> Option<Ref<'g, Tuple, Followed>> {
        self.0.get(guard, tuple)
    }

    /// Follows a connection no longer. Any context.
    pub(crate) fn end(&self, guard: &Guard, tuple: &Tuple) {
        if let Some(entry) = self.0.get(guard, tuple) {
            self.0.remove(guard, entry);
        }
    }

    /// Goes through all of them. Process context.
    pub(crate) fn walk(&self) -> Result<Walk<'_, Tuple, Followed>> {
        self.0.walk()
    }
}
