// SPDX-License-Identifier: GPL-2.0

//! What is the same for the whole farm.

use kernel::prelude::*;

use super::{
    configure,
    host, //
};
use crate::{
    decide::limits::FABRIC_MTU_MIN,
    kapi::{
        errno::eaddrinuse,
        genl::Request, //
    },
    uapi::consts::{
        farm::{
            EJECT_MAX,
            FABRIC_MTU,
            ID,
            PORT,
            SCALE,
            SESSIONS_MAX,
            STATE_INTERVAL, //
        },
        ConfigWhat,
    },
};

/// Changes settings.
pub(in crate::control) fn set(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let sessions_max = request.attr(SESSIONS_MAX).map(|a| a.u32()).transpose()?;
    let changed = configure(&host, ConfigWhat::Farm, |config| {
        let mut farm = config.farm;
        if let Some(attr) = request.attr(PORT) {
            farm.port = attr.u16()?;
        }
        if let Some(attr) = request.attr(STATE_INTERVAL) {
            farm.interval_ms = attr.u32()?;
        }
        if let Some(attr) = request.attr(SCALE) {
            farm.scale = attr.u16()?;
        }
        if let Some(attr) = request.attr(ID) {
            farm.id = attr.u32()?;
        }
        if let Some(attr) = request.attr(FABRIC_MTU) {
            farm.fabric_mtu = match attr.u16()? {
                1..FABRIC_MTU_MIN => {
                    let why = c"fabric-mtu: is 0 (found out) or at least 1280";
                    return Err(request.refuse_as(ERANGE, Some(&attr), why));
                }
                size => size,
            };
        }
        if let Some(attr) = request.attr(EJECT_MAX) {
            farm.eject_max = attr.u8()?;
        }
        farm.sessions_max = sessions_max.unwrap_or(farm.sessions_max);
        config.farm = farm;
        Ok(())
    });
    if let (Ok(()), Some(max)) = (&changed, sessions_max) {
        host.net.sessions.set_max(max);
    }
    match (changed, request.attr(PORT)) {
        (Err(e), Some(attr)) if e == eaddrinuse() => {
            Err(request.refuse_as(e, Some(&attr), c"port: is in use"))
        }
        (changed, _) => changed,
    }
}
