// SPDX-License-Identifier: GPL-2.0
//! Control messages between members: state, associations, acknowledgements, challenges, probes.
//!
//! Speaks to RFC 8926: a control message is a Geneve header with the O bit, then
//!
//! ```text
//!  0         1   2        4    5    6               14              22              30
//!  | version | 0 | sender | key|kind| nonce of the  | nonce of the  | sequence      | body ... | MAC, 16 bytes |
//!  |         |   |        |    |    | sender        | receiver      |               |          |               |
//! ```
//!
//! all big-endian. The version is that of everything that members say to each other, data messages
//! too: nothing else of a message of another version is read, so who speaks another one is never
//! heard, and gets no connection. The code covers everything before it, the Geneve header included. A nonce is
//! drawn at random when a member starts; a receiver believes only messages that repeat its own, so
//! that what was recorded before a restart is worthless after it.

use crate::wire::addr::Tuple;
use crate::wire::addr::TUPLE_LEN;
use crate::wire::geneve;
use crate::wire::reader::Reader;
use crate::wire::reader::Writer;
use crate::wire::Error;
use crate::wire::Fault;
use crate::wire::Layer;

mod directory;
mod join;
mod rest;
mod state;

pub use directory::Answer;
pub use directory::Listed;
pub use directory::Listing;
pub use directory::LISTED_LEN;
pub use directory::MAX_LISTED;
pub use join::Part;
pub use join::Parts;
pub use join::MAX_PARTS;
pub use rest::Resting;
pub use rest::Rests;
pub use rest::MAX_RESTING;
pub use rest::RESTING_LEN;
pub use state::AdminState;
pub use state::Arrived;
pub use state::Listener;
pub use state::Order;
pub use state::State;
pub use state::StateMsg;
pub use state::HEARS_WORDS;
pub use state::MAX_LISTENERS;
pub use state::MAX_ORDERS;
pub use state::SEEN_WORDS;

/// Bytes of the authentication code of a control message.
pub const MAC_LEN: usize = 16;
/// The version of what members say to each other; another one is not understood.
pub const VERSION: u8 = 1;
/// Bytes of the common header behind the Geneve header.
const COMMON_LEN: usize = 30;
/// Bytes of a message without its body.
pub const OVERHEAD: usize = geneve::HEADER_LEN + COMMON_LEN + MAC_LEN;
/// Bytes of the longest message that [`parse`] takes and the functions below write: it fits into
/// a datagram over IPv6 without fragmentation on any path of 1500 bytes.
pub const MAX_MESSAGE: usize = 1440;
/// Bytes of one association on the wire.
pub const ASSOCIATION_LEN: usize = 36;
/// Most associations in one message.
pub const MAX_ASSOCIATIONS: usize = 36;

/// Most associations in one part of a walk.
pub const MAX_PART_ASSOCIATIONS: usize = 15;
/// Bytes of a probe without what fills it up.
pub const PROBE_LEN: usize = OVERHEAD + 2;
/// Where the kind stands behind the Geneve header.
const KIND: usize = 5;
/// Bytes of the longest state message.
pub const MAX_STATE: usize = OVERHEAD + state::MAX_LEN;

const _: () = assert!(OVERHEAD + 10 + MAX_ASSOCIATIONS * ASSOCIATION_LEN <= MAX_MESSAGE);
const _: () = assert!(MAX_STATE <= MAX_MESSAGE);

mod kind {
    pub(super) const STATE: u8 = 1;
    pub(super) const ASSOCIATIONS: u8 = 2;
    pub(super) const HAND_OFF_ACK: u8 = 3;
    pub(super) const CHALLENGE: u8 = 4;
    pub(super) const ASK: u8 = 5;
    pub(super) const ANSWER: u8 = 6;
    pub(super) const PART: u8 = 7;
    pub(super) const PARTS: u8 = 8;
    pub(super) const NOT_MINE: u8 = 9;
    pub(super) const LIST: u8 = 16;
    pub(super) const UNKNOWN: u8 = 17;
    pub(super) const FLOW_GONE: u8 = 18;
    pub(super) const REST: u8 = 19;
    pub(super) const TAKEN_OVER: u8 = 20;
    pub(super) const PROBE: u8 = 21;
}

/// What every control message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Id of the farm, at most [`geneve::MAX_FARM`].
    pub farm: u32,
    /// Member id of the sender.
    pub sender: u16,
    /// Id of the farm key of the authentication code.
    pub key: u8,
    /// Boot nonce of the sender; never 0.
    pub nonce: u64,
    /// Boot nonce of the receiver as the sender last heard it; 0: not known yet.
    pub peer_nonce: u64,
    /// Counts the messages from this sender to this receiver; never repeats under one nonce.
    pub sequence: u64,
}

