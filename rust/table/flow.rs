// SPDX-License-Identifier: GPL-2.0

//! Flows: connections to services, from the first request until a late duplicate can do no harm.
//!
//! What was agreed is fixed when the entry is made; what happens since is in three atomic words
//! (status, shift, last use) that any CPU may change. The rules are in [`crate::decide::flow`] and
//! [`crate::decide::shift`].

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Full, Relaxed},
        rcu::Guard, //
    },
};

use super::{
    insert::Edits,
    session::Key, //
};
use crate::{
    decide::{
        flow::{Flow as Status, Role},
        lost::{Mark, Said},
        shift::Shift, //
    },
    kapi::{
        hash::{Inserted, Ref, Table, Walk},
        once, //
    },
    wire::{addr::Tuple, tcp::seq},
};

mod shifts;

/// What a connection agreed on, and who it belongs to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// The client's ISN.
    pub(crate) client_isn: u32,
    /// Our ISN, a cookie.
    pub(crate) cookie: u32,
    /// TSecr of the last packet of the first request; `None` without timestamps.
    pub(crate) tsecr: Option<u32>,
    /// The client's MSS.
    pub(crate) mss: u16,
    /// The client's window scale.
    pub(crate) snd_wscale: Option<u8>,
    /// Ours.
    pub(crate) rcv_wscale: Option<u8>,
    /// Selective acknowledgements.
    pub(crate) sack: bool,
    /// Explicit congestion notification.
    pub(crate) ecn: bool,
    /// The first response gets the cookie.
    pub(crate) insert: bool,
    /// The member whose stack has the socket.
    pub(crate) owner: u16,
    /// The member that the client's packets reach.
    pub(crate) entry: u16,
    /// Its session, if it has one.
    pub(crate) session: Option<Key>,
    /// It had another owner, which is lost: the two initial numbers are those before the request
    /// that it goes on with.
    pub(crate) taken_over: bool,
    /// Which of its starts the owner was in, by [`Live::start`](super::member::Live::start).
    pub(crate) start: u8,
}

impl Terms {
    /// Nothing is known.
    pub(crate) const NONE: Self = Self {
        client_isn: 0,
        cookie: 0,
        tsecr: None,
        mss: 0,
        snd_wscale: None,
        rcv_wscale: None,
        sack: false,
        ecn: false,
        insert: false,
        owner: 0,
        entry: 0,
        session: None,
        taken_over: false,
        start: 0,
    };
}

/// One flow.
pub(crate) struct Flow {
    status: Atomic<u32>,
    /// Seconds since boot of the last packet.
    used: Atomic<u32>,
    /// Seconds since boot of the last change of state.
    since: Atomic<u32>,
    /// At the owner, while the cookie is still to be put into a response: [`RESPONSE`], [`READER`]
    /// once reading has begun, and the server's number of the next byte that is read. At an entry
    /// member what the client said: [`Said::next`] and [`Said::ack`]. Else 0.
    response: Atomic<u64>,
    /// At the owner [`Shift`] in 64 bits, at an entry member [`Mark::asked`] and
    /// [`Mark::answered`]; 0 for none. See [`shifts`].
    shift: Atomic<u64>,
    /// The terms, packed.
    client_isn: u32,
    cookie: u32,
    tsecr: u32,
    mss: u16,
    owner: u16,
    entry: u16,
    flags: u16,
    session: Key,
}

/// Marks [`Flow::response`] as being there.
const RESPONSE: u64 = 1 << 32;
/// Its reader is in [`Edits`].
const READER: u64 = 1 << 33;

const TIMESTAMPS: u16 = 1 << 8;
const SACK: u16 = 1 << 9;
const ECN: u16 = 1 << 10;
const INSERT: u16 = 1 << 11;
const SESSION: u16 = 1 << 12;
const TAKEN_OVER: u16 = 1 << 13;
const START: u32 = 14;
const NO_WSCALE: u16 = 0xf;

impl Flow {
    fn new(t: &Terms, status: Status, now: u32) -> Self {
        let bit = |on: bool, b: u16| if on { b } else { 0 };
        let first = t.client_isn.wrapping_add(1);
        let answer = t.cookie.wrapping_add(1);
        let (response, shift) = match status.role {
            // Before its first request every connection is at rest. What was found by asking is in
            // its middle.
            Role::Entry if t.cookie != 0 => (pair(first, answer), pair(first, answer)),
            Role::Entry => (0, 0),
            Role::Owner | Role::Both if t.insert => (RESPONSE | u64::from(answer), 0),
            Role::Owner | Role::Both => (0, 0),
        };
        Self {
            status: Atomic::new(status.to_bits()),
            used: Atomic::new(now),
            since: Atomic::new(now),
            response: Atomic::new(response),
            shift: Atomic::new(shift),
            client_isn: t.client_isn,
            cookie: t.cookie,
            tsecr: t.tsecr.unwrap_or(0),
            mss: t.mss,
            owner: t.owner,
            entry: t.entry,
            flags: t.snd_wscale.map_or(NO_WSCALE, |w| u16::from(w & 0xf))
                | t.rcv_wscale.map_or(NO_WSCALE, |w| u16::from(w & 0xf)) << 4
                | bit(t.tsecr.is_some(), TIMESTAMPS)
                | bit(t.sack, SACK)
                | bit(t.ecn, ECN)
                | bit(t.insert, INSERT)
                | bit(t.session.is_some(), SESSION)
                | bit(t.taken_over, TAKEN_OVER)
                | u16::from(t.start).wrapping_shl(START),
            session: t.session.unwrap_or_default(),
        }
    }

