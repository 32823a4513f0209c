// SPDX-License-Identifier: GPL-2.0
//! The hand-off option: a connection, as its new owner must know it.
//!
//! Speaks to the body of a Geneve option of 56 bytes, big-endian: entry 2, origin 2, group 2, MSS 2,
//! version 4, client's ISN 4, our ISN 4, TSecr 4, created 4, window scales 1 and 1, flags 1,
//! reserved 1, sid 24.

use crate::wire::reader::Reader;
use crate::wire::reader::Writer;

/// Bytes of a session id.
pub const SID_LEN: usize = 24;
/// Bytes of the option's body.
pub(super) const HAND_OFF_LEN: usize = 56;

/// What the owner of a handed-over connection must know to spawn its socket and to remember.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandOff {
    /// Member id of the entry member, which relays what follows.
    pub entry: u16,
    /// Member id of the member that made the association.
    pub origin: u16,
    /// Group of the session.
    pub group: u16,
    /// MSS for sending to the client, bytes.
    pub mss: u16,
    /// Version of the association that named this home.
    pub home_version: u32,
    /// Initial sequence number of the client.
    pub client_isn: u32,
    /// Our initial sequence number: the SYN cookie.
    pub cookie_isn: u32,
    /// Echoed timestamp of the newest held packet; counts only with [`HandOff::TSTAMP`]. With
    /// [`HandOff::TAKEN_OVER`], when this was written: seconds of the farm's clock.
    pub tsecr: u32,
    /// When the session began, seconds of the farm's clock.
    pub created: u32,
    /// Window scale of the client; `None`: no scaling.
    pub snd_wscale: Option<u8>,
    /// Window scale that we promised; `None`: no scaling.
    pub rcv_wscale: Option<u8>,
    /// The bits below.
    pub flags: u8,
    /// The session id; counts only with [`HandOff::HAS_SID`].
    pub sid: [u8; SID_LEN],
}

impl HandOff {
    /// Selective acknowledgements were agreed.
    pub const SACK: u8 = 0x01;
    /// Timestamps were agreed.
    pub const TSTAMP: u8 = 0x02;
    /// ECN was agreed.
    pub const ECN: u8 = 0x04;
    /// The session is new: the owner puts the cookie into the first response.
    pub const NEW_SESSION: u8 = 0x08;
    /// There is a session id.
    pub const HAS_SID: u8 = 0x10;
    /// The connection had another owner, which is lost: it goes on with this packet. The two initial
    /// numbers are those before it, so no cookie proves them.
    pub const TAKEN_OVER: u8 = 0x20;
    /// The packet is made of bytes that the entry member has acknowledged and keeps: the owner
    /// says what its socket has of them.
    pub const KEPT: u8 = 0x40;
    /// The packet is one whole request, by another method than HEAD, and the client may make another
    /// when it is answered: the owner need not read it.
    pub const WHOLE: u8 = 0x80;

    /// The byte that means "no window scaling" on the wire.
    const NO_WSCALE: u8 = 0xff;

    pub(super) fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.u16(self.entry)?;
        w.u16(self.origin)?;
        w.u16(self.group)?;
        w.u16(self.mss)?;
        w.u32(self.home_version)?;
        w.u32(self.client_isn)?;
        w.u32(self.cookie_isn)?;
        w.u32(self.tsecr)?;
        w.u32(self.created)?;
        w.u8(self.snd_wscale.unwrap_or(Self::NO_WSCALE))?;
        w.u8(self.rcv_wscale.unwrap_or(Self::NO_WSCALE))?;
        w.u8(self.flags)?;
        w.u8(0)?;
        w.array(self.sid)
    }

    pub(super) fn parse(body: &[u8; HAND_OFF_LEN]) -> Option<Self> {
        let mut r = Reader::new(body);
        let mut this = Self {
            entry: r.u16()?,
            origin: r.u16()?,
            group: r.u16()?,
            mss: r.u16()?,
            home_version: r.u32()?,
            client_isn: r.u32()?,
            cookie_isn: r.u32()?,
            tsecr: r.u32()?,
            created: r.u32()?,
            ..Self::default()
        };
        this.snd_wscale = Self::wscale(r.u8()?)?;
        this.rcv_wscale = Self::wscale(r.u8()?)?;
        this.flags = r.u8()?;
        r.u8()?;
        this.sid = r.array()?;
        Some(this)
    }

    /// A scale over 14 never came from a member that parsed the option.
    fn wscale(byte: u8) -> Option<Option<u8>> {
        match byte {
            Self::NO_WSCALE => Some(None),
            0..=14 => Some(Some(byte)),
            _ => None,
        }
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_hand_off))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    #[test]
    fn the_documented_layout() {
        let msg = HandOff {
            entry: 0x0102,
            origin: 0x0304,
            group: 0x0506,
            mss: 0x0708,
            home_version: 0x090a0b0c,
            client_isn: 0x0d0e0f10,
            cookie_isn: 0x11121314,
            tsecr: 0x15161718,
            created: 0x191a1b1c,
            snd_wscale: Some(14),
            rcv_wscale: None,
            flags: 0x1f,
            sid: [0x5a; SID_LEN],
        };
        let mut b = [0xa5; HAND_OFF_LEN];
        assert_eq!(msg.emit(&mut Writer::new(&mut b)), Some(()));
        for (at, byte) in b.iter().take(28).enumerate() {
            assert_eq!(usize::from(*byte), at + 1);
        }
        assert_eq!(b[28..32], [14, 0xff, 0x1f, 0]);
        assert_eq!(b[32..], [0x5a; SID_LEN]);
        assert_eq!(HandOff::parse(&b), Some(msg));
    }

    #[test]
    fn flags_are_single_bits() {
        let flags = [
            HandOff::SACK,
            HandOff::TSTAMP,
            HandOff::ECN,
            HandOff::NEW_SESSION,
            HandOff::HAS_SID,
            HandOff::TAKEN_OVER,
            HandOff::KEPT,
            HandOff::WHOLE,
        ];
        for (i, flag) in flags.into_iter().enumerate() {
            assert_eq!(flag, 1 << i);
        }
    }

    #[test]
    fn window_scales_over_14_are_refused() {
        let mut b = [0; HAND_OFF_LEN];
        for scale in 0..=255u8 {
            b[28] = scale;
            let found = HandOff::parse(&b).map(|h| h.snd_wscale);
            let want = match scale {
                0..=14 => Some(Some(scale)),
                255 => Some(None),
                _ => None,
            };
            assert_eq!(found, want);
        }
    }
}
