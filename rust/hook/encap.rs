// SPDX-License-Identifier: GPL-2.0

//! Sending a client's packet to the member that owns its connection.

use kernel::sync::rcu::Guard;

use super::{
    classify::Icmp,
    host::Host, //
};
use crate::{
    decide::reason::Reason,
    kapi::skb::Packet,
    table::{config::Config, flow::Terms},
    wire::{
        addr::Tuple,
        geneve::{self, Data, HandOff, Inner, Route, Sender},
        ip,
    },
};

/// What goes with a packet to the owner of its connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum With {
    /// Only which connection it is: the owner has acknowledged the hand-off.
    Relay,
    /// The hand-off option.
    HandOff,
    /// The hand-off option; and the packet is one whole request, see [`HandOff::WHOLE`].
    WholeHandOff,
    /// The hand-off option, and the wish to hear what the owner's socket has.
    KeptHandOff,
}

/// Sends `packet` of `tuple` to the owner in `terms`. `l4` is where the inner TCP header starts.
/// The packet is consumed.
#[allow(clippy::too_many_arguments)]
pub(super) fn relay(
    host: &Host,
    guard: &Guard,
    config: &Config,
    packet: Packet,
    tuple: &Tuple,
    l4: usize,
    terms: &Terms,
    with: With,
) {
    let net = &host.net;
    let inner = (packet, tuple, ip::TCP, l4);
    if forward(host, guard, config, inner, terms, with).is_none() {
        net.count(Reason::RelayFailed);
        return;
    }
    net.count(Reason::Relayed);
    if with != With::Relay {
        net.count(Reason::RelayedHandOff);
    }
}

/// Sends an error about a connection to its owner. The packet is consumed.
pub(super) fn error(
    host: &Host,
    guard: &Guard,
    config: &Config,
    packet: Packet,
    error: &Icmp,
    terms: &Terms,
) {
    let inner = (packet, &error.quote.tuple, error.protocol, error.l4);
    // Without a socket the owner has no use for it: the option that makes one is not needed.
    let sent = forward(host, guard, config, inner, terms, With::Relay);
    host.net.count(match sent {
        Some(()) => Reason::IcmpRelayed,
        None => Reason::RelayFailed,
    });
}

/// Sends a packet (with the connection that it is of or about, its protocol, and where that header
/// starts) to the owner.
fn forward(
    host: &Host,
    guard: &Guard,
    config: &Config,
    inner: (Packet, &Tuple, u8, usize),
    terms: &Terms,
    with: With,
) -> Option<()> {
    let net = &host.net;
    let (packet, tuple, protocol, l4) = inner;
    let owner = config.member(terms.owner)?;
    let me = config.me()?;
    let key = net.keys.read(guard)?.send()?;
    let tunnel = host.tunnel(guard)?;
    let route = if with == With::Relay {
        Route::Relay {
            generation: terms.client_isn,
        }
    } else {
        Route::HandOff(option(host, guard, terms, key, with))
    };
    let data = Data {
        farm: config.farm.id,
        inner: if tuple.vip.is_v4() {
            Inner::V4
        } else {
            Inner::V6
        },
        sender: Sender {
            member: me.id(),
            key: key.id,
            flags: 0,
        },
        route,
    };
    let mut header = [0; geneve::MAX_DATA_HEADER];
    let len = geneve::emit_data(&mut header, &data)?;
    let mac_at = len.checked_sub(geneve::MAC_LEN)?;
    let code = |bytes: &[u8]| key.data_mac(bytes);
    let mac = geneve::covered(&header, mac_at, tuple, protocol, owner.id(), code)?;
    let field = header.get_mut(mac_at..len)?;
    for (to, from) in field.iter_mut().zip(mac) {
        *to = from;
    }
    // The source port tells flows apart for receive queues and ECMP, as RFC 8926 section 3.3 asks.
    let source = 0xc000 | (tuple.client_port & 0x3fff);
    let whole = tunnel
        .forward(
            &owner.live.route,
            packet,
            l4,
            header.get(..len)?,
            &me.settings.addr,
            &owner.settings.addr,
            (source, config.farm.port),
        )
        .ok()?;
    if !whole {
        net.count(Reason::RelayFragmented);
    }
    Some(())
}

/// What the owner must know.
fn option(
    host: &Host,
    guard: &Guard,
    t: &Terms,
    key: &crate::table::keys::Key,
    with: With,
) -> HandOff {
    let bit = |on: bool, flag: u8| if on { flag } else { 0 };
    let known = t
        .session
        .and_then(|k| host.net.sessions.get(guard, &k).map(|s| s.association(&k)))
        // A member that may tell of no new homes sends the request elsewhere than its table says.
        .filter(|a| a.home == t.owner);
    HandOff {
        entry: t.entry,
        origin: known.map_or(t.entry, |a| a.origin),
        group: known.map_or(0, |a| a.group),
        mss: t.mss,
        home_version: known.map_or(0, |a| a.version),
        client_isn: t.client_isn,
        cookie_isn: t.cookie,
        tsecr: match t.taken_over {
            true => host.net.now(),
            false => t.tsecr.unwrap_or(0),
        },
        created: known.map_or(0, |a| a.created),
        snd_wscale: t.snd_wscale,
        rcv_wscale: t.rcv_wscale,
        flags: bit(t.sack, HandOff::SACK)
            | bit(t.tsecr.is_some(), HandOff::TSTAMP)
            | bit(t.ecn, HandOff::ECN)
            | bit(with == With::KeptHandOff, HandOff::KEPT)
            | bit(with == With::WholeHandOff, HandOff::WHOLE)
            | bit(t.insert, HandOff::NEW_SESSION)
            | bit(t.taken_over, HandOff::TAKEN_OVER)
            | bit(t.session.is_some(), HandOff::HAS_SID),
        sid: t.session.map_or([0; 24], |k| key.sid_of(&k).0),
    }
}
