// SPDX-License-Identifier: GPL-2.0

//! What a packet is: nothing has been checked before the ingress hook, so everything is here.

use crate::{
    decide::reason::Reason,
    kapi::skb::{Packet, ETH_P_IP, ETH_P_IPV6},
    table::{config::Config, service::Service},
    wire::{
        addr::Tuple,
        icmp::{self, Quote},
        ip::{self, Ip},
        plain::Plain,
        tcp::{self, Segment},
        Fault,
    },
};
use kernel::sync::Arc;

/// A TCP packet to a service (or from one), with lengths that hold.
pub(super) struct Tcp<'c> {
    /// The service.
    pub(super) service: &'c Arc<Service>,
    /// Its connection.
    pub(super) tuple: Tuple,
    /// Of IPv6.
    six: bool,
    /// Where the TCP header starts.
    l4: usize,
    /// TOS or traffic class.
    pub(super) tos: u8,
    /// TTL or hop limit.
    pub(super) ttl: u8,
    /// TCP header.
    pub(super) seg: Segment,
    /// Bytes of payload.
    pub(super) payload_len: u32,
    /// It may be several segments in one packet.
    pub(super) merged: bool,
    /// Device it came by; 0 on the way out.
    pub(super) ifindex: u32,
}

impl Tcp<'_> {
    /// IPv6.
    pub(super) fn ipv6(&self) -> bool {
        self.six
    }

    /// Where the TCP header starts.
    pub(super) fn l4(&self) -> usize {
        self.l4
    }

    /// Where the payload starts.
    pub(super) fn payload(&self) -> usize {
        self.l4.saturating_add(self.seg.header_len)
    }

    /// Any of the control bits is set.
    pub(super) fn has(&self, bits: u8) -> bool {
        self.seg.flags & bits != 0
    }

    /// Asks for a new connection.
    pub(super) fn is_syn(&self) -> bool {
        self.seg.is_syn()
    }

    /// Length as the IP header says, without padding.
    pub(super) fn total_len(&self) -> usize {
        self.payload().saturating_add(self.payload_len as usize)
    }
}

impl From<&Tcp<'_>> for Plain {
    fn from(t: &Tcp<'_>) -> Self {
        Self {
            tuple: t.tuple,
            l4: t.l4(),
            seq: t.seg.seq,
            ack: t.seg.ack,
            flags: t.seg.flags,
            window: t.seg.window,
            header_len: t.seg.header_len,
            payload_len: t.payload_len,
        }
    }
}

/// An error of the network about a segment that a service sent.
pub(super) struct Icmp {
    /// What it quotes.
    pub(super) quote: Quote,
    /// [`ip::ICMP`] or [`ip::ICMPV6`].
    pub(super) protocol: u8,
    /// Where the message starts.
    pub(super) l4: usize,
    /// Length as the IP header says, without padding.
    pub(super) total_len: usize,
}

/// A fragment of TCP to an address of a service.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// IPv6.
    pub(super) ipv6: bool,
    /// Length as the IP header says, without padding.
    pub(super) total_len: usize,
}

/// What was found.
pub(super) enum Class<'c> {
    /// TCP to (from) a service.
    Tcp(Tcp<'c>),
    /// TCP of a connection that is known, although its service is there no more.
    Known(Plain),
    /// A report that something from a service did not arrive. Only on the way in.
    Icmp(Icmp),
    /// Nothing of ours.
    Other,
    /// For another host.
    NotHost,
    /// A fragment; with how to put it together when it may be for a service.
    Fragment(Option<Part>),
    /// IPv6 with more extension headers than are walked, or with a source route that is not done.
    Extensions,
    /// Headers that contradict themselves: the kernel will drop it by its own rules.
    Malformed,
    /// No memory to look at it.
    NoMemory,
}

/// Which end of the packet is the service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Towards the service.
    In,
    /// From the service.
    Out,
}

/// Longest IP header that is looked at: IPv6 with 400 bytes of extension headers.
const MOST_IP: usize = ip::IPV6_LEN + 400;
/// The same and TCP's.
const MOST_HEADERS: usize = MOST_IP + tcp::MAX_HEADER_LEN;

/// The rest of what there is to know of a packet that is plain. An error says why it is not looked
/// at further: [`Reason::DropNoMemory`], or what it is counted as when it passes.
#[inline]
pub(super) fn closer<'c>(
    config: &'c Config,
    packet: &mut Packet,
    p: &Plain,
) -> Result<Tcp<'c>, Reason> {
    let service = config.service(&p.tuple.vip, p.tuple.vip_port);
    let service = service.ok_or(Reason::PassOther)?;
    let v = packet.view(p.payload()).ok_or(Reason::DropNoMemory)?;
    let (Some(seg), Some(&[a, b, _, _, _, _, _, hops, ttl, ..])) = (
        p.segment(v.bytes),
        v.bytes.first_chunk::<{ ip::IPV4_LEN }>(),
    ) else {
        return Err(Reason::PassMalformed);
    };
    let six = p.l4 != ip::IPV4_LEN;
    Ok(Tcp {
        service,
        tuple: p.tuple,
        six,
        l4: p.l4,
        tos: if six { (a << 4) | (b >> 4) } else { b },
        ttl: if six { hops } else { ttl },
        seg,
        payload_len: p.payload_len,
        merged: v.gso,
        ifindex: v.ifindex,
    })
}

