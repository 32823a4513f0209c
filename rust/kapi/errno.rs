// SPDX-License-Identifier: GPL-2.0

//! Errors that the `kernel` crate does not name in every version that the module builds for.
//!
//! C header: `include/uapi/asm-generic/errno.h`.

use kernel::{
    bindings,
    prelude::*, //
};

/// Address already in use.
pub(crate) fn eaddrinuse() -> Error {
    Error::from_errno(-(bindings::EADDRINUSE as c_int))
}

/// Operation now in progress.
pub(crate) fn einprogress() -> Error {
    Error::from_errno(-(bindings::EINPROGRESS as c_int))
}

/// Stale file handle; here: newer data is known.
pub(crate) fn estale() -> Error {
    Error::from_errno(-(bindings::ESTALE as c_int))
}

/// No buffer space available; here: messages were lost.
pub(crate) fn enobufs() -> Error {
    Error::from_errno(-(bindings::ENOBUFS as c_int))
}

/// What opening a socket answered with `err`: one that found no memory says `ENFILE` (net/socket.c) or
/// `ENOBUFS` (net/ipv4/af_inet.c), which is `ENOMEM` to a user.
pub(crate) fn of_socket(err: c_int) -> Error {
    match err.unsigned_abs() {
        bindings::ENFILE | bindings::ENOBUFS => ENOMEM,
        _ => Error::from_errno(err),
    }
}
