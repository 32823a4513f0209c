// SPDX-License-Identifier: GPL-2.0

//! `homing service`: make, change, remove and list services.

use crate::address;
use crate::out::Failure;
use crate::out::Out;
use crate::range;
use crate::refused;
use crate::save::default;
use crate::show;
use clap::value_parser;
use clap::Args;
use clap::Subcommand;
use clap::ValueEnum;
use homing_nl::consts;
use homing_nl::consts::cmd;
use homing_nl::consts::service;
use homing_nl::Address;
use homing_nl::Client;
use homing_nl::Request;
use std::net::SocketAddr;

/// What to do with services.
#[derive(Subcommand)]
pub enum Command {
    /// Make a service, or change one
    #[command(alias = "set")]
    Add(Add),
    /// Remove a service; its open connections go on
    Del {
        /// Virtual address and port
        #[arg(value_name = "VIP:PORT", value_parser = address::vip)]
        service: SocketAddr,
    },
    /// List the services
    List,
}

/// Make or change a service; what is not given keeps its value or its default.
#[derive(Args)]
pub struct Add {
    /// Virtual address and port, an IPv6 address in brackets
    #[arg(value_name = "VIP:PORT", value_parser = address::vip)]
    service: SocketAddr,
    /// Services of one group share their sessions
    #[arg(long)]
    group: Option<u16>,
    /// How the home of a new session is selected
    #[arg(long)]
    policy: Option<Policy>,
    /// Name of the cookie
    #[arg(long, value_name = "NAME")]
    cookie: Option<String>,
    /// Add Secure to the cookie
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    secure: Option<bool>,
    /// Put no cookie into responses
    #[arg(long, overrides_with = "insert")]
    no_insert: bool,
    /// Put a cookie into the first response of a session (the default)
    #[arg(long)]
    insert: bool,
    /// Seconds without a request after which a session expires
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u32).range(range::TIMEOUT))]
    idle_timeout: Option<u32>,
    /// Seconds after which a session expires in any case
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u32).range(range::TIMEOUT))]
    absolute_timeout: Option<u32>,
    /// Domain of the cookie; empty for none
    #[arg(long)]
    domain: Option<String>,
    /// Max-Age of the cookie in seconds; 0 for a cookie that ends with the browser
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u32).range(range::MAX_AGE))]
    max_age: Option<u32>,
    /// SameSite of the cookie
    #[arg(long)]
    same_site: Option<SameSite>,
    /// Which way answers go out that no socket makes, as those to SYNs
    #[arg(long)]
    reply: Option<Reply>,
    /// What a request gets whose session's home is dead
    #[arg(long)]
    home_lost: Option<HomeLost>,
    /// Seconds of a home's silence for which its requests wait, with --home-lost wait
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u32).range(range::HOME_WAIT))]
    home_wait: Option<u32>,
}

/// What a request gets whose session's home is dead.
#[derive(Clone, Copy, ValueEnum)]
pub enum HomeLost {
    /// A new home, for good
    Repick,
    /// A response 503 with Retry-After
    Strict,
    /// Nothing until the home is back or was silent for so long; then as strict
    Wait,
}

/// How a home is selected.
#[derive(Clone, Copy, ValueEnum)]
pub enum Policy {
    /// Two drawn by weight, the less loaded one wins
    P2c,
    /// In turn, each as often as its weight says
    Rr,
    /// The one that is furthest behind its share of what was given so far
    Wrr,
    /// The one with the fewest sessions for its weight
    LeastSessions,
    /// By the client's address
    Maglev,
}

/// Which way answers go out.
#[derive(Clone, Copy, ValueEnum)]
pub enum Reply {
    /// Back by the device and to the link address that the packet came from
    Swap,
    /// By the routing table
    Route,
}

/// SameSite of the cookie.
#[derive(Clone, Copy, ValueEnum)]
pub enum SameSite {
    /// SameSite=Lax
    Lax,
    /// SameSite=Strict
    Strict,
    /// SameSite=None
    None,
    /// No SameSite at all
    Unset,
}

