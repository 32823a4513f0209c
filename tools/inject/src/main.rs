// SPDX-License-Identifier: GPL-2.0
//! Puts hostile frames onto a device, made at random from true ones: packet(7).
//!
//! Every run with the same seed and frames sends the same. For test networks only.

use clap::Parser;
use clap::ValueEnum;
use etherparse::checksum::Sum16BitWords;
use etherparse::NetSlice;
use etherparse::PacketBuilder;
use etherparse::SlicedPacket;
use etherparse::TransportSlice;
use fastrand::Rng;
use pnet_datalink::Channel;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

/// Bytes of an Ethernet header.
const ETHERNET: usize = 14;
/// Bytes of the longest frame that is sent.
const LONGEST: usize = 1514;

/// How frames are made.
#[derive(Clone, Copy, ValueEnum)]
enum Class {
    /// The link addresses of a true one, and any bytes.
    Random,
    /// A true one with some bits and bytes changed behind the link addresses.
    Mutated,
    /// A true one cut short.
    Truncated,
    /// A true TCP segment with some bits and bytes of header and data changed, its lengths and checksums right.
    Segment,
    /// The link, IP and UDP headers of a true one, some of its data, then any bytes; lengths and checksums right.
    Datagram,
}

/// Puts hostile frames onto a device.
#[derive(Parser)]
struct Options {
    /// The device, in the namespace of this process
    #[arg(long)]
    device: String,
    /// How they are made
    #[arg(long)]
    class: Class,
    /// How many
    #[arg(long, default_value_t = 20_000)]
    count: u32,
    /// Where chance begins
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A file with true frames, a line of hexadecimal digits for each
    #[arg(long)]
    frames: PathBuf,
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(sent) => {
            println!("{sent}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("homing-inject: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Sends them; how many were.
fn run(options: &Options) -> Result<u32, String> {
    let text = fs::read_to_string(&options.frames)
        .map_err(|e| format!("{}: {e}", options.frames.display()))?;
    let frames: Vec<Vec<u8>> = text
        .lines()
        .map(unhex)
        .collect::<Option<_>>()
        .ok_or(format!(
            "{}: a line is not hexadecimal",
            options.frames.display()
        ))?;
    let fit = |frame: &&Vec<u8>| make(&mut Rng::with_seed(0), options.class, frame).is_some();
    let frames: Vec<&Vec<u8>> = frames.iter().filter(fit).collect();
    if frames.is_empty() {
        return Err("no frame of the file is good for this class".to_string());
    }
    let device = pnet_datalink::interfaces()
        .into_iter()
        .find(|device| device.name == options.device)
        .ok_or(format!("no device {} here", options.device))?;
    let channel = pnet_datalink::channel(&device, pnet_datalink::Config::default());
    let Ok(Channel::Ethernet(mut link, _)) = channel else {
        return Err(format!(
            "{} cannot be sent to as root only can",
            device.name
        ));
    };
    let mut chance = Rng::with_seed(options.seed);
    let mut sent = 0;
    for _ in 0..options.count {
        let template = frames[chance.usize(..frames.len())];
        let Some(frame) = make(&mut chance, options.class, template) else {
            continue;
        };
        // A device that is busy or refuses the length: one less.
        if let Some(Ok(())) = link.send_to(&frame, None) {
            sent += 1;
        }
    }
    Ok(sent)
}

/// The bytes of a line of hexadecimal digits.
fn unhex(line: &str) -> Option<Vec<u8>> {
    let digits = line.trim().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    if digits.len() % 2 != 0 {
        return None;
    }
    digits.chunks(2).map(byte).collect()
}

/// One frame; `None` if the template is not good for the class.
fn make(chance: &mut Rng, class: Class, template: &[u8]) -> Option<Vec<u8>> {
    if template.len() <= ETHERNET {
        return None;
    }
    let mut frame = template.to_vec();
    match class {
        Class::Random => {
            frame.truncate(ETHERNET);
            if chance.u8(..8) == 0 {
                frame[12] = chance.u8(..);
                frame[13] = chance.u8(..);
            }
            let len = chance.usize(1..LONGEST - ETHERNET);
            frame.extend((0..len).map(|_| chance.u8(..)));
            // Mostly something that looks like IP.
            match (chance.bool(), frame[12..14] == [0x86, 0xdd]) {
                (true, true) => frame[14] = 0x60 | frame[14] & 15,
                (true, false) => frame[14] = 0x45,
                _ => {}
            }
        }
        Class::Mutated => mutate(chance, &mut frame[12..]),
        Class::Truncated => frame.truncate(chance.usize(ETHERNET..template.len())),
        Class::Segment => segment(chance, &mut frame)?,
        Class::Datagram => return datagram(chance, template),
    }
    Some(frame)
}

/// Changes one to eight places.
fn mutate(chance: &mut Rng, bytes: &mut [u8]) {
    if bytes.is_empty() {
        return;
    }
    for _ in 0..chance.usize(1..=8) {
        let at = chance.usize(..bytes.len());
        bytes[at] = match chance.u8(..4) {
            0 => chance.u8(..),
            1 => 0,
            2 => 0xff,
            _ => bytes[at] ^ (1 << chance.u8(..8)),
        };
    }
}

/// Changes a TCP segment but its ports and its checksum, which is made right.
fn segment(chance: &mut Rng, frame: &mut [u8]) -> Option<()> {
    let (at, source) = {
        let sliced = SlicedPacket::from_ethernet(frame).ok()?;
        let TransportSlice::Tcp(tcp) = sliced.transport? else {
            return None;
        };
        let source: Vec<u8> = match sliced.net? {
            NetSlice::Ipv4(ip) => [ip.header().source(), ip.header().destination()].concat(),
            NetSlice::Ipv6(ip) => [ip.header().source(), ip.header().destination()].concat(),
            _ => return None,
        };
        (
            tcp.slice().as_ptr() as usize - frame.as_ptr() as usize,
            source,
        )
    };
    let tcp = &mut frame[at..];
    mutate(chance, &mut tcp[4..]);
    tcp[16..18].fill(0);
    let len = tcp.len() as u32;
    let sum = Sum16BitWords::new()
        .add_slice(&source)
        .add_4bytes(u32::from(6u8).to_be_bytes())
        .add_4bytes(len.to_be_bytes())
        .add_slice(tcp)
        .ones_complement();
    // The sum is over words as this machine has them.
    tcp[16..18].copy_from_slice(&sum.to_ne_bytes());
    Some(())
}

/// A datagram with the addresses and ports of a true one and other data.
fn datagram(chance: &mut Rng, template: &[u8]) -> Option<Vec<u8>> {
    let sliced = SlicedPacket::from_ethernet(template).ok()?;
    let link = sliced.link?.to_header()?.ethernet2()?;
    let TransportSlice::Udp(udp) = sliced.transport? else {
        return None;
    };
    let true_data = udp.payload();
    let keep = chance.usize(..=true_data.len());
    let mut data = true_data[..keep].to_vec();
    if chance.bool() {
        mutate(chance, &mut data);
    }
    let room = 1400usize.saturating_sub(keep);
    let most = if chance.bool() { room.min(64) } else { room };
    let more = chance.usize(..=most);
    data.extend((0..more).map(|_| chance.u8(..)));
    let ethernet = PacketBuilder::ethernet2(link.source, link.destination);
    let ip = match sliced.net? {
        NetSlice::Ipv4(ip) => ethernet.ipv4(ip.header().source(), ip.header().destination(), 64),
        NetSlice::Ipv6(ip) => ethernet.ipv6(ip.header().source(), ip.header().destination(), 64),
        _ => return None,
    };
    let packet = ip.udp(udp.source_port(), udp.destination_port());
    let mut frame = Vec::with_capacity(packet.size(data.len()));
    packet.write(&mut frame, &data).ok()?;
    Some(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn true_segment() -> Vec<u8> {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv4([10, 70, 0, 2], [10, 80, 0, 1], 64)
            .tcp(40000, 80, 1, 65535)
            .ack(7)
            .write(&mut frame, b"GET / HTTP/1.1\r\n\r\n")
            .unwrap();
        frame
    }

    #[test]
    fn a_changed_segment_has_a_right_checksum_and_its_ports() {
        let mut chance = Rng::with_seed(3);
        let mut changed = 0;
        for _ in 0..2000 {
            let frame = make(&mut chance, Class::Segment, &true_segment()).unwrap();
            let tcp = &frame[34..];
            let sum = Sum16BitWords::new()
                .add_slice(&frame[26..34])
                .add_4bytes([0, 0, 0, 6])
                .add_4bytes((tcp.len() as u32).to_be_bytes())
                .add_slice(tcp)
                .ones_complement();
            assert_eq!(sum, 0);
            assert_eq!(frame[..38], true_segment()[..38]);
            changed += u32::from(frame != true_segment());
        }
        assert!(changed > 1900);
    }

    #[test]
    fn a_datagram_is_one() {
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [4; 6])
            .ipv6([1; 16], [2; 16], 64)
            .udp(6470, 6470)
            .write(&mut frame, &[9; 60])
            .unwrap();
        let mut chance = Rng::with_seed(3);
        for _ in 0..500 {
            let made = make(&mut chance, Class::Datagram, &frame).unwrap();
            assert!(made.len() <= LONGEST);
            let sliced = SlicedPacket::from_ethernet(&made).unwrap();
            assert!(matches!(sliced.transport, Some(TransportSlice::Udp(_))));
        }
        assert!(make(&mut chance, Class::Datagram, &true_segment()).is_none());
    }

    #[test]
    fn the_same_seed_makes_the_same() {
        for class in Class::value_variants() {
            if matches!(class, Class::Datagram) {
                continue;
            }
            let some = |seed| {
                let mut chance = Rng::with_seed(seed);
                let make = || make(&mut chance, *class, &true_segment());
                std::iter::repeat_with(make).take(50).collect::<Vec<_>>()
            };
            assert_eq!(some(5), some(5));
            assert_ne!(some(5), some(6));
        }
        assert_eq!(unhex("00ff10\n"), Some(vec![0, 255, 16]));
        assert_eq!(unhex("0"), None);
    }
}
