// SPDX-License-Identifier: GPL-2.0

//! `homing show`: what this member knows, as tables and as JSON.
//!
//! The JSON keys are a contract: programs and tests read them.

use crate::address;
use crate::out::duration;
use crate::out::Failure;
use crate::out::Out;
use crate::out::Table;
use clap::Subcommand;
use homing_nl::Client;
use homing_nl::Device;
use homing_nl::Drain;
use homing_nl::Flow;
use homing_nl::Member;
use homing_nl::Service;
use homing_nl::Session;
use homing_nl::Status;
use serde_json::json;
use serde_json::Value;
use std::net::IpAddr;
use std::net::SocketAddr;

/// What to show.
#[derive(Subcommand)]
pub enum Command {
    /// The members and their state, as this one believes
    Members,
    /// The members that drain, and how far they are
    Drain,
    /// The sessions
    Sessions,
    /// The connections
    Flows,
    /// The services
    Services,
    /// The attached devices
    Devices,
    /// The counters
    Stats,
    /// This member
    Status,
}

impl Command {
    /// Prints it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let mut client = Client::open()?;
        match self {
            Command::Members => members(out, &mut client),
            Command::Drain => {
                let members = client.members()?;
                out.print(
                    || members.iter().filter_map(drain_json).collect(),
                    || drain_table(&members),
                )
            }
            Command::Sessions => sessions(out, &mut client, None),
            Command::Flows => {
                let flows = client.flows()?;
                let members = client.members()?;
                out.print(
                    || flows.iter().map(|flow| flow_json(flow, &members)).collect(),
                    || flow_table(&flows, &members),
                )
            }
            Command::Services => services(out, &mut client),
            Command::Devices => {
                let devices = client.devices()?;
                out.print(
                    || devices.iter().map(device_json).collect(),
                    || device_table(&devices),
                )
            }
            Command::Stats => {
                let stats = client.stats()?;
                out.print(|| stats_json(&stats), || stats_table(&stats))
            }
            Command::Status => {
                let status = client.status()?;
                let members = client.members()?;
                out.print(
                    || status_json(&status, &members),
                    || status_text(&status, &members),
                )
            }
        }
    }
}

/// The bare command: status and members.
pub fn overview(out: &Out) -> Result<(), Failure> {
    let mut client = Client::open()?;
    let status = client.status()?;
    let members = client.members()?;
    out.print(
        || {
            let rows: Value = members.iter().map(member_json).collect();
            json!({ "status": status_json(&status, &members), "members": rows })
        },
        || {
            let status = status_text(&status, &members);
            format!("{status}\n{}", member_table(&members))
        },
    )
}

/// All members.
pub fn members(out: &Out, client: &mut Client) -> Result<(), Failure> {
    let members = client.members()?;
    out.print(
        || members.iter().map(member_json).collect(),
        || member_table(&members),
    )
}

/// All services.
pub fn services(out: &Out, client: &mut Client) -> Result<(), Failure> {
    let services = client.services()?;
    out.print(
        || services.iter().map(service_json).collect(),
        || service_table(&services),
    )
}

/// All sessions, or those of one home.
pub fn sessions(out: &Out, client: &mut Client, home: Option<&str>) -> Result<(), Failure> {
    let members = client.members()?;
    let home = home
        .map(|word| address::member(&members, word))
        .transpose()?;
    let sessions = client.sessions(home.map(|member| member.id))?;
    out.print(
        || {
            sessions
                .iter()
                .map(|session| session_json(session, &members))
                .collect()
        },
        || session_table(&sessions, &members),
    )
}

fn endpoint(ip: IpAddr, port: u16) -> String {
    SocketAddr::new(ip, port).to_string()
}

/// Per cent with one decimal out of permille.
fn percent(permille: u32) -> f64 {
    f64::from(permille) / 10.0
}

