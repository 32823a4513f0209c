// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)

//! The numbers of the netlink contract for Rust.
//!
//! Do not edit: made from `rust/uapi/homing.yaml` by `rust/uapi/regen.sh`.

/// Name of the generic netlink family.
pub const FAMILY_NAME: &str = "homing";
/// Version of the family.
pub const FAMILY_VERSION: u8 = 1;
/// Highest member id. Ids start at 1; 0 means no member.
pub const MEMBER_ID_MAX: usize = 1023;
/// Longest member name in bytes, without the terminating NUL.
pub const NAME_MAX: usize = 31;
/// Highest weight of a member.
pub const WEIGHT_MAX: usize = 1000;
/// Bytes of an address.
pub const ADDR_LEN: usize = 16;
/// Longest cookie name in bytes.
pub const COOKIE_MAX: usize = 64;
/// Longest cookie domain in bytes.
pub const DOMAIN_MAX: usize = 253;
/// Characters of a session id (base64url).
pub const SID_LEN: usize = 32;
/// Bytes of a session key, the encrypted block inside a session id.
pub const SESSION_KEY_LEN: usize = 16;
/// Bytes of a farm key.
pub const FARM_KEY_LEN: usize = 32;
/// Highest ceiling of the sessions that a member stores.
pub const SESSIONS_MAX: usize = 16777216;
/// Longest device name in bytes, without the terminating NUL.
pub const IFNAME_MAX: usize = 15;
/// Highest farm id (the VNI of the tunnel, 24 bits).
pub const FARM_ID_MAX: usize = 16777215;

/// What this member believes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum MemberState {
    /// Heard lately; gets new sessions.
    Up = 0,
    /// Two state messages missed; gets no new sessions.
    Suspect = 1,
    /// Not heard by enough members for long enough, or set down by its operator.
    Down = 2,
    /// Started lately; gets no new sessions until it has the associations.
    Joining = 3,
    /// Keeps its sessions, gets no new ones.
    Draining = 4,
}

impl MemberState {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 5] = [
        Self::Up,
        Self::Suspect,
        Self::Down,
        Self::Joining,
        Self::Draining,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Up),
            1 => Some(Self::Suspect),
            2 => Some(Self::Down),
            3 => Some(Self::Joining),
            4 => Some(Self::Draining),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::Joining => "joining",
            Self::Draining => "draining",
        }
    }
}

/// What the operator wants of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum AdminState {
    /// Takes part.
    Up = 0,
    /// Keeps its sessions, gets no new ones.
    Draining = 1,
    /// Gets nothing; its sessions are selected anew.
    Down = 2,
}

impl AdminState {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 3] = [
        Self::Up,
        Self::Draining,
        Self::Down,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Up),
            1 => Some(Self::Draining),
            2 => Some(Self::Down),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Draining => "draining",
            Self::Down => "down",
        }
    }
}

/// What happens to the sessions of a member that drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum DrainMode {
    /// They stay until they end.
    Finish = 0,
    /// Each gets a new home at its next connection.
    Move = 1,
}

impl DrainMode {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 2] = [
        Self::Finish,
        Self::Move,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Finish),
            1 => Some(Self::Move),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Finish => "finish",
            Self::Move => "move",
        }
    }
}

/// How the home of a new session is selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Policy {
    /// Two drawn by weight, the less loaded one wins.
    P2c = 0,
    /// In turn, each as often as its weight says.
    Rr = 1,
    /// The one that is furthest behind its share of what was given so far.
    Wrr = 2,
    /// The one with the fewest sessions for its weight.
    LeastSessions = 3,
    /// By the client's address, out of a table that members fill by weight.
    Maglev = 4,
}

impl Policy {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 5] = [
        Self::P2c,
        Self::Rr,
        Self::Wrr,
        Self::LeastSessions,
        Self::Maglev,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::P2c),
            1 => Some(Self::Rr),
            2 => Some(Self::Wrr),
            3 => Some(Self::LeastSessions),
            4 => Some(Self::Maglev),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::P2c => "p2c",
            Self::Rr => "rr",
            Self::Wrr => "wrr",
            Self::LeastSessions => "least-sessions",
            Self::Maglev => "maglev",
        }
    }
}

/// Which way the answers to SYNs, and other answers before a connection has a socket, go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Reply {
    /// By the device that the packet came by, to the link address that it came from.
    Swap = 0,
    /// By the routing table.
    Route = 1,
}

