// SPDX-License-Identifier: GPL-2.0

//! Client packets of a connection into whose response bytes were put: the client acknowledges
//! bytes that the local stack never sent, and errors of the network quote them. First in PRE_ROUTING, whatever device they came by.

use kernel::sync::rcu::Guard;

use super::{
    classify::{classify, Class, Tcp, Way},
    host::Host,
    icmp, //
};
use crate::{
    decide::reason::Reason,
    kapi::{
        nf::{Hook, HookPacket, Verdict},
        skb::Packet,
    },
    table::flow::Flow,
    wire::{
        sack,
        tcp::{self, flags},
    },
};

/// The hook in PRE_ROUTING.
pub(super) struct Unshift;

impl Hook for Unshift {
    type State = Host;

    #[inline]
    fn call(host: &Host, guard: &Guard, mut packet: HookPacket) -> Verdict {
        let net = &host.net;
        if net.edits.shifted() == 0 {
            return packet.accept();
        }
        let Some(config) = net.config(guard) else {
            return packet.accept();
        };
        let tcp = match classify(config, &mut packet, Way::In) {
            Class::Tcp(tcp) => tcp,
            Class::Icmp(error) => {
                return match icmp::unshift(host, guard, &mut packet, &error) {
                    Some(()) => packet.accept(),
                    None => {
                        net.count(Reason::DropNoMemory);
                        packet.drop()
                    }
                };
            }
            _ => return packet.accept(),
        };
        let Some(flow) = net.flows.get(guard, &tcp.tuple) else {
            return packet.accept();
        };
        if flow.shift().is_none() || !tcp.has(flags::ACK) {
            return packet.accept();
        }
        match unshift(&mut packet, &tcp, &flow) {
            Some(()) => {
                net.count(Reason::Unshifted);
                packet.accept()
            }
            None => {
                // Unchanged it would acknowledge what was never sent.
                net.count(Reason::DropNoMemory);
                packet.drop()
            }
        }
    }
}

/// Translates acknowledgement, window and SACK blocks into the server's numbers.
fn unshift(packet: &mut Packet, t: &Tcp<'_>, flow: &Flow) -> Option<()> {
    let shift = flow.shift()?;
    let seg = &t.seg;
    let ack = shift.ack(seg.ack);
    let l4 = t.l4();
    packet.writable(t.payload())?;
    if ack != seg.ack && !packet.replace_tcp(l4, 8, &ack.to_be_bytes()) {
        return None;
    }
    let scale = if t.has(flags::SYN) {
        0
    } else {
        flow.snd_wscale()
    };
    let window = shift.window(seg.ack, seg.window, scale);
    if window != seg.window && !packet.replace_tcp(l4, 14, &window.to_be_bytes()) {
        return None;
    }
    if let Some(found) = seg.options.sack {
        let mut header = [0; tcp::MAX_HEADER_LEN];
        let header = header.get_mut(..seg.header_len)?;
        if !packet.copy(l4, header) {
            return None;
        }
        sack::rewrite(header, found, |l, r| shift.sack_block(l, r))?;
        let options = header.get(tcp::HEADER_LEN..)?;
        if !packet.replace_tcp(l4, tcp::HEADER_LEN, options) {
            return None;
        }
    }
    Some(())
}
