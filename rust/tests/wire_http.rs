// SPDX-License-Identifier: GPL-2.0
//! Properties of the HTTP readers: no cut of the stream changes an answer, and no answer of ours
//! contradicts another parser's.
//!
//! Speaks to `wire::http`; the oracles for requests are the crate `httparse` and the parsers of
//! [`oracles`], and for cookies a plain reading of RFC 6265 on whole strings.

mod oracles;

use base64::prelude::{Engine, BASE64_URL_SAFE_NO_PAD};
use homing_pure::wire::http::cookie::CookieValue;
use homing_pure::wire::http::head::{Body, Head, HeadParser, Method, Outcome, Progress};
use homing_pure::wire::http::response::{
    FieldsParser, FieldsProgress, StatusParser, StatusProgress,
};
use homing_pure::wire::http::MAX_HEAD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, Index};

const NAME: &[u8] = b"homing";
const SID_A: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-";
const SID_B: &str = "0123456789abcdefghijklmnopqrst_Z";
const CHUNKS: &[usize] = &[
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    32,
    64,
    128,
    256,
    1500,
    9216,
    1 << 20,
];

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn whole(bytes: &[u8]) -> Progress {
    HeadParser::new().feed(bytes, NAME)
}

/// Feeds the pieces and holds that once it is done it stays so.
fn pieces<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Progress {
    let mut parser = HeadParser::new();
    let mut last = Progress::Partial;
    for part in parts {
        let now = parser.feed(part, NAME);
        if last != Progress::Partial {
            assert_eq!(now, last, "an end that changed");
        }
        last = now;
    }
    last
}

fn same_for_every_cut(bytes: &[u8]) {
    let want = whole(bytes);
    for cut in 0..=bytes.len() {
        let (a, b) = bytes.split_at(cut);
        assert_eq!(
            pieces([a, b].into_iter()),
            want,
            "cut at {cut} of {bytes:?}"
        );
        assert_eq!(
            pieces([a, &[], b].into_iter()),
            want,
            "cut at {cut} of {bytes:?}"
        );
    }
    for size in CHUNKS {
        assert_eq!(
            pieces(bytes.chunks(*size)),
            want,
            "pieces of {size} of {bytes:?}"
        );
    }
}

/// What never changes with more bytes: a prefix is partial until the answer, and then the same.
fn prefixes_agree(bytes: &[u8]) {
    let want = whole(bytes);
    let mut ended = false;
    for n in 0..=bytes.len() {
        match whole(&bytes[..n]) {
            Progress::Partial => assert!(!ended, "{n} of {bytes:?}"),
            done => {
                ended = true;
                assert_eq!(done, want, "{n} of {bytes:?}");
            }
        }
    }
}

/// The bytes of a session id's text, by another reader of base64url.
fn sid(text: &[u8]) -> Option<[u8; 24]> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// The cookie by RFC 6265 on whole strings, from the lines that the other parser found.
fn plain_cookie<'a>(lines: impl Iterator<Item = &'a [u8]>) -> CookieValue {
    let mut values: Vec<Option<[u8; 24]>> = Vec::new();
    for line in lines {
        for pair in line.split(|b| *b == b';') {
            let start = pair
                .iter()
                .position(|b| !matches!(b, b' ' | b'\t'))
                .unwrap_or(pair.len());
            let end = pair
                .iter()
                .rposition(|b| !matches!(b, b' ' | b'\t'))
                .map_or(start, |e| e + 1);
            let Some(value) = pair[start..end].strip_prefix(b"homing=") else {
                continue;
            };
            let value = match value {
                [b'"', inner @ .., b'"'] => inner,
                value => value,
            };
            values.push(sid(value));
        }
    }
    match values.split_first() {
        None => CookieValue::Absent,
        Some((first, rest)) if rest.iter().all(|v| v == first) => {
            first.map_or(CookieValue::Malformed, CookieValue::One)
        }
        Some(_) => CookieValue::Conflict,
    }
}

