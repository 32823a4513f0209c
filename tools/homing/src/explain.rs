// SPDX-License-Identifier: GPL-2.0

//! `homing explain`: where a session or a connection goes, and why.

use crate::address;
use crate::out::duration;
use crate::out::Failure;
use crate::out::Out;
use clap::Args;
use homing_nl::consts::cmd;
use homing_nl::consts::explain;
use homing_nl::consts::session;
use homing_nl::consts::FlowRole;
use homing_nl::consts::FlowState;
use homing_nl::consts::HomeLost;
use homing_nl::consts::HomeStanding;
use homing_nl::consts::MemberState;
use homing_nl::consts::Verdict;
use homing_nl::Address;
use homing_nl::Client;
use homing_nl::Error;
use homing_nl::Explanation;
use homing_nl::Member;
use homing_nl::Request;
use homing_nl::Service;
use homing_nl::Session;
use serde_json::json;
use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

const ENOENT: i32 = 2;

/// Say where a session or a connection goes, and why, as this member would decide now
#[derive(Args)]
#[command(group = clap::ArgGroup::new("what").required(true))]
pub struct Explain {
    /// A whole session id, as in the client's cookie; '-' reads it from standard input, where no list of
    /// processes shows it
    #[arg(long, group = "what", allow_hyphen_values = true)]
    sid: Option<String>,
    /// The service, VIP:PORT, that the session comes to; without it, the first one of its group
    #[arg(long, requires = "sid", value_parser = address::vip)]
    service: Option<SocketAddr>,
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
            (Some(sid), _) => session(&mut client, &members, &given(sid)?, self.service)?,
            (None, Some(ends)) => connection(&mut client, &members, ends)?,
            (None, None) => return Err(Failure::new("give --sid or --flow")),
        };
        out.print(|| json.clone(), || text(&json))
    }
}