    /// The terms.
    pub(crate) fn terms(&self) -> Terms {
        let has = |b: u16| self.flags & b != 0;
        let scale = |n: u16| (n != NO_WSCALE).then_some(n as u8);
        Terms {
            client_isn: self.client_isn,
            cookie: self.cookie,
            tsecr: has(TIMESTAMPS).then_some(self.tsecr),
            mss: self.mss,
            snd_wscale: scale(self.flags & 0xf),
            rcv_wscale: scale(self.flags >> 4 & 0xf),
            sack: has(SACK),
            ecn: has(ECN),
            insert: has(INSERT),
            owner: self.owner,
            entry: self.entry,
            session: has(SESSION).then_some(self.session),
            taken_over: has(TAKEN_OVER),
            start: self.start(),
        }
    }

    /// The member that its packets come in at first.
    #[inline]
    pub(crate) fn entry(&self) -> u16 {
        self.entry
    }

    /// The member whose stack has the socket.
    #[inline]
    pub(crate) fn owner(&self) -> u16 {
        self.owner
    }

    /// Which of its starts the owner was in.
    pub(crate) fn start(&self) -> u8 {
        self.flags.wrapping_shr(START) as u8
    }

    /// The client's ISN, which tells connections of one tuple apart.
    #[inline]
    pub(crate) fn client_isn(&self) -> u32 {
        self.client_isn
    }

    /// Whether it had another owner before.
    pub(crate) fn is_taken_over(&self) -> bool {
        self.flags & TAKEN_OVER != 0
    }

    /// The client's window scale.
    pub(crate) fn snd_wscale(&self) -> u8 {
        let w = self.flags & 0xf;
        if w == NO_WSCALE {
            0
        } else {
            w as u8
        }
    }

    /// A number that tells it from other flows, as long as it lives.
    #[inline]
    pub(crate) fn tag(&self) -> u32 {
        // Entries are 128 bytes apart at least.
        (core::ptr::from_ref(self).addr() >> 7) as u32
    }

    /// What has happened.
    #[inline]
    pub(crate) fn status(&self) -> Status {
        Status::from_bits(once::read(&self.status))
    }

    /// Lets something happen to the flow: `event` changes a copy of the status, and may be called
    /// more than once. `now` is in seconds since boot. Returns what `event` answered.
    pub(crate) fn on<R>(&self, now: u32, event: impl Fn(&mut Status) -> R) -> R {
        let mut bits = once::read(&self.status);
        loop {
            let old = Status::from_bits(bits);
            let mut new = old;
            let answer = event(&mut new);
            if new == old {
                return answer;
            }
            match self.status.cmpxchg(bits, new.to_bits(), Full) {
                Ok(_) => {
                    if new.state != old.state {
                        self.since.store(now, Relaxed);
                    }
                    return answer;
                }
                Err(other) => bits = other,
            }
        }
    }

    /// Seconds in the present state.
    pub(crate) fn age(&self, now: u32) -> u32 {
        now.saturating_sub(once::read(&self.since))
    }

    /// Notes a packet at `now` (seconds since boot); written only when it changes.
    #[inline]
    pub(crate) fn touch(&self, now: u32) {
        if once::read(&self.used) != now {
            once::write(&self.used, now);
        }
    }

    /// Seconds since the last packet.
    pub(crate) fn idle(&self, now: u32) -> u32 {
        now.saturating_sub(once::read(&self.used))
    }

    /// Whether this member only relays it. That never changes.
    fn is_relayed(&self) -> bool {
        self.status().role == Role::Entry
    }

    /// What the client has said last, at an entry member.
    pub(crate) fn said(&self) -> Option<Said> {
        let (next, ack) = self.pair(&self.response)?;
        Some(Said { next, ack })
    }

    /// Notes a segment that ends at `next` and acknowledges `ack`, at an entry member.
    #[inline]
    pub(crate) fn note(&self, next: u32, ack: u32) {
        let old = once::read(&self.response);
        let new = match (old >> 32, old as u32) {
            _ if old == 0 => pair(next, ack),
            (n, a) => pair(later(n as u32, next), later(a, ack)),
        };
        if new != old && self.is_relayed() {
            // Two CPUs at once: one of them is not noted, as if it had been lost on the way here.
            once::write(&self.response, new);
        }
    }

    /// Where the connection was at rest, at an entry member.
    pub(crate) fn mark(&self) -> Option<Mark> {
        let (asked, answered) = self.pair(&self.shift)?;
        Some(Mark { asked, answered })
    }

