// SPDX-License-Identifier: GPL-2.0

//! Connections that come in here and whose owner is gone or out of reach: they are reset unasked, or
//! go on at another member with the client's next request. The rules are in [`crate::decide::lost`].

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
    leftover,
    request, //
};
use crate::{
    decide::{
        cookie::Established,
        flow::{Flow as Status, Role, State},
        limits::{LOST_LOOK_MS, MEMBER_WORDS},
        lost::{self, Fate, Next, Owner, Segment, Sight},
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
        member::Member, //
    },
    wire::{addr::Tuple, tcp::flags},
};

/// Entries that are looked at under one RCU section.
const BATCH: u32 = 256;

/// Seconds of silence after which nobody waits for a client to send its request again. They are
/// counted as seconds turn, so this is one at least.
const AWAIT_S: u32 = 2;

/// What has become of a member, as far as this one may say. One that an operator has set down still
/// serves what it has.
pub(super) fn owner(host: &Host, guard: &Guard, config: &Config, member: &Member) -> Owner {
    let clock = host.net.clock(config);
    if member.local || !member.is_away(guard, config, &clock) {
        return Owner::There;
    }
    let heard = member.is_heard(&clock);
    if heard && !member.is_deaf(&clock) {
        // It is believed to be down on purpose.
        return Owner::There;
    }
    let sight = Sight {
        away: true,
        heard,
        majority: decision::majority(host, config),
        away_ms: member.away_ms(&clock),
    };
    lost::owner(&sight, clock.times.down_ms)
}

/// Whether a member is dead.
pub(super) fn is_gone(host: &Host, guard: &Guard, config: &Config, member: &Member) -> bool {
    owner(host, guard, config, member) == Owner::Dead
}

/// The end of an interval: sees to a member's connections when something new has become of it. That
/// may be long after it went down: this member may have been alone until now.
pub(super) fn watch(host: &Host, guard: &Guard, config: &Config, member: &Member) {
    let clock = host.net.clock(config);
    if member.local {
        let whole = decision::hears_most(host, config);
        member.live.count_whole(whole, &clock);
        return;
    }
    let away = member.is_away(guard, config, &clock);
    member.live.count_away(away);
    let now = owner(host, guard, config, member);
    let before = member.live.owner.xchg(now as u32, Relaxed);
    if now != Owner::There && before != now as u32 {
        host.look_for_lost(guard);
    }
    leftover::watch(host, guard, member, now);
}

/// What has become of the owners: two maps.
struct Owners {
    there: Hears,
    away: Hears,
}

impl Owners {
    fn new(host: &Host, guard: &Guard, config: &Config) -> Self {
        let (mut there, mut away) = ([0; MEMBER_WORDS], [0; MEMBER_WORDS]);
        for m in &config.members {
            match owner(host, guard, config, m) {
                Owner::There => member::hear(&mut there, m.id()),
                Owner::Away => member::hear(&mut away, m.id()),
                Owner::Dead => {}
            }
        }
        Self { there, away }
    }

    /// What has become of the owner of a connection. One that has started anew since is dead as far
    /// as this connection goes.
    fn of(&self, config: &Config, flow: &Flow, now: u32) -> Owner {
        let id = flow.owner();
        let there = member::hears(&self.there, id);
        let Some(member) = config.member(id) else {
            return Owner::Dead;
        };
        // What had not arrived goes to the new start, which acknowledges it.
        let since = now.saturating_sub(member.live.restarted_s());
        if flow.start() != member.live.start()
            && flow.status().state == State::Live
            && flow.age(now) >= since
        {
            Owner::Dead
        } else if there {
            Owner::There
        } else if member::hears(&self.away, id) {
            Owner::Away
        } else {
            Owner::Dead
        }
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
            let owners = Owners::new(&host, &guard, config);
            let mut left = BATCH;
            let more = walk.next(|_, flow| {
                waits |= one(&host, config, &owners, flow.key(), &flow, now);
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
fn one(
    host: &Host,
    config: &Config,
    owners: &Owners,
    tuple: &Tuple,
    flow: &Flow,
    now: u32,
) -> bool {
    let status = flow.status();
    // While first bytes are kept, whoever keeps them sees to it that somebody gets them.
    if status.role != Role::Entry || status.state == State::Closed || status.kept() {
        return false;
    }
    let owner = owners.of(config, flow, now);
    if !status.lost() && owner == Owner::There {
        return false;
    }
    let net = &host.net;
    let waited = flow.idle(now) >= AWAIT_S;
    let fate = match fate_of(flow) {
        // What was given up as that of a dead owner stays so.
        fate if owner == Owner::Away && !status.lost() => {
            let given = flow.terms().taken_over;
            lost::fate_away(status.state == State::Live || given, fate)
        }
        fate => fate,
    };
    match fate {
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
            if lost::is_reset(first, flow.mark(), flow.said(), seg.seq) {
                close(host, &flow);
            }
            net.count(Reason::LostIgnored);
            Ok(ingress::done(packet))
        }
        Next::Ignore => {
            net.count(Reason::LostIgnored);
            Ok(ingress::done(packet))
        }
        Next::Probe => {
            answer::probe_ack(host, tcp, &packet, flow.terms().snd_wscale.is_some());
            Ok(ingress::done(packet))
        }
        Next::End => {
            close(host, &flow);
            answer::fin_ack(host, tcp, &packet, flow.terms().snd_wscale.is_some());
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
