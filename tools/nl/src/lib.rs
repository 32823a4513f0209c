// SPDX-License-Identifier: GPL-2.0

//! homing's generic netlink family for user space: containers, and list, get, set, watch.
//!
//! Contract: `rust/uapi/homing.yaml`. Kernel: `Documentation/userspace-api/netlink/intro.rst`.
//! Everything is about the network namespace that the calling thread is in.

mod client;
mod error;
mod event;
mod extack;
mod message;
mod model;

pub use client::Client;
pub use error::Error;
pub use event::Event;
pub use homing_pure::uapi::consts;
pub use message::Attributes;
pub use message::Request;
pub use model::Address;
pub use model::Change;
pub use model::Device;
pub use model::Drain;
pub use model::Explanation;
pub use model::Flow;
pub use model::Key;
pub use model::Member;
pub use model::Service;
pub use model::Session;
pub use model::Status;
