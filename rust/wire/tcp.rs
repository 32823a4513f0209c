// SPDX-License-Identifier: GPL-2.0
//! TCP headers: parse with the options we use, emit for answers of our own, compare sequences.
//!
//! Speaks to RFC 9293 (TCP), RFC 7323 (window scale, timestamps), RFC 2018 (SACK), RFC 2385 and
//! RFC 5925 (signatures), RFC 7413 (Fast Open), RFC 8684 (MPTCP), and to the option layout of
//! `net/ipv4/tcp_output.c` (`tcp_options_write`).

use crate::wire::reader::Reader;
use crate::wire::reader::Writer;
use crate::wire::Error;
use crate::wire::Fault;
use crate::wire::Layer;

/// The control bits of byte 13.
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field counts.
    pub const ACK: u8 = 0x10;
    /// The urgent pointer counts.
    pub const URG: u8 = 0x20;
    /// ECN echo.
    pub const ECE: u8 = 0x40;
    /// Congestion window reduced.
    pub const CWR: u8 = 0x80;
}

/// Comparison of 32-bit sequence numbers modulo 2^32 (RFC 9293 section 3.4; RFC 1982 in form).
///
/// Meaningful while the two are less than 2^31 apart.
pub mod seq {
    /// `a` stands before `b`.
    pub const fn lt(a: u32, b: u32) -> bool {
        diff(a, b) < 0
    }

    /// `a` stands before or at `b`.
    pub const fn le(a: u32, b: u32) -> bool {
        diff(a, b) <= 0
    }

    /// `a` stands behind `b`.
    pub const fn gt(a: u32, b: u32) -> bool {
        diff(a, b) > 0
    }

    /// `a` stands behind or at `b`.
    pub const fn ge(a: u32, b: u32) -> bool {
        diff(a, b) >= 0
    }

    /// How far `a` stands behind `b`; negative if before.
    pub const fn diff(a: u32, b: u32) -> i32 {
        a.wrapping_sub(b) as i32
    }
}

/// Bytes of a header without options.
pub const HEADER_LEN: usize = 20;
/// Bytes of the longest header.
pub const MAX_HEADER_LEN: usize = 60;
/// Largest window scale that means anything (RFC 7323 section 2.3).
pub const MAX_WSCALE: u8 = 14;

/// Offset of the sequence number in the header.
pub const SEQ_OFFSET: usize = 4;

/// Offset of the acknowledgement number in the header.
pub const ACK_OFFSET: usize = 8;

/// Offset of the window in the header.
pub const WINDOW_OFFSET: usize = 14;

/// Offset of the checksum field in the header.
pub const CHECKSUM_OFFSET: usize = 16;

mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const MSS: u8 = 2;
    pub(super) const WSCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
    pub(super) const MD5: u8 = 19;
    pub(super) const AO: u8 = 29;
    pub(super) const MPTCP: u8 = 30;
    pub(super) const FASTOPEN: u8 = 34;
}

/// The options that matter here; all others are skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Maximum segment size in bytes; never `Some(0)`.
    pub mss: Option<u16>,
    /// Window scale, at most [`MAX_WSCALE`].
    pub wscale: Option<u8>,
    /// The sender can take selective acknowledgements.
    pub sack_permitted: bool,
    /// Timestamp value and echo reply.
    pub timestamps: Option<(u32, u32)>,
    /// Offset of the first SACK block from the start of the TCP header, and the number of blocks
    /// (1 to 4; eight bytes each, left and right edge).
    pub sack: Option<(usize, u8)>,
    /// There is an MPTCP option.
    pub mptcp: bool,
    /// There is a Fast Open option.
    pub fastopen: bool,
    /// There is a signature, MD5 or AO: nobody but the end points may touch such a segment.
    pub signed: bool,
}

/// What a TCP header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number of the first byte, or of SYN.
    pub seq: u32,
    /// Acknowledgement number; counts only with [`flags::ACK`].
    pub ack: u32,
    /// Control bits, see [`flags`].
    pub flags: u8,
    /// Window as in the header, not scaled.
    pub window: u16,
    /// Bytes of the header with options, 20 to 60.
    pub header_len: usize,
    /// Urgent pointer; counts only with [`flags::URG`].
    pub urgent: u16,
    /// The options.
    pub options: Options,
}

