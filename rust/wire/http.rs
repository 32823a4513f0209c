// SPDX-License-Identifier: GPL-2.0
//! HTTP/1.x heads as they pass by: where a head ends, how its message is framed, which session.
//!
//! Speaks to RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 6265 (cookies).
//!
//! Nothing here changes a message; the application reads the same bytes and judges by its own
//! rules. So the readers are strict: wherever two programs might disagree about the end of a
//! message or about a cookie, the answer is [`Reason`] and not a guess. What such an answer costs
//! is affinity, nothing else.
//!
//! All readers are push parsers: small, `Copy`, fed with whatever bytes are there, never looking
//! back. The result is the same for every way of cutting the input.

pub mod answer;
pub mod caching;
pub mod cookie;
pub mod field;
pub mod framing;
pub mod head;
pub mod refusal;
pub mod response;

/// Bytes of the longest head that is read; a longer one is [`head::Outcome::TooLong`].
pub const MAX_HEAD: usize = 16384;

/// Characters of a session id in text: 24 bytes in base64url.
pub const SID_TEXT_LEN: usize = 32;

/// Why a head was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A request that does not begin with a method token.
    Method,
    /// No `HTTP/1.0` or `HTTP/1.1` where the version stands.
    Version,
    /// The request target is empty, or not followed by one space and the version.
    Target,
    /// A status code that is not three digits.
    Status,
    /// A NUL byte.
    Nul,
    /// A control character.
    Control,
    /// LF without CR before it.
    BareLf,
    /// CR without LF behind it.
    BareCr,
    /// A field name that is empty or not a token, or space before the colon.
    Name,
    /// A line that continues the one before (obs-fold).
    Fold,
    /// Content-Length that is empty, no plain number, too large, or there twice.
    ContentLength,
    /// Transfer-Encoding other than exactly one `chunked`, or in HTTP/1.0.
    TransferEncoding,
    /// Content-Length and Transfer-Encoding together.
    BothLengths,
}

/// Whether `b` may stand in a token (RFC 9110 section 5.6.2).
pub const fn is_tchar(b: u8) -> bool {
    matches!(
        b,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
            | b'0'..=b'9'
            | b'A'..=b'Z'
            | b'a'..=b'z'
    )
}

/// [`is_tchar`] for every byte.
static TCHAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut rest: &mut [bool] = &mut table;
    let mut b = 0u8;
    while let Some((slot, more)) = rest.split_first_mut() {
        *slot = is_tchar(b);
        b = b.wrapping_add(1);
        rest = more;
    }
    table
};

/// Bytes of the token at the front of `bytes`.
fn token_len(bytes: &[u8]) -> usize {
    let mut n = 0usize;
    for b in bytes {
        if TCHAR.get(usize::from(*b)) != Some(&true) {
            break;
        }
        n = n.wrapping_add(1);
    }
    n
}

/// Every byte of a word.
const ONES: u64 = u64::from_ne_bytes([1; 8]);
/// The highest bit of each.
const HIGHS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The highest bit of each byte of `x` that is below `least`, of 1 to 128. Above the lowest one
/// that is set, others may be set by mistake: subtraction borrows.
const fn below(x: u64, least: u8) -> u64 {
    x.wrapping_sub(ONES.wrapping_mul(least as u64)) & !x & HIGHS
}

/// How many bytes at the front of `bytes` come before the first in whose place `stop` sets the
/// highest bit of a word. Eight bytes at a time, the first byte lowest.
#[inline]
fn run(bytes: &[u8], stop: impl Fn(u64) -> u64) -> usize {
    let (mut n, mut rest) = (0usize, bytes);
    loop {
        let (word, more) = match rest.split_first_chunk::<8>() {
            Some((word, more)) => (*word, more),
            None => {
                let mut last = [0; 8];
                for (to, from) in last.iter_mut().zip(rest) {
                    *to = *from;
                }
                (last, <&[u8]>::default())
            }
        };
        let found = stop(u64::from_le_bytes(word));
        if found != 0 {
            n = n.wrapping_add(found.trailing_zeros() as usize >> 3);
            break;
        }
        n = n.wrapping_add(8);
        if more.is_empty() {
            break;
        }
        rest = more;
    }
    n.min(bytes.len())
}

/// How many bytes at the front are not below `least` and not DEL.
fn visible_run(bytes: &[u8], least: u8) -> usize {
    run(bytes, |x| {
        below(x, least) | below(x ^ ONES.wrapping_mul(0x7f), 1)
    })
}

/// How many bytes come before the first `b`.
fn run_before(bytes: &[u8], b: u8) -> usize {
    run(bytes, |x| below(x ^ ONES.wrapping_mul(b.into()), 1))
}

/// Whether `b` is optional whitespace: space or tab.
pub const fn is_ows(b: u8) -> bool {
    b == b' ' || b == b'\t'
}

/// The fault of a byte that may stand in no line, if it is one: CR and LF apart, every control
/// character but the tab.
pub const fn forbidden(b: u8) -> Option<Reason> {
    match b {
        0 => Some(Reason::Nul),
        b'\t' => None,
        1..=31 | 127 => Some(Reason::Control),
        _ => None,
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_http))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_a_byte_by_byte_look_says() {
        let mut text = [b'a'; 40];
        for at in 0..40 {
            for b in 0..=255u8 {
                text[at] = b;
                // Something else that stops, later.
                text[39] = if at < 39 { 1 } else { b };
                for from in [0, 3, 8] {
                    let rest = &text[from..];
                    let want = |stop: &dyn Fn(u8) -> bool| {
                        rest.iter().position(|b| stop(*b)).unwrap_or(rest.len())
                    };
                    assert_eq!(visible_run(rest, 32), want(&|b| b < 32 || b == 127));
                    assert_eq!(visible_run(rest, 33), want(&|b| b < 33 || b == 127));
                    assert_eq!(run_before(rest, b';'), want(&|b| b == b';'));
                    assert_eq!(token_len(rest), want(&|b| !is_tchar(b)));
                }
            }
            text[at] = b'a';
        }
        assert_eq!(visible_run(b"", 32), 0);
        assert_eq!(run_before(b"a", 0), 1);
    }
}
