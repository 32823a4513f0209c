// SPDX-License-Identifier: GPL-2.0

//! Tests of the firewall reader, on what nft 1.1.3 and iptables-save 1.8.11 print.

use super::*;

const FARM: u16 = 6470;

fn web() -> SocketAddr {
    "10.80.0.1:80".parse().unwrap()
}

fn web6() -> SocketAddr {
    "[fd80::1]:80".parse().unwrap()
}

fn members() -> Vec<IpAddr> {
    vec!["10.9.0.11".parse().unwrap(), "10.9.0.12".parse().unwrap()]
}

fn members6() -> Vec<IpAddr> {
    vec!["fd09::11".parse().unwrap()]
}

/// One chain of this family and hook with this policy and these rules, each a list of JSON expressions.
fn chain(family: &str, hook: &str, policy: &str, rules: &[&str]) -> Firewall {
    let mut objects = vec![format!(
        r#"{{"chain":{{"family":"{family}","table":"f","name":"in","type":"filter","hook":"{hook}","prio":0,"policy":"{policy}"}}}}"#
    )];
    for (handle, rule) in rules.iter().enumerate() {
        objects.push(format!(
            r#"{{"rule":{{"family":"{family}","table":"f","chain":"in","handle":{handle},"expr":[{rule}]}}}}"#
        ));
    }
    let text = format!(r#"{{"nftables":[{}]}}"#, objects.join(","));
    assert_eq!(listed(&text).len(), 1 + rules.len());
    Firewall::read(Answer::Rules(text), [])
}

/// One chain of hook input in a table of both families.
fn nft(policy: &str, rules: &[&str]) -> Firewall {
    chain("inet", "input", policy, rules)
}

/// What this program printed.
fn printed(program: &'static str, lines: &[&str]) -> Firewall {
    let text = format!("{}\n", lines.join("\n"));
    Firewall::read(Answer::Absent, [(program, Answer::Rules(text))])
}

/// The filter table of iptables-save with these rules.
fn iptables(rules: &[&str]) -> Firewall {
    let table = [
        "*filter",
        ":INPUT ACCEPT [0:0]",
        ":FORWARD DROP [0:0]",
        ":OUTPUT ACCEPT [0:0]",
        ":web - [0:0]",
    ];
    printed("iptables-save", &[&table, rules].concat())
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
        .refuses_midstream(web())
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
        .refuses_midstream(web())
        .is_empty());
    assert_eq!(
        nft("accept", &[&notrack("81"), &refusal]).refuses_midstream(web()),
        ["nft inet f in handle 1"]
    );
}

#[test]
fn a_refused_farm_port_is_found() {
    let udp = |rules: &[&str]| {
        !nft("accept", rules)
            .refuses_udp(FARM, &members())
            .is_empty()
    };
    assert!(udp(&[&[&dport("udp", "==", "6470"), DROP].join(",")]));
    assert!(!udp(&[&[&dport("udp", "==", "6471"), DROP].join(",")]));
    assert!(!udp(&[&[&dport("tcp", "==", "6470"), DROP].join(",")]));
    assert!(!udp(&[&[&dport("udp", "==", "6470"), ACCEPT].join(",")]));
}

#[test]
fn a_policy_of_drop_needs_a_rule_that_lets_the_farm_in() {
    let udp = |rules: &[&str]| nft("drop", rules).refuses_udp(FARM, &members());
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
    assert!(nft("accept", &usual)
        .refuses_udp(FARM, &members())
        .is_empty());
}

#[test]
fn lines_of_iptables_save_are_read() {
    let midstream = |line: &str| !iptables(&[line]).refuses_midstream(web()).is_empty();
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
    let udp = |line: &str| !iptables(&[line]).refuses_udp(FARM, &members()).is_empty();
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
        let save = Answer::Rules("-A\n-A INPUT\n-A INPUT -j\n-j\n:\n*\n".to_string());
        let firewall = Firewall::read(Answer::Rules(text.to_string()), [("iptables-save", save)]);
        assert!(firewall.refuses_midstream(web()).is_empty());
        assert!(firewall.refuses_udp(FARM, &members()).is_empty());
    }
}

#[test]
fn a_port_that_is_accepted_before_never_comes_to_the_rule() {
    let accept = format!("{},{ACCEPT}", dport("tcp", "==", "80"));
    let refusal = [NOT_SYN, NEW, DROP].join(",");
    let finds = |rules: &[&str]| {
        let firewall = nft("drop", rules);
        let refused = !firewall.refuses_midstream(web()).is_empty();
        assert_eq!(refused, firewall.asks_for_state(web()));
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
        assert!(!firewall.refuses_midstream(web()).is_empty());
    }
}

