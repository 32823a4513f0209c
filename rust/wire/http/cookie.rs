// SPDX-License-Identifier: GPL-2.0
//! The session id in the values of Cookie fields.
//!
//! Speaks to RFC 6265 sections 4.2.1 and 5.4 (pairs separated by `;`, names case-sensitive) and
//! RFC 4648 section 5 (base64url).

use super::before;
use super::is_ows;
use crate::wire::base64url;

/// What the Cookie fields of a head say about one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieValue {
    /// The name is not there.
    Absent,
    /// The name is there, with this value, 32 characters of base64url: the bytes that those stand
    /// for.
    One([u8; base64url::BYTES]),
    /// The name is there, and no value could be a session id.
    Malformed,
    /// The name is there more than once, with values that differ.
    Conflict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before a name.
    Before,
    /// In a name that is ours so far.
    Name,
    /// In a pair that is not ours.
    Skip,
    /// Behind the `=` of our name.
    Begin,
    /// In the value, inside quotes or not.
    Value,
    Quoted,
    /// Behind the value: only whitespace may follow.
    After,
    /// In a value that is no session id.
    Broken,
}

/// Reads the values of all Cookie fields of one head, byte by byte.
///
/// The name is given with every byte, so that it need not be kept; it must not change.
#[derive(Clone, Copy, Debug)]
pub struct CookieScan {
    state: State,
    /// Bytes of the name that matched.
    matched: u16,
    /// Bytes of the value so far.
    len: u8,
    value: [u8; base64url::CHARS],
    found: CookieValue,
}

impl CookieScan {
    /// Before the first field.
    pub const fn new() -> Self {
        Self {
            state: State::Before,
            matched: 0,
            len: 0,
            value: [0; base64url::CHARS],
            found: CookieValue::Absent,
        }
    }

    /// What all fields so far say; to be asked after [`CookieScan::end`].
    pub const fn found(&self) -> CookieValue {
        self.found
    }

    /// Takes the whole value of a Cookie field, and its end.
    pub fn value(&mut self, value: &[u8], name: &[u8]) {
        let mut rest = value;
        loop {
            while let Some((b' ' | b'\t', more)) = rest.split_first() {
                rest = more;
            }
            let (pair, more) = before(rest, b';');
            self.pair(pair, name);
            let Some((_, more)) = more.split_first() else {
                break;
            };
            rest = more;
        }
    }

    /// A whole pair, without whitespace before it.
    fn pair(&mut self, pair: &[u8], name: &[u8]) {
        // Nearly all others differ here already.
        if pair.first() != name.first() {
            return;
        }
        let value = pair
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix(b"="))
            .filter(|_| !name.is_empty());
        let Some(value) = value else { return };
        match value.try_into().ok().and_then(base64url::decode) {
            Some(sid) => self.note(CookieValue::One(sid)),
            None => {
                self.len = 0;
                self.state = State::Begin;
                for b in value {
                    self.push(*b, name);
                }
                self.end();
            }
        }
    }

    /// Takes bytes of the value of a Cookie field, not all of it perhaps.
    pub fn run(&mut self, bytes: &[u8], name: &[u8]) {
        let mut rest = bytes;
        while let Some((b, more)) = rest.split_first() {
            rest = match self.state {
                // Nothing but the end of the pair matters.
                State::Skip | State::Broken if *b != b';' => before(rest, b';').1,
                _ => {
                    self.push(*b, name);
                    more
                }
            };
        }
    }

    /// Takes a byte of the value of a Cookie field.
    pub fn push(&mut self, b: u8, name: &[u8]) {
        if b == b';' {
            return self.end();
        }
        match self.state {
            State::Before if is_ows(b) => {}
            State::Before => {
                self.matched = 0;
                self.name(b, name);
            }
            State::Name => self.name(b, name),
            State::Begin if b == b'"' => self.state = State::Quoted,
            State::Begin => {
                self.state = State::Value;
                self.keep(b);
            }
            State::Value if is_ows(b) => self.state = State::After,
            State::Quoted if b == b'"' => self.state = State::After,
            State::Value | State::Quoted => self.keep(b),
            State::After if !is_ows(b) => self.state = State::Broken,
            State::Skip | State::After | State::Broken => {}
        }
    }

    /// The pair or the field is complete.
    pub fn end(&mut self) {
        let whole = usize::from(self.len) == base64url::CHARS;
        match self.state {
            State::Value | State::After if whole => {
                let sid = base64url::decode(&self.value);
                self.note(sid.map_or(CookieValue::Malformed, CookieValue::One));
            }
            State::Begin | State::Value | State::Quoted | State::After | State::Broken => {
                self.note(CookieValue::Malformed);
            }
            // A name without `=` is a value without a name, not ours.
            State::Before | State::Name | State::Skip => {}
        }
        self.state = State::Before;
    }

    fn name(&mut self, b: u8, name: &[u8]) {
        match name.get(usize::from(self.matched)) {
            Some(want) if *want == b => {
                self.matched = self.matched.saturating_add(1);
                self.state = State::Name;
            }
            None if b == b'=' && !name.is_empty() => {
                self.len = 0;
                self.state = State::Begin;
            }
            _ => self.state = State::Skip,
        }
    }

    fn keep(&mut self, b: u8) {
        match self.value.get_mut(usize::from(self.len)) {
            Some(slot) => {
                *slot = b;
                self.len = self.len.saturating_add(1);
            }
            None => self.state = State::Broken,
        }
    }

    fn note(&mut self, value: CookieValue) {
        if self.found == CookieValue::Absent {
            self.found = value;
        } else if self.found != value {
            self.found = CookieValue::Conflict;
        }
    }
}

