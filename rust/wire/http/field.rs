// SPDX-License-Identifier: GPL-2.0
//! Field lines of a head: which of the names we know, where values begin and end, where all ends.
//!
//! Speaks to RFC 9112 section 5 (field syntax) and section 2.2 (line ends), strictly: CRLF only,
//! no folding, no space before the colon.

use super::behind_ascii;
use super::behind_visible;
use super::behind_visible_slowly;
use super::forbidden;
use super::is_ows;
use super::is_tchar;
use super::is_word;
use super::named;
use super::Reason;

/// A short word collected byte by byte; a longer one equals nothing.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl Word {
    /// Longest word that is told apart: more than any name or value that matters.
    pub const CAPACITY: usize = 20;

    /// The empty word.
    pub const EMPTY: Self = Self {
        bytes: [0; Self::CAPACITY],
        len: 0,
    };

    /// Appends a byte.
    pub fn push(&mut self, b: u8) {
        if let Some(slot) = self.bytes.get_mut(usize::from(self.len)) {
            *slot = b;
        }
        self.len = self.len.saturating_add(1);
    }

    /// Whether nothing was pushed.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes; empty if there were too many to keep.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether the word is `other`, case ignored; `other` must not be empty.
    pub fn is(&self, other: &[u8]) -> bool {
        self.as_bytes().eq_ignore_ascii_case(other)
    }
}

/// The fields that somebody here reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// None of the others.
    Other,
    /// `Cookie`.
    Cookie,
    /// `Set-Cookie`.
    SetCookie,
    /// `Content-Length`.
    ContentLength,
    /// `Transfer-Encoding`.
    TransferEncoding,
    /// `Connection`.
    Connection,
    /// `Upgrade`.
    Upgrade,
    /// `Expect`.
    Expect,
    /// `Cache-Control`.
    CacheControl,
    /// `Expires`.
    Expires,
    /// Directives for caches of a certain kind, which those prefer to `Cache-Control`: RFC 9213's
    /// `CDN-Cache-Control`, and the older `Surrogate-Control`.
    TargetedCache,
}

impl Field {
    /// The field with this name.
    fn of(name: &[u8]) -> Self {
        // By the length first: most names are none of these.
        let (text, field): (&[u8], _) = match name.len() {
            6 if matches!(name.first(), Some(b'c' | b'C')) => (b"cookie", Field::Cookie),
            6 => (b"expect", Field::Expect),
            7 if matches!(name.first(), Some(b'u' | b'U')) => (b"upgrade", Field::Upgrade),
            7 => (b"expires", Field::Expires),
            10 if matches!(name.first(), Some(b's' | b'S')) => (b"set-cookie", Field::SetCookie),
            10 => (b"connection", Field::Connection),
            13 => (b"cache-control", Field::CacheControl),
            14 => (b"content-length", Field::ContentLength),
            17 => match name.first() {
                Some(b't' | b'T') => (b"transfer-encoding", Field::TransferEncoding),
                Some(b'c' | b'C') => (b"cdn-cache-control", Field::TargetedCache),
                _ => (b"surrogate-control", Field::TargetedCache),
            },
            _ => return Field::Other,
        };
        if is_word(name, text) {
            field
        } else {
            Field::Other
        }
    }
}

/// A field line that lies whole in what was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Which field it is.
    pub field: Field,
    /// What stands between the colon and the end.
    text: &'a [u8],
}

impl<'a> Line<'a> {
    /// The line at the front of `bytes`, when it lies whole there and is as nearly all are, and what
    /// stands behind it. It stands for the events from [`Event::Begin`] to [`Event::End`].
    #[inline(always)]
    pub fn read(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (name, value) = named(bytes).filter(|(name, _)| !name.is_empty())?;
        let mut end = behind_ascii::<b' '>(value);
        if end.first_chunk() != Some(b"\r\n") {
            end = behind_visible_slowly::<b' '>(end);
        }
        let rest = end.strip_prefix(b"\r\n")?;
        let text = value.get(..value.len().wrapping_sub(end.len()))?;
        let field = Field::of(name);
        Some((Self { field, text }, rest))
    }

