// SPDX-License-Identifier: GPL-2.0

//! Plain containers for what the module tells: one struct a noun, read from a reply.
//!
//! Contract: the attribute sets of `rust/uapi/homing.yaml`. Ports are in host byte order.

use crate::error::Error;
use crate::message::Attributes;
use homing_pure::uapi::consts;
use homing_pure::uapi::consts::AdminState;
use homing_pure::uapi::consts::DrainMode;
use homing_pure::uapi::consts::FlowRole;
use homing_pure::uapi::consts::FlowState;
use homing_pure::uapi::consts::HomeLost;
use homing_pure::uapi::consts::HomeStanding;
use homing_pure::uapi::consts::KeyRole;
use homing_pure::uapi::consts::MemberState;
use homing_pure::uapi::consts::Policy;
use homing_pure::uapi::consts::Reply;
use homing_pure::uapi::consts::SameSite;
use homing_pure::uapi::consts::SessionCause;
use homing_pure::uapi::consts::SessionState;
use homing_pure::uapi::consts::Verdict;
use std::net::IpAddr;
use std::net::Ipv6Addr;

/// An address as the contract writes it: 16 bytes, IPv4 inside ::ffff:0:0/96.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address(pub [u8; 16]);

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Address(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => Address(v6.octets()),
        }
    }
}

impl Address {
    /// The address as people write it.
    pub fn ip(self) -> IpAddr {
        Ipv6Addr::from(self.0).to_canonical()
    }

    fn read(from: &Attributes, kind: u16, name: &str) -> Result<IpAddr, Error> {
        Ok(Address(Attributes::need(from.array(kind), name)?).ip())
    }
}

/// An attached device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Index in this namespace.
    pub ifindex: u32,
    /// Name.
    pub ifname: String,
}

impl Device {
    pub(crate) fn read(from: &Attributes) -> Result<Self, Error> {
        use consts::device::*;
        Ok(Device {
            ifindex: Attributes::need(from.u32(IFINDEX), "ifindex")?,
            ifname: Attributes::need(from.string(IFNAME), "ifname")?,
        })
    }
}

/// A member of the farm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Number, 1..=1023.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Address for farm traffic.
    pub addr: IpAddr,
    /// Share of new sessions.
    pub weight: u32,
    /// What its operator wants.
    pub admin: Option<AdminState>,
    /// What this member believes.
    pub state: Option<MemberState>,
    /// Whether it is this namespace.
    pub local: bool,
    /// Sessions whose home it is.
    pub sessions: u64,
    /// Connections it owns.
    pub flows: u64,
    /// Requests in flight.
    pub requests: u64,
    /// Busy share in permille.
    pub cpu: u32,
    /// Milliseconds since it was heard; `None` for never.
    pub last_seen_ms: Option<u64>,
    /// Its clock minus ours in milliseconds.
    pub clock_skew_ms: i32,
    /// Random number of its present start.
    pub boot: u64,
    /// Number of the last association pushed (this member only).
    pub batches_sent: u64,
    /// All of its associations up to this number have arrived.
    pub batches_seen: u64,
    /// Services with a listening socket there.
    pub listeners: u32,
    /// Digest of its configuration; 0 while it is not known.
    pub config: u32,
    /// Of another member: up to this number it has all associations of this one.
    pub batches_acked: u64,
    /// Of another member: associations of this one that it has not said to have.
    pub lag: u64,
    /// Messages from its address that were refused.
    pub refused: u64,
    /// Counter of the last that was; empty for none.
    pub refused_why: String,
    /// Microseconds from a request to its answer.
    pub latency_us: u64,
    /// Whether it has told this member all that it knows.
    pub told: bool,
    /// Whether something of what is believed of it was set for debugging.
    pub overridden: bool,
    /// Whether it came and went too often to get new sessions.
    pub flapping: bool,
    /// Milliseconds for which it says that it does not hear this member; `None` if it does.
    pub deaf_ms: Option<u64>,
    /// Bytes of packets that come whole from it; `None` of this member itself.
    pub mtu_from: Option<u16>,
    /// Bytes of the smallest that come whole to it from any other member; `None` while it has not said.
    pub mtu_to: Option<u16>,
    /// What it drains, if it does.
    pub drain: Option<Drain>,
}

