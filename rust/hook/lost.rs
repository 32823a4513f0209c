// SPDX-License-Identifier: GPL-2.0

//! Connections that come in here and whose owner is gone: they are reset unasked, or go on at
//! another member with the client's next request. The rules are in [`crate::decide::lost`].

use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu::{self, Guard},
        ArcBorrow, //
    },
};

use super::{
    answer,
    classify::Tcp,
    decision,
    deliver::Handshake,
    host::Host,
    ingress,
    request, //
};
use crate::{
    decide::{
        cookie::Established,
        flow::{Flow as Status, Role, State},
        limits::{LOST_LOOK_MS, MEMBER_WORDS},
        lost::{self, Fate, Next, Segment},
        member::{self, Hears},
        reason::Reason,
    },
    kapi::{
        nf::{HookPacket, Verdict},
        time,
        work::Job,
    },
    table::{
        config::Config,
        flow::Flow,
        keys::KeyRing,
        member::{Member, State as MemberState},
    },
    wire::{addr::Tuple, tcp::flags},
};

/// Entries that are looked at under one RCU section.
const BATCH: u32 = 256;

/// Seconds of silence after which nobody waits for a client to send its request again. They are
/// counted as seconds turn, so this is one at least.
const AWAIT_S: u32 = 2;

/// Whether a member is dead, as far as this one may say: silent for long, for most of the others
/// too. One that an operator has set down still serves what it has.
pub(super) fn is_gone(host: &Host, guard: &Guard, config: &Config, member: &Member) -> bool {
    let clock = host.net.clock(config);
    !member.local
        && !member.is_heard(&clock)
        && member.state(guard, config, &clock) == MemberState::Down
        && decision::majority(host, config)
}

/// Which owners are gone: those of connections that are not in the map of those who are there.
struct There {
    ids: Hears,
}

impl There {
    fn new(host: &Host, guard: &Guard, config: &Config) -> Self {
        let mut ids = [0; MEMBER_WORDS];
        let there = config
            .members
            .iter()
            .filter(|m| m.local || !is_gone(host, guard, config, m));
        there.for_each(|m| member::hear(&mut ids, m.id()));
        Self { ids }
    }

    /// Whether the owner of a connection is gone, or has started anew since.
    fn has_lost(&self, config: &Config, flow: &Flow, now: u32) -> bool {
        let owner = flow.owner();
        if !member::hears(&self.ids, owner) {
            return true;
        }
        let Some(member) = config.member(owner) else {
            return true;
        };
        // What had not arrived goes to the new start, which acknowledges it.
        let since = now.saturating_sub(member.live.restarted_s());
        flow.start() != member.live.start()
            && flow.status().state == State::Live
            && flow.age(now) >= since
    }
}

/// Looks at all connections whose owners may be gone. Queued when one is, and for some time after.
pub(super) struct LostJob;

impl Job for LostJob {
    type State = Host;

    fn run(host: ArcBorrow<'_, Host>) -> u32 {
        let net = &host.net;
        let now = net.uptime();
        let Ok(mut walk) = net.flows.walk() else {
            net.count(Reason::DropNoMemory);
            return LOST_LOOK_MS;
        };
        let mut waits = false;
        loop {
            let guard = rcu::read_lock();
            let Some(config) = net.config(&guard) else {
                return 0;
            };
            let there = There::new(&host, &guard, config);
            let mut left = BATCH;
            let more = walk.next(|_, flow| {
                waits |= one(&host, config, &there, flow.key(), &flow, now);
                left = left.saturating_sub(1);
                left > 0
            });
            if !more {
                break;
            }
        }
        let until = host.lost_until.load(Relaxed);
        if waits || time::boot_ms() < until {
            LOST_LOOK_MS
        } else {
            0
        }
    }
}

/// Looks at one connection; whether it is to be looked at again soon.
fn one(host: &Host, config: &Config, there: &There, tuple: &Tuple, flow: &Flow, now: u32) -> bool {
    let status = flow.status();
    // While first bytes are kept, whoever keeps them sees to it that somebody gets them.
    if status.role != Role::Entry || status.state == State::Closed || status.kept() {
        return false;
    }
    if !status.lost() && !there.has_lost(config, flow, now) {
        return false;
    }
    let net = &host.net;
    let waited = flow.idle(now) >= AWAIT_S;
    match fate_of(flow) {
        Fate::Keep => {
            mark(host, flow);
            false
        }
        Fate::Await if !waited => {
            mark(host, flow);
            true
        }
        Fate::Await | Fate::Reset => {
            mark(host, flow);
            close(host, flow);
            if let Some(said) = flow.said() {
                answer::end(host, tuple, said.ack, Reason::LostReset);
            } else {
                net.count(Reason::LostReset);
            }
            false
        }
    }
}

