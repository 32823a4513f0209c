// SPDX-License-Identifier: GPL-2.0

//! Firewall rules that would refuse our connections or our farm traffic.
//!
//! Read from `nft -j list ruleset` (libnftables-json(5)) and, for rules that nft cannot translate
//! back, from `iptables-save`. A rule counts when it certainly concerns us: it drops or rejects,
//! nothing in it excludes our packets, and no rule before it in its chain has let them in. Sets,
//! maps and jumps are not followed.

use serde_json::json;
use serde_json::Value;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::process::Command;
use std::process::Stdio;

/// The rules of both kinds.
#[derive(Default)]
pub struct Firewall {
    /// Chains and rules as nft prints them, in their order; those of iptables put in its words.
    objects: Vec<Value>,
    /// Why rules that there may be were not read, one reason for each program.
    pub unread: Vec<String>,
}

/// Packets that rules may be about; those of TCP are data, as the first of our connections are.
struct Packets {
    protocol: &'static str,
    port: u16,
    /// Of `ip` and `ip6`, those that they come in.
    families: Vec<&'static str>,
}

impl Packets {
    fn new(protocol: &'static str, port: u16, addresses: &[IpAddr]) -> Self {
        let mut families: Vec<_> = addresses
            .iter()
            .map(|address| if address.is_ipv4() { "ip" } else { "ip6" })
            .collect();
        families.sort_unstable();
        families.dedup();
        Packets {
            protocol,
            port,
            families,
        }
    }

    fn of_service(service: SocketAddr) -> Self {
        Self::new("tcp", service.port(), &[service.ip()])
    }

    /// Whether they come to tables of this family; those of `bridge`, `arp` and `netdev` are not on
    /// the way from prerouting to a socket.
    fn pass(&self, family: Option<&Value>) -> bool {
        family
            .and_then(Value::as_str)
            .is_some_and(|family| family == "inet" || self.families.contains(&family))
    }
}

/// What came of asking a program for its rules.
pub enum Answer {
    /// There is no such program.
    Absent,
    /// It could not be run, or says that it failed.
    Failed(String),
    /// What it printed.
    Rules(String),
}

