// SPDX-License-Identifier: GPL-2.0

//! What a response is given on its way out, beside its flow: how far its head has been read, the
//! bytes that were put in, and how many connections are shifted.
//!
//! Bytes are kept until the local stack knows that the client has them: a retransmission gets the
//! same bytes whatever the configuration says by then.

use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu::Guard, //
    },
};

use super::flow::Flow;
use crate::{
    decide::{
        insert::Finder,
        limits,
        shift::{Insert, Shift}, //
    },
    kapi::{
        hash::{Ref, Table},
        lock::BhLock,
        module::Pin,
        rcu::synchronize, //
    },
    wire::addr::Tuple,
};

/// Inserted bytes of one flow.
#[derive(Clone, Copy)]
pub(crate) struct Inserted {
    len: u16,
    bytes: [u8; limits::INSERT_MAX as usize],
}

impl Inserted {
    /// What `write` puts into the place that there is, of which it says the length. `None`: it does not
    /// fit.
    #[inline]
    pub(crate) fn new(write: impl FnOnce(&mut [u8]) -> Option<usize>) -> Option<Self> {
        let mut new = Self {
            len: 0,
            bytes: [0; limits::INSERT_MAX as usize],
        };
        new.len = u16::try_from(write(&mut new.bytes)?).ok()?;
        (new.len > 0 && new.len <= limits::INSERT_MAX).then_some(new)
    }

    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// One kind of what is kept beside flows, by connection.
struct Beside<T: Copy + Send + Sync>(Table<Tuple, T>);

impl<T: Copy + Send + Sync> Beside<T> {
    fn store(&self, guard: &Guard, flow: &Tuple, value: T) -> Result {
        self.forget(guard, flow);
        self.0.insert(guard, flow, value)?;
        Ok(())
    }

    fn forget(&self, guard: &Guard, flow: &Tuple) {
        if let Some(entry) = self.0.get(guard, flow) {
            self.0.remove(guard, entry);
        }
    }
}

/// The edits that are under way. While any connection is sequence-shifted the module cannot be
/// unloaded: without it the streams would be corrupted.
pub(crate) struct Edits {
    readers: Beside<Finder>,
    bytes: Beside<Inserted>,
    shifted: Atomic<u32>,
    /// How many [`Stopped`] there are: while there is one, no more may begin.
    stopped: Atomic<u32>,
    pin: BhLock<Option<Pin>>,
}

/// No shift begins while this lives.
pub(crate) struct Stopped<'a>(&'a Edits);

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.0.stopped.fetch_sub(1, Relaxed);
    }
}

impl Edits {
    /// None; at most `max` of each kind. Process context.
    pub(crate) fn new(max: u32) -> Result<Self> {
        Ok(Self {
            readers: Beside(Table::new(max)?),
            bytes: Beside(Table::new(max)?),
            shifted: Atomic::new(0),
            stopped: Atomic::new(0),
            pin: BhLock::new(None, GFP_KERNEL)?,
        })
    }

    /// Sees to it that no shift begins, so that [`Edits::shifted`] only falls. Process context.
    pub(crate) fn stop(&self) -> Stopped<'_> {
        self.stopped.fetch_add(1, Relaxed);
        // Whoever has not seen that begins within a section.
        synchronize();
        Stopped(self)
    }

    /// How many connections are shifted.
    #[inline]
    pub(crate) fn shifted(&self) -> u32 {
        self.shifted.load(Relaxed)
    }

    /// Where that is counted.
    pub(crate) fn shifted_count(&self) -> &Atomic<u32> {
        &self.shifted
    }

    /// The reader of a flow's responses, where the last segment has left it. `None`: it is lost.
    pub(crate) fn reader(&self, guard: &Guard, flow: Ref<'_, Tuple, Flow>) -> Option<Finder> {
        if !flow.has_reader() {
            return Some(Finder::new());
        }
        Some(self.readers.0.get(guard, flow.key())?.next_segment())
    }

    /// Keeps the reader; the next byte it wants is `next`, in the server's numbers.
    pub(crate) fn keep_reader(
        &self,
        guard: &Guard,
        flow: Ref<'_, Tuple, Flow>,
        reader: Finder,
        next: u32,
    ) -> Result {
        self.readers.store(guard, flow.key(), reader)?;
        flow.response_next(next);
        Ok(())
    }

    /// No response of the flow is read any more.
    pub(crate) fn stop_reading(&self, guard: &Guard, flow: Ref<'_, Tuple, Flow>) {
        if flow.take_response() {
            self.readers.forget(guard, flow.key());
        }
    }

    /// Begins to shift: `new` goes in front of the server's byte `at`. Nothing has changed when it
    /// fails.
    ///
    /// # Errors
    ///
    /// `EBUSY` when hooks or module are being taken out or the flow is over, else those of the table.
    pub(crate) fn begin(
        &self,
        guard: &Guard,
        flow: Ref<'_, Tuple, Flow>,
        at: u32,
        new: Inserted,
    ) -> Result {
        let len = new.len;
        if self.stopped.load(Relaxed) != 0 {
            return Err(EBUSY);
        }
        self.bytes.store(guard, flow.key(), new)?;
        if !self.one_more() {
            self.bytes.forget(guard, flow.key());
            return Err(EBUSY);
        }
        if !flow.set_shift(Shift::new(Insert { at, len })) {
            self.bytes.forget(guard, flow.key());
            self.one_less();
            return Err(EBUSY);
        }
        Ok(())
    }

    /// The bytes that were put into a flow.
    pub(crate) fn bytes<'g>(
        &'g self,
        guard: &'g Guard,
        flow: &Tuple,
    ) -> Option<Ref<'g, Tuple, Inserted>> {
        self.bytes.0.get(guard, flow)
    }

    /// The local stack has accepted acknowledgements up to `una`. The shift as it is now.
    pub(crate) fn accepted(
        &self,
        guard: &Guard,
        flow: Ref<'_, Tuple, Flow>,
        old: Shift,
        una: u32,
    ) -> Shift {
        // When there is none the connection is over.
        let Some((old, new)) = flow.on_shift(old, |s| s.on_una(una)) else {
            return old;
        };
        if old.needs_bytes() && !new.needs_bytes() {
            self.bytes.forget(guard, flow.key());
        }
        new
    }

    /// The connection is over: nothing is read or shifted any more.
    pub(crate) fn end(&self, guard: &Guard, flow: Ref<'_, Tuple, Flow>) {
        self.stop_reading(guard, flow);
        if flow.take_shift() {
            self.bytes.forget(guard, flow.key());
            self.one_less();
        }
    }

    /// One more is shifted; `false` when the module is being unloaded.
    fn one_more(&self) -> bool {
        let mut pin = self.pin.lock();
        if pin.is_none() {
            *pin = Pin::take();
        }
        if pin.is_none() {
            return false;
        }
        self.shifted.fetch_add(1, Relaxed);
        true
    }

    fn one_less(&self) {
        let mut pin = self.pin.lock();
        let old = self.shifted.load(Relaxed);
        self.shifted.store(old.saturating_sub(1), Relaxed);
        if old <= 1 {
            *pin = None;
        }
    }
}
