// SPDX-License-Identifier: GPL-2.0
//! Properties of the packet formats: every parse is total, what was emitted is read back.
//!
//! Speaks to `wire::{ip, tcp, sack, checksum, geneve, control}`.

use homing_pure::wire::addr::{Addr, Tuple};
use homing_pure::wire::control::{
    self, AdminState, Arrived, Association, Body, Listener, Order, Report, StateMsg,
};
use homing_pure::wire::geneve::{self, Data, Frame, HandOff, Inner, Route, Sender};
use homing_pure::wire::plain::{only_stamps, Plain};
use homing_pure::wire::{checksum, ip, sack, tcp};
use proptest::collection::vec;
use proptest::prelude::*;

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What `emit` writes; fails if it leaves a byte unwritten or needs more room than it says.
fn emitted(emit: impl Fn(&mut [u8]) -> Option<usize>) -> Vec<u8> {
    let mut one = vec![0xa5; 2048];
    let mut other = vec![0x5a; 2048];
    let n = emit(&mut one).expect("room enough");
    assert_eq!(emit(&mut other), Some(n));
    assert_eq!(one[..n], other[..n], "a byte was left as it was");
    assert!(one[n..].iter().all(|b| *b == 0xa5), "written past the end");
    assert_eq!(emit(&mut one[..n]), Some(n));
    assert_eq!(emit(&mut one[..n - 1]), None);
    one.truncate(n);
    one
}

/// What the quick reader takes, the careful ones read alike.
fn plain_agrees(bytes: &[u8], len: usize) -> bool {
    let Some(p) = Plain::parse(bytes, len, true) else {
        return false;
    };
    let ip = ip::parse(bytes).expect("IP that is right");
    let tcp = tcp::parse(&bytes[ip.header_len..]).expect("TCP that is right");
    assert!(!ip.fragment && !ip.options && ip.protocol == ip::TCP);
    assert!(ip.src.is_source() && ip.src != ip.dst && ip.total_len <= len);
    assert_eq!((p.l4, p.header_len), (ip.header_len, tcp.header_len));
    assert_eq!(
        (p.seq, p.ack, p.flags, p.window),
        (tcp.seq, tcp.ack, tcp.flags, tcp.window)
    );
    assert_eq!(p.total_len(), ip.total_len);
    assert_eq!(
        p.tuple,
        Tuple::from_client(ip.src, ip.dst, tcp.src_port, tcp.dst_port)
    );
    assert_eq!(p.is_syn(), tcp.is_syn());
    let header = &bytes[p.l4..p.payload()];
    if only_stamps(&header[tcp::HEADER_LEN..]) {
        assert_eq!(tcp.options.sack, None);
    }
    true
}

fn every_parser(bytes: &[u8]) {
    plain_agrees(bytes, bytes.len());
    if let Ok(ip) = ip::parse(bytes) {
        assert!(ip.header_len <= bytes.len());
        assert!(ip.total_len == 0 || ip.total_len >= ip.header_len);
    }
    if let Ok(segment) = tcp::parse(bytes) {
        assert!((20..=60).contains(&segment.header_len) && segment.header_len <= bytes.len());
        assert!(segment.options.wscale.unwrap_or(0) <= 14);
        if let Some(found) = segment.options.sack {
            assert!((1..=4).contains(&found.1));
            assert!(found.0 + usize::from(found.1) * 8 <= segment.header_len);
            let blocks = sack::blocks(bytes, found).expect("where it was found");
            assert_eq!(blocks.iter().flatten().count(), usize::from(found.1));
        }
    }
    if let Ok(Frame::Data {
        header_len,
        mac_offset,
        mac,
        ..
    }) = geneve::parse(bytes)
    {
        assert_eq!(bytes[mac_offset..header_len], mac);
        let _ = geneve::covered(bytes, mac_offset, &Tuple::default(), 6, 7, <[u8]>::len);
    }
    if let Ok(message) = control::parse(bytes) {
        assert_eq!(bytes[message.mac_offset..], message.mac);
        if let Body::Associations { records, .. } = message.body {
            assert!(records.count() <= control::MAX_ASSOCIATIONS);
        }
    }
    let sum = checksum::fold(checksum::sum(bytes, 0));
    assert_eq!(sum, slow_checksum(bytes));
}

