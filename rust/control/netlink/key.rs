// SPDX-License-Identifier: GPL-2.0

//! Farm keys: loaded, and shown by their numbers. What a key is leaves the kernel nowhere.

use kernel::{
    prelude::*,
    sync::{
        rcu,
        Arc, //
    },
};

use super::{
    configure,
    host, //
};
use crate::{
    hook::host::Host,
    kapi::genl::{
        Dump,
        Records,
        Request, //
    },
    table::keys::{
        Key,
        KeyRing, //
    },
    uapi::consts::{
        key::{
            FINGERPRINT,
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
    let given = request.attr(ID);
    let id = given.as_ref().map_or(Ok(0), |attr| attr.u8())?;
    let role = request
        .attr(ROLE)
        .map_or(Ok(KeyRole::Send as u32), |attr| attr.u32())?;
    let send = KeyRole::from_u32(role) == Some(KeyRole::Send);
    let host = host(request)?;
    let key = Key::new(id, &secret)?;
    configure(&host, ConfigWhat::Key, |_| {
        let clash = host.net.keys.with(|old| {
            let same = old.and_then(|ring| ring.get(id));
            same.is_some_and(|old| old.fingerprint() != key.fingerprint())
        });
        if clash && given.is_none() {
            let why = c"id: another key has number 0: give the new one a number of its own";
            return Err(request.refuse_as(EEXIST, None, why));
        }
        let ring = host.net.keys.with(|old| KeyRing::with(old, key, send))?;
        host.net.keys.replace(Some(ring));
        Ok(())
    })
}

/// Shows which keys are loaded.
pub(in crate::control) struct List {
    host: Arc<Host>,
    /// The lowest number that has not been shown; beyond the last one when all have.
    next: u16,
}

impl Dump for List {
    fn start(request: &Request<'_>) -> Result<KBox<Self>> {
        let host = host(request)?;
        Ok(KBox::new(Self { host, next: 0 }, GFP_KERNEL)?)
    }

    fn fill(&mut self, out: &mut Records<'_>) -> Result<bool> {
        let guard = rcu::read_lock();
        let Some(ring) = self.host.net.keys.read(&guard) else {
            return Ok(true);
        };
        let sends = ring.send().map(|key| key.id);
        while let Ok(id) = u8::try_from(self.next) {
            if let Some(key) = ring.get(id) {
                let role = if sends == Some(id) {
                    KeyRole::Send
                } else {
                    KeyRole::Receive
                };
                let wrote = out.record(|w| {
                    w.u8(ID, id)?;
                    w.u32(ROLE, role as u32)?;
                    w.u32(FINGERPRINT, key.fingerprint())
                })?;
                if !wrote {
                    return Ok(false);
                }
            }
            self.next = self.next.saturating_add(1);
        }
        Ok(true)
    }
}