/// One session and its home, as one member tells it to the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Association {
    /// Key of the session: the first 16 bytes of its sid.
    pub key: [u8; 16],
    /// Member id of the home.
    pub home: u16,
    /// Member id of the member that made this version.
    pub origin: u16,
    /// Re-home epoch in the upper, counter in the lower 16 bits. The higher version wins.
    pub version: u32,
    /// When the session began, seconds of the farm's clock.
    pub created: u32,
    /// When the session was last used, seconds of the farm's clock.
    pub last_used: u32,
    /// Group of the session.
    pub group: u16,
    /// The bits below.
    pub flags: u8,
}

impl Association {
    /// The client has shown the sid.
    pub const CONFIRMED: u8 = 1;
    /// Tombstone: the session was ended, and the sid alone must not bring it back.
    pub const ENDED: u8 = 2;

    fn emit(&self, w: &mut Writer<'_>) -> Option<()> {
        w.array(self.key)?;
        w.u16(self.home)?;
        w.u16(self.origin)?;
        w.u32(self.version)?;
        w.u32(self.created)?;
        w.u32(self.last_used)?;
        w.u16(self.group)?;
        w.array([self.flags, 0])
    }

    fn parse(r: &mut Reader<'_>) -> Option<Self> {
        let this = Self {
            key: r.array()?,
            home: r.u16()?,
            origin: r.u16()?,
            version: r.u32()?,
            created: r.u32()?,
            last_used: r.u32()?,
            group: r.u16()?,
            flags: r.u8()?,
        };
        r.u8()?;
        Some(this)
    }
}

/// The associations of a received batch, read as they are asked for.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
}

impl Iterator for Records<'_> {
    type Item = Association;

    fn next(&mut self) -> Option<Association> {
        // Whole records only: `parse` compared the length with the count.
        Association::parse(&mut self.reader)
    }
}

/// What the owner's socket has of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// There is no socket yet.
    NotYet,
    /// Everything before this sequence number (`rcv_nxt`).
    Has(u32),
    /// There was a socket and it is gone: nobody wants the bytes any more.
    Over,
}

impl Report {
    fn emit(self, w: &mut Writer<'_>) -> Option<()> {
        let (kind, next) = match self {
            Self::NotYet => (0, 0),
            Self::Has(next) => (1, next),
            Self::Over => (2, 0),
        };
        w.u8(kind)?;
        w.u32(next)
    }
}

