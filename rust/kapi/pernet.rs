// SPDX-License-Identifier: GPL-2.0

//! One value for each network namespace.
//!
//! C header: `include/net/net_namespace.h`.

use core::{
    any::TypeId,
    ffi::c_void,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::{Arc, ArcBorrow}, //
};

use super::ffi;
use crate::wire::addr::Addr;

/// A network namespace.
///
/// # Invariants
///
/// The namespace is alive: this value is only given to the state of a namespace ([`PerNet`]) and
/// to callbacks inside it, and the state ends before the namespace does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct NetNs(NonNull<bindings::net>);

// SAFETY: A namespace may be used from any thread; see the functions for their locking.
unsafe impl Send for NetNs {}
// SAFETY: As above.
unsafe impl Sync for NetNs {}

impl NetNs {
    /// The C pointer, for other files of `kapi`.
    pub(super) fn as_ptr(self) -> *mut bindings::net {
        self.0.as_ptr()
    }

    /// # Safety
    ///
    /// `net` is alive for as long as the result is used.
    pub(super) unsafe fn from_ptr(net: *mut bindings::net) -> Option<Self> {
        // INVARIANT: By the caller's promise.
        NonNull::new(net).map(Self)
    }

    /// Whether `addr` is configured on this host. Any context.
    pub(crate) fn is_local(self, addr: &Addr) -> bool {
        // SAFETY: By the invariant; an address has the 16 bytes that are read.
        unsafe { ffi::homing_addr_is_local(self.as_ptr(), addr.0.as_ptr()) }
    }
}

/// State that each network namespace has.
pub(crate) trait PerNet: Send + Sync + Sized + 'static {
    /// Makes the state of a new namespace. Process context.
    fn new(ns: NetNs) -> Result<Arc<Self>>;

    /// The namespace is going: take out hooks, sockets, timers and whatever else holds the state.
    /// Readers under RCU may go on until a grace period later.
    fn pre_exit(this: ArcBorrow<'_, Self>);
}

extern "C" fn init<T: PerNet>(net: *mut bindings::net, state: *mut *mut c_void) -> c_int {
    let Some(ns) = NonNull::new(net).map(NetNs) else {
        return EINVAL.to_errno();
    };
    match T::new(ns) {
        Ok(new) => {
            // SAFETY: The C side gives a valid place for the pointer.
            unsafe { *state = Arc::into_raw(new).cast_mut().cast() };
            0
        }
        Err(e) => e.to_errno(),
    }
}

extern "C" fn pre_exit<T: PerNet>(state: *mut c_void) {
    // SAFETY: From `Arc::into_raw` in `init`, alive until `exit`.
    T::pre_exit(unsafe { ArcBorrow::from_raw(state.cast::<T>().cast_const()) });
}

extern "C" fn exit<T: PerNet>(state: *mut c_void) {
    // SAFETY: From `Arc::into_raw` in `init`, and `exit` runs once.
    drop(unsafe { Arc::from_raw(state.cast::<T>().cast_const()) });
}

/// Which type is registered: `shim.c` has room for one.
static TYPE: kernel::sync::SetOnce<TypeId> = kernel::sync::SetOnce::new();

/// Keeps `T` in every namespace until dropped.
pub(crate) struct Registration<T: PerNet>(PhantomData<fn(T)>);

impl<T: PerNet> Registration<T> {
    /// Makes a `T` for each namespace, now and later. Process context.
    ///
    /// # Errors
    ///
    /// Those of `T::new`; `EBUSY` for a second registration.
    pub(crate) fn new() -> Result<Self> {
        if !TYPE.populate(TypeId::of::<T>()) {
            return Err(EBUSY);
        }
        // SAFETY: The three functions agree on what the state pointer is.
        kernel::error::to_result(unsafe {
            ffi::homing_pernet_register(Some(init::<T>), Some(pre_exit::<T>), Some(exit::<T>))
        })?;
        Ok(Self(PhantomData))
    }
}

impl<T: PerNet> Drop for Registration<T> {
    fn drop(&mut self) {
        // SAFETY: Registered by `new`, once.
        unsafe { ffi::homing_pernet_unregister() };
    }
}

/// The state of a namespace. `None` when it is going.
pub(crate) fn of<T: PerNet>(ns: NetNs) -> Option<Arc<T>> {
    if TYPE.as_ref() != Some(&TypeId::of::<T>()) {
        return None;
    }
    // SAFETY: By the invariant of `NetNs` the namespace is alive.
    let state = unsafe { ffi::homing_pernet(ns.as_ptr()) };
    if state.is_null() {
        return None;
    }
    // SAFETY: From `Arc::into_raw`; the type was checked; alive while the namespace is.
    Some(unsafe { ArcBorrow::from_raw(state.cast::<T>().cast_const()) }.into())
}
