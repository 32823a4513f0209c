// SPDX-License-Identifier: GPL-2.0
//! When a flow may be forgotten: by the clock, or because the table is full.
//!
//! Speaks to RFC 5382 (how long idle connections are kept) and RFC 9293 section 3.6.1 (TIME-WAIT).

use crate::decide::flow::Flow;
use crate::decide::flow::Role;
use crate::decide::flow::State;
use crate::decide::limits::CLOSING_IDLE_MS;
use crate::decide::limits::DECIDED_MS;
use crate::decide::limits::LIVE_IDLE_MS;
use crate::decide::limits::TOMBSTONE_MS;

/// What the caller knows of the socket when it asks whether a flow has expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    /// Not looked for. The usual way: looking costs, and most flows need no look.
    Unknown,
    /// There is one: established, a request, or TIME_WAIT.
    Present,
    /// There is none.
    Absent,
}

/// What becomes of a flow that was quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Nothing.
    Keep,
    /// Look for the socket and ask again.
    AskSocket,
    /// It becomes a tombstone: set [`State::Closed`] and start its clock.
    Close,
    /// It may be freed.
    Free,
}

/// What becomes of a flow after `idle_ms` without a packet and `age_ms` in its present state.
///
/// A flow that has a socket here is never given up, however long it is silent: its shift, if it
/// has one, must last as long as the connection.
pub fn expire(flow: &Flow, idle_ms: u64, age_ms: u64, socket: Socket) -> Expiry {
    match flow.state {
        State::Decided if age_ms >= DECIDED_MS => ask(flow, socket, Expiry::Free),
        State::Live if idle_ms >= live_idle_ms(flow) => ask(flow, socket, Expiry::Close),
        State::Closed if age_ms >= TOMBSTONE_MS => ask(flow, socket, Expiry::Free),
        _ => Expiry::Keep,
    }
}

/// How long connections rest at most, in seconds of a clock that `scale` makes faster than the rules.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    live_s: u32,
    tombstone_s: u32,
    pressed_s: u32,
}

impl Rest {
    /// Tombstones that were silent for `pressed_ms` do not rest any more.
    pub fn new(scale: u32, pressed_ms: u64) -> Self {
        let s = |ms: u64| {
            let scaled = ms.saturating_mul(scale.into()).div_ceil(1000);
            u32::try_from(scaled).unwrap_or(u32::MAX)
        };
        Self {
            live_s: s(LIVE_IDLE_MS),
            tombstone_s: s(TOMBSTONE_MS),
            pressed_s: s(pressed_ms),
        }
    }

    /// Whether nothing but time passes with a connection that has been silent for `idle` seconds and in
    /// its state for `age`, as with nearly all: [`expire`] keeps it and has nobody to ask. A connection
    /// that is closing is not among them: its end is looked for.
    #[inline]
    pub fn has(&self, flow: &Flow, idle: u32, age: u32) -> bool {
        match flow.state {
            State::Live => !flow.closing() && idle < self.live_s,
            State::Closed => age < self.tombstone_s && idle < self.pressed_s,
            State::Decided => false,
        }
    }
}

fn live_idle_ms(flow: &Flow) -> u64 {
    if flow.closing() {
        CLOSING_IDLE_MS
    } else {
        LIVE_IDLE_MS
    }
}

fn ask(flow: &Flow, socket: Socket, gone: Expiry) -> Expiry {
    match socket {
        // An entry member has nobody to ask here.
        _ if flow.role == Role::Entry => gone,
        Socket::Unknown => Expiry::AskSocket,
        Socket::Present => Expiry::Keep,
        Socket::Absent => gone,
    }
}

#[cfg_attr(CONFIG_RUST, ::kernel::prelude::kunit_tests(homing_decide_flow_expire))]
#[cfg_attr(not(CONFIG_RUST), cfg(test))]
mod tests {
    use super::*;
    use crate::decide::flow::ClientSegment;
    use crate::decide::flow::First;
    use crate::wire::tcp::flags;

    const FIN: u8 = flags::FIN | flags::ACK;
    const RST: u8 = flags::RST;