/// RFC 1071 word by word, folding at each step.
fn slow_checksum(bytes: &[u8]) -> u16 {
    let mut acc: u32 = 0;
    for word in bytes.chunks(2) {
        acc += (u32::from(word[0]) << 8) | word.get(1).map_or(0, |b| u32::from(*b));
        acc = (acc & 0xffff) + (acc >> 16);
    }
    !(acc as u16)
}

fn addr4() -> impl Strategy<Value = Addr> {
    any::<[u8; 4]>().prop_map(Addr::v4)
}

fn addr6() -> impl Strategy<Value = Addr> {
    any::<[u8; 16]>()
        .prop_map(Addr::v6)
        .prop_filter("v4-mapped", |a| !a.is_v4())
}

fn tuple() -> impl Strategy<Value = Tuple> {
    let ends = prop_oneof![(addr4(), addr4()), (addr6(), addr6())];
    (ends, any::<u16>(), any::<u16>()).prop_map(|((c, v), cp, vp)| Tuple::from_client(c, v, cp, vp))
}

prop_compose! {
    fn hand_off()(
        ids in any::<[u16; 4]>(), words in any::<[u32; 5]>(), flags: u8, sid in any::<[u8; 24]>(),
        snd in proptest::option::of(0u8..=14), rcv in proptest::option::of(0u8..=14),
    ) -> HandOff {
        HandOff {
            entry: ids[0], origin: ids[1], group: ids[2], mss: ids[3],
            home_version: words[0], client_isn: words[1], cookie_isn: words[2],
            tsecr: words[3], created: words[4],
            snd_wscale: snd, rcv_wscale: rcv, flags, sid,
        }
    }
}

prop_compose! {
    fn data()(
        farm in 0..=geneve::MAX_FARM, six: bool, member: u16, key: u8, flags: u8,
        route in prop_oneof![
            hand_off().prop_map(Route::HandOff),
            any::<u32>().prop_map(|generation| Route::Relay { generation }),
        ],
    ) -> Data {
        Data {
            farm,
            inner: if six { Inner::V6 } else { Inner::V4 },
            sender: Sender { member, key, flags },
            route,
        }
    }
}

prop_compose! {
    fn header()(
        farm in 0..=geneve::MAX_FARM, sender in 1u16.., key: u8, nonce in 1u64..,
        peer_nonce: u64, sequence: u64,
    ) -> control::Header {
        control::Header { farm, sender, key, nonce, peer_nonce, sequence }
    }
}

prop_compose! {
    fn association()(
        key in any::<[u8; 16]>(), home: u16, origin: u16, version: u32, created: u32,
        last_used: u32, group: u16, flags: u8,
    ) -> Association {
        Association { key, home, origin, version, created, last_used, group, flags }
    }
}

prop_compose! {
    fn state()(
        words in any::<[u32; 6]>(), mtu: u16, clock_s: u64, cpu_permille: u16, weight: u16,
        joined: bool, wants_all: bool, hears in any::<[u64; 16]>(), low: u64,
        map in any::<[u64; control::SEEN_WORDS]>(),
    ) -> StateMsg {
        let [config, sessions, flows, requests, latency_us, age_ms] = words;
        StateMsg {
            config, joined, mtu, clock_s, sessions, flows, requests, latency_us, age_ms,
            cpu_permille, weight, hears, wants_all, arrived: Arrived { low, map },
        }
    }
}

prop_compose! {
    fn listener()(
        service: u32, accept_depth: u16, accept_limit in 0..=Listener::LIMIT_MAX, present: bool,
    ) -> Listener {
        Listener { service, accept_depth, accept_limit, present }
    }
}

prop_compose! {
    fn order()(
        member: u16, by: u16, version: u32, deadline: u32, moves: bool,
        state in prop_oneof![
            Just(AdminState::Up), Just(AdminState::Down), Just(AdminState::Draining),
        ],
    ) -> Order {
        Order { member, by, version, state, moves, deadline }
    }
}

/// Each truncation of a message, and the message with each byte changed, must be handled.
fn abuse(bytes: &[u8], change: u8) {
    for n in 0..bytes.len() {
        every_parser(&bytes[..n]);
        let mut other = bytes.to_vec();
        other[n] ^= change;
        every_parser(&other);
    }
}

