// SPDX-License-Identifier: GPL-2.0
//! TCP packets as nearly all are, read at once: no IP options or extension headers, no fragment.
//!
//! Speaks to RFC 791, RFC 8200 and RFC 9293. What it reads, [`super::ip`] and [`super::tcp`] read
//! alike; what it does not read is for them.

use crate::wire::addr::Addr;
use crate::wire::addr::Tuple;
use crate::wire::ip;
use crate::wire::tcp;
use crate::wire::tcp::flags;
use crate::wire::tcp::Segment;

/// What the fixed headers say, with lengths that hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The connection; see [`Tuple::from_client`] and [`Tuple::from_server`].
    pub tuple: Tuple,
    /// Where the TCP header starts.
    pub l4: usize,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Control bits, see [`flags`].
    pub flags: u8,
    /// Window as in the header.
    pub window: u16,
    /// Bytes of the TCP header with options.
    pub header_len: usize,
    /// Bytes of payload.
    pub payload_len: u32,
}

/// A time stamp option alone, as nearly all systems lay it out: no other option is in a header of
/// 32 bytes that has this in front.
const STAMPS: [u8; 4] = [1, 1, 8, 10];

impl Plain {
    /// Reads the start of a packet of `len` bytes. `None`: it is not plain, or not right.
    #[inline(always)]
    pub fn parse(bytes: &[u8], len: usize, from_client: bool) -> Option<Self> {
        match bytes.first()? {
            0x45 => Self::ipv4(bytes, len, from_client),
            0x60..=0x6f => Self::ipv6(bytes, len, from_client),
            _ => None,
        }
    }

    // One whole path for each family, and addresses as numbers: taken together, or byte by byte,
    // the compiler makes five times as much of it.

    #[inline(always)]
    fn ipv4(bytes: &[u8], len: usize, from_client: bool) -> Option<Self> {
        let header = bytes.first_chunk::<{ ip::IPV4_LEN }>()?;
        let [_, _, l0, l1, _, _, f0, f1, _, protocol, ..] = *header;
        if protocol != ip::TCP || u16::from_be_bytes([f0, f1]) & 0x3fff != 0 {
            return None;
        }
        let src = *header.get(12..)?.first_chunk::<4>()?;
        let dst = *header.get(16..)?.first_chunk::<4>()?;
        // The others are for a closer look: some are no address that a packet comes from.
        if !matches!(src, [1..=126 | 128..=223, ..]) {
            return None;
        }
        let total = usize::from(u16::from_be_bytes([l0, l1]));
        let ends = (Addr::v4(src), Addr::v4(dst), ip::IPV4_LEN);
        Self::tcp(bytes, len, total, ends, from_client)
    }

    #[inline(always)]
    fn ipv6(bytes: &[u8], len: usize, from_client: bool) -> Option<Self> {
        let header = bytes.first_chunk::<{ ip::IPV6_LEN }>()?;
        let [_, _, _, _, l0, l1, next, ..] = *header;
        let payload = usize::from(u16::from_be_bytes([l0, l1]));
        let src = *header.get(8..)?.first_chunk::<16>()?;
        let dst = *header.get(24..)?.first_chunk::<16>()?;
        // Addresses that begin with 0 may be of IPv4; those with 255 are of groups.
        let odd = |a: [u8; 16]| matches!(a, [0 | 0xff, ..]);
        if next != ip::TCP || payload == 0 || odd(src) || odd(dst) {
            return None;
        }
        let total = payload.wrapping_add(ip::IPV6_LEN);
        let ends = (Addr::v6(src), Addr::v6(dst), ip::IPV6_LEN);
        Self::tcp(bytes, len, total, ends, from_client)
    }

