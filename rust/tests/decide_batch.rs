// SPDX-License-Identifier: GPL-2.0
//! Associations over a network that loses, repeats and reorders: nothing stays lost.
//!
//! Speaks to `decide::{batch, join}`.

use homing_pure::decide::batch::{missing, Late, Need, Reader, Ring, Seen, LATE_MAX};
use homing_pure::decide::join::{Intake, Next, Sending};
use homing_pure::wire::control::{Arrived, Association};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A network: what it does with each message follows from a seed.
struct Net {
    seed: u64,
    loss: u64,
    queue: Vec<(u64, u64)>,
}

impl Net {
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Lost, once or twice, sooner or later (in steps).
    fn send(&mut self, now: u64, what: u64) {
        let copies = match self.random() % 100 {
            n if n < self.loss => 0,
            n if n > 90 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let at = now + self.random() % 3;
            self.queue.push((at, what));
        }
    }

    fn arrived(&mut self, now: u64) -> Vec<u64> {
        let (there, later) = self.queue.drain(..).partition(|(at, _)| *at <= now);
        self.queue = later;
        let mut there: Vec<u64> = Vec::<(u64, u64)>::into_iter(there)
            .map(|(_, w)| w)
            .collect();
        for i in (1..there.len()).rev() {
            let j = (self.random() % (i as u64 + 1)) as usize;
            there.swap(i, j);
        }
        there
    }
}

