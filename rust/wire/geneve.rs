// SPDX-License-Identifier: GPL-2.0
//! Framing of farm traffic: the Geneve header and the options of data messages.
//!
//! Speaks to RFC 8926 (Geneve), with an option class from its experimental range.
//!
//! A data message is a Geneve header, the options below, and the client's IP packet as it came. A
//! control message has the O bit, no options and no inner packet: see [`crate::wire::control`].
//!
//! The message authentication code of a data message covers what segmentation leaves alone: a
//! relayed GSO packet is cut after encapsulation, with the same outer header in front of each
//! piece, so inner lengths, sequence numbers and checksums differ from piece to piece. It proves
//! the sender and the flow, not the piece; handling a hand-off twice must therefore be harmless.

use crate::wire::addr::Addr;
use crate::wire::addr::Tuple;
use crate::wire::ip;
use crate::wire::reader::Reader;
use crate::wire::reader::Writer;
use crate::wire::Error;
use crate::wire::Fault;
use crate::wire::Layer;

mod hand_off;

pub use hand_off::HandOff;
pub use hand_off::SID_LEN;

use hand_off::HAND_OFF_LEN;

/// UDP port of farm traffic when nothing else is configured.
pub const DEFAULT_PORT: u16 = 6470;
/// Bytes of the Geneve header without options.
pub const HEADER_LEN: usize = 8;
/// Class of our options, of the range for experiments (RFC 8926 section 7).
pub const OPTION_CLASS: u16 = 0xff00;
/// Largest farm id: the VNI has 24 bits.
pub const MAX_FARM: u32 = 0x00ff_ffff;
/// Bytes of the authentication code of a data message.
pub const MAC_LEN: usize = 8;

const OPTION_HEADER_LEN: usize = 4;
const SENDER_LEN: usize = 4;
const RELAY_LEN: usize = 4;

/// Bytes of the IP and UDP headers in front of a message to `to`.
pub fn outer_len(to: &Addr) -> usize {
    match to.is_v4() {
        true => ip::IPV4_LEN + 8,
        false => ip::IPV6_LEN + 8,
    }
}

/// Bytes of the largest header of a data message: what the MSS in our SYN-ACKs must leave free
/// besides outer IP and UDP, so that no relayed packet needs fragmenting.
pub const MAX_DATA_HEADER: usize =
    HEADER_LEN + 4 * OPTION_HEADER_LEN - OPTION_HEADER_LEN + SENDER_LEN + HAND_OFF_LEN + MAC_LEN;

/// Bytes of the smallest header of a data message: that of a relayed packet.
pub const MIN_DATA_HEADER: usize =
    HEADER_LEN + 3 * OPTION_HEADER_LEN + SENDER_LEN + RELAY_LEN + MAC_LEN;

/// The O bit: a control message.
const CONTROL: u8 = 0x80;
/// The C bit: some option is critical.
const CRITICAL: u8 = 0x40;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Option types. The top bit says critical: who does not know it drops the packet.
mod option {
    pub(super) const CRITICAL: u8 = 0x80;
    pub(super) const SENDER: u8 = CRITICAL | 0x01;
    pub(super) const HAND_OFF: u8 = CRITICAL | 0x02;
    pub(super) const RELAY: u8 = CRITICAL | 0x03;
    pub(super) const MAC: u8 = CRITICAL | 0x7f;
}

/// Who sent a data message, and which key authenticates it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// Member id of the sender.
    pub member: u16,
    /// Id of the farm key of the authentication code.
    pub key: u8,
    /// Reserved, sent as 0 and not interpreted.
    pub flags: u8,
}

/// Why the inner packet is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// The connection is being handed over: said until the owner has acknowledged it.
    HandOff(HandOff),
    /// A later packet of a connection that the owner already has.
    Relay {
        /// Generation of the sender's flow entry, for the sender's own bookkeeping.
        generation: u32,
    },
}

/// Family of the inner packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// Header of a data message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data {
    /// Id of the farm, at most [`MAX_FARM`].
    pub farm: u32,
    /// Family of the inner packet.
    pub inner: Inner,
    /// Who sent it.
    pub sender: Sender,
    /// Why.
    pub route: Route,
}

/// A received message of the farm, not yet authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An inner packet follows at `header_len`.
    Data {
        /// The header.
        data: Data,
        /// Bytes before the inner packet.
        header_len: usize,
        /// The authentication code.
        mac: [u8; MAC_LEN],
        /// Where the code stands, bytes from the start of the Geneve header.
        mac_offset: usize,
    },
    /// A control message: to be read by [`crate::wire::control::parse`].
    Control {
        /// Id of the farm.
        farm: u32,
        /// Bytes of the Geneve header.
        header_len: usize,
    },
}

