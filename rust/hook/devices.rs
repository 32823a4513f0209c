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
    events,
    host::Host,
    ingress::Ingress,
    spawn::Spawn,
    unshift::Unshift, //
};
use crate::kapi::{
    netdev::{self, Name, Refused, Watcher},
    nf::{Point, Registration},
    pernet::{self, NetNs},
};

/// Most devices of one namespace.
pub(super) const DEVICES_MAX: usize = 16;

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
    // Taken out in this order: what is begun by one is known by the next.
    _egress: Registration<Egress>,
    _spawn: Registration<Spawn>,
    _unshift: Registration<Unshift>,
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

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.list().next().is_none()
    }

    /// Whether a device is attached.
    fn has(&self, ifindex: u32) -> bool {
        self.list().any(|a| a.ifindex == ifindex)
    }

    /// Tells the host of them: in front the first that is up, which gets what comes through the
    /// tunnel.
    fn tell(&self, host: &Host) {
        let mut list = [0u32; DEVICES_MAX];
        for (slot, a) in list.iter_mut().zip(self.list()) {
            *slot = a.ifindex;
        }
        let up = |i: &u32| *i != 0 && netdev::is_up(host.net.ns, *i);
        if let Some(at) = list.iter().position(up) {
            list.swap(0, at);
        }
        host.set_devices(&list);
    }

    /// Takes every hook out.
    pub(super) fn clear(&mut self) {
        self.attached = [const { None }; DEVICES_MAX];
        self.inet = None;
    }

    /// Takes the namespace's hooks out when no device is attached, unless there are streams that they
    /// have changed: these must stay as they are.
    fn settle(&mut self, host: &Host) {
        if self.is_empty() {
            let _stopped = host.net.edits.stop();
            if host.net.edits.shifted() == 0 {
                self.inet = None;
            }
        }
    }

    fn remove(&mut self, ifindex: u32) -> bool {
        let is = |slot: &&mut Option<Attached>| slot.as_ref().is_some_and(|a| a.ifindex == ifindex);
        let Some(slot) = self.attached.iter_mut().find(is) else {
            return false;
        };
        *slot = None;
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
    netdev::prepare(host.net.ns, ifindex);
    let mut parts = host.control.lock();
    if parts.dying() {
        return Err(ENODEV);
    }
    let devices = &mut parts.devices;
    if devices.has(ifindex) {
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
    devices.settle(&host);
    devices.tell(&host);
    done
}

/// How often [`detach`] looks for shifted connections to reset: a walk may miss some while the table
/// grows.
const RESET_WALKS: u32 = 4;

/// Stops looking at a device's packets; whether it was attached.
///
/// # Errors
///
/// `EBUSY` when it is the last device and sequence-shifted connections are open: without the
/// hooks their streams would be corrupted. With `force` these are reset first.
pub(crate) fn detach(host: ArcBorrow<'_, Host>, ifindex: u32, force: bool) -> Result<bool> {
    let edits = &host.net.edits;
    let only = |devices: &Devices| devices.has(ifindex) && devices.list().count() == 1;
    let mut resetting = None;
    if force && only(&host.control.lock().devices) {
        // From here on no stream is changed that is not. The lock is not held: a reset waits for whoever
        // uses the socket, and a device that goes waits for the lock, and all for that device.
        resetting = Some(edits.stop());
        for _ in 0..RESET_WALKS {
            if edits.shifted() == 0 {
                break;
            }
            super::sweep::reset_shifted(&host)?;
        }
    }
    let mut parts = host.control.lock();
    if !parts.devices.has(ifindex) {
        return Ok(false);
    }
    if only(&parts.devices) {
        let stopped = edits.stop();
        if edits.shifted() > 0 {
            return Err(EBUSY);
        }
        parts.devices.remove(ifindex);
        parts.devices.inet = None;
        drop(stopped);
        host.net.pending.clear();
    } else {
        parts.devices.remove(ifindex);
    }
    parts.devices.tell(&host);
    drop(resetting);
    Ok(true)
}

/// Devices that go take their hooks with them.
pub(crate) struct Watch;

impl Watcher for Watch {
    fn gone(ns: NetNs, ifindex: u32) {
        let Some(host) = pernet::of::<Host>(ns) else {
            return;
        };
        let mut parts = host.control.lock();
        if parts.devices.remove(ifindex) {
            parts.devices.settle(&host);
            parts.devices.tell(&host);
            events::device_gone(&host);
        }
    }

    fn changed(ns: NetNs, ifindex: u32) {
        let Some(host) = pernet::of::<Host>(ns) else {
            return;
        };
        let parts = host.control.lock();
        if parts.devices.has(ifindex) {
            parts.devices.tell(&host);
        }
    }

    fn is_attached(ns: NetNs, ifindex: u32) -> bool {
        pernet::of::<Host>(ns).is_some_and(|host| host.control.lock().devices.has(ifindex))
    }
}
