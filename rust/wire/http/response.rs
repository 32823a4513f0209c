// SPDX-License-Identifier: GPL-2.0
//! Response heads: where the status line ends, and what the fields behind it say.
//!
//! Speaks to RFC 9112 section 4 (status line) and section 6 (framing),
//! RFC 6265 section 4.1 (Set-Cookie).
//!
//! The egress path inserts a line behind the status line of the first final response. It must
//! know where that is before the rest of the head has been written, so there are two readers: one
//! for the status line and one for the fields.

use super::behind_visible;
use super::caching::Caching;
use super::caching::Directives;
use super::field;
use super::field::Event;
use super::field::Field;
use super::field::Fields;
use super::field::Line;
use super::forbidden;
use super::framing::Framing;
use super::is_ows;
use super::Reason;
use super::MAX_HEAD;

/// Bytes of the longest status line that is read.
pub const MAX_STATUS_LINE: usize = 1024;

/// What is known of a status line after a piece was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusProgress {
    /// The line goes on.
    Partial,
    /// The line is complete.
    Status {
        /// Status code, 100 to 599; below 200 another response to the same request follows.
        code: u16,
        /// 0 for HTTP/1.0, 1 for HTTP/1.1.
        minor: u8,
        /// Bytes up to and including CRLF, from the first byte of the response.
        line_len: usize,
    },
    /// Not the beginning of an HTTP/1.x response: nothing may be inserted.
    NotHttp,
}

const VERSION: &[u8] = b"HTTP/1.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StatusState {
    /// So many bytes into [`VERSION`].
    Version(u8),
    /// At the space behind the version.
    Space,
    /// So many digits of the code were read.
    Code(u8),
    /// In the reason phrase.
    Phrase,
    /// Behind the CR.
    Lf,
    Done,
    NotHttp,
}

/// Reads one status line, fed in pieces of any size.
#[derive(Clone, Copy, Debug)]
pub struct StatusParser {
    state: StatusState,
    len: usize,
    code: u16,
    minor: u8,
}

impl StatusParser {
    /// Before the first byte of a response.
    pub const fn new() -> Self {
        Self {
            state: StatusState::Version(0),
            len: 0,
            code: 0,
            minor: 0,
        }
    }

    /// Bytes of the line that were read.
    pub const fn read(&self) -> usize {
        self.len
    }

