// SPDX-License-Identifier: GPL-2.0
//! Selection with any farm, and its shares over many picks.
//!
//! Speaks to nothing outside.

use homing_pure::decide::crypto::Prf;
use homing_pure::decide::load::load;
use homing_pure::decide::load::Report;
use homing_pure::decide::select::pick;
use homing_pure::decide::select::rendezvous;
use homing_pure::decide::select::rr;
use homing_pure::decide::select::Candidate;
use homing_pure::decide::select::Policy;
use proptest::prelude::*;
use siphasher::sip::SipHasher24;

struct Sip([u8; 16]);

impl Prf for Sip {
    fn prf(&self, data: &[u8]) -> u64 {
        SipHasher24::new_with_key(&self.0).hash(data)
    }
}

fn farm() -> impl Strategy<Value = Vec<Candidate>> {
    let member = (
        any::<u16>(),
        prop_oneof![0u16..5, any::<u16>()],
        any::<u32>(),
        any::<bool>(),
    );
    prop::collection::vec(member, 0..64).prop_map(|members| {
        let mut list: Vec<_> = members
            .into_iter()
            .map(|(id, weight, load, eligible)| Candidate {
                id,
                weight,
                load,
                eligible,
            })
            .collect();
        list.sort_by_key(|c| c.id);
        list.dedup_by_key(|c| c.id);
        list
    })
}

fn may_win(c: &Candidate) -> bool {
    c.eligible && c.weight > 0
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whoever is picked may be; somebody is if anybody may be; never the worst of several.
    #[test]
    fn picks_are_lawful(list in farm(), random in any::<u64>(), turn in any::<u32>()) {
        let candidates: Vec<_> = list.iter().filter(|c| may_win(c)).collect();
        for policy in [Policy::P2c, Policy::Rr] {
            let mut cursor = turn;
            let picked = pick(policy, &list, random, &mut cursor);
            prop_assert_eq!(picked.is_some(), !candidates.is_empty());
            prop_assert!(picked.is_none_or(|i| may_win(&list[i])));
            // The same arguments, the same answer.
            prop_assert_eq!(picked, pick(policy, &list, random, &mut { turn }));
            if let (Policy::P2c, Some(i), true) = (policy, picked, candidates.len() > 1) {
                let per_weight = |c: &Candidate| f64::from(c.load) / f64::from(c.weight);
                let worse_than_all = candidates
                    .iter()
                    .filter(|c| c.id != list[i].id)
                    .all(|c| per_weight(c) < per_weight(&list[i]));
                prop_assert!(!worse_than_all);
            }
        }
    }

    /// All members pick the same, whatever order their tables are in; the winner is also the
    /// winner among fewer.
    #[test]
    fn rendezvous_agrees(list in farm(), key in any::<[u8; 16]>(), out in any::<prop::sample::Index>()) {
        let prf = Sip([5; 16]);
        let winner = rendezvous::pick(&prf, &key, &list).map(|i| list[i]);
        prop_assert_eq!(winner.is_some(), list.iter().any(may_win));
        let mut other = list.clone();
        other.reverse();
        prop_assert_eq!(rendezvous::pick(&prf, &key, &other).map(|i| other[i]), winner);
        // Load does not count.
        for c in &mut other {
            c.load = 0;
        }
        let id = rendezvous::pick(&prf, &key, &other).map(|i| other[i].id);
        prop_assert_eq!(id, winner.map(|c| c.id));
        if !list.is_empty() {
            let gone = list[out.index(list.len())];
            other.retain(|c| c.id != gone.id);
            let id = rendezvous::pick(&prf, &key, &other).map(|i| other[i].id);
            if winner.is_some_and(|c| c.id != gone.id) {
                prop_assert_eq!(id, winner.map(|c| c.id));
            } else {
                prop_assert!(id.is_none() || id != winner.map(|c| c.id));
            }
        }
    }

    /// Round robin, any weights: exact over a round. Inside one each count is within a half of
    /// what it would like, and all together within n halves, of which a member has its share.
    #[test]
    fn round_robin_is_fair(weights in prop::collection::vec(0u16..12, 1..9), from in 0u32..10_000) {
        let list: Vec<_> = (1..)
            .zip(&weights)
            .map(|(id, weight)| Candidate { id, weight: *weight, load: 0, eligible: true })
            .collect();
        let sum: u32 = weights.iter().map(|w| u32::from(*w)).sum();
        prop_assume!(sum > 0);
        let begin = from - from % sum;
        let mut got = vec![0u32; list.len()];
        for turn in 0..sum {
            got[rr::pick(&list, begin + turn).unwrap()] += 1;
            for (count, weight) in got.iter().zip(&weights) {
                let share = f64::from(*weight) / f64::from(sum);
                let off = f64::from(*count) - f64::from(turn + 1) * share;
                let most = 0.5 + share * weights.len() as f64 / 2.0 + 1e-6;
                prop_assert!(off.abs() <= most, "{got:?} of {weights:?}");
            }
        }
        let mut other = vec![0u32; list.len()];
        for turn in from..from + sum {
            other[rr::pick(&list, turn).unwrap()] += 1;
        }
        let weights: Vec<u32> = weights.into_iter().map(u32::from).collect();
        prop_assert_eq!(&got, &weights);
        prop_assert_eq!(&other, &weights);
    }

    /// More work is never less load.
    #[test]
    fn load_grows(
        sessions in any::<u32>(),
        requests in any::<u32>(),
        cpu_permille in any::<u16>(),
        unreported in any::<u32>(),
    ) {
        let base = Report { sessions, requests, cpu_permille, unreported };
        for more in [
            Report { sessions: sessions.saturating_add(1), ..base },
            Report { requests: requests.saturating_add(1), ..base },
            Report { cpu_permille: cpu_permille.saturating_add(1), ..base },
            Report { unreported: unreported.saturating_add(1), ..base },
        ] {
            prop_assert!(load(&more) >= load(&base));
        }
    }
}

/// 2,000 sessions on members of weight 1, 1, 2, 4 from a running random source: `p2c` within a
/// tenth of the exact share, `rr` within one session.
#[test]
fn two_thousand_sessions() {
    let key = Sip([8; 16]);
    for policy in [Policy::P2c, Policy::Rr] {
        for seed in 0..50u64 {
            let mut cursor = seed as u32 * 1_000_003;
            let mut sessions = [0u32; 4];
            for n in 0..2000u64 {
                let mut list = [1u16, 1, 2, 4].map(|weight| Candidate {
                    id: 0,
                    weight,
                    load: 0,
                    eligible: true,
                });
                for (c, sessions) in list.iter_mut().zip(sessions) {
                    c.load = load(&Report {
                        sessions,
                        ..Report::default()
                    });
                }
                let random = key.prf(&[seed.to_le_bytes(), n.to_le_bytes()].concat());
                sessions[pick(policy, &list, random, &mut cursor).unwrap()] += 1;
            }
            for (got, want) in sessions.into_iter().zip([250u32, 250, 500, 1000]) {
                let off = if policy == Policy::P2c { want / 10 } else { 1 };
                assert!(got.abs_diff(want) <= off, "{policy:?} {seed}: {sessions:?}");
            }
        }
    }
}