    #[inline(always)]
    fn tcp(
        bytes: &[u8],
        len: usize,
        total: usize,
        ends: (Addr, Addr, usize),
        from_client: bool,
    ) -> Option<Self> {
        let (src, dst, l4) = ends;
        let header = bytes.get(l4..)?.first_chunk::<{ tcp::HEADER_LEN }>()?;
        let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = *header;
        let header_len = usize::from(offset >> 4).wrapping_mul(4);
        let headers = l4.wrapping_add(header_len);
        if header_len < tcp::HEADER_LEN || headers > bytes.len() || total > len || src == dst {
            return None;
        }
        let payload_len = total.checked_sub(headers)? as u32;
        let (src_port, dst_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        Some(Self {
            tuple: if from_client {
                Tuple::from_client(src, dst, src_port, dst_port)
            } else {
                Tuple::from_server(src, dst, src_port, dst_port)
            },
            l4,
            seq: u32::from_be_bytes([q0, q1, q2, q3]),
            ack: u32::from_be_bytes([a0, a1, a2, a3]),
            flags,
            window: u16::from_be_bytes([w0, w1]),
            header_len,
            payload_len,
        })
    }

    /// The TCP header of a packet from a client, whose start `bytes` is, with its options: as
    /// [`tcp::parse`] reads it. `None` if `bytes` end before it does.
    #[inline]
    pub fn segment(&self, bytes: &[u8]) -> Option<Segment> {
        let &[.., u0, u1] = bytes.get(self.l4..)?.first_chunk::<{ tcp::HEADER_LEN }>()?;
        let options = bytes.get(self.options()..self.payload())?;
        Some(Segment {
            src_port: self.tuple.client_port,
            dst_port: self.tuple.vip_port,
            seq: self.seq,
            ack: self.ack,
            flags: self.flags,
            window: self.window,
            header_len: self.header_len,
            urgent: u16::from_be_bytes([u0, u1]),
            options: tcp::parse_options(options),
        })
    }

    /// Any of the control bits is set.
    #[inline]
    pub const fn has(&self, bits: u8) -> bool {
        self.flags & bits != 0
    }

    /// Asks for a new connection: SYN without ACK or RST.
    #[inline]
    pub const fn is_syn(&self) -> bool {
        self.flags & (flags::SYN | flags::ACK | flags::RST) == flags::SYN
    }

    /// Where the TCP options start.
    #[inline]
    pub const fn options(&self) -> usize {
        self.l4.saturating_add(tcp::HEADER_LEN)
    }

    /// Where the payload starts.
    #[inline]
    pub const fn payload(&self) -> usize {
        self.l4.saturating_add(self.header_len)
    }

    /// Length as the IP header says, without padding.
    #[inline]
    pub const fn total_len(&self) -> usize {
        self.payload().saturating_add(self.payload_len as usize)
    }
}

/// Whether a TCP header, of which these are the options, has none but time stamps as all lay them
/// out.
#[inline]
pub fn only_stamps(options: &[u8]) -> bool {
    options.is_empty() || options.len() == 12 && options.first_chunk::<4>() == Some(&STAMPS)
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_plain))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const HEADER: tcp::Header = tcp::Header {
        src_port: 40_000,
        dst_port: 80,
        seq: 7,
        ack: 9,
        flags: flags::ACK,
        window: 500,
    };

    fn packet(six: bool, stamps: bool) -> ([u8; 100], usize, usize) {
        let mut b = [0; 100];
        let addr = |last| {
            if six {
                Addr::v6([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
            } else {
                Addr::v4([10, 0, 0, last])
            }
        };
        let l4 = if six { ip::IPV6_LEN } else { ip::IPV4_LEN };
        let stamps = stamps.then_some((1, 2));
        let tcp_len = tcp::emit_bare(&mut b[l4..], &HEADER, stamps).unwrap_or(0);
        let out = ip::Out {
            src: addr(1),
            dst: addr(2),
            protocol: ip::TCP,
            tos: 0,
            ttl: 64,
            payload_len: tcp_len + 5,
        };
        assert_eq!(ip::emit(&mut b, &out), Some(l4));
        (b, l4, l4 + tcp_len)
    }

    #[test]
    fn both_families_and_both_ways() {
        for (six, stamps) in [(false, false), (false, true), (true, false), (true, true)] {
            let (b, l4, payload) = packet(six, stamps);
            let p = Plain::parse(&b, payload + 5, true);
            let p = p.map(|p| {
                (
                    p.l4,
                    p.payload(),
                    p.payload_len,
                    p.seq,
                    p.ack,
                    p.total_len(),
                )
            });
            assert_eq!(p, Some((l4, payload, 5, 7, 9, payload + 5)));
            let segment = Plain::parse(&b, payload + 5, true).and_then(|p| p.segment(&b));
            assert_eq!(segment, tcp::parse(&b[l4..]).ok());
            let cut =
                Plain::parse(&b, payload + 5, true).and_then(|p| p.segment(&b[..payload - 1]));
            assert_eq!(cut, None);
            let ports = |p: Option<Plain>| p.map(|p| (p.tuple.client_port, p.tuple.vip_port));
            assert_eq!(ports(Plain::parse(&b, 100, true)), Some((40_000, 80)));
            assert_eq!(ports(Plain::parse(&b, 100, false)), Some((80, 40_000)));
            assert!(only_stamps(&b[l4 + 20..payload]));
        }
    }

    #[test]
    fn what_is_not_plain_is_left() {
        for six in [false, true] {
            let (good, l4, payload) = packet(six, false);
            // Longer than the packet; too short to be read.
            assert_eq!(Plain::parse(&good, payload + 4, true), None);
            for n in 0..payload {
                assert_eq!(Plain::parse(&good[..n], 100, true), None);
            }
            let changes: [(usize, u8); 7] = [
                (if six { 6 } else { 9 }, 17),
                (0, if six { 0x50 } else { 0x46 }),
                (l4 + 12, 0x40),
                (if six { 8 } else { 12 }, 0xff),
                (if six { 8 } else { 12 }, 0),
                (if six { 5 } else { 3 }, 19),
                (if six { 24 } else { 6 }, if six { 0 } else { 0x20 }),
            ];
            for (at, to) in changes {
                let mut b = good;
                b[at] = to;
                assert_eq!((at, Plain::parse(&b, 100, true)), (at, None));
            }
        }
    }

    #[test]
    fn other_options_are_seen() {
        assert!(only_stamps(&[]));
        assert!(!only_stamps(&[1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2]));
        assert!(!only_stamps(&[1; 12]));
        assert!(!only_stamps(&[
            1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 1, 1
        ]));
    }
}
