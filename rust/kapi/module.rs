// SPDX-License-Identifier: GPL-2.0

//! Our own module: its version, and references: while one is held, `rmmod` answers EBUSY.
//!
//! C header: `include/linux/module.h`.

use super::ffi;

/// Version of the module, as modinfo shows it.
pub(crate) fn version() -> &'static [u8] {
    let text: &[u8] = ffi::HOMING_VERSION;
    text.strip_suffix(b"\0").unwrap_or(text)
}

/// One reference to the module.
///
/// # Invariants
///
/// The reference is held while this value exists.
pub(crate) struct Pin(());

impl Pin {
    /// Takes a reference, or `None` when the module is being unloaded. Any context.
    pub(crate) fn take() -> Option<Self> {
        // SAFETY: No requirements; the answer says whether the reference is ours.
        if unsafe { ffi::homing_module_get() } {
            // INVARIANT: The reference was just taken.
            Some(Self(()))
        } else {
            None
        }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // SAFETY: By the invariant there is a reference to give back.
        unsafe { ffi::homing_module_put() };
    }
}
