// SPDX-License-Identifier: GPL-2.0

//! User space's way in, and what it is told.
//!
//! Functions here run in process context and may sleep; those of `events` run wherever something
//! happens and do not.

mod entry;
mod events;
mod netlink;

use kernel::prelude::*;

use crate::kapi::genl;

/// The netlink family. It comes last and goes first, so that no request meets a namespace without
/// its state; going waits for the requests that run.
pub(crate) struct Control {
    _family: genl::Registration,
}

impl Control {
    /// Opens the way.
    ///
    /// # Errors
    ///
    /// Those of the kernel when the family cannot be registered.
    pub(crate) fn new() -> Result<Self> {
        let family = genl::Registration::new()?;
        events::install();
        Ok(Self { _family: family })
    }
}
