// SPDX-License-Identifier: GPL-2.0
//! The rules for what tables keep, against obviously right slow twins.
//!
//! Speaks to RFC 6479 (replay window); the rest is our own.

use homing_pure::decide::assemble::place;
use homing_pure::decide::assemble::Added;
use homing_pure::decide::assemble::Held;
use homing_pure::decide::flow::expire;
use homing_pure::decide::flow::Action;
use homing_pure::decide::flow::ClientSegment;
use homing_pure::decide::flow::Expiry;
use homing_pure::decide::flow::First;
use homing_pure::decide::flow::Flow;
use homing_pure::decide::flow::Role;
use homing_pure::decide::flow::Socket;
use homing_pure::decide::flow::State;
use homing_pure::decide::limits::DOWN_INTERVALS;
use homing_pure::decide::limits::REPLAY_WINDOW;
use homing_pure::decide::member;
use homing_pure::decide::member::Liveness;
use homing_pure::decide::member::Seen;
use homing_pure::decide::member::Times;
use homing_pure::decide::member::Votes;
use homing_pure::decide::replay::Window;
use homing_pure::decide::session::combine;
use homing_pure::decide::session::merge;
use homing_pure::decide::session::Merge;
use homing_pure::wire::control::AdminState;
use homing_pure::wire::control::Association;
use homing_pure::wire::tcp::flags;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn records() -> impl Strategy<Value = Association> {
    (1u16..4, 1u16..4, 0u32..4, 0u32..3, 0u8..4).prop_map(
        |(home, origin, version, last_used, flags)| Association {
            key: [1; 16],
            home,
            origin,
            version,
            created: 5,
            last_used,
            group: 1,
            flags,
        },
    )
}

/// What a member ends with that hears these, storing only when told to.
fn hear_all<'a>(records: impl Iterator<Item = &'a Association>) -> Option<Association> {
    let mut known: Option<Association> = None;
    for new in records {
        let result = combine(known.as_ref(), new);
        match merge(known.as_ref(), new) {
            Merge::Store => known = Some(result),
            Merge::Ignore => assert_eq!(known, Some(result)),
        }
    }
    known
}

