// SPDX-License-Identifier: GPL-2.0
//! IP headers of both families: parse to one meaning, emit for answers of our own.
//!
//! Speaks to RFC 791 (IPv4), RFC 8200 (IPv6 and its extension headers), RFC 4302 (AH),
//! RFC 6946 (atomic fragments) and `include/linux/ip.h` (`iph_totlen`: length 0 is BIG TCP).

use crate::wire::addr::Addr;
use crate::wire::checksum;
use crate::wire::reader::Reader;
use crate::wire::reader::Writer;
use crate::wire::Error;
use crate::wire::Fault;
use crate::wire::Layer;

/// Protocol number of TCP.
pub const TCP: u8 = 6;
/// Protocol number of UDP.
pub const UDP: u8 = 17;
/// Protocol number of ICMP for IPv4.
pub const ICMP: u8 = 1;
/// Protocol number of ICMP for IPv6.
pub const ICMPV6: u8 = 58;

/// Bytes of an IPv4 header without options.
pub const IPV4_LEN: usize = 20;
/// Bytes of an IPv6 header without extension headers.
pub const IPV6_LEN: usize = 40;
/// Most extension headers that are walked: as many as the kernel does (`IP6_MAX_EXT_HDRS_CNT`); a
/// packet with more is not for us.
pub const MAX_EXTENSIONS: usize = 12;

/// What an IP header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ip {
    /// 4 or 6.
    pub version: u8,
    /// Source address.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Protocol of what follows `header_len`, after all extension headers.
    pub protocol: u8,
    /// Bytes from the start to the transport header, options and extension headers included.
    pub header_len: usize,
    /// Bytes of header and payload as the header says; everything behind is link padding.
    ///
    /// 0 means that the field cannot hold the length (BIG TCP): then, and only if the packet is
    /// a GSO packet, its own length counts.
    pub total_len: usize,
    /// Type of service, or traffic class: DSCP and ECN.
    pub tos: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Whether this is a fragment of a larger packet. The transport header may then be missing.
    pub fragment: bool,
    /// Protocol of what the whole packet begins with behind the part that every fragment repeats:
    /// all fragments of a packet agree on it. The same as `protocol` in what is no fragment.
    pub whole_protocol: u8,
    /// Whether there are IPv4 options or IPv6 extension headers.
    pub options: bool,
}

/// Reads the IP header at the start of `bytes`, which hold at least all headers of the packet.
///
/// # Errors
///
/// [`Fault::Short`] if the headers are not whole in `bytes`, [`Fault::Version`] if it is no IP,
/// [`Fault::Length`] for contradicting lengths, [`Fault::Unsupported`] for more than
/// [`MAX_EXTENSIONS`] extension headers or a routing header that is not done, and
/// [`Fault::Value`] for a v4-mapped address in an IPv6 header.
pub fn parse(bytes: &[u8]) -> Result<Ip, Error> {
    match bytes.first() {
        None => Err(Error::short(Layer::Ipv4, IPV4_LEN, 0)),
        Some(b) if b >> 4 == 4 => parse_ipv4(bytes),
        Some(b) if b >> 4 == 6 => parse_ipv6(bytes),
        Some(_) => Err(Error::bad(Layer::Ipv4, Fault::Version)),
    }
}

fn parse_ipv4(bytes: &[u8]) -> Result<Ip, Error> {
    let short = |needed| Error::short(Layer::Ipv4, needed, bytes.len());
    let header = bytes.first_chunk::<IPV4_LEN>().ok_or(short(IPV4_LEN))?;
    let [vihl, tos, l0, l1, _, _, f0, f1, ttl, protocol, ..] = *header;
    let word = |at| header.get(at..).and_then(|b| b.first_chunk::<4>());
    let (Some(src), Some(dst)) = (word(12), word(16)) else {
        return Err(short(IPV4_LEN));
    };
    let header_len = usize::from(vihl & 0x0f).wrapping_mul(4);
    if header_len < IPV4_LEN {
        return Err(Error::bad(Layer::Ipv4, Fault::Length));
    }
    if header_len > bytes.len() {
        return Err(short(header_len));
    }
    let total_len = usize::from(u16::from_be_bytes([l0, l1]));
    if total_len != 0 && total_len < header_len {
        return Err(Error::bad(Layer::Ipv4, Fault::Length));
    }
    // More fragments follow, or this is not the first.
    let fragment = u16::from_be_bytes([f0, f1]) & 0x3fff != 0;
    Ok(Ip {
        version: 4,
        src: Addr::v4(*src),
        dst: Addr::v4(*dst),
        protocol,
        header_len,
        total_len,
        tos,
        ttl,
        fragment,
        whole_protocol: protocol,
        options: header_len > IPV4_LEN,
    })
}

