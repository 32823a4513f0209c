// SPDX-License-Identifier: GPL-2.0

//! `homing explain`: where a session or a connection goes, and why.

use crate::address;
use crate::out::duration;
use crate::out::Failure;
use crate::out::Out;
use clap::Args;
use homing_nl::consts::cmd;
use homing_nl::consts::explain;
use homing_nl::consts::MemberState;
use homing_nl::consts::Verdict;
use homing_nl::Address;
use homing_nl::Client;
use homing_nl::Explanation;
use homing_nl::Member;
use homing_nl::Request;
use homing_nl::Session;
use serde_json::json;
use serde_json::Value;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Say where a session or a connection goes, and why, as this member would decide now
#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Explain {
    /// A whole session id, as in the client's cookie
    #[arg(long, group = "what", allow_hyphen_values = true)]
    sid: Option<String>,
    /// A connection: CLIENT:PORT-VIP:PORT, IPv6 addresses in brackets
    #[arg(long, group = "what", value_parser = Ends::from_str)]
    flow: Option<Ends>,
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    client: SocketAddr,
    service: SocketAddr,
}

impl FromStr for Ends {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "expected CLIENT:PORT-VIP:PORT, IPv6 addresses in brackets";
        let (client, service) = text.split_once('-').ok_or(form)?;
        let ends = Ends {
            client: client.parse().map_err(|_| form)?,
            service: address::vip(service)?,
        };
        if ends.client.is_ipv4() != ends.service.is_ipv4() {
            return Err("both ends have addresses of one family".to_string());
        }
        Ok(ends)
    }
}

impl Explain {
    /// Does it.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let mut client = Client::open()?;
        let members = client.members()?;
        let json = match (&self.sid, &self.flow) {
            (Some(sid), _) => session(&mut client, &members, sid)?,
            (None, Some(ends)) => connection(&mut client, &members, ends)?,
            (None, None) => return Err(Failure::new("give --sid or --flow")),
        };
        out.print(|| json.clone(), || text(&json))
    }
}

fn session(client: &mut Client, members: &[Member], sid: &str) -> Result<Value, Failure> {
    let why = client.explain(&Request::new(cmd::EXPLAIN).string(explain::SID, sid))?;
    let stored = match why.key {
        Some(key) => client.sessions(None)?.into_iter().find(|s| s.key == key),
        None => None,
    };
    Ok(session_json(&why, stored.as_ref(), members, sid))
}

fn session_json(
    why: &Explanation,
    stored: Option<&Session>,
    members: &[Member],
    sid: &str,
) -> Value {
    let name = |id| address::name(members, id);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let state = |id| members.iter().find(|m| m.id == id).and_then(|m| m.state);
    let goes = if why.successor != 0 {
        why.successor
    } else {
        why.target
    };
    json!({
        "sid": sid,
        "verdict": why.verdict.map(Verdict::name),
        "named_home": name(why.named),
        "group": why.group,
        "age_s": why.created.map(|created| now.saturating_sub(created)),
        "stored": stored.map(|s| json!({
            "home": name(s.home),
            "origin": name(s.origin),
            "version": s.version,
            "state": s.state.map(|state| state.name()),
            "idle_s": s.idle,
        })),
        "target": name(why.target),
        "target_state": state(why.target).map(MemberState::name),
        "successor": name(why.successor),
        "goes_to": name(goes),
        "because": because(why, &name),
    })
}

/// The reason in a sentence.
fn because(why: &Explanation, name: &dyn Fn(u32) -> Option<String>) -> String {
    let text = |id| name(id).unwrap_or_else(|| "nobody".to_string());
    let new = "so a home is selected for a new session, by the service's policy";
    let first = match why.verdict {
        Some(Verdict::Known) => format!("the association stored here says {}", text(why.target)),
        Some(Verdict::Alone) => format!(
            "nothing is stored here, so the id alone counts, and it names {}; that member has the last word",
            text(why.target)
        ),
        Some(Verdict::Expired) => return format!("a timeout of the session has passed, {new}"),
        Some(Verdict::Ended) => return format!("the session was ended, {new}"),
        Some(Verdict::Forged) => {
            return format!("no key of this farm has made the id, or no service has its group, {new}")
        }
        None => return "the module gives a reason that this tool does not know".to_string(),
    };
    match why.successor {
        0 => first,
        id => format!(
            "{first}; that member is down, and for this session every member selects {}",
            text(id)
        ),
    }
}

