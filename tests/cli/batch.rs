//! `-b`: formats, files, pipes and signals, on the made-up machine.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::{netop, parsed, run};

/// Starts a run that goes on, and reads its first line.
fn started(words: &str) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = netop(words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("netop starts");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut first = String::new();
    out.read_line(&mut first).expect("a first line");
    (child, out, first)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("sh")
        .args(["-c", &format!("kill -{name} {}", child.id())])
        .status();
    assert!(sent.expect("sh").success());
}

/// Until the handler stands a signal would end the program.
fn wait_until_it_catches(child: &Child, signal: i32) {
    let status = format!("/proc/{}/status", child.id());
    loop {
        let text = fs::read_to_string(&status).expect("the child runs");
        let caught = text
            .lines()
            .find_map(|line| line.strip_prefix("SigCgt:"))
            .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .expect("SigCgt is a mask");
        if caught & (1 << (signal - 1)) != 0 {
            return;
        }
        std::thread::yield_now();
    }
}

fn mode_of(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn json_is_one_object_a_line_with_the_fields_of_the_schema() {
    let ended = run("demo -b -n 2 -d 0.05 --format json");
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let lines: Vec<_> = ended.out.lines().map(parsed).collect();
    assert_eq!(lines.len(), 2);
    for snapshot in &lines {
        assert_eq!(snapshot["schema"], "netop.snapshot/1");
        for field in [
            "at",
            "interval_s",
            "elapsed_s",
            "host",
            "filter",
            "summary",
            "functions",
            "stages",
            "cpus",
            "devices",
            "processes",
            "tcp",
            "drops",
            "latency",
            "stacks",
            "facts",
            "findings",
            "health",
        ] {
            assert!(snapshot.get(field).is_some(), "no {field}");
        }
        assert_eq!(snapshot["host"]["source"], "demo");
        for field in [
            "name",
            "event",
            "source",
            "calls",
            "rate",
            "total",
            "peak_rate",
            "estimated",
            "error",
            "packets_per_hit",
            "cpu_pct",
            "self_pct",
            "ns_per_packet",
            "ns_per_call",
            "ns_error",
            "per_cpu",
        ] {
            assert!(snapshot["functions"][0].get(field).is_some(), "no {field}");
        }
        for field in [
            "lost",
            "throttled",
            "channel_dropped",
            "undecodable",
            "notes",
        ] {
            assert!(snapshot["health"].get(field).is_some(), "no {field}");
        }
    }
    let elapsed = |at: usize| lines[at]["elapsed_s"].as_f64().expect("a number");
    assert!(elapsed(1) > elapsed(0));
}

#[test]
fn a_filter_is_there_and_what_was_not_asked_for_in_it_is_null() {
    let filter = |words: &str| {
        let ended = run(&format!("demo -b -n 1 -d 0.05 --format json {words}"));
        parsed(&ended.out)["filter"].clone()
    };
    let (none, pid) = (filter(""), filter("-p 9127"));
    for field in ["pid", "comm", "device", "cpu", "cgroup", "by"] {
        assert!(
            none.get(field).is_some_and(serde_json::Value::is_null),
            "{field}: {none}"
        );
    }
    assert!(!pid["pid"].is_null() && pid["device"].is_null(), "{pid}");
    assert_eq!(pid["by"], "owner");
    assert_eq!(filter("-p 9127 --by context")["by"], "context");
}

#[test]
fn every_csv_table_has_one_header_and_rows_of_its_width() {
    for table in netop::export::TABLES {
        let ended = run(&format!(
            "demo -b -n 2 -d 0.05 --format csv --table {}",
            table.name
        ));
        assert_eq!(ended.code, Some(0), "{}: {}", table.name, ended.err);
        let mut reader = csv::Reader::from_reader(ended.out.as_bytes());
        let header = reader.headers().expect("a header").clone();
        assert_eq!(&header[0], "at", "{}", table.name);
        let rows: Vec<_> = reader.records().collect();
        for row in &rows {
            let row = row.as_ref().expect("as wide as the header");
            assert_ne!(row, &header, "{}", table.name);
        }
        if table.name == "functions" {
            assert_eq!(rows.len(), 2 * netop::probe::PROBES.len());
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (mut child, out, first) = started("demo -b -d 0.05");
    assert!(first.starts_with("demo-12 "), "{first}");
    drop(out);
    assert_eq!(child.wait().expect("netop ends").code(), Some(0));
    let mut err = String::new();
    let stderr = child.stderr.as_mut().expect("a pipe");
    stderr.read_to_string(&mut err).expect("text");
    assert_eq!(err, "");
}

#[test]
fn an_interrupt_prints_the_partial_interval_and_exits_0() {
    for name in ["INT", "TERM"] {
        let (mut child, mut out, first) = started("demo -b -d 0.3 --format json");
        signal(&child, name);
        let mut rest = String::new();
        out.read_to_string(&mut rest).expect("text");
        assert_eq!(child.wait().expect("netop ends").code(), Some(0), "{name}");
        let partial = parsed(rest.lines().last().expect("a partial interval"));
        assert!(
            partial["elapsed_s"].as_f64() > parsed(&first)["elapsed_s"].as_f64(),
            "{name}"
        );
        let interval = partial["interval_s"].as_f64().expect("a number");
        assert!(
            interval < 0.3,
            "{name}: {interval} s is no partial interval"
        );
    }
}

#[test]
fn a_long_interval_is_cut_short_by_an_interrupt() {
    let mut child = netop("demo -b -d 3600 --format json")
        .stdout(Stdio::piped())
        .spawn()
        .expect("netop starts");
    wait_until_it_catches(&child, libc::SIGINT);
    signal(&child, "INT");
    let mut text = String::new();
    let mut out = child.stdout.take().expect("a pipe");
    out.read_to_string(&mut text).expect("text");
    assert_eq!(child.wait().expect("netop ends").code(), Some(0));
    let interval_s = parsed(&text)["interval_s"].as_f64();
    assert!(interval_s.expect("a number") < 60.0, "{interval_s:?}");
}

#[test]
fn an_output_file_is_readable_by_its_owner_only() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("out.json");
    let ended = run(&format!(
        "demo -b -n 1 -d 0.05 --format json -o {}",
        path.display()
    ));
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(mode_of(&path), 0o600);
    parsed(&fs::read_to_string(&path).expect("the file"));
}

#[test]
fn an_output_file_that_cannot_be_written_is_exit_4_and_named() {
    let ended = run("demo -b -n 1 -d 0.05 -o /nowhere/out.json");
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.err.contains("/nowhere/out.json"), "{}", ended.err);
}

#[test]
fn an_output_file_never_goes_through_a_symbolic_link() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (target, link) = (dir.path().join("target"), dir.path().join("link"));
    fs::write(&target, "precious").expect("file");
    std::os::unix::fs::symlink(&target, &link).expect("link");
    let ended = run(&format!("demo -b -n 1 -d 0.05 -o {}", link.display()));
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.err.contains("it is a symbolic link"), "{}", ended.err);
    assert_eq!(fs::read_to_string(&target).expect("file"), "precious");
}

#[test]
fn a_reader_that_takes_nothing_more_does_not_keep_netop_from_ending() {
    let (mut child, out, _first) = started("demo -b -d 0.05 --format json");
    // The pipe holds 64 KiB: within a second the next write waits for ever.
    let wait_channel = format!("/proc/{}/wchan", child.id());
    let full = std::time::Instant::now();
    while full.elapsed().as_secs() < 10
        && !fs::read_to_string(&wait_channel).is_ok_and(|at| at.contains("pipe"))
    {
        std::thread::park_timeout(std::time::Duration::from_millis(20));
    }
    signal(&child, "TERM");
    let asked = std::time::Instant::now();
    child.wait().expect("it ran");
    assert!(asked.elapsed().as_millis() < 1500, "{:?}", asked.elapsed());
    drop(out);
}
