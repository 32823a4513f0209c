// SPDX-License-Identifier: GPL-2.0

//! Network devices: names, numbers, and the news that one goes or changes.
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
    /// It is a VRF: packets come to it behind the place where they are looked at.
    Vrf,
}

/// Whether a device can carry a hook, and its name. Process context.
pub(crate) fn check(ns: NetNs, ifindex: u32) -> Result<Name, Refused> {
    let mut name = Name([0; 16]);
    // SAFETY: The namespace is alive; the name has IFNAMSIZ bytes.
    match unsafe { ffi::homing_dev_check(ns.as_ptr(), ifindex as i32, name.0.as_mut_ptr()) } {
        0 => Ok(name),
        e if e == EBUSY.to_errno() => Err(Refused::HasUpper(name)),
        e if e == EINVAL.to_errno() => Err(Refused::Vrf),
        _ => Err(Refused::NoDevice),
    }
}

/// Makes a device fit to forward what it receives: what its hardware has merged could not be cut
/// again. Process context; takes RTNL.
pub(crate) fn prepare(ns: NetNs, ifindex: u32) {
    // SAFETY: The namespace is alive.
    unsafe { ffi::homing_dev_prepare(ns.as_ptr(), ifindex as i32) };
}

/// Whether a device is there, and up. Any context.
pub(crate) fn is_up(ns: NetNs, ifindex: u32) -> bool {
    // SAFETY: The namespace is alive.
    unsafe { ffi::homing_dev_up(ns.as_ptr(), ifindex as i32) }
}

/// The number of a device by its name. Process context.
pub(crate) fn index(ns: NetNs, name: &Name) -> Option<u32> {
    let name = name.as_cstr();
    // SAFETY: The namespace is alive; the name is NUL-terminated.
    let i = unsafe { ffi::homing_dev_index(ns.as_ptr(), name.as_char_ptr().cast()) };
    u32::try_from(i).ok()
}

/// Who wants to know of devices. Called under RTNL.
pub(crate) trait Watcher: 'static {
    /// The device is about to be destroyed or to leave the namespace.
    fn gone(ns: NetNs, ifindex: u32);
    /// It is up, or down.
    fn changed(ns: NetNs, ifindex: u32);
    /// Whether it is attached, and so must not become a part of another.
    fn is_attached(ns: NetNs, ifindex: u32) -> bool;
}

extern "C" fn event<T: Watcher>(net: *mut bindings::net, ifindex: c_int, what: u32) -> bool {
    // SAFETY: The notifier gives a device of a live namespace.
    let (Some(ns), Ok(i)) = (unsafe { NetNs::from_ptr(net) }, u32::try_from(ifindex)) else {
        return false;
    };
    match what {
        ffi::homing_dev_event_HOMING_DEV_GONE => T::gone(ns, i),
        ffi::homing_dev_event_HOMING_DEV_CHANGED => T::changed(ns, i),
        _ => return T::is_attached(ns, i),
    }
    false
}

/// Tells `T` of devices until dropped. `shim.c` has room for one.
pub(crate) struct Notifier<T: Watcher>(PhantomData<fn(T)>);

impl<T: Watcher> Notifier<T> {
    /// Process context.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: The function stays valid: the notifier is taken out when this is dropped.
        kernel::error::to_result(unsafe { ffi::homing_notifier_register(Some(event::<T>)) })?;
        Ok(Self(PhantomData))
    }
}

impl<T: Watcher> Drop for Notifier<T> {
    fn drop(&mut self) {
        // SAFETY: Registered by `new`.
        unsafe { ffi::homing_notifier_unregister() };
    }
}