/// How far a member has come that drains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drain {
    /// What happens to its sessions.
    pub mode: Option<DrainMode>,
    /// Seconds until the sessions that are left are moved; `None` for never.
    pub deadline: Option<u32>,
    /// Seconds since this member heard of it.
    pub since: u64,
    /// Sessions at that time.
    pub sessions: u64,
    /// Connections at that time.
    pub flows: u64,
}

impl Drain {
    fn read(from: &Attributes) -> Option<Self> {
        use consts::member::*;
        Some(Drain {
            since: from.uint(DRAIN_SINCE)?,
            mode: from.u32(DRAIN_MODE).and_then(DrainMode::from_u32),
            deadline: from.u32(DEADLINE).filter(|seconds| *seconds > 0),
            sessions: from.uint(DRAIN_SESSIONS).unwrap_or(0),
            flows: from.uint(DRAIN_FLOWS).unwrap_or(0),
        })
    }
}

impl Member {
    pub(crate) fn read(from: &Attributes) -> Result<Self, Error> {
        use consts::member::*;
        Ok(Member {
            id: Attributes::need(from.u32(ID), "id")?,
            name: Attributes::need(from.string(NAME), "name")?,
            addr: Address::read(from, ADDR, "addr")?,
            weight: Attributes::need(from.u32(WEIGHT), "weight")?,
            admin: from.u32(ADMIN).and_then(AdminState::from_u32),
            state: from.u32(STATE).and_then(MemberState::from_u32),
            local: from.u32(LOCAL) == Some(1),
            sessions: from.uint(SESSIONS).unwrap_or(0),
            flows: from.uint(FLOWS).unwrap_or(0),
            requests: from.uint(REQUESTS).unwrap_or(0),
            cpu: from.u32(CPU).unwrap_or(0),
            last_seen_ms: from.uint(LAST_SEEN),
            clock_skew_ms: from.s32(CLOCK_SKEW).unwrap_or(0),
            boot: from.uint(BOOT).unwrap_or(0),
            batches_sent: from.uint(BATCHES_SENT).unwrap_or(0),
            batches_seen: from.uint(BATCHES_SEEN).unwrap_or(0),
            listeners: from.u32(LISTENERS).unwrap_or(0),
            config: from.u32(CONFIG).unwrap_or(0),
            batches_acked: from.uint(BATCHES_ACKED).unwrap_or(0),
            lag: from.uint(LAG).unwrap_or(0),
            refused: from.uint(REFUSED).unwrap_or(0),
            refused_why: from.string(REFUSED_WHY).unwrap_or_default(),
            latency_us: from.uint(LATENCY).unwrap_or(0),
            told: from.u32(TOLD) == Some(1),
            overridden: from.bytes(OVERRIDDEN).is_some(),
            flapping: from.bytes(FLAPPING).is_some(),
            deaf_ms: from.uint(DEAF),
            mtu_from: from.u16(MTU_FROM),
            mtu_to: from.u16(MTU_TO).filter(|size| *size > 0),
            drain: Drain::read(from),
        })
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Virtual address.
    pub vip: IpAddr,
    /// TCP port.
    pub port: u16,
    /// Services of one group share their sessions.
    pub group: u16,
    /// How a home is selected.
    pub policy: Option<Policy>,
    /// Name of the cookie.
    pub cookie: String,
    /// Whether the cookie is Secure.
    pub secure: bool,
    /// Whether a cookie is put into responses.
    pub insert: bool,
    /// Seconds.
    pub idle_timeout: u32,
    /// Seconds.
    pub absolute_timeout: u32,
    /// Domain of the cookie; empty for none.
    pub domain: String,
    /// Seconds; 0 for a cookie that ends with the browser.
    pub max_age: u32,
    /// SameSite of the cookie.
    pub same_site: Option<SameSite>,
    /// Members with a listening socket.
    pub listeners: u32,
    /// Whether a socket listens here.
    pub local_listener: bool,
    /// Sessions started here through it.
    pub sessions: u64,
    /// Connections decided here for it.
    pub connections: u64,
    /// Which way answers go out that no socket makes.
    pub reply: Option<Reply>,
    /// What a request gets whose session's home is dead.
    pub home_lost: Option<HomeLost>,
    /// Seconds of a home's silence for which its requests wait.
    pub home_wait: u32,
}

impl Service {
    pub(crate) fn read(from: &Attributes) -> Result<Self, Error> {
        use consts::service::*;
        Ok(Service {
            vip: Address::read(from, VIP, "vip")?,
            port: Attributes::need(from.u16(PORT), "port")?,
            group: from.u16(GROUP).unwrap_or(0),
            policy: from.u32(POLICY).and_then(Policy::from_u32),
            cookie: from.string(COOKIE).unwrap_or_default(),
            secure: from.u32(SECURE) == Some(1),
            insert: from.u32(INSERT) == Some(1),
            idle_timeout: from.u32(IDLE_TIMEOUT).unwrap_or(0),
            absolute_timeout: from.u32(ABSOLUTE_TIMEOUT).unwrap_or(0),
            domain: from.string(DOMAIN).unwrap_or_default(),
            max_age: from.u32(MAX_AGE).unwrap_or(0),
            same_site: from.u32(SAME_SITE).and_then(SameSite::from_u32),
            listeners: from.u32(LISTENERS).unwrap_or(0),
            local_listener: from.u32(LOCAL_LISTENER) == Some(1),
            sessions: from.uint(SESSIONS).unwrap_or(0),
            connections: from.uint(CONNECTIONS).unwrap_or(0),
            reply: from.u32(REPLY).and_then(Reply::from_u32),
            home_lost: from.u32(HOME_LOST).and_then(HomeLost::from_u32),
            home_wait: from.u32(HOME_WAIT).unwrap_or(0),
        })
    }
}

/// An association.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Session id as the client has it; empty when the kernel has no key to write it with.
    pub sid: String,
    /// Key of the table.
    pub key: [u8; 16],
    /// Member that keeps the session.
    pub home: u32,
    /// Member that stored this version first.
    pub origin: u32,
    /// Higher versions win.
    pub version: u32,
    /// Tentative, confirmed or ended.
    pub state: Option<SessionState>,
    /// Group of services.
    pub group: u16,
    /// Seconds since 1970.
    pub created: u64,
    /// Seconds since the last request.
    pub idle: u64,
    /// Flags as members exchange them.
    pub flags: u32,
}

