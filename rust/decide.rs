// SPDX-License-Identifier: GPL-2.0
//! Pure policy: what to do, given what arrived, what is known, the time and a random number.
//!
//! Speaks to the `wire` layer for meanings; time and chance come in as values, so the same
//! arguments give the same answer for ever.
//!
//! Rules of the folder: no clock, no randomness, no allocation, no atomics, no locks, and nothing
//! that can panic, since most of the numbers here came from a packet. Keyed functions come in
//! through the traits of [`crypto`], so the kernel gives its own and the tests give reference
//! ones. A caller that needs a lock or an atomic holds it around the call and passes plain values.

pub mod assemble;
pub mod batch;
pub mod cookie;
pub mod crypto;
pub mod digest;
pub mod directory;
pub mod exchange;
pub mod fabric;
pub mod flow;
pub mod health;
pub mod hold;
pub mod insert;
pub mod join;
pub mod limits;
pub mod load;
pub mod lost;
pub mod member;
pub mod reason;
pub mod replay;
pub mod select;
pub mod session;
pub mod shift;
pub mod sid;
