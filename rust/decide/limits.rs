// SPDX-License-Identifier: GPL-2.0
//! Every number of the system, with its unit and its reason.
//!
//! Speaks to RFC 9293, RFC 7323 and RFC 5382 where a number comes from there. Times are real
//! seconds or milliseconds; where the farm has a time scale (slow test beds), the caller
//! multiplies.

// Handshake.

/// Seconds of one cookie epoch. Long enough for a browser that connects before it needs to.
pub const EPOCH_S: u64 = 256;

/// Epochs that a cookie is accepted in: previous, current, next. Clocks of members may differ.
pub const EPOCHS_ACCEPTED: u64 = 3;

/// Seconds after which no member accepts a cookie any more, whatever its clock says.
pub const COOKIE_LIFETIME_S: u64 = EPOCH_S * EPOCHS_ACCEPTED;

/// Bits of the cookie that a forger has to guess.
pub const COOKIE_HASH_BITS: u32 = 24;

/// Largest legal window scale, RFC 7323 section 2.3.
pub const WSCALE_MAX: u8 = 14;

/// Bytes that the timestamp option, padded, takes from every segment, RFC 7323 appendix A.
pub const TIMESTAMPS_LEN: u32 = 12;

/// Smallest MSS that a socket may be spawned with over IPv4, bytes; the kernel demands it of
/// `bpf_sk_assign_tcp_reqsk` too.
pub const MSS_MIN_V4: u16 = 536;

/// Smallest MSS that a socket may be spawned with over IPv6, bytes: 1280 minus both headers.
pub const MSS_MIN_V6: u16 = 1220;

/// Our own window in the SYN-ACK, in segments of our MSS: Linux's initial window, so the sender
/// can send a whole request head at once.
pub const WINDOW_SEGMENTS: u32 = 10;

/// Bytes of an IP packet that the network between the members carries, unless it is known better:
/// Ethernet's.
pub const FABRIC_MTU: u16 = 1500;

/// Smallest of what it may carry: what every IPv6 network does, RFC 8200 section 5.
pub const FABRIC_MTU_MIN: u16 = 1280;

/// Largest that is used: jumbo frames, as switches have them.
pub const FABRIC_MTU_MAX: u16 = 9216;

/// How far behind the first segment an early one is looked for, segments: our window.
pub const EARLY_SEGMENTS: u8 = 10;

// Holding packets of an incomplete request head.

/// Ranges of bytes held per flow, so gaps in what has come. A sender has to lose every second of
/// 32 segments to need more.
pub const HOLD_PARTS: usize = 16;

/// Bytes of payload held per flow. Also the longest request head that is read.
pub const HOLD_BYTES: u32 = 16 * 1024;

/// Milliseconds that a flow with held packets may be silent before it is decided as it stands. A
/// client that has sent two segments repeats a lost one after two or three round trips and 0.2 s; so
/// long is enough for one loss on the longest paths that there are.
pub const HOLD_IDLE_MS: u64 = 3_000;

/// Milliseconds from the first held packet until a flow is decided as it stands.
pub const HOLD_TOTAL_MS: u64 = 10_000;

/// Milliseconds of silence in the middle of a head after which what is held is acknowledged: a
/// client that still sends is not silent for so long, and one that waits for us must not wait
/// longer.
pub const HOLD_STALL_MS: u64 = 20;

/// Milliseconds after which the owner is given acknowledged bytes a second time; then twice as
/// long each time.
pub const HOLD_RESEND_MS: u64 = 10;

/// Longest time between two such gifts, milliseconds.
pub const HOLD_RESEND_MAX_MS: u64 = 1_000;

/// Milliseconds after which a connection with acknowledged bytes is decided on again, while the home of
/// its session is waited for: as a client would repeat what is not acknowledged.
pub const HOLD_AGAIN_MS: u64 = 200;

/// Held bytes in all may take one part in this many of the host's memory.
pub const HOLD_MEMORY_SHARE: u64 = 64;

// Flows.