fn segments() -> impl Strategy<Value = ClientSegment> {
    let first = prop_oneof![Just(First::No), Just(First::Same), Just(First::Other)];
    (any::<u8>(), 0u32..2, first, any::<bool>()).prop_map(|(flags, payload_len, first, socket)| {
        ClientSegment {
            flags,
            payload_len,
            first,
            socket,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Overlapping segments with contradicting bytes, in any order: each byte is kept as it came
    /// first, exactly what no gap precedes can be read, and what is refused changes nothing.
    #[test]
    fn each_byte_is_held_as_it_came_first(
        start in prop_oneof![any::<u32>(), (0u32..200).prop_map(|b| 0u32.wrapping_sub(b))],
        segments in prop::collection::vec((-20i32..300, 0u32..40), 0..60),
    ) {
        let mut held = Held::new();
        let mut bytes = [0u8; 400];
        let mut twin = BTreeMap::new();
        for (fill, (offset, len)) in (1u8..).zip(&segments) {
            let seq = start.wrapping_add_signed(*offset);
            let Some(at) = place(start, seq, *len) else {
                prop_assert!(*len == 0 || offset + *len as i32 <= 0);
                continue;
            };
            prop_assert_eq!(at.begin as i32, (*offset).max(0));
            prop_assert_eq!(at.end as i32, offset + *len as i32);
            prop_assert_eq!(at.skip as i32, (-offset).max(0));
            let mut new = vec![];
            let before = held;
            let added = held.add(at.begin, at.end, |from, to| {
                new.extend(from..to);
                true
            });
            let missing: Vec<u32> = (at.begin..at.end).filter(|b| !twin.contains_key(b)).collect();
            match added {
                Added::New => prop_assert!(!missing.is_empty() && new == missing),
                Added::Duplicate => prop_assert!(missing.is_empty() && new.is_empty()),
                Added::Refused => {
                    prop_assert_eq!(held, before);
                    continue;
                }
            }
            for b in new {
                bytes[b as usize] = fill;
                twin.insert(b, fill);
            }
            let head = (0..).take_while(|b| twin.contains_key(b)).count() as u32;
            prop_assert_eq!(held.head(), head);
            prop_assert_eq!(held.gap(), twin.keys().any(|b| *b >= head));
        }
        prop_assert!(twin.iter().all(|(b, fill)| bytes[*b as usize] == *fill));
    }

    /// A head in 2 to 17 segments of any size, in any order and with repetitions, is never refused.
    #[test]
    fn seventeen_segments_always_fit(
        sizes in prop::collection::vec(1u32..900, 2..=17),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let mut parts = vec![];
        let mut at = 0;
        for size in sizes {
            parts.push((at, at + size));
            at += size;
        }
        let mut held = Held::new();
        let shuffled: Vec<_> = order.iter().map(|i| *i.get(&parts)).collect();
        for (begin, end) in shuffled.iter().chain(parts.iter().rev()) {
            prop_assert_ne!(held.add(*begin, *end, |_, _| true), Added::Refused);
        }
        prop_assert_eq!((held.head(), held.gap()), (at, false));
    }

    /// Whatever the order, and however often: all members end with the same association.
    #[test]
    fn associations_converge(
        records in prop::collection::vec(records(), 1..7),
        order in any::<[prop::sample::Index; 12]>(),
    ) {
        let reference = hear_all(records.iter());
        let shuffled = order.iter().map(|i| i.get(&records));
        let other = hear_all(shuffled.chain(records.iter().rev()));
        prop_assert_eq!(other, reference);
        let end = reference.unwrap();
        let ended = records.iter().any(|a| a.flags & Association::ENDED != 0);
        prop_assert_eq!(end.flags & Association::ENDED != 0, ended);
        if !ended {
            prop_assert_eq!(end.version, records.iter().map(|a| a.version).max().unwrap());
        }
    }

    /// The window against a set that remembers everything.
    #[test]
    fn replay_window(steps in prop::collection::vec((0u8..8, 0u64..2000), 0..200), base in any::<u64>()) {
        let mut window = Window::new();
        let mut seen = BTreeSet::new();
        let mut top = 0u64;
        for (kind, amount) in steps {
            let sequence = match kind {
                // Forward by a little, by about a window, and by far.
                0..=3 => top.saturating_add(amount % 4),
                4 => top.saturating_add(amount),
                5 if amount < 20 => top.max(base),
                // Late.
                _ => top.saturating_sub(amount),
            };
            let late = top > sequence && top - sequence >= REPLAY_WINDOW;
            let want = sequence != 0 && !late && !seen.contains(&sequence);
            prop_assert_eq!(window.is_new(sequence), want);
            prop_assert_eq!(window.accept(sequence), want);
            if want {
                seen.insert(sequence);
                top = top.max(sequence);
            }
            prop_assert_eq!(window.top(), top);
        }
    }

    /// Any segments in any order: what must never happen at a flow.
    #[test]
    fn flows_keep_their_promises(
        role in prop_oneof![Just(Role::Entry), Just(Role::Owner), Just(Role::Both)],
        steps in prop::collection::vec((segments(), any::<u8>(), 0u8..10), 0..40),
    ) {
        let mut flow = Flow::decided(role);
        let mut spawns = 0;
        for (mut segment, flags, kind) in steps {
            segment.socket &= role != Role::Entry;
            let before = flow.state;
            match kind {
                0 => flow.on_hand_off_ack(),
                1 if role != Role::Entry => flow.on_server_segment(flags),
                2 => flow.on_gone(),
                _ => {
                    let action = flow.on_client_segment(&segment);
                    let relayed = matches!(action, Action::Relay { .. });
                    prop_assert!(!relayed || role == Role::Entry);
                    // Only the verified first segment makes a socket, only where the socket
                    // belongs, never twice on a flow that had one.
                    if action == Action::Spawn {
                        spawns += 1;
                        prop_assert_eq!(before, State::Decided);
                        prop_assert_eq!(segment.first, First::Same);
                        prop_assert!(role != Role::Entry && !segment.socket);
                    }
                    // What came through the tunnel is not decided on here.
                    prop_assert!(action != Action::Renew || role != Role::Owner);
                    prop_assert!(action != Action::Refuse || role != Role::Entry);
                    // A segment that has a socket reaches it.
                    prop_assert!(!segment.socket || action == Action::Deliver);
                    // A listener is shown no stray segment, so it cannot answer RST.
                    let stray = before == State::Decided && !segment.socket;
                    prop_assert!(!stray || action != Action::Deliver);
                    // A request never runs twice: its first segment again meets the socket that
                    // it made, or nothing.
                    let again = before >= State::Live && segment.first == First::Same;
                    let ours = role != Role::Entry && !segment.socket;
                    prop_assert!(!again || !ours || action != Action::Deliver);
                    let syn = segment.flags & (flags::SYN | flags::ACK) == flags::SYN;
                    prop_assert!(syn || action != Action::AnswerSyn);
                }
            }
            prop_assert!(flow.state >= before, "a flow does not become younger");
            prop_assert!(spawns <= 3);
        }
        // A socket that is there keeps the flow; none that is gone keeps it for ever.
        if role != Role::Entry {
            prop_assert_eq!(expire(&flow, u64::MAX, u64::MAX, Socket::Present), Expiry::Keep);
            prop_assert_eq!(expire(&flow, u64::MAX, u64::MAX, Socket::Unknown), Expiry::AskSocket);
        }
        let end = expire(&flow, u64::MAX, u64::MAX, Socket::Absent);
        prop_assert!(matches!(end, Expiry::Close | Expiry::Free));
        prop_assert_eq!(expire(&flow, 0, 0, Socket::Absent), Expiry::Keep);
    }

    /// More silence never makes a member look better, and one that is heard is never down.
    #[test]
    fn silence_only_makes_worse(
        last in 0u64..1_000_000,
        first_wait in 0u64..5_000,
        more in 0u64..5_000,
        voters in 0u16..64,
        hear_it in 0u16..64,
        joined in any::<bool>(),
        draining in any::<bool>(),
    ) {
        let admin = if draining { AdminState::Draining } else { AdminState::Up };
        let seen = Seen { last_heard_ms: last, missed: DOWN_INTERVALS, admin, joined };
        let votes = Votes { voters, hear_it: hear_it.min(voters) };
        let at = |wait| member::liveness(&seen, last + wait, &Times::default(), &votes);
        let badness = |l| match l {
            Liveness::Up | Liveness::Joining | Liveness::Draining => 0,
            Liveness::Suspect => 1,
            Liveness::Down => 2,
        };
        prop_assert!(badness(at(first_wait)) <= badness(at(first_wait + more)));
        prop_assert!(first_wait > 250 || badness(at(first_wait)) == 0);
        prop_assert!(first_wait >= 1000 || at(first_wait) != Liveness::Down);
        // Half of those we hear still hear it: not down, however long.
        if voters > 0 && votes.hear_it * 2 >= voters {
            prop_assert!(at(first_wait + more) != Liveness::Down);
        }
    }
}
