// SPDX-License-Identifier: GPL-2.0
//! What other programs' parsers make of a request head: http_parser (Node before llhttp, and many
//! proxies) and picohttpparser (h2o).
//!
//! Both are lenient in places where the other is not. Where they differ about a head, or from
//! us, that head must not be one that we read a cookie from.

use std::os::raw::{c_char, c_int};

use http_muncher::{Parser, ParserHandler};
use picohttpparser_sys::{phr_header, phr_parse_request};

/// A head as a parser read it.
#[derive(Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its bytes, the empty line at its end included.
    pub len: usize,
    /// The digit behind "HTTP/1.".
    pub minor_version: u8,
    /// The method; as it was written.
    pub method: Vec<u8>,
    /// Names and values, white space around the values left out.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

/// Without spaces and tabs at both ends.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// What picohttpparser reads; `None` if it refuses, or waits for more.
pub fn pico(bytes: &[u8]) -> Option<Seen> {
    let (mut method, mut path) = (std::ptr::null::<c_char>(), std::ptr::null::<c_char>());
    let (mut method_len, mut path_len, mut minor) = (0usize, 0usize, 0 as c_int);
    let mut headers = vec![phr_header::default(); bytes.len() / 2 + 1];
    let mut count = headers.len();
    // SAFETY: All pointers are to live objects, `count` is the length of `headers`, and
    // `bytes.len()` that of the buffer.
    let len = unsafe {
        phr_parse_request(
            bytes.as_ptr().cast(),
            bytes.len(),
            &mut method,
            &mut method_len,
            &mut path,
            &mut path_len,
            &mut minor,
            headers.as_mut_ptr(),
            &mut count,
            0,
        )
    };
    let len = usize::try_from(len).ok()?;
    // SAFETY: The parser returned `len` bytes, so what it points at is a part of `bytes`.
    let part =
        |at: *const c_char, len: usize| unsafe { std::slice::from_raw_parts(at.cast::<u8>(), len) };
    let mut fields: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for header in &headers[..count] {
        let value = part(header.value, header.value_len);
        if header.name.is_null() {
            // A folded line: it belongs to the value before it.
            fields.last_mut()?.1.extend(value);
        } else {
            let name = part(header.name, header.name_len);
            fields.push((name.to_vec(), trimmed(value).to_vec()));
        }
    }
    Some(Seen {
        len,
        minor_version: minor.try_into().ok()?,
        method: part(method, method_len).to_vec(),
        fields,
    })
}

/// What http_parser has said so far.
#[derive(Default)]
struct Collect {
    fields: Vec<(Vec<u8>, Vec<u8>)>,
    in_value: bool,
    head_over: bool,
    message_over: bool,
}

impl ParserHandler for Collect {
    fn on_header_field(&mut self, _: &mut Parser, part: &[u8]) -> bool {
        if self.in_value || self.fields.is_empty() {
            self.fields.push(Default::default());
        }
        self.in_value = false;
        self.fields.last_mut().unwrap().0.extend(part);
        true
    }

    fn on_header_value(&mut self, _: &mut Parser, part: &[u8]) -> bool {
        self.in_value = true;
        self.fields.last_mut().unwrap().1.extend(part);
        true
    }

    fn on_headers_complete(&mut self, _: &mut Parser) -> bool {
        self.head_over = true;
        true
    }

    fn on_message_complete(&mut self, _: &mut Parser) -> bool {
        self.message_over = true;
        true
    }
}

/// What http_parser reads, and whether it waits for a body; `Err` has its reason to refuse, or
/// nothing if it waits for more of the head.
pub fn joyent(bytes: &[u8]) -> Result<(Seen, bool), Option<&'static str>> {
    let mut parser = Parser::request();
    let mut seen = Collect::default();
    for (at, byte) in bytes.iter().enumerate() {
        parser.parse(&mut seen, std::slice::from_ref(byte));
        if seen.head_over {
            let fields = seen.fields.into_iter();
            let head = Seen {
                len: at + 1,
                minor_version: parser.http_version().1.try_into().unwrap(),
                method: parser.http_method().into(),
                fields: fields.map(|(n, v)| (n, trimmed(&v).to_vec())).collect(),
            };
            return Ok((head, !seen.message_over));
        }
        if parser.has_error() {
            return Err(Some(parser.error()));
        }
    }
    Err(None)
}
