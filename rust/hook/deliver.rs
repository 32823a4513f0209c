// SPDX-License-Identifier: GPL-2.0

//! Giving a decided connection to its owner: the local stack, or another member.

use kernel::sync::rcu::Guard;

use super::{answer, decision::Choice, encap, host::Host};
use crate::{
    decide::{
        cookie::Established,
        flow::{Flow as Status, Role},
        reason::Reason, //
    },
    kapi::skb::Packet,
    table::{config::Config, flow::Terms},
    wire::addr::Tuple,
};

/// What the handshake of a connection said.
#[derive(Clone, Copy)]
pub(super) struct Handshake {
    /// Its connection.
    pub(super) tuple: Tuple,
    /// The client's ISN.
    pub(super) client_isn: u32,
    /// Our ISN.
    pub(super) cookie: u32,
    /// TSecr of the last packet of the first request.
    pub(super) tsecr: Option<u32>,
    /// What the cookie says.
    pub(super) agreed: Established,
}

/// Notes the decision. `Some` are the terms, with the owner in them; `None`: no room, and the
/// caller drops its packets: the client will send them again.
pub(super) fn decided(
    host: &Host,
    guard: &Guard,
    config: &Config,
    hs: &Handshake,
    choice: &Choice,
) -> Option<Terms> {
    let net = &host.net;
    let terms = Terms {
        client_isn: hs.client_isn,
        cookie: hs.cookie,
        tsecr: hs.tsecr,
        mss: hs.agreed.mss,
        snd_wscale: hs.agreed.snd_wscale,
        // We offered ours exactly when the client offered its own.
        rcv_wscale: hs.agreed.snd_wscale.map(|_| answer::RCV_WSCALE),
        sack: hs.agreed.sack,
        ecn: hs.agreed.ecn,
        insert: choice.insert,
        owner: choice.owner,
        entry: config.local,
        session: choice.session,
    };
    let local = choice.owner == config.local;
    let role = if local { Role::Both } else { Role::Entry };
    let now = net.uptime();
    let stored = net.flows.store(
        guard,
        &hs.tuple,
        &terms,
        Status::decided(role),
        now,
        &net.edits,
    );
    let Ok(flow) = stored else {
        net.count(Reason::FlowFull);
        return None;
    };
    net.count(if local {
        Reason::DecidedLocal
    } else {
        Reason::DecidedOther
    });
    Some(flow.terms())
}

/// Hands packets that were held to the owner, in order.
#[allow(clippy::too_many_arguments)]
pub(super) fn hand_over(
    host: &Host,
    guard: &Guard,
    config: &Config,
    tuple: &Tuple,
    terms: &Terms,
    packets: impl Iterator<Item = (Packet, usize)>,
    ifindex: u32,
    later: bool,
) {
    for (packet, l4) in packets {
        if terms.owner == config.local {
            packet.reinject(host.net.ns, ifindex, later);
        } else {
            encap::relay(host, guard, config, packet, tuple, l4, terms, true);
        }
    }
}
