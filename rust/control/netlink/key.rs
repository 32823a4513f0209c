// SPDX-License-Identifier: GPL-2.0

//! Farm keys: loaded, never shown.

use kernel::prelude::*;

use super::{
    configure,
    host, //
};
use crate::{
    kapi::genl::Request,
    table::keys::{
        Key,
        KeyRing, //
    },
    uapi::consts::{
        key::{
            ID,
            ROLE,
            SECRET, //
        },
        ConfigWhat, KeyRole,
    },
};

/// Loads a key.
pub(in crate::control) fn set(request: &Request<'_>) -> Result {
    let attr = request.need(SECRET, c"secret: is missing")?;
    let secret = attr.array()?;
    if secret.iter().all(|byte| *byte == 0) {
        return Err(request.refuse(&attr, c"secret: is all zero"));
    }
    let id = request.attr(ID).map_or(Ok(0), |attr| attr.u8())?;
    let role = request
        .attr(ROLE)
        .map_or(Ok(KeyRole::Send as u32), |attr| attr.u32())?;
    let send = KeyRole::from_u32(role) == Some(KeyRole::Send);
    let host = host(request)?;
    let key = Key::new(id, &secret)?;
    configure(&host, ConfigWhat::Key, |_| {
        let ring = host.net.keys.with(|old| KeyRing::with(old, key, send))?;
        host.net.keys.replace(Some(ring));
        Ok(())
    })
}
