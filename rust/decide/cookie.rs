// SPDX-License-Identifier: GPL-2.0
//! SYN cookies that any member of the farm can verify, and what they remember of the SYN.
//!
//! Speaks to RFC 4987 section 3.6, RFC 9293 section 3.4.1, RFC 7323, and
//! `net/ipv4/syncookies.c` for the idea of the timestamp's low bits.
//!
//! The 32 bits, highest first:
//!
//! ```text
//!   24  keyed hash of 4-tuple, client's ISN, epoch and the eight bits below
//!    3  MSS, an index into the table of the address family, rounded down
//!    3  window scale, one of eight codes, rounded down; code 0 is "none offered"
//!    1  SACK permitted
//!    1  parity of the key
//! ```
//!
//! Nothing that a connection needs hangs on the timestamp option, since many clients send none.
//! When they do, its low six bits carry what the eight bits had to round: the exact window scale
//! (15 is "none"), SACK, and ECN.
//!
//! A forger has to send 2^24 / 3 segments on average for one that verifies, since three epochs
//! are accepted; failures are to be counted. [`early_segment`] accepts 30 to 60 times as many
//! values, so it may decide only that a segment is held or dropped in silence.

use crate::decide::crypto::Prf;
use crate::decide::crypto::Use;
use crate::decide::limits::COOKIE_HASH_BITS;
use crate::decide::limits::EARLY_SEGMENTS;
use crate::decide::limits::EPOCH_S;
use crate::decide::limits::MSS_MIN_V4;
use crate::decide::limits::MSS_MIN_V6;
use crate::decide::limits::TIMESTAMPS_LEN;
use crate::decide::limits::WSCALE_MAX;
use crate::wire::addr::Tuple;

/// MSS values over IPv4, bytes: the legal minimum, tunnels, DSL and VPN, Ethernet, jumbo frames.
pub const MSS_V4: [u16; 8] = [MSS_MIN_V4, 1000, 1300, 1360, 1400, 1440, 1460, 8960];

/// MSS values over IPv6, bytes; as [`MSS_V4`].
pub const MSS_V6: [u16; 8] = [MSS_MIN_V6, 1280, 1340, 1380, 1400, 1420, 1440, 8940];

/// Window scales of the codes 1 to 7: what common systems send (7 Linux, 8 Windows, 6 Apple),
/// and steps below and above. A window read with a smaller scale than meant is only smaller.
const WSCALES: [u8; 7] = [0, 2, 4, 6, 7, 8, 10];

/// Low bits of our timestamp that carry options.
const TS_BITS: u32 = 6;
const TS_MASK: u32 = (1 << TS_BITS) - 1;
const TS_WSCALE: u32 = 0xf;
const TS_SACK: u32 = 1 << 4;
const TS_ECN: u32 = 1 << 5;

/// What the client's SYN offered, as far as it can be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SynOptions {
    /// The client's MSS option in bytes; without one 536 (IPv4) or 1220 (IPv6), RFC 9293 3.7.1.
    pub mss: u16,
    /// The client's window scale; `None` if not offered (then we offer none either).
    pub wscale: Option<u8>,
    /// SACK permitted.
    pub sack: bool,
    /// The timestamp option was there and is answered.
    pub timestamps: bool,
    /// ECN was asked for. Survives only with timestamps.
    pub ecn: bool,
}

/// What a verified cookie says about the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Established {
    /// Largest segment to send, bytes: the client's MSS option rounded down to the table, but
    /// never below the table's first.
    pub mss: u16,
    /// Scale of the windows that the client sends, at most what it offered.
    pub snd_wscale: Option<u8>,
    /// SACK was agreed.
    pub sack: bool,
    /// ECN was agreed.
    pub ecn: bool,
    /// Which of the two keys made the cookie.
    pub key: u8,
    /// Epoch of the cookie minus the present one: -1, 0 or 1.
    pub epoch_delta: i8,
}

/// What a SYN is answered with; from one keyed hash, which gives both parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Made {
    /// The cookie: our ISN.
    pub isn: u32,
    /// Where this client's clock begins.
    start: u32,
}