/// If we say "head", the oracle must find the same head, cookies and framing; and if the oracle
/// needs more bytes or finds an error, we must not have said so.
fn agrees_with_httparse(bytes: &[u8]) -> bool {
    let Progress::Done(Outcome::Head(head)) = whole(bytes) else {
        return false;
    };
    // The target is the one place where we take more: bytes over 127 in any order, since no server
    // reads an end or a cookie out of them; httparse wants UTF-8.
    let mut bytes = bytes.to_vec();
    let line = bytes
        .iter()
        .skip(2)
        .position(|b| *b == b'\n')
        .map_or(0, |at| at + 2);
    bytes[..line]
        .iter_mut()
        .filter(|b| !b.is_ascii())
        .for_each(|b| *b = b'x');
    let bytes = &bytes[..];
    let mut headers = vec![httparse::EMPTY_HEADER; MAX_HEAD / 3];
    let mut request = httparse::Request::new(&mut headers);
    let found = request
        .parse(bytes)
        .unwrap_or_else(|e| panic!("{e} in {bytes:?}"));
    assert_eq!(found, httparse::Status::Complete(head.len), "{bytes:?}");
    assert_eq!(request.version, Some(head.minor_version));
    let method = match request.method.unwrap() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "OPTIONS" => Method::Options,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        _ => Method::Other,
    };
    assert_eq!(head.method, method);
    let lines = |name: &'static str| {
        let named = request
            .headers
            .iter()
            .filter(move |h| h.name.eq_ignore_ascii_case(name));
        named.map(|h| h.value)
    };
    assert_eq!(head.cookie, plain_cookie(lines("cookie")), "{bytes:?}");
    let lengths: Vec<_> = lines("content-length").collect();
    let codings: Vec<_> = lines("transfer-encoding").collect();
    match head.body {
        Body::None => assert!(lengths.iter().all(|l| l.iter().all(|b| *b == b'0'))),
        Body::Length(n) => {
            let text = std::str::from_utf8(lengths[0]).unwrap();
            assert!(text.bytes().all(|b| b.is_ascii_digit()));
            assert_eq!(text.parse(), Ok(n));
        }
        Body::Chunked => assert!(codings[0].eq_ignore_ascii_case(b"chunked")),
    }
    assert!(lengths.len() + codings.len() <= 1, "{bytes:?}");
    assert_eq!(codings.len() == 1, head.body == Body::Chunked);
    assert_eq!(head.upgrade, lines("upgrade").next().is_some());
    let listed = |token: &str| {
        let text: Vec<_> = lines("connection").map(String::from_utf8_lossy).collect();
        text.iter().any(|t| {
            t.split([',', ' ', '\t'])
                .any(|t| t.eq_ignore_ascii_case(token))
        })
    };
    let persistent = !listed("close") && (head.minor_version == 1 || listed("keep-alive"));
    assert_eq!(head.keep_alive, persistent, "{bytes:?}");
    let expects = lines("expect").any(|v| v.eq_ignore_ascii_case(b"100-continue"));
    assert_eq!(head.expect_continue, expects);
    true
}

/// If we say "head", the other parsers read the same or refuse it; where they read it differently,
/// from us or from each other, we must have said that it is ambiguous.
fn agrees_with_others(bytes: &[u8]) {
    let Progress::Done(Outcome::Head(head)) = whole(bytes) else {
        return;
    };
    let cookies = |seen: &oracles::Seen| {
        let lines = seen.fields.iter();
        let lines = lines.filter(|(name, _)| name.eq_ignore_ascii_case(b"cookie"));
        plain_cookie(lines.map(|(_, value)| &value[..]))
    };
    let same = |seen: &oracles::Seen| {
        let ours = (head.len, head.minor_version, head.cookie);
        assert_eq!(
            (seen.len, seen.minor_version, cookies(seen)),
            ours,
            "{bytes:?}"
        );
    };
    let pico = oracles::pico(bytes).unwrap_or_else(|| panic!("picohttpparser refuses {bytes:?}"));
    same(&pico);
    match oracles::joyent(bytes) {
        Ok((joyent, body)) => {
            same(&joyent);
            assert_eq!(pico, joyent, "{bytes:?}");
            // It takes whatever follows a CONNECT for another protocol. Behind that nobody reads.
            let tunnel = head.method == Method::Connect;
            assert_eq!(body, head.body != Body::None && !tunnel, "{bytes:?}");
        }
        // It has a list of methods, and wants a target that a URL can be. Who refuses reads nothing
        // else in it.
        Err(Some("HPE_INVALID_METHOD")) => assert_eq!(head.method, Method::Other),
        Err(Some("HPE_INVALID_URL" | "HPE_INVALID_HOST" | "HPE_INVALID_PORT")) => {}
        Err(why) => panic!("http_parser says {why:?} to {bytes:?}"),
    }
}

