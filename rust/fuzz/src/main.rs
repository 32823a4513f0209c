// SPDX-License-Identifier: GPL-2.0
//! The fuzzer: runs one target, named by HOMING_FUZZ_TARGET, under libFuzzer.
#![no_main]

use std::sync::OnceLock;

static TARGET: OnceLock<homing_fuzz::Target> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let run = TARGET.get_or_init(|| {
        let name = std::env::var("HOMING_FUZZ_TARGET").unwrap_or_default();
        homing_fuzz::target(&name).expect("HOMING_FUZZ_TARGET names no target")
    });
    run(bytes);
});
