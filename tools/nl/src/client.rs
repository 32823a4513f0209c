// SPDX-License-Identifier: GPL-2.0

//! The socket: resolve the family, ask, dump, watch.
//!
//! Kernel: `Documentation/userspace-api/netlink/intro.rst`. Blocking and single-threaded; one
//! request is under way at a time. A client that watches is not used for requests.

use crate::error::Error;
use crate::event::Event;
use crate::extack;
use crate::message::Attributes;
use crate::message::Payload;
use crate::message::Request;
use crate::model::Device;
use crate::model::Explanation;
use crate::model::Flow;
use crate::model::Key;
use crate::model::Member;
use crate::model::Service;
use crate::model::Session;
use crate::model::Status;
use homing_pure::uapi::consts;
use homing_pure::uapi::consts::cmd;
use netlink_packet_core::NetlinkBuffer;
use netlink_packet_core::NetlinkHeader;
use netlink_packet_core::NetlinkMessage;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_core::NLM_F_ACK;
use netlink_packet_core::NLM_F_DUMP;
use netlink_packet_core::NLM_F_DUMP_INTR;
use netlink_packet_core::NLM_F_REQUEST;
use netlink_packet_generic::constants::CTRL_ATTR_FAMILY_NAME;
use netlink_packet_generic::constants::CTRL_CMD_DELFAMILY;
use netlink_packet_generic::constants::GENL_ID_CTRL;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::nlas::McastGrpAttrs;
use netlink_packet_generic::ctrl::GenlCtrl;
use netlink_packet_generic::ctrl::GenlCtrlCmd;
use netlink_packet_generic::GenlMessage;
use netlink_sys::protocols::NETLINK_GENERIC;
use netlink_sys::Socket;
use netlink_sys::SocketAddr;
use std::collections::VecDeque;
use std::io;

const ENOENT: i32 = 2;
const EPERM: i32 = 1;
/// Bytes the kernel may queue for a watcher before it starts to lose events.
const WATCH_BUFFER: usize = 4 << 20;
/// How often an interrupted dump is asked again before it is taken as it is.
const DUMP_TRIES: usize = 10;
/// The family that tells which families there are, and its group that tells when one goes.
const CONTROLLER: &str = "nlctrl";
const CONTROLLER_GROUP: &str = "notify";
/// Bytes of struct nlmsghdr.
const NLMSG_HDRLEN: usize = 16;

/// Names and numbers of multicast groups.
type Groups = Vec<(String, u32)>;

/// A connection to the family in the network namespace where it was opened.
pub struct Client {
    socket: Socket,
    family: u16,
    groups: Groups,
    sequence: u32,
    pending: VecDeque<Event>,
}

impl Client {
    /// Opens a socket and looks the family up.
    ///
    /// # Errors
    ///
    /// `NotLoaded` when the kernel has no such family.
    pub fn open() -> Result<Self, Error> {
        let mut client = Client::connect()?;
        (client.family, client.groups) = client.resolve(consts::FAMILY_NAME)?;
        Ok(client)
    }

    /// Opens a socket that watches multicast groups, and whether the family goes.
    ///
    /// # Errors
    ///
    /// `NotPermitted` for the group session without CAP_NET_ADMIN.
    pub fn watcher(groups: &[&str]) -> Result<Self, Error> {
        let mut client = Client::connect()?;
        client.socket.set_rx_buf_sz(WATCH_BUFFER as u32)?;
        // First of all, so that no end of the family that is looked up then is missed.
        (_, client.groups) = client.resolve(CONTROLLER)?;
        client.join(CONTROLLER_GROUP)?;
        (client.family, client.groups) = client.resolve(consts::FAMILY_NAME)?;
        for group in groups {
            client.join(group)?;
        }
        Ok(client)
    }

