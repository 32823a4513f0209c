// SPDX-License-Identifier: GPL-2.0

//! `homing monitor`: events as they happen, one a line.

use crate::address;
use crate::out::Failure;
use crate::out::Out;
use crate::show;
use clap::Args;
use clap::ValueEnum;
use homing_nl::Client;
use homing_nl::Error;
use homing_nl::Event;
use homing_nl::Member;
use serde_json::json;
use serde_json::Value;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

const ENOENT: i32 = 2;

/// Print what happens, as it happens
///
/// Each line begins with the time at which the event was read: RFC 3339, in UTC. With -j it is `time_ms`,
/// milliseconds since 1970. The group session needs CAP_NET_ADMIN, the others do not.
#[derive(Args)]
pub struct Monitor {
    /// Only events of this group; may be repeated. Without it, all groups
    #[arg(long)]
    group: Vec<Group>,
    /// End after this many events
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// A group of events.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// Changes of the configuration
    Config,
    /// Changes of sessions
    Session,
    /// Changes of the state of members
    Member,
}

impl Group {
    fn name(self) -> &'static str {
        match self {
            Group::Config => "config",
            Group::Session => "session",
            Group::Member => "member",
        }
    }
}

impl Monitor {
    /// Prints until it is interrupted.
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let groups = match self.group.as_slice() {
            [] => &[Group::Config, Group::Session, Group::Member],
            groups => groups,
        };
        let names: Vec<&str> = groups.iter().map(|group| group.name()).collect();
        let mut events = Client::watcher(&names).map_err(refused)?;
        // A second socket: a reply must not stand in line behind events.
        let mut client = Client::open()?;
        let mut members = client.members()?;
        let mut left = self.count;
        while left != Some(0) {
            let event = match events.watch() {
                Ok(event) => event,
                Err(error @ Error::Overrun) => {
                    eprintln!("homing: {error}");
                    if out.is_json() {
                        out.text(&format!("{}\n", head_json("lost", now())))?;
                    }
                    // A change of the members may be among what was lost, or the end of the module.
                    members = client.members().map_err(|error| end(out, error))?;
                    continue;
                }
                Err(error) => return Err(end(out, error)),
            };
            let stale = match &event {
                Event::Config { .. } => true,
                Event::Session(change) => !members
                    .iter()
                    .any(|member| member.id == change.session.home),
                Event::Member(member) => !members.iter().any(|known| known.id == member.id),
                Event::Resync { .. } => false,
            };
            if stale {
                members = client.members().map_err(|error| end(out, error))?;
            }
            let now = now();
            match out.is_json() {
                true => out.text(&format!("{}\n", event_json(&event, &members, now)))?,
                false => out.text(&format!("{}\n", event_line(&event, &members, now)))?,
            }
            left = left.map(|left| left - 1);
        }
        Ok(())
    }
}

/// The time since 1970.
fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// What opens every line for programs: the name of the event, and when it was read.
fn head_json(name: &str, now: Duration) -> Value {
    json!({ "event": name, "time_ms": u64::try_from(now.as_millis()).unwrap_or(u64::MAX) })
}

/// Why the groups cannot be watched, with those that everybody may watch.
fn refused(error: Error) -> Failure {
    match error {
        Error::NotPermitted => Failure::new(format!(
            "{error}; what everybody may watch: --group config --group member"
        )),
        _ => error.into(),
    }
}

/// Why no more events come. That the module is gone is also a line of its own, for programs.
fn end(out: &Out, error: Error) -> Failure {
    if !gone(&error) {
        return error.into();
    }
    let told = match out.is_json() {
        true => out.text(&format!("{}\n", head_json("gone", now()))),
        false => Ok(()),
    };
    told.err().unwrap_or_else(|| Error::Gone.into())
}

/// Whether an error says that the module was unloaded, by itself or, since a list of the members
/// always exists, by refusing one.
fn gone(error: &Error) -> bool {
    matches!(error, Error::Gone) || error.errno() == ENOENT
}

/// An event for programs: `event` names its group, the rest is the noun it is about.
fn event_json(event: &Event, members: &[Member], now: Duration) -> Value {
    let (name, cause, mut noun) = match event {
        Event::Config { generation, what } => (
            "config",
            None,
            json!({ "generation": generation, "what": what.map(|what| what.name()) }),
        ),
        Event::Session(change) => (
            "session",
            Some(change.cause.map(|cause| cause.name())),
            show::session_json(&change.session, members),
        ),
        Event::Member(member) => {
            let mut noun = show::member_json(member);
            if let (Some(noun), Some(drain)) = (noun.as_object_mut(), show::drain_json(member)) {
                noun.insert("drain".to_string(), drain);
            }
            ("member", None, noun)
        }
        Event::Resync { id, name } => ("resync", None, json!({ "id": id, "name": name })),
    };
    let mut whole = head_json(name, now);
    if let (Some(whole), Some(noun)) = (whole.as_object_mut(), noun.as_object_mut()) {
        if let Some(cause) = cause {
            whole.insert("cause".to_string(), json!(cause));
        }
        whole.append(noun);
    }
    whole
}

