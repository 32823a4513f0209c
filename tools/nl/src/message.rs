// SPDX-License-Identifier: GPL-2.0

//! Requests that are built and replies that are read, attribute by attribute.
//!
//! Attributes: `include/uapi/linux/netlink.h`, `struct nlattr`. Integers are in host byte order,
//! `uint` attributes 4 or 8 bytes long (kernel: `nla_get_uint()`).

use crate::error::Error;
use homing_pure::uapi::consts;
use netlink_packet_core::DecodeError;
use netlink_packet_core::DefaultNla;
use netlink_packet_core::Emitable;
use netlink_packet_core::Nla;
use netlink_packet_core::NlaBuffer;
use netlink_packet_core::NlasIterator;
use netlink_packet_core::ParseableParametrized;
use netlink_packet_core::NLA_F_NESTED;
use netlink_packet_generic::GenlFamily;
use netlink_packet_generic::GenlHeader;

/// A request: a command and its attributes.
#[derive(Clone, Debug)]
pub struct Request {
    command: u8,
    attributes: Vec<DefaultNla>,
}

impl Request {
    /// An empty request for a command of `consts::cmd`.
    pub fn new(command: u8) -> Self {
        Request {
            command,
            attributes: Vec::new(),
        }
    }

    /// The command.
    pub fn command(&self) -> u8 {
        self.command
    }

    /// Adds bytes as they are.
    pub fn bytes(mut self, kind: u16, value: &[u8]) -> Self {
        self.attributes.push(DefaultNla::new(kind, value.to_vec()));
        self
    }

    /// Adds a flag: its presence is its value.
    pub fn flag(self, kind: u16) -> Self {
        self.bytes(kind, &[])
    }

    /// Adds a u8.
    pub fn u8(self, kind: u16, value: u8) -> Self {
        self.bytes(kind, &[value])
    }

    /// Adds a u16.
    pub fn u16(self, kind: u16, value: u16) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds a u32.
    pub fn u32(self, kind: u16, value: u32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds an s32.
    pub fn s32(self, kind: u16, value: i32) -> Self {
        self.bytes(kind, &value.to_ne_bytes())
    }

    /// Adds a `uint`, in 4 bytes when it fits.
    pub fn uint(self, kind: u16, value: u64) -> Self {
        match u32::try_from(value) {
            Ok(small) => self.u32(kind, small),
            Err(_) => self.bytes(kind, &value.to_ne_bytes()),
        }
    }

    /// Adds a string with its terminating NUL.
    pub fn string(self, kind: u16, value: &str) -> Self {
        let mut bytes = value.as_bytes().to_vec();
        bytes.push(0);
        self.bytes(kind, &bytes)
    }

    /// Adds the attributes of another request as a nest.
    pub fn nest(self, kind: u16, inner: &Request) -> Self {
        let mut bytes = vec![0; inner.attributes.as_slice().buffer_len()];
        inner.attributes.as_slice().emit(&mut bytes);
        self.bytes(kind | NLA_F_NESTED, &bytes)
    }

    /// The u16 that was added last under a name; `None` when there is none.
    pub fn number(&self, kind: u16) -> Option<u16> {
        let nla = self.attributes.iter().rfind(|nla| nla.kind() == kind)?;
        let mut bytes = [0; 2];
        (nla.value_len() == bytes.len()).then(|| nla.emit_value(&mut bytes))?;
        Some(u16::from_ne_bytes(bytes))
    }

    /// Whether no attribute was added.
    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }
}

/// The attributes of a reply, or of a nest in one.
#[derive(Clone, Debug, Default)]
pub struct Attributes(Vec<u8>);

impl Attributes {
    /// Wraps the bytes behind a generic netlink header.
    pub fn new(bytes: &[u8]) -> Self {
        Attributes(bytes.to_vec())
    }

