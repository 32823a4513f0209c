// SPDX-License-Identifier: GPL-2.0

//! Packets: reading, changing, sending back, handing up.
//!
//! Views borrow the packet mutably where a call may move its data, so no reference to old data
//! can live past such a call. All functions may be called in any context.
//!
//! C header: `include/linux/skbuff.h`.

use core::{
    mem::ManuallyDrop,
    ptr::NonNull,
    slice, //
};
use kernel::{
    bindings,
    prelude::*, //
};

use super::{
    ffi,
    pernet::NetNs, //
};

/// Addressed to this host at the link layer (`PACKET_HOST`).
const PACKET_HOST: u8 = 0;

/// EtherType of IPv4.
pub(crate) const ETH_P_IP: u16 = 0x0800;
/// EtherType of IPv6.
pub(crate) const ETH_P_IPV6: u16 = 0x86dd;

/// A packet whose data starts at the network header. Dropping it frees it as a drop.
///
/// # Invariants
///
/// The pointer is a valid `sk_buff` that this value owns.
pub(crate) struct Packet(NonNull<bindings::sk_buff>);

// SAFETY: An owned packet may be freed or sent on any CPU.
unsafe impl Send for Packet {}
// SAFETY: Shared access only reads.
unsafe impl Sync for Packet {}

/// Where a packet came from at the link layer, for answers when it is gone.
pub(crate) struct Link(ffi::homing_link);

impl Link {
    /// Of a packet that came from nowhere.
    pub(crate) fn none() -> Self {
        Self(ffi::homing_link {
            eth: [0; 14],
            vlan_proto: 0,
            vlan_tci: 0,
            ether: false,
            vlan: false,
        })
    }

    /// As [`Packet::reply`], on the device `ifindex`.
    pub(crate) fn reply(
        &self,
        ns: NetNs,
        ifindex: u32,
        bytes: &[u8],
        l4: usize,
        ipv6: bool,
        route: bool,
    ) -> Result {
        // SAFETY: The namespace is alive; the slice gives pointer and length, and the headers of
        // that family and of TCP are in it.
        kernel::error::to_result(unsafe {
            ffi::homing_reply_by(
                ns.as_ptr(),
                ifindex,
                &self.0,
                bytes.as_ptr(),
                bytes.len() as u32,
                l4 as u32,
                ipv6,
                route,
            )
        })
    }

    /// A packet of `len` zero bytes from the network header on, as if it had come this way.
    /// `None` when memory fails.
    pub(crate) fn packet(&self, len: usize, ipv6: bool) -> Option<Packet> {
        // SAFETY: Only reads the link.
        let skb = unsafe { ffi::homing_skb_new(&self.0, len as u32, ipv6) };
        // INVARIANT: A new packet that nobody else has.
        NonNull::new(skb).map(Packet)
    }
}

/// What a sending socket knows of its client, in its own sequence numbers.
#[derive(Clone, Copy)]
pub(crate) struct Sender {
    /// Up to here acknowledgements were accepted (`snd_una`).
    pub(crate) una: u32,
    /// Up to here the client has room (`tcp_wnd_end`).
    pub(crate) wnd_end: u32,
}

/// The start of a packet and what is known of the whole.
pub(crate) struct View<'a> {
    /// Linear bytes from the network header: at least as many as were asked for, or all.
    pub(crate) bytes: &'a [u8],
    /// Length of the whole packet.
    pub(crate) len: usize,
    /// EtherType.
    pub(crate) protocol: u16,
    /// The link layer says that it is for this host.
    pub(crate) for_host: bool,
    /// It is several segments in one.
    pub(crate) gso: bool,
    /// Device it belongs to.
    pub(crate) ifindex: u32,
}

impl Packet {
    /// # Safety
    ///
    /// `skb` is valid, and the caller gives its ownership away.
    pub(super) unsafe fn from_raw(skb: NonNull<bindings::sk_buff>) -> Self {
        // INVARIANT: By the caller's promise.
        Self(skb)
    }

    /// Gives the ownership to the C side.
    pub(super) fn into_raw(self) -> *mut bindings::sk_buff {
        ManuallyDrop::new(self).0.as_ptr()
    }

    fn as_ptr(&self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// The C pointer, for other files of `kapi`; the ownership stays here.
    pub(super) fn raw(&mut self) -> *mut bindings::sk_buff {
        self.0.as_ptr()
    }

    /// The first `want` bytes made linear (fewer when the packet is shorter). `None` when memory
    /// fails.
    #[inline]
    pub(crate) fn view(&mut self, want: usize) -> Option<View<'_>> {
        let mut v = ffi::homing_view {
            data: core::ptr::null(),
            headlen: 0,
            len: 0,
            protocol: 0,
            pkt_type: 0,
            gso: false,
            ifindex: 0,
        };
        // SAFETY: By the invariant; `v` is valid for writing.
        if !unsafe { ffi::homing_skb_view(self.as_ptr(), want as u32, &mut v) } {
            return None;
        }
        Some(View {
            // SAFETY: `headlen` bytes at `data` are readable; `self` is borrowed mutably for as
            // long as they are, so nothing moves them.
            bytes: unsafe { slice::from_raw_parts(v.data, v.headlen as usize) },
            len: v.len as usize,
            protocol: v.protocol,
            for_host: v.pkt_type == PACKET_HOST,
            gso: v.gso,
            ifindex: v.ifindex,
        })
    }

