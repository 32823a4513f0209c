// SPDX-License-Identifier: GPL-2.0
//! The life of a flow at one member: what to do with each segment, and what it tells.
//!
//! Speaks to RFC 9293 section 3.6 (closing), RFC 5961 section 4 (SYN on a live connection), and
//! `tcp_timewait_state_process` in `net/ipv4/tcp_minisocks.c`.
//!
//! The socket's own TCP is the judge of everything that happens on a connection. A flow only
//! remembers where that socket is, so nothing that a stranger can send (a RST or FIN with a
//! guessed port) makes a flow with a socket unusable: such segments are passed on, and at most
//! shorten the time after which the socket is asked for.
//!
//! What each member sees: the owner both directions, since the server's segments leave there; an
//! entry member only the client's.

use crate::decide::limits::SPAWN_TRIES;
use crate::wire::tcp::flags;

mod expire;

pub use expire::expire;
pub use expire::Expiry;
pub use expire::Rest;
pub use expire::Socket;

/// What this member is to the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The client's packets come in here, the socket is on another member.
    Entry,
    /// The socket is here, the client's packets come through the tunnel.
    Owner,
    /// The client's packets come in here and the socket is here.
    Both,
}

/// How far a flow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// The owner is known, its socket has not been seen.
    Decided,
    /// The socket exists. At an entry member: the owner has acknowledged the hand-off.
    Live,
    /// Over. Stays as a tombstone against late copies of its first segment.
    Closed,
}

/// What the cookie check says about a segment with data, where the caller made one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// No verified cookie, or not looked for.
    No,
    /// The cookie verifies and belongs to this flow: same ISN of the client.
    Same,
    /// The cookie verifies for another ISN: a new connection between the same ports.
    Other,
}

/// A segment of the client that belongs to a flow by its 4-tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientSegment {
    /// Bits of [`crate::wire::tcp::flags`].
    pub flags: u8,
    /// Bytes of data.
    pub payload_len: u32,
    /// Whether it can begin the connection. Needed where there is no socket, so never on the fast
    /// path.
    pub first: First,
    /// The local stack has a socket for the 4-tuple: established, or a request; not TIME_WAIT and
    /// not a listener. False at an entry member.
    pub socket: bool,
}

/// What to do with a segment of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Send it to the owner; `hand_off`: with the hand-off option, which the owner has not
    /// acknowledged yet.
    Relay {
        /// The hand-off option goes with it.
        hand_off: bool,
    },
    /// Give it to the local stack.
    Deliver,
    /// Make its socket, then give it to the local stack.
    Spawn,
    /// Drop it: the segment that makes the socket has not come yet.
    DropEarly,
    /// Drop it: a late copy of the first segment of a connection that is over.
    DropDuplicate,
    /// The socket cannot be made here: tell the entry member to select again, and drop.
    Refuse,
    /// A SYN for a new connection: answer with a cookie.
    AnswerSyn,
    /// The first segment of a new connection: forget this flow and begin at the beginning.
    Renew,
}

/// State of one flow: four bytes, for the table's entry. There is none before its owner is chosen:
/// packets of a connection whose request is being read are held elsewhere ([`crate::decide::hold`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// What this member is to it.
    pub role: Role,
    /// How far it is.
    pub state: State,
    seen: u8,
    tries: u8,
    /// Its packets have come through another entry member than the first, at its owner.
    pub moved: bool,
    /// Its end was told, at its owner.
    pub told: bool,
    /// Under which view of the directory members it was listed, at its owner; 0 for none. See
    /// [`crate::decide::directory::view`].
    pub listed: u8,
}

/// What a client may acknowledge at once of a connection that goes on, bytes. The numbers of a new
/// connection are as good as random.
const GOES_ON: u32 = 1 << 20;

const CLIENT_FIN: u8 = 1;
const SERVER_FIN: u8 = 2;
const RESET: u8 = 4;
/// A SYN was sent to the owner, whose answer is not seen here.
const ASKED: u8 = 8;
const ENDS: u8 = CLIENT_FIN | SERVER_FIN | RESET;
const KEPT: u8 = 16;
/// The owner is gone for good, at an entry member.
const LOST: u8 = 32;
/// Requests and responses are followed, at the owner.
const FOLLOWED: u8 = 64;
/// The module itself has answered it, and ended it.
const REFUSED: u8 = 128;

