// SPDX-License-Identifier: GPL-2.0

//! Attributes of a request, read from its bytes.
//!
//! C header: `include/net/netlink.h`, `struct nlattr`. Integers are in host byte order.

use kernel::prelude::*;

/// struct nlattr.
const NLA_HDRLEN: usize = 4;
/// `NLA_TYPE_MASK`.
const TYPE_MASK: u16 = 0x3fff;

/// One attribute of a request.
#[derive(Clone, Copy)]
pub(crate) struct Attr<'a> {
    /// With its header, as it lies in the message.
    pub(super) whole: &'a [u8],
}

impl<'a> Attr<'a> {
    fn value(&self) -> &'a [u8] {
        self.whole.get(NLA_HDRLEN..).unwrap_or_default()
    }

    /// Exactly `N` bytes.
    pub(crate) fn array<const N: usize>(&self) -> Result<[u8; N]> {
        self.value().try_into().map_err(|_| EINVAL)
    }

    /// A u8.
    pub(crate) fn u8(&self) -> Result<u8> {
        Ok(u8::from_ne_bytes(self.array()?))
    }

    /// A u16.
    pub(crate) fn u16(&self) -> Result<u16> {
        Ok(u16::from_ne_bytes(self.array()?))
    }

    /// A u32.
    pub(crate) fn u32(&self) -> Result<u32> {
        Ok(u32::from_ne_bytes(self.array()?))
    }

    /// An s32.
    pub(crate) fn s32(&self) -> Result<i32> {
        Ok(i32::from_ne_bytes(self.array()?))
    }

    /// A `uint`, 4 or 8 bytes long.
    pub(crate) fn uint(&self) -> Result<u64> {
        match self.u32() {
            Ok(short) => Ok(u64::from(short)),
            Err(_) => Ok(u64::from_ne_bytes(self.array()?)),
        }
    }

    /// The bytes of a string, without its NUL.
    pub(crate) fn text(&self) -> &'a [u8] {
        let value = self.value();
        let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
        value.get(..end).unwrap_or_default()
    }

    /// An attribute inside this one.
    pub(crate) fn attr(&self, kind: u16) -> Option<Attr<'a>> {
        find(self.value(), kind)
    }
}

/// The last attribute of a kind, which is the one that the kernel counts.
pub(super) fn find(bytes: &[u8], kind: u16) -> Option<Attr<'_>> {
    let mut rest = bytes;
    let mut found = None;
    while let Some([a, b, c, d]) = rest.first_chunk::<NLA_HDRLEN>() {
        let len = usize::from(u16::from_ne_bytes([*a, *b]));
        if len < NLA_HDRLEN {
            break;
        }
        let Some(whole) = rest.get(..len) else {
            break;
        };
        let this = u16::from_ne_bytes([*c, *d]) & TYPE_MASK;
        if this == kind {
            found = Some(Attr { whole });
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}
