// SPDX-License-Identifier: GPL-2.0
//! Errors that the network reports about a TCP segment of ours.
//!
//! Speaks to RFC 792 (destination unreachable), RFC 1191 (fragmentation needed) and RFC 4443
//! (destination unreachable, packet too big). Each quotes the beginning of the packet that it is
//! about: at least the first eight bytes behind its IP header (RFC 792), which for TCP are the
//! ports and the sequence number.

use crate::wire::addr::Tuple;
use crate::wire::ip;

/// Bytes in front of the quoted packet, in both families.
pub const HEADER_LEN: usize = 8;
/// Offset of the checksum in the message. It covers the quoted packet.
pub const CHECKSUM_OFFSET: usize = 2;

/// Whether a message of this `protocol` and type reports that a packet did not arrive, and TCP
/// acts on it: unreachable (with "fragmentation needed"), or too big.
pub const fn is_error(protocol: u8, kind: u8) -> bool {
    matches!((protocol, kind), (ip::ICMP, 3) | (ip::ICMPV6, 1 | 2))
}

/// What an error quotes of a TCP segment that a service sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// The connection.
    pub tuple: Tuple,
    /// The segment's sequence number, as the client counts.
    pub seq: u32,
    /// Where that number stands, bytes from the start of the message; a multiple of 4.
    pub seq_at: usize,
}

/// Reads an error of `protocol` from `message`, which begins at the ICMP header and ends with the
/// packet. `None` if it is no error, or quotes anything else than the beginning of a TCP segment
/// of the same family.
pub fn parse(protocol: u8, message: &[u8]) -> Option<Quote> {
    if !is_error(protocol, *message.first()?) {
        return None;
    }
    let quoted = message.get(HEADER_LEN..)?;
    let ip = ip::parse(quoted).ok()?;
    let family = if protocol == ip::ICMP { 4 } else { 6 };
    if ip.version != family || ip.protocol != ip::TCP || ip.fragment {
        return None;
    }
    let tcp = quoted.get(ip.header_len..)?.first_chunk::<8>()?;
    let [s0, s1, d0, d1, q0, q1, q2, q3] = *tcp;
    let (from, to) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    Some(Quote {
        tuple: Tuple::from_server(ip.src, ip.dst, from, to),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        seq_at: ip.header_len.wrapping_add(HEADER_LEN).wrapping_add(4),
    })
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_icmp))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::wire::addr::Addr;

    const VIP: [Addr; 2] = [Addr::v4([10, 80, 0, 1]), Addr::v6([0xfd; 16])];
    const CLIENT: [Addr; 2] = [Addr::v4([10, 70, 0, 2]), Addr::v6([0xfc; 16])];

    /// An error of a family (0: IPv4, 1: IPv6) that quotes eight bytes of TCP; its length.
    fn error(family: usize, kind: u8, protocol: u8) -> ([u8; 96], usize) {
        let mut b = [0u8; 96];
        b[0] = kind;
        let out = ip::Out {
            src: VIP[family],
            dst: CLIENT[family],
            protocol,
            tos: 0,
            ttl: 63,
            payload_len: 1400,
        };
        let at = HEADER_LEN + ip::emit(&mut b[HEADER_LEN..], &out).unwrap_or_default();
        b[at..at + 8].copy_from_slice(&[0, 80, 0x30, 0x39, 0xde, 0xad, 0xbe, 0xef]);
        (b, at + 8)
    }

    fn protocol(family: usize) -> u8 {
        [ip::ICMP, ip::ICMPV6][family]
    }

    #[test]
    fn eight_bytes_of_tcp_are_enough_and_fewer_are_not() {
        for (family, kind, at) in [(0, 3, 32), (1, 1, 52), (1, 2, 52)] {
            let (b, len) = error(family, kind, ip::TCP);
            let want = Quote {
                tuple: Tuple::from_client(CLIENT[family], VIP[family], 12345, 80),
                seq: 0xdeadbeef,
                seq_at: at,
            };
            assert_eq!(parse(protocol(family), &b[..len]), Some(want));
            assert_eq!(parse(protocol(family), &b), Some(want));
            for short in 0..len {
                assert_eq!(parse(protocol(family), &b[..short]), None);
            }
        }
    }

    #[test]
    fn other_messages_and_other_quotes_are_none() {
        for kind in 0..=255 {
            for family in [0, 1] {
                let (b, _) = error(family, kind, ip::TCP);
                let is = is_error(protocol(family), kind);
                assert_eq!(is, [&[3][..], &[1, 2][..]][family].contains(&kind));
                assert_eq!(parse(protocol(family), &b).is_some(), is);
                // A quote of the other family.
                assert_eq!(parse(protocol(1 - family), &b), None);
            }
        }
        let (b, _) = error(0, 3, ip::UDP);
        assert_eq!(parse(ip::ICMP, &b), None);
        let (mut b, _) = error(0, 3, ip::TCP);
        b[HEADER_LEN + 7] = 1;
        assert_eq!(parse(ip::ICMP, &b), None);
    }

    #[test]
    fn header_options_are_passed_over() {
        let (mut b, _) = error(0, 3, ip::TCP);
        b.copy_within(28..36, 32);
        b[28..32].copy_from_slice(&[1; 4]);
        b[HEADER_LEN] = 0x46;
        let quote = parse(ip::ICMP, &b);
        assert_eq!(quote.map(|q| (q.seq, q.seq_at)), Some((0xdeadbeef, 36)));
    }
}
