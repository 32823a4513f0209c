// SPDX-License-Identifier: GPL-2.0

//! Sessions: shown, stored, moved, ended.
//!
//! A session is named by its id, which is opened with the farm's keys, or by its key in the table.
//! By its id a session can also be named that this member has not stored: the id says what it is.

use kernel::{
    prelude::*,
    sync::rcu::{
        self,
        Guard, //
    },
};

use super::host;
use crate::{
    control::events,
    decide::{
        reason::Reason,
        session::{
            ended,
            next_version,
            rank, //
        },
        sid, //
    },
    hook::{
        decap,
        host::Host,
        push, //
    },
    kapi::{
        errno::estale,
        genl::{
            self,
            Attr,
            Dump,
            Listing,
            Records,
            Request, //
        },
    },
    table::{
        config::Config,
        net::Net,
        session::{
            Applied,
            Key,
            Session, //
        },
    },
    uapi::consts::{
        session::{
            CREATED,
            GROUP,
            HOME,
            IDLE,
            KEY,
            ORIGIN,
            SID,
            STATE,
            VERSION, //
        },
        SessionState,
    },
    wire::control::Association,
};

/// What a request says of which session it is about.
struct Named<'a> {
    key: Key,
    /// What the id says, when the session was named by it.
    claims: Option<sid::Claims>,
    attr: Attr<'a>,
}

fn named<'a>(request: &Request<'a>, net: &Net) -> Result<Named<'a>> {
    let Some(attr) = request.attr(SID) else {
        let attr = request.need(KEY, c"key: is missing, and so is sid")?;
        return Ok(Named {
            key: attr.array()?,
            claims: None,
            attr,
        });
    };
    let refuse = |why| Err(request.refuse(&attr, why));
    let Some(sid) = attr.text().try_into().ok().and_then(sid::decode) else {
        return refuse(c"sid: is not 32 characters of base64url");
    };
    let guard = rcu::read_lock();
    let Some(claims) = net.keys.read(&guard).and_then(|keys| keys.open_sid(&sid)) else {
        return refuse(c"sid: was not made with a key of this farm");
    };
    let key = sid.key();
    if request
        .attr(KEY)
        .is_some_and(|other| other.array() != Ok(key))
    {
        return refuse(c"sid: is not that of key");
    }
    Ok(Named {
        key,
        claims: Some(claims),
        attr,
    })
}

impl Named<'_> {
    /// The association: the stored one, or what the id says.
    fn association(&self, request: &Request<'_>, net: &Net, guard: &Guard) -> Result<Association> {
        if let Some(known) = net.sessions.get(guard, &self.key) {
            return Ok(known.association(&self.key));
        }
        match &self.claims {
            Some(claims) => Ok(Association {
                key: self.key,
                home: claims.home,
                origin: claims.home,
                version: 1,
                created: claims.created,
                last_used: claims.created,
                group: claims.group,
                flags: 0,
            }),
            None => Err(unknown(request, &self.attr)),
        }
    }
}

fn unknown(request: &Request<'_>, attr: &Attr<'_>) -> Error {
    request.refuse_as(ENOENT, Some(attr), c"key: no such session here")
}

/// Shows one session, when it is stored here.
pub(in crate::control) fn get(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let net = &host.net;
    let named = named(request, net)?;
    let association = {
        let guard = rcu::read_lock();
        net.sessions
            .get(&guard, &named.key)
            .map(|known| known.association(&named.key))
    };
    let association = association.ok_or_else(|| unknown(request, &named.attr))?;
    genl::reply(request, events::CAPACITY, |w| {
        events::put_session(w, net, &rcu::read_lock(), &association)
    })
}

/// The number in an attribute; the policy has checked its range.
fn number(attr: &Attr<'_>) -> Result<u16> {
    u16::try_from(attr.u32()?).map_err(|_| EINVAL)
}

/// The home in a request, a member that is configured here.
fn home(request: &Request<'_>, net: &Net) -> Result<u16> {
    let attr = request.need(HOME, c"home: is missing")?;
    let home = number(&attr)?;
    let guard = rcu::read_lock();
    match net.config(&guard).and_then(|config| config.member(home)) {
        Some(_) => Ok(home),
        None => Err(request.refuse_as(ENOENT, Some(&attr), c"home: no such member")),
    }
}

