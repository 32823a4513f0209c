// SPDX-License-Identifier: GPL-2.0
//! The sequence shift against a reference stream, over a network that loses and reorders.
//!
//! Speaks to RFC 9293, RFC 2018, RFC 2883, RFC 7323.
//!
//! A server, a client and a network are played with plain offsets; only what passes the shift is
//! turned into 32-bit sequence numbers, which begin anywhere, also just before the wrap. The server
//! never sends again what was selectively acknowledged, so a block that says too much stops it for
//! ever and the test fails.

use homing_pure::decide::shift::Insert;
use homing_pure::decide::shift::Outgoing;
use homing_pure::decide::shift::Phase;
use homing_pure::decide::shift::Shift;
use homing_pure::wire::tcp::flags;
use proptest::prelude::*;

/// Numbers for one case, from one seed (splitmix64).
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn percent(&mut self, p: u8) -> bool {
        self.below(100) < usize::from(p)
    }
}

#[derive(Clone, Debug)]
struct Case {
    seed: u64,
    base: u32,
    server: usize,
    at: usize,
    insert: usize,
    wscale: u8,
    buffer: usize,
    loss: u8,
    steps: usize,
}

/// A segment on its way to the client, numbers as on the wire.
#[derive(Clone)]
struct ToClient {
    seq: u32,
    data: Vec<u8>,
    fin: bool,
}

/// A segment that the server's stack has made and the hook has not seen yet, as offsets.
struct FromServer {
    begin: usize,
    end: usize,
}

/// A segment of the client, numbers as on the wire.
struct ToServer {
    ack: u32,
    blocks: Vec<(u32, u32)>,
    window: u16,
}

struct World {
    case: Case,
    rng: Rng,
    shift: Shift,
    /// Server bytes; the FIN is one more behind them.
    bytes: Vec<u8>,
    insert: Vec<u8>,
    /// For each client offset the server's offset, `None` for the insert; the FIN included.
    origin: Vec<Option<usize>>,
    /// For each server offset the client's.
    place: Vec<usize>,
    // The server.
    una: usize,
    nxt: usize,
    sacked: Vec<bool>,
    edge: usize,
    // The client.
    got: Vec<bool>,
    rcv_nxt: usize,
    advertised: usize,
    unread: usize,
    // The network.
    made: Vec<FromServer>,
    down: Vec<ToClient>,
    up: Vec<ToServer>,
}

impl World {
    fn new(case: Case) -> Self {
        let bytes: Vec<u8> = (0..case.server).map(|i| (i % 127) as u8).collect();
        let insert: Vec<u8> = (0..case.insert).map(|i| 128 + (i % 127) as u8).collect();
        let mut origin: Vec<Option<usize>> = (0..case.at).map(Some).collect();
        origin.extend(insert.iter().map(|_| None));
        origin.extend((case.at..=case.server).map(Some));
        let mut place = vec![0; case.server + 1];
        for (client, server) in origin.iter().enumerate() {
            if let Some(server) = server {
                place[*server] = client;
            }
        }
        let at = case.base.wrapping_add(case.at as u32);
        let advertised = case.buffer >> case.wscale << case.wscale;
        Self {
            rng: Rng(case.seed),
            shift: Shift::new(Insert {
                at,
                len: case.insert as u16,
            }),
            una: 0,
            nxt: 0,
            sacked: vec![false; case.server + 1],
            edge: advertised,
            got: vec![false; origin.len()],
            rcv_nxt: 0,
            advertised,
            unread: 0,
            made: vec![],
            down: vec![],
            up: vec![],
            bytes,
            insert,
            origin,
            place,
            case,
        }
    }

    fn wire(&self, offset: usize) -> u32 {
        self.case.base.wrapping_add(offset as u32)
    }

    fn offset(&self, wire: u32) -> isize {
        wire.wrapping_sub(self.case.base) as i32 as isize
    }

    /// Server bytes (and FIN) among the client's first `client` bytes: what an acknowledgement, or
    /// a window's edge, means to the server. Behind the end both count alike.
    fn server_part(&self, client: usize) -> usize {
        let known = self
            .origin
            .iter()
            .take(client)
            .filter(|o| o.is_some())
            .count();
        known + client.saturating_sub(self.origin.len())
    }

