// SPDX-License-Identifier: GPL-2.0

//! State in kernel memory: members, services, sessions, flows, and what one namespace owns.
//!
//! Readers hold RCU and no lock. Who may write what:
//!
//! 1. `net::Net::control` (a mutex, process context) covers configuration: `config`, `keys`.
//! 2. Sessions and flows are changed by anyone, field by field, with atomics; entries are put in
//!    and taken out under the hash table's own bucket locks.
//! 3. `member::Live` has three locks (bottom halves off): `inbox` for what has come from a peer,
//!    `audience` for what it has of ours, `ordered` for what an operator wants of it.
//! 4. `pending` has a lock for each bucket (bottom halves off).
//! 5. `directory::Fresh` has a lock for what is new (bottom halves off).
//! 6. `flow::Shifts` has a lock for its count and the module reference (bottom halves off).
//! 7. `net::Net::ring` (bottom halves off) covers the associations that may be sent again.
//! 8. The time of the next look at `pending` has a lock (`hook::host`, bottom halves off).
//! 9. `untold` has a lock for the events (bottom halves off).
//!
//! Every [`crate::kapi::rcu::RcuCell`] has a mutex of its own for writers, taken after 1. No two
//! of 2 to 9 are ever held together; 1 is taken first.

pub(crate) mod config;
pub(crate) mod directory;
pub(crate) mod exchange;
pub(crate) mod flow;
pub(crate) mod insert;
pub(crate) mod keys;
pub(crate) mod member;
pub(crate) mod net;
pub(crate) mod pending;
pub(crate) mod requests;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod text;
pub(crate) mod untold;