/// An event for people, with its time in UTC.
fn event_line(event: &Event, members: &[Member], now: Duration) -> String {
    let time = humantime::format_rfc3339_millis(UNIX_EPOCH + now);
    let rest = match event {
        Event::Config { generation, what } => {
            format!(
                "config   {} changed, generation {generation}",
                what.map_or("something", |what| what.name())
            )
        }
        Event::Session(change) => {
            let session = &change.session;
            format!(
                "session  {:<7} {} home {} version {} {}",
                change.cause.map_or("?", |cause| cause.name()),
                match session.sid.as_str() {
                    "" => session.key_hex(),
                    sid => sid.to_string(),
                },
                address::name(members, session.home).unwrap_or_default(),
                session.version,
                session.state.map_or("?", |state| state.name()),
            )
        }
        Event::Member(member) => {
            let state = member.state.map_or("?", |state| state.name());
            match member.drain {
                Some(_) => format!(
                    "member   {} {state}, {} sessions and {} connections left",
                    member.name, member.sessions, member.flows
                ),
                None => format!("member   {} {state}", member.name),
            }
        }
        Event::Resync { name, .. } => format!("resync   {name} tells everything again"),
    };
    format!("{time} {rest}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::tests::example_member;
    use crate::address::tests::example_session;
    use crate::show::tests::documented;
    use crate::show::tests::keys_of;
    use homing_nl::consts::ConfigWhat;
    use homing_nl::consts::SessionCause;
    use homing_nl::Change;

    const NOW: Duration = Duration::from_millis(1_700_000_000_123);

    #[test]
    fn a_session_event_carries_the_whole_association() {
        let session = example_session("AAAA", 1);
        let event = Event::Session(Change {
            session,
            cause: Some(SessionCause::Move),
        });
        let json = event_json(&event, &[example_member(2)], NOW);
        assert_eq!(
            (&json["event"], &json["cause"]),
            (&json!("session"), &json!("move"))
        );
        assert_eq!(json["time_ms"], json!(1_700_000_000_123u64));
        for key in "sid key home origin version state group created_s idle_s".split(' ') {
            assert!(json.get(key).is_some(), "{key}");
        }
        assert!(!json.to_string().contains('\n'));
        let line = event_line(&event, &[example_member(2)], NOW);
        assert_eq!(
            line,
            "2023-11-14T22:13:20.123Z session  move    AAAA home m2 version 65537 confirmed"
        );
    }

    #[test]
    fn a_gap_is_a_line_of_its_own() {
        assert_eq!(
            head_json("lost", NOW).to_string(),
            r#"{"event":"lost","time_ms":1700000000123}"#
        );
    }

    #[test]
    fn who_may_not_watch_sessions_is_told_what_he_may_watch() {
        let text = refused(Error::NotPermitted).to_string();
        assert!(text.contains("CAP_NET_ADMIN"), "{text}");
        assert!(text.ends_with("--group config --group member"), "{text}");
        let other = refused(Error::NotLoaded).to_string();
        assert!(!other.contains("--group"), "{other}");
    }

    #[test]
    fn a_module_that_was_unloaded_ends_it_with_what_to_do() {
        let refused = |errno| Error::Refused {
            errno,
            text: String::new(),
        };
        assert!(gone(&Error::Gone) && gone(&refused(ENOENT)));
        assert!(!gone(&refused(22)) && !gone(&Error::NotPermitted));
        let out = Out::new(false);
        for error in [Error::Gone, refused(ENOENT)] {
            let text = end(&out, error).to_string();
            assert!(text.contains("unloaded: start again"), "{text}");
        }
        let other = end(&out, Error::NotPermitted).to_string();
        assert!(other.contains("CAP_NET_ADMIN"), "{other}");
    }

    #[test]
    fn the_manual_has_what_opens_every_line() {
        assert_eq!(documented("monitor"), keys_of(&head_json("lost", NOW)));
    }

    #[test]
    fn other_events_name_their_noun() {
        let config = Event::Config {
            generation: 7,
            what: Some(ConfigWhat::Key),
        };
        assert_eq!(event_json(&config, &[], NOW)["what"], json!("key"));
        assert!(event_line(&config, &[], NOW).ends_with("config   key changed, generation 7"));
        let member = Event::Member(example_member(3));
        assert_eq!(event_json(&member, &[], NOW)["name"], json!("m3"));
        assert!(event_line(&member, &[], NOW).ends_with("member   m3 up"));
        let resync = Event::Resync {
            id: 3,
            name: "m3".to_string(),
        };
        assert_eq!(event_json(&resync, &[], NOW)["event"], json!("resync"));
        assert!(event_line(&resync, &[], NOW).ends_with("m3 tells everything again"));
    }
}