fn ask(program: &str, arguments: &[&str]) -> Answer {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Answer::Absent,
        Err(error) => return Answer::Failed(error.to_string()),
    };
    if output.status.success() {
        return Answer::Rules(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().map(str::trim).find(|line| !line.is_empty());
    Answer::Failed(line.map_or_else(|| output.status.to_string(), str::to_string))
}

impl Firewall {
    /// Asks the tools that are installed.
    pub fn gather() -> Self {
        let saves = [
            "iptables-save",
            "ip6tables-save",
            "iptables-legacy-save",
            "ip6tables-legacy-save",
        ];
        Self::read(
            ask("nft", &["-j", "list", "ruleset"]),
            saves.map(|program| (program, ask(program, &[]))),
        )
    }

    /// The rules that were printed, and why others were not.
    pub fn read(nft: Answer, saves: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
        let mut unread = Vec::new();
        let mut asked = false;
        let mut rules = |program: &str, answer| match answer {
            Answer::Absent => None,
            Answer::Failed(why) => {
                asked = true;
                unread.push(format!("{program}: {why}"));
                None
            }
            Answer::Rules(text) => {
                asked = true;
                Some(text)
            }
        };
        let nft = rules("nft", nft);
        let saves: Vec<(&str, String)> = saves
            .into_iter()
            .filter_map(|(program, answer)| Some((program, rules(program, answer)?)))
            .collect();
        if !asked {
            unread.push("neither nft nor iptables-save is on the path".to_string());
        }
        // What nft prints has at least its version in it.
        let printed = listed(nft.as_deref().unwrap_or_default());
        if nft.is_some() && printed.is_empty() {
            unread.push("nft: it printed no ruleset".to_string());
        }
        let saved = saves
            .iter()
            .flat_map(|(program, text)| saved(program, text));
        Firewall {
            objects: coming_in(&printed.into_iter().chain(saved).collect::<Vec<_>>()),
            unread,
        }
    }

    /// The rules that nothing keeps these packets from.
    fn rules(&self, packets: &Packets) -> Vec<Rule<'_>> {
        self.objects
            .iter()
            .filter_map(|object| {
                let rule = object.get("rule")?;
                Some(Rule {
                    rule,
                    expressions: rule.get("expr")?.as_array()?,
                })
            })
            .filter(|rule| packets.pass(rule.rule.get("family")) && rule.reaches(packets))
            .collect()
    }

    /// Whether some rule asks conntrack for the state of connections to a service.
    pub fn asks_for_state(&self, service: SocketAddr) -> bool {
        let packets = Packets::of_service(service);
        let rules = self.rules(&packets);
        let asks = |rule: &Rule<'_>| rule.state().is_some() && !rule.is_shielded(&rules, &packets);
        rules.iter().any(asks) && !rules.iter().any(|rule| rule.has("notrack"))
    }

    /// Rules that refuse a connection whose first packet is no SYN, to a service.
    pub fn refuses_midstream(&self, service: SocketAddr) -> Vec<String> {
        let packets = Packets::of_service(service);
        let rules = self.rules(&packets);
        if rules.iter().any(|rule| rule.has("notrack")) {
            return Vec::new();
        }
        rules
            .iter()
            .filter(|rule| rule.refuses() && rule.is_new() && rule.is_about_flags())
            .filter(|rule| !rule.is_shielded(&rules, &packets))
            .map(Rule::name)
            .collect()
    }

    /// Rules and chain policies that refuse a UDP port to members with these addresses.
    pub fn refuses_udp(&self, port: u16, members: &[IpAddr]) -> Vec<String> {
        let packets = Packets::new("udp", port, members);
        let rules = self.rules(&packets);
        let mut refusals: Vec<String> = rules
            .iter()
            .filter(|rule| {
                rule.refuses()
                    && rule.names(&packets)
                    && rule.asks_only(&["dport", "l4proto", "protocol"])
            })
            // What a rule before it lets in may be the members, whatever that rule asks for.
            .filter(|rule| !rule.before(&rules).any(Rule::may_let_in))
            .map(Rule::name)
            .collect();
        for chain in self
            .objects
            .iter()
            .filter_map(|object| object.get("chain"))
            .filter(|chain| packets.pass(chain.get("family")))
        {
            let text = |key| chain.get(key).and_then(Value::as_str);
            if text("hook") != Some("input") || text("policy") != Some("drop") {
                continue;
            }
            let here = |rule: &&Rule<'_>| rule.place() == place(chain, "name");
            if !rules.iter().filter(here).any(Rule::may_let_in) {
                refusals.push(format!(
                    "chain {} {} {} has policy drop and accepts it nowhere",
                    text("family").unwrap_or("?"),
                    text("table").unwrap_or("?"),
                    text("name").unwrap_or("?"),
                ));
            }
        }
        refusals
    }
}

struct Rule<'a> {
    rule: &'a Value,
    expressions: &'a [Value],
}

impl<'a> Rule<'a> {
    fn has(&self, verdict: &str) -> bool {
        self.expressions
            .iter()
            .any(|expression| expression.get(verdict).is_some())
    }

    fn refuses(&self) -> bool {
        self.has("drop") || self.has("reject")
    }

    /// Whether the rule may let in what is new; what it jumps to or looks up is not followed.
    fn may_let_in(&self) -> bool {
        ["accept", "jump", "goto", "vmap", "queue"]
            .iter()
            .any(|verdict| self.has(verdict))
            && (self.state().is_none() || self.is_new())
    }

    fn place(&self) -> [Option<&'a Value>; 3] {
        place(self.rule, "chain")
    }

