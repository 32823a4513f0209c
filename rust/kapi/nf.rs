// SPDX-License-Identifier: GPL-2.0

//! Netfilter hooks: on a device's ingress, and on a namespace's way in and out.
//!
//! C headers: `include/linux/netfilter.h`, `include/linux/netfilter_netdev.h`.

use core::{
    ffi::c_void,
    marker::PhantomData,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        atomic::Atomic,
        rcu::Guard,
        Arc, //
    },
};

use super::{
    counters::Passed,
    errno::einprogress,
    ffi,
    pernet::NetNs,
    ports::Ports,
    rcu,
    skb::Packet, //
};

const NF_DROP: c_uint = 0;
const NF_ACCEPT: c_uint = 1;
const NF_STOLEN: c_uint = 2;

/// Where a hook sits.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Point {
    /// A device's ingress, before everything: nothing has been checked. Softirq.
    Ingress = ffi::homing_point_HOMING_INGRESS,
    /// First in PRE_ROUTING, for every device. Softirq.
    PreRouting = ffi::homing_point_HOMING_PRE_ROUTING,
    /// Last but one in LOCAL_IN: from here the path to TCP is synchronous. Softirq; process
    /// after NFQUEUE.
    LocalIn = ffi::homing_point_HOMING_LOCAL_IN,
    /// Last in LOCAL_OUT. Softirq or process with bottom halves on.
    LocalOut = ffi::homing_point_HOMING_LOCAL_OUT,
}

/// What lets packets pass that are plainly none of ours, before a [`Hook`] is asked: nearly all
/// packets of most hosts, so it has to be a glance.
pub(crate) struct Glance<'a> {
    /// The ports of services.
    pub(crate) ports: &'a Ports,
    /// How many connections are shifted: none, and PRE_ROUTING is not looked at.
    pub(crate) shifted: &'a Atomic<u32>,
    /// How packets at ingress are counted, all of them and those that pass.
    pub(crate) passed: Passed<'a>,
}

/// What hooks of one namespace share.
pub(crate) trait Glances: Send + Sync + 'static {
    /// What stays where it is for as long as this does. `None` cannot happen.
    fn glance(&self) -> Option<Glance<'_>>;
}

/// A hook's function.
pub(crate) trait Hook: 'static {
    /// What it works on.
    type State: Glances;

    /// What is read of every packet.
    type Read;

    /// Reads what is linear of a packet of `len` bytes.
    fn read(bytes: &[u8], len: usize) -> Self::Read;

    /// Decides on a packet. RCU is held. May not sleep.
    fn call(state: &Self::State, guard: &Guard, packet: HookPacket, read: Self::Read) -> Verdict;
}

/// What becomes of a packet; made only by consuming it, so each packet gets exactly one.
#[must_use]
pub(crate) struct Verdict(c_uint);

/// A packet that a hook has to decide on.
pub(crate) struct HookPacket(ManuallyDrop<Packet>);

impl HookPacket {
    /// Lets it go its way.
    #[inline]
    pub(crate) fn accept(self) -> Verdict {
        Verdict(NF_ACCEPT)
    }

    /// Drops it; drop monitors see a netfilter drop.
    pub(crate) fn drop(self) -> Verdict {
        Verdict(NF_DROP)
    }

    /// Takes it out of the stack's hands.
    pub(crate) fn steal(self) -> (Packet, Verdict) {
        (ManuallyDrop::into_inner(self.0), Verdict(NF_STOLEN))
    }
}

/// What became of a fragment.
pub(crate) enum Reassembled {
    /// It was the last: this is the whole packet.
    Whole(HookPacket),
    /// The kernel would not take it for a fragment of anything.
    Untouched(HookPacket),
    /// It waits for the rest.
    Waits(Verdict),
    /// It contradicts what is there, or memory failed: dropped.
    Refused(Verdict),
}

impl HookPacket {
    /// Gives a fragment of `len` bytes to the kernel's own reassembly, with its bounds and its
    /// time-out. Softirq.
    pub(crate) fn reassemble(self, ns: NetNs, len: usize, ipv6: bool) -> Reassembled {
        let raw = ManuallyDrop::into_inner(self.0).into_raw();
        let mut gone = false;
        // SAFETY: The namespace is alive; the packet was ours and is given to the C side, which
        // says whether it is gone.
        let err =
            unsafe { ffi::homing_skb_reassemble(ns.as_ptr(), raw, len as u32, ipv6, &mut gone) };
        if gone {
            return if err == einprogress().to_errno() {
                Reassembled::Waits(Verdict(NF_STOLEN))
            } else {
                Reassembled::Refused(Verdict(NF_STOLEN))
            };
        }
        // SAFETY: Not gone, so it is ours again; it was not null before.
        let packet = unsafe { Packet::from_raw(NonNull::new_unchecked(raw)) };
        let packet = HookPacket(ManuallyDrop::new(packet));
        if err == 0 {
            Reassembled::Whole(packet)
        } else {
            Reassembled::Untouched(packet)
        }
    }
}

