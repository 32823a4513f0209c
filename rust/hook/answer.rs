// SPDX-License-Identifier: GPL-2.0

//! Stateless answers to a client: SYN-ACK with a cookie, FIN, keep-alive probe, RST.
//!
//! An answer is a fresh packet, since the question may be shared with a capture; a SYN that is not
//! is made the answer itself. It goes back by the device and to the link address that the question
//! came from, or by the routing table.

use kernel::prelude::*;

use super::{classify::Tcp, host::Host};
use crate::{
    decide::{
        cookie::{Fits, SynOptions},
        limits,
        reason::Reason, //
    },
    kapi::{
        nf::{HookPacket, Verdict},
        skb::{Link, Packet},
        tcp as stack, //
    },
    table::{keys::Key, net::Net, pending::Waiting, service::Reply},
    wire::{
        addr::Tuple,
        checksum, geneve, ip,
        tcp::{self, flags},
    },
};

/// Longest answer: IPv6 header and a SYN-ACK with all options.
const ROOM: usize = ip::IPV6_LEN + tcp::MAX_SYN_ACK_LEN;

/// TTL of answers.
const TTL: u8 = 64;

/// Our window scale in SYN-ACKs. A constant of the farm: any member may have to spawn the socket
/// that another promised.
pub(super) const RCV_WSCALE: u8 = 7;

/// Our MSS in SYN-ACKs: what the client sends must fit the tunnel with its largest header, in
/// either family, without being fragmented on a network that carries `mtu` bytes (1280 or more).
pub(super) const fn our_mss(ipv6: bool, mtu: u16) -> u16 {
    let outer = ip::IPV6_LEN + 8 + geneve::MAX_DATA_HEADER;
    let inner = if ipv6 { ip::IPV6_LEN } else { ip::IPV4_LEN } + tcp::HEADER_LEN;
    mtu.saturating_sub((outer + inner) as u16)
}

/// Our MSS by what the farm's network carries.
pub(super) fn fits(net: &Net, ipv6: bool) -> Fits {
    Fits {
        now: our_mss(ipv6, net.fabric_mtu()),
        usual: our_mss(ipv6, limits::FABRIC_MTU),
    }
}

/// Our window in SYN-ACKs, unscaled: modest, because the socket's own may be small. It does not
/// grow with the segments, but always has room for one more.
pub(super) fn window(ipv6: bool, mtu: u16) -> u16 {
    let usual = our_mss(ipv6, limits::FABRIC_MTU);
    let more = our_mss(ipv6, mtu).saturating_sub(usual);
    let w = u32::from(usual).saturating_mul(limits::WINDOW_SEGMENTS);
    w.saturating_add(more.into()).min(65535) as u16
}

/// Puts IP header and TCP checksum around a TCP header that stands at `ip_len` in `buf`; the whole.
fn finish<'b>(buf: &'b mut [u8], tuple: &Tuple, ip_len: usize, tcp_len: usize) -> Result<&'b [u8]> {
    let end = ip_len.saturating_add(tcp_len);
    let segment = buf.get_mut(ip_len..end).ok_or(EINVAL)?;
    let sum = checksum::transport(&tuple.vip, &tuple.client, ip::TCP, segment).ok_or(EINVAL)?;
    let at = tcp::CHECKSUM_OFFSET;
    let field = segment.get_mut(at..at.saturating_add(2)).ok_or(EINVAL)?;
    if let [a, b] = field {
        [*a, *b] = sum.to_be_bytes();
    }
    let out = ip::Out {
        src: tuple.vip,
        dst: tuple.client,
        protocol: ip::TCP,
        tos: 0,
        ttl: TTL,
        payload_len: tcp_len,
    };
    ip::emit(buf, &out).ok_or(EINVAL)?;
    buf.get(..end).ok_or(EINVAL)
}

/// Finishes an answer to `question` and sends it.
fn send(question: &Tcp<'_>, packet: &Packet, buf: &mut [u8; ROOM], tcp_len: usize) -> Result {
    let ip_len = ip_len(question.ipv6());
    let route = question.service.settings.reply == Reply::Route;
    let bytes = finish(buf, &question.tuple, ip_len, tcp_len)?;
    packet.reply(bytes, ip_len, question.ipv6(), route)
}

