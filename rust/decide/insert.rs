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
    /// Behind this many bytes of the segment, the end of the final response's status line.
    At {
        /// Payload bytes before the insert.
        offset: usize,
        /// The response's fields, if they end in this segment too.
        fields: Option<Fieldset>,
    },
    /// All heads in the segment are informational; the next begins behind this many bytes.
    Next {
        /// Payload bytes that are done with.
        offset: usize,
    },
    /// The segment ends inside a status line or an informational head.
    Partial,
    /// No HTTP/1.x response: nothing may be put in, now or later.
    NotHttp,
}

/// Finds the place; fed with the pieces of one segment that begins with a response.
#[derive(Clone, Copy, Debug)]
pub struct Finder {
    status: StatusParser,
    fields: Option<FieldsParser>,
    /// Bytes seen.
    seen: usize,
    /// Where the present head, or its fields, began.
    begin: usize,
    code: u16,
    /// Behind the final status line.
    offset: Option<usize>,
    found: Option<Place>,
}

impl Finder {
    /// Before the first byte of a response.
    pub const fn new() -> Self {
        Self {
            status: StatusParser::new(),
            fields: None,
            seen: 0,
            begin: 0,
            code: 0,
            offset: None,
            found: None,
        }
    }

    /// Takes the next piece; `name` is the name of our cookie. Whether more is wanted.
    pub fn feed(&mut self, piece: &[u8], name: &[u8]) -> bool {
        let mut rest = piece;
        // Each round consumes at least one byte or ends.
        while !rest.is_empty() && self.found.is_none() {
            let used = match &mut self.fields {
                None => self.status_line(rest),
                Some(_) => self.head_fields(rest, name),
            };
            rest = rest.get(used.max(1)..).unwrap_or_default();
        }
        self.found.is_none()
    }

    fn status_line(&mut self, bytes: &[u8]) -> usize {
        match self.status.feed(bytes) {
            StatusProgress::Partial => {
                self.seen = self.seen.saturating_add(bytes.len());
                bytes.len()
            }
            StatusProgress::Status {
                code,
                minor,
                line_len,
            } => {
                let end = self.begin.saturating_add(line_len);
                let used = end.saturating_sub(self.seen);
                self.seen = end;
                self.begin = end;
                self.code = code;
                self.fields = Some(FieldsParser::new(minor));
                if code == 101 {
                    // What follows is another protocol.
                    self.found = Some(Place::NotHttp);
                } else if code >= 200 {
                    self.offset = Some(end);
                }
                used
            }
            StatusProgress::NotHttp => {
                self.found = Some(Place::NotHttp);
                bytes.len()
            }
        }
    }

    fn head_fields(&mut self, bytes: &[u8], name: &[u8]) -> usize {
        let Some(parser) = &mut self.fields else {
            return bytes.len();
        };
        let progress = parser.feed(bytes, name);
        match progress {
            FieldsProgress::Partial => {
                self.seen = self.seen.saturating_add(bytes.len());
                bytes.len()
            }
            FieldsProgress::Done(fields) => {
                let end = self.begin.saturating_add(fields.len);
                let used = end.saturating_sub(self.seen);
                self.seen = end;
                self.begin = end;
                match self.offset {
                    Some(offset) => {
                        self.found = Some(Place::At {
                            offset,
                            fields: Some(fields),
                        })
                    }
                    None => {
                        self.status = StatusParser::new();
                        self.fields = None;
                    }
                }
                used
            }
            FieldsProgress::Bad(_) | FieldsProgress::TooLong => {
                // The place is known all the same; what is wrong is the application's affair.
                self.found = Some(match self.offset {
                    Some(offset) => Place::At {
                        offset,
                        fields: None,
                    },
                    None => Place::NotHttp,
                });
                bytes.len()
            }
        }
    }

    /// What the segment says, after its last piece.
    pub fn place(&self) -> Place {
        match (self.found, self.offset) {
            (Some(found), _) => found,
            (None, Some(offset)) => Place::At {
                offset,
                fields: None,
            },
            (None, None) if self.fields.is_none() && self.begin == self.seen && self.seen > 0 => {
                Place::Next { offset: self.seen }
            }
            (None, None) => Place::Partial,
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

    /// The place found must be the same for every way of cutting the segment in two.
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

    #[test]
    fn behind_the_status_line() {
        assert_eq!(offset(b"HTTP/1.1 200 OK\r\n"), Some(17));
        assert_eq!(offset(b"HTTP/1.1 200 OK\r\nContent-Le"), Some(17));
        assert_eq!(offset(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"), Some(17));
        assert_eq!(offset(b"HTTP/1.0 404 Not Found\r\n\r\n"), Some(24));
    }

    #[test]
    fn informational_heads_are_skipped() {
        assert_eq!(
            offset(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n"),
            Some(42)
        );
        assert_eq!(
            place(b"HTTP/1.1 100 Continue\r\n\r\n"),
            Place::Next { offset: 25 }
        );
        assert_eq!(place(b"HTTP/1.1 103 Early\r\nLink: a\r\n"), Place::Partial);
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
            b"HTTP/1.1 20",
        ] {
            assert_eq!(offset(bytes), None);
        }
        assert_eq!(place(b"HTTP/1.1 200"), Place::Partial);
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
