// SPDX-License-Identifier: GPL-2.0

//! Attached devices and the hooks that follow from them. Process context.

use kernel::{
    prelude::*,
    sync::{
        Arc, ArcBorrow, //
    },
};

use super::{
    egress::Egress,
    host::Host,
    ingress::Ingress,
    spawn::Spawn,
    unshift::Unshift, //
};
use crate::kapi::{
    netdev::{self, DeviceGone, Name, Refused},
    nf::{Point, Registration},
    pernet::{self, NetNs},
};

/// One attached device.
pub(crate) struct Attached {
    /// Its number.
    pub(crate) ifindex: u32,
    /// Its name when it was attached.
    pub(crate) name: Name,
    _ingress: Registration<Ingress>,
}

/// The hooks of a namespace, there while any device is attached.
struct Inet {
    _unshift: Registration<Unshift>,
    _spawn: Registration<Spawn>,
    _egress: Registration<Egress>,
}

impl Inet {
    fn new(host: ArcBorrow<'_, Host>, ipv6: bool) -> Result<Self> {
        let ns = host.net.ns;
        Ok(Self {
            _unshift: Registration::inet(ns, Point::PreRouting, ipv6, host.into())?,
            _spawn: Registration::inet(ns, Point::LocalIn, ipv6, host.into())?,
            _egress: Registration::inet(ns, Point::LocalOut, ipv6, host.into())?,
        })
    }
}

/// What is attached. The namespace's hooks are put in before the first device's and taken out
/// after the last's, so that no decided connection misses them.
pub(crate) struct Devices {
    attached: KVec<Attached>,
    inet: Option<[Inet; 2]>,
}

impl Devices {
    /// Nothing attached.
    pub(super) const fn new() -> Self {
        Self {
            attached: KVec::new(),
            inet: None,
        }
    }

    /// The attached devices.
    pub(crate) fn list(&self) -> &[Attached] {
        &self.attached
    }

    /// Takes every hook out.
    pub(super) fn clear(&mut self) {
        self.attached.clear();
        self.inet = None;
    }

    fn remove(&mut self, ifindex: u32) -> bool {
        let Some(i) = self.attached.iter().position(|a| a.ifindex == ifindex) else {
            return false;
        };
        drop(self.attached.remove(i));
        if self.attached.is_empty() {
            self.inet = None;
        }
        true
    }
}

/// Begins to look at a device's packets. Attaching again is no error.
///
/// # Errors
///
/// The reason why the device is refused, or the error of the kernel.
pub(crate) fn attach(host: ArcBorrow<'_, Host>, ifindex: u32) -> Result<Result<(), Refused>> {
    let name = match netdev::check(host.net.ns, ifindex) {
        Ok(name) => name,
        Err(refused) => return Ok(Err(refused)),
    };
    let mut parts = host.control.lock();
    if parts.dying() {
        return Err(ENODEV);
    }
    let devices = &mut parts.devices;
    if devices.attached.iter().any(|a| a.ifindex == ifindex) {
        return Ok(Ok(()));
    }
    devices.attached.reserve(1, GFP_KERNEL)?;
    if devices.inet.is_none() {
        devices.inet = Some([Inet::new(host, false)?, Inet::new(host, true)?]);
    }
    let new = Registration::ingress(host.net.ns, ifindex, Arc::from(host)).map(|ingress| Attached {
        ifindex,
        name,
        _ingress: ingress,
    });
    match new {
        Ok(new) => devices.attached.push(new, GFP_KERNEL)?,
        Err(e) => {
            if devices.attached.is_empty() {
                devices.inet = None;
            }
            return Err(e);
        }
    }
    if let Some(first) = devices.attached.first() {
        host.set_device(first.ifindex);
    }
    Ok(Ok(()))
}

/// Stops looking at a device's packets; whether it was attached.
///
/// # Errors
///
/// `EBUSY` when it is the last device and sequence-shifted connections are open: without the
/// hooks their streams would be corrupted. With `force` these are reset first.
pub(crate) fn detach(host: ArcBorrow<'_, Host>, ifindex: u32, force: bool) -> Result<bool> {
    let last = {
        let parts = host.control.lock();
        let list = parts.devices.list();
        list.len() == 1 && list.iter().any(|a| a.ifindex == ifindex)
    };
    if last && host.net.shifts.count() > 0 {
        if !force {
            return Err(EBUSY);
        }
        super::sweep::reset_shifted(&host)?;
    }
    let mut parts = host.control.lock();
    let removed = parts.devices.remove(ifindex);
    let first = parts.devices.list().first().map_or(0, |a| a.ifindex);
    host.set_device(first);
    drop(parts);
    if first == 0 {
        host.net.pending.clear();
    }
    Ok(removed)
}

/// Devices that go take their hooks with them.
pub(crate) struct Gone;

impl DeviceGone for Gone {
    fn device_gone(ns: NetNs, ifindex: u32) {
        let Some(host) = pernet::of::<Host>(ns) else {
            return;
        };
        let mut parts = host.control.lock();
        if parts.devices.remove(ifindex) {
            let first = parts.devices.list().first().map_or(0, |a| a.ifindex);
            host.set_device(first);
        }
    }
}
