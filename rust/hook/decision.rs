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
        exchange::Request,
        health::{self, Count, Standing},
        limits::MEMBERS_MAX,
        load,
        member::{admitted, may_rehome},
        reason::Reason,
        select::{least_sessions, maglev, p2c, rendezvous, rr, wrr, Candidate, Policy},
        session::{self, Resolve},
        sid::{Claims, Sid}, //
    },
    kapi::time,
    table::{
        config::Config,
        member::{Member, State},
        service::{HomeLost, Service},
        session::{Applied, Key, Session},
    },
    uapi::consts::HomeStanding,
    wire::{
        addr::Addr,
        control::{AdminState, Association},
        http::cookie::CookieValue,
    },
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

/// What becomes of a first request.
pub(super) enum Chosen {
    /// A member gets it.
    To(Choice),
    /// Nobody can serve.
    Nobody,
    /// The home of its session is dead, and no other may serve: the client is told.
    Unavailable,
    /// The same, but the home may come back: the client's repetition is decided on.
    Wait,
}

/// What the first request says.
#[derive(Clone, Copy)]
pub(super) enum Asked {
    /// An HTTP request with this cookie. `head`: its response has no body.
    Http {
        /// Our cookie.
        cookie: CookieValue,
        /// The method is HEAD.
        head: bool,
        /// Where the request ends, if it says so.
        request: Option<Request>,
    },
    /// Nothing that we read as HTTP.
    Unknown,
}

/// Candidates for new sessions of a service, in place.
pub(super) struct Candidates {
    list: [Candidate; MEMBERS_MAX],
    len: usize,
}

impl Candidates {
    /// As they stand now. `bits` let members in slow start take part or not. With `None` they all do,
    /// and those that have come and gone lately, too: for a choice that all members are to make alike.
    /// What each has seen of the others' comings differs.
    pub(super) fn new(
        host: &Host,
        guard: &Guard,
        config: &Config,
        service: &Service,
        bits: Option<u64>,
    ) -> Self {
        let clock = host.net.clock(config);
        let mut this = Self {
            list: [Candidate::NONE; MEMBERS_MAX],
            len: 0,
        };
        let mut standings = [Standing::Out; MEMBERS_MAX];
        let mut count = Count::default();
        let ages = config.members.iter().map(|m| m.age_ms(&clock));
        let eldest = ages.max().unwrap_or(0);
        let slots = this.list.iter_mut().zip(&mut standings);
        for ((slot, standing), member) in slots.zip(&config.members) {
            let seen = member.seen(guard, config, &clock);
            let fill = listens(host, guard, member, service);
            let admitted = match bits {
                Some(bits) => admitted(member.ramp(&clock, eldest), bits),
                None => true,
            };
            let damped = bits.is_some() && member.live.damped.load(Relaxed);
            *standing = health::standing(
                seen.state.into(),
                fill.is_some(),
                seen.weight,
                damped,
                admitted,
            );
            count.add(*standing);
            let mut report = seen.report;
            report.cpu_permille = report.cpu_permille.max(fill.unwrap_or(0));
            *slot = Candidate {
                id: member.id(),
                // Without a weight it is here only if nobody has one.
                weight: seen.weight.max(1),
                sessions: report.sessions.saturating_add(report.unreported),
                load: load::load(&report),
                eligible: false,
            };
            this.len = this.len.saturating_add(1);
        }
        let least = count.least(config.farm.eject_max);
        for (slot, standing) in this.list.iter_mut().zip(standings) {
            slot.eligible = health::eligible(standing, least);
        }
        this
    }

    pub(super) fn as_slice(&self) -> &[Candidate] {
        self.list.get(..self.len).unwrap_or_default()
    }

    fn id(&self, index: Option<usize>) -> Option<u16> {
        Some(self.as_slice().get(index?)?.id)
    }

    fn may(&self, id: u16) -> bool {
        let mut all = self.as_slice().iter();
        all.any(|c| c.id == id && c.eligible)
    }
}

