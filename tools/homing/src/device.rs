// SPDX-License-Identifier: GPL-2.0

//! `homing attach` and `homing detach`.

use crate::doctor;
use crate::out::Failure;
use crate::out::Out;
use crate::refused;
use clap::Args;
use homing_nl::consts::cmd;
use homing_nl::consts::device;
use homing_nl::Client;
use homing_nl::Request;

/// Attach a device.
#[derive(Args)]
pub struct Attach {
    /// Name of the device
    device: String,
    /// Also where the firewall of this host would refuse every connection
    #[arg(long)]
    force: bool,
}

impl Attach {
    /// Does it, unless it would break every connection.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let mut client = Client::open()?;
        if !self.force {
            if let Some(why) = doctor::forbids_attach(&mut client)? {
                return Err(Failure::new(why));
            }
        }
        let request = Request::new(cmd::DEVICE_ATTACH).string(device::IFNAME, &self.device);
        refused::set(&mut client, &request)?;
        out.done()
    }
}

/// Detach a device.
#[derive(Args)]
pub struct Detach {
    /// Name of the device
    device: String,
    /// Reset the sequence-shifted connections that would otherwise refuse it
    #[arg(long)]
    force: bool,
}

impl Detach {
    /// Does it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let mut request = Request::new(cmd::DEVICE_DETACH).string(device::IFNAME, &self.device);
        if self.force {
            request = request.flag(device::FORCE);
        }
        refused::set(&mut Client::open()?, &request)?;
        out.done()
    }
}
