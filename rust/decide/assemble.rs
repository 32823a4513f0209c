// SPDX-License-Identifier: GPL-2.0
//! In which order held segments form the client's stream.
//!
//! Speaks to RFC 9293 section 3.10.7.4 (what a receiver does with overlapping segments).
//!
//! The stream that is read here must be the stream that the application will read, or a request
//! could be shown to us with one session and to the application with another. Segments may
//! overlap and differ where they do. So the plan is also the order in which the packets must be
//! passed on: the receiver's TCP takes from each packet, in that order, exactly the bytes that the
//! plan takes, since it too drops what it already has. Packets that are not in the plan follow
//! after those that are, or are dropped: the client will send them again.

use crate::decide::limits::HOLD_BYTES;
use crate::decide::limits::HOLD_SEGMENTS;
use crate::wire::tcp::seq;

/// Part of one held segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Index of the segment.
    pub index: usize,
    /// Payload bytes to pass over: the stream has them already.
    pub skip: u32,
    /// Payload bytes to take behind those; at least 1.
    pub take: u32,
}

/// The contiguous beginning of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pieces: [Piece; HOLD_SEGMENTS],
    count: usize,
    /// Bytes of the stream, from its start to the first gap.
    pub len: u32,
    /// A segment was left out because it lies behind a gap.
    pub gap: bool,
}

impl Plan {
    /// The pieces in stream order.
    pub fn pieces(&self) -> &[Piece] {
        self.pieces.get(..self.count).unwrap_or(&[])
    }
}

/// Puts held segments in order.
///
/// `start` is the stream's first sequence number (the client's ISN plus 1). `held` are sequence
/// number and payload length of the segments in the order of arrival; the first ten count, and of
/// each what lies within 16 KiB of `start`. Where segments overlap, what continues the stream
/// counts; of several that do, the one that arrived first.
pub fn assemble(start: u32, held: &[(u32, u32)]) -> Plan {
    let held = held.get(..HOLD_SEGMENTS).unwrap_or(held);
    let mut plan = Plan::default();
    for slot in 0..HOLD_SEGMENTS {
        let found = (0..held.len()).zip(held).find_map(|(index, segment)| {
            let (begin, end) = range(start, *segment)?;
            (begin <= plan.len && plan.len < end).then(|| Piece {
                index,
                skip: start.wrapping_add(plan.len).wrapping_sub(segment.0),
                take: end.wrapping_sub(plan.len),
            })
        });
        let (Some(piece), Some(place)) = (found, plan.pieces.get_mut(slot)) else {
            break;
        };
        *place = piece;
        plan.count = slot.wrapping_add(1);
        plan.len = plan.len.wrapping_add(piece.take);
    }
    plan.gap = held
        .iter()
        .any(|segment| range(start, *segment).is_some_and(|(begin, _)| begin > plan.len));
    plan
}

/// The part of a segment in the stream: offsets from `start`, `begin < end <= HOLD_BYTES`; `None`
/// if nothing of it counts.
fn range(start: u32, (seq, len): (u32, u32)) -> Option<(u32, u32)> {
    let offset = seq::diff(seq, start);
    // Longer than any packet: not a length.
    let len = i32::try_from(len).ok().filter(|len| *len <= 1 << 30)?;
    let end = u32::try_from(offset.checked_add(len)?)
        .ok()?
        .min(HOLD_BYTES);
    let begin = u32::try_from(offset.max(0)).ok()?;
    (begin < end).then_some((begin, end))
}

/// Whether another segment may be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It brings bytes that are not held: hold it.
    Hold,
    /// One of the held has all of its bytes: drop it.
    Duplicate,
    /// It would pass a bound of the flow: decide with what is held.
    Full,
    /// None of its bytes is within the window that we promised: drop it.
    Outside,
}