fn fate_of(flow: &Flow) -> Fate {
    let first = flow.client_isn().wrapping_add(1);
    lost::fate(first, flow.mark(), flow.said())
}

/// Notes that the owner is gone.
fn mark(host: &Host, flow: &Flow) {
    if !flow.status().lost() {
        flow.on(host.net.uptime(), Status::on_lost);
        host.net.count(Reason::LostOwner);
    }
}

fn close(host: &Host, flow: &Flow) {
    flow.on(host.net.uptime(), |f| f.state = State::Closed);
}

/// The owner of a connection does not have it. Whether it can go on elsewhere: then it is kept for
/// that.
pub(super) fn keep(host: &Host, guard: &Guard, flow: &Flow) -> bool {
    if fate_of(flow) == Fate::Reset {
        return false;
    }
    mark(host, flow);
    host.look_for_lost(guard);
    true
}

/// A packet of a connection whose owner is gone. `Err`: it belongs to none that is known, and is
/// looked at as such.
#[allow(clippy::too_many_arguments)]
pub(super) fn packet(
    host: &Host,
    guard: &Guard,
    config: &Config,
    keys: &KeyRing,
    mut packet: HookPacket,
    tcp: &Tcp<'_>,
    flow: crate::kapi::hash::Ref<'_, Tuple, Flow>,
) -> Result<Verdict, HookPacket> {
    let net = &host.net;
    let Some(begins) = ingress::belongs(host, keys, &mut packet, tcp, &flow) else {
        return Err(packet);
    };
    let seg = &tcp.seg;
    let terms = flow.terms();
    if flow.status().state == State::Decided && begins && tcp.payload_len > 0 && !terms.taken_over {
        // The owner has not got it: another is found.
        net.flows.remove(guard, flow, &net.edits);
        return Err(packet);
    }
    let segment = Segment {
        seq: seg.seq,
        ack: seg.ack,
        len: tcp.payload_len,
        flags: seg.flags,
        sack: seg.options.sack.is_some(),
    };
    let first = terms.client_isn.wrapping_add(1);
    let next = match flow.status().state {
        State::Closed => Next::Reset,
        _ => lost::next(first, flow.mark(), flow.said(), &segment),
    };
    match next {
        _ if tcp.has(flags::RST) => {
            close(host, &flow);
            net.count(Reason::LostIgnored);
            Ok(ingress::done(packet))
        }
        Next::Ignore => {
            net.count(Reason::LostIgnored);
            Ok(ingress::done(packet))
        }
        Next::Probe => {
            answer::probe_ack(host, tcp, &packet);
            Ok(ingress::done(packet))
        }
        Next::End => {
            close(host, &flow);
            answer::fin_ack(host, tcp, &packet);
            Ok(ingress::done(packet))
        }
        Next::Request { safe } => {
            let stamps = seg.options.timestamps.map(|t| t.1);
            if terms.mss == 0 || stamps.is_some() != terms.tsecr.is_some() {
                return Ok(reset(host, tcp, packet, &flow));
            }
            let hs = Handshake {
                tuple: tcp.tuple,
                client_isn: seg.seq.wrapping_sub(1),
                cookie: seg.ack.wrapping_sub(1),
                tsecr: stamps,
                agreed: Established {
                    mss: terms.mss,
                    snd_wscale: terms.snd_wscale,
                    sack: terms.sack,
                    ecn: terms.ecn,
                    key: 0,
                    epoch_delta: 0,
                },
                kept: false,
                taken_over: true,
            };
            match request::whole(host, tcp, &packet, safe) {
                Some(asked) => Ok(request::give(
                    host,
                    guard,
                    config,
                    tcp,
                    packet,
                    &hs,
                    asked,
                    Some(flow),
                )),
                None => Ok(reset(host, tcp, packet, &flow)),
            }
        }
        Next::Reset => Ok(reset(host, tcp, packet, &flow)),
    }
}

/// The client is told that its connection is lost.
fn reset(host: &Host, tcp: &Tcp<'_>, packet: HookPacket, flow: &Flow) -> Verdict {
    close(host, flow);
    answer::reset(host, tcp, &packet, Reason::LostRefused);
    ingress::done(packet)
}
