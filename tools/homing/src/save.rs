// SPDX-License-Identifier: GPL-2.0

//! `homing save`: the commands that make the present configuration again.

use crate::doctor;
use crate::key;
use crate::out::Failure;
use crate::out::Out;
use clap::Args;
use homing_nl::consts::AdminState;
use homing_nl::consts::HomeLost;
use homing_nl::consts::KeyRole;
use homing_nl::consts::Policy;
use homing_nl::consts::Reply;
use homing_nl::consts::SameSite;
use homing_nl::Client;
use homing_nl::Device;
use homing_nl::Key;
use homing_nl::Member;
use homing_nl::Service;
use homing_nl::Status;
use serde_json::json;
use serde_json::Value;
use std::fmt::Display;
use std::fs;
use std::fs::File;
use std::io::Write;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;

/// How often it is read again when a change came in between.
const TRIES: usize = 10;

/// What the script begins with.
const HEAD: &str = "\
#!/bin/sh
# Made by 'homing save': makes the configuration of this host again. Run it as root after the host has
# booted and its network is up; 'systemctl enable homing' does that. It has no keys, only their files' names.
set -e
";

/// Print the commands that make this configuration again, as a script to run at boot
///
/// With --output a file is replaced, and only when all of it is written: what a shell's '>' leaves when
/// the command fails is an empty script, and a host that boots into no farm. The keys are not in it, since the kernel shows them to nobody: key N is loaded from /etc/homing/key.N.
/// Orders ('member drain', 'member down') are no configuration; a comment says which there are now.
/// Switches of 'debug' and sessions are left out, too.
#[derive(Args)]
pub struct Save {
    /// Write the script into this file instead, whole or not at all
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Save {
    /// Does it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let lines = Configuration::read(&mut Client::open()?)?.lines()?;
        if let Some(file) = &self.output {
            replace(file, &lines)?;
            return out.done();
        }
        out.print(|| lines.iter().map(line_json).collect(), || text(&lines))
    }
}

/// Puts the script into a file, in the place of what was there.
fn replace(file: &Path, lines: &[Line]) -> Result<(), Failure> {
    if lines.is_empty() {
        return Err(Failure::new(format!(
            "nothing is configured here, so {} stays as it is",
            file.display()
        )));
    }
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let write = || {
        let mut to = File::create(&new)?;
        to.write_all(text(lines).as_bytes())?;
        to.sync_all()?;
        fs::rename(&new, file)
    };
    write().map_err(|error| {
        // What is there of it is of no use to anybody.
        let _ = fs::remove_file(&new);
        Failure::new(format!("{}: {error}", file.display()))
    })
}

/// What holds where nothing is said.
pub mod default {
    pub const PORT: u16 = 6470;
    pub const STATE_INTERVAL: u32 = 100;
    pub const SCALE: u16 = 1;
    pub const FARM_ID: u32 = 0;
    pub const FABRIC_MTU: u16 = 0;
    pub const EJECT_MAX: u8 = 50;
    pub const SESSIONS_MAX: u32 = 1_048_576;
    pub const WEIGHT: u32 = 100;
    pub const GROUP: u16 = 0;
    pub const COOKIE: &str = "homing";
    pub const IDLE_TIMEOUT: u32 = 1800;
    pub const ABSOLUTE_TIMEOUT: u32 = 86_400;
    pub const HOME_WAIT: u32 = 10;
}

/// All that is configured here.
struct Configuration {
    status: Status,
    keys: Vec<Key>,
    members: Vec<Member>,
    /// In the order of their making: the first of a group speaks for it.
    services: Vec<Service>,
    /// In the order in which they were attached.
    devices: Vec<Device>,
    /// Addresses of members that this host has.
    here: Vec<IpAddr>,
}

/// One line of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// A command, word by word.
    Command(Vec<String>),
    /// The key that the next command loads.
    Key(Key),
    /// What an operator wants of a member, which is not made again.
    Order(String, AdminState),
}

