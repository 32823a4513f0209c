// SPDX-License-Identifier: GPL-2.0

//! Requests that change something, and what to do where the kernel says no more than an errno.

use crate::out::Failure;
use homing_nl::consts::cmd;
use homing_nl::consts::farm;
use homing_nl::Client;
use homing_nl::Request;

const EAGAIN: i32 = 11;
const EBUSY: i32 = 16;
const ENOSPC: i32 = 28;
const EADDRINUSE: i32 = 98;

/// Most devices of one namespace: `DEVICES_MAX` of the module's `hook/devices.rs`.
const DEVICES_MAX: usize = 16;

/// Carries out a request that changes something.
pub fn set(client: &mut Client, request: &Request) -> Result<(), Failure> {
    let Err(error) = client.set(request) else {
        return Ok(());
    };
    // Any change of the configuration can be the one that opens the farm's port: that port is the new
    // one, or else the one that is configured.
    let port = match (error.errno(), request.number(farm::PORT)) {
        (EADDRINUSE, Some(port)) if request.command() == cmd::FARM_SET => Some(port),
        (EADDRINUSE, _) => client.status().ok().map(|status| status.port),
        _ => None,
    };
    Err(match way_out(request.command(), error.errno(), port) {
        Some(text) => Failure::new(text),
        None => error.into(),
    })
}

/// What to do about an errno of a command; `None` where the kernel's own text is as good.
fn way_out(command: u8, errno: i32, port: Option<u16>) -> Option<String> {
    match (errno, command) {
        (EADDRINUSE, _) => {
            let port = port?;
            Some(format!(
                "UDP port {port} of the farm is in use on this host ('ss -ulpn sport = :{port}' says by whom): \
                 end that program, or take another port on every member (homing farm set --port N)"
            ))
        }
        (ENOSPC, cmd::DEVICE_ATTACH) => Some(format!(
            "{DEVICES_MAX} devices are attached, and no more can be: detach one \
             ('homing show devices' lists them)"
        )),
        (EBUSY, cmd::DEVICE_DETACH) => Some(
            "connections are sequence-shifted ('homing show flows' has them): wait until they end, or \
             --force, which resets them"
                .to_string(),
        ),
        (EAGAIN, cmd::SESSION_MOVE | cmd::SESSION_END) => Some(
            "nothing was done: the session was changed by somebody else in the same moment: try again"
                .to_string(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EINVAL: i32 = 22;

    #[test]
    fn a_port_that_is_taken_is_named_with_the_way_out() {
        for command in [cmd::MEMBER_SET, cmd::FARM_SET, cmd::SERVICE_SET] {
            let text = way_out(command, EADDRINUSE, Some(6470)).unwrap();
            assert!(text.contains("UDP port 6470"), "{text}");
            assert!(text.contains("homing farm set --port"), "{text}");
        }
        assert_eq!(way_out(cmd::MEMBER_SET, EADDRINUSE, None), None);
        let request = Request::new(cmd::FARM_SET).u16(farm::PORT, 7000);
        assert_eq!(request.number(farm::PORT), Some(7000));
    }

    #[test]
    fn the_limit_of_devices_is_that_of_the_module() {
        let module = include_str!("../../../rust/hook/devices.rs");
        assert!(module.contains(&format!("const DEVICES_MAX: usize = {DEVICES_MAX};")));
        let text = way_out(cmd::DEVICE_ATTACH, ENOSPC, None).unwrap();
        assert!(text.starts_with("16 devices are attached"), "{text}");
    }

    #[test]
    fn a_change_that_lost_a_race_is_tried_again() {
        for command in [cmd::SESSION_MOVE, cmd::SESSION_END] {
            let text = way_out(command, EAGAIN, None).unwrap();
            assert!(text.ends_with("try again"), "{text}");
        }
    }

    #[test]
    fn a_device_that_is_in_use_says_what_to_wait_for() {
        let text = way_out(cmd::DEVICE_DETACH, EBUSY, None).unwrap();
        assert!(text.contains("wait until they end, or --force"), "{text}");
    }

    #[test]
    fn what_the_kernel_explains_is_left_as_it_is() {
        assert_eq!(way_out(cmd::SESSION_SET, ENOSPC, None), None);
        assert_eq!(way_out(cmd::MEMBER_SET, ENOSPC, None), None);
        assert_eq!(way_out(cmd::MEMBER_SET, EAGAIN, None), None);
        assert_eq!(way_out(cmd::DEVICE_ATTACH, EINVAL, None), None);
    }
}
