// SPDX-License-Identifier: GPL-2.0

//! What `doctor` looks at: the module's own view, sysctls, routes, addresses, firewall.
//!
//! Kernel: `Documentation/networking/ip-sysctl.rst`, `Documentation/networking/nf_conntrack-sysctl.rst`,
//! `/proc/net/route` (addresses there are little-endian hexadecimal on little-endian machines).

use super::firewall::Firewall;
use crate::out::Failure;
use homing_nl::Client;
use homing_nl::Member;
use homing_nl::Service;
use homing_nl::Status;
use std::fs;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::UdpSocket;

const SYSCTLS: [&str; 5] = [
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_window_scaling",
    "net.netfilter.nf_conntrack_tcp_loose",
];

/// What is known of an attached device; values that count are the greater of `all` and the device.
pub struct DeviceFacts {
    pub name: String,
    pub rp_filter: Option<i64>,
    pub arp_ignore: Option<i64>,
    pub arp_announce: Option<i64>,
    /// Virtual addresses inside a network that the device is directly connected to.
    pub shared_vips: Vec<IpAddr>,
}

/// Everything that is judged.
pub struct Facts {
    pub status: Status,
    pub members: Vec<Member>,
    /// Messages of other members that were refused because they are of another version.
    pub other_version: u64,
    pub services: Vec<Service>,
    /// The virtual addresses that packets are delivered to here.
    pub local_vips: Vec<IpAddr>,
    pub devices: Vec<DeviceFacts>,
    pub sysctls: Vec<(String, i64)>,
    pub firewall: Firewall,
}

impl Facts {
    /// Looks; what cannot be read is left out and not judged.
    pub fn gather(client: &mut Client) -> Result<Self, Failure> {
        let status = client.status()?;
        let members = client.members()?;
        let stats = client.stats()?;
        let services = client.services()?;
        let routes = fs::read_to_string("/proc/net/route").unwrap_or_default();
        let vips: Vec<IpAddr> = services.iter().map(|service| service.vip).collect();
        let devices = status
            .attached
            .iter()
            .map(|name| DeviceFacts {
                name: name.clone(),
                rp_filter: greater(name, "rp_filter"),
                arp_ignore: greater(name, "arp_ignore"),
                arp_announce: greater(name, "arp_announce"),
                shared_vips: vips
                    .iter()
                    .copied()
                    .filter(|vip| connected(&routes, name, *vip))
                    .collect(),
            })
            .collect();
        Ok(Facts {
            local_vips: vips.iter().copied().filter(|vip| is_local(*vip)).collect(),
            devices,
            sysctls: SYSCTLS
                .iter()
                .filter_map(|name| Some((name.to_string(), sysctl(&name.replace('.', "/"))?)))
                .collect(),
            firewall: Firewall::gather(),
            status,
            members,
            other_version: stats
                .iter()
                .find(|(name, _)| name == "tunnel_version")
                .map_or(0, |(_, count)| *count),
            services,
        })
    }

    /// The value of a sysctl, when it exists.
    pub fn sysctl(&self, name: &str) -> Option<i64> {
        self.sysctls
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value)
    }
}

/// A sysctl by its path below /proc/sys, since a device name may contain dots.
fn sysctl(path: &str) -> Option<i64> {
    fs::read_to_string(format!("/proc/sys/{path}"))
        .ok()?
        .trim()
        .parse()
        .ok()
}

/// A sysctl of a device as sysctl(8) takes it, also where the device's name has dots (`eth0.100`).
pub fn device_sysctl(device: &str, name: &str) -> String {
    format!("net/ipv4/conf/{device}/{name}")
}

/// A sysctl of a device as it counts: the greater of its own value and that for all.
fn greater(device: &str, name: &str) -> Option<i64> {
    let own = sysctl(&device_sysctl(device, name))?;
    Some(own.max(sysctl(&device_sysctl("all", name)).unwrap_or(0)))
}

/// Whether packets to an address are delivered here: only then a socket can be bound to it. Where
/// binding to foreign addresses is allowed this says nothing, and the address counts as local.
pub fn is_local(vip: IpAddr) -> bool {
    UdpSocket::bind((vip, 0)).is_ok()
}

/// Whether a directly connected IPv4 network of the device contains the address.
fn connected(routes: &str, device: &str, vip: IpAddr) -> bool {
    let IpAddr::V4(vip) = vip else {
        return false;
    };
    let number = |text: Option<&str>| {
        let raw = u32::from_str_radix(text?, 16).ok()?;
        Some(Ipv4Addr::from(raw.to_ne_bytes()).to_bits())
    };
    routes.lines().skip(1).any(|line| {
        let mut fields = line.split_whitespace();
        let name = fields.next();
        let destination = number(fields.next());
        let gateway = number(fields.next());
        let mask = number(fields.nth(4));
        match (destination, gateway, mask) {
            (Some(destination), Some(0), Some(mask)) if name == Some(device) && mask != 0 => {
                vip.to_bits() & mask == destination
            }
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connected_networks_are_found_in_the_route_table() {
        // default via 10.1.1.1, 10.1.1.0/24 and 10.80.0.0/16 on eth0, as a little-endian machine writes it.
        let word = |octets: [u8; 4]| format!("{:08X}", u32::from_ne_bytes(octets));
        let zero = word([0; 4]);
        let line = |destination, gateway, mask| {
            format!(
                "eth0\t{}\t{}\t0001\t0\t0\t0\t{}\t0\t0\t0\n",
                word(destination),
                word(gateway),
                word(mask)
            )
        };
        let routes = format!(
            "Iface\tDestination\tGateway\n{}{}{}",
            line([0; 4], [10, 1, 1, 1], [0; 4]),
            line([10, 1, 1, 0], [0; 4], [255, 255, 255, 0]),
            line([10, 80, 0, 0], [0; 4], [255, 255, 0, 0]),
        );
        assert_eq!(zero, "00000000");
        let vip = |text: &str| text.parse().unwrap();
        assert!(connected(&routes, "eth0", vip("10.80.0.1")));
        assert!(connected(&routes, "eth0", vip("10.1.1.200")));
        assert!(!connected(&routes, "eth0", vip("10.2.0.1")));
        assert!(!connected(&routes, "eth1", vip("10.80.0.1")));
        assert!(!connected(&routes, "eth0", vip("fd80::1")));
        assert!(!connected("", "eth0", vip("10.80.0.1")));
    }

    #[test]
    fn the_loopback_address_is_local_and_a_documentation_address_is_not() {
        assert!(is_local("127.0.0.1".parse().unwrap()));
        if sysctl("net/ipv4/ip_nonlocal_bind") == Some(0) {
            assert!(!is_local("192.0.2.1".parse().unwrap()));
        }
    }
}