    /// All values of an attribute that may be repeated; what is malformed ends the list.
    pub fn all(&self, kind: u16) -> impl Iterator<Item = Vec<u8>> + '_ {
        NlasIterator::new(self.0.as_slice())
            .map_while(|nla: Result<NlaBuffer<&[u8]>, DecodeError>| nla.ok())
            .filter(move |nla| nla.kind() == kind)
            .map(|nla| nla.value().to_vec())
    }

    /// The last value of an attribute, as the kernel would take it.
    pub fn bytes(&self, kind: u16) -> Option<Vec<u8>> {
        self.all(kind).last()
    }

    /// An unsigned integer of any width.
    pub fn uint(&self, kind: u16) -> Option<u64> {
        let bytes = self.bytes(kind)?;
        match bytes.as_slice() {
            [a] => Some(u64::from(*a)),
            [a, b] => Some(u64::from(u16::from_ne_bytes([*a, *b]))),
            [a, b, c, d] => Some(u64::from(u32::from_ne_bytes([*a, *b, *c, *d]))),
            other => Some(u64::from_ne_bytes(other.try_into().ok()?)),
        }
    }

    /// A u32, or a narrower one.
    pub fn u32(&self, kind: u16) -> Option<u32> {
        u32::try_from(self.uint(kind)?).ok()
    }

    /// A u16, or a narrower one.
    pub fn u16(&self, kind: u16) -> Option<u16> {
        u16::try_from(self.uint(kind)?).ok()
    }

    /// An s32.
    pub fn s32(&self, kind: u16) -> Option<i32> {
        Some(i32::from_ne_bytes(self.bytes(kind)?.try_into().ok()?))
    }

    /// A string up to its NUL; bytes that are not UTF-8 are replaced.
    pub fn string(&self, kind: u16) -> Option<String> {
        let bytes = self.bytes(kind)?;
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// A value of exactly N bytes.
    pub fn array<const N: usize>(&self, kind: u16) -> Option<[u8; N]> {
        self.bytes(kind)?.try_into().ok()
    }

    /// What the contract promises to be there, or an error with its name.
    pub(crate) fn need<T>(value: Option<T>, name: &str) -> Result<T, Error> {
        value.ok_or_else(|| Error::Reply(format!("{name} is missing")))
    }
}

/// What travels behind a generic netlink header of our family, in either direction.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// To the kernel.
    Out(Request),
    /// From the kernel: the command and its attributes.
    In(u8, Attributes),
}

impl GenlFamily for Payload {
    fn family_name() -> &'static str {
        consts::FAMILY_NAME
    }

    fn command(&self) -> u8 {
        match self {
            Payload::Out(request) => request.command,
            Payload::In(command, _) => *command,
        }
    }

    fn version(&self) -> u8 {
        consts::FAMILY_VERSION
    }
}

impl Emitable for Payload {
    fn buffer_len(&self) -> usize {
        match self {
            Payload::Out(request) => request.attributes.as_slice().buffer_len(),
            Payload::In(_, attributes) => attributes.0.len(),
        }
    }

    fn emit(&self, buffer: &mut [u8]) {
        match self {
            Payload::Out(request) => request.attributes.as_slice().emit(buffer),
            Payload::In(_, attributes) => buffer.copy_from_slice(&attributes.0),
        }
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Payload {
    fn parse_with_param(buffer: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        Ok(Payload::In(header.cmd, Attributes::new(buffer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(request: Request) -> Attributes {
        let payload = Payload::Out(request);
        let mut bytes = vec![0xa5; payload.buffer_len()];
        payload.emit(&mut bytes);
        Attributes::new(&bytes)
    }

    #[test]
    fn integers_keep_their_value_in_every_width() {
        let read = round(
            Request::new(1)
                .u8(1, 0xfe)
                .u16(2, 0xfedc)
                .u32(3, 0xfedc_ba98)
                .uint(4, 7)
                .uint(5, u64::MAX)
                .s32(6, -5),
        );
        assert_eq!(read.uint(1), Some(0xfe));
        assert_eq!(read.u16(2), Some(0xfedc));
        assert_eq!(read.u32(3), Some(0xfedc_ba98));
        assert_eq!(read.uint(4), Some(7));
        assert_eq!(read.bytes(4).map(|b| b.len()), Some(4));
        assert_eq!(read.uint(5), Some(u64::MAX));
        assert_eq!(read.s32(6), Some(-5));
        assert_eq!(read.u16(3), None);
        assert_eq!(read.uint(9), None);
    }

    #[test]
    fn strings_end_at_their_nul() {
        let read = round(
            Request::new(1)
                .string(1, "m1")
                .string(2, "")
                .bytes(3, b"ab"),
        );
        assert_eq!(read.bytes(1), Some(b"m1\0".to_vec()));
        assert_eq!(read.string(1).as_deref(), Some("m1"));
        assert_eq!(read.string(2).as_deref(), Some(""));
        assert_eq!(read.string(3).as_deref(), Some("ab"));
    }

    #[test]
    fn repeated_and_nested_attributes_are_all_seen() {
        let inner = Request::new(0).string(1, "x").uint(2, 3);
        let read = round(Request::new(1).nest(1, &inner).u8(2, 0).nest(1, &inner));
        let nests: Vec<_> = read.all(1).map(|bytes| Attributes::new(&bytes)).collect();
        assert_eq!(nests.len(), 2);
        assert!(nests.iter().all(|nest| nest.uint(2) == Some(3)));
    }

    #[test]
    fn every_truncation_is_read_without_panic() {
        let payload = Payload::Out(
            Request::new(1)
                .string(1, "name")
                .uint(2, u64::MAX)
                .u32(3, 1),
        );
        let mut bytes = vec![0; payload.buffer_len()];
        payload.emit(&mut bytes);
        for end in 0..bytes.len() {
            let read = Attributes::new(&bytes[..end]);
            assert_eq!(read.u32(3), None);
            let _ = (read.string(1), read.uint(2));
        }
    }
}
