// SPDX-License-Identifier: GPL-2.0
//! IP and TCP headers, the tunnel's framing, control messages: lengths hold, and what was read is
//! written again as it was.

use homing_pure::wire::addr::Tuple;
use homing_pure::wire::control::{self, Body};
use homing_pure::wire::geneve::{self as tunnel, Frame};
use homing_pure::wire::{icmp, ip as inet, sack, tcp as transport};

/// A TCP header with its options, and SACK blocks moved.
pub fn tcp(bytes: &[u8]) {
    let Ok(segment) = transport::parse(bytes) else {
        return;
    };
    assert!((20..=60).contains(&segment.header_len) && segment.header_len <= bytes.len());
    assert!(segment.options.wscale.unwrap_or(0) <= 14);
    assert_ne!(segment.options.mss, Some(0));
    // What stands behind the header has no say.
    assert_eq!(transport::parse(&bytes[..segment.header_len]), Ok(segment));
    if let Some(found) = segment.options.sack {
        assert!((1..=4).contains(&found.1));
        assert!(found.0 + usize::from(found.1) * 8 <= segment.header_len);
        let blocks = sack::blocks(bytes, found).expect("where it was found");
        assert_eq!(blocks.iter().flatten().count(), usize::from(found.1));
    }
}

/// An IP header with its extension headers, and an ICMP error's quote.
pub fn ip(bytes: &[u8]) {
    let Ok(header) = inet::parse(bytes) else {
        return;
    };
    assert!(header.header_len <= bytes.len());
    assert!(header.total_len == 0 || header.total_len >= header.header_len);
    assert_eq!(header.version == 4, header.src.is_v4());
    icmp::parse(header.protocol, &bytes[header.header_len..]);
}

/// A datagram of the tunnel.
pub fn geneve(bytes: &[u8]) {
    let Ok(frame) = tunnel::parse(bytes) else {
        return;
    };
    let Frame::Data {
        data,
        header_len,
        mac,
        mac_offset,
    } = frame
    else {
        return;
    };
    assert_eq!(bytes[mac_offset..header_len], mac);
    // Longer than any that we write: refused by the caller.
    let covered = tunnel::covered(bytes, mac_offset, &Tuple::default(), 6, 7, <[u8]>::len);
    if header_len > tunnel::MAX_DATA_HEADER {
        return;
    }
    assert!(covered.is_some());
    // Written again, it says the same.
    let mut again = [0; tunnel::MAX_DATA_HEADER];
    let len = tunnel::emit_data(&mut again, &data).expect("what was read can be written");
    match tunnel::parse(&again[..len]) {
        Ok(Frame::Data { data: same, .. }) => assert_eq!(same, data),
        other => panic!("{other:?}"),
    }
}

/// A control message.
pub fn control(datagram: &[u8]) {
    let Some(bytes) = control::in_datagram(datagram, tunnel::HEADER_LEN, datagram.len()) else {
        return;
    };
    let Ok(message) = control::parse(bytes) else {
        return;
    };
    assert_eq!(message.mac_offset + control::MAC_LEN, bytes.len());
    assert!(message.header.sender != 0 && message.header.nonce != 0);
    let mut again = [0; control::MAX_MESSAGE];
    let header = &message.header;
    let len = match message.body {
        Body::Associations { first, records } => {
            let records: Vec<_> = records.collect();
            control::emit_associations(&mut again, header, first, &records)
        }
        Body::HandOffAck {
            tuple,
            client_isn,
            report,
        } => control::emit_hand_off_ack(&mut again, header, &tuple, client_isn, report),
        Body::Challenge { about } => control::emit_challenge(&mut again, header, about),
        Body::Ask { tuple } => control::emit_ask(&mut again, header, &tuple),
        Body::Answer(answer) => control::emit_answer(&mut again, header, &answer),
        Body::Unknown { tuple } => control::emit_unknown(&mut again, header, &tuple),
        Body::Probe { size } => control::emit_probe(&mut again, header, size),
        // Lists that are read as they are asked for: that they can be is tested with the rest.
        _ => return,
    };
    let len = len.expect("what was read can be written");
    assert_eq!(len, bytes.len());
    assert_eq!(
        control::parse(&again[..len]).map(|m| m.header),
        Ok(message.header)
    );
}
