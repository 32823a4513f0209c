// SPDX-License-Identifier: GPL-2.0

//! Our kernel abstractions for networking: all `unsafe` of the module lives in this folder.
//!
//! Knows nothing of HTTP, sessions or members. One file a kernel concept:
//!
//! | file | what | may be called |
//! | --- | --- | --- |
//! | `counters` | per-CPU counters | any context |
//! | `crypto` | keyed hash, block cipher, MAC | any context |
//! | `errno` | errors by name | any context |
//! | `genl` | generic netlink | process; multicast from any |
//! | `hash` | RCU hash table | lookups under RCU; insert, remove any; walk process |
//! | `lock` | spin lock with bottom halves off | any context |
//! | `module` | module references | any context |
//! | `netdev` | devices and their removal | process |
//! | `nf` | netfilter hooks | registration process; hooks softirq, LOCAL_OUT also process |
//! | `once` | numbers read once | any context |
//! | `pernet` | one value per network namespace | process |
//! | `ports` | a bit for each port | any context, one writer |
//! | `rcu` | cells that readers see whole | read under RCU; replace process |
//! | `skb` | packets | any context |
//! | `tap` | the device that shows what the tunnel carries | process |
//! | `tcp` | sockets of the local stack | any context, reset process |
//! | `time` | clocks and randomness | any context |
//! | `tunnel` | UDP tunnel sockets | open and close process; send any |
//! | `work` | delayed work | queue any; create and drop process |

pub(crate) mod counters;
pub(crate) mod crypto;
pub(crate) mod errno;
mod ffi;
pub(crate) mod genl;
pub(crate) mod hash;
pub(crate) mod lock;
pub(crate) mod module;
pub(crate) mod netdev;
pub(crate) mod nf;
pub(crate) mod once;
pub(crate) mod pernet;
pub(crate) mod ports;
pub(crate) mod rcu;
pub(crate) mod skb;
pub(crate) mod tap;
pub(crate) mod tcp;
pub(crate) mod time;
pub(crate) mod tunnel;
pub(crate) mod work;
