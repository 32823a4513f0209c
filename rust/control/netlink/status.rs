// SPDX-License-Identifier: GPL-2.0

//! This member in one message, and its counters.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu, //
    },
};

use super::{
    device,
    host, //
};
use crate::{
    decide::reason::Reason,
    kapi::{
        genl::{
            self,
            Request, //
        },
        module,
    },
    uapi::consts::{
        counter,
        stats::COUNTER,
        status::{
            ATTACHED,
            BOOT,
            CLOCK_OFFSET,
            EJECT_MAX,
            FABRIC_MTU,
            FABRIC_MTU_SET,
            FARM_ID,
            FLOWS,
            FLOWS_MAX,
            FROZEN,
            GENERATION,
            HELD,
            HELD_BYTES,
            KERNEL,
            KEYS,
            MEMBERS,
            MEMBER_ID,
            MEMBER_NAME,
            PORT,
            PUSH,
            SCALE,
            SERVICES,
            SESSIONS,
            SESSIONS_MAX,
            STATE_INTERVAL,
            VERSION, //
        },
    },
};

/// Release of the kernel that the module was built for; it loads into no other.
const RELEASE: &str = match option_env!("KERNELRELEASE") {
    Some(release) => release,
    None => "",
};

/// Shows this member.
pub(in crate::control) fn get(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let net = &host.net;
    genl::reply(request, 4096, |w| {
        w.text(VERSION, module::version())?;
        w.text(KERNEL, RELEASE.as_bytes())?;
        // The control lock may sleep and RCU may not: one after the other.
        {
            let parts = host.control.lock();
            for attached in parts.devices.list() {
                w.text(ATTACHED, device::text(&attached.name(net.ns)))?;
            }
        }
        let guard = rcu::read_lock();
        let config = net.config(&guard).ok_or(ENODEV)?;
        w.u32(MEMBER_ID, config.local.into())?;
        if let Some(me) = config.me() {
            w.text(MEMBER_NAME, me.settings.name.as_bytes())?;
        }
        w.u32(GENERATION, config.generation)?;
        w.u32(MEMBERS, config.members.len() as u32)?;
        w.u32(SERVICES, config.services.len() as u32)?;
        w.uint(SESSIONS, net.sessions.len().into())?;
        w.uint(FLOWS, net.flows.len().into())?;
        w.uint(FLOWS_MAX, net.flows.max().into())?;
        w.uint(HELD, net.pending.len().into())?;
        w.uint(HELD_BYTES, net.pending.memory())?;
        w.u32(
            KEYS,
            net.keys.read(&guard).map_or(0, |keys| keys.len() as u32),
        )?;
        w.u8(FROZEN, net.is_frozen().into())?;
        w.u8(PUSH, net.debug.push.load(Relaxed).into())?;
        w.u16(SCALE, config.farm.scale)?;
        w.s32(CLOCK_OFFSET, net.debug.clock_offset.load(Relaxed))?;
        w.uint(BOOT, net.boot)?;
        w.u16(PORT, config.farm.port)?;
        w.u32(STATE_INTERVAL, config.farm.interval_ms)?;
        w.u32(FARM_ID, config.farm.id)?;
        w.u16(FABRIC_MTU, net.fabric_mtu())?;
        w.u8(FABRIC_MTU_SET, (config.farm.fabric_mtu != 0).into())?;
        w.u32(SESSIONS_MAX, config.farm.sessions_max)?;
        w.u8(EJECT_MAX, config.farm.eject_max)
    })
}

/// Shows the counters.
pub(in crate::control) fn stats(request: &Request<'_>) -> Result {
    let host = host(request)?;
    // 64 bytes hold a counter with its headers and the longest name.
    let capacity = (Reason::COUNT as u32).saturating_mul(64).saturating_add(64);
    genl::reply(request, capacity, |w| {
        for (index, name) in Reason::NAMES.iter().enumerate() {
            w.nest(COUNTER, |w| {
                w.text(counter::NAME, name.as_bytes())?;
                w.uint(counter::VALUE, host.net.counter(index))
            })?;
        }
        Ok(())
    })
}
