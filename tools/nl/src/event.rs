// SPDX-License-Identifier: GPL-2.0

//! Notifications of the multicast groups config, session and member.

use crate::error::Error;
use crate::message::Attributes;
use crate::model::Change;
use crate::model::Member;
use homing_pure::uapi::consts;
use homing_pure::uapi::consts::ConfigWhat;

/// One notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The configuration has changed.
    Config {
        /// Generation after the change.
        generation: u32,
        /// What was changed.
        what: Option<ConfigWhat>,
    },
    /// An association was stored, changed or dropped.
    Session(Change),
    /// The state of a member has changed.
    Member(Member),
    /// A member tells everything again, because what it pushed was lost for too long.
    Resync {
        /// Number of the member.
        id: u32,
        /// Its name.
        name: String,
    },
}

impl Event {
    /// Reads a notification; `None` for a command that is none.
    pub(crate) fn read(command: u8, from: &Attributes) -> Result<Option<Self>, Error> {
        use consts::cmd;
        Ok(match command {
            cmd::CONFIG_NTF => Some(Event::Config {
                generation: Attributes::need(from.u32(consts::config::GENERATION), "generation")?,
                what: from
                    .u32(consts::config::WHAT)
                    .and_then(ConfigWhat::from_u32),
            }),
            cmd::SESSION_NTF => Some(Event::Session(Change::read(from)?)),
            cmd::MEMBER_NTF => Some(Event::Member(Member::read(from)?)),
            cmd::RESYNC_NTF => Some(Event::Resync {
                id: Attributes::need(from.u32(consts::member::ID), "id")?,
                name: from.string(consts::member::NAME).unwrap_or_default(),
            }),
            _ => None,
        })
    }
}
