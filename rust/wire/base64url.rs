// SPDX-License-Identifier: GPL-2.0
//! Session ids as text: base64url, of the one length that they have.
//!
//! Speaks to RFC 4648 section 5.

/// Bytes of a session id.
pub const BYTES: usize = 24;

/// Characters of its text. A multiple of four for a multiple of three bytes: no padding and no
/// spare bits, so each id has one text only.
pub const CHARS: usize = 32;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The text of `bytes`.
pub fn encode(bytes: &[u8; BYTES]) -> [u8; CHARS] {
    let mut text = [b'A'; CHARS];
    for (out, bytes) in text.chunks_exact_mut(4).zip(bytes.chunks_exact(3)) {
        let (&[a, b, c], [w, x, y, z]) = (bytes, out) else {
            continue;
        };
        *w = digit(a >> 2);
        *x = digit((a << 4) | (b >> 4));
        *y = digit((b << 2) | (c >> 6));
        *z = digit(c);
    }
    text
}

/// The bytes of `text`; `None` if a character is outside the alphabet.
pub fn decode(text: &[u8; CHARS]) -> Option<[u8; BYTES]> {
    let (mut bytes, mut seen) = ([0; BYTES], 0);
    for (out, chars) in bytes.chunks_exact_mut(6).zip(text.chunks_exact(8)) {
        let mut bits = 0u64;
        for char in chars {
            let value = value(*char);
            seen |= value;
            bits = (bits << 6) | u64::from(value);
        }
        let [_, _, six @ ..] = bits.to_be_bytes();
        out.copy_from_slice(&six);
    }
    (seen < NO_DIGIT).then_some(bytes)
}

/// The character for the low six bits.
fn digit(bits: u8) -> u8 {
    ALPHABET
        .get(usize::from(bits & 63))
        .copied()
        .unwrap_or(b'A')
}

/// The value of a character outside the alphabet: a bit that no other value has.
const NO_DIGIT: u8 = 64;

/// The six bits of every character, or [`NO_DIGIT`].
static VALUES: [u8; 256] = {
    let mut table = [NO_DIGIT; 256];
    let mut rest: &mut [u8] = &mut table;
    let mut char = 0u8;
    while let Some((slot, more)) = rest.split_first_mut() {
        *slot = match char {
            b'A'..=b'Z' => char.wrapping_sub(b'A'),
            b'a'..=b'z' => char.wrapping_sub(b'a').wrapping_add(26),
            b'0'..=b'9' => char.wrapping_sub(b'0').wrapping_add(52),
            b'-' => 62,
            b'_' => 63,
            _ => NO_DIGIT,
        };
        char = char.wrapping_add(1);
        rest = more;
    }
    table
};

/// The six bits of a character, or [`NO_DIGIT`].
fn value(char: u8) -> u8 {
    VALUES.get(usize::from(char)).copied().unwrap_or(NO_DIGIT)
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_base64url))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn text_as_in_rfc_4648() {
        assert_eq!(&encode(&[0; BYTES]), b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
        assert_eq!(&encode(&[0xff; BYTES]), b"________________________________");
        // "Hello, session id of 24!" in base64url by another implementation.
        let text = b"SGVsbG8sIHNlc3Npb24gaWQgb2YgMjQh";
        let bytes = b"Hello, session id of 24!";
        assert_eq!(&encode(bytes), text);
        assert_eq!(decode(text), Some(*bytes));
    }

    #[test]
    fn text_outside_the_alphabet_is_refused() {
        for bad in [
            b'+', b'/', b'=', b' ', 0, 0x80, 0xff, b'@', b'[', b'`', b'{', b':', b'.',
        ] {
            for at in 0..CHARS {
                let mut text = [b'x'; CHARS];
                for (index, char) in text.iter_mut().enumerate() {
                    if index == at {
                        *char = bad;
                    }
                }
                assert!(decode(&text).is_none());
            }
        }
    }
}
