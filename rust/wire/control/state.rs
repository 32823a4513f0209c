// SPDX-License-Identifier: GPL-2.0
//! The state message: how a member is, what it has heard, what its services can take.
//!
//! Speaks to the body of a control message of kind 1. Bytes, big-endian: generation 4, state 1,
//! reserved 3, clock 8, sessions 4, flows 4, requests 4, CPU 2, weight 2, members heard 128, then
//! a count (1) of listeners (9 each) and a count (1) of batches seen (10 each).

use super::list::List;
use crate::wire::reader::Reader;
use crate::wire::reader::Writer;
use crate::wire::Error;
use crate::wire::Fault;
use crate::wire::Layer;

/// Most listeners in one message.
pub const MAX_LISTENERS: usize = 16;
/// Most origins in one message.
pub const MAX_BATCHES_SEEN: usize = 16;
/// Words of the bitmap of member ids 0 to 1023.
pub const HEARS_WORDS: usize = 16;

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

/// One service on the member that speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Hash of address and port of the service, the same on all members.
    pub service: u32,
    /// Connections that wait to be accepted.
    pub accept_depth: u16,
    /// How many may wait.
    pub accept_limit: u16,
    /// Whether an application listens at all.
    pub present: bool,
}

/// The newest batch of associations that arrived without a gap before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchSeen {
    /// Member id of the origin.
    pub member: u16,
    /// Number of the batch.
    pub batch: u64,
}