/// Flows that a namespace keeps: 128 bytes each, so 128 MiB.
pub const FLOWS_CEILING: u32 = 1 << 20;

/// Times that a flow's first segment may fail to become a socket (accept queue full, memory)
/// before the flow's rules call it refused. The hook tries again all the same with each of the
/// client's retransmissions, as the kernel does for its own handshakes.
pub const SPAWN_TRIES: u8 = 3;

/// Milliseconds that a flow waits for its socket. Covers the client's retransmissions 1 to 5.
pub const DECIDED_MS: u64 = 60_000;

/// Milliseconds without a packet after which a live flow is asked about. More than the two hours
/// of the usual TCP keep-alive, so its probes refresh the flow (RFC 5382 REQ-5 has the same sum).
pub const LIVE_IDLE_MS: u64 = 7_440_000;

/// Milliseconds without a packet after which a flow that is closing is asked about: the kernel's
/// TIME_WAIT, `TCP_TIMEWAIT_LEN`.
pub const CLOSING_IDLE_MS: u64 = 60_000;

/// Milliseconds that a closed flow stays as a tombstone: while its cookie verifies, a late
/// duplicate of the first segment would run the request twice. Outlives TIME_WAIT.
pub const TOMBSTONE_MS: u64 = COOKIE_LIFETIME_S * 1_000;

/// Bytes behind the insert, acknowledged by the client, after which a flow no longer compares
/// sequence numbers with the place of the insert. Half of what serial comparison can tell apart,
/// and the largest window there is (RFC 7323 section 2.3).
pub const SHIFT_SETTLED: u32 = 1 << 30;

/// Longest insert, bytes: cookie name, session id, attributes, and a `Cache-Control` line.
pub const INSERT_MAX: u16 = 512;

// Sessions. Seconds, since their clock is exact to a second only.

/// Sessions that a namespace keeps, unless configured.
pub const SESSIONS_CEILING: u32 = 1 << 20;

/// Seconds without a request after which a session is over, unless configured.
pub const SESSION_IDLE_S: u32 = 1_800;

/// Seconds after its creation when a session is over whatever happens, unless configured.
pub const SESSION_ABSOLUTE_S: u32 = 86_400;

/// Seconds that an association is kept whose client has not shown the session id yet, unless
/// configured. Nothing is lost with it: within the idle timeout the id alone is enough.
pub const TENTATIVE_S: u32 = 60;

/// Session keys that are tried on an id, since the id does not say which it is.
pub const SESSION_KEYS: usize = 3;

// Members.

/// Smallest member id; 0 means nobody.
pub const MEMBER_ID_MIN: u16 = 1;

/// Largest member id: what the maps of who hears whom have room for.
pub const MEMBER_ID_MAX: u16 = 1_023;

/// 64-bit words of a map of who hears whom.
pub const MEMBER_WORDS: usize = 16;

/// Members of a farm: the size that is tested.
pub const MEMBERS_MAX: usize = 64;

/// Services of a namespace.
pub const SERVICES_MAX: usize = 64;

/// Milliseconds between two state messages to one member, unless configured.
pub const STATE_INTERVAL_MS: u64 = 100;

/// State messages that may be missed before a member gets no new sessions.
pub const SUSPECT_INTERVALS: u64 = 2;

/// Milliseconds of silence before a member may be called down. A live migration or a stalled
/// softirq is shorter.
pub const DOWN_MS: u64 = 1_000;

/// Intervals of our own that have to end meanwhile. After a pause of ours, another that sends at the
/// same interval is heard within two.
pub const DOWN_INTERVALS: u32 = 3;

/// Seconds of a home's silence for which the requests of its sessions wait, where they are to and
/// nothing else is configured.
pub const HOME_WAIT_S: u32 = 10;

/// Seconds after which a client may try again whose session's home is dead: a member that restarts
/// is back by then, or will not be soon.
pub const RETRY_AFTER_S: u32 = 5;

