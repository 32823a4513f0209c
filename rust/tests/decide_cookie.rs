// SPDX-License-Identifier: GPL-2.0
//! SYN cookies under the real keyed function: any SYN, any member, any clock within an epoch.
//!
//! Speaks to SipHash-2-4 through an implementation that is not the kernel's.

use homing_pure::decide::cookie;
use homing_pure::decide::cookie::SynOptions;
use homing_pure::decide::crypto::Prf;
use homing_pure::decide::limits::EPOCH_S;
use homing_pure::wire::addr::Addr;
use homing_pure::wire::addr::Tuple;
use proptest::prelude::*;
use siphasher::sip::SipHasher24;

struct Sip([u8; 16]);

impl Prf for Sip {
    fn prf(&self, data: &[u8]) -> u64 {
        SipHasher24::new_with_key(&self.0).hash(data)
    }
}

fn tuples() -> impl Strategy<Value = Tuple> {
    let addr = prop_oneof![
        (any::<[u8; 4]>(), any::<[u8; 4]>()).prop_map(|(c, v)| (Addr::v4(c), Addr::v4(v))),
        (any::<[u8; 16]>(), any::<[u8; 16]>()).prop_map(|(c, v)| (Addr::v6(c), Addr::v6(v))),
    ];
    (addr, any::<u16>(), any::<u16>()).prop_map(|((client, vip), client_port, vip_port)| Tuple {
        client,
        vip,
        client_port,
        vip_port,
    })
}

