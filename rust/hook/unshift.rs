// SPDX-License-Identifier: GPL-2.0

//! Client packets of a connection into whose response bytes were put: the client acknowledges
//! bytes that the local stack never sent, and errors of the network quote them. First in PRE_ROUTING, whatever device they came by.

use kernel::sync::rcu::Guard;

use super::{
    classify::{classify, Class, Way},
    host::Host,
    icmp,
    ingress, //
};
use crate::{
    decide::{flow::State, reason::Reason, shift::Shift},
    kapi::{
        nf::{Hook, HookPacket, Verdict},
        skb::Packet,
    },
    wire::{
        plain::{only_stamps, Plain},
        sack,
        tcp::{self, flags},
    },
};

/// The hook in PRE_ROUTING.
pub(super) struct Unshift;

impl Hook for Unshift {
    type State = Host;
    /// And whether it has no TCP options but timestamps.
    type Read = Option<(Plain, bool)>;

    #[inline]
    fn read(bytes: &[u8], len: usize) -> Self::Read {
        let p = Plain::parse(bytes, len, true)?;
        let options = bytes.get(p.options()..p.payload());
        Some((p, options.is_some_and(only_stamps)))
    }

    #[inline]
    fn call(host: &Host, guard: &Guard, mut packet: HookPacket, plain: Self::Read) -> Verdict {
        let net = &host.net;
        let Some(config) = net.config(guard) else {
            return packet.accept();
        };
        let (p, bare) = match plain {
            Some(read) => read,
            None => match classify(config, &mut packet, Way::In, |t| net.knows(guard, t)) {
                Class::Tcp(tcp) => (Plain::from(&tcp), false),
                Class::Known(p) => (p, false),
                Class::NoMemory => {
                    net.count(Reason::DropNoMemory);
                    return packet.drop();
                }
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
            },
        };
        let Some(flow) = net.flows.get(guard, &p.tuple) else {
            return packet.accept();
        };
        let Some(shift) = flow.shift().filter(|_| p.has(flags::ACK)) else {
            return packet.accept();
        };
        if flow.status().state == State::Closed
            && ingress::begins_another(host, guard, &p.tuple, flow.client_isn(), p.seq, p.ack)
        {
            // Behind a bridge that has netfilter called this comes before the hook of its device, which
            // is to see the cookie as it is.
            return packet.accept();
        }
        let (l4, header_len) = (p.l4, p.header_len);
        let done = numbers(&mut packet, &p, &shift, flow.snd_wscale()).and_then(|()| {
            if bare {
                Some(())
            } else {
                blocks(&mut packet, l4, header_len, shift)
            }
        });
        match done {
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

/// Translates acknowledgement and window into the server's numbers. `wscale` is the client's.
#[inline]
fn numbers(packet: &mut Packet, p: &Plain, shift: &Shift, wscale: u8) -> Option<()> {
    let l4 = p.l4;
    let scale = if p.has(flags::SYN) { 0 } else { wscale };
    let (ack, window) = shift.client_says(p.ack, p.window, scale);
    if ack != p.ack && !packet.replace_tcp_u32(l4, tcp::ACK_OFFSET, ack) {
        return None;
    }
    if window != p.window && !packet.replace_tcp(l4, tcp::WINDOW_OFFSET, &window.to_be_bytes()) {
        return None;
    }
    Some(())
}

/// The same with the SACK blocks, if there are any. The TCP header of `header_len` bytes starts at `l4`.
fn blocks(packet: &mut Packet, l4: usize, header_len: usize, shift: Shift) -> Option<()> {
    let end = l4.checked_add(header_len)?;
    let header = packet.writable(end)?.get(l4..)?;
    let Some(found) = tcp::parse(header).ok()?.options.sack else {
        return Some(());
    };
    let mut header = [0; tcp::MAX_HEADER_LEN];
    let header = header.get_mut(..header_len)?;
    if !packet.copy(l4, header) {
        return None;
    }
    sack::rewrite(header, found, |l, r| shift.sack_block(l, r))?;
    let options = header.get(tcp::HEADER_LEN..)?;
    packet
        .replace_tcp(l4, tcp::HEADER_LEN, options)
        .then_some(())
}
