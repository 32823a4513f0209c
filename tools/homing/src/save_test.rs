// SPDX-License-Identifier: GPL-2.0

//! Tests of the script: its words, their order, their quoting, and that the tool takes them back.

use super::*;
use crate::address::tests::example_member;
use crate::range::tests::attribute;
use crate::show::tests::documented;
use crate::show::tests::example_service;
use crate::show::tests::keys_of;
use crate::Arguments;
use clap::CommandFactory;
use clap::Parser;
use homing_nl::consts::MemberState;

/// Nothing is configured.
fn nothing() -> Configuration {
    let status = Status {
        port: default::PORT,
        state_interval: default::STATE_INTERVAL,
        scale: default::SCALE,
        farm_id: default::FARM_ID,
        fabric_mtu: 1500,
        eject_max: default::EJECT_MAX,
        sessions_max: default::SESSIONS_MAX,
        ..Status::default()
    };
    Configuration {
        status,
        keys: Vec::new(),
        members: Vec::new(),
        services: Vec::new(),
        devices: Vec::new(),
        here: Vec::new(),
    }
}

fn key(id: u8, role: KeyRole) -> Key {
    Key {
        id,
        role: Some(role),
        fingerprint: 0x00ab_cdef,
    }
}

fn device(ifname: &str) -> Device {
    Device {
        ifindex: 2,
        ifname: ifname.to_string(),
    }
}

/// A service of which only the address is its own.
fn plain_service() -> Service {
    Service {
        vip: "10.80.0.1".parse().unwrap(),
        port: 80,
        group: 0,
        policy: Some(Policy::P2c),
        secure: false,
        ..example_service()
    }
}

/// A service with no option that is the default.
fn full_service() -> Service {
    Service {
        cookie: "-x'$y".to_string(),
        insert: false,
        idle_timeout: 60,
        absolute_timeout: 600,
        domain: "example.org".to_string(),
        max_age: 9,
        same_site: Some(SameSite::Unset),
        reply: Some(Reply::Route),
        home_lost: Some(HomeLost::Wait),
        home_wait: 20,
        ..example_service()
    }
}

/// Everything is configured, and nothing as it is by default.
fn everything() -> Configuration {
    let mut members = vec![example_member(1), example_member(2), example_member(3)];
    members[1].weight = 0;
    members[1].admin = Some(AdminState::Draining);
    members[2].addr = "fd09::13".parse().unwrap();
    // What is believed of a member is no order.
    members[2].state = Some(MemberState::Down);
    Configuration {
        status: Status {
            port: 7000,
            state_interval: 200,
            scale: 2,
            farm_id: 9,
            fabric_mtu: 1420,
            fabric_mtu_set: true,
            eject_max: 30,
            sessions_max: 2048,
            ..Status::default()
        },
        keys: vec![
            key(0, KeyRole::Receive),
            key(1, KeyRole::Send),
            key(255, KeyRole::Receive),
        ],
        here: vec![members[0].addr],
        members,
        services: vec![full_service(), plain_service()],
        devices: vec![device("eth1"), device("eth0")],
    }
}

fn script(configuration: &Configuration) -> String {
    text(&configuration.lines().unwrap())
}

/// The commands of a configuration.
fn commands(configuration: &Configuration) -> Vec<Vec<String>> {
    let lines = configuration.lines().unwrap();
    let commands = lines.into_iter().filter_map(|line| match line {
        Line::Command(words) => Some(words),
        _ => None,
    });
    commands.collect()
}

#[test]
fn everything_is_said_in_an_order_that_works() {
    let expected = r#"
homing farm set --port 7000 --state-interval 200 --scale 2 --id 9 --fabric-mtu 1420 --eject-max 30 --sessions-max 2048
# Key 1, fingerprint 00abcdef: put it into this file, which only root may read.
homing key set /etc/homing/key.1 --id 1
# Key 0, fingerprint 00abcdef: put it into this file, which only root may read.
homing key set /etc/homing/key.0 --id 0 --role receive
# Key 255, fingerprint 00abcdef: put it into this file, which only root may read.
homing key set /etc/homing/key.255 --id 255 --role receive
# m2 is draining now: an order, which the members tell each other, and no configuration.
homing member set m2 --id 2 --addr 10.9.0.12 --weight 0
homing member set m3 --id 3 --addr fd09::13
homing member set m1 --id 1 --addr 10.9.0.11 --local true
homing service add '[fd80::1]:8080' --group 3 --policy rr '--cookie=-x'\''$y' --secure --same-site unset --domain example.org --max-age 9 --no-insert --idle-timeout 60 --absolute-timeout 600 --home-lost wait --home-wait 20 --reply route
homing service add 10.80.0.1:80
homing attach eth1
homing attach eth0
"#;
    let script = script(&everything());
    assert_eq!(script.strip_prefix(HEAD), expected.strip_prefix('\n'));
}

#[test]
fn where_nothing_is_configured_there_is_the_head_alone() {
    assert_eq!(script(&nothing()), HEAD);
    let lines: Vec<&str> = HEAD.lines().collect();
    assert_eq!(lines[0], "#!/bin/sh");
    assert!(lines[1].starts_with("# Made by 'homing save'"));
    assert_eq!(lines.last(), Some(&"set -e"));
}