impl Session {
    pub(crate) fn read(from: &Attributes) -> Result<Self, Error> {
        use consts::session::*;
        Ok(Session {
            sid: from.string(SID).unwrap_or_default(),
            key: Attributes::need(from.array(KEY), "key")?,
            home: Attributes::need(from.u32(HOME), "home")?,
            origin: from.u32(ORIGIN).unwrap_or(0),
            version: Attributes::need(from.u32(VERSION), "version")?,
            state: from.u32(STATE).and_then(SessionState::from_u32),
            group: from.u16(GROUP).unwrap_or(0),
            created: from.uint(CREATED).unwrap_or(0),
            idle: from.uint(IDLE).unwrap_or(0),
            flags: from.u32(FLAGS).unwrap_or(0),
        })
    }

    /// The key as 32 hexadecimal digits.
    pub fn key_hex(&self) -> String {
        self.key.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A change of a session, as a notification tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The whole association after the change.
    pub session: Session,
    /// Why.
    pub cause: Option<SessionCause>,
}

impl Change {
    pub(crate) fn read(from: &Attributes) -> Result<Self, Error> {
        Ok(Change {
            session: Session::read(from)?,
            cause: from
                .u32(consts::session::CAUSE)
                .and_then(SessionCause::from_u32),
        })
    }
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Address of the client.
    pub client: IpAddr,
    /// Port of the client.
    pub client_port: u16,
    /// Virtual address.
    pub vip: IpAddr,
    /// Port of the service.
    pub port: u16,
    /// Member that has the socket; 0 while undecided.
    pub owner: u32,
    /// Member through which the client's packets arrive.
    pub entry: u32,
    /// What this member is for it.
    pub role: Option<FlowRole>,
    /// Its state.
    pub state: Option<FlowState>,
    /// Bytes by which the server's sequence numbers are shifted.
    pub shift: u32,
    /// Key of its session.
    pub key: Option<[u8; 16]>,
    /// Seconds since the last packet.
    pub idle: u64,
}

impl Flow {
    pub(crate) fn read(from: &Attributes) -> Result<Self, Error> {
        use consts::flow::*;
        Ok(Flow {
            client: Address::read(from, CLIENT, "client")?,
            client_port: Attributes::need(from.u16(CLIENT_PORT), "client-port")?,
            vip: Address::read(from, VIP, "vip")?,
            port: Attributes::need(from.u16(PORT), "port")?,
            owner: from.u32(OWNER).unwrap_or(0),
            entry: from.u32(ENTRY).unwrap_or(0),
            role: from.u32(ROLE).and_then(FlowRole::from_u32),
            state: from.u32(STATE).and_then(FlowState::from_u32),
            shift: from.u32(SHIFT).unwrap_or(0),
            key: from.array(KEY),
            idle: from.uint(IDLE).unwrap_or(0),
        })
    }
}

/// Where a session or a connection goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// Of a session, why.
    pub verdict: Option<Verdict>,
    /// Of a session, the home that its id names; 0 for none.
    pub named: u32,
    /// Of a session, its group.
    pub group: Option<u16>,
    /// Of a session, when it began, seconds since 1970.
    pub created: Option<u64>,
    /// Key of the session.
    pub key: Option<[u8; 16]>,
    /// Of a session, the member that gets the request; 0 when one would be selected.
    pub target: u32,
    /// Of a session, the service that is asked.
    pub service: Option<(IpAddr, u16)>,
    /// Of a session with a target, how that stands to the next connection.
    pub standing: Option<HomeStanding>,
    /// Of a session whose target moves or is gone, who gets it; 0 for nobody.
    pub successor: u32,
    /// Of a session with a successor, whether nobody is told of it.
    pub minority: bool,
    /// Of a connection, its owner; 0 for unknown.
    pub owner: u32,
    /// Of a connection, the members to ask for its owner.
    pub directory: Vec<u32>,
    /// Of a connection, the owner that has listed it; 0 for none.
    pub listed: u32,
    /// Of a connection, whether a service has its address and port.
    pub served: bool,
    /// Of a connection, its state here; `None` when it is not known here.
    pub state: Option<FlowState>,
    /// Of a connection, its entry member; 0 for unknown.
    pub entry: u32,
    /// Of a connection, whether the local stack has its socket.
    pub socket: bool,
}

