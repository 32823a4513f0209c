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
    /// All flows were shown; where to go on among those that are held.
    held: Option<u32>,
}

/// A state as it is shown.
pub(super) fn state(state: State) -> FlowState {
    match state {
        State::Decided => FlowState::Decided,
        State::Live => FlowState::Live,
        State::Closed => FlowState::Closed,
    }
}

fn put_ends(w: &mut Writer<'_>, tuple: &Tuple) -> Result {
    w.bytes(CLIENT, &tuple.client.0)?;
    w.u16(CLIENT_PORT, tuple.client_port)?;
    w.bytes(VIP, &tuple.vip.0)?;
    w.u16(PORT, tuple.vip_port)
}

/// A connection whose first bytes are held: it has no owner yet.
fn put_held(w: &mut Writer<'_>, me: u16, tuple: &Tuple) -> Result {
    put_ends(w, tuple)?;
    w.u32(OWNER, 0)?;
    w.u32(ENTRY, me.into())?;
    w.u32(ROLE, FlowRole::Entry as u32)?;
    w.u32(STATE, FlowState::Deciding as u32)?;
    w.u32(SHIFT, 0)
}

fn put(w: &mut Writer<'_>, me: u16, now: u32, tuple: &Tuple, flow: &Flow) -> Result {
    let terms = flow.terms();
    let role = match (terms.entry == me, terms.owner == me) {
        (true, true) => FlowRole::Both,
        (false, true) => FlowRole::Owner,
        (_, false) => FlowRole::Entry,
    };
    put_ends(w, tuple)?;
    w.u32(OWNER, terms.owner.into())?;
    w.u32(ENTRY, terms.entry.into())?;
    w.u32(ROLE, role as u32)?;
    w.u32(STATE, state(flow.status().state) as u32)?;
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
                held: None,
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
        if let Some(from) = self.held {
            return self.fill_held(out, me, from);
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
        if more {
            return Ok(false);
        }
        self.fill_held(out, me, 0)
    }
}

impl List {
    fn fill_held(&mut self, out: &mut Records<'_>, me: u16, from: u32) -> Result<bool> {
        let mut failed = Ok(());
        self.held = self.listing.owner().net.pending.each(from, |waiting| {
            match out.record(|w| put_held(w, me, &waiting.tuple)) {
                Ok(wrote) => wrote,
                Err(e) => {
                    failed = Err(e);
                    false
                }
            }
        });
        failed?;
        Ok(self.held.is_none())
    }
}
