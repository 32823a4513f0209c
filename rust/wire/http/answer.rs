// SPDX-License-Identifier: GPL-2.0
//! How long a response is: its head and the lines of its chunks, read where they stand whole.
//!
//! Speaks to RFC 9112 section 6.3 (message body length) and section 7.1 (chunked coding).
//!
//! For a reader that wants to know where one response ends, and nothing else. What it cannot read
//! is nothing worse than an end that is not known.

use super::response::FieldsParser;
use super::response::FieldsProgress;
use super::response::Fieldset;
use super::response::StatusParser;
use super::response::StatusProgress;

/// Longest body whose end is told, bytes: sequence numbers are compared across it.
pub const MAX_BODY: u64 = 1 << 30;

/// How a response goes on behind its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Not the last: another response to the same request follows at once.
    Interim,
    /// With so many bytes.
    Length(u32),
    /// With chunks.
    Chunks,
}

/// Reads one response head, fed in pieces of any size.
#[derive(Clone, Copy, Debug)]
pub struct AnswerParser {
    status: StatusParser,
    code: u16,
    fields: Option<FieldsParser>,
    ended: Option<Option<Fieldset>>,
}

impl AnswerParser {
    /// Before the first byte.
    pub const fn new() -> Self {
        Self {
            status: StatusParser::new(),
            code: 0,
            fields: None,
            ended: None,
        }
    }

    /// Takes the next piece; whether more is wanted.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        if self.fields.is_none() && self.ended.is_none() {
            let before = self.status.read();
            match self.status.feed(rest) {
                StatusProgress::Partial => return true,
                StatusProgress::NotHttp => self.ended = Some(None),
                StatusProgress::Status { code, minor, .. } => {
                    self.code = code;
                    self.fields = Some(FieldsParser::new(minor));
                }
            }
            let taken = self.status.read().saturating_sub(before);
            rest = rest.get(taken..).unwrap_or_default();
        }
        if let (Some(fields), None) = (&mut self.fields, self.ended) {
            match fields.feed(rest, b"") {
                FieldsProgress::Partial => return true,
                FieldsProgress::Done(found) => self.ended = Some(Some(found)),
                FieldsProgress::Bad(_) | FieldsProgress::TooLong => self.ended = Some(None),
            }
        }
        false
    }

    /// Bytes of the head, and how the response goes on. `None`: the head is not complete, or only
    /// the end of the connection ends the response, or what follows may be no HTTP.
    ///
    /// `head`: it answers a HEAD request.
    pub fn answer(&self, head: bool) -> Option<(u32, Answer)> {
        let fields = self.ended??;
        let len = u32::try_from(self.status.read().checked_add(fields.len)?).ok()?;
        let answer = match self.code {
            101 => return None,
            100..=199 => Answer::Interim,
            _ if fields.connection_close || fields.upgrade => return None,
            204 | 304 => Answer::Length(0),
            _ if head => Answer::Length(0),
            _ if fields.chunked => Answer::Chunks,
            _ => Answer::Length(fields.content_length.filter(|n| *n <= MAX_BODY)? as u32),
        };
        Some((len, answer))
    }
}

impl Default for AnswerParser {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads the line in front of a chunk, fed in pieces of any size. Extensions and trailers are not
/// read.
#[derive(Clone, Copy, Debug)]
pub struct ChunkParser {
    state: Chunk,
    digits: u8,
    size: u32,
    len: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Chunk {
    Size,
    Lf,
    /// Behind the line of the last chunk: the CR and the LF that end the body.
    EndCr,
    EndLf,
    Done,
    Bad,
}

impl ChunkParser {
    /// Before the first digit.
    pub const fn new() -> Self {
        Self {
            state: Chunk::Size,
            digits: 0,
            size: 0,
            len: 0,
        }
    }

    /// Takes the next piece; whether more is wanted.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        for b in bytes {
            if matches!(self.state, Chunk::Done | Chunk::Bad) {
                break;
            }
            self.len = self.len.wrapping_add(1);
            self.state = self.step(*b);
        }
        !matches!(self.state, Chunk::Done | Chunk::Bad)
    }