/// Stores a whole association, unless a newer one is known.
pub(in crate::control) fn set(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let net = &host.net;
    let named = named(request, net)?;
    let home = home(request, net)?;
    let origin = request.need(ORIGIN, c"origin: is missing")?;
    let version = request.need(VERSION, c"version: is missing")?;
    let state = request.need(STATE, c"state: is missing")?;
    let now = net.now();
    let created = match request.attr(CREATED) {
        Some(attr) => u32::try_from(attr.uint()?)
            .map_err(|_| request.refuse(&attr, c"created: is beyond the farm's calendar"))?,
        None => named.claims.as_ref().map_or(now, |claims| claims.created),
    };
    let idle = match request.attr(IDLE) {
        Some(attr) => u32::try_from(attr.uint()?).unwrap_or(u32::MAX),
        None => 0,
    };
    let flags = match SessionState::from_u32(state.u32()?).ok_or(EINVAL)? {
        SessionState::Tentative => 0,
        SessionState::Confirmed => Association::CONFIRMED,
        SessionState::Ended => Association::CONFIRMED | Association::ENDED,
    };
    let new = Association {
        key: named.key,
        home,
        origin: number(&origin)?,
        version: version.u32()?,
        created,
        last_used: now.saturating_sub(idle),
        group: request.attr(GROUP).map_or(Ok(0), |attr| attr.u16())?,
        flags,
    };
    let guard = rcu::read_lock();
    let config = net.config(&guard).ok_or(ENODEV)?;
    let known = net.sessions.get(&guard, &named.key);
    // The home, which is the last of what counts, does not make it newer.
    let count = |a: &Association| rank(&Association { home: 0, ..*a });
    if known.is_some_and(|s| count(&s.association(&named.key)) > count(&new)) {
        return Err(request.refuse_as(estale(), Some(&version), c"version: a newer one is known"));
    }
    match decap::learned(&host, &guard, config, &new) {
        Applied::New | Applied::Changed { .. } | Applied::Stale(_) => Ok(()),
        Applied::Full => Err(no_room(request, net, config)),
    }
}

/// Stores the next version of an association here, and sends it to the other members.
fn change(
    request: &Request<'_>,
    host: &Host,
    named: &Named<'_>,
    reason: Reason,
    edit: impl FnOnce(&mut Association),
) -> Result {
    let net = &host.net;
    let guard = rcu::read_lock();
    let config = net.config(&guard).ok_or(ENODEV)?;
    let mut next = named.association(request, net, &guard)?;
    if ended(&next) {
        return Err(request.refuse_as(ENOENT, Some(&named.attr), c"key: the session has ended"));
    }
    if config.local == 0 {
        let why = c"home: this host is no member of the farm";
        return Err(request.refuse_as(EINVAL, None, why));
    }
    next.version = next_version(next.version);
    next.origin = config.local;
    // Whoever moves or ends a session wants it kept: it is not tentative any more.
    next.flags |= Association::CONFIRMED;
    // Only its home knows when it was used, and the next home is to begin with something.
    next.last_used = net.now();
    edit(&mut next);
    match decap::learned(host, &guard, config, &next) {
        Applied::New => {}
        Applied::Changed { now, .. } if rank(&now) == rank(&next) => {}
        // Another change came in between.
        Applied::Changed { .. } | Applied::Stale(_) => return Err(EAGAIN),
        Applied::Full => return Err(no_room(request, net, config)),
    }
    net.count(reason);
    push::association(host, &guard, config, &next, false);
    Ok(())
}

/// Why a session was not stored: the table has all that it may have, or there is no memory.
fn no_room(request: &Request<'_>, net: &Net, config: &Config) -> Error {
    if net.sessions.len() < config.farm.sessions_max {
        return ENOMEM;
    }
    request.refuse_as(ENOSPC, None, c"key: the session table is full")
}

/// Gives a session another home.
pub(in crate::control) fn rehome(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let named = named(request, &host.net)?;
    let home = home(request, &host.net)?;
    change(request, &host, &named, Reason::SessionMoved, |a| {
        a.home = home
    })
}

/// Ends a session; the tombstone keeps its id from routing.
pub(in crate::control) fn end(request: &Request<'_>) -> Result {
    let host = host(request)?;
    let named = named(request, &host.net)?;
    change(request, &host, &named, Reason::SessionEnded, |a| {
        a.flags |= Association::ENDED
    })
}

/// Shows all sessions, or those of one home.
pub(in crate::control) struct List {
    listing: Listing<Host, Key, Session>,
    home: Option<u16>,
    /// The session that did not fit into the last message.
    left: Option<Association>,
}

/// Sessions that are looked at under one RCU section.
const LOOKS: u32 = 256;

impl Dump for List {
    fn start(request: &Request<'_>) -> Result<KBox<Self>> {
        let home = request.attr(HOME).map(|attr| number(&attr)).transpose()?;
        let listing = Listing::new(host(request)?, |host: &Host| host.net.sessions.walk())?;
        Ok(KBox::new(
            Self {
                listing,
                home,
                left: None,
            },
            GFP_KERNEL,
        )?)
    }

    fn fill(&mut self, out: &mut Records<'_>) -> Result<bool> {
        if let Some(a) = self.left.take() {
            let net = &self.listing.owner().net;
            if !out.record(|w| events::put_session(w, net, &rcu::read_lock(), &a))? {
                return Err(EMSGSIZE);
            }
        }
        let home = self.home;
        let left = &mut self.left;
        loop {
            let mut failed = Ok(());
            let mut full = false;
            let mut looks = LOOKS;
            let more = self.listing.next(|host, guard, entry| {
                let a = entry.association(entry.key());
                looks = looks.saturating_sub(1);
                if home.is_some_and(|home| home != a.home) {
                    return looks > 0;
                }
                match out.record(|w| events::put_session(w, &host.net, guard, &a)) {
                    Ok(true) => return looks > 0,
                    Ok(false) => *left = Some(a),
                    Err(e) => failed = Err(e),
                }
                full = true;
                false
            });
            failed?;
            // What is not wanted does not fill a message; RCU is let go now and then all the same.
            if full || !more {
                return Ok(!more);
            }
        }
    }
}
