// SPDX-License-Identifier: GPL-2.0

//! On the way to the local stack: the first segment of a decided connection becomes a socket.
//!
//! Here, and not at ingress: a batch of packets runs all ingress hooks before its first packet
//! reaches TCP, while from LOCAL_IN on the path of each packet is synchronous. So an earlier
//! segment's socket can be seen.

use kernel::{prelude::*, sync::rcu::Guard};

use super::{
    answer,
    classify::{self, classify, Class, Tcp, Way},
    exchange,
    host::Host, //
};
use crate::{
    decide::{
        flow::{Action, ClientSegment, First, State},
        reason::Reason,
    },
    kapi::{
        hash::Ref,
        nf::{Hook, HookPacket, Verdict},
        skb::Packet,
        tcp::{self as stack, Agreed, Socket},
        time,
    },
    table::{config::Config, flow::Flow},
    wire::{addr::Tuple, plain::Plain, tcp::flags},
};

/// The hook in LOCAL_IN.
pub(super) struct Spawn;

impl Hook for Spawn {
    type State = Host;
    type Read = Option<Plain>;

    #[inline]
    fn read(bytes: &[u8], len: usize) -> Option<Plain> {
        Plain::parse(bytes, len, true)
    }

    fn call(host: &Host, guard: &Guard, mut packet: HookPacket, plain: Option<Plain>) -> Verdict {
        let net = &host.net;
        let Some(config) = net.config(guard) else {
            return packet.accept();
        };
        let Some(p) = plain else {
            let known = |tuple: &Tuple| net.knows(guard, tuple);
            let tcp = match classify(config, &mut packet, Way::In, known) {
                Class::Tcp(tcp) => tcp,
                Class::Known(p) => {
                    if let Some(flow) = net.flows.get(guard, &p.tuple) {
                        // No socket is made for a service that is gone.
                        let _ = to_socket(host, guard, config, &packet, &p, flow);
                    }
                    return packet.accept();
                }
                Class::NoMemory => {
                    net.count(Reason::DropNoMemory);
                    return packet.drop();
                }
                _ => return packet.accept(),
            };
            let p = Plain::from(&tcp);
            return match net.flows.get(guard, &p.tuple) {
                Some(flow) if !to_socket(host, guard, config, &packet, &p, flow) => {
                    decided(host, guard, packet, &tcp, &flow)
                }
                _ => packet.accept(),
            };
        };
        let Some(flow) = net.flows.get(guard, &p.tuple) else {
            return packet.accept();
        };
        if to_socket(host, guard, config, &packet, &p, flow) {
            return packet.accept();
        }
        let read = classify::closer(config, &mut packet, &p);
        match &read {
            Ok(tcp) => decided(host, guard, packet, tcp, &flow),
            Err(_) => packet.accept(),
        }
    }
}

/// Whether a segment can be left to the stack: of a connection that is none of ours, or has its
/// socket.
#[inline]
fn to_socket(
    host: &Host,
    guard: &Guard,
    config: &Config,
    packet: &Packet,
    p: &Plain,
    flow: Ref<'_, Tuple, Flow>,
) -> bool {
    let net = &host.net;
    if flow.owner() != config.local || p.is_syn() {
        return true;
    }
    if p.payload_len > 0 {
        net.requests.asked(&flow, time::coarse_ms());
        if flow.status().followed() {
            if let Some(service) = config.service(&p.tuple.vip, p.tuple.vip_port) {
                exchange::client(host, guard, service, packet, p, &flow);
            }
        }
    }
    // A copy of the first segment may come when its socket is gone but that is not known yet.
    let begins = p.payload_len > 0 && p.seq == flow.client_isn().wrapping_add(1);
    if flow.status().state != State::Live || begins {
        return false;
    }
    if p.has(flags::FIN | flags::RST) {
        let segment = segment(p, First::No, true);
        flow.on(net.uptime(), |f| f.on_client_segment(&segment));
    }
    true
}

fn segment(p: &Plain, first: First, socket: bool) -> ClientSegment {
    ClientSegment {
        flags: p.flags,
        payload_len: p.payload_len,
        first,
        socket,
    }
}

fn decided(
    host: &Host,
    guard: &Guard,
    mut packet: HookPacket,
    tcp: &Tcp<'_>,
    flow: &Flow,
) -> Verdict {
    let net = &host.net;
    let terms = flow.terms();
    let socket = stack::lookup(net.ns, &tcp.tuple, tcp.ifindex);
    // The cookie was verified by whoever decided; only the segment it came with may spawn.
    let same = tcp.payload_len > 0
        && tcp.seg.seq == terms.client_isn.wrapping_add(1)
        && tcp.seg.ack == terms.cookie.wrapping_add(1);
    let first = if same { First::Same } else { First::No };
    let here = matches!(socket, Socket::Full | Socket::Request);
    let mut tried = false;
    match flow.on(net.uptime(), |f| {
        f.on_client_segment(&segment(&Plain::from(tcp), first, here))
    }) {
        Action::Spawn => {}
        // A full accept queue empties: as the kernel does for its own handshakes, each of the
        // client's retransmissions tries again.
        Action::Refuse if same => tried = true,
        Action::DropEarly => {
            net.count(Reason::SpawnNotYet);
            return packet.drop();
        }
        // TIME_WAIT answers it, and shows it to nobody.
        Action::DropDuplicate if socket == Socket::TimeWait => {
            net.count(Reason::AfterClose);
            return packet.accept();
        }
        Action::DropDuplicate => {
            net.count(Reason::DuplicateLocal);
            return packet.drop();
        }
        Action::Refuse => {
            net.count(Reason::SpawnFailed);
            return packet.drop();
        }
        Action::Deliver | Action::Relay { .. } | Action::AnswerSyn | Action::Renew => {
            if !here {
                net.count(Reason::AfterClose);
            }
            return packet.accept();
        }
    }
    let stamps = tcp.seg.options.timestamps;
    if socket == Socket::TimeWait {
        let (seq, val) = (tcp.seg.seq, stamps.map(|t| t.0));
        if !stack::timewait_may_reuse(net.ns, &tcp.tuple, tcp.ifindex, seq, val, true) {
            net.count(Reason::SpawnFailed);
            return packet.drop();
        }
    }
    let agreed = Agreed {
        mss: terms.mss,
        snd_wscale: terms.snd_wscale,
        rcv_wscale: terms.rcv_wscale,
        timestamps: terms
            .tsecr
            .and_then(|ecr| stamps.map(|(val, _)| (val, ecr))),
        sack: terms.sack,
        ecn: terms.ecn,
    };
    match stack::spawn(net.ns, &mut packet, &tcp.tuple, &agreed) {
        Ok(()) => {
            net.count(Reason::Spawned);
            if net.fresh.push(&tcp.tuple) {
                host.list(guard);
            }
            packet.accept()
        }
        Err(why) => {
            net.count(Reason::SpawnFailed);
            if tried && why == ENOENT {
                // A server that is started anew is back by now; this one is not.
                answer::reset(host, tcp, &packet, Reason::SpawnRefused);
            }
            packet.drop()
        }
    }
}
