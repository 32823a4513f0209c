// SPDX-License-Identifier: GPL-2.0

//! The contract with user space: one netlink spec and what is generated from it.
//!
//! `uapi/homing.yaml` is the truth. `uapi/regen.sh` makes the kernel's tables, the C header and
//! `uapi/consts.rs` from it; the kernel and the user tools both take their numbers from there.
//! Kernel: `Documentation/userspace-api/netlink/specs.rst`.

#[rustfmt::skip]
pub mod consts;
