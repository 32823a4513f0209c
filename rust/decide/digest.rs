// SPDX-License-Identifier: GPL-2.0
//! A digest of what a member is configured to, by which members that differ are noticed.
//!
//! Speaks to the FNV-1a hash (G. Fowler, L. C. Noll, K.-P. Vo). It is no defence against anybody:
//! it travels in authenticated messages, and all that hangs on it is a warning. Numbers go in
//! little-endian, so that machines of either byte order agree.

use core::hash::Hash;
use core::hash::Hasher;

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(PRIME);
        }
    }

    fn write_u16(&mut self, n: u16) {
        self.write(&n.to_le_bytes());
    }

    fn write_u32(&mut self, n: u32) {
        self.write(&n.to_le_bytes());
    }

    fn write_u64(&mut self, n: u64) {
        self.write(&n.to_le_bytes());
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Digest of a set of things: their order does not matter, nor that of what is added to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Digest(u64);

impl Digest {
    /// Adds one thing.
    pub fn add(&mut self, thing: &impl Hash) {
        let mut hasher = Fnv(BASIS);
        thing.hash(&mut hasher);
        self.0 = self.0.wrapping_add(hasher.finish());
    }

    /// The digest; never 0.
    pub fn value(&self) -> u32 {
        let folded = (self.0 ^ (self.0 >> 32)) as u32;
        folded.max(1)
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_digest))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn of(things: &[(u16, &[u8])]) -> u32 {
        let mut digest = Digest::default();
        things.iter().for_each(|thing| digest.add(thing));
        digest.value()
    }

    #[test]
    fn bytes_give_the_published_values() {
        for (text, value) in [
            (&b""[..], BASIS),
            (b"a", 0xaf63_dc4c_8601_ec8c),
            (b"foobar", 0x8594_4171_f739_67e8),
        ] {
            let mut hasher = Fnv(BASIS);
            hasher.write(text);
            assert_eq!(hasher.finish(), value);
        }
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let both = of(&[(1, b"m1"), (2, b"m2")]);
        assert_eq!(both, of(&[(2, b"m2"), (1, b"m1")]));
        for other in [
            of(&[]),
            of(&[(1, b"m1")]),
            of(&[(1, b"m2"), (2, b"m1")]),
            of(&[(1, b"m1"), (2, b"m3")]),
            of(&[(256, b"m1"), (2, b"m2")]),
            of(&[(1, b"m1"), (2, b"m2"), (2, b"m2")]),
        ] {
            assert!(both != other && other != 0);
        }
    }

    #[test]
    fn numbers_go_in_little_endian() {
        let mut numbers = Fnv(BASIS);
        numbers.write_u16(0x0201);
        numbers.write_u32(0x0605_0403);
        numbers.write_u64(0x0e0d_0c0b_0a09_0807);
        let mut bytes = Fnv(BASIS);
        bytes.write(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(numbers.finish(), bytes.finish());
    }
}
