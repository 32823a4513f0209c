// SPDX-License-Identifier: GPL-2.0

//! Which member gets a connection: by its session, or by selection.

use kernel::sync::{
    atomic::Relaxed,
    rcu::Guard, //
};

use super::{
    events::{self, Cause},
    host::Host,
    push, //
};
use crate::{
    decide::{
        limits::MEMBERS_MAX,
        reason::Reason,
        select::{self, rendezvous, Candidate, Policy},
        session::{self, Resolve},
        sid::{self, Claims}, //
    },
    kapi::{
        tcp as stack, //
        time,
    },
    table::{
        config::Config,
        member::{Member, State},
        service::Service,
        session::{Applied, Key},
    },
    wire::{control::Association, http::cookie::CookieValue},
};

/// What was decided.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    /// The member that gets the connection.
    pub(super) owner: u16,
    /// The session, if there is one.
    pub(super) session: Option<Key>,
    /// Put the session id into the first response.
    pub(super) insert: bool,
}

/// What the first request says.
#[derive(Clone, Copy)]
pub(super) enum Asked {
    /// An HTTP request with this cookie.
    Http(CookieValue),
    /// Nothing that we read as HTTP.
    Unknown,
}

/// Candidates for new sessions of a service, in place.
struct Candidates {
    list: [Candidate; MEMBERS_MAX],
    len: usize,
}

impl Candidates {
    fn new(host: &Host, guard: &Guard, config: &Config, service: &Service) -> Self {
        const NONE: Candidate = Candidate {
            id: 0,
            weight: 0,
            load: 0,
            eligible: false,
        };
        let clock = host.net.clock(config);
        let mut this = Self {
            list: [NONE; MEMBERS_MAX],
            len: 0,
        };
        let mut any = false;
        for (slot, member) in this.list.iter_mut().zip(&config.members) {
            let seen = member.seen(guard, config, &clock);
            let eligible = seen.state == State::Up && listens(host, guard, member, service);
            any |= eligible && seen.weight > 0;
            *slot = Candidate {
                id: member.id(),
                weight: seen.weight,
                load: seen.load,
                eligible,
            };
            this.len = this.len.saturating_add(1);
        }
        if !any {
            // Nobody is as it should be: whoever may still serve is better than nobody.
            for (slot, member) in this.list.iter_mut().zip(&config.members) {
                let may = member.seen(guard, config, &clock).state != State::Down;
                slot.eligible = may && listens(host, guard, member, service);
                slot.weight = slot.weight.max(1);
            }
        }
        this
    }

    fn as_slice(&self) -> &[Candidate] {
        self.list.get(..self.len).unwrap_or_default()
    }

    fn id(&self, index: Option<usize>) -> Option<u16> {
        Some(self.as_slice().get(index?)?.id)
    }
}

/// Whether a member has a listener for a service: as it last said, and for this one as it is.
fn listens(host: &Host, guard: &Guard, member: &Member, service: &Service) -> bool {
    if member.has_listener(guard, service.hash) {
        return true;
    }
    // What was believed on purpose stays believed.
    member.local
        && member.live.belief.read(guard).is_none()
        && stack::listener(host.net.ns, &service.vip, service.port, host.device()).present
}

/// Whether any member could serve a new connection now; asked for every SYN, so the first that
/// could is enough.
pub(super) fn servable(host: &Host, guard: &Guard, config: &Config, service: &Service) -> bool {
    let clock = host.net.clock(config);
    let could = |m: &Member| {
        listens(host, guard, m, service) && m.seen(guard, config, &clock).state != State::Down
    };
    config.me().is_some_and(could) || config.others().any(could)
}

