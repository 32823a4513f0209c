// SPDX-License-Identifier: GPL-2.0

//! `homing doctor`: what in this host or this farm would break connections, and how to mend it.
//!
//! Facts are gathered first, then judged by functions without side effects. Facts about the host
//! are those of the network namespace that the tool runs in.

mod facts;
mod firewall;

use crate::out::duration;
use crate::out::Failure;
use crate::out::Out;
use clap::Args;
use clap::ValueEnum;
pub use facts::is_local;
use facts::Facts;
use homing_nl::consts::AdminState;
use homing_nl::consts::MemberState;
use homing_nl::Client;
use homing_nl::Member;
use serde_json::json;
use serde_json::Value;
use std::process::ExitCode;

/// Difference of two clocks from which sessions and cookies get confused lifetimes.
const CLOCK_WARN_MS: u32 = 2_000;
/// Difference from which the cookies of one member are refused by another (an epoch is 256 s).
const CLOCK_ERROR_MS: u32 = 200_000;
/// Per cent of the most sessions from which the table is about to be full.
const SESSIONS_WARN_PERCENT: u64 = 90;

/// Check this host and say how to mend what is found
///
/// Status 0: nothing was found; 1: something was, or the module is not loaded.
#[derive(Args)]
pub struct Doctor {
    /// Only findings that are so bad, or worse: the others neither print nor count
    #[arg(long, default_value = "warning")]
    severity: Severity,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Severity {
    /// Connections or sessions fail.
    Error,
    /// Something works worse than it could, or fails in some cases.
    Warning,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    /// Stable name of the check.
    id: &'static str,
    severity: Severity,
    what: String,
    mend: String,
}

impl Doctor {
    /// Checks, prints, and answers 0 when nothing was found, else 1.
    pub fn run(&self, out: &Out) -> Result<ExitCode, Failure> {
        let mut client = Client::open()?;
        let facts = Facts::gather(&mut client)?;
        let findings = self.findings(&facts);
        out.print(|| findings.iter().map(json).collect(), || text(&findings))?;
        Ok(if findings.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn findings(&self, facts: &Facts) -> Vec<Finding> {
        let mut findings = judge(facts);
        findings.retain(|finding| finding.severity <= self.severity);
        findings
    }
}

/// Why no device may be attached here: the firewall would refuse every connection of a service,
/// since conntrack never sees its SYN. With how to mend it.
pub fn forbids_attach(client: &mut Client) -> Result<Option<String>, Failure> {
    let facts = Facts::gather(client)?;
    Ok(fatal(&facts))
}

fn fatal(facts: &Facts) -> Option<String> {
    // Without a rule that asks for the state of a connection, what conntrack thinks of it is nothing.
    let tracked = facts
        .services
        .iter()
        .any(|service| facts.firewall.asks_for_state(service.port));
    let first = judge(facts).into_iter().find(|finding| match finding.id {
        "firewall-new-not-syn" => true,
        "conntrack-loose" => tracked,
        _ => false,
    })?;
    Some(format!(
        "not attached, every connection would be refused: {}; mend it: {} (--force attaches all the same)",
        first.what, first.mend
    ))
}

fn json(finding: &Finding) -> Value {
    json!({
        "id": finding.id,
        "severity": finding.severity.name(),
        "what": finding.what,
        "mend": finding.mend,
    })
}

fn text(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing found\n".to_string();
    }
    findings
        .iter()
        .map(|f| {
            format!(
                "{} {}: {}\n    mend: {}\n",
                f.severity.name(),
                f.id,
                f.what,
                f.mend
            )
        })
        .collect()
}

/// All checks, the worst findings first.
fn judge(facts: &Facts) -> Vec<Finding> {
    let mut found = Found(Vec::new());
    found.farm(facts);
    found.switches(facts);
    found.sessions(facts);
    found.members(facts);
    found.services(facts);
    found.devices(facts);
    found.tcp(facts);
    found.firewall(facts);
    found.0.sort_by_key(|finding| finding.severity);
    found.0
}

/// A sysctl of a device as sysctl(8) takes it, also where the device's name has dots (`eth0.100`).
fn device_sysctl(device: &str, name: &str) -> String {
    format!("net/ipv4/conf/{device}/{name}")
}

struct Found(Vec<Finding>);

impl Found {
    fn add(&mut self, severity: Severity, id: &'static str, what: String, mend: String) {
        self.0.push(Finding {
            id,
            severity,
            what,
            mend,
        });
    }

