// SPDX-License-Identifier: GPL-2.0

//! `homing member`: make, change, remove and list members.

use crate::address;
use crate::out::Failure;
use crate::out::Out;
use crate::range;
use crate::refused;
use crate::show;
use clap::value_parser;
use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use homing_nl::consts::cmd;
use homing_nl::consts::member;
use homing_nl::consts::AdminState;
use homing_nl::consts::DrainMode;
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
    /// Let a member take part again
    Up {
        /// Name or number of the member
        member: String,
    },
    /// Take a member out at once; its sessions are selected anew
    Down {
        /// Name or number of the member
        member: String,
    },
    /// Give a member no new sessions; 'homing show drain' shows how far it is
    Drain(Drain),
    /// List the members
    List,
}

/// Drain a member.
#[derive(Args)]
pub struct Drain {
    /// Name or number of the member
    member: String,
    /// What happens to the sessions that it has
    #[arg(long, default_value = "finish")]
    mode: Mode,
    /// After this time the sessions that are left are moved: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    deadline: Option<u32>,
}

/// What happens to the sessions of a member that drains.
#[derive(Clone, Copy, ValueEnum)]
pub enum Mode {
    /// They stay until they end
    Finish,
    /// Each gets a new home at its next connection
    Move,
}

/// A time with its unit; plain numbers are seconds.
fn seconds(text: &str) -> Result<u32, String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) => (number, &text[number.len()..]),
        None => (text, "s"),
    };
    let number: u32 = number
        .parse()
        .map_err(|_| "expected a number and s, m or h".to_string())?;
    let unit = match unit {
        "m" => 60,
        "h" => 3600,
        _ => 1,
    };
    match number.checked_mul(unit) {
        Some(seconds @ 1..=31_536_000) => Ok(seconds),
        _ => Err("expected 1 s to a year".to_string()),
    }
}

/// Make or change a member.
#[derive(Args)]
pub struct Set {
    /// Name of the member
    name: String,
    /// Number of the member, 1 to 1023, the same on every member; needed for a new one
    #[arg(long, value_parser = value_parser!(u32).range(range::MEMBER_ID))]
    id: Option<u32>,
    /// Address for farm traffic; needed for a new one
    #[arg(long, value_parser = address::host)]
    addr: Option<IpAddr>,
    /// Share of new sessions, 0 to 1000
    #[arg(long, value_parser = value_parser!(u32).range(range::WEIGHT))]
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
                refused::set(&mut client, &request)?;
                out.done()
            }
            Command::Del { member } => {
                let members = client.members()?;
                let id = address::member(&members, member)?.id;
                let request = Request::new(cmd::MEMBER_DEL).u32(member::ID, id);
                refused::set(&mut client, &request)?;
                out.done()
            }
            Command::Up { member } => order(out, &mut client, member, AdminState::Up, |r| r),
            Command::Down { member } => order(out, &mut client, member, AdminState::Down, |r| r),
            Command::Drain(drain) => {
                let mode = match drain.mode {
                    Mode::Finish => DrainMode::Finish,
                    Mode::Move => DrainMode::Move,
                };
                let deadline = drain.deadline.unwrap_or(0);
                let state = AdminState::Draining;
                order(out, &mut client, &drain.member, state, |request| {
                    request
                        .u32(member::DRAIN_MODE, mode as u32)
                        .u32(member::DEADLINE, deadline)
                })
            }
            Command::List => show::members(out, &mut client),
        }
    }
}

/// Says what is wanted of a member; the other members are told by this one.
fn order(
    out: &Out,
    client: &mut Client,
    word: &str,
    state: AdminState,
    more: impl FnOnce(Request) -> Request,
) -> Result<(), Failure> {
    let id = address::member(&client.members()?, word)?.id;
    let request = Request::new(cmd::MEMBER_SET)
        .u32(member::ID, id)
        .u32(member::ADMIN, state as u32);
    refused::set(client, &more(request))?;
    out.done()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, want) in [("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200)] {
            assert_eq!(seconds(text), Ok(want));
        }
        for bad in ["", "m", "0", "-1", "1d", "9999999h", "1.5h", "é"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
