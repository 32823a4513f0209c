// SPDX-License-Identifier: GPL-2.0

//! Connections, shown.

use kernel::prelude::*;

use super::host;
use crate::{
    decide::flow::State,
    hook::host::Host,
    kapi::genl::{
        Dump,
        Listing,
        Records,
        Request,
        Writer, //
    },
    table::flow::Flow,
    uapi::consts::{
        flow::{
            CLIENT,
            CLIENT_PORT,
            ENTRY,
            IDLE,
            KEY,
            OWNER,
            PORT,
            ROLE,
            SHIFT,
            STATE,
            VIP, //
        },
        FlowRole, FlowState,
    },
    wire::addr::Tuple,
};

/// Shows all connections.
pub(in crate::control) struct List {
    listing: Listing<Host, Tuple, Flow>,
    /// The connection that did not fit into the last message; it is looked up again.
    left: Option<Tuple>,
}

fn put(w: &mut Writer<'_>, me: u16, now: u32, tuple: &Tuple, flow: &Flow) -> Result {
    let terms = flow.terms();
    let role = match (terms.entry == me, terms.owner == me) {
        (true, true) => FlowRole::Both,
        (false, true) => FlowRole::Owner,
        (_, false) => FlowRole::Entry,
    };
    let state = match flow.status().state {
        State::Deciding => FlowState::Deciding,
        State::Decided => FlowState::Decided,
        State::Live => FlowState::Live,
        State::Closed => FlowState::Closed,
    };
    w.bytes(CLIENT, &tuple.client.0)?;
    w.u16(CLIENT_PORT, tuple.client_port)?;
    w.bytes(VIP, &tuple.vip.0)?;
    w.u16(PORT, tuple.vip_port)?;
    w.u32(OWNER, terms.owner.into())?;
    w.u32(ENTRY, terms.entry.into())?;
    w.u32(ROLE, role as u32)?;
    w.u32(STATE, state as u32)?;
    w.u32(
        SHIFT,
        flow.shift()
            .map_or(0, |shift| u32::from(shift.insert().len)),
    )?;
    if let Some(key) = terms.session {
        w.bytes(KEY, &key)?;
    }
    w.uint(IDLE, flow.idle(now).into())
}

impl Dump for List {
    fn start(request: &Request<'_>) -> Result<KBox<Self>> {
        let listing = Listing::new(host(request)?, |host| host.net.flows.walk())?;
        Ok(KBox::new(
            Self {
                listing,
                left: None,
            },
            GFP_KERNEL,
        )?)
    }

    fn fill(&mut self, out: &mut Records<'_>) -> Result<bool> {
        let now = self.listing.owner().net.uptime();
        let me = {
            let guard = kernel::sync::rcu::read_lock();
            self.listing
                .owner()
                .net
                .config(&guard)
                .map_or(0, |config| config.local)
        };
        if let Some(tuple) = self.left.take() {
            let guard = kernel::sync::rcu::read_lock();
            if let Some(flow) = self.listing.owner().net.flows.get(&guard, &tuple) {
                if !out.record(|w| put(w, me, now, &tuple, &flow))? {
                    return Err(EMSGSIZE);
                }
            }
        }
        let mut failed = Ok(());
        let left = &mut self.left;
        let more = self.listing.next(|_, _, flow| {
            match out.record(|w| put(w, me, now, flow.key(), &flow)) {
                Ok(true) => return true,
                Ok(false) => *left = Some(*flow.key()),
                Err(e) => failed = Err(e),
            }
            false
        });
        failed?;
        Ok(!more)
    }
}