    /// Copies bytes from anywhere in the packet; `false` when it is too short.
    pub(crate) fn copy(&self, offset: usize, to: &mut [u8]) -> bool {
        // SAFETY: By the invariant; `to` gives pointer and length; the C side checks the range.
        unsafe {
            ffi::homing_skb_copy(
                self.as_ptr(),
                offset as u32,
                to.as_mut_ptr(),
                to.len() as u32,
            )
        }
    }

    /// Calls `each` with the bytes from `offset` on, `len` at most, run by run without copying,
    /// until it says `false`.
    pub(crate) fn for_each_chunk(
        &self,
        offset: usize,
        len: usize,
        mut each: impl FnMut(&[u8]) -> bool,
    ) {
        let (mut at, end) = (offset, offset.saturating_add(len));
        while at < end {
            let mut n = 0;
            // SAFETY: By the invariant; `n` is valid for writing.
            let p = unsafe { ffi::homing_skb_chunk(self.as_ptr(), at as u32, &mut n) };
            let n = (n as usize).min(end.wrapping_sub(at));
            if p.is_null() || n == 0 {
                // The frag list.
                match self.copied_chunk(at, end.wrapping_sub(at), &mut each) {
                    Some(n) => at = at.saturating_add(n),
                    None => return,
                }
                continue;
            }
            // SAFETY: The C side gave `n` readable bytes of this packet, which nobody changes
            // while `self` is borrowed.
            if !each(unsafe { slice::from_raw_parts(p, n) }) {
                return;
            }
            at = at.saturating_add(n);
        }
    }

    /// Calls `each` with a copy of up to `most` bytes from `at` on: how many those were. `None`: it said
    /// `false`, or the packet has no such bytes. Apart, since the buffer costs those that need none.
    #[cold]
    #[inline(never)]
    fn copied_chunk(
        &self,
        at: usize,
        most: usize,
        each: &mut impl FnMut(&[u8]) -> bool,
    ) -> Option<usize> {
        let mut copy = [0u8; 256];
        let len = most.min(copy.len());
        let part = copy.get_mut(..len)?;
        (self.copy(at, part) && each(part)).then_some(len)
    }

    /// Cuts what the IP header does not cover (Ethernet padding).
    pub(crate) fn trim(&mut self, len: usize) -> Result {
        // SAFETY: By the invariant; `self` is borrowed mutably.
        kernel::error::to_result(unsafe { ffi::homing_skb_trim(self.as_ptr(), len as u32) })
    }

    /// Whether the TCP checksum holds (at once when the device or the sender vouches for it), and
    /// that of an IPv4 header.
    pub(crate) fn tcp_checksum_ok(&mut self, l4: usize, ipv6: bool) -> bool {
        // SAFETY: By the invariant; the network header is where the data starts.
        unsafe { ffi::homing_skb_tcp_csum_ok(self.as_ptr(), l4 as u32, ipv6) }
    }

    /// The first `len` bytes, private and writable. `None` when memory fails.
    pub(crate) fn writable(&mut self, len: usize) -> Option<&mut [u8]> {
        // SAFETY: By the invariant; `self` is borrowed mutably.
        let p = unsafe { ffi::homing_skb_writable(self.as_ptr(), len as u32) };
        if p.is_null() {
            return None;
        }
        // SAFETY: The C side made `len` bytes writable; the borrow keeps them in place.
        Some(unsafe { slice::from_raw_parts_mut(p, len) })
    }

    /// Overwrites bytes of the TCP header and keeps its checksum right. The header must have been
    /// made [writable](Self::writable).
    ///
    /// Returns `false` and does nothing when the range is outside of the linear bytes.
    pub(crate) fn replace_tcp(&mut self, l4: usize, offset: usize, to: &[u8]) -> bool {
        let end = l4
            .checked_add(offset)
            .and_then(|n| n.checked_add(to.len()))
            .and_then(|n| n.checked_add(1));
        // The C side may touch one byte more (whole 16-bit words), which `writable` covers.
        match end {
            Some(end) if self.writable(end & !1).is_some() => {}
            _ => return false,
        }
        // SAFETY: The range was just made linear and writable.
        unsafe {
            ffi::homing_tcp_replace(
                self.as_ptr(),
                l4 as u32,
                offset as u32,
                to.as_ptr(),
                to.len() as u32,
            )
        };
        true
    }

