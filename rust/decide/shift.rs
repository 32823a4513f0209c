// SPDX-License-Identifier: GPL-2.0
//! Sequence numbers of a connection into whose server-to-client stream some bytes were put.
//!
//! Speaks to RFC 9293 (sequence space, window), RFC 2018 and RFC 2883 (SACK), RFC 7323 (scale).
//!
//! The server's stack counts in *server space*, the client in *client space*. With an insert of
//! `len` bytes before the server's byte `at`, byte `s` of the server is byte `s` of the client if
//! `s < at`, else `s + len`; client bytes `at .. at + len` are the insert. `at` and all numbers
//! here are sequence numbers modulo 2^32.
//!
//! # Rules
//!
//! - The insert travels in the segment that starts at or covers byte `at`, in front of that byte;
//!   also in front of a FIN that stands at `at`. A segment that ends at `at` does not carry it.
//!   So the insert is retransmitted exactly when byte `at` is.
//! - Therefore the server must not believe that byte `at` arrived before the whole insert did. An
//!   acknowledgement inside the insert is one of `at`. A SACK block that begins inside the insert
//!   or right behind it leaves byte `at` out: else the server would hold everything from `at` on
//!   for received, the client would miss the insert, and nobody would send it again.
//! - A segment without data and FIN at `at` (ACK, RST) moves behind the insert once that was sent,
//!   as the client's next expected byte has. Probes stand one byte lower and do not move.
//! - Once the server's stack has accepted an acknowledgement of byte `at`, the bytes of the insert
//!   are not needed again.
//! - The window ends at the same byte for both. Before the insert was sent the server knew a window
//!   that is up to `len` too far: the client trims what does not fit and it is retransmitted.
//! - The urgent pointer counts from the segment's own number; a segment with URG that is split
//!   has `len` added to it if it points past `at`. That is left to the caller.

use crate::decide::limits::SHIFT_SETTLED;
use crate::decide::limits::WSCALE_MAX;
use crate::wire::tcp::flags;
use crate::wire::tcp::seq;

/// What to do with a segment of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// Nothing changes.
    Before,
    /// The insert goes into it, `offset` bytes into its payload; its number stays. The offset is
    /// the payload's length if only the FIN stands behind the insert.
    Split {
        /// Payload bytes in front of the insert.
        offset: u32,
    },
    /// Only its number changes.
    After {
        /// The sequence number in client space.
        seq: u32,
    },
}

/// One insert, and the translations that hold while it is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Insert {
    /// Server-space sequence number of the byte before which the insert goes.
    pub at: u32,
    /// Bytes of the insert; 1 to [`crate::decide::limits::INSERT_MAX`].
    pub len: u16,
}

impl Insert {
    /// What to do with a segment of the server, whether it is sent for the first time or again.
    ///
    /// `seq` is its number, `payload_len` its bytes of data, `flags` those of
    /// [`crate::wire::tcp::flags`]. `sent`: the insert has been transmitted before.
    pub fn outgoing(&self, seq: u32, payload_len: u32, flags: u8, sent: bool) -> Outgoing {
        let data = seq.wrapping_add(u32::from(flags & flags::SYN != 0));
        let fin = u32::from(flags & flags::FIN != 0);
        let end = data.wrapping_add(payload_len).wrapping_add(fin);
        let after = Outgoing::After {
            seq: self.client_seq(seq),
        };
        if seq::gt(data, self.at) {
            after
        } else if seq::gt(end, self.at) {
            Outgoing::Split {
                offset: self.at.wrapping_sub(data),
            }
        } else if data == self.at && end == data && sent && seq == data {
            after
        } else {
            Outgoing::Before
        }
    }

    /// Server-space number of a client acknowledgement.
    pub fn ack(&self, ack: u32) -> u32 {
        if seq::le(ack, self.at) {
            ack
        } else if seq::lt(ack, self.end()) {
            self.at
        } else {
            ack.wrapping_sub(u32::from(self.len))
        }
    }

    /// Server-space edges of a client's SACK block; `None` if nothing of the server is left in it.
    pub fn sack_block(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        let missing = seq::gt(left, self.at) && seq::le(left, self.end());
        let left = if missing {
            self.at.wrapping_add(1)
        } else {
            self.ack(left)
        };
        let right = self.ack(right);
        seq::lt(left, right).then_some((left, right))
    }