impl Explanation {
    pub(crate) fn read(from: &Attributes) -> Self {
        use consts::explain::*;
        let word = |bytes: Vec<u8>| Some(u32::from_ne_bytes(bytes.try_into().ok()?));
        Explanation {
            verdict: from.u32(VERDICT).and_then(Verdict::from_u32),
            named: from.u32(NAMED).unwrap_or(0),
            group: from.u16(GROUP),
            created: from.uint(CREATED),
            key: from.array(KEY),
            target: from.u32(TARGET).unwrap_or(0),
            service: from
                .array(VIP)
                .map(|vip| Address(vip).ip())
                .zip(from.u16(PORT)),
            standing: from.u32(STANDING).and_then(HomeStanding::from_u32),
            successor: from.u32(SUCCESSOR).unwrap_or(0),
            minority: from.u32(MINORITY) == Some(1),
            owner: from.u32(OWNER).unwrap_or(0),
            directory: from.all(DIRECTORY).filter_map(word).collect(),
            listed: from.u32(LISTED).unwrap_or(0),
            served: from.u32(SERVICE) == Some(1),
            state: from.u32(STATE).and_then(FlowState::from_u32),
            entry: from.u32(ENTRY).unwrap_or(0),
            socket: from.bytes(SOCKET).is_some(),
        }
    }
}

/// A farm key that is loaded. What it is, the kernel tells nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its number, the same on every member.
    pub id: u8,
    /// What it is for.
    pub role: Option<KeyRole>,
    /// The same for the same secret.
    pub fingerprint: u32,
}