    /// As [`Self::replace_tcp`] for a word at an even offset; makes it writable itself.
    #[inline]
    pub(crate) fn replace_tcp_u32(&mut self, l4: usize, offset: usize, to: u32) -> bool {
        // SAFETY: By the invariant; the C side makes the fixed TCP header linear and writable,
        // and refuses a place outside of it.
        unsafe { ffi::homing_tcp_replace4(self.as_ptr(), l4 as u32, offset as u32, to) }
    }

    /// Writes a big-endian word at `offset` and corrects the Internet checksum at `check` that
    /// covers it; both are bytes from the network header, `offset` at an even distance from where
    /// the sum begins. No pseudo header may be involved.
    ///
    /// Returns `false` and does nothing when memory fails or a place is outside of the packet.
    pub(crate) fn replace_u32(&mut self, check: usize, offset: usize, to: u32) -> bool {
        let end = offset.saturating_add(4).max(check.saturating_add(2));
        if self.writable(end).is_none() {
            return false;
        }
        // SAFETY: Both places were just made linear and writable.
        unsafe { ffi::homing_skb_replace4(self.as_ptr(), check as u32, offset as u32, to) };
        true
    }

    /// Puts `bytes` in front of payload byte `at` of an outgoing TCP packet: lengths, checksums
    /// and segmentation stay right. Shared payload pages are not written. `mss` is what the client
    /// takes in a segment without options, for a packet that has lost its socket on the way.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINVAL` when it has no such byte. The packet is then unchanged.
    pub(crate) fn insert_tcp(
        &mut self,
        l4: usize,
        header_len: usize,
        at: usize,
        bytes: &[u8],
        mss: u16,
        ipv6: bool,
    ) -> Result {
        // SAFETY: By the invariant; the slice gives pointer and length; offsets are checked in C.
        kernel::error::to_result(unsafe {
            ffi::homing_tcp_insert(
                self.as_ptr(),
                l4 as u32,
                header_len as u32,
                at as u32,
                bytes.as_ptr(),
                bytes.len() as u32,
                mss.into(),
                ipv6,
            )
        })
    }

    /// What the sending socket knows of its client, if the packet has a socket. Only in LOCAL_OUT.
    #[inline]
    pub(crate) fn sender(&self) -> Option<Sender> {
        let mut s = Sender { una: 0, wnd_end: 0 };
        // SAFETY: By the invariant; both numbers are valid for writing.
        unsafe { ffi::homing_skb_sender(self.as_ptr(), &mut s.una, &mut s.wnd_end) }.then_some(s)
    }

    /// Sends a new packet (`bytes` from the network header, TCP header at `l4`) back to where this
    /// one came from: on the same device with the link addresses swapped; or by the routing table,
    /// with `route` or when this one has no link header (it came through the tunnel, or the device
    /// has none). Under RCU.
    pub(crate) fn reply(&self, bytes: &[u8], l4: usize, ipv6: bool, route: bool) -> Result {
        // SAFETY: By the invariant; the slice gives pointer and length, and the headers of that
        // family and of TCP are in it.
        kernel::error::to_result(unsafe {
            ffi::homing_reply(
                self.as_ptr(),
                bytes.as_ptr(),
                bytes.len() as u32,
                l4 as u32,
                ipv6,
                route,
            )
        })
    }

    /// As [`Packet::reply`], and this one is gone: where nobody else has a part in it, it is itself
    /// what is sent.
    pub(crate) fn become_reply(self, bytes: &[u8], l4: usize, ipv6: bool, route: bool) -> Result {
        // SAFETY: By the invariant, the ownership goes to the C side; the slice gives pointer and
        // length, and the headers of that family and of TCP are in it.
        kernel::error::to_result(unsafe {
            ffi::homing_become_reply(
                self.into_raw(),
                bytes.as_ptr(),
                bytes.len() as u32,
                l4 as u32,
                ipv6,
                route,
            )
        })
    }

    /// Where it came from at the link layer.
    pub(crate) fn link(&self) -> Link {
        let mut link = Link::none();
        // SAFETY: By the invariant; `link` is valid for writing.
        unsafe { ffi::homing_link_of(self.as_ptr(), &mut link.0) };
        link
    }

    /// Frees it without calling it a drop.
    pub(crate) fn consume(self) {
        // SAFETY: By the invariant; the ownership goes to the C side.
        unsafe { ffi::homing_skb_consume(self.into_raw()) };
    }

    /// Gives it to the stack as received by `ifindex`: at once, or `later` from the CPU's backlog
    /// (for callers deep in the receive path). Freed when the device is gone or down: `false`.
    #[must_use]
    pub(crate) fn reinject(self, ns: NetNs, ifindex: u32, later: bool) -> bool {
        // SAFETY: The namespace is alive; the ownership goes to the C side.
        unsafe { ffi::homing_reinject(ns.as_ptr(), self.into_raw(), ifindex, later) }
    }
}

impl Drop for Packet {
    fn drop(&mut self) {
        // SAFETY: By the invariant we own it, and `drop` runs once.
        unsafe { ffi::homing_skb_free(self.as_ptr()) };
    }
}