/// Decides. `None`: nobody can serve.
pub(super) fn choose(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    asked: Asked,
) -> Option<Choice> {
    let net = &host.net;
    service.count_connection();
    let cookie = match asked {
        Asked::Http(cookie) => cookie,
        Asked::Unknown => {
            // No session: nothing could carry its id.
            let owner = pick(host, guard, config, service)?;
            return Some(Choice {
                owner,
                session: None,
                insert: false,
            });
        }
    };
    match cookie {
        CookieValue::Absent => net.count(Reason::SidAbsent),
        CookieValue::Malformed => net.count(Reason::SidMalformed),
        CookieValue::Conflict => net.count(Reason::SidConflict),
        CookieValue::One(text) => {
            if let Some(choice) = by_sid(host, guard, config, service, &text) {
                return Some(choice);
            }
        }
    }
    begin(host, guard, config, service)
}

/// What the home of a session says to a request that shows its id.
pub(super) enum Home {
    /// It serves.
    Serve,
    /// The session is over: it has begun this new one.
    Renewed(Key),
}

/// A request for a session of ours has been handed over: only the home sees all requests, so it
/// alone knows whether the session is idle for too long; and what was forgotten while it was
/// tentative is stored again.
pub(super) fn at_home(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    key: &Key,
) -> Home {
    let net = &host.net;
    let Some(keys) = net.keys.read(guard) else {
        return Home::Serve;
    };
    let Some(claims) = keys.claims_of(key) else {
        return Home::Serve;
    };
    let entry = net.sessions.get(guard, key);
    let known = entry.map(|e| e.association(key));
    let now = net.now();
    let s = &service.settings;
    // Here the id's own home is beside the point: the entry member has been told that it is us.
    let claims = Claims {
        home: config.local,
        ..claims
    };
    let me = config.local;
    match session::resolve(known.as_ref(), &claims, me, now, s.idle_s, s.absolute_s) {
        over @ (Resolve::Expired | Resolve::Ended) => {
            net.count(match over {
                Resolve::Ended => Reason::SidEnded,
                _ => Reason::SidExpired,
            });
            match begin_at(host, guard, config, service, me).and_then(|c| c.session) {
                Some(new) => Home::Renewed(new),
                None => Home::Serve,
            }
        }
        Resolve::Known { .. } => {
            shown(host, guard, config, key);
            Home::Serve
        }
        Resolve::SidOnly { .. } => {
            let again = Association {
                key: *key,
                home: me,
                origin: me,
                version: 1,
                created: claims.created,
                last_used: now,
                group: claims.group,
                flags: Association::CONFIRMED,
            };
            store(host, guard, config, &again, Cause::New);
            Home::Serve
        }
    }
}

/// The client has shown the id of a session that is known here.
fn shown(host: &Host, guard: &Guard, config: &Config, key: &Key) {
    let net = &host.net;
    let Some(entry) = net.sessions.get(guard, key) else {
        return;
    };
    entry.touch(net.now());
    if entry.confirm() {
        net.count(Reason::SessionConfirmed);
        let confirmed = entry.association(key);
        push::association(host, guard, config, &confirmed);
        events::session(host, &confirmed, Cause::Confirm);
    }
}