fn option_header(w: &mut Writer<'_>, kind: u8, len: usize) -> Option<()> {
    w.u16(OPTION_CLASS)?;
    w.array([kind, (len >> 2) as u8])
}

/// Writes the header of a data message, with 0 for the authentication code; its length.
///
/// The code belongs into the last [`MAC_LEN`] bytes of what was written. `None` if `buf` is too
/// small or the farm id too large.
pub fn emit_data(buf: &mut [u8], msg: &Data) -> Option<usize> {
    if msg.farm > MAX_FARM {
        return None;
    }
    let route_len = match msg.route {
        Route::HandOff(_) => HAND_OFF_LEN,
        Route::Relay { .. } => RELAY_LEN,
    };
    let options_len = route_len.wrapping_add(3 * OPTION_HEADER_LEN + SENDER_LEN + MAC_LEN);
    let mut w = Writer::new(buf);
    w.array([(options_len >> 2) as u8, CRITICAL])?;
    w.u16(match msg.inner {
        Inner::V4 => ETHERTYPE_IPV4,
        Inner::V6 => ETHERTYPE_IPV6,
    })?;
    w.u32(msg.farm << 8)?;
    option_header(&mut w, option::SENDER, SENDER_LEN)?;
    w.u16(msg.sender.member)?;
    w.array([msg.sender.key, msg.sender.flags])?;
    match &msg.route {
        Route::HandOff(hand_off) => {
            option_header(&mut w, option::HAND_OFF, HAND_OFF_LEN)?;
            hand_off.emit(&mut w)?;
        }
        Route::Relay { generation } => {
            option_header(&mut w, option::RELAY, RELAY_LEN)?;
            w.u32(*generation)?;
        }
    }
    option_header(&mut w, option::MAC, MAC_LEN)?;
    w.array([0; MAC_LEN])?;
    Some(w.written())
}

/// Writes the Geneve header of a control message; its length, [`HEADER_LEN`].
///
/// `None` if `buf` is too small or the farm id too large.
pub fn emit_control(buf: &mut [u8], farm: u32) -> Option<usize> {
    if farm > MAX_FARM {
        return None;
    }
    let mut w = Writer::new(buf);
    w.array([0, CONTROL, 0, 0])?;
    w.u32(farm << 8)?;
    Some(w.written())
}

/// Reads the Geneve header at the start of `bytes`, the payload of a UDP datagram.
///
/// A data message must have one sender, one hand-off or relay option, and the authentication code
/// as the last option. Options of other classes and unknown types are skipped unless critical.
///
/// # Errors
///
/// [`Fault::Short`] if header or options are not whole in `bytes`, [`Fault::Version`] for a
/// version other than 0, [`Fault::Value`] and [`Fault::Length`] for what the rules above forbid,
/// [`Fault::Unsupported`] for a critical option that is not known.
pub fn parse(bytes: &[u8]) -> Result<Frame, Error> {
    relayed(bytes).map_or_else(|| walk(bytes), Ok)
}

/// The header of a relayed packet as [`emit_data`] writes it, which nearly all have, at once.
#[inline]
fn relayed(bytes: &[u8]) -> Option<Frame> {
    const LEAD: u8 = ((MIN_DATA_HEADER - HEADER_LEN) / 4) as u8;
    const C0: u8 = (OPTION_CLASS >> 8) as u8;
    const C1: u8 = OPTION_CLASS as u8;
    let &[LEAD, CRITICAL, e0, e1, v0, v1, v2, _, C0, C1, option::SENDER, 1, m0, m1, key, flags, C0, C1, option::RELAY, 1, g0, g1, g2, g3, C0, C1, option::MAC, 2, ref mac @ ..] =
        bytes.first_chunk::<MIN_DATA_HEADER>()?
    else {
        return None;
    };
    let inner = match u16::from_be_bytes([e0, e1]) {
        ETHERTYPE_IPV4 => Inner::V4,
        ETHERTYPE_IPV6 => Inner::V6,
        _ => return None,
    };
    Some(Frame::Data {
        data: Data {
            farm: u32::from_be_bytes([0, v0, v1, v2]),
            inner,
            sender: Sender {
                member: u16::from_be_bytes([m0, m1]),
                key,
                flags,
            },
            route: Route::Relay {
                generation: u32::from_be_bytes([g0, g1, g2, g3]),
            },
        },
        header_len: MIN_DATA_HEADER,
        mac: *mac,
        mac_offset: MIN_DATA_HEADER - MAC_LEN,
    })
}

