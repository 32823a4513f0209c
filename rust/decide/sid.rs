// SPDX-License-Identifier: GPL-2.0
//! The session id: opaque to clients, tells every member where home is, cannot be forged.
//!
//! Speaks to FIPS 197 and SipHash-2-4 through [`crate::decide::crypto`]. Its text is base64url,
//! [`crate::wire::base64url`].
//!
//! 24 bytes: one encrypted block, then SipHash of that encrypted block, little-endian. The block
//! in clear: format version (1), home (2), group (2), creation time in seconds (4), random (7),
//! numbers big-endian. There is no key id: each live key is tried.
//!
//! The MAC key must be used for nothing but session ids.

use crate::decide::crypto::BlockCipher;
use crate::decide::crypto::Prf;
use crate::decide::limits::MEMBER_ID_MAX;
use crate::decide::limits::MEMBER_ID_MIN;
use crate::decide::limits::SESSION_KEYS;
use crate::wire::base64url;

/// The format that is written, and the only one that is read.
const VERSION: u8 = 1;

/// Bytes of a session id.
pub const LEN: usize = base64url::BYTES;

/// Characters of its text.
pub const TEXT_LEN: usize = base64url::CHARS;

/// A session id as bytes: encrypted block, MAC. Whoever shows it is taken for its client, so
/// `Debug` does not print it: it stays out of logs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Sid(pub [u8; LEN]);

impl core::fmt::Debug for Sid {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Sid(..)")
    }
}

impl Sid {
    /// The key of the session in the tables of all members: the encrypted block.
    pub fn key(&self) -> [u8; 16] {
        let (block, _) = self.parts();
        block
    }

    fn parts(&self) -> ([u8; 16], [u8; 8]) {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, mac @ ..] = self.0;
        ([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p], mac)
    }
}

/// What a session id says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Member that was selected to maintain the session.
    pub home: u16,
    /// Group of services that share the session. The caller compares it with the group of the
    /// service that was asked: an id of another group is as if absent.
    pub group: u16,
    /// When it was made, seconds of the farm's clock.
    pub created: u32,
}

/// Makes a session id. `random` keeps ids of one second apart and must be unpredictable.
pub fn make<C: BlockCipher, P: Prf>(cipher: &C, prf: &P, claims: &Claims, random: [u8; 7]) -> Sid {
    let [h0, h1] = claims.home.to_be_bytes();
    let [g0, g1] = claims.group.to_be_bytes();
    let [t0, t1, t2, t3] = claims.created.to_be_bytes();
    let [r0, r1, r2, r3, r4, r5, r6] = random;
    let mut block = [
        VERSION, h0, h1, g0, g1, t0, t1, t2, t3, r0, r1, r2, r3, r4, r5, r6,
    ];
    cipher.encrypt(&mut block);
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = block;
    let [m0, m1, m2, m3, m4, m5, m6, m7] = prf.prf(&block).to_le_bytes();
    Sid([
        a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, m0, m1, m2, m3, m4, m5, m6, m7,
    ])
}

/// Reads a session id; `None` if this key did not make it or it is of another format.
pub fn open<C: BlockCipher, P: Prf>(cipher: &C, prf: &P, sid: &Sid) -> Option<Claims> {
    let (block, mac) = sid.parts();
    // One comparison of whole words: its time says nothing about how many bytes were right.
    if prf.prf(&block) ^ u64::from_le_bytes(mac) != 0 {
        return None;
    }
    read(cipher, block)
}

/// Reads the encrypted block of a session id that was verified before.
pub fn read<C: BlockCipher>(cipher: &C, mut block: [u8; 16]) -> Option<Claims> {
    cipher.decrypt(&mut block);
    let [version, h0, h1, g0, g1, t0, t1, t2, t3, ..] = block;
    let home = u16::from_be_bytes([h0, h1]);
    if version != VERSION || !(MEMBER_ID_MIN..=MEMBER_ID_MAX).contains(&home) {
        return None;
    }
    Some(Claims {
        home,
        group: u16::from_be_bytes([g0, g1]),
        created: u32::from_be_bytes([t0, t1, t2, t3]),
    })
}

/// Reads a session id with the first key that fits; says which it was, so that the caller can
/// tell an id that will have to be renewed.
pub fn open_any<C: BlockCipher, P: Prf>(
    keys: [Option<(&C, &P)>; SESSION_KEYS],
    sid: &Sid,
) -> Option<(Claims, u8)> {
    (0..SESSION_KEYS as u8)
        .zip(keys)
        .find_map(|(index, key)| key.and_then(|(c, p)| Some((open(c, p, sid)?, index))))
}

/// The text of a session id.
pub fn encode(sid: &Sid) -> [u8; TEXT_LEN] {
    base64url::encode(&sid.0)
}

/// Reads the text of a session id; `None` if a character is outside the alphabet.
pub fn decode(text: &[u8; TEXT_LEN]) -> Option<Sid> {
    base64url::decode(text).map(Sid)
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_sid))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::decide::crypto::toy::Toy;

    const CLAIMS: Claims = Claims {
        home: 1023,
        group: 7,
        created: 0x6543_2100,
    };

    #[test]
    fn opens_what_it_made() {
        let (cipher, prf) = (Toy(1), Toy(2));
        let sid = make(&cipher, &prf, &CLAIMS, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(open(&cipher, &prf, &sid), Some(CLAIMS));
        let block: [u8; 16] = sid.key();
        assert_eq!(sid.0.first_chunk::<16>(), Some(&block));
    }

    #[test]
    fn any_one_bit_changed_is_refused() {
        let (cipher, prf) = (Toy(1), Toy(2));
        let sid = make(&cipher, &prf, &CLAIMS, [9; 7]);
        for bit in 0..192u32 {
            let mut bad = sid;
            for (index, byte) in (0u32..).zip(bad.0.iter_mut()) {
                if index == bit / 8 {
                    *byte ^= 1 << (bit % 8);
                }
            }
            assert!(bad != sid);
            assert_eq!(open(&cipher, &prf, &bad), None);
        }
    }

    #[test]
    fn another_key_is_refused_and_any_of_three_is_found() {
        let (c, p) = (Toy(1), Toy(2));
        let (c2, p2) = (Toy(3), Toy(4));
        let sid = make(&c2, &p2, &CLAIMS, [0; 7]);
        assert_eq!(open(&c, &p, &sid), None);
        assert_eq!(
            open_any([Some((&c, &p)), None, Some((&c2, &p2))], &sid),
            Some((CLAIMS, 2))
        );
        assert_eq!(open_any([Some((&c, &p)), None, None], &sid), None);
    }

    #[test]
    fn no_member_and_other_versions_are_refused() {
        let (cipher, prf) = (Toy(1), Toy(2));
        for home in [0, 1024, 0xffff] {
            let sid = make(&cipher, &prf, &Claims { home, ..CLAIMS }, [0; 7]);
            assert_eq!(open(&cipher, &prf, &sid), None);
        }
        // A block of version 2 under a right MAC.
        let mut block = [2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        cipher.encrypt(&mut block);
        let mut bytes = [0; LEN];
        let mac = prf.prf(&block).to_le_bytes();
        for (to, from) in bytes.iter_mut().zip(block.iter().chain(mac.iter())) {
            *to = *from;
        }
        assert_eq!(open(&cipher, &prf, &Sid(bytes)), None);
    }
}
