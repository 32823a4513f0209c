// SPDX-License-Identifier: GPL-2.0

//! Whose connections are: those that other members have listed here, those of this member that are
//! to be listed, and what is known of connections that nobody here knows.

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu::Guard, //
    },
};

use crate::{
    decide::{
        directory::{Asked, Bucket, Waiting},
        limits, //
    },
    kapi::{
        hash::{Inserted, Table, Walk},
        lock::BhLock,
        once,
        time, //
    },
    wire::{
        addr::{Addr, Tuple},
        control::Listed, //
    },
};

/// A connection that a member has listed here.
pub(crate) struct Entry {
    /// Its owner, and which of its connections of that key: owner << 32 | client's ISN.
    what: Atomic<u64>,
    /// The owner's boot nonce, so that nothing is left of a member that started anew.
    nonce: Atomic<u64>,
    /// Seconds since boot when it was listed last.
    listed: Atomic<u32>,
}

impl Entry {
    /// The owner, and the client's initial sequence number.
    pub(crate) fn owner(&self) -> (u16, u32) {
        let what = self.what.load(Relaxed);
        ((what >> 32) as u16, what as u32)
    }

    /// The boot nonce of the owner's start that listed it.
    pub(crate) fn nonce(&self) -> u64 {
        self.nonce.load(Relaxed)
    }

    /// Seconds since it was listed.
    pub(crate) fn age(&self, now: u32) -> u32 {
        now.saturating_sub(self.listed.load(Relaxed))
    }
}

/// Connections of others.
pub(crate) struct Directory(Table<Tuple, Entry>);

impl Directory {
    /// An empty one. Process context.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(Table::new(limits::DIRECTORY_CEILING)?))
    }

    /// Notes what an owner says of a connection at `now` (seconds since boot). Any context.
    ///
    /// # Errors
    ///
    /// `ENOSPC` at the ceiling, `ENOMEM`.
    pub(crate) fn note(
        &self,
        guard: &Guard,
        owner: u16,
        nonce: u64,
        said: &Listed,
        now: u32,
    ) -> Result {
        let what = u64::from(owner) << 32 | u64::from(said.client_isn);
        if said.gone {
            if let Some(entry) = self.0.get(guard, &said.tuple) {
                // Of this connection, not of the next one between the same ports.
                if entry.what.load(Relaxed) == what {
                    self.0.remove(guard, entry);
                }
            }
            return Ok(());
        }
        let new = Entry {
            what: Atomic::new(what),
            nonce: Atomic::new(nonce),
            listed: Atomic::new(now),
        };
        if let Inserted::Existing(entry) = self.0.insert(guard, &said.tuple, new)? {
            entry.what.store(what, Relaxed);
            entry.nonce.store(nonce, Relaxed);
            entry.listed.store(now, Relaxed);
        }
        Ok(())
    }

    /// What is known of a connection. Any context.
    pub(crate) fn get<'g>(
        &'g self,
        guard: &'g Guard,
        tuple: &Tuple,
    ) -> Option<crate::kapi::hash::Ref<'g, Tuple, Entry>> {
        self.0.get(guard, tuple)
    }

    /// Forgets one. Any context.
    pub(crate) fn remove(
        &self,
        guard: &Guard,
        entry: crate::kapi::hash::Ref<'_, Tuple, Entry>,
    ) -> bool {
        self.0.remove(guard, entry)
    }

    /// Goes through all of them. Process context.
    pub(crate) fn walk(&self) -> Result<Walk<'_, Tuple, Entry>> {
        self.0.walk()
    }
}

/// Connections that a list has room for.
pub(crate) const FRESH: usize = 256;

/// Connections of this member that its directory members are to hear of.
pub(crate) struct Batch {
    list: [Tuple; FRESH],
    len: usize,
}

impl Batch {
    /// An empty one.
    pub(crate) fn new() -> Result<KBox<Self>> {
        Ok(KBox::new(
            Self {
                list: [const { NOWHERE }; FRESH],
                len: 0,
            },
            GFP_KERNEL,
        )?)
    }

    /// Adds one; `false` when it is full.
    pub(crate) fn push(&mut self, tuple: &Tuple) -> bool {
        match self.list.get_mut(self.len) {
            Some(slot) => {
                *slot = *tuple;
                self.len = self.len.saturating_add(1);
                true
            }
            None => false,
        }
    }

    /// What is in it.
    pub(crate) fn as_slice(&self) -> &[Tuple] {
        self.list.get(..self.len).unwrap_or_default()
    }

    /// Empties it.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }
}