/// Any header, option by option.
fn walk(bytes: &[u8]) -> Result<Frame, Error> {
    let short = |needed| Error::short(Layer::Geneve, needed, bytes.len());
    let bad = |fault| Error::bad(Layer::Geneve, fault);
    let mut r = Reader::new(bytes);
    let [lead, bits, e0, e1, v0, v1, v2, _] = r.array::<HEADER_LEN>().ok_or(short(HEADER_LEN))?;
    if lead >> 6 != 0 {
        return Err(bad(Fault::Version));
    }
    let options_len = usize::from(lead & 0x3f).wrapping_mul(4);
    let header_len = options_len.wrapping_add(HEADER_LEN);
    let options = r.take(options_len).ok_or(short(header_len))?;
    let farm = u32::from_be_bytes([0, v0, v1, v2]);
    if bits & CONTROL != 0 {
        if options_len != 0 {
            return Err(bad(Fault::Length));
        }
        return Ok(Frame::Control { farm, header_len });
    }
    let inner = match u16::from_be_bytes([e0, e1]) {
        ETHERTYPE_IPV4 => Inner::V4,
        ETHERTYPE_IPV6 => Inner::V6,
        _ => return Err(bad(Fault::Value)),
    };
    let found = parse_options(options)?;
    let (Some(sender), Some(route), Some(mac)) = (found.sender, found.route, found.mac) else {
        return Err(Error::bad(Layer::Option, Fault::Value));
    };
    Ok(Frame::Data {
        data: Data {
            farm,
            inner,
            sender,
            route,
        },
        header_len,
        mac,
        // The code is the last thing in the options.
        mac_offset: header_len.saturating_sub(MAC_LEN),
    })
}

#[derive(Default)]
struct Found {
    sender: Option<Sender>,
    route: Option<Route>,
    mac: Option<[u8; MAC_LEN]>,
}

/// Walks the options. Each round consumes at least an option header.
fn parse_options(bytes: &[u8]) -> Result<Found, Error> {
    let short = |needed| Error::short(Layer::Option, needed, bytes.len());
    let bad = |fault| Error::bad(Layer::Option, fault);
    let mut found = Found::default();
    let mut r = Reader::new(bytes);
    while !r.rest().is_empty() {
        if found.mac.is_some() {
            // Nothing may stand behind the code: it would not be covered.
            return Err(bad(Fault::Value));
        }
        let [c0, c1, kind, len] = r.array().ok_or(short(OPTION_HEADER_LEN))?;
        let len = usize::from(len & 0x1f).wrapping_mul(4);
        let body = r.take(len).ok_or(short(len))?;
        let wrong_length = bad(Fault::Length);
        let twice = bad(Fault::Value);
        if u16::from_be_bytes([c0, c1]) != OPTION_CLASS {
            if kind & option::CRITICAL != 0 {
                return Err(bad(Fault::Unsupported));
            }
            continue;
        }
        match kind {
            option::SENDER => {
                let &[m0, m1, key, flags] = body else {
                    return Err(wrong_length);
                };
                let sender = Sender {
                    member: u16::from_be_bytes([m0, m1]),
                    key,
                    flags,
                };
                if found.sender.replace(sender).is_some() {
                    return Err(twice);
                }
            }
            option::HAND_OFF => {
                let body = <&[u8; HAND_OFF_LEN]>::try_from(body).map_err(|_| wrong_length)?;
                let hand_off = HandOff::parse(body).ok_or(bad(Fault::Value))?;
                if found.route.replace(Route::HandOff(hand_off)).is_some() {
                    return Err(twice);
                }
            }
            option::RELAY => {
                let body = <[u8; RELAY_LEN]>::try_from(body).map_err(|_| wrong_length)?;
                let generation = u32::from_be_bytes(body);
                if found.route.replace(Route::Relay { generation }).is_some() {
                    return Err(twice);
                }
            }
            option::MAC => {
                let body = <[u8; MAC_LEN]>::try_from(body).map_err(|_| wrong_length)?;
                found.mac = Some(body);
            }
            _ if kind & option::CRITICAL != 0 => return Err(bad(Fault::Unsupported)),
            _ => {}
        }
    }
    Ok(found)
}

/// Bytes that the inner packet adds to what the authentication code covers.
const INNER_LEN: usize = 16 + 16 + 1 + 2 + 2 + 2;