/// What lets random bytes get past the first check of each parser.
const STARTS: &[&[u8]] = &[
    &[0x45],
    &[0x4f],
    &[0x60],
    &[0x60, 0, 0, 0, 0, 99, 0],
    &[7, 0x40, 8, 0],
    &[0, 0x80],
    &[0, 0x80, 0, 0, 0, 0, 1, 0, 0, 9, 1, 1],
    &[0, 0x80, 0, 0, 0, 0, 1, 0, 0, 9, 1, 2],
    &[
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0xf0, 0x10, 0, 0, 0, 0, 0, 0, 5, 34,
    ],
];

proptest! {
    #![proptest_config(config(20_000))]

    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        every_parser(&bytes);
    }

    /// Packets as nearly all are, whole and with one byte changed: what is read quickly is read as
    /// it would be with care.
    #[test]
    fn plain_packets_are_read_alike(
        six: bool,
        ends in any::<[[u8; 16]; 2]>(),
        header in any::<[u8; 20]>(),
        options in vec(any::<u8>(), 0..=10),
        payload in 0usize..20,
        change in any::<(u8, u8)>(),
    ) {
        let [client, vip] = ends.map(|end| match (six, end) {
            (true, [_, rest @ ..]) => Addr::v6([&[0xfd], &rest[..]].concat().try_into().unwrap()),
            (false, [a, b, c, ..]) => Addr::v4([10, a, b, c]),
        });
        prop_assume!(client != vip);
        let mut tcp = header.to_vec();
        let options: Vec<u8> = options.iter().flat_map(|o| [*o % 12, 2, 1, *o]).collect();
        tcp[12] = ((5 + options.len() / 4) as u8) << 4;
        tcp.extend(&options);
        tcp.extend(std::iter::repeat_n(0xa5, payload));
        let out = ip::Out {
            src: client, dst: vip, protocol: ip::TCP, tos: 0, ttl: 64, payload_len: tcp.len(),
        };
        let mut packet = vec![0; if six { ip::IPV6_LEN } else { ip::IPV4_LEN }];
        ip::emit(&mut packet, &out).expect("room enough");
        packet.extend(&tcp);
        prop_assert!(plain_agrees(&packet, packet.len()));
        let (at, to) = change;
        let at = usize::from(at) % packet.len();
        packet[at] = to;
        plain_agrees(&packet, packet.len());
    }

    #[test]
    fn any_bytes_behind_a_likely_start(
        start in proptest::sample::select(STARTS),
        bytes in vec(any::<(u8, u8)>().prop_map(|(a, b)| if a < 128 { b % 12 } else { b }), 0..200),
    ) {
        every_parser(&[start, &bytes].concat());
    }

    #[test]
    fn ip_headers_are_read_back(
        ends in prop_oneof![(addr4(), addr4()), (addr6(), addr6())],
        protocol in proptest::sample::select(&[6u8, 17, 58][..]),
        tos: u8, ttl: u8, payload_len in 1usize..65000,
    ) {
        let out = ip::Out { src: ends.0, dst: ends.1, protocol, tos, ttl, payload_len };
        let bytes = emitted(|buf| ip::emit(buf, &out));
        let read = ip::parse(&bytes).unwrap();
        prop_assert_eq!((read.src, read.dst, read.protocol), (out.src, out.dst, protocol));
        prop_assert_eq!((read.tos, read.ttl), (tos, ttl));
        prop_assert_eq!(read.header_len, bytes.len());
        prop_assert_eq!(read.total_len, bytes.len() + payload_len);
        prop_assert!(!read.fragment && !read.options);
        if out.src.is_v4() {
            prop_assert_eq!(slow_checksum(&bytes), 0);
        }
    }

    #[test]
    fn tcp_headers_are_read_back(
        ports in any::<[u16; 2]>(), numbers in any::<[u32; 2]>(), flags: u8, window: u16,
        mss in 1u16.., sack_permitted: bool, wscale in proptest::option::of(0u8..=14),
        timestamps in proptest::option::of(any::<(u32, u32)>()), tuple in tuple(),
    ) {
        let header = tcp::Header {
            src_port: ports[0], dst_port: ports[1], seq: numbers[0], ack: numbers[1], flags, window,
        };
        let offer = tcp::Offer { mss, sack_permitted, timestamps, wscale };
        let mut bytes = emitted(|buf| tcp::emit_syn_ack(buf, &header, &offer));
        let read = tcp::parse(&bytes).unwrap();
        prop_assert_eq!(read.header_len, bytes.len());
        prop_assert_eq!([read.src_port, read.dst_port], ports);
        prop_assert_eq!([read.seq, read.ack], numbers);
        prop_assert_eq!((read.flags, read.window, read.urgent), (flags, window, 0));
        let want = tcp::Options {
            mss: Some(mss), sack_permitted, timestamps, wscale, ..tcp::Options::default()
        };
        prop_assert_eq!(read.options, want);

        // A checksum that was put in verifies, and every single bit of damage is seen.
        let check = checksum::transport(&tuple.client, &tuple.vip, 6, &bytes).unwrap();
        bytes[16..18].copy_from_slice(&check.to_be_bytes());
        prop_assert_eq!(checksum::transport(&tuple.client, &tuple.vip, 6, &bytes), Some(0));
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(checksum::transport(&tuple.client, &tuple.vip, 6, &bytes), Some(0));
            bytes[bit / 8] ^= 1 << (bit % 8);
        }

        let bare = emitted(|buf| tcp::emit_bare(buf, &header, timestamps));
        let want = tcp::Options { timestamps, ..tcp::Options::default() };
        prop_assert_eq!(tcp::parse(&bare).unwrap().options, want);
    }

    #[test]
    fn sack_is_rewritten_in_place_with_its_checksum(
        edges in vec(any::<(u32, u32)>(), 1..=4), keep in any::<[bool; 4]>(), shift: u32,
        nops in 0usize..=2, rest in vec(any::<u8>(), 0..40),
    ) {
        let mut bytes = vec![0; 20];
        bytes.extend(vec![1; nops]);
        bytes.extend([5, edges.len() as u8 * 8 + 2]);
        for (left, right) in &edges {
            bytes.extend(left.to_be_bytes());
            bytes.extend(right.to_be_bytes());
        }
        bytes.resize(bytes.len().next_multiple_of(4), 1);
        let len = bytes.len();
        bytes[12] = (len as u8 / 4) << 4;
        bytes.extend(rest);
        let check = checksum::fold(checksum::sum(&bytes, 0));

        let found = tcp::parse(&bytes).unwrap().options.sack.unwrap();
        prop_assert_eq!(found, (22 + nops, edges.len() as u8));
        let kept: Vec<_> = edges.iter().zip(keep).filter(|(_, keep)| *keep).map(|(e, _)| *e).collect();
        let map = |l: u32, r: u32| {
            let at = kept.iter().position(|e| *e == (l, r))?;
            Some((kept[at].0.wrapping_sub(shift), kept[at].1.wrapping_sub(shift)))
        };
        // Equal edges are kept or taken out together: leave those cases to luck.
        prop_assume!(edges.iter().enumerate().all(|(i, e)| !edges[..i].contains(e)));
        let old = checksum::sum(&bytes[..len], 0);
        sack::rewrite(&mut bytes[..len], found, map).unwrap();
        let check = checksum::adjust(check, old, checksum::sum(&bytes[..len], 0));
        prop_assert_eq!(check, checksum::fold(checksum::sum(&bytes, 0)));
        let read = tcp::parse(&bytes).unwrap();
        prop_assert_eq!(read.header_len, len);
        let want: Vec<_> = kept.iter().map(|(l, r)| (l.wrapping_sub(shift), r.wrapping_sub(shift))).collect();
        let got: Vec<_> = read.options.sack
            .map_or(vec![], |f| sack::blocks(&bytes, f).unwrap().into_iter().flatten().collect());
        prop_assert_eq!(got, want);
    }

    #[test]
    fn incremental_checksums_equal_full_ones(
        mut bytes in vec(any::<u8>(), 4..80), at in any::<prop::sample::Index>(), new in any::<[u8; 4]>(),
    ) {
        let at = at.index(bytes.len() - 3) & !1;
        let check = checksum::fold(checksum::sum(&bytes, 0));
        let old = u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
        bytes[at..at + 4].copy_from_slice(&new);
        let full = checksum::fold(checksum::sum(&bytes, 0));
        let adjusted = checksum::adjust32(check, old, u32::from_be_bytes(new));
        // Over nothing but zeros there are two ways to write the sum zero.
        prop_assert!(adjusted == full || bytes.iter().all(|b| *b == 0) && adjusted == 0);
    }

    #[test]
    fn tuples_are_read_back(tuple in tuple()) {
        prop_assert_eq!(Tuple::from_bytes(&tuple.to_bytes()), tuple);
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn data_messages_are_read_back(msg in data(), tuple in tuple(), change in 1u8..) {
        let bytes = emitted(|buf| geneve::emit_data(buf, &msg));
        prop_assert!(bytes.len() <= geneve::MAX_DATA_HEADER);
        let len = bytes.len();
        let want = Frame::Data { data: msg, header_len: len, mac: [0; 8], mac_offset: len - 8 };
        prop_assert_eq!(geneve::parse(&bytes), Ok(want));
        prop_assert!(geneve::covered(&bytes, len - 8, &tuple, 6, 7, <[u8]>::len).is_some());
        for n in 0..len {
            prop_assert!(geneve::parse(&bytes[..n]).is_err());
        }
        abuse(&bytes, change);
    }

    #[test]
    fn hand_off_acks_and_challenges_are_read_back(
        header in header(), tuple in tuple(), isn: u32, about: u64, change in 1u8..,
        said in prop_oneof![
            Just(Report::NotYet), Just(Report::Over), any::<u32>().prop_map(Report::Has)
        ],
    ) {
        let bytes = emitted(|buf| control::emit_hand_off_ack(buf, &header, &tuple, isn, said));
        let read = control::parse(&bytes).unwrap();
        prop_assert_eq!(read.header, header);
        assert!(matches!(read.body, Body::HandOffAck { tuple: t, client_isn, report }
            if t == tuple && client_isn == isn && report == said));
        abuse(&bytes, change);
        let bytes = emitted(|buf| control::emit_challenge(buf, &header, about));
        let read = control::parse(&bytes).unwrap();
        assert!(matches!(read.body, Body::Challenge { about: a } if a == about));
        abuse(&bytes, change);
        let size = about as u16;
        let bytes = emitted(|buf| control::emit_probe(buf, &header, size));
        let read = control::parse(&bytes).unwrap();
        assert!(matches!(read.body, Body::Probe { size: s } if s == size));
        abuse(&bytes, change);
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn associations_are_read_back(
        header in header(), batch: u64,
        records in vec(association(), 0..=control::MAX_ASSOCIATIONS), change in 1u8..,
    ) {
        let bytes = emitted(|buf| control::emit_associations(buf, &header, batch, &records));
        prop_assert!(bytes.len() <= control::MAX_MESSAGE);
        let read = control::parse(&bytes).unwrap();
        prop_assert_eq!((read.header, read.mac_offset), (header, bytes.len() - 16));
        let Body::Associations { first: b, records: got } = read.body else { panic!() };
        prop_assert_eq!(b, batch);
        prop_assert_eq!(got.collect::<Vec<_>>(), records);
        for n in 0..bytes.len() {
            prop_assert!(control::parse(&bytes[..n]).is_err());
        }
        prop_assert!(control::parse(&[&bytes[..], &[0]].concat()).is_err());
        abuse(&bytes, change);
    }

    #[test]
    fn state_is_read_back(
        header in header(), msg in state(), change in 1u8..,
        listeners in vec(listener(), 0..4),
        orders in vec(order(), 0..3),
    ) {
        let bytes = emitted(|buf| control::emit_state(buf, &header, &msg, &listeners, &orders));
        prop_assert!(bytes.len() <= control::MAX_STATE);
        let read = control::parse(&bytes).unwrap();
        prop_assert_eq!(read.header, header);
        let Body::State(got) = read.body else { panic!() };
        prop_assert_eq!(got.fixed, msg);
        prop_assert_eq!(got.listeners().collect::<Vec<_>>(), listeners);
        prop_assert_eq!(got.orders().collect::<Vec<_>>(), orders);
        for n in 0..bytes.len() {
            prop_assert!(control::parse(&bytes[..n]).is_err());
        }
        abuse(&bytes, change);
    }
}