fn connection(client: &mut Client, members: &[Member], ends: &Ends) -> Result<Value, Failure> {
    let request = Request::new(cmd::EXPLAIN)
        .bytes(explain::CLIENT, &Address::from(ends.client.ip()).0)
        .u16(explain::CLIENT_PORT, ends.client.port())
        .bytes(explain::VIP, &Address::from(ends.service.ip()).0)
        .u16(explain::PORT, ends.service.port());
    let why = client.explain(&request)?;
    let flow = client.flows()?.into_iter().find(|flow| {
        (flow.client, flow.client_port) == (ends.client.ip(), ends.client.port())
            && (flow.vip, flow.port) == (ends.service.ip(), ends.service.port())
    });
    let sid = match why.key {
        Some(key) => client
            .sessions(None)?
            .into_iter()
            .find(|s| s.key == key)
            .map(|s| s.sid),
        None => None,
    };
    let name = |id| address::name(members, id);
    let directory: Vec<_> = why.directory.iter().map(|id| name(*id)).collect();
    let because = match (&flow, why.owner, why.listed) {
        (Some(_), owner, _) if owner != 0 => {
            format!(
                "this member has a flow that says so: its role is {}",
                role(flow.as_ref())
            )
        }
        (_, _, listed) if listed != 0 => "its owner has listed it here".to_string(),
        _ => format!(
            "not known here; on a packet this member asks {}, in this order",
            directory
                .iter()
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
                .join(" and ")
        ),
    };
    let owner = if why.owner != 0 {
        why.owner
    } else {
        why.listed
    };
    Ok(json!({
        "client": ends.client.to_string(),
        "service": ends.service.to_string(),
        "owner": name(owner),
        "entry": flow.as_ref().and_then(|f| name(f.entry)),
        "role": flow.as_ref().map(|f| role(Some(f))),
        "state": flow.as_ref().and_then(|f| f.state).map(|state| state.name()),
        "sid": sid,
        "directory": directory,
        "because": because,
    }))
}

fn role(flow: Option<&homing_nl::Flow>) -> &'static str {
    flow.and_then(|f| f.role)
        .map_or("unknown", |role| role.name())
}

/// One `key  value` a line; what is not there is left out.
fn text(json: &Value) -> String {
    let mut lines = String::new();
    for (key, value) in json.as_object().into_iter().flatten() {
        let value = match value {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Number(seconds) if key == "age_s" => duration(seconds.as_u64().unwrap_or(0)),
            Value::Array(list) => list
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| match value.as_str() {
                    Some(text) => format!("{name} {text}"),
                    None => format!("{name} {value}"),
                })
                .collect::<Vec<_>>()
                .join(", "),
            other => other.to_string(),
        };
        let key = key.trim_end_matches("_s").replace('_', " ");
        lines += &format!("{key:<13} {value}\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::tests::example_member;
    use crate::address::tests::example_session;

    fn explanation(verdict: Verdict) -> Explanation {
        Explanation {
            verdict: Some(verdict),
            named: 1,
            target: 2,
            ..Explanation::default()
        }
    }

    #[test]
    fn connections_are_named_by_both_ends() {
        let ends: Ends = "192.0.2.1:4000-10.80.0.1:80".parse().unwrap();
        assert_eq!(ends.service.port(), 80);
        assert!("[2001:db8::1]:4000-[fd80::1]:80".parse::<Ends>().is_ok());
        for bad in [
            "192.0.2.1:4000",
            "192.0.2.1-10.80.0.1:80",
            "192.0.2.1:4000-[fd80::1]:80",
            "192.0.2.1:4000-10.80.0.1:0",
        ] {
            assert!(bad.parse::<Ends>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_stored_association_is_the_reason() {
        let members = [example_member(1), example_member(2)];
        let stored = example_session("AAAAAAAA", 1);
        let json = session_json(
            &explanation(Verdict::Known),
            Some(&stored),
            &members,
            "AAAAAAAA",
        );
        assert_eq!(json["goes_to"], "m2");
        assert_eq!(json["named_home"], "m1");
        assert_eq!(json["stored"]["home"], "m2");
        assert_eq!(json["because"], "the association stored here says m2");
        assert!(text(&json).contains("goes to       m2\n"));
    }

    #[test]
    fn a_target_that_is_down_has_a_successor() {
        let members = [example_member(1), example_member(2)];
        let why = Explanation {
            successor: 1,
            ..explanation(Verdict::Alone)
        };
        let json = session_json(&why, None, &members, "x");
        assert_eq!(
            (&json["target"], &json["goes_to"]),
            (&json!("m2"), &json!("m1"))
        );
        assert_eq!(json["stored"], Value::Null);
    }

    #[test]
    fn without_a_session_one_is_selected() {
        for verdict in [Verdict::Expired, Verdict::Ended, Verdict::Forged] {
            let why = Explanation {
                target: 0,
                ..explanation(verdict)
            };
            let json = session_json(&why, None, &[], "x");
            assert_eq!(json["goes_to"], Value::Null);
            assert!(json["because"].as_str().unwrap().contains("new session"));
        }
    }
}