    /// Its value, without the spaces before it.
    pub fn value(&self) -> &'a [u8] {
        let mut value = self.text;
        while let Some((b' ', more)) = value.split_first() {
            value = more;
        }
        value
    }
}

/// Takes all whole lines at the front of `bytes`. `read` gets those of fields that somebody reads, and
/// may end it with a fault. How many bytes that were, the line with the fault among them.
#[inline(always)]
pub fn lines(
    bytes: &[u8],
    mut read: impl FnMut(&Line<'_>) -> Result<(), Reason>,
) -> (usize, Result<(), Reason>) {
    let mut rest = bytes;
    let mut fault = Ok(());
    while let Some((line, behind)) = Line::read(rest) {
        rest = behind;
        if line.field == Field::Other {
            continue;
        }
        fault = read(&line);
        if fault.is_err() {
            break;
        }
    }
    (bytes.len().wrapping_sub(rest.len()), fault)
}

/// What a byte of the field section meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet.
    None,
    /// The name is complete; its value follows.
    Begin(Field),
    /// A byte of the value; whitespace before the value is left out, behind it is not.
    Value(Field, u8),
    /// The value is complete.
    End(Field),
    /// The empty line: the head is complete.
    Done,
    /// The section is not what it should be. Nothing more must be fed.
    Bad(Reason),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At the first byte of a line.
    Line,
    /// In a name.
    Name,
    /// Behind the colon, before the value.
    Space,
    /// In the value.
    Value,
    /// Behind the CR of a field line.
    Lf,
    /// Behind the CR of the empty line.
    LastLf,
}

/// Cuts the field section, from the byte behind the start line's CRLF, into events.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    state: State,
    field: Field,
    first: bool,
    name: Word,
}

impl Fields {
    /// At the beginning of a section.
    pub const fn new() -> Self {
        Self {
            state: State::Line,
            field: Field::Other,
            first: true,
            name: Word::EMPTY,
        }
    }

    /// Whether only the LF of the empty line is missing.
    pub fn last_lf(&self) -> bool {
        self.state == State::LastLf
    }

    /// Whether a line begins here. Then lines that [`Line::read`] finds may be left out of what is
    /// pushed.
    pub fn at_line(&self) -> bool {
        self.state == State::Line
    }

    /// Lines were left out.
    pub fn left_out(&mut self) {
        self.first = false;
    }

    /// The bytes at the front that are all of the value at hand, and its field: each stands for an
    /// [`Event::Value`], and may be left out of what is pushed. None elsewhere than inside a value.
    pub fn run<'a>(&self, bytes: &'a [u8]) -> (Field, &'a [u8]) {
        if self.state != State::Value {
            return (self.field, &[]);
        }
        let len = bytes
            .len()
            .wrapping_sub(behind_visible::<b' '>(bytes).len());
        (self.field, bytes.get(..len).unwrap_or_default())
    }

    /// Takes the next byte.
    pub fn push(&mut self, b: u8) -> Event {
        match self.state {
            State::Line => self.line(b),
            State::Name => self.name(b),
            State::Space if is_ows(b) => Event::None,
            State::Space | State::Value => self.value(b),
            State::Lf if b == b'\n' => {
                self.state = State::Line;
                Event::End(self.field)
            }
            State::LastLf if b == b'\n' => Event::Done,
            State::Lf | State::LastLf => Event::Bad(Reason::BareCr),
        }
    }

    fn line(&mut self, b: u8) -> Event {
        let first = core::mem::replace(&mut self.first, false);
        match b {
            b'\r' => {
                self.state = State::LastLf;
                Event::None
            }
            b'\n' => Event::Bad(Reason::BareLf),
            _ if is_ows(b) && !first => Event::Bad(Reason::Fold),
            _ if is_tchar(b) => {
                self.name = Word::EMPTY;
                self.name.push(b);
                self.state = State::Name;
                Event::None
            }
            0 => Event::Bad(Reason::Nul),
            _ => Event::Bad(Reason::Name),
        }
    }

    fn name(&mut self, b: u8) -> Event {
        match b {
            b':' => {
                self.field = Field::of(self.name.as_bytes());
                self.state = State::Space;
                Event::Begin(self.field)
            }
            _ if is_tchar(b) => {
                self.name.push(b);
                Event::None
            }
            0 => Event::Bad(Reason::Nul),
            b'\n' => Event::Bad(Reason::BareLf),
            _ => Event::Bad(Reason::Name),
        }
    }

    fn value(&mut self, b: u8) -> Event {
        match b {
            b'\r' => {
                self.state = State::Lf;
                Event::None
            }
            b'\n' => Event::Bad(Reason::BareLf),
            _ => {
                if let Some(reason) = forbidden(b) {
                    return Event::Bad(reason);
                }
                self.state = State::Value;
                Event::Value(self.field, b)
            }
        }
    }
}