fn ip_len(ipv6: bool) -> usize {
    if ipv6 {
        ip::IPV6_LEN
    } else {
        ip::IPV4_LEN
    }
}

/// Answers a SYN with a cookie that any member can verify.
pub(super) fn syn_ack(host: &Host, key: &Key, tcp: &Tcp<'_>, packet: HookPacket) -> Verdict {
    let net = &host.net;
    let may = stack::offers(net.ns);
    let said = &tcp.seg.options;
    let o = tcp::Options {
        wscale: said.wscale.filter(|_| may.wscale),
        sack_permitted: said.sack_permitted && may.sack,
        timestamps: said.timestamps.filter(|_| may.timestamps),
        ..*said
    };
    let floor = if tcp.ipv6() {
        limits::MSS_MIN_V6
    } else {
        limits::MSS_MIN_V4
    };
    let ecn = flags::ECE | flags::CWR;
    let options = SynOptions {
        mss: o.mss.unwrap_or(floor),
        wscale: o.wscale,
        sack: o.sack_permitted,
        timestamps: o.timestamps.is_some(),
        // Whether ECN was agreed survives only in a timestamp.
        ecn: may.ecn && o.timestamps.is_some() && tcp.seg.flags & ecn == ecn,
    };
    let made = key.cookie(&tcp.tuple, tcp.seg.seq, &options, net.now_s());
    let header = tcp::Header {
        src_port: tcp.tuple.vip_port,
        dst_port: tcp.tuple.client_port,
        seq: made.isn,
        ack: tcp.seg.seq.wrapping_add(1),
        flags: flags::SYN | flags::ACK | if options.ecn { flags::ECE } else { 0 },
        window: window(tcp.ipv6(), net.fabric_mtu()),
    };
    let offer = tcp::Offer {
        mss: fits(net, tcp.ipv6()).told(&tcp.tuple, options.mss),
        sack_permitted: o.sack_permitted,
        timestamps: o
            .timestamps
            .map(|(val, _)| (made.tsval(net.now_ms() as u32, &options), val)),
        wscale: o.wscale.map(|_| RCV_WSCALE),
    };
    let mut buf = [0; ROOM];
    let at = ip_len(tcp.ipv6());
    let room = buf.get_mut(at..).unwrap_or_default();
    let route = tcp.service.settings.reply == Reply::Route;
    let (packet, verdict) = packet.steal();
    let sent = tcp::emit_syn_ack(room, &header, &offer)
        .ok_or(EINVAL)
        .and_then(|len| finish(&mut buf, &tcp.tuple, at, len))
        .and_then(|bytes| packet.become_reply(bytes, at, tcp.ipv6(), route));
    net.count(match sent {
        Ok(()) => Reason::SynAnswered,
        Err(_) => Reason::AnswerFailed,
    });
    verdict
}

/// What a header without payload says.
struct Bare {
    seq: u32,
    ack: u32,
    flags: u8,
    /// Windows of the connection are scaled.
    scaled: bool,
}

/// Sends a header without payload. As our clock it echoes what the packet does: after the SYN-ACK no
/// member uses its own, since the next to speak is perhaps another.
fn bare(host: &Host, tcp: &Tcp<'_>, packet: &Packet, say: &Bare) -> bool {
    let rst = say.flags & flags::RST != 0;
    let window = window(tcp.ipv6(), host.net.fabric_mtu());
    let header = tcp::Header {
        src_port: tcp.tuple.vip_port,
        dst_port: tcp.tuple.client_port,
        seq: say.seq,
        ack: say.ack,
        flags: say.flags,
        window: match say.scaled {
            _ if rst => 0,
            true => window >> RCV_WSCALE,
            false => window,
        },
    };
    let stamps = match tcp.seg.options.timestamps {
        Some((val, ecr)) if !rst => Some((ecr, val)),
        _ => None,
    };
    let mut buf = [0; ROOM];
    let at = ip_len(tcp.ipv6());
    let room = buf.get_mut(at..).unwrap_or_default();
    let sent = tcp::emit_bare(room, &header, stamps)
        .ok_or(EINVAL)
        .and_then(|len| send(tcp, packet, &mut buf, len));
    if sent.is_err() {
        host.net.count(Reason::AnswerFailed);
    }
    sent.is_ok()
}