/// What a control message says.
///
/// The state message is larger than the rest; without an allocator it stays in place.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// How the sender is.
    State(State<'a>),
    /// A batch of associations, whose numbers follow each other.
    Associations {
        /// Number of the first; each origin counts its own from 1.
        first: u64,
        /// What is in it, at most [`MAX_ASSOCIATIONS`].
        records: Records<'a>,
    },
    /// The owner has the connection: the entry member need not repeat the hand-off.
    HandOffAck {
        /// The connection.
        tuple: Tuple,
        /// Initial sequence number of the client: which connection of that key.
        client_isn: u32,
        /// What its socket has; asked for by [`geneve::HandOff::KEPT`], else `NotYet`.
        report: Report,
    },
    /// The owner of a connection says to its entry member that it is over.
    FlowGone {
        /// The connection.
        tuple: Tuple,
        /// Initial sequence number of the client, as the entry member has it.
        client_isn: u32,
    },
    /// The receiver's nonce was wrong: this message carries the right one as its sender's.
    Challenge {
        /// Sequence number of the message that is answered.
        about: u64,
    },
    /// The sender owns these connections (or does not any more): the receiver is to remember it.
    List(Listing<'a>),
    /// These connections of the sender, which the receiver relays to it, are at rest.
    Rest(Rests<'a>),
    /// Whose is this connection?
    Ask {
        /// The connection.
        tuple: Tuple,
    },
    /// What the sender, a directory member, knows of a connection.
    Answer(Answer),
    /// The receiver relayed a packet of a connection that the sender does not have.
    Unknown {
        /// The connection.
        tuple: Tuple,
    },
    /// To a member that was taken for dead: this connection, if the receiver had it, has gone on at
    /// another owner since. The number is the one before the request that it went on with.
    TakenOver(Answer),
    /// A part of all that the sender knows.
    Part {
        /// Which part.
        part: Part,
        /// What is in it, at most [`MAX_PART_ASSOCIATIONS`].
        records: Records<'a>,
    },
    /// What has arrived of a walk of the receiver.
    Parts(Parts),
    /// A connection that was handed over does not belong at the sender: it was not taken.
    NotMine {
        /// The connection.
        tuple: Tuple,
        /// Initial sequence number of the client: which connection of that key.
        client_isn: u32,
        /// Where its session is.
        association: Association,
    },
    /// The way from the sender is tried: behind the message, the datagram is filled up, so that it
    /// makes an IP packet of so many bytes.
    Probe {
        /// Bytes of the IP packet.
        size: u16,
    },
}

/// A received control message, not yet authenticated.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Common header.
    pub header: Header,
    /// What it says.
    pub body: Body<'a>,
    /// The authentication code.
    pub mac: [u8; MAC_LEN],
    /// Where the code stands: it covers all bytes before.
    pub mac_offset: usize,
}

/// The message in a datagram of `len` bytes that begins with `bytes`: all of it, and of a probe what
/// stands before its filling. `header_len`: bytes of its Geneve header. `None` if `bytes` are too few.
pub fn in_datagram(bytes: &[u8], header_len: usize, len: usize) -> Option<&[u8]> {
    match bytes.get(header_len.checked_add(KIND)?) {
        Some(&kind::PROBE) => bytes.get(..header_len.checked_add(PROBE_LEN - geneve::HEADER_LEN)?),
        _ => bytes.get(..len),
    }
}

/// Reads a control message; `bytes` are what [`in_datagram`] has found.
///
/// # Errors
///
/// [`Fault::Short`] and [`Fault::Long`] if the body is not exactly as long as its kind says,
/// [`Fault::Value`] for a data message, member id 0 or nonce 0 as the sender's, or a field out of
/// range, [`Fault::Version`] for another version than [`VERSION`], whatever the rest is,
/// [`Fault::Length`] for a message over [`MAX_MESSAGE`], [`Fault::Unsupported`] for a kind
/// that is not known. Those of [`geneve::parse`].
pub fn parse(bytes: &[u8]) -> Result<Message<'_>, Error> {
    let short = Error::short(Layer::Control, OVERHEAD, bytes.len());
    let bad = |fault| Error::bad(Layer::Control, fault);
    let geneve::Frame::Control { farm, header_len } = geneve::parse(bytes)? else {
        return Err(bad(Fault::Value));
    };
    if bytes.get(header_len).is_some_and(|v| *v != VERSION) {
        return Err(bad(Fault::Version));
    }
    if bytes.len() > MAX_MESSAGE {
        return Err(bad(Fault::Length));
    }
    let (covered, mac) = bytes.split_last_chunk::<MAC_LEN>().ok_or(short)?;
    let mut r = Reader::new(covered.get(header_len..).ok_or(short)?);
    let (header, kind) = parse_common(farm, &mut r).ok_or(short)?;
    if header.sender == 0 || header.nonce == 0 {
        return Err(bad(Fault::Value));
    }
    let body = parse_body(kind, &mut r)?;
    if !r.rest().is_empty() {
        return Err(bad(Fault::Long));
    }
    Ok(Message {
        header,
        body,
        mac: *mac,
        mac_offset: covered.len(),
    })
}

fn parse_common(farm: u32, r: &mut Reader<'_>) -> Option<(Header, u8)> {
    let [_version, _] = r.array()?;
    let sender = r.u16()?;
    let [key, kind] = r.array()?;
    let header = Header {
        farm,
        sender,
        key,
        nonce: r.u64()?,
        peer_nonce: r.u64()?,
        sequence: r.u64()?,
    };
    Some((header, kind))
}

