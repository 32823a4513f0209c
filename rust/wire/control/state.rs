// SPDX-License-Identifier: GPL-2.0
//! The state message: how a member is, what it has heard, what its services can take.
//!
//! Speaks to the body of a control message of kind 1. Bytes, big-endian: configuration 4, flags 1
//! (1: joined; 2: the sender wants all associations of the receiver), reserved 1, MTU 2, clock 8, sessions
//! 4, flows 4, requests 4, latency 4, age 4, CPU 2, weight 2, members heard 128; what has arrived
//! of the receiver's associations: number 8, map 64; then a count (1) of listeners (8 each) and a
//! count (1) of orders about members (14 each).
//!
//! Everything but the lists is read at once; the lists stay in the packet, because the message is
//! large and the stack of a receive path is not.

use crate::wire::reader::Reader;
use crate::wire::reader::Writer;
use crate::wire::Error;
use crate::wire::Fault;
use crate::wire::Layer;

/// Most listeners in one message: one for each service that there may be.
pub const MAX_LISTENERS: usize = 64;
/// Most orders in one message.
pub const MAX_ORDERS: usize = 8;
/// Words of the bitmap of member ids 0 to 1023.
pub const HEARS_WORDS: usize = 16;
/// Words of the map of associations that arrived behind a gap.
pub const SEEN_WORDS: usize = 8;

/// Bytes of one listener on the wire.
const LISTENER_LEN: usize = 8;
/// Bytes of one order on the wire.
const ORDER_LEN: usize = 14;
/// Bytes in front of the lists.
const FIXED_LEN: usize = 40 + 8 * HEARS_WORDS + 8 + 8 * SEEN_WORDS;
/// Bytes of the longest body.
pub(super) const MAX_LEN: usize =
    FIXED_LEN + 1 + MAX_LISTENERS * LISTENER_LEN + 1 + MAX_ORDERS * ORDER_LEN;

const JOINED: u8 = 1;
const WANTS_ALL: u8 = 2;

/// What the operator wants of a member.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AdminState {
    /// Takes new sessions.
    #[default]
    Up,
    /// Takes none and serves none.
    Down,
    /// Takes no new sessions and serves those it has.
    Draining,
}

/// What an operator ordered for a member, at whichever member.
///
/// All members keep the order with the higher version, then that of the lower `by`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Whom it is about.
    pub member: u16,
    /// The member that it was given to.
    pub by: u16,
    /// Counts the orders about this member; 0: none was given.
    pub version: u32,
    /// What is wanted.
    pub state: AdminState,
    /// When draining: sessions get a new home at their next connection.
    pub moves: bool,
    /// When draining: what is left at this time is moved. Seconds of the farm's clock; 0: never.
    pub deadline: u32,
}

impl Order {
    fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.u16(self.member)?;
        w.u16(self.by)?;
        w.u32(self.version)?;
        let state = match self.state {
            AdminState::Up => 0,
            AdminState::Down => 1,
            AdminState::Draining => 2,
        };
        w.array([state, self.moves.into()])?;
        w.u32(self.deadline)
    }

    fn parse(r: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            member: r.u16()?,
            by: r.u16()?,
            version: r.u32()?,
            state: match r.u8()? {
                0 => AdminState::Up,
                1 => AdminState::Down,
                2 => AdminState::Draining,
                _ => return None,
            },
            moves: match r.u8()? {
                0 => false,
                1 => true,
                _ => return None,
            },
            deadline: r.u32()?,
        })
    }
}

/// One service on the member that speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Hash of address and port of the service, the same on all members.
    pub service: u32,
    /// Connections that wait to be accepted.
    pub accept_depth: u16,
    /// How many may wait, at most [`Listener::LIMIT_MAX`].
    pub accept_limit: u16,
    /// Whether an application listens at all.
    pub present: bool,
}

impl Listener {
    /// The largest limit that can be said.
    pub const LIMIT_MAX: u16 = 0x7fff;

    fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.u32(self.service)?;
        w.u16(self.accept_depth)?;
        let present = if self.present { 0x8000 } else { 0 };
        w.u16(self.accept_limit.min(Self::LIMIT_MAX) | present)
    }

    fn parse(r: &mut Reader<'_>) -> Option<Self> {
        let service = r.u32()?;
        let accept_depth = r.u16()?;
        let limit = r.u16()?;
        Some(Self {
            service,
            accept_depth,
            accept_limit: limit & Self::LIMIT_MAX,
            present: limit & 0x8000 != 0,
        })
    }
}

/// What has arrived of one origin's associations, which it numbers from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// All up to this number.
    pub low: u64,
    /// Of those behind: bit `i % 64` of word `i / 64` for number `low + 1 + i`.
    pub map: [u64; SEEN_WORDS],
}