/// What `code` answers to what the authentication code of a data message covers: the Geneve header
/// and all options before the code, then inner addresses, protocol and ports, and the member that it
/// is meant for, so that a message recorded on its way to one member is worth nothing at another.
///
/// `header` starts at the Geneve header; `inner` is the key of the inner packet as the client
/// sent it (ports 0 if `protocol` has none). `None` if `header` ends before `mac_offset` or is
/// longer than any that a member sends: drop the packet then.
#[inline]
pub fn covered<R>(
    header: &[u8],
    mac_offset: usize,
    inner: &Tuple,
    protocol: u8,
    receiver: u16,
    code: impl FnOnce(&[u8]) -> R,
) -> Option<R> {
    const RELAYED: usize = MIN_DATA_HEADER - MAC_LEN;
    // Some room for options that only newer members know.
    const MOST: usize = 192;
    const { assert!(MAX_DATA_HEADER - MAC_LEN + INNER_LEN <= MOST) };
    let header = header.get(..mac_offset)?;
    // It is collected where it stays: most are short, and a copy costs as much as a part of the code.
    if mac_offset <= RELAYED {
        let mut buf = [0; RELAYED + INNER_LEN];
        collect(&mut buf, header, inner, protocol, receiver).map(code)
    } else {
        let mut buf = [0; MOST];
        collect(&mut buf, header, inner, protocol, receiver).map(code)
    }
}

