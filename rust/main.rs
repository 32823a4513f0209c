// SPDX-License-Identifier: GPL-2.0

//! homing: the web farm that balances itself.

#![crate_name = "homing"]

use kernel::prelude::*;

mod control;
pub mod decide;
mod hook;
mod kapi;
mod table;
pub mod uapi;
pub mod wire;

module! {
    type: Homing,
    name: "homing",
    authors: ["The homing developers"],
    description: "Web farm whose servers balance themselves",
    license: "GPL",
}

/// What is registered with the kernel. Fields are dropped in this order: first nobody can ask any
/// more, then nobody hears of devices, then the namespaces' states go, each with its hooks.
struct Homing {
    _control: control::Control,
    _notifier: kapi::netdev::Notifier<hook::devices::Watch>,
    _pernet: kapi::pernet::Registration<hook::host::Host>,
}

impl kernel::Module for Homing {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let pernet = kapi::pernet::Registration::new()?;
        let notifier = kapi::netdev::Notifier::new()?;
        Ok(Self {
            _control: control::Control::new()?,
            _notifier: notifier,
            _pernet: pernet,
        })
    }
}
