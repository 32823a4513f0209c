// SPDX-License-Identifier: GPL-2.0

//! Devices: attached, detached, shown.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::host;
use crate::{
    control::events,
    hook::{
        devices,
        host::Host, //
    },
    kapi::{
        genl::{
            Attr,
            Dump,
            Records,
            Request, //
        },
        netdev::{
            self,
            Name,
            Refused, //
        },
    },
    uapi::consts::device::{
        FORCE,
        IFINDEX,
        IFNAME, //
    },
};

/// The device that a request names, and the attribute that names it.
fn device<'a>(request: &Request<'a>, host: &Host) -> Result<(u32, Attr<'a>)> {
    let by_name = request.attr(IFNAME);
    if let Some(attr) = request.attr(IFINDEX) {
        if by_name.is_some() {
            return Err(request.refuse(&attr, c"ifindex: and ifname are given; one is enough"));
        }
        return Ok((attr.u32()?, attr));
    }
    let attr = request.need(IFNAME, c"ifname: is missing, and so is ifindex")?;
    let mut name = Name([0; 16]);
    for (to, from) in name.0.iter_mut().take(15).zip(attr.text()) {
        *to = *from;
    }
    match netdev::index(host.net.ns, &name).filter(|index| *index != 0) {
        Some(index) => Ok((index, attr)),
        None => Err(no_device(request, &attr)),
    }
}

/// The bytes of a name, without what follows its NUL.
pub(super) fn text(name: &Name) -> &[u8] {
    name.0.split(|byte| *byte == 0).next().unwrap_or_default()
}

fn no_device(request: &Request<'_>, attr: &Attr<'_>) -> Error {
    request.refuse_with(
        attr,
        &[b"ifname: there is no device ", attr.text(), b" here"],
    );
    ENODEV
}

/// Attaches a device.
pub(in crate::control) fn attach(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let (index, attr) = device(request, &host)?;
    match devices::attach(host.as_arc_borrow(), index)? {
        Ok(()) => {
            events::device(&host.net);
            Ok(())
        }
        Err(Refused::NoDevice) => Err(no_device(request, &attr)),
        Err(Refused::Vrf) => {
            let why = c"ifname: is a VRF, in which homing cannot work: use a device outside of it";
            Err(request.refuse(&attr, why))
        }
        Err(Refused::HasUpper(upper)) => {
            let why: &[&[u8]] = &[b"ifname: is a part of ", text(&upper), b": attach that one"];
            Err(request.refuse_with(&attr, why))
        }
    }
}

/// Detaches a device.
pub(in crate::control) fn detach(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let (index, attr) = device(request, &host)?;
    let force = request.attr(FORCE).is_some();
    match devices::detach(host.as_arc_borrow(), index, force) {
        Ok(true) => {
            events::device(&host.net);
            Ok(())
        }
        Ok(false) => Err(request.refuse_as(ENOENT, Some(&attr), c"ifname: is not attached")),
        Err(e) if e == EBUSY => {
            let why = c"ifname: connections are sequence-shifted; with force they are reset";
            Err(request.refuse_as(EBUSY, Some(&attr), why))
        }
        Err(e) => Err(e),
    }
}

/// Shows the attached devices. They are few enough for one message, which is written under the
/// control lock: no change interrupts it, so there is no generation to state.
pub(in crate::control) struct List {
    host: Arc<Host>,
    /// How many have been shown.
    shown: usize,
}

impl Dump for List {
    fn start(request: &Request<'_>) -> Result<KBox<Self>> {
        let host = host(request)?;
        Ok(KBox::new(Self { host, shown: 0 }, GFP_KERNEL)?)
    }

    fn fill(&mut self, out: &mut Records<'_>) -> Result<bool> {
        let ns = self.host.net.ns;
        let parts = self.host.control.lock();
        while let Some(device) = parts.devices.list().nth(self.shown) {
            let wrote = out.record(|w| {
                w.u32(IFINDEX, device.ifindex)?;
                w.text(IFNAME, text(&device.name(ns)))
            })?;
            if !wrote {
                return Ok(false);
            }
            self.shown = self.shown.saturating_add(1);
        }
        Ok(true)
    }
}