#[inline(always)]
fn collect<'b>(
    buf: &'b mut [u8],
    header: &[u8],
    inner: &Tuple,
    protocol: u8,
    receiver: u16,
) -> Option<&'b [u8]> {
    let mut w = Writer::new(buf);
    w.put(header)?;
    let Addr(client) = inner.client;
    let Addr(vip) = inner.vip;
    w.array(client)?;
    w.array(vip)?;
    w.u8(protocol)?;
    w.u16(inner.client_port)?;
    w.u16(inner.vip_port)?;
    w.u16(receiver)?;
    let len = w.written();
    buf.get(..len)
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_geneve))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const HAND_OFF: HandOff = HandOff {
        entry: 1,
        origin: 2,
        group: 3,
        mss: 1382,
        home_version: 0x00010002,
        client_isn: 0xdeadbeef,
        cookie_isn: 0xcafef00d,
        tsecr: 77,
        created: 1000,
        snd_wscale: Some(7),
        rcv_wscale: None,
        flags: HandOff::SACK | HandOff::HAS_SID,
        sid: [0x5a; SID_LEN],
    };

    const HANDED: Data = Data {
        farm: 0xabcdef,
        inner: Inner::V6,
        sender: Sender {
            member: 1023,
            key: 9,
            flags: 0,
        },
        route: Route::HandOff(HAND_OFF),
    };

    const RELAYED: Data = Data {
        inner: Inner::V4,
        route: Route::Relay {
            generation: 0x01020304,
        },
        ..HANDED
    };

    fn tuple() -> Tuple {
        Tuple::from_client(Addr::v4([1, 2, 3, 4]), Addr::v4([5, 6, 7, 8]), 99, 80)
    }

    #[test]
    fn data_is_read_back() {
        for (msg, want_len) in [(HANDED, MAX_DATA_HEADER), (RELAYED, MIN_DATA_HEADER)] {
            let mut b = [0xa5; 100];
            assert_eq!(emit_data(&mut b, &msg), Some(want_len));
            assert_eq!(b[want_len], 0xa5);
            let want = Frame::Data {
                data: msg,
                header_len: want_len,
                mac: [0; 8],
                mac_offset: want_len - 8,
            };
            assert_eq!(parse(&b), Ok(want));
        }
    }

    #[test]
    fn relay_bytes() {
        let mut b = [0xa5; 36];
        assert_eq!(emit_data(&mut b, &RELAYED), Some(36));
        assert_eq!(b[..8], [7, 0x40, 8, 0, 0xab, 0xcd, 0xef, 0]);
        assert_eq!(b[8..16], [0xff, 0, 0x81, 1, 3, 0xff, 9, 0]);
        assert_eq!(b[16..24], [0xff, 0, 0x83, 1, 1, 2, 3, 4]);
        assert_eq!(b[24..], [0xff, 0, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn control_is_read_back() {
        let mut b = [0xa5; 8];
        assert_eq!(emit_control(&mut b, 5), Some(8));
        assert_eq!(
            parse(&b),
            Ok(Frame::Control {
                farm: 5,
                header_len: 8
            })
        );
        assert_eq!(emit_control(&mut b[..7], 5), None);
        assert_eq!(emit_control(&mut b, MAX_FARM + 1), None);
    }

    #[test]
    fn every_truncation_is_refused() {
        for msg in [HANDED, RELAYED] {
            let mut b = [0; MAX_DATA_HEADER];
            let n = emit_data(&mut b, &msg).unwrap_or(0);
            assert!(n > 0);
            for cut in 0..n {
                assert!(matches!(
                    parse(&b[..cut]),
                    Err(Error {
                        fault: Fault::Short,
                        ..
                    })
                ));
                assert_eq!(emit_data(&mut [0; MAX_DATA_HEADER][..cut], &msg), None);
            }
        }
    }

    #[test]
    fn lies_are_refused() {
        // (byte of the relay message, value, fault)
        for (at, value, fault) in [
            (0, 0x47, Fault::Version),
            (2, 9, Fault::Value),           // EtherType
            (0, 6, Fault::Short),           // options end inside the code
            (0, 4, Fault::Value),           // no code
            (8, 1, Fault::Unsupported),     // foreign class, critical
            (10, 0x84, Fault::Unsupported), // unknown type, critical
            (10, 0x04, Fault::Value),       // unknown type skipped: no sender
            (10, 0x83, Fault::Value),       // two relay options
            (11, 0, Fault::Length),         // sender without body
            (19, 2, Fault::Short),          // relay option eats the code
            (18, 0x82, Fault::Length),      // hand-off of four bytes
        ] {
            let mut b = [0; 36];
            assert_eq!(emit_data(&mut b, &RELAYED), Some(36));
            b[at] = value;
            let found = parse(&b);
            // What follows a wrong length is read as another option; any refusal will do there.
            if fault == Fault::Short {
                assert!(found.is_err());
            } else {
                assert_eq!(found.map_err(|e| e.fault), Err(fault));
            }
        }
    }

    #[test]
    fn what_is_read_at_once_is_read_alike() {
        let mut b = [0x5a; 48];
        for msg in [
            RELAYED,
            Data {
                inner: Inner::V6,
                ..RELAYED
            },
        ] {
            assert_eq!(emit_data(&mut b, &msg), Some(36));
            assert!(relayed(&b).is_some());
            for at in 0..36 {
                for bit in 0..8 {
                    let mut other = b;
                    other[at] ^= 1 << bit;
                    assert_eq!(parse(&other), walk(&other));
                }
            }
            for n in 0..48 {
                assert_eq!(parse(&b[..n]), walk(&b[..n]));
            }
        }
    }

    #[test]
    fn nothing_may_follow_the_code() {
        let mut b = [0; 44];
        assert_eq!(emit_data(&mut b, &RELAYED), Some(36));
        b[0] = 8;
        b[36..40].copy_from_slice(&[0, 1, 1, 0]);
        assert_eq!(parse(&b), Err(Error::bad(Layer::Option, Fault::Value)));
    }

    #[test]
    fn window_scale_over_14_is_refused() {
        let mut b = [0; MAX_DATA_HEADER];
        assert_eq!(emit_data(&mut b, &HANDED), Some(MAX_DATA_HEADER));
        let at = 8 + 8 + 4 + 28;
        assert_eq!(b[at], 7);
        b[at] = 15;
        assert_eq!(parse(&b), Err(Error::bad(Layer::Option, Fault::Value)));
    }

    #[test]
    fn mac_covers_header_options_and_flow() {
        let mut b = [0; MAX_DATA_HEADER];
        let n = emit_data(&mut b, &HANDED).unwrap_or(0);
        let all = |bytes: &[u8]| {
            let mut copy = [0u8; 256];
            copy[..bytes.len()].copy_from_slice(bytes);
            (copy, bytes.len())
        };
        let input = |b: &[u8], t: &Tuple, p| covered(b, n - 8, t, p, 7, all);
        let first = input(&b, &tuple(), 6);
        assert_eq!(first.map(|f| f.1), Some(n - 8 + INNER_LEN));
        for at in 0..n - 8 {
            let mut other = b;
            other[at] ^= 1;
            assert!(input(&other, &tuple(), 6) != first);
        }
        // The code itself is not covered.
        let mut other = b;
        other[n - 1] ^= 1;
        assert_eq!(input(&other, &tuple(), 6), first);
        assert!(input(&b, &tuple(), 17) != first);
        let elsewhere = covered(&b, n - 8, &tuple(), 6, 8, all);
        assert!(elsewhere != first);
        assert!(input(&b, &tuple().reversed(), 6) != first);
        assert!(
            input(
                &b,
                &Tuple {
                    client_port: 98,
                    ..tuple()
                },
                6
            ) != first
        );
        assert!(
            input(
                &b,
                &Tuple {
                    vip_port: 81,
                    ..tuple()
                },
                6
            ) != first
        );
        assert!(covered(&b, n + 1, &tuple(), 6, 7, all).is_none());
        assert!(covered(&[0; 200], 190, &tuple(), 6, 7, all).is_none());
    }
}
