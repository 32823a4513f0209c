// SPDX-License-Identifier: GPL-2.0
//! Requests, cookies and responses: every cut gives the same answer, and `httparse` agrees.

use homing_pure::decide::insert::{Finder, Place};
use homing_pure::wire::base64url;
use homing_pure::wire::http::cookie::{CookieScan, CookieValue};
use homing_pure::wire::http::head::{HeadParser, Outcome, Progress};
use homing_pure::wire::http::response::{
    FieldsParser, FieldsProgress, StatusParser, StatusProgress,
};

const NAME: &[u8] = b"homing";

/// Where the input is cut: the first byte says it, so the fuzzer may choose.
fn cut(bytes: &[u8]) -> (usize, &[u8]) {
    match bytes.split_first() {
        Some((at, rest)) => (usize::from(*at) * (rest.len() + 1) / 256, rest),
        None => (0, bytes),
    }
}

/// A request head.
pub fn request(bytes: &[u8]) {
    let (at, bytes) = cut(bytes);
    let whole = HeadParser::new().feed(bytes, NAME);
    let mut parser = HeadParser::new();
    let first = parser.feed(&bytes[..at], NAME);
    let second = parser.feed(&bytes[at..], NAME);
    assert_eq!(second, whole);
    assert!(
        first == Progress::Partial || first == whole,
        "an end that changed"
    );
    let mut parser = HeadParser::new();
    let mut last = Progress::Partial;
    for b in bytes {
        last = parser.feed(&[*b], NAME);
    }
    assert_eq!(last, whole);
    let Progress::Done(Outcome::Head(head)) = whole else {
        return;
    };
    assert!(head.len <= bytes.len() && bytes[..head.len].ends_with(b"\r\n\r\n"));
    // Bytes over 127 in the target are the one thing that we take and the other does not.
    let mut bytes = bytes[..head.len].to_vec();
    let line = bytes
        .iter()
        .skip(2)
        .position(|b| *b == b'\n')
        .map_or(0, |at| at + 2);
    bytes[..line]
        .iter_mut()
        .filter(|b| !b.is_ascii())
        .for_each(|b| *b = b'x');
    let mut headers = vec![httparse::EMPTY_HEADER; bytes.len()];
    let mut other = httparse::Request::new(&mut headers);
    assert_eq!(
        other.parse(&bytes),
        Ok(httparse::Status::Complete(head.len))
    );
    let ours: usize = other
        .headers
        .iter()
        .filter(|h| h.name.eq_ignore_ascii_case("cookie"))
        .count();
    assert!(ours > 0 || head.cookie == CookieValue::Absent);
}

/// The value of a Cookie field; fields are cut at line feeds.
pub fn cookie(bytes: &[u8]) {
    let (mut scan, mut lines) = (CookieScan::new(), CookieScan::new());
    let mut values: Vec<Option<[u8; 24]>> = vec![];
    for field in bytes.split(|b| *b == b'\n') {
        field.iter().for_each(|b| scan.push(*b, NAME));
        scan.end();
        lines.value(field, NAME);
        for pair in field.split(|b| *b == b';') {
            let from = pair
                .iter()
                .position(|b| !b" \t".contains(b))
                .unwrap_or(pair.len());
            let to = pair
                .iter()
                .rposition(|b| !b" \t".contains(b))
                .map_or(from, |at| at + 1);
            let Some(value) = pair[from..to].strip_prefix(b"homing=") else {
                continue;
            };
            let value = match value {
                [b'"', inner @ .., b'"'] => inner,
                value => value,
            };
            let sid = value.try_into().ok().and_then(|text| {
                let sid = base64url::decode(text)?;
                assert_eq!(base64url::encode(&sid), *text);
                Some(sid)
            });
            values.push(sid);
        }
    }
    let want = match values.split_first() {
        None => CookieValue::Absent,
        Some((first, rest)) if rest.iter().all(|v| v == first) => {
            first.map_or(CookieValue::Malformed, CookieValue::One)
        }
        Some(_) => CookieValue::Conflict,
    };
    assert_eq!(scan.found(), want);
    assert_eq!(lines.found(), want);
}

/// The beginning of a response, and the place of the insert.
pub fn response(bytes: &[u8]) {
    let (at, bytes) = cut(bytes);
    let status = StatusParser::new().feed(bytes);
    let mut parser = StatusParser::new();
    parser.feed(&bytes[..at]);
    assert_eq!(parser.feed(&bytes[at..]), status);
    let mut whole = Finder::new();
    whole.feed(bytes, NAME);
    let mut parts = Finder::new();
    parts.feed(&bytes[..at], NAME);
    parts.feed(&bytes[at..], NAME);
    assert_eq!(parts.place(), whole.place());
    if let Place::At { offset, .. } = whole.place() {
        assert!(offset <= bytes.len() && bytes[..offset].ends_with(b"\r\n"));
    }
    let StatusProgress::Status {
        code,
        minor,
        line_len,
    } = status
    else {
        return;
    };
    assert!(bytes[..line_len].ends_with(b"\r\n"));
    let rest = &bytes[line_len..];
    let fields = FieldsParser::new(minor).feed(rest, NAME);
    let mut parser = FieldsParser::new(minor);
    let half = at.saturating_sub(line_len);
    parser.feed(&rest[..half], NAME);
    assert_eq!(parser.feed(&rest[half..], NAME), fields);
    let FieldsProgress::Done(set) = fields else {
        return;
    };
    let mut headers = vec![httparse::EMPTY_HEADER; bytes.len()];
    let mut other = httparse::Response::new(&mut headers);
    let end = line_len + set.len;
    assert_eq!(
        other.parse(&bytes[..end]),
        Ok(httparse::Status::Complete(end))
    );
    assert_eq!((other.code, other.version), (Some(code), Some(minor)));
}
