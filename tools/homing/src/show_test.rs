// SPDX-License-Identifier: GPL-2.0

//! Tests of the printers: the JSON keys of the contract and the lines that people see.

use super::*;
use crate::address::tests::example_member;
use crate::address::tests::example_session;
use homing_nl::consts::DrainMode;
use homing_nl::consts::FlowRole;
use homing_nl::consts::FlowState;
use homing_nl::consts::HomeLost;
use homing_nl::consts::Policy;
use homing_nl::consts::Reply;
use homing_nl::consts::SameSite;

pub fn example_service() -> Service {
    Service {
        vip: "fd80::1".parse().unwrap(),
        port: 8080,
        group: 3,
        policy: Some(Policy::Rr),
        cookie: "homing".to_string(),
        secure: true,
        insert: true,
        idle_timeout: 1800,
        absolute_timeout: 86400,
        domain: String::new(),
        max_age: 0,
        same_site: Some(SameSite::Lax),
        listeners: 2,
        local_listener: true,
        sessions: 7,
        connections: 9,
        reply: Some(Reply::Swap),
        home_lost: Some(HomeLost::Repick),
        home_wait: 10,
    }
}

fn example_flow() -> Flow {
    Flow {
        client: "10.70.0.2".parse().unwrap(),
        client_port: 40000,
        vip: "10.80.0.1".parse().unwrap(),
        port: 80,
        owner: 2,
        entry: 1,
        role: Some(FlowRole::Entry),
        state: Some(FlowState::Live),
        shift: 74,
        key: Some([0xab; 16]),
        idle: 3,
    }
}

fn example_device() -> Device {
    Device {
        ifindex: 2,
        ifname: "eth0".to_string(),
    }
}

/// The keys of a section's first table in docs/json.md.
pub fn documented(section: &str) -> Vec<&'static str> {
    let manual = include_str!("../../../docs/json.md");
    let (_, rest) = manual.split_once(&format!("\n## {section}\n")).unwrap();
    let rows = rest.lines().skip_while(|line| !line.starts_with('|'));
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.filter_map(|row| row.strip_prefix("| `")?.split_once("` | "))
        .map(|(key, _)| key)
        .collect()
}

/// The keys of an object, which has some.
pub fn keys_of(value: &Value) -> Vec<&str> {
    let keys: Vec<&str> = value.as_object().unwrap().keys().map(|k| &**k).collect();
    assert!(!keys.is_empty());
    keys
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let member = draining(15, 9);
    for (section, printed) in [
        ("show members", member_json(&member)),
        ("show drain", drain_json(&member).unwrap()),
        (
            "show sessions",
            session_json(&example_session("x", 1), &[member]),
        ),
        ("show flows", flow_json(&example_flow(), &[])),
        ("show services", service_json(&example_service())),
        ("show devices", device_json(&example_device())),
        ("show status", status_json(&Status::default(), &[])),
    ] {
        assert_eq!(documented(section), keys_of(&printed), "{section}");
    }
}

#[test]
fn json_values_are_in_the_promised_units() {
    let members = [example_member(1), example_member(2)];
    let member = member_json(&members[1]);
    assert_eq!(member["cpu"], json!(12.3));
    assert_eq!(member["state"], json!("up"));
    assert_eq!(member["addr"], json!("10.9.0.12"));
    let session = session_json(&example_session("x", 0x0f), &members);
    assert_eq!(
        (&session["home"], &session["home_id"]),
        (&json!("m2"), &json!(2))
    );
    assert_eq!(
        (&session["origin"], &session["state"]),
        (&json!("m1"), &json!("confirmed"))
    );
    assert_eq!(session["key"], json!("0f".repeat(16)));
    let flow = flow_json(&example_flow(), &members);
    assert_eq!(flow["client"], json!("10.70.0.2:40000"));
    assert_eq!(
        (&flow["owner"], &flow["role"]),
        (&json!("m2"), &json!("entry"))
    );
    assert_eq!(service_json(&example_service())["vip"], json!("fd80::1"));
}

#[test]
fn what_is_unknown_is_null() {
    let mut member = example_member(3);
    member.last_seen_ms = None;
    member.state = None;
    assert_eq!(member_json(&member)["last_seen_ms"], Value::Null);
    assert_eq!(member_json(&member)["state"], Value::Null);
    assert_eq!(
        session_json(&example_session("", 1), &[])["sid"],
        Value::Null
    );
    assert_eq!(
        session_json(&example_session("", 1), &[])["home"],
        json!("2")
    );
    assert_eq!(
        flow_json(
            &Flow {
                owner: 0,
                ..example_flow()
            },
            &[]
        )["owner"],
        Value::Null
    );
    assert_eq!(status_json(&Status::default(), &[])["member"], Value::Null);
}

