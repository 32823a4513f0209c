// SPDX-License-Identifier: GPL-2.0

//! The configuration of a member: published whole, never changed in place.

use kernel::{
    prelude::*,
    sync::Arc, //
};

use super::{
    member::Member,
    service::Service, //
};
use crate::{
    decide::{
        digest::Digest,
        limits,
        member::{stretched, Times},
        session::Timeouts, //
    },
    wire::{addr::Addr, geneve}, //
};

/// What is the same for the whole farm.
#[derive(Clone, Copy, Hash)]
pub(crate) struct Farm {
    /// UDP port of farm traffic.
    pub(crate) port: u16,
    /// Milliseconds between state messages, before scaling.
    pub(crate) interval_ms: u32,
    /// Factor on every time constant.
    pub(crate) scale: u16,
    /// Number of the farm (VNI).
    pub(crate) id: u32,
    /// Bytes of an IP packet that the network between the members carries; 0: found out.
    pub(crate) fabric_mtu: u16,
    /// Per cent of the members that may be left out for coming and going.
    pub(crate) eject_max: u8,
    /// Most sessions that are stored.
    pub(crate) sessions_max: u32,
}

/// Everything configured.
pub(crate) struct Config {
    /// Number of changes so far.
    pub(crate) generation: u32,
    /// Which member we are; 0 for none.
    pub(crate) local: u16,
    /// Digest of all that is to be the same on every member.
    pub(crate) digest: u32,
    /// For the whole farm.
    pub(crate) farm: Farm,
    /// In the order of their numbers.
    pub(crate) members: KVec<Arc<Member>>,
    /// In the order of their making.
    pub(crate) services: KVec<Arc<Service>>,
}

impl Config {
    /// Nothing configured.
    pub(crate) fn new() -> Result<KBox<Self>> {
        Ok(KBox::new(
            Self {
                generation: 0,
                local: 0,
                digest: 0,
                farm: Farm {
                    port: geneve::DEFAULT_PORT,
                    interval_ms: limits::STATE_INTERVAL_MS as u32,
                    scale: 1,
                    id: 0,
                    fabric_mtu: 0,
                    eject_max: limits::EJECT_MAX,
                    sessions_max: limits::SESSIONS_CEILING,
                },
                members: KVec::new(),
                services: KVec::new(),
            },
            GFP_KERNEL,
        )?)
    }

    /// The next configuration, to be changed and then published. Process context.
    pub(crate) fn next(&self) -> Result<KBox<Self>> {
        // Of the largest size from the start: growing counts with a check for overflow.
        let mut members = KVec::with_capacity(limits::MEMBERS_MAX, GFP_KERNEL)?;
        for m in &self.members {
            members
                .push_within_capacity(m.clone())
                .map_err(|_| ENOSPC)?;
        }
        let mut services = KVec::with_capacity(limits::SERVICES_MAX, GFP_KERNEL)?;
        for s in &self.services {
            services
                .push_within_capacity(s.clone())
                .map_err(|_| ENOSPC)?;
        }
        Ok(KBox::new(
            Self {
                generation: self.generation.wrapping_add(1),
                local: self.local,
                digest: self.digest,
                farm: self.farm,
                members,
                services,
            },
            GFP_KERNEL,
        )?)
    }

    /// Brings what follows from the members up to date; before publishing.
    pub(crate) fn finish(&mut self) {
        self.local = self.members.iter().find(|m| m.local).map_or(0, |m| m.id());
        let mut digest = Digest::default();
        digest.add(&self.farm);
        for m in &self.members {
            let set = &m.settings;
            digest.add(&(set.id, set.name, set.addr, set.weight));
        }
        for s in &self.services {
            digest.add(&(s.vip, s.port, s.settings));
        }
        self.digest = digest.value();
    }

    /// Milliseconds between state messages to one member.
    pub(crate) fn interval(&self) -> u64 {
        let scaled = u64::from(self.farm.interval_ms).saturating_mul(u64::from(self.farm.scale));
        stretched(scaled, self.members.len())
    }

    /// The time constants by which members are judged.
    pub(crate) fn times(&self) -> Times {
        let scaled = limits::DOWN_MS.saturating_mul(u64::from(self.farm.scale));
        Times {
            interval_ms: self.interval(),
            down_ms: scaled.max(self.interval().saturating_mul(5)),
        }
    }

    /// How long sessions of a group last: the longest that one of its services says.
    pub(crate) fn timeouts(&self, group: u16) -> Timeouts {
        let of_group = self.services.iter().filter(|s| s.settings.group == group);
        let longest = of_group.fold(None, |t: Option<Timeouts>, s| {
            let (idle, absolute) = t.map_or((0, 0), |t| (t.idle, t.absolute));
            Some(Timeouts {
                idle: idle.max(s.settings.idle_s),
                absolute: absolute.max(s.settings.absolute_s),
                ..Timeouts::default()
            })
        });
        longest.unwrap_or_default()
    }

    /// The member of a number.
    pub(crate) fn member(&self, id: u16) -> Option<&Member> {
        self.members.iter().find(|m| m.id() == id).map(|m| &**m)
    }

    /// This member.
    pub(crate) fn me(&self) -> Option<&Member> {
        self.member(self.local)
    }

    /// The other members.
    pub(crate) fn others(&self) -> impl Iterator<Item = &Member> {
        self.members
            .iter()
            .map(|m| &**m)
            .filter(|m| m.id() != self.local)
    }

    /// Whether an address is that of a service.
    pub(crate) fn is_vip(&self, addr: &Addr) -> bool {
        self.services.iter().any(|s| s.vip == *addr)
    }

    /// The service at an address and port.
    #[inline]
    pub(crate) fn service(&self, vip: &Addr, port: u16) -> Option<&Arc<Service>> {
        self.services
            .iter()
            .find(|s| s.port == port && s.vip == *vip)
    }
}
