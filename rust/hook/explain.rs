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
    table::{config::Config, member::State as MemberState, session::Key},
    uapi::consts::Verdict,
    wire::addr::Tuple,
};

/// What becomes of a request with a session id.
pub(crate) struct Session {
    /// Why.
    pub(crate) verdict: Verdict,
    /// What the id says, and its key; `None` when it is not of this farm.
    pub(crate) claims: Option<(Claims, Key)>,
    /// The member that gets the request; 0 when one would be selected.
    pub(crate) target: u16,
    /// The member that would, if the target is down.
    pub(crate) successor: Option<u16>,
}

/// Explains a session id, given as text.
pub(crate) fn session(host: &Host, guard: &Guard, config: &Config, text: &[u8; 32]) -> Session {
    let net = &host.net;
    let forged = Session {
        verdict: Verdict::Forged,
        claims: None,
        target: 0,
        successor: None,
    };
    let opened =
        sid::decode(text).and_then(|sid| Some((net.keys.read(guard)?.open_sid(&sid)?, sid.key())));
    let Some((claims, key)) = opened else {
        return forged;
    };
    // Its group's first service has the timeouts that the sweep goes by, too.
    let group = claims.group;
    let Some(service) = config.services.iter().find(|s| s.settings.group == group) else {
        return forged;
    };
    let entry = net.sessions.get(guard, &key);
    let known = entry.map(|e| e.association(&key));
    let (s, now) = (&service.settings, net.now());
    let me = config.local;
    let (verdict, target) =
        match session::resolve(known.as_ref(), &claims, me, now, s.idle_s, s.absolute_s) {
            Resolve::Known { home } => (Verdict::Known, home),
            Resolve::SidOnly { home } => (Verdict::Alone, home),
            Resolve::Expired => (Verdict::Expired, 0),
            Resolve::Ended => (Verdict::Ended, 0),
        };
    let down = target != 0
        && config
            .member(target)
            .is_none_or(|m| m.state(guard, config, &net.clock(config)) == MemberState::Down);
    Session {
        verdict,
        claims: Some((claims, key)),
        target,
        successor: if down {
            decision::successor(host, guard, config, service, &key)
        } else {
            None
        },
    }
}

/// What is known of a connection.
pub(crate) struct Connection {
    /// Its owner as this member knows it; 0 for unknown.
    pub(crate) owner: u16,
    /// Its session.
    pub(crate) session: Option<Key>,
    /// Its directory members, the first first.
    pub(crate) directory: [Option<u16>; PLACES],
    /// The owner that has listed it here; 0 for none.
    pub(crate) listed: u16,
}

/// Explains a connection.
pub(crate) fn connection(host: &Host, guard: &Guard, config: &Config, tuple: &Tuple) -> Connection {
    let net = &host.net;
    let flow = net.flows.get(guard, tuple);
    let flow = flow.filter(|f| f.status().state != State::Closed);
    let listed = net.directory.get(guard, tuple).map_or(0, |e| e.owner().0);
    Connection {
        owner: flow.map_or(0, |f| f.owner()),
        session: flow.and_then(|f| f.terms().session),
        directory: directory::places(config, tuple),
        listed,
    }
}