#[test]
fn stats_are_one_object() {
    let stats = [("syn-answered".to_string(), 3), ("idle".to_string(), 0)];
    assert_eq!(stats_json(&stats), json!({ "syn-answered": 3, "idle": 0 }));
    assert_eq!(
        stats_table(&stats),
        "counter       count\nsyn-answered      3\n"
    );
    assert_eq!(stats_table(&stats[1..]), "all counters are 0\n");
}

#[test]
fn tables_for_people() {
    let mut members = vec![example_member(1), example_member(2)];
    members[1].last_seen_ms = None;
    let expected = "\
member  id  address    state  weight  sessions  flows    cpu  seen
m1       1  10.9.0.11  up        100         5      2  12.3%  here
m2       2  10.9.0.12  up        100         5      2  12.3%  never
";
    assert_eq!(member_table(&members), expected);
    let expected = "\
client           service       owner  role   state  shift  idle
10.70.0.2:40000  10.80.0.1:80  m2     entry  live      74  3 s
";
    assert_eq!(flow_table(&[example_flow()], &members), expected);
    assert!(service_table(&[example_service()]).contains("[fd80::1]:8080"));
    assert!(session_table(&[example_session("", 1)], &members).contains(&"01".repeat(16)));
}

/// A member that drains for 10 seconds and has this left of 20 sessions and 10 connections.
fn draining(sessions: u64, flows: u64) -> Member {
    let drain = Drain {
        mode: Some(DrainMode::Finish),
        deadline: None,
        since: 10,
        sessions: 20,
        flows: 10,
    };
    Member {
        sessions,
        flows,
        drain: Some(drain),
        ..example_member(2)
    }
}

#[test]
fn a_drain_is_done_when_neither_sessions_nor_connections_are_left() {
    for (sessions, flows, rates, estimate) in [
        (0, 0, (2.0, 1.0), json!(0)),
        (0, 5, (2.0, 0.5), json!(10)),
        (15, 0, (0.5, 1.0), json!(30)),
        (15, 9, (0.5, 0.1), json!(90)),
        (15, 1, (0.5, 0.9), json!(30)),
        (0, 10, (2.0, 0.0), Value::Null),
        (20, 0, (0.0, 1.0), Value::Null),
        (20, 12, (0.0, 0.0), Value::Null),
    ] {
        let member = draining(sessions, flows);
        let json = drain_json(&member).unwrap();
        assert_eq!(json["estimate_s"], estimate, "{sessions}, {flows}");
        assert_eq!(
            (&json["rate"], &json["flows_rate"]),
            (&json!(rates.0), &json!(rates.1))
        );
    }
    let mut fresh = draining(20, 10);
    fresh.drain.as_mut().unwrap().since = 0;
    assert_eq!(drain_json(&fresh).unwrap()["estimate_s"], Value::Null);
    let expected = "\
member  mode    deadline  since  sessions  rate   flows    rate   done in
m2      finish  none      10 s   0 of 20   2.0/s  5 of 10  0.5/s  10 s
";
    assert_eq!(drain_table(&[draining(0, 5)]), expected);
    assert!(drain_table(&[fresh]).ends_with("  unknown\n"));
}

#[test]
fn the_status_says_what_is_unusual() {
    let usual = Status {
        push: true,
        scale: 1,
        eject_max: 30,
        ..Status::default()
    };
    assert!(!status_text(&usual, &[]).contains("debug"));
    assert!(status_text(&usual, &[]).contains("at most 30% of the members"));
    let jumbo = |fabric_mtu_set| Status {
        fabric_mtu: 9000,
        fabric_mtu_set,
        ..Status::default()
    };
    assert!(status_text(&jumbo(true), &[]).contains("network of 9000 bytes (set)"));
    assert!(status_text(&jumbo(false), &[]).contains("network of 9000 bytes (found out)"));
    let unusual = Status {
        frozen: true,
        scale: 10,
        clock_offset: -5,
        ..Status::default()
    };
    let mut members = [example_member(1), example_member(2)];
    members[1].overridden = true;
    assert!(status_text(&unusual, &members)
        .contains("debug       states frozen, push off, scale 10, clock -5 s, m2 overridden\n"));
    assert_eq!(status_json(&usual, &members)["overridden"], json!(["m2"]));
    assert!(status_text(&usual, &members).contains("debug       m2 overridden\n"));
    assert_eq!(member_json(&members[1])["overridden"], json!(true));
    assert!(member_table(&members).contains("  up, overridden  "));
    members[1].flapping = true;
    assert_eq!(member_json(&members[1])["flapping"], json!(true));
    assert!(member_table(&members).contains("  up, overridden, flapping  "));
    members[1].flapping = false;
    members[1].deaf_ms = Some(450);
    assert_eq!(member_json(&members[1])["deaf_ms"], json!(450));
    assert!(member_table(&members).contains("  up, overridden, does not hear us  "));
}
