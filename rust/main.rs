// SPDX-License-Identifier: GPL-2.0

//! homing: the web farm that balances itself.

#![crate_name = "homing"]

use kernel::prelude::*;

mod kapi;
pub mod wire;

module! {
    type: Homing,
    name: "homing",
    authors: ["The homing developers"],
    description: "Web farm whose servers balance themselves",
    license: "GPL",
}

struct Homing;

impl kernel::Module for Homing {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        pr_info!("loaded\n");
        Ok(Self)
    }
}
