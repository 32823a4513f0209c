// SPDX-License-Identifier: GPL-2.0

//! A hash table with lock-free readers: the kernel's resizable `rhashtable`.
//!
//! The hash is keyed (`table_hash` in `shim.c`), because clients choose what goes in. A reader may
//! see an entry that is being removed; it stays valid until the reader's guard is dropped.
//!
//! C header: `include/linux/rhashtable.h`.

use core::{
    marker::PhantomData,
    mem::offset_of,
    ptr::{self, NonNull},
};
use kernel::{
    error::from_err_ptr,
    prelude::*,
    sync::rcu::Guard, //
};

use super::ffi;

/// What a table may be keyed by.
///
/// # Safety
///
/// The type has no padding, any bytes are equal exactly when the keys are, its alignment is at
/// most 8, and its size is 16 or 36 (the two shapes of `shim.c`).
pub(crate) unsafe trait Key: Copy + Send + Sync + 'static {}

// SAFETY: Bytes, 16 of them.
unsafe impl Key for [u8; 16] {}
// SAFETY: `repr(C)`: two arrays of 16 bytes and two u16: 36 bytes, no padding.
unsafe impl Key for crate::wire::addr::Tuple {}

/// An entry as it lies in memory: `shim.c` expects the key right behind the list head.
#[repr(C)]
struct Node<K: Key, V> {
    head: *mut core::ffi::c_void,
    key: K,
    rcu: [*mut core::ffi::c_void; 2],
    value: V,
}

/// A reference to an entry, valid while the guard lives.
pub(crate) struct Ref<'g, K: Key, V> {
    node: &'g Node<K, V>,
}

impl<K: Key, V> Clone for Ref<'_, K, V> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K: Key, V> Copy for Ref<'_, K, V> {}

impl<'g, K: Key, V> Ref<'g, K, V> {
    /// The entry's key.
    pub(crate) fn key(&self) -> &'g K {
        &self.node.key
    }
}

impl<K: Key, V> core::ops::Deref for Ref<'_, K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.node.value
    }
}

/// Outcome of [`Table::insert`].
pub(crate) enum Inserted<'g, K: Key, V> {
    /// The value is in the table now.
    New(Ref<'g, K, V>),
    /// Somebody was first; the value that was not needed has been dropped.
    Existing(Ref<'g, K, V>),
}

/// A table from `K` to `V` with a ceiling.
///
/// # Invariants
///
/// `raw` is a live `homing_table` whose objects are all `Node<K, V>` from `KBox::into_raw`.
pub(crate) struct Table<K: Key, V: Send + Sync> {
    raw: NonNull<ffi::homing_table>,
    _entries: PhantomData<(K, V)>,
}

// SAFETY: The C table has its own locks; entries are shared as `&V` and dropped anywhere.
unsafe impl<K: Key, V: Send + Sync> Send for Table<K, V> {}
// SAFETY: As above.
unsafe impl<K: Key, V: Send + Sync> Sync for Table<K, V> {}

extern "C" fn free_node<K: Key, V>(obj: *mut core::ffi::c_void) {
    // SAFETY: Called by `homing_table_destroy` once for each object, with no readers left.
    drop(unsafe { KBox::from_raw(obj.cast::<Node<K, V>>()) });
}

impl<K: Key, V: Send + Sync> Table<K, V> {
    /// An empty table that refuses to hold more than `max` entries. Process context.
    pub(crate) fn new(max: u32) -> Result<Self> {
        const {
            assert!(size_of::<K>() == 16 || size_of::<K>() == 36);
            assert!(offset_of!(Node<K, V>, key) == 8);
            // Entries are freed by RCU without running a destructor.
            assert!(!core::mem::needs_drop::<V>());
        }
        let mut err = 0;
        // SAFETY: Plain numbers and a valid pointer for the error.
        let raw = unsafe { ffi::homing_table_new(size_of::<K>() as u32, max, &mut err) };
        match NonNull::new(raw) {
            // INVARIANT: New and empty.
            Some(raw) => Ok(Self {
                raw,
                _entries: PhantomData,
            }),
            None => Err(Error::from_errno(err)),
        }
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> u32 {
        // SAFETY: By the invariant.
        unsafe { ffi::homing_table_len(self.raw.as_ptr()) }
    }

    /// Lets it hold no more than `max` entries from now on; those beyond stay. Any context.
    pub(crate) fn set_max(&self, max: u32) {
        // SAFETY: By the invariant.
        unsafe { ffi::homing_table_set_max(self.raw.as_ptr(), max) };
    }

    /// The entry of `key`. Any context.
    #[inline]
    pub(crate) fn get<'g>(&'g self, _guard: &'g Guard, key: &K) -> Option<Ref<'g, K, V>> {
        // SAFETY: By the invariant; `key` has the length the table was made for; RCU is held.
        let obj = unsafe { ffi::homing_table_get(self.raw.as_ptr(), ptr::from_ref(key).cast()) };
        // SAFETY: By the invariant it is null or a `Node<K, V>`, freed only after the guard.
        let node = unsafe { obj.cast::<Node<K, V>>().as_ref() }?;
        Some(Ref { node })
    }

    /// Puts `value` in unless the key is there. Any context (allocates atomically).
    ///
    /// # Errors
    ///
    /// `ENOSPC` at the ceiling, `ENOMEM` or `EBUSY` (a resize is running) when memory fails.
    pub(crate) fn insert<'g>(
        &'g self,
        _guard: &'g Guard,
        key: &K,
        value: V,
    ) -> Result<Inserted<'g, K, V>> {
        let node = KBox::into_raw(KBox::new(
            Node {
                head: ptr::null_mut(),
                key: *key,
                rcu: [ptr::null_mut(); 2],
                value,
            },
            GFP_ATOMIC,
        )?);
        // SAFETY: By the invariant; the node is complete and ours until it is in the table.
        let old = unsafe { ffi::homing_table_insert(self.raw.as_ptr(), node.cast()) };
        match from_err_ptr(old) {
            Ok(old) if old.is_null() => Ok(Inserted::New(Ref {
                // SAFETY: In the table now: freed only after a grace period, and RCU is held.
                node: unsafe { &*node },
            })),
            other => {
                // SAFETY: It did not get into the table: still ours alone.
                drop(unsafe { KBox::from_raw(node) });
                Ok(Inserted::Existing(Ref {
                    // SAFETY: By the invariant an object of the table, and RCU is held.
                    node: unsafe { &*other?.cast::<Node<K, V>>() },
                }))
            }
        }
    }

    /// Takes an entry out; readers may go on until their guards end. `false` when another took it
    /// first. Any context.
    pub(crate) fn remove(&self, _guard: &Guard, entry: Ref<'_, K, V>) -> bool {
        let node = ptr::from_ref(entry.node).cast_mut();
        // SAFETY: By the invariant; the entry is valid under the guard, in the table or not.
        if !unsafe { ffi::homing_table_remove(self.raw.as_ptr(), node.cast()) } {
            return false;
        }
        // SAFETY: Taken out by us alone; `rcu` is inside the node, which was made by kmalloc and
        // needs no destructor (asserted in `new`).
        unsafe { ffi::homing_free_rcu((&raw mut (*node).rcu).cast(), node.cast()) };
        true
    }

    /// Begins to go through all entries. Process context.
    pub(crate) fn walk(&self) -> Result<Walk<'_, K, V>> {
        // SAFETY: By the invariant.
        let raw = unsafe { ffi::homing_walk_new(self.raw.as_ptr()) };
        Ok(Walk {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
            _table: PhantomData,
        })
    }
}

