// SPDX-License-Identifier: GPL-2.0

//! What happens, for whoever wants to tell user space. The control layer installs itself here.

use kernel::sync::SetOnce;

use super::host::Host;
use crate::{
    table::member::Member,
    wire::control::Association, //
};

/// Why a session is told about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A home was selected.
    New,
    /// The client showed the id for the first time.
    Confirm,
    /// It has another home.
    Move,
    /// It was ended by an operator.
    End,
    /// A timeout has passed.
    Expire,
}

/// Takes events. Any context, under RCU; must not sleep.
pub(crate) trait Events: Sync {
    /// Something happened to a session.
    fn session(&self, host: &Host, association: &Association, cause: Cause);
    /// A member's state has changed.
    fn member(&self, host: &Host, member: &Member);
    /// What a member pushed was lost for too long; it tells everything again.
    fn resync(&self, host: &Host, from: &Member);
    /// A device that was attached has gone.
    fn device_gone(&self, host: &Host);
}

static LISTENER: SetOnce<&'static dyn Events> = SetOnce::new();

/// Whom to tell; once, at load.
pub(crate) fn install(listener: &'static dyn Events) {
    LISTENER.populate(listener);
}

/// Tells about a session.
pub(super) fn session(host: &Host, association: &Association, cause: Cause) {
    if let Some(l) = LISTENER.as_ref() {
        l.session(host, association, cause);
    }
}

/// Tells that a member tells everything again.
pub(super) fn resync(host: &Host, from: &Member) {
    if let Some(l) = LISTENER.as_ref() {
        l.resync(host, from);
    }
}

/// Tells about a member.
pub(crate) fn member(host: &Host, member: &Member) {
    if let Some(l) = LISTENER.as_ref() {
        l.member(host, member);
    }
}

/// Tells that an attached device has gone.
pub(super) fn device_gone(host: &Host) {
    if let Some(l) = LISTENER.as_ref() {
        l.device_gone(host);
    }
}