impl Command {
    /// Does it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let mut client = Client::open()?;
        match self {
            Command::Add(add) => refused::set(&mut client, &add.request()).map_err(|failure| {
                match add.timeouts_of(&mut client) {
                    Ok(timeouts) => add.in_the_way(timeouts).unwrap_or(failure),
                    Err(_) => failure,
                }
            })?,
            Command::Del { service } => {
                refused::set(&mut client, &named(cmd::SERVICE_DEL, *service))?;
            }
            Command::List => return show::services(out, &mut client),
        }
        out.done()
    }
}

fn named(command: u8, address: SocketAddr) -> Request {
    Request::new(command)
        .bytes(service::VIP, &Address::from(address.ip()).0)
        .u16(service::PORT, address.port())
}

impl Add {
    /// The idle and the absolute time-out that the service has, or would have if nothing were given.
    fn timeouts_of(&self, client: &mut Client) -> Result<(u32, u32), homing_nl::Error> {
        let services = client.services_as_made()?;
        let mine = services
            .iter()
            .find(|service| SocketAddr::new(service.vip, service.port) == self.service);
        Ok(mine.map_or(
            (default::IDLE_TIMEOUT, default::ABSOLUTE_TIMEOUT),
            |service| (service.idle_timeout, service.absolute_timeout),
        ))
    }

    /// That the time-outs contradict each other, with both: who gave one does not see the other.
    fn in_the_way(&self, (idle, absolute): (u32, u32)) -> Option<Failure> {
        let idle = self.idle_timeout.unwrap_or(idle);
        let absolute = self.absolute_timeout.unwrap_or(absolute);
        (idle > absolute).then(|| {
            Failure::new(format!(
                "idle-timeout: is longer ({idle} s) than absolute-timeout ({absolute} s): \
                 give --idle-timeout and --absolute-timeout that fit"
            ))
        })
    }

    fn request(&self) -> Request {
        let mut request = named(cmd::SERVICE_SET, self.service);
        if let Some(group) = self.group {
            request = request.u16(service::GROUP, group);
        }
        if let Some(policy) = self.policy {
            let policy = match policy {
                Policy::P2c => consts::Policy::P2c,
                Policy::Rr => consts::Policy::Rr,
                Policy::Wrr => consts::Policy::Wrr,
                Policy::LeastSessions => consts::Policy::LeastSessions,
                Policy::Maglev => consts::Policy::Maglev,
            };
            request = request.u32(service::POLICY, policy as u32);
        }
        if let Some(cookie) = &self.cookie {
            request = request.string(service::COOKIE, cookie);
        }
        if let Some(secure) = self.secure {
            request = request.u8(service::SECURE, secure.into());
        }
        if self.insert || self.no_insert {
            request = request.u8(service::INSERT, self.insert.into());
        }
        if let Some(seconds) = self.idle_timeout {
            request = request.u32(service::IDLE_TIMEOUT, seconds);
        }
        if let Some(seconds) = self.absolute_timeout {
            request = request.u32(service::ABSOLUTE_TIMEOUT, seconds);
        }
        if let Some(domain) = &self.domain {
            request = request.string(service::DOMAIN, domain);
        }
        if let Some(seconds) = self.max_age {
            request = request.u32(service::MAX_AGE, seconds);
        }
        if let Some(same_site) = self.same_site {
            let same_site = match same_site {
                SameSite::Lax => consts::SameSite::Lax,
                SameSite::Strict => consts::SameSite::Strict,
                SameSite::None => consts::SameSite::None,
                SameSite::Unset => consts::SameSite::Unset,
            };
            request = request.u32(service::SAME_SITE, same_site as u32);
        }
        if let Some(reply) = self.reply {
            let reply = match reply {
                Reply::Swap => consts::Reply::Swap,
                Reply::Route => consts::Reply::Route,
            };
            request = request.u32(service::REPLY, reply as u32);
        }
        if let Some(what) = self.home_lost {
            let what = match what {
                HomeLost::Repick => consts::HomeLost::Repick,
                HomeLost::Strict => consts::HomeLost::Strict,
                HomeLost::Wait => consts::HomeLost::Wait,
            };
            request = request.u32(service::HOME_LOST, what as u32);
        }
        if let Some(seconds) = self.home_wait {
            request = request.u32(service::HOME_WAIT, seconds);
        }
        request
    }
}
