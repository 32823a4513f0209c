// SPDX-License-Identifier: GPL-2.0

//! `homing debug`: switches for tests and for looking closer.

use crate::address;
use crate::out::Failure;
use crate::out::Out;
use crate::range;
use crate::refused;
use clap::value_parser;
use clap::Subcommand;
use clap::ValueEnum;
use homing_nl::consts::belief;
use homing_nl::consts::cmd;
use homing_nl::consts::debug;
use homing_nl::consts::MemberState;
use homing_nl::Client;
use homing_nl::Request;
use std::str::FromStr;

/// Which switch.
#[derive(Subcommand)]
pub enum Command {
    /// Let the stored member states stay as they are
    Freeze,
    /// Let the stored member states follow what is heard again
    Thaw,
    /// What this member shall believe of a member
    State {
        /// The member
        member: String,
        /// sessions=N flows=N requests=N cpu=PERCENT weight=N state=WORD listener=0|1, or clear
        #[arg(required = true, value_name = "KEY=VALUE", value_parser = Belief::from_str)]
        beliefs: Vec<Belief>,
    },
    /// Whether associations are sent to other members
    Push {
        /// On or off
        switch: Switch,
    },
    /// Set this member's clock off by some seconds
    Clock {
        /// Seconds, with its sign
        #[arg(allow_hyphen_values = true)]
        seconds: i32,
    },
    /// Multiply every time constant, for slow test beds
    Scale {
        /// The factor
        #[arg(value_parser = value_parser!(u16).range(range::SCALE))]
        factor: u16,
    },
    /// Store made-up sessions here, to see what a full table costs
    ///
    /// They are sessions of this member that nobody uses: they count in what it reports of itself, and go
    /// after the idle timeout. Other members are not told of them unless they start meanwhile. Their ids begin
    /// with the bytes of "made up".
    Fill {
        /// How many there shall be; no more than the farm's --sessions-max
        #[arg(value_parser = value_parser!(u32).range(range::FILL))]
        sessions: u32,
    },
}

/// On or off.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// On
    On,
    /// Off
    Off,
}

/// One thing to believe of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Belief {
    /// An attribute with a u32.
    Number(u16, u32),
    /// Whether every service has a listener there.
    Listener(bool),
    /// Believe what it reports again.
    Clear,
}

impl FromStr for Belief {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "clear" {
            return Ok(Belief::Clear);
        }
        let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE or clear")?;
        let number = |kind| {
            let number = value
                .parse()
                .map_err(|_| format!("{key}: expected a number"))?;
            Ok(Belief::Number(kind, number))
        };
        match key {
            "sessions" => number(belief::SESSIONS),
            "flows" => number(belief::FLOWS),
            "requests" => number(belief::REQUESTS),
            "weight" => match number(belief::WEIGHT)? {
                Belief::Number(_, weight) if !range::WEIGHT.contains(&weight.into()) => {
                    let (least, most) = range::WEIGHT.into_inner();
                    Err(format!("weight: expected {least} to {most}"))
                }
                belief => Ok(belief),
            },
            "cpu" => {
                let percent: f64 = value.parse().map_err(|_| "cpu: expected per cent")?;
                if !(0.0..=100.0).contains(&percent) {
                    return Err("cpu: expected 0 to 100 per cent".to_string());
                }
                Ok(Belief::Number(belief::CPU, (percent * 10.0).round() as u32))
            }
            "state" => {
                let named = |state: &&MemberState| state.name() == value;
                let state = MemberState::ALL.iter().find(named);
                let names = MemberState::ALL.map(MemberState::name).join(", ");
                let state = state.ok_or_else(|| format!("state: expected one of {names}"))?;
                Ok(Belief::Number(belief::STATE, *state as u32))
            }
            "listener" => match value {
                "1" | "yes" | "true" => Ok(Belief::Listener(true)),
                "0" | "no" | "false" => Ok(Belief::Listener(false)),
                _ => Err("listener: expected 0 or 1".to_string()),
            },
            _ => Err(format!("{key}: no such key")),
        }
    }
}

impl Command {
    /// Does it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let mut client = Client::open()?;
        let request = Request::new(cmd::DEBUG_SET);
        let request = match self {
            Command::Freeze => request.u8(debug::FREEZE, 1),
            Command::Thaw => request.u8(debug::FREEZE, 0),
            Command::Push { switch } => request.u8(debug::PUSH, (*switch == Switch::On).into()),
            Command::Clock { seconds } => request.s32(debug::CLOCK_OFFSET, *seconds),
            Command::Scale { factor } => request.u16(debug::SCALE, *factor),
            Command::Fill { sessions } => request.u32(debug::FILL, *sessions),
            Command::State { member, beliefs } => {
                let members = client.members()?;
                let id = address::member(&members, member)?.id;
                let nest = beliefs
                    .iter()
                    .fold(Request::new(0).u32(belief::ID, id), |nest, one| match one {
                        Belief::Number(kind, value) => nest.u32(*kind, *value),
                        Belief::Listener(present) => nest.u8(belief::LISTENER, (*present).into()),
                        Belief::Clear => nest.flag(belief::CLEAR),
                    });
                request.nest(debug::MEMBER, &nest)
            }
        };
        refused::set(&mut client, &request)?;
        out.done()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beliefs_are_read_in_their_units() {
        assert_eq!("cpu=12.5".parse(), Ok(Belief::Number(belief::CPU, 125)));
        assert_eq!("cpu=100".parse(), Ok(Belief::Number(belief::CPU, 1000)));
        assert_eq!(
            "state=draining".parse(),
            Ok(Belief::Number(belief::STATE, 4))
        );
        assert_eq!(
            "sessions=70000".parse(),
            Ok(Belief::Number(belief::SESSIONS, 70000))
        );
        assert_eq!("listener=0".parse(), Ok(Belief::Listener(false)));
        assert_eq!("clear".parse(), Ok(Belief::Clear));
        for bad in [
            "cpu=101",
            "cpu=-1",
            "cpu=NaN",
            "state=asleep",
            "sessions=x",
            "colour=1",
            "sessions",
        ] {
            assert!(bad.parse::<Belief>().is_err(), "{bad}");
        }
    }
}