/// A member for programs.
pub fn member_json(member: &Member) -> Value {
    json!({
        "name": member.name,
        "id": member.id,
        "addr": member.addr.to_string(),
        "state": member.state.map(|state| state.name()),
        "admin": member.admin.map(|state| state.name()),
        "weight": member.weight,
        "local": member.local,
        "sessions": member.sessions,
        "flows": member.flows,
        "requests": member.requests,
        "cpu": percent(member.cpu),
        "last_seen_ms": member.last_seen_ms,
        "clock_skew_ms": member.clock_skew_ms,
        "boot": member.boot,
        "batches_sent": member.batches_sent,
        "batches_seen": member.batches_seen,
        "listeners": member.listeners,
        "batches_acked": member.batches_acked,
        "lag": member.lag,
        "refused": member.refused,
        "refused_why": Some(&member.refused_why).filter(|why| !why.is_empty()),
        "config": format!("{:08x}", member.config),
        "latency_us": member.latency_us,
        "told": member.told,
        "overridden": member.overridden,
        "flapping": member.flapping,
        "deaf_ms": member.deaf_ms,
        "mtu_from": member.mtu_from,
        "mtu_to": member.mtu_to,
    })
}

/// How fast something goes, one a second, and how many seconds the rest takes at this rate.
fn pace(left: u64, before: u64, since: u64) -> (f64, Option<u64>) {
    let gone = before.saturating_sub(left);
    let rate = match since {
        0 => 0.0,
        since => gone as f64 / since as f64,
    };
    match (left, gone, since) {
        (0, _, _) => (rate, Some(0)),
        (_, 0, _) | (_, _, 0) => (rate, None),
        _ => (rate, Some((left as f64 / rate).ceil() as u64)),
    }
}

/// How fast a draining member loses its sessions and its connections, and how many seconds it takes
/// until neither is left.
fn drain_rate(member: &Member, drain: &Drain) -> (f64, f64, Option<u64>) {
    let (rate, sessions) = pace(member.sessions, drain.sessions, drain.since);
    let (flows_rate, flows) = pace(member.flows, drain.flows, drain.since);
    let estimate = sessions.zip(flows).map(|(one, other)| one.max(other));
    (rate, flows_rate, estimate)
}

/// A draining member for programs; `None` if it does not drain.
pub fn drain_json(member: &Member) -> Option<Value> {
    let drain = member.drain.as_ref()?;
    let (rate, flows_rate, estimate) = drain_rate(member, drain);
    Some(json!({
        "name": member.name,
        "id": member.id,
        "mode": drain.mode.map(|mode| mode.name()),
        "deadline_s": drain.deadline,
        "since_s": drain.since,
        "sessions": member.sessions,
        "flows": member.flows,
        "sessions_before": drain.sessions,
        "flows_before": drain.flows,
        "rate": rate,
        "flows_rate": flows_rate,
        "estimate_s": estimate,
    }))
}

fn drain_table(members: &[Member]) -> String {
    let mut table = Table::new(&[
        "member", "mode", "deadline", "since", "sessions", "rate", "flows", "rate", "done in",
    ]);
    for (member, drain) in members.iter().filter_map(|m| Some((m, m.drain.as_ref()?))) {
        let (rate, flows_rate, estimate) = drain_rate(member, drain);
        table.row(vec![
            member.name.clone(),
            drain
                .mode
                .map_or(String::new(), |mode| mode.name().to_string()),
            drain
                .deadline
                .map_or("none".to_string(), |s| duration(s.into())),
            duration(drain.since),
            format!("{} of {}", member.sessions, drain.sessions),
            format!("{rate:.1}/s"),
            format!("{} of {}", member.flows, drain.flows),
            format!("{flows_rate:.1}/s"),
            estimate.map_or("unknown".to_string(), duration),
        ]);
    }
    table.render("no member drains: 'homing member drain NAME' begins")
}

fn member_table(members: &[Member]) -> String {
    let mut table = Table::new(&[
        "member", "id", "address", "state", "weight", "sessions", "flows", "cpu", "seen",
    ]);
    for member in members {
        table.row(vec![
            member.name.clone(),
            member.id.to_string(),
            member.addr.to_string(),
            state_text(member),
            member.weight.to_string(),
            member.sessions.to_string(),
            member.flows.to_string(),
            format!("{:.1}%", percent(member.cpu)),
            match (member.local, member.last_seen_ms) {
                (true, _) => "here".to_string(),
                (false, None) => "never".to_string(),
                (false, Some(ms @ 0..=9999)) => format!("{ms} ms ago"),
                (false, Some(ms)) => format!("{} ago", duration(ms / 1000)),
            },
        ]);
    }
    table.render("no members: 'homing member set NAME --id N --addr A' makes one")
}

