// SPDX-License-Identifier: GPL-2.0

//! The bytes that were put into a response, kept until the client has acknowledged them: a
//! retransmission gets the same bytes whatever the configuration says by then.

use kernel::{
    prelude::*,
    sync::rcu::Guard, //
};

use crate::{
    decide::limits,
    kapi::hash::{Ref, Table},
    wire::addr::Tuple, //
};

/// Inserted bytes of one flow.
pub(crate) struct Inserted {
    len: u16,
    bytes: [u8; limits::INSERT_MAX as usize],
}

impl Inserted {
    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// The inserts that are not acknowledged yet, by flow.
pub(crate) struct Inserts(Table<Tuple, Inserted>);

impl Inserts {
    /// An empty table. Process context.
    pub(crate) fn new(max: u32) -> Result<Self> {
        Ok(Self(Table::new(max)?))
    }

    /// Stores the bytes of a flow in place of older ones. Any context.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` when they are too long, else those of the table.
    pub(crate) fn store(&self, guard: &Guard, flow: &Tuple, bytes: &[u8]) -> Result {
        let mut new = Inserted {
            len: u16::try_from(bytes.len()).map_err(|_| EMSGSIZE)?,
            bytes: [0; limits::INSERT_MAX as usize],
        };
        if bytes.len() > new.bytes.len() {
            return Err(EMSGSIZE);
        }
        for (to, from) in new.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.forget(guard, flow);
        self.0.insert(guard, flow, new)?;
        Ok(())
    }

    /// The bytes of a flow. Any context.
    pub(crate) fn get<'g>(
        &'g self,
        guard: &'g Guard,
        flow: &Tuple,
    ) -> Option<Ref<'g, Tuple, Inserted>> {
        self.0.get(guard, flow)
    }

    /// Drops the bytes of a flow. Any context.
    pub(crate) fn forget(&self, guard: &Guard, flow: &Tuple) {
        if let Some(entry) = self.0.get(guard, flow) {
            self.0.remove(guard, entry);
        }
    }
}