    /// The window field to show the server with the acknowledgement `self.ack(ack_client)`.
    ///
    /// `window` is the field as the client sent it, `wscale` the scale that both ends use. The
    /// right edge is translated and the result rounded down, but it is never 0 unless the
    /// client's is: the server would send nothing but probes, and the client has no news to tell.
    pub fn window(&self, ack_client: u32, window: u16, wscale: u8) -> u16 {
        if seq::ge(ack_client, self.end()) {
            // Both edges move by the same.
            return window;
        }
        let wscale = u32::from(wscale.min(WSCALE_MAX));
        let bytes = u32::from(window).wrapping_shl(wscale);
        let edge = self.ack(ack_client.wrapping_add(bytes));
        let room = edge.wrapping_sub(self.ack(ack_client)).wrapping_shr(wscale);
        // Translation never widens a range, so the room fits the field; 1 if it became nothing.
        u16::try_from(room).unwrap_or(window).max(window.min(1))
    }

    /// Client-space number of the server's byte `server_seq`, once the insert was sent.
    pub fn client_seq(&self, server_seq: u32) -> u32 {
        if seq::lt(server_seq, self.at) {
            server_seq
        } else {
            server_seq.wrapping_add(u32::from(self.len))
        }
    }

    /// Server-space number of a segment of ours that somebody quotes (ICMP).
    pub fn server_seq(&self, client_seq: u32) -> u32 {
        self.ack(client_seq)
    }

    /// Client-space number behind the insert.
    fn end(&self) -> u32 {
        self.at.wrapping_add(u32::from(self.len))
    }
}

/// How far an insert has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Its place is known, nothing from there on was sent: all numbers are still the same on both
    /// sides. Lasts from the moment when the segment with byte `at` is first seen on its way out
    /// until that has left.
    Ready,
    /// Sent at least once. The bytes must be kept, and must be the same each time.
    Sent,
    /// The server knows that it arrived. The bytes may go; old segments from before `at` may still turn up.
    Acked,
    /// So long ago that everything is behind it. Numbers are no longer compared with `at`, which
    /// after 2^31 bytes would give wrong answers.
    Settled,
}

/// The shift of one flow: its insert and how far that has come.
///
/// # Invariants
///
/// The phase only grows. From `Acked` on the client's next expected byte is behind the insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    insert: Insert,
    phase: Phase,
}

impl Shift {
    /// A shift whose insert has not been sent.
    pub const fn new(insert: Insert) -> Self {
        Self {
            insert,
            phase: Phase::Ready,
        }
    }

    /// The shift in 64 bits, for an atomic word; an odd number.
    pub const fn to_bits(&self) -> u64 {
        let phase = match self.phase {
            Phase::Ready => 0,
            Phase::Sent => 1,
            Phase::Acked => 2,
            Phase::Settled => 3,
        };
        ((self.insert.at as u64) << 32) | ((self.insert.len as u64) << 16) | (phase << 1) | 1
    }

    /// The shift of [`Shift::to_bits`]; `None` for an even number.
    pub const fn from_bits(bits: u64) -> Option<Self> {
        if bits & 1 == 0 {
            return None;
        }
        let phase = match (bits >> 1) & 3 {
            0 => Phase::Ready,
            1 => Phase::Sent,
            2 => Phase::Acked,
            _ => Phase::Settled,
        };
        let insert = Insert {
            at: (bits >> 32) as u32,
            len: (bits >> 16) as u16,
        };
        Some(Self { insert, phase })
    }

    /// The insert.
    pub const fn insert(&self) -> Insert {
        self.insert
    }

    /// How far it has come.
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether the bytes of the insert may still be asked for.
    pub fn needs_bytes(&self) -> bool {
        self.phase < Phase::Acked
    }

    /// What to do with a segment of the server. After a [`Outgoing::Split`] was carried out, call
    /// [`Shift::on_sent`]; if it cannot be carried out, the segment must not be sent.
    ///
    /// In `Acked` nothing is split: a segment that still covers `at` is a late copy, and moving
    /// all of it puts every byte of it either where it belongs or below what the client has.
    pub fn outgoing(&self, seq: u32, payload_len: u32, flags: u8) -> Outgoing {
        let whole = Outgoing::After {
            seq: seq.wrapping_add(u32::from(self.insert.len)),
        };
        match self.phase {
            Phase::Ready => self.insert.outgoing(seq, payload_len, flags, false),
            Phase::Sent => self.insert.outgoing(seq, payload_len, flags, true),
            Phase::Acked => match self.insert.outgoing(seq, payload_len, flags, true) {
                Outgoing::Split { .. } => whole,
                other => other,
            },
            Phase::Settled => whole,
        }
    }

