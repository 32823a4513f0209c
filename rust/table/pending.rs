// SPDX-License-Identifier: GPL-2.0

//! Connections whose first bytes are held: until their head can be read, and, once they were
//! acknowledged to the client, until the owner's socket has them.
//!
//! Bounded per connection (16 KiB), in number of connections, and in memory in all. When there is
//! no room the oldest has to go; what becomes of it is the caller's business. What is owed to a
//! connection, and when, is in [`crate::decide::hold`].

use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed}, //
};

use super::flow::Terms;
use crate::{
    decide::{
        assemble::{self, Added},
        cookie::Established,
        hold::Hold,
        limits,
    },
    kapi::{
        lock::BhLock,
        skb::{Link, Packet},
        time,
    },
    wire::{addr::Tuple, http::head::HeadParser, tcp::seq},
};

const BUCKETS: usize = 64;
/// Connections in one bucket; with 64 buckets no more than 4096 are held.
const PER_BUCKET: usize = 64;

/// Bytes are stored in pieces of this size: most heads need one or two, and no large allocation
/// is ever made.
const CHUNK: usize = 512;
const CHUNKS: usize = limits::HOLD_BYTES as usize / CHUNK;

const _: () = assert!(CHUNK * CHUNKS == limits::HOLD_BYTES as usize);

/// What a connection's packets say besides their bytes.
#[derive(Clone, Copy)]
pub(crate) struct Manner {
    /// Type of service of the first packet.
    pub(crate) tos: u8,
    /// TTL of the first packet.
    pub(crate) ttl: u8,
    /// Timestamps (value, echo) of the last packet.
    pub(crate) stamps: Option<(u32, u32)>,
    /// The client's window in the last packet, as in the header.
    pub(crate) window: u16,
    /// Our window that the SYN-ACK promised, bytes.
    pub(crate) promised: u16,
    /// Our answers go by the routing table.
    pub(crate) route: bool,
}

/// A connection whose first bytes are held.
pub(crate) struct Waiting {
    /// Its connection.
    pub(crate) tuple: Tuple,
    /// The client's ISN.
    pub(crate) client_isn: u32,
    /// Our ISN.
    pub(crate) cookie: u32,
    /// What the cookie says.
    pub(crate) agreed: Established,
    /// Device the segments came by.
    pub(crate) ifindex: u32,
    /// Where to at the link layer.
    pub(crate) link: Link,
    /// What else its packets say.
    pub(crate) manner: Manner,
    /// The newest acknowledgement of the client.
    pub(crate) ack: u32,
    /// What is owed.
    pub(crate) hold: Hold,
    /// What was decided.
    pub(crate) terms: Option<Terms>,
    /// How often its owner did not want it.
    pub(crate) redirected: u8,
    /// What the cookie says was read without the first segment, so that some is missing.
    pub(crate) rough: bool,
    /// Bytes that were given to the owner.
    pub(crate) given: u32,
    /// Reads the head; [`Waiting::unread`] feeds it.
    pub(crate) parser: HeadParser,
    read: u32,
    /// Where the client's FIN stands, once it has come.
    fin: Option<u32>,
    held: assemble::Held,
    chunks: [Option<KBox<[u8; CHUNK]>>; CHUNKS],
    due_ms: u64,
}

