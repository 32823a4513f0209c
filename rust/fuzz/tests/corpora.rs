// SPDX-License-Identifier: GPL-2.0
//! Every entry of the corpora, without the fuzzer: what once was interesting stays right.

use std::fs;
use std::path::Path;

#[test]
fn every_entry_of_every_corpus() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, run) in homing_fuzz::TARGETS {
        let mut entries = 0;
        for entry in fs::read_dir(corpora.join(name)).expect(name) {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            run(&bytes);
            // Cut short at every place of the first bytes, too.
            (0..bytes.len().min(200)).for_each(|n| run(&bytes[..n]));
            entries += 1;
        }
        assert!(entries > 0, "no corpus for {name}");
    }
}
