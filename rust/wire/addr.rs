// SPDX-License-Identifier: GPL-2.0
//! Addresses and the connection key, one form for both address families.
//!
//! Speaks to RFC 4291 section 2.5.5.2 (IPv4-mapped IPv6 addresses).

use crate::wire::reader::Writer;

/// An IP address in network order; IPv4 is held as v4-mapped, `::ffff:a.b.c.d`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Addr(pub [u8; 16]);

/// What stands before the 32 bits of an IPv4 address (RFC 4291 section 2.5.5.2).
const V4_PREFIX: u128 = 0xffff;

impl Addr {
    /// The IPv4 address with these octets, network order.
    pub const fn v4(octets: [u8; 4]) -> Self {
        // As one number, which the compiler moves as such.
        let low = u32::from_be_bytes(octets);
        Self(((V4_PREFIX << 32) | low as u128).to_be_bytes())
    }

    /// The IPv6 address with these octets, network order.
    ///
    /// A v4-mapped one means IPv4 from here on: such addresses never appear on the wire
    /// (RFC 4291 leaves them to socket interfaces), so a packet that has one is not ours.
    pub const fn v6(octets: [u8; 16]) -> Self {
        Self(octets)
    }

    /// Whether this is an IPv4 address.
    pub const fn is_v4(&self) -> bool {
        u128::from_be_bytes(self.0) >> 32 == V4_PREFIX
    }

    /// The four octets of an IPv4 address; `None` for IPv6.
    pub const fn as_v4(&self) -> Option<[u8; 4]> {
        if !self.is_v4() {
            return None;
        }
        Some((u128::from_be_bytes(self.0) as u32).to_be_bytes())
    }

    /// Whether this is `0.0.0.0` or `::`.
    pub fn is_unspecified(&self) -> bool {
        self.0 == [0; 16] || self.as_v4() == Some([0; 4])
    }

    /// Whether a packet may come from here: not an address of nobody, of the host itself or of
    /// many, which the stack drops (RFC 1122 section 3.2.1.3, RFC 4291 section 2.7).
    pub const fn is_source(&self) -> bool {
        match self.0 {
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, ..] => {
                a != 0
                    && a != 127
                    && (a < 224 || (a > 239 && !matches!(self.0, [.., 255, 255, 255, 255])))
            }
            [0xff, ..] | [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 | 1] => false,
            _ => true,
        }
    }

    /// The sixteen octets, network order.
    pub const fn octets(&self) -> [u8; 16] {
        self.0
    }
}

/// Connection key as the client sends: from the client, to the virtual address.
///
/// Ports in host order. 36 bytes without padding, so it can be hashed as memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(C)]
pub struct Tuple {
    /// Address of the client.
    pub client: Addr,
    /// Virtual address of the service.
    pub vip: Addr,
    /// Port of the client.
    pub client_port: u16,
    /// Port of the service.
    pub vip_port: u16,
}

/// Length of [`Tuple::to_bytes`].
pub const TUPLE_LEN: usize = 36;

impl Tuple {
    /// The key of a packet that a client sent: source first.
    pub const fn from_client(src: Addr, dst: Addr, src_port: u16, dst_port: u16) -> Self {
        Self {
            client: src,
            vip: dst,
            client_port: src_port,
            vip_port: dst_port,
        }
    }

    /// The key of a packet that the server sent: source is the virtual address.
    pub const fn from_server(src: Addr, dst: Addr, src_port: u16, dst_port: u16) -> Self {
        Self {
            client: dst,
            vip: src,
            client_port: dst_port,
            vip_port: src_port,
        }
    }

    /// The key with both ends exchanged, for tables that are keyed by direction.
    pub const fn reversed(&self) -> Self {
        Self {
            client: self.vip,
            vip: self.client,
            client_port: self.vip_port,
            vip_port: self.client_port,
        }
    }

    /// Client, VIP, client port, VIP port, all in network order: the form for keyed hashes.
    pub fn to_bytes(&self) -> [u8; TUPLE_LEN] {
        let mut out = [0; TUPLE_LEN];
        let mut w = Writer::new(&mut out);
        // The fields add up to TUPLE_LEN, so none of these can fail.
        let _ = w.array(self.client.0);
        let _ = w.array(self.vip.0);
        let _ = w.u16(self.client_port);
        let _ = w.u16(self.vip_port);
        out
    }

    /// Reads what [`Tuple::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8; TUPLE_LEN]) -> Self {
        let mut r = crate::wire::reader::Reader::new(bytes);
        // The fields add up to TUPLE_LEN, so no default is ever used.
        Self {
            client: Addr(r.array().unwrap_or_default()),
            vip: Addr(r.array().unwrap_or_default()),
            client_port: r.u16().unwrap_or_default(),
            vip_port: r.u16().unwrap_or_default(),
        }
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_addr))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const TUPLE: Tuple = Tuple {
        client: Addr::v4([192, 0, 2, 1]),
        vip: Addr::v4([10, 80, 0, 1]),
        client_port: 0x1234,
        vip_port: 80,
    };

    #[test]
    fn families() {
        let four = Addr::v4([10, 80, 0, 1]);
        assert!(four.is_v4());
        assert_eq!(four.as_v4(), Some([10, 80, 0, 1]));
        let six = Addr::v6([0xfd, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert!(!six.is_v4());
        assert_eq!(six.as_v4(), None);
        assert!(four != six);
    }

    #[test]
    fn unspecified() {
        assert!(Addr::default().is_unspecified());
        assert!(Addr::v4([0; 4]).is_unspecified());
        assert!(!Addr::v4([0, 0, 0, 1]).is_unspecified());
        assert!(!Addr::v6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).is_unspecified());
    }

    #[test]
    fn sources() {
        for (a, is) in [
            ([0, 0, 0, 0], false),
            ([0, 1, 2, 3], false),
            ([10, 0, 0, 1], true),
            ([127, 0, 0, 1], false),
            ([223, 255, 255, 255], true),
            ([224, 0, 0, 1], false),
            ([239, 0, 0, 1], false),
            ([240, 0, 0, 1], true),
            ([255, 255, 255, 255], false),
        ] {
            assert_eq!((a, Addr::v4(a).is_source()), (a, is));
        }
        let last = |b| Addr::v6([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, b]);
        assert_eq!([0, 1, 2].map(|b| last(b).is_source()), [false, false, true]);
        assert!(!Addr::v6([0xff; 16]).is_source());
        assert!(Addr::v6([0xfd; 16]).is_source());
    }

    #[test]
    fn tuple_has_no_padding() {
        assert_eq!(core::mem::size_of::<Tuple>(), TUPLE_LEN);
    }

    #[test]
    fn both_directions_give_one_key() {
        let (c, v) = (TUPLE.client, TUPLE.vip);
        assert_eq!(Tuple::from_client(c, v, 0x1234, 80), TUPLE);
        assert_eq!(Tuple::from_server(v, c, 80, 0x1234), TUPLE);
        assert_eq!(TUPLE.reversed().reversed(), TUPLE);
        assert_eq!(TUPLE.reversed().client, v);
    }

    #[test]
    fn bytes_are_in_network_order() {
        let b = TUPLE.to_bytes();
        assert_eq!(b[12..16], [192, 0, 2, 1]);
        assert_eq!(b[28..32], [10, 80, 0, 1]);
        assert_eq!(b[32..], [0x12, 0x34, 0, 80]);
        assert_eq!(Tuple::from_bytes(&b), TUPLE);
    }
}