    fn error(&mut self, id: &'static str, what: impl Into<String>, mend: impl Into<String>) {
        self.add(Severity::Error, id, what.into(), mend.into());
    }

    fn warning(&mut self, id: &'static str, what: impl Into<String>, mend: impl Into<String>) {
        self.add(Severity::Warning, id, what.into(), mend.into());
    }

    fn farm(&mut self, facts: &Facts) {
        if facts.status.keys == 0 {
            self.error(
                "no-key",
                "no farm key is loaded",
                "homing key set FILE, with the same file on every member",
            );
        }
        if facts.status.member_id == 0 {
            self.error(
                "no-local-member",
                "no member has an address of this host, so this host is no member",
                "homing member set NAME --id N --addr ADDRESS, with an address that 'ip address' shows here",
            );
        }
        if facts.status.attached.is_empty() {
            self.error(
                "not-attached",
                "no device is attached, so no packet is looked at",
                "homing attach DEVICE",
            );
        }
        if facts.services.is_empty() {
            self.warning(
                "no-service",
                "no service is configured",
                "homing service add VIP:PORT",
            );
        }
    }

    /// Switches of `homing debug` that were left on.
    fn switches(&mut self, facts: &Facts) {
        let status = &facts.status;
        if status.frozen {
            self.warning(
                "debug-freeze",
                "the stored states of members are frozen, and homes are selected by them",
                "homing debug thaw",
            );
        }
        if !status.push {
            self.warning(
                "debug-push",
                "associations are not sent to other members",
                "homing debug push on",
            );
        }
        if status.clock_offset != 0 {
            self.warning(
                "debug-clock",
                format!(
                    "this member's clock is set off by {} s",
                    status.clock_offset
                ),
                "homing debug clock 0",
            );
        }
        if status.scale != 1 {
            self.warning(
                "debug-scale",
                format!(
                    "every time constant is {} times as long: a dead member is noticed that much later",
                    status.scale
                ),
                "homing debug scale 1, on every member",
            );
        }
        for member in facts.members.iter().filter(|member| member.overridden) {
            self.warning(
                "debug-state",
                format!("what is believed of {} was set by hand", member.name),
                format!("homing debug state {} clear", member.name),
            );
        }
    }

    /// A table of sessions that is about to be full.
    fn sessions(&mut self, facts: &Facts) {
        let (stored, most) = (facts.status.sessions, u64::from(facts.status.sessions_max));
        if most > 0 && stored.saturating_mul(100) >= most.saturating_mul(SESSIONS_WARN_PERCENT) {
            self.warning(
                "sessions-full",
                format!(
                    "{stored} of at most {most} sessions are stored: those of clients that come only once \
                     go early, and when it is full no new one is stored"
                ),
                "homing farm set --sessions-max N on every member where there is memory, \
                 or shorter timeouts of the services",
            );
        }
    }

    /// Members that are heard and say that they are configured otherwise.
    fn configuration(&mut self, facts: &Facts) {
        let Some(own) = facts.members.iter().find(|member| member.local) else {
            return;
        };
        let silent = |member: &&Member| member.state == Some(MemberState::Down);
        let others: Vec<_> = facts
            .members
            .iter()
            .filter(|member| !member.local && member.config != 0 && member.config != own.config)
            .filter(|member| !silent(member))
            .map(|member| member.name.as_str())
            .collect();
        if !others.is_empty() {
            self.warning(
                "config-differs",
                format!(
                    "configured otherwise than this host: {}",
                    others.join(", ")
                ),
                "compare 'homing service list', 'homing member list' and 'homing show status' there and here; \
                 while a change is being rolled out this passes",
            );
        }
    }

