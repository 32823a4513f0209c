// SPDX-License-Identifier: GPL-2.0
//! The rules for what tables keep, against obviously right slow twins.
//!
//! Speaks to RFC 6479 (replay window); the rest is our own.

use homing_pure::decide::assemble;
use homing_pure::decide::assemble::assemble;
use homing_pure::decide::assemble::Admission;
use homing_pure::decide::flow::expire;
use homing_pure::decide::flow::Action;
use homing_pure::decide::flow::ClientSegment;
use homing_pure::decide::flow::Expiry;
use homing_pure::decide::flow::First;
use homing_pure::decide::flow::Flow;
use homing_pure::decide::flow::Role;
use homing_pure::decide::flow::Socket;
use homing_pure::decide::flow::State;
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
use std::collections::BTreeSet;

/// A receiver as RFC 9293 describes it: takes what continues the stream, drops what it has.
fn tcp(start: u32, packets: impl Iterator<Item = (u32, Vec<u8>)>) -> Vec<u8> {
    let mut stream = vec![];
    for (seq, bytes) in packets {
        let have = start.wrapping_add(stream.len() as u32).wrapping_sub(seq) as i32;
        if have >= 0 {
            stream.extend(bytes.get(have as usize..).unwrap_or(&[]));
        }
    }
    stream
}

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

    /// Overlapping segments with contradicting bytes, in any order: what we read is what a
    /// receiver reads that gets the packets in the order of the plan, and no byte more could be
    /// read.
    #[test]
    fn we_read_what_the_application_reads(
        start in prop_oneof![any::<u32>(), (0u32..200).prop_map(|b| 0u32.wrapping_sub(b))],
        held in prop::collection::vec((-20i32..120, 0u32..60), 0..11),
    ) {
        let packets: Vec<(u32, Vec<u8>)> = (0u8..)
            .zip(&held)
            .map(|(fill, (at, len))| (start.wrapping_add_signed(*at), vec![fill; *len as usize]))
            .collect();
        let list: Vec<(u32, u32)> =
            packets.iter().map(|(seq, bytes)| (*seq, bytes.len() as u32)).collect();
        let plan = assemble(start, &list);
        let mut ours = vec![];
        for piece in plan.pieces() {
            let (from, len) = (piece.skip as usize, piece.take as usize);
            ours.extend(&packets[piece.index].1[from..from + len]);
        }
        prop_assert_eq!(ours.len(), plan.len as usize);
        let planned = plan.pieces().iter().map(|piece| packets[piece.index].clone());
        prop_assert_eq!(&ours, &tcp(start, planned.clone()));
        // Packets outside the plan, sent after it, change nothing of what was read.
        let rest = (0..packets.len()).filter(|i| plan.pieces().iter().all(|p| p.index != *i));
        let all = tcp(start, planned.chain(rest.map(|i| packets[i].clone())));
        prop_assert_eq!(&all, &ours);
        let indices: BTreeSet<usize> = plan.pieces().iter().map(|p| p.index).collect();
        prop_assert_eq!(indices.len(), plan.pieces().len());

        // The slow twin: offsets that any of the first ten has.
        let offsets: BTreeSet<i32> =
            held.iter().take(10).flat_map(|(at, len)| *at..*at + *len as i32).collect();
        let length = (0..).take_while(|at| offsets.contains(at)).count();
        prop_assert_eq!(plan.len as usize, length);
        prop_assert_eq!(plan.gap, offsets.iter().any(|at| *at >= length as i32));
    }

    /// Holding only what is admitted loses nothing against holding everything, up to the bounds.
    #[test]
    fn admission_loses_no_byte(
        start in any::<u32>(),
        offered in prop::collection::vec((0i32..200, 1u32..60), 0..30),
    ) {
        let mut held: Vec<(u32, u32)> = vec![];
        let mut full = false;
        for (at, len) in &offered {
            let segment = (start.wrapping_add_signed(*at), *len);
            match assemble::admit(start, &held, segment) {
                Admission::Hold => held.push(segment),
                Admission::Duplicate => (),
                Admission::Full => {
                    full = true;
                    break;
                }
                Admission::Outside => prop_assert!(false, "all of it lies in the window"),
            }
        }
        prop_assert!(held.len() <= 10);
        prop_assert_eq!(full && held.len() < 10, false);
        if !full {
            let offsets: BTreeSet<i32> =
                offered.iter().flat_map(|(at, len)| *at..*at + *len as i32).collect();
            let length = (0..).take_while(|at| offsets.contains(at)).count();
            prop_assert_eq!(assemble(start, &held).len as usize, length);
        }
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
                    prop_assert!(action != Action::Hold);
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
        let seen = Seen { last_heard_ms: last, admin, joined };
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