impl Flow {
    /// A flow whose owner is known, for this member as `role`: at the entry member after the
    /// decision, at the owner when the hand-off comes.
    pub const fn decided(role: Role) -> Self {
        Self {
            role,
            state: State::Decided,
            seen: 0,
            tries: 0,
            moved: false,
            told: false,
            listed: 0,
        }
    }

    /// A flow in its middle whose owner this entry member has been told.
    pub const fn found() -> Self {
        Self {
            state: State::Live,
            ..Self::decided(Role::Entry)
        }
    }

    /// A flow that the module itself has answered and ended.
    pub const fn refused() -> Self {
        Self {
            state: State::Closed,
            seen: REFUSED,
            ..Self::decided(Role::Both)
        }
    }

    /// The flow in 32 bits, for an atomic word.
    pub const fn to_bits(&self) -> u32 {
        let role = match self.role {
            Role::Entry => 0,
            Role::Owner => 1,
            Role::Both => 2,
        };
        let state = match self.state {
            State::Decided => 0,
            State::Live => 1,
            State::Closed => 2,
        };
        role | (state << 2)
            | ((self.moved as u32) << 4)
            | ((self.told as u32) << 5)
            | ((self.seen as u32) << 8)
            | ((self.tries as u32) << 16)
            | ((self.listed as u32) << 24)
    }

    /// The flow of [`Flow::to_bits`].
    pub const fn from_bits(bits: u32) -> Self {
        let role = match bits & 3 {
            0 => Role::Entry,
            1 => Role::Owner,
            _ => Role::Both,
        };
        let state = match (bits >> 2) & 3 {
            0 => State::Decided,
            1 => State::Live,
            _ => State::Closed,
        };
        Self {
            role,
            state,
            seen: (bits >> 8) as u8,
            tries: (bits >> 16) as u8,
            moved: (bits >> 4) & 1 != 0,
            told: (bits >> 5) & 1 != 0,
            listed: (bits >> 24) as u8,
        }
    }

    /// A side has said goodbye, or a reset was seen: silence now has a different meaning.
    pub fn closing(&self) -> bool {
        self.seen & ENDS != 0
    }

    /// The entry member does not know that it is over, at its owner: the client has not said so, or
    /// maybe not there.
    pub fn ends_unseen(&self) -> bool {
        self.state == State::Closed && (self.moved || self.seen & CLIENT_FIN == 0)
    }

    /// Whether a segment may begin another connection, so that its cookie is to be looked at
    /// ([`ClientSegment::first`]). Not while a connection is live: its data is not suspected. But
    /// once an entry member has sent a SYN to the owner, the owner may have answered it.
    pub fn expects_first(&self) -> bool {
        self.state != State::Live || self.seen & ASKED != 0
    }

    /// Its socket is there, and nothing else is to be thought of: packets go where all went before.
    pub fn is_settled(&self) -> bool {
        self.state == State::Live && self.seen & (ASKED | KEPT | LOST) == 0
    }

    /// The first bytes are kept here until the owner has them ([`crate::decide::hold`]); what
    /// comes later waits behind them. Only where the client's packets come in.
    pub fn kept(&self) -> bool {
        self.seen & KEPT != 0
    }

    /// Notes whether the first bytes are kept.
    pub fn set_kept(&mut self, kept: bool) {
        self.seen = (self.seen & !KEPT) | if kept { KEPT } else { 0 };
    }

    /// The owner is gone for good: what becomes of the flow says [`crate::decide::lost`].
    pub fn lost(&self) -> bool {
        self.seen & LOST != 0
    }

    /// Notes that the owner is gone for good.
    pub fn on_lost(&mut self) {
        self.seen |= LOST;
    }

    /// The module itself has answered it and ended it: no stack knows it.
    pub fn is_refused(&self) -> bool {
        self.seen & REFUSED != 0
    }