    fn connect() -> Result<Self, Error> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // Without the copy of the request in it, an acknowledgement is the text that we want.
        socket.set_cap_ack(true)?;
        socket.set_ext_ack(true)?;
        // Strict checking makes the kernel look at the attributes of dump requests too.
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Client {
            socket,
            family: 0,
            groups: Vec::new(),
            sequence: 0,
            pending: VecDeque::new(),
        })
    }

    fn next(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Number and multicast groups of a family.
    fn resolve(&mut self, family: &str) -> Result<(u16, Groups), Error> {
        let mut message = NetlinkMessage::new(
            NetlinkHeader::default(),
            NetlinkPayload::from(GenlMessage::from_payload(GenlCtrl {
                cmd: GenlCtrlCmd::GetFamily,
                nlas: vec![GenlCtrlAttrs::FamilyName(family.to_string())],
            })),
        );
        message.header.flags = NLM_F_REQUEST;
        message.header.sequence_number = self.next();
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        // What the controller tells everybody may stand before its answer.
        let answer = loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let ours = |((_, sequence), _): &((u16, u32), &[u8])| *sequence == self.sequence;
            let found = messages(&datagram).find(ours);
            if let Some((_, raw)) = found {
                break raw.to_vec();
            }
        };
        let reply = NetlinkMessage::<GenlMessage<GenlCtrl>>::deserialize(&answer)
            .map_err(|error| Error::Reply(error.to_string()))?;
        let nlas = match reply.payload {
            NetlinkPayload::InnerMessage(inner) => inner.payload.nlas,
            NetlinkPayload::Error(error) => {
                return Err(match -error.raw_code() {
                    ENOENT => Error::NotLoaded,
                    errno => Error::Socket(io::Error::from_raw_os_error(errno)),
                });
            }
            _ => return Err(Error::Reply("no family".to_string())),
        };
        let mut found = (0, Groups::new());
        for nla in nlas {
            match nla {
                GenlCtrlAttrs::FamilyId(id) => found.0 = id,
                GenlCtrlAttrs::McastGroups(groups) => {
                    found.1 = groups.iter().filter_map(|group| named(group)).collect();
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// Sends a request and collects its replies; also whether a dump was interrupted.
    fn exchange(
        &mut self,
        request: &Request,
        flags: u16,
    ) -> Result<(Vec<Attributes>, bool), Error> {
        let mut message = NetlinkMessage::new(
            NetlinkHeader::default(),
            NetlinkPayload::from(GenlMessage::from_payload(Payload::Out(request.clone()))),
        );
        if let NetlinkPayload::InnerMessage(inner) = &mut message.payload {
            inner.set_resolved_family_id(self.family);
        }
        message.header.flags = NLM_F_REQUEST | flags;
        message.header.sequence_number = self.next();
        message.finalize();
        let mut sent = vec![0; message.buffer_len()];
        message.serialize(&mut sent);
        self.socket.send(&sent, 0)?;

        let mut replies = Vec::new();
        let mut interrupted = false;
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            for ((flags, sequence), raw) in messages(&datagram) {
                if sequence != self.sequence {
                    continue;
                }
                interrupted |= flags & NLM_F_DUMP_INTR != 0;
                let message = NetlinkMessage::<GenlMessage<Payload>>::deserialize(raw)
                    .map_err(|error| Error::Reply(error.to_string()))?;
                match message.payload {
                    NetlinkPayload::InnerMessage(inner) => {
                        if let Payload::In(_, attributes) = inner.payload {
                            replies.push(attributes);
                        }
                    }
                    NetlinkPayload::Error(error) => {
                        let tlvs = error.header.get(NLMSG_HDRLEN..).unwrap_or_default();
                        outcome(request.command(), &sent, -error.raw_code(), tlvs)?;
                        return Ok((replies, interrupted));
                    }
                    NetlinkPayload::Done(done) => {
                        outcome(request.command(), &sent, -done.code, &done.extended_ack)?;
                        return Ok((replies, interrupted));
                    }
                    NetlinkPayload::Overrun(_) => return Err(Error::Overrun),
                    _ => {}
                }
            }
        }
    }

    /// Carries out a request that changes something.
    pub fn set(&mut self, request: &Request) -> Result<(), Error> {
        self.exchange(request, NLM_F_ACK).map(|_| ())
    }

    /// Asks for one thing.
    pub fn get(&mut self, request: &Request) -> Result<Attributes, Error> {
        let (replies, _) = self.exchange(request, NLM_F_ACK)?;
        replies
            .into_iter()
            .next()
            .ok_or_else(|| Error::Reply("it is empty".to_string()))
    }

    /// Asks for all there is; again when a change interrupted it.
    pub fn dump(&mut self, request: &Request) -> Result<Vec<Attributes>, Error> {
        let mut tries = DUMP_TRIES;
        loop {
            let (replies, interrupted) = self.exchange(request, NLM_F_DUMP)?;
            tries -= 1;
            if !interrupted || tries == 0 {
                return Ok(replies);
            }
        }
    }

    fn list<T>(
        &mut self,
        request: &Request,
        read: impl Fn(&Attributes) -> Result<T, Error>,
    ) -> Result<Vec<T>, Error> {
        self.dump(request)?.iter().map(read).collect()
    }

    /// The attached devices.
    pub fn devices(&mut self) -> Result<Vec<Device>, Error> {
        self.list(&Request::new(cmd::DEVICE_GET), Device::read)
    }

    /// All members, by id.
    pub fn members(&mut self) -> Result<Vec<Member>, Error> {
        let mut members = self.list(&Request::new(cmd::MEMBER_GET), Member::read)?;
        members.sort_by_key(|member| member.id);
        Ok(members)
    }

    /// All services, in the order of their making.
    pub fn services_as_made(&mut self) -> Result<Vec<Service>, Error> {
        self.list(&Request::new(cmd::SERVICE_GET), Service::read)
    }

    /// All services, by address and port.
    pub fn services(&mut self) -> Result<Vec<Service>, Error> {
        let mut services = self.services_as_made()?;
        services.sort_by_key(|service| (service.vip, service.port));
        Ok(services)
    }

    /// All sessions, or those of one home, by age.
    pub fn sessions(&mut self, home: Option<u32>) -> Result<Vec<Session>, Error> {
        let mut request = Request::new(cmd::SESSION_GET);
        if let Some(home) = home {
            request = request.u32(consts::session::HOME, home);
        }
        let mut sessions = self.list(&request, Session::read)?;
        sessions.sort_by_key(|session| (session.created, session.key));
        // The table may grow while it is walked: then an entry can be seen twice.
        sessions.dedup_by_key(|session| session.key);
        Ok(sessions)
    }

    /// One session; the request names it.
    pub fn session(&mut self, request: &Request) -> Result<Session, Error> {
        Session::read(&self.get(request)?)
    }

    /// Where the session or the connection that a request names goes.
    pub fn explain(&mut self, request: &Request) -> Result<Explanation, Error> {
        Ok(Explanation::read(&self.get(request)?))
    }

    /// All connections, by client.
    pub fn flows(&mut self) -> Result<Vec<Flow>, Error> {
        let mut flows = self.list(&Request::new(cmd::FLOW_GET), Flow::read)?;
        let tuple = |flow: &Flow| (flow.client, flow.client_port, flow.vip, flow.port);
        flows.sort_by_key(tuple);
        flows.dedup_by_key(|flow| tuple(flow));
        Ok(flows)
    }

    /// The farm keys that are loaded, by number.
    pub fn keys(&mut self) -> Result<Vec<Key>, Error> {
        self.list(&Request::new(cmd::KEY_GET), Key::read)
    }

    /// All counters, in the order of the module.
    pub fn stats(&mut self) -> Result<Vec<(String, u64)>, Error> {
        let reply = self.get(&Request::new(cmd::STATS_GET))?;
        let counters = reply.all(consts::stats::COUNTER).map(|bytes| {
            let counter = Attributes::new(&bytes);
            Ok((
                Attributes::need(counter.string(consts::counter::NAME), "name")?,
                Attributes::need(counter.uint(consts::counter::VALUE), "value")?,
            ))
        });
        counters.collect()
    }

    /// This member.
    pub fn status(&mut self) -> Result<Status, Error> {
        Status::read(&self.get(&Request::new(cmd::STATUS_GET))?)
    }

    fn join(&mut self, group: &str) -> Result<(), Error> {
        let found = self.groups.iter().find(|(name, _)| name == group);
        let (_, id) = found.ok_or_else(|| Error::Reply(format!("no group {group}")))?;
        self.socket
            .add_membership(*id)
            .map_err(|error| match error.raw_os_error() {
                Some(EPERM) => Error::NotPermitted,
                _ => Error::Socket(error),
            })
    }

    /// Waits for the next event of the watched groups.
    ///
    /// # Errors
    ///
    /// `Overrun` when events were lost; the next call goes on after the gap. `Gone` when the family
    /// is: the groups went with it, and nothing comes any more.
    pub fn watch(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Ok(event);
            }
            let (datagram, _) = self.socket.recv_from_full()?;
            for (_, raw) in messages(&datagram) {
                self.pending.extend(notification(raw)?);
            }
        }
    }
}