/// Times the time until a member may be called down, after which connections to one that is out of
/// reach are given up by a member that hears too little of the farm to call it dead. Many a broken
/// network is back before; a client that has waited for so long is better told.
pub const AWAY_DOWNS: u64 = 10;

/// Milliseconds between two looks at the connections whose owner is gone.
pub const LOST_LOOK_MS: u32 = 1_000;

/// Milliseconds for which they are looked at after it is known: connections that were given to it
/// in the last moment are among them.
pub const LOST_FOR_MS: u64 = 5_000;

/// Others to whom a member sends at the configured interval: 160 messages a second with the usual
/// one. In a larger farm the interval stretches, 400 ms with 64 members.
pub const STATE_FAN_OUT: u64 = 16;

/// Milliseconds over which the share of a member that has joined grows to its whole.
pub const SLOW_START_MS: u64 = 10_000;

/// What it begins with, thousandths.
pub const SLOW_START_LEAST: u16 = 100;

/// Associations that an origin can send again: 40 bytes each.
pub const RING: usize = 4_096;

/// Associations sent again to one member at a time, each 10 ms.
pub const RESEND: u32 = 256;

/// Milliseconds between two runs of the job that tells members what they miss.
pub const TELL_MS: u64 = 10;

/// Milliseconds after which parts of a walk that were not acknowledged are sent again.
pub const TELL_AGAIN_MS: u64 = 50;

/// What one loss (of a listener, or of the member itself) counts, in units of damping.
pub const FLAP_PENALTY: u32 = 1_000;

/// From here on a member gets no new sessions: four losses in quick succession.
pub const FLAP_SUPPRESS: u32 = 3_500;

/// Below this it gets them again.
pub const FLAP_REUSE: u32 = 1_500;

/// Milliseconds in which the penalty halves.
pub const FLAP_HALF_LIFE_MS: u64 = 10_000;

/// Per cent of the members that may be left out for coming and going, unless configured.
pub const EJECT_MAX: u8 = 50;

// Load.

/// Units of load that one session counts: room below it for the processor's part.
pub const LOAD_SESSION: u64 = 64;

/// Sessions that one request in flight counts as: it works now, a session mostly waits.
pub const LOAD_REQUEST: u64 = 8;

/// How many times its sessions a member counts on top of them when its processors are busy to
/// the full. With 2, a full member counts triple, so it ends with a third of an idle equal's.
pub const LOAD_CPU: u64 = 2;

/// A processor share that is full, in thousandths.
pub const CPU_FULL_PERMILLE: u16 = 1_000;

// Farm traffic.

/// 64-bit words of a replay window; one of them is always being reused (RFC 6479).
pub const REPLAY_WORDS: usize = 16;

/// Earlier starts of a sender that are remembered, so that what was recorded of them is known for
/// what it is.
pub const REPLAY_STARTS: usize = 4;

/// Messages by which one may be late and still be accepted.
pub const REPLAY_WINDOW: u64 = (REPLAY_WORDS as u64 - 1) * 64;

// Directory.

/// Connections that a namespace remembers for other members: two members remember each of a farm's,
/// so this is what each can own itself.
pub const DIRECTORY_CEILING: u32 = 1 << 20;

/// Seconds after which an owner lists a connection again, since a message may be lost.
pub const LIST_AGAIN_S: u32 = 64;

/// Seconds after which a connection that was not listed again is forgotten: three lists missed.
pub const LISTED_S: u32 = 3 * LIST_AGAIN_S + 8;

/// Questions that a member asks in a second, for packets that it does not know: one half about
/// connections of which nothing has come before, the other about those that come again. A reshuffle
/// of 100,000 connections is over in some five seconds; a flood of forged packets costs no more than
/// this.
pub const ASK_RATE: u32 = 20_000;

/// Questions at once.
pub const ASK_BURST: u32 = 5_000;

/// Questions in a second for the clients of one network.
pub const ASK_PREFIX_RATE: u32 = 2_000;

/// Questions at once for the clients of one network.
pub const ASK_PREFIX_BURST: u32 = 1_000;
