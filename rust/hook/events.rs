// SPDX-License-Identifier: GPL-2.0

//! What happens, for whoever wants to tell user space. The control layer installs itself here.
//!
//! Nothing is sent where it happens: it is noted if somebody listens, and a job sends it.

use kernel::sync::{rcu, ArcBorrow, SetOnce};

use super::host::Host;
pub(crate) use crate::table::untold::Cause;
use crate::{
    kapi::work::Job,
    table::{
        member::Member,
        untold::{Event, When},
    },
    wire::control::Association, //
};

/// For how long the first event waits for others, ms.
const SOON_MS: u32 = 10;

/// How often a job takes events before others have their turn.
const ROUNDS: u32 = 16;

/// Takes events.
pub(crate) trait Events: Sync {
    /// Whether anybody wants to know of such. Any context; one load when nobody does.
    fn wanted(&self, host: &Host, event: &Event) -> bool;
    /// Tells of one. Process context, not under RCU.
    fn tell(&self, host: &Host, event: &Event);
    /// Tells that some were lost. Process context.
    fn lost(&self, host: &Host);
    /// Tells that a device that was attached has gone. Process context.
    fn device_gone(&self, host: &Host);
}

static LISTENER: SetOnce<&'static dyn Events> = SetOnce::new();

/// Whom to tell; once, at load.
pub(crate) fn install(listener: &'static dyn Events) {
    LISTENER.populate(listener);
}

/// Notes an event. Any context.
fn note(host: &Host, event: Event) {
    if LISTENER.as_ref().is_some_and(|l| l.wanted(host, &event)) {
        match host.net.untold.push(event) {
            When::Then => {}
            When::Soon => host.tell_user(&rcu::read_lock(), SOON_MS),
            When::Now => host.tell_user(&rcu::read_lock(), 0),
        }
    }
}

/// Something happened to a session. Any context.
pub(super) fn session(host: &Host, association: &Association, cause: Cause) {
    note(host, Event::Session(*association, cause));
}

/// A member tells everything again. Any context.
pub(super) fn resync(host: &Host, from: &Member) {
    note(host, Event::Resync(from.id()));
}

/// A member's state has changed. Any context.
pub(crate) fn member(host: &Host, member: &Member) {
    note(host, Event::Member(member.id()));
}

/// An attached device has gone. Process context.
pub(super) fn device_gone(host: &Host) {
    if let Some(l) = LISTENER.as_ref() {
        l.device_gone(host);
    }
}

/// The job that tells.
pub(super) struct EventsJob;

impl Job for EventsJob {
    type State = Host;

    fn run(host: ArcBorrow<'_, Host>) -> u32 {
        let host = &*host;
        let Some(listener) = LISTENER.as_ref() else {
            return 0;
        };
        for _ in 0..ROUNDS {
            let (events, taken) = host.net.untold.take();
            for event in events.iter().flatten() {
                listener.tell(host, event);
            }
            if taken < events.len() {
                if host.net.untold.lost() {
                    listener.lost(host);
                }
                return 0;
            }
        }
        1
    }
}