impl Key {
    pub(crate) fn read(from: &Attributes) -> Result<Self, Error> {
        use consts::key::*;
        let id = from.u16(ID).and_then(|id| id.try_into().ok());
        Ok(Key {
            id: Attributes::need(id, "id")?,
            role: from.u32(ROLE).and_then(KeyRole::from_u32),
            fingerprint: from.u32(FINGERPRINT).unwrap_or(0),
        })
    }
}

/// This member in one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Version of the module.
    pub version: String,
    /// Release of the kernel.
    pub kernel: String,
    /// Which member this is; 0 for none.
    pub member_id: u32,
    /// Its name; empty for none.
    pub member_name: String,
    /// Number of changes of the configuration.
    pub generation: u32,
    /// Names of attached devices.
    pub attached: Vec<String>,
    /// Configured members.
    pub members: u32,
    /// Configured services.
    pub services: u32,
    /// Associations stored here.
    pub sessions: u64,
    /// Connections known here.
    pub flows: u64,
    /// Most that may be.
    pub flows_max: u64,
    /// Connections whose first bytes are held.
    pub held: u64,
    /// Bytes of memory that they take.
    pub held_bytes: u64,
    /// Farm keys loaded.
    pub keys: u32,
    /// Whether the member states are frozen.
    pub frozen: bool,
    /// Whether associations are sent to other members.
    pub push: bool,
    /// Factor on every time constant.
    pub scale: u16,
    /// Seconds added to the clock.
    pub clock_offset: i32,
    /// Random number of this start.
    pub boot: u64,
    /// UDP port of farm traffic.
    pub port: u16,
    /// Milliseconds.
    pub state_interval: u32,
    /// Number of the farm.
    pub farm_id: u32,
    /// Bytes that the network between the members carries.
    pub fabric_mtu: u16,
    /// Whether that was set; else the members have found it out.
    pub fabric_mtu_set: bool,
    /// Most sessions that are stored.
    pub sessions_max: u32,
    /// Per cent of the members that may be left out for coming and going.
    pub eject_max: u8,
}

impl Status {
    pub(crate) fn read(from: &Attributes) -> Result<Self, Error> {
        use consts::status::*;
        let attached = from
            .all(ATTACHED)
            .map(|bytes| {
                let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
                String::from_utf8_lossy(name).into_owned()
            })
            .collect();
        Ok(Status {
            version: Attributes::need(from.string(VERSION), "version")?,
            kernel: from.string(KERNEL).unwrap_or_default(),
            member_id: from.u32(MEMBER_ID).unwrap_or(0),
            member_name: from.string(MEMBER_NAME).unwrap_or_default(),
            generation: from.u32(GENERATION).unwrap_or(0),
            attached,
            members: from.u32(MEMBERS).unwrap_or(0),
            services: from.u32(SERVICES).unwrap_or(0),
            sessions: from.uint(SESSIONS).unwrap_or(0),
            flows: from.uint(FLOWS).unwrap_or(0),
            flows_max: from.uint(FLOWS_MAX).unwrap_or(0),
            held: from.uint(HELD).unwrap_or(0),
            held_bytes: from.uint(HELD_BYTES).unwrap_or(0),
            keys: from.u32(KEYS).unwrap_or(0),
            frozen: from.u32(FROZEN) == Some(1),
            push: from.u32(PUSH) == Some(1),
            scale: from.u16(SCALE).unwrap_or(1),
            clock_offset: from.s32(CLOCK_OFFSET).unwrap_or(0),
            boot: from.uint(BOOT).unwrap_or(0),
            port: from.u16(PORT).unwrap_or(0),
            state_interval: from.u32(STATE_INTERVAL).unwrap_or(0),
            farm_id: from.u32(FARM_ID).unwrap_or(0),
            fabric_mtu: from.u16(FABRIC_MTU).unwrap_or(0),
            fabric_mtu_set: from.u32(FABRIC_MTU_SET) == Some(1),
            sessions_max: from.u32(SESSIONS_MAX).unwrap_or(0),
            eject_max: from
                .u16(EJECT_MAX)
                .and_then(|percent| percent.try_into().ok())
                .unwrap_or(0),
        })
    }
}