/// What to read at an extension header.
enum Extension {
    /// Length byte counts 8-byte units after the first eight bytes.
    Options,
    /// As `Options`, and the fourth byte counts segments left.
    Routing,
    /// Eight bytes: offset and the more-fragments bit.
    Fragment,
    /// Length byte counts 4-byte units, minus 2.
    Authentication,
}

fn extension(next: u8) -> Option<Extension> {
    match next {
        0 | 60 => Some(Extension::Options),
        43 => Some(Extension::Routing),
        44 => Some(Extension::Fragment),
        51 => Some(Extension::Authentication),
        _ => None,
    }
}

fn parse_ipv6(bytes: &[u8]) -> Result<Ip, Error> {
    let short = |needed| Error::short(Layer::Ipv6, needed, bytes.len());
    let bad = |fault| Error::bad(Layer::Ipv6, fault);
    let mut r = Reader::new(bytes);
    let [b0, b1, _, _, l0, l1, next, ttl] = r.array().ok_or(short(IPV6_LEN))?;
    let src = Addr::v6(r.array().ok_or(short(IPV6_LEN))?);
    let dst = Addr::v6(r.array().ok_or(short(IPV6_LEN))?);
    // It would be taken for an IPv4 connection with the same key.
    if src.is_v4() || dst.is_v4() {
        return Err(bad(Fault::Value));
    }
    let mut ip = Ip {
        version: 6,
        src,
        dst,
        protocol: next,
        header_len: IPV6_LEN,
        total_len: match u16::from_be_bytes([l0, l1]) {
            0 => 0,
            len => usize::from(len).wrapping_add(IPV6_LEN),
        },
        tos: (b0 << 4) | (b1 >> 4),
        ttl,
        fragment: false,
        whole_protocol: next,
        options: false,
    };
    let mut walked: usize = 0;
    while let Some(kind) = extension(ip.protocol) {
        if walked == MAX_EXTENSIONS {
            return Err(bad(Fault::Unsupported));
        }
        walked = walked.wrapping_add(1);
        ip.options = true;
        let [next, len, b2, b3] = r.array().ok_or(short(ip.header_len.saturating_add(8)))?;
        let size = match kind {
            Extension::Options | Extension::Routing => {
                usize::from(len).wrapping_mul(8).wrapping_add(8)
            }
            Extension::Fragment => 8,
            Extension::Authentication => usize::from(len).wrapping_mul(4).wrapping_add(8),
        };
        // A source route that is not done: `dst` is not where the packet goes.
        if matches!(kind, Extension::Routing) && b3 != 0 {
            return Err(bad(Fault::Unsupported));
        }
        ip.header_len = ip.header_len.saturating_add(size);
        ip.protocol = next;
        r.take(size.saturating_sub(4)).ok_or(short(ip.header_len))?;
        if matches!(kind, Extension::Fragment) {
            let field = u16::from_be_bytes([b2, b3]);
            // An atomic fragment (offset 0, no more) is a whole packet.
            if field & 0xfff9 != 0 && !ip.fragment {
                ip.fragment = true;
                ip.whole_protocol = next;
            }
            if field & 0xfff8 != 0 {
                // Not the first: what follows is payload, not a header.
                break;
            }
        }
    }
    if ip.total_len != 0 && ip.total_len < ip.header_len {
        return Err(bad(Fault::Length));
    }
    if !ip.fragment {
        ip.whole_protocol = ip.protocol;
    }
    Ok(ip)
}

/// What an IP header of ours says: an answer to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Out {
    /// Source address, same family as `dst`.
    pub src: Addr,
    /// Destination address.
    pub dst: Addr,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Type of service, or traffic class.
    pub tos: u8,
    /// Time to live, or hop limit.
    pub ttl: u8,
    /// Bytes of payload that follow the header.
    pub payload_len: usize,
}

/// Writes an IPv4 header (don't fragment, identification 0, checksum set); its length.
///
/// `None` if `buf` is too small, the packet too long or an address not IPv4.
pub fn emit_ipv4(buf: &mut [u8], out: &Out) -> Option<usize> {
    let total = u16::try_from(out.payload_len.checked_add(IPV4_LEN)?).ok()?;
    let [l0, l1] = total.to_be_bytes();
    let [s0, s1, s2, s3] = out.src.as_v4()?;
    let [d0, d1, d2, d3] = out.dst.as_v4()?;
    let (tos, ttl, proto) = (out.tos, out.ttl, out.protocol);
    let header = |c0, c1| {
        [
            0x45, tos, l0, l1, 0, 0, 0x40, 0, ttl, proto, c0, c1, s0, s1, s2, s3, d0, d1, d2, d3,
        ]
    };
    let [c0, c1] = checksum::fold(checksum::sum(&header(0, 0), 0)).to_be_bytes();
    let mut w = Writer::new(buf);
    w.array::<IPV4_LEN>(header(c0, c1))?;
    Some(w.written())
}