impl Made {
    /// Our timestamp: a clock that differs from client to client (one that is the same for all
    /// tells strangers which ports are in use), with options in its low six bits.
    ///
    /// `clock_ms` is the farm's clock in milliseconds, wrapped to 32 bits.
    pub fn tsval(&self, clock_ms: u32, opts: &SynOptions) -> u32 {
        let clock = clock_ms.wrapping_add(self.start);
        let wscale = opts
            .wscale
            .map_or(TS_WSCALE, |w| u32::from(w.min(WSCALE_MAX)));
        let sack = if opts.sack { TS_SACK } else { 0 };
        let ecn = if opts.ecn { TS_ECN } else { 0 };
        (clock & !TS_MASK) | wscale | sack | ecn
    }
}

/// The cookie to answer a SYN with.
///
/// `prf` is the key of parity `parity` (its low bit counts). `now_s` is the farm's clock in
/// seconds, the same on all members within an epoch.
pub fn make<P: Prf>(
    prf: &P,
    parity: u8,
    tuple: &Tuple,
    client_isn: u32,
    opts: &SynOptions,
    now_s: u64,
) -> Made {
    let bits = (mss_index(tuple, opts.mss) << 5)
        | (wscale_code(opts.wscale) << 2)
        | (u32::from(opts.sack) << 1)
        | u32::from(parity & 1);
    let hash = keyed(prf, tuple, client_isn, now_s / EPOCH_S, bits);
    Made {
        isn: (hash as u32 & HASH_MASK) | bits,
        start: (hash >> 32) as u32,
    }
}

/// Verifies a cookie without looking at timestamps.
///
/// `prfs` are the keys by parity. `cookie` is the segment's acknowledgement minus 1, `client_isn`
/// its sequence number minus 1.
pub fn verify<P: Prf>(
    prfs: [Option<&P>; 2],
    tuple: &Tuple,
    client_isn: u32,
    cookie: u32,
    now_s: u64,
) -> Option<Established> {
    let key = cookie & 1;
    let [even, odd] = prfs;
    let prf = if key == 0 { even } else { odd }?;
    let bits = cookie & !HASH_MASK;
    let now = now_s / EPOCH_S;
    // Most cookies are of this epoch, and clocks that run ahead are the rarest.
    let (_, epoch_delta) = [
        (Some(now), 0i8),
        (now.checked_sub(1), -1),
        (now.checked_add(1), 1),
    ]
    .into_iter()
    .find(|(epoch, _)| {
        epoch.is_some_and(|e| hash(prf, tuple, client_isn, e, bits) ^ cookie == bits)
    })?;
    Some(Established {
        mss: mss_of(tuple, bits >> 5),
        snd_wscale: wscale_of(bits >> 2),
        sack: bits & 2 != 0,
        ecn: false,
        key: (key & 1) as u8,
        epoch_delta,
    })
}

/// Verifies a cookie; with timestamps the exact values of TSecr count.
///
/// `tsecr` is the echo reply of the segment's timestamp option, `None` if it has none. TSecr is
/// not authenticated, so it counts only if it agrees with the cookie: its window scale rounds
/// down to the cookie's and SACK is the same. Else something on the way rewrote timestamps, and
/// the cookie alone counts.
pub fn verify_with_ts<P: Prf>(
    prfs: [Option<&P>; 2],
    tuple: &Tuple,
    client_isn: u32,
    cookie: u32,
    tsecr: Option<u32>,
    now_s: u64,
) -> Option<Established> {
    verify(prfs, tuple, client_isn, cookie, now_s).map(|base| refine(base, tsecr))
}

/// What the low bits of our timestamp say when the client echoes it: exact window scale, SACK,
/// ECN. Counts only next to a cookie that verifies.
pub fn read_tsecr(tsecr: u32) -> (Option<u8>, bool, bool) {
    let wscale = (tsecr & TS_WSCALE) as u8;
    (
        (wscale <= WSCALE_MAX).then_some(wscale),
        tsecr & TS_SACK != 0,
        tsecr & TS_ECN != 0,
    )
}

/// Segments that fit through the farm's network, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fits {
    /// Now.
    pub now: u16,
    /// Unless it was found to carry more or less than Ethernet.
    pub usual: u16,
}