impl Segment {
    /// Asks for a new connection: SYN without ACK or RST.
    pub const fn is_syn(&self) -> bool {
        self.flags & (flags::SYN | flags::ACK | flags::RST) == flags::SYN
    }
}

/// Bytes that the TCP header at the start of `bytes` says to have: a multiple of 4 up to
/// [`MAX_HEADER_LEN`]. `None` if `bytes` end before that.
pub fn header_len(bytes: &[u8]) -> Option<usize> {
    let offset = *bytes.get(12)?;
    Some(usize::from(offset >> 4).wrapping_mul(4))
}

/// Reads the TCP header at the start of `bytes`.
///
/// Malformed options end the walk and leave what was read before, as in the kernel's
/// `tcp_parse_options`.
///
/// # Errors
///
/// [`Fault::Short`] if the header is not whole in `bytes`, [`Fault::Length`] for a data offset
/// under 20 bytes.
pub fn parse(bytes: &[u8]) -> Result<Segment, Error> {
    let short = |needed| Error::short(Layer::Tcp, needed, bytes.len());
    let mut r = Reader::new(bytes);
    let fixed = r.array::<HEADER_LEN>().ok_or(short(HEADER_LEN))?;
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, _, _, u0, u1] =
        fixed;
    let header_len = usize::from(offset >> 4).wrapping_mul(4);
    let options_len = header_len
        .checked_sub(HEADER_LEN)
        .ok_or(Error::bad(Layer::Tcp, Fault::Length))?;
    let options = r.take(options_len).ok_or(short(header_len))?;
    Ok(Segment {
        src_port: u16::from_be_bytes([s0, s1]),
        dst_port: u16::from_be_bytes([d0, d1]),
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags,
        window: u16::from_be_bytes([w0, w1]),
        header_len,
        urgent: u16::from_be_bytes([u0, u1]),
        options: parse_options(options),
    })
}

/// Reads what is behind the fixed header, as [`parse`] does.
#[inline]
pub fn parse_options(bytes: &[u8]) -> Options {
    usual_options(bytes).unwrap_or_else(|| walk_options(bytes))
}

/// The layouts of nearly all segments, at once: what Linux sends in a SYN, and in all others.
#[inline]
fn usual_options(bytes: &[u8]) -> Option<Options> {
    let stamps = |both: &[u8]| {
        let [a, b, c, d, e, f, g, h] = *<&[u8; 8]>::try_from(both).ok()?;
        let value = u32::from_be_bytes([a, b, c, d]);
        Some((value, u32::from_be_bytes([e, f, g, h])))
    };
    let mut found = Options::default();
    match bytes {
        [] => {}
        [kind::NOP, kind::NOP, kind::TIMESTAMPS, 10, both @ ..] => {
            found.timestamps = Some(stamps(both)?);
        }
        [kind::MSS, 4, a, b, kind::SACK_PERMITTED, 2, kind::TIMESTAMPS, 10, both @ .., kind::NOP, kind::WSCALE, 3, scale] =>
        {
            found.mss = Some(u16::from_be_bytes([*a, *b])).filter(|mss| *mss != 0);
            found.sack_permitted = true;
            found.timestamps = Some(stamps(both)?);
            found.wscale = Some((*scale).min(MAX_WSCALE));
        }
        _ => return None,
    }
    Some(found)
}