    /// The rules before this one in its chain.
    fn before<'r>(&'r self, rules: &'r [Self]) -> impl Iterator<Item = &'r Self> {
        rules
            .iter()
            .take_while(|earlier| !std::ptr::eq(earlier.rule, self.rule))
            .filter(|earlier| earlier.place() == self.place())
    }

    /// Whether connections to a service may never come to this rule: one before it accepts all that
    /// there is, or what is for their port, or jumps with that.
    fn is_shielded(&self, rules: &[Self], packets: &Packets) -> bool {
        self.before(rules).any(|earlier| {
            earlier.may_let_in()
                && earlier.state().is_none()
                && (earlier.names(packets)
                    || earlier.asks_only(&["daddr", "dport", "l4proto", "protocol", "nfproto"]))
        })
    }

    fn matches(&self) -> impl Iterator<Item = &'a Value> {
        self.expressions
            .iter()
            .filter_map(|expression| expression.get("match"))
    }

    /// Whether nothing in the rule excludes these packets.
    fn reaches(&self, packets: &Packets) -> bool {
        !self.matches().any(|one| excludes(one, packets))
    }

    /// Whether a rule that reaches these packets is about their port expressly.
    fn names(&self, packets: &Packets) -> bool {
        self.matches().any(|one| {
            looks_at(one).1 == "dport"
                && !negated(one)
                && one
                    .get("right")
                    .and_then(|right| contains(right, u64::from(packets.port)))
                    == Some(true)
        })
    }

    /// Whether the rule asks for nothing but these fields: for no sender, device or rate.
    fn asks_only(&self, fields: &[&str]) -> bool {
        let plain = ["accept", "counter", "drop", "log", "reject"];
        self.expressions
            .iter()
            .all(|expression| match expression.get("match") {
                Some(one) => fields.contains(&looks_at(one).1),
                None => plain.iter().any(|key| expression.get(key).is_some()),
            })
    }

    fn state(&self) -> Option<&'a Value> {
        self.matches().find(|one| looks_at(one) == ("ct", "state"))
    }

    fn is_new(&self) -> bool {
        self.state().is_some_and(|one| {
            let named = one.get("right").is_some_and(|right| word(right, "new"));
            named != negated(one)
        })
    }

    fn is_about_flags(&self) -> bool {
        self.matches().any(|one| looks_at(one) == FLAGS)
    }

    fn name(&self) -> String {
        let text = |key| self.rule.get(key).and_then(Value::as_str).unwrap_or("?");
        if self.rule.get("line").is_some() {
            return text("line").to_string();
        }
        let handle = self.rule.get("handle").and_then(Value::as_u64).unwrap_or(0);
        format!(
            "nft {} {} {} handle {handle}",
            text("family"),
            text("table"),
            text("chain")
        )
    }
}

const FLAGS: (&str, &str) = ("tcp", "flags");

/// The objects of a ruleset that nft printed.
fn listed(nft: &str) -> Vec<Value> {
    let ruleset: Value = serde_json::from_str(nft).unwrap_or_default();
    ruleset
        .get("nftables")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

/// The chain that an object is in, or is.
fn place<'a>(object: &'a Value, name: &str) -> [Option<&'a Value>; 3] {
    ["family", "table", name].map(|key| object.get(key))
}

/// The objects without the rules of chains that nothing passes on its way in to us. A chain that is no
/// base chain may be jumped to from anywhere: its rules stay.
fn coming_in(objects: &[Value]) -> Vec<Value> {
    let elsewhere: Vec<_> = objects
        .iter()
        .filter_map(|object| object.get("chain"))
        .filter(|chain| {
            chain
                .get("hook")
                .is_some_and(|hook| hook != "input" && hook != "prerouting")
        })
        .map(|chain| place(chain, "name"))
        .collect();
    objects
        .iter()
        .filter(|object| {
            object
                .get("rule")
                .is_none_or(|rule| !elsewhere.contains(&place(rule, "chain")))
        })
        .cloned()
        .collect()
}

