//! A target of `targets.rs`, that of the program's name, for cargo-fuzz:
//!
//! ```text
//! cargo install cargo-fuzz
//! mkdir -p corpus && netop record --demo --duration 1 -o corpus/demo && perf record -a -g -o corpus/perf sleep 0.1
//! cargo fuzz run --fuzz-dir tests/fuzz -s none recording corpus -- -max_len=65536
//! ```

#![no_main]

mod targets;

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

/// In memory.
static SCRATCH: LazyLock<PathBuf> = LazyLock::new(|| {
    let scratch = PathBuf::from(format!("/dev/shm/netop-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&scratch).expect("room in memory");
    scratch
});

fuzz_target!(|bytes: &[u8]| {
    (targets::named(env!("CARGO_BIN_NAME")).run)(bytes, &SCRATCH);
});
