// SPDX-License-Identifier: GPL-2.0
//! Session ids under the real cipher and the real MAC.
//!
//! Speaks to AES-128 and SipHash-2-4 through implementations that are not the kernel's.

use aes::cipher::BlockDecrypt;
use aes::cipher::BlockEncrypt;
use aes::cipher::KeyInit;
use aes::Aes128;
use homing_pure::decide::crypto::BlockCipher;
use homing_pure::decide::crypto::Prf;
use homing_pure::decide::sid;
use homing_pure::decide::sid::Claims;
use homing_pure::decide::sid::Sid;
use proptest::prelude::*;
use siphasher::sip::SipHasher24;

struct Sip([u8; 16]);

impl Prf for Sip {
    fn prf(&self, data: &[u8]) -> u64 {
        SipHasher24::new_with_key(&self.0).hash(data)
    }
}

struct Aes(Aes128);

impl Aes {
    fn new(key: [u8; 16]) -> Self {
        Self(Aes128::new(&key.into()))
    }
}

impl BlockCipher for Aes {
    fn encrypt(&self, block: &mut [u8; 16]) {
        self.0.encrypt_block(block.into());
    }

    fn decrypt(&self, block: &mut [u8; 16]) {
        self.0.decrypt_block(block.into());
    }
}

fn claims() -> impl Strategy<Value = Claims> {
    (1u16..=1023, any::<u16>(), any::<u32>()).prop_map(|(home, group, created)| Claims {
        home,
        group,
        created,
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 5_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_member_with_the_key_finds_home(
        keys in any::<[[u8; 16]; 2]>(),
        claims in claims(),
        random in any::<[u8; 7]>(),
    ) {
        let (cipher, prf) = (Aes::new(keys[0]), Sip(keys[1]));
        let id = sid::make(&cipher, &prf, &claims, random);
        let text = sid::encode(&id);
        prop_assert!(text.iter().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(c)));
        let back = sid::decode(&text);
        prop_assert!(back == Some(id));
        prop_assert_eq!(sid::open(&cipher, &prf, &id), Some(claims));
        prop_assert_eq!(&id.key()[..], &id.0[..16]);
    }

    /// A bit changed in the text is a character outside the alphabet or an id that is refused.
    #[test]
    fn any_bit_of_the_text_changed_is_refused(
        claims in claims(),
        random in any::<[u8; 7]>(),
        at in 0usize..32,
        bit in 0u32..8,
    ) {
        let (cipher, prf) = (Aes::new([1; 16]), Sip([2; 16]));
        let mut text = sid::encode(&sid::make(&cipher, &prf, &claims, random));
        text[at] ^= 1 << bit;
        prop_assert!(sid::decode(&text).and_then(|id| sid::open(&cipher, &prf, &id)).is_none());
    }

    /// Each id has one text: what decodes encodes to itself again.
    #[test]
    fn text_is_canonical(text in any::<[u8; 32]>(), letters in any::<bool>()) {
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let text = if letters { text.map(|c| alphabet[usize::from(c & 63)]) } else { text };
        match sid::decode(&text) {
            Some(id) => prop_assert_eq!(sid::encode(&id), text),
            None => prop_assert!(!text.iter().all(|c| alphabet.contains(c))),
        }
    }

    #[test]
    fn made_up_ids_are_refused(bytes in any::<[[u8; 12]; 2]>()) {
        let mut id = [0; 24];
        id[..12].copy_from_slice(&bytes[0]);
        id[12..].copy_from_slice(&bytes[1]);
        prop_assert_eq!(sid::open(&Aes::new([1; 16]), &Sip([2; 16]), &Sid(id)), None);
    }

    /// An id says nothing: two that differ in the random bytes only share no visible structure,
    /// so at least 30 of the block's 128 bits differ (the chance of fewer is below 10^-9).
    #[test]
    fn ids_of_one_second_look_unrelated(claims in claims(), random in any::<[u8; 7]>()) {
        let (cipher, prf) = (Aes::new([1; 16]), Sip([2; 16]));
        let mut other = random;
        other[6] ^= 1;
        let a = sid::make(&cipher, &prf, &claims, random).key();
        let b = sid::make(&cipher, &prf, &claims, other).key();
        let differ: u32 = a.iter().zip(&b).map(|(a, b)| (a ^ b).count_ones()).sum();
        prop_assert!(differ >= 30);
    }
}
