// SPDX-License-Identifier: GPL-2.0

//! What the local TCP stack knows of a connection, and making it a new one.
//!
//! C headers: `include/net/inet_hashtables.h`, `include/net/request_sock.h`.

use kernel::prelude::*;

use super::{
    ffi,
    pernet::NetNs,
    skb::Packet, //
};
use crate::wire::addr::{Addr, Tuple};

/// The kind of socket that a connection has here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    /// None (a listener does not count).
    None,
    /// A full socket in any state from ESTABLISHED on.
    Full,
    /// A handshake of the kernel's own.
    Request,
    /// TIME_WAIT.
    TimeWait,
}

fn raw(t: &Tuple) -> ffi::homing_tuple {
    ffi::homing_tuple {
        client: t.client.0,
        vip: t.vip.0,
        client_port: t.client_port,
        vip_port: t.vip_port,
    }
}

/// Looks a connection up, as packets received by `ifindex` would be. Any context under RCU.
pub(crate) fn lookup(ns: NetNs, tuple: &Tuple, ifindex: u32) -> Socket {
    // SAFETY: The namespace is alive; the tuple is read only.
    socket(unsafe { ffi::homing_tcp_lookup(ns.as_ptr(), &raw(tuple), ifindex) })
}

fn socket(kind: u32) -> Socket {
    match kind {
        ffi::homing_sock_HOMING_SOCK_FULL => Socket::Full,
        ffi::homing_sock_HOMING_SOCK_REQUEST => Socket::Request,
        ffi::homing_sock_HOMING_SOCK_TIMEWAIT => Socket::TimeWait,
        _ => Socket::None,
    }
}

/// Where a full socket stands.
pub(crate) struct Stands {
    /// The sequence number that it expects next (`rcv_nxt`).
    pub(crate) next: u32,
    /// The sequence number that it will send next (`snd_nxt`).
    pub(crate) sent: u32,
}

/// [`lookup`], and where a full socket stands. Any context under RCU.
pub(crate) fn stands(ns: NetNs, tuple: &Tuple, ifindex: u32) -> (Socket, Stands) {
    let mut s = Stands { next: 0, sent: 0 };
    // SAFETY: The namespace is alive; the tuple is read only; both numbers are valid for writing.
    let kind = unsafe {
        ffi::homing_tcp_received(ns.as_ptr(), &raw(tuple), ifindex, &mut s.next, &mut s.sent)
    };
    (socket(kind), s)
}

/// The highest acknowledgement that a connection's socket here has accepted (`snd_una`); `None`
/// without a full socket. Any context under RCU.
pub(crate) fn accepted(ns: NetNs, tuple: &Tuple, ifindex: u32) -> Option<u32> {
    let mut una = 0;
    // SAFETY: The namespace is alive; the tuple is read only; `una` is valid for writing.
    let found = unsafe { ffi::homing_tcp_una(ns.as_ptr(), &raw(tuple), ifindex, &mut una) };
    found.then_some(una)
}

/// Whether a new connection may take a port that is in TIME_WAIT: the kernel's own rule
/// (`tcp_timewait_state_process`): a later sequence number or a newer timestamp. With `forget`
/// the old socket is taken out then, so that a spawn finds no duplicate.
pub(crate) fn timewait_may_reuse(
    ns: NetNs,
    tuple: &Tuple,
    ifindex: u32,
    seq: u32,
    tsval: Option<u32>,
    forget: bool,
) -> bool {
    // SAFETY: The namespace is alive; the tuple is read only.
    unsafe {
        ffi::homing_timewait_may_reuse(
            ns.as_ptr(),
            &raw(tuple),
            ifindex,
            seq,
            tsval.is_some(),
            tsval.unwrap_or(0),
            forget,
        )
    }
}

/// What is known of a listener.
#[derive(Clone, Copy, Default)]
pub(crate) struct Listener {
    /// There is one.
    pub(crate) present: bool,
    /// Connections waiting for accept().
    pub(crate) backlog: u32,
    /// The most that may wait.
    pub(crate) backlog_max: u32,
}