/// Walks the options. Each round consumes at least one byte.
fn walk_options(bytes: &[u8]) -> Options {
    let mut found = Options::default();
    let mut r = Reader::new(bytes);
    while let Some(kind) = r.u8() {
        match kind {
            kind::END => break,
            kind::NOP => continue,
            _ => {}
        }
        // The length counts kind and length themselves; 0 and 1 would walk in place.
        let body = match r.u8().and_then(|len| len.checked_sub(2)) {
            Some(len) => r.take(usize::from(len)),
            None => None,
        };
        let Some(body) = body else { break };
        match (kind, body) {
            (kind::MSS, &[a, b]) => {
                found.mss = Some(u16::from_be_bytes([a, b])).filter(|mss| *mss != 0);
            }
            (kind::WSCALE, &[scale]) => found.wscale = Some(scale.min(MAX_WSCALE)),
            (kind::SACK_PERMITTED, &[]) => found.sack_permitted = true,
            (kind::SACK, blocks) if !blocks.is_empty() && blocks.len() & 7 == 0 => {
                let behind = blocks.len().wrapping_add(r.rest().len());
                let at = bytes.len().wrapping_sub(behind).wrapping_add(HEADER_LEN);
                // 40 bytes of options have room for four.
                found.sack = Some((at, (blocks.len() >> 3) as u8));
            }
            (kind::TIMESTAMPS, &[a, b, c, d, e, f, g, h]) => {
                let value = u32::from_be_bytes([a, b, c, d]);
                found.timestamps = Some((value, u32::from_be_bytes([e, f, g, h])));
            }
            (kind::MD5 | kind::AO, _) => found.signed = true,
            (kind::MPTCP, _) => found.mptcp = true,
            (kind::FASTOPEN, _) => found.fastopen = true,
            _ => {}
        }
    }
    found
}

/// The fixed fields of a header that we send. The checksum field is written as 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Source port.
    pub src_port: u16,
    /// Destination port.
    pub dst_port: u16,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number.
    pub ack: u32,
    /// Control bits, see [`flags`].
    pub flags: u8,
    /// Window as it goes into the header.
    pub window: u16,
}

/// The options of a SYN-ACK that we send; what the client did not offer stays out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Our maximum segment size, bytes.
    pub mss: u16,
    /// We take selective acknowledgements.
    pub sack_permitted: bool,
    /// Timestamp value and echo reply.
    pub timestamps: Option<(u32, u32)>,
    /// Our window scale.
    pub wscale: Option<u8>,
}

/// Bytes of the longest SYN-ACK header that [`emit_syn_ack`] writes.
pub const MAX_SYN_ACK_LEN: usize = 40;

/// Writes a SYN-ACK header with options in the order and padding of Linux; its length.
///
/// `flags` of `header` are written as given. `None` if `buf` is too small.
pub fn emit_syn_ack(buf: &mut [u8], header: &Header, offer: &Offer) -> Option<usize> {
    let mut options = [0; MAX_SYN_ACK_LEN - HEADER_LEN];
    let mut w = Writer::new(&mut options);
    w.array([kind::MSS, 4])?;
    w.u16(offer.mss)?;
    if let Some((value, echo)) = offer.timestamps {
        if offer.sack_permitted {
            w.array([kind::SACK_PERMITTED, 2, kind::TIMESTAMPS, 10])?;
        } else {
            w.array([kind::NOP, kind::NOP, kind::TIMESTAMPS, 10])?;
        }
        w.u32(value)?;
        w.u32(echo)?;
    } else if offer.sack_permitted {
        w.array([kind::NOP, kind::NOP, kind::SACK_PERMITTED, 2])?;
    }
    if let Some(scale) = offer.wscale {
        w.array([kind::NOP, kind::WSCALE, 3, scale])?;
    }
    let len = w.written();
    emit(buf, header, options.get(..len)?)
}

/// Writes a header with no option but timestamps (ACK, FIN and ACK, RST); its length.
///
/// `None` if `buf` is too small.
pub fn emit_bare(buf: &mut [u8], header: &Header, timestamps: Option<(u32, u32)>) -> Option<usize> {
    let Some((value, echo)) = timestamps else {
        return emit(buf, header, &[]);
    };
    let mut options = [0; 12];
    let mut w = Writer::new(&mut options);
    w.array([kind::NOP, kind::NOP, kind::TIMESTAMPS, 10])?;
    w.u32(value)?;
    w.u32(echo)?;
    emit(buf, header, &options)
}

