//! `netop diff`: of series and snapshots of the made-up machine, and of what is neither.

use std::fs;
use std::path::Path;

use super::run;

/// Snapshots of the made-up machine, a line each.
fn series(file: &Path, seconds: &str, count: usize) {
    let file = file.display();
    let ended = run(&format!(
        "demo -b -n {count} -d {seconds} --format json -o {file}"
    ));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn the_same_file_twice_is_called_that_and_differs_in_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("series.json");
    series(&file, "0.2", 12);
    let file = file.display();
    let ended = run(&format!("diff {file} {file}"));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(
        ended.out.contains("one and the same measurement"),
        "{}",
        ended.out
    );
    assert!(ended.out.contains("Nothing differs"), "{}", ended.out);
    let json = run(&format!("diff {file} {file} --format json"));
    let read: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(read["schema"], "netop.diff/1");
    assert_eq!(read["identical"], true);
    assert_eq!(read["ns_per_packet"]["change_pct"], 0.0);
    assert!(read["rows"].as_array().is_some_and(|rows| rows.len() > 20));
}

#[test]
fn a_flame_graph_of_the_difference_is_written_or_said_to_be_empty() {
    let dir = tempfile::tempdir().expect("a directory");
    let (file, svg) = (dir.path().join("series.json"), dir.path().join("diff.svg"));
    series(&file, "0.3", 4);
    let shown = file.display();
    let ended = run(&format!(
        "diff {shown} {shown} --to svg -o {}",
        svg.display()
    ));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let picture = fs::read_to_string(&svg).expect("it is written");
    assert!(picture.starts_with("<?xml") && picture.contains("net_rx_action"));
    let line = fs::read_to_string(&file).expect("it is there");
    let stacks = line.find("\"stacks\":[").expect("a field");
    let lines = line[stacks..].find("],\"lines\"").expect("the next field");
    let bare = format!("{}\"stacks\":[{}", &line[..stacks], &line[stacks + lines..]);
    let bare = bare.lines().next().expect("a line");
    let none = dir.path().join("none.json");
    fs::write(&none, bare).expect("a file");
    let ended = run(&format!("diff {} {shown} --to svg", none.display()));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.err.contains("none.json has no stacks of CPU time"),
        "{}",
        ended.err
    );
}

#[test]
fn what_is_no_measurement_is_refused_with_the_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let good = dir.path().join("good.json");
    series(&good, "0.1", 3);
    let text = fs::read_to_string(&good).expect("it is there");
    let refused = |bytes: &[u8], why: &str| {
        let bad = dir.path().join("bad.json");
        fs::write(&bad, bytes).expect("a file");
        let ended = run(&format!("diff {} {}", good.display(), bad.display()));
        assert_eq!(ended.code, Some(4), "{why}: {ended:?}");
        assert!(ended.err.contains(why), "{why}: {}", ended.err);
        assert!(!ended.err.contains('\u{1b}'), "{why}");
    };
    refused(b"", "it is empty");
    refused(b"\n\n", "it is empty");
    refused(format!("{text}[1,2]\n").as_bytes(), "line 4, column");
    refused(
        format!("{text}\u{1b}[31m\n").as_bytes(),
        "line 4, column 1: expected value",
    );
    refused(b"\xff\xfe", "line 1 is no text");
    refused(b"\x7fELF\xff\xfe", "it is a program or library");
    refused(b"\x1f\x8b\x08\0\0\0\0\0\0\x03abc", "gunzip it first");
    refused(
        b"perf 1 [000] 1.2: cpu-clock\n",
        "it is text, as perf script",
    );
    refused(b"{\n  \"schema\": 1\n}\n", "line 2, column");
    refused(b"PERFILE2\0\0\0", "the header of a perf.data file");
    let ended = run(&format!("diff {} {}", dir.path().display(), good.display()));
    assert!(ended.err.contains("no regular file"), "{ended:?}");
    let ended = run(&format!("diff /nowhere {}", good.display()));
    assert!(ended.err.contains("cannot read /nowhere"), "{ended:?}");
    // netop was killed while it wrote.
    fs::write(dir.path().join("cut.json"), &text[..text.len() - 100]).expect("a file");
    let cut = dir.path().join("cut.json");
    let ended = run(&format!("diff {} {}", good.display(), cut.display()));
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn a_single_snapshot_of_the_screen_is_read() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("series.json");
    series(&file, "0.1", 3);
    let saved = run(&format!(
        "demo --keys w --size 80x24 --snapshot-dir {}",
        dir.path().display()
    ));
    assert_eq!(saved.code, Some(0), "{saved:?}");
    let names = fs::read_dir(dir.path()).expect("a directory");
    let mut names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let one = names
        .find(|name| name.starts_with("netop-"))
        .expect("w wrote it");
    let one = dir.path().join(one);
    let ended = run(&format!("diff {} {}", file.display(), one.display()));
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert!(ended.out.contains("before") && ended.out.contains("after"));
}