impl<K: Key, V: Send + Sync> Drop for Table<K, V> {
    fn drop(&mut self) {
        // SAFETY: By the invariant; a table that is being dropped has no readers.
        unsafe { ffi::homing_table_destroy(self.raw.as_ptr(), Some(free_node::<K, V>)) };
    }
}

/// A position in a table that survives concurrent change and resizing: what was there all the
/// time is seen, after a resize perhaps twice.
///
/// # Invariants
///
/// `raw` is a live `homing_walk` of a table that outlives this value.
pub(crate) struct Walk<'t, K: Key, V: Send + Sync> {
    raw: NonNull<ffi::homing_walk>,
    _table: PhantomData<&'t Table<K, V>>,
}

impl<K: Key, V: Send + Sync> Walk<'_, K, V> {
    /// Calls `each` for the next entries until it says `false` (the position is then after that
    /// entry) or the table ends. Returns whether there may be more. `each` may not sleep.
    pub(crate) fn next(&mut self, mut each: impl FnMut(&Guard, Ref<'_, K, V>) -> bool) -> bool {
        let guard = kernel::sync::rcu::read_lock();
        // SAFETY: By the invariant; stopped below on every way out.
        unsafe { ffi::homing_walk_start(self.raw.as_ptr()) };
        let mut more = true;
        loop {
            // SAFETY: Started above.
            let obj = unsafe { ffi::homing_walk_next(self.raw.as_ptr()) };
            // SAFETY: Null or an object of the table, valid under RCU.
            let Some(node) = (unsafe { obj.cast::<Node<K, V>>().as_ref() }) else {
                more = false;
                break;
            };
            if !each(&guard, Ref { node }) {
                break;
            }
        }
        // SAFETY: Started above.
        unsafe { ffi::homing_walk_stop(self.raw.as_ptr()) };
        more
    }
}

impl<K: Key, V: Send + Sync> Drop for Walk<'_, K, V> {
    fn drop(&mut self) {
        // SAFETY: By the invariant; not started here.
        unsafe { ffi::homing_walk_free(self.raw.as_ptr()) };
    }
}
