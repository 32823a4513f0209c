// SPDX-License-Identifier: GPL-2.0
//! Where the session cookie goes in a server's first bytes, and what is written there.
//!
//! Speaks to RFC 9112 section 4 (status line), RFC 9110 section 15.2 (informational responses),
//! RFC 6265 section 4.1 and 6265bis (Set-Cookie), RFC 9111 section 5.2.2 (Cache-Control).

use crate::wire::http::response::FieldsParser;
use crate::wire::http::response::FieldsProgress;
use crate::wire::http::response::Fieldset;
use crate::wire::http::response::StatusParser;
use crate::wire::http::response::StatusProgress;
use crate::wire::reader::Writer;

/// What is known of the place after a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In front of this payload byte of the segment.
    At {
        /// Payload bytes before the insert.
        offset: usize,
        /// The response's fields; `None` if they are not what they should be.
        fields: Option<Fieldset>,
    },
    /// It lies in a later segment.
    More,
    /// No HTTP/1.x response, or 101: nothing may be put in, now or later.
    NotHttp,
    /// The status line has left, and the fields behind it come to no end that can be told.
    Unreadable,
}

/// Finds the place; fed with the stream from the first byte of a response.
///
/// The place is behind the status line of the first final response, if the whole head is in one
/// segment. If not, it is in front of the empty line that ends the head: by then everything is
/// known that the fields say, wherever the segments were cut, and nothing of the head had to wait.
#[derive(Clone, Copy, Debug)]
pub struct Finder {
    head: Head,
    /// Bytes of this segment that were read.
    seen: usize,
    /// Behind the final status line, if that ended in this segment.
    mark: Option<usize>,
    found: Option<Place>,
}

/// What is being read.
#[derive(Clone, Copy, Debug)]
enum Head {
    Status(StatusParser),
    /// Fields of an informational response: another one follows.
    Interim(FieldsParser),
    Final(FieldsParser),
}

impl Finder {
    /// Before the first byte of a response.
    pub const fn new() -> Self {
        Self {
            head: Head::Status(StatusParser::new()),
            seen: 0,
            mark: None,
            found: None,
        }
    }

    /// At the beginning of the next segment.
    pub const fn next_segment(&self) -> Self {
        Self {
            head: self.head,
            seen: 0,
            mark: None,
            found: self.found,
        }
    }

    /// Takes the next piece of this segment; `name` is the name of our cookie. Whether more is
    /// wanted.
    pub fn feed(&mut self, piece: &[u8], name: &[u8]) -> bool {
        let mut rest = piece;
        while !rest.is_empty() && self.found.is_none() {
            let used = self.step(rest, name);
            self.seen = self.seen.saturating_add(used);
            rest = rest.get(used..).unwrap_or_default();
        }
        self.found.is_none()
    }

    /// Takes as many bytes as one status line or field section wants: one at least, or the place is
    /// found.
    fn step(&mut self, bytes: &[u8], name: &[u8]) -> usize {
        match &mut self.head {
            Head::Status(parser) => {
                let before = parser.read();
                let progress = parser.feed(bytes);
                let used = parser.read().saturating_sub(before);
                self.status(progress, used);
                used
            }
            Head::Interim(parser) => {
                let before = parser.read();
                let progress = parser.feed(bytes, name);
                let used = parser.read().saturating_sub(before);
                match progress {
                    FieldsProgress::Partial => {}
                    FieldsProgress::Done(_) => self.head = Head::Status(StatusParser::new()),
                    FieldsProgress::Bad(_) | FieldsProgress::TooLong => {
                        self.found = Some(Place::NotHttp);
                    }
                }
                used
            }
            Head::Final(parser) => {
                let before = parser.read();
                let progress = parser.feed(bytes, name);
                let used = parser.read().saturating_sub(before);
                let end = self.seen.saturating_add(used);
                self.found = match progress {
                    FieldsProgress::Partial => None,
                    FieldsProgress::Done(fields) => Some(self.before_end(end, 2, fields)),
                    // What is wrong is the application's affair, if the place is known.
                    FieldsProgress::Bad(_) | FieldsProgress::TooLong => {
                        Some(self.mark.map_or(Place::Unreadable, |offset| Place::At {
                            offset,
                            fields: None,
                        }))
                    }
                };
                used
            }
        }
    }

