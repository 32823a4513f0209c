// SPDX-License-Identifier: GPL-2.0

//! The ranges of numbers that the module takes, so that another number is refused with its range.
//!
//! Contract: the `checks` of `rust/uapi/homing.yaml`. The kernel refuses what is outside of them too,
//! with *integer out of range* and no more.

use homing_nl::consts;
use std::ops::RangeInclusive;

/// The number of a member.
pub const MEMBER_ID: RangeInclusive<i64> = 1..=consts::MEMBER_ID_MAX as i64;
/// The weight of a member.
pub const WEIGHT: RangeInclusive<i64> = 0..=consts::WEIGHT_MAX as i64;
/// A timeout of sessions in seconds: to a year.
pub const TIMEOUT: RangeInclusive<i64> = 1..=31_536_000;
/// Max-Age of a cookie in seconds; 0 for none.
pub const MAX_AGE: RangeInclusive<i64> = 0..=31_536_000;
/// Seconds for which requests wait for a silent home.
pub const HOME_WAIT: RangeInclusive<i64> = 1..=60;
/// A UDP port.
pub const PORT: RangeInclusive<i64> = 1..=65_535;
/// Milliseconds between state messages.
pub const STATE_INTERVAL: RangeInclusive<i64> = 10..=60_000;
/// The factor on every time constant.
pub const SCALE: RangeInclusive<i64> = 1..=1000;
/// The number of a farm.
pub const FARM_ID: RangeInclusive<i64> = 0..=consts::FARM_ID_MAX as i64;
/// Bytes of an IP packet between members, where they are set; 0 stands for what is found out.
pub const FABRIC_MTU: RangeInclusive<i64> = 1280..=9216;
/// Per cent of the members that may be left out.
pub const EJECT_MAX: RangeInclusive<i64> = 0..=100;
/// Most sessions that are stored.
pub const SESSIONS_MAX: RangeInclusive<i64> = 1024..=consts::SESSIONS_MAX as i64;
/// How many sessions are made up.
pub const FILL: RangeInclusive<i64> = 0..=consts::SESSIONS_MAX as i64;
/// The version of an association.
pub const VERSION: RangeInclusive<i64> = 1..=4_294_967_295;

#[cfg(test)]
pub mod tests {
    use super::*;

    const SPEC: &str = include_str!("../../../rust/uapi/homing.yaml");

    /// The value of a number of the contract, or of a constant in it.
    fn number(word: &str) -> i64 {
        word.parse().unwrap_or_else(|_| {
            let (_, definition) = SPEC.split_once(&format!("    name: {word}\n")).unwrap();
            let (_, value) = definition.split_once("    value: ").unwrap();
            value.lines().next().unwrap().parse().unwrap()
        })
    }

    /// What the contract says of an attribute.
    pub fn attribute(set: &str, attribute: &str) -> &'static str {
        let (_, text) = SPEC
            .split_once(&format!("  -\n    name: {set}\n    doc: "))
            .unwrap();
        let (_, text) = text
            .split_once(&format!("      -\n        name: {attribute}\n"))
            .unwrap();
        text.split("\n      -\n").next().unwrap()
    }

    /// The range in the checks of an attribute; where a bound is missing, that of its type.
    fn checked(set: &str, name: &str) -> (i64, i64) {
        let text = attribute(set, name);
        let bound = |name: &str| {
            let (_, rest) = text.split_once(&format!("\n          {name}: "))?;
            rest.lines().next().map(number)
        };
        let most = match text.lines().next() {
            Some("        type: u16") => u16::MAX.into(),
            _ => u32::MAX.into(),
        };
        (bound("min").unwrap_or(0), bound("max").unwrap_or(most))
    }

    #[test]
    fn every_range_is_that_of_the_contract() {
        for (set, attribute, range) in [
            ("member", "id", MEMBER_ID),
            ("member", "weight", WEIGHT),
            ("service", "idle-timeout", TIMEOUT),
            ("service", "absolute-timeout", TIMEOUT),
            ("service", "max-age", MAX_AGE),
            ("service", "home-wait", HOME_WAIT),
            ("session", "version", VERSION),
            ("farm", "port", PORT),
            ("farm", "state-interval", STATE_INTERVAL),
            ("farm", "scale", SCALE),
            ("farm", "id", FARM_ID),
            ("farm", "fabric-mtu", 0..=*FABRIC_MTU.end()),
            ("farm", "eject-max", EJECT_MAX),
            ("farm", "sessions-max", SESSIONS_MAX),
            ("debug", "scale", SCALE),
            ("debug", "fill", FILL),
            ("belief", "weight", WEIGHT),
        ] {
            let told = (*range.start(), *range.end());
            assert_eq!(told, checked(set, attribute), "{set} {attribute}");
        }
    }
}