/// Decides on holding `segment` (sequence number, payload length) next to `held`.
pub fn admit(start: u32, held: &[(u32, u32)], segment: (u32, u32)) -> Admission {
    let Some((begin, end)) = range(start, segment) else {
        return Admission::Outside;
    };
    let covers =
        |other: &(u32, u32)| range(start, *other).is_some_and(|(b, e)| b <= begin && end <= e);
    if held.iter().any(covers) {
        return Admission::Duplicate;
    }
    let bytes = held
        .iter()
        .fold(segment.1, |sum, (_, len)| sum.saturating_add(*len));
    if held.len() >= HOLD_SEGMENTS || bytes > HOLD_BYTES {
        return Admission::Full;
    }
    Admission::Hold
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_assemble))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    /// Compares with `(index, skip, take)` at starts that wrap at different points.
    fn is(held: &[(u32, u32)], want: &[(usize, u32, u32)], gap: bool) -> bool {
        [
            0u32,
            1,
            1000,
            u32::MAX,
            u32::MAX - 150,
            0x7fff_ff80,
            0x8000_0000,
        ]
        .iter()
        .all(|&start| {
            let mut moved = [(0, 0); 16];
            for (to, (seq, len)) in moved.iter_mut().zip(held) {
                *to = (seq.wrapping_add(start), *len);
            }
            let plan = assemble(start, moved.get(..held.len()).unwrap_or(&[]));
            let len: u32 = want.iter().map(|(_, _, take)| *take).sum();
            let want = want
                .iter()
                .map(|&(index, skip, take)| Piece { index, skip, take });
            plan.pieces().iter().copied().eq(want) && plan.len == len && plan.gap == gap
        })
    }

    #[test]
    fn in_order_and_out_of_order() {
        assert!(is(&[], &[], false));
        assert!(is(&[(0, 100)], &[(0, 0, 100)], false));
        assert!(is(
            &[(0, 100), (100, 50)],
            &[(0, 0, 100), (1, 0, 50)],
            false
        ));
        assert!(is(
            &[(100, 50), (0, 100)],
            &[(1, 0, 100), (0, 0, 50)],
            false
        ));
        let backward = [
            (90, 10),
            (80, 10),
            (70, 10),
            (60, 10),
            (50, 10),
            (40, 10),
            (30, 10),
            (20, 10),
            (10, 10),
            (0, 10),
        ];
        let want = [9, 8, 7, 6, 5, 4, 3, 2, 1, 0].map(|i| (i, 0, 10));
        assert!(is(&backward, &want, false));
    }

    #[test]
    fn gaps() {
        assert!(is(&[(1, 100)], &[], true));
        assert!(is(&[(0, 100), (101, 50)], &[(0, 0, 100)], true));
        assert!(is(
            &[(101, 50), (0, 100), (100, 1)],
            &[(1, 0, 100), (2, 0, 1), (0, 0, 50)],
            false
        ));
    }

    #[test]
    fn duplicates_and_overlaps() {
        assert!(is(&[(0, 100), (0, 100)], &[(0, 0, 100)], false));
        // First come counts, also if a later one is longer; its rest follows.
        assert!(is(
            &[(0, 100), (0, 150)],
            &[(0, 0, 100), (1, 100, 50)],
            false
        ));
        assert!(is(&[(0, 150), (0, 100)], &[(0, 0, 150)], false));
        assert!(is(
            &[(0, 100), (50, 100)],
            &[(0, 0, 100), (1, 50, 50)],
            false
        ));
        assert!(is(
            &[(50, 100), (0, 100)],
            &[(1, 0, 100), (0, 50, 50)],
            false
        ));
        // A probe byte before the stream, and a segment that begins before it.
        assert!(is(&[(u32::MAX, 1), (0, 10)], &[(1, 0, 10)], false));
        assert!(is(&[(u32::MAX - 4, 10)], &[(0, 5, 5)], false));
    }

    #[test]
    fn segments_without_bytes_and_lengths_that_are_none() {
        assert!(is(&[(0, 0), (0, 7)], &[(1, 0, 7)], false));
        assert!(is(&[(0, u32::MAX), (0, 7)], &[(1, 0, 7)], false));
        assert!(is(
            &[(0x4000_0000, 0x4000_0000), (0, 7)],
            &[(1, 0, 7)],
            false
        ));
    }

    #[test]
    fn bounds() {
        // Nothing past 16 KiB, and nothing past ten segments.
        assert!(is(&[(0, 20_000)], &[(0, 0, 16_384)], false));
        assert!(is(
            &[(0, 16_000), (16_000, 1000)],
            &[(0, 0, 16_000), (1, 0, 384)],
            false
        ));
        assert!(is(&[(16_384, 10)], &[], false));
        let mut many = [(5000, 1); 11];
        if let Some(last) = many.last_mut() {
            *last = (0, 10);
        }
        assert!(is(&many, &[], true));
    }

    #[test]
    fn admission() {
        let start = u32::MAX - 50;
        let at = |offset: u32, len| (start.wrapping_add(offset), len);
        let held = [at(0, 100), at(200, 100)];
        assert_eq!(admit(start, &[], at(0, 1)), Admission::Hold);
        assert_eq!(admit(start, &held, at(100, 100)), Admission::Hold);
        assert_eq!(admit(start, &held, at(50, 51)), Admission::Hold);
        assert_eq!(admit(start, &held, at(50, 50)), Admission::Duplicate);
        assert_eq!(admit(start, &held, at(250, 10)), Admission::Duplicate);
        assert_eq!(admit(start, &held, at(16_384, 10)), Admission::Outside);
        assert_eq!(admit(start, &held, at(0, 0)), Admission::Outside);
        assert_eq!(
            admit(start, &held, (start.wrapping_sub(1), 1)),
            Admission::Outside
        );
        assert_eq!(admit(start, &held, at(300, 16_184)), Admission::Hold);
        assert_eq!(admit(start, &held, at(300, 16_185)), Admission::Full);
        let mut full = [at(0, 10); HOLD_SEGMENTS];
        assert_eq!(admit(start, &full, at(10, 10)), Admission::Full);
        assert_eq!(admit(start, &full, at(0, 10)), Admission::Duplicate);
        full = [at(0, 0); HOLD_SEGMENTS];
        assert_eq!(
            admit(start, full.get(1..).unwrap_or(&[]), at(0, 10)),
            Admission::Hold
        );
    }
}
