// SPDX-License-Identifier: GPL-2.0

//! The packet path, and what holds it in place.
//!
//! Functions here run in softirq with RCU held by the caller, LOCAL_OUT also in process context
//! with bottom halves on; none sleeps. Exceptions are said: `host` and `devices` (process
//! context), and the jobs of `state`, `sweep`, `directory`, `tell`, `lost`, `leftover`, `events` and `hold` (a work queue).
//!
//! A client's packet goes `ingress` -> (`answer` | `request` -> `decision` -> `deliver`), with
//! `hold` between when its head is in pieces, a packet
//! from another member `decap`; on the way up `unshift` and `spawn`, on the way out `egress`.

mod answer;
mod classify;
pub(crate) mod decap;
mod decision;
mod deliver;
pub(crate) mod devices;
mod directory;
mod egress;
mod encap;
pub(crate) mod events;
mod exchange;
pub(crate) mod explain;
mod hold;
pub(crate) mod host;
mod icmp;
mod ingress;
mod leftover;
mod lost;
pub(crate) mod push;
mod refuse;
mod request;
mod spawn;
pub(crate) mod state;
mod sweep;
mod tell;
mod unshift;
