// SPDX-License-Identifier: GPL-2.0

//! Where a session or a connection would go now, and why. Decides nothing and changes nothing: it
//! asks the same rules as the packet path. Process context, under RCU.

use kernel::sync::rcu::Guard;

use super::{decision, directory, host::Host};
use crate::{
    decide::{
        directory::PLACES,
        flow::State,
        session::{self, Resolve},
        sid::{self, Claims}, //
    },
    kapi::tcp::Socket,
    table::{config::Config, service::Service, session::Key},
    uapi::consts::{HomeStanding, Verdict},
    wire::addr::Tuple,
};

/// What becomes of a request with a session id.
pub(crate) struct Session<'a> {
    /// Why.
    pub(crate) verdict: Verdict,
    /// What the id says, and its key; `None` when it is not of this farm.
    pub(crate) claims: Option<(Claims, Key)>,
    /// The service that is asked; `None` when none is of the id's group.
    pub(crate) service: Option<&'a Service>,
    /// The session's home; 0 when one would be selected for a new session.
    pub(crate) target: u16,
    /// How that stands to the request.
    pub(crate) standing: Option<HomeStanding>,
    /// The member that every member selects when the home does not serve; `None` too when nobody
    /// can.
    pub(crate) successor: Option<u16>,
    /// Nobody would be told of the successor.
    pub(crate) minority: bool,
}

/// Explains a session id, given as text, to a service; without one, to the first of its group.
pub(crate) fn session<'a>(
    host: &Host,
    guard: &Guard,
    config: &'a Config,
    service: Option<&'a Service>,
    text: &[u8; 32],
) -> Session<'a> {
    let net = &host.net;
    let mut why = Session {
        verdict: Verdict::Forged,
        claims: None,
        service,
        target: 0,
        standing: None,
        successor: None,
        minority: false,
    };
    let opened =
        sid::decode(text).and_then(|sid| Some((net.keys.read(guard)?.open_sid(&sid)?, sid.key())));
    let Some((claims, key)) = opened else {
        return why;
    };
    let group = claims.group;
    let first = || config.services.iter().find(|s| s.settings.group == group);
    let asked = service.or_else(|| first().map(|s| &**s));
    let Some(service) = asked.filter(|s| s.settings.group == group) else {
        return why;
    };
    why.service = Some(service);
    let entry = net.sessions.get(guard, &key);
    let known = entry.map(|e| e.association(&key));
    let (last, now) = (config.timeouts(group), net.now());
    let me = config.local;
    (why.verdict, why.target) =
        match session::resolve(known.as_ref(), &claims, me, now, last.idle, last.absolute) {
            Resolve::Known { home } => (Verdict::Known, home),
            Resolve::SidOnly { home } => (Verdict::Alone, home),
            Resolve::Expired => (Verdict::Expired, 0),
            Resolve::Ended => (Verdict::Ended, 0),
        };
    why.claims = Some((claims, key));
    if why.target != 0 {
        let standing = decision::standing(host, guard, config, service, why.target);
        why.standing = Some(standing);
        if let HomeStanding::Moves | HomeStanding::Gone = standing {
            why.successor = decision::successor(host, guard, config, service, &key);
        }
    }
    let moves = why.successor.is_some_and(|id| id != why.target);
    why.minority = moves && !decision::majority(host, config);
    why
}

/// What is known of a connection.
pub(crate) struct Connection {
    /// Its owner as this member knows it; 0 for unknown.
    pub(crate) owner: u16,
    /// Its entry member, the same way.
    pub(crate) entry: u16,
    /// How it is here.
    pub(crate) standing: Standing,
    /// The local stack has its socket.
    pub(crate) socket: bool,
    /// Its session.
    pub(crate) session: Option<Key>,
    /// Its directory members, the first first.
    pub(crate) directory: [Option<u16>; PLACES],
    /// The owner that has listed it here; 0 for none.
    pub(crate) listed: u16,
    /// A service has its address and port.
    pub(crate) service: bool,
}

/// How a connection is at this member.
pub(crate) enum Standing {
    /// It has no flow.
    Unknown,
    /// Its first bytes are held.
    Held,
    /// It has a flow.
    Flow(State),
}

/// Explains a connection.
pub(crate) fn connection(host: &Host, guard: &Guard, config: &Config, tuple: &Tuple) -> Connection {
    let net = &host.net;
    let flow = net.flows.get(guard, tuple);
    let listed = net.directory.get(guard, tuple).map_or(0, |e| e.owner().0);
    Connection {
        owner: flow.map_or(0, |f| f.owner()),
        entry: flow.map_or(0, |f| f.terms().entry),
        standing: match flow {
            Some(flow) => Standing::Flow(flow.status().state),
            None if net.pending.holds(tuple) => Standing::Held,
            None => Standing::Unknown,
        },
        socket: host.socket(tuple) != Socket::None,
        session: flow.and_then(|f| f.terms().session),
        directory: directory::places(config, tuple),
        listed,
        service: config.service(&tuple.vip, tuple.vip_port).is_some(),
    }
}