fn options() -> impl Strategy<Value = SynOptions> {
    let wscale = prop_oneof![Just(None), (0u8..=14).prop_map(Some)];
    (
        any::<u16>(),
        wscale,
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(mss, wscale, sack, timestamps, ecn)| SynOptions {
            mss,
            wscale,
            sack,
            timestamps,
            ecn,
        })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// What the SYN offered comes back, rounded down or exact, on another member whose clock is
    /// off by less than an epoch; with timestamps exactly.
    #[test]
    fn any_member_verifies_any_members(
        keys in any::<[[u8; 16]; 2]>(),
        parity in 0u8..2,
        tuple in tuples(),
        isn in any::<u32>(),
        opts in options(),
        now in EPOCH_S..u64::from(u32::MAX),
        skew in 0..=2 * EPOCH_S,
        clock_ms in any::<u32>(),
    ) {
        let [even, odd] = keys.map(Sip);
        let prf = if parity == 0 { &even } else { &odd };
        let both = [Some(&even), Some(&odd)];
        let made = cookie::make(prf, parity, &tuple, isn, &opts, now);
        let value = made.isn;
        let later = now - EPOCH_S + skew;
        let got = cookie::verify(both, &tuple, isn, value, later);
        prop_assert!(got.is_some());
        let got = got.unwrap();
        let table = if tuple.vip.is_v4() { cookie::MSS_V4 } else { cookie::MSS_V6 };
        prop_assert!(table.contains(&got.mss));
        prop_assert!(got.mss <= opts.mss.max(table[0]));
        let larger = table.iter().find(|entry| **entry > got.mss);
        prop_assert!(larger.is_none_or(|entry| *entry > opts.mss));
        prop_assert_eq!(got.snd_wscale.is_some(), opts.wscale.is_some());
        prop_assert!(got.snd_wscale <= opts.wscale);
        prop_assert_eq!((got.sack, got.ecn, got.key), (opts.sack, false, parity));
        let delta = (now / EPOCH_S) as i64 - (later / EPOCH_S) as i64;
        prop_assert_eq!(i64::from(got.epoch_delta), delta);

        let tsval = made.tsval(clock_ms, &opts);
        let exact = cookie::verify_with_ts(both, &tuple, isn, value, Some(tsval), later).unwrap();
        prop_assert_eq!(
            (exact.mss, exact.snd_wscale, exact.sack, exact.ecn),
            (got.mss, opts.wscale, opts.sack, opts.ecn)
        );
    }

    /// Any echo, from a client that makes it up, never reaches past what a window scale may be.
    #[test]
    fn any_timestamp_is_survived(opts in options(), tsecr in any::<u32>()) {
        let key = Sip([1; 16]);
        let tuple = Tuple::default();
        let value = cookie::make(&key, 0, &tuple, 1, &opts, 1000).isn;
        let keys = [Some(&key), None];
        let base = cookie::verify(keys, &tuple, 1, value, 1000).unwrap();
        let got = cookie::verify_with_ts(keys, &tuple, 1, value, Some(tsecr), 1000).unwrap();
        prop_assert!(got.snd_wscale.unwrap_or(0) <= 14);
        prop_assert_eq!(got.sack, base.sack);
        prop_assert_eq!(got.snd_wscale.is_some(), base.snd_wscale.is_some());
    }

    /// A segment that was overtaken by none, one, ... ten others is found. Where another beginning
    /// verifies by chance, once in some hundred thousand cases, nothing is said.
    #[test]
    fn early_segments_are_found(
        tuple in tuples(),
        isn in any::<u32>(),
        opts in options(),
        k in 1u8..=10,
        now in 1104u16..9040,
        usual in 1304u16..1325,
    ) {
        let key = Sip([7; 16]);
        let keys = [Some(&key), None];
        let value = cookie::make(&key, 0, &tuple, isn, &opts, 5000).isn;
        let fits = cookie::Fits { now, usual };
        let before = cookie::Fits { now: usual, usual };
        let told = [&fits, &before].map(|f| u32::from(f.told(&tuple, opts.mss)));
        let mss = told[usize::from(opts.sack)];
        let full = if opts.timestamps { mss - 12 } else { mss };
        let seq = isn.wrapping_add(1).wrapping_add(full * u32::from(k));
        let ack = value.wrapping_add(1);
        for others in 1..=10 {
            for size in told.into_iter().flat_map(|mss| [mss, mss - 12]) {
                let begun = seq.wrapping_sub(1).wrapping_sub(size * others);
                let by_chance = begun != isn && cookie::verify(keys, &tuple, begun, value, 5000).is_some();
                prop_assume!(!by_chance);
            }
        }
        let got = cookie::early_segment(keys, &tuple, seq, ack, &fits, opts.timestamps, 5000);
        let base = cookie::verify(keys, &tuple, isn, value, 5000).unwrap();
        // Nine segments of one size may be six of another.
        let fits = |found: u8| told.into_iter().flat_map(|mss| [mss, mss - 12]).any(|size| size * u32::from(found) == full * u32::from(k));
        prop_assert!(got.is_some_and(|(begun, found, agreed)| (begun, agreed) == (isn, base) && fits(found)), "{got:?}");
    }
}

/// Guessing: of a million wrong cookies about 3 / 2^24 verify, so 0.18 of them.
#[test]
fn guesses_fail() {
    let key = Sip([9; 16]);
    let tuple = Tuple::default();
    let mut found = 0;
    for guess in 0..1_000_000u32 {
        let value = guess.wrapping_mul(0x9e37_79b9) & !1;
        found += u32::from(cookie::verify([Some(&key), None], &tuple, 1, value, 5000).is_some());
    }
    // Six or more by chance: once in 20 million keys. This key is fixed.
    assert!(found < 6, "{found} of a million guesses verified");
}

/// Each bit of the hash is set in about half of all cookies.
#[test]
fn cookies_spread() {
    let key = Sip([3; 16]);
    let opts = SynOptions {
        mss: 1460,
        wscale: Some(7),
        sack: true,
        timestamps: true,
        ecn: false,
    };
    let mut set = [0u32; 32];
    for client_port in 0..20_000 {
        let tuple = Tuple {
            client_port,
            ..Tuple::default()
        };
        let value = cookie::make(&key, 1, &tuple, 1, &opts, 5000).isn;
        for (bit, count) in set.iter_mut().enumerate() {
            *count += (value >> bit) & 1;
        }
    }
    for count in &set[8..] {
        assert!(count.abs_diff(10_000) < 400, "{set:?}");
    }
}
