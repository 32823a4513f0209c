// SPDX-License-Identifier: GPL-2.0

//! Words of the command line that name things: addresses, members, sessions.

use crate::out::Failure;
use homing_nl::consts;
use homing_nl::consts::cmd;
use homing_nl::Client;
use homing_nl::Member;
use homing_nl::Request;
use homing_nl::Session;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::str::FromStr;

/// Shortest prefix of a session id that is looked for.
const MIN_PREFIX: usize = 6;

/// VIP:PORT, with an IPv6 address in brackets.
pub fn vip(text: &str) -> Result<SocketAddr, String> {
    if text.contains('%') {
        return Err("a service's address has no scope id: leave out what % begins".to_string());
    }
    let address = SocketAddr::from_str(text)
        .map_err(|_| "expected ADDRESS:PORT, an IPv6 address as [ADDRESS]:PORT".to_string())?;
    match address.port() {
        0 => Err("port 0 serves nobody".to_string()),
        _ => Ok(address),
    }
}

/// An address; one of IPv6 may be in brackets, as a service's is.
pub fn host(text: &str) -> Result<IpAddr, String> {
    let inner = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let address = match inner {
        Some(inner) => inner.parse().map(IpAddr::V6),
        None => text.parse(),
    };
    address.map_err(|_| "expected an IPv4 or IPv6 address".to_string())
}

/// The member with a name, or else with a number.
pub fn member<'a>(members: &'a [Member], word: &str) -> Result<&'a Member, Failure> {
    let named = members.iter().find(|member| member.name == word);
    let numbered = || members.iter().find(|member| Ok(member.id) == word.parse());
    named.or_else(numbered).ok_or_else(|| {
        Failure::new(format!(
            "no member {word}: 'homing show members' lists them"
        ))
    })
}

/// The name of a member; its number when it has none here, nothing for number 0.
pub fn name(members: &[Member], id: u32) -> Option<String> {
    match id {
        0 => None,
        id => Some(
            members
                .iter()
                .find(|member| member.id == id)
                .map_or_else(|| id.to_string(), |member| member.name.clone()),
        ),
    }
}

/// A word that names a session: its id, its key in hexadecimal, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sid {
    /// The whole id.
    Text(String),
    /// The key.
    Key([u8; 16]),
    /// The beginning of either.
    Prefix(String),
}

impl FromStr for Sid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !text.chars().all(base64url) || text.len() > consts::SID_LEN {
            return Err(
                "expected a session id, its key in hexadecimal, or the beginning of one"
                    .to_string(),
            );
        }
        if text.len() < MIN_PREFIX {
            return Err(format!("give at least {MIN_PREFIX} characters"));
        }
        if text.len() < consts::SID_LEN {
            return Ok(Sid::Prefix(text.to_string()));
        }
        // A session id that has hexadecimal digits only does not occur: one in 2^64.
        let mut key = [0; 16];
        let digits = key.iter_mut().enumerate().all(|(index, byte)| {
            let pair = text.get(2 * index..2 * index + 2).unwrap_or_default();
            u8::from_str_radix(pair, 16)
                .map(|value| *byte = value)
                .is_ok()
        });
        match digits {
            true => Ok(Sid::Key(key)),
            false => Ok(Sid::Text(text.to_string())),
        }
    }
}

impl Sid {
    /// The request for this session; a beginning is looked up among all sessions.
    pub fn request(&self, client: &mut Client, command: u8) -> Result<Request, Failure> {
        let request = Request::new(command);
        Ok(match self {
            Sid::Text(text) => request.string(consts::session::SID, text),
            Sid::Key(key) => request.bytes(consts::session::KEY, key),
            Sid::Prefix(prefix) => {
                let sessions = client.sessions(None)?;
                request.bytes(consts::session::KEY, &unique(&sessions, prefix)?.key)
            }
        })
    }

    /// The session itself.
    pub fn session(&self, client: &mut Client) -> Result<Session, Failure> {
        let request = self.request(client, cmd::SESSION_GET)?;
        Ok(client.session(&request)?)
    }
}