impl Configuration {
    /// Reads it, as it is at one moment.
    fn read(client: &mut Client) -> Result<Self, Failure> {
        for _ in 0..TRIES {
            let status = client.status()?;
            let members = client.members()?;
            let addresses = members.iter().map(|member| member.addr);
            let read = Configuration {
                keys: client.keys()?,
                services: client.services_as_made()?,
                devices: client.devices()?,
                here: addresses.filter(|addr| doctor::is_local(*addr)).collect(),
                members,
                status,
            };
            if client.status()?.generation == read.status.generation {
                return Ok(read);
            }
        }
        Err(Failure::new(
            "the configuration was changed all the time while it was read: try again",
        ))
    }

    /// The lines in an order that works. The port is opened by the member that is this host, so the farm
    /// comes before it; from the attaching on packets are looked at, so that comes last. Of the members
    /// this host is the last: another host that is given this script knows itself by its address then, and
    /// refuses to be two, with nothing done that would have to be undone.
    fn lines(&self) -> Result<Vec<Line>, Failure> {
        let mut lines = Vec::new();
        lines.extend(self.farm());
        for (key, role) in self.keys_to_load()? {
            lines.push(Line::Key(key.clone()));
            lines.push(load(key, role));
        }
        let (here, others): (Vec<_>, Vec<_>) = self.members.iter().partition(|member| member.local);
        for member in others.into_iter().chain(here) {
            if let Some(order @ (AdminState::Draining | AdminState::Down)) = member.admin {
                lines.push(Line::Order(member.name.clone(), order));
            }
            lines.push(self.member(member));
        }
        for service in &self.services {
            lines.push(add(service)?);
        }
        for device in &self.devices {
            lines.push(Words::of("attach", &device.ifname).line());
        }
        Ok(lines)
    }

    fn farm(&self) -> Option<Line> {
        let status = &self.status;
        let fabric_mtu = match status.fabric_mtu_set {
            true => status.fabric_mtu,
            false => default::FABRIC_MTU,
        };
        let words = Words::of("farm set", "")
            .unless("--port", status.port, default::PORT)
            .unless(
                "--state-interval",
                status.state_interval,
                default::STATE_INTERVAL,
            )
            .unless("--scale", status.scale, default::SCALE)
            .unless("--id", status.farm_id, default::FARM_ID)
            .unless("--fabric-mtu", fabric_mtu, default::FABRIC_MTU)
            .unless("--eject-max", status.eject_max, default::EJECT_MAX)
            .unless("--sessions-max", status.sessions_max, default::SESSIONS_MAX);
        // Without an option it would be refused.
        (!words.options.is_empty()).then(|| words.line())
    }

    /// The keys with their roles in the order to load them: the first sends whatever its role, and one
    /// that receives stands behind it, before the older ones. Which of two that receive is older, the
    /// kernel does not tell; the higher number is taken for the newer one.
    fn keys_to_load(&self) -> Result<Vec<(&Key, KeyRole)>, Failure> {
        let with_role = |key: &Key| known(key.role, "role of a key");
        let roles: Vec<KeyRole> = self.keys.iter().map(with_role).collect::<Result<_, _>>()?;
        let mut keys: Vec<(&Key, KeyRole)> = self.keys.iter().zip(roles).collect();
        keys.sort_by_key(|(key, role)| (*role != KeyRole::Send, key.id));
        Ok(keys)
    }

    /// A member. This host is said to be its member, so that a farm address may come up later than this
    /// runs; of others it is said that they are not, where the address alone would make them.
    fn member(&self, member: &Member) -> Line {
        let words = Words::of("member set", &member.name)
            .option("--id", member.id)
            .option("--addr", member.addr)
            .unless("--weight", member.weight, default::WEIGHT);
        match (member.local, self.here.contains(&member.addr)) {
            (true, _) => words.option("--local", true),
            (false, true) => words.option("--local", false),
            (false, false) => words,
        }
        .line()
    }
}

fn load(key: &Key, role: KeyRole) -> Line {
    Words::of("key set", &format!("/etc/homing/key.{}", key.id))
        .option("--id", key.id)
        .unless("--role", role.name(), KeyRole::Send.name())
        .line()
}