impl Reply {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 2] = [
        Self::Swap,
        Self::Route,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Swap),
            1 => Some(Self::Route),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Swap => "swap",
            Self::Route => "route",
        }
    }
}

/// What a request gets whose session's home is dead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum HomeLost {
    /// A new home, for good.
    Repick = 0,
    /// A response 503 with Retry-After.
    Strict = 1,
    /// Nothing until the home is back or was silent for so long; then as strict.
    Wait = 2,
}

impl HomeLost {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 3] = [
        Self::Repick,
        Self::Strict,
        Self::Wait,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Repick),
            1 => Some(Self::Strict),
            2 => Some(Self::Wait),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Repick => "repick",
            Self::Strict => "strict",
            Self::Wait => "wait",
        }
    }
}

/// SameSite attribute of the cookie (RFC 6265bis).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SameSite {
    /// SameSite=Lax.
    Lax = 0,
    /// SameSite=Strict.
    Strict = 1,
    /// SameSite=None; browsers accept it with Secure only.
    None = 2,
    /// No SameSite attribute.
    Unset = 3,
}

impl SameSite {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 4] = [
        Self::Lax,
        Self::Strict,
        Self::None,
        Self::Unset,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Lax),
            1 => Some(Self::Strict),
            2 => Some(Self::None),
            3 => Some(Self::Unset),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lax => "lax",
            Self::Strict => "strict",
            Self::None => "none",
            Self::Unset => "unset",
        }
    }
}

/// State of an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SessionState {
    /// The client has not shown the session id yet; the first to be dropped.
    Tentative = 0,
    /// The client has shown the session id.
    Confirmed = 1,
    /// Tombstone; the session id routes nowhere any more.
    Ended = 2,
}

impl SessionState {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 3] = [
        Self::Tentative,
        Self::Confirmed,
        Self::Ended,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Tentative),
            1 => Some(Self::Confirmed),
            2 => Some(Self::Ended),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tentative => "tentative",
            Self::Confirmed => "confirmed",
            Self::Ended => "ended",
        }
    }
}

/// Why a session notification was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum SessionCause {
    /// A home was selected, here or at another member.
    New = 0,
    /// The client showed the session id for the first time.
    Confirm = 1,
    /// The session has another home.
    Move = 2,
    /// The session was ended by an operator.
    End = 3,
    /// The idle or the absolute timeout has passed.
    Expire = 4,
}

impl SessionCause {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 5] = [
        Self::New,
        Self::Confirm,
        Self::Move,
        Self::End,
        Self::Expire,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::New),
            1 => Some(Self::Confirm),
            2 => Some(Self::Move),
            3 => Some(Self::End),
            4 => Some(Self::Expire),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Confirm => "confirm",
            Self::Move => "move",
            Self::End => "end",
            Self::Expire => "expire",
        }
    }
}

/// What this member is for a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FlowRole {
    /// The client's packets arrive here and are relayed to the owner.
    Entry = 0,
    /// The socket is here, the client's packets arrive through another member.
    Owner = 1,
    /// The client's packets arrive here and the socket is here.
    Both = 2,
}

impl FlowRole {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 3] = [
        Self::Entry,
        Self::Owner,
        Self::Both,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Entry),
            1 => Some(Self::Owner),
            2 => Some(Self::Both),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Owner => "owner",
            Self::Both => "both",
        }
    }
}

/// State of a connection as this member sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum FlowState {
    /// Packets are held until the request head can be read.
    Deciding = 0,
    /// An owner is chosen; its socket has not been seen yet.
    Decided = 1,
    /// The owner has a socket.
    Live = 2,
    /// Over; kept so that a late duplicate does not run the request again.
    Closed = 3,
}

impl FlowState {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 4] = [
        Self::Deciding,
        Self::Decided,
        Self::Live,
        Self::Closed,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Deciding),
            1 => Some(Self::Decided),
            2 => Some(Self::Live),
            3 => Some(Self::Closed),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Deciding => "deciding",
            Self::Decided => "decided",
            Self::Live => "live",
            Self::Closed => "closed",
        }
    }
}

/// Why a request with a session id goes where it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Verdict {
    /// The stored association says the home.
    Known = 0,
    /// No association is stored here; the home that the id names decides.
    Alone = 1,
    /// A timeout has passed; the request is treated as one without an id.
    Expired = 2,
    /// The session was ended; the request is treated as one without an id.
    Ended = 3,
    /// No key of the farm has made the id; the request is treated as one without.
    Forged = 4,
}

