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

/// The token at the front, and what stands behind the colon that follows it.
#[inline(always)]
fn named(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    // Of letters and dashes: so are nearly all names.
    let mut rest = bytes;
    while let Some((word, more)) = rest.split_first_chunk() {
        let others = neither_letter_nor_dash(u64::from_le_bytes(*word));
        if others == 0 {
            rest = more;
            continue;
        }
        let n = others.trailing_zeros() as usize >> 3;
        let Some([b':', value @ ..]) = rest.get(n..) else {
            break;
        };
        let len = bytes.len().wrapping_sub(rest.len()).wrapping_add(n);
        return Some((bytes.get(..len)?, value));
    }
    let (name, rest) = bytes.split_at_checked(token_len(bytes))?;
    Some((name, rest.strip_prefix(b":")?))
}

/// Bytes of the token at the front of `bytes`.
#[inline(never)]
fn token_len(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|b| TCHAR.get(usize::from(**b)) == Some(&true))
        .count()
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

/// What begins with the first byte in whose place `stop` sets the highest bit of a word. Eight bytes
/// at a time, the first byte lowest.
#[inline]
fn stopped(bytes: &[u8], stop: impl Fn(u64) -> u64) -> &[u8] {
    let mut rest = bytes;
    while let Some((word, more)) = rest.split_first_chunk() {
        let found = stop(u64::from_le_bytes(*word));
        if found != 0 {
            let n = found.trailing_zeros() as usize >> 3;
            return rest.get(n..).unwrap_or_default();
        }
        rest = more;
    }
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let n = stop(u64::from_le_bytes(last)).trailing_zeros() as usize >> 3;
    rest.get(n..).unwrap_or_default()
}

/// What begins with the first byte that is below `LEAST`, which is at most 128, or DEL.
#[inline]
fn behind_visible<const LEAST: u8>(bytes: &[u8]) -> &[u8] {
    behind_visible_slowly::<LEAST>(behind_ascii::<LEAST>(bytes))
}

/// As [`behind_visible`], but what is 128 or above may end it, too, and it may end before the last
/// sixteen bytes: then [`behind_visible_slowly`] goes on.
#[inline]
fn behind_ascii<const LEAST: u8>(bytes: &[u8]) -> &[u8] {
    // Of the first byte that is below `LEAST`, DEL, or 128 and above: exactly. Above it, anything.
    let odd =
        |x: u64| x.wrapping_sub(const { ONES.wrapping_mul(LEAST as u64) }) | x.wrapping_add(ONES);
    let mut rest = bytes;
    // Values are long: two words at a time.
    while let Some((two, more)) = rest.split_first_chunk() {
        let two = u128::from_le_bytes(*two);
        let (first, second) = (odd(two as u64), odd((two >> 64) as u64));
        if (first | second) & HIGHS == 0 {
            rest = more;
            continue;
        }
        let n = match first & HIGHS {
            0 => (second & HIGHS).trailing_zeros().wrapping_add(64) >> 3,
            found => found.trailing_zeros() >> 3,
        } as usize;
        return rest.get(n..).unwrap_or_default();
    }
    rest
}

/// [`behind_visible`] of bytes that are few, or of which some are 128 or above.
#[inline(never)]
fn behind_visible_slowly<const LEAST: u8>(bytes: &[u8]) -> &[u8] {
    stopped(bytes, |x| {
        // DEL is 0 then, and the highest bits stay as they are.
        let del = x ^ ONES.wrapping_mul(0x7f);
        (x.wrapping_sub(ONES.wrapping_mul(LEAST.into())) | del.wrapping_sub(ONES)) & !x & HIGHS
    })
}

/// The highest bit of each byte that is neither a letter nor `-`. Above the first byte of 128 or more,
/// others may be wrong: addition carries.
const fn neither_letter_nor_dash(x: u64) -> u64 {
    let folded = x | ONES.wrapping_mul(0x20);
    let below_a = !folded.wrapping_add(ONES.wrapping_mul(0x80u64.wrapping_sub(b'a' as u64)));
    let above_z = folded.wrapping_add(ONES.wrapping_mul(0x7fu64.wrapping_sub(b'z' as u64)));
    let no_dash = (x ^ ONES.wrapping_mul(b'-' as u64)).wrapping_add(!HIGHS);
    (no_dash & (below_a | above_z) | x) & HIGHS
}

/// Whether a word is `text`, which is of lower-case letters and `-`, in any case. The word has no
/// control characters, so that setting the bit that tells cases apart makes no other byte equal.
fn is_word(word: &[u8], text: &[u8]) -> bool {
    const CASE: u8 = 0x20;
    if word.len() != text.len() {
        return false;
    }
    let (mut word, mut text) = (word, text);
    while let (Some((a, more_a)), Some((b, more_b))) =
        (word.split_first_chunk(), text.split_first_chunk())
    {
        let folded = u64::from_ne_bytes(*a) | ONES.wrapping_mul(CASE.into());
        if folded != u64::from_ne_bytes(*b) {
            return false;
        }
        (word, text) = (more_a, more_b);
    }
    word.iter().zip(text).all(|(a, b)| a | CASE == *b)
}

/// What stands before the first `b`, and what begins with it.
fn before(bytes: &[u8], b: u8) -> (&[u8], &[u8]) {
    let ones = ONES.wrapping_mul(b.into());
    let rest = stopped(bytes, |x| below(x ^ ones, 1));
    let len = bytes.len().wrapping_sub(rest.len());
    (bytes.get(..len).unwrap_or(bytes), rest)
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
    fn words_are_alike_in_any_case() {
        for text in [
            &b"cookie"[..],
            b"set-cookie",
            b"keep-alive",
            b"cdn-cache-control",
        ] {
            let mut word = [0; 20];
            let word = &mut word[..text.len()];
            word.copy_from_slice(text);
            assert!(is_word(word, text));
            word.make_ascii_uppercase();
            assert!(is_word(word, text));
            assert!(!is_word(&word[1..], text) && !is_word(word, &text[1..]));
            for at in 0..text.len() {
                for b in 32..=255u8 {
                    let before = core::mem::replace(&mut word[at], b);
                    assert_eq!(is_word(word, text), word.eq_ignore_ascii_case(text));
                    word[at] = before;
                }
            }
        }
    }

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
                    let (at_control, at_space) =
                        (want(&|b| b < 32 || b == 127), want(&|b| b < 33 || b == 127));
                    assert_eq!(behind_visible::<32>(rest), &rest[at_control..]);
                    assert_eq!(behind_visible::<33>(rest), &rest[at_space..]);
                    assert_eq!(before(rest, b';'), rest.split_at(want(&|b| b == b';')));
                    let name = want(&|b| !is_tchar(b));
                    assert_eq!(token_len(rest), name);
                    let colon = rest.get(name) == Some(&b':');
                    assert_eq!(
                        named(rest),
                        colon.then(|| (&rest[..name], &rest[name + 1..]))
                    );
                }
            }
            text[at] = b'a';
        }
        assert_eq!(behind_visible::<32>(b""), b"");
        assert_eq!(before(b"a", 0), (&b"a"[..], &b""[..]));
    }
}
