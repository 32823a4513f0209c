// SPDX-License-Identifier: GPL-2.0
//! Request heads: method, framing and session cookie, from a stream that arrives in pieces.
//!
//! Speaks to RFC 9112 sections 2 to 6 and RFC 6265 section 4.2.
//!
//! Feeding must begin at a known offset of the stream, the first byte of a connection or the
//! first behind a complete request: never at "a packet that starts like HTTP".

use super::behind_ascii;
use super::behind_visible;
use super::behind_visible_slowly;
use super::cookie::CookieScan;
use super::cookie::CookieValue;
use super::field;
use super::field::Event;
use super::field::Field;
use super::field::Fields;
use super::field::Line;
use super::field::Single;
use super::field::Word;
use super::forbidden;
use super::framing::Framing;
use super::is_tchar;
use super::token_len;
use super::Reason;
use super::MAX_HEAD;

/// Request methods (RFC 9110 section 9, RFC 5789).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `GET`.
    Get,
    /// `HEAD`: the response has no body whatever its head says.
    Head,
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
    /// `DELETE`.
    Delete,
    /// `OPTIONS`.
    Options,
    /// `CONNECT`: what follows may be no HTTP.
    Connect,
    /// `TRACE`.
    Trace,
    /// `PATCH`.
    Patch,
    /// Any other token.
    Other,
}

impl Method {
    /// Whether it asks for nothing to be changed, so that asking twice does no harm (RFC 9110 section
    /// 9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options | Self::Trace)
    }

    /// Methods are case-sensitive.
    fn of(word: &Word) -> Self {
        match word.as_bytes() {
            b"GET" => Self::Get,
            b"HEAD" => Self::Head,
            b"POST" => Self::Post,
            b"PUT" => Self::Put,
            b"DELETE" => Self::Delete,
            b"OPTIONS" => Self::Options,
            b"CONNECT" => Self::Connect,
            b"TRACE" => Self::Trace,
            b"PATCH" => Self::Patch,
            _ => Self::Other,
        }
    }
}

/// The body that follows a request head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// None.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
}

/// A complete head that everybody reads alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head from the first byte fed, the empty line included.
    pub len: usize,
    /// What is asked for.
    pub method: Method,
    /// 0 for HTTP/1.0, 1 for HTTP/1.1.
    pub minor_version: u8,
    /// Our cookie.
    pub cookie: CookieValue,
    /// Whether the client lets another request follow on this connection.
    pub keep_alive: bool,
    /// What follows the head.
    pub body: Body,
    /// There is an Upgrade field: what follows may be no HTTP.
    pub upgrade: bool,
    /// The client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
}

/// How reading ended. All but [`Outcome::Head`] mean: look no further on this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A complete, unambiguous head.
    Head(Head),
    /// No HTTP/1.x request.
    NotHttp(Reason),
    /// A head that two programs might read differently.
    Ambiguous(Reason),
    /// More than [`MAX_HEAD`] bytes without an end.
    TooLong,
}

/// What is known after a piece was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The head goes on.
    Partial,
    /// This is how it ended. Bytes behind the head were not looked at.
    Done(Outcome),
}

/// What stands before the minor version digit.
const VERSION: &[u8] = b"HTTP/1.";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first byte.
    Start,
    /// Behind the CR of an empty line before the request.
    EmptyLf,
    /// In the method, or at its first byte behind an empty line.
    Method,
    /// In the target; `true` behind its first byte.
    Target(bool),
    /// So many bytes into [`VERSION`].
    Version(u8),
    /// At the CR of the request line.
    Cr,
    /// Behind it.
    Lf,
    /// In the field section.
    Fields,
    /// Ended.
    Done(Outcome),
}

/// Reads one request head, fed in pieces of any size.
#[derive(Clone, Copy, Debug)]
pub struct HeadParser {
    state: State,
    len: usize,
    method: Word,
    minor_version: u8,
    fields: Fields,
    framing: Framing,
    cookie: CookieScan,
    expect: Single,
    expect_continue: bool,
}

impl HeadParser {
    /// Before the first byte.
    pub const fn new() -> Self {
        Self {
            state: State::Start,
            len: 0,
            method: Word::EMPTY,
            minor_version: 0,
            fields: Fields::new(),
            framing: Framing::new(),
            cookie: CookieScan::new(),
            expect: Single::EMPTY,
            expect_continue: false,
        }
    }

