// SPDX-License-Identifier: GPL-2.0
//! Connections whose owner is lost: which of them go on at another member, and which are reset.
//!
//! Speaks to RFC 9293 section 3.10.7.1 (reset), RFC 9110 section 9.2.1 (safe methods) and RFC 1122
//! section 4.2.3.6 (keep-alive).
//!
//! An entry member sees what the client says, not what it is told. That every request was answered,
//! and where in both streams that is, its owner has said: a [`Mark`]. If the client's next packet
//! begins exactly there, the connection is at rest for both sides, nothing of it is under way (the
//! owner has been silent for as long as it takes to call it down), and any member can go on with it.
//! In every other case bytes may be missing that nobody has, and the client is told.

use crate::decide::limits::AWAY_DOWNS;
use crate::wire::tcp::flags;
use crate::wire::tcp::seq;

/// What has become of the owner of connections that come in here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Owner {
    /// It is there, or may be, or will be soon.
    There = 0,
    /// It cannot be reached from here, and may well be alive: what it has at rest it may end, or go
    /// on with at another entry member. Its connections are reset, and never taken over.
    Away = 1,
    /// It is dead.
    Dead = 2,
}

/// What this member sees of an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sight {
    /// It is down, whatever an operator has ordered: see [`crate::decide::member::liveness`].
    pub away: bool,
    /// It is heard: it does not hear us.
    pub heard: bool,
    /// This member may speak for the farm: see [`crate::decide::member::may_rehome`].
    pub majority: bool,
    /// Milliseconds for which it has been away.
    pub away_ms: u64,
}

/// Judges an owner; `down_ms`: silence before a member may be called down.
pub fn owner(s: &Sight, down_ms: u64) -> Owner {
    let long = s.away_ms >= down_ms.saturating_mul(AWAY_DOWNS);
    match (s.away, s.majority) {
        (false, _) => Owner::There,
        (true, true) if s.heard => Owner::Away,
        (true, true) => Owner::Dead,
        // The larger part of the farm may have it.
        (true, false) if long => Owner::Away,
        (true, false) => Owner::There,
    }
}

/// A place where a connection was at rest. In the client's numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The client's next request begins here.
    pub asked: u32,
    /// The next response begins here.
    pub answered: u32,
}

/// What the client said last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its sequence number behind everything that it has sent.
    pub next: u32,
    /// Its acknowledgement.
    pub ack: u32,
}

/// What becomes of a connection when its owner is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The client waits for what nobody will send: it is told at once.
    Reset,
    /// It has sent a request and has no answer. If it does not hear that the request arrived it
    /// sends it again, soon; else nothing will come.
    Await,
    /// It is at rest.
    Keep,
}

/// Judges a connection whose first byte of the client was `first`.
pub fn fate(first: u32, mark: Option<Mark>, said: Option<Said>) -> Fate {
    match (mark, said) {
        (Some(mark), Some(said)) if said.ack == mark.answered => {
            // The mark before the first request is there from the beginning.
            if said.next == mark.asked && mark.asked != first {
                Fate::Keep
            } else if seq::ge(said.next, mark.asked) {
                Fate::Await
            } else {
                Fate::Reset
            }
        }
        _ => Fate::Reset,
    }
}

/// The same where the owner is [`Owner::Away`]. `arrived`: it has, or had, the connection; else it
/// is as new.
pub fn fate_away(arrived: bool, fate: Fate) -> Fate {
    if arrived {
        Fate::Reset
    } else {
        fate
    }
}

/// Whether a reset of the client's is one: it stands where the client can be. Whoever does not see
/// the connection would have to guess this.
///
/// That is behind all that it has sent, or where an acknowledgement that it got stood: not before
/// what the owner had answered.
pub fn is_reset(first: u32, mark: Option<Mark>, said: Option<Said>, seq: u32) -> bool {
    let low = mark.map_or(first, |mark| mark.asked);
    let high = said.map_or(low, |said| said.next);
    seq == low || seq::ge(seq, low) && seq::le(seq, high)
}

/// What a socket may have received of a connection since it was given to a member, or could have been
/// had it got the request too, bytes.
const GOT: u32 = 1 << 16;

/// Whether a socket that expects `next` is of the connection that began, or went on at another owner,
/// behind the client's number `isn`. Another connection between the same ports passes for it once in
/// 65,536 times.
pub fn is_of(isn: u32, next: u32) -> bool {
    next.wrapping_sub(isn.wrapping_add(1)) < GOT
}