/// What a match looks at: a header and its field, or `meta` or `ct` and its key; nothing when that
/// is something else.
fn looks_at(one: &Value) -> (&str, &str) {
    let left = one.pointer("/left/&/0").or_else(|| one.get("left"));
    let text = |path| {
        left.and_then(|left| left.pointer(path))
            .and_then(Value::as_str)
            .unwrap_or("")
    };
    match (text("/meta/key"), text("/ct/key")) {
        ("", "") => (text("/payload/protocol"), text("/payload/field")),
        (meta, "") => ("meta", meta),
        (_, ct) => ("ct", ct),
    }
}

fn negated(one: &Value) -> bool {
    matches!(one.get("op").and_then(Value::as_str), Some("!=" | "!"))
}

/// Whether what a match asks of the TCP flags is true of data, which has ACK and PSH and no SYN.
fn takes_data(one: &Value) -> bool {
    let Some(right) = one.get("right") else {
        return false;
    };
    let mask = one.pointer("/left/&/1");
    let has = |flag| matches!(flag, "ack" | "psh") && mask.is_none_or(|mask| word(mask, flag));
    let is = |value: &Value| {
        ["fin", "syn", "rst", "psh", "ack", "urg"]
            .iter()
            .all(|flag| word(value, flag) == has(flag))
    };
    let equal = match right.get("set").and_then(Value::as_array) {
        Some(values) => values.iter().any(is),
        None => is(right),
    };
    let common = word(right, "ack") || word(right, "psh");
    match one.get("op").and_then(Value::as_str) {
        Some("==") => equal,
        Some("!=") => !equal,
        Some("in") => common,
        Some("!") => !common,
        _ => false,
    }
}

/// Whether a match is certainly not true of these packets.
fn excludes(one: &Value, packets: &Packets) -> bool {
    let Some(right) = one.get("right") else {
        return false;
    };
    // The name of a set says nothing of what is in it.
    let text = right.as_str().filter(|text| !text.starts_with('@'));
    let (header, field) = looks_at(one);
    let other = match header {
        "ip" | "ip6" => !packets.families.contains(&header),
        "tcp" if field == "flags" && !takes_data(one) => true,
        "tcp" | "udp" | "udplite" | "sctp" | "dccp" | "icmp" | "icmpv6" => {
            header != packets.protocol
        }
        _ => false,
    };
    // Whether the field has that value in the packets, where it is known to be so in all or in none.
    let equal = match (header, field) {
        (_, "dport") => contains(right, u64::from(packets.port)),
        ("meta", "l4proto") | ("ip", "protocol") => text.map(|text| text == packets.protocol),
        ("meta", "nfproto" | "protocol") => match (text, packets.families.as_slice()) {
            (Some("ipv4" | "ip"), [family]) => Some(*family == "ip"),
            (Some("ipv6" | "ip6"), [family]) => Some(*family == "ip6"),
            _ => None,
        },
        ("meta", "iif" | "iifname") if text == Some("lo") => Some(false),
        _ => None,
    };
    other || equal == Some(negated(one))
}

/// Whether a word is the value, or one of a list or set.
fn word(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => text == wanted,
        Value::Array(list) => list.iter().any(|one| word(one, wanted)),
        Value::Object(object) => ["set", "|"]
            .iter()
            .filter_map(|key| object.get(*key))
            .any(|one| word(one, wanted)),
        _ => false,
    }
}

/// Whether a number is the value, in a range or in a set; `None` when that cannot be known.
fn contains(value: &Value, wanted: u64) -> Option<bool> {
    match value {
        Value::Number(number) => Some(number.as_u64()? == wanted),
        Value::Object(object) => {
            if let Some(range) = object.get("range") {
                return Some(
                    range.get(0)?.as_u64()? <= wanted && wanted <= range.get(1)?.as_u64()?,
                );
            }
            let members = object.get("set")?.as_array()?;
            let known: Option<Vec<bool>> =
                members.iter().map(|one| contains(one, wanted)).collect();
            Some(known?.contains(&true))
        }
        _ => None,
    }
}