impl Verdict {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 5] = [
        Self::Known,
        Self::Alone,
        Self::Expired,
        Self::Ended,
        Self::Forged,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Known),
            1 => Some(Self::Alone),
            2 => Some(Self::Expired),
            3 => Some(Self::Ended),
            4 => Some(Self::Forged),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Alone => "alone",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::Forged => "forged",
        }
    }
}

/// How the home of a session stands to the session's next connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum HomeStanding {
    /// It gets it.
    Serves = 0,
    /// It is drained by moving its sessions; another member is selected.
    Moves = 1,
    /// It is down, or no member any more; another member is selected.
    Gone = 2,
    /// It is down, and the service lets no other serve; the client gets a response 503.
    Unavailable = 3,
    /// The same, but it may come back; the client gets nothing yet.
    Waits = 4,
}

impl HomeStanding {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 5] = [
        Self::Serves,
        Self::Moves,
        Self::Gone,
        Self::Unavailable,
        Self::Waits,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Serves),
            1 => Some(Self::Moves),
            2 => Some(Self::Gone),
            3 => Some(Self::Unavailable),
            4 => Some(Self::Waits),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serves => "serves",
            Self::Moves => "moves",
            Self::Gone => "gone",
            Self::Unavailable => "unavailable",
            Self::Waits => "waits",
        }
    }
}

/// What a farm key may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum KeyRole {
    /// Verifies what other members, cookies and session ids say.
    Receive = 0,
    /// Also makes them. Only one key sends; the one before it goes on receiving.
    Send = 1,
}

impl KeyRole {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 2] = [
        Self::Receive,
        Self::Send,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Receive),
            1 => Some(Self::Send),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receive => "receive",
            Self::Send => "send",
        }
    }
}

/// What a configuration notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ConfigWhat {
    /// The member.
    Member = 0,
    /// The service.
    Service = 1,
    /// The device.
    Device = 2,
    /// The farm.
    Farm = 3,
    /// The key.
    Key = 4,
    /// The debug.
    Debug = 5,
}

impl ConfigWhat {
    /// Every value, in the order of their numbers.
    #[rustfmt::skip]
    pub const ALL: [Self; 6] = [
        Self::Member,
        Self::Service,
        Self::Device,
        Self::Farm,
        Self::Key,
        Self::Debug,
    ];

    /// The value with this number; `None` when the contract has no such value.
    pub const fn from_u32(value: u32) -> Option<Self> {
        match value {
            0 => Some(Self::Member),
            1 => Some(Self::Service),
            2 => Some(Self::Device),
            3 => Some(Self::Farm),
            4 => Some(Self::Key),
            5 => Some(Self::Debug),
            _ => None,
        }
    }

    /// The name as the contract spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Service => "service",
            Self::Device => "device",
            Self::Farm => "farm",
            Self::Key => "key",
            Self::Debug => "debug",
        }
    }
}

/// Attributes: A network device whose packets homing looks at.
pub mod device {
    /// Index of the device in this namespace.
    pub const IFINDEX: u16 = 1;
    /// Name of the device; one of ifindex and ifname is needed.
    pub const IFNAME: u16 = 2;
    /// Detach although connections are sequence-shifted; these are reset.
    pub const FORCE: u16 = 3;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 3] = [
        "ifindex",
        "ifname",
        "force",
    ];
}