#[test]
fn rules_that_ask_for_the_state_are_found() {
    let known = format!("{KNOWN},{ACCEPT}");
    assert!(nft("drop", &[&known]).asks_for_state(web()));
    assert!(!nft("drop", &[ACCEPT]).asks_for_state(web()));
    let other = format!("{},{known}", dport("tcp", "==", "22"));
    assert!(!nft("drop", &[&other]).asks_for_state(web()));
    let line = "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";
    assert!(iptables(&[line]).asks_for_state(web()));
    let other = "-A INPUT -p tcp --dport 22 -m state --state NEW -j ACCEPT";
    assert!(!iptables(&[other]).asks_for_state(web()));
}

/// What iptables-save prints of `! --syn`, with `--ctstate NEW`.
const NEW_NOT_SYN: &str =
    "-A INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN -m conntrack --ctstate NEW -j DROP";

/// Whether these rules of iptables refuse a service, and that they ask for the state just then.
fn refuses(rules: &[&str]) -> bool {
    let firewall = iptables(rules);
    let refused = !firewall.refuses_midstream(web()).is_empty();
    assert_eq!(refused, firewall.asks_for_state(web()));
    refused
}

#[test]
fn a_line_that_accepts_the_port_before_shields_it() {
    assert!(refuses(&[NEW_NOT_SYN]));
    for accept in [
        "-A INPUT -d 10.80.0.1/32 -p tcp -m tcp --dport 80 -j ACCEPT",
        "-A INPUT -p tcp -m multiport --dports 22,80:81 -j ACCEPT",
        "-A INPUT -i eth0 -p tcp -m tcp --dport 80 -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 80 -j web",
        "-A INPUT -d 10.80.0.1/32 -j ACCEPT",
        "-A INPUT -p tcp -j ACCEPT",
        "-A INPUT -p tcp -m tcp ! --dport 22 -j ACCEPT",
    ] {
        assert!(!refuses(&[accept, NEW_NOT_SYN]), "{accept}");
        assert!(refuses(&[NEW_NOT_SYN, accept]), "{accept}");
    }
    for other in [
        "-A INPUT -p tcp -m tcp --dport 81 -j ACCEPT",
        "-A INPUT -p tcp -m tcp ! --dport 80 -j ACCEPT",
        "-A INPUT -p udp -j ACCEPT",
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -j web",
        "-A INPUT -s 10.0.0.0/8 -j ACCEPT",
        "-A INPUT -m set --match-set trusted src -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 80 -m conntrack --ctstate ESTABLISHED -j ACCEPT",
        "-A INPUT -p tcp -m tcp --dport 80 -j LOG",
        "-A FORWARD -p tcp -m tcp --dport 80 -j ACCEPT",
        "-A web -p tcp -m tcp --dport 80 -j ACCEPT",
        "*mangle\n:INPUT ACCEPT [0:0]\n-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT\n*filter",
    ] {
        assert!(refuses(&[other, NEW_NOT_SYN]), "{other}");
    }
    // A table of the same name, of another program.
    let accept = "*filter\n-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT".to_string();
    let both = Firewall::read(
        Answer::Absent,
        [
            ("iptables-legacy-save", Answer::Rules(accept)),
            (
                "iptables-save",
                Answer::Rules(format!("*filter\n{NEW_NOT_SYN}")),
            ),
        ],
    );
    assert_eq!(both.refuses_midstream(web()), [NEW_NOT_SYN]);
}

