// SPDX-License-Identifier: GPL-2.0

//! Members: set, removed, shown.

use kernel::{
    prelude::*,
    sync::{
        rcu,
        Arc, //
    },
};

use super::{
    configure,
    host,
    is_host_address, //
};
use crate::{
    control::events,
    decide::limits::MEMBERS_MAX,
    hook::{
        events as told,
        host::Host, //
    },
    kapi::{
        genl::{
            self,
            Dump,
            Records,
            Request, //
        },
        time, //
    },
    table::{
        member::{
            Member,
            Settings, //
        },
        text::Text,
    },
    uapi::consts::{
        self,
        member::{
            ADDR,
            ADMIN,
            DEADLINE,
            DRAIN_MODE,
            ID,
            LOCAL,
            NAME,
            WEIGHT, //
        },
        ConfigWhat,
    },
    wire::{
        addr::Addr,
        control::AdminState, //
    },
};

/// Weight of a member when nothing is said.
const WEIGHT_DEFAULT: u16 = 100;

/// The number in a request; the policy has checked its range.
pub(super) fn id(request: &Request<'_>) -> Result<u16> {
    let attr = request.need(ID, c"id: is missing")?;
    u16::try_from(attr.u32()?).map_err(|_| request.refuse(&attr, c"id: is no member's"))
}

/// What an operator wants, by its number in the contract.
fn admin(number: u32) -> Option<AdminState> {
    Some(match consts::AdminState::from_u32(number)? {
        consts::AdminState::Up => AdminState::Up,
        consts::AdminState::Draining => AdminState::Draining,
        consts::AdminState::Down => AdminState::Down,
    })
}

/// Makes or changes a member.
pub(in crate::control) fn set(request: &Request<'_>) -> Result {
    let id = id(request)?;
    let host = host(request)?;
    configure(&host, ConfigWhat::Member, |config| {
        let at = config.members.iter().position(|m| m.id() >= id);
        let known = at
            .and_then(|at| config.members.get(at))
            .filter(|m| m.id() == id)
            .cloned();
        let settings = settings(request, id, known.as_deref())?;
        let others = || config.members.iter().filter(|m| m.id() != id);
        if let Some(attr) = request.attr(NAME) {
            if others().any(|m| m.settings.name == settings.name) {
                return Err(request.refuse(&attr, c"name: another member has it"));
            }
        }
        if let Some(attr) = request.attr(ADDR) {
            if others().any(|m| m.settings.addr == settings.addr) {
                return Err(request.refuse(&attr, c"addr: another member has it"));
            }
        }
        let local = settings
            .local
            .unwrap_or_else(|| host.net.ns.is_local(&settings.addr));
        if local && others().any(|m| m.local) {
            let attr = request.attr(LOCAL).or(request.attr(ADDR));
            let why =
                c"local: this host is another member already; set that one --local false first";
            return Err(request.refuse_as(EINVAL, attr.as_ref(), why));
        }
        if known.is_none() && config.members.len() >= MEMBERS_MAX {
            return Err(request.refuse_as(
                ENOSPC,
                None,
                c"id: the farm has as many members as it can",
            ));
        }
        let new = Member::new(settings, local, known.as_ref().map(|m| m.live.clone()))?;
        let by = if local { id } else { config.local };
        order(request, &host, &new, by)?;
        match (known, at) {
            (Some(_), Some(at)) => {
                if let Some(slot) = config.members.get_mut(at) {
                    *slot = new;
                }
            }
            (_, at) => {
                let at = at.unwrap_or(config.members.len());
                // `Config::next` has made room for one more.
                let _ = config.members.insert_within_capacity(at, new);
            }
        }
        Ok(())
    })
}

/// What the request says, on top of what is known.
fn settings(request: &Request<'_>, id: u16, known: Option<&Member>) -> Result<Settings> {
    let mut settings = match known {
        Some(known) => known.settings,
        None => {
            request.need(NAME, c"name: is missing, and a new member needs one")?;
            request.need(ADDR, c"addr: is missing, and a new member needs one")?;
            Settings {
                id,
                name: Text::EMPTY,
                addr: Addr::default(),
                weight: WEIGHT_DEFAULT,
                local: None,
            }
        }
    };
    if let Some(attr) = request.attr(NAME) {
        let name = attr.text();
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_graphic()) {
            return Err(request.refuse(&attr, c"name: is empty or has other than visible ASCII"));
        }
        settings.name = Text::new(name).ok_or(EINVAL)?;
    }
    if let Some(attr) = request.attr(ADDR) {
        let addr = attr.array()?;
        if !is_host_address(&addr) {
            return Err(request.refuse(&attr, c"addr: can be no host's"));
        }
        settings.addr = Addr(addr);
    }
    if let Some(attr) = request.attr(WEIGHT) {
        settings.weight = u16::try_from(attr.u32()?).map_err(|_| EINVAL)?;
    }
    if let Some(attr) = request.attr(LOCAL) {
        settings.local = Some(attr.u8()? != 0);
    }
    Ok(settings)
}