impl Fits {
    /// The MSS that our SYN-ACK tells a client whose own is `mss`: never more than fits, and more than
    /// usual only as far as the client's, as a cookie keeps it. So whoever knows the cookie knows how
    /// long the client's full segments are, whatever its network carries.
    pub fn told(&self, tuple: &Tuple, mss: u16) -> u16 {
        let kept = mss_of(tuple, mss_index(tuple, mss));
        self.now.min(kept.max(self.usual))
    }
}

/// Whether a data segment is an early one of a valid connection, whose first has not come yet.
///
/// Tries the ISNs that are `k` full segments before it, k = 1..=10, for full segments as the SYN-ACK
/// has told ([`Fits::told`]), now or before it was found what fits, and, if the segment has
/// `timestamps`, 12 bytes less. Answers with the client's ISN and k. `ack` is the segment's acknowledgement: still our ISN plus 1.
///
/// Good enough to hold or drop the segment instead of answering RST; a connection is made only
/// from a segment that [`verify`] accepts.
pub fn early_segment<P: Prf>(
    prfs: [Option<&P>; 2],
    tuple: &Tuple,
    seq: u32,
    ack: u32,
    fits: &Fits,
    timestamps: bool,
    now_s: u64,
) -> Option<(u32, u8, Established)> {
    let cookie = ack.wrapping_sub(1);
    let mss = mss_of(tuple, cookie >> 5);
    let full = fits.told(tuple, mss);
    let before = Fits {
        now: fits.usual,
        ..*fits
    };
    let before = Some(before.told(tuple, mss)).filter(|before| *before != full);
    let less = |full: u16| timestamps.then(|| full.saturating_sub(TIMESTAMPS_LEN as u16));
    // What a sender with timestamps really fills comes first.
    let sizes = [less(full), Some(full), before.and_then(less), before];
    (1..=EARLY_SEGMENTS).find_map(|k| {
        sizes.into_iter().flatten().find_map(|size| {
            let size = u32::from(size);
            let back = size.wrapping_mul(u32::from(k));
            let isn = seq.wrapping_sub(1).wrapping_sub(back);
            verify(prfs, tuple, isn, cookie, now_s).map(|base| (isn, k, base))
        })
    })
}

/// Replaces rounded values by the exact ones of TSecr if both agree.
fn refine(base: Established, tsecr: Option<u32>) -> Established {
    let Some(tsecr) = tsecr else { return base };
    let (snd_wscale, sack, ecn) = read_tsecr(tsecr);
    if sack != base.sack || wscale_code(snd_wscale) != wscale_code(base.snd_wscale) {
        return base;
    }
    Established {
        snd_wscale,
        ecn,
        ..base
    }
}

const HASH_MASK: u32 = u32::MAX << (u32::BITS - COOKIE_HASH_BITS);

/// The upper 24 bits of a cookie.
fn hash<P: Prf>(prf: &P, tuple: &Tuple, client_isn: u32, epoch: u64, bits: u32) -> u32 {
    keyed(prf, tuple, client_isn, epoch, bits) as u32 & HASH_MASK
}

/// The keyed hash: its lower half is for the cookie, its upper half for the client's clock. In
/// words, as SipHash reads them, and no more of them than it takes: each costs two rounds.
fn keyed<P: Prf>(prf: &P, tuple: &Tuple, client_isn: u32, epoch: u64, bits: u32) -> u64 {
    let join = |high: u32, low: u32| (u64::from(high) << 32) | u64::from(low);
    let ports = (u32::from(tuple.client_port) << 16) | u32::from(tuple.vip_port);
    let connection = join(ports, client_isn);
    // Two bytes and an epoch in six: for all time that there is.
    let bits = (u64::from(Use::Cookie as u8) << 56) | (u64::from(bits as u8) << 48);
    let rest = bits | (epoch & (u64::MAX >> 16));
    // Families differ by the length, which SipHash takes in too.
    match (tuple.client.as_v4(), tuple.vip.as_v4()) {
        (Some(client), Some(vip)) => {
            let addresses = join(u32::from_be_bytes(client), u32::from_be_bytes(vip));
            prf.prf(&bytes::<24>(&[addresses, connection, rest]))
        }
        _ => {
            let (client, vip) = (tuple.client.0, tuple.vip.0);
            let (client, vip) = (u128::from_be_bytes(client), u128::from_be_bytes(vip));
            let [c0, c1] = [(client >> 64) as u64, client as u64];
            let [v0, v1] = [(vip >> 64) as u64, vip as u64];
            prf.prf(&bytes::<48>(&[c0, c1, v0, v1, connection, rest]))
        }
    }
}