impl Deref for HookPacket {
    type Target = Packet;

    fn deref(&self) -> &Packet {
        &self.0
    }
}

impl DerefMut for HookPacket {
    fn deref_mut(&mut self) -> &mut Packet {
        &mut self.0
    }
}

/// A hook in place; dropping it takes it out and waits until nobody runs it.
///
/// # Invariants
///
/// `raw` is a registered `homing_hook` whose `priv` is the address inside `state`.
pub(crate) struct Registration<H: Hook> {
    raw: NonNull<ffi::homing_hook>,
    _state: Arc<H::State>,
    _hook: PhantomData<fn(H)>,
}

// SAFETY: Registration and removal may happen on any thread; the state is `Send + Sync`.
unsafe impl<H: Hook> Send for Registration<H> {}
// SAFETY: As above.
unsafe impl<H: Hook> Sync for Registration<H> {}

/// # Safety
///
/// For `shim.c` alone, with the `priv` of a [`Registration`] and a packet that netfilter gave it.
unsafe extern "C" fn thunk<H: Hook>(
    state: *mut c_void,
    skb: *mut bindings::sk_buff,
    data: *const u8,
    headlen: u32,
    len: u32,
) -> c_uint {
    let Some(skb) = NonNull::new(skb) else {
        return NF_ACCEPT;
    };
    // SAFETY: By the invariant of `Registration`: the state lives until the hook is out and a
    // grace period has passed (`nf_unregister_net_hook`).
    let state = unsafe { &*state.cast::<H::State>() };
    // SAFETY: Netfilter gives us the packet; the verdict says who owns it afterwards.
    let packet = HookPacket(ManuallyDrop::new(unsafe { Packet::from_raw(skb) }));
    // SAFETY: Netfilter calls hooks under RCU, those of packets from a queue too.
    let guard = unsafe { rcu::held() };
    // SAFETY: The C side says what is linear of the packet, which nobody changes meanwhile.
    let bytes = unsafe { slice::from_raw_parts(data, headlen as usize) };
    let read = H::read(bytes, len as usize);
    H::call(state, guard, packet, read).0
}

impl<H: Hook> Registration<H> {
    fn register(
        ns: NetNs,
        ifindex: u32,
        at: Point,
        ipv6: bool,
        state: Arc<H::State>,
    ) -> Result<Self> {
        let mut err = 0;
        let p = Arc::as_ptr(&state).cast_mut();
        let g = state.glance().ok_or(EINVAL)?;
        let [packets, other, not_host] = g.passed.indexes();
        let glance = ffi::homing_glance {
            ports: g.ports.as_ptr(),
            shifted: g.shifted.as_ptr(),
            counters: g.passed.as_ptr(),
            packets,
            other,
            not_host,
        };
        // SAFETY: The namespace is alive; the thunk takes exactly this pointer. What the glance
        // points to is in the state, which is kept for as long as the hook.
        let raw = unsafe {
            ffi::homing_hook_register(
                ns.as_ptr(),
                ifindex as i32,
                at as u32,
                ipv6,
                &glance,
                Some(thunk::<H>),
                p.cast(),
                &mut err,
            )
        };
        match NonNull::new(raw) {
            // INVARIANT: Registered with the state's address.
            Some(raw) => Ok(Self {
                raw,
                _state: state,
                _hook: PhantomData,
            }),
            None => Err(Error::from_errno(err)),
        }
    }

    /// Hooks the ingress of a device. The caller takes it out when the device goes. Process.
    pub(crate) fn ingress(ns: NetNs, ifindex: u32, state: Arc<H::State>) -> Result<Self> {
        Self::register(ns, ifindex, Point::Ingress, false, state)
    }

    /// Hooks a whole namespace, for one family. Process context.
    pub(crate) fn inet(ns: NetNs, at: Point, ipv6: bool, state: Arc<H::State>) -> Result<Self> {
        if at == Point::Ingress {
            return Err(EINVAL);
        }
        Self::register(ns, 0, at, ipv6, state)
    }
}

impl<H: Hook> Drop for Registration<H> {
    fn drop(&mut self) {
        // SAFETY: By the invariant; runs once. Nobody is in it afterwards, so the state may go.
        unsafe { ffi::homing_hook_unregister(self.raw.as_ptr()) };
    }
}
