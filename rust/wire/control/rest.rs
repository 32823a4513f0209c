// SPDX-License-Identifier: GPL-2.0
//! Rest messages: an owner tells an entry member which of its connections have no open request,
//! and where in both streams that is.
//!
//! Speaks to the message layout in [`super`]. All fields big-endian.

use crate::wire::addr::Tuple;
use crate::wire::addr::TUPLE_LEN;
use crate::wire::reader::Reader;
use crate::wire::reader::Writer;

/// Bytes of one connection on the wire.
pub const RESTING_LEN: usize = TUPLE_LEN + 12;

/// Most connections in one message.
pub const MAX_RESTING: usize = 12;

/// A connection at rest: the client has all that was sent, and the owner all that it sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resting {
    /// The connection.
    pub tuple: Tuple,
    /// Initial sequence number of the client: which connection of that key.
    pub client_isn: u32,
    /// The client's number of its next request.
    pub asked: u32,
    /// The number, as the client counts, of the next response.
    pub answered: u32,
}

impl Resting {
    pub(super) fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.array(self.tuple.to_bytes())?;
        w.u32(self.client_isn)?;
        w.u32(self.asked)?;
        w.u32(self.answered)
    }

    fn parse(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            tuple: Tuple::from_bytes(&r.array()?),
            client_isn: r.u32()?,
            asked: r.u32()?,
            answered: r.u32()?,
        })
    }
}

/// The connections of a received message, read as they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Rests<'a> {
    pub(super) reader: Reader<'a>,
}

impl Iterator for Rests<'_> {
    type Item = Resting;

    fn next(&mut self) -> Option<Resting> {
        // Whole records only: the length was compared with the count.
        Resting::parse(&mut self.reader)
    }
}
