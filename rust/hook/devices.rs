// SPDX-License-Identifier: GPL-2.0

//! Attached devices and the hooks that follow from them. Process context.

use kernel::{
    prelude::*,
    sync::{
        Arc,
        ArcBorrow, //
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

/// Most devices of one namespace.
const DEVICES_MAX: usize = 16;

/// One attached device.
pub(crate) struct Attached {
    /// Its number.
    pub(crate) ifindex: u32,
    _ingress: Registration<Ingress>,
}

impl Attached {
    /// Its present name; empty when it is just going. Process context.
    pub(crate) fn name(&self, ns: NetNs) -> Name {
        match netdev::check(ns, self.ifindex) {
            Ok(name) => name,
            Err(_) => Name([0; 16]),
        }
    }
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
    attached: [Option<Attached>; DEVICES_MAX],
    inet: Option<[Inet; 2]>,
}

impl Devices {
    /// Nothing attached.
    pub(super) const fn new() -> Self {
        Self {
            attached: [const { None }; DEVICES_MAX],
            inet: None,
        }
    }

    /// The attached devices.
    pub(crate) fn list(&self) -> impl Iterator<Item = &Attached> {
        self.attached.iter().flatten()
    }

    /// The number of the first one; 0 when there is none.
    fn first(&self) -> u32 {
        self.list().next().map_or(0, |a| a.ifindex)
    }

    /// Takes every hook out.
    pub(super) fn clear(&mut self) {
        self.attached = [const { None }; DEVICES_MAX];
        self.inet = None;
    }

    fn remove(&mut self, ifindex: u32) -> bool {
        let is = |slot: &&mut Option<Attached>| slot.as_ref().is_some_and(|a| a.ifindex == ifindex);
        let Some(slot) = self.attached.iter_mut().find(is) else {
            return false;
        };
        *slot = None;
        if self.first() == 0 {
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
    if let Err(refused) = netdev::check(host.net.ns, ifindex) {
        return Ok(Err(refused));
    }
    let mut parts = host.control.lock();
    if parts.dying() {
        return Err(ENODEV);
    }
    let devices = &mut parts.devices;
    if devices.list().any(|a| a.ifindex == ifindex) {
        return Ok(Ok(()));
    }
    if devices.inet.is_none() {
        devices.inet = Some([Inet::new(host, false)?, Inet::new(host, true)?]);
    }
    let new =
        Registration::ingress(host.net.ns, ifindex, Arc::from(host)).map(|ingress| Attached {
            ifindex,
            _ingress: ingress,
        });
    let free = devices.attached.iter_mut().find(|slot| slot.is_none());
    let done = match (new, free) {
        (Ok(new), Some(slot)) => {
            *slot = Some(new);
            Ok(Ok(()))
        }
        (Ok(_), None) => Err(ENOSPC),
        (Err(e), _) => Err(e),
    };
    let first = devices.first();
    if first == 0 {
        devices.inet = None;
    }
    host.set_device(first);
    done
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
        let mut list = parts.devices.list();
        list.next().is_some_and(|a| a.ifindex == ifindex) && list.next().is_none()
    };
    if last && host.net.edits.shifted() > 0 {
        if !force {
            return Err(EBUSY);
        }
        super::sweep::reset_shifted(&host)?;
    }
    let mut parts = host.control.lock();
    let removed = parts.devices.remove(ifindex);
    let first = parts.devices.first();
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
            let first = parts.devices.first();
            host.set_device(first);
        }
    }
}