/// The event in a message; `None` for a message that is of no interest, as those about other families.
fn notification(raw: &[u8]) -> Result<Option<Event>, Error> {
    let message = NetlinkMessage::<GenlMessage<Payload>>::deserialize(raw)
        .map_err(|error| Error::Reply(error.to_string()))?;
    let NetlinkPayload::InnerMessage(inner) = message.payload else {
        return Ok(None);
    };
    let Payload::In(command, attributes) = inner.payload else {
        return Ok(None);
    };
    if message.header.message_type != GENL_ID_CTRL {
        return Event::read(command, &attributes);
    }
    let ours = attributes.string(CTRL_ATTR_FAMILY_NAME).as_deref() == Some(consts::FAMILY_NAME);
    match ours && command == CTRL_CMD_DELFAMILY {
        true => Err(Error::Gone),
        false => Ok(None),
    }
}

/// Name and number of a multicast group.
fn named(group: &[McastGrpAttrs]) -> Option<(String, u32)> {
    let name = group.iter().find_map(|nla| match nla {
        McastGrpAttrs::Name(name) => Some(name.clone()),
        _ => None,
    })?;
    let id = group.iter().find_map(|nla| match nla {
        McastGrpAttrs::Id(id) => Some(*id),
        _ => None,
    })?;
    Some((name, id))
}