    /// The owner follows its requests and responses ([`crate::decide::exchange`]).
    pub fn followed(&self) -> bool {
        self.seen & FOLLOWED != 0
    }

    /// Notes whether the owner follows its requests and responses.
    pub fn set_followed(&mut self, followed: bool) {
        self.seen = (self.seen & !FOLLOWED) | if followed { FOLLOWED } else { 0 };
    }

    /// What to do with a segment of the client.
    ///
    /// [`Action::Renew`] leaves the flow unchanged: the caller removes it. After
    /// [`Action::Spawn`] the caller reports neither success nor failure; the next segment shows
    /// whether there is a socket.
    pub fn on_client_segment(&mut self, segment: &ClientSegment) -> Action {
        let syn = segment.flags & (flags::SYN | flags::ACK | flags::RST) == flags::SYN;
        let action = match self.state {
            _ if self.role == Role::Entry && syn => self.syn_at_entry(),
            State::Decided | State::Live if self.role == Role::Entry => {
                self.at_entry(segment.first)
            }
            State::Decided => self.waiting_for_socket(segment, syn),
            // The end was not seen, but what begins a connection shows that there was one: a SYN,
            // or a first segment. Such a segment is never shown to the listener.
            State::Live if !segment.socket && (syn || segment.first != First::No) => {
                self.state = State::Closed;
                return self.after_the_end(segment, syn);
            }
            State::Live => Action::Deliver,
            State::Closed => return self.after_the_end(segment, syn),
        };
        if action != Action::AnswerSyn {
            self.remember(segment.flags, CLIENT_FIN);
        }
        action
    }

    /// Notes a segment that the local stack sends on the flow, at the owner.
    pub fn on_server_segment(&mut self, flags: u8) {
        match self.state {
            // Somebody must have made it.
            State::Decided => self.state = State::Live,
            State::Live | State::Closed => (),
        }
        self.remember(flags, SERVER_FIN);
    }

    /// A segment goes on exactly where the client stood, which was to say `next` next and had
    /// acknowledged `acked`; at an entry member. A SYN that came meanwhile was not its own.
    pub fn on_continued(&mut self, seq: u32, ack: u32, next: u32, acked: u32) {
        if seq == next && ack.wrapping_sub(acked) < GOES_ON {
            self.seen &= !ASKED;
        }
    }

    /// The owner has acknowledged the hand-off, at an entry member.
    pub fn on_hand_off_ack(&mut self) {
        if self.state == State::Decided {
            self.state = State::Live;
        }
    }

    /// The socket is known to be gone.
    pub fn on_gone(&mut self) {
        if self.state == State::Live {
            self.state = State::Closed;
        }
    }

    /// The owner says, to an entry member, that the connection is over.
    pub fn on_owner_gone(&mut self) {
        if self.role == Role::Entry {
            self.state = State::Closed;
        }
    }

    /// A SYN is for the owner's stack, which knows whether its socket lives (and is to challenge
    /// the SYN) or is in TIME_WAIT (and may be replaced, or not). Where there is neither, the owner
    /// answers with a cookie as this member would.
    fn syn_at_entry(&mut self) -> Action {
        let over = self.state == State::Closed || self.closing();
        if over && self.seen & ASKED != 0 {
            // The client has ended this connection, and the owner's answer did not get through.
            self.state = State::Closed;
            return Action::AnswerSyn;
        }
        self.seen |= ASKED;
        Action::Relay {
            hand_off: self.state == State::Decided,
        }
    }

    fn at_entry(&self, first: First) -> Action {
        if first == First::Other {
            // Somebody has answered the SYN that the owner was asked about.
            return Action::Renew;
        }
        Action::Relay {
            hand_off: self.state == State::Decided,
        }
    }

    fn waiting_for_socket(&mut self, segment: &ClientSegment, syn: bool) -> Action {
        if segment.socket {
            self.state = State::Live;
            return Action::Deliver;
        }
        match segment.first {
            // The SYN again: our answer was lost. The same cookie would do, and so does another.
            _ if syn => Action::AnswerSyn,
            First::Same if self.tries < SPAWN_TRIES => {
                self.tries = self.tries.saturating_add(1);
                Action::Spawn
            }
            First::Same => Action::Refuse,
            First::Other => self.renew(),
            First::No => Action::DropEarly,
        }
    }