/// Heads that everybody reads alike. `@` and `%` stand for two session ids.
const GOOD: &[&str] = &[
    "GET / HTTP/1.0\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /login?x=1&y=%20 HTTP/1.1\r\nHost: a\r\nCookie: a=b; homing=@; c=\"d\"\r\n\r\nGET",
    "GET / HTTP/1.1\r\nCookie: homing=@\r\nX: y\r\nCookie: homing=%\r\n\r\n",
    "GET / HTTP/1.1\r\nCookie: homing=\"@\"\r\nCookie: homing=@\r\n\r\n",
    "GET / HTTP/1.1\r\nCookie:homing=@;homings=%;Homing=%;xhoming=%\r\n\r\n",
    "GET / HTTP/1.1\r\nCookie: homing=@@\r\n\r\n",
    "GET / HTTP/1.1\r\nX: \u{e9}\r\nCookie: a=\u{e9}; homing=x\r\n\r\n",
    "GET /\u{e9} HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03",
    "GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n",
    "PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n",
];

/// Everything else: not HTTP/1.x, not whole, or read differently by different programs.
const OTHER: &[&str] = &[
    "",
    "\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n",
    "GET / HTTP/1.1\r\nCookie: homing=@\r\n x\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: ,chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
    "GET / HTTP/1.1\nHost: a\n\n",
    "GET / HTTP/1.1\r\nHost: a\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "GET / HTTP/1.1\r\n: empty\r\n\r\n",
    "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
    "GET / HTTP/1.1\r\nX\0: a\r\n\r\n",
    "GET / HTTP/1.1\r\n\u{e9}: a\r\n\r\n",
    "GET  / HTTP/1.1\r\n\r\n",
    "GET /\r\n",
    "GET / HTTP/2.0\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\x16\x03\x01\x02\x00\x01\x00",
    "EHLO a\r\n",
];

fn filled(text: &str) -> Vec<u8> {
    text.replace('@', SID_A)
        .replace("homing=%", &format!("homing={SID_B}"))
        .into_bytes()
}

#[test]
fn corpus_in_every_cut() {
    for (list, good) in [(GOOD, true), (OTHER, false)] {
        for bytes in list.iter().map(|text| filled(text)) {
            same_for_every_cut(&bytes);
            prefixes_agree(&bytes);
            assert_eq!(agrees_with_httparse(&bytes), good, "{bytes:?}");
            agrees_with_others(&bytes);
        }
    }
}

#[test]
fn the_limits_of_responses_in_every_size_of_pieces() {
    for n in [MAX_HEAD - 1, MAX_HEAD, MAX_HEAD + 1] {
        let mut long = b"a: b\r\na:".to_vec();
        long.resize(n - 4, b'x');
        long.extend(b"\r\n\r\n");
        for size in CHUNKS {
            let mut parser = FieldsParser::new(1);
            let ends = long.chunks(*size).map(|piece| parser.feed(piece, NAME));
            let end = ends.last();
            assert_eq!(end == Some(FieldsProgress::TooLong), n > MAX_HEAD);
        }
    }
    for n in [1023, 1024, 1025] {
        let mut long = b"HTTP/1.1 200 ".to_vec();
        long.resize(n - 2, b'x');
        long.extend(b"\r\n");
        for size in CHUNKS {
            let mut parser = StatusParser::new();
            let ends = long.chunks(*size).map(|piece| parser.feed(piece));
            let end = ends.last();
            assert_eq!(end == Some(StatusProgress::NotHttp), n > 1024);
        }
    }
}