/// The messages of a datagram with their flags and sequence numbers; what is malformed ends the list.
fn messages(datagram: &[u8]) -> impl Iterator<Item = ((u16, u32), &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let buffer = NetlinkBuffer::new_checked(rest).ok()?;
        let length = usize::try_from(buffer.length()).ok()?;
        let header = (buffer.flags(), buffer.sequence_number());
        let raw = rest.get(..length)?;
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((header, raw))
    })
}

/// What an acknowledgement with this errno (0: none) and these TLVs means.
fn outcome(command: u8, sent: &[u8], errno: i32, tlvs: &[u8]) -> Result<(), Error> {
    match errno {
        0 => Ok(()),
        errno => {
            let text = extack::explain(command, sent, tlvs);
            if errno == EPERM && text.is_none() {
                return Err(Error::NotPermitted);
            }
            let text = text.unwrap_or_else(|| io::Error::from_raw_os_error(errno).to_string());
            Err(Error::Refused { errno, text })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_is_taken_apart_and_truncations_end_it() {
        let mut datagram = Vec::new();
        for sequence in 1..=3u32 {
            datagram.extend(18u32.to_ne_bytes());
            datagram.extend([0; 4]);
            datagram.extend(sequence.to_ne_bytes());
            datagram.extend([0; 4]);
            datagram.extend([7, 7, 0, 0]);
        }
        let seen: Vec<_> = messages(&datagram)
            .map(|((_, sequence), raw)| (sequence, raw.len()))
            .collect();
        assert_eq!(seen, [(1, 18), (2, 18), (3, 18)]);
        for end in 0..datagram.len() {
            let whole = messages(&datagram[..end]).count();
            assert_eq!(whole, (end + 2) / 20, "{end}");
        }
    }

    #[test]
    fn the_end_of_our_family_is_told_and_that_of_another_is_not() {
        let told = |cmd, family: &str, kind| {
            let mut message = NetlinkMessage::new(
                NetlinkHeader::default(),
                NetlinkPayload::from(GenlMessage::from_payload(GenlCtrl {
                    cmd,
                    nlas: vec![GenlCtrlAttrs::FamilyName(family.to_string())],
                })),
            );
            message.finalize();
            message.header.message_type = kind;
            let mut bytes = vec![0; message.buffer_len()];
            message.serialize(&mut bytes);
            notification(&bytes)
        };
        let gone = GenlCtrlCmd::DelFamily;
        assert!(matches!(
            told(gone, "homing", GENL_ID_CTRL),
            Err(Error::Gone)
        ));
        assert!(matches!(told(gone, "nl80211", GENL_ID_CTRL), Ok(None)));
        let new = GenlCtrlCmd::NewFamily;
        assert!(matches!(told(new, "homing", GENL_ID_CTRL), Ok(None)));
        // A command of that number of our own family is none of the controller's.
        assert!(matches!(told(gone, "homing", GENL_ID_CTRL + 9), Ok(None)));
    }

    #[test]
    fn a_config_event_is_read() {
        let mut message = NetlinkMessage::new(
            NetlinkHeader::default(),
            NetlinkPayload::from(GenlMessage::from_payload(Payload::Out(
                Request::new(cmd::CONFIG_NTF).u32(consts::config::GENERATION, 7),
            ))),
        );
        message.finalize();
        message.header.message_type = GENL_ID_CTRL + 9;
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        let read = notification(&bytes).ok().flatten();
        let generation = 7;
        assert_eq!(
            read,
            Some(Event::Config {
                generation,
                what: None
            })
        );
    }

    #[test]
    fn refusals_keep_errno_and_permission_is_its_own_case() {
        assert!(outcome(cmd::MEMBER_SET, &[], 0, &[]).is_ok());
        assert!(matches!(
            outcome(cmd::MEMBER_SET, &[], EPERM, &[]),
            Err(Error::NotPermitted)
        ));
        let refused = outcome(cmd::MEMBER_SET, &[], 22, &[]);
        assert_eq!(refused.err().map(|error| error.errno()), Some(22));
    }
}
