// SPDX-License-Identifier: GPL-2.0

//! Network devices: names, numbers, and the news that one goes.
//!
//! C header: `include/linux/netdevice.h`.

use core::marker::PhantomData;
use kernel::{
    bindings,
    prelude::*,
    str::CStr, //
};

use super::{ffi, pernet::NetNs};

/// A device name, NUL-terminated inside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) [u8; 16]);

impl Name {
    /// The name as text; empty when it has no NUL.
    pub(crate) fn as_cstr(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

/// Why a device cannot be attached.
pub(crate) enum Refused {
    /// There is no such device in the namespace.
    NoDevice,
    /// It is a port or slave; traffic belongs to this upper device.
    HasUpper(Name),
}

/// Whether a device can carry a hook, and its name. Process context.
pub(crate) fn check(ns: NetNs, ifindex: u32) -> Result<Name, Refused> {
    let mut name = Name([0; 16]);
    // SAFETY: The namespace is alive; the name has IFNAMSIZ bytes.
    match unsafe { ffi::homing_dev_check(ns.as_ptr(), ifindex as i32, name.0.as_mut_ptr()) } {
        0 => Ok(name),
        e if e == EBUSY.to_errno() => Err(Refused::HasUpper(name)),
        _ => Err(Refused::NoDevice),
    }
}

/// The number of a device by its name. Process context.
pub(crate) fn index(ns: NetNs, name: &Name) -> Option<u32> {
    let name = name.as_cstr();
    // SAFETY: The namespace is alive; the name is NUL-terminated.
    let i = unsafe { ffi::homing_dev_index(ns.as_ptr(), name.as_char_ptr().cast()) };
    u32::try_from(i).ok()
}

/// Who wants to know that a device goes.
pub(crate) trait DeviceGone: 'static {
    /// Called under RTNL before the device is destroyed or leaves the namespace.
    fn device_gone(ns: NetNs, ifindex: u32);
}

extern "C" fn gone<T: DeviceGone>(net: *mut bindings::net, ifindex: c_int) {
    // SAFETY: The notifier gives a device of a live namespace.
    if let (Some(ns), Ok(i)) = (unsafe { NetNs::from_ptr(net) }, u32::try_from(ifindex)) {
        T::device_gone(ns, i);
    }
}

/// Reports device removal to `T` until dropped. `shim.c` has room for one.
pub(crate) struct Notifier<T: DeviceGone>(PhantomData<fn(T)>);

impl<T: DeviceGone> Notifier<T> {
    /// Process context.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The function stays valid: the notifier is taken out when this is dropped.
        kernel::error::to_result(unsafe { ffi::homing_notifier_register(Some(gone::<T>)) })?;
        Ok(Self(PhantomData))
    }
}

impl<T: DeviceGone> Drop for Notifier<T> {
    fn drop(&mut self) {
        // SAFETY: Registered by `new`.
        unsafe { ffi::homing_notifier_unregister() };
    }
}
