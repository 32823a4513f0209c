// SPDX-License-Identifier: GPL-2.0
//! Directory messages: owners list their connections, other members ask whose a connection is.
//!
//! Speaks to the message layout in [`super`]. All fields big-endian.

use crate::wire::addr::Tuple;
use crate::wire::addr::TUPLE_LEN;
use crate::wire::reader::Reader;
use crate::wire::reader::Writer;

/// Bytes of one listed connection on the wire.
pub const LISTED_LEN: usize = TUPLE_LEN + 6;

/// Most listed connections in one message.
pub const MAX_LISTED: usize = 13;

/// A connection as its owner lists it with a directory member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The connection.
    pub tuple: Tuple,
    /// Initial sequence number of the client: which connection of that key.
    pub client_isn: u32,
    /// It is over: to be forgotten.
    pub gone: bool,
}

impl Listed {
    pub(super) fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.array(self.tuple.to_bytes())?;
        w.u32(self.client_isn)?;
        w.array([u8::from(self.gone), 0])
    }

    fn parse(r: &mut Reader<'_>) -> Option<Self> {
        let tuple = Tuple::from_bytes(&r.array()?);
        let client_isn = r.u32()?;
        let [gone, _] = r.array()?;
        Some(Self {
            tuple,
            client_isn,
            gone: gone & 1 != 0,
        })
    }
}

/// The connections of a received message, read as they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Listing<'a> {
    pub(super) reader: Reader<'a>,
}

impl Iterator for Listing<'_> {
    type Item = Listed;

    fn next(&mut self) -> Option<Listed> {
        // Whole records only: the length was compared with the count.
        Listed::parse(&mut self.reader)
    }
}

/// What a directory member knows of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The connection asked about.
    pub tuple: Tuple,
    /// Its client's initial sequence number; 0 without an owner.
    pub client_isn: u32,
    /// Member id of its owner; 0: not listed here.
    pub owner: u16,
}

impl Answer {
    pub(super) fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.array(self.tuple.to_bytes())?;
        w.u32(self.client_isn)?;
        w.u16(self.owner)
    }

    pub(super) fn parse(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            tuple: Tuple::from_bytes(&r.array()?),
            client_isn: r.u32()?,
            owner: r.u16()?,
        })
    }
}

/// Bytes of an [`Answer`] on the wire.
pub(super) const ANSWER_LEN: usize = TUPLE_LEN + 6;