    fn members(&mut self, facts: &Facts) {
        // Counters only grow: once all are heard it is a matter of the past.
        let unheard = |member: &Member| !member.local && member.state == Some(MemberState::Down);
        self.configuration(facts);
        if facts.other_version > 0 && facts.members.iter().any(unheard) {
            self.warning(
                "other-version",
                format!(
                    "{} messages of members that run another version of homing were refused{}",
                    facts.other_version,
                    facts
                        .members
                        .iter()
                        .filter(|member| member.refused_why == "tunnel_version")
                        .map(|member| format!(", of {}", member.name))
                        .collect::<String>()
                ),
                "the same version of homing.ko on every member; those that are not heard are the others",
            );
        }
        for member in facts.members.iter().filter(|member| !member.local) {
            if member.last_seen_ms.is_none() {
                self.warning(
                    "member-silent",
                    format!("{} has never been heard", member.name),
                    format!(
                        "load the same key there, and let UDP port {} pass between {} and this host",
                        facts.status.port, member.addr
                    ),
                );
            }
            let silent = match member.state {
                Some(state @ (MemberState::Suspect | MemberState::Down)) => Some(state.name()),
                _ => None,
            };
            // One that an operator has set down may as well be switched off.
            let wanted = member.admin != Some(AdminState::Down);
            if let (Some(state), Some(ms), true) = (silent, member.last_seen_ms, wanted) {
                let name = &member.name;
                self.warning(
                    "member-down",
                    match member.deaf_ms {
                        Some(deaf) => format!(
                            "{name} is {state}: it is heard, but does not hear this host for {}",
                            duration(deaf / 1000)
                        ),
                        None => format!(
                            "{name} is {state}: it was heard last {} ago",
                            duration(ms / 1000)
                        ),
                    },
                    format!(
                        "look at that host, and at the network between it and this one (UDP port {}); \
                         where it is to stay away: homing member down {}",
                        facts.status.port, member.name
                    ),
                );
            }
            let skew = member.clock_skew_ms.unsigned_abs();
            if member.last_seen_ms.is_none() || skew < CLOCK_WARN_MS {
                continue;
            }
            let what = format!("the clock of {} differs by {} s", member.name, skew / 1000);
            let mend = "synchronise the clocks of all members (chrony, systemd-timesyncd)";
            match skew < CLOCK_ERROR_MS {
                true => self.warning("clock-skew", what, mend),
                false => self.error("clock-skew", what, mend),
            }
        }
    }

    fn services(&mut self, facts: &Facts) {
        for service in &facts.services {
            let name = std::net::SocketAddr::new(service.vip, service.port);
            if service.listeners == 0 && !service.local_listener {
                self.error(
                    "no-listener",
                    format!("no member listens on {name}"),
                    "start the server, or let it listen on this address and port",
                );
            } else if !service.local_listener {
                self.warning(
                    "no-listener",
                    format!(
                        "nothing listens on {name} here, so this member gets no sessions of it"
                    ),
                    "start the server, or let it listen on this address and port",
                );
            }
            if !facts.local_vips.contains(&service.vip) {
                self.error(
                    "vip-not-local",
                    format!(
                        "{} is no address of this host, so its packets are not delivered",
                        service.vip
                    ),
                    format!(
                        "ip address add {}/{} dev lo",
                        service.vip,
                        if service.vip.is_ipv4() { 32 } else { 128 }
                    ),
                );
            }
        }
    }

    fn devices(&mut self, facts: &Facts) {
        for device in &facts.devices {
            if device.rp_filter == Some(1) {
                self.warning(
                    "rp-filter",
                    format!(
                        "{} drops packets whose sender is routed by another device (rp_filter=1)",
                        device.name
                    ),
                    format!(
                        "sysctl -w net.ipv4.conf.all.rp_filter=0 {}=2",
                        device_sysctl(&device.name, "rp_filter")
                    ),
                );
            }
            for vip in &device.shared_vips {
                if device.arp_ignore == Some(0) {
                    self.error(
                        "arp-ignore",
                        format!(
                            "{} answers ARP for {vip}, which every member of this LAN has",
                            device.name
                        ),
                        format!("sysctl -w {}=1", device_sysctl(&device.name, "arp_ignore")),
                    );
                }
                if device.arp_announce.is_some_and(|value| value < 2) {
                    self.error(
                        "arp-announce",
                        format!(
                            "{} announces {vip} by ARP, which every member of this LAN has",
                            device.name
                        ),
                        format!(
                            "sysctl -w {}=2",
                            device_sysctl(&device.name, "arp_announce")
                        ),
                    );
                }
            }
        }
    }

