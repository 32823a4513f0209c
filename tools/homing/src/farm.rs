// SPDX-License-Identifier: GPL-2.0

//! `homing farm`: what must be the same on every member.

use crate::out::Failure;
use crate::out::Out;
use crate::range;
use crate::refused;
use clap::value_parser;
use clap::Args;
use clap::Subcommand;
use homing_nl::consts::cmd;
use homing_nl::consts::farm;
use homing_nl::Client;
use homing_nl::Request;

/// What to do with the farm.
#[derive(Subcommand)]
pub enum Command {
    /// Change settings; what is not given stays
    Set(Set),
}

/// Change settings.
#[derive(Args)]
#[group(required = true, multiple = true)]
pub struct Set {
    /// UDP port of farm traffic
    #[arg(long, value_parser = value_parser!(u16).range(range::PORT))]
    port: Option<u16>,
    /// Milliseconds between state messages
    #[arg(long, value_name = "MS", value_parser = value_parser!(u32).range(range::STATE_INTERVAL))]
    state_interval: Option<u32>,
    /// Factor on every time constant, for slow test beds
    #[arg(long, value_parser = value_parser!(u16).range(range::SCALE))]
    scale: Option<u16>,
    /// Number of the farm, 24 bits
    #[arg(long, value_parser = value_parser!(u32).range(range::FARM_ID))]
    id: Option<u32>,
    /// Bytes of an IP packet that the network between the members carries, 1280 to 9216; auto: they find out
    #[arg(long, value_name = "BYTES|auto", value_parser = fabric_mtu)]
    fabric_mtu: Option<u16>,
    /// Members that may get no new sessions for coming and going, per cent
    #[arg(long, value_name = "PERCENT", value_parser = value_parser!(u8).range(range::EJECT_MAX))]
    eject_max: Option<u8>,
    /// Most sessions that a member stores, 1024 to 16777216; each takes some 80 bytes of kernel memory
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u32).range(range::SESSIONS_MAX))]
    sessions_max: Option<u32>,
}

/// A size of packets, or 0 for "auto".
fn fabric_mtu(text: &str) -> Result<u16, String> {
    let size = match text {
        "auto" => Some(0),
        _ => text
            .parse()
            .ok()
            .filter(|size| range::FABRIC_MTU.contains(&i64::from(*size))),
    };
    size.ok_or(format!("is not in {:?}, and not 'auto'", range::FABRIC_MTU))
}

impl Command {
    /// Does it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let Command::Set(set) = self;
        let mut request = Request::new(cmd::FARM_SET);
        if let Some(port) = set.port {
            request = request.u16(farm::PORT, port);
        }
        if let Some(ms) = set.state_interval {
            request = request.u32(farm::STATE_INTERVAL, ms);
        }
        if let Some(scale) = set.scale {
            request = request.u16(farm::SCALE, scale);
        }
        if let Some(id) = set.id {
            request = request.u32(farm::ID, id);
        }
        if let Some(bytes) = set.fabric_mtu {
            request = request.u16(farm::FABRIC_MTU, bytes);
        }
        if let Some(percent) = set.eject_max {
            request = request.u8(farm::EJECT_MAX, percent);
        }
        if let Some(number) = set.sessions_max {
            request = request.u32(farm::SESSIONS_MAX, number);
        }
        refused::set(&mut Client::open()?, &request)?;
        out.done()
    }
}
