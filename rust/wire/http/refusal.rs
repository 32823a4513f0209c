// SPDX-License-Identifier: GPL-2.0
//! The response to a request that nobody may serve now.
//!
//! Speaks to RFC 9110 section 15.6.4 (503) and section 10.2.3 (Retry-After).

use crate::wire::reader::Writer;

/// The reason, for a person.
const REASON: &[u8] = b"The server that keeps this session does not answer.\n";

/// Writes the response; its length. `retry_s`: seconds after which to try again; `head`: to a HEAD
/// request, so without the body. `None` if `buf` is too small.
pub fn write(buf: &mut [u8], retry_s: u32, head: bool) -> Option<usize> {
    let mut w = Writer::new(buf);
    put(&mut w, b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: ")?;
    number(&mut w, retry_s)?;
    put(&mut w, b"\r\nContent-Type: text/plain\r\nContent-Length: ")?;
    number(&mut w, REASON.len() as u32)?;
    put(
        &mut w,
        b"\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
    )?;
    if !head {
        put(&mut w, REASON)?;
    }
    Some(w.written())
}

fn put(w: &mut Writer<'_>, bytes: &[u8]) -> Option<()> {
    bytes.iter().try_for_each(|b| w.u8(*b))
}

/// A number in decimal, without zeros in front.
fn number(w: &mut Writer<'_>, n: u32) -> Option<()> {
    let mut unit = 1_000_000_000u32;
    let mut begun = false;
    while unit > 0 {
        let digit = n.checked_div(unit)?.checked_rem(10)? as u8;
        begun |= digit > 0 || unit == 1;
        if begun {
            w.u8(b'0'.saturating_add(digit))?;
        }
        unit /= 10;
    }
    Some(())
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_http_refusal))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::wire::http::answer::Answer;
    use crate::wire::http::answer::AnswerParser;
    use crate::wire::http::response::StatusParser;
    use crate::wire::http::response::StatusProgress;

    #[test]
    fn it_is_a_response_that_we_read_ourselves() {
        for (retry, head) in [(5, false), (0, false), (4_294_967_295, true)] {
            let mut buf = [0; 420];
            let len = write(&mut buf, retry, head).unwrap_or(0);
            let status = StatusParser::new().feed(&buf[..len]);
            assert!(matches!(
                status,
                StatusProgress::Status {
                    code: 503,
                    minor: 1,
                    ..
                }
            ));
            let body = if head { 0 } else { REASON.len() };
            assert!(buf[..len - body].ends_with(b"\r\n\r\n"));
            assert!(buf[len - body..len] == REASON[..body]);
            // It ends the connection, so our own reader of lengths does not go on behind it.
            let mut parser = AnswerParser::new();
            assert!(!parser.feed(&buf[..len]));
            assert_eq!(parser.answer(head), None::<(u32, Answer)>);
        }
    }

    #[test]
    fn the_time_is_written_as_a_number() {
        for (n, text) in [
            (0, &b": 0\r"[..]),
            (5, b": 5\r"),
            (60, b": 60\r"),
            (1_000_000_000, b": 1000000000\r"),
        ] {
            let mut buf = [0; 420];
            let len = write(&mut buf, n, true).unwrap_or(0);
            let after = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After".len();
            assert!(buf[after..len].starts_with(text));
        }
        assert_eq!(write(&mut [0; 100], 5, true), None);
    }
}
