// SPDX-License-Identifier: GPL-2.0
//! Selective acknowledgements: read the blocks of a header, or rewrite them in place.
//!
//! Speaks to RFC 2018 section 3 (the option) and RFC 2883 (its first block may be a duplicate).

use crate::wire::reader::Reader;

/// Most blocks that fit into the options of a header.
pub const MAX_BLOCKS: usize = 4;

const NOP: u8 = 1;
const BLOCK_LEN: usize = 8;
const OPTION_HEADER_LEN: usize = 2;

/// The blocks of the option that [`crate::wire::tcp::Options::sack`] found, left and right edges.
///
/// `None` if `header` is not the header that it was found in.
pub fn blocks(header: &[u8], found: (usize, u8)) -> Option<[Option<(u32, u32)>; MAX_BLOCKS]> {
    let (at, count) = found;
    let mut out = [None; MAX_BLOCKS];
    let mut r = Reader::new(header.get(at..)?);
    for slot in out.iter_mut().take(count.into()) {
        *slot = Some((r.u32()?, r.u32()?));
    }
    Some(out)
}

/// Rewrites the blocks in place: `map` gives each its new edges, or `None` to take it out.
///
/// What is taken out is closed up and filled with NOP, so no other option moves; an option without
/// blocks vanishes. The checksum is the caller's: see [`crate::wire::checksum::adjust`]. `None`,
/// and nothing written, if `header` is not the header that the option was found in.
pub fn rewrite(
    header: &mut [u8],
    found: (usize, u8),
    map: impl Fn(u32, u32) -> Option<(u32, u32)>,
) -> Option<()> {
    let old = blocks(header, found)?;
    let (at, count) = found;
    let start = at.checked_sub(OPTION_HEADER_LEN)?;
    let len = usize::from(count).checked_mul(BLOCK_LEN)?;
    let option = header.get_mut(start..at.checked_add(len)?)?;
    let (head, body) = option.split_first_chunk_mut::<OPTION_HEADER_LEN>()?;
    body.fill(NOP);
    let mut kept: u8 = 0;
    let mapped = old
        .into_iter()
        .flatten()
        .filter_map(|(left, right)| map(left, right));
    for (slot, (left, right)) in body.chunks_exact_mut(BLOCK_LEN).zip(mapped) {
        let [a, b, c, d] = left.to_be_bytes();
        let [e, f, g, h] = right.to_be_bytes();
        if let Some(slot) = slot.first_chunk_mut::<BLOCK_LEN>() {
            *slot = [a, b, c, d, e, f, g, h];
        }
        kept = kept.saturating_add(1);
    }
    let [kind, length] = head;
    if kept == 0 {
        *kind = NOP;
        *length = NOP;
    } else {
        *length = kept.saturating_mul(8).saturating_add(2);
    }
    Some(())
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_sack))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::wire::tcp;

    /// A header with timestamps and three SACK blocks: (n, n + 1) for n = 10, 20, 30.
    fn header() -> [u8; 60] {
        let mut h = [0; 60];
        h[12] = 0xf0;
        h[20..32].copy_from_slice(&[1, 1, 8, 10, 0, 0, 0, 5, 0, 0, 0, 6]);
        h[32..36].copy_from_slice(&[1, 1, 5, 26]);
        for (i, n) in [10u8, 20, 30].into_iter().enumerate() {
            h[36 + i * 8 + 3] = n;
            h[36 + i * 8 + 7] = n + 1;
        }
        h
    }

    fn found(h: &[u8]) -> Option<(usize, u8)> {
        tcp::parse(h).ok().and_then(|s| s.options.sack)
    }

    #[test]
    fn blocks_are_read() {
        let h = header();
        assert_eq!(found(&h), Some((36, 3)));
        let want = [Some((10, 11)), Some((20, 21)), Some((30, 31)), None];
        assert_eq!(blocks(&h, (36, 3)), Some(want));
        assert_eq!(blocks(&h[..59], (36, 3)), None);
        assert_eq!(blocks(&h, (61, 1)), None);
    }

    #[test]
    fn blocks_are_moved() {
        let mut h = header();
        assert_eq!(
            rewrite(&mut h, (36, 3), |l, r| Some((l - 5, r - 5))),
            Some(())
        );
        let want = [Some((5, 6)), Some((15, 16)), Some((25, 26)), None];
        assert_eq!(found(&h).and_then(|f| blocks(&h, f)), Some(want));
        assert_eq!(h[..36], header()[..36]);
    }

    #[test]
    fn blocks_are_taken_out() {
        let mut h = header();
        assert_eq!(
            rewrite(&mut h, (36, 3), |l, r| (l != 20).then_some((l, r))),
            Some(())
        );
        assert_eq!(found(&h), Some((36, 2)));
        assert_eq!(
            blocks(&h, (36, 2)),
            Some([Some((10, 11)), Some((30, 31)), None, None])
        );
        assert_eq!(h[52..60], [1; 8]);
        let timestamps = tcp::parse(&h).map(|s| s.options.timestamps);
        assert_eq!(timestamps, Ok(Some((5, 6))));
    }

    #[test]
    fn without_blocks_the_option_vanishes() {
        let mut h = header();
        assert_eq!(rewrite(&mut h, (36, 3), |_, _| None), Some(()));
        assert_eq!(found(&h), None);
        assert_eq!(h[32..60], [1; 28]);
    }

    #[test]
    fn a_wrong_place_is_refused() {
        let mut h = header();
        assert_eq!(rewrite(&mut h, (1, 3), |l, r| Some((l, r))), None);
        assert_eq!(rewrite(&mut h, (53, 1), |l, r| Some((l, r))), None);
        assert_eq!(rewrite(&mut h, (36, 4), |l, r| Some((l, r))), None);
        assert_eq!(h, header());
    }
}