impl Waiting {
    /// A connection without bytes.
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        tuple: Tuple,
        client_isn: u32,
        cookie: u32,
        agreed: Established,
        ifindex: u32,
        link: Link,
        manner: Manner,
        now_ms: u64,
    ) -> Self {
        Self {
            tuple,
            client_isn,
            cookie,
            agreed,
            ifindex,
            link,
            manner,
            ack: cookie.wrapping_add(1),
            hold: Hold::new(now_ms),
            terms: None,
            redirected: 0,
            rough: false,
            given: 0,
            parser: HeadParser::new(),
            read: 0,
            fin: None,
            held: assemble::Held::new(),
            chunks: [const { None }; CHUNKS],
            due_ms: 0,
        }
    }

    /// Sequence number of the stream's first byte.
    pub(crate) fn start(&self) -> u32 {
        self.client_isn.wrapping_add(1)
    }

    /// Bytes from the start of the stream to the first gap.
    pub(crate) fn head(&self) -> u32 {
        self.held.head()
    }

    /// Whether a segment with data comes again although the beginning of the stream is not here.
    pub(crate) fn comes_again(&self, seq: u32, len: u32) -> bool {
        let place = assemble::place(self.start(), seq, len);
        self.head() == 0 && place.is_some_and(|p| p.begin < p.end && self.held.has(p.begin, p.end))
    }

    /// Whether the client has ended its side and all before the end is here.
    pub(crate) fn ended(&self) -> bool {
        self.fin.is_some_and(|at| at == self.head())
    }

    /// Keeps the payload of a segment, which starts at `payload` in the packet. `fin`: it ends the
    /// client's side. `ack` is its acknowledgement.
    pub(crate) fn add(
        &mut self,
        packet: &Packet,
        payload: usize,
        (seq, len): (u32, u32),
        ack: u32,
        fin: bool,
    ) -> Added {
        if seq::gt(ack, self.ack) {
            self.ack = ack;
        }
        if fin {
            let end = seq.wrapping_add(len).wrapping_sub(self.start());
            if end <= limits::HOLD_BYTES {
                self.fin = Some(end);
            }
        }
        let Some(place) = assemble::place(self.start(), seq, len) else {
            return Added::Duplicate;
        };
        let from = payload.saturating_add(place.skip as usize);
        let chunks = &mut self.chunks;
        self.held.add(place.begin, place.end, |begin, end| {
            let at = from.saturating_add(begin.wrapping_sub(place.begin) as usize);
            store(chunks, packet, at, begin as usize, end as usize)
        })
    }

    /// Lets the head be read from its beginning again.
    pub(crate) fn reread(&mut self) {
        self.parser = HeadParser::new();
        self.read = 0;
    }

    /// The next bytes of the head that were not read; `None` when all were.
    pub(crate) fn unread(&mut self) -> Option<(&mut HeadParser, &[u8])> {
        let (at, head) = (self.read as usize, self.head() as usize);
        let chunk = self.chunks.get(at.checked_div(CHUNK)?)?.as_deref()?;
        let base = at.wrapping_sub(at & (CHUNK - 1));
        let bytes = chunk.get(at.wrapping_sub(base)..head.wrapping_sub(base).min(CHUNK))?;
        if bytes.is_empty() {
            return None;
        }
        self.read = self.read.wrapping_add(bytes.len() as u32);
        Some((&mut self.parser, bytes))
    }

    /// Copies the stream's bytes from offset `at` on; `None` if they are not all here.
    pub(crate) fn copy(&self, at: usize, to: &mut [u8]) -> Option<()> {
        let mut at = at;
        let mut to = to;
        while !to.is_empty() {
            let chunk = self.chunks.get(at.checked_div(CHUNK)?)?.as_deref()?;
            let from = chunk.get(at & (CHUNK - 1)..)?;
            let n = from.len().min(to.len());
            let (now, rest) = to.split_at_mut_checked(n)?;
            for (t, f) in now.iter_mut().zip(from) {
                *t = *f;
            }
            to = rest;
            at = at.wrapping_add(n);
        }
        Some(())
    }

    fn memory(&self) -> u64 {
        let chunks = self.chunks.iter().flatten();
        chunks.fold(size_of::<Self>() as u64, |sum, _| {
            sum.saturating_add(CHUNK as u64)
        })
    }
}

