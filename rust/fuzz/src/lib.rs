// SPDX-License-Identifier: GPL-2.0
//! What must hold for any bytes at all: one function for each reader of foreign bytes.
//!
//! Speaks to the invariants of the pure layers: no panic, never more taken than there is, the same
//! result for every cut, what is read is written again as it was, and agreement with another
//! parser.

mod http;
mod packets;
mod session;

/// A target: takes any bytes, panics if something does not hold.
pub type Target = fn(&[u8]);

/// All targets by name; each has a corpus of this name.
pub const TARGETS: &[(&str, Target)] = &[
    ("request", http::request),
    ("cookie", http::cookie),
    ("response", http::response),
    ("tcp", packets::tcp),
    ("ip", packets::ip),
    ("geneve", packets::geneve),
    ("control", packets::control),
    ("hold", session::hold),
    ("sid", session::sid),
];

/// The target of a name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|t| t.0 == name).map(|t| t.1)
}