const NOWHERE: Tuple = Tuple {
    client: Addr([0; 16]),
    vip: Addr([0; 16]),
    client_port: 0,
    vip_port: 0,
};

/// New connections that are not listed yet. What does not fit is found by the next sweep.
pub(crate) struct Fresh {
    now: BhLock<KBox<Batch>>,
    any: Atomic<bool>,
    /// There is no room for more: nobody need take the lock to learn it.
    full: Atomic<bool>,
}

impl Fresh {
    /// None. Process context.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            now: BhLock::new(Batch::new()?, GFP_KERNEL)?,
            any: Atomic::new(false),
            full: Atomic::new(false),
        })
    }

    /// Whether one more can be taken in. Any context.
    pub(crate) fn has_room(&self) -> bool {
        !once::read(&self.full)
    }

    /// One more; whether there are so many now that they should be taken soon. Any context.
    pub(crate) fn push(&self, tuple: &Tuple) -> bool {
        if once::read(&self.full) {
            return false;
        }
        let mut now = self.now.lock();
        now.push(tuple);
        let len = now.as_slice().len();
        if len == FRESH {
            once::write(&self.full, true);
        }
        once::write(&self.any, true);
        len == FRESH / 2
    }

    /// Takes all of them, if there are any. Process context.
    pub(crate) fn take(&self) -> Option<KBox<Batch>> {
        if !self.any.load(Relaxed) {
            return None;
        }
        let empty = Batch::new().ok()?;
        let mut now = self.now.lock();
        self.any.store(false, Relaxed);
        self.full.store(false, Relaxed);
        Some(core::mem::replace(&mut *now, empty))
    }
}

const SLOTS: usize = 1 << 14;

/// Prefixes that are counted by themselves.
const PREFIXES: usize = 1 << 10;

/// Connections of which it is known that a packet has come before.
const MARKS: usize = 1 << 18;

/// What is known of connections that are not known: small and lossy, since whoever sends at random
/// writes into it. Losing an entry costs one more question.
pub(crate) struct Strangers {
    slots: KVBox<[Slot; SLOTS]>,
    /// Digests of connections that could not be asked for. Much more of them than of slots: those
    /// that come again are told by them from a flood in which none does.
    marks: KVBox<[Atomic<u32>; MARKS]>,
    /// Questions about connections of which nothing has come before.
    first: Atomic<u64>,
    /// Questions about those that come again.
    again: Atomic<u64>,
    prefixes: KVBox<[Atomic<u64>; PREFIXES]>,
    seed: u64,
}

/// One connection: a digest of it, and an [`Asked`] with times in ms.
struct Slot {
    mark: Atomic<u32>,
    /// [`NOBODY`], or (asked | [`DATA`]) << 16 | no: ids are smaller than that.
    who: Atomic<u32>,
    since: Atomic<u32>,
    last: Atomic<u32>,
    /// The client's last acknowledgement, and 1 << 32.
    ack: Atomic<u64>,
}

/// All of them say no.
const NOBODY: u32 = u32::MAX;
/// Beside an id: [`Waiting::data`].
const DATA: u16 = 1 << 15;

impl Slot {
    const fn empty() -> Self {
        Self {
            mark: Atomic::new(0),
            who: Atomic::new(0),
            since: Atomic::new(0),
            last: Atomic::new(0),
            ack: Atomic::new(0),
        }
    }
}

impl Strangers {
    /// None. Process context.
    pub(crate) fn new() -> Result<KBox<Self>> {
        let now = time::boot_ms() as u32;
        let half = Bucket::full(limits::ASK_BURST / 2, now).to_bits();
        let each = Bucket::full(limits::ASK_PREFIX_BURST, now).to_bits();
        let new = Self {
            // In place: a stack has no room for them.
            slots: KVBox::init(pin_init::init_array_from_fn(|_| Slot::empty()), GFP_KERNEL)?,
            marks: KVBox::init(pin_init::init_array_from_fn(|_| Atomic::new(0)), GFP_KERNEL)?,
            first: Atomic::new(half),
            again: Atomic::new(half),
            prefixes: KVBox::init(
                pin_init::init_array_from_fn(|_| Atomic::new(each)),
                GFP_KERNEL,
            )?,
            seed: time::random(),
        };
        Ok(KBox::new(new, GFP_KERNEL)?)
    }