/// Attributes: A server of the farm.
pub mod member {
    /// Number of the member, the same on every member.
    pub const ID: u16 = 1;
    /// Name of the member; unique, and not empty.
    pub const NAME: u16 = 2;
    /// Address for farm traffic, 16 bytes (IPv4 as ::ffff:a.b.c.d).
    pub const ADDR: u16 = 3;
    /// Share of new sessions relative to others; 0 gets none. Default 100.
    pub const WEIGHT: u16 = 4;
    /// What the operator wants, at whichever member it was said; all members are told. Default up.
    /// Saying it again changes nothing.
    pub const ADMIN: u16 = 5;
    /// What this member believes; only in replies.
    pub const STATE: u16 = 6;
    /// 1 when the member is this namespace. Without the attribute the member whose address is
    /// local is taken; 0 or 1 forces it.
    pub const LOCAL: u16 = 7;
    /// Sessions whose home the member is, as it reports.
    pub const SESSIONS: u16 = 8;
    /// Connections the member owns, as it reports.
    pub const FLOWS: u16 = 9;
    /// Requests in flight, as it reports.
    pub const REQUESTS: u16 = 10;
    /// Busy share of its processors over the last interval, in permille.
    pub const CPU: u16 = 11;
    /// Milliseconds since its last state message; absent when never heard, 0 for this member.
    pub const LAST_SEEN: u16 = 12;
    /// Its clock minus ours in milliseconds, as seen in its last state message.
    pub const CLOCK_SKEW: u16 = 13;
    /// Random number of its present start; 0 when never heard.
    pub const BOOT: u16 = 14;
    /// For this member, number of the last association that it pushed; else 0.
    pub const BATCHES_SENT: u16 = 15;
    /// All of its associations up to this number have arrived.
    pub const BATCHES_SEEN: u16 = 16;
    /// Services for which it reports a listening socket.
    pub const LISTENERS: u16 = 17;
    /// Digest of its farm settings, members and services, the same on members that are configured
    /// alike; 0 while it has not said.
    pub const CONFIG: u16 = 18;
    /// Microseconds from a request to its answer, a moving average in steps of 125, as it reports.
    pub const LATENCY: u16 = 19;
    /// With admin draining, what happens to its sessions. Default finish.
    pub const DRAIN_MODE: u16 = 20;
    /// With admin draining, seconds after which the sessions that are left are moved; in replies,
    /// seconds that are left. 0 for never.
    pub const DEADLINE: u16 = 21;
    /// Seconds since this member heard that it drains; only while it does.
    pub const DRAIN_SINCE: u16 = 22;
    /// Sessions that it had at that time.
    pub const DRAIN_SESSIONS: u16 = 23;
    /// Connections that it had at that time.
    pub const DRAIN_FLOWS: u16 = 24;
    /// 1 when it has told this member all that it knows.
    pub const TOLD: u16 = 25;
    /// Of what this member believes of it, something was set with debug-set.
    pub const OVERRIDDEN: u16 = 26;
    /// Milliseconds for which it says that it does not hear this member; only while that is
    /// believed.
    pub const DEAF: u16 = 27;
    /// All associations of this member up to this number have arrived there, by its last word.
    pub const BATCHES_ACKED: u16 = 28;
    /// Associations of this member that it has not said to have.
    pub const LAG: u16 = 29;
    /// Messages from its address that were refused; only if there were.
    pub const REFUSED: u16 = 30;
    /// Counter of the last that was.
    pub const REFUSED_WHY: u16 = 31;
    /// It, or what listens there, came and went too often: new sessions go to others, unless too
    /// many members would be left out.
    pub const FLAPPING: u16 = 32;
    /// Bytes of packets that come whole from it to this member: those of its last probe, 1500
    /// without one. Not of this member itself.
    pub const MTU_FROM: u16 = 33;
    /// The smallest that come whole to it from any other member, as it reports; 0 while it has not
    /// said.
    pub const MTU_TO: u16 = 34;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 34] = [
        "id",
        "name",
        "addr",
        "weight",
        "admin",
        "state",
        "local",
        "sessions",
        "flows",
        "requests",
        "cpu",
        "last-seen",
        "clock-skew",
        "boot",
        "batches-sent",
        "batches-seen",
        "listeners",
        "config",
        "latency",
        "drain-mode",
        "deadline",
        "drain-since",
        "drain-sessions",
        "drain-flows",
        "told",
        "overridden",
        "deaf",
        "batches-acked",
        "lag",
        "refused",
        "refused-why",
        "flapping",
        "mtu-from",
        "mtu-to",
    ];
}