/// Stores bytes of a packet, which start at `from` there, as those from `begin` to `end` of the
/// stream.
fn store(
    chunks: &mut [Option<KBox<[u8; CHUNK]>>; CHUNKS],
    packet: &Packet,
    from: usize,
    begin: usize,
    end: usize,
) -> bool {
    let (mut at, mut from) = (begin, from);
    while at < end {
        let Some(slot) = at.checked_div(CHUNK).and_then(|i| chunks.get_mut(i)) else {
            return false;
        };
        let chunk = match slot {
            Some(chunk) => chunk,
            None => match KBox::new([0; CHUNK], GFP_ATOMIC | __GFP_NOWARN) {
                Ok(chunk) => slot.insert(chunk),
                Err(_) => return false,
            },
        };
        let within = at & (CHUNK - 1);
        let n = CHUNK.wrapping_sub(within).min(end.wrapping_sub(at));
        let Some(to) = chunk.get_mut(within..within.wrapping_add(n)) else {
            return false;
        };
        if !packet.copy(from, to) {
            return false;
        }
        at = at.wrapping_add(n);
        from = from.wrapping_add(n);
    }
    true
}

/// One bucket.
struct Bucket {
    slots: [Option<KBox<Waiting>>; PER_BUCKET],
    /// No slot is due before this.
    next_ms: u64,
}

/// No room for a connection.
pub(crate) struct Full {
    /// The connection that was to be put in.
    pub(crate) waiting: KBox<Waiting>,
    /// The oldest of its bucket, taken out to make room; `None`: the new one has to go.
    pub(crate) oldest: Option<KBox<Waiting>>,
}

/// All connections that wait.
pub(crate) struct Pending {
    /// All there: filled when made.
    buckets: [Option<BhLock<Bucket>>; BUCKETS],
    memory: Atomic<u64>,
    count: Atomic<u32>,
    max_memory: u64,
    seed: u64,
}

impl Pending {
    /// Nothing waits; at most `max_memory` bytes will. Process context.
    pub(crate) fn new(max_memory: u64) -> Result<KBox<Self>> {
        let mut this = KBox::new(
            Self {
                buckets: [const { None }; BUCKETS],
                memory: Atomic::new(0),
                count: Atomic::new(0),
                max_memory,
                seed: time::random(),
            },
            GFP_KERNEL,
        )?;
        for bucket in &mut this.buckets {
            let empty = Bucket {
                slots: [const { None }; PER_BUCKET],
                next_ms: u64::MAX,
            };
            *bucket = Some(BhLock::new(empty, GFP_KERNEL)?);
        }
        Ok(this)
    }

    /// How many connections wait.
    pub(crate) fn len(&self) -> u32 {
        self.count.load(Relaxed)
    }

    /// Bytes of memory that they take.
    pub(crate) fn memory(&self) -> u64 {
        self.memory.load(Relaxed)
    }

