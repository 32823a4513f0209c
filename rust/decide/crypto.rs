// SPDX-License-Identifier: GPL-2.0
//! Keyed functions that policy needs, as traits: the kernel gives its own, tests give others.
//!
//! Speaks to `include/linux/siphash.h` and `include/crypto/aes.h` through whoever implements it.

/// A keyed function from bytes to 64 bits that nobody without the key can predict: SipHash-2-4.
pub trait Prf {
    /// The value for `data`.
    fn prf(&self, data: &[u8]) -> u64;
}

/// A keyed permutation of 16-byte blocks: AES-128.
pub trait BlockCipher {
    /// Encrypts in place.
    fn encrypt(&self, block: &mut [u8; 16]);
    /// Decrypts in place; undoes [`BlockCipher::encrypt`].
    fn decrypt(&self, block: &mut [u8; 16]);
}

/// First byte of what a farm key is applied to, one for each use, so that a value seen in one
/// place is of no help in another. (Session ids have a key of their own.)
#[derive(Clone, Copy)]
pub(crate) enum Use {
    Cookie = 1,
    Rendezvous = 3,
}

/// Stand-ins for the tests that run in the kernel too, where no crate is at hand. No secrecy.
#[cfg(any(test, CONFIG_KUNIT = "y"))]
pub(crate) mod toy {
    use super::BlockCipher;
    use super::Prf;

    /// Mixes well enough to spread; the number is the key.
    pub(crate) struct Toy(pub(crate) u64);

    pub(crate) fn mix(mut x: u64) -> u64 {
        x ^= x >> 30;
        x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x ^= x >> 27;
        x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    impl Prf for Toy {
        fn prf(&self, data: &[u8]) -> u64 {
            data.iter().fold(mix(self.0.wrapping_add(1)), |h, &b| {
                mix(h
                    .wrapping_mul(257)
                    .wrapping_add(u64::from(b))
                    .wrapping_add(1))
            })
        }
    }

    impl BlockCipher for Toy {
        fn encrypt(&self, block: &mut [u8; 16]) {
            let x = u128::from_be_bytes(*block);
            let key = (u128::from(mix(self.0)) << 64) | u128::from(mix(!self.0));
            *block = (x ^ key).rotate_left(41).to_be_bytes();
        }

        fn decrypt(&self, block: &mut [u8; 16]) {
            let x = u128::from_be_bytes(*block).rotate_right(41);
            let key = (u128::from(mix(self.0)) << 64) | u128::from(mix(!self.0));
            *block = (x ^ key).to_be_bytes();
        }
    }
}
