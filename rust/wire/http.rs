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

pub mod caching;
pub mod cookie;
pub mod field;
pub mod framing;
pub mod head;
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