impl Default for Fields {
    fn default() -> Self {
        Self::new()
    }
}

/// A value that is one word: collected without the whitespace around it.
#[derive(Clone, Copy, Debug)]
pub struct Single {
    word: Word,
    gap: bool,
    split: bool,
}

impl Single {
    /// Nothing yet.
    pub const EMPTY: Self = Self {
        word: Word::EMPTY,
        gap: false,
        split: false,
    };

    /// Takes a byte of the value.
    pub fn push(&mut self, b: u8) {
        if is_ows(b) {
            self.gap = true;
        } else {
            self.split |= self.gap;
            self.word.push(b);
        }
    }

    /// The word; empty if there was none, if it was too long, or if there were several.
    pub fn as_bytes(&self) -> &[u8] {
        if self.split {
            &[]
        } else {
            self.word.as_bytes()
        }
    }

    /// Whether the value is `other`, case ignored.
    pub fn is(&self, other: &[u8]) -> bool {
        self.as_bytes().eq_ignore_ascii_case(other)
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_http_field))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    /// The last event, and the number of bytes that it took.
    fn run(bytes: &[u8]) -> (Event, usize) {
        let mut fields = Fields::new();
        for (i, b) in bytes.iter().enumerate() {
            let event = fields.push(*b);
            if matches!(event, Event::Done | Event::Bad(_)) {
                return (event, i + 1);
            }
        }
        (Event::None, bytes.len())
    }

    #[test]
    fn ends_at_the_empty_line() {
        assert_eq!(run(b"\r\nX"), (Event::Done, 2));
        assert_eq!(run(b"Host: a\r\n\r\nX"), (Event::Done, 11));
        assert_eq!(run(b"a:\r\nb: \t \r\n\r\n"), (Event::Done, 13));
        assert_eq!(run(b"a:\xff\x80\r\n\r\n"), (Event::Done, 8));
    }

    #[test]
    fn a_whole_line_is_its_bytes_one_by_one() {
        for line in [
            &b"a:b\r\n"[..],
            b"Cookie:   x=y; z \r\n",
            b"CONNECTION:\r\n",
            b"expect: \xff\x80\r\n",
            b"X-Y: 1\r\nZ: 2\r\n",
            b"a:b\tc\r\n",
            b"a:\tb\r\n",
            b"a:b\x7f\r\n",
            b"a:b\r\r\n",
            b"a:b\n",
            b":b\r\n",
            b"a b\r\n",
            b"\r\n",
            b" a:b\r\n",
            b"a",
            b"a:b",
            b"a:b\r",
            b"",
        ] {
            let Some((taken, rest)) = Line::read(line) else {
                assert!(!line.ends_with(b"\r\n") || line.iter().any(|b| *b < 32 || *b == 127));
                continue;
            };
            let mut fields = Fields::new();
            let mut value = [0u8; 32];
            let (mut n, mut events) = (0, 0);
            for b in &line[..line.len() - rest.len()] {
                match fields.push(*b) {
                    Event::None => {}
                    Event::Value(field, b) => {
                        assert_eq!(field, taken.field);
                        value[n] = b;
                        n += 1;
                    }
                    event => {
                        let want = [Event::Begin(taken.field), Event::End(taken.field)];
                        assert_eq!(event, want[events]);
                        events += 1;
                    }
                }
            }
            assert_eq!((&value[..n], events), (taken.value(), 2));
            assert!(fields.at_line());
            let mut left_out = Fields::new();
            left_out.left_out();
            assert_eq!(left_out.push(b' '), fields.push(b' '));
        }
    }

    #[test]
    fn every_fault_is_found_at_its_byte() {
        for (bytes, reason, at) in [
            (&b" a:b\r\n"[..], Reason::Name, 1),
            (b"a:b\r\n c\r\n", Reason::Fold, 6),
            (b"a:b\r\n\tc\r\n", Reason::Fold, 6),
            (b":b\r\n", Reason::Name, 1),
            (b"a :b\r\n", Reason::Name, 2),
            (b"a\t:b\r\n", Reason::Name, 2),
            (b"a\r\n", Reason::Name, 2),
            (b"a\n", Reason::BareLf, 2),
            (b"\n", Reason::BareLf, 1),
            (b"a:b\n", Reason::BareLf, 4),
            (b"a:\n", Reason::BareLf, 3),
            (b"a:b\rc", Reason::BareCr, 5),
            (b"a:b\r\r\n", Reason::BareCr, 5),
            (b"\rx", Reason::BareCr, 2),
            (b"a\0:b", Reason::Nul, 2),
            (b"\0", Reason::Nul, 1),
            (b"a:b\0", Reason::Nul, 4),
            (b"a:\0", Reason::Nul, 3),
            (b"a:b\x0bc", Reason::Control, 4),
            (b"a:\x7f", Reason::Control, 3),
            (b"\xe9:b", Reason::Name, 1),
            (b"a\xe9:b", Reason::Name, 2),
            (b"a(:b", Reason::Name, 2),
            (b"a\x01:b", Reason::Name, 2),
        ] {
            assert_eq!(run(bytes), (Event::Bad(reason), at));
        }
    }

    #[test]
    fn names_are_known_in_any_case_and_only_whole() {
        for (name, field) in [
            (&b"cookie"[..], Field::Cookie),
            (b"COOKIE", Field::Cookie),
            (b"Set-Cookie", Field::SetCookie),
            (b"Content-Length", Field::ContentLength),
            (b"tRANSFER-eNCODING", Field::TransferEncoding),
            (b"connection", Field::Connection),
            (b"upgrade", Field::Upgrade),
            (b"expect", Field::Expect),
            (b"cache-control", Field::CacheControl),
            (b"expires", Field::Expires),
            (b"CDN-Cache-Control", Field::TargetedCache),
            (b"surrogate-control", Field::TargetedCache),
            (b"cookies", Field::Other),
            (b"cooki", Field::Other),
            (b"x-cookie", Field::Other),
            (b"transfer-encodingtransfer-encoding", Field::Other),
        ] {
            let mut fields = Fields::new();
            for b in name {
                assert_eq!(fields.push(*b), Event::None);
            }
            assert_eq!(fields.push(b':'), Event::Begin(field));
        }
    }

    #[test]
    fn a_single_word_stands_alone() {
        let single = |bytes: &[u8]| {
            let mut s = Single::EMPTY;
            bytes.iter().for_each(|b| s.push(*b));
            s
        };
        assert!(single(b"Chunked \t").is(b"chunked"));
        assert!(!single(b"chunked x").is(b"chunked"));
        assert!(!single(b"chunked, chunked").is(b"chunked"));
        assert_eq!(single(b"1 2").as_bytes(), b"");
        assert_eq!(single(b"123456789012345678901").as_bytes(), b"");
        assert_eq!(
            single(b"12345678901234567890").as_bytes(),
            b"12345678901234567890"
        );
    }
}