/// Writes an IPv6 header (flow label 0); its length.
///
/// `None` if `buf` is too small, the packet too long or an address not IPv6.
pub fn emit_ipv6(buf: &mut [u8], out: &Out) -> Option<usize> {
    if out.src.is_v4() || out.dst.is_v4() {
        return None;
    }
    let mut w = Writer::new(buf);
    w.array([0x60 | (out.tos >> 4), out.tos << 4, 0, 0])?;
    w.u16(u16::try_from(out.payload_len).ok()?)?;
    w.array([out.protocol, out.ttl])?;
    w.array(out.src.octets())?;
    w.array(out.dst.octets())?;
    Some(w.written())
}

/// Writes the header of the family of `out.src`; its length. `None` as the two above.
pub fn emit(buf: &mut [u8], out: &Out) -> Option<usize> {
    if out.src.is_v4() {
        emit_ipv4(buf, out)
    } else {
        emit_ipv6(buf, out)
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_ip))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    // The worked example of RFC 1071 lore: checksum 0xb861.
    const V4: [u8; 20] = [
        0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,
        0xc7,
    ];

    fn v6(next: u8, payload_len: u16) -> [u8; 96] {
        let mut b = [0u8; 96];
        let out = Out {
            src: Addr::v6([0xfd; 16]),
            dst: Addr::v6([0xfe; 16]),
            protocol: next,
            tos: 0xb8,
            ttl: 63,
            payload_len: payload_len.into(),
        };
        let _ = emit_ipv6(&mut b, &out);
        b
    }

    #[test]
    fn ipv4_is_read() {
        let ip = parse(&V4);
        let want = Ip {
            version: 4,
            src: Addr::v4([192, 168, 0, 1]),
            dst: Addr::v4([192, 168, 0, 199]),
            protocol: UDP,
            header_len: 20,
            total_len: 0x73,
            tos: 0,
            ttl: 64,
            fragment: false,
            whole_protocol: UDP,
            options: false,
        };
        assert_eq!(ip, Ok(want));
    }

    #[test]
    fn ipv4_lies_are_refused() {
        let mut b = V4;
        b[0] = 0x44;
        assert_eq!(parse(&b), Err(Error::bad(Layer::Ipv4, Fault::Length)));
        b[0] = 0x46;
        assert_eq!(parse(&b), Err(Error::short(Layer::Ipv4, 24, 20)));
        b[0] = 0x55;
        assert_eq!(parse(&b), Err(Error::bad(Layer::Ipv4, Fault::Version)));
        b = V4;
        b[3] = 19;
        assert_eq!(parse(&b), Err(Error::bad(Layer::Ipv4, Fault::Length)));
        b[3] = 0;
        assert_eq!(parse(&b).map(|ip| ip.total_len), Ok(0));
    }

    #[test]
    fn ipv4_fragments_are_named() {
        // (flags and offset, is a fragment)
        for (hi, lo, want) in [
            (0x40, 0, false),
            (0x80, 0, false),
            (0x20, 0, true),
            (0, 1, true),
            (0x1f, 0xff, true),
        ] {
            let mut b = V4;
            b[6] = hi;
            b[7] = lo;
            assert_eq!(parse(&b).map(|ip| ip.fragment), Ok(want));
        }
    }

    #[test]
    fn every_truncation_is_short() {
        for n in 0..V4.len() {
            assert!(matches!(
                parse(&V4[..n]),
                Err(Error {
                    fault: Fault::Short,
                    ..
                })
            ));
        }
        let b = v6(TCP, 20);
        for n in 0..40 {
            assert!(matches!(
                parse(&b[..n]),
                Err(Error {
                    fault: Fault::Short,
                    ..
                })
            ));
        }
    }

    #[test]
    fn ipv6_is_read() {
        let ip = parse(&v6(TCP, 20));
        assert_eq!(
            ip.map(|ip| (ip.version, ip.header_len, ip.total_len)),
            Ok((6, 40, 60))
        );
        assert_eq!(
            ip.map(|ip| (ip.tos, ip.ttl, ip.protocol)),
            Ok((0xb8, 63, TCP))
        );
        assert_eq!(ip.map(|ip| (ip.fragment, ip.options)), Ok((false, false)));
    }

    #[test]
    fn ipv6_bytes_and_big_tcp() {
        let mut b = v6(TCP, 20);
        assert_eq!(b[..8], [0x6b, 0x80, 0, 0, 0, 20, TCP, 63]);
        assert_eq!(b[8..24], [0xfd; 16]);
        assert_eq!(b[24..40], [0xfe; 16]);
        b[5] = 0;
        assert_eq!(parse(&b).map(|ip| ip.total_len), Ok(0));
    }

    #[test]
    fn ipv6_extension_headers_are_walked() {
        let mut b = v6(0, 56);
        b[40..42].copy_from_slice(&[60, 1]); // hop-by-hop, 16 bytes
        b[56..58].copy_from_slice(&[51, 0]); // destination options, 8 bytes
        b[64..66].copy_from_slice(&[TCP, 1]); // AH, 12 bytes
        let ip = parse(&b);
        assert_eq!(
            ip.map(|ip| (ip.protocol, ip.header_len, ip.options)),
            Ok((TCP, 76, true))
        );
        assert!(matches!(
            parse(&b[..70]),
            Err(Error {
                fault: Fault::Short,
                ..
            })
        ));
    }

    #[test]
    fn ipv6_extension_past_the_payload_is_refused() {
        let mut b = v6(60, 8);
        b[40..42].copy_from_slice(&[TCP, 1]);
        assert_eq!(parse(&b), Err(Error::bad(Layer::Ipv6, Fault::Length)));
    }

    #[test]
    fn ipv6_fragments_are_named() {
        for (hi, lo, want) in [(0, 0, false), (0, 1, true), (0, 8, true), (0x10, 1, true)] {
            let mut b = v6(44, 40);
            b[40..44].copy_from_slice(&[TCP, 0, hi, lo]);
            assert_eq!(
                parse(&b).map(|ip| (ip.fragment, ip.header_len)),
                Ok((want, 48))
            );
        }
    }

    #[test]
    fn what_follows_a_later_fragment_is_no_header() {
        let mut b = v6(44, 40);
        // Says that destination options follow, but that is in the first fragment.
        b[40..44].copy_from_slice(&[60, 0, 0, 8]);
        b[48] = TCP;
        let ip = parse(&b);
        assert_eq!(ip.map(|ip| (ip.protocol, ip.header_len)), Ok((60, 48)));
        assert_eq!(ip.map(|ip| ip.whole_protocol), Ok(60));
        // In the first fragment it is one.
        b[43] = 1;
        let ip = parse(&b);
        assert_eq!(ip.map(|ip| (ip.protocol, ip.header_len)), Ok((TCP, 56)));
        // Both name the packet alike, so both are treated alike.
        assert_eq!(ip.map(|ip| ip.whole_protocol), Ok(60));
    }

    #[test]
    fn protocol_numbers_of_iana() {
        assert_eq!([ICMP, TCP, UDP, ICMPV6], [1, 6, 17, 58]);
    }

    #[test]
    fn ipv6_walk_has_a_limit() {
        let mut long = [0; 200];
        long[..40].copy_from_slice(&v6(60, 400)[..40]);
        for header in long[40..].chunks_exact_mut(8) {
            header[0] = 60;
        }
        assert_eq!(
            parse(&long),
            Err(Error::bad(Layer::Ipv6, Fault::Unsupported))
        );
        long[40 + 11 * 8] = TCP;
        assert_eq!(parse(&long).map(|ip| ip.header_len), Ok(40 + 12 * 8));
    }

    #[test]
    fn ipv6_source_route_and_mapped_addresses_are_refused() {
        let mut b = v6(43, 40);
        b[40..44].copy_from_slice(&[TCP, 0, 0, 1]);
        assert_eq!(parse(&b), Err(Error::bad(Layer::Ipv6, Fault::Unsupported)));
        b[43] = 0;
        assert_eq!(parse(&b).map(|ip| ip.header_len), Ok(48));
        b[8..24].copy_from_slice(&Addr::v4([10, 0, 0, 1]).octets());
        assert_eq!(parse(&b), Err(Error::bad(Layer::Ipv6, Fault::Value)));
    }

    #[test]
    fn emitted_headers_are_read_back() {
        let out = Out {
            src: Addr::v4([192, 168, 0, 1]),
            dst: Addr::v4([192, 168, 0, 199]),
            protocol: UDP,
            tos: 0,
            ttl: 64,
            payload_len: 0x73 - 20,
        };
        let mut b = [0xa5; 20];
        assert_eq!(emit(&mut b, &out), Some(20));
        assert_eq!(b, V4);
        assert_eq!(emit(&mut b[..19], &out), None);
        assert_eq!(
            emit(
                &mut b,
                &Out {
                    payload_len: 65536 - 20,
                    ..out
                }
            ),
            None
        );
        assert_eq!(emit_ipv6(&mut [0; 40], &out), None);
    }
}
