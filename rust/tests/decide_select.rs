// SPDX-License-Identifier: GPL-2.0
//! Selection with any farm, and its shares over many picks.
//!
//! Speaks to nothing outside.

use homing_pure::decide::crypto::Prf;
use homing_pure::decide::load::load;
use homing_pure::decide::load::Report;
use homing_pure::decide::member::{admitted, ramp};
use homing_pure::decide::select::Candidate;
use homing_pure::decide::select::{least_sessions, maglev, p2c, rendezvous, rr, wrr};
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
                sessions: load / 2,
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
        let mut credits = wrr::Credits::default();
        for picked in [
            p2c::pick(&list, random),
            rr::pick(&list, turn),
            wrr::pick(&list, &mut credits),
            least_sessions::pick(&list, random),
        ] {
            prop_assert_eq!(picked.is_some(), !candidates.is_empty());
            prop_assert!(picked.is_none_or(|i| may_win(&list[i])));
        }
        // The same arguments, the same answer.
        prop_assert_eq!(p2c::pick(&list, random), p2c::pick(&list, random));
        let worst = |value: fn(&Candidate) -> u32, i: usize| {
            let per_weight = |c: &Candidate| f64::from(value(c)) / f64::from(c.weight);
            candidates.iter().filter(|c| c.id != list[i].id).all(|c| per_weight(c) < per_weight(&list[i]))
        };
        if let (Some(i), true) = (p2c::pick(&list, random), candidates.len() > 1) {
            prop_assert!(!worst(|c| c.load, i));
        }
        if let (Some(i), true) = (least_sessions::pick(&list, random), candidates.len() > 1) {
            prop_assert!(!worst(|c| c.sessions, i));
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
            .map(|(id, weight)| Candidate { id, weight: *weight, eligible: true, ..Candidate::NONE })
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

const WEIGHTS: [u16; 4] = [1, 1, 2, 4];

fn four() -> [Candidate; 4] {
    let mut id = 0;
    WEIGHTS.map(|weight| {
        id += 1;
        Candidate {
            id,
            weight,
            eligible: true,
            ..Candidate::NONE
        }
    })
}

fn set_loads(list: &mut [Candidate], sessions: &[u32], unreported: &[u32]) {
    for ((c, sessions), unreported) in list.iter_mut().zip(sessions).zip(unreported) {
        c.sessions = sessions + unreported;
        c.load = load(&Report {
            sessions: *sessions,
            unreported: *unreported,
            ..Report::default()
        });
    }
}

/// Sessions on members of weight 1, 1, 2, 4 from a running random source: `p2c` within a tenth of
/// the exact share, the others within one session.
fn shares_of(total: u64, seed: u64) {
    let key = Sip([8; 16]);
    let mut credits = wrr::Credits::default();
    for policy in ["p2c", "rr", "wrr", "least-sessions"] {
        let mut sessions = [0u32; 4];
        for n in 0..total {
            let mut list = four();
            set_loads(&mut list, &sessions, &[0; 4]);
            let random = key.prf(&[seed.to_le_bytes(), n.to_le_bytes()].concat());
            let picked = match policy {
                "p2c" => p2c::pick(&list, random),
                "rr" => rr::pick(&list, (seed as u32 * 1_000_003).wrapping_add(n as u32)),
                "wrr" => wrr::pick(&list, &mut credits),
                _ => least_sessions::pick(&list, random),
            };
            sessions[picked.unwrap()] += 1;
        }
        for (got, weight) in sessions.into_iter().zip(WEIGHTS) {
            let want = (total * u64::from(weight) / 8) as u32;
            let off = if policy == "p2c" { want / 10 } else { 3 };
            assert!(got.abs_diff(want) <= off, "{policy} {seed}: {sessions:?}");
        }
    }
}

#[test]
fn two_thousand_sessions() {
    for seed in 0..50 {
        shares_of(2000, seed);
    }
}

#[test]
fn a_hundred_thousand_sessions() {
    shares_of(100_000, 1);
}

/// All members select at once with reports that never come: each counts only what it has given
/// itself, and yet all get the same within a tenth.
#[test]
fn no_herd_within_one_interval() {
    for seed in 0..20u64 {
        let key = Sip([seed as u8; 16]);
        let mut given = [[0u32; 4]; 4];
        for n in 0..1000u64 {
            let random = key.prf(&n.to_le_bytes());
            let own = &mut given[(random % 4) as usize];
            let mut list = [1, 2, 3, 4].map(|id| Candidate {
                id,
                weight: 100,
                eligible: true,
                ..Candidate::NONE
            });
            set_loads(&mut list, &[500; 4], own);
            own[p2c::pick(&list, key.prf(&random.to_le_bytes())).unwrap()] += 1;
        }
        for i in 0..4 {
            let got: u32 = given.iter().map(|g| g[i]).sum();
            assert!(got.abs_diff(250) <= 25, "{seed}: {given:?}");
        }
    }
}

/// A member at half its slow start gets half of what it would get, under every policy.
#[test]
fn half_the_ramp_is_half_the_share() {
    let key = Sip([3; 16]);
    for policy in ["p2c", "rr", "wrr", "least-sessions", "maglev"] {
        let mut got = [0u32; 2];
        for (age, got) in [10_000, 5_000].into_iter().zip(&mut got) {
            let mut credits = wrr::Credits::default();
            let mut all = [1, 2, 3, 4].map(|id| Candidate {
                id,
                weight: 100,
                eligible: true,
                ..Candidate::NONE
            });
            let mut table = vec![0; maglev::SIZE];
            maglev::fill(&mut table, &all);
            // The new one has few sessions, the others many.
            set_loads(&mut all, &[1000, 1000, 1000, 0], &[0; 4]);
            for n in 0..20_000u64 {
                let random = key.prf(&n.to_le_bytes());
                let client = key.prf(&(!n).to_le_bytes());
                let bits = if policy == "maglev" {
                    client >> 32
                } else {
                    client
                };
                let mut list = all;
                list[3].eligible = admitted(ramp(age, u64::MAX, 10_000), bits);
                let picked = match policy {
                    "p2c" => p2c::pick(&list, random),
                    "rr" => rr::pick(&list, n as u32),
                    "wrr" => wrr::pick(&list, &mut credits),
                    "least-sessions" => least_sessions::pick(&list, random),
                    _ => maglev::pick(&table, client, |i| list[i].eligible),
                };
                *got += u32::from(picked == Some(3));
            }
        }
        let [whole, half] = got.map(f64::from);
        assert!(
            (half / whole - 0.5).abs() <= 0.1,
            "{policy}: {half} of {whole}"
        );
    }
}

/// A member that leaves a Maglev farm moves its own clients and few others.
#[test]
fn maglev_moves_little() {
    for members in [2usize, 3, 4, 8, 64] {
        let all: Vec<_> = (1..=members as u16)
            .map(|id| Candidate {
                id,
                weight: 100,
                eligible: true,
                ..Candidate::NONE
            })
            .collect();
        let mut before = vec![0; maglev::SIZE];
        maglev::fill(&mut before, &all);
        for gone in [0, members - 1] {
            let mut less = all.clone();
            less[gone].eligible = false;
            let mut after = vec![0; maglev::SIZE];
            maglev::fill(&mut after, &less);
            let moved = before.iter().zip(&after).filter(|(a, b)| a != b).count();
            let most = 1.0 / members as f64 + 0.02;
            let part = moved as f64 / maglev::SIZE as f64;
            assert!(part <= most, "{members} without {gone}: {part}");
        }
        for index in 0..members {
            let got = before.iter().filter(|p| **p == index as u8).count();
            assert!(got.abs_diff(maglev::SIZE / members) <= 1);
        }
    }
    let mut table = vec![0; maglev::SIZE];
    maglev::fill(&mut table, &four());
    let mut got = [0u32; 4];
    for n in 0..100_000u128 {
        let client = maglev::client(4, &n.to_be_bytes());
        got[maglev::pick(&table, client, |_| true).unwrap()] += 1;
    }
    for (got, weight) in got.into_iter().zip(WEIGHTS) {
        let want = 12_500 * u32::from(weight);
        assert!(got.abs_diff(want) <= want / 20, "{got} of {want}");
    }
}