#[test]
fn the_limit_in_every_size_of_pieces() {
    for n in [MAX_HEAD - 1, MAX_HEAD, MAX_HEAD + 1] {
        let mut long = b"GET / HTTP/1.1\r\na:".to_vec();
        long.resize(n - 4, b'x');
        long.extend(b"\r\n\r\n");
        let want = whole(&long);
        assert_eq!(want == Progress::Done(Outcome::TooLong), n > MAX_HEAD);
        for size in CHUNKS {
            assert_eq!(pieces(long.chunks(*size)), want);
        }
        for cut in (1..40).chain(n - 8..n) {
            assert_eq!(pieces([&long[..cut], &long[cut..]].into_iter()), want);
        }
        assert_eq!(agrees_with_httparse(&long), n <= MAX_HEAD);
    }
}

fn line() -> impl Strategy<Value = String> {
    let names = &[
        "Host",
        "Cookie",
        "cookie",
        "COOKIE",
        "Content-Length",
        "content-length",
        "Upgrade",
        "Transfer-Encoding",
        "Connection",
        "Expect",
        "Accept",
        "X-Cookie",
        "Cookie2",
        "",
    ];
    let values = &[
        "",
        "a",
        "homing=@",
        "homing=%",
        "homing=\"@\"",
        "homing=@; homing=@",
        "homing=@;homing=%",
        "a=b; homing=@; c=d",
        "homing=@ ; x",
        "homing= @",
        "homing=@x",
        "homing=",
        "Homing=@",
        "homings=@; homin=%",
        "a=homing=@",
        "homing",
        ";;homing=%;",
        "\"homing=@\"",
        "0",
        "5",
        "00",
        "05",
        "5, 5",
        "5 5",
        "+5",
        "99999999999999999999",
        "chunked",
        "Chunked\t",
        "gzip",
        "chunked, chunked",
        "close",
        "keep-alive",
        "Keep-Alive, close",
        "upgrade",
        "100-continue",
        "100-Continue ",
        "\u{e9}",
        "x\ty",
    ];
    let colons = &[": ", ":", ":\t ", " :", "", ": \t"];
    let ends = &[
        "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", " \r\n", "\n", "\r", "\r\n ",
    ];
    let colon = prop_oneof![8 => Just(": "), 1 => select(&colons[..])];
    let end = prop_oneof![12 => Just("\r\n"), 1 => select(&ends[..])];
    (select(&names[..]), colon, select(&values[..]), end)
        .prop_map(|(name, colon, value, end)| [name, colon, value, end].concat())
}

/// A field line of a response, most of them good.
fn response_line() -> impl Strategy<Value = String> {
    let names = &[
        "Set-Cookie",
        "set-cookie",
        "Cache-Control",
        "cache-control",
        "Expires",
        "CDN-Cache-Control",
        "Surrogate-Control",
        "surrogate-contro1",
        "Server",
    ];
    let values = &[
        "homing=x; Path=/",
        "homing =x",
        "homin=x",
        "homing",
        "xhoming=x",
        "private",
        "PUBLIC , max-age=3",
        "private=\"a, no-store\"",
        "private=\"a",
        "no-cache=\"\\\", public\"",
        "no-store, must-understand\t",
        "s-maxage=5,,",
        "0",
        "",
    ];
    let end = prop_oneof![12 => Just("\r\n"), 1 => select(&[" \r\n", "\n", "\r"][..])];
    let ours = (select(&names[..]), select(&values[..]), end)
        .prop_map(|(name, value, end)| [name, ": ", value, end].concat());
    prop_oneof![1 => line(), 1 => ours]
}