/// Attributes: A virtual address and port that every member serves.
pub mod service {
    /// Virtual address, 16 bytes (IPv4 as ::ffff:a.b.c.d).
    pub const VIP: u16 = 1;
    /// TCP port, host byte order.
    pub const PORT: u16 = 2;
    /// Services of one group share their sessions. Default 0.
    pub const GROUP: u16 = 3;
    /// How a home is selected. Default p2c.
    pub const POLICY: u16 = 4;
    /// Name of the cookie, an RFC 9110 token. Default homing.
    pub const COOKIE: u16 = 5;
    /// 1 adds Secure to the cookie. Default 0.
    pub const SECURE: u16 = 6;
    /// 0 puts no cookie into responses. Default 1.
    pub const INSERT: u16 = 7;
    /// Seconds without a request after which a session expires. Default 1800.
    pub const IDLE_TIMEOUT: u16 = 8;
    /// Seconds after which a session expires in any case. Default 86400.
    pub const ABSOLUTE_TIMEOUT: u16 = 9;
    /// Domain attribute of the cookie; empty for none.
    pub const DOMAIN: u16 = 10;
    /// Max-Age of the cookie in seconds; 0 for a cookie that ends with the browser.
    pub const MAX_AGE: u16 = 11;
    /// SameSite attribute of the cookie. Default lax.
    pub const SAME_SITE: u16 = 12;
    /// Members that report a listening socket.
    pub const LISTENERS: u16 = 13;
    /// 1 when a socket listens here.
    pub const LOCAL_LISTENER: u16 = 14;
    /// Sessions started through this service at this member.
    pub const SESSIONS: u16 = 15;
    /// Connections decided for this service at this member.
    pub const CONNECTIONS: u16 = 16;
    /// Which way answers go out that no socket makes. Default swap.
    pub const REPLY: u16 = 17;
    /// What a request gets whose session's home is dead. Default repick.
    pub const HOME_LOST: u16 = 18;
    /// Seconds of a home's silence for which its requests wait, with home-lost wait. Default 10.
    pub const HOME_WAIT: u16 = 19;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 19] = [
        "vip",
        "port",
        "group",
        "policy",
        "cookie",
        "secure",
        "insert",
        "idle-timeout",
        "absolute-timeout",
        "domain",
        "max-age",
        "same-site",
        "listeners",
        "local-listener",
        "sessions",
        "connections",
        "reply",
        "home-lost",
        "home-wait",
    ];
}

/// Attributes: An association, what the farm keeps for one client.
pub mod session {
    /// Session id, 32 base64url characters, as the client has it; no shorter.
    pub const SID: u16 = 1;
    /// First 16 bytes of the session id; the key of the table.
    pub const KEY: u16 = 2;
    /// Member that keeps the session.
    pub const HOME: u16 = 3;
    /// Member that stored this version first.
    pub const ORIGIN: u16 = 4;
    /// Higher versions win; of equal ones that of the lower origin.
    pub const VERSION: u16 = 5;
    /// Tentative, confirmed or ended.
    pub const STATE: u16 = 6;
    /// Group of services that the session belongs to.
    pub const GROUP: u16 = 7;
    /// Time of creation, seconds since 1970.
    pub const CREATED: u16 = 8;
    /// Seconds since the last request, as known here.
    pub const IDLE: u16 = 9;
    /// Flags of the association as members exchange them.
    pub const FLAGS: u16 = 10;
    /// Why this notification was sent.
    pub const CAUSE: u16 = 11;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 11] = [
        "sid",
        "key",
        "home",
        "origin",
        "version",
        "state",
        "group",
        "created",
        "idle",
        "flags",
        "cause",
    ];
}

/// Attributes: A connection as this member sees it.
pub mod flow {
    /// Address of the client, 16 bytes.
    pub const CLIENT: u16 = 1;
    /// Port of the client, host byte order.
    pub const CLIENT_PORT: u16 = 2;
    /// Virtual address, 16 bytes.
    pub const VIP: u16 = 3;
    /// Port of the service, host byte order.
    pub const PORT: u16 = 4;
    /// Member that has the socket; 0 while undecided.
    pub const OWNER: u16 = 5;
    /// Member through which the client's packets arrive.
    pub const ENTRY: u16 = 6;
    /// What this member is for the connection.
    pub const ROLE: u16 = 7;
    /// State of the connection.
    pub const STATE: u16 = 8;
    /// Bytes by which the server's sequence numbers are shifted.
    pub const SHIFT: u16 = 9;
    /// Key of its session, 16 bytes; absent when it has none.
    pub const KEY: u16 = 10;
    /// Seconds since the last packet.
    pub const IDLE: u16 = 11;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 11] = [
        "client",
        "client-port",
        "vip",
        "port",
        "owner",
        "entry",
        "role",
        "state",
        "shift",
        "key",
        "idle",
    ];
}

