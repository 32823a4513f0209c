// SPDX-License-Identifier: GPL-2.0

//! What user space is told of members and sessions: their attributes, and the notifications.
//!
//! Contract: `uapi/homing.yaml`. Everything here may be called in any context and does not sleep;
//! a notification costs one load when nobody listens.

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu::{
            self,
            Guard, //
        },
    },
};

use crate::{
    decide::{
        session::ended,
        sid, //
    },
    hook::{
        events::{
            self,
            Cause,
            Events, //
        },
        host::Host,
    },
    kapi::genl::{
        self,
        Writer, //
    },
    table::{
        config::Config,
        member::Member,
        net::Net,
        untold::Event, //
    },
    uapi::consts::{
        cmd,
        config,
        group,
        member,
        session,
        AdminState,
        ConfigWhat,
        DrainMode,
        SessionCause,
        SessionState, //
    },
    wire::control::{
        self,
        Association, //
    },
};

/// Room for a member or a session with all attributes at their longest.
pub(super) const CAPACITY: u32 = 1024;

/// The number of what an operator wants, in the netlink contract.
fn admin(state: control::AdminState) -> u32 {
    let state = match state {
        control::AdminState::Up => AdminState::Up,
        control::AdminState::Draining => AdminState::Draining,
        control::AdminState::Down => AdminState::Down,
    };
    state as u32
}

/// Writes a member.
pub(super) fn put_member(
    w: &mut Writer<'_>,
    net: &Net,
    guard: &Guard,
    config: &Config,
    m: &Member,
) -> Result {
    let clock = net.clock(config);
    let seen = m.seen(guard, config, &clock);
    let latency_us = seen.latency_us;
    let heard = m.live.heard_ms.load(Relaxed);
    w.u32(member::ID, m.id().into())?;
    w.text(member::NAME, m.settings.name.as_bytes())?;
    w.bytes(member::ADDR, &m.settings.addr.0)?;
    w.u32(member::WEIGHT, seen.weight.into())?;
    let ordered = *m.live.ordered.lock();
    w.u32(member::ADMIN, admin(ordered.order.state))?;
    w.u32(member::STATE, seen.state as u32)?;
    w.u8(member::LOCAL, m.local.into())?;
    w.uint(member::SESSIONS, seen.sessions.into())?;
    w.uint(member::FLOWS, seen.flows.into())?;
    w.uint(member::REQUESTS, seen.requests.into())?;
    w.u32(member::CPU, seen.cpu.into())?;
    if m.local {
        w.uint(member::LAST_SEEN, 0)?;
    } else if heard != 0 {
        w.uint(member::LAST_SEEN, clock.now_ms.saturating_sub(heard))?;
    }
    let skew = m.live.skew_ms.load(Relaxed);
    w.s32(
        member::CLOCK_SKEW,
        skew.clamp(i32::MIN.into(), i32::MAX.into()) as i32,
    )?;
    let boot = if m.local {
        net.boot
    } else {
        m.live.nonce.load(Relaxed)
    };
    w.uint(member::BOOT, boot)?;
    let pushed = net.ring.lock().head();
    if m.local {
        w.uint(member::BATCHES_SENT, pushed)?;
    } else {
        let acked = m.live.audience.lock().reader.report.low;
        w.uint(member::BATCHES_ACKED, acked)?;
        w.uint(member::LAG, pushed.saturating_sub(acked))?;
    }
    let seen = m.live.inbox.lock().seen.low();
    w.uint(member::BATCHES_SEEN, seen)?;
    w.u32(member::LISTENERS, m.listeners())?;
    w.uint(member::LATENCY, latency_us.into())?;
    if !m.local {
        w.u16(member::MTU_FROM, m.live.carried(&clock))?;
    }
    w.u16(member::MTU_TO, m.live.mtu())?;
    w.u8(member::TOLD, (m.local || m.live.told.load(Relaxed)).into())?;
    if m.live.belief.read(guard).is_some() {
        w.bytes(member::OVERRIDDEN, &[])?;
    }
    if m.live.damped.load(Relaxed) {
        w.bytes(member::FLAPPING, &[])?;
    }
    if m.is_deaf(&clock) {
        w.uint(member::DEAF, m.deaf_ms(&clock))?;
    }
    if ordered.order.state == control::AdminState::Draining {
        let mode = if ordered.order.moves {
            DrainMode::Move
        } else {
            DrainMode::Finish
        };
        w.u32(member::DRAIN_MODE, mode as u32)?;
        let deadline = match ordered.order.deadline {
            0 => 0,
            at => at.saturating_sub(net.now()).max(1),
        };
        w.u32(member::DEADLINE, deadline)?;
        let since = clock.now_ms.saturating_sub(ordered.since_ms) / 1000;
        w.uint(member::DRAIN_SINCE, since)?;
        w.uint(member::DRAIN_SESSIONS, ordered.sessions.into())?;
        w.uint(member::DRAIN_FLOWS, ordered.flows.into())?;
    }
    if let Some(why) = m.live.refused_why() {
        w.uint(member::REFUSED, m.live.refused.load(Relaxed))?;
        w.text(member::REFUSED_WHY, why.as_bytes())?;
    }
    w.u32(
        member::CONFIG,
        if m.local {
            config.digest
        } else {
            m.live.config.load(Relaxed)
        },
    )
}