    /// The insert has left in a segment.
    pub fn on_sent(&mut self) {
        self.phase = self.phase.max(Phase::Sent);
    }

    /// The server's stack has accepted acknowledgements up to `una`, its own number. Only what it
    /// has accepted counts: an acknowledgement on its way in may be forged, and what it claims to
    /// have may still have to be sent again.
    pub fn on_una(&mut self, una: u32) {
        if self.phase == Phase::Sent && seq::gt(una, self.insert.at) {
            self.phase = Phase::Acked;
        }
        let behind = una.wrapping_sub(self.insert.at);
        if self.phase == Phase::Acked && (SHIFT_SETTLED..1 << 31).contains(&behind) {
            self.phase = Phase::Settled;
        }
    }

    /// Server-space number of a client acknowledgement.
    pub fn ack(&self, ack: u32) -> u32 {
        match self.phase {
            Phase::Ready => ack,
            Phase::Sent | Phase::Acked => self.insert.ack(ack),
            Phase::Settled => ack.wrapping_sub(u32::from(self.insert.len)),
        }
    }

    /// Server-space edges of a SACK block; `None` if it becomes empty and is to be removed.
    pub fn sack_block(&self, left: u32, right: u32) -> Option<(u32, u32)> {
        match self.phase {
            Phase::Sent | Phase::Acked => self.insert.sack_block(left, right),
            Phase::Ready | Phase::Settled => Some((self.ack(left), self.ack(right))),
        }
    }

    /// The window field to show the server; see [`Insert::window`].
    pub fn window(&self, ack_client: u32, window: u16, wscale: u8) -> u16 {
        match self.phase {
            Phase::Sent | Phase::Acked => self.insert.window(ack_client, window, wscale),
            Phase::Ready | Phase::Settled => window,
        }
    }

    /// Acknowledgement and window of a client's segment as the server is to see them: [`Shift::ack`]
    /// and [`Shift::window`].
    #[inline]
    pub fn client_says(&self, ack: u32, window: u16, wscale: u8) -> (u32, u16) {
        // Nearly always: the client has the insert, and both edges move by the same.
        let has_it = match self.phase {
            Phase::Ready => false,
            Phase::Sent | Phase::Acked => seq::ge(ack, self.insert.end()),
            Phase::Settled => true,
        };
        if has_it {
            return (ack.wrapping_sub(u32::from(self.insert.len)), window);
        }
        (self.ack(ack), self.window(ack, window, wscale))
    }

    /// Server-space number of a segment of ours that somebody quotes (ICMP).
    pub fn server_seq(&self, client_seq: u32) -> u32 {
        self.ack(client_seq)
    }