fn parse_body<'a>(kind: u8, r: &mut Reader<'a>) -> Result<Body<'a>, Error> {
    let have = r.rest().len();
    let short = |needed| Error::short(Layer::Control, needed, have);
    match kind {
        kind::STATE => Ok(Body::State(State::parse(r)?)),
        kind::ASSOCIATIONS => {
            let first = r.u64().ok_or(short(10))?;
            let records = parse_records(r, MAX_ASSOCIATIONS)?;
            Ok(Body::Associations { first, records })
        }
        kind::PART => {
            let part = Part::parse(r).ok_or(short(join::PART_LEN))?;
            let part = part.ok_or(Error::bad(Layer::Control, Fault::Value))?;
            let records = parse_records(r, MAX_PART_ASSOCIATIONS)?;
            Ok(Body::Part { part, records })
        }
        kind::PARTS => Ok(Body::Parts(Parts::parse(r).ok_or(short(join::PARTS_LEN))?)),
        kind::NOT_MINE => {
            let needed = short(TUPLE_LEN + 4 + ASSOCIATION_LEN);
            Ok(Body::NotMine {
                tuple: Tuple::from_bytes(&r.array().ok_or(needed)?),
                client_isn: r.u32().ok_or(needed)?,
                association: Association::parse(r).ok_or(needed)?,
            })
        }
        kind::HAND_OFF_ACK => {
            let needed = short(TUPLE_LEN + 9);
            let tuple = Tuple::from_bytes(&r.array().ok_or(needed)?);
            let client_isn = r.u32().ok_or(needed)?;
            let kind = r.u8().ok_or(needed)?;
            let next = r.u32().ok_or(needed)?;
            let report = match kind {
                0 => Report::NotYet,
                1 => Report::Has(next),
                2 => Report::Over,
                _ => return Err(Error::bad(Layer::Control, Fault::Value)),
            };
            Ok(Body::HandOffAck {
                tuple,
                client_isn,
                report,
            })
        }
        kind::FLOW_GONE => {
            let needed = short(TUPLE_LEN + 4);
            let tuple = Tuple::from_bytes(&r.array().ok_or(needed)?);
            let client_isn = r.u32().ok_or(needed)?;
            Ok(Body::FlowGone { tuple, client_isn })
        }
        kind::CHALLENGE => Ok(Body::Challenge {
            about: r.u64().ok_or(short(8))?,
        }),
        kind::LIST => {
            let count = usize::from(r.u16().ok_or(short(2))?);
            if count > MAX_LISTED {
                return Err(Error::bad(Layer::Control, Fault::Value));
            }
            let len = count.wrapping_mul(LISTED_LEN);
            let reader = Reader::new(r.take(len).ok_or(short(len))?);
            Ok(Body::List(Listing { reader }))
        }
        kind::REST => {
            let count = usize::from(r.u16().ok_or(short(2))?);
            if count > MAX_RESTING {
                return Err(Error::bad(Layer::Control, Fault::Value));
            }
            let len = count.wrapping_mul(RESTING_LEN);
            let reader = Reader::new(r.take(len).ok_or(short(len))?);
            Ok(Body::Rest(Rests { reader }))
        }
        kind::ASK => Ok(Body::Ask {
            tuple: Tuple::from_bytes(&r.array().ok_or(short(TUPLE_LEN))?),
        }),
        kind::ANSWER => Ok(Body::Answer(
            Answer::parse(r).ok_or(short(directory::ANSWER_LEN))?,
        )),
        kind::TAKEN_OVER => Ok(Body::TakenOver(
            Answer::parse(r).ok_or(short(directory::ANSWER_LEN))?,
        )),
        kind::UNKNOWN => Ok(Body::Unknown {
            tuple: Tuple::from_bytes(&r.array().ok_or(short(TUPLE_LEN))?),
        }),
        kind::PROBE => Ok(Body::Probe {
            size: r.u16().ok_or(short(2))?,
        }),
        _ => Err(Error::bad(Layer::Control, Fault::Unsupported)),
    }
}

/// Reads a count (2) and as many associations.
fn parse_records<'a>(r: &mut Reader<'a>, most: usize) -> Result<Records<'a>, Error> {
    let short = Error::short(Layer::Control, 2, r.rest().len());
    let count = usize::from(r.u16().ok_or(short)?);
    if count > most {
        return Err(Error::bad(Layer::Control, Fault::Value));
    }
    let len = count.wrapping_mul(ASSOCIATION_LEN);
    let short = Error::short(Layer::Control, len, r.rest().len());
    let reader = Reader::new(r.take(len).ok_or(short)?);
    Ok(Records { reader })
}

/// Writes a count and the associations; `None` also for more than `most`.
fn emit_records(w: &mut Writer<'_>, records: &[Association], most: usize) -> Option<()> {
    if records.len() > most {
        return None;
    }
    w.u16(records.len() as u16)?;
    records.iter().try_for_each(|record| record.emit(w))
}

