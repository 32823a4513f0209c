// SPDX-License-Identifier: GPL-2.0
//! Every way that a packet, a session or a message can go: one reason, one counter.
//!
//! The names are those of `homing show stats`; they are stable once documented (docs/counters.md).

/// Makes the enumeration, its names and its size from one list.
macro_rules! reasons {
    ($( $(#[doc = $doc:literal])+ $name:ident = $text:literal, )+) => {
        /// A reason; its number is the index of its counter.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Reason {
            $( $(#[doc = $doc])+ $name, )+
        }

        impl Reason {
            /// The names, in the order of the numbers.
            pub const NAMES: [&'static str; Reason::COUNT] = [$($text),+];
            /// How many there are.
            pub const COUNT: usize = [$($text),+].len();

            /// Index of the counter.
            pub const fn index(self) -> usize {
                self as usize
            }
        }
    };
}

reasons! {
    /// Packets seen on attached devices.
    Packets = "packets",
    /// Passed: not TCP to a service.
    PassOther = "pass_other",
    /// Passed: the link layer says it is for another host.
    PassNotHost = "pass_not_host",
    /// Passed: a fragment of TCP that is for no service's address, or that the kernel will drop.
    PassFragment = "pass_fragment",
    /// Fragments to a service's address that wait for the rest of their packet.
    FragmentHeld = "fragment_held",
    /// Packets put together of fragments.
    FragmentWhole = "fragment_whole",
    /// Dropped: a fragment that contradicts others, or for which there is no memory.
    FragmentBad = "fragment_bad",
    /// Passed: the local stack had the connection before us.
    PassEstablished = "pass_established",
    /// Passed: the connection is ours and its socket is here.
    PassLocal = "pass_local",
    /// Passed: nothing is configured that could serve (no key, member or listener).
    PassUnconfigured = "pass_unconfigured",
    /// Passed: a SYN whose options only the kernel can serve (MD5, AO).
    PassSigned = "pass_signed",
    /// Passed: headers that contradict themselves; the kernel drops them by its own rules.
    PassMalformed = "pass_malformed",
    /// Passed: an IPv6 packet with more extension headers than are walked (12, or 400 bytes), or with
    /// a source route that is not done.
    PassExtensions = "pass_extensions",
    /// Passed: a network error about a connection whose socket is here.
    IcmpLocal = "icmp_local",
    /// Network errors sent to the owner of the connection that they are about.
    IcmpRelayed = "icmp_relayed",
    /// Passed: a network error about a connection of a service that is not known here.
    IcmpUnknown = "icmp_unknown",
    /// Network errors whose quoted sequence number was translated.
    IcmpUnshifted = "icmp_unshifted",
    /// Dropped: wrong TCP checksum.
    DropChecksum = "drop_checksum",
    /// Dropped: no memory.
    DropNoMemory = "drop_no_memory",
    /// Dropped: for the stack, but no attached device is up.
    DropNoDevice = "drop_no_device",
    /// SYNs seen.
    Syn = "syn",
    /// SYNs answered with a cookie.
    SynAnswered = "syn_answered",
    /// SYNs for a connection that is live: passed or relayed to its owner.
    SynOnLive = "syn_on_live",
    /// SYNs refused with RST: no member can serve.
    SynRefused = "syn_refused",
    /// Cookies that verified.
    CookieOk = "cookie_ok",
    /// Segments without a flow whose cookie did not verify.
    CookieBad = "cookie_bad",
    /// Dropped: bare ACK of a handshake; nothing has been asked for.
    AckBare = "ack_bare",
    /// FIN without data answered statelessly.
    FinAnswered = "fin_answered",
    /// Keep-alive probe before the first data answered statelessly.
    ProbeAnswered = "probe_answered",
    /// Dropped: RST before the first data.
    RstBeforeData = "rst_before_data",
    /// Dropped: an early segment of a connection whose first has not come.
    EarlySegment = "early_segment",
    /// Dropped: mid-connection packet nobody here knows, while its owner is asked for.
    UnknownDropped = "unknown_dropped",
    /// Answered with RST: mid-connection packet that nobody knows.
    UnknownReset = "unknown_reset",
    /// Connections that came in here and whose owner is gone.
    LostOwner = "lost_owner",
    /// Of those, ended with RST unasked.
    LostReset = "lost_reset",
    /// Answered with RST: a packet of a connection whose owner is gone, and that cannot go on.
    LostRefused = "lost_refused",
    /// Dropped: a packet without a question, of a connection at rest whose owner is gone.
    LostIgnored = "lost_ignored",
    /// Connections that went on at another owner.
    TakenOver = "taken_over",
    /// Sockets closed here: their connection goes on elsewhere, or its client has begun another.
    LeftoverClosed = "leftover_closed",
    /// Dropped on the way out: what a socket here says of a connection that goes on elsewhere.
    LeftoverDropped = "leftover_dropped",
    /// Requests answered with 503: the home of their session is dead, and the service is strict.
    Unavailable = "unavailable",
    /// Dropped: requests that wait for the home of their session to come back.
    HomeWaited = "home_waited",
    /// Messages sent that tell an entry member which of its connections are at rest.
    RestSent = "rest_sent",
    /// Such messages received.
    RestReceived = "rest_received",
    /// Questions for the owner of a connection sent to a directory member.
    AskSent = "ask_sent",
    /// Questions that were not asked: too many.
    AskLimited = "ask_limited",
    /// Owners found by asking: the packets are relayed from now on.
    OwnerFound = "owner_found",
    /// Questions of other members answered.
    Asked = "asked",
    /// Messages sent that list connections with a directory member.
    ListSent = "list_sent",
    /// Connections listed here by other members (each time).
    Listed = "listed",
    /// Connections of other members not remembered: the directory is full or memory failed.
    DirectoryFull = "directory_full",
    /// Dropped: a segment that is held already, or beyond the window, or a FIN or RST of what is held.
    HoldRefused = "hold_refused",
    /// Answers to clients that could not be sent.
    AnswerFailed = "answer_failed",
    /// Dropped on the way up: a late copy of the first data of a connection that was owned here.
    DuplicateLocal = "duplicate_local",
    /// Dropped: duplicate of the first data of a connection that is over.
    Duplicate = "duplicate",
    /// Segments held until a request head can be read.
    Held = "held",
    /// Acknowledgements of held bytes: their client waited for it.
    HoldAcked = "hold_acked",
    /// Hand-offs of acknowledged bytes that were made again.
    HoldRepeated = "hold_repeated",
    /// Answered with RST: acknowledged bytes that could not be delivered.
    HoldReset = "hold_reset",
    /// Held connections that had to make room.
    HoldFull = "hold_full",
    /// Held connections that waited too long: decided as if they named no session.
    HoldTimeout = "hold_timeout",
    /// Request heads read.
    Request = "request",
    /// First data that is no HTTP/1.x.
    NotHttp = "not_http",
    /// Request heads whose framing is ambiguous: no sid is looked for.
    Ambiguous = "ambiguous",
    /// Request heads longer than the limit.
    HeadTooLong = "head_too_long",
    /// Requests without our cookie.
    SidAbsent = "sid_absent",
    /// Cookies of our name that are no sid.
    SidMalformed = "sid_malformed",
    /// Requests with our cookie twice, differing.
    SidConflict = "sid_conflict",
    /// Sids with a bad MAC, an unknown key or of another group.
    SidForged = "sid_forged",
    /// Sids past a timeout.
    SidExpired = "sid_expired",
    /// Sids whose session was ended.
    SidEnded = "sid_ended",
    /// Requests for a session that is known here.
    SidKnown = "sid_known",
    /// Requests brought home by the sid alone.
    SidAlone = "sid_alone",
    /// Sessions whose home cannot serve: selected anew.
    Rehomed = "rehomed",
    /// Of those, not stored and not told: this member hears only the smaller part of the farm.
    RehomedAlone = "rehomed_alone",
    /// Hand-offs refused: the session is at another member, and the entry member is told.
    NotMine = "not_mine",
    /// Answers that a session is at another member: its connection is decided again.
    Redirected = "redirected",
    /// Connections whose owner is this member.
    DecidedLocal = "decided_local",
    /// Connections handed to another member.
    DecidedOther = "decided_other",
    /// Sessions begun here.
    SessionNew = "session_new",
    /// Sessions not stored: the table is full or memory failed.
    SessionFull = "session_full",
    /// Sessions confirmed by their client.
    SessionConfirmed = "session_confirmed",
    /// Sessions moved.
    SessionMoved = "session_moved",
    /// Sessions ended.
    SessionEnded = "session_ended",
    /// Sessions dropped by a timeout.
    SessionExpired = "session_expired",
    /// Tentative sessions dropped early, because the table fills.
    SessionEvicted = "session_evicted",
    /// Flows not stored: the table is full or memory failed.
    FlowFull = "flow_full",
    /// Sockets spawned.
    Spawned = "spawned",
    /// Spawns that failed: the client will try again.
    SpawnFailed = "spawn_failed",
    /// Of those, answered with RST: still no listener with the client's last tries.
    SpawnRefused = "spawn_refused",
    /// Dropped: a segment that may not spawn came before the socket.
    SpawnNotYet = "spawn_not_yet",
    /// Passed: a segment of a connection that is over; the local stack answers it.
    AfterClose = "after_close",
    /// Packets relayed to their owner.
    Relayed = "relayed",
    /// Of those, with the hand-off option.
    RelayedHandOff = "relayed_hand_off",
    /// Packets for other members that did not fit the farm's network and went in fragments.
    RelayFragmented = "relay_fragmented",
    /// Dropped: could not be sent to the owner.
    RelayFailed = "relay_failed",
    /// Tunnel: data messages received and authenticated.
    TunnelData = "tunnel_data",
    /// Tunnel: connections taken over from their entry member.
    TunnelHandOff = "tunnel_hand_off",
    /// Tunnel: dropped, malformed.
    TunnelMalformed = "tunnel_malformed",
    /// Tunnel: dropped, of another version of what members say to each other.
    TunnelVersion = "tunnel_version",
    /// Tunnel: dropped, not from a member's address.
    TunnelNotMember = "tunnel_not_member",
    /// Tunnel: dropped, of another farm.
    TunnelOtherFarm = "tunnel_other_farm",
    /// Tunnel: dropped, wrong authentication code.
    TunnelForged = "tunnel_forged",
    /// Tunnel: dropped, replayed or too old.
    TunnelReplay = "tunnel_replay",
    /// Tunnel: dropped, meant for an earlier start of this member.
    TunnelOldBoot = "tunnel_old_boot",
    /// Tunnel: dropped, the inner packet is not for a service.
    TunnelNotService = "tunnel_not_service",
    /// Tunnel: dropped, relayed packet of a flow not known here.
    TunnelNoFlow = "tunnel_no_flow",
    /// Tunnel: dropped, the flow is over and the packet begins another; its entry member is told.
    TunnelOver = "tunnel_over",
    /// Tunnel: dropped, a hand-off between ports that another connection's socket has here still; that
    /// one is closed.
    TunnelOccupied = "tunnel_occupied",
    /// State messages sent.
    StateSent = "state_sent",
    /// State messages received.
    StateReceived = "state_received",
    /// Probes of what the way to a member carries, sent.
    MtuProbeSent = "mtu_probe_sent",
    /// Probes of what the way from a member carries that came whole.
    MtuProbeReceived = "mtu_probe_received",
    /// Associations sent (one for each member).
    PushSent = "push_sent",
    /// Associations received.
    PushReceived = "push_received",
    /// Associations received that were older than ours.
    PushStale = "push_stale",
    /// Associations sent again: a member had not got them.
    PushResent = "push_resent",
    /// Members that tell everything again, because what was lost could not be sent any more.
    Resync = "resync",
    /// Parts of everything that is known here, sent to a member that started or lost track.
    WalkSent = "walk_sent",
    /// Parts received of everything that another member knows.
    WalkReceived = "walk_received",
    /// Control messages that could not be sent.
    SendFailed = "send_failed",
    /// Set-Cookie put into a response.
    Inserted = "inserted",
    /// Responses left alone: no HTTP response.
    InsertNotHttp = "insert_not_http",
    /// Responses left alone: the application sets that cookie itself.
    InsertOwn = "insert_own",
    /// Responses left alone: certain shared caches are told to store them whatever else they say.
    InsertCacheable = "insert_cacheable",
    /// Responses left alone: the head, in several segments, has no end that can be told.
    InsertUnreadable = "insert_unreadable",
    /// Responses left alone: the client's window has no room for the line.
    InsertWindow = "insert_window",
    /// Responses left alone: no memory, or a segment was lost before it reached us.
    InsertFailed = "insert_failed",
    /// Dropped: the insert could not be put into the packet; the stack sends it again.
    InsertDropped = "insert_dropped",
    /// Outgoing packets whose sequence number was shifted.
    Shifted = "shifted",
    /// Incoming packets whose acknowledgement was unshifted.
    Unshifted = "unshifted",
}