    fn status(&mut self, progress: StatusProgress, used: usize) {
        match progress {
            StatusProgress::Partial => {}
            // What follows is another protocol.
            StatusProgress::Status { code: 101, .. } | StatusProgress::NotHttp => {
                self.found = Some(Place::NotHttp);
            }
            StatusProgress::Status { code, minor, .. } if code < 200 => {
                self.head = Head::Interim(FieldsParser::new(minor));
            }
            StatusProgress::Status { minor, .. } => {
                self.head = Head::Final(FieldsParser::new(minor));
                self.mark = Some(self.seen.saturating_add(used));
            }
        }
    }

    /// The place, when the head ends (or all but ends) at `end` with `tail` bytes of its empty line.
    fn before_end(&self, end: usize, tail: usize, fields: Fieldset) -> Place {
        match self.mark.or(end.checked_sub(tail)) {
            Some(offset) => Place::At {
                offset,
                fields: Some(fields),
            },
            // Not reached: a segment that ended between CR and LF has shown the place already.
            None => Place::Unreadable,
        }
    }

    /// What the segment says, after its last piece.
    pub fn place(&self) -> Place {
        match (self.found, &self.head) {
            (Some(found), _) => found,
            // The CR of the empty line may not leave without what comes before it.
            (None, Head::Final(parser)) => parser
                .last_lf()
                .map_or(Place::More, |fields| self.before_end(self.seen, 1, fields)),
            (None, _) => Place::More,
        }
    }
}

impl Default for Finder {
    fn default() -> Self {
        Self::new()
    }
}

/// What is written besides name and value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes<'a> {
    /// `Secure`.
    pub secure: bool,
    /// `Domain`; empty for none.
    pub domain: &'a [u8],
    /// `Max-Age` in seconds; 0 for none.
    pub max_age: u32,
    /// Value of `SameSite`; empty for none.
    pub same_site: &'a [u8],
    /// A shared cache might store the response: tell it not to.
    pub private: bool,
}

/// Writes the field line (or two) with CRLF; its length, or `None` if `buf` is too small.
pub fn write(buf: &mut [u8], name: &[u8], sid: &[u8], with: &Attributes<'_>) -> Option<usize> {
    let mut w = Writer::new(buf);
    w.put(b"Set-Cookie: ")?;
    w.put(name)?;
    w.put(b"=")?;
    w.put(sid)?;
    w.put(b"; Path=/; HttpOnly")?;
    if !with.same_site.is_empty() {
        w.put(b"; SameSite=")?;
        w.put(with.same_site)?;
    }
    if with.secure {
        w.put(b"; Secure")?;
    }
    if !with.domain.is_empty() {
        w.put(b"; Domain=")?;
        w.put(with.domain)?;
    }
    if with.max_age > 0 {
        w.put(b"; Max-Age=")?;
        decimal(&mut w, with.max_age)?;
    }
    w.put(b"\r\n")?;
    if with.private {
        w.put(b"Cache-Control: private\r\n")?;
    }
    Some(w.written())
}

/// Whether an insert of `len` bytes fits into what the client's window leaves behind the place,
/// with at least one byte of the server. `room` is that distance modulo 2^32.
///
/// The end of a window does not move back (RFC 9293 section 3.8.6), so what fits now fits always.
/// Into a window without room the insert would go by the client's trimming alone, a few bytes with
/// each retransmission, and the server would give up before it is through.
pub fn fits(len: usize, room: u32) -> bool {
    let inside = room < 1 << 31;
    inside && len < room as usize
}