/// Writes everything around a body; the length with the authentication code, which is left 0.
fn emit(
    buf: &mut [u8],
    header: &Header,
    kind: u8,
    body: impl FnOnce(&mut Writer<'_>) -> Option<()>,
) -> Option<usize> {
    let room = buf.len().min(MAX_MESSAGE);
    let (front, rest) = buf
        .get_mut(..room)?
        .split_at_mut_checked(geneve::HEADER_LEN)?;
    geneve::emit_control(front, header.farm)?;
    let mut w = Writer::new(rest);
    w.array([VERSION, 0])?;
    w.u16(header.sender)?;
    w.array([header.key, kind])?;
    w.u64(header.nonce)?;
    w.u64(header.peer_nonce)?;
    w.u64(header.sequence)?;
    body(&mut w)?;
    w.array([0; MAC_LEN])?;
    w.written().checked_add(geneve::HEADER_LEN)
}

/// Writes a state message; its length.
///
/// As in all of them: the last [`MAC_LEN`] bytes are the authentication code, left 0; `None` if
/// `buf` is too small, a list too long or the farm id too large.
pub fn emit_state(
    buf: &mut [u8],
    header: &Header,
    state: &StateMsg,
    listeners: &[Listener],
    orders: &[Order],
) -> Option<usize> {
    emit(buf, header, kind::STATE, |w| {
        state.emit(w, listeners, orders)
    })
}

/// Writes a batch of associations, the first of which has number `first`; its length.
pub fn emit_associations(
    buf: &mut [u8],
    header: &Header,
    first: u64,
    records: &[Association],
) -> Option<usize> {
    emit(buf, header, kind::ASSOCIATIONS, |w| {
        w.u64(first)?;
        emit_records(w, records, MAX_ASSOCIATIONS)
    })
}

/// Writes a part of a walk; its length.
pub fn emit_part(
    buf: &mut [u8],
    header: &Header,
    part: &Part,
    records: &[Association],
) -> Option<usize> {
    emit(buf, header, kind::PART, |w| {
        part.emit(w)?;
        emit_records(w, records, MAX_PART_ASSOCIATIONS)
    })
}

/// Writes what has arrived of a walk; its length.
pub fn emit_parts(buf: &mut [u8], header: &Header, parts: &Parts) -> Option<usize> {
    emit(buf, header, kind::PARTS, |w| parts.emit(w))
}

/// Writes that a connection belongs elsewhere; its length.
pub fn emit_not_mine(
    buf: &mut [u8],
    header: &Header,
    tuple: &Tuple,
    client_isn: u32,
    association: &Association,
) -> Option<usize> {
    emit(buf, header, kind::NOT_MINE, |w| {
        w.array(tuple.to_bytes())?;
        w.u32(client_isn)?;
        association.emit(w)
    })
}

/// Writes the acknowledgement of a hand-off; its length.
pub fn emit_hand_off_ack(
    buf: &mut [u8],
    header: &Header,
    tuple: &Tuple,
    client_isn: u32,
    report: Report,
) -> Option<usize> {
    emit(buf, header, kind::HAND_OFF_ACK, |w| {
        w.array(tuple.to_bytes())?;
        w.u32(client_isn)?;
        report.emit(w)
    })
}

/// Writes that a connection is over; its length.
pub fn emit_flow_gone(
    buf: &mut [u8],
    header: &Header,
    tuple: &Tuple,
    client_isn: u32,
) -> Option<usize> {
    emit(buf, header, kind::FLOW_GONE, |w| {
        w.array(tuple.to_bytes())?;
        w.u32(client_isn)
    })
}

/// Writes a challenge; its length.
pub fn emit_challenge(buf: &mut [u8], header: &Header, about: u64) -> Option<usize> {
    emit(buf, header, kind::CHALLENGE, |w| w.u64(about))
}

/// Lists connections with a directory member; the length of the message. `None` also for more than
/// [`MAX_LISTED`].
pub fn emit_list(buf: &mut [u8], header: &Header, listed: &[Listed]) -> Option<usize> {
    if listed.len() > MAX_LISTED {
        return None;
    }
    emit(buf, header, kind::LIST, |w| {
        w.u16(listed.len() as u16)?;
        listed.iter().try_for_each(|one| one.emit(w))
    })
}

/// Writes connections at rest; its length. `None` also for more than [`MAX_RESTING`].
pub fn emit_rest(buf: &mut [u8], header: &Header, resting: &[Resting]) -> Option<usize> {
    if resting.len() > MAX_RESTING {
        return None;
    }
    emit(buf, header, kind::REST, |w| {
        w.u16(resting.len() as u16)?;
        resting.iter().try_for_each(|one| one.emit(w))
    })
}

/// Writes a question for the owner of a connection; its length. See [`Body::Ask`].
pub fn emit_ask(buf: &mut [u8], header: &Header, tuple: &Tuple) -> Option<usize> {
    emit(buf, header, kind::ASK, |w| w.array(tuple.to_bytes()))
}

/// Writes the answer to a question; its length.
pub fn emit_answer(buf: &mut [u8], header: &Header, answer: &Answer) -> Option<usize> {
    emit(buf, header, kind::ANSWER, |w| answer.emit(w))
}

/// Tells a member where a connection has gone on; the length of the message. See
/// [`Body::TakenOver`].
pub fn emit_taken_over(buf: &mut [u8], header: &Header, now: &Answer) -> Option<usize> {
    emit(buf, header, kind::TAKEN_OVER, |w| now.emit(w))
}

/// Tells a member that a connection it relays is not here; the length of the message.
pub fn emit_unknown(buf: &mut [u8], header: &Header, tuple: &Tuple) -> Option<usize> {
    emit(buf, header, kind::UNKNOWN, |w| w.array(tuple.to_bytes()))
}

/// Writes a probe that will be an IP packet of `size` bytes; the length without the filling.
pub fn emit_probe(buf: &mut [u8], header: &Header, size: u16) -> Option<usize> {
    emit(buf, header, kind::PROBE, |w| w.u16(size))
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_wire_control))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::wire::addr::Addr;

    const HEADER: Header = Header {
        farm: 0x010203,
        sender: 0x0405,
        key: 6,
        nonce: 0x0708090a0b0c0d0e,
        peer_nonce: 0,
        sequence: 0x1112131415161718,
    };

    const RECORD: Association = Association {
        key: [0x77; 16],
        home: 1,
        origin: 2,
        version: 0x00030004,
        created: 5,
        last_used: 6,
        group: 7,
        flags: Association::CONFIRMED,
    };

    #[test]
    fn challenge_bytes() {
        let mut b = [0xa5; 64];
        assert_eq!(
            emit_challenge(&mut b, &HEADER, 0x2122232425262728),
            Some(62)
        );
        assert_eq!(b[..8], [0, 0x80, 0, 0, 1, 2, 3, 0]);
        assert_eq!(b[8..14], [1, 0, 4, 5, 6, 4]);
        assert_eq!(b[14..22], [7, 8, 9, 10, 11, 12, 13, 14]);
        assert_eq!(b[22..30], [0; 8]);
        assert_eq!(b[30..38], [0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18]);
        assert_eq!(b[38..46], [0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28]);
        assert_eq!(b[46..62], [0; 16]);
        assert_eq!(b[62..], [0xa5; 2]);
        let m = parse(&b[..62]);
        assert_eq!(m.map(|m| (m.header, m.mac_offset)), Ok((HEADER, 46)));
        assert!(matches!(
            m.map(|m| m.body),
            Ok(Body::Challenge {
                about: 0x2122232425262728
            })
        ));
    }

    #[test]
    fn a_probe_is_the_front_of_its_datagram() {
        let mut b = [0xa5; 9000];
        let n = emit_probe(&mut b, &HEADER, 9048);
        assert_eq!(n, Some(PROBE_LEN));
        assert_eq!(b[38..40], [0x23, 0x58]);
        assert_eq!(b[40..PROBE_LEN], [0; 16]);
        // However much of it is to be seen.
        for seen in [PROBE_LEN, PROBE_LEN + 1, 1440, 9000] {
            let message = in_datagram(&b[..seen], geneve::HEADER_LEN, 9000);
            assert_eq!(message, Some(&b[..PROBE_LEN]));
        }
        for seen in 0..PROBE_LEN {
            assert_eq!(in_datagram(&b[..seen], geneve::HEADER_LEN, 9000), None);
        }
        let m = parse(&b[..PROBE_LEN]).map(|m| m.body);
        assert!(matches!(m, Ok(Body::Probe { size: 9048 })));
        for len in (0..PROBE_LEN).chain([PROBE_LEN + 1]) {
            assert!(parse(&b[..len]).is_err());
        }
    }

    #[test]
    fn another_message_is_its_whole_datagram() {
        let mut b = [0xa5; 64];
        assert!(emit_challenge(&mut b, &HEADER, 1).is_some());
        for (seen, len) in [(62, 62), (64, 62), (64, 64), (64, 3)] {
            let message = in_datagram(&b[..seen], geneve::HEADER_LEN, len);
            assert_eq!(message, Some(&b[..len]));
        }
        assert_eq!(in_datagram(&b[..62], geneve::HEADER_LEN, 63), None);
        assert_eq!(in_datagram(&b, usize::MAX, 62), None);
    }

    #[test]
    fn another_version_is_told_apart_from_nonsense() {
        let mut b = [0; 62];
        assert!(emit_challenge(&mut b, &HEADER, 1).is_some());
        let other = Err(Error::bad(Layer::Control, Fault::Version));
        for version in [0, 2, 255] {
            b[8] = version;
            // Whatever else a later version says, and however long it is.
            for len in [9, 10, 30, b.len()] {
                assert_eq!(parse(&b[..len]).map(|_| ()), other);
            }
        }
        b[8] = VERSION;
        assert!(parse(&b).is_ok());
    }

    #[test]
    fn associations_are_read_back() {
        let mut records = [RECORD; MAX_ASSOCIATIONS + 1];
        for (i, r) in records.iter_mut().enumerate() {
            r.home = i as u16;
        }
        for count in 0..=MAX_ASSOCIATIONS {
            let mut b = [0xa5; MAX_MESSAGE];
            let n = emit_associations(&mut b, &HEADER, 9, &records[..count]).unwrap_or(0);
            assert_eq!(n, OVERHEAD + 10 + count * ASSOCIATION_LEN);
            let m = parse(&b[..n]).map(|m| m.body);
            assert!(matches!(m, Ok(Body::Associations { first: 9, .. })));
            if let Ok(Body::Associations { records: read, .. }) = m {
                assert_eq!(read.count(), count);
                assert!(read.eq(records[..count].iter().copied()));
            }
        }
        assert_eq!(
            emit_associations(&mut [0; 2000], &HEADER, 9, &records),
            None
        );
    }

    #[test]
    fn hand_off_ack_is_read_back() {
        let t = Tuple::from_client(Addr::v4([1, 2, 3, 4]), Addr::v6([9; 16]), 5, 80);
        for said in [Report::NotYet, Report::Has(0x01020304), Report::Over] {
            let mut b = [0xa5; 100];
            assert_eq!(emit_hand_off_ack(&mut b, &HEADER, &t, 42, said), Some(99));
            let m = parse(&b[..99]);
            assert!(matches!(
                m.map(|m| m.body),
                Ok(Body::HandOffAck { tuple, client_isn: 42, report })
                    if tuple == t && report == said
            ));
            b[78] = 3;
            assert_eq!(
                parse(&b[..99]).map(|_| ()).map_err(|e| e.fault),
                Err(Fault::Value)
            );
        }
    }

    #[test]
    fn directory_messages_are_read_back() {
        let t = Tuple::from_client(Addr::v4([1, 2, 3, 4]), Addr::v6([9; 16]), 5, 80);
        let mut b = [0xa5; 640];
        let one = |n: u32| Listed {
            tuple: Tuple::from_client(t.client, t.vip, n as u16, 80),
            client_isn: n,
            gone: n % 2 == 1,
        };
        let mut all = [one(0); MAX_LISTED + 1];
        for (i, l) in all.iter_mut().enumerate() {
            *l = one(i as u32);
        }
        assert_eq!(emit_list(&mut b, &HEADER, &all), None);
        for count in 0..=MAX_LISTED {
            let n = emit_list(&mut b, &HEADER, &all[..count]).unwrap_or(0);
            assert_eq!(n, OVERHEAD + 2 + count * LISTED_LEN);
            match parse(&b[..n]).map(|m| m.body) {
                Ok(Body::List(listing)) => assert!(listing.eq(all[..count].iter().copied())),
                other => assert!(matches!(other, Ok(Body::List(_)))),
            }
        }
        assert_eq!(emit_ask(&mut b, &HEADER, &t), Some(OVERHEAD + 36));
        assert!(matches!(
            parse(&b[..OVERHEAD + 36]).map(|m| m.body),
            Ok(Body::Ask { tuple }) if tuple == t
        ));
        let answer = Answer {
            tuple: t,
            client_isn: 7,
            owner: 1023,
        };
        assert_eq!(emit_answer(&mut b, &HEADER, &answer), Some(OVERHEAD + 42));
        assert!(matches!(
            parse(&b[..OVERHEAD + 42]).map(|m| m.body),
            Ok(Body::Answer(a)) if a == answer
        ));
        let len = emit_taken_over(&mut b, &HEADER, &answer);
        assert_eq!(len, Some(OVERHEAD + 42));
        assert!(matches!(
            parse(&b[..OVERHEAD + 42]).map(|m| m.body),
            Ok(Body::TakenOver(a)) if a == answer
        ));
        assert_eq!(emit_unknown(&mut b, &HEADER, &t), Some(OVERHEAD + 36));
        assert!(matches!(
            parse(&b[..OVERHEAD + 36]).map(|m| m.body),
            Ok(Body::Unknown { tuple }) if tuple == t
        ));
    }

    #[test]
    fn connections_at_rest_are_read_back() {
        let t = Tuple::from_client(Addr::v4([1, 2, 3, 4]), Addr::v6([9; 16]), 5, 80);
        let mut b = [0xa5; 640];
        let one = |n: u32| Resting {
            tuple: Tuple::from_client(t.client, t.vip, n as u16, 80),
            client_isn: n,
            asked: !n,
            answered: n << 24,
        };
        let mut all = [one(0); MAX_RESTING + 1];
        for (i, r) in all.iter_mut().enumerate() {
            *r = one(i as u32);
        }
        assert_eq!(emit_rest(&mut b, &HEADER, &all), None);
        for count in 0..=MAX_RESTING {
            let n = emit_rest(&mut b, &HEADER, &all[..count]).unwrap_or(0);
            assert_eq!(n, OVERHEAD + 2 + count * RESTING_LEN);
            let m = parse(&b[..n]).map(|m| m.body);
            assert!(matches!(m, Ok(Body::Rest(rests)) if rests.eq(all[..count].iter().copied())));
            for len in 0..n {
                assert!(parse(&b[..len]).is_err());
            }
            b[39] = MAX_RESTING as u8 + 1;
            assert!(parse(&b[..n]).is_err());
        }
    }

    #[test]
    fn walks_are_read_back() {
        let part = Part {
            walk: 1,
            chunk: 2,
            index: 3,
            parts: 4,
            last: true,
            base: 5,
        };
        let mut b = [0xa5; MAX_MESSAGE];
        let records = [RECORD; MAX_PART_ASSOCIATIONS];
        let n = emit_part(&mut b, &HEADER, &part, &records).unwrap_or(0);
        assert_eq!(n, OVERHEAD + join::PART_LEN + 2 + 15 * ASSOCIATION_LEN);
        let m = parse(&b[..n]).map(|m| m.body);
        assert!(matches!(m, Ok(Body::Part { part: read, .. }) if read == part));
        if let Ok(Body::Part { records: read, .. }) = m {
            assert!(read.eq(records.iter().copied()));
        }
        for (at, value) in [(46, 4), (47, 33), (48, 2)] {
            let mut b = b;
            b[at] = value;
            assert!(parse(&b[..n]).is_err());
        }
        for len in 0..n {
            assert!(parse(&b[..len]).is_err());
        }
        let parts = Parts {
            walk: 6,
            chunk: 7,
            map: 8,
        };
        let n = emit_parts(&mut b, &HEADER, &parts).unwrap_or(0);
        assert_eq!(n, OVERHEAD + join::PARTS_LEN);
        let m = parse(&b[..n]).map(|m| m.body);
        assert!(matches!(m, Ok(Body::Parts(read)) if read == parts));
    }

    #[test]
    fn not_mine_is_read_back() {
        let t = Tuple::from_client(Addr::v4([1, 2, 3, 4]), Addr::v6([9; 16]), 5, 80);
        let mut b = [0xa5; 200];
        let n = emit_not_mine(&mut b, &HEADER, &t, 42, &RECORD).unwrap_or(0);
        assert_eq!(n, OVERHEAD + TUPLE_LEN + 4 + ASSOCIATION_LEN);
        let m = parse(&b[..n]);
        assert!(matches!(
            m.map(|m| m.body),
            Ok(Body::NotMine { tuple, client_isn: 42, association })
                if tuple == t && association == RECORD
        ));
        for len in 0..n {
            assert!(parse(&b[..len]).is_err());
        }
    }

    #[test]
    fn flow_gone_is_read_back() {
        let t = Tuple::from_client(Addr::v4([1, 2, 3, 4]), Addr::v6([9; 16]), 5, 80);
        let mut b = [0xa5; 100];
        assert_eq!(emit_flow_gone(&mut b, &HEADER, &t, 42), Some(94));
        let m = parse(&b[..94]);
        assert!(matches!(
            m.map(|m| m.body),
            Ok(Body::FlowGone { tuple, client_isn: 42 }) if tuple == t
        ));
    }

    #[test]
    fn every_other_length_is_refused() {
        let mut b = [0; 200];
        let n = emit_associations(&mut b, &HEADER, 9, &[RECORD; 2]).unwrap_or(0);
        assert_eq!(n, 136);
        for len in (0..n).chain(n + 1..200) {
            assert!(parse(&b[..len]).is_err());
        }
        for len in 0..n {
            assert_eq!(
                emit_associations(&mut b[..len], &HEADER, 9, &[RECORD; 2]),
                None
            );
        }
    }

    #[test]
    fn lies_are_refused() {
        let fault = |change: fn(&mut [u8])| {
            let mut b = [0; 62];
            assert_eq!(emit_challenge(&mut b, &HEADER, 1), Some(62));
            change(&mut b);
            parse(&b).map(|_| ()).map_err(|e| e.fault)
        };
        assert_eq!(fault(|_| ()), Ok(()));
        assert_eq!(fault(|b| b[13] = 0), Err(Fault::Unsupported));
        assert_eq!(fault(|b| b[13] = 99), Err(Fault::Unsupported));
        assert_eq!(fault(|b| b[13] = 5), Err(Fault::Short));
        assert_eq!(fault(|b| b[13] = 2), Err(Fault::Short));
        assert_eq!(fault(|b| b[10..12].fill(0)), Err(Fault::Value));
        assert_eq!(fault(|b| b[14..22].fill(0)), Err(Fault::Value));
        let mut long = [0; MAX_MESSAGE + 1];
        assert!(emit_challenge(&mut long, &HEADER, 1).is_some());
        let long = parse(&long).map(|_| ());
        assert_eq!(long, Err(Error::bad(Layer::Control, Fault::Length)));
    }

    #[test]
    fn a_count_over_the_limit_is_refused() {
        let mut b = [0; MAX_MESSAGE];
        let n = emit_associations(&mut b, &HEADER, 9, &[]).unwrap_or(0);
        b[47] = 37;
        assert!(matches!(
            parse(&b[..n]),
            Err(Error {
                fault: Fault::Value,
                ..
            })
        ));
    }
}