impl Default for CookieScan {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_http_cookie))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const A: &[u8; 32] = b"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-";
    const B: &[u8; 32] = b"0123456789abcdefghijklmnopqrst_Z";

    fn one(text: &[u8; 32]) -> CookieValue {
        base64url::decode(text).map_or(CookieValue::Absent, CookieValue::One)
    }

    /// One field for each element; `@` stands for A, `%` for B. Byte by byte, and whole: alike.
    fn scan(fields: &[&[u8]]) -> CookieValue {
        let (mut s, mut whole) = (CookieScan::new(), CookieScan::new());
        for field in fields {
            let (mut text, mut n) = ([0u8; 256], 0);
            for b in *field {
                let part = match b {
                    b'@' => &A[..],
                    b'%' => B,
                    b => core::slice::from_ref(b),
                };
                text[n..n + part.len()].copy_from_slice(part);
                n += part.len();
            }
            text[..n].iter().for_each(|b| s.push(*b, b"homing"));
            s.end();
            whole.value(&text[..n], b"homing");
            assert_eq!(whole.state, State::Before);
        }
        assert_eq!(whole.found(), s.found());
        s.found()
    }

    #[test]
    fn one_value() {
        for field in [
            &b"homing=@"[..],
            b"homing=\"@\"",
            b"homing=@;",
            b"homing=@ ",
            b"homing=@\t; a=b",
            b" \thoming=@",
            b"a=b; homing=@",
            b"a=b;homing=@",
            b"a=b;  \thoming=@; c=d",
            b"a; homing=@",
            b";;; homing=@;;",
            b"=x; homing=@",
            b"a=b=homing; homing=@",
            b"homing; homing=@",
            b"homin=%; homing=@; homings=%",
            b"xhoming=%; Homing=%; homing=@; HOMING=%",
            b"a=\xff\x80; homing=@",
            b"homing=@; homing=@",
        ] {
            assert_eq!(scan(&[field]), one(A));
        }
        assert_eq!(scan(&[b"a=b", b"homing=%", b"c=d"]), one(B));
        assert_eq!(scan(&[b"homing=%", b"homing=\"%\""]), one(B));
    }

    #[test]
    fn absent() {
        for field in [
            &b""[..],
            b"homing",
            b"homing @",
            b"homing =@",
            b"homin=@",
            b"homings=@",
            b"xhoming=@",
            b"Homing=@",
            b"a=homing=@",
            b"a=b homing=@",
            b"a=b,homing=@",
            b"\"homing\"=@",
            b"=@",
        ] {
            assert_eq!(scan(&[field]), CookieValue::Absent);
        }
        // A value does not go on in the next field.
        assert_eq!(scan(&[b"hom", b"ing=@"]), CookieValue::Absent);
    }

    #[test]
    fn malformed() {
        for field in [
            &b"homing="[..],
            b"homing=\"\"",
            b"homing=;",
            b"homing=x",
            b"homing=@x",
            b"homing=@=",
            b"homing= @",
            b"homing=@ x",
            b"homing=\"@",
            b"homing=@\"",
            b"homing=\"@\"x",
            b"homing=\"@x\"",
            b"homing=\" @\"",
            b"homing=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            b"homing=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+A",
            b"homing=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/A",
            b"homing=AAAAAAAAAAAAAAAA AAAAAAAAAAAAAAAA",
            b"homing=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\xc3\xa9",
            b"homing=\"AAAAAAAAAAAAAAAA;AAAAAAAAAAAAAAAA\"",
        ] {
            assert_eq!(scan(&[field]), CookieValue::Malformed);
        }
    }

    #[test]
    fn conflict() {
        for field in [
            &b"homing=@; homing=%"[..],
            b"homing=%; homing=@; homing=%",
            b"homing=@; homing=x",
            b"homing=; homing=@",
            b"homing=@; homing=%; homing=%",
        ] {
            assert_eq!(scan(&[field]), CookieValue::Conflict);
        }
        assert_eq!(scan(&[b"homing=@", b"homing=%"]), CookieValue::Conflict);
    }

    #[test]
    fn an_empty_name_is_never_ours() {
        let mut s = CookieScan::new();
        b"=x; a=b; ".iter().for_each(|b| s.push(*b, b""));
        s.end();
        assert_eq!(s.found(), CookieValue::Absent);
        s.value(b"=x; a=b; ", b"");
        assert_eq!(s.found(), CookieValue::Absent);
    }
}
