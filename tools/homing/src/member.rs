// SPDX-License-Identifier: GPL-2.0

//! `homing member`: make, change, remove and list members.

use crate::address;
use crate::out::Failure;
use crate::out::Out;
use crate::show;
use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use homing_nl::consts::cmd;
use homing_nl::consts::member;
use homing_nl::consts::AdminState;
use homing_nl::Address;
use homing_nl::Client;
use homing_nl::Request;
use std::net::IpAddr;

/// What to do with members.
#[derive(Subcommand)]
pub enum Command {
    /// Make a member, or change one
    Set(Set),
    /// Remove a member; its sessions are selected anew
    Del {
        /// Name or number of the member
        member: String,
    },
    /// List the members
    List,
}

/// Make or change a member.
#[derive(Args)]
pub struct Set {
    /// Name of the member
    name: String,
    /// Number of the member, 1 to 1023, the same on every member; needed for a new one
    #[arg(long)]
    id: Option<u32>,
    /// Address for farm traffic; needed for a new one
    #[arg(long)]
    addr: Option<IpAddr>,
    /// Share of new sessions, 0 to 1000
    #[arg(long)]
    weight: Option<u32>,
    /// What the member shall do
    #[arg(long)]
    state: Option<State>,
    /// Whether it is this host; without it, the member whose address is local is
    #[arg(long)]
    local: Option<bool>,
}

/// What an operator can want of a member.
#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    /// Takes part
    Up,
    /// Keeps its sessions, gets no new ones
    #[value(alias = "draining")]
    Drain,
    /// Gets nothing; its sessions are selected anew
    Down,
}

impl From<State> for AdminState {
    fn from(state: State) -> Self {
        match state {
            State::Up => AdminState::Up,
            State::Drain => AdminState::Draining,
            State::Down => AdminState::Down,
        }
    }
}

impl Command {
    /// Does it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let mut client = Client::open()?;
        match self {
            Command::Set(set) => {
                let request = set.request(&mut client)?;
                client.set(&request)?;
                out.done()
            }
            Command::Del { member } => {
                let members = client.members()?;
                let id = address::member(&members, member)?.id;
                client.set(&Request::new(cmd::MEMBER_DEL).u32(member::ID, id))?;
                out.done()
            }
            Command::List => show::members(out, &mut client),
        }
    }
}

impl Set {
    fn request(&self, client: &mut Client) -> Result<Request, Failure> {
        let id = match self.id {
            Some(id) => id,
            None => {
                let members = client.members()?;
                let known = members.iter().find(|member| member.name == self.name);
                let unknown = || {
                    Failure::new(format!(
                        "no member {}: give --id and --addr to make it",
                        self.name
                    ))
                };
                known.ok_or_else(unknown)?.id
            }
        };
        let mut request = Request::new(cmd::MEMBER_SET)
            .u32(member::ID, id)
            .string(member::NAME, &self.name);
        if let Some(addr) = self.addr {
            request = request.bytes(member::ADDR, &Address::from(addr).0);
        }
        if let Some(weight) = self.weight {
            request = request.u32(member::WEIGHT, weight);
        }
        if let Some(state) = self.state {
            request = request.u32(member::ADMIN, AdminState::from(state) as u32);
        }
        if let Some(local) = self.local {
            request = request.u8(member::LOCAL, local.into());
        }
        Ok(request)
    }
}
