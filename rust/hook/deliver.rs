// SPDX-License-Identifier: GPL-2.0

//! Giving a decided connection to its owner: the local stack, or another member.

use kernel::sync::rcu::Guard;

use super::{answer, decision::Choice, host::Host};
use crate::{
    decide::{
        cookie::Established,
        flow::{Flow as Status, Role, State},
        reason::Reason, //
    },
    kapi::tcp::{self as stack, Socket},
    table::{config::Config, flow::Terms},
    wire::{addr::Tuple, control::Report},
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
    /// The client was told that we have the first bytes: the flow is kept until its owner has
    /// them too.
    pub(super) kept: bool,
    /// The connection had another owner, which is lost; the two numbers are those before the
    /// request that it goes on with.
    pub(super) taken_over: bool,
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
        taken_over: hs.taken_over,
        start: config.member(choice.owner).map_or(0, |m| m.live.start()),
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
    if hs.taken_over {
        net.count(Reason::TakenOver);
    }
    if hs.kept {
        flow.on(now, |f| f.set_kept(true));
    }
    Some(flow.terms())
}

/// What the local stack has of a connection whose flow is known here.
pub(super) fn report(host: &Host, guard: &Guard, tuple: &Tuple, ifindex: u32) -> Report {
    let Some(flow) = host.net.flows.get(guard, tuple) else {
        return Report::Over;
    };
    match stack::stands(host.net.ns, tuple, ifindex) {
        (Socket::Full, at) => Report::Has(at.next),
        (Socket::TimeWait, _) => Report::Over,
        (Socket::None, _) if flow.status().state >= State::Live => Report::Over,
        (Socket::Request | Socket::None, _) => Report::NotYet,
    }
}
