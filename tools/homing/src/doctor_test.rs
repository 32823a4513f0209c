// SPDX-License-Identifier: GPL-2.0

//! Tests of the checks of `homing doctor`.

use super::facts::DeviceFacts;
use super::firewall::Answer;
use super::firewall::Firewall;
use super::*;
use crate::address::tests::example_member;
use crate::show::tests::documented;
use crate::show::tests::keys_of;
use homing_nl::consts::AdminState;
use homing_nl::consts::MemberState;
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
    assert_eq!(ids(|f| f.members[0].flapping = true), ["member-flapping"]);
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
fn a_network_that_carries_less_to_some_members_is_found() {
    // What comes from m2 and m3 to m1, and what each of the three gets from everybody.
    let sizes = |set: Option<u16>, from: [u16; 2], to: [u16; 3]| {
        let mut facts = healthy();
        facts.members.push(example_member(3));
        facts.status.fabric_mtu_set = set.is_some();
        facts.status.fabric_mtu = set.unwrap_or(1500);
        facts.members[0].mtu_from = None;
        for (member, from) in facts.members[1..].iter_mut().zip(from) {
            member.mtu_from = Some(from);
        }
        for (member, to) in facts.members.iter_mut().zip(to) {
            member.mtu_to = Some(to).filter(|to| *to > 0);
        }
        let found = |facts: &Facts| judge(facts).into_iter().find(|f| f.id == "fabric-mtu");
        let what = found(&facts).map(|f| f.what);
        // One that is not heard has said so long ago.
        facts.members.truncate(1);
        facts.members[0].state = Some(MemberState::Down);
        assert_eq!(found(&facts), None);
        what
    };
    let ends = |what: Option<String>, end: &str| assert!(what.unwrap().ends_with(end), "{end}");
    assert_eq!(sizes(None, [1500; 2], [1500; 3]), None);
    assert_eq!(sizes(None, [9000; 2], [9000; 3]), None);
    assert_eq!(sizes(None, [9000; 2], [9000, 0, 9000]), None);
    assert_eq!(sizes(Some(1400), [1500; 2], [1500; 3]), None);
    // The port of m3; its way to the rest, not back; that of m1 to m2.
    ends(sizes(None, [9000, 1500], [1500; 3]), "from: m3 (1500)");
    ends(
        sizes(None, [9000, 1500], [1500, 1500, 9000]),
        "from: m3 (1500)",
    );
    ends(sizes(None, [9000; 2], [9000, 4000, 9000]), "to: m2 (4000)");
    ends(
        sizes(Some(9000), [9000, 1500], [1500; 3]),
        "from: m3 (1500)",
    );
    ends(
        sizes(Some(9000), [1500; 2], [1500; 3]),
        "from: m2 (1500), m3 (1500)",
    );
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
fn rules_are_judged_for_the_families_of_services_and_members() {
    let found = |program, vip: &str, member: &str| {
        let text = "-A INPUT -p tcp ! --syn -m state --state NEW -j DROP\n\
                    -A INPUT -p udp --dport 6470 -j DROP\n";
        let save = Answer::Rules(text.to_string());
        let mut facts = healthy();
        set(&mut facts, "net.netfilter.nf_conntrack_tcp_loose", 0);
        facts.services[0].vip = vip.parse().unwrap();
        facts.local_vips = vec![facts.services[0].vip];
        for one in &mut facts.members {
            one.addr = member.parse().unwrap();
        }
        facts.firewall = Firewall::read(Answer::Absent, [(program, save)]);
        let ids: Vec<_> = judge(&facts).iter().map(|finding| finding.id).collect();
        // The rule asks for the state, so that conntrack alone would do.
        assert_eq!(
            fatal(&facts).is_some(),
            ids.contains(&"firewall-new-not-syn")
        );
        ids
    };
    let (vip, six) = ("10.80.0.1", "fd80::1");
    let (tcp, udp) = ("firewall-new-not-syn", "farm-port-blocked");
    assert_eq!(
        found("iptables-save", vip, "fd09::11"),
        ["conntrack-loose", tcp]
    );
    assert_eq!(
        found("iptables-save", six, "10.9.0.11"),
        ["conntrack-loose", udp]
    );
    assert_eq!(
        found("ip6tables-save", vip, "fd09::11"),
        ["conntrack-loose", udp]
    );
    assert_eq!(
        found("ip6tables-save", six, "10.9.0.11"),
        ["conntrack-loose", tcp]
    );
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