/// Words one behind the other.
#[inline]
fn bytes<const N: usize>(words: &[u64]) -> [u8; N] {
    let mut out = [0; N];
    for (to, word) in out.chunks_exact_mut(8).zip(words) {
        if let Some(to) = to.first_chunk_mut::<8>() {
            *to = word.to_le_bytes();
        }
    }
    out
}

fn mss_table(tuple: &Tuple) -> &'static [u16; 8] {
    if tuple.vip.is_v4() {
        &MSS_V4
    } else {
        &MSS_V6
    }
}

/// Index of the largest entry that is not above `mss`, else of the smallest.
fn mss_index(tuple: &Tuple, mss: u16) -> u32 {
    let [_, rest @ ..] = mss_table(tuple);
    (1..8)
        .zip(rest)
        .take_while(|(_, entry)| **entry <= mss)
        .last()
        .map_or(0, |(i, _)| i)
}

/// The table's entry; `index` counts with its low three bits.
fn mss_of(tuple: &Tuple, index: u32) -> u16 {
    let table = mss_table(tuple);
    table
        .get((index & 7) as usize)
        .copied()
        .unwrap_or(MSS_MIN_V4)
}

/// Code of the largest window scale that is not above; 0 for none.
fn wscale_code(wscale: Option<u8>) -> u32 {
    let Some(wscale) = wscale else { return 0 };
    // The first entry is 0, so at least one is not above.
    (1..8)
        .zip(&WSCALES)
        .take_while(|(_, w)| **w <= wscale)
        .last()
        .map_or(0, |(i, _)| i)
}

