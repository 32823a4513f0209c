// SPDX-License-Identifier: GPL-2.0

//! Where a session or a connection goes, and why.

use kernel::{
    prelude::*,
    sync::rcu, //
};

use super::host;
use crate::{
    hook::explain::{
        self,
        Standing, //
    },
    kapi::genl::{
        self,
        Request, //
    },
    uapi::consts::{
        explain::{
            CLIENT,
            CLIENT_PORT,
            CREATED,
            DIRECTORY,
            ENTRY,
            GROUP,
            KEY,
            LISTED,
            MINORITY,
            NAMED,
            OWNER,
            PORT,
            SERVICE,
            SID,
            SOCKET,
            STANDING,
            STATE,
            SUCCESSOR,
            TARGET,
            VERDICT,
            VIP, //
        },
        FlowState,
    },
    wire::addr::{
        Addr,
        Tuple, //
    },
};

/// Explains what the request names.
pub(in crate::control) fn get(request: &Request<'_>) -> Result {
    match request.attr(SID) {
        Some(_) => session(request),
        None => connection(request),
    }
}

fn session(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let attr = request.need(SID, c"sid: is missing")?;
    let Ok(text) = <&[u8; 32]>::try_from(attr.text()) else {
        return Err(request.refuse(&attr, c"sid: is not 32 characters of base64url"));
    };
    let place = match (request.attr(VIP), request.attr(PORT)) {
        (None, None) => None,
        (vip, _) => {
            let missing = c"vip: and port belong together";
            let port = request.need(PORT, missing)?.u16()?;
            let vip = vip.map_or_else(|| request.need(VIP, missing), Ok)?;
            Some((Addr(vip.array()?), port, vip))
        }
    };
    genl::reply(request, 512, |w| {
        let guard = rcu::read_lock();
        let config = host.net.config(&guard).ok_or(ENODEV)?;
        let service = match &place {
            None => None,
            Some((vip, port, attr)) => match config.service(vip, *port) {
                Some(service) => Some(&**service),
                None => {
                    let why = c"vip: no service has this address and port";
                    return Err(request.refuse_as(ENOENT, Some(attr), why));
                }
            },
        };
        let why = explain::session(&host, &guard, config, service, text);
        w.u32(VERDICT, why.verdict as u32)?;
        w.u32(TARGET, why.target.into())?;
        if let Some(service) = why.service {
            w.bytes(VIP, &service.vip.0)?;
            w.u16(PORT, service.port)?;
        }
        if let Some(standing) = why.standing {
            w.u32(STANDING, standing as u32)?;
            w.u8(MINORITY, why.minority.into())?;
        }
        if let Some((claims, key)) = &why.claims {
            w.u32(NAMED, claims.home.into())?;
            w.u16(GROUP, claims.group)?;
            w.uint(CREATED, claims.created.into())?;
            w.bytes(KEY, key)?;
        }
        match why.successor {
            Some(id) => w.u32(SUCCESSOR, id.into()),
            None => Ok(()),
        }
    })
}

fn connection(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let missing = c"client: a connection needs client, client-port, vip and port";
    let tuple = Tuple {
        client: Addr(request.need(CLIENT, missing)?.array()?),
        vip: Addr(request.need(VIP, missing)?.array()?),
        client_port: request.need(CLIENT_PORT, missing)?.u16()?,
        vip_port: request.need(PORT, missing)?.u16()?,
    };
    genl::reply(request, 512, |w| {
        let guard = rcu::read_lock();
        let config = host.net.config(&guard).ok_or(ENODEV)?;
        let known = explain::connection(&host, &guard, config, &tuple);
        w.u32(OWNER, known.owner.into())?;
        for id in known.directory.iter().flatten() {
            w.u32(DIRECTORY, (*id).into())?;
        }
        w.u32(LISTED, known.listed.into())?;
        w.u8(SERVICE, known.service.into())?;
        w.u32(ENTRY, known.entry.into())?;
        match known.standing {
            Standing::Flow(state) => w.u32(STATE, super::flow::state(state) as u32)?,
            Standing::Held => w.u32(STATE, FlowState::Deciding as u32)?,
            Standing::Unknown => {}
        }
        if known.socket {
            w.bytes(SOCKET, &[])?;
        }
        match known.session {
            Some(key) => w.bytes(KEY, &key),
            None => Ok(()),
        }
    })
}
