// SPDX-License-Identifier: GPL-2.0

//! What can go wrong between user space and the module, said so that an operator knows what to do.

use std::fmt;
use std::io;

/// A failed request.
#[derive(Debug)]
pub enum Error {
    /// The kernel knows no family of our name.
    NotLoaded,
    /// The request needs CAP_NET_ADMIN in this network namespace.
    NotPermitted,
    /// The kernel refused; the text is its own, with the attribute it is about.
    Refused {
        /// The errno, positive.
        errno: i32,
        /// Extended acknowledgement, or what the errno means.
        text: String,
    },
    /// Notifications were lost because they were not read fast enough.
    Overrun,
    /// The family is gone, and with it the groups that were watched.
    Gone,
    /// A reply that does not follow the contract: other versions of module and tool, most likely.
    Reply(String),
    /// The socket itself failed.
    Socket(io::Error),
}

impl Error {
    /// The errno of a refusal, 0 for everything else.
    pub fn errno(&self) -> i32 {
        match self {
            Error::Refused { errno, .. } => *errno,
            _ => 0,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NotLoaded => {
                write!(f, "the kernel module is not loaded: load it with 'modprobe homing'")
            }
            Error::NotPermitted => {
                write!(f, "not permitted: needs CAP_NET_ADMIN in this network namespace (run it as root)")
            }
            Error::Refused { text, .. } => write!(f, "{text}"),
            Error::Overrun => {
                write!(f, "events were lost: the kernel sent them faster than they were read")
            }
            Error::Gone => {
                write!(f, "the kernel module was unloaded: start again when it is loaded")
            }
            Error::Reply(text) => write!(
                f,
                "cannot read the module's reply ({text}): use the tool and the module of one version"
            ),
            Error::Socket(error) => write!(f, "netlink socket: {error}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        const ENOBUFS: i32 = 105;
        match error.raw_os_error() {
            Some(ENOBUFS) => Error::Overrun,
            _ => Error::Socket(error),
        }
    }
}
