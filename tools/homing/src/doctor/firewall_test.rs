// SPDX-License-Identifier: GPL-2.0

//! Tests of the firewall reader, on what nft 1.1.3 and iptables-save 1.8.11 print.

use super::*;

/// One chain of hook input with this policy and these rules, each a list of JSON expressions.
fn nft(policy: &str, rules: &[&str]) -> Firewall {
    let mut objects = vec![format!(
        r#"{{"chain":{{"family":"inet","table":"f","name":"in","type":"filter","hook":"input","prio":0,"policy":"{policy}"}}}}"#
    )];
    for (handle, rule) in rules.iter().enumerate() {
        objects.push(format!(
            r#"{{"rule":{{"family":"inet","table":"f","chain":"in","handle":{handle},"expr":[{rule}]}}}}"#
        ));
    }
    let firewall = Firewall::parse(&format!(r#"{{"nftables":[{}]}}"#, objects.join(",")), "");
    assert_eq!(firewall.rules().count(), rules.len());
    firewall
}

const NEW: &str = r#"{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":"new"}}"#;
const NEW_SET: &str =
    r#"{"match":{"op":"==","left":{"ct":{"key":"state"}},"right":{"set":["invalid","new"]}}}"#;
const KNOWN: &str =
    r#"{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}}"#;
const NOT_SYN: &str = r#"{"match":{"op":"!=","left":{"&":[{"payload":{"protocol":"tcp","field":"flags"}},{"|":["fin","syn","rst","ack"]}]},"right":"syn"}}"#;
const NO_SYN_BIT: &str =
    r#"{"match":{"op":"!","left":{"payload":{"protocol":"tcp","field":"flags"}},"right":"syn"}}"#;
const IS_SYN: &str = r#"{"match":{"op":"==","left":{"&":[{"payload":{"protocol":"tcp","field":"flags"}},{"|":["fin","syn","rst","ack"]}]},"right":"syn"}}"#;
const DROP: &str = r#"{"drop":null}"#;
const REJECT: &str = r#"{"reject":{"type":"icmpx","expr":"port-unreachable"}}"#;
const ACCEPT: &str = r#"{"accept":null}"#;
const LOOPBACK: &str = r#"{"match":{"op":"==","left":{"meta":{"key":"iif"}},"right":"lo"}}"#;

fn dport(protocol: &str, op: &str, right: &str) -> String {
    format!(
        r#"{{"match":{{"op":"{op}","left":{{"payload":{{"protocol":"{protocol}","field":"dport"}}}},"right":{right}}}}}"#
    )
}

fn midstream(rule: &[&str]) -> bool {
    !nft("accept", &[&rule.join(",")])
        .refuses_midstream(80)
        .is_empty()
}

#[test]
fn new_without_syn_is_found_in_its_spellings() {
    assert!(midstream(&[NOT_SYN, NEW, DROP]));
    assert!(midstream(&[
        NEW,
        NO_SYN_BIT,
        r#"{"counter":{"packets":0,"bytes":0}}"#,
        DROP
    ]));
    assert!(midstream(&[NOT_SYN, NEW_SET, REJECT]));
    assert!(midstream(&[
        &dport("tcp", "==", r#"{"set":[22,{"range":[79,81]}]}"#),
        NOT_SYN,
        NEW,
        DROP
    ]));
    assert!(midstream(&[&dport("tcp", "!=", "22"), NOT_SYN, NEW, DROP]));
}

#[test]
fn rules_that_do_not_concern_us_are_left_alone() {
    assert!(!midstream(&[NOT_SYN, NEW, ACCEPT]));
    assert!(!midstream(&[NEW, DROP]));
    assert!(!midstream(&[IS_SYN, NEW, DROP]));
    assert!(!midstream(&[NOT_SYN, KNOWN, DROP]));
    assert!(!midstream(&[
        &dport("tcp", "==", "443"),
        NOT_SYN,
        NEW,
        DROP
    ]));
    assert!(!midstream(&[&dport("tcp", "!=", "80"), NOT_SYN, NEW, DROP]));
}

#[test]
fn notrack_for_the_port_makes_it_harmless() {
    let refusal = [NOT_SYN, NEW, DROP].join(",");
    let notrack = |port: &str| [&dport("tcp", "==", port), r#"{"notrack":null}"#].join(",");
    assert!(nft("accept", &[&notrack("80"), &refusal])
        .refuses_midstream(80)
        .is_empty());
    assert_eq!(
        nft("accept", &[&notrack("81"), &refusal]).refuses_midstream(80),
        ["nft inet f in handle 1"]
    );
}

#[test]
fn a_refused_farm_port_is_found() {
    let udp = |rules: &[&str]| !nft("accept", rules).refuses_udp(6470).is_empty();
    assert!(udp(&[&[&dport("udp", "==", "6470"), DROP].join(",")]));
    assert!(!udp(&[&[&dport("udp", "==", "6471"), DROP].join(",")]));
    assert!(!udp(&[&[&dport("tcp", "==", "6470"), DROP].join(",")]));
    assert!(!udp(&[&[&dport("udp", "==", "6470"), ACCEPT].join(",")]));
}

#[test]
fn a_policy_of_drop_needs_a_rule_that_lets_the_farm_in() {
    let udp = |rules: &[&str]| nft("drop", rules).refuses_udp(6470);
    let usual = [[LOOPBACK, ACCEPT].join(","), [KNOWN, ACCEPT].join(",")];
    let usual: Vec<&str> = usual.iter().map(String::as_str).collect();
    assert_eq!(
        udp(&usual),
        ["chain inet f in has policy drop and accepts it nowhere"]
    );
    let open = [&dport("udp", "==", "6470"), ACCEPT].join(",");
    assert!(udp(&[usual.as_slice(), &[&open]].concat()).is_empty());
    let other = [&dport("udp", "==", "53"), ACCEPT].join(",");
    assert!(!udp(&[usual.as_slice(), &[&other]].concat()).is_empty());
    assert!(nft("accept", &usual).refuses_udp(6470).is_empty());
}

#[test]
fn lines_of_iptables_save_are_read() {
    let midstream = |line: &str| !Firewall::parse("", line).refuses_midstream(80).is_empty();
    assert!(midstream("-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP"));
    assert!(midstream(
        "-A INPUT -p tcp ! --syn -m state --state INVALID,NEW -j REJECT"
    ));
    assert!(midstream(
        "-A INPUT -p tcp -m tcp --dport 80 ! --syn -m state --state NEW -j DROP"
    ));
    assert!(!midstream(
        "-A INPUT -p tcp -m tcp --dport 443 ! --syn -m state --state NEW -j DROP"
    ));
    assert!(!midstream(
        "-A INPUT -p tcp ! --syn -m state --state NEW -j ACCEPT"
    ));
    assert!(!midstream("-A INPUT -p tcp -m state --state NEW -j DROP"));
    assert!(!midstream(
        "# -A INPUT -p tcp ! --syn -m state --state NEW -j DROP"
    ));
    let udp = |line: &str| !Firewall::parse("", line).refuses_udp(6470).is_empty();
    assert!(udp("-A INPUT -p udp -m udp --dport 6470 -j DROP"));
    assert!(udp(
        "-A INPUT -p udp -m multiport --dports 53,6000:7000 -j DROP"
    ));
    assert!(!udp("-A INPUT -p udp -m udp --dport 53 -j DROP"));
    assert!(!udp("-A INPUT -p udp -j DROP"));
}

#[test]
fn nonsense_is_no_rule() {
    for text in [
        "",
        "null",
        "[]",
        r#"{"nftables":[{"rule":{"expr":[1,null,{"match":{}}]}}]}"#,
        "{",
    ] {
        let firewall = Firewall::parse(text, "-A\n-j\n");
        assert!(firewall.refuses_midstream(80).is_empty());
        assert!(firewall.refuses_udp(6470).is_empty());
    }
}

#[test]
fn a_port_that_is_accepted_before_never_comes_to_the_rule() {
    let accept = format!("{},{ACCEPT}", dport("tcp", "==", "80"));
    let refusal = [NOT_SYN, NEW, DROP].join(",");
    let finds = |rules: &[&str]| {
        let firewall = nft("drop", rules);
        let refused = !firewall.refuses_midstream(80).is_empty();
        assert_eq!(refused, firewall.asks_for_state(80));
        refused
    };
    assert!(!finds(&[&accept, &refusal]));
    assert!(finds(&[&refusal, &accept]));
    // What accepts only some of it lets the rest through to the rule.
    let other = format!("{},{ACCEPT}", dport("tcp", "==", "81"));
    assert!(finds(&[&other, &refusal]));
    for part in [IS_SYN, NEW, KNOWN] {
        let some = format!("{},{part},{ACCEPT}", dport("tcp", "==", "80"));
        let firewall = nft("drop", &[&some, &refusal]);
        assert!(!firewall.refuses_midstream(80).is_empty());
    }
}

#[test]
fn rules_that_ask_for_the_state_are_found() {
    let known = format!("{KNOWN},{ACCEPT}");
    assert!(nft("drop", &[&known]).asks_for_state(80));
    assert!(!nft("drop", &[ACCEPT]).asks_for_state(80));
    let other = format!("{},{known}", dport("tcp", "==", "22"));
    assert!(!nft("drop", &[&other]).asks_for_state(80));
    let line = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";
    assert!(Firewall::parse("", line).asks_for_state(80));
    let other = "-A INPUT -p tcp --dport 22 -m state --state NEW -j ACCEPT";
    assert!(!Firewall::parse("", other).asks_for_state(80));
}

const METAINFO: &str = r#"{"nftables":[{"metainfo":{"version":"1.1.3"}}]}"#;

fn unread(nft: Answer, save: Answer) -> Vec<String> {
    Firewall::read(nft, [("iptables-save", save)]).unread
}

#[test]
fn rules_that_were_read_are_all_there_is() {
    let rules = |text: &str| Answer::Rules(text.to_string());
    assert_eq!(unread(rules(METAINFO), rules("")), [""; 0]);
    assert_eq!(unread(rules(METAINFO), Answer::Absent), [""; 0]);
    assert_eq!(unread(Answer::Absent, rules("")), [""; 0]);
    let saved = Firewall::read(
        Answer::Absent,
        [(
            "iptables-save",
            rules("-A INPUT -p udp --dport 6470 -j DROP\n"),
        )],
    );
    assert_eq!(saved.refuses_udp(6470).len(), 1);
}

#[test]
fn what_was_not_read_is_not_taken_for_an_empty_firewall() {
    let failed = || Answer::Failed("Operation not permitted".to_string());
    let rules = |text: &str| Answer::Rules(text.to_string());
    assert_eq!(
        unread(failed(), rules("")),
        ["nft: Operation not permitted"]
    );
    assert_eq!(
        unread(rules(METAINFO), failed()),
        ["iptables-save: Operation not permitted"]
    );
    assert_eq!(unread(failed(), failed()).len(), 2);
    assert_eq!(unread(rules(""), rules("")), ["nft: it printed no ruleset"]);
    assert_eq!(
        unread(Answer::Absent, Answer::Absent),
        ["neither nft nor iptables-save is on the path"]
    );
}

#[test]
fn a_program_that_fails_says_why() {
    let shell = |script| ask("sh", &["-c", script]);
    assert!(matches!(shell("echo a"), Answer::Rules(text) if text == "a\n"));
    assert!(
        matches!(shell("echo; echo no root >&2; echo x >&2; exit 1"), Answer::Failed(why) if why == "no root")
    );
    assert!(matches!(shell("exit 3"), Answer::Failed(why) if why.contains('3')));
    assert!(matches!(
        ask("there-is-no-such-program", &[]),
        Answer::Absent
    ));
}
