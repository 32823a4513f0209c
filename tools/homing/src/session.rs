// SPDX-License-Identifier: GPL-2.0

//! `homing session`: list, show, move, end and store sessions.

use crate::address;
use crate::address::Sid;
use crate::out::Failure;
use crate::out::Out;
use crate::range;
use crate::refused;
use crate::show;
use clap::value_parser;
use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use homing_nl::consts;
use homing_nl::consts::cmd;
use homing_nl::consts::session;
use homing_nl::Client;
use std::str::FromStr;

/// What to do with sessions. SID is a session id, its key in hexadecimal, or the first six or more
/// characters of one.
#[derive(Subcommand)]
pub enum Command {
    /// List the sessions
    List {
        /// Only those of this home
        #[arg(long, value_name = "MEMBER")]
        home: Option<String>,
    },
    /// Show one session
    Show {
        /// The session
        #[arg(value_parser = Sid::from_str, allow_hyphen_values = true)]
        sid: Sid,
    },
    /// Give a session another home
    Move {
        /// The session
        #[arg(value_parser = Sid::from_str, allow_hyphen_values = true)]
        sid: Sid,
        /// The new home
        member: String,
    },
    /// End a session; its id routes nowhere any more
    End {
        /// The session
        #[arg(value_parser = Sid::from_str, allow_hyphen_values = true)]
        sid: Sid,
    },
    /// Store a whole association, as `monitor` printed it; an older version loses
    Set(Set),
}

/// Store a whole association.
#[derive(Args)]
pub struct Set {
    /// Session id, or its key in hexadecimal
    #[arg(value_parser = Sid::from_str, allow_hyphen_values = true)]
    sid: Sid,
    /// Member that keeps the session
    #[arg(long)]
    home: String,
    /// Member that stored this version first, by name or by a number that need not be configured; without it, the home
    #[arg(long)]
    origin: Option<String>,
    /// Higher versions win
    #[arg(long, value_parser = value_parser!(u32).range(range::VERSION))]
    version: u32,
    /// State of the association
    #[arg(long, default_value = "confirmed")]
    state: State,
    /// Group of services
    #[arg(long, default_value_t = 0)]
    group: u16,
    /// Time of creation, seconds since 1970; without it, now
    #[arg(long)]
    created: Option<u64>,
    /// Seconds since the last request
    #[arg(long, default_value_t = 0)]
    idle: u64,
}

/// State of an association.
#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    /// The client has not shown the session id yet
    Tentative,
    /// The client has shown the session id
    Confirmed,
    /// Tombstone
    Ended,
}

impl Command {
    /// Does it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let mut client = Client::open()?;
        match self {
            Command::List { home } => return show::sessions(out, &mut client, home.as_deref()),
            Command::Show { sid } => {
                let session = sid.session(&mut client)?;
                let members = client.members()?;
                let json = show::session_json(&session, &members);
                return out.print(|| json.clone(), || lines(&json));
            }
            Command::Move { sid, member } => {
                let members = client.members()?;
                let home = address::member(&members, member)?.id;
                let request = sid.request(&mut client, cmd::SESSION_MOVE)?;
                refused::set(&mut client, &request.u32(session::HOME, home))?;
            }
            Command::End { sid } => {
                let request = sid.request(&mut client, cmd::SESSION_END)?;
                refused::set(&mut client, &request)?;
            }
            Command::Set(set) => set.run(&mut client)?,
        }
        out.done()
    }
}

impl Set {
    fn run(&self, client: &mut Client) -> Result<(), Failure> {
        let members = client.members()?;
        let home = address::member(&members, &self.home)?.id;
        let origin = match &self.origin {
            // It may be configured no more, and its sessions live on.
            Some(word) => match (address::member(&members, word), word.parse()) {
                (Ok(member), _) => member.id,
                (Err(_), Ok(id @ 1..=1023)) => id,
                (Err(failure), _) => return Err(failure),
            },
            None => home,
        };
        let state = match self.state {
            State::Tentative => consts::SessionState::Tentative,
            State::Confirmed => consts::SessionState::Confirmed,
            State::Ended => consts::SessionState::Ended,
        };
        let mut request = self
            .sid
            .request(client, cmd::SESSION_SET)?
            .u32(session::HOME, home)
            .u32(session::ORIGIN, origin)
            .u32(session::VERSION, self.version)
            .u32(session::STATE, state as u32)
            .u16(session::GROUP, self.group)
            .uint(session::IDLE, self.idle);
        if let Some(created) = self.created {
            request = request.uint(session::CREATED, created);
        }
        refused::set(client, &request)
    }
}

/// One `key value` a line.
fn lines(json: &serde_json::Value) -> String {
    let fields = json.as_object().into_iter().flatten();
    fields
        .map(|(key, value)| match value.as_str() {
            Some(text) => format!("{key:<11} {text}\n"),
            None => format!("{key:<11} {value}\n"),
        })
        .collect()
}