/// Attributes: Where a session or a connection goes, and why, as this member would decide now.
pub mod explain {
    /// The session id; else a connection is meant.
    pub const SID: u16 = 1;
    /// Address of the client, 16 bytes.
    pub const CLIENT: u16 = 2;
    /// Port of the client, host byte order.
    pub const CLIENT_PORT: u16 = 3;
    /// Virtual address, 16 bytes.
    pub const VIP: u16 = 4;
    /// Port of the service, host byte order.
    pub const PORT: u16 = 5;
    /// Of a session, why.
    pub const VERDICT: u16 = 6;
    /// Of a session, the member that its id names as home.
    pub const NAMED: u16 = 7;
    /// Of a session, its group as the id says.
    pub const GROUP: u16 = 8;
    /// Of a session, when it began, as the id says; seconds since 1970.
    pub const CREATED: u16 = 9;
    /// Key of the session.
    pub const KEY: u16 = 10;
    /// Member that gets the request; 0 when one would be selected by the service's policy.
    pub const TARGET: u16 = 11;
    /// Of a session whose home moves or is gone, the member that every member selects; the target
    /// again if it moves and nobody else can serve. Absent when nobody can.
    pub const SUCCESSOR: u16 = 12;
    /// Of a connection, the member that has the socket, as far as this member knows; 0 for
    /// unknown.
    pub const OWNER: u16 = 13;
    /// Of a connection, the members to ask for its owner, in their order; repeated.
    pub const DIRECTORY: u16 = 14;
    /// Of a connection, the owner that has listed it with this member; 0 for none.
    pub const LISTED: u16 = 15;
    /// Of a session with a target, how that stands to the next connection.
    pub const STANDING: u16 = 16;
    /// Of a session with another successor than its target, 1 when this member hears too little of
    /// the farm to tell anybody of the new home.
    pub const MINORITY: u16 = 17;
    /// Of a connection, 1 when a service has its virtual address and port.
    pub const SERVICE: u16 = 18;
    /// Of a connection, its state here; absent when it is not known here.
    pub const STATE: u16 = 19;
    /// Of a connection, the member that its packets come in at, as far as this member knows.
    pub const ENTRY: u16 = 20;
    /// Of a connection, the local stack has its socket.
    pub const SOCKET: u16 = 21;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 21] = [
        "sid",
        "client",
        "client-port",
        "vip",
        "port",
        "verdict",
        "named",
        "group",
        "created",
        "key",
        "target",
        "successor",
        "owner",
        "directory",
        "listed",
        "standing",
        "minority",
        "service",
        "state",
        "entry",
        "socket",
    ];
}

/// Attributes: One statistics counter.
pub mod counter {
    /// Name; stable once documented.
    pub const NAME: u16 = 1;
    /// Count since the namespace's state was made.
    pub const VALUE: u16 = 2;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 2] = [
        "name",
        "value",
    ];
}

/// Attributes: All statistics counters of this member.
pub mod stats {
    /// One counter; the attribute is repeated.
    pub const COUNTER: u16 = 1;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 1] = [
        "counter",
    ];
}

/// Attributes: What is the same for the whole farm.
pub mod farm {
    /// UDP port of farm traffic, host byte order. Default 6470.
    pub const PORT: u16 = 1;
    /// Milliseconds between state messages before scaling. Default 100.
    pub const STATE_INTERVAL: u16 = 2;
    /// Factor on every time constant of the farm, for slow test beds. Default 1.
    pub const SCALE: u16 = 3;
    /// Number of the farm; messages of other farms are ignored. Default 0.
    pub const ID: u16 = 4;
    /// Bytes of an IP packet that the network between the members carries, at least 1280; 0: the
    /// members find out. Clients are told to send no more than fits through it. Default 0.
    pub const FABRIC_MTU: u16 = 5;
    /// Per cent of the members that may get no new sessions for coming and going. Default 50.
    pub const EJECT_MAX: u16 = 6;
    /// Most sessions that a member stores, tombstones included; each takes some 80 bytes of kernel
    /// memory. Default 1048576.
    pub const SESSIONS_MAX: u16 = 7;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 7] = [
        "port",
        "state-interval",
        "scale",
        "id",
        "fabric-mtu",
        "eject-max",
        "sessions-max",
    ];
}

/// Attributes: A farm key. Its number and role are shown, its bytes never.
pub mod key {
    /// Number of the key, the same on every member. Default 0.
    pub const ID: u16 = 1;
    /// 32 random bytes; what is used is derived from them.
    pub const SECRET: u16 = 2;
    /// What the key is for. Default send.
    pub const ROLE: u16 = 3;
    /// The same for the same secret; says nothing else of it.
    pub const FINGERPRINT: u16 = 4;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 4] = [
        "id",
        "secret",
        "role",
        "fingerprint",
    ];
}