/// What is believed of a member, whether that was set for debugging, and why if it is heard.
fn state_text(member: &Member) -> String {
    let mut text = member.state.map_or("", |state| state.name()).to_string();
    if member.overridden {
        text.push_str(", overridden");
    }
    if member.flapping {
        text.push_str(", flapping");
    }
    if member.deaf_ms.is_some() {
        text.push_str(", does not hear us");
    }
    text
}

/// A session for programs.
pub fn session_json(session: &Session, members: &[Member]) -> Value {
    let sid = Some(&session.sid).filter(|sid| !sid.is_empty());
    json!({
        "sid": sid,
        "key": session.key_hex(),
        "home": address::name(members, session.home),
        "home_id": session.home,
        "origin": address::name(members, session.origin),
        "origin_id": session.origin,
        "version": session.version,
        "state": session.state.map(|state| state.name()),
        "group": session.group,
        "created_s": session.created,
        "idle_s": session.idle,
        "flags": session.flags,
    })
}

fn session_table(sessions: &[Session], members: &[Member]) -> String {
    let mut table = Table::new(&[
        "session", "home", "origin", "version", "state", "group", "idle",
    ]);
    for session in sessions {
        table.row(vec![
            match session.sid.as_str() {
                "" => session.key_hex(),
                sid => sid.to_string(),
            },
            address::name(members, session.home).unwrap_or_default(),
            address::name(members, session.origin).unwrap_or_default(),
            session.version.to_string(),
            session
                .state
                .map_or(String::new(), |state| state.name().to_string()),
            session.group.to_string(),
            duration(session.idle),
        ]);
    }
    table.render("no sessions")
}

fn flow_json(flow: &Flow, members: &[Member]) -> Value {
    let key = flow.key.map(|key| {
        key.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    });
    json!({
        "client": endpoint(flow.client, flow.client_port),
        "service": endpoint(flow.vip, flow.port),
        "owner": address::name(members, flow.owner),
        "owner_id": flow.owner,
        "entry": address::name(members, flow.entry),
        "entry_id": flow.entry,
        "role": flow.role.map(|role| role.name()),
        "state": flow.state.map(|state| state.name()),
        "shift": flow.shift,
        "key": key,
        "idle_s": flow.idle,
    })
}

fn flow_table(flows: &[Flow], members: &[Member]) -> String {
    let mut table = Table::new(&[
        "client", "service", "owner", "role", "state", "shift", "idle",
    ]);
    for flow in flows {
        table.row(vec![
            endpoint(flow.client, flow.client_port),
            endpoint(flow.vip, flow.port),
            address::name(members, flow.owner).unwrap_or_default(),
            flow.role
                .map_or(String::new(), |role| role.name().to_string()),
            flow.state
                .map_or(String::new(), |state| state.name().to_string()),
            flow.shift.to_string(),
            duration(flow.idle),
        ]);
    }
    table.render("no connections")
}

fn service_json(service: &Service) -> Value {
    let domain = Some(&service.domain).filter(|domain| !domain.is_empty());
    json!({
        "vip": service.vip.to_string(),
        "port": service.port,
        "group": service.group,
        "policy": service.policy.map(|policy| policy.name()),
        "cookie": service.cookie,
        "listeners": service.listeners,
        "local_listener": service.local_listener,
        "secure": service.secure,
        "insert": service.insert,
        "idle_timeout_s": service.idle_timeout,
        "absolute_timeout_s": service.absolute_timeout,
        "domain": domain,
        "max_age_s": service.max_age,
        "same_site": service.same_site.map(|same_site| same_site.name()),
        "reply": service.reply.map(|reply| reply.name()),
        "home_lost": service.home_lost.map(|what| what.name()),
        "home_wait_s": service.home_wait,
        "sessions": service.sessions,
        "connections": service.connections,
    })
}

fn service_table(services: &[Service]) -> String {
    let mut table = Table::new(&[
        "service",
        "group",
        "policy",
        "cookie",
        "listeners",
        "here",
        "sessions",
        "connections",
    ]);
    for service in services {
        table.row(vec![
            endpoint(service.vip, service.port),
            service.group.to_string(),
            service
                .policy
                .map_or(String::new(), |policy| policy.name().to_string()),
            service.cookie.clone(),
            service.listeners.to_string(),
            if service.local_listener { "yes" } else { "no" }.to_string(),
            service.sessions.to_string(),
            service.connections.to_string(),
        ]);
    }
    table.render("no services: 'homing service add VIP:PORT' makes one")
}