    fn step(&mut self, b: u8) -> Chunk {
        match (self.state, b) {
            (Chunk::Size, b'\r') if self.digits > 0 => Chunk::Lf,
            // Seven digits are below a quarter of the space of sequence numbers.
            (Chunk::Size, _) if self.digits < 7 => match (b as char).to_digit(16) {
                Some(digit) => {
                    self.digits = self.digits.saturating_add(1);
                    self.size = self.size.wrapping_mul(16).wrapping_add(digit);
                    Chunk::Size
                }
                None => Chunk::Bad,
            },
            (Chunk::Lf, b'\n') if self.size == 0 => Chunk::EndCr,
            (Chunk::Lf, b'\n') => Chunk::Done,
            (Chunk::EndCr, b'\r') => Chunk::EndLf,
            (Chunk::EndLf, b'\n') => Chunk::Done,
            _ => Chunk::Bad,
        }
    }

    /// Bytes from the line's first to the next line's, and whether there is a next. `None`: the
    /// line is not complete, or not what is read.
    pub fn chunk(&self) -> Option<(u32, bool)> {
        if self.state != Chunk::Done {
            return None;
        }
        Some(match self.size {
            0 => (self.len, false),
            // And its own CRLF.
            size => (self.len.wrapping_add(size).wrapping_add(2), true),
        })
    }
}

impl Default for ChunkParser {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_http_answer))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn read(bytes: &[u8], head: bool) -> Option<(u32, Answer)> {
        let mut whole = AnswerParser::new();
        whole.feed(bytes);
        let mut single = AnswerParser::new();
        for b in bytes {
            single.feed(core::slice::from_ref(b));
        }
        assert_eq!(whole.answer(head), single.answer(head));
        whole.answer(head)
    }

    #[test]
    fn lengths_of_responses() {
        for (text, head, want) in [
            (
                &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"[..],
                false,
                Some((38, Answer::Length(5))),
            ),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                true,
                Some((38, Answer::Length(0))),
            ),
            (
                b"HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n",
                false,
                Some((37, Answer::Length(0))),
            ),
            (
                b"HTTP/1.1 204 N\r\n\r\n",
                false,
                Some((18, Answer::Length(0))),
            ),
            (
                b"HTTP/1.1 100 C\r\n\r\n",
                false,
                Some((18, Answer::Interim)),
            ),
            (b"HTTP/1.1 101 S\r\n\r\n", false, None),
            (
                b"HTTP/1.1 200 O\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
                Some((46, Answer::Chunks)),
            ),
            // Only the end of the connection ends these.
            (b"HTTP/1.1 200 OK\r\n\r\n", false, None),
            (
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
                false,
                None,
            ),
            (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n", false, None),
            (
                b"HTTP/1.1 200 OK\r\nContent-Length: 1073741825\r\n\r\n",
                false,
                None,
            ),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", false, None),
            (b"nonsense\r\n\r\n", false, None),
            (b"", false, None),
        ] {
            assert_eq!(read(text, head), want);
        }
    }

    #[test]
    fn lines_of_chunks() {
        for (text, want) in [
            (&b"5\r\nhello\r\n0\r\n\r\n"[..], Some((10, true))),
            (b"00aF\r\n", Some((6 + 0xaf + 2, true))),
            (b"0\r\n\r\n", Some((5, false))),
            (b"000\r\n\r\n", Some((7, false))),
            (b"0\r\nTrailer: x\r\n\r\n", None),
            (b"5;x=y\r\n", None),
            (b"5 \r\n", None),
            (b"\r\n", None),
            (b"10000000\r\n", None),
            (b"5\n", None),
            (b"5\r", None),
            (b"0\r\n\r", None),
            (b"", None),
        ] {
            let mut whole = ChunkParser::new();
            whole.feed(text);
            assert_eq!(whole.chunk(), want);
            let mut single = ChunkParser::new();
            for b in text {
                single.feed(core::slice::from_ref(b));
            }
            assert_eq!(single.chunk(), want);
        }
    }
}