fn decimal(w: &mut Writer<'_>, number: u32) -> Option<()> {
    let mut power = 1_000_000_000u32;
    let mut begun = false;
    while power > 0 {
        let digit = number.checked_div(power)? % 10;
        begun |= digit > 0 || power == 1;
        if begun {
            w.u8(b'0'.wrapping_add(digit as u8))?;
        }
        power /= 10;
    }
    Some(())
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_insert))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    /// The place in one segment, the same for every way of cutting that into two pieces.
    fn place(bytes: &[u8]) -> Place {
        let mut whole = Finder::new();
        whole.feed(bytes, b"homing");
        for cut in 0..bytes.len() {
            let (Some(a), Some(b)) = (bytes.get(..cut), bytes.get(cut..)) else {
                continue;
            };
            let mut parts = Finder::new();
            if parts.feed(a, b"homing") {
                parts.feed(b, b"homing");
            }
            assert_eq!(parts.place(), whole.place());
        }
        whole.place()
    }

    fn offset(bytes: &[u8]) -> Option<usize> {
        match place(bytes) {
            Place::At { offset, .. } => Some(offset),
            _ => None,
        }
    }

    /// The place in a stream of segments: bytes before it, and what the fields say.
    fn in_stream(segments: &[&[u8]]) -> Result<(usize, Option<Fieldset>), Place> {
        let mut finder = Finder::new();
        let mut before = 0;
        for segment in segments {
            finder = finder.next_segment();
            finder.feed(segment, b"homing");
            match finder.place() {
                Place::At { offset, fields } => {
                    assert!(offset <= segment.len());
                    return Ok((before + offset, fields));
                }
                Place::More => before += segment.len(),
                other => return Err(other),
            }
        }
        Err(Place::More)
    }

    #[test]
    fn behind_the_status_line() {
        assert_eq!(offset(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"), Some(17));
        assert_eq!(offset(b"HTTP/1.1 200 OK\r\nA: b\r\n\r"), Some(17));
        assert_eq!(offset(b"HTTP/1.0 404 Not Found\r\n\r\n"), Some(24));
        // Faulty fields: the place is known all the same.
        assert_eq!(offset(b"HTTP/1.1 200 OK\r\nA: b\n\n"), Some(17));
        assert_eq!(
            offset(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
            Some(17)
        );
    }

    #[test]
    fn a_head_that_goes_on_is_read_to_its_end() {
        for bytes in [
            &b"H"[..],
            b"HTTP/1.1 200",
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Le",
            b"HTTP/1.1 200 OK\r\nA: b\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n",
            b"HTTP/1.1 103 Early\r\nLink: a\r\n",
            b"HTTP/1.1 103 Early\r\nLink: a\r\n\r",
        ] {
            assert_eq!(place(bytes), Place::More);
        }
    }

    #[test]
    fn every_way_of_cutting_a_stream() {
        let interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: a\r\n\r\n";
        let last = b"HTTP/1.1 200 OK\r\nX: y\r\nSet-Cookie: homing=z\r\n\r\nbody";
        let mut bytes = [0u8; 160];
        let len = interim.len() + last.len();
        bytes[..interim.len()].copy_from_slice(interim);
        bytes[interim.len()..len].copy_from_slice(last);
        let bytes = &bytes[..len];
        let (line, empty) = (interim.len() + 17, len - 6);
        for a in 0..=len {
            for b in a..=len {
                let cut = in_stream(&[&bytes[..a], &bytes[a..b], &bytes[b..]]);
                // One segment has the end of the status line and the CR of the empty line.
                let whole = [(0, a), (a, b), (b, len)]
                    .iter()
                    .any(|(from, to)| *from < line && *to > empty);
                let want = if whole { line } else { empty };
                let found = cut.map(|(at, fields)| (at, fields.map(|f| f.sets_cookie)));
                assert_eq!(found, Ok((want, Some(true))));
            }
        }
        let mut single: [&[u8]; 160] = [b""; 160];
        for (i, slot) in single.iter_mut().take(len).enumerate() {
            *slot = &bytes[i..=i];
        }
        let found = in_stream(&single[..len]).map(|(at, fields)| (at, fields.is_some()));
        assert_eq!(found, Ok((empty, true)));
    }

    #[test]
    fn a_head_in_pieces_that_cannot_be_read_is_left_alone() {
        let line = b"HTTP/1.1 200 OK\r\nA: b\r\n";
        for rest in [
            &b" folded\r\n\r\n"[..],
            b"\n",
            b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        ] {
            assert_eq!(in_stream(&[line, rest]), Err(Place::Unreadable));
        }
        assert_eq!(
            in_stream(&[b"HTTP/1.1 100 C\r\n", b"\n"]),
            Err(Place::NotHttp)
        );
        let mut finder = Finder::new();
        finder.feed(b"HTTP/1.1 200 OK\r\nA: ", b"homing");
        for _ in 0..20 {
            finder = finder.next_segment();
            finder.feed(&[b'x'; 1000], b"homing");
        }
        assert_eq!(finder.place(), Place::Unreadable);
    }

    #[test]
    fn informational_heads_are_skipped() {
        assert_eq!(
            offset(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n"),
            Some(42)
        );
        assert_eq!(
            place(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
            Place::NotHttp
        );
    }

    #[test]
    fn what_is_no_response_is_left_alone() {
        for bytes in [
            b"SSH-2.0-x\r\n" as &[u8],
            b"\x16\x03\x01",
            b"HTTP/2.0 200 OK\r\n",
            b"<html>",
            b"HTTP/1.1 200 OK\n\n",
        ] {
            assert_eq!(place(bytes), Place::NotHttp);
        }
    }

    #[test]
    fn fields_are_read_when_they_are_there() {
        let Place::At {
            fields: Some(f), ..
        } = place(b"HTTP/1.1 200 OK\r\nSet-Cookie: homing=x\r\nContent-Length: 3\r\n\r\nabc")
        else {
            panic!("fields");
        };
        assert!(f.sets_cookie);
        assert_eq!(f.content_length, Some(3));
    }

    fn line(with: &Attributes<'_>) -> ([u8; 200], usize) {
        let mut buf = [0xa5; 200];
        let len = write(&mut buf, b"homing", b"abc", with).unwrap_or(0);
        (buf, len)
    }

    #[test]
    fn an_insert_needs_room_in_the_window() {
        assert!(fits(100, 101));
        assert!(fits(100, 65_535));
        assert!(!fits(100, 100));
        assert!(!fits(100, 0));
        assert!(!fits(100, u32::MAX));
    }

    #[test]
    fn the_line_is_written() {
        let lax = Attributes {
            same_site: b"Lax",
            ..Attributes::default()
        };
        let (buf, len) = line(&lax);
        assert_eq!(
            buf.get(..len),
            Some(b"Set-Cookie: homing=abc; Path=/; HttpOnly; SameSite=Lax\r\n" as &[u8])
        );
        let all = Attributes {
            secure: true,
            domain: b"example.org",
            max_age: 1_234_567_890,
            same_site: b"None",
            private: true,
        };
        let (buf, len) = line(&all);
        assert_eq!(
            buf.get(..len),
            Some(b"Set-Cookie: homing=abc; Path=/; HttpOnly; SameSite=None; Secure; Domain=example.org; Max-Age=1234567890\r\nCache-Control: private\r\n" as &[u8])
        );
        let (buf, len) = line(&Attributes {
            max_age: 10,
            ..Attributes::default()
        });
        assert_eq!(
            buf.get(..len),
            Some(b"Set-Cookie: homing=abc; Path=/; HttpOnly; Max-Age=10\r\n" as &[u8])
        );
        assert_eq!(write(&mut [0; 20], b"homing", b"abc", &lax), None);
    }
}
