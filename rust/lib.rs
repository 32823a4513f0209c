// SPDX-License-Identifier: GPL-2.0
//! User-space root of the pure layers: the same sources that `main.rs` builds into the module.
//!
//! Speaks to nothing: no kernel, no allocator, no clock, no randomness. A stray `use kernel::` or
//! an `unsafe` block in a pure layer does not compile here.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic
    )
)]

pub mod decide;
pub mod uapi;
pub mod wire;
