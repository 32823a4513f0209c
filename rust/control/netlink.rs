// SPDX-License-Identifier: GPL-2.0

//! The handlers of the netlink family, one noun a file.
//!
//! Contract: `uapi/homing.yaml`. Ranges and lengths have been checked by the family's policies;
//! here is checked what concerns more than one attribute. A handler looks at everything before it
//! changes anything. A refusal names its attribute and the reason.

pub(super) mod debug;
pub(super) mod device;
pub(super) mod explain;
pub(super) mod farm;
pub(super) mod flow;
pub(super) mod key;
pub(super) mod member;
pub(super) mod service;
pub(super) mod session;
pub(super) mod status;

use kernel::{
    prelude::*,
    sync::Arc, //
};

use crate::{
    control::events,
    hook::host::Host,
    kapi::{
        genl::Request,
        pernet, //
    },
    table::config::Config,
    uapi::consts::ConfigWhat,
};

/// The state of the namespace that asked.
fn host(request: &Request<'_>) -> Result<Arc<Host>> {
    pernet::of::<Host>(request.ns()?).ok_or(ENODEV)
}

/// Changes the configuration and tells so.
fn configure(
    host: &Arc<Host>,
    what: ConfigWhat,
    change: impl FnOnce(&mut Config) -> Result,
) -> Result {
    let generation = Host::configure(host.as_arc_borrow(), |config, _| change(config))?;
    events::configuration(&host.net, generation, what);
    Ok(())
}

/// Whether an address can belong to a host: neither unspecified nor multicast nor broadcast.
fn is_host_address(addr: &[u8; 16]) -> bool {
    let unspecified = addr.iter().all(|byte| *byte == 0);
    match addr {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, ..] => *first != 0 && *first < 224,
        [first, ..] => *first != 0xff && !unspecified,
    }
}