/// How a member is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateMsg {
    /// Generation of its configuration.
    pub generation: u32,
    /// What its operator wants.
    pub admin: AdminState,
    /// Its wall clock, seconds since 1970.
    pub clock_s: u64,
    /// Sessions whose home it is.
    pub sessions: u32,
    /// Flows that it owns.
    pub flows: u32,
    /// Requests that it is answering.
    pub requests: u32,
    /// Busy share of its processors over the last interval, thousandths.
    pub cpu_permille: u16,
    /// Its weight in the selection.
    pub weight: u16,
    /// Its services.
    pub listeners: List<Listener, MAX_LISTENERS>,
    /// Whom it hears: bit `id % 64` of word `id / 64`.
    pub hears: [u64; HEARS_WORDS],
    /// What it has received.
    pub batch_seen: List<BatchSeen, MAX_BATCHES_SEEN>,
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

    pub(super) fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.u32(self.generation)?;
        let admin = match self.admin {
            AdminState::Up => 0,
            AdminState::Down => 1,
            AdminState::Draining => 2,
        };
        w.array([admin, 0, 0, 0])?;
        w.u64(self.clock_s)?;
        w.u32(self.sessions)?;
        w.u32(self.flows)?;
        w.u32(self.requests)?;
        w.u16(self.cpu_permille)?;
        w.u16(self.weight)?;
        self.hears.iter().try_for_each(|word| w.u64(*word))?;
        // The limits are far under 256.
        w.u8(self.listeners.as_slice().len() as u8)?;
        for l in self.listeners.as_slice() {
            w.u32(l.service)?;
            w.u16(l.accept_depth)?;
            w.u16(l.accept_limit)?;
            w.u8(l.present.into())?;
        }
        w.u8(self.batch_seen.as_slice().len() as u8)?;
        for seen in self.batch_seen.as_slice() {
            w.u16(seen.member)?;
            w.u64(seen.batch)?;
        }
        Some(())
    }

    /// Reads the body into `self`, which must be the default, and leaves what stands behind it.
    ///
    /// In place, because the message is large and the stack of a receive path is not.
    pub(super) fn read(&mut self, r: &mut Reader<'_>) -> Result<(), Error> {
        let short = Error::short(Layer::Control, 162, r.rest().len());
        let bad = Error::bad(Layer::Control, Fault::Value);
        self.generation = r.u32().ok_or(short)?;
        let [admin, _, _, _] = r.array().ok_or(short)?;
        self.admin = match admin {
            0 => AdminState::Up,
            1 => AdminState::Down,
            2 => AdminState::Draining,
            _ => return Err(bad),
        };
        self.clock_s = r.u64().ok_or(short)?;
        self.sessions = r.u32().ok_or(short)?;
        self.flows = r.u32().ok_or(short)?;
        self.requests = r.u32().ok_or(short)?;
        self.cpu_permille = r.u16().ok_or(short)?;
        self.weight = r.u16().ok_or(short)?;
        for word in &mut self.hears {
            *word = r.u64().ok_or(short)?;
        }
        for _ in 0..r.u8().ok_or(short)? {
            let listener = Listener {
                service: r.u32().ok_or(short)?,
                accept_depth: r.u16().ok_or(short)?,
                accept_limit: r.u16().ok_or(short)?,
                present: match r.u8().ok_or(short)? {
                    0 => false,
                    1 => true,
                    _ => return Err(bad),
                },
            };
            self.listeners.push(listener).ok_or(bad)?;
        }
        for _ in 0..r.u8().ok_or(short)? {
            let member = r.u16().ok_or(short)?;
            let batch = r.u64().ok_or(short)?;
            self.batch_seen
                .push(BatchSeen { member, batch })
                .ok_or(bad)?;
        }
        Ok(())
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_state))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    fn full() -> StateMsg {
        let mut msg = StateMsg {
            generation: 1,
            admin: AdminState::Draining,
            clock_s: 1 << 40,
            sessions: 2,
            flows: 3,
            requests: 4,
            cpu_permille: 1000,
            weight: 5,
            ..StateMsg::default()
        };
        for i in 0..16 {
            let listener = Listener {
                service: i,
                accept_depth: 6,
                accept_limit: 4096,
                present: i % 2 == 0,
            };
            let _ = msg.listeners.push(listener);
            let seen = BatchSeen {
                member: i as u16,
                batch: 1 << 33,
            };
            let _ = msg.batch_seen.push(seen);
        }
        msg
    }

    fn parse(bytes: &[u8]) -> Result<(StateMsg, usize), Error> {
        let mut msg = StateMsg::default();
        let mut r = Reader::new(bytes);
        msg.read(&mut r)?;
        Ok((msg, r.rest().len()))
    }

    #[test]
    fn is_read_back_and_every_truncation_refused() {
        for msg in [full(), StateMsg::default()] {
            let mut b = [0xa5; 600];
            let mut w = Writer::new(&mut b);
            assert_eq!(msg.emit(&mut w), Some(()));
            let n = w.written();
            assert_eq!(parse(&b[..n]), Ok((msg, 0)));
            assert_eq!(parse(&b), Ok((msg, 600 - n)));
            for cut in 0..n {
                assert!(parse(&b[..cut]).is_err());
            }
        }
    }

    #[test]
    fn the_documented_layout() {
        let mut b = [0xa5; 600];
        let mut w = Writer::new(&mut b);
        assert_eq!(full().emit(&mut w), Some(()));
        assert_eq!(w.written(), 160 + 1 + 16 * 9 + 1 + 16 * 10);
        assert_eq!(b[..8], [0, 0, 0, 1, 2, 0, 0, 0]);
        assert_eq!(b[8..16], [0, 0, 1, 0, 0, 0, 0, 0]);
        assert_eq!(b[24..32], [0, 0, 0, 4, 0x03, 0xe8, 0, 5]);
        assert_eq!(b[160..170], [16, 0, 0, 0, 0, 0, 6, 0x10, 0, 1]);
    }

    #[test]
    fn values_out_of_range_are_refused() {
        // (byte, value): state, listener count over the limit, listener present, batch count
        for (at, value) in [(4, 3), (160, 17), (169, 2), (160 + 1 + 144, 17)] {
            let mut b = [0; 600];
            assert_eq!(full().emit(&mut Writer::new(&mut b)), Some(()));
            b[at] = value;
            let found = parse(&b);
            assert_eq!(found, Err(Error::bad(Layer::Control, Fault::Value)));
        }
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