/// How a member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateMsg {
    /// Digest of its configuration ([`crate::decide::digest`]).
    pub config: u32,
    /// The others have told it all they know since it started.
    pub joined: bool,
    /// Bytes of the smallest packet that comes whole from every member to it; 0: it does not say.
    pub mtu: u16,
    /// Its wall clock, seconds since 1970.
    pub clock_s: u64,
    /// Sessions whose home it is.
    pub sessions: u32,
    /// Flows that it owns.
    pub flows: u32,
    /// Requests that it is answering.
    pub requests: u32,
    /// Estimate of the time from a request to its answer, microseconds.
    pub latency_us: u32,
    /// Milliseconds since it joined; 0 while it has not.
    pub age_ms: u32,
    /// Busy share of its processors over the last interval, thousandths.
    pub cpu_permille: u16,
    /// Its weight in the selection.
    pub weight: u16,
    /// Whom it hears: bit `id % 64` of word `id / 64`.
    pub hears: [u64; HEARS_WORDS],
    /// It wants to be told all associations of the receiver.
    pub wants_all: bool,
    /// What has arrived of the receiver's associations.
    pub arrived: Arrived,
}

impl StateMsg {
    /// Notes that `member` is heard; ids over 1023 are not noted.
    pub fn set_hears(&mut self, member: u16) {
        if let Some(word) = self.hears.get_mut(usize::from(member >> 6)) {
            *word |= 1u64.wrapping_shl(u32::from(member & 63));
        }
    }

    /// Whether the sender hears `member`.
    pub fn hears(&self, member: u16) -> bool {
        let word = self
            .hears
            .get(usize::from(member >> 6))
            .copied()
            .unwrap_or(0);
        word & 1u64.wrapping_shl(u32::from(member & 63)) != 0
    }

    /// Writes the body; `None` also when a list is too long.
    pub(super) fn emit(
        &self,
        w: &mut Writer<'_>,
        listeners: &[Listener],
        orders: &[Order],
    ) -> Option<()> {
        if listeners.len() > MAX_LISTENERS || orders.len() > MAX_ORDERS {
            return None;
        }
        w.u32(self.config)?;
        let bit = |on: bool, flag: u8| if on { flag } else { 0 };
        let flags = bit(self.joined, JOINED) | bit(self.wants_all, WANTS_ALL);
        w.array([flags, 0])?;
        w.u16(self.mtu)?;
        w.u64(self.clock_s)?;
        w.u32(self.sessions)?;
        w.u32(self.flows)?;
        w.u32(self.requests)?;
        w.u32(self.latency_us)?;
        w.u32(self.age_ms)?;
        w.u16(self.cpu_permille)?;
        w.u16(self.weight)?;
        self.hears.iter().try_for_each(|word| w.u64(*word))?;
        w.u64(self.arrived.low)?;
        self.arrived.map.iter().try_for_each(|word| w.u64(*word))?;
        // The limits are far under 256.
        w.u8(listeners.len() as u8)?;
        listeners.iter().try_for_each(|l| l.emit(w))?;
        w.u8(orders.len() as u8)?;
        orders.iter().try_for_each(|o| o.emit(w))
    }

    /// Reads what stands before the lists.
    fn parse(r: &mut Reader<'_>) -> Option<Self> {
        let mut this = Self {
            config: r.u32()?,
            ..Self::default()
        };
        let [flags, _] = r.array()?;
        this.joined = flags & JOINED != 0;
        this.wants_all = flags & WANTS_ALL != 0;
        this.mtu = r.u16()?;
        this.clock_s = r.u64()?;
        this.sessions = r.u32()?;
        this.flows = r.u32()?;
        this.requests = r.u32()?;
        this.latency_us = r.u32()?;
        this.age_ms = r.u32()?;
        this.cpu_permille = r.u16()?;
        this.weight = r.u16()?;
        for word in &mut this.hears {
            *word = r.u64()?;
        }
        this.arrived.low = r.u64()?;
        for word in &mut this.arrived.map {
            *word = r.u64()?;
        }
        Some(this)
    }
}

/// A received state message.
#[derive(Clone, Copy, Debug)]
pub struct State<'a> {
    /// All but the lists.
    pub fixed: StateMsg,
    listeners: Reader<'a>,
    orders: Reader<'a>,
}