    fn tcp(&mut self, facts: &Facts) {
        if facts.sysctl("net.ipv4.tcp_syncookies") == Some(0) {
            self.error(
                "tcp-syncookies",
                "net.ipv4.tcp_syncookies is 0: the stack would refuse every connection, so SYNs are left alone",
                "sysctl -w net.ipv4.tcp_syncookies=1",
            );
        }
        for (name, lost) in [
            (
                "tcp_timestamps",
                "exact window scales and ECN are lost in the handshake",
            ),
            ("tcp_sack", "losses are repaired slowly"),
            (
                "tcp_window_scaling",
                "no connection can use a window above 64 KiB",
            ),
        ] {
            if facts.sysctl(&format!("net.ipv4.{name}")) == Some(0) {
                self.warning(
                    match name {
                        "tcp_timestamps" => "tcp-timestamps",
                        "tcp_sack" => "tcp-sack",
                        _ => "tcp-window-scaling",
                    },
                    format!("net.ipv4.{name} is 0: {lost}"),
                    format!("sysctl -w net.ipv4.{name}=1"),
                );
            }
        }
        if facts.sysctl("net.netfilter.nf_conntrack_tcp_loose") == Some(0) {
            self.error(
                "conntrack-loose",
                "net.netfilter.nf_conntrack_tcp_loose is 0: conntrack never sees our SYN and calls every connection invalid",
                "sysctl -w net.netfilter.nf_conntrack_tcp_loose=1, or notrack for the service ports",
            );
        }
    }