    fn hash(&self, bytes: &[u8]) -> u64 {
        bytes.iter().fold(self.seed, |h, b| {
            (h ^ u64::from(*b))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23)
        })
    }

    fn slot(&self, tuple: &Tuple) -> Option<(&Slot, u32)> {
        let hash = self.hash(&tuple.to_bytes());
        let slot = self.slots.get(hash as usize % SLOTS)?;
        Some((slot, ((hash >> 32) as u32).max(1)))
    }

    /// What is known of a connection. Any context.
    pub(crate) fn get(&self, tuple: &Tuple) -> Option<Asked> {
        let (slot, mark) = self.slot(tuple)?;
        if slot.mark.load(Relaxed) != mark {
            return None;
        }
        let since = slot.since.load(Relaxed);
        Some(match slot.who.load(Relaxed) {
            NOBODY => Asked::Nobody { at: since },
            who => Asked::Waiting(Waiting {
                since,
                last: slot.last.load(Relaxed),
                asked: (who >> 16) as u16 & !DATA,
                no: who as u16,
                data: (who >> 16) as u16 & DATA != 0,
            }),
        })
    }

    /// Remembers it. Any context; two CPUs at once may mix two connections, which costs a question
    /// or a RST that would have been sent a little later.
    pub(crate) fn put(&self, tuple: &Tuple, what: Asked) {
        if let Some((slot, mark)) = self.slot(tuple) {
            let (who, since, last) = match what {
                Asked::Nobody { at } => (NOBODY, at, at),
                Asked::Waiting(w) => {
                    let asked = w.asked | if w.data { DATA } else { 0 };
                    (u32::from(asked) << 16 | u32::from(w.no), w.since, w.last)
                }
            };
            slot.who.store(who, Relaxed);
            slot.since.store(since, Relaxed);
            slot.last.store(last, Relaxed);
            if slot.mark.xchg(mark, Relaxed) != mark {
                slot.ack.store(0, Relaxed);
            }
        }
    }

    /// Notes what the client of a connection that is remembered has acknowledged. Any context.
    pub(crate) fn note(&self, tuple: &Tuple, ack: u32) {
        if let Some((slot, mark)) = self.slot(tuple) {
            if slot.mark.load(Relaxed) == mark {
                slot.ack.store(1 << 32 | u64::from(ack), Relaxed);
            }
        }
    }

    /// What it has acknowledged. Any context.
    pub(crate) fn ack(&self, tuple: &Tuple) -> Option<u32> {
        let (slot, mark) = self.slot(tuple)?;
        let ack = slot.ack.load(Relaxed);
        (slot.mark.load(Relaxed) == mark && ack != 0).then_some(ack as u32)
    }

    /// Whether a packet of this connection came not long ago, when it could not be asked for; from
    /// now on it did. Any context.
    fn came(&self, tuple: &Tuple) -> bool {
        let hash = self.hash(&tuple.to_bytes());
        let mark = ((hash >> 32) as u32).max(1);
        // Not the bits of the slot: those are of the lower half, too.
        let place = self
            .marks
            .get((hash as u32).reverse_bits() as usize % MARKS);
        place.is_some_and(|p| p.xchg(mark, Relaxed) == mark)
    }

    /// Whether one more question may be asked for a connection: so many for the network that its
    /// client says it is in, and so many in all. Half of these are for connections that come `again`:
    /// a client repeats what gets no answer, while he who makes up connections has new ones. Any
    /// context.
    pub(crate) fn may_ask(&self, tuple: &Tuple, again: bool, now: u32) -> bool {
        let client = &tuple.client;
        // What one administration usually has: 24 bits of IPv4, 56 of IPv6.
        let prefix = if client.is_v4() {
            client.0.get(..15)
        } else {
            client.0.get(..7)
        };
        let hash = self.hash(prefix.unwrap_or_default());
        let own = self.prefixes.get(hash as usize % PREFIXES);
        let (rate, burst) = (limits::ASK_RATE / 2, limits::ASK_BURST / 2);
        own.is_some_and(|b| take(b, limits::ASK_PREFIX_RATE, limits::ASK_PREFIX_BURST, now))
            && (take(&self.first, rate, burst, now)
                || ((again || self.came(tuple)) && take(&self.again, rate, burst, now)))
    }
}

/// Takes a token. When another CPU was first its token is taken for both: the limit is a guard,
/// not an account.
fn take(bucket: &Atomic<u64>, rate: u32, burst: u32, now: u32) -> bool {
    let bits = bucket.load(Relaxed);
    match Bucket::from_bits(bits).take(rate, burst, now) {
        Some(left) => {
            let _ = bucket.cmpxchg(bits, left.to_bits(), Relaxed);
            true
        }
        None => false,
    }
}
