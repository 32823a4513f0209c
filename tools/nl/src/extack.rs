// SPDX-License-Identifier: GPL-2.0

//! Extended acknowledgements: why the kernel refused, and which attribute it is about.
//!
//! Kernel: `enum nlmsgerr_attrs` in `include/uapi/linux/netlink.h`. An attribute is named by its
//! offset into our own message, so its name is found by walking that message again.

use homing_pure::uapi::consts;
use netlink_packet_core::NlaBuffer;
use netlink_packet_core::NlasIterator;

const MSG: u16 = 1;
const OFFS: u16 = 2;
const MISS_TYPE: u16 = 5;
/// struct nlmsghdr and struct genlmsghdr, in front of the first attribute.
const HEADERS: usize = 20;

/// Names of the attributes that a command takes.
fn names(command: u8) -> &'static [&'static str] {
    use consts::cmd;
    match command {
        cmd::DEVICE_ATTACH..=cmd::DEVICE_GET => &consts::device::NAMES,
        cmd::MEMBER_SET..=cmd::MEMBER_NTF => &consts::member::NAMES,
        cmd::SERVICE_SET..=cmd::SERVICE_GET => &consts::service::NAMES,
        cmd::SESSION_GET..=cmd::SESSION_NTF => &consts::session::NAMES,
        cmd::FLOW_GET => &consts::flow::NAMES,
        cmd::STATS_GET => &consts::stats::NAMES,
        cmd::FARM_SET => &consts::farm::NAMES,
        cmd::KEY_SET | cmd::KEY_GET => &consts::key::NAMES,
        cmd::DEBUG_SET => &consts::debug::NAMES,
        cmd::STATUS_GET => &consts::status::NAMES,
        cmd::EXPLAIN => &consts::explain::NAMES,
        _ => &[],
    }
}

