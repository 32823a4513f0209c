// SPDX-License-Identifier: GPL-2.0
//! Framing of a message: how long its body is, and what becomes of the connection after it.
//!
//! Speaks to RFC 9112 section 6 (message body), section 9.3 (persistence) and RFC 9110 section
//! 7.8 (Upgrade), stricter: every message whose end two programs might see at different places is
//! refused.

use super::field::Field;
use super::field::Single;
use super::field::Word;
use super::is_ows;
use super::is_word;
use super::Reason;

/// Collects the framing fields of one head.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    single: Single,
    /// A tab in the value, which some programs take for a part of it.
    tab: bool,
    token: Word,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

impl Framing {
    /// Before the first field.
    pub const fn new() -> Self {
        Self {
            single: Single::EMPTY,
            tab: false,
            token: Word::EMPTY,
            length: None,
            chunked: false,
            close: false,
            keep_alive: false,
            upgrade: false,
        }
    }

    /// A whole field. Its value has no control characters.
    pub fn whole(&mut self, field: Field, value: &[u8]) -> Result<(), Reason> {
        // What nearly all clients and servers say.
        if field == Field::Connection && is_word(value, b"keep-alive") {
            self.keep_alive = true;
            return Ok(());
        }
        self.begin(field);
        for b in value {
            self.value(field, *b);
        }
        self.end(field)
    }

    /// A field begins.
    pub fn begin(&mut self, field: Field) {
        self.single = Single::EMPTY;
        self.tab = false;
        self.token = Word::EMPTY;
        self.upgrade |= field == Field::Upgrade;
    }

    /// A byte of the value of `field`.
    pub fn value(&mut self, field: Field, b: u8) {
        match field {
            Field::ContentLength | Field::TransferEncoding => {
                self.tab |= b == b'\t';
                self.single.push(b);
            }
            Field::Connection if b == b',' || is_ows(b) => self.connection_token(),
            Field::Connection => self.token.push(b),
            _ => {}
        }
    }

    /// The field is complete.
    pub fn end(&mut self, field: Field) -> Result<(), Reason> {
        match field {
            Field::ContentLength => {
                let length = number(self.single.as_bytes()).ok_or(Reason::ContentLength)?;
                if self.length.replace(length).is_some() || self.tab {
                    return Err(Reason::ContentLength);
                }
            }
            Field::TransferEncoding => {
                let again = core::mem::replace(&mut self.chunked, true);
                if again || self.tab || !self.single.is(b"chunked") {
                    return Err(Reason::TransferEncoding);
                }
            }
            Field::Connection => self.connection_token(),
            _ => {}
        }
        Ok(())
    }

    /// The head is complete: what its version does to the framing.
    pub fn finish(&self, minor_version: u8) -> Result<(), Reason> {
        if self.chunked && self.length.is_some() {
            return Err(Reason::BothLengths);
        }
        // RFC 9112 section 6.1: faulty framing, since 1.0 does not know it.
        if self.chunked && minor_version == 0 {
            return Err(Reason::TransferEncoding);
        }
        Ok(())
    }

    fn connection_token(&mut self) {
        self.close |= self.token.is(b"close");
        self.keep_alive |= self.token.is(b"keep-alive");
        self.token = Word::EMPTY;
    }

    /// Content-Length, bytes.
    pub const fn length(&self) -> Option<u64> {
        self.length
    }

    /// Whether the body comes in chunks.
    pub const fn chunked(&self) -> bool {
        self.chunked
    }

    /// Whether the connection stays open after this message, as far as its sender is concerned.
    pub const fn persistent(&self, minor_version: u8) -> bool {
        !self.close && (minor_version > 0 || self.keep_alive)
    }

    /// Whether there is an Upgrade field.
    pub const fn upgrade(&self) -> bool {
        self.upgrade
    }
}

impl Default for Framing {
    fn default() -> Self {
        Self::new()
    }
}