fn add(service: &Service) -> Result<Line, Failure> {
    let policy = known(service.policy, "policy of a service")?;
    let same_site = known(service.same_site, "same-site of a service")?;
    let home_lost = known(service.home_lost, "home-lost of a service")?;
    let reply = known(service.reply, "reply of a service")?;
    let name = SocketAddr::new(service.vip, service.port).to_string();
    let words = Words::of("service add", &name)
        .unless("--group", service.group, default::GROUP)
        .unless("--policy", policy.name(), Policy::P2c.name())
        .unless("--cookie", service.cookie.as_str(), default::COOKIE)
        .flag("--secure", service.secure)
        .unless("--same-site", same_site.name(), SameSite::Lax.name())
        .unless("--domain", service.domain.as_str(), "")
        .unless("--max-age", service.max_age, 0)
        .flag("--no-insert", !service.insert)
        .unless(
            "--idle-timeout",
            service.idle_timeout,
            default::IDLE_TIMEOUT,
        )
        .unless(
            "--absolute-timeout",
            service.absolute_timeout,
            default::ABSOLUTE_TIMEOUT,
        )
        .unless("--home-lost", home_lost.name(), HomeLost::Repick.name())
        .unless("--home-wait", service.home_wait, default::HOME_WAIT)
        .unless("--reply", reply.name(), Reply::Swap.name());
    Ok(words.line())
}

/// A value that the module has sent; one that this tool has no word for must not get lost.
fn known<T>(value: Option<T>, what: &str) -> Result<T, Failure> {
    value.ok_or_else(|| {
        Failure::new(format!(
            "the module has a {what} that this tool does not know: take the tool of the module's version"
        ))
    })
}

/// The words of a command that is being put together.
struct Words {
    command: &'static str,
    object: String,
    options: Vec<String>,
}

impl Words {
    /// A command, and what it is about; nothing for none.
    fn of(command: &'static str, object: &str) -> Self {
        Words {
            command,
            object: object.to_string(),
            options: Vec::new(),
        }
    }

    /// With an option; a value that looks like one itself is bound to it.
    fn option(mut self, name: &str, value: impl Display) -> Self {
        let value = value.to_string();
        match value.starts_with('-') {
            true => self.options.push(format!("{name}={value}")),
            false => self.options.extend([name.to_string(), value]),
        }
        self
    }

    /// With an option, unless its value is the default.
    fn unless<T: Display + PartialEq>(self, name: &str, value: T, default: T) -> Self {
        match value == default {
            true => self,
            false => self.option(name, value),
        }
    }

    /// With an option that has no value, if so.
    fn flag(mut self, name: &str, given: bool) -> Self {
        self.options.extend(given.then(|| name.to_string()));
        self
    }

    /// The command. An object that looks like an option stands last, where it is none.
    fn line(self) -> Line {
        let mut words = vec!["homing".to_string()];
        words.extend(self.command.split(' ').map(str::to_string));
        match self.object.chars().next() {
            None => words.extend(self.options),
            Some('-') => {
                words.extend(self.options);
                words.extend(["--".to_string(), self.object]);
            }
            Some(_) => {
                words.push(self.object);
                words.extend(self.options);
            }
        }
        Line::Command(words)
    }
}

/// A word as the shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.,:/=@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn line_text(line: &Line) -> String {
    match line {
        Line::Command(words) => {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            words.join(" ")
        }
        Line::Key(key) => format!(
            "# Key {}, fingerprint {}: put it into this file, which only root may read.",
            key.id,
            key::fingerprint(key)
        ),
        Line::Order(member, order) => format!(
            "# {member} is {} now: an order, which the members tell each other, and no configuration.",
            order.name()
        ),
    }
}

fn text(lines: &[Line]) -> String {
    let lines = lines.iter().map(|line| format!("{}\n", line_text(line)));
    format!("{HEAD}{}", lines.collect::<String>())
}

fn line_json(line: &Line) -> Value {
    match line {
        Line::Command(words) => json!({ "command": words }),
        Line::Key(key) => json!({ "key": key::key_json(key) }),
        Line::Order(member, order) => {
            json!({ "order": { "member": member, "admin": order.name() } })
        }
    }
}

#[cfg(test)]
#[path = "save_test.rs"]
mod tests;
