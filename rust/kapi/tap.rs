// SPDX-License-Identifier: GPL-2.0

//! The device `homing0`: shows captures what the tunnel carries, and counts it.
//!
//! C headers: `include/linux/netdevice.h`; the part that packets pass is in `shim.c`.

use kernel::prelude::*;

use super::{ffi, pernet::NetNs};

/// The device of one namespace, up until this is dropped. Nothing is received or sent by it.
pub(crate) struct Tap(NetNs);

impl Tap {
    /// Makes the device. Process context; takes RTNL, so nothing may be held that a
    /// [`DeviceGone`](super::netdev::DeviceGone) takes. One at a time in a namespace.
    ///
    /// # Errors
    ///
    /// `EEXIST` when the namespace has a device of that name, `ENOMEM`.
    pub(crate) fn new(ns: NetNs) -> Result<Self> {
        // SAFETY: By its invariant the namespace is alive.
        kernel::error::to_result(unsafe { ffi::homing_tap_open(ns.as_ptr()) })?;
        Ok(Self(ns))
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        // SAFETY: By its invariant the namespace is alive; the device is that of `new`.
        unsafe { ffi::homing_tap_close(self.0.as_ptr()) };
    }
}