    /// Client-space number for a segment that is made on the server's behalf (RST, FIN).
    pub fn client_seq(&self, server_seq: u32) -> u32 {
        match self.phase {
            Phase::Ready => server_seq,
            Phase::Sent | Phase::Acked => self.insert.client_seq(server_seq),
            Phase::Settled => server_seq.wrapping_add(u32::from(self.insert.len)),
        }
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_shift))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const N: u16 = 80;
    const N32: u32 = 80;
    const FIN: u8 = flags::FIN | flags::ACK;
    const ACK: u8 = flags::ACK;

    /// Far from the wrap, at it, and across it.
    const PLACES: [u32; 7] = [1000, 0, 1, 40, u32::MAX, u32::MAX - 40, 0x8000_0000];

    fn insert(at: u32) -> Insert {
        Insert { at, len: N }
    }

    #[test]
    fn what_a_client_says_is_said_alike_at_once() {
        for phase in [Phase::Ready, Phase::Sent, Phase::Acked, Phase::Settled] {
            for at in PLACES {
                let shift = Shift {
                    insert: insert(at),
                    phase,
                };
                for ack in (0..3 * N32).map(|n| at.wrapping_sub(N32).wrapping_add(n)) {
                    for (window, wscale) in [(0, 0), (1, 3), (200, 0), (u16::MAX, 14)] {
                        assert_eq!(
                            shift.client_says(ack, window, wscale),
                            (shift.ack(ack), shift.window(ack, window, wscale))
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn bits_keep_everything() {
        assert_eq!(Shift::from_bits(0), None);
        assert_eq!(Shift::from_bits(2), None);
        for phase in [Phase::Ready, Phase::Sent, Phase::Acked, Phase::Settled] {
            for (at, len) in [(0, 0), (1, 2), (u32::MAX, u16::MAX), (1 << 31, 1)] {
                let shift = Shift {
                    insert: Insert { at, len },
                    phase,
                };
                assert_eq!(Shift::from_bits(shift.to_bits()), Some(shift));
            }
        }
    }

    #[test]
    fn segments_of_the_server() {
        for at in PLACES {
            let i = insert(at);
            let seq = |back: u32| at.wrapping_sub(back);
            for sent in [false, true] {
                let out = |seq, len, flags| i.outgoing(seq, len, flags, sent);
                assert_eq!(out(seq(10), 9, ACK), Outgoing::Before);
                assert_eq!(out(seq(10), 10, ACK), Outgoing::Before);
                assert_eq!(out(seq(10), 11, ACK), Outgoing::Split { offset: 10 });
                assert_eq!(out(seq(10), 65_535, ACK), Outgoing::Split { offset: 10 });
                assert_eq!(out(at, 1, ACK), Outgoing::Split { offset: 0 });
                let next = at.wrapping_add(1);
                let moved = Outgoing::After {
                    seq: next.wrapping_add(N32),
                };
                assert_eq!(out(next, 100, ACK), moved);
                assert_eq!(out(next, 0, ACK), moved);
                assert_eq!(out(next, 0, flags::RST), moved);
                // The FIN is a byte of the sequence space.
                assert_eq!(out(seq(10), 9, FIN), Outgoing::Before);
                assert_eq!(out(seq(10), 10, FIN), Outgoing::Split { offset: 10 });
                assert_eq!(out(at, 0, FIN), Outgoing::Split { offset: 0 });
                // Probes stand one below what the client waits for.
                assert_eq!(out(seq(1), 0, ACK), Outgoing::Before);
                // A handshake that is repeated.
                assert_eq!(out(seq(1), 0, flags::SYN | ACK), Outgoing::Before);
            }
        }
    }

    #[test]
    fn empty_segments_at_the_place() {
        for at in PLACES {
            for flags in [ACK, flags::RST, flags::RST | ACK] {
                assert_eq!(insert(at).outgoing(at, 0, flags, false), Outgoing::Before);
                let moved = Outgoing::After {
                    seq: at.wrapping_add(N32),
                };
                assert_eq!(insert(at).outgoing(at, 0, flags, true), moved);
            }
        }
    }

    #[test]
    fn acknowledgements() {
        for at in PLACES {
            let ack = |ahead: i32| {
                insert(at)
                    .ack(at.wrapping_add_signed(ahead))
                    .wrapping_sub(at)
            };
            for (ahead, want) in [
                (-5, -5),
                (0, 0),
                (1, 0),
                (79, 0),
                (80, 0),
                (81, 1),
                (1000, 920),
                (1 << 30, (1 << 30) - 80),
            ] {
                assert_eq!(ack(ahead) as i32, want);
            }
        }
    }

    #[test]
    fn sack_blocks() {
        for at in PLACES {
            let block = |left: i32, right: i32| {
                insert(at)
                    .sack_block(at.wrapping_add_signed(left), at.wrapping_add_signed(right))
                    .map(|(l, r)| (l.wrapping_sub(at) as i32, r.wrapping_sub(at) as i32))
            };
            for (left, right, want) in [
                (-20, -10, Some((-20, -10))),
                (-20, 0, Some((-20, 0))),
                // Ends inside or at the end of the insert.
                (-20, 1, Some((-20, 0))),
                (-20, 80, Some((-20, 0))),
                // Has the whole insert.
                (-20, 81, Some((-20, 1))),
                (0, 200, Some((0, 120))),
                // Lies in the insert.
                (0, 80, None),
                (10, 20, None),
                (0, 1, None),
                // Begins inside or right behind it: byte `at` stays missing.
                (1, 81, None),
                (10, 82, Some((1, 2))),
                (79, 200, Some((1, 120))),
                (80, 200, Some((1, 120))),
                (80, 81, None),
                // Behind.
                (81, 200, Some((1, 120))),
                (180, 200, Some((100, 120))),
            ] {
                assert_eq!(block(left, right), want);
            }
        }
    }

    #[test]
    fn windows() {
        for at in PLACES {
            for (ahead, window, wscale, want) in [
                // Ends before, at, inside and behind the insert.
                (-100, 50, 0, 50),
                (-100, 100, 0, 100),
                (-100, 101, 0, 100),
                (-100, 180, 0, 100),
                (-100, 181, 0, 101),
                (-100, 1000, 0, 920),
                // Acknowledged up to, into, and past it.
                (0, 1000, 0, 920),
                (40, 1000, 0, 960),
                (80, 1000, 0, 1000),
                (500, 1000, 0, 1000),
                // Never closed by us, closed if the client closes.
                (0, 80, 0, 1),
                (0, 1, 0, 1),
                (30, 20, 0, 1),
                (0, 0, 0, 0),
                (-100, 0, 7, 0),
                // Rounded down to whole units, at least one.
                (0, 2, 7, 1),
                (0, 1, 7, 1),
                (0, 3, 7, 2),
                (0, 65_535, 14, 65_534),
                (100, 65_535, 14, 65_535),
                // A scale that cannot be is the largest there is.
                (100, 9, 255, 9),
            ] {
                let ack = at.wrapping_add_signed(ahead);
                assert_eq!(insert(at).window(ack, window, wscale), want);
            }
        }
    }

    #[test]
    fn both_directions_undo_each_other() {
        for at in PLACES {
            for ahead in -200..200 {
                let s = at.wrapping_add_signed(ahead);
                assert_eq!(insert(at).server_seq(insert(at).client_seq(s)), s);
            }
        }
    }

    #[test]
    fn nothing_moves_before_it_is_sent() {
        for at in PLACES {
            let s = Shift::new(insert(at));
            assert!(s.needs_bytes());
            for ahead in [-10, 0, 10, 100, 1000] {
                let n = at.wrapping_add_signed(ahead);
                assert_eq!(s.ack(n), n);
                assert_eq!(s.client_seq(n), n);
                assert_eq!(
                    s.sack_block(n, n.wrapping_add(9)),
                    Some((n, n.wrapping_add(9)))
                );
                assert_eq!(s.window(n, 1000, 0), 1000);
            }
            assert_eq!(s.outgoing(at, 0, ACK), Outgoing::Before);
            assert_eq!(s.outgoing(at, 9, ACK), Outgoing::Split { offset: 0 });
        }
    }

    #[test]
    fn phases() {
        for at in PLACES {
            let mut s = Shift::new(insert(at));
            // A client cannot acknowledge what was not sent.
            s.on_una(at.wrapping_add(1));
            assert_eq!(s.phase(), Phase::Ready);
            assert_eq!(s.ack(at.wrapping_add(N32)), at.wrapping_add(N32));
            s.on_sent();
            assert_eq!(s.phase(), Phase::Sent);
            assert_eq!(s.ack(at.wrapping_add(N32 - 1)), at);
            assert_eq!(s.ack(at.wrapping_add(N32)), at);
            s.on_una(at.wrapping_sub(1));
            s.on_una(at);
            assert_eq!(s.phase(), Phase::Sent);
            s.on_una(at.wrapping_add(1));
            assert_eq!(s.phase(), Phase::Acked);
            assert!(!s.needs_bytes());
            s.on_sent();
            assert_eq!(s.phase(), Phase::Acked);
            // Not again, whatever covers the place; older segments as they were.
            let moved = |seq: u32| Outgoing::After {
                seq: seq.wrapping_add(N32),
            };
            assert_eq!(s.outgoing(at, 100, ACK), moved(at));
            assert_eq!(s.outgoing(at, 0, FIN), moved(at));
            let before = at.wrapping_sub(10);
            assert_eq!(s.outgoing(before, 100, ACK), moved(before));
            assert_eq!(s.outgoing(before, 10, ACK), Outgoing::Before);
        }
    }

    #[test]
    fn a_long_stream_settles_before_numbers_come_round() {
        for at in PLACES {
            let mut s = Shift::new(insert(at));
            s.on_sent();
            // 16 GiB in steps of 64 MiB, each acknowledged; an old acknowledgement in between.
            let mut next = at;
            for _ in 0..256 {
                assert_eq!(s.client_seq(next), next.wrapping_add(N32));
                if s.phase() > Phase::Sent {
                    let want = Outgoing::After {
                        seq: next.wrapping_add(N32),
                    };
                    assert_eq!(s.outgoing(next, 1460, ACK), want);
                }
                next = next.wrapping_add(1 << 26);
                s.on_una(next);
                assert_eq!(s.ack(next.wrapping_add(N32)), next);
                assert_eq!(s.window(next.wrapping_add(N32), 999, 7), 999);
                let old = next.wrapping_sub(1 << 25);
                assert_eq!(s.ack(old.wrapping_add(N32)), old);
                let block = s.sack_block(next.wrapping_add(N32 + 1), next.wrapping_add(N32 + 9));
                assert_eq!(block, Some((next.wrapping_add(1), next.wrapping_add(9))));
            }
            assert_eq!(s.phase(), Phase::Settled);
        }
    }
}