    fn byte_for_client(&self, client: usize) -> Option<u8> {
        match self.origin[client] {
            Some(server) => self.bytes.get(server).copied(),
            None => Some(self.insert[client - self.case.at]),
        }
    }

    // The server's stack.

    fn send(&mut self, begin: usize, end: usize) {
        assert!(begin < end && end <= self.case.server + 1);
        self.nxt = self.nxt.max(end);
        self.made.push(FromServer { begin, end });
    }

    fn send_new(&mut self) -> bool {
        let most = (1 + self.rng.below(60)).min(self.edge.saturating_sub(self.nxt));
        let end = (self.nxt + most).min(self.case.server + 1);
        if end > self.nxt {
            self.send(self.nxt, end);
            return true;
        }
        false
    }

    /// Sends something again that is not known to have arrived, cut anew.
    fn send_again(&mut self, whole_hole: bool) {
        let missing: Vec<usize> = (self.una..self.nxt).filter(|s| !self.sacked[*s]).collect();
        let Some(first) = missing.first().copied() else {
            return;
        };
        let begin = if whole_hole {
            first
        } else {
            missing[self.rng.below(missing.len())]
        };
        let most = 1 + self.rng.below(60);
        let hole = (begin..self.nxt)
            .take(most)
            .take_while(|s| !self.sacked[*s])
            .count();
        self.send(begin, begin + hole);
    }

    /// A segment without data: ACK at the next number, or a probe one below the oldest.
    fn send_empty(&mut self, probe: bool) {
        let (seq, place) = if probe {
            (self.wire(self.una).wrapping_sub(1), None)
        } else {
            let end = self
                .place
                .get(self.nxt)
                .copied()
                .unwrap_or(self.origin.len());
            (self.wire(self.nxt), Some(end))
        };
        let moved = match self.shift.outgoing(seq, 0, flags::ACK) {
            Outgoing::Before => seq,
            Outgoing::After { seq } => seq,
            Outgoing::Split { .. } => panic!("nothing to split"),
        };
        match place {
            // Where the client will be when it has everything that was sent.
            Some(_) if self.shift.phase() == Phase::Ready && self.nxt == self.case.at => {
                assert_eq!(moved, seq);
            }
            Some(place) => assert_eq!(self.offset(moved), place as isize),
            // Below what the client waits for, so that it answers.
            None => assert!(self.offset(moved) < self.rcv_nxt as isize || self.rcv_nxt == 0),
        }
        if probe {
            self.client_acks();
        }
    }

    /// The hook on the way out.
    fn hook_out(&mut self, segment: FromServer) {
        let FromServer { begin, end } = segment;
        let fin = end > self.case.server;
        let data = self.bytes[begin..end.min(self.case.server)].to_vec();
        let flags = if fin {
            flags::FIN | flags::ACK
        } else {
            flags::ACK
        };
        let seq = self.wire(begin);
        let segment = match self.shift.outgoing(seq, data.len() as u32, flags) {
            Outgoing::Before => ToClient { seq, data, fin },
            Outgoing::After { seq } => ToClient { seq, data, fin },
            Outgoing::Split { offset } => {
                assert!(self.shift.needs_bytes());
                let (head, tail) = data.split_at(offset as usize);
                let data = [head, self.insert.as_slice(), tail].concat();
                self.shift.on_sent();
                ToClient { seq, data, fin }
            }
        };
        if self.rng.percent(5) {
            self.down.push(segment.clone());
        }
        if self.rng.percent(50) {
            self.cut(segment);
        } else {
            self.down.push(segment);
        }
    }

    /// The device cuts a large segment after the hook, anywhere, also inside the insert.
    fn cut(&mut self, segment: ToClient) {
        let size = 1 + self.rng.below(50);
        let mut rest = segment;
        while rest.data.len() > size {
            let tail = rest.data.split_off(size);
            let next = ToClient {
                seq: rest.seq.wrapping_add(size as u32),
                data: tail,
                fin: rest.fin,
            };
            self.down.push(ToClient { fin: false, ..rest });
            rest = next;
        }
        self.down.push(rest);
    }

    // The client's stack.