/// The session id that was given, or a line of standard input.
fn given(sid: &str) -> Result<String, Failure> {
    if sid != "-" {
        return Ok(sid.to_string());
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    Ok(line.trim().to_string())
}

fn session(
    client: &mut Client,
    members: &[Member],
    sid: &str,
    service: Option<SocketAddr>,
) -> Result<Value, Failure> {
    let mut request = Request::new(cmd::EXPLAIN).string(explain::SID, sid);
    if let Some(service) = service {
        request = request
            .bytes(explain::VIP, &Address::from(service.ip()).0)
            .u16(explain::PORT, service.port());
    }
    let why = client.explain(&request)?;
    let stored = match why.key {
        Some(key) => stored(client, &key)?,
        None => None,
    };
    let asked = client
        .services()?
        .into_iter()
        .find(|s| why.service == Some((s.vip, s.port)));
    let (stored, asked) = (stored.as_ref(), asked.as_ref());
    Ok(session_json(&why, stored, asked, members, sid))
}

/// The session of a key, if it is stored here.
fn stored(client: &mut Client, key: &[u8; 16]) -> Result<Option<Session>, Failure> {
    let request = Request::new(cmd::SESSION_GET).bytes(session::KEY, key);
    match client.session(&request) {
        Ok(session) => Ok(Some(session)),
        Err(Error::Refused { errno: ENOENT, .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Who gets the next request of a session; 0 for nobody yet.
fn goes(why: &Explanation) -> u32 {
    match why.standing {
        Some(HomeStanding::Serves) => why.target,
        Some(HomeStanding::Moves | HomeStanding::Gone) => why.successor,
        Some(HomeStanding::Unavailable | HomeStanding::Waits) | None => 0,
    }
}

fn session_json(
    why: &Explanation,
    stored: Option<&Session>,
    service: Option<&Service>,
    members: &[Member],
    sid: &str,
) -> Value {
    let name = |id| address::name(members, id);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let state = |id| members.iter().find(|m| m.id == id).and_then(|m| m.state);
    json!({
        "sid": sid,
        "verdict": why.verdict.map(Verdict::name),
        "named_home": name(why.named),
        "group": why.group,
        "service": why.service.map(|(ip, port)| SocketAddr::new(ip, port).to_string()),
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
        "standing": why.standing.map(HomeStanding::name),
        "successor": name(why.successor),
        "goes_to": name(goes(why)),
        "because": because(why, service, members),
    })
}

/// The reason in a sentence.
fn because(why: &Explanation, service: Option<&Service>, members: &[Member]) -> String {
    let text = |id| address::name(members, id).unwrap_or_else(|| "nobody".to_string());
    let new = "so a home is selected for a new session, by the service's policy";
    let home = text(why.target);
    let serves = why.standing == Some(HomeStanding::Serves);
    let first = match why.verdict {
        Some(Verdict::Known) => format!("the association stored here says {home}"),
        Some(Verdict::Alone) => {
            let last = if serves {
                "; that member has the last word"
            } else {
                ""
            };
            format!("nothing is stored here, so the id alone counts, and it names {home}{last}")
        }
        Some(Verdict::Expired) => return format!("a timeout of the session has passed, {new}"),
        Some(Verdict::Ended) => return format!("the session was ended, {new}"),
        Some(Verdict::Forged) => {
            return format!(
                "no key of this farm has made the id, or no service has its group, {new}"
            )
        }
        None => return "the module gives a reason that this tool does not know".to_string(),
    };
    let selected = match why.successor {
        0 => "no member can serve it".to_string(),
        id if why.minority => format!(
            "this member selects {}, and tells nobody, for it hears the smaller part of the farm only",
            text(id)
        ),
        id => format!("for this session every member selects {}", text(id)),
    };
    let rest = match why.standing {
        Some(HomeStanding::Serves) => return first,
        Some(HomeStanding::Moves) if why.successor == why.target => {
            format!("{home} is drained and its sessions move, but nobody else can serve this one")
        }
        Some(HomeStanding::Moves) => {
            format!("{home} is drained and its sessions move: {selected}")
        }
        Some(HomeStanding::Gone) if members.iter().any(|m| m.id == why.target) => {
            format!("{home} is down: {selected}")
        }
        Some(HomeStanding::Gone) => format!("that is no member: {selected}"),
        Some(HomeStanding::Unavailable) => {
            let how = match service.and_then(|s| s.home_lost) {
                Some(HomeLost::Wait) => "has let its sessions wait for long enough (--home-lost wait)",
                _ => "refuses its sessions (--home-lost strict)",
            };
            format!("{home} is down, and the service {how}: the client gets 503")
        }
        Some(HomeStanding::Waits) => format!(
            "{home} is down, and the service lets its sessions wait (--home-lost wait): the client gets \
             nothing until {home} is back, or 503 once its silence is longer than --home-wait"
        ),
        None => return "the module gives a reason that this tool does not know".to_string(),
    };
    format!("{first}; {rest}")
}

fn connection(client: &mut Client, members: &[Member], ends: &Ends) -> Result<Value, Failure> {
    let request = Request::new(cmd::EXPLAIN)
        .bytes(explain::CLIENT, &Address::from(ends.client.ip()).0)
        .u16(explain::CLIENT_PORT, ends.client.port())
        .bytes(explain::VIP, &Address::from(ends.service.ip()).0)
        .u16(explain::PORT, ends.service.port());
    let why = client.explain(&request)?;
    let session = match why.key {
        Some(key) => stored(client, &key)?,
        None => None,
    };
    let sid = session.map(|s| s.sid);
    Ok(connection_json(&why, sid.as_deref(), members, ends))
}

fn connection_json(why: &Explanation, sid: Option<&str>, members: &[Member], ends: &Ends) -> Value {
    let name = |id| address::name(members, id);
    let known = why.state.is_some() || why.owner != 0 || why.listed != 0 || why.socket;
    let passed = !known && !why.served;
    let places = if passed {
        &[]
    } else {
        why.directory.as_slice()
    };
    let directory: Vec<_> = places.iter().filter_map(|id| name(*id)).collect();
    let here = |id: u32| members.iter().any(|m| m.id == id && m.local);
    // A directory member that does not know a connection asks the other one.
    let others = places.iter().filter(|id| !here(**id));
    let others: Vec<_> = others.filter_map(|id| name(*id)).collect();
    let role = role(why, here);
    let because = match why.state {
        _ if passed => format!(
            "no service has {}: such packets pass untouched",
            ends.service
        ),
        Some(FlowState::Deciding) => {
            "its first bytes are held here until the head of its request is whole".to_string()
        }
        Some(FlowState::Closed) => {
            "it is over: what is left says that late copies of its first packet run nothing again"
                .to_string()
        }
        Some(_) => format!(
            "this member has a flow that says so: its role is {}",
            role.unwrap_or("unknown")
        ),
        None if why.socket => {
            "its socket is here, from before homing saw it: its packets pass untouched".to_string()
        }
        None if why.listed != 0 => "its owner has listed it here".to_string(),
        _ if others.is_empty() => "not known here, and there is no other member to ask".to_string(),
        _ => format!(
            "not known here; on a packet this member asks {}",
            match others.as_slice() {
                [one] => one.clone(),
                several => format!("{}, in this order", several.join(" and ")),
            }
        ),
    };
    let owner = if why.owner != 0 {
        why.owner
    } else {
        why.listed
    };
    json!({
        "client": ends.client.to_string(),
        "service": ends.service.to_string(),
        "owner": name(owner),
        "entry": name(why.entry),
        "role": role,
        "state": why.state.map(|state| state.name()),
        "sid": sid,
        "directory": directory,
        "because": because,
    })
}

/// What this member is for a connection that it has a flow of.
fn role(why: &Explanation, here: impl Fn(u32) -> bool) -> Option<&'static str> {
    why.state?;
    let role = match (here(why.entry), here(why.owner)) {
        (true, true) => FlowRole::Both,
        (false, true) => FlowRole::Owner,
        (_, false) => FlowRole::Entry,
    };
    Some(role.name())
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
    use crate::show::tests::documented;
    use crate::show::tests::example_service;
    use crate::show::tests::keys_of;

    fn explanation(verdict: Verdict) -> Explanation {
        Explanation {
            verdict: Some(verdict),
            named: 1,
            target: 2,
            standing: Some(HomeStanding::Serves),
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

    fn said(why: &Explanation, service: Option<&Service>) -> (Value, String) {
        let members = [1, 2, 3].map(example_member);
        let json = session_json(why, None, service, &members, "x");
        let because = json["because"].as_str().unwrap().to_string();
        (json, because)
    }

    #[test]
    fn the_stored_association_is_the_reason() {
        let members = [example_member(1), example_member(2)];
        let stored = example_session("AAAAAAAA", 1);
        let json = session_json(
            &explanation(Verdict::Known),
            Some(&stored),
            None,
            &members,
            "AAAAAAAA",
        );
        assert_eq!(json["goes_to"], "m2");
        assert_eq!(json["standing"], "serves");
        assert_eq!(json["named_home"], "m1");
        assert_eq!(json["stored"]["home"], "m2");
        assert_eq!(json["because"], "the association stored here says m2");
        assert!(text(&json).contains("goes to       m2\n"));
        assert_eq!(documented("explain --sid"), keys_of(&json));
    }

    #[test]
    fn a_home_that_is_left_has_a_successor() {
        let mut why = Explanation {
            standing: Some(HomeStanding::Gone),
            successor: 3,
            ..explanation(Verdict::Alone)
        };
        let (json, because) = said(&why, None);
        assert_eq!(
            (&json["target"], &json["goes_to"], &json["standing"]),
            (&json!("m2"), &json!("m3"), &json!("gone"))
        );
        assert!(because.ends_with("names m2; m2 is down: for this session every member selects m3"));
        why.minority = true;
        assert!(said(&why, None).1.contains("selects m3, and tells nobody"));
        why.minority = false;
        why.standing = Some(HomeStanding::Moves);
        let moves = "m2 is drained and its sessions move: for this session every member selects m3";
        assert!(said(&why, None).1.ends_with(moves));
        why.successor = 2;
        let (json, because) = said(&why, None);
        assert_eq!(json["goes_to"], "m2");
        assert!(because.ends_with("but nobody else can serve this one"));
        why.successor = 0;
        let (json, because) = said(&why, None);
        assert_eq!(json["goes_to"], Value::Null);
        assert!(because.ends_with("no member can serve it"));
        why.target = 9;
        why.standing = Some(HomeStanding::Gone);
        assert!(said(&why, None).1.contains("that is no member"));
    }

    #[test]
    fn a_service_may_refuse_the_sessions_of_a_home_that_is_down() {
        let mut why = Explanation {
            standing: Some(HomeStanding::Unavailable),
            ..explanation(Verdict::Known)
        };
        let mut service = example_service();
        service.home_lost = Some(HomeLost::Strict);
        let (json, because) = said(&why, Some(&service));
        assert_eq!(
            (&json["target"], &json["goes_to"], &json["standing"]),
            (&json!("m2"), &Value::Null, &json!("unavailable"))
        );
        assert!(because.ends_with(
            "m2 is down, and the service refuses its sessions (--home-lost strict): the client gets 503"
        ));
        service.home_lost = Some(HomeLost::Wait);
        assert!(said(&why, Some(&service))
            .1
            .contains("wait for long enough"));
        why.standing = Some(HomeStanding::Waits);
        let (json, because) = said(&why, Some(&service));
        assert_eq!(
            (&json["goes_to"], &json["standing"]),
            (&Value::Null, &json!("waits"))
        );
        assert!(because.contains("nothing until m2 is back"));
    }

    #[test]
    fn a_connection_that_is_not_known_is_asked_about_or_passes() {
        let ends: Ends = "192.0.2.1:4000-10.80.0.1:81".parse().unwrap();
        let members = [1, 2, 3].map(example_member);
        let said = |served, directory: &[u32]| {
            let why = Explanation {
                served,
                directory: directory.to_vec(),
                ..Explanation::default()
            };
            connection_json(&why, None, &members, &ends)
        };
        assert_eq!(
            said(true, &[3, 2])["because"],
            "not known here; on a packet this member asks m3 and m2, in this order"
        );
        assert_eq!(
            said(true, &[1, 2])["because"],
            "not known here; on a packet this member asks m2"
        );
        for none in [&[1][..], &[]] {
            assert_eq!(
                said(true, none)["because"],
                "not known here, and there is no other member to ask"
            );
        }
        let passes = said(false, &[3, 2]);
        assert_eq!(
            passes["because"],
            "no service has 10.80.0.1:81: such packets pass untouched"
        );
        assert_eq!(passes["directory"], json!([]));
        // What was decided before its service was removed goes on.
        let why = Explanation {
            owner: 2,
            entry: 1,
            state: Some(FlowState::Live),
            ..Explanation::default()
        };
        let json = connection_json(&why, None, &members, &ends);
        assert_eq!(documented("explain --flow"), keys_of(&json));
        assert_eq!(
            (&json["owner"], &json["entry"], &json["role"]),
            (&json!("m2"), &json!("m1"), &json!("entry"))
        );
        assert_eq!(
            json["because"],
            "this member has a flow that says so: its role is entry"
        );
    }

    #[test]
    fn a_connection_that_is_held_is_over_or_was_there_before() {
        let members = [1, 2].map(example_member);
        let ends: Ends = "192.0.2.1:4000-10.80.0.1:80".parse().unwrap();
        let said = |state, socket| {
            let why = Explanation {
                state,
                socket,
                served: true,
                directory: vec![1, 2],
                ..Explanation::default()
            };
            let json = connection_json(&why, None, &members, &ends);
            (
                json["state"].clone(),
                json["because"].as_str().unwrap().to_string(),
            )
        };
        let (state, because) = said(Some(FlowState::Deciding), false);
        assert_eq!(state, "deciding");
        assert!(because.contains("first bytes are held"));
        let (state, because) = said(Some(FlowState::Closed), false);
        assert_eq!(state, "closed");
        assert!(because.contains("it is over"));
        let (state, because) = said(None, true);
        assert_eq!(state, Value::Null);
        assert!(because.contains("pass untouched"));
    }

    #[test]
    fn without_a_session_one_is_selected() {
        for verdict in [Verdict::Expired, Verdict::Ended, Verdict::Forged] {
            let why = Explanation {
                target: 0,
                standing: None,
                ..explanation(verdict)
            };
            let (json, because) = said(&why, None);
            assert_eq!(json["goes_to"], Value::Null);
            assert!(because.contains("new session"));
        }
    }
}