/// Attributes: Switches for tests and for looking closer.
pub mod debug {
    /// 1 stops every change of the stored member states; 0 lets them go on.
    pub const FREEZE: u16 = 1;
    /// 0 stops sending associations to other members; 1 sends them.
    pub const PUSH: u16 = 2;
    /// Seconds added to this member's clock.
    pub const CLOCK_OFFSET: u16 = 3;
    /// Factor on every time constant, as in the farm's configuration.
    pub const SCALE: u16 = 4;
    /// What this member shall believe of one member.
    pub const MEMBER: u16 = 5;
    /// Store made-up sessions here until there are so many of them, to see what a full table
    /// costs. Their ids begin with the bytes of "made up" and a zero, then count from 0 in big
    /// endian. Other members are not told. They end as sessions do that nobody uses.
    pub const FILL: u16 = 6;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 6] = [
        "freeze",
        "push",
        "clock-offset",
        "scale",
        "member",
        "fill",
    ];
}

/// Attributes: A believed state that replaces what a member reports.
pub mod belief {
    /// The member.
    pub const ID: u16 = 1;
    /// Believed sessions.
    pub const SESSIONS: u16 = 2;
    /// Believed connections.
    pub const FLOWS: u16 = 3;
    /// Believed requests in flight.
    pub const REQUESTS: u16 = 4;
    /// Believed busy share in permille.
    pub const CPU: u16 = 5;
    /// Believed weight.
    pub const WEIGHT: u16 = 6;
    /// Believed state.
    pub const STATE: u16 = 7;
    /// 1 when all services are believed to have a listener there, 0 when none.
    pub const LISTENER: u16 = 8;
    /// Forget all overrides of the member; what it reports counts again.
    pub const CLEAR: u16 = 9;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 9] = [
        "id",
        "sessions",
        "flows",
        "requests",
        "cpu",
        "weight",
        "state",
        "listener",
        "clear",
    ];
}

/// Attributes: This member in one message.
pub mod status {
    /// Version of the module.
    pub const VERSION: u16 = 1;
    /// Release of the running kernel.
    pub const KERNEL: u16 = 2;
    /// Which member this namespace is; 0 when none is local.
    pub const MEMBER_ID: u16 = 3;
    /// Name of that member; absent when none is local.
    pub const MEMBER_NAME: u16 = 4;
    /// Number of changes of the configuration so far.
    pub const GENERATION: u16 = 5;
    /// Name of an attached device; repeated.
    pub const ATTACHED: u16 = 6;
    /// Configured members.
    pub const MEMBERS: u16 = 7;
    /// Configured services.
    pub const SERVICES: u16 = 8;
    /// Associations stored here, tombstones included.
    pub const SESSIONS: u16 = 9;
    /// Connections known here, closed ones included.
    pub const FLOWS: u16 = 10;
    /// Farm keys loaded.
    pub const KEYS: u16 = 11;
    /// 1 when the member states are frozen.
    pub const FROZEN: u16 = 12;
    /// 1 when associations are sent to other members.
    pub const PUSH: u16 = 13;
    /// Factor on every time constant.
    pub const SCALE: u16 = 14;
    /// Seconds added to the clock.
    pub const CLOCK_OFFSET: u16 = 15;
    /// Random number of this start.
    pub const BOOT: u16 = 16;
    /// UDP port of farm traffic, host byte order.
    pub const PORT: u16 = 17;
    /// Milliseconds between state messages before scaling.
    pub const STATE_INTERVAL: u16 = 18;
    /// Number of the farm.
    pub const FARM_ID: u16 = 19;
    /// Bytes of an IP packet that the network between the members carries, as set or found out.
    pub const FABRIC_MTU: u16 = 20;
    /// Most sessions that are stored here.
    pub const SESSIONS_MAX: u16 = 21;
    /// Per cent of the members that may get no new sessions for coming and going.
    pub const EJECT_MAX: u16 = 22;
    /// Most connections that are known here.
    pub const FLOWS_MAX: u16 = 23;
    /// Connections whose first bytes are held until their request's head is there.
    pub const HELD: u16 = 24;
    /// Memory that they take.
    pub const HELD_BYTES: u16 = 25;
    /// 1 when fabric-mtu was set, 0 when the members have found it out.
    pub const FABRIC_MTU_SET: u16 = 26;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 26] = [
        "version",
        "kernel",
        "member-id",
        "member-name",
        "generation",
        "attached",
        "members",
        "services",
        "sessions",
        "flows",
        "keys",
        "frozen",
        "push",
        "scale",
        "clock-offset",
        "boot",
        "port",
        "state-interval",
        "farm-id",
        "fabric-mtu",
        "sessions-max",
        "eject-max",
        "flows-max",
        "held",
        "held-bytes",
        "fabric-mtu-set",
    ];
}

