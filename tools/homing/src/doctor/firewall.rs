// SPDX-License-Identifier: GPL-2.0

//! Firewall rules that would refuse our connections or our farm traffic.
//!
//! Read from `nft -j list ruleset` (libnftables-json(5)) and, for rules that nft cannot translate
//! back, from `iptables-save`. A rule counts when it certainly concerns us: it drops or rejects,
//! and nothing in it excludes our port. Sets, maps and jumps are not followed.

use serde_json::Value;
use std::io;
use std::process::Command;
use std::process::Stdio;

/// The rules of both kinds.
#[derive(Default)]
pub struct Firewall {
    /// Objects of the nft ruleset, in its order.
    nft: Vec<Value>,
    /// Lines of iptables-save and ip6tables-save.
    iptables: Vec<String>,
    /// Why rules that there may be were not read, one reason for each program.
    pub unread: Vec<String>,
}

/// What came of asking a program for its rules.
enum Answer {
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
    fn read(nft: Answer, saves: impl IntoIterator<Item = (&'static str, Answer)>) -> Self {
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
        let saved: String = saves
            .into_iter()
            .filter_map(|(program, answer)| rules(program, answer))
            .collect();
        if !asked {
            unread.push("neither nft nor iptables-save is on the path".to_string());
        }
        let mut firewall = Self::parse(nft.as_deref().unwrap_or_default(), &saved);
        // What nft prints has at least its version in it.
        if nft.is_some() && firewall.nft.is_empty() {
            unread.push("nft: it printed no ruleset".to_string());
        }
        firewall.unread = unread;
        firewall
    }

    fn parse(nft: &str, iptables: &str) -> Self {
        let ruleset: Value = serde_json::from_str(nft).unwrap_or_default();
        let objects = ruleset
            .get("nftables")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        Firewall {
            nft: objects,
            iptables: iptables.lines().map(str::to_string).collect(),
            unread: Vec::new(),
        }
    }

    fn rules(&self) -> impl Iterator<Item = Rule<'_>> {
        self.nft.iter().filter_map(|object| {
            let rule = object.get("rule")?;
            Some(Rule {
                rule,
                expressions: rule.get("expr")?.as_array()?,
            })
        })
    }

    /// Whether a rule exempts a TCP port from conntrack.
    fn untracks(&self, port: u16) -> bool {
        self.rules().any(|rule| {
            rule.expressions.iter().any(|e| e.get("notrack").is_some()) && rule.reaches("tcp", port)
        })
    }

