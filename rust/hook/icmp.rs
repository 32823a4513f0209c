// SPDX-License-Identifier: GPL-2.0

//! Errors of the network about what a service sent: routers answer to the virtual address, so they
//! reach any member, and only the owner of the connection can act on them.
//!
//! The message is not believed here: it goes to the owner's stack, which compares the quoted
//! sequence number with what it has sent. Therefore a shifted number is translated back.

use kernel::sync::rcu::Guard;

use super::{
    classify::Icmp,
    encap,
    host::Host, //
};
use crate::{
    decide::reason::Reason,
    kapi::{
        nf::{HookPacket, Verdict},
        skb::Packet,
    },
    table::config::Config,
    wire::icmp::CHECKSUM_OFFSET,
};

/// An error on an attached device.
pub(super) fn ingress(
    host: &Host,
    guard: &Guard,
    config: &Config,
    mut packet: HookPacket,
    error: &Icmp,
) -> Verdict {
    let net = &host.net;
    let Some(flow) = net.flows.get(guard, &error.quote.tuple) else {
        net.count(Reason::IcmpUnknown);
        return packet.accept();
    };
    if flow.owner() == config.local {
        net.count(Reason::IcmpLocal);
        return packet.accept();
    }
    if packet.trim(error.total_len).is_err() {
        net.count(Reason::DropNoMemory);
        return packet.drop();
    }
    let (packet, verdict) = packet.steal();
    encap::error(host, guard, config, packet, error, &flow.terms());
    verdict
}

/// In PRE_ROUTING: puts the server's own sequence number into the quote of a shifted connection.
/// `None` when memory fails: the packet must not go on then.
pub(super) fn unshift(host: &Host, guard: &Guard, packet: &mut Packet, error: &Icmp) -> Option<()> {
    let net = &host.net;
    let flow = net.flows.get(guard, &error.quote.tuple);
    let Some(shift) = flow.and_then(|f| f.shift()) else {
        return Some(());
    };
    let seq = shift.server_seq(error.quote.seq);
    if seq == error.quote.seq {
        return Some(());
    }
    let at = error.l4.saturating_add(error.quote.seq_at);
    let check = error.l4.saturating_add(CHECKSUM_OFFSET);
    if !packet.replace_u32(check, at, seq) {
        return None;
    }
    net.count(Reason::IcmpUnshifted);
    Some(())
}