    fn bucket(&self, tuple: &Tuple) -> Option<&BhLock<Bucket>> {
        // Each bucket is bounded: who could choose the bucket could put others out of it.
        let hash = tuple.to_bytes().iter().fold(self.seed, |h, b| {
            (h ^ u64::from(*b))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23)
        });
        self.buckets.get(hash as usize % BUCKETS)?.as_ref()
    }

    fn taken(&self, waiting: &Waiting) {
        self.count.fetch_sub(1, Relaxed);
        self.memory.fetch_sub(waiting.memory(), Relaxed);
    }

    /// Takes a connection out, to add to it or to decide on it. Only one CPU can have it.
    pub(crate) fn take(&self, tuple: &Tuple) -> Option<KBox<Waiting>> {
        if self.len() == 0 {
            return None;
        }
        let is = |w: &KBox<Waiting>| w.tuple == *tuple;
        let waiting = self
            .bucket(tuple)?
            .lock()
            .slots
            .iter_mut()
            .find_map(|slot| slot.take_if(|w| is(w)))?;
        self.taken(&waiting);
        Some(waiting)
    }

    /// Puts a connection (back) in; `scale` is that of the farm. Answers when it is due. Two CPUs
    /// may hold parts of one connection; the parts stay apart, and the client's retransmission
    /// brings them together.
    ///
    /// # Errors
    ///
    /// [`Full`] when there is no room: the caller decides on `oldest` and tries again.
    pub(crate) fn put(&self, mut waiting: KBox<Waiting>, scale: u64) -> Result<u64, Full> {
        let memory = waiting.memory();
        let due_ms = waiting.hold.due_ms(waiting.head(), scale);
        waiting.due_ms = due_ms;
        let Some(bucket) = self.bucket(&waiting.tuple) else {
            return Err(Full {
                waiting,
                oldest: None,
            });
        };
        let mut bucket = bucket.lock();
        let room = self.memory().saturating_add(memory) <= self.max_memory;
        let slot = bucket.slots.iter_mut().find(|slot| slot.is_none());
        let Some(slot) = slot.filter(|_| room) else {
            let oldest = bucket.take_oldest();
            drop(bucket);
            if let Some(oldest) = &oldest {
                self.taken(oldest);
            }
            return Err(Full { waiting, oldest });
        };
        self.count.fetch_add(1, Relaxed);
        self.memory.fetch_add(memory, Relaxed);
        *slot = Some(waiting);
        bucket.next_ms = bucket.next_ms.min(due_ms);
        Ok(due_ms)
    }

    /// Whether a connection waits here. Any context.
    pub(crate) fn holds(&self, tuple: &Tuple) -> bool {
        let is = |w: &KBox<Waiting>| w.tuple == *tuple;
        self.bucket(tuple)
            .is_some_and(|bucket| bucket.lock().slots.iter().flatten().any(is))
    }

    /// Shows the connections whose owner is not chosen yet, from place `from` on, until `show` wants
    /// no more: answers the place where to go on then. `show` must not sleep.
    pub(crate) fn each(&self, from: u32, mut show: impl FnMut(&Waiting) -> bool) -> Option<u32> {
        let mut place = 0u32;
        for bucket in self.buckets.iter().flatten() {
            let bucket = bucket.lock();
            for slot in &bucket.slots {
                let here = place;
                place = place.wrapping_add(1);
                let waiting = slot.as_ref().filter(|w| here >= from && w.terms.is_none());
                if waiting.is_some_and(|w| !show(w)) {
                    return Some(here);
                }
            }
        }
        None
    }

    /// Takes out one connection that is due.
    pub(crate) fn take_due(&self, now_ms: u64) -> Option<KBox<Waiting>> {
        if self.len() == 0 {
            return None;
        }
        let mut buckets = self.buckets.iter().flatten();
        let waiting = buckets.find_map(|bucket| bucket.lock().take_due(now_ms))?;
        self.taken(&waiting);
        Some(waiting)
    }

    /// When the next is due; never early by more than what has been taken out since.
    pub(crate) fn next_ms(&self) -> u64 {
        let buckets = self.buckets.iter().flatten();
        buckets.fold(u64::MAX, |next, bucket| next.min(bucket.lock().next_ms))
    }

    /// Drops everything (the last device or the namespace goes).
    pub(crate) fn clear(&self) {
        for bucket in self.buckets.iter().flatten() {
            loop {
                // Freed behind the lock.
                let Some(waiting) = bucket.lock().take_oldest() else {
                    break;
                };
                self.taken(&waiting);
            }
        }
    }
}

impl Bucket {
    fn take_oldest(&mut self) -> Option<KBox<Waiting>> {
        let oldest = self
            .slots
            .iter_mut()
            .filter(|slot| slot.is_some())
            .min_by_key(|slot| slot.as_ref().map_or(u64::MAX, |w| w.hold.since_ms()))?;
        oldest.take()
    }

    fn take_due(&mut self, now_ms: u64) -> Option<KBox<Waiting>> {
        if self.next_ms > now_ms {
            return None;
        }
        let due = self
            .slots
            .iter_mut()
            .find_map(|slot| slot.take_if(|w| w.due_ms <= now_ms));
        if due.is_none() {
            let slots = self.slots.iter().flatten();
            self.next_ms = slots.fold(u64::MAX, |next, w| next.min(w.due_ms));
        }
        due
    }
}