/// The only session whose id or key begins so.
fn unique<'a>(sessions: &'a [Session], prefix: &str) -> Result<&'a Session, Failure> {
    let mut matching = sessions
        .iter()
        .filter(|session| session.sid.starts_with(prefix) || session.key_hex().starts_with(prefix));
    match (matching.next(), matching.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Failure::new(format!("no session begins with {prefix}"))),
        (Some(_), Some(_)) => Err(Failure::new(format!(
            "several sessions begin with {prefix}: give more characters"
        ))),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use homing_nl::consts::AdminState;
    use homing_nl::consts::MemberState;
    use homing_nl::consts::SessionState;

    pub fn example_member(id: u32) -> Member {
        Member {
            id,
            name: format!("m{id}"),
            addr: format!("10.9.0.{}", 10 + id).parse().unwrap(),
            weight: 100,
            admin: Some(AdminState::Up),
            state: Some(MemberState::Up),
            local: id == 1,
            sessions: 5,
            flows: 2,
            requests: 1,
            cpu: 123,
            last_seen_ms: Some(40),
            clock_skew_ms: -3,
            boot: 77,
            batches_sent: 9,
            batches_seen: 8,
            listeners: 1,
            config: 0x0123_abcd,
            batches_acked: 7,
            lag: 2,
            refused: 0,
            refused_why: String::new(),
            latency_us: 2000,
            told: true,
            overridden: false,
            flapping: false,
            deaf_ms: None,
            mtu_from: Some(1500),
            mtu_to: Some(1500),
            drain: None,
        }
    }

    pub fn example_session(sid: &str, first: u8) -> Session {
        Session {
            sid: sid.to_string(),
            key: [first; 16],
            home: 2,
            origin: 1,
            version: 65537,
            state: Some(SessionState::Confirmed),
            group: 0,
            created: 1_700_000_000,
            idle: 12,
            flags: 1,
        }
    }

    #[test]
    fn services_are_named_by_address_and_port() {
        assert_eq!(vip("10.80.0.1:80").unwrap().port(), 80);
        assert!(vip("[fd80::1]:80").unwrap().is_ipv6());
        for bad in [
            "10.80.0.1",
            "fd80::1:80x",
            ":80",
            "10.80.0.1:0",
            "10.80.0.1:65536",
            "www:80",
        ] {
            assert!(vip(bad).is_err(), "{bad}");
        }
        for scoped in ["[fe80::1%2]:80", "[fe80::1%eth0]:80"] {
            assert!(vip(scoped).unwrap_err().contains("scope id"), "{scoped}");
        }
    }

    #[test]
    fn brackets_of_an_ipv6_address_are_left_out() {
        assert_eq!(host("[fd09::1]"), host("fd09::1"));
        assert!(host("[fd09::1]").unwrap().is_ipv6());
        assert!(host("10.9.0.11").unwrap().is_ipv4());
        for bad in [
            "[10.9.0.11]",
            "[fd09::1",
            "fd09::1]",
            "[[fd09::1]]",
            "[]",
            "",
            "fe80::1%2",
        ] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn members_go_by_name_before_number() {
        let mut members = vec![example_member(1), example_member(2)];
        members[1].name = "1".to_string();
        assert_eq!(member(&members, "1").unwrap().id, 2);
        assert_eq!(member(&members, "m1").unwrap().id, 1);
        assert_eq!(member(&members, "2").unwrap().id, 2);
        assert!(member(&members, "m9").is_err());
        assert_eq!(name(&members, 0), None);
        assert_eq!(name(&members, 9).as_deref(), Some("9"));
    }

    #[test]
    fn a_session_goes_by_id_key_or_beginning() {
        let id = "AbCdEfGh-_AbCdEfGh-_AbCdEfGh-_Ab";
        assert_eq!(id.parse(), Ok(Sid::Text(id.to_string())));
        assert_eq!(
            "00ff".repeat(8).parse(),
            Ok(Sid::Key([
                0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255, 0, 255
            ]))
        );
        assert_eq!("AbCdEf".parse(), Ok(Sid::Prefix("AbCdEf".to_string())));
        for bad in ["AbCdE", "Ab CdEf", "AbCdEf=", &"a".repeat(33)] {
            assert!(bad.parse::<Sid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_beginning_must_be_unique() {
        let sessions = [
            example_session("AAAAAAAA", 1),
            example_session("AAAAAABB", 2),
        ];
        assert_eq!(unique(&sessions, "AAAAAAB").unwrap().key, [2; 16]);
        assert_eq!(unique(&sessions, "010101").unwrap().key, [1; 16]);
        assert!(unique(&sessions, "AAAAAA").is_err());
        assert!(unique(&sessions, "zzzzzz").is_err());
    }
}