/// How full a member's accept queue for a service is, permille, if it has a listener: as it last
/// said, and for this one as it is.
fn listens(host: &Host, guard: &Guard, member: &Member, service: &Service) -> Option<u16> {
    let said = member.listener(guard, service.hash);
    // What was believed on purpose stays believed.
    if said.is_some() || !member.local || member.live.belief.read(guard).is_some() {
        return said;
    }
    let l = host.listener(&service.vip, service.port);
    l.present.then_some(0)
}

/// Whether any member could serve a new connection now; asked for every SYN, so the first that
/// could is enough.
pub(super) fn servable(host: &Host, guard: &Guard, config: &Config, service: &Service) -> bool {
    let clock = host.net.clock(config);
    let could = |m: &Member| {
        listens(host, guard, m, service).is_some() && m.state(guard, config, &clock) != State::Down
    };
    config.me().is_some_and(could) || config.others().any(could)
}

/// Decides. `first`: it was not asked about the same request before; only then it is counted.
pub(super) fn choose(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    client: &Addr,
    asked: Asked,
    first: bool,
) -> Chosen {
    let count = |why| {
        if first {
            host.net.count(why);
        }
    };
    if first {
        service.count_connection();
    }
    let to = |choice: Option<Choice>| choice.map_or(Chosen::Nobody, Chosen::To);
    let cookie = match asked {
        Asked::Http { cookie, .. } => cookie,
        Asked::Unknown => {
            // No session: nothing could carry its id.
            let owner = pick(host, guard, config, service, client);
            return to(owner.map(|owner| Choice {
                owner,
                session: None,
                insert: false,
            }));
        }
    };
    match cookie {
        CookieValue::Absent => count(Reason::SidAbsent),
        CookieValue::Malformed => count(Reason::SidMalformed),
        CookieValue::Conflict => count(Reason::SidConflict),
        CookieValue::One(sid) => {
            if let Some(chosen) = by_sid(host, guard, config, service, &Sid(sid), count) {
                return chosen;
            }
        }
    }
    to(begin(host, guard, config, service, client))
}

/// What the home of a session says to a request that shows its id.
pub(super) enum Home {
    /// It serves.
    Serve,
    /// The session is over: it has begun this new one.
    Renewed(Key),
    /// The session has moved or was ended, and the entry member has not heard of it.
    NotMine(Association),
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
    let entry = net.sessions.get(guard, key);
    let known = entry.map(|e| e.association(key));
    let Some(claims) = keys.claims_of(key, known.as_ref()) else {
        return Home::Serve;
    };
    let now = net.now();
    let last = config.timeouts(claims.group);
    // Here the id's own home is beside the point: the entry member has been told that it is us.
    let named = claims.home;
    let claims = Claims {
        home: config.local,
        ..claims
    };
    let me = config.local;
    match session::resolve(known.as_ref(), &claims, me, now, last.idle, last.absolute) {
        Resolve::Ended => {
            net.count(Reason::SidEnded);
            known.map_or(Home::Serve, Home::NotMine)
        }
        Resolve::Known { home } if home != me => {
            let clock = net.clock(config);
            let down = config
                .member(home)
                .is_none_or(|m| m.state(guard, config, &clock) == State::Down);
            match known {
                // Who handed it over may not tell of a new home; it meant us.
                Some(a) if !down => Home::NotMine(a),
                _ => Home::Serve,
            }
        }
        Resolve::Expired => {
            net.count(Reason::SidExpired);
            match begin_at(host, guard, config, service, me).and_then(|c| c.session) {
                Some(new) => Home::Renewed(new),
                None => Home::Serve,
            }
        }
        Resolve::Known { .. } => {
            if let Some(entry) = entry {
                shown(host, guard, config, key, &entry);
            }
            Home::Serve
        }
        // The smaller part of the farm serves other members' sessions, and keeps them nowhere.
        Resolve::SidOnly { .. } if named != me && !majority(host, config) => Home::Serve,
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
            store(host, guard, config, &again, Cause::New, false);
            Home::Serve
        }
    }
}

/// The client has shown the id of a session that is known here.
fn shown(host: &Host, guard: &Guard, config: &Config, key: &Key, entry: &Session) {
    let net = &host.net;
    entry.touch(net.now());
    if entry.confirm() {
        net.count(Reason::SessionConfirmed);
        let confirmed = entry.association(key);
        push::association(host, guard, config, &confirmed, false);
        events::session(host, &confirmed, Cause::Confirm);
    }
}