/// A segment of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement.
    pub ack: u32,
    /// Bytes of data.
    pub len: u32,
    /// Bits of [`crate::wire::tcp::flags`].
    pub flags: u8,
    /// It says that it has bytes behind a gap.
    pub sack: bool,
}

/// What to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Tell the client that its connection is lost.
    Reset,
    /// Nothing.
    Ignore,
    /// Say that the connection is there: somebody asks, and nothing is missing.
    Probe,
    /// The client ends a connection at rest: its goodbye is answered.
    End,
    /// If it is a whole request head, another member goes on. `safe`: only if its method is safe,
    /// since the old owner may have got the request too.
    Request {
        /// Only with a safe method.
        safe: bool,
    },
}

/// Decides on a segment of a connection whose owner is lost.
pub fn next(first: u32, mark: Option<Mark>, said: Option<Said>, s: &Segment) -> Next {
    let Some(mark) = mark else {
        return Next::Reset;
    };
    let usual = s.flags & (flags::SYN | flags::RST | flags::URG | flags::ACK) == flags::ACK;
    if !usual || s.sack || s.ack != mark.answered {
        return Next::Reset;
    }
    let fin = s.flags & flags::FIN != 0;
    let before = s.seq == mark.asked.wrapping_sub(1);
    match s.len {
        0 if fin && s.seq == mark.asked => Next::End,
        0 if !fin && s.seq == mark.asked => Next::Ignore,
        0 | 1 if !fin && before && mark.asked != first => Next::Probe,
        0 => Next::Reset,
        _ if fin || s.seq != mark.asked => Next::Reset,
        _ => Next::Request {
            safe: mark.asked == first || said.is_none_or(|said| seq::gt(said.next, mark.asked)),
        },
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_lost))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const FIRST: u32 = 0xffff_ff00;
    const MARK: Mark = Mark {
        asked: 100,
        answered: 900,
    };
    const SAID: Said = Said {
        next: 100,
        ack: 900,
    };
    const REQUEST: Segment = Segment {
        seq: 100,
        ack: 900,
        len: 80,
        flags: flags::ACK | flags::PSH,
        sack: false,
    };

    #[test]
    fn what_becomes_of_an_owner() {
        let of = |away, heard, majority, away_ms| {
            let sight = Sight {
                away,
                heard,
                majority,
                away_ms,
            };
            owner(&sight, 1000)
        };
        for majority in [true, false] {
            for heard in [true, false] {
                assert_eq!(of(false, heard, majority, 60_000), Owner::There);
            }
        }
        assert_eq!(of(true, false, true, 0), Owner::Dead);
        assert_eq!(of(true, true, true, 0), Owner::Away);
        // Alone: it waits, and then gives up, but takes nothing over.
        for heard in [true, false] {
            assert_eq!(of(true, heard, false, 9_999), Owner::There);
            assert_eq!(of(true, heard, false, 10_000), Owner::Away);
        }
        for fate in [Fate::Keep, Fate::Await, Fate::Reset] {
            assert_eq!(fate_away(true, fate), Fate::Reset);
            assert_eq!(fate_away(false, fate), fate);
        }
    }

    #[test]
    fn whose_socket_it_is() {
        for isn in [0, 7, u32::MAX - 1, u32::MAX] {
            for got in [0, 1, 1460, GOT - 1] {
                assert!(is_of(isn, isn.wrapping_add(1).wrapping_add(got)));
            }
            for other in [isn, isn.wrapping_add(1 + GOT), isn ^ 0x8000_0000] {
                assert!(!is_of(isn, other));
            }
        }
    }

    #[test]
    fn a_reset_stands_where_the_client_is() {
        let spoken = Some(Said { next: 180, ..SAID });
        let of = |mark, said, seq| is_reset(FIRST, mark, said, seq);
        for seq in [100, 140, 180] {
            assert!(of(Some(MARK), spoken, seq));
        }
        for seq in [99, 181, 0x8000_0000, FIRST] {
            assert!(!of(Some(MARK), spoken, seq));
        }
        // Nothing of it was seen, or no rest.
        assert!(of(Some(MARK), None, 100) && !of(Some(MARK), None, 101));
        assert!(of(None, spoken, FIRST) && of(None, spoken, 180) && !of(None, spoken, 181));
        assert!(of(None, None, FIRST) && !of(None, None, 180));
        // The client has not sent what the owner says it has.
        let behind = Some(Said { next: 99, ..SAID });
        assert!(of(Some(MARK), behind, 100) && !of(Some(MARK), behind, 99));
    }

    #[test]
    fn what_becomes_of_a_connection() {
        let of = |mark, said| fate(FIRST, mark, said);
        assert_eq!(of(Some(MARK), Some(SAID)), Fate::Keep);
        // A request has been sent.
        let spoken = Said { next: 180, ..SAID };
        assert_eq!(of(Some(MARK), Some(spoken)), Fate::Await);
        // Some of its answer has come, or it is not the answer that the mark was made for.
        for ack in [901, 899, 0] {
            let said = Said { ack, ..spoken };
            assert_eq!(of(Some(MARK), Some(said)), Fate::Reset);
            let said = Said { ack, ..SAID };
            assert_eq!(of(Some(MARK), Some(said)), Fate::Reset);
        }
        // Nothing is known.
        assert_eq!(of(None, Some(SAID)), Fate::Reset);
        assert_eq!(of(Some(MARK), None), Fate::Reset);
        // The client has not sent what the owner says it has.
        let behind = Said { next: 99, ..SAID };
        assert_eq!(of(Some(MARK), Some(behind)), Fate::Reset);
        // The first request, without an answer.
        let mark = Mark {
            asked: FIRST,
            answered: 900,
        };
        for next in [FIRST, FIRST.wrapping_add(80)] {
            assert_eq!(of(Some(mark), Some(Said { next, ack: 900 })), Fate::Await);
        }
    }

    #[test]
    fn a_request_at_rest_goes_on() {
        let of = |s: &Segment| next(FIRST, Some(MARK), Some(SAID), s);
        assert_eq!(of(&REQUEST), Next::Request { safe: false });
        // Sent before, to the old owner.
        let spoken = Said { next: 180, ..SAID };
        let again = next(FIRST, Some(MARK), Some(spoken), &REQUEST);
        assert_eq!(again, Next::Request { safe: true });
        let mark = Mark {
            asked: FIRST,
            answered: 900,
        };
        let first = Segment {
            seq: FIRST,
            ..REQUEST
        };
        let said = Said {
            next: FIRST,
            ack: 900,
        };
        let again = next(FIRST, Some(mark), Some(said), &first);
        assert_eq!(again, Next::Request { safe: true });
    }

    #[test]
    fn everything_else_is_told() {
        let of = |s: Segment| next(FIRST, Some(MARK), Some(SAID), &s);
        let reset = |s: Segment| assert_eq!(of(s), Next::Reset);
        assert_eq!(next(FIRST, None, Some(SAID), &REQUEST), Next::Reset);
        reset(Segment {
            seq: 101,
            ..REQUEST
        });
        reset(Segment { seq: 20, ..REQUEST });
        reset(Segment {
            ack: 901,
            ..REQUEST
        });
        reset(Segment {
            ack: 899,
            ..REQUEST
        });
        reset(Segment {
            sack: true,
            ..REQUEST
        });
        for bad in [flags::FIN, flags::URG, flags::SYN, flags::RST] {
            let flags = REQUEST.flags | bad;
            reset(Segment { flags, ..REQUEST });
        }
        reset(Segment {
            flags: 0,
            ..REQUEST
        });
        let bare = Segment {
            len: 0,
            flags: flags::ACK,
            ..REQUEST
        };
        reset(Segment { seq: 180, ..bare });
        reset(Segment { ack: 950, ..bare });
    }

    #[test]
    fn a_quiet_client_is_kept() {
        let bare = Segment {
            len: 0,
            flags: flags::ACK,
            ..REQUEST
        };
        let of = |s: Segment| next(FIRST, Some(MARK), Some(SAID), &s);
        assert_eq!(of(bare), Next::Ignore);
        assert_eq!(of(Segment { seq: 99, ..bare }), Next::Probe);
        assert_eq!(
            of(Segment {
                seq: 99,
                len: 1,
                ..bare
            }),
            Next::Probe
        );
        let fin = flags::ACK | flags::FIN;
        assert_eq!(of(Segment { flags: fin, ..bare }), Next::End);
        let reset = Segment {
            seq: 99,
            flags: fin,
            ..bare
        };
        assert_eq!(of(reset), Next::Reset);
    }
}