    fn firewall(&mut self, facts: &Facts) {
        for service in &facts.services {
            for rule in facts.firewall.refuses_midstream(service.port) {
                self.error(
                    "firewall-new-not-syn",
                    format!(
                        "a rule refuses new connections without SYN, which ours are to it: {rule}"
                    ),
                    format!(
                        "accept port {} before it, or 'notrack' port {} in the raw table",
                        service.port, service.port
                    ),
                );
            }
        }
        for rule in facts.firewall.refuses_udp(facts.status.port) {
            self.error(
                "farm-port-blocked",
                format!(
                    "UDP port {} of the farm is refused: {rule}",
                    facts.status.port
                ),
                format!(
                    "accept UDP port {} from the other members",
                    facts.status.port
                ),
            );
        }
        self.0.dedup();
        if !facts.firewall.unread.is_empty() {
            self.warning(
                "firewall-unread",
                format!(
                    "the rules of this host's firewall are not known: {}",
                    facts.firewall.unread.join("; ")
                ),
                "run it as root, where 'nft -j list ruleset' or 'iptables-save' works",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::facts::DeviceFacts;
    use super::firewall::Firewall;
    use super::*;
    use crate::address::tests::example_member;
    use crate::show::tests::documented;
    use crate::show::tests::keys_of;
    use homing_nl::Service;
    use homing_nl::Status;

    fn service() -> Service {
        Service {
            vip: "10.80.0.1".parse().unwrap(),
            port: 80,
            group: 0,
            policy: None,
            cookie: "homing".to_string(),
            secure: false,
            insert: true,
            idle_timeout: 1800,
            absolute_timeout: 86400,
            domain: String::new(),
            max_age: 0,
            same_site: None,
            listeners: 2,
            local_listener: true,
            sessions: 0,
            connections: 0,
            reply: None,
            home_lost: None,
            home_wait: 0,
        }
    }

    /// A host where nothing is wrong.
    fn healthy() -> Facts {
        Facts {
            status: Status {
                keys: 1,
                member_id: 1,
                attached: vec!["eth0".to_string()],
                port: 6470,
                push: true,
                scale: 1,
                ..Status::default()
            },
            members: vec![example_member(1), example_member(2)],
            other_version: 0,
            services: vec![service()],
            local_vips: vec!["10.80.0.1".parse().unwrap()],
            devices: vec![DeviceFacts {
                name: "eth0".to_string(),
                rp_filter: Some(0),
                arp_ignore: Some(0),
                arp_announce: Some(0),
                shared_vips: vec![],
            }],
            sysctls: [
                "tcp_syncookies",
                "tcp_timestamps",
                "tcp_sack",
                "tcp_window_scaling",
            ]
            .map(|name| (format!("net.ipv4.{name}"), 1))
            .to_vec(),
            firewall: Firewall::default(),
        }
    }

    fn ids(change: impl Fn(&mut Facts)) -> Vec<&'static str> {
        let mut facts = healthy();
        change(&mut facts);
        judge(&facts).iter().map(|finding| finding.id).collect()
    }

    fn set(facts: &mut Facts, name: &str, value: i64) {
        facts.sysctls.retain(|(known, _)| known != name);
        facts.sysctls.push((name.to_string(), value));
    }

    #[test]
    fn a_healthy_host_has_no_finding() {
        assert_eq!(judge(&healthy()), []);
        assert_eq!(text(&[]), "nothing found\n");
    }

    #[test]
    fn each_fault_alone_gives_its_finding_alone() {
        assert_eq!(ids(|f| f.status.keys = 0), ["no-key"]);
        assert_eq!(ids(|f| f.status.member_id = 0), ["no-local-member"]);
        assert_eq!(ids(|f| f.status.attached.clear()), ["not-attached"]);
        assert_eq!(ids(|f| f.services.clear()), ["no-service"]);
        assert_eq!(ids(|f| f.members[1].last_seen_ms = None), ["member-silent"]);
        assert_eq!(ids(|f| f.members[1].config = 7), ["config-differs"]);
        // It has not said; or it is away, which is a finding of its own.
        assert_eq!(ids(|f| f.members[1].config = 0), [""; 0]);
        let away = |f: &mut Facts| {
            f.members[1].config = 7;
            f.members[1].state = Some(MemberState::Down);
        };
        assert_eq!(ids(away), ["member-down"]);
        let skewed = |f: &mut Facts| {
            f.other_version = 1;
            f.members[1].state = Some(MemberState::Down);
        };
        assert_eq!(ids(skewed), ["other-version", "member-down"]);
        assert_eq!(ids(|f| f.other_version = 1), [""; 0]);
        assert_eq!(ids(|f| f.members[1].clock_skew_ms = -2000), ["clock-skew"]);
        assert_eq!(
            ids(|f| f.members[1].clock_skew_ms = i32::MIN),
            ["clock-skew"]
        );
        assert_eq!(
            ids(|f| f.services[0].local_listener = false),
            ["no-listener"]
        );
        assert_eq!(ids(|f| f.local_vips.clear()), ["vip-not-local"]);
        assert_eq!(ids(|f| f.devices[0].rp_filter = Some(1)), ["rp-filter"]);
        assert_eq!(
            ids(|f| set(f, "net.ipv4.tcp_syncookies", 0)),
            ["tcp-syncookies"]
        );
        assert_eq!(
            ids(|f| set(f, "net.ipv4.tcp_timestamps", 0)),
            ["tcp-timestamps"]
        );
        assert_eq!(ids(|f| set(f, "net.ipv4.tcp_sack", 0)), ["tcp-sack"]);
        assert_eq!(
            ids(|f| set(f, "net.ipv4.tcp_window_scaling", 0)),
            ["tcp-window-scaling"]
        );
        assert_eq!(
            ids(|f| set(f, "net.netfilter.nf_conntrack_tcp_loose", 0)),
            ["conntrack-loose"]
        );
        assert_eq!(
            ids(|f| set(f, "net.netfilter.nf_conntrack_tcp_loose", 1)),
            [""; 0]
        );
    }

    #[test]
    fn a_member_that_fell_silent_is_found_unless_its_operator_wants_it_down() {
        for (state, found) in [
            (MemberState::Up, &[][..]),
            (MemberState::Suspect, &["member-down"]),
            (MemberState::Down, &["member-down"]),
            (MemberState::Joining, &[]),
            (MemberState::Draining, &[]),
        ] {
            assert_eq!(ids(|f| f.members[1].state = Some(state)), found);
            let set_down = |f: &mut Facts| {
                f.members[1].state = Some(state);
                f.members[1].admin = Some(AdminState::Down);
            };
            assert_eq!(ids(set_down), [""; 0]);
        }
        let never = |f: &mut Facts| {
            f.members[1].state = Some(MemberState::Down);
            f.members[1].last_seen_ms = None;
        };
        assert_eq!(ids(never), ["member-silent"]);
        let own = |f: &mut Facts| f.members[0].state = Some(MemberState::Down);
        assert_eq!(ids(own), [""; 0]);
    }

    #[test]
    fn switches_for_tests_that_were_left_on_are_found() {
        assert_eq!(ids(|f| f.status.frozen = true), ["debug-freeze"]);
        assert_eq!(ids(|f| f.status.push = false), ["debug-push"]);
        assert_eq!(ids(|f| f.status.clock_offset = -1), ["debug-clock"]);
        assert_eq!(ids(|f| f.status.scale = 10), ["debug-scale"]);
        let mut facts = healthy();
        facts.members[1].overridden = true;
        let found = judge(&facts);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, "debug-state");
        assert_eq!(found[0].mend, "homing debug state m2 clear");
    }

    #[test]
    fn a_table_of_sessions_that_is_nearly_full_is_found() {
        let holds =
            |sessions, most| ids(|f| (f.status.sessions, f.status.sessions_max) = (sessions, most));
        assert_eq!(holds(943_718, 1 << 20), [""; 0]);
        assert_eq!(holds(943_719, 1 << 20), ["sessions-full"]);
        assert_eq!(holds(u64::MAX, u32::MAX), ["sessions-full"]);
        assert_eq!(holds(900, 1000), ["sessions-full"]);
        assert_eq!(holds(0, 0), [""; 0]);
    }

    #[test]
    fn a_firewall_that_was_not_read_is_found_and_forbids_nothing() {
        let mut facts = healthy();
        facts.firewall.unread = vec!["nft: no".to_string(), "iptables-save: no".to_string()];
        let found = judge(&facts);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].id, "firewall-unread");
        assert!(found[0].what.ends_with("nft: no; iptables-save: no"));
        assert_eq!(fatal(&facts), None);
    }

