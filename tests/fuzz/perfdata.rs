//! Any bytes as a perf.data file: shown as far as they go or refused, without a panic.
//!
//! ```text
//! cargo install cargo-fuzz
//! mkdir -p corpus && netop record --demo --duration 1 -o corpus/demo && perf record -a -g -o corpus/perf sleep 0.1
//! cargo fuzz run --fuzz-dir tests/fuzz -s none perfdata corpus -- -max_len=65536
//! ```

#![no_main]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use netop::decode::EventSpec;
use netop::engine::Registry;
use netop::source::replay::{Cut, Opened, Options, Replay};
use netop::source::{Source, Step};

/// In memory.
static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| format!("/dev/shm/netop-fuzz-{}", std::process::id()).into());

static SPECS: LazyLock<Vec<EventSpec>> = LazyLock::new(|| Registry::new(Vec::new()).specs());

fuzz_target!(|bytes: &[u8]| {
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).open(&*FILE);
    file.and_then(|mut file| file.write_all(bytes))
        .expect("room in memory");
    let cuts = [Cut::Whole, Cut::Every(1_000_000), Cut::Recorded];
    let cut = cuts[bytes.len() % cuts.len()];
    let Ok(opened) = Opened::open(&FILE) else {
        return;
    };
    let options = Options {
        specs: SPECS.clone(),
        cut,
        ..Options::default()
    };
    let mut replay = Replay::start(opened, options).expect("a thread");
    loop {
        match replay.step(Duration::from_secs(20)).expect("no panic of the reader") {
            Step::Batch(batch) => replay.recycle(batch),
            Step::Tick(_) => {}
            Step::Idle => panic!("it hangs"),
            Step::End => return,
        }
    }
});