    /// Takes the next piece; `name` is the name of our cookie and must be the same every time.
    ///
    /// After the end it answers what it answered then, and looks at nothing.
    pub fn feed(&mut self, bytes: &[u8], name: &[u8]) -> Progress {
        let mut rest = bytes;
        while !matches!(self.state, State::Done(_)) {
            let taken = match self.leap(rest, name) {
                Ok(0) => {
                    let Some(b) = rest.first() else { break };
                    if self.len >= MAX_HEAD {
                        self.state = State::Done(Outcome::TooLong);
                        break;
                    }
                    self.len = self.len.wrapping_add(1);
                    match self.step(*b, name) {
                        Ok(state) => self.state = state,
                        Err(outcome) => self.state = State::Done(outcome),
                    }
                    1
                }
                Ok(n) => n,
                Err(outcome) => {
                    self.state = State::Done(outcome);
                    break;
                }
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
        match self.state {
            State::Done(outcome) => Progress::Done(outcome),
            _ => Progress::Partial,
        }
    }

    /// Bytes taken so far.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was taken yet.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes what usually stands here, all at once, and does what the single bytes would have done.
    /// How many bytes it took; 0: whatever comes is for `step`.
    fn leap(&mut self, rest: &[u8], name: &[u8]) -> Result<usize, Outcome> {
        // A head that is nearly too long is counted byte by byte.
        let rest = match MAX_HEAD.checked_sub(self.len) {
            Some(room) if room < rest.len() => rest.get(..room).unwrap_or_default(),
            _ => rest,
        };
        let taken = match self.state {
            State::Start => self.request_line(rest).unwrap_or(0),
            State::Target(true) => rest.len().wrapping_sub(behind_visible::<0x21>(rest).len()),
            State::Fields if self.fields.at_line() => return self.lines(rest, name),
            State::Fields => self.value(rest, name),
            _ => 0,
        };
        self.len = self.len.wrapping_add(taken);
        Ok(taken)
    }

    /// Takes a whole request line of HTTP/1.1 that asks for a path; how many bytes that were.
    fn request_line(&mut self, bytes: &[u8]) -> Option<usize> {
        let (method, rest) = bytes.split_at_checked(token_len(bytes))?;
        let mut rest = behind_ascii::<0x21>(rest.strip_prefix(b" /")?);
        if rest.first() != Some(&b' ') {
            rest = behind_visible_slowly::<0x21>(rest);
        }
        let rest = rest.strip_prefix(b" HTTP/1.1\r\n")?;
        if method.is_empty() || method.len() > Word::CAPACITY {
            return None;
        }
        for b in method {
            self.method.push(*b);
        }
        self.minor_version = 1;
        self.state = State::Fields;
        Some(bytes.len().wrapping_sub(rest.len()))
    }

    /// Takes all whole lines of fields at the front; how many bytes that were.
    fn lines(&mut self, bytes: &[u8], name: &[u8]) -> Result<usize, Outcome> {
        let (taken, read) = field::lines(bytes, |line| self.line(line, name));
        // A fault ends the head behind its line.
        self.len = self.len.wrapping_add(taken);
        if taken > 0 {
            self.fields.left_out();
        }
        read.map_err(Outcome::Ambiguous)?;
        if bytes
            .get(taken..)
            .is_some_and(|rest| rest.starts_with(b"\r\n"))
        {
            self.len = self.len.wrapping_add(2);
            return Err(self.finish());
        }
        Ok(taken)
    }

    /// Takes what is there of a value whose line does not lie whole in what was fed; how many bytes
    /// that were. A cookie of many segments is read at a few instructions a byte.
    fn value(&mut self, bytes: &[u8], name: &[u8]) -> usize {
        let (field, run) = self.fields.run(bytes);
        match field {
            Field::Other => {}
            Field::Cookie => self.cookie.run(run, name),
            Field::Expect => run.iter().for_each(|b| self.expect.push(*b)),
            field => run.iter().for_each(|b| self.framing.value(field, *b)),
        }
        run.len()
    }

    fn line(&mut self, line: &Line<'_>, name: &[u8]) -> Result<(), Reason> {
        let value = line.value();
        match line.field {
            Field::Other | Field::CacheControl => {}
            Field::Cookie => self.cookie.value(value, name),
            Field::Expect => {
                self.expect = Single::EMPTY;
                for b in value {
                    self.expect.push(*b);
                }
                self.expect_continue |= self.expect.is(b"100-continue");
            }
            field => self.framing.whole(field, value)?,
        }
        Ok(())
    }

    /// Takes one byte: the next state, or why reading ends here.
    fn step(&mut self, b: u8, name: &[u8]) -> Result<State, Outcome> {
        match self.state {
            State::Start if b == b'\r' => Ok(State::EmptyLf),
            State::EmptyLf => match b {
                b'\n' => Ok(State::Method),
                _ => Err(Outcome::Ambiguous(Reason::BareCr)),
            },
            State::Start | State::Method => self.method(b),
            State::Target(begun) => target(b, begun),
            State::Version(at) => self.version(b, at),
            State::Cr => match b {
                b'\r' => Ok(State::Lf),
                b'\n' => Err(Outcome::Ambiguous(Reason::BareLf)),
                _ => Err(Outcome::NotHttp(Reason::Version)),
            },
            State::Lf => match b {
                b'\n' => Ok(State::Fields),
                _ => Err(Outcome::Ambiguous(Reason::BareCr)),
            },
            State::Fields => self.field(b, name),
            State::Done(outcome) => Err(outcome),
        }
    }

    fn method(&mut self, b: u8) -> Result<State, Outcome> {
        match b {
            b' ' if !self.method.is_empty() => Ok(State::Target(false)),
            b'\n' => Err(Outcome::Ambiguous(Reason::BareLf)),
            _ if is_tchar(b) => {
                self.method.push(b);
                // Longer than any method, so that a foreign protocol does not go on for long.
                if self.method.as_bytes().is_empty() {
                    return Err(Outcome::NotHttp(Reason::Method));
                }
                Ok(State::Method)
            }
            _ => Err(Outcome::NotHttp(Reason::Method)),
        }
    }

    fn version(&mut self, b: u8, at: u8) -> Result<State, Outcome> {
        if b == b'\n' {
            return Err(Outcome::Ambiguous(Reason::BareLf));
        }
        match VERSION.get(usize::from(at)) {
            Some(want) if *want == b => Ok(State::Version(at.saturating_add(1))),
            None if b == b'0' || b == b'1' => {
                self.minor_version = b & 1;
                Ok(State::Cr)
            }
            _ => Err(Outcome::NotHttp(Reason::Version)),
        }
    }

    fn field(&mut self, b: u8, name: &[u8]) -> Result<State, Outcome> {
        match self.fields.push(b) {
            Event::None | Event::Value(Field::Other, _) => {}
            Event::Begin(field) => {
                self.framing.begin(field);
                self.expect = Single::EMPTY;
            }
            Event::Value(Field::Cookie, b) => self.cookie.push(b, name),
            Event::Value(Field::Expect, b) => self.expect.push(b),
            Event::Value(field, b) => self.framing.value(field, b),
            Event::End(Field::Cookie) => self.cookie.end(),
            Event::End(Field::Expect) => self.expect_continue |= self.expect.is(b"100-continue"),
            Event::End(field) => self.framing.end(field).map_err(Outcome::Ambiguous)?,
            Event::Done => return Err(self.finish()),
            Event::Bad(reason) => return Err(Outcome::Ambiguous(reason)),
        }
        Ok(State::Fields)
    }

    fn finish(&self) -> Outcome {
        if let Err(reason) = self.framing.finish(self.minor_version) {
            return Outcome::Ambiguous(reason);
        }
        Outcome::Head(Head {
            len: self.len,
            method: Method::of(&self.method),
            minor_version: self.minor_version,
            cookie: self.cookie.found(),
            keep_alive: self.framing.persistent(self.minor_version),
            body: match self.framing.length() {
                _ if self.framing.chunked() => Body::Chunked,
                None | Some(0) => Body::None,
                Some(n) => Body::Length(n),
            },
            upgrade: self.framing.upgrade(),
            expect_continue: self.expect_continue,
        })
    }
}

impl Default for HeadParser {
    fn default() -> Self {
        Self::new()
    }
}

fn target(b: u8, begun: bool) -> Result<State, Outcome> {
    match b {
        b' ' if begun => Ok(State::Version(0)),
        b' ' | b'\t' => Err(Outcome::Ambiguous(Reason::Target)),
        // HTTP/0.9, which has no version.
        b'\r' => Err(Outcome::NotHttp(Reason::Version)),
        b'\n' => Err(Outcome::Ambiguous(Reason::BareLf)),
        _ => match forbidden(b) {
            Some(reason) => Err(Outcome::Ambiguous(reason)),
            None => Ok(State::Target(true)),
        },
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_http_head))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const NAME: &[u8] = b"homing";
    /// What 31 `A` and a `-` stand for.
    const SID: CookieValue = {
        let mut bytes = [0; 24];
        let [.., last] = &mut bytes;
        *last = 62;
        CookieValue::One(bytes)
    };

    fn run(bytes: &[u8]) -> Progress {
        HeadParser::new().feed(bytes, NAME)
    }

    fn head(bytes: &[u8]) -> Option<Head> {
        match run(bytes) {
            Progress::Done(Outcome::Head(head)) => Some(head),
            _ => None,
        }
    }

    #[test]
    fn the_smallest_request() {
        let want = Head {
            len: 18,
            method: Method::Get,
            minor_version: 0,
            cookie: CookieValue::Absent,
            keep_alive: false,
            body: Body::None,
            upgrade: false,
            expect_continue: false,
        };
        assert_eq!(head(b"GET / HTTP/1.0\r\n\r\n"), Some(want));
        assert_eq!(
            head(b"GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n"),
            Some(want)
        );
        assert_eq!(
            head(b"\r\nGET / HTTP/1.0\r\n\r\n"),
            Some(Head { len: 20, ..want })
        );
    }

    #[test]
    fn every_field_that_counts() {
        let bytes = b"POST /x?y=z HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nUpgrade: h2c\r\n\
            cOOKIE: a=b; homing=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-; c=d\r\nContent-Length: 12\r\n\
            Connection: keep-alive\r\n\r\nbody";
        let want = Head {
            len: bytes.len() - 4,
            method: Method::Post,
            minor_version: 1,
            cookie: SID,
            keep_alive: true,
            body: Body::Length(12),
            upgrade: true,
            expect_continue: true,
        };
        assert_eq!(head(bytes), Some(want));
        for cut in 0..bytes.len() {
            let mut parser = HeadParser::new();
            let first = parser.feed(&bytes[..cut], NAME);
            let more = cut < want.len;
            assert!(more == (first == Progress::Partial));
            let both = parser.feed(&bytes[cut..], NAME);
            assert_eq!(both, Progress::Done(Outcome::Head(want)));
        }
    }

    #[test]
    fn methods() {
        for (line, method) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], Method::Get),
            (b"HEAD / HTTP/1.1\r\n\r\n", Method::Head),
            (b"PUT / HTTP/1.1\r\n\r\n", Method::Put),
            (b"DELETE / HTTP/1.1\r\n\r\n", Method::Delete),
            (b"OPTIONS * HTTP/1.1\r\n\r\n", Method::Options),
            (b"CONNECT a:1 HTTP/1.1\r\n\r\n", Method::Connect),
            (b"TRACE / HTTP/1.1\r\n\r\n", Method::Trace),
            (b"PATCH / HTTP/1.1\r\n\r\n", Method::Patch),
            (b"get / HTTP/1.1\r\n\r\n", Method::Other),
            (b"UPDATEREDIRECTREF12 / HTTP/1.1\r\n\r\n", Method::Other),
        ] {
            assert_eq!(head(line).map(|h| h.method), Some(method));
        }
    }

    #[test]
    fn request_lines_that_are_none() {
        use Outcome::Ambiguous;
        use Outcome::NotHttp;
        for (bytes, want) in [
            (&b"\x16\x03\x01\0"[..], NotHttp(Reason::Method)),
            (b"\0", NotHttp(Reason::Method)),
            (b" GET", NotHttp(Reason::Method)),
            (b"\r\n\r\n", NotHttp(Reason::Method)),
            (b"G\0T", NotHttp(Reason::Method)),
            (b"SSH-2.0-x\r\n", NotHttp(Reason::Method)),
            (b"AAAAAAAAAAAAAAAAAAAAA", NotHttp(Reason::Method)),
            (b"GET /\r\n", NotHttp(Reason::Version)),
            (b"GET / HTTP/0.9\r\n", NotHttp(Reason::Version)),
            (b"GET / HTTP/1.2\r\n", NotHttp(Reason::Version)),
            (b"GET / HTTP/1.10\r\n", NotHttp(Reason::Version)),
            (b"GET / HTTP/1.1 \r\n", NotHttp(Reason::Version)),
            (b"GET / http/1.1\r\n", NotHttp(Reason::Version)),
            (b"GET /a b HTTP/1.1\r\n", NotHttp(Reason::Version)),
            (b"GET /  HTTP/1.1\r\n", NotHttp(Reason::Version)),
            (b"PRI * HTTP/2.0\r\n", NotHttp(Reason::Version)),
            (b"\n", Ambiguous(Reason::BareLf)),
            (b"\r\n\n", Ambiguous(Reason::BareLf)),
            (b"\rG", Ambiguous(Reason::BareCr)),
            (b"GET\n", Ambiguous(Reason::BareLf)),
            (b"GET  / HTTP/1.1", Ambiguous(Reason::Target)),
            (b"GET \t/", Ambiguous(Reason::Target)),
            (b"GET /\t", Ambiguous(Reason::Target)),
            (b"GET /\n", Ambiguous(Reason::BareLf)),
            (b"GET /\0", Ambiguous(Reason::Nul)),
            (b"GET /\x7f", Ambiguous(Reason::Control)),
            (b"GET / HTTP/1\n", Ambiguous(Reason::BareLf)),
            (b"GET / HTTP/1.1\n", Ambiguous(Reason::BareLf)),
            (b"GET / HTTP/1.1\rX", Ambiguous(Reason::BareCr)),
        ] {
            assert_eq!(run(bytes), Progress::Done(want));
        }
    }

    #[test]
    fn fields_that_are_ambiguous() {
        for (bytes, reason) in [
            (&b"GET / HTTP/1.1\r\n x: y\r\n\r\n"[..], Reason::Name),
            (b"GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", Reason::Fold),
            (b"GET / HTTP/1.1\r\na: b\n\r\n", Reason::BareLf),
            (b"GET / HTTP/1.1\r\na: b\r\n\n", Reason::BareLf),
            (b"GET / HTTP/1.1\r\na : b\r\n\r\n", Reason::Name),
            (b"GET / HTTP/1.1\r\na: b\0\r\n\r\n", Reason::Nul),
            (
                b"GET / HTTP/1.1\r\nContent-Length:\r\n\r\n",
                Reason::ContentLength,
            ),
            (
                b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                Reason::ContentLength,
            ),
            (
                b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                Reason::BothLengths,
            ),
            (
                b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
                Reason::TransferEncoding,
            ),
            (
                b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
                Reason::TransferEncoding,
            ),
        ] {
            assert_eq!(run(bytes), Progress::Done(Outcome::Ambiguous(reason)));
        }
    }

    #[test]
    fn bodies() {
        for (bytes, body) in [
            (
                &b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"[..],
                Body::None,
            ),
            (
                b"POST / HTTP/1.1\r\ncontent-length:7\r\n\r\n",
                Body::Length(7),
            ),
            (
                b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n",
                Body::Chunked,
            ),
        ] {
            assert_eq!(head(bytes).map(|h| h.body), Some(body));
        }
    }

    #[test]
    fn cookie_fields_add_up() {
        let one = b"GET / HTTP/1.1\r\nCookie: a=b\r\nX: homing=c\r\n\
            Cookie: homing=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-\r\n\r\n";
        assert_eq!(head(one).map(|h| h.cookie), Some(SID));
        let two = b"GET / HTTP/1.1\r\nCookie: homing=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-\r\n\
            Cookie: homing=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_\r\n\r\n";
        assert_eq!(head(two).map(|h| h.cookie), Some(CookieValue::Conflict));
        let bad = b"GET / HTTP/1.1\r\nCookie: homing=short\r\n\r\n";
        assert_eq!(head(bad).map(|h| h.cookie), Some(CookieValue::Malformed));
    }

    #[test]
    fn the_longest_head() {
        // 16 bytes of request line, 16364 of one field, 4 of the end.
        let mut p = HeadParser::new();
        assert!(p.is_empty());
        assert_eq!(p.feed(b"GET / HTTP/1.1\r\na:", NAME), Progress::Partial);
        for _ in 0..(MAX_HEAD - 18 - 4) / 2 {
            assert_eq!(p.feed(b"xx", NAME), Progress::Partial);
        }
        assert_eq!(p.len(), MAX_HEAD - 4);
        assert!(!p.is_empty());
        let mut longer = p;
        assert!(matches!(
            p.feed(b"\r\n\r\n", NAME),
            Progress::Done(Outcome::Head(Head { len: MAX_HEAD, .. }))
        ));
        assert_eq!(longer.feed(b"x\r\n\r", NAME), Progress::Partial);
        assert_eq!(longer.feed(b"\n", NAME), Progress::Done(Outcome::TooLong));
        assert_eq!(
            longer.feed(b"\r\n\r\n", NAME),
            Progress::Done(Outcome::TooLong)
        );
    }
}