/// The listener that would get connections to an address. Any context.
pub(crate) fn listener(ns: NetNs, addr: &Addr, port: u16, ifindex: u32) -> Listener {
    let mut out = ffi::homing_listener {
        backlog: 0,
        backlog_max: 0,
        present: false,
    };
    // SAFETY: The namespace is alive; the address has 16 bytes; `out` is valid for writing.
    unsafe { ffi::homing_tcp_listener(ns.as_ptr(), addr.0.as_ptr(), port, ifindex, &mut out) };
    Listener {
        present: out.present,
        backlog: out.backlog,
        backlog_max: out.backlog_max,
    }
}

/// What a connection agreed on in its handshake.
#[derive(Clone, Copy)]
pub(crate) struct Agreed {
    /// The client's MSS.
    pub(crate) mss: u16,
    /// The client's window scale, or none.
    pub(crate) snd_wscale: Option<u8>,
    /// Ours, or none.
    pub(crate) rcv_wscale: Option<u8>,
    /// The client's last timestamp and the one of ours that it echoes.
    pub(crate) timestamps: Option<(u32, u32)>,
    /// Selective acknowledgements.
    pub(crate) sack: bool,
    /// Explicit congestion notification.
    pub(crate) ecn: bool,
}

/// Makes the packet carry a request socket that TCP takes for a validated cookie ACK. Only in
/// LOCAL_IN.
///
/// # Errors
///
/// `ENOENT`: no listener. `EOPNOTSUPP`: `net.ipv4.tcp_syncookies` is 0. `EINVAL`: an MSS or
/// window scale that TCP does not allow. `ENOMEM`.
pub(crate) fn spawn(ns: NetNs, packet: &mut Packet, tuple: &Tuple, agreed: &Agreed) -> Result {
    let both = agreed.snd_wscale.zip(agreed.rcv_wscale);
    let a = ffi::homing_spawn {
        ts_recent: agreed.timestamps.map_or(0, |t| t.0),
        tsecr: agreed.timestamps.map_or(0, |t| t.1),
        mss: agreed.mss,
        snd_wscale: both.map_or(0, |w| w.0),
        rcv_wscale: both.map_or(0, |w| w.1),
        wscale_ok: both.is_some(),
        tstamp_ok: agreed.timestamps.is_some(),
        sack_ok: agreed.sack,
        ecn_ok: agreed.ecn,
    };
    // SAFETY: The namespace is alive; the packet is ours; the structures are read only.
    kernel::error::to_result(unsafe {
        ffi::homing_tcp_spawn(ns.as_ptr(), packet.raw(), &raw(tuple), &a)
    })
}

/// Whether this namespace accepts cookies at all (`net.ipv4.tcp_syncookies`). Any context.
pub(crate) fn cookies_allowed(ns: NetNs) -> bool {
    // SAFETY: The namespace is alive.
    unsafe { ffi::homing_tcp_syncookies(ns.as_ptr()) != 0 }
}

/// What this namespace lets a handshake offer.
#[derive(Clone, Copy)]
pub(crate) struct Offers {
    /// `net.ipv4.tcp_sack`.
    pub(crate) sack: bool,
    /// `net.ipv4.tcp_timestamps`.
    pub(crate) timestamps: bool,
    /// `net.ipv4.tcp_window_scaling`.
    pub(crate) wscale: bool,
    /// `net.ipv4.tcp_ecn`.
    pub(crate) ecn: bool,
}

/// The options that sysctls allow here: a socket that would refuse one must not promise it. Any
/// context.
pub(crate) fn offers(ns: NetNs) -> Offers {
    // SAFETY: The namespace is alive.
    let bits = unsafe { ffi::homing_tcp_offers(ns.as_ptr()) };
    Offers {
        sack: bits & ffi::homing_offer_HOMING_OFFER_SACK != 0,
        timestamps: bits & ffi::homing_offer_HOMING_OFFER_TIMESTAMPS != 0,
        wscale: bits & ffi::homing_offer_HOMING_OFFER_WSCALE != 0,
        ecn: bits & ffi::homing_offer_HOMING_OFFER_ECN != 0,
    }
}

/// Ends a connection whose packets come by `ifindex` with RST on both sides. Process context: sleeps.
pub(crate) fn reset(ns: NetNs, tuple: &Tuple, ifindex: u32) -> Result {
    // SAFETY: The namespace is alive; the tuple is read only.
    kernel::error::to_result(unsafe { ffi::homing_tcp_reset(ns.as_ptr(), &raw(tuple), ifindex) })
}