    fn client_receives(&mut self, segment: ToClient) {
        let begin = self.offset(segment.seq);
        let len = segment.data.len() + usize::from(segment.fin);
        for i in 0..len {
            let at = begin + i as isize;
            let Ok(at) = usize::try_from(at) else {
                continue;
            };
            if at < self.rcv_nxt || at >= self.advertised {
                continue;
            }
            assert!(at < self.got.len(), "data behind the end of the stream");
            assert_eq!(
                segment.data.get(i).copied(),
                self.byte_for_client(at),
                "byte {at}"
            );
            self.got[at] = true;
        }
        while self.got.get(self.rcv_nxt) == Some(&true) {
            self.rcv_nxt += 1;
            self.unread += 1;
        }
        self.client_acks();
    }

    fn client_reads(&mut self, everything: bool) {
        let n = if everything {
            self.unread
        } else {
            self.rng.below(self.unread + 1)
        };
        self.unread -= n;
        self.client_acks();
    }

    fn client_acks(&mut self) {
        let free = self.case.buffer.saturating_sub(self.unread) >> self.case.wscale;
        self.advertised = self
            .advertised
            .max(self.rcv_nxt + (free << self.case.wscale));
        let window = ((self.advertised - self.rcv_nxt) >> self.case.wscale).min(65_535) as u16;
        let mut runs: Vec<(usize, usize)> = vec![];
        for at in (self.rcv_nxt..self.got.len()).filter(|at| self.got[*at]) {
            match runs.last_mut() {
                Some((_, end)) if *end == at => *end += 1,
                _ => runs.push((at, at + 1)),
            }
        }
        while runs.len() > 3 {
            let out = self.rng.below(runs.len());
            runs.remove(out);
        }
        if self.rcv_nxt > 0 && self.rng.percent(10) {
            // What came twice, RFC 2883.
            let begin = self.rng.below(self.rcv_nxt);
            let end = begin + 1 + self.rng.below(self.rcv_nxt - begin);
            runs.insert(0, (begin, end));
        }
        let blocks = runs
            .iter()
            .map(|(l, r)| (self.wire(*l), self.wire(*r)))
            .collect();
        let segment = ToServer {
            ack: self.wire(self.rcv_nxt),
            blocks,
            window,
        };
        // The order of what a client says, before anything overtakes.
        let now = self.shift.ack(segment.ack);
        assert!(
            self.offset(now) >= self.una as isize,
            "an acknowledgement goes back"
        );
        self.up.push(segment);
    }

    // The hook on the way in, and the server's stack behind it.

    fn hook_in(&mut self, segment: ToServer) {
        let client_ack = usize::try_from(self.offset(segment.ack)).expect("not before the stream");
        let ack = self.shift.ack(segment.ack);
        assert_eq!(self.offset(ack), self.server_part(client_ack) as isize);
        let ack = self.offset(ack) as usize;
        assert!(ack <= self.nxt);

        for (left, right) in segment.blocks {
            let client = self.offset(left) as usize..self.offset(right) as usize;
            let block = self.shift.sack_block(left, right);
            let server = match block {
                Some((l, r)) => self.offset(l) as usize..self.offset(r) as usize,
                None => 0..0,
            };
            assert!(block.is_none() || server.start < server.end && server.end <= self.nxt);
            for s in server.clone() {
                assert!(self.got[self.place[s]], "server byte {s} has not arrived");
                if s == self.case.at {
                    let insert = s..s + self.case.insert;
                    assert!(
                        self.got[insert].iter().all(|g| *g),
                        "the insert has not arrived"
                    );
                }
                self.sacked[s] = true;
            }
            for s in client.filter_map(|c| self.origin[c]) {
                assert!(
                    server.contains(&s) || s == self.case.at,
                    "server byte {s} is left out"
                );
            }
        }

        let unit = 1usize << self.case.wscale;
        let client_room = usize::from(segment.window) * unit;
        let window = self
            .shift
            .window(segment.ack, segment.window, self.case.wscale);
        let room = usize::from(window) * unit;
        let exact = self.server_part(client_ack + client_room) - ack;
        match self.shift.phase() {
            Phase::Ready => assert_eq!(room, client_room),
            _ if segment.window == 0 => assert_eq!(room, 0),
            _ if exact < unit => assert_eq!(room, unit),
            _ => assert!(room <= exact && exact - room < unit),
        }
        self.una = self.una.max(ack);
        // The hook learns of it with some later segment on its way out.
        if self.rng.percent(50) {
            self.shift.on_una(self.wire(self.una));
        }
        self.edge = self.edge.max(ack + room);
    }

