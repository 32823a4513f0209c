// SPDX-License-Identifier: GPL-2.0
//! Whether a response may be stored by caches that many clients share.
//!
//! Speaks to RFC 9111 sections 3 and 5 (Cache-Control, Expires), RFC 9213 (targeted fields).

use super::field::Field;
use super::field::Word;
use super::is_ows;

/// What Cache-Control and Expires say about storing a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caching {
    /// `public`.
    pub public: bool,
    /// `private` for the whole response (with a list of fields it is another thing).
    pub private: bool,
    /// `no-store`.
    pub no_store: bool,
    /// `must-understand`: caches that know the status code ignore `no-store`.
    pub must_understand: bool,
    /// `no-cache` for the whole response.
    pub no_cache: bool,
    /// `s-maxage`, with any value.
    pub s_maxage: bool,
    /// `max-age`, with any value.
    pub max_age: bool,
    /// There is an Expires field.
    pub expires: bool,
    /// There are directives for certain caches ([`Field::TargetedCache`]): what `Cache-Control`
    /// says does not bind those (RFC 9213 section 2.2).
    pub targeted: bool,
}

impl Caching {
    /// Whether shared caches may take the response to be one that they may store: unless it says
    /// otherwise, they may.
    pub const fn shared(&self) -> bool {
        !self.private && (!self.no_store || self.must_understand)
    }
}

/// Directives of Cache-Control.
#[derive(Clone, Copy, Debug)]
pub struct Directives {
    word: Word,
    /// Behind the `=` of a directive.
    argument: bool,
    /// Inside the quotes of an argument, and behind a backslash there.
    quoted: bool,
    escaped: bool,
    caching: Caching,
}

impl Directives {
    /// Before the first field.
    pub const fn new() -> Self {
        Self {
            word: Word::EMPTY,
            argument: false,
            quoted: false,
            escaped: false,
            caching: Caching {
                public: false,
                private: false,
                no_store: false,
                must_understand: false,
                no_cache: false,
                s_maxage: false,
                max_age: false,
                expires: false,
                targeted: false,
            },
        }
    }

    /// What the fields so far say.
    pub const fn caching(&self) -> Caching {
        self.caching
    }

    /// A field begins.
    pub fn begin(&mut self, field: Field) {
        self.caching.expires |= field == Field::Expires;
        self.caching.targeted |= field == Field::TargetedCache;
        self.clear();
    }

    /// Forgets the directive that was being read.
    fn clear(&mut self) {
        *self = Self {
            caching: self.caching,
            ..Self::new()
        };
    }

    /// Takes a byte of the value of a Cache-Control field.
    pub fn push(&mut self, b: u8) {
        if self.quoted {
            let escaped = core::mem::replace(&mut self.escaped, false);
            match b {
                _ if escaped => {}
                b'\\' => self.escaped = true,
                b'"' => self.quoted = false,
                _ => {}
            }
            return;
        }
        match b {
            b',' => self.end(),
            b'=' => self.argument = true,
            b'"' => self.quoted = true,
            _ if is_ows(b) || self.argument => {}
            _ => self.word.push(b),
        }
    }

    /// The directive or the field is complete.
    pub fn end(&mut self) {
        let (word, bare) = (self.word, !self.argument);
        self.caching.public |= word.is(b"public");
        self.caching.private |= bare && word.is(b"private");
        self.caching.no_store |= word.is(b"no-store");
        self.caching.must_understand |= word.is(b"must-understand");
        self.caching.no_cache |= bare && word.is(b"no-cache");
        self.caching.s_maxage |= word.is(b"s-maxage");
        self.caching.max_age |= word.is(b"max-age");
        self.clear();
    }
}

impl Default for Directives {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_http_caching))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn directives(value: &[u8]) -> Caching {
        let mut d = Directives::new();
        d.begin(Field::CacheControl);
        value.iter().for_each(|b| d.push(*b));
        d.end();
        d.caching()
    }

    #[test]
    fn directives_are_told_apart() {
        let none = Caching::default();
        let private = Caching {
            private: true,
            ..none
        };
        let no_store = Caching {
            no_store: true,
            ..private
        };
        let both = Caching {
            no_cache: true,
            public: true,
            ..none
        };
        for (value, want) in [
            (&b"private"[..], private),
            (b"PRIVATE , no-store", no_store),
            (b"private=\"a, no-store\"", none),
            (b"no-cache=\"x\\\", public\"", none),
            (b"no-cache,public", both),
            (b"x=\"\", private", private),
            (b"x-public, publicx, max-age2", none),
            (b"\"public, public", none),
            (b",,", none),
            (b"", none),
        ] {
            assert_eq!(directives(value), want);
        }
    }

    #[test]
    fn what_shared_caches_may_store() {
        for (value, want) in [
            (&b""[..], true),
            (b"max-age=5", true),
            (b"no-cache", true),
            (b"private=\"a\"", true),
            (b"private", false),
            (b"public, private", false),
            (b"no-store", false),
            (b"must-understand, no-store", true),
            (b"must-understand, no-store, private", false),
        ] {
            assert_eq!(directives(value).shared(), want);
        }
    }

    #[test]
    fn ages_count_with_any_value() {
        let want = Caching {
            max_age: true,
            s_maxage: true,
            ..Caching::default()
        };
        assert_eq!(directives(b"max-age=0,s-maxage=\"5\""), want);
        assert_eq!(directives(b"s-maxage, max-age"), want);
    }

    #[test]
    fn a_quote_does_not_outlive_its_field() {
        let mut d = Directives::new();
        d.begin(Field::CacheControl);
        b"private=\"".iter().for_each(|b| d.push(*b));
        d.end();
        d.begin(Field::CacheControl);
        b"public".iter().for_each(|b| d.push(*b));
        d.end();
        assert!(d.caching().public && !d.caching().private);
        d.begin(Field::Expires);
        assert!(d.caching().expires && !d.caching().targeted);
        d.begin(Field::TargetedCache);
        assert!(d.caching().targeted);
    }
}
