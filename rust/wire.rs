// SPDX-License-Identifier: GPL-2.0
//! Bytes to meaning and back: the formats that homing reads from packets and writes into them.
//!
//! Speaks to the RFCs that each file names. Needs `core` only and may be called in any context.
//!
//! # The panic contract
//!
//! Every byte here was chosen by somebody else. Every `parse` is total: any bytes, of any length,
//! give `Ok` or an [`Error`], and no release code of this layer can reach a panic (no indexing, no
//! unwrapping, no unchecked arithmetic). Every loop over outside bytes consumes at least one byte
//! per round or has a stated limit. Checks are made when parsing; emitting writes what it is given
//! and answers `None` only if the buffer is too small or a field cannot hold its value.
//!
//! Multi-byte fields are big-endian on the wire and plain host integers in the structs.

pub mod addr;
pub mod base64url;
pub mod checksum;
pub mod control;
pub mod geneve;
pub mod http;
pub mod icmp;
pub mod ip;
pub mod plain;
pub mod reader;
pub mod sack;
pub mod tcp;

/// The format that a parse was reading when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// IPv4 header, RFC 791.
    Ipv4,
    /// IPv6 header or one of its extension headers, RFC 8200.
    Ipv6,
    /// TCP header or its options, RFC 9293.
    Tcp,
    /// Geneve header, RFC 8926.
    Geneve,
    /// A Geneve option of ours.
    Option,
    /// A control message between members.
    Control,
}

/// What was wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes end before the format does: see `needed` and `have`.
    Short,
    /// Bytes are left over after the end of the format.
    Long,
    /// The version field names a format that is not read here.
    Version,
    /// A length field contradicts itself or the format.
    Length,
    /// A field has a value that the format does not allow.
    Value,
    /// Well formed, but not supported (too many extension headers, a message kind of the future).
    Unsupported,
}

/// Why a parse failed: the format, the fault, and how many bytes were needed and there.
///
/// `needed` and `have` are bytes from the start of what `parse` was given; for faults other than
/// [`Fault::Short`] they say where the fault was met and are for messages only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// The format that was being read.
    pub layer: Layer,
    /// What was wrong.
    pub fault: Fault,
    /// Bytes that the format needed.
    pub needed: usize,
    /// Bytes that were there.
    pub have: usize,
}

impl Error {
    /// The bytes ended early.
    pub const fn short(layer: Layer, needed: usize, have: usize) -> Self {
        Self {
            layer,
            fault: Fault::Short,
            needed,
            have,
        }
    }

    /// The bytes are there but wrong.
    pub const fn bad(layer: Layer, fault: Fault) -> Self {
        Self {
            layer,
            fault,
            needed: 0,
            have: 0,
        }
    }
}