/// A number of 1 to 19 decimal digits and nothing else. 19 digits always fit into 64 bits.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    digits.iter().try_fold(0u64, |n, b| {
        let digit = b.checked_sub(b'0').filter(|d| *d <= 9)?;
        n.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_http_framing))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn run(lines: &[(Field, &[u8])], minor: u8) -> Result<Framing, Reason> {
        let mut f = Framing::new();
        for (field, value) in lines {
            f.begin(*field);
            value.iter().for_each(|b| f.value(*field, *b));
            f.end(*field)?;
        }
        f.finish(minor)?;
        Ok(f)
    }

    #[test]
    fn lengths() {
        for (text, want) in [
            (&b"0"[..], Ok(Some(0))),
            (b"42  ", Ok(Some(42))),
            (b"00000", Ok(Some(0))),
            (b"9999999999999999999", Ok(Some(9_999_999_999_999_999_999))),
            (b"10000000000000000000", Err(Reason::ContentLength)),
            (b"00000000000000000001", Err(Reason::ContentLength)),
            (b"", Err(Reason::ContentLength)),
            (b"+1", Err(Reason::ContentLength)),
            (b"-1", Err(Reason::ContentLength)),
            (b"0x10", Err(Reason::ContentLength)),
            (b"1_000", Err(Reason::ContentLength)),
            (b"1 0", Err(Reason::ContentLength)),
            (b"10\t", Err(Reason::ContentLength)),
            (b"1,1", Err(Reason::ContentLength)),
            (b"1, 1", Err(Reason::ContentLength)),
            (b"1.0", Err(Reason::ContentLength)),
            (b"\xb2", Err(Reason::ContentLength)),
        ] {
            let found = run(&[(Field::ContentLength, text)], 1).map(|f| f.length());
            assert_eq!(found, want);
        }
    }

    #[test]
    fn lengths_that_contradict() {
        let five = (Field::ContentLength, &b"5"[..]);
        let chunked = (Field::TransferEncoding, &b"chunked"[..]);
        assert_eq!(run(&[five, five], 1).err(), Some(Reason::ContentLength));
        assert_eq!(run(&[five, chunked], 1).err(), Some(Reason::BothLengths));
        assert_eq!(run(&[chunked, five], 1).err(), Some(Reason::BothLengths));
        assert_eq!(
            run(&[chunked, chunked], 1).err(),
            Some(Reason::TransferEncoding)
        );
        assert_eq!(run(&[chunked], 0).err(), Some(Reason::TransferEncoding));
        assert_eq!(run(&[chunked], 1).map(|f| f.chunked()), Ok(true));
    }

    #[test]
    fn only_chunked_is_chunked() {
        for text in [
            &b""[..],
            b"identity",
            b"gzip, chunked",
            b"chunked, identity",
            b",chunked",
            b"chunked,",
            b"\"chunked\"",
            b"chunked;q=1",
            b"xchunked",
            b"chunke",
            b"\xa0chunked",
            b"chunked\x85",
            b"ch unked",
            b"chunked\t",
            b"chunked \t",
        ] {
            let found = run(&[(Field::TransferEncoding, text)], 1).err();
            assert_eq!(found, Some(Reason::TransferEncoding));
        }
        let found = run(&[(Field::TransferEncoding, b"CHUNKED ")], 1).map(|f| f.chunked());
        assert_eq!(found, Ok(true));
    }

    #[test]
    fn persistence() {
        for (text, in_10, in_11) in [
            (&b""[..], false, true),
            (b"keep-alive", true, true),
            (b"close", false, false),
            (b"Keep-Alive , Close", false, false),
            (b"upgrade,keep-alive", true, true),
            (b"closed", false, true),
            (b"x-close", false, true),
        ] {
            let found = run(&[(Field::Connection, text)], 1);
            assert_eq!(
                found.map(|f| (f.persistent(0), f.persistent(1))),
                Ok((in_10, in_11))
            );
        }
    }

    #[test]
    fn upgrade_counts_without_connection() {
        assert_eq!(
            run(&[(Field::Upgrade, b"websocket")], 1).map(|f| f.upgrade()),
            Ok(true)
        );
        assert_eq!(
            run(&[(Field::Other, b"websocket")], 1).map(|f| f.upgrade()),
            Ok(false)
        );
    }
}