/// The home of a session that the client names; `None`: as if it had named none.
fn by_sid(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    text: &[u8; 32],
) -> Option<Choice> {
    let net = &host.net;
    let Some(sid) = sid::decode(text) else {
        net.count(Reason::SidMalformed);
        return None;
    };
    let claims = net.keys.read(guard).and_then(|k| k.open_sid(&sid));
    let Some(claims) = claims.filter(|c| c.group == service.settings.group) else {
        net.count(Reason::SidForged);
        return None;
    };
    let key = sid.key();
    let entry = net.sessions.get(guard, &key);
    let known = entry.map(|e| e.association(&key));
    let now = net.now();
    let s = &service.settings;
    let home = match session::resolve(
        known.as_ref(),
        &claims,
        config.local,
        now,
        s.idle_s,
        s.absolute_s,
    ) {
        Resolve::Known { home } => {
            net.count(Reason::SidKnown);
            home
        }
        Resolve::SidOnly { home } => {
            net.count(Reason::SidAlone);
            home
        }
        Resolve::Expired => {
            net.count(Reason::SidExpired);
            return None;
        }
        Resolve::Ended => {
            net.count(Reason::SidEnded);
            return None;
        }
    };
    let base = known.unwrap_or(Association {
        key,
        home,
        origin: claims.home,
        version: 1,
        created: claims.created,
        last_used: now,
        group: claims.group,
        flags: 0,
    });
    let clock = net.clock(config);
    let alive = config
        .member(home)
        .is_some_and(|m| m.seen(guard, config, &clock).state != State::Down);
    let owner = if alive {
        home
    } else {
        rehome(host, guard, config, service, &base)?
    };
    if alive && known.is_none() && home == config.local {
        // Dropped while tentative, or never heard of: the id is enough to make it again.
        let again = Association {
            origin: config.local,
            flags: Association::CONFIRMED,
            ..base
        };
        store(host, guard, config, &again, Cause::New);
    }
    if alive && entry.is_some() {
        shown(host, guard, config, &key);
    }
    Some(Choice {
        owner,
        session: Some(key),
        insert: false,
    })
}

/// A new home for a session whose home cannot serve: every member picks the same one.
fn rehome(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    old: &Association,
) -> Option<u16> {
    let net = &host.net;
    let candidates = Candidates::new(host, guard, config, service);
    let key = net.keys.read(guard)?.send()?;
    let home = candidates.id(rendezvous::pick(
        &key.prf(),
        &old.key,
        candidates.as_slice(),
    ))?;
    net.count(Reason::Rehomed);
    let new = Association {
        home,
        origin: config.local,
        version: session::next_epoch(old.version),
        last_used: net.now(),
        // A session that is not where its id says must not be forgotten early.
        flags: old.flags | Association::CONFIRMED,
        ..*old
    };
    store(host, guard, config, &new, Cause::Move);
    Some(home)
}

/// Selects a member by the service's policy.
fn pick(host: &Host, guard: &Guard, config: &Config, service: &Service) -> Option<u16> {
    let candidates = Candidates::new(host, guard, config, service);
    let mut turn = match service.settings.policy {
        Policy::Rr => service.live.cursor.fetch_add(1, Relaxed),
        Policy::P2c => 0,
    };
    candidates.id(select::pick(
        service.settings.policy,
        candidates.as_slice(),
        time::random(),
        &mut turn,
    ))
}

/// Begins a session at a member selected for it.
fn begin(host: &Host, guard: &Guard, config: &Config, service: &Service) -> Option<Choice> {
    let home = pick(host, guard, config, service)?;
    begin_at(host, guard, config, service, home)
}

/// Begins a session at a member.
fn begin_at(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    home: u16,
) -> Option<Choice> {
    let net = &host.net;
    if !service.settings.insert {
        return Some(Choice {
            owner: home,
            session: None,
            insert: false,
        });
    }
    if let (false, Some(m)) = (net.is_frozen(), config.member(home)) {
        m.live.assigned();
    }
    let now = net.now();
    let claims = Claims {
        home,
        group: service.settings.group,
        created: now,
    };
    let sid = net.keys.read(guard)?.send()?.sid(&claims, time::random());
    let new = Association {
        key: sid.key(),
        home,
        origin: config.local,
        version: 1,
        created: now,
        last_used: now,
        group: claims.group,
        flags: 0,
    };
    net.count(Reason::SessionNew);
    service.count_session();
    store(host, guard, config, &new, Cause::New);
    Some(Choice {
        owner: home,
        session: Some(new.key),
        insert: true,
    })
}

/// Stores an association here and sends it to all others, before anything of it leaves.
fn store(host: &Host, guard: &Guard, config: &Config, a: &Association, cause: Cause) {
    if host.net.sessions.apply(guard, a) == Applied::Full {
        // The id still names its home.
        host.net.count(Reason::SessionFull);
    }
    push::association(host, guard, config, a);
    events::session(host, a, cause);
}