    /// Whether a TCP port never comes to this rule: one before it in its chain accepts all of it.
    fn shields(&self, rule: &Rule<'_>, port: u16) -> bool {
        let chain = |rule: &Rule<'_>| {
            ["family", "table", "chain"].map(|key| rule.rule.get(key).cloned().unwrap_or_default())
        };
        self.rules()
            .take_while(|earlier| !std::ptr::eq(earlier.rule, rule.rule))
            .any(|earlier| {
                chain(&earlier) == chain(rule)
                    && earlier.has("accept")
                    && earlier.names("tcp", port)
                    && earlier.state().is_none()
                    && !earlier.is_about_flags()
            })
    }

    /// Whether some rule asks conntrack for the state of connections to a TCP port.
    pub fn asks_for_state(&self, port: u16) -> bool {
        let nft = self.rules().any(|rule| {
            rule.reaches("tcp", port) && rule.state().is_some() && !self.shields(&rule, port)
        });
        let saved = self.iptables.iter().any(|line| {
            let (words, _) = words(line);
            states(&words).next().is_some()
                && ports(&words).is_none_or(|ports| ports.contains(&port))
        });
        (nft || saved) && !self.untracks(port)
    }

    /// Rules that refuse a connection whose first packet is no SYN, for a TCP port.
    pub fn refuses_midstream(&self, port: u16) -> Vec<String> {
        if self.untracks(port) {
            return Vec::new();
        }
        let nft = self
            .rules()
            .filter(|rule| {
                rule.refuses() && rule.reaches("tcp", port) && rule.is_new() && rule.is_not_syn()
            })
            .filter(|rule| !self.shields(rule, port))
            .map(|rule| rule.name());
        let saved = self.iptables.iter().filter(|line| {
            let (words, target) = words(line);
            matches!(target, "DROP" | "REJECT")
                && (line.contains("! --syn") || line.contains("! --tcp-flags FIN,SYN,RST,ACK SYN"))
                && states(&words).any(|state| state == "NEW")
                && ports(&words).is_none_or(|ports| ports.contains(&port))
        });
        nft.chain(saved.cloned()).collect()
    }

    /// Rules and chain policies that refuse a UDP port.
    pub fn refuses_udp(&self, port: u16) -> Vec<String> {
        let named = |rule: &Rule<'_>| rule.names("udp", port);
        let mut refusals: Vec<String> = self
            .rules()
            .filter(|rule| rule.refuses() && named(rule))
            .map(|rule| rule.name())
            .collect();
        let saved = self.iptables.iter().filter(|line| {
            let (words, target) = words(line);
            matches!(target, "DROP" | "REJECT")
                && words.windows(2).any(|pair| pair == ["-p", "udp"])
                && ports(&words).is_some_and(|ports| ports.contains(&port))
        });
        refusals.extend(saved.cloned());
        for chain in self.nft.iter().filter_map(|object| object.get("chain")) {
            let text = |key| chain.get(key).and_then(Value::as_str);
            if text("hook") != Some("input") || text("policy") != Some("drop") {
                continue;
            }
            // Any rule that accepts or jumps without excluding the port may let it in.
            let open = self.rules().any(|rule| {
                ["family", "table"]
                    .iter()
                    .all(|key| rule.rule.get(key) == chain.get(key))
                    && rule.rule.get("chain") == chain.get("name")
                    && rule.lets_in()
                    && rule.reaches("udp", port)
                    && !rule.needs_state()
            });
            if !open {
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

impl Rule<'_> {
    fn has(&self, verdict: &str) -> bool {
        self.expressions
            .iter()
            .any(|expression| expression.get(verdict).is_some())
    }

    fn refuses(&self) -> bool {
        self.has("drop") || self.has("reject")
    }

    fn lets_in(&self) -> bool {
        self.has("accept") || self.has("jump") || self.has("goto")
    }

    fn matches(&self) -> impl Iterator<Item = &Value> {
        self.expressions
            .iter()
            .filter_map(|expression| expression.get("match"))
    }

    /// The destination ports that the rule is about: of which protocol, whether negated, which.
    fn ports(&self) -> impl Iterator<Item = (&str, bool, &Value)> {
        self.matches().filter_map(|one| {
            let payload = one.get("left")?.get("payload")?;
            (payload.get("field")?.as_str()? == "dport").then_some(())?;
            let negated = one.get("op").and_then(Value::as_str) == Some("!=");
            Some((
                payload.get("protocol")?.as_str()?,
                negated,
                one.get("right")?,
            ))
        })
    }

    /// Whether nothing in the rule excludes this port of this protocol.
    fn reaches(&self, protocol: &str, port: u16) -> bool {
        let other = |name: &str| {
            matches!(name, "tcp" | "udp" | "icmp" | "icmpv6" | "ipv6-icmp") && name != protocol
        };
        let excluded_by_port = self.ports().any(|(of, negated, right)| {
            (of != protocol && of != "th") || contains(right, u64::from(port)) == Some(negated)
        });
        let excluded_by_protocol = self.matches().any(|one| {
            let left = one.get("left");
            let meta = left
                .and_then(|left| left.get("meta"))
                .and_then(|meta| meta.get("key"));
            let about = meta.and_then(Value::as_str) == Some("l4proto")
                || left
                    .and_then(|left| left.pointer("/payload/field"))
                    .and_then(Value::as_str)
                    == Some("protocol");
            let payload = left
                .and_then(|left| left.pointer("/payload/protocol"))
                .and_then(Value::as_str);
            (about && one.get("right").and_then(Value::as_str).is_some_and(other))
                || payload.is_some_and(other)
        });
        let loopback = self.matches().any(|one| {
            let key = one.pointer("/left/meta/key").and_then(Value::as_str);
            matches!(key, Some("iif" | "iifname"))
                && one.get("right").and_then(Value::as_str) == Some("lo")
        });
        !excluded_by_port && !excluded_by_protocol && !loopback
    }

    /// Whether the rule is about this port expressly.
    fn names(&self, protocol: &str, port: u16) -> bool {
        self.ports().any(|(of, negated, right)| {
            of == protocol && !negated && contains(right, u64::from(port)) == Some(true)
        })
    }

    fn state(&self) -> Option<&Value> {
        self.matches()
            .find(|one| one.pointer("/left/ct/key").and_then(Value::as_str) == Some("state"))
    }

    fn is_new(&self) -> bool {
        self.state()
            .and_then(|one| one.get("right"))
            .is_some_and(|right| word(right, "new"))
    }

    /// Whether the rule lets in only what belongs to something known.
    fn needs_state(&self) -> bool {
        self.state().is_some() && !self.is_new()
    }

    /// Whether the rule is about segments without SYN: `tcp flags ... != syn`, `tcp flags ! syn`,
    /// `tcp flags & syn == 0`.
    fn is_not_syn(&self) -> bool {
        self.matches().any(|one| {
            let left = one.get("left");
            let masked = left
                .and_then(|left| left.get("&"))
                .and_then(|mask| mask.get(0));
            let field = masked
                .or(left)
                .and_then(|left| left.pointer("/payload/field"));
            if field.and_then(Value::as_str) != Some("flags") {
                return false;
            }
            let (Some(right), Some(op)) = (one.get("right"), one.get("op").and_then(Value::as_str))
            else {
                return false;
            };
            match op {
                "!=" | "!" => word(right, "syn"),
                "==" => right.as_u64() == Some(0) || !word(right, "syn"),
                _ => false,
            }
        })
    }

    /// Whether the rule looks at TCP flags.
    fn is_about_flags(&self) -> bool {
        self.matches().any(|one| {
            let left = one.get("left");
            let masked = left
                .and_then(|left| left.get("&"))
                .and_then(|mask| mask.get(0));
            let field = masked
                .or(left)
                .and_then(|left| left.pointer("/payload/field"));
            field.and_then(Value::as_str) == Some("flags")
        })
    }

    fn name(&self) -> String {
        let text = |key| self.rule.get(key).and_then(Value::as_str).unwrap_or("?");
        let handle = self.rule.get("handle").and_then(Value::as_u64).unwrap_or(0);
        format!(
            "nft {} {} {} handle {handle}",
            text("family"),
            text("table"),
            text("chain")
        )
    }
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

/// The words of a line of iptables-save, and the target of the rule.
fn words(line: &str) -> (Vec<&str>, &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let target = words
        .windows(2)
        .find(|pair| pair.first() == Some(&"-j"))
        .and_then(|pair| pair.get(1));
    let target = target.copied().unwrap_or("");
    match words.first() {
        Some(&"-A") => (words, target),
        _ => (words, ""),
    }
}

fn states<'a>(words: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let named = |pair: &&[&str]| matches!(pair.first(), Some(&("--ctstate" | "--state")));
    words
        .windows(2)
        .filter(named)
        .filter_map(|pair| pair.get(1))
        .flat_map(|list| list.split(','))
}

/// The ports of --dport or --dports; `None` when the rule is about all.
fn ports(words: &[&str]) -> Option<Vec<u16>> {
    let named = |pair: &&[&str]| matches!(pair.first(), Some(&("--dport" | "--dports")));
    let list = words.windows(2).find(named)?.get(1)?;
    let mut ports = Vec::new();
    for part in list.split(',') {
        let (low, high) = part.split_once(':').unwrap_or((part, part));
        if let (Ok(low), Ok(high)) = (low.parse::<u16>(), high.parse::<u16>()) {
            ports.extend(low..=high);
        }
    }
    Some(ports)
}

#[cfg(test)]
#[path = "firewall_test.rs"]
mod tests;
