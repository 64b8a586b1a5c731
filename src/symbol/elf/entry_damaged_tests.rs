//! Where a breakpoint goes in a library that is cut or damaged: nowhere or inside the file, from
//! few bytes read.

use std::fs;
use std::io::Cursor;
use std::process::Command;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

const LIBRARY: &str = "
int first(int n) { return n * 3; }
int second(int n) { return first(n) + 1; }
int third(int n) { return second(n) + first(n); }
";

/// Bytes that may be read of a file for each byte it has, before somebody has lied about a size.
const MOST_A_BYTE: u64 = 64;

/// `None` and the reason said without `cc`.
fn library() -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let source = dir.path().join("three.c");
    fs::write(&source, LIBRARY).expect("room");
    let path = dir.path().join("libthree.so");
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(&path).arg(&source);
    let Ok(status) = cc.status() else {
        println!("skipped: no cc here");
        return None;
    };
    assert!(status.success(), "{status}");
    Some(fs::read(path).expect("the library"))
}

/// Offsets in the file at which its functions begin, as many as it says there are.
fn asked(bytes: &[u8]) -> Vec<u64> {
    let pieces = Pieces::new(Cursor::new(bytes));
    let Some(parsed) = elf::parse(&pieces) else {
        return Vec::new();
    };
    let listed: Vec<Function<'_>> = functions(&parsed).take(1000).collect();
    // What it says is of no interest here.
    let _listed = names(&parsed);
    let mut found = Vec::new();
    for &Function { begin, .. } in &listed {
        found.extend(in_file(&parsed, begin));
        found.extend(in_file(&parsed, begin.saturating_add(u64::MAX / 2)));
        for further in [7, u64::MAX] {
            let _known = begins_at(&pieces, &parsed, begin, begin.saturating_add(further));
        }
    }
    let _known = function_around(&parsed, listed.first().map_or(0, |first| first.begin));
    for name in ["third", "no_such_function", ""] {
        let begin = find(&parsed, name).ok().map(|f| f.begin);
        found.extend(begin.and_then(|begin| in_file(&parsed, begin)));
    }
    let read = pieces.read();
    assert!(
        read <= MOST_A_BYTE * bytes.len() as u64 + (1 << 20),
        "{read} of {} bytes read",
        bytes.len()
    );
    found
}

#[test]
fn a_library_cut_anywhere_is_survived() {
    let Some(library) = library() else { return };
    assert!(asked(&library).len() >= 3);
    for len in (0..library.len()).step_by(61) {
        asked(&library[..len]);
    }
}

#[test]
fn a_library_with_any_bytes_changed_is_survived() {
    let Some(library) = library() else { return };
    let len = library.len();
    // The headers at both ends are few bytes, and everything else hangs on them.
    let place = prop_oneof![2 => 0..len, 3 => 0..1024usize, 3 => len - 2048..len];
    let byte = prop_oneof![any::<u8>(), Just(0), Just(0xff), Just(0x7f)];
    let changes = prop::collection::vec((place, byte), 1..24);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 1000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let survived = runner.run(&changes, |changes| {
        let mut broken = library.clone();
        for (at, byte) in changes {
            broken[at] = byte;
        }
        asked(&broken);
        Ok(())
    });
    survived.expect("no panic");
}
