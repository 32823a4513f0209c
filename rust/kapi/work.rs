// SPDX-License-Identifier: GPL-2.0

//! Delayed work on a shared queue: runs in process context, never twice at once.
//!
//! C header: `include/linux/workqueue.h`.

use core::{
    ffi::c_void,
    marker::PhantomData,
    ptr::NonNull, //
};
use kernel::{
    prelude::*,
    sync::{Arc, ArcBorrow}, //
};

use super::ffi;

/// What a work item does.
pub(crate) trait Job: 'static {
    /// What it works on.
    type State: Send + Sync + 'static;

    /// Runs once for each time the work was queued. May sleep. Answers after how many
    /// milliseconds it wants to run again; 0 for not.
    fn run(state: ArcBorrow<'_, Self::State>) -> u32;
}

/// A work item for one state. Dropping it waits until it no longer runs.
///
/// # Invariants
///
/// `raw` is a live `homing_work` whose `priv` is the address inside `_state`.
pub(crate) struct Work<J: Job> {
    raw: NonNull<ffi::homing_work>,
    _state: Arc<J::State>,
    _job: PhantomData<fn(J)>,
}

// SAFETY: The C side may be used from any thread; the state is `Send + Sync`.
unsafe impl<J: Job> Send for Work<J> {}
// SAFETY: As above.
unsafe impl<J: Job> Sync for Work<J> {}

extern "C" fn thunk<J: Job>(state: *mut c_void) -> u32 {
    // SAFETY: By the invariant of `Work` this is the address inside an `Arc`, and the work holds
    // the state until it can no longer run.
    J::run(unsafe { ArcBorrow::from_raw(state.cast::<J::State>()) })
}

impl<J: Job> Work<J> {
    /// A work item that is not queued. Process context.
    pub(crate) fn new(state: Arc<J::State>) -> Result<Self> {
        let p = Arc::as_ptr(&state).cast_mut();
        // SAFETY: The thunk takes exactly this pointer.
        let raw = unsafe { ffi::homing_work_new(Some(thunk::<J>), p.cast()) };
        // INVARIANT: `priv` is the state's address.
        Ok(Self {
            raw: NonNull::new(raw).ok_or(ENOMEM)?,
            _state: state,
            _job: PhantomData,
        })
    }

    /// Runs it in `delay_ms` milliseconds; replaces an earlier time. Any context.
    pub(crate) fn queue(&self, delay_ms: u32) {
        // SAFETY: By the invariant.
        unsafe { ffi::homing_work_queue(self.raw.as_ptr(), delay_ms) };
    }
}

impl<J: Job> Drop for Work<J> {
    fn drop(&mut self) {
        // SAFETY: By the invariant; the C side first forbids queueing, then waits.
        unsafe { ffi::homing_work_free(self.raw.as_ptr()) };
    }
}
