// SPDX-License-Identifier: GPL-2.0

//! Services: virtual addresses and ports that every member serves.

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, //
    },
};

use super::text::Text;
use crate::{
    decide::{
        limits,
        select::{maglev, wrr, Candidate, Policy},
    },
    kapi::{lock::BhLock, rcu::RcuCell},
    wire::addr::Addr, //
};

/// `SameSite` attribute of the cookie (RFC 6265bis).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum SameSite {
    /// `Lax`.
    Lax,
    /// `Strict`.
    Strict,
    /// `None`.
    None,
    /// No attribute.
    Unset,
}

/// Which way answers go out that no socket makes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    /// Back by the device and to the link address that the packet came from.
    Swap,
    /// By the routing table.
    Route,
}

/// What a request gets whose session's home is dead.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum HomeLost {
    /// A new home.
    Repick,
    /// A response 503.
    Strict,
    /// Nothing for some time, then as `Strict`.
    Wait,
}

/// What an operator sets.
#[derive(Clone, Copy, Hash)]
pub(crate) struct Settings {
    /// Services of one group share their sessions.
    pub(crate) group: u16,
    /// How a home is selected.
    pub(crate) policy: Policy,
    /// Cookie name.
    pub(crate) cookie: Text<64>,
    /// `Secure` attribute.
    pub(crate) secure: bool,
    /// Put the cookie into responses.
    pub(crate) insert: bool,
    /// Seconds without a request.
    pub(crate) idle_s: u32,
    /// Seconds in any case.
    pub(crate) absolute_s: u32,
    /// `Domain` attribute; empty for none.
    pub(crate) domain: Text<253>,
    /// `Max-Age` attribute in seconds; 0 for none.
    pub(crate) max_age: u32,
    /// `SameSite` attribute.
    pub(crate) same_site: SameSite,
    /// Which way answers go out.
    pub(crate) reply: Reply,
    /// What a request gets whose session's home is dead.
    pub(crate) home_lost: HomeLost,
    /// Seconds of a home's silence for which its requests wait.
    pub(crate) home_wait_s: u32,
}

impl Settings {
    /// What holds when nothing is said.
    pub(crate) fn new() -> Self {
        Self {
            group: 0,
            policy: Policy::P2c,
            cookie: Text::new(b"homing").unwrap_or(Text::EMPTY),
            secure: false,
            insert: true,
            idle_s: limits::SESSION_IDLE_S,
            absolute_s: limits::SESSION_ABSOLUTE_S,
            domain: Text::EMPTY,
            max_age: 0,
            same_site: SameSite::Lax,
            reply: Reply::Swap,
            home_lost: HomeLost::Repick,
            home_wait_s: limits::HOME_WAIT_S,
        }
    }
}

/// What changes while the service runs; kept when settings change.
pub(crate) struct Live {
    /// Place in the turn of `rr`.
    pub(crate) cursor: Atomic<u32>,
    /// Accounts of `wrr`.
    pub(crate) credits: BhLock<wrr::Credits>,
    /// Table of `maglev`; made at the interval after a member came or went.
    pub(crate) maglev: RcuCell<Maglev>,
    /// Sessions begun through this service here.
    pub(crate) sessions: Atomic<u64>,
    /// Connections decided for it here.
    pub(crate) connections: Atomic<u64>,
}

/// A table of `maglev` and the members that it was made of.
pub(crate) struct Maglev {
    /// What tells sets of members apart.
    pub(crate) members: u64,
    /// Ids of the members, in the order of the places' indices.
    ids: [u16; limits::MEMBERS_MAX],
    places: KVVec<u8>,
}

impl Maglev {
    /// The table of some candidates. Process context; takes milliseconds.
    pub(crate) fn new(members: u64, candidates: &[Candidate]) -> Result<KBox<Self>> {
        let mut places = KVVec::from_elem(maglev::NOBODY, maglev::SIZE, GFP_KERNEL)?;
        maglev::fill(&mut places, candidates);
        let mut ids = [0; limits::MEMBERS_MAX];
        for (id, c) in ids.iter_mut().zip(candidates) {
            *id = c.id;
        }
        Ok(KBox::new(
            Self {
                members,
                ids,
                places,
            },
            GFP_KERNEL,
        )?)
    }

    /// The member for a client's number; `may` is asked for ids.
    pub(crate) fn pick(&self, client: u64, may: impl Fn(u16) -> bool) -> Option<u16> {
        let id = |index: usize| self.ids.get(index).copied();
        let index = maglev::pick(&self.places, client, |index| id(index).is_some_and(&may));
        id(index?)
    }
}

/// A service.
pub(crate) struct Service {
    /// Virtual address.
    pub(crate) vip: Addr,
    /// Port, host order.
    pub(crate) port: u16,
    /// Names the service in state messages; the same on every member.
    pub(crate) hash: u32,
    /// What the operator set.
    pub(crate) settings: Settings,
    /// What changes by itself.
    pub(crate) live: Arc<Live>,
}

impl Service {
    /// A service; `live` is taken from the one it replaces. Process context.
    pub(crate) fn new(
        vip: Addr,
        port: u16,
        settings: Settings,
        live: Option<Arc<Live>>,
    ) -> Result<Arc<Self>> {
        let live = match live {
            Some(live) => live,
            None => Arc::new(
                Live {
                    cursor: Atomic::new(0),
                    credits: BhLock::new(wrr::Credits::default(), GFP_KERNEL)?,
                    maglev: RcuCell::new()?,
                    sessions: Atomic::new(0),
                    connections: Atomic::new(0),
                },
                GFP_KERNEL,
            )?,
        };
        Ok(Arc::new(
            Self {
                vip,
                port,
                hash: name(&vip, port),
                settings,
                live,
            },
            GFP_KERNEL,
        )?)
    }

    /// Counts one connection.
    pub(crate) fn count_connection(&self) {
        self.live.connections.fetch_add(1, Relaxed);
    }

    /// Counts one new session.
    pub(crate) fn count_session(&self) {
        self.live.sessions.fetch_add(1, Relaxed);
    }
}

/// FNV-1a over address and port; never 0. Only tells a farm's few services apart: not secret.
fn name(vip: &Addr, port: u16) -> u32 {
    let port = port.to_be_bytes();
    let hash = Iterator::chain(vip.0.iter(), &port).fold(0x811c_9dc5u32, |h, b| {
        (h ^ u32::from(*b)).wrapping_mul(0x0100_0193)
    });
    hash.max(1)
}
