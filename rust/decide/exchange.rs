// SPDX-License-Identifier: GPL-2.0
//! Requests and responses of one connection at its owner: whether every request has been answered
//! in full, and where in both streams that is.
//!
//! Speaks to RFC 9112 section 9.3 (persistence) and 9.3.2 (pipelining).
//!
//! Only at such a place can another member go on with a connection when its owner dies. What is
//! read here changes nothing of what is sent, so whatever is unusual ends the reading for good:
//! segments out of order, a request head that is not whole in one segment, a request before the
//! last was answered, a response without a length. Numbers are those of the owner's stack.

use crate::wire::http::answer::Answer;
use crate::wire::http::answer::MAX_BODY;
use crate::wire::http::head::Body;
use crate::wire::http::head::Head;
use crate::wire::http::head::Method;
use crate::wire::tcp::seq;

/// How far an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Not known, and never will be.
    Lost,
    /// Every request has been answered.
    Rest,
    /// A request was made; `head`: by HEAD, so the response has no body.
    Asked {
        /// The method is HEAD.
        head: bool,
    },
    /// The response ends where [`Exchange::answered`] says.
    Body,
    /// The next line of a chunk is where [`Exchange::answered`] says.
    Chunks,
}

/// The exchange of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// How far it is.
    pub phase: Phase,
    /// The client's number where the next request begins.
    pub asked: u32,
    /// The server's number of the next byte that says something, see [`Phase`].
    pub answered: u32,
}

/// A request head that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Bytes of head and body.
    pub len: u32,
    /// The method is HEAD.
    pub head: bool,
}

impl Request {
    /// What a head begins; `None`: what follows may be no HTTP, or nothing may follow, or where it ends
    /// is not said.
    pub fn of(head: &Head) -> Option<Self> {
        let other = head.upgrade || head.method == Method::Connect;
        let body = match head.body {
            Body::None => 0,
            Body::Length(n) if n <= MAX_BODY && !head.expect_continue => n as u32,
            Body::Length(_) | Body::Chunked => return None,
        };
        (!other && head.keep_alive).then_some(Self {
            len: (head.len as u32).checked_add(body)?,
            head: head.method == Method::Head,
        })
    }
}

/// What is to be read of a response, from a place in a segment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Its head; `head` as in [`Phase::Asked`].
    Head {
        /// The method was HEAD.
        head: bool,
    },
    /// The line of a chunk.
    Chunk,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A head of so many bytes.
    Head(u32, Answer),
    /// A chunk of so many bytes in all; `false`: the last one.
    Chunk(u32, bool),
}

impl Exchange {
    /// Before the first request, whose first byte is `asked`; the response will begin at
    /// `answered`.
    pub const fn new(asked: u32, answered: u32) -> Self {
        Self {
            phase: Phase::Rest,
            asked,
            answered,
        }
    }

    /// Data of the client: `len` bytes from `at` on. `read` reads a request head at an offset in
    /// them.
    pub fn on_client(&mut self, at: u32, len: u32, read: impl FnOnce(u32) -> Option<Request>) {
        let end = at.wrapping_add(len);
        if self.phase == Phase::Lost || len == 0 || seq::le(end, self.asked) {
            return;
        }
        if self.phase != Phase::Rest || seq::gt(at, self.asked) {
            self.phase = Phase::Lost;
            return;
        }
        match read(self.asked.wrapping_sub(at)) {
            Some(request) => {
                self.asked = self.asked.wrapping_add(request.len);
                let another = seq::gt(end, self.asked);
                self.phase = match another {
                    true => Phase::Lost,
                    false => Phase::Asked { head: request.head },
                };
            }
            None => self.phase = Phase::Lost,
        }
    }

