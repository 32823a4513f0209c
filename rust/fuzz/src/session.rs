// SPDX-License-Identifier: GPL-2.0
//! Session ids and the store of held bytes.

use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use aes::Aes128;
use homing_pure::decide::assemble::{place, Added, Held};
use homing_pure::decide::crypto::{BlockCipher, Prf};
use homing_pure::decide::sid::{self as id, Sid};
use siphasher::sip::SipHasher24;

struct Sip;

impl Prf for Sip {
    fn prf(&self, data: &[u8]) -> u64 {
        SipHasher24::new_with_key(&[2; 16]).hash(data)
    }
}

struct Aes(Aes128);

impl BlockCipher for Aes {
    fn encrypt(&self, block: &mut [u8; 16]) {
        self.0.encrypt_block(block.into());
    }

    fn decrypt(&self, block: &mut [u8; 16]) {
        self.0.decrypt_block(block.into());
    }
}

/// The text of a session id: one text for each id, and only what was made is opened.
pub fn sid(bytes: &[u8]) {
    let cipher = Aes(Aes128::new(&[1; 16].into()));
    if let Some(text) = bytes.first_chunk::<32>() {
        if let Some(sid) = id::decode(text) {
            assert_eq!(id::encode(&sid), *text);
            if let Some(claims) = id::open(&cipher, &Sip, &sid) {
                assert!((1..=1023).contains(&claims.home));
            }
        }
    }
    if let Some(raw) = bytes.first_chunk::<24>() {
        let sid = Sid(*raw);
        assert!(id::decode(&id::encode(&sid)) == Some(sid));
    }
}

/// Segments in any order, six bytes each (start 4, length 2), against a set of bytes.
pub fn hold(bytes: &[u8]) {
    const START: u32 = u32::MAX - 3000;
    let mut held = Held::new();
    let mut twin = vec![false; 16_384];
    for chunk in bytes.chunks_exact(4) {
        let [a, b, c, d] = [chunk[0], chunk[1], chunk[2], chunk[3]];
        let offset = i32::from(i16::from_be_bytes([a, b]));
        let len = u32::from(u16::from_be_bytes([c, d]));
        let Some(at) = place(START, START.wrapping_add_signed(offset), len) else {
            assert!(len == 0 || offset >= 16_384 || offset + len as i32 <= 0);
            continue;
        };
        assert!(at.begin < at.end && at.end <= 16_384);
        let mut new = vec![];
        let before = held;
        let added = held.add(at.begin, at.end, |from, to| {
            assert!(at.begin <= from && from < to && to <= at.end);
            new.extend(from as usize..to as usize);
            true
        });
        let range = at.begin as usize..at.end as usize;
        match added {
            Added::New => assert_eq!(new, range.clone().filter(|b| !twin[*b]).collect::<Vec<_>>()),
            Added::Duplicate => assert!(range.clone().all(|b| twin[b])),
            Added::Refused => {
                assert_eq!(held, before);
                continue;
            }
        }
        range.for_each(|b| twin[b] = true);
        let head = twin.iter().take_while(|has| **has).count();
        assert_eq!(held.head() as usize, head);
        assert_eq!(held.gap(), twin[head..].iter().any(|has| *has));
    }
}