/// The session id of an association, as the client has it. The table keeps its first 16 bytes;
/// the rest is made again with the key that made it. `None`: that is not loaded any more.
fn sid_text(net: &Net, guard: &Guard, a: &Association) -> Option<[u8; sid::TEXT_LEN]> {
    let key = net.keys.read(guard)?.maker(&a.key, a)?;
    let sid = key.sid_of(&a.key);
    Some(sid::encode(&sid))
}

/// Writes a session.
pub(super) fn put_session(w: &mut Writer<'_>, net: &Net, guard: &Guard, a: &Association) -> Result {
    if let Some(text) = sid_text(net, guard, a) {
        w.text(session::SID, &text)?;
    }
    let state = if ended(a) {
        SessionState::Ended
    } else if a.flags & Association::CONFIRMED != 0 {
        SessionState::Confirmed
    } else {
        SessionState::Tentative
    };
    w.bytes(session::KEY, &a.key)?;
    w.u32(session::HOME, a.home.into())?;
    w.u32(session::ORIGIN, a.origin.into())?;
    w.u32(session::VERSION, a.version)?;
    w.u32(session::STATE, state as u32)?;
    w.u16(session::GROUP, a.group)?;
    w.uint(session::CREATED, a.created.into())?;
    w.uint(session::IDLE, net.now().saturating_sub(a.last_used).into())?;
    w.u32(session::FLAGS, a.flags.into())
}

/// Tells that the configuration has changed. Any context.
pub(super) fn configuration(net: &Net, generation: u32, what: ConfigWhat) {
    genl::multicast(net.ns, group::CONFIG, cmd::CONFIG_NTF, CAPACITY, |w| {
        w.u32(config::GENERATION, generation)?;
        w.u32(config::WHAT, what as u32)
    });
}

/// Tells that a device was attached, detached, or has gone. Any context.
pub(super) fn device(net: &Net) {
    let generation = {
        let guard = rcu::read_lock();
        net.config(&guard).map_or(0, |config| config.generation)
    };
    configuration(net, generation, ConfigWhat::Device);
}

/// Tells listeners what happens on the packet path.
struct Teller;

static TELLER: Teller = Teller;

/// Lets the packet path tell user space; once, at load.
pub(super) fn install() {
    events::install(&TELLER);
}

impl Events for Teller {
    fn wanted(&self, host: &Host, event: &Event) -> bool {
        let group = match event {
            Event::Session(..) => group::SESSION,
            Event::Member(_) | Event::Resync(_) => group::MEMBER,
        };
        genl::has_listeners(host.net.ns, group)
    }

    fn tell(&self, host: &Host, event: &Event) {
        let net = &host.net;
        match event {
            Event::Session(a, cause) => session(net, a, *cause),
            Event::Member(id) => {
                genl::multicast(net.ns, group::MEMBER, cmd::MEMBER_NTF, CAPACITY, |w| {
                    let guard = rcu::read_lock();
                    let config = net.config(&guard).ok_or(ENODEV)?;
                    let m = config.member(*id).ok_or(ENOENT)?;
                    put_member(w, net, &guard, config, m)
                });
            }
            Event::Resync(id) => {
                genl::multicast(net.ns, group::MEMBER, cmd::RESYNC_NTF, CAPACITY, |w| {
                    let guard = rcu::read_lock();
                    let config = net.config(&guard).ok_or(ENODEV)?;
                    let from = config.member(*id).ok_or(ENOENT)?;
                    w.u32(member::ID, (*id).into())?;
                    w.text(member::NAME, from.settings.name.as_bytes())
                });
            }
        }
    }

    fn lost(&self, host: &Host) {
        for group in [group::SESSION, group::MEMBER] {
            genl::overrun(host.net.ns, group);
        }
    }

    fn device_gone(&self, host: &Host) {
        device(&host.net);
    }
}

/// Tells what happened to a session.
fn session(net: &Net, a: &Association, cause: Cause) {
    let cause = match cause {
        Cause::New => SessionCause::New,
        Cause::Confirm => SessionCause::Confirm,
        Cause::Move => SessionCause::Move,
        Cause::End => SessionCause::End,
        Cause::Expire => SessionCause::Expire,
    };
    genl::multicast(net.ns, group::SESSION, cmd::SESSION_NTF, CAPACITY, |w| {
        put_session(w, net, &rcu::read_lock(), a)?;
        w.u32(session::CAUSE, cause as u32)
    });
}