    #[test]
    fn arp_counts_only_where_the_vip_is_on_the_lan() {
        let vip = "10.80.0.1".parse().unwrap();
        let shared = |f: &mut Facts| f.devices[0].shared_vips = vec![vip];
        assert_eq!(ids(shared), ["arp-ignore", "arp-announce"]);
        assert_eq!(
            ids(|f| {
                shared(f);
                f.devices[0].arp_ignore = Some(1);
                f.devices[0].arp_announce = Some(2);
            }),
            [""; 0]
        );
    }

    #[test]
    fn the_advice_about_a_vlan_device_is_one_that_sysctl_takes() {
        let mut facts = healthy();
        let device = &mut facts.devices[0];
        device.name = "eth0.100".to_string();
        device.rp_filter = Some(1);
        device.shared_vips = vec!["10.80.0.1".parse().unwrap()];
        let found = judge(&facts);
        let mends: Vec<&str> = found.iter().map(|finding| finding.mend.as_str()).collect();
        let expected = [
            "sysctl -w net/ipv4/conf/eth0.100/arp_ignore=1",
            "sysctl -w net/ipv4/conf/eth0.100/arp_announce=2",
            "sysctl -w net.ipv4.conf.all.rp_filter=0 net/ipv4/conf/eth0.100/rp_filter=2",
        ];
        assert_eq!(mends, expected);
    }

    #[test]
    fn errors_come_before_warnings() {
        let found = ids(|f| {
            f.members[1].last_seen_ms = None;
            f.services[0].listeners = 0;
            f.services[0].local_listener = false;
        });
        assert_eq!(found, ["no-listener", "member-silent"]);
    }

    #[test]
    fn a_severity_leaves_out_what_is_less_bad() {
        let mut facts = healthy();
        facts.members[1].last_seen_ms = None;
        let found = |severity, facts: &Facts| -> Vec<&str> {
            let findings = Doctor { severity }.findings(facts);
            findings.iter().map(|finding| finding.id).collect()
        };
        assert_eq!(found(Severity::Warning, &facts), ["member-silent"]);
        assert_eq!(found(Severity::Error, &facts), [""; 0]);
        facts.status.keys = 0;
        assert_eq!(
            found(Severity::Warning, &facts),
            ["no-key", "member-silent"]
        );
        assert_eq!(found(Severity::Error, &facts), ["no-key"]);
    }

    #[test]
    fn a_finding_says_what_and_how_to_mend() {
        let mut facts = healthy();
        facts.status.keys = 0;
        let finding = &judge(&facts)[0];
        let json = json(finding);
        assert_eq!(
            (&json["id"], &json["severity"]),
            (&json!("no-key"), &json!("error"))
        );
        assert_eq!(documented("doctor"), keys_of(&json));
        assert!(text(std::slice::from_ref(finding)).contains("mend: homing key set"));
    }
}