/// Answers a FIN that came instead of a request: the connection ends with nothing asked.
/// `scaled`: windows of the connection are.
pub(super) fn fin_ack(host: &Host, tcp: &Tcp<'_>, packet: &Packet, scaled: bool) {
    let say = Bare {
        seq: tcp.seg.ack,
        ack: tcp.seg.seq.wrapping_add(1),
        flags: flags::FIN | flags::ACK,
        scaled,
    };
    if bare(host, tcp, packet, &say) {
        host.net.count(Reason::FinAnswered);
    }
}

/// Answers a keep-alive probe (one byte below the window, or none) before the first request.
/// `scaled`: windows of the connection are.
pub(super) fn probe_ack(host: &Host, tcp: &Tcp<'_>, packet: &Packet, scaled: bool) {
    let say = Bare {
        seq: tcp.seg.ack,
        ack: tcp.seg.seq.wrapping_add(1),
        flags: flags::ACK,
        scaled,
    };
    if bare(host, tcp, packet, &say) {
        host.net.count(Reason::ProbeAnswered);
    }
}

/// Refuses: as the kernel does for a segment without a socket (RFC 9293 section 3.10.7.1).
pub(super) fn reset(host: &Host, tcp: &Tcp<'_>, packet: &Packet, why: Reason) {
    let seg = &tcp.seg;
    let say = if tcp.has(flags::ACK) {
        Bare {
            seq: seg.ack,
            ack: 0,
            flags: flags::RST,
            scaled: false,
        }
    } else {
        let one = |bit| u32::from(tcp.has(bit));
        let len = tcp
            .payload_len
            .wrapping_add(one(flags::SYN))
            .wrapping_add(one(flags::FIN));
        Bare {
            seq: 0,
            ack: seg.seq.wrapping_add(len),
            flags: flags::RST | flags::ACK,
            scaled: false,
        }
    };
    if bare(host, tcp, packet, &say) {
        host.net.count(why);
    }
}

/// A segment that the module sends by itself with data in it.
pub(super) struct Words<'w> {
    /// Its connection.
    pub(super) tuple: &'w Tuple,
    /// Sequence number.
    pub(super) seq: u32,
    /// Acknowledgement.
    pub(super) ack: u32,
    /// Timestamps: what to echo as our clock, and the client's.
    pub(super) stamps: Option<(u32, u32)>,
    /// The data.
    pub(super) data: &'w [u8],
}

/// Longest data of such a segment: any client's MSS has room for it.
pub(super) const WORDS: usize = 420;

/// Says something and ends our side. `send` sends the packet, whose TCP header is where it is told.
pub(super) fn say(
    host: &Host,
    words: &Words<'_>,
    why: Reason,
    send: impl FnOnce(&[u8], usize) -> Result,
) {
    let header = tcp::Header {
        src_port: words.tuple.vip_port,
        dst_port: words.tuple.client_port,
        seq: words.seq,
        ack: words.ack,
        flags: flags::ACK | flags::PSH | flags::FIN,
        // More than this is not read.
        window: 0,
    };
    let at = ip_len(!words.tuple.vip.is_v4());
    let mut buf = [0; ROOM + WORDS];
    let build = |buf: &mut [u8]| {
        let room = buf.get_mut(at..)?;
        let header_len = tcp::emit_bare(room, &header, words.stamps)?;
        let len = header_len.checked_add(words.data.len())?;
        for (to, from) in room.get_mut(header_len..len)?.iter_mut().zip(words.data) {
            *to = *from;
        }
        Some(len)
    };
    let sent = build(&mut buf)
        .ok_or(EINVAL)
        .and_then(|len| finish(&mut buf, words.tuple, at, len))
        .and_then(|bytes| send(bytes, at));
    host.net.count(match sent {
        Ok(()) => why,
        Err(_) => Reason::AnswerFailed,
    });
}