/// The window scale of a code; `code` counts with its low three bits.
fn wscale_of(code: u32) -> Option<u8> {
    let index = (code & 7).checked_sub(1)?;
    WSCALES.get(index as usize).copied()
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_cookie))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::decide::crypto::toy::Toy;
    use crate::wire::addr::Addr;

    const V4: Tuple = Tuple {
        client: Addr::v4([192, 0, 2, 1]),
        vip: Addr::v4([10, 80, 0, 1]),
        client_port: 40_000,
        vip_port: 80,
    };
    const V6: Tuple = Tuple {
        client: Addr::v6([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        vip: Addr::v6([0xfd, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        client_port: 40_000,
        vip_port: 80,
    };
    const OPTS: SynOptions = SynOptions {
        mss: 1460,
        wscale: Some(7),
        sack: true,
        timestamps: false,
        ecn: false,
    };
    const NOW: u64 = 1_000 * EPOCH_S;
    const ISN: u32 = 0xffff_fff0;

    fn check(tuple: &Tuple, opts: &SynOptions) -> Option<Established> {
        let key = Toy(5);
        verify(
            [None, Some(&key)],
            tuple,
            ISN,
            make(&key, 1, tuple, ISN, opts, NOW).isn,
            NOW,
        )
    }

    #[test]
    fn every_mss_is_rounded_down() {
        for (tuple, table) in [(V4, MSS_V4), (V6, MSS_V6)] {
            let mut last = 0;
            for entry in table {
                assert!(entry > last);
                for (mss, want) in [(entry, entry), (entry - 1, last), (entry + 1, entry)] {
                    let got = check(&tuple, &SynOptions { mss, ..OPTS });
                    // Below the smallest there is nothing to round down to.
                    let want = if want == 0 { entry } else { want };
                    assert_eq!(got.map(|e| e.mss), Some(want));
                }
                last = entry;
            }
            for (mss, want) in [(0, table.first()), (u16::MAX, table.last())] {
                let got = check(&tuple, &SynOptions { mss, ..OPTS });
                assert_eq!(got.map(|e| e.mss), want.copied());
            }
        }
    }

    #[test]
    fn every_window_scale_is_rounded_down_and_none_stays_none() {
        let want = [0, 0, 2, 2, 4, 4, 6, 7, 8, 8, 10, 10, 10, 10, 10];
        for (wscale, want) in (0u8..).zip(want) {
            let got = check(
                &V4,
                &SynOptions {
                    wscale: Some(wscale),
                    ..OPTS
                },
            );
            assert_eq!(got.map(|e| e.snd_wscale), Some(Some(want)));
        }
        let got = check(
            &V4,
            &SynOptions {
                wscale: None,
                ..OPTS
            },
        );
        assert_eq!(got.map(|e| e.snd_wscale), Some(None));
        for sack in [false, true] {
            let got = check(&V4, &SynOptions { sack, ..OPTS });
            assert_eq!(got.map(|e| e.sack), Some(sack));
        }
    }

    #[test]
    fn three_epochs_and_no_more() {
        let key = Toy(5);
        let cookie = make(&key, 0, &V4, ISN, &OPTS, NOW).isn;
        let at = |now| verify([Some(&key), None], &V4, ISN, cookie, now).map(|e| e.epoch_delta);
        assert_eq!(at(NOW - EPOCH_S - 1), None);
        assert_eq!(at(NOW - EPOCH_S), Some(1));
        assert_eq!(at(NOW - 1), Some(1));
        assert_eq!(at(NOW), Some(0));
        assert_eq!(at(NOW + EPOCH_S - 1), Some(0));
        assert_eq!(at(NOW + EPOCH_S), Some(-1));
        assert_eq!(at(NOW + 2 * EPOCH_S - 1), Some(-1));
        assert_eq!(at(NOW + 2 * EPOCH_S), None);
        // Both ends of time: no epoch before 0, none after the last.
        let first = make(&key, 0, &V4, ISN, &OPTS, 0).isn;
        assert!(verify([Some(&key), None], &V4, ISN, first, 0).is_some());
        let last = make(&key, 0, &V4, ISN, &OPTS, u64::MAX).isn;
        assert!(verify([Some(&key), None], &V4, ISN, last, u64::MAX).is_some());
    }

    #[test]
    fn the_key_of_its_parity_and_no_other() {
        let (even, odd) = (Toy(5), Toy(6));
        for (parity, prf) in [(0u8, &even), (1, &odd)] {
            let cookie = make(prf, parity, &V6, ISN, &OPTS, NOW).isn;
            let got = verify([Some(&even), Some(&odd)], &V6, ISN, cookie, NOW);
            assert_eq!(got.map(|e| e.key), Some(parity));
            assert_eq!(
                verify([Some(&odd), Some(&even)], &V6, ISN, cookie, NOW),
                None
            );
            assert_eq!(verify::<Toy>([None, None], &V6, ISN, cookie, NOW), None);
        }
    }

    #[test]
    fn whatever_is_changed_is_refused() {
        let key = Toy(5);
        let keys = [Some(&key), Some(&key)];
        let cookie = make(&key, 0, &V4, ISN, &OPTS, NOW).isn;
        for bit in 0..32 {
            assert_eq!(verify(keys, &V4, ISN, cookie ^ (1 << bit), NOW), None);
            assert_eq!(verify(keys, &V4, ISN ^ (1 << bit), cookie, NOW), None);
        }
        for other in [
            Tuple {
                client: Addr::v4([192, 0, 2, 2]),
                ..V4
            },
            Tuple {
                vip: Addr::v4([10, 80, 0, 2]),
                ..V4
            },
            Tuple {
                client_port: 40_001,
                ..V4
            },
            Tuple { vip_port: 81, ..V4 },
        ] {
            assert_eq!(verify(keys, &other, ISN, cookie, NOW), None);
        }
    }

    #[test]
    fn timestamps_carry_exact_values() {
        let key = Toy(5);
        for wscale in (0..=14).map(Some).chain([None]) {
            for (sack, ecn) in [(false, false), (false, true), (true, false), (true, true)] {
                let opts = SynOptions {
                    mss: 1460,
                    wscale,
                    sack,
                    timestamps: true,
                    ecn,
                };
                let cookie = make(&key, 0, &V4, ISN, &opts, NOW).isn;
                let ts = make(&key, 0, &V4, ISN, &opts, NOW).tsval(77_777, &opts);
                assert_eq!(read_tsecr(ts), (wscale, sack, ecn));
                let got = verify_with_ts([Some(&key), None], &V4, ISN, cookie, Some(ts), NOW);
                let got = got.map(|e| (e.snd_wscale, e.sack, e.ecn));
                assert_eq!(got, Some((wscale, sack, ecn)));
            }
        }
    }

    #[test]
    fn a_timestamp_that_disagrees_does_not_count() {
        let key = Toy(5);
        let cookie = make(&key, 0, &V4, ISN, &OPTS, NOW).isn;
        let plain = verify([Some(&key), None], &V4, ISN, cookie, NOW);
        assert!(plain.is_some());
        for lie in [
            SynOptions {
                wscale: Some(14),
                ecn: true,
                ..OPTS
            },
            SynOptions {
                wscale: None,
                ecn: true,
                ..OPTS
            },
            SynOptions {
                sack: false,
                ecn: true,
                ..OPTS
            },
        ] {
            let ts = make(&key, 0, &V4, ISN, &OPTS, NOW).tsval(1, &lie);
            let got = verify_with_ts([Some(&key), None], &V4, ISN, cookie, Some(ts), NOW);
            assert_eq!(got, plain);
        }
        assert_eq!(
            verify_with_ts([Some(&key), None], &V4, ISN, cookie, None, NOW),
            plain
        );
    }

    #[test]
    fn timestamp_clock_runs_and_differs_by_client() {
        let key = Toy(5);
        let at = |tuple, ms| make(&key, 0, tuple, ISN, &OPTS, NOW).tsval(ms, &OPTS);
        assert_eq!(at(&V4, 64_000).wrapping_sub(at(&V4, 0)), 64_000);
        // Over the wrap of the clock too.
        assert_eq!(at(&V4, 64).wrapping_sub(at(&V4, u32::MAX - 63)), 128);
        let other = Tuple {
            client_port: 40_001,
            ..V4
        };
        assert!(at(&V4, 0) >> TS_BITS != at(&other, 0) >> TS_BITS);
    }

    #[test]
    fn early_segments_are_found() {
        let key = Toy(5);
        let keys = [Some(&key), None];
        let cookie = make(&key, 0, &V4, ISN, &OPTS, NOW).isn;
        let want = verify(keys, &V4, ISN, cookie, NOW);
        let fits = Fits {
            now: 1400,
            usual: 1324,
        };
        for k in 1u8..=11 {
            for (size, timestamps, found) in [
                (1400, false, true),
                (1400, true, true),
                (1388, true, true),
                (1388, false, false),
                // The SYN-ACK came before the farm's network was known.
                (1324, false, true),
                (1324, true, true),
                (1312, true, true),
                (1312, false, false),
            ] {
                let seq = ISN.wrapping_add(1).wrapping_add(size * u32::from(k));
                let ack = cookie.wrapping_add(1);
                let got = early_segment(keys, &V4, seq, ack, &fits, timestamps, NOW);
                let want = if found && k <= 10 {
                    want.map(|e| (ISN, k, e))
                } else {
                    None
                };
                assert_eq!(got, want);
            }
        }
        // The first segment is not an early one.
        let seq = ISN.wrapping_add(1);
        let first = early_segment(keys, &V4, seq, cookie + 1, &fits, true, NOW);
        assert_eq!(first, None);
    }

    #[test]
    fn a_client_is_told_what_its_cookie_says_and_fits() {
        let fits = |now| Fits { now, usual: 1324 };
        for (now, mss, told) in [
            (1324, 0, 1324),
            (1324, 1460, 1324),
            (1324, 8960, 1324),
            // Jumbo frames in the farm: a client's own segments, as its cookie keeps them.
            (8824, 536, 1324),
            (8824, 1359, 1324),
            (8824, 1360, 1360),
            (8824, 1452, 1440),
            (8824, 1460, 1460),
            (8824, 8959, 1460),
            (8824, 8960, 8824),
            (8824, u16::MAX, 8824),
            (9040, u16::MAX, 8960),
            // A tunnel between the members.
            (1244, 536, 1244),
            (1244, 1460, 1244),
        ] {
            assert_eq!(fits(now).told(&V4, mss), told);
        }
    }
}
