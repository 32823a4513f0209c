// SPDX-License-Identifier: GPL-2.0

//! What is wrong with a host whose facts are these, and how to mend it. Functions without side effects.

use super::facts::device_sysctl;
use super::facts::Facts;
use super::Finding;
use super::Severity;
use crate::out::duration;
use homing_nl::consts::AdminState;
use homing_nl::consts::MemberState;
use homing_nl::Member;
use std::net::IpAddr;
use std::net::SocketAddr;

/// Difference of two clocks from which sessions and cookies get confused lifetimes.
const CLOCK_WARN_MS: u32 = 2_000;
/// Difference from which the cookies of one member are refused by another (an epoch is 256 s).
const CLOCK_ERROR_MS: u32 = 200_000;
/// Per cent of the most sessions from which the table is about to be full.
const SESSIONS_WARN_PERCENT: u64 = 90;

/// All checks, the worst findings first.
pub fn judge(facts: &Facts) -> Vec<Finding> {
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

    /// Members between whom and the rest only smaller packets go than between others, or than was set.
    fn fabric(&mut self, facts: &Facts) {
        let set = Some(facts.status.fabric_mtu).filter(|_| facts.status.fabric_mtu_set);
        // Who gets little from one member says that it gets little: first, what comes here by itself.
        let short = short(facts, set, "from", |member| member.mtu_from)
            .or_else(|| short(facts, set, "to", |member| member.mtu_to));
        if let Some(what) = short {
            let or = match set {
                Some(_) => "; or 'homing farm set --fabric-mtu auto' on every member",
                None => "",
            };
            self.warning(
                "fabric-mtu",
                what,
                format!("let the way there carry as much: device, bond, bridge, switch{or}"),
            );
        }
    }

    fn members(&mut self, facts: &Facts) {
        // Counters only grow: once all are heard it is a matter of the past.
        let unheard = |member: &Member| !member.local && member.state == Some(MemberState::Down);
        self.configuration(facts);
        self.fabric(facts);
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
        for member in facts.members.iter().filter(|member| member.flapping) {
            self.warning(
                "member-flapping",
                format!(
                    "{} came and went too often: it gets no new sessions until it has been there for a while",
                    member.name
                ),
                "look at why its application stops listening, or why its messages do not arrive; \
                 it is back by itself, some half a minute after the last time",
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
            let name = SocketAddr::new(service.vip, service.port);
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
            let address = SocketAddr::new(service.vip, service.port);
            for rule in facts.firewall.refuses_midstream(address) {
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
        let members: Vec<IpAddr> = facts.members.iter().map(|member| member.addr).collect();
        for rule in facts.firewall.refuses_udp(facts.status.port, &members) {
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

/// Members from or to whom smaller packets come than to the rest, or than was `set`.
fn short(
    facts: &Facts,
    set: Option<u16>,
    way: &str,
    size: impl Fn(&Member) -> Option<u16>,
) -> Option<String> {
    let there = |member: &&Member| member.state != Some(MemberState::Down);
    let sizes: Vec<_> = facts
        .members
        .iter()
        .filter(there)
        .filter_map(|member| Some((size(member)?, &member.name)))
        .collect();
    let most = set.or(sizes.iter().map(|(size, _)| *size).max())?;
    let short: Vec<_> = sizes
        .iter()
        .filter(|(size, _)| *size < most)
        .map(|(size, name)| format!("{name} ({size})"))
        .collect();
    let expected = match set {
        Some(_) => format!("the farm is set to use packets of {most} bytes"),
        None => format!("packets of {most} bytes come from some members, or to some"),
    };
    (!short.is_empty()).then(|| {
        format!(
            "{expected}, but only smaller ones {way}: {}",
            short.join(", ")
        )
    })
}