fn record(n: u64) -> Association {
    Association {
        created: n as u32,
        ..Association::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Every association arrives, once what is pushed comes to an end; a report is every fourth
    /// step and may be lost too.
    #[test]
    fn nothing_stays_lost(seed: u64, loss in 0u64..60, rate in 1u64..60) {
        let mut ring = Ring::new(vec![Association::default(); 4096]);
        let mut net = Net { seed, loss, queue: vec![] };
        let (mut seen, mut reader) = (Seen::default(), Reader::default());
        let mut got = BTreeSet::new();
        let mut need = Need::Nothing;
        let mut again = 0u64;
        for step in 0..2000u64 {
            if step < 60 {
                for _ in 0..net.random() % rate {
                    let n = ring.push(&record(ring.head() + 1));
                    net.send(step, n);
                }
            }
            for n in net.arrived(step) {
                got.insert(n);
                seen.note(n);
            }
            if step % 4 == 0 && net.random() % 100 >= loss {
                let report = *seen.report();
                need = reader.reported(&report, ring.head(), ring.oldest());
                again = report.low;
            }
            prop_assert_ne!(need, Need::All);
            if need == Need::Resend {
                for _ in 0..64 {
                    let Some(n) = missing(&reader.report, again, reader.due) else {
                        need = Need::Nothing;
                        break;
                    };
                    prop_assert_eq!(ring.get(n).map(|a| u64::from(a.created)), Some(n));
                    net.send(step, n);
                    again = n;
                }
            }
            if step > 60 && seen.low() == ring.head() {
                break;
            }
        }
        prop_assert_eq!(seen.low(), ring.head());
        prop_assert_eq!(got, (1..=ring.head()).collect::<BTreeSet<_>>());
    }

    /// What waits is sent once, in whatever order processors push, and no report asks for it before.
    #[test]
    fn what_waits_is_sent_once(seed: u64, last in 1u64..400) {
        let mut net = Net { seed, loss: 0, queue: vec![] };
        let mut order: Vec<u64> = (1..=last).collect();
        for _ in 0..net.random() % 50 {
            let i = (net.random() % last) as usize;
            order.swap(i, (i + 1) % last as usize);
        }
        let (mut late, mut got) = (Late::default(), Vec::new());
        for n in order {
            let now = match net.random() % 20 {
                0 => late.take(),
                _ => None,
            };
            let with = late.push(n, net.random() % 3 != 0);
            for (first, count) in now.into_iter().chain(with) {
                prop_assert!((1..=LATE_MAX + 1).contains(&count));
                got.extend(first..first + count);
            }
            let sent: BTreeSet<u64> = got.iter().copied().collect();
            let waits = (1..=n).find(|m| m > &late.sent(n));
            prop_assert!(waits.is_none_or(|m| !sent.contains(&m)));
        }
        got.extend(late.take().into_iter().flat_map(|(first, count)| first..first + count));
        got.sort_unstable();
        prop_assert_eq!(got, (1..=last).collect::<Vec<u64>>());
    }

    /// What fell off the ring is noticed, and only then.
    #[test]
    fn what_fell_off_is_noticed(pushed in 1u64..200, low in 0u64..200) {
        let mut ring = Ring::new(vec![Association::default(); 64]);
        for n in 1..=pushed {
            ring.push(&record(n));
        }
        let low = low.min(pushed);
        let report = Arrived { low, ..Arrived::default() };
        let mut reader = Reader::default();
        reader.reported(&report, ring.head(), ring.oldest());
        let want = match low {
            _ if low == pushed => Need::Nothing,
            _ if pushed - low > 64 => Need::All,
            _ => Need::Resend,
        };
        prop_assert_eq!(reader.reported(&report, ring.head(), ring.oldest()), want);
        prop_assert_eq!(ring.get(low + 1).is_none(), want != Need::Resend);
    }

    /// The map of what arrived agrees with a set, whatever order the numbers come in.
    #[test]
    fn the_map_is_right(mut numbers in prop::collection::vec(1u64..1500, 0..900), jump in 0u64..1500) {
        numbers.push(1);
        let mut seen = Seen::default();
        let mut set = BTreeSet::new();
        for n in numbers {
            let fits = n > seen.low() && n <= seen.low() + 512;
            prop_assert_eq!(seen.note(n), fits && !set.contains(&n));
            if fits {
                set.insert(n);
            }
        }
        let mut low = seen.low();
        prop_assert!((1..=low).all(|n| set.contains(&n)));
        prop_assert!(!set.contains(&(low + 1)));
        let gaps: Vec<u64> = std::iter::from_fn(|| {
            low = missing(seen.report(), low, 2000)?;
            Some(low)
        }).collect();
        let want: Vec<u64> = (1..=2000).filter(|n| !set.contains(n)).collect();
        prop_assert_eq!(gaps, want);
        seen.jump(jump);
        set.extend(1..=jump);
        prop_assert_eq!(seen.low() + 1, (1..).find(|n| !set.contains(n)).unwrap());
        prop_assert_eq!(missing(seen.report(), 0, 3000), Some(seen.low() + 1));
    }

    /// A walk arrives whole, however bad the network; it ends at both sides.
    #[test]
    fn a_walk_arrives_whole(seed: u64, loss in 0u64..60, chunks in prop::collection::vec(1u8..=32, 1..20)) {
        let mut net = Net { seed, loss, queue: vec![] };
        let mut back = Net { seed: !seed, loss, queue: vec![] };
        let (mut out, mut into) = (Sending::new(1), Intake::default());
        let mut made = 0;
        let mut got = BTreeSet::new();
        let mut complete = 0;
        let mut parts = vec![];
        let mut answers = vec![];
        for step in 0..20_000u64 {
            for i in net.arrived(step) {
                let (number, part): (usize, _) = parts[i as usize];
                let known = into.take(&part);
                got.insert((number, part.index));
                if let Some(took) = known {
                    complete += u32::from(took.complete);
                    back.send(step, answers.len() as u64);
                    answers.push(took.answer);
                }
            }
            for i in back.arrived(step) {
                out.on_parts(&answers[i as usize]);
            }
            match out.next(step * 10, 50) {
                Next::Chunk => {
                    out.made(chunks[made], made + 1 == chunks.len());
                    made += 1;
                }
                Next::Send(map) => for index in (0..32u8).filter(|i| (map >> i) & 1 != 0) {
                    net.send(step, parts.len() as u64);
                    parts.push((made, out.part(index, 0)));
                },
                Next::Wait => {}
                Next::Done => break,
            }
        }
        prop_assert_eq!(out.next(u64::MAX, 50), Next::Done);
        prop_assert!(into.is_complete());
        prop_assert_eq!(complete, 1);
        let all: usize = chunks.iter().map(|n| usize::from(*n)).sum();
        prop_assert_eq!(got.len(), all);
    }
}