#[test]
fn a_file_is_replaced_whole_or_not_at_all() {
    let folder = std::env::temp_dir().join(format!("homing-save-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("start");
    fs::write(&file, "before").unwrap();
    let refused = replace(&file, &nothing().lines().unwrap()).unwrap_err();
    assert!(refused.to_string().contains("nothing is configured"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
    let lines = everything().lines().unwrap();
    replace(&file, &lines).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), text(&lines));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    assert!(replace(&folder.join("none").join("start"), &lines).is_err());
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_tool_takes_every_command_back() {
    let mut odd = everything();
    odd.members[0].name = "-m'1".to_string();
    odd.devices[0].ifname = "--$(x)".to_string();
    odd.services[1].domain = "-x".to_string();
    for configuration in [everything(), odd] {
        for words in commands(&configuration) {
            let error = Arguments::try_parse_from(&words).err();
            assert!(error.is_none(), "{words:?}: {error:?}");
        }
    }
}

#[test]
fn every_option_of_the_tool_is_said() {
    let whole = Arguments::command();
    let commands = commands(&everything());
    for (path, not_said) in [
        (["farm", "set"], &[][..]),
        (["key", "set"], &[]),
        // An order.
        (["member", "set"], &["state"]),
        // The default.
        (["service", "add"], &["insert"]),
    ] {
        let of_path = |words: &&Vec<String>| words.get(1..3).is_some_and(|begin| begin == path);
        let said: Vec<&String> = commands.iter().filter(of_path).flatten().collect();
        let mut found = &whole;
        for word in path {
            found = found.find_subcommand(word).unwrap();
        }
        let own = found.get_arguments().filter(|one| !one.is_global_set());
        let names: Vec<&str> = own.filter_map(|one| one.get_long()).collect();
        assert!(names.len() > 1, "{path:?}");
        for name in names.iter().filter(|name| !not_said.contains(*name)) {
            let option = format!("--{name}");
            let is_it = |word: &&String| word.split('=').next() == Some(&option);
            assert!(said.iter().any(is_it), "{path:?} {option}");
        }
    }
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    use default::*;
    for (set, name, value) in [
        ("farm", "port", &PORT as &dyn Display),
        ("farm", "state-interval", &STATE_INTERVAL),
        ("farm", "scale", &SCALE),
        ("farm", "id", &FARM_ID),
        ("farm", "fabric-mtu", &FABRIC_MTU),
        ("farm", "eject-max", &EJECT_MAX),
        ("farm", "sessions-max", &SESSIONS_MAX),
        ("member", "weight", &WEIGHT),
        ("key", "role", &KeyRole::Send.name()),
        ("service", "group", &GROUP),
        ("service", "policy", &Policy::P2c.name()),
        ("service", "cookie", &COOKIE),
        ("service", "secure", &0),
        ("service", "insert", &1),
        ("service", "idle-timeout", &IDLE_TIMEOUT),
        ("service", "absolute-timeout", &ABSOLUTE_TIMEOUT),
        ("service", "same-site", &SameSite::Lax.name()),
        ("service", "reply", &Reply::Swap.name()),
        ("service", "home-lost", &HomeLost::Repick.name()),
        ("service", "home-wait", &HOME_WAIT),
    ] {
        let said = format!("Default {value}.");
        assert!(attribute(set, name).contains(&said), "{set} {name}: {said}");
    }
}

#[test]
fn who_this_host_is_does_not_hang_on_its_addresses() {
    let mut configuration = everything();
    configuration.here = configuration.members[1..2].iter().map(|m| m.addr).collect();
    let script = script(&configuration);
    assert!(script.contains("homing member set m1 --id 1 --addr 10.9.0.11 --local true\n"));
    assert!(script.contains(" --addr 10.9.0.12 --weight 0 --local false\n"));
    assert!(script.contains("homing member set m3 --id 3 --addr fd09::13\n"));
}

#[test]
fn words_are_quoted_where_the_shell_would_read_something_else() {
    for (word, written) in [
        ("10.80.0.1:80", "10.80.0.1:80"),
        ("--cookie=x_y", "--cookie=x_y"),
        ("fd09::13", "fd09::13"),
        ("", "''"),
        ("[fd80::1]:80", "'[fd80::1]:80'"),
        ("it's", r"'it'\''s'"),
        ("~", "'~'"),
        ("#", "'#'"),
        ("$(reboot)", "'$(reboot)'"),
        ("a`b|c&d;e\\", "'a`b|c&d;e\\'"),
        ("é", "'é'"),
    ] {
        assert_eq!(quoted(word), written);
    }
}

#[test]
fn a_value_without_a_word_is_no_default() {
    let mut configuration = everything();
    configuration.services[1].policy = None;
    let failure = configuration.lines().err().unwrap().to_string();
    assert!(failure.contains("policy of a service"), "{failure}");
    configuration = everything();
    configuration.keys[0].role = None;
    assert!(configuration.lines().is_err());
}

#[test]
fn programs_get_the_same_lines() {
    let lines = everything().lines().unwrap();
    let json: Vec<Value> = lines.iter().map(line_json).collect();
    assert_eq!(
        json[1],
        json!({ "key": { "id": 1, "role": "send", "fingerprint": "00abcdef" } })
    );
    assert_eq!(
        json[2],
        json!({ "command": ["homing", "key", "set", "/etc/homing/key.1", "--id", "1"] })
    );
    let order = json!({ "order": { "member": "m2", "admin": "draining" } });
    assert!(json.contains(&order), "{json:?}");
    assert_eq!(
        json.last(),
        Some(&json!({ "command": ["homing", "attach", "eth0"] }))
    );
    for line in &json {
        let [key] = keys_of(line)[..] else {
            panic!("{line} is not one thing");
        };
        assert!(documented("save").contains(&key), "{key}");
    }
    for key in documented("save") {
        assert!(json.iter().any(|line| line.get(key).is_some()), "{key}");
    }
    assert!(nothing().lines().unwrap().is_empty());
}