fn device_json(device: &Device) -> Value {
    json!({ "name": device.ifname, "ifindex": device.ifindex })
}

fn device_table(devices: &[Device]) -> String {
    let mut table = Table::new(&["device", "index"]);
    for device in devices {
        table.row(vec![device.ifname.clone(), device.ifindex.to_string()]);
    }
    table.render("no devices: 'homing attach DEVICE' attaches one")
}

fn stats_json(stats: &[(String, u64)]) -> Value {
    stats
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect()
}

/// Counters that have counted; those at zero only hide them.
fn stats_table(stats: &[(String, u64)]) -> String {
    let mut table = Table::new(&["counter", "count"]);
    for (name, value) in stats.iter().filter(|(_, value)| *value > 0) {
        table.row(vec![name.clone(), value.to_string()]);
    }
    table.render("all counters are 0")
}

/// This member for programs.
pub fn status_json(status: &Status, members: &[Member]) -> Value {
    let member = Some(&status.member_name).filter(|_| status.member_id != 0);
    json!({
        "version": status.version,
        "kernel": status.kernel,
        "member": member,
        "member_id": status.member_id,
        "attached": status.attached,
        "generation": status.generation,
        "members": status.members,
        "services": status.services,
        "sessions": status.sessions,
        "flows": status.flows,
        "flows_max": status.flows_max,
        "held": status.held,
        "held_bytes": status.held_bytes,
        "keys": status.keys,
        "frozen": status.frozen,
        "push": status.push,
        "scale": status.scale,
        "clock_offset_s": status.clock_offset,
        "overridden": overridden(members).collect::<Vec<_>>(),
        "boot": status.boot,
        "port": status.port,
        "state_interval_ms": status.state_interval,
        "farm_id": status.farm_id,
        "fabric_mtu": status.fabric_mtu,
        "fabric_mtu_set": status.fabric_mtu_set,
        "sessions_max": status.sessions_max,
        "eject_max": status.eject_max,
    })
}

/// The members of which something else is believed than what is heard.
fn overridden(members: &[Member]) -> impl Iterator<Item = &str> {
    let set = members.iter().filter(|member| member.overridden);
    set.map(|member| member.name.as_str())
}

fn status_text(status: &Status, members: &[Member]) -> String {
    let mut lines = vec![
        format!("homing {} on Linux {}", status.version, status.kernel),
        match status.member_id {
            0 => "member      none: no member has an address of this host".to_string(),
            id => format!("member      {} (id {id})", status.member_name),
        },
        match status.attached.as_slice() {
            [] => "attached    nothing: 'homing attach DEVICE'".to_string(),
            names => format!("attached    {}", names.join(" ")),
        },
        format!(
            "farm        id {}, port {}, network of {} bytes ({}), state every {} ms, {} keys",
            status.farm_id,
            status.port,
            status.fabric_mtu,
            match status.fabric_mtu_set {
                true => "set",
                false => "found out",
            },
            status.state_interval,
            status.keys
        ),
        format!(
            "left out    at most {}% of the members, for coming and going",
            status.eject_max
        ),
        format!(
            "holds       {} members, {} services, {} of {} sessions, {} of {} connections",
            status.members,
            status.services,
            status.sessions,
            status.sessions_max,
            status.flows,
            status.flows_max
        ),
        format!(
            "reads       {} heads, {} KiB",
            status.held,
            status.held_bytes / 1024
        ),
        format!("generation  {}", status.generation),
    ];
    let mut switches = Vec::new();
    if status.frozen {
        switches.push("states frozen".to_string());
    }
    if !status.push {
        switches.push("push off".to_string());
    }
    if status.scale != 1 {
        switches.push(format!("scale {}", status.scale));
    }
    if status.clock_offset != 0 {
        switches.push(format!("clock {:+} s", status.clock_offset));
    }
    switches.extend(overridden(members).map(|name| format!("{name} overridden")));
    if !switches.is_empty() {
        lines.push(format!("debug       {}", switches.join(", ")));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
#[path = "show_test.rs"]
pub mod tests;