/// Acknowledges the client's goodbye when ours was sent before.
pub(super) fn fin_acked(host: &Host, tcp: &Tcp<'_>, packet: &Packet, scaled: bool) {
    let say = Bare {
        seq: tcp.seg.ack,
        ack: tcp.seg.seq.wrapping_add(tcp.payload_len).wrapping_add(1),
        flags: flags::ACK,
        scaled,
    };
    if bare(host, tcp, packet, &say) {
        host.net.count(Reason::FinAnswered);
    }
}

/// Ends a connection unasked: the client has acknowledged `ack`, and expects that number next. There
/// is no packet to answer, so it goes by the routing table.
pub(super) fn end(host: &Host, tuple: &Tuple, ack: u32, why: Reason) {
    let ipv6 = !tuple.vip.is_v4();
    let header = tcp::Header {
        src_port: tuple.vip_port,
        dst_port: tuple.client_port,
        seq: ack,
        ack: 0,
        flags: flags::RST,
        window: 0,
    };
    let mut buf = [0; ROOM];
    let at = ip_len(ipv6);
    let room = buf.get_mut(at..).unwrap_or_default();
    let sent = tcp::emit_bare(room, &header, None)
        .ok_or(EINVAL)
        .and_then(|len| finish(&mut buf, tuple, at, len))
        .and_then(|bytes| Link::none().reply(host.net.ns, host.device(), bytes, at, ipv6, true));
    host.net.count(match sent {
        Ok(()) => why,
        Err(_) => Reason::SendFailed,
    });
}

/// Acknowledges what is held, up to `ack` (a sequence number); the window still ends where the
/// SYN-ACK said. With RST in `bits`, tells the client that its connection is lost.
fn to_held(host: &Host, w: &Waiting, ack: u32, bits: u8) -> bool {
    let ipv6 = !w.tuple.vip.is_v4();
    let rst = bits & flags::RST != 0;
    let left = u32::from(w.manner.promised).saturating_sub(ack.wrapping_sub(w.start()));
    let header = tcp::Header {
        src_port: w.tuple.vip_port,
        dst_port: w.tuple.client_port,
        // What the owner may have answered meanwhile is behind us.
        seq: w.ack,
        ack: if rst { 0 } else { ack },
        flags: bits,
        window: match w.agreed.snd_wscale {
            _ if rst => 0,
            // Rounded up: a window must not shrink.
            Some(_) => (left.saturating_add((1 << RCV_WSCALE) - 1) >> RCV_WSCALE) as u16,
            None => left as u16,
        },
    };
    let stamps = w
        .manner
        .stamps
        .filter(|_| !rst)
        .map(|(val, ecr)| (ecr, val));
    let mut buf = [0; ROOM];
    let at = ip_len(ipv6);
    let room = buf.get_mut(at..).unwrap_or_default();
    let sent = tcp::emit_bare(room, &header, stamps)
        .ok_or(EINVAL)
        .and_then(|len| finish(&mut buf, &w.tuple, at, len))
        .and_then(|bytes| {
            w.link
                .reply(host.net.ns, w.ifindex, bytes, at, ipv6, w.manner.route)
        });
    if sent.is_err() {
        host.net.count(Reason::SendFailed);
    }
    sent.is_ok()
}

/// Acknowledges what a client has to be told that we have, so that it sends the rest.
pub(super) fn hold_ack(host: &Host, w: &Waiting) {
    let ack = w.start().wrapping_add(w.hold.acked());
    if to_held(host, w, ack, flags::ACK) {
        host.net.count(Reason::HoldAcked);
    }
}

/// Ends a connection whose bytes were acknowledged and cannot be delivered.
pub(super) fn hold_reset(host: &Host, w: &Waiting) {
    if to_held(host, w, 0, flags::RST) {
        host.net.count(Reason::HoldReset);
    }
}
