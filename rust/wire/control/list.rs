// SPDX-License-Identifier: GPL-2.0
//! A short list in place: an array and how many of its elements count.
//!
//! Speaks to no format.

/// Up to `N` elements, without an allocator.
#[derive(Clone, Copy, Debug)]
pub struct List<T, const N: usize> {
    items: [T; N],
    len: usize,
}

impl<T: Copy + Default, const N: usize> List<T, N> {
    /// An empty list.
    pub fn new() -> Self {
        Self {
            items: [T::default(); N],
            len: 0,
        }
    }

    /// Appends; `None` if the list is full.
    pub fn push(&mut self, item: T) -> Option<()> {
        *self.items.get_mut(self.len)? = item;
        self.len = self.len.wrapping_add(1);
        Some(())
    }

    /// The elements in order.
    pub fn as_slice(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or_default()
    }
}

impl<T: Copy + Default, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Copy + Default + PartialEq, const N: usize> PartialEq for List<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Copy + Default + Eq, const N: usize> Eq for List<T, N> {}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_list))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn holds_n_and_no_more() {
        let mut list = List::<u8, 2>::new();
        assert_eq!(list.as_slice(), []);
        assert_eq!(list.push(5), Some(()));
        assert_eq!(list.push(6), Some(()));
        assert_eq!(list.push(7), None);
        assert_eq!(list.as_slice(), [5, 6]);
    }

    #[test]
    fn only_what_counts_is_compared() {
        let mut a = List::<u8, 2>::new();
        let b = a;
        a.len = 1;
        assert!(a != b);
        a.items[1] = 9;
        a.len = 0;
        assert!(a == b);
    }
}