fn name(names: &[&'static str], kind: u16) -> Option<&'static str> {
    names.get(usize::from(kind).checked_sub(1)?).copied()
}

/// The name of the attribute at an offset, through the one nest that requests have.
fn locate(
    attributes: &[u8],
    target: usize,
    names: &[&'static str],
    nested: bool,
) -> Option<String> {
    let mut offset = 0;
    for nla in NlasIterator::new(attributes) {
        let nla: NlaBuffer<&[u8]> = nla.ok()?;
        let end = offset + usize::from(nla.length()).next_multiple_of(4);
        let here = name(names, nla.kind())?;
        if offset == target {
            return Some(here.to_string());
        }
        if !nested && offset < target && target < end {
            let inner = target.checked_sub(offset + 4)?;
            return Some(
                match locate(nla.value(), inner, &consts::belief::NAMES, true) {
                    Some(deeper) => format!("{here}.{deeper}"),
                    None => here.to_string(),
                },
            );
        }
        offset = end;
    }
    None
}

/// One line out of the TLVs of an acknowledgement; `None` when the kernel said nothing.
///
/// `request` is the whole message that was sent, headers included.
pub(crate) fn explain(command: u8, request: &[u8], tlvs: &[u8]) -> Option<String> {
    let mut text = None;
    let mut attribute = None;
    for nla in NlasIterator::new(tlvs) {
        let nla: NlaBuffer<&[u8]> = nla.ok()?;
        let value = nla.value();
        let number = || Some(u32::from_ne_bytes(value.try_into().ok()?));
        match nla.kind() {
            MSG => {
                let bytes = value.split(|byte| *byte == 0).next().unwrap_or_default();
                text = Some(String::from_utf8_lossy(bytes).into_owned());
            }
            OFFS => {
                let target = usize::try_from(number()?).ok()?.checked_sub(HEADERS)?;
                attribute = locate(request.get(HEADERS..)?, target, names(command), false);
            }
            MISS_TYPE => {
                let kind = u16::try_from(number()?).ok()?;
                attribute = name(names(command), kind).map(str::to_string);
            }
            _ => {}
        }
    }
    match (attribute, text) {
        (Some(attribute), Some(text)) if mentions(&text, &attribute, names(command)) => Some(text),
        (Some(attribute), Some(text)) => Some(format!("{attribute}: {text}")),
        (Some(attribute), None) => Some(format!("{attribute}: refused")),
        (None, text) => text,
    }
}

/// Whether a message already opens with what it is about: the attribute, or another one that tells more
/// (where `absolute-timeout` alone was sent, that `idle-timeout` is longer).
fn mentions(text: &str, attribute: &str, names: &[&str]) -> bool {
    let last = attribute.rsplit('.').next().unwrap_or(attribute);
    let prefix = text.split_once(':').map(|(prefix, _)| prefix);
    text.split([':', ' ']).next() == Some(last)
        || prefix.is_some_and(|prefix| names.contains(&prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Request;
    use netlink_packet_core::DefaultNla;
    use netlink_packet_core::Emitable;

    fn bytes(nlas: &[DefaultNla]) -> Vec<u8> {
        let mut out = vec![0; nlas.buffer_len()];
        nlas.emit(&mut out);
        out
    }

    fn sent(nlas: &[DefaultNla]) -> Vec<u8> {
        let mut out = vec![0; HEADERS];
        out.extend(bytes(nlas));
        out
    }

    fn ack(text: Option<&str>, kind: u16, number: u32) -> Vec<u8> {
        let mut nlas = vec![DefaultNla::new(kind, number.to_ne_bytes().to_vec())];
        if let Some(text) = text {
            nlas.push(DefaultNla::new(MSG, [text.as_bytes(), &[0]].concat()));
        }
        bytes(&nlas)
    }

    #[test]
    fn a_policy_refusal_names_the_attribute() {
        let request = sent(&[
            DefaultNla::new(consts::member::NAME, b"m1\0".to_vec()),
            DefaultNla::new(consts::member::WEIGHT, vec![0; 4]),
        ]);
        // id: 4 bytes of header, 3 of value, 1 of padding.
        let tlvs = ack(Some("integer out of range"), OFFS, 28);
        let text = explain(consts::cmd::MEMBER_SET, &request, &tlvs);
        assert_eq!(text.as_deref(), Some("weight: integer out of range"));
    }

    #[test]
    fn a_handler_that_names_it_is_not_repeated() {
        let request = sent(&[DefaultNla::new(consts::member::NAME, b"m1\0".to_vec())]);
        let tlvs = ack(Some("name: another member has it"), OFFS, 20);
        let text = explain(consts::cmd::MEMBER_SET, &request, &tlvs);
        assert_eq!(text.as_deref(), Some("name: another member has it"));
    }

    #[test]
    fn a_handler_that_names_another_attribute_is_believed() {
        let request = sent(&[DefaultNla::new(consts::session::SID, vec![0; 4])]);
        let said = |text| {
            explain(
                consts::cmd::SESSION_GET,
                &request,
                &ack(Some(text), OFFS, 20),
            )
        };
        assert_eq!(
            said("key: no such session here").as_deref(),
            Some("key: no such session here")
        );
        assert_eq!(
            said("nothing: of that name").as_deref(),
            Some("sid: nothing: of that name")
        );
    }

    #[test]
    fn inside_a_nest_both_names_are_given() {
        let inner = Request::new(0)
            .u32(consts::belief::ID, 1)
            .u32(consts::belief::CPU, 2000);
        let outer = Request::new(consts::cmd::DEBUG_SET).nest(consts::debug::MEMBER, &inner);
        let payload = crate::message::Payload::Out(outer);
        let mut request = vec![0; HEADERS + payload.buffer_len()];
        payload.emit(&mut request[HEADERS..]);
        let tlvs = ack(Some("integer out of range"), OFFS, 32);
        let text = explain(consts::cmd::DEBUG_SET, &request, &tlvs);
        assert_eq!(text.as_deref(), Some("member.cpu: integer out of range"));
    }

    #[test]
    fn a_missing_attribute_is_named() {
        let tlvs = ack(None, MISS_TYPE, u32::from(consts::member::ADDR));
        let text = explain(consts::cmd::MEMBER_SET, &sent(&[]), &tlvs);
        assert_eq!(text.as_deref(), Some("addr: refused"));
        assert_eq!(explain(consts::cmd::MEMBER_SET, &sent(&[]), &[]), None);
    }

    #[test]
    fn every_command_that_takes_attributes_has_their_names() {
        for (command, name) in (1u8..).zip(consts::cmd::NAMES) {
            let known = !names(command).is_empty();
            assert!(known || name.ends_with("-ntf"), "{name}");
        }
        let request = sent(&[DefaultNla::new(consts::explain::CLIENT, vec![0; 3])]);
        let tlvs = ack(Some("invalid attribute length"), OFFS, 20);
        let text = explain(consts::cmd::EXPLAIN, &request, &tlvs);
        assert_eq!(text.as_deref(), Some("client: invalid attribute length"));
    }

    #[test]
    fn nonsense_from_the_kernel_is_no_panic() {
        for offset in [0, 1, 19, 20, 21, 4096, u32::MAX] {
            let _ = explain(
                consts::cmd::MEMBER_SET,
                &sent(&[]),
                &ack(Some("x"), OFFS, offset),
            );
        }
        let _ = explain(200, &[], &ack(Some("x"), MISS_TYPE, 70_000));
    }
}
