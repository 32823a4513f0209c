// SPDX-License-Identifier: GPL-2.0
//! Messages by which a member is told all that another knows: parts of a walk through its table,
//! and what has arrived of them.
//!
//! Speaks to the bodies of control messages of kind 7 and 8. A walk is cut into chunks, a chunk
//! into parts, one message each. The next chunk is begun when all parts of the one before have
//! been acknowledged.

use crate::wire::reader::Reader;
use crate::wire::reader::Writer;

/// Bytes of a part in front of its associations.
pub(super) const PART_LEN: usize = 20;
/// Bytes of an acknowledgement.
pub(super) const PARTS_LEN: usize = 12;

/// Most parts in a chunk: one bit each in an acknowledgement.
pub const MAX_PARTS: usize = 32;

/// Which part of which walk a message carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// Number of the walk; the sender counts them.
    pub walk: u32,
    /// Number of the chunk, from 0.
    pub chunk: u32,
    /// Number of the part in the chunk, from 0.
    pub index: u8,
    /// Parts of this chunk, 1 to [`MAX_PARTS`].
    pub parts: u8,
    /// This chunk is the last.
    pub last: bool,
    /// Number of the last association that had been pushed when the walk began.
    pub base: u64,
}

impl Part {
    pub(super) fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.u32(self.walk)?;
        w.u32(self.chunk)?;
        w.array([self.index, self.parts, self.last.into(), 0])?;
        w.u64(self.base)
    }

    /// The outer `None`: too short; the inner: values that cannot be.
    pub(super) fn parse(r: &mut Reader<'_>) -> Option<Option<Self>> {
        let walk = r.u32()?;
        let chunk = r.u32()?;
        let [index, parts, last, _] = r.array()?;
        let base = r.u64()?;
        let ok = index < parts && usize::from(parts) <= MAX_PARTS && last <= 1;
        Some(ok.then_some(Self {
            walk,
            chunk,
            index,
            parts,
            last: last == 1,
            base,
        }))
    }
}

/// The parts of a chunk that have arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Number of the walk.
    pub walk: u32,
    /// Number of the chunk.
    pub chunk: u32,
    /// Bit `i` for part `i`.
    pub map: u32,
}

impl Parts {
    pub(super) fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.u32(self.walk)?;
        w.u32(self.chunk)?;
        w.u32(self.map)
    }

    pub(super) fn parse(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            walk: r.u32()?,
            chunk: r.u32()?,
            map: r.u32()?,
        })
    }
}