    /// Data of the local stack: `len` bytes from `at` on. `read` reads a part of a response at an
    /// offset in them.
    pub fn on_server(&mut self, at: u32, len: u32, read: impl Fn(Want, u32) -> Option<Part>) {
        let end = at.wrapping_add(len);
        // Each round but the last takes a byte at least.
        for _ in 0..len.saturating_add(1) {
            let want = match self.phase {
                Phase::Lost => return,
                Phase::Rest if seq::le(end, self.answered) => return,
                Phase::Body if seq::lt(end, self.answered) => return,
                Phase::Body if end == self.answered => {
                    self.phase = Phase::Rest;
                    return;
                }
                // More than was asked for.
                Phase::Rest | Phase::Body => {
                    self.phase = Phase::Lost;
                    return;
                }
                Phase::Asked { .. } | Phase::Chunks if seq::le(end, self.answered) => return,
                Phase::Asked { head } => Want::Head { head },
                Phase::Chunks => Want::Chunk,
            };
            let offset = self.answered.wrapping_sub(at);
            let part = match seq::gt(at, self.answered) {
                true => None,
                false => read(want, offset),
            };
            let (taken, phase) = match part {
                Some(Part::Head(len, Answer::Interim)) => (len, self.phase),
                Some(Part::Head(len, Answer::Length(n))) => (len.wrapping_add(n), Phase::Body),
                Some(Part::Head(len, Answer::Chunks)) => (len, Phase::Chunks),
                Some(Part::Chunk(len, true)) => (len, Phase::Chunks),
                Some(Part::Chunk(len, false)) => (len, Phase::Body),
                None => (0, Phase::Lost),
            };
            self.answered = self.answered.wrapping_add(taken);
            self.phase = phase;
        }
    }

