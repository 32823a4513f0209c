// SPDX-License-Identifier: GPL-2.0

//! A walk through a hash table that a dump keeps between its calls, with the owner of the table.
//!
//! C header: `include/linux/rhashtable.h`.

use kernel::{
    prelude::*,
    sync::{
        rcu::Guard,
        Arc, //
    },
};

use crate::kapi::hash::{
    Key,
    Ref,
    Walk, //
};

/// A position in a table of `owner`.
///
/// # Invariants
///
/// `walk` goes through a table inside `owner`, which is never moved out of its [`Arc`]. It is
/// declared first, so it is dropped first.
pub(crate) struct Listing<O, K: Key, V: Send + Sync + 'static> {
    walk: Walk<'static, K, V>,
    owner: Arc<O>,
}

// SAFETY: Between two calls of `next` the walk holds no lock and belongs to no thread.
unsafe impl<O: Send + Sync, K: Key, V: Send + Sync> Send for Listing<O, K, V> {}

impl<O, K: Key, V: Send + Sync + 'static> Listing<O, K, V> {
    /// Begins at the start of the table that `open` walks through. Process context.
    pub(crate) fn new(
        owner: Arc<O>,
        open: impl for<'t> FnOnce(&'t O) -> Result<Walk<'t, K, V>>,
    ) -> Result<Self> {
        let walk = open(&owner)?;
        // SAFETY: Only the lifetime changes. What the walk borrows from is kept alive by `owner`
        // and dropped after it, and the longer lifetime never leaves this value.
        let walk = unsafe { core::mem::transmute::<Walk<'_, K, V>, Walk<'static, K, V>>(walk) };
        // INVARIANT: As argued above.
        Ok(Self { walk, owner })
    }

    /// The owner of the table.
    pub(crate) fn owner(&self) -> &O {
        &self.owner
    }

    /// As [`Walk::next`].
    pub(crate) fn next(&mut self, mut each: impl FnMut(&O, &Guard, Ref<'_, K, V>) -> bool) -> bool {
        let owner = &*self.owner;
        self.walk.next(|guard, entry| each(owner, guard, entry))
    }
}