/// Gives the order that the request has, unless it is the one that counts already.
fn order(request: &Request<'_>, host: &Host, member: &Member, by: u16) -> Result {
    let old = member.live.ordered.lock().order;
    let mut new = old;
    if let Some(attr) = request.attr(ADMIN) {
        new.state = admin(attr.u32()?).ok_or(EINVAL)?;
    }
    let draining = new.state == AdminState::Draining;
    if !draining || old.state != AdminState::Draining {
        // A mode and a deadline end with the draining that they were given for.
        new.moves = false;
        new.deadline = 0;
    }
    let refused = [DRAIN_MODE, DEADLINE]
        .iter()
        .find_map(|kind| request.attr(*kind))
        .filter(|_| !draining);
    if let Some(attr) = refused {
        let why = c"admin: must be draining for a drain-mode or a deadline";
        return Err(request.refuse(&attr, why));
    }
    if let Some(attr) = request.attr(DRAIN_MODE) {
        new.moves = match consts::DrainMode::from_u32(attr.u32()?).ok_or(EINVAL)? {
            consts::DrainMode::Finish => false,
            consts::DrainMode::Move => true,
        };
    }
    if let Some(attr) = request.attr(DEADLINE) {
        new.deadline = match attr.u32()? {
            0 => 0,
            seconds => host.net.now().saturating_add(seconds),
        };
    }
    if (new.state, new.moves, new.deadline) != (old.state, old.moves, old.deadline) {
        new.member = member.id();
        new.by = by;
        new.version = old.version.saturating_add(1);
        member.live.order(&new, time::boot_ms());
        told::member(host, member);
    }
    Ok(())
}

/// Removes a member.
pub(in crate::control) fn del(request: &Request<'_>) -> Result {
    let id = id(request)?;
    configure(&host(request)?, ConfigWhat::Member, |config| {
        let Some(at) = config.members.iter().position(|m| m.id() == id) else {
            return Err(unknown(request));
        };
        config.members.remove(at).map(drop).map_err(|_| ENOENT)
    })
}

fn unknown(request: &Request<'_>) -> Error {
    request.refuse_as(ENOENT, request.attr(ID).as_ref(), c"id: no such member")
}

/// Shows one member.
pub(in crate::control) fn get(request: &Request<'_>) -> Result {
    let id = id(request)?;
    let host = host(request)?;
    // The reply may sleep, so the entry is kept by its reference, not by RCU.
    let member = {
        let guard = rcu::read_lock();
        let config = host.net.config(&guard).ok_or(ENOENT)?;
        config.members.iter().find(|m| m.id() == id).cloned()
    };
    let member = member.ok_or_else(|| unknown(request))?;
    genl::reply(request, events::CAPACITY, |w| {
        let guard = rcu::read_lock();
        let config = host.net.config(&guard).ok_or(ENOENT)?;
        events::put_member(w, &host.net, &guard, config, &member)
    })
}

/// Shows all members.
pub(in crate::control) struct List {
    host: Arc<Host>,
    /// Number of the last member shown.
    last: u16,
}

impl Dump for List {
    fn start(request: &Request<'_>) -> Result<KBox<Self>> {
        let host = host(request)?;
        Ok(KBox::new(Self { host, last: 0 }, GFP_KERNEL)?)
    }

    fn fill(&mut self, out: &mut Records<'_>) -> Result<bool> {
        let net = &self.host.net;
        let guard = rcu::read_lock();
        let Some(config) = net.config(&guard) else {
            return Ok(true);
        };
        out.generation(config.generation);
        let last = self.last;
        for m in config.members.iter().filter(|m| m.id() > last) {
            if !out.record(|w| events::put_member(w, net, &guard, config, m))? {
                return Ok(false);
            }
            self.last = m.id();
        }
        Ok(true)
    }
}