/// Request heads, most of them good, some of them slightly wrong.
fn request() -> impl Strategy<Value = Vec<u8>> {
    let firsts = &[
        "GET / HTTP/1.1\r\n",
        "POST /x HTTP/1.1\r\n",
        "GET / HTTP/1.0\r\n",
        "\r\nHEAD * HTTP/1.1\r\n",
        "CONNECT a:1 HTTP/1.1\r\n",
        "FOO /\u{e9} HTTP/1.1\r\n",
        "GET / HTTP/1.1\n",
        "GET /\r\n",
        "GET  / HTTP/1.1\r\n",
        "GET / HTTP/1.2\r\n",
        "\n\r\nGET / HTTP/1.1\r\n",
    ];
    let first = prop_oneof![6 => select(&firsts[..6]), 1 => select(&firsts[..])];
    let ends = select(
        &[
            "\r\n",
            "\r\n",
            "\r\n",
            "\r\nGET / HTTP/1.1\r\n\r\n",
            "\n",
            "",
        ][..],
    );
    (first, vec(line(), 0..6), ends).prop_map(|(first, lines, end)| {
        let text = [first, &lines.concat(), end].concat();
        text.replace('@', SID_A).replace('%', SID_B).into_bytes()
    })
}

/// Byte changed, removed, inserted, doubled; a part exchanged.
fn mutate(bytes: &mut Vec<u8>, changes: &[(u8, Index, Index, u8)]) {
    const LIKELY: &[u8] = b"\r\n\t :;=,\"\0\x0b\x7f\x80\x85\xa0\xffAhoming";
    for (kind, at, to, b) in changes {
        if bytes.is_empty() {
            return;
        }
        let (at, to) = (at.index(bytes.len()), to.index(bytes.len()));
        let likely = LIKELY[usize::from(*b) % LIKELY.len()];
        match kind % 7 {
            0 => bytes[at] = *b,
            1 => bytes[at] = likely,
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, likely),
            4 => bytes.insert(at, bytes[at]),
            5 => bytes.swap(at, to),
            _ => {
                let part = bytes[at.min(to)..at.max(to)].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
}

proptest! {
    #![proptest_config(config(20_000))]

    #[test]
    fn requests_agree_with_httparse(
        mut bytes in request(),
        changes in vec(any::<(u8, Index, Index, u8)>(), 0..3),
        cuts in vec(any::<Index>(), 1..6),
    ) {
        mutate(&mut bytes, &changes);
        agrees_with_httparse(&bytes);
        agrees_with_others(&bytes);
        let mut cuts: Vec<_> = cuts.iter().map(|c| c.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]);
        prop_assert_eq!(pieces(parts), whole(&bytes));
    }

    #[test]
    fn any_bytes_are_answered(bytes in vec(any::<u8>(), 0..200)) {
        whole(&bytes);
        StatusParser::new().feed(&bytes);
        FieldsParser::new(1).feed(&bytes, NAME);
    }

    #[test]
    fn good_requests_are_not_refused(
        method in select(&["GET", "POST", "PURGE"][..]),
        target in "/[!-~]{0,40}", minor in 0u8..2,
        fields in vec(("[A-Za-z0-9_.-]{1,30}", "[ -~]{0,60}"), 0..8),
        at in any::<Index>(), sid in "[A-Za-z0-9_-]{32}", quoted: bool,
        length in proptest::option::of(any::<u32>()),
    ) {
        let read_elsewhere = ["cookie", "content-length", "transfer-encoding"];
        let mut lines: Vec<_> = fields.iter()
            .filter(|(name, _)| !read_elsewhere.contains(&name.to_ascii_lowercase().as_str()))
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let quote = if quoted { "\"" } else { "" };
        let cookie = format!("Cookie: x=y; homing={quote}{sid}{quote}; z\r\n");
        lines.insert(at.index(lines.len() + 1), cookie);
        if let Some(n) = length {
            lines.push(format!("Content-Length: {n}\r\n"));
        }
        let text = format!("{method} {target} HTTP/1.{minor}\r\n{}\r\n", lines.concat());
        let Progress::Done(Outcome::Head(head)) = whole(text.as_bytes()) else {
            panic!("{:?} for {text:?}", whole(text.as_bytes()));
        };
        prop_assert_eq!(head.len, text.len());
        prop_assert_eq!(head.minor_version, minor);
        prop_assert_eq!(head.cookie, CookieValue::One(self::sid(sid.as_bytes()).unwrap()));
        let body = length.filter(|n| *n > 0).map_or(Body::None, |n| Body::Length(n.into()));
        prop_assert_eq!(head.body, body);
        prop_assert!(agrees_with_httparse(text.as_bytes()));
        agrees_with_others(text.as_bytes());
    }

    #[test]
    fn responses_agree_with_httparse(
        first in select(&[
            "HTTP/1.1 200 OK\r\n", "HTTP/1.0 404 Not Found\r\n", "HTTP/1.1 103\r\n",
            "HTTP/1.1 304 \r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/2 200\r\n", "HTTP/1.1 500 a\tb\r\n",
        ][..]),
        lines in vec(response_line(), 0..6),
        changes in vec(any::<(u8, Index, Index, u8)>(), 0..3),
        cut in any::<Index>(),
    ) {
        let text = [first, &lines.concat(), "\r\nbody"].concat();
        let mut bytes = text.replace('@', SID_A).replace('%', SID_B).into_bytes();
        mutate(&mut bytes, &changes);
        let status = StatusParser::new().feed(&bytes);
        let (a, b) = bytes.split_at(cut.index(bytes.len() + 1));
        let mut parser = StatusParser::new();
        parser.feed(a);
        prop_assert_eq!(parser.feed(b), status);
        let mut parser = StatusParser::new();
        for b in &bytes {
            parser.feed(std::slice::from_ref(b));
        }
        prop_assert_eq!(parser.feed(&[]), status);
        let StatusProgress::Status { code, minor, line_len } = status else { return Ok(()) };
        prop_assert!(bytes[..line_len].ends_with(b"\r\n"));
        let rest = &bytes[line_len..];
        let fields = FieldsParser::new(minor).feed(rest, NAME);
        let (a, b) = rest.split_at(cut.index(rest.len() + 1));
        let mut parser = FieldsParser::new(minor);
        parser.feed(a, NAME);
        prop_assert_eq!(parser.feed(b, NAME), fields);
        let mut parser = FieldsParser::new(minor);
        for b in rest {
            parser.feed(std::slice::from_ref(b), NAME);
        }
        prop_assert_eq!(parser.feed(&[], NAME), fields);
        let FieldsProgress::Done(set) = fields else { return Ok(()) };
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut response = httparse::Response::new(&mut headers);
        let found = response.parse(&bytes);
        prop_assert_eq!(found, Ok(httparse::Status::Complete(line_len + set.len)));
        prop_assert_eq!((response.code, response.version), (Some(code), Some(minor)));
        let lengths = response.headers.iter()
            .filter(|h| h.name.eq_ignore_ascii_case("content-length"))
            .map(|h| std::str::from_utf8(h.value).unwrap().parse().unwrap());
        prop_assert_eq!(lengths.collect::<Vec<u64>>(), set.content_length.into_iter().collect::<Vec<_>>());
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn every_cut_of_a_mutated_request(
        mut bytes in request(), changes in vec(any::<(u8, Index, Index, u8)>(), 0..4),
    ) {
        mutate(&mut bytes, &changes);
        same_for_every_cut(&bytes);
        prefixes_agree(&bytes);
    }
}

/// A body whose segment begins like a request does not change what was read: the parser answers
/// for its own head and looks at nothing behind it.
#[test]
fn a_request_in_a_body_is_not_read() {
    let head = format!("POST / HTTP/1.1\r\nCookie: homing={SID_A}\r\nContent-Length: 99\r\n\r\n");
    let smuggled = format!("GET / HTTP/1.1\r\nCookie: homing={SID_B}\r\n\r\n");
    let mut parser = HeadParser::new();
    let first = parser.feed(head.as_bytes(), NAME);
    let want = CookieValue::One(sid(SID_A.as_bytes()).unwrap());
    assert!(
        matches!(first, Progress::Done(Outcome::Head(Head { cookie, len, .. }))
        if cookie == want && len == head.len())
    );
    assert_eq!(parser.feed(smuggled.as_bytes(), NAME), first);
    assert_eq!(whole((head + &smuggled).as_bytes()), first);
}
