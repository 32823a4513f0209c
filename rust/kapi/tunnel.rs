// SPDX-License-Identifier: GPL-2.0

//! UDP sockets for farm traffic, one for each family, and sending through them.
//!
//! C headers: `include/net/udp_tunnel.h`, `include/net/dst_cache.h`.

use core::{
    ffi::c_void,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        rcu::{self, Guard},
        Arc,
    },
};

use super::{
    errno,
    ffi,
    pernet::NetNs,
    skb::Packet, //
};
use crate::wire::addr::Addr;

/// Who takes what arrives.
pub(crate) trait Receiver: 'static {
    /// What it works on.
    type State: Send + Sync + 'static;

    /// Takes a datagram: the packet starts at the UDP payload. Softirq; RCU is held; the UDP
    /// checksum has been verified, nothing else.
    fn receive(state: &Self::State, guard: &Guard, packet: Packet, from: Addr);
}

/// Open tunnel sockets on one UDP port.
///
/// # Invariants
///
/// `raw` is a live `homing_tunnel` whose `priv` is the address inside `_state`.
pub(crate) struct Tunnel<R: Receiver> {
    raw: NonNull<ffi::homing_tunnel>,
    _state: Arc<R::State>,
    _receiver: PhantomData<fn(R)>,
}

// SAFETY: The C side may be used from any thread; the state is `Send + Sync`.
unsafe impl<R: Receiver> Send for Tunnel<R> {}
// SAFETY: As above.
unsafe impl<R: Receiver> Sync for Tunnel<R> {}

/// A route to one peer, cached per CPU.
///
/// # Invariants
///
/// The pointer is a live `homing_route`, owned by this value.
pub(crate) struct Route(NonNull<ffi::homing_route>);

// SAFETY: The cache is per CPU, used with bottom halves off.
unsafe impl Send for Route {}
// SAFETY: As above.
unsafe impl Sync for Route {}

impl Route {
    /// An empty cache. Process context.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: No requirements.
        let p = unsafe { ffi::homing_route_new() };
        // INVARIANT: Ours alone.
        Ok(Self(NonNull::new(p).ok_or(ENOMEM)?))
    }

    /// Forgets the way: an address at one of its ends may have changed. Any context.
    pub(crate) fn reset(&self) {
        // SAFETY: By the invariant.
        unsafe { ffi::homing_route_reset(self.0.as_ptr()) };
    }

    /// Bytes of an IP packet that it carried when a datagram was last [sent](Tunnel::send); 0: never.
    /// Any context.
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: By the invariant.
        unsafe { ffi::homing_route_mtu(self.0.as_ptr()) }
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // SAFETY: By the invariant; nobody sends by a route that is being dropped.
        unsafe { ffi::homing_route_free(self.0.as_ptr()) };
    }
}

/// # Safety
///
/// For `shim.c` alone, with the state of a [`Tunnel`], a packet to keep and 16 bytes of its source.
unsafe extern "C" fn thunk<R: Receiver>(
    state: *mut c_void,
    skb: *mut bindings::sk_buff,
    src: *const u8,
    _port: u16,
) {
    let Some(skb) = NonNull::new(skb) else { return };
    // SAFETY: The C side gives the packet away.
    let packet = unsafe { Packet::from_raw(skb) };
    // SAFETY: 16 bytes of the sender's address.
    let from = Addr(unsafe { *src.cast::<[u8; 16]>() });
    // SAFETY: By the invariant of `Tunnel`: alive until the sockets are closed and readers gone.
    let state = unsafe { &*state.cast::<R::State>() };
    R::receive(state, &rcu::read_lock(), packet, from);
}

impl<R: Receiver> Tunnel<R> {
    /// Opens `port` in the namespace. Process context.
    ///
    /// # Errors
    ///
    /// `EADDRINUSE` when somebody has the port, `ENOMEM`.
    pub(crate) fn open(ns: NetNs, port: u16, state: Arc<R::State>) -> Result<Self> {
        let mut err = 0;
        let p = Arc::as_ptr(&state).cast_mut();
        // SAFETY: The namespace is alive; the thunk takes exactly this pointer.
        let raw = unsafe {
            ffi::homing_tunnel_new(ns.as_ptr(), port, Some(thunk::<R>), p.cast(), &mut err)
        };
        match NonNull::new(raw) {
            // INVARIANT: Open with the state's address.
            Some(raw) => Ok(Self {
                raw,
                _state: state,
                _receiver: PhantomData,
            }),
            None => Err(errno::of_socket(err)),
        }
    }

    /// Sends an inner packet with `header` (framing and options) in front. Any context. The
    /// source port comes from the caller, so that flows spread over receive queues. Answers whether
    /// it went whole; what does not fit the path goes in fragments.
    ///
    /// # Errors
    ///
    /// `EMSGSIZE` when no IP packet is long enough, `ENETUNREACH`, `ENOMEM`; the packet is gone.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn forward(
        &self,
        route: &Route,
        packet: Packet,
        l4: usize,
        header: &[u8],
        src: &Addr,
        dst: &Addr,
        ports: (u16, u16),
    ) -> Result<bool> {
        // SAFETY: By the invariants; slices give pointer and length; the packet is given away.
        let sent = unsafe {
            ffi::homing_tunnel_xmit(
                self.raw.as_ptr(),
                route.0.as_ptr(),
                packet.into_raw(),
                l4 as u32,
                header.as_ptr(),
                header.len() as u32,
                src.0.as_ptr(),
                dst.0.as_ptr(),
                ports.0,
                ports.1,
            )
        };
        kernel::error::to_result(sent).map(|()| sent == 0)
    }

    /// Sends a datagram of its own. Any context. With `fill` it is filled up to so many bytes, and
    /// never cut.
    ///
    /// # Errors
    ///
    /// As those of [`Self::forward`]; `EMSGSIZE` too for one that is filled up to more than the path
    /// carries.
    pub(crate) fn send(
        &self,
        route: &Route,
        bytes: &[u8],
        fill: usize,
        src: &Addr,
        dst: &Addr,
        port: u16,
    ) -> Result {
        // SAFETY: By the invariants; slices give pointer and length.
        kernel::error::to_result(unsafe {
            ffi::homing_tunnel_send(
                self.raw.as_ptr(),
                route.0.as_ptr(),
                bytes.as_ptr(),
                bytes.len() as u32,
                fill as u32,
                src.0.as_ptr(),
                dst.0.as_ptr(),
                port,
            )
        })
    }

    /// Takes `header_len` bytes of framing off, so that the packet starts at the inner network
    /// header. `None` (and the packet gone) when memory fails.
    pub(crate) fn unwrap(
        &self,
        mut packet: Packet,
        header_len: usize,
        ipv6: bool,
    ) -> Option<Packet> {
        // SAFETY: By the invariants; the packet is ours.
        let err = unsafe {
            ffi::homing_tunnel_pull(self.raw.as_ptr(), packet.raw(), header_len as u32, ipv6)
        };
        (err == 0).then_some(packet)
    }
}

impl<R: Receiver> Drop for Tunnel<R> {
    fn drop(&mut self) {
        // SAFETY: By the invariant; closing waits for receivers that still run.
        unsafe { ffi::homing_tunnel_free(self.raw.as_ptr()) };
    }
}