    /// Takes the next piece. After the end it answers what it answered then.
    pub fn feed(&mut self, bytes: &[u8]) -> StatusProgress {
        let mut rest = bytes;
        while !matches!(self.state, StatusState::Done | StatusState::NotHttp) {
            let mut taken = self.leap(rest);
            if taken == 0 {
                let Some(b) = rest.first() else { break };
                self.len = self.len.saturating_add(1);
                self.state = if self.len > MAX_STATUS_LINE {
                    StatusState::NotHttp
                } else {
                    self.step(*b).unwrap_or(StatusState::NotHttp)
                };
                taken = 1;
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
        match self.state {
            StatusState::Done => StatusProgress::Status {
                code: self.code,
                minor: self.minor,
                line_len: self.len,
            },
            StatusState::NotHttp => StatusProgress::NotHttp,
            _ => StatusProgress::Partial,
        }
    }

    /// Takes what usually stands here, all at once, and does what the single bytes would have done.
    /// How many bytes it took; 0: whatever comes is for `step`.
    fn leap(&mut self, rest: &[u8]) -> usize {
        // A line that is nearly too long is counted byte by byte.
        let room = MAX_STATUS_LINE.saturating_sub(self.len).min(rest.len());
        let rest = rest.get(..room).unwrap_or_default();
        let taken = match self.state {
            StatusState::Version(0) => {
                let Some((begin, code)) = rest.split_first_chunk::<9>() else {
                    return 0;
                };
                let (b"HTTP/1.1 ", [a @ b'1'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', b' ', ..]) =
                    (begin, code)
                else {
                    return 0;
                };
                self.minor = 1;
                self.code = [a, b, c].into_iter().fold(0, |code: u16, digit| {
                    code.wrapping_mul(10).wrapping_add(u16::from(digit & 0xf))
                });
                self.state = StatusState::Phrase;
                13
            }
            StatusState::Phrase => rest.len().wrapping_sub(behind_visible::<b' '>(rest).len()),
            _ => 0,
        };
        self.len = self.len.wrapping_add(taken);
        taken
    }

    /// Takes one byte; `None` if it does not fit.
    fn step(&mut self, b: u8) -> Option<StatusState> {
        match self.state {
            StatusState::Version(at) => match VERSION.get(usize::from(at)) {
                Some(want) => (*want == b).then_some(StatusState::Version(at.saturating_add(1))),
                None => {
                    self.minor = b.checked_sub(b'0').filter(|minor| *minor <= 1)?;
                    Some(StatusState::Space)
                }
            },
            StatusState::Space => (b == b' ').then_some(StatusState::Code(0)),
            StatusState::Code(3) => match b {
                // The space is required, but servers leave it out with the phrase.
                b'\r' => Some(StatusState::Lf),
                b' ' => Some(StatusState::Phrase),
                _ => None,
            },
            StatusState::Code(digits) => {
                let digit = b.checked_sub(b'0').filter(|d| *d <= 9)?;
                self.code = self.code.wrapping_mul(10).wrapping_add(digit.into());
                if digits == 0 && !(1..=5).contains(&digit) {
                    return None;
                }
                Some(StatusState::Code(digits.saturating_add(1)))
            }
            StatusState::Phrase => match b {
                b'\r' => Some(StatusState::Lf),
                _ => forbidden(b).map_or(Some(StatusState::Phrase), |_| None),
            },
            StatusState::Lf => (b == b'\n').then_some(StatusState::Done),
            state => Some(state),
        }
    }
}

impl Default for StatusParser {
    fn default() -> Self {
        Self::new()
    }
}

/// What the fields of a response say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fieldset {
    /// Bytes from the first behind the status line, the empty line included.
    pub len: usize,
    /// Content-Length, bytes. A response to HEAD, a 204 or a 304 has no body all the same.
    pub content_length: Option<u64>,
    /// The body comes in chunks.
    pub chunked: bool,
    /// The server closes the connection after this response.
    pub connection_close: bool,
    /// There is an Upgrade field.
    pub upgrade: bool,
    /// The application itself sets the cookie that was asked for.
    pub sets_cookie: bool,
    /// What it says about caching.
    pub caching: Caching,
}

/// What is known of the fields after a piece was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldsProgress {
    /// The fields go on.
    Partial,
    /// They are complete.
    Done(Fieldset),
    /// They are not what they should be: the end of this response is not known.
    Bad(Reason),
    /// More than [`MAX_HEAD`] bytes without an end.
    TooLong,
}

/// Reads the fields of one response, fed in pieces of any size from behind the status line.
#[derive(Clone, Copy, Debug)]
pub struct FieldsParser {
    minor: u8,
    len: usize,
    end: Option<FieldsProgress>,
    fields: Fields,
    framing: Framing,
    set_cookie: SetCookie,
    directives: Directives,
}

impl FieldsParser {
    /// Before the first byte behind the status line of a response of version 1.`minor`.
    pub const fn new(minor: u8) -> Self {
        Self {
            minor,
            len: 0,
            end: None,
            fields: Fields::new(),
            framing: Framing::new(),
            set_cookie: SetCookie::new(),
            directives: Directives::new(),
        }
    }

    /// Bytes of the fields that were read.
    pub const fn read(&self) -> usize {
        self.len
    }

    /// What the fields say, when only the LF of the empty line is missing. `None` before, and when
    /// they contradict themselves.
    pub fn last_lf(&self) -> Option<Fieldset> {
        match self.finish() {
            FieldsProgress::Done(fields) if self.end.is_none() && self.fields.last_lf() => {
                Some(fields)
            }
            _ => None,
        }
    }

    /// Takes the next piece; `name` is the name of our cookie and must be the same every time.
    ///
    /// After the end it answers what it answered then.
    pub fn feed(&mut self, bytes: &[u8], name: &[u8]) -> FieldsProgress {
        let mut rest = bytes;
        while self.end.is_none() {
            let taken = match self.leap(rest, name) {
                Ok(0) => {
                    let Some(b) = rest.first() else { break };
                    if self.len >= MAX_HEAD {
                        self.end = Some(FieldsProgress::TooLong);
                        break;
                    }
                    self.len = self.len.wrapping_add(1);
                    self.end = self.step(*b, name);
                    1
                }
                Ok(n) => n,
                Err(reason) => {
                    self.end = Some(FieldsProgress::Bad(reason));
                    break;
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        self.end.unwrap_or(FieldsProgress::Partial)
    }

    /// Takes all whole lines at the front, or what is there of the value of one that is not whole; how
    /// many bytes that were.
    fn leap(&mut self, bytes: &[u8], name: &[u8]) -> Result<usize, Reason> {
        // A section that is nearly too long is counted byte by byte.
        let room = MAX_HEAD.saturating_sub(self.len).min(bytes.len());
        let bytes = bytes.get(..room).unwrap_or_default();
        if !self.fields.at_line() {
            let taken = self.value(bytes, name);
            self.len = self.len.wrapping_add(taken);
            return Ok(taken);
        }
        let (taken, read) = field::lines(bytes, |line| self.line(line, name));
        // A fault ends the section behind its line.
        self.len = self.len.wrapping_add(taken);
        if taken > 0 {
            self.fields.left_out();
        }
        read.map(|()| taken)
    }

    fn value(&mut self, bytes: &[u8], name: &[u8]) -> usize {
        let (field, run) = self.fields.run(bytes);
        match field {
            Field::Other => {}
            Field::SetCookie => run.iter().for_each(|b| self.set_cookie.push(*b, name)),
            Field::CacheControl => run.iter().for_each(|b| self.directives.push(*b)),
            field => run.iter().for_each(|b| self.framing.value(field, *b)),
        }
        run.len()
    }

    fn line(&mut self, line: &Line<'_>, name: &[u8]) -> Result<(), Reason> {
        let value = line.value();
        match line.field {
            Field::Other => {}
            Field::SetCookie => {
                self.set_cookie.begin();
                value.iter().for_each(|b| self.set_cookie.push(*b, name));
            }
            Field::CacheControl => {
                self.directives.begin(line.field);
                value.iter().for_each(|b| self.directives.push(*b));
                self.directives.end();
            }
            Field::Expires | Field::TargetedCache => self.directives.begin(line.field),
            field => self.framing.whole(field, value)?,
        }
        Ok(())
    }

    fn step(&mut self, b: u8, name: &[u8]) -> Option<FieldsProgress> {
        match self.fields.push(b) {
            Event::None | Event::Value(Field::Other, _) => {}
            Event::Begin(field) => {
                self.framing.begin(field);
                self.set_cookie.begin();
                self.directives.begin(field);
            }
            Event::Value(Field::SetCookie, b) => self.set_cookie.push(b, name),
            Event::Value(Field::CacheControl, b) => self.directives.push(b),
            Event::Value(field, b) => self.framing.value(field, b),
            Event::End(Field::CacheControl) => self.directives.end(),
            Event::End(field) => {
                if let Err(reason) = self.framing.end(field) {
                    return Some(FieldsProgress::Bad(reason));
                }
            }
            Event::Done => return Some(self.finish()),
            Event::Bad(reason) => return Some(FieldsProgress::Bad(reason)),
        }
        None
    }

    fn finish(&self) -> FieldsProgress {
        if let Err(reason) = self.framing.finish(self.minor) {
            return FieldsProgress::Bad(reason);
        }
        FieldsProgress::Done(Fieldset {
            len: self.len,
            content_length: self.framing.length(),
            chunked: self.framing.chunked(),
            connection_close: !self.framing.persistent(self.minor),
            upgrade: self.framing.upgrade(),
            sets_cookie: self.set_cookie.found,
            caching: self.directives.caching(),
        })
    }
}

/// Whether a Set-Cookie field names our cookie.
#[derive(Clone, Copy, Debug)]
struct SetCookie {
    /// Bytes of the name that matched; `None` if it is another name.
    matched: Option<u16>,
    /// Whitespace was seen behind the name: browsers cut it off.
    gap: bool,
    found: bool,
}

impl SetCookie {
    const fn new() -> Self {
        Self {
            matched: Some(0),
            gap: false,
            found: false,
        }
    }

    fn begin(&mut self) {
        *self = Self {
            found: self.found,
            ..Self::new()
        };
    }

    fn push(&mut self, b: u8, name: &[u8]) {
        let Some(at) = self.matched else { return };
        self.matched = match name.get(usize::from(at)) {
            Some(want) if *want == b && !self.gap => at.checked_add(1),
            None if b == b'=' => {
                self.found |= !name.is_empty();
                None
            }
            None if is_ows(b) => {
                self.gap = true;
                Some(at)
            }
            _ => None,
        };
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_http_response))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn status(bytes: &[u8]) -> StatusProgress {
        StatusParser::new().feed(bytes)
    }

    fn fields(bytes: &[u8]) -> FieldsProgress {
        FieldsParser::new(1).feed(bytes, b"homing")
    }

    const NONE: Fieldset = Fieldset {
        len: 0,
        content_length: None,
        chunked: false,
        connection_close: false,
        upgrade: false,
        sets_cookie: false,
        caching: Directives::new().caching(),
    };

    #[test]
    fn status_lines() {
        for (bytes, code, minor, line_len) in [
            (&b"HTTP/1.1 200 OK\r\n"[..], 200, 1, 17),
            (b"HTTP/1.0 404 Not Found\r\nServer", 404, 0, 24),
            (b"HTTP/1.1 200 \r\n", 200, 1, 15),
            (b"HTTP/1.1 200\r\n", 200, 1, 14),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP", 100, 1, 23),
            (b"HTTP/1.1 599 \xe9\t!\r\n", 599, 1, 18),
        ] {
            let want = StatusProgress::Status {
                code,
                minor,
                line_len,
            };
            assert_eq!(status(bytes), want);
            for cut in 0..bytes.len() {
                let mut p = StatusParser::new();
                let first = p.feed(&bytes[..cut]);
                let more = cut < line_len;
                assert!(more == (first == StatusProgress::Partial));
                assert_eq!(p.feed(&bytes[cut..]), want);
            }
        }
    }

    #[test]
    fn status_lines_that_are_none() {
        for bytes in [
            &b"\0"[..],
            b"http/1.1 200 OK\r\n",
            b"HTTP/2.0 200 OK\r\n",
            b"HTTP/1.2 200 OK\r\n",
            b"HTTP/1.1  200 OK\r\n",
            b"HTTP/1.1 20 OK\r\n",
            b"HTTP/1.1 2000 OK\r\n",
            b"HTTP/1.1 099 OK\r\n",
            b"HTTP/1.1 600 OK\r\n",
            b"HTTP/1.1 2x0 OK\r\n",
            b"HTTP/1.1 2:0 OK\r\n",
            b"HTTP/1.1 200 OK\n",
            b"HTTP/1.1 200\n",
            b"HTTP/1.1 200 O\0K\r\n",
            b"HTTP/1.1 200 OK\rX",
            b"\r\nHTTP/1.1 200 OK\r\n",
        ] {
            assert_eq!(status(bytes), StatusProgress::NotHttp);
        }
    }

    #[test]
    fn a_status_line_has_a_limit() {
        let mut p = StatusParser::new();
        assert_eq!(p.feed(b"HTTP/1.1 200 "), StatusProgress::Partial);
        for _ in 13..MAX_STATUS_LINE {
            assert_eq!(p.feed(b"x"), StatusProgress::Partial);
        }
        assert_eq!(p.feed(b"x"), StatusProgress::NotHttp);
    }

    #[test]
    fn everything_the_fields_can_say() {
        let bytes = b"Server: x\r\nset-cookie: a=b\r\nSet-Cookie: homing=c; Path=/\r\n\
            Content-Length: 5\r\nConnection: close\r\nUpgrade: h2c\r\nExpires: 0\r\n\
            Cache-Control: public, s-maxage=5,max-age=\"7\"\r\n\r\nhello";
        let caching = Caching {
            public: true,
            s_maxage: true,
            max_age: true,
            expires: true,
            ..Caching::default()
        };
        let want = Fieldset {
            len: bytes.len() - 5,
            content_length: Some(5),
            chunked: false,
            connection_close: true,
            upgrade: true,
            sets_cookie: true,
            caching,
        };
        for cut in 0..=bytes.len() {
            let mut p = FieldsParser::new(1);
            let first = p.feed(&bytes[..cut], b"homing");
            let more = cut < want.len;
            assert!(more == (first == FieldsProgress::Partial));
            assert_eq!(p.feed(&bytes[cut..], b"homing"), FieldsProgress::Done(want));
        }
    }

    #[test]
    fn the_end_shows_one_byte_early() {
        let bytes = b"A: b\r\nSet-Cookie: homing=x\r\n\r\n";
        for cut in 0..=bytes.len() {
            let mut p = FieldsParser::new(1);
            p.feed(&bytes[..cut], b"homing");
            assert_eq!(p.read(), cut);
            let early = p.last_lf().map(|f| (f.len, f.sets_cookie));
            let want = (cut + 1 == bytes.len()).then_some((cut, true));
            assert_eq!(early, want);
        }
        let mut p = FieldsParser::new(1);
        p.feed(
            b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r",
            b"homing",
        );
        assert_eq!(p.last_lf(), None);
    }

    #[test]
    fn no_fields_at_all() {
        assert_eq!(
            fields(b"\r\n"),
            FieldsProgress::Done(Fieldset { len: 2, ..NONE })
        );
        let in_10 = FieldsParser::new(0).feed(b"\r\n", b"homing");
        let want = Fieldset {
            len: 2,
            connection_close: true,
            ..NONE
        };
        assert_eq!(in_10, FieldsProgress::Done(want));
    }

    #[test]
    fn only_our_cookie_is_ours() {
        for (line, want) in [
            (&b"Set-Cookie: homing=x\r\n\r\n"[..], true),
            (b"Set-Cookie:\thoming =x\r\n\r\n", true),
            (b"Set-Cookie: homing=\r\n\r\n", true),
            (b"Set-Cookie: homings=x\r\n\r\n", false),
            (b"Set-Cookie: homin=x\r\n\r\n", false),
            (b"Set-Cookie: Homing=x\r\n\r\n", false),
            (b"Set-Cookie: homing\r\n\r\n", false),
            (b"Set-Cookie: a=homing=x\r\n\r\n", false),
            (b"Set-Cookie: homing a=x\r\n\r\n", false),
            (b"Cookie: homing=x\r\n\r\n", false),
        ] {
            let found = match fields(line) {
                FieldsProgress::Done(set) => Some(set.sets_cookie),
                _ => None,
            };
            assert_eq!(found, Some(want));
        }
    }

    #[test]
    fn fields_that_are_bad_stay_bad() {
        let mut p = FieldsParser::new(1);
        let bad = FieldsProgress::Bad(Reason::ContentLength);
        assert_eq!(
            p.feed(b"Content-Length: 1\r\nContent-Length: 2\r\n", b"homing"),
            bad
        );
        assert_eq!(p.feed(b"\r\n", b"homing"), bad);
        assert_eq!(fields(b"a\n"), FieldsProgress::Bad(Reason::BareLf));
    }

    #[test]
    fn fields_have_a_limit() {
        let mut p = FieldsParser::new(1);
        assert_eq!(p.feed(b"a:", b"homing"), FieldsProgress::Partial);
        for _ in 2..MAX_HEAD {
            assert_eq!(p.feed(b"x", b"homing"), FieldsProgress::Partial);
        }
        assert_eq!(p.feed(b"x", b"homing"), FieldsProgress::TooLong);
    }
}