/// Writes `header` and `options`, whose length must be a multiple of 4.
fn emit(buf: &mut [u8], header: &Header, options: &[u8]) -> Option<usize> {
    let words = u8::try_from(HEADER_LEN.checked_add(options.len())? >> 2).ok()?;
    let mut w = Writer::new(buf);
    w.u16(header.src_port)?;
    w.u16(header.dst_port)?;
    w.u32(header.seq)?;
    w.u32(header.ack)?;
    w.array([words << 4, header.flags])?;
    w.u16(header.window)?;
    // Checksum and urgent pointer.
    w.u32(0)?;
    w.put(options)?;
    Some(w.written())
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_tcp))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        src_port: 80,
        dst_port: 0x1234,
        seq: 0xfffffff0,
        ack: 7,
        flags: flags::SYN | flags::ACK,
        window: 14600,
    };

    /// A header with these options, padded with END to a whole word.
    fn with_options(options: &[u8]) -> Result<Segment, Error> {
        let mut b = [0u8; 60];
        let mut padded = [0u8; 40];
        padded[..options.len()].copy_from_slice(options);
        let len = options.len().div_ceil(4) * 4;
        let n = emit(&mut b, &HEADER, &padded[..len]);
        parse(&b[..n.unwrap_or(0)])
    }

    fn options(bytes: &[u8]) -> Options {
        with_options(bytes).map(|s| s.options).unwrap_or_default()
    }

    #[test]
    fn a_bare_header_is_read_back() {
        let mut b = [0xa5; 20];
        assert_eq!(emit_bare(&mut b, &HEADER, None), Some(20));
        assert_eq!(header_len(&b), Some(20));
        assert_eq!(header_len(&b[..12]), None);
        let s = parse(&b);
        let want = Segment {
            src_port: 80,
            dst_port: 0x1234,
            seq: 0xfffffff0,
            ack: 7,
            flags: flags::SYN | flags::ACK,
            window: 14600,
            header_len: 20,
            urgent: 0,
            options: Options::default(),
        };
        assert_eq!(s, Ok(want));
        assert_eq!(emit_bare(&mut b[..19], &HEADER, None), None);
    }

    #[test]
    fn timestamps_are_laid_out_as_linux_does() {
        let mut b = [0xa5; 32];
        assert_eq!(
            emit_bare(&mut b, &HEADER, Some((0x01020304, 0x05060708))),
            Some(32)
        );
        assert_eq!(b[12], 0x80);
        assert_eq!(b[20..], [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn syn_ack_options_in_every_combination() {
        for bits in 0..8u8 {
            let offer = Offer {
                mss: 1382,
                sack_permitted: bits & 1 != 0,
                timestamps: (bits & 2 != 0).then_some((9, 8)),
                wscale: (bits & 4 != 0).then_some(7),
            };
            let mut b = [0xa5; MAX_SYN_ACK_LEN];
            let n = emit_syn_ack(&mut b, &HEADER, &offer).unwrap_or(0);
            assert_eq!(n % 4, 0);
            let s = parse(&b[..n]).map(|s| s.options);
            let want = Options {
                mss: Some(1382),
                wscale: offer.wscale,
                sack_permitted: offer.sack_permitted,
                timestamps: offer.timestamps,
                ..Options::default()
            };
            assert_eq!(s, Ok(want));
        }
    }

    #[test]
    fn syn_ack_bytes_are_those_of_linux() {
        let offer = Offer {
            mss: 1460,
            sack_permitted: true,
            timestamps: Some((1, 2)),
            wscale: Some(7),
        };
        let mut b = [0xa5; 40];
        assert_eq!(emit_syn_ack(&mut b, &HEADER, &offer), Some(40));
        assert_eq!(
            b[20..],
            [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7]
        );
        assert_eq!(emit_syn_ack(&mut b[..39], &HEADER, &offer), None);
    }

    #[test]
    fn data_offset_lies_are_refused() {
        let mut b = [0u8; 20];
        assert_eq!(parse(&b), Err(Error::bad(Layer::Tcp, Fault::Length)));
        b[12] = 0x40;
        assert_eq!(parse(&b), Err(Error::bad(Layer::Tcp, Fault::Length)));
        b[12] = 0x60;
        assert_eq!(parse(&b), Err(Error::short(Layer::Tcp, 24, 20)));
        for n in 0..20 {
            assert_eq!(parse(&b[..n]), Err(Error::short(Layer::Tcp, 20, n)));
        }
    }

    #[test]
    fn malformed_options_end_the_walk() {
        let mss = Options {
            mss: Some(1460),
            ..Options::default()
        };
        // Length 0, length 1, a kind as the last byte, a length past the end.
        assert_eq!(options(&[2, 4, 5, 0xb4, 3, 0, 7, 1]), mss);
        assert_eq!(options(&[2, 4, 5, 0xb4, 3, 1, 7, 1]), mss);
        assert_eq!(options(&[2, 4, 5, 0xb4, 1, 1, 1, 3]), mss);
        assert_eq!(options(&[2, 4, 5, 0xb4, 3, 5, 7, 1]), mss);
        // END hides what follows.
        assert_eq!(options(&[2, 4, 5, 0xb4, 0, 3, 3, 7]), mss);
        // Wrong lengths are skipped, not believed.
        assert_eq!(options(&[2, 3, 5, 1, 3, 4, 7, 7]), Options::default());
        assert_eq!(options(&[2, 4, 0, 0]), Options::default());
    }

    #[test]
    fn window_scale_is_clamped() {
        assert_eq!(options(&[3, 3, 255, 1]).wscale, Some(14));
        assert_eq!(options(&[3, 3, 14, 1]).wscale, Some(14));
        assert_eq!(options(&[3, 3, 0, 1]).wscale, Some(0));
    }

    #[test]
    fn sack_blocks_are_located() {
        let mut o = [1u8; 36];
        o[2] = 5;
        o[3] = 34;
        assert_eq!(options(&o).sack, Some((24, 4)));
        o[3] = 10;
        assert_eq!(options(&o[..12]).sack, Some((24, 1)));
        o[3] = 9;
        assert_eq!(options(&o[..12]).sack, None);
        o[3] = 2;
        assert_eq!(options(&o[..4]).sack, None);
    }

    #[test]
    fn usual_layouts_are_read_as_by_a_walk() {
        for (mss, scale, stamp) in [(0, 0, 0), (1460, 7, 0x01020304), (u16::MAX, 255, u32::MAX)] {
            let ([m, n], [a, b, c, d]) = (mss.to_be_bytes(), stamp.to_be_bytes());
            let syn = [
                2, 4, m, n, 4, 2, 8, 10, a, b, c, d, d, c, b, a, 1, 3, 3, scale,
            ];
            let other = [1, 1, 8, 10, a, b, c, d, d, c, b, a];
            for layout in [&syn[..], &other, &[]] {
                assert_eq!(usual_options(layout), Some(walk_options(layout)));
                for cut in 1..layout.len() {
                    assert_eq!(usual_options(&layout[..cut]), None);
                }
                // Another byte in place of any of those that tell the layout: never read wrongly.
                let mut changed = [0u8; 20];
                let changed = &mut changed[..layout.len()];
                for at in 0..layout.len() {
                    changed.copy_from_slice(layout);
                    changed[at] ^= 9;
                    let read = usual_options(changed);
                    assert!(read.is_none_or(|o| o == walk_options(changed)));
                }
            }
        }
    }

    #[test]
    fn special_options_are_named() {
        assert!(options(&[19, 18, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).signed);
        assert!(options(&[29, 4, 1, 2]).signed);
        assert!(options(&[30, 4, 0, 1]).mptcp);
        assert!(options(&[34, 2, 1, 1]).fastopen);
    }

    #[test]
    fn the_bits_of_rfc_9293() {
        let bits = [
            flags::FIN,
            flags::SYN,
            flags::RST,
            flags::PSH,
            flags::ACK,
            flags::URG,
            flags::ECE,
            flags::CWR,
        ];
        for (i, bit) in bits.into_iter().enumerate() {
            assert_eq!(bit, 1 << i);
        }
        assert_eq!(CHECKSUM_OFFSET, 16);
    }

    #[test]
    fn sequence_numbers_wrap() {
        assert!(seq::lt(0xffffffff, 0));
        assert!(seq::gt(0, 0xffffffff));
        assert!(seq::le(5, 5) && seq::ge(5, 5));
        assert!(!seq::lt(5, 5) && !seq::gt(5, 5));
        assert_eq!(seq::diff(3, 0xfffffffe), 5);
        assert_eq!(seq::diff(0xfffffffe, 3), -5);
    }
}