/// Attributes: A change of the configuration.
pub mod config {
    /// Generation after the change; that a device comes or goes is none.
    pub const GENERATION: u16 = 1;
    /// What was changed.
    pub const WHAT: u16 = 2;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 2] = [
        "generation",
        "what",
    ];
}

/// Commands and notifications.
pub mod cmd {
    /// Let homing look at the packets of a device. Attaching again is no error.
    pub const DEVICE_ATTACH: u8 = 1;
    /// Stop looking at the packets of a device. Refused with EBUSY while sequence-shifted
    /// connections are open, unless forced.
    pub const DEVICE_DETACH: u8 = 2;
    /// The attached devices.
    pub const DEVICE_GET: u8 = 3;
    /// Create a member, or change the given attributes of one. A new one needs name and addr.
    pub const MEMBER_SET: u8 = 4;
    /// Remove a member. Its sessions are selected anew.
    pub const MEMBER_DEL: u8 = 5;
    /// What this member knows of one member, or of all.
    pub const MEMBER_GET: u8 = 6;
    /// The state of a member has changed.
    pub const MEMBER_NTF: u8 = 7;
    /// Associations that a member pushed were lost for so long that it could not send them again;
    /// it is telling everything that it knows.
    pub const RESYNC_NTF: u8 = 8;
    /// Create a service, or change the given attributes of one.
    pub const SERVICE_SET: u8 = 9;
    /// Remove a service. Its open connections go on.
    pub const SERVICE_DEL: u8 = 10;
    /// The configured services.
    pub const SERVICE_GET: u8 = 11;
    /// One association, by sid or by key; or all, those of one home when home is given.
    pub const SESSION_GET: u8 = 12;
    /// Store one whole association, as a notification carried it. An older version than the stored
    /// one is refused with ESTALE; the same one is accepted and changes nothing.
    pub const SESSION_SET: u8 = 13;
    /// Give a session another home; all members are told.
    pub const SESSION_MOVE: u8 = 14;
    /// End a session; a tombstone keeps its session id from routing.
    pub const SESSION_END: u8 = 15;
    /// An association was stored, changed or dropped; carries it whole.
    pub const SESSION_NTF: u8 = 16;
    /// The connections known here.
    pub const FLOW_GET: u8 = 17;
    /// All statistics counters.
    pub const STATS_GET: u8 = 18;
    /// Change what is the same for the whole farm.
    pub const FARM_SET: u8 = 19;
    /// Load a farm key. A new sending key turns the one before it into a receiving one.
    pub const KEY_SET: u8 = 20;
    /// Set debug switches; those not given stay as they are. Only for who has CAP_NET_ADMIN in the
    /// initial user namespace: made-up sessions take the host's memory.
    pub const DEBUG_SET: u8 = 21;
    /// This member in one message.
    pub const STATUS_GET: u8 = 22;
    /// The configuration has changed.
    pub const CONFIG_NTF: u8 = 23;
    /// Say where a session or a connection goes, and why. Changes nothing. A session is asked for
    /// at the service of vip and port, without them at the first service of its group; the reply
    /// says which.
    pub const EXPLAIN: u8 = 24;
    /// The farm keys that are loaded, by their numbers; what they are for, not what they are.
    pub const KEY_GET: u8 = 25;
    /// Names, the first one that of number 1.
    #[rustfmt::skip]
    pub const NAMES: [&str; 25] = [
        "device-attach",
        "device-detach",
        "device-get",
        "member-set",
        "member-del",
        "member-get",
        "member-ntf",
        "resync-ntf",
        "service-set",
        "service-del",
        "service-get",
        "session-get",
        "session-set",
        "session-move",
        "session-end",
        "session-ntf",
        "flow-get",
        "stats-get",
        "farm-set",
        "key-set",
        "debug-set",
        "status-get",
        "config-ntf",
        "explain",
        "key-get",
    ];
}

/// Multicast groups: index in the family's table, and names.
pub mod group {
    /// Group config.
    pub const CONFIG: u32 = 0;
    /// Group session.
    pub const SESSION: u32 = 1;
    /// Group member.
    pub const MEMBER: u32 = 2;
    /// Names, in the order of their indices.
    #[rustfmt::skip]
    pub const NAMES: [&str; 3] = [
        "config",
        "session",
        "member",
    ];
}
