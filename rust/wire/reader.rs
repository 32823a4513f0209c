// SPDX-License-Identifier: GPL-2.0
//! The only cursors of the layer: bounded reading from a slice and bounded writing into one.
//!
//! Speaks to no format. Every step either consumes what it says or answers `None`.

/// Reads big-endian fields from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A cursor at the first byte of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not yet consumed.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `n` bytes; `None`, and nothing consumed, if there are fewer.
    pub fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        self.rest = tail;
        Some(head)
    }

    /// The next `N` bytes as an array; `None`, and nothing consumed, if there are fewer.
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.rest.split_first_chunk::<N>()?;
        self.rest = tail;
        Some(*head)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Option<u8> {
        let [b] = self.array::<1>()?;
        Some(b)
    }

    /// The next two bytes, big-endian.
    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next four bytes, big-endian.
    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next eight bytes, big-endian.
    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }
}

/// Writes big-endian fields into the front of a slice.
///
/// After a `None` the cursor accepts nothing more, so a sequence of puts may check only the last.
#[derive(Debug)]
pub struct Writer<'a> {
    rest: &'a mut [u8],
    written: usize,
}

impl<'a> Writer<'a> {
    /// A cursor at the first byte of `buf`.
    pub fn new(buf: &'a mut [u8]) -> Self {
        Self {
            rest: buf,
            written: 0,
        }
    }

    /// Bytes written so far.
    pub const fn written(&self) -> usize {
        self.written
    }

    /// Writes all of `bytes`; `None` if there is no room.
    pub fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let rest = core::mem::take(&mut self.rest);
        let (head, tail) = rest.split_at_mut_checked(bytes.len())?;
        for (to, from) in head.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.rest = tail;
        self.written = self.written.wrapping_add(bytes.len());
        Some(())
    }

    /// Writes an array; `None` if there is no room.
    pub fn array<const N: usize>(&mut self, bytes: [u8; N]) -> Option<()> {
        let rest = core::mem::take(&mut self.rest);
        let (head, tail) = rest.split_first_chunk_mut::<N>()?;
        *head = bytes;
        self.rest = tail;
        self.written = self.written.wrapping_add(N);
        Some(())
    }

    /// Writes one byte.
    pub fn u8(&mut self, v: u8) -> Option<()> {
        self.array([v])
    }

    /// Writes two bytes, big-endian.
    pub fn u16(&mut self, v: u16) -> Option<()> {
        self.array(v.to_be_bytes())
    }

    /// Writes four bytes, big-endian.
    pub fn u32(&mut self, v: u32) -> Option<()> {
        self.array(v.to_be_bytes())
    }

    /// Writes eight bytes, big-endian.
    pub fn u64(&mut self, v: u64) -> Option<()> {
        self.array(v.to_be_bytes())
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_reader))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn reads_in_order_and_stops_at_the_end() {
        let mut r = Reader::new(&[1, 0, 2, 0, 0, 0, 3, 9]);
        assert_eq!(r.u8(), Some(1));
        assert_eq!(r.u16(), Some(2));
        assert_eq!(r.u32(), Some(3));
        assert_eq!(r.u16(), None);
        assert_eq!(r.rest().len(), 1);
        assert_eq!(r.take(2), None);
        assert_eq!(r.take(1).map(|s| s.len()), Some(1));
        assert_eq!(r.u8(), None);
    }

    #[test]
    fn writes_in_order_and_stops_at_the_end() {
        let mut buf = [0xa5u8; 8];
        let mut w = Writer::new(&mut buf);
        assert_eq!(w.u16(0x0102), Some(()));
        assert_eq!(w.put(&[3, 4, 5]), Some(()));
        assert_eq!(w.written(), 5);
        assert_eq!(w.u32(6), None);
        assert_eq!(w.u8(7), None);
        assert_eq!(w.written(), 5);
        assert_eq!(buf, [1, 2, 3, 4, 5, 0xa5, 0xa5, 0xa5]);
    }
}