#[test]
fn an_accept_of_everything_shields_and_one_of_some_senders_does_not() {
    let refusal = [NOT_SYN, NEW, DROP].join(",");
    let address = |field: &str| {
        format!(
            r#"{{"match":{{"op":"==","left":{{"payload":{{"protocol":"ip","field":"{field}"}}}},"right":"10.80.0.1"}}}}"#
        )
    };
    let refused = |accept: &str| {
        let accept = [accept, ACCEPT].join(",");
        !nft("accept", &[&accept, &refusal])
            .refuses_midstream(web())
            .is_empty()
    };
    assert!(!refused(&address("daddr")));
    assert!(refused(&address("saddr")));
    assert!(!refused(
        &[address("saddr"), dport("tcp", "==", "80")].join(",")
    ));
    assert!(refused(r#"{"xt":{"type":"match","name":"set"}}"#));
}

#[test]
fn lines_that_do_not_track_the_port_make_it_harmless() {
    let raw = |lines: &[&str]| {
        let table = ["*raw", ":PREROUTING ACCEPT [0:0]", ":OUTPUT ACCEPT [0:0]"];
        let lines = [
            &table,
            lines,
            &["*filter", ":INPUT ACCEPT [0:0]", NEW_NOT_SYN],
        ]
        .concat();
        let firewall = printed("iptables-save", &lines);
        let refused = !firewall.refuses_midstream(web()).is_empty();
        assert_eq!(refused, firewall.asks_for_state(web()));
        refused
    };
    assert!(!raw(&[
        "-A PREROUTING -p tcp -m tcp --dport 80 -j CT --notrack"
    ]));
    assert!(!raw(&["-A PREROUTING -d 10.80.0.1/32 -p tcp -j NOTRACK"]));
    assert!(raw(&[
        "-A PREROUTING -p tcp -m tcp --dport 81 -j CT --notrack"
    ]));
    assert!(raw(&[
        "-A PREROUTING -p tcp -m tcp --dport 80 -j CT --zone 1"
    ]));
    assert!(raw(&["-A PREROUTING -p udp -j NOTRACK"]));
    assert!(raw(&["-A PREROUTING -i lo -j NOTRACK"]));
    assert!(raw(&["-A OUTPUT -p tcp -m tcp --dport 80 -j CT --notrack"]));
}

#[test]
fn lines_that_do_not_concern_us_are_left_alone() {
    let drop = NEW_NOT_SYN.strip_prefix("-A INPUT -p tcp").unwrap();
    let refused = |rule: &str| refuses(&[&format!("{rule}{drop}")]);
    assert!(refused("-A INPUT -p tcp"));
    for chain in ["FORWARD", "OUTPUT"] {
        assert!(!refused(&format!("-A {chain} -p tcp")), "{chain}");
    }
    // Where it is jumped to from is not known.
    assert!(refused("-A web -p tcp"));
    assert!(!refused("-A INPUT -p tcp -m tcp ! --dport 80"));
    assert!(!refused("-A INPUT -p tcp -m multiport ! --dports 22,80"));
    assert!(refused("-A INPUT -p tcp -m tcp ! --dport 22"));
    assert!(!refused("-A INPUT -p udp"));
    assert!(!refused("-A INPUT ! -p tcp"));
    assert!(refused("-A INPUT ! -p udp"));
    assert!(!refused("-A INPUT -i lo"));
    assert!(refused("-A INPUT ! -i lo"));
    let known = NEW_NOT_SYN.replace("--ctstate", "! --ctstate");
    assert!(iptables(&[&known]).refuses_midstream(web()).is_empty());
    let line = "-A POSTROUTING -p tcp -m state --state NEW -j ACCEPT";
    let nat = printed(
        "iptables-save",
        &["*nat", ":POSTROUTING ACCEPT [0:0]", line],
    );
    assert!(!nat.asks_for_state(web()));
}

#[test]
fn flags_that_no_data_has_are_left_alone() {
    let refused = |flags: &str| {
        refuses(&[&format!(
            "-A INPUT -p tcp -m tcp {flags} -m state --state NEW -j DROP"
        )])
    };
    assert!(refused("! --tcp-flags SYN SYN"));
    assert!(refused("--tcp-flags SYN,ACK ACK"));
    for flags in [
        "--tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE",
        "--tcp-flags FIN,SYN,RST,PSH,ACK,URG FIN,PSH,URG",
        "--tcp-flags SYN,RST SYN,RST",
        "--tcp-flags FIN,ACK FIN",
    ] {
        assert!(!refused(flags), "{flags}");
    }
    let none = r#"{"match":{"op":"!","left":{"payload":{"protocol":"tcp","field":"flags"}},"right":["fin","syn","rst","psh","ack","urg"]}}"#;
    assert!(!midstream(&[none, NEW, DROP]));
    assert!(!midstream(&[NOT_SYN, IS_SYN, NEW, DROP]));
    let right = |set: &str| NOT_SYN.replace(r#""right":"syn""#, &format!(r#""right":{set}"#));
    assert!(!midstream(&[&right(r#"{"set":["syn","ack"]}"#), NEW, DROP]));
    assert!(midstream(&[
        &right(r#"{"set":["syn",{"|":["syn","ack"]}]}"#),
        NEW,
        DROP
    ]));
}

#[test]
fn rules_of_one_family_concern_only_its_addresses() {
    let both = |firewall: &Firewall| {
        [web(), web6()].map(|service| !firewall.refuses_midstream(service).is_empty())
    };
    let asks =
        |firewall: &Firewall| [web(), web6()].map(|service| firewall.asks_for_state(service));
    for (program, concerned) in [
        ("iptables-save", [true, false]),
        ("iptables-legacy-save", [true, false]),
        ("ip6tables-save", [false, true]),
        ("ip6tables-legacy-save", [false, true]),
    ] {
        let firewall = printed(program, &[NEW_NOT_SYN]);
        assert_eq!(both(&firewall), concerned, "{program}");
        assert_eq!(asks(&firewall), concerned, "{program}");
        let udp = printed(program, &["-A INPUT -p udp -m udp --dport 6470 -j DROP"]);
        let refused = [members(), members6()].map(|m| !udp.refuses_udp(FARM, &m).is_empty());
        assert_eq!(refused, concerned, "{program}");
    }
    let refusal = [NOT_SYN, NEW, DROP].join(",");
    let udp = [&dport("udp", "==", "6470"), DROP].join(",");
    for (family, concerned) in [
        ("inet", [true, true]),
        ("ip", [true, false]),
        ("ip6", [false, true]),
        ("bridge", [false, false]),
        ("arp", [false, false]),
        ("netdev", [false, false]),
    ] {
        for (policy, rule) in [("accept", &udp), ("drop", &refusal)] {
            let firewall = chain(family, "input", policy, &[&refusal, rule]);
            assert_eq!(both(&firewall), concerned, "{family}");
            assert_eq!(asks(&firewall), concerned, "{family}");
            let refused =
                [members(), members6()].map(|m| !firewall.refuses_udp(FARM, &m).is_empty());
            assert_eq!(refused, concerned, "{family} {policy}");
            let all = [members(), members6()].concat();
            assert_eq!(
                !firewall.refuses_udp(FARM, &all).is_empty(),
                concerned.contains(&true),
                "{family} {policy}"
            );
        }
    }
    // In a table of both families, by what the rule looks at.
    let saddr = r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip6","field":"saddr"}},"right":{"prefix":{"addr":"2000::","len":3}}}}"#;
    let nfproto = |op: &str| {
        format!(
            r#"{{"match":{{"op":"{op}","left":{{"meta":{{"key":"nfproto"}}}},"right":"ipv4"}}}}"#
        )
    };
    for (one, concerned) in [
        (saddr.to_string(), [false, true]),
        (nfproto("=="), [true, false]),
        (nfproto("!="), [false, true]),
    ] {
        let rule = [&one, NOT_SYN, NEW, DROP].join(",");
        assert_eq!(both(&nft("accept", &[&rule])), concerned, "{one}");
    }
}

#[test]
fn rules_at_other_hooks_do_not_concern_us() {
    let refusal = [NOT_SYN, NEW, DROP].join(",");
    let udp = [&dport("udp", "==", "6470"), DROP].join(",");
    for (hook, concerned) in [
        ("prerouting", true),
        ("input", true),
        ("forward", false),
        ("output", false),
        ("postrouting", false),
        ("ingress", false),
    ] {
        let firewall = chain("inet", hook, "accept", &[&refusal, &udp]);
        assert_eq!(
            !firewall.refuses_midstream(web()).is_empty(),
            concerned,
            "{hook}"
        );
        assert_eq!(firewall.asks_for_state(web()), concerned, "{hook}");
        assert_eq!(
            !firewall.refuses_udp(FARM, &members()).is_empty(),
            concerned,
            "{hook}"
        );
    }
    // Where a chain that is at no hook is jumped to from is not known.
    let text = format!(
        r#"{{"nftables":[{{"chain":{{"family":"inet","table":"f","name":"in"}}}},
        {{"rule":{{"family":"inet","table":"f","chain":"in","expr":[{refusal}]}}}}]}}"#
    );
    let jumped = Firewall::read(Answer::Rules(text), []);
    assert!(!jumped.refuses_midstream(web()).is_empty());
}

#[test]
fn a_farm_port_that_someone_may_use_is_not_refused() {
    let port = dport("udp", "==", "6470");
    let drop = [&port, DROP].join(",");
    let saddr = r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"set":["10.9.0.11","10.9.0.12"]}}}"#;
    let iifname = r#"{"match":{"op":"==","left":{"meta":{"key":"iifname"}},"right":"eth1"}}"#;
    let jump = r#"{"jump":{"target":"farm"}}"#;
    let refused = |rules: &[&str]| {
        !nft("accept", rules)
            .refuses_udp(FARM, &members())
            .is_empty()
    };
    for before in [
        [saddr, &port, ACCEPT].join(","),
        [saddr, ACCEPT].join(","),
        [iifname, ACCEPT].join(","),
        [&port, jump].join(","),
    ] {
        assert!(!refused(&[&before, &drop]), "{before}");
        assert!(refused(&[&drop, &before]), "{before}");
    }
    for before in [
        [LOOPBACK, ACCEPT].join(","),
        [KNOWN, ACCEPT].join(","),
        [&dport("udp", "==", "53"), ACCEPT].join(","),
        [&dport("tcp", "==", "22"), ACCEPT].join(","),
    ] {
        assert!(refused(&[&before, &drop]), "{before}");
    }
    // A drop of some senders, devices or too many packets.
    let limit = r#"{"limit":{"rate":9,"burst":5,"per":"second","inv":true}}"#;
    for some in [
        saddr,
        iifname,
        limit,
        r#"{"xt":{"type":"match","name":"set"}}"#,
    ] {
        assert!(!refused(&[&[some, &port, DROP].join(",")]), "{some}");
    }
    let log = r#"{"counter":{"packets":0,"bytes":0}},{"log":{"prefix":"a"}}"#;
    assert!(refused(&[&[&port, log, DROP].join(",")]));
}

#[test]
fn a_farm_port_that_someone_may_use_by_iptables_is_not_refused() {
    let drop = "-A INPUT -p udp -m udp --dport 6470 -j DROP";
    let refused = |rules: &[&str]| !iptables(rules).refuses_udp(FARM, &members()).is_empty();
    for before in [
        "-A INPUT -s 10.9.0.0/24 -p udp -m udp --dport 6470 -j ACCEPT",
        "-A INPUT -s 10.9.0.0/24 -j ACCEPT",
        "-A INPUT -i eth1 -j ACCEPT",
        "-A INPUT -p udp -m set --match-set farm src -j ACCEPT",
        "-A INPUT -p udp -m udp --dport 6470 -j web",
        "-A INPUT -p udp -m udp --dport 6470 -g web",
    ] {
        assert!(!refused(&[before, drop]), "{before}");
        assert!(refused(&[drop, before]), "{before}");
    }
    for before in [
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -p tcp -j ACCEPT",
        "-A INPUT -p udp -m udp --dport 53 -j ACCEPT",
        "-A INPUT -p udp -m udp ! --dport 6470 -j ACCEPT",
        "-A INPUT -m state --state RELATED,ESTABLISHED -j ACCEPT",
        "-A INPUT -j LOG --log-prefix \"in: \"",
        "-A FORWARD -p udp -j ACCEPT",
    ] {
        assert!(refused(&[before, drop]), "{before}");
    }
    for some in [
        "-A INPUT -s 192.0.2.0/24 -p udp -m udp --dport 6470 -j DROP",
        "-A INPUT ! -s 10.9.0.0/24 -p udp -m udp --dport 6470 -j DROP",
        "-A INPUT -d 192.0.2.1/32 -p udp -m udp --dport 6470 -j DROP",
        "-A INPUT -i eth1 -p udp -m udp --dport 6470 -j DROP",
        "-A INPUT -p udp -m udp --sport 53 --dport 6470 -j DROP",
        "-A INPUT -p udp -m udp --dport 6470 -m set ! --match-set farm src -j DROP",
        "-A INPUT -p udp -m udp ! --dport 6470 -j DROP",
        "-A FORWARD -p udp -m udp --dport 6470 -j DROP",
    ] {
        assert!(!refused(&[some]), "{some}");
    }
    assert!(refused(&["-A INPUT -p udp -m udp --dport 6470 -m comment --comment \"no farm\" -j REJECT --reject-with icmp-port-unreachable"]));
}

#[test]
fn what_may_be_let_in_by_a_map_is_not_refused_by_a_policy() {
    let refused = |rule: &str| {
        !nft("drop", &[rule])
            .refuses_udp(FARM, &members())
            .is_empty()
    };
    assert!(!refused(
        r#"{"vmap":{"key":{"payload":{"protocol":"udp","field":"dport"}},"data":{"set":[[53,{"jump":{"target":"web"}}],[6470,{"accept":null}]]}}}"#
    ));
    assert!(!refused(
        r#"{"vmap":{"key":{"meta":{"key":"iifname"}},"data":"@m"}}"#
    ));
    assert!(!refused(r#"{"queue":{"num":0}}"#));
    for rule in [
        LOOPBACK.replace("==", "!="),
        r#"{"match":{"op":"==","left":{"meta":{"key":"l4proto"}},"right":"@m"}}"#.to_string(),
        r#"{"match":{"op":"!=","left":{"meta":{"key":"l4proto"}},"right":"tcp"}}"#.to_string(),
        KNOWN.replace("\"in\"", "\"!=\""),
    ] {
        assert!(!refused(&[&rule, ACCEPT].join(",")), "{rule}");
    }
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
    assert_eq!(saved.refuses_udp(FARM, &members()).len(), 1);
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