    /// The streams' places when every request has been answered: the client's number of the next
    /// request, and the server's of the next response.
    pub fn rest(&self) -> Option<(u32, u32)> {
        (self.phase == Phase::Rest).then_some((self.asked, self.answered))
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_exchange))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::wire::http::head::HeadParser;
    use crate::wire::http::head::Outcome;
    use crate::wire::http::head::Progress;

    const C: u32 = 0xffff_ff00;
    const S: u32 = 0xffff_fff0;

    fn asks(len: u32) -> impl FnOnce(u32) -> Option<Request> {
        move |_| Some(Request { len, head: false })
    }

    fn asked(len: u32) -> Exchange {
        let mut e = Exchange::new(C, S);
        e.on_client(C, len, asks(len));
        assert_eq!(e.phase, Phase::Asked { head: false });
        e
    }

    fn head(n: u32, answer: Answer) -> impl Fn(Want, u32) -> Option<Part> {
        move |want, _| match want {
            Want::Head { .. } => Some(Part::Head(n, answer)),
            Want::Chunk => None,
        }
    }

    #[test]
    fn requests_that_say_where_they_end() {
        let of = |text: &[u8]| match HeadParser::new().feed(text, b"homing") {
            Progress::Done(Outcome::Head(head)) => Request::of(&head),
            other => panic!("{other:?}"),
        };
        let some = |len, head| Some(Request { len, head });
        assert_eq!(of(b"GET / HTTP/1.1\r\n\r\n"), some(18, false));
        assert_eq!(of(b"HEAD / HTTP/1.1\r\n\r\n"), some(19, true));
        assert_eq!(
            of(b"PUT / HTTP/1.1\r\nContent-Length: 7\r\n\r\n"),
            some(37 + 7, false)
        );
        assert_eq!(
            of(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
            some(42, false)
        );
        for text in [
            &b"GET / HTTP/1.0\r\n\r\n"[..],
            b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
            b"GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
            b"CONNECT a:1 HTTP/1.1\r\n\r\n",
            b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n",
            b"PUT / HTTP/1.1\r\nContent-Length: 4294967296\r\n\r\n",
        ] {
            assert_eq!(of(text), None);
        }
    }

    #[test]
    fn one_request_one_response() {
        let mut e = asked(300);
        assert_eq!(e.rest(), None);
        e.on_server(S, 50, head(40, Answer::Length(10)));
        assert_eq!(e.rest(), Some((C.wrapping_add(300), S.wrapping_add(50))));
        // Both again: nothing.
        e.on_client(C, 300, |_| None);
        e.on_server(S, 50, |_, _| None);
        assert_eq!(e.rest(), Some((C.wrapping_add(300), S.wrapping_add(50))));
        // The next one, with the end of the last in front of it.
        e.on_client(C.wrapping_add(200), 200, |at| {
            assert_eq!(at, 100);
            Some(Request {
                len: 100,
                head: true,
            })
        });
        assert_eq!(e.phase, Phase::Asked { head: true });
    }

    #[test]
    fn bodies_in_several_segments() {
        let mut e = asked(100);
        e.on_server(S, 1000, head(40, Answer::Length(5000)));
        assert_eq!(e.phase, Phase::Body);
        e.on_server(S.wrapping_add(1000), 4000, |_, _| None);
        assert_eq!(e.rest(), None);
        e.on_server(S.wrapping_add(5000), 40, |_, _| None);
        assert_eq!(e.rest(), Some((C.wrapping_add(100), S.wrapping_add(5040))));
    }

    #[test]
    fn a_request_body_that_is_still_coming() {
        let mut e = Exchange::new(C, S);
        e.on_client(C, 500, asks(2000));
        e.on_client(C.wrapping_add(500), 1500, |_| None);
        assert_eq!(e.phase, Phase::Asked { head: false });
        e.on_server(S, 40, head(40, Answer::Length(0)));
        assert_eq!(e.rest(), Some((C.wrapping_add(2000), S.wrapping_add(40))));
    }

    #[test]
    fn chunks_and_interim_responses() {
        let mut e = asked(100);
        // 100 Continue, the head, a chunk of 20 and the last, all in one segment.
        let read = |want, at| match (want, at) {
            (Want::Head { head: false }, 0) => Some(Part::Head(25, Answer::Interim)),
            (Want::Head { head: false }, 25) => Some(Part::Head(60, Answer::Chunks)),
            (Want::Chunk, 85) => Some(Part::Chunk(20, true)),
            (Want::Chunk, 105) => Some(Part::Chunk(5, false)),
            _ => None,
        };
        e.on_server(S, 110, read);
        assert_eq!(e.rest(), Some((C.wrapping_add(100), S.wrapping_add(110))));
        // A chunk that ends with a segment, and one that goes over several.
        let mut e = asked(100);
        e.on_server(S, 60, head(60, Answer::Chunks));
        e.on_server(S.wrapping_add(60), 20, |_, at| {
            (at == 0).then_some(Part::Chunk(20, true))
        });
        e.on_server(S.wrapping_add(80), 50, |_, at| {
            (at == 0).then_some(Part::Chunk(120, true))
        });
        e.on_server(S.wrapping_add(130), 50, |_, _| None);
        assert_eq!(e.phase, Phase::Chunks);
        e.on_server(S.wrapping_add(180), 25, |_, at| {
            (at == 20).then_some(Part::Chunk(5, false))
        });
        assert_eq!(e.rest(), Some((C.wrapping_add(100), S.wrapping_add(205))));
    }

    #[test]
    fn what_is_unusual_ends_the_reading() {
        let lost = |f: &dyn Fn(&mut Exchange)| {
            let mut e = asked(100);
            e.on_server(S, 50, head(40, Answer::Length(10)));
            f(&mut e);
            assert_eq!((e.phase, e.rest()), (Phase::Lost, None));
            // For good.
            e.on_client(e.asked, 10, asks(10));
            e.on_server(e.answered, 10, head(5, Answer::Length(5)));
            assert_eq!(e.phase, Phase::Lost);
        };
        let (c, s) = (C.wrapping_add(100), S.wrapping_add(50));
        // A gap, a head that is not whole, two requests in a segment.
        lost(&|e| e.on_client(c.wrapping_add(1), 10, asks(10)));
        lost(&|e| e.on_client(c, 10, |_| None));
        lost(&|e| e.on_client(c, 20, asks(10)));
        // A request before the answer, pipelined.
        lost(&|e| {
            e.on_client(c, 10, asks(10));
            e.on_client(c.wrapping_add(10), 10, asks(10));
        });
        // The server speaks unasked, with a gap, too much, or what cannot be read.
        lost(&|e| e.on_server(s, 1, head(1, Answer::Interim)));
        for (at, len, answer) in [(1, 50, Answer::Length(10)), (0, 51, Answer::Length(10))] {
            lost(&|e| {
                e.on_client(c, 10, asks(10));
                e.on_server(s.wrapping_add(at), len, head(40, answer));
            });
        }
        lost(&|e| {
            e.on_client(c, 10, asks(10));
            e.on_server(s, 50, |_, _| None);
        });
    }
}