    fn after_the_end(&mut self, segment: &ClientSegment, syn: bool) -> Action {
        match segment.first {
            // The local stack has taken the connection up by itself.
            _ if segment.socket => Action::Deliver,
            _ if syn => Action::AnswerSyn,
            First::Other => self.renew(),
            // What follows the end of a connection (the last ACK, a FIN again) is answered by the
            // stack that had it: TIME_WAIT, or a RST. Whether that is to see a late copy of the
            // first segment, the owner knows.
            _ if self.role == Role::Entry => Action::Relay { hand_off: false },
            First::Same => Action::DropDuplicate,
            First::No => Action::Deliver,
        }
    }

    /// What came through the tunnel is never decided on here: the entry member must do it.
    fn renew(&self) -> Action {
        if self.role == Role::Owner {
            Action::Refuse
        } else {
            Action::Renew
        }
    }

    fn remember(&mut self, flags: u8, fin: u8) {
        if flags & flags::FIN != 0 {
            self.seen |= fin;
        }
        if flags & flags::RST != 0 {
            self.seen |= RESET;
        }
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_flow))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;

    const ACK: u8 = flags::ACK;
    const FIN: u8 = flags::FIN | flags::ACK;
    const RST: u8 = flags::RST;
    const DATA: ClientSegment = ClientSegment {
        flags: ACK,
        payload_len: 100,
        first: First::No,
        socket: false,
    };
    const FIRST: ClientSegment = ClientSegment {
        first: First::Same,
        ..DATA
    };
    const OTHER: ClientSegment = ClientSegment {
        first: First::Other,
        ..DATA
    };
    const SYN: ClientSegment = ClientSegment {
        flags: flags::SYN,
        payload_len: 0,
        ..DATA
    };

    fn with_socket(segment: ClientSegment) -> ClientSegment {
        ClientSegment {
            socket: true,
            ..segment
        }
    }

    fn bare(flags: u8) -> ClientSegment {
        ClientSegment {
            flags,
            payload_len: 0,
            ..DATA
        }
    }

    fn live(role: Role) -> Flow {
        Flow {
            state: State::Live,
            ..Flow::decided(role)
        }
    }

    fn closed(role: Role) -> Flow {
        Flow {
            state: State::Closed,
            ..Flow::decided(role)
        }
    }

    #[test]
    fn bits_keep_everything() {
        for role in [Role::Entry, Role::Owner, Role::Both] {
            for state in [State::Decided, State::Live, State::Closed] {
                for seen in 0..=255 {
                    for tries in [0, 1, SPAWN_TRIES, u8::MAX] {
                        let flow = Flow {
                            role,
                            state,
                            seen,
                            tries,
                            moved: tries & 1 != 0,
                            told: seen & 1 != 0,
                            listed: tries.rotate_left(3),
                        };
                        assert_eq!(Flow::from_bits(flow.to_bits()), flow);
                    }
                }
            }
        }
    }

    #[test]
    fn settled_is_live_and_nothing_else() {
        for bits in 0..1 << 16 {
            let flow = Flow::from_bits(bits);
            let plain = flow.state == State::Live && !flow.kept() && !flow.lost();
            assert_eq!(flow.is_settled(), plain && !flow.expects_first());
        }
    }

    #[test]
    fn what_is_kept_says_nothing_of_the_end() {
        let mut flow = Flow::decided(Role::Entry);
        flow.set_kept(true);
        assert_eq!((flow.kept(), flow.closing()), (true, false));
        flow.on_client_segment(&bare(FIN));
        assert_eq!((flow.kept(), flow.closing()), (true, true));
        flow.set_kept(false);
        assert_eq!((flow.kept(), flow.closing()), (false, true));
    }

    #[test]
    fn a_connection_that_goes_on_is_not_suspected_for_a_syn_of_somebody_else() {
        let mut flow = Flow::found();
        assert!(!flow.expects_first());
        assert_eq!(
            flow.on_client_segment(&SYN),
            Action::Relay { hand_off: false }
        );
        // Another connection, or one that is not where this one was.
        for (seq, ack) in [(501, 900), (499, 900), (500, 899), (500, 900 + GOES_ON)] {
            flow.on_continued(seq, ack, 500, 900);
            assert!(flow.expects_first());
        }
        flow.on_continued(500, 950, 500, 900);
        assert!(!flow.expects_first() && flow.is_settled());
    }

    #[test]
    fn only_the_first_segment_makes_a_socket() {
        for role in [Role::Owner, Role::Both] {
            let mut flow = Flow::decided(role);
            for segment in [DATA, bare(ACK), bare(FIN), bare(RST)] {
                assert_eq!(flow.on_client_segment(&segment), Action::DropEarly);
            }
            assert_eq!(flow.on_client_segment(&FIRST), Action::Spawn);
            // Not yet: the next segment shows.
            assert_eq!(flow.state, State::Decided);
            assert_eq!(flow.on_client_segment(&with_socket(DATA)), Action::Deliver);
            assert_eq!(flow.state, State::Live);
            assert_eq!(flow.on_client_segment(&with_socket(FIRST)), Action::Deliver);
        }
    }

    #[test]
    fn an_end_that_the_entry_member_cannot_see() {
        let mut flow = live(Role::Owner);
        assert!(!flow.ends_unseen());
        flow.state = State::Closed;
        assert!(flow.ends_unseen());
        let mut flow = live(Role::Owner);
        let fin = ClientSegment {
            flags: FIN,
            socket: true,
            ..DATA
        };
        flow.on_client_segment(&fin);
        flow.on_gone();
        assert!(flow.state == State::Closed && !flow.ends_unseen());
        flow.moved = true;
        assert!(flow.ends_unseen());
    }

    #[test]
    fn three_tries_then_refused() {
        let mut flow = Flow::decided(Role::Owner);
        for _ in 0..3 {
            assert_eq!(flow.on_client_segment(&FIRST), Action::Spawn);
            assert_eq!(flow.on_client_segment(&DATA), Action::DropEarly);
        }
        for _ in 0..300 {
            assert_eq!(flow.on_client_segment(&FIRST), Action::Refuse);
        }
        // It came to be after all.
        assert_eq!(flow.on_client_segment(&with_socket(FIRST)), Action::Deliver);
    }

    #[test]
    fn the_server_speaking_is_a_socket() {
        let mut flow = Flow::decided(Role::Both);
        flow.on_server_segment(ACK);
        assert_eq!(flow.state, State::Live);
    }

    #[test]
    fn the_entry_member_repeats_the_hand_off_until_acknowledged() {
        let mut flow = Flow::decided(Role::Entry);
        for segment in [FIRST, DATA, bare(ACK), SYN] {
            let action = flow.on_client_segment(&segment);
            assert_eq!(action, Action::Relay { hand_off: true });
        }
        flow.on_hand_off_ack();
        for segment in [FIRST, DATA, bare(ACK), SYN, bare(FIN)] {
            let action = flow.on_client_segment(&segment);
            assert_eq!(action, Action::Relay { hand_off: false });
        }
        // A late one changes nothing.
        flow.on_gone();
        flow.on_hand_off_ack();
        assert_eq!(flow.state, State::Closed);
    }

    #[test]
    fn syn_on_a_live_connection_goes_to_its_socket() {
        for role in [Role::Owner, Role::Both] {
            let mut flow = live(role);
            assert_eq!(flow.on_client_segment(&with_socket(SYN)), Action::Deliver);
            assert_eq!(flow.state, State::Live);
            assert_eq!(flow.on_client_segment(&SYN), Action::AnswerSyn);
            assert_eq!(flow.state, State::Closed);
        }
        // A first segment without a socket shows the same: late copy, or new connection.
        for (role, segment, want) in [
            (Role::Owner, FIRST, Action::DropDuplicate),
            (Role::Both, FIRST, Action::DropDuplicate),
            (Role::Owner, OTHER, Action::Refuse),
            (Role::Both, OTHER, Action::Renew),
        ] {
            let mut flow = live(role);
            assert_eq!(flow.on_client_segment(&DATA), Action::Deliver);
            assert_eq!(flow.state, State::Live);
            assert_eq!(flow.on_client_segment(&segment), want);
            assert_eq!(flow.state, State::Closed);
        }
    }

    #[test]
    fn the_entry_member_asks_the_owner_about_a_syn() {
        let relay = Action::Relay { hand_off: false };
        let mut flow = live(Role::Entry);
        assert!(!flow.expects_first());
        // Live: as often as it comes. Nothing else changes.
        for _ in 0..3 {
            assert_eq!(flow.on_client_segment(&SYN), relay);
            assert!(flow.expects_first());
            assert!(!flow.closing());
            assert_eq!(flow.on_client_segment(&DATA), relay);
            assert_eq!(flow.state, State::Live);
        }
        // The owner has answered it.
        assert_eq!(flow.on_client_segment(&OTHER), Action::Renew);
        // The client has said goodbye: the owner is asked once, then answered for.
        for end in [FIN, RST] {
            let mut flow = live(Role::Entry);
            assert_eq!(flow.on_client_segment(&bare(end)), relay);
            assert_eq!(flow.on_client_segment(&SYN), relay);
            assert_eq!(flow.state, State::Live);
            assert_eq!(flow.on_client_segment(&SYN), Action::AnswerSyn);
            assert_eq!(flow.state, State::Closed);
        }
    }

    #[test]
    fn what_the_owner_says_is_over() {
        for state in [State::Decided, State::Live, State::Closed] {
            let mut flow = Flow {
                state,
                ..Flow::decided(Role::Entry)
            };
            flow.on_owner_gone();
            assert_eq!(flow.state, State::Closed);
            assert_eq!(flow.on_client_segment(&OTHER), Action::Renew);
            for segment in [FIRST, DATA, SYN] {
                let relay = Action::Relay { hand_off: false };
                assert_eq!(flow.on_client_segment(&segment), relay);
            }
        }
        // Only an entry member has an owner.
        for role in [Role::Owner, Role::Both] {
            let mut flow = live(role);
            flow.on_owner_gone();
            assert_eq!(flow, live(role));
        }
    }

    #[test]
    fn a_guessed_reset_takes_nothing_away() {
        for role in [Role::Owner, Role::Both] {
            let mut flow = live(role);
            for flags in [RST, FIN] {
                assert_eq!(
                    flow.on_client_segment(&with_socket(bare(flags))),
                    Action::Deliver
                );
            }
            assert_eq!(flow.state, State::Live);
            assert_eq!(flow.on_client_segment(&with_socket(DATA)), Action::Deliver);
            assert_eq!(
                expire(&flow, u64::MAX, u64::MAX, Socket::Present),
                Expiry::Keep
            );
        }
    }

    #[test]
    fn after_the_end() {
        let relay = Action::Relay { hand_off: false };
        let (deliver, answer) = (Action::Deliver, Action::AnswerSyn);
        let drop = Action::DropDuplicate;
        for (role, late, new, syn, again) in [
            (Role::Entry, relay, Action::Renew, relay, relay),
            (Role::Both, deliver, Action::Renew, answer, drop),
            // Through the tunnel: the entry member has to decide again.
            (Role::Owner, deliver, Action::Refuse, answer, drop),
        ] {
            for (segment, want) in [
                (FIRST, again),
                (OTHER, new),
                (SYN, syn),
                (DATA, late),
                (bare(ACK), late),
                (bare(FIN), late),
                (with_socket(FIRST), Action::Deliver),
            ] {
                let mut flow = closed(role);
                assert_eq!(flow.on_client_segment(&segment), want);
                assert_eq!(flow.state, State::Closed);
            }
        }
    }

    #[test]
    fn a_new_connection_while_waiting_for_the_old_ones_socket() {
        assert_eq!(
            Flow::decided(Role::Both).on_client_segment(&OTHER),
            Action::Renew
        );
        assert_eq!(
            Flow::decided(Role::Owner).on_client_segment(&OTHER),
            Action::Refuse
        );
        assert_eq!(
            Flow::decided(Role::Both).on_client_segment(&SYN),
            Action::AnswerSyn
        );
    }
}
