// SPDX-License-Identifier: GPL-2.0

//! The keys of a farm and what is computed with them: SipHash-2-4, AES-128, AES-CMAC.
//!
//! C headers: `include/linux/siphash.h`, `include/crypto/aes.h`, `include/crypto/aes-cbc-macs.h`.

use core::ptr::NonNull;
use kernel::prelude::*;

use super::ffi;

/// What a keyed hash is used for; each has a key of its own.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Purpose {
    /// Initial sequence numbers and timestamp offsets.
    Cookie = ffi::homing_prf_HOMING_PRF_COOKIE,
    /// The MAC in a session id.
    Sid = ffi::homing_prf_HOMING_PRF_SID,
    /// The MAC of data messages in the tunnel.
    Data = ffi::homing_prf_HOMING_PRF_DATA,
}

/// The subkeys made from one master key. Wiped when dropped.
///
/// # Invariants
///
/// The pointer is a live `homing_keys`, owned by this value and never written again.
pub(crate) struct Keys(NonNull<ffi::homing_keys>);

// SAFETY: Read-only after construction.
unsafe impl Send for Keys {}
// SAFETY: Read-only after construction.
unsafe impl Sync for Keys {}

impl Keys {
    /// Derives all subkeys from `master` (HMAC-SHA256 with a label each). Process context.
    pub(crate) fn new(master: &[u8; 32]) -> Result<Self> {
        // SAFETY: The array has the 32 bytes that the function reads.
        let p = unsafe { ffi::homing_keys_new(master.as_ptr()) };
        // INVARIANT: A non-null result is ours alone.
        Ok(Self(NonNull::new(p).ok_or(ENOMEM)?))
    }

    /// SipHash-2-4 of `data`. Any context.
    pub(crate) fn prf(&self, purpose: Purpose, data: &[u8]) -> u64 {
        // SAFETY: By the invariant; the slice gives pointer and length.
        unsafe {
            ffi::homing_prf(
                self.0.as_ptr(),
                purpose as u32,
                data.as_ptr(),
                data.len() as u32,
            )
        }
    }

    /// Encrypts one block with AES-128. Any context.
    pub(crate) fn encrypt(&self, block: &mut [u8; 16]) {
        // SAFETY: By the invariant; the block has its 16 bytes.
        unsafe { ffi::homing_sid_encrypt(self.0.as_ptr(), block.as_mut_ptr()) };
    }

    /// Decrypts one block with AES-128. Any context.
    pub(crate) fn decrypt(&self, block: &mut [u8; 16]) {
        // SAFETY: By the invariant; the block has its 16 bytes.
        unsafe { ffi::homing_sid_decrypt(self.0.as_ptr(), block.as_mut_ptr()) };
    }

    /// AES-CMAC of `data` (RFC 4493). Any context.
    pub(crate) fn mac(&self, data: &[u8]) -> [u8; 16] {
        let mut out = [0; 16];
        // SAFETY: By the invariant; the slice gives pointer and length, `out` has 16 bytes.
        unsafe {
            ffi::homing_mac(
                self.0.as_ptr(),
                data.as_ptr(),
                data.len() as u32,
                out.as_mut_ptr(),
            )
        };
        out
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // SAFETY: By the invariant we own it, and `drop` runs once.
        unsafe { ffi::homing_keys_free(self.0.as_ptr()) };
    }
}