    /// The owner says that the connection is at rest.
    pub(crate) fn set_mark(&self, mark: Mark) {
        if self.is_relayed() {
            self.shift.store(pair(mark.asked, mark.answered), Relaxed);
        }
    }

    fn pair(&self, word: &Atomic<u64>) -> Option<(u32, u32)> {
        let bits = word.load(Relaxed);
        (bits != 0 && self.is_relayed()).then_some(((bits >> 32) as u32, bits as u32))
    }

    /// The shift, when bytes were put into the stream.
    #[inline]
    pub(crate) fn shift(&self) -> Option<Shift> {
        let bits = once::read(&self.shift);
        if bits == 0 || self.is_relayed() {
            return None;
        }
        Shift::from_bits(bits)
    }

    /// Whether the cookie is still to be put into a response.
    #[inline]
    pub(crate) fn wants_insert(&self) -> bool {
        once::read(&self.response) != 0
    }

    /// The server's number of the first byte of its responses that has not been read, while they
    /// are.
    pub(crate) fn response_at(&self) -> Option<u32> {
        let at = self.response.load(Relaxed);
        (at != 0).then_some(at as u32)
    }

    /// Whether its responses are read or were changed, here at its owner.
    pub(crate) fn is_edited(&self) -> bool {
        let words = once::read(&self.response) | once::read(&self.shift);
        words != 0 && !self.is_relayed()
    }

    /// Whether reading has begun: where it is, [`Edits`] knows.
    pub(super) fn has_reader(&self) -> bool {
        self.response.load(Relaxed) & READER != 0
    }

    /// Everything before `seq` has been read, and the reader is kept.
    pub(super) fn response_next(&self, seq: u32) {
        self.response
            .store(RESPONSE | READER | u64::from(seq), Relaxed);
    }

    /// Its responses are not read any more. Whether there is a reader to be forgotten.
    pub(super) fn take_response(&self) -> bool {
        if self.is_relayed() {
            return false;
        }
        let old = self.response.load(Relaxed);
        if old != 0 {
            self.response.store(0, Relaxed);
        }
        old & READER != 0
    }

    /// Ends the shift when the connection is over; whether there was one.
    pub(super) fn take_shift(&self) -> bool {
        !self.is_relayed() && shifts::end(&self.shift)
    }

    /// Begins to shift; `false` when the connection is over, or shifted already.
    pub(super) fn set_shift(&self, new: Shift) -> bool {
        shifts::begin(&self.shift, new)
    }

    /// Lets something happen to the shift `old`, if there still is one: `event` changes a copy, and may
    /// be called more than once. The shift before this and after it.
    pub(crate) fn on_shift(
        &self,
        old: Shift,
        event: impl Fn(&mut Shift),
    ) -> Option<(Shift, Shift)> {
        shifts::on(&self.shift, old, event)
    }
}

/// Two sequence numbers in one word.
const fn pair(a: u32, b: u32) -> u64 {
    (a as u64) << 32 | b as u64
}

/// The later of two sequence numbers.
const fn later(a: u32, b: u32) -> u32 {
    if seq::gt(b, a) {
        b
    } else {
        a
    }
}

/// All flows, and how many there may be.
pub(crate) struct Flows(Table<Tuple, Flow>, u32);

impl Flows {
    /// An empty table. Process context.
    pub(crate) fn new(max: u32) -> Result<Self> {
        Ok(Self(Table::new(max)?, max))
    }

    /// How many there are, closed ones included.
    pub(crate) fn len(&self) -> u32 {
        self.0.len()
    }

    /// How many there may be.
    pub(crate) fn max(&self) -> u32 {
        self.1
    }

    /// The flow of a connection. Any context.
    #[inline]
    pub(crate) fn get<'g>(&'g self, guard: &'g Guard, key: &Tuple) -> Option<Ref<'g, Tuple, Flow>> {
        self.0.get(guard, key)
    }

    /// Stores a decided flow in place of one of an earlier connection. When the same connection
    /// is there already (two CPUs decided at once), that one stays. Any context.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn store<'g>(
        &'g self,
        guard: &'g Guard,
        key: &Tuple,
        terms: &Terms,
        status: Status,
        now: u32,
        edits: &Edits,
    ) -> Result<Ref<'g, Tuple, Flow>> {
        for _ in 0..3 {
            match self.0.insert(guard, key, Flow::new(terms, status, now))? {
                Inserted::New(flow) => return Ok(flow),
                Inserted::Existing(flow) if flow.client_isn == terms.client_isn => {
                    return Ok(flow);
                }
                Inserted::Existing(old) => {
                    self.remove(guard, old, edits);
                }
            }
        }
        Err(EBUSY)
    }

    /// Takes a flow out, and ends its edits. Any context.
    pub(crate) fn remove(&self, guard: &Guard, flow: Ref<'_, Tuple, Flow>, edits: &Edits) {
        edits.end(guard, flow);
        self.0.remove(guard, flow);
    }

    /// Goes through all of them. Process context.
    pub(crate) fn walk(&self) -> Result<Walk<'_, Tuple, Flow>> {
        self.0.walk()
    }
}