/// The home of a session that the client names; `None`: as if it had named none.
fn by_sid(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    sid: &Sid,
    count: impl Fn(Reason),
) -> Option<Chosen> {
    let net = &host.net;
    let claims = net.keys.read(guard).and_then(|k| k.open_sid(sid));
    let Some(claims) = claims.filter(|c| c.group == service.settings.group) else {
        count(Reason::SidForged);
        return None;
    };
    let key = sid.key();
    let entry = net.sessions.get(guard, &key);
    let known = entry.map(|e| e.association(&key));
    let now = net.now();
    let last = config.timeouts(claims.group);
    let home = match session::resolve(
        known.as_ref(),
        &claims,
        config.local,
        now,
        last.idle,
        last.absolute,
    ) {
        Resolve::Known { home } => {
            count(Reason::SidKnown);
            home
        }
        Resolve::SidOnly { home } => {
            count(Reason::SidAlone);
            home
        }
        Resolve::Expired => {
            count(Reason::SidExpired);
            return None;
        }
        Resolve::Ended => {
            count(Reason::SidEnded);
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
    let standing = standing(host, guard, config, service, home);
    let serves = standing == HomeStanding::Serves;
    let owner = match standing {
        HomeStanding::Serves => home,
        HomeStanding::Moves | HomeStanding::Gone => rehome(host, guard, config, service, &base)?,
        HomeStanding::Unavailable => return Some(Chosen::Unavailable),
        HomeStanding::Waits => return Some(Chosen::Wait),
    };
    if serves && known.is_none() && home == config.local {
        // Dropped while tentative, or never heard of: the id is enough to make it again.
        let again = Association {
            origin: config.local,
            flags: Association::CONFIRMED,
            ..base
        };
        store(host, guard, config, &again, Cause::New, false);
    }
    if let Some(entry) = entry.filter(|_| serves) {
        shown(host, guard, config, &key, &entry);
    }
    Some(Chosen::To(Choice {
        owner,
        session: Some(key),
        insert: false,
    }))
}

/// How a session's home stands to the session's next connection, at a service of its group.
pub(super) fn standing(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    home: u16,
) -> HomeStanding {
    let Some(member) = config.member(home) else {
        return HomeStanding::Gone;
    };
    let clock = host.net.clock(config);
    if member.state(guard, config, &clock) != State::Down {
        // One that is drained by moving its sessions is there, but not for the next connection.
        return if member.live.moves(host.net.now()) {
            HomeStanding::Moves
        } else {
            HomeStanding::Serves
        };
    }
    let s = &service.settings;
    // One that an operator has set down, or taken out, is not expected back.
    if s.home_lost == HomeLost::Repick || member.live.admin() == AdminState::Down {
        return HomeStanding::Gone;
    }
    let scale = u64::from(config.farm.scale);
    let patience_ms = u64::from(s.home_wait_s).saturating_mul(scale.saturating_mul(1000));
    if s.home_lost == HomeLost::Wait && member.silent_ms(&clock) < patience_ms {
        HomeStanding::Waits
    } else {
        HomeStanding::Unavailable
    }
}

/// The member that every member picks for a session whose home cannot serve.
pub(super) fn successor(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    session: &Key,
) -> Option<u16> {
    // Slow start is no reason to pick another than the others pick.
    let candidates = Candidates::new(host, guard, config, service, None);
    let known = host.net.sessions.get(guard, session);
    let known = known.map(|entry| entry.association(session));
    let key = host.net.keys.read(guard)?.shared(session, known.as_ref())?;
    let picked = rendezvous::pick(&key.prf(), session, candidates.as_slice());
    candidates.id(picked)
}

/// A new home for a session whose home cannot serve.
fn rehome(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    old: &Association,
) -> Option<u16> {
    let net = &host.net;
    let home = successor(host, guard, config, service, &old.key)?;
    if home == old.home {
        // It drains, and there is nobody else.
        return Some(home);
    }
    net.count(Reason::Rehomed);
    if !majority(host, config) {
        // The larger part of the farm may think otherwise: serve, and tell nobody.
        net.count(Reason::RehomedAlone);
        return Some(home);
    }
    let new = Association {
        home,
        origin: config.local,
        version: session::next_epoch(old.version),
        last_used: net.now(),
        // A session that is not where its id says must not be forgotten early.
        flags: old.flags | Association::CONFIRMED,
        ..*old
    };
    store(host, guard, config, &new, Cause::Move, false);
    Some(home)
}

/// Whether this member speaks for the farm: it has heard most of it for long enough.
pub(super) fn majority(host: &Host, config: &Config) -> bool {
    let clock = host.net.clock(config);
    config.me().is_some_and(|me| me.live.is_whole(&clock)) && hears_most(host, config)
}

/// Whether this member hears most of the farm, and is heard. Those that an operator has set down
/// count too: the parts of a divided farm may have heard different orders, and no two of them must
/// take themselves for the larger one.
pub(super) fn hears_most(host: &Host, config: &Config) -> bool {
    let clock = host.net.clock(config);
    let mut heard = 0u16;
    let mut lowest = (u16::MAX, false);
    for m in &config.members {
        let here = m.local || m.is_heard(&clock) && !m.is_deaf(&clock);
        heard = heard.saturating_add(u16::from(here));
        if m.id() < lowest.0 {
            lowest = (m.id(), here);
        }
    }
    may_rehome(heard, config.members.len() as u16, lowest.1)
}

/// Gives a session of this member another home, since this one drains and its time is over. Whether
/// it has one: not without a majority, nor if there is nobody else.
pub(super) fn leave(host: &Host, guard: &Guard, config: &Config, old: &Association) -> bool {
    let mut of_group = config.services.iter();
    let service = of_group.find(|s| s.settings.group == old.group);
    service
        .filter(|_| majority(host, config))
        .and_then(|service| rehome(host, guard, config, service, old))
        .is_some_and(|home| home != old.home)
}

/// Selects a member by the service's policy.
fn pick(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    client: &Addr,
) -> Option<u16> {
    let policy = service.settings.policy;
    let random = time::random();
    // A client's number takes the place of chance where the same client goes to the same member.
    let by_client = match policy {
        Policy::Maglev => Some(maglev::client(config.farm.id, &client.0)),
        _ => None,
    };
    let bits = by_client.map_or_else(time::random, |client| client >> 32);
    let candidates = Candidates::new(host, guard, config, service, Some(bits));
    let list = candidates.as_slice();
    let live = &service.live;
    if let Some(client) = by_client {
        let table = live.maglev.read(guard);
        let picked = table.and_then(|t| t.pick(client, |id| candidates.may(id)));
        if picked.is_some() {
            return picked;
        }
    }
    candidates.id(match policy {
        Policy::Rr => rr::pick(list, live.cursor.fetch_add(1, Relaxed)),
        Policy::Wrr => wrr::pick(list, &mut live.credits.lock()),
        Policy::LeastSessions => least_sessions::pick(list, random),
        // Before there is a table, load decides.
        Policy::P2c | Policy::Maglev => p2c::pick(list, random),
    })
}

/// Begins a session at a member selected for it.
fn begin(
    host: &Host,
    guard: &Guard,
    config: &Config,
    service: &Service,
    client: &Addr,
) -> Option<Choice> {
    let home = pick(host, guard, config, service, client)?;
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
    store(host, guard, config, &new, Cause::New, true);
    Some(Choice {
        owner: home,
        session: Some(new.key),
        insert: true,
    })
}

/// Stores an association here and sends it to all others, before anything of it leaves. `hand_off`:
/// a connection of it goes to its home at once.
fn store(
    host: &Host,
    guard: &Guard,
    config: &Config,
    a: &Association,
    cause: Cause,
    hand_off: bool,
) {
    let full = host.net.apply(guard, config, a) == Applied::Full;
    if full {
        // The id still names its home.
        host.net.count(Reason::SessionFull);
    }
    // What is not in the table is in no hand-off.
    push::association(host, guard, config, a, hand_off && !full);
    events::session(host, a, cause);
}