impl<'a> State<'a> {
    /// The sender's services, at most [`MAX_LISTENERS`].
    pub fn listeners(&self) -> impl Iterator<Item = Listener> + 'a {
        let mut r = self.listeners;
        core::iter::from_fn(move || Listener::parse(&mut r))
    }

    /// The orders that the sender knows, or some of them; at most [`MAX_ORDERS`].
    pub fn orders(&self) -> impl Iterator<Item = Order> + 'a {
        let mut r = self.orders;
        core::iter::from_fn(move || Order::parse(&mut r))
    }

    /// Reads the body and leaves what stands behind it.
    pub(super) fn parse(r: &mut Reader<'a>) -> Result<Self, Error> {
        let short = Error::short(Layer::Control, FIXED_LEN.wrapping_add(2), r.rest().len());
        let bad = Error::bad(Layer::Control, Fault::Value);
        let fixed = StateMsg::parse(r).ok_or(short)?;
        let mut list = |most: usize, each: usize| {
            let count = usize::from(r.u8().ok_or(short)?);
            if count > most {
                return Err(bad);
            }
            Ok(Reader::new(r.take(count.wrapping_mul(each)).ok_or(short)?))
        };
        let listeners = list(MAX_LISTENERS, LISTENER_LEN)?;
        let orders = list(MAX_ORDERS, ORDER_LEN)?;
        let mut check = orders;
        while !check.rest().is_empty() {
            Order::parse(&mut check).ok_or(bad)?;
        }
        Ok(Self {
            fixed,
            listeners,
            orders,
        })
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_state))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const LISTENER: Listener = Listener {
        service: 0x0102_0304,
        accept_depth: 5,
        accept_limit: 4096,
        present: true,
    };
    const ORDER: Order = Order {
        member: 7,
        by: 8,
        version: 9,
        state: AdminState::Draining,
        moves: true,
        deadline: 10,
    };

    fn full() -> StateMsg {
        StateMsg {
            config: 1,
            joined: true,
            mtu: 9000,
            clock_s: 1 << 40,
            sessions: 2,
            flows: 3,
            requests: 4,
            latency_us: 5,
            age_ms: 6,
            cpu_permille: 1000,
            weight: 7,
            hears: [3; HEARS_WORDS],
            wants_all: false,
            arrived: Arrived {
                low: 8,
                map: [9; SEEN_WORDS],
            },
        }
    }

    fn emit(b: &mut [u8], listeners: &[Listener], orders: &[Order]) -> usize {
        let mut w = Writer::new(b);
        assert_eq!(full().emit(&mut w, listeners, orders), Some(()));
        w.written()
    }

    fn parse(bytes: &[u8]) -> Result<(State<'_>, usize), Error> {
        let mut r = Reader::new(bytes);
        let state = State::parse(&mut r)?;
        Ok((state, r.rest().len()))
    }

    #[test]
    fn is_read_back_and_every_truncation_refused() {
        let all = ([LISTENER; MAX_LISTENERS], [ORDER; MAX_ORDERS]);
        for (listeners, orders) in [(&all.0[..], &all.1[..]), (&[], &[])] {
            let mut b = [0xa5; MAX_LEN + 10];
            let n = emit(&mut b, listeners, orders);
            assert!(n <= MAX_LEN);
            let read = parse(&b[..n]);
            assert!(read.is_ok());
            if let Ok((state, left)) = read {
                assert_eq!((state.fixed, left), (full(), 0));
                assert!(state.listeners().eq(listeners.iter().copied()));
                assert!(state.orders().eq(orders.iter().copied()));
            }
            assert!(parse(&b).is_ok_and(|(_, left)| left == MAX_LEN + 10 - n));
            for cut in 0..n {
                assert!(parse(&b[..cut]).is_err());
            }
        }
    }

    #[test]
    fn the_documented_layout() {
        let mut b = [0xa5; 300];
        assert_eq!(emit(&mut b, &[LISTENER], &[ORDER]), FIXED_LEN + 9 + 15);
        assert_eq!(FIXED_LEN, 240);
        assert_eq!(b[..8], [0, 0, 0, 1, 1, 0, 0x23, 0x28]);
        assert_eq!(b[8..16], [0, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(
            b[24..40],
            [0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 3, 232, 0, 7]
        );
        assert_eq!(b[168..176], [0, 0, 0, 0, 0, 0, 0, 8]);
        assert_eq!(b[240..249], [1, 1, 2, 3, 4, 0, 5, 0x90, 0]);
        assert_eq!(b[249..264], [1, 0, 7, 0, 8, 0, 0, 0, 9, 2, 1, 0, 0, 0, 10]);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        // (byte, value): listeners over the limit, orders over it, order's state, order's moves
        for (at, value) in [(240, 65), (249, 9), (258, 3), (259, 2)] {
            let mut b = [0; 1000];
            emit(&mut b, &[LISTENER], &[ORDER]);
            b[at] = value;
            let found = parse(&b).map(|_| ());
            assert_eq!(found, Err(Error::bad(Layer::Control, Fault::Value)));
        }
        let mut b = [0; 2000];
        let mut w = Writer::new(&mut b);
        let msg = full();
        assert_eq!(msg.emit(&mut w, &[LISTENER; MAX_LISTENERS + 1], &[]), None);
        assert_eq!(msg.emit(&mut w, &[], &[ORDER; MAX_ORDERS + 1]), None);
    }

    #[test]
    fn hears_every_id_alone() {
        for id in 0..1024 {
            let mut msg = StateMsg::default();
            msg.set_hears(id);
            for other in 0..1024 {
                assert_eq!(msg.hears(other), id == other);
            }
        }
        let mut msg = StateMsg::default();
        msg.set_hears(1024);
        assert_eq!(msg, StateMsg::default());
        assert!(!msg.hears(65535));
    }
}
