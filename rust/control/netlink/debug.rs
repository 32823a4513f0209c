// SPDX-License-Identifier: GPL-2.0

//! Switches for tests and for looking closer.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu,
        Arc, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
};

use super::{
    configure,
    host, //
};
use crate::{
    hook::host::Host,
    kapi::genl::{
        Attr,
        Request, //
    },
    table::{
        member::{
            Belief,
            Live,
            State, //
        },
        session::{
            Applied,
            Key, //
        },
    },
    uapi::consts::{
        belief,
        debug::{
            CLOCK_OFFSET,
            FILL,
            FREEZE,
            MEMBER,
            PUSH,
            SCALE, //
        },
        ConfigWhat,
    },
    wire::control::Association,
};

/// Sessions that are made up at once, before others have their turn.
const BATCH: u32 = 1024;

/// Batches in a row that find no memory, or a table that is still growing, before that is an error.
const PATIENCE: u32 = 1000;

/// Sets switches; everything is read before anything is changed.
pub(in crate::control) fn set(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let freeze = request.attr(FREEZE).map(|attr| attr.u8()).transpose()?;
    let push = request.attr(PUSH).map(|attr| attr.u8()).transpose()?;
    let offset = request
        .attr(CLOCK_OFFSET)
        .map(|attr| attr.s32())
        .transpose()?;
    let scale = request.attr(SCALE).map(|attr| attr.u16()).transpose()?;
    let nest = request.attr(MEMBER);
    let member = nest.map(|nest| live(request, &host, &nest)).transpose()?;
    let fill = request.attr(FILL);
    let count = fill.as_ref().map(|attr| attr.u32()).transpose()?;

    configure(&host, ConfigWhat::Debug, |config| {
        if let (Some(nest), Some(live)) = (nest, member) {
            let old = live.belief.with(|old| old.copied().unwrap_or_default());
            let new = believe(old, &nest)?;
            // To believe nothing on purpose is to believe what is heard and seen.
            let new = (new != Belief::default()).then(|| KBox::new(new, GFP_KERNEL));
            live.belief.replace(new.transpose()?);
        }
        config.farm.scale = scale.unwrap_or(config.farm.scale);
        Ok(())
    })?;
    let switches = &host.net.debug;
    if let Some(freeze) = freeze {
        switches.frozen.store(freeze != 0, Relaxed);
    }
    if let Some(push) = push {
        switches.push.store(push != 0, Relaxed);
    }
    if let Some(offset) = offset {
        switches.clock_offset.store(offset, Relaxed);
    }
    match (fill, count) {
        (Some(attr), Some(count)) => make_up(request, &host, &attr, count),
        _ => Ok(()),
    }
}

/// Makes up sessions until there are `count` of them, or no more fit.
fn make_up(request: &Request<'_>, host: &Host, attr: &Attr<'_>, count: u32) -> Result {
    let net = &host.net;
    let (mut next, mut failed) = (0u32, 0u32);
    while next < count {
        let before = next;
        let guard = rcu::read_lock();
        let config = net.config(&guard).ok_or(ENODEV)?;
        if config.local == 0 {
            return Err(request.refuse(attr, c"fill: this host is no member of the farm"));
        }
        let now = net.now();
        for number in before..count.min(before.saturating_add(BATCH)) {
            let made_up = Association {
                key: made_up(number),
                home: config.local,
                origin: config.local,
                version: 1,
                created: now,
                last_used: now,
                group: 0,
                flags: Association::CONFIRMED,
            };
            if net.apply(&guard, config, &made_up) == Applied::Full {
                break;
            }
            next = number.saturating_add(1);
        }
        let full = net.sessions.len() >= config.farm.sessions_max;
        drop(guard);
        failed = if next > before {
            0
        } else {
            failed.saturating_add(1)
        };
        match failed {
            0 => {}
            _ if full => {
                let why = c"fill: the session table is full";
                return Err(request.refuse_as(ENOSPC, Some(attr), why));
            }
            PATIENCE.. => return Err(ENOMEM),
            _ => {}
        }
        if kernel::current!().signal_pending() {
            return Err(EINTR);
        }
        fsleep(Delta::from_millis(1));
    }
    Ok(())
}

/// Key of a session that nobody has.
fn made_up(number: u32) -> Key {
    (u128::from_be_bytes(*b"made up\0\0\0\0\0\0\0\0\0") | u128::from(number)).to_be_bytes()
}

/// What changes by itself of the member that a nest is about.
fn live(request: &Request<'_>, host: &Host, nest: &Attr<'_>) -> Result<Arc<Live>> {
    let Some(attr) = nest.attr(belief::ID) else {
        return Err(request.refuse(nest, c"member: has no id"));
    };
    let id = attr.u32()?;
    let guard = kernel::sync::rcu::read_lock();
    let config = host.net.config(&guard).ok_or(ENOENT)?;
    let member = config.members.iter().find(|m| u32::from(m.id()) == id);
    let live = member.map(|m| m.live.clone());
    live.ok_or_else(|| request.refuse_as(ENOENT, Some(&attr), c"id: no such member"))
}

/// The overrides of a nest on top of older ones.
fn believe(old: Belief, nest: &Attr<'_>) -> Result<Belief> {
    let mut new = match nest.attr(belief::CLEAR) {
        Some(_) => Belief::default(),
        None => old,
    };
    let short = |attr: Attr<'_>| u16::try_from(attr.u32()?).map_err(|_| EINVAL);
    if let Some(attr) = nest.attr(belief::SESSIONS) {
        new.sessions = Some(attr.u32()?);
    }
    if let Some(attr) = nest.attr(belief::FLOWS) {
        new.flows = Some(attr.u32()?);
    }
    if let Some(attr) = nest.attr(belief::REQUESTS) {
        new.requests = Some(attr.u32()?);
    }
    if let Some(attr) = nest.attr(belief::CPU) {
        new.cpu = Some(short(attr)?);
    }
    if let Some(attr) = nest.attr(belief::WEIGHT) {
        new.weight = Some(short(attr)?);
    }
    if let Some(attr) = nest.attr(belief::STATE) {
        new.state = Some(State::from_u32(attr.u32()?).ok_or(EINVAL)?);
    }
    if let Some(attr) = nest.attr(belief::LISTENER) {
        new.listener = Some(attr.u8()? != 0);
    }
    Ok(new)
}
