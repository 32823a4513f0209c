// SPDX-License-Identifier: GPL-2.0
//! The Internet checksum: sum, fold, pseudo headers and incremental update.
//!
//! Speaks to RFC 1071, RFC 1624 (update), RFC 9293 section 3.1 and RFC 8200 section 8.1
//! (pseudo headers).

use crate::wire::addr::Addr;

/// Adds `bytes` as big-endian 16-bit words to `acc`, end-around carry kept.
///
/// An odd last byte counts as if a zero followed, so only the last piece of several may be odd.
/// A sum is not a checksum yet: see [`fold`].
pub fn sum(bytes: &[u8], acc: u32) -> u32 {
    let mut wide = u64::from(acc);
    let mut words = bytes.chunks_exact(4);
    for word in words.by_ref() {
        if let Some(w) = word.first_chunk::<4>() {
            // No slice is long enough for 2^32 words of 32 bits to overflow 64.
            wide = wide.wrapping_add(u64::from(u32::from_be_bytes(*w)));
        }
    }
    let last = match *words.remainder() {
        [a] => [a, 0, 0, 0],
        [a, b] => [a, b, 0, 0],
        [a, b, c] => [a, b, c, 0],
        _ => [0; 4],
    };
    wide = wide.wrapping_add(u64::from(u32::from_be_bytes(last)));
    // 64 to 32 bits: the carries of the first addition can cause one more.
    wide = (wide & 0xffff_ffff).wrapping_add(wide >> 32);
    wide = (wide & 0xffff_ffff).wrapping_add(wide >> 32);
    wide as u32
}

/// The checksum field for a sum: folded to 16 bits and complemented.
///
/// Over data that contains its own right checksum the result is 0.
pub fn fold(acc: u32) -> u16 {
    let once = (acc & 0xffff).wrapping_add(acc >> 16);
    let twice = (once & 0xffff).wrapping_add(once >> 16);
    !(twice as u16)
}

/// The sum of the pseudo header of `proto` over `len` bytes of transport header and payload.
///
/// The family is that of `src`.
pub fn pseudo(src: &Addr, dst: &Addr, proto: u8, len: u32) -> u32 {
    let addresses = match (src.as_v4(), dst.as_v4()) {
        (Some(s), Some(d)) => sum(&d, sum(&s, 0)),
        _ => sum(&dst.0, sum(&src.0, 0)),
    };
    sum(
        &u32::from(proto).to_be_bytes(),
        sum(&len.to_be_bytes(), addresses),
    )
}

/// The checksum field of a TCP or UDP `segment` whose checksum field is 0.
///
/// For a segment with its checksum in place the result is 0 exactly if it is right. `None` if the
/// segment is longer than any IP packet.
pub fn transport(src: &Addr, dst: &Addr, proto: u8, segment: &[u8]) -> Option<u16> {
    let len = u32::try_from(segment.len()).ok()?;
    Some(fold(sum(segment, pseudo(src, dst, proto, len))))
}

/// The checksum field after a 16-bit word that it covers changed from `old` to `new`.
///
/// RFC 1624 equation 3. The word must stand at an even offset.
pub fn adjust16(check: u16, old: u16, new: u16) -> u16 {
    fold(
        u32::from(!check)
            .wrapping_add(u32::from(!old))
            .wrapping_add(u32::from(new)),
    )
}

/// As [`adjust16`] for a 32-bit word at an even offset, such as a sequence number.
pub fn adjust32(check: u16, old: u32, new: u32) -> u16 {
    let once = adjust16(check, (old >> 16) as u16, (new >> 16) as u16);
    adjust16(once, old as u16, new as u16)
}

/// The checksum field after bytes that it covers, with sum `old`, became bytes with sum `new`.
///
/// For edits that are no single word: [`sum`] over the same range, which must begin at an even
/// offset, before and after.
pub fn adjust(check: u16, old: u32, new: u32) -> u16 {
    // `fold` complements, which is what the old sum needs and the new one must lose again.
    let kept = u32::from(!check).wrapping_add(u32::from(fold(old)));
    fold(kept.wrapping_add(u32::from(!fold(new))))
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_checksum))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn rfc_1071_example() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(sum(&bytes, 0)), !0xddf2);
    }

    #[test]
    fn pieces_add_up() {
        let bytes = [0xff, 0xfe, 1, 2, 3, 4, 0x80, 9, 200, 201, 7];
        for cut in [0, 2, 4, 6, 8, 10] {
            let parts = sum(&bytes[cut..], sum(&bytes[..cut], 0));
            assert_eq!(fold(parts), fold(sum(&bytes, 0)));
        }
        assert_eq!(fold(sum(&[7], 0)), fold(sum(&[7, 0], 0)));
    }

    #[test]
    fn carries_survive_the_longest_packet() {
        let bytes = [0xffu8; 4096];
        let mut acc = u32::MAX;
        for _ in 0..64 {
            acc = sum(&bytes, acc);
        }
        assert_eq!(fold(acc), 0);
    }

    #[test]
    fn a_carry_can_cause_another() {
        let acc = sum(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1], u32::MAX);
        assert_eq!(fold(acc), !1);
    }

    #[test]
    fn update_equals_computing_again() {
        let mut bytes = [0x45, 0x00, 0x12, 0x34, 0xff, 0xff, 0x00, 0x00, 0xab, 0xcd];
        for (old, new) in [
            ([0x12u8, 0x34, 0xff, 0xff], [0u8, 0, 0, 1]),
            ([0, 0, 0, 1], [0xff, 0xff, 0xff, 0xff]),
            ([0xff, 0xff, 0xff, 0xff], [0xde, 0xad, 0xbe, 0xef]),
        ] {
            bytes[2..6].copy_from_slice(&old);
            let check = fold(sum(&bytes, 0));
            bytes[2..6].copy_from_slice(&new);
            let (old, new) = (u32::from_be_bytes(old), u32::from_be_bytes(new));
            assert_eq!(adjust32(check, old, new), fold(sum(&bytes, 0)));
            assert_eq!(adjust(check, old, new), fold(sum(&bytes, 0)));
        }
    }

    #[test]
    fn rfc_1624_corner() {
        // Section 4: equation 2 of RFC 1141 would give 0xffff here.
        assert_eq!(adjust16(0xdd2f, 0x5555, 0x3285), 0x0000);
    }

    #[test]
    fn pseudo_headers() {
        // A UDP datagram over IPv4, 1 byte of payload, by hand.
        let (s, d) = (Addr::v4([10, 0, 0, 1]), Addr::v4([10, 0, 0, 2]));
        let udp = [0x00, 0x35, 0x10, 0x00, 0x00, 0x09, 0x00, 0x00, 0x41];
        let by_hand = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 9 + 0x35 + 0x1000 + 9 + 0x4100;
        assert_eq!(transport(&s, &d, 17, &udp), Some(!(by_hand as u16)));
        let (s, d) = (Addr::v6([1; 16]), Addr::v6([2; 16]));
        let by_hand = 0x0101 * 8 + 0x0202 * 8 + 6 + 20;
        assert_eq!(fold(pseudo(&s, &d, 6, 20)), !(by_hand as u16));
    }
}