    fn bare(flags: u8) -> ClientSegment {
        ClientSegment {
            flags,
            payload_len: 0,
            first: First::No,
            socket: false,
        }
    }

    fn with_socket(segment: ClientSegment) -> ClientSegment {
        ClientSegment {
            socket: true,
            ..segment
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
    fn quiet_flows() {
        for role in [Role::Owner, Role::Both] {
            let waiting = Flow::decided(role);
            assert_eq!(
                expire(&waiting, 59_999, 59_999, Socket::Absent),
                Expiry::Keep
            );
            assert_eq!(
                expire(&waiting, 0, 60_000, Socket::Unknown),
                Expiry::AskSocket
            );
            assert_eq!(expire(&waiting, 0, 60_000, Socket::Absent), Expiry::Free);

            let mut flow = live(role);
            assert_eq!(
                expire(&flow, 7_439_999, u64::MAX, Socket::Absent),
                Expiry::Keep
            );
            assert_eq!(
                expire(&flow, 7_440_000, u64::MAX, Socket::Unknown),
                Expiry::AskSocket
            );
            assert_eq!(
                expire(&flow, 7_440_000, u64::MAX, Socket::Present),
                Expiry::Keep
            );
            assert_eq!(
                expire(&flow, 7_440_000, u64::MAX, Socket::Absent),
                Expiry::Close
            );
            for flags in [FIN, RST] {
                let mut half = flow;
                half.on_server_segment(flags);
                assert!(half.closing());
                assert_eq!(
                    expire(&half, 60_000, u64::MAX, Socket::Absent),
                    Expiry::Close
                );
            }
            flow.on_client_segment(&with_socket(bare(FIN)));
            assert_eq!(
                expire(&flow, 59_999, u64::MAX, Socket::Absent),
                Expiry::Keep
            );
            assert_eq!(
                expire(&flow, 60_000, u64::MAX, Socket::Unknown),
                Expiry::AskSocket
            );

            flow.on_gone();
            assert_eq!(
                expire(&flow, u64::MAX, 767_999, Socket::Absent),
                Expiry::Keep
            );
            assert_eq!(
                expire(&flow, u64::MAX, 768_000, Socket::Unknown),
                Expiry::AskSocket
            );
            assert_eq!(
                expire(&flow, u64::MAX, 768_000, Socket::Present),
                Expiry::Keep
            );
            assert_eq!(
                expire(&flow, u64::MAX, 768_000, Socket::Absent),
                Expiry::Free
            );
        }
        let entry = live(Role::Entry);
        assert_eq!(expire(&entry, 7_440_000, 0, Socket::Unknown), Expiry::Close);
        assert_eq!(
            expire(&closed(Role::Entry), 0, 768_000, Socket::Unknown),
            Expiry::Free
        );
    }

    #[test]
    fn what_rests_is_kept_and_nobody_is_asked() {
        let all = |role| {
            let ended = |flags| {
                let mut flow = live(role);
                flow.on_server_segment(flags);
                flow
            };
            let mut left = live(role);
            left.on_client_segment(&with_socket(bare(FIN)));
            let decided = Flow::decided(role);
            [
                decided,
                live(role),
                closed(role),
                ended(FIN),
                ended(RST),
                left,
            ]
        };
        let seconds = [
            0, 4, 5, 59, 60, 767, 768, 7_439, 7_440, 76_799, 76_800, 1_000_000,
        ];
        for scale in [1, 10, 100] {
            for pressed_ms in [5_000, u64::MAX] {
                let rest = Rest::new(scale, pressed_ms);
                let ms = |s: u32| u64::from(s) * 1000 / u64::from(scale);
                for flow in [Role::Owner, Role::Entry, Role::Both]
                    .into_iter()
                    .flat_map(all)
                {
                    for idle in seconds {
                        for age in seconds {
                            let kept =
                                expire(&flow, ms(idle), ms(age), Socket::Unknown) == Expiry::Keep;
                            let want = match flow.state {
                                State::Live => kept && !flow.closing(),
                                State::Closed => kept && ms(idle) < pressed_ms,
                                _ => false,
                            };
                            assert_eq!(rest.has(&flow, idle, age), want);
                        }
                    }
                }
            }
        }
    }
}
