// SPDX-License-Identifier: GPL-2.0

//! Short text with a ceiling, stored in place: names, cookie names, domains.

/// Up to `N` bytes of text.
#[derive(Clone, Copy)]
pub(crate) struct Text<const N: usize> {
    len: u8,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    /// Empty text.
    pub(crate) const EMPTY: Self = Self {
        len: 0,
        bytes: [0; N],
    };

    /// A copy of `text`, or `None` when it is longer than `N` (or 255) bytes.
    pub(crate) fn new(text: &[u8]) -> Option<Self> {
        let mut new = Self::EMPTY;
        new.len = u8::try_from(text.len()).ok()?;
        if text.len() > N {
            return None;
        }
        for (to, from) in new.bytes.iter_mut().zip(text) {
            *to = *from;
        }
        Some(new)
    }

    /// The text.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

impl<const N: usize> core::hash::Hash for Text<N> {
    fn hash<H: core::hash::Hasher>(&self, to: &mut H) {
        self.as_bytes().hash(to);
    }
}

impl<const N: usize> PartialEq for Text<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