/// What one of the iptables-save programs printed, as the objects that nft would print.
fn saved(program: &str, text: &str) -> Vec<Value> {
    let family = if program.starts_with("ip6") {
        "ip6"
    } else {
        "ip"
    };
    let mut table = String::new();
    let mut objects = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('*') {
            // Each program has tables of its own.
            table = format!("{program} {name}");
        } else if let Some((name, policy)) = line.strip_prefix(':').and_then(|l| l.split_once(' '))
        {
            // A chain that users made has no policy, and is at no hook.
            if !policy.starts_with('-') {
                objects.push(json!({"chain": {
                    "family": family, "table": table, "name": name, "hook": name.to_lowercase(),
                }}));
            }
        } else if let Some((chain, rule)) = line.strip_prefix("-A ").and_then(|l| l.split_once(' '))
        {
            objects.push(json!({"rule": {
                "family": family, "table": table, "chain": chain, "line": line,
                "expr": expressions(family, rule),
            }}));
        }
    }
    objects
}

/// The expressions of a rule of iptables-save.
fn expressions(family: &str, rule: &str) -> Vec<Value> {
    let payload = |header, field| json!({"payload": {"protocol": header, "field": field}});
    let meta = |key| json!({"meta": {"key": key}});
    let list = |text: &str| json!(text.to_lowercase().split(',').collect::<Vec<_>>());
    let flags = |mask| json!({"&": [payload("tcp", "flags"), list(mask)]});
    let mut expressions = Vec::new();
    let mut words = rule.split_whitespace();
    let mut op = "==";
    while let Some(word) = words.next() {
        if word == "!" {
            op = "!=";
            continue;
        }
        let mut next = || words.next().unwrap_or_default();
        let asked = match word {
            "-p" => Some((meta("l4proto"), json!(next()))),
            "-i" => Some((meta("iifname"), json!(next()))),
            "-s" => Some((payload(family, "saddr"), json!(next()))),
            "-d" => Some((payload(family, "daddr"), json!(next()))),
            "--sport" | "--sports" => Some((payload("th", "sport"), ports(next()))),
            "--dport" | "--dports" => Some((payload("th", "dport"), ports(next()))),
            "--ctstate" | "--state" => Some((json!({"ct": {"key": "state"}}), list(next()))),
            "--syn" => Some((flags("fin,syn,rst,ack"), json!("syn"))),
            "--tcp-flags" => Some((flags(next()), list(next()))),
            _ => None,
        };
        if let Some((left, right)) = asked {
            expressions.push(json!({"match": {"op": op, "left": left, "right": right}}));
        }
        op = "==";
        expressions.extend(match word {
            "-m" => match next() {
                "tcp" | "udp" | "multiport" | "conntrack" | "state" | "comment" => None,
                name => Some(json!({"xt": {"type": "match", "name": name}})),
            },
            "-j" => Some(match next() {
                "ACCEPT" => json!({"accept": null}),
                "DROP" => json!({"drop": null}),
                "REJECT" => json!({"reject": null}),
                "LOG" | "NFLOG" => json!({"log": null}),
                "NOTRACK" => json!({"notrack": null}),
                target => json!({"jump": {"target": target}}),
            }),
            "-g" => Some(json!({"goto": {"target": next()}})),
            "--notrack" => Some(json!({"notrack": null})),
            _ => None,
        });
    }
    expressions
}

/// The ports of --dport or --dports, as a set.
fn ports(list: &str) -> Value {
    let number = |text: &str| text.parse::<u16>().ok();
    let ranges = list.split(',').map(|part| {
        let (low, high) = part.split_once(':').unwrap_or((part, part));
        json!({"range": [number(low), number(high)]})
    });
    json!({"set": ranges.collect::<Vec<_>>()})
}

#[cfg(test)]
#[path = "firewall_test.rs"]
mod tests;