/// Says what a packet is that is not [plain](Plain). The connections of a service that was removed go
/// on: `known` says of which there is a flow.
pub(super) fn classify<'c>(
    config: &'c Config,
    packet: &mut Packet,
    way: Way,
    known: impl Fn(&Tuple) -> bool,
) -> Class<'c> {
    let mut want = 60;
    let (ip, ports, len, ifindex, gso) = loop {
        let Some(v) = packet.view(want) else {
            return Class::NoMemory;
        };
        if way == Way::In && !v.for_host {
            return Class::NotHost;
        }
        if way == Way::In && !matches!(v.protocol, ETH_P_IP | ETH_P_IPV6) {
            return Class::Other;
        }
        match ip::parse(v.bytes) {
            Ok(ip) if ip.fragment => return fragment(config, &ip, v.len, way),
            Ok(ip) if ip.protocol != ip::TCP => {
                let kind = v.bytes.get(ip.header_len).copied().unwrap_or_default();
                if way == Way::Out || !icmp::is_error(ip.protocol, kind) {
                    return Class::Other;
                }
                return icmp(config, packet, &ip, known);
            }
            Ok(ip) if ip.header_len > MOST_IP => return Class::Extensions,
            Ok(ip) => {
                let at = ip.header_len;
                match v.bytes.get(at..).and_then(|b| b.first_chunk::<4>()) {
                    Some(&[a, b, c, d]) => {
                        let ports = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                        break (ip, ports, v.len, v.ifindex, v.gso);
                    }
                    None if v.bytes.len() >= v.len => return Class::Malformed,
                    None => want = at.saturating_add(60),
                }
            }
            Err(e) if e.fault == Fault::Short && v.bytes.len() < v.len => {
                want = e.needed.max(want.saturating_add(8));
            }
            Err(e) if e.fault == Fault::Unsupported => return Class::Extensions,
            Err(_) => return Class::Malformed,
        }
        if want > MOST_HEADERS {
            return Class::Extensions;
        }
    };
    let tuple = match way {
        Way::In => Tuple::from_client(ip.src, ip.dst, ports.0, ports.1),
        Way::Out => Tuple::from_server(ip.src, ip.dst, ports.0, ports.1),
    };
    let service = config.service(&tuple.vip, tuple.vip_port);
    if service.is_none() && !known(&tuple) {
        return Class::Other;
    }
    // 0 is BIG TCP, and a lie in a single segment: then the packet's own length counts.
    let total = match ip.total_len {
        0 if gso => len,
        total => total,
    };
    if total > len {
        return Class::Malformed;
    }
    // Nobody answers such a source, and the stack drops what says it comes from there.
    if way == Way::In && (!ip.src.is_source() || ip.src == ip.dst) {
        return Class::Malformed;
    }
    let Some(v) = packet.view(ip.header_len.saturating_add(tcp::MAX_HEADER_LEN)) else {
        return Class::NoMemory;
    };
    let header = v.bytes.get(ip.header_len..).unwrap_or_default();
    let Ok(seg) = tcp::parse(header) else {
        return Class::Malformed;
    };
    let headers = ip.header_len.saturating_add(seg.header_len);
    let Some(payload_len) = total.checked_sub(headers) else {
        return Class::Malformed;
    };
    let Some(service) = service else {
        return Class::Known(Plain {
            tuple,
            l4: ip.header_len,
            seq: seg.seq,
            ack: seg.ack,
            flags: seg.flags,
            window: seg.window,
            header_len: seg.header_len,
            payload_len: payload_len as u32,
        });
    };
    Class::Tcp(Tcp {
        service,
        tuple,
        six: ip.version == 6,
        l4: ip.header_len,
        tos: ip.tos,
        ttl: ip.ttl,
        seg,
        payload_len: payload_len as u32,
        merged: gso,
        ifindex,
    })
}

/// Says what a fragment in a packet of `len` bytes is. Its ports may be in another one, so the
/// address decides.
fn fragment<'c>(config: &'c Config, ip: &Ip, len: usize, way: Way) -> Class<'c> {
    if ip.whole_protocol != ip::TCP {
        return Class::Other;
    }
    let part = Part {
        ipv6: ip.version == 6,
        total_len: ip.total_len,
    };
    let worth = way == Way::In && config.is_vip(&ip.dst);
    // What claims more than there is, or nothing, the kernel drops by its own rules.
    let whole = ip.total_len != 0 && ip.total_len <= len;
    Class::Fragment((worth && whole).then_some(part))
}

/// Most of an ICMP message that is looked at: the quoted IP header with extension headers.
const MOST_QUOTED: usize = 512;

/// Says what an ICMP error is about. What quotes no service and no known connection is none of ours.
fn icmp<'c>(
    config: &'c Config,
    packet: &mut Packet,
    ip: &Ip,
    known: impl Fn(&Tuple) -> bool,
) -> Class<'c> {
    let Some(v) = packet.view(ip.header_len.saturating_add(MOST_QUOTED)) else {
        return Class::NoMemory;
    };
    let total_len = ip.total_len;
    let end = total_len.min(v.bytes.len());
    let quote = v.bytes.get(ip.header_len..end);
    let quote = quote.and_then(|message| icmp::parse(ip.protocol, message));
    // Whoever says that something of the VIP did not arrive must have sent it to the VIP.
    let ours = |q: &Quote| {
        let t = &q.tuple;
        t.vip == ip.dst && (config.service(&t.vip, t.vip_port).is_some() || known(t))
    };
    match quote.filter(ours) {
        Some(_) if total_len > v.len => Class::Malformed,
        Some(quote) => Class::Icmp(Icmp {
            quote,
            protocol: ip.protocol,
            l4: ip.header_len,
            total_len,
        }),
        None => Class::Other,
    }
}