    fn lossy_step(&mut self) {
        match self.rng.below(9) {
            0 | 1 => {
                self.send_new();
            }
            2 => self.send_again(false),
            3 => {
                let probe = self.rng.percent(50);
                self.send_empty(probe);
            }
            4 => self.client_reads(false),
            5 if !self.made.is_empty() => {
                // The place of an insert is known when the byte there is first sent, and what is
                // sent first reaches the hook in order. Later ones may cross with what comes in.
                let ready = self.shift.phase() == Phase::Ready;
                let next = if ready {
                    0
                } else {
                    self.rng.below(self.made.len())
                };
                let segment = self.made.remove(next);
                self.hook_out(segment);
            }
            6 | 7 if !self.down.is_empty() => {
                let next = self.rng.below(self.down.len());
                let segment = self.down.swap_remove(next);
                if !self.rng.percent(self.case.loss) {
                    self.client_receives(segment);
                }
            }
            8 if !self.up.is_empty() => {
                let next = self.rng.below(self.up.len());
                let segment = self.up.swap_remove(next);
                if !self.rng.percent(self.case.loss) {
                    self.hook_in(segment);
                }
            }
            _ => (),
        }
    }

    /// The network heals; everything must come to its end, in order and in bounded time.
    fn finish(&mut self) {
        // What was sent passes the hook, whether or not it arrives.
        for segment in std::mem::take(&mut self.made) {
            self.hook_out(segment);
        }
        self.down.clear();
        self.up.clear();
        let mut rounds = 0;
        while self.una <= self.case.server {
            rounds += 1;
            assert!(
                rounds < 3000,
                "stands still at {} of {}",
                self.una,
                self.case.server
            );
            self.send_again(true);
            if !self.send_new() && self.una == self.nxt {
                self.send_empty(true);
            }
            for segment in std::mem::take(&mut self.made) {
                self.hook_out(segment);
            }
            for segment in std::mem::take(&mut self.down) {
                self.client_receives(segment);
            }
            self.client_reads(true);
            for segment in std::mem::take(&mut self.up) {
                self.hook_in(segment);
            }
        }
        assert_eq!(self.rcv_nxt, self.origin.len());
        self.shift.on_una(self.wire(self.una));
        assert!(self.shift.phase() >= Phase::Acked);
        assert!(!self.shift.needs_bytes());
        // A reset now must be exactly at the client's next number, RFC 5961 section 3.
        let seq = self.wire(self.nxt);
        let want = Outgoing::After {
            seq: self.wire(self.rcv_nxt),
        };
        assert_eq!(self.shift.outgoing(seq, 0, flags::RST), want);
        // ICMP that quotes what we sent.
        for (server, client) in self.place.iter().enumerate() {
            assert_eq!(self.shift.server_seq(self.wire(*client)), self.wire(server));
            assert_eq!(self.shift.client_seq(self.wire(server)), self.wire(*client));
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let base = prop_oneof![
        any::<u32>(),
        (0u32..600).prop_map(|back| 0u32.wrapping_sub(back)),
        (0u32..600).prop_map(|back| 0x8000_0000u32.wrapping_sub(back)),
    ];
    let sizes = (1usize..260).prop_flat_map(|server| {
        let at = prop_oneof![0..=server, Just(0), Just(server), Just(17.min(server))];
        (Just(server), at)
    });
    let buffer = prop_oneof![1usize..40, 40usize..600];
    let few = (0u8..4, 0u8..40, 0usize..160);
    (any::<u64>(), base, sizes, 1usize..120, buffer, few).prop_map(
        |(seed, base, (server, at), insert, buffer, (wscale, loss, steps))| {
            // The buffer holds at least one unit, or the client could never open its window.
            let buffer = buffer.max(1 << wscale);
            Case {
                seed,
                base,
                server,
                at,
                insert,
                wscale,
                buffer,
                loss,
                steps,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 100_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_client_reads_the_stream_with_the_insert(case in cases()) {
        let steps = case.steps;
        let mut world = World::new(case);
        for _ in 0..steps {
            world.lossy_step();
        }
        world.finish();
    }
}
