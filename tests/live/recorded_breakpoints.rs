//! Events of one's own in a recording, breakpoints and tracepoints behind a filter: perf reads their
//! hits with their stacks, and a report counts them.

use crate::skip::skip;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::breakpoints::{CALLS_A_TIME, asker, compiled};
use crate::net::{A, B, Net, Traffic, may_run};
use crate::record::{Record, exact, perf, trailer, weights};

/// The last snapshot of a recording's report.
fn reported(path: &Path) -> Value {
    let report = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["report", "-b", "--format", "json"])
        .arg(path)
        .output()
        .expect("netop starts");
    let text = String::from_utf8(report.stdout).expect("text");
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

fn total<'a>(snapshot: &'a Value, event: &str) -> &'a Value {
    let rows = snapshot["functions"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == event);
    &row.expect("its row")["total"]
}

#[test]
fn what_passed_a_filter_is_recorded_and_reported_to_the_last_hit() {
    let Some(_one) = may_run() else { return };
    let (net, dir) = (Net::new(), tempfile::tempdir().expect("a directory"));
    let _receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9331"));
    let order = |bytes| format!("udp-send {A}:0 {B}:9331 1 300 {bytes}");
    let mut short = Traffic::start(&net.a, &order(64));
    let mut long = Traffic::start(&net.a, &order(1000));
    // A packet has its headers, too.
    let event = format!("net:net_dev_queue:len>=1000 && name=={}", net.va);
    let path = dir.path().join("x.perf.data");
    let record = Record::start(&path, &["-e", &event, "-F", "0"]);
    for traffic in [&mut short, &mut long] {
        traffic.go();
        traffic.wait_for("done");
    }
    sleep(Duration::from_millis(1200));
    let (path, _) = record.stop();
    assert_eq!(exact(&trailer(&path)).get("net:net_dev_queue"), Some(&300));
    let last = reported(&path);
    assert_eq!(total(&last, &event), 300);
    assert_eq!(last["functions"][0]["name"], event.as_str(), "on top");
}

#[test]
fn the_shortest_export_names_the_functions_of_a_breakpoints_stacks() {
    let Some(_one) = may_run() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (library, program) = compiled(dir.path());
    let mut asker = asker(dir.path(), &program);
    let event = format!("uprobe:{}:answer", library.display());
    let export = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["export", "--to", "folded", "--duration", "1"])
        .args(["--max-overhead", "100", "--function", &event])
        .stdout(Stdio::piped())
        .spawn()
        .expect("netop starts");
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert_eq!(asker.ask(1), "done");
        sleep(Duration::from_millis(5));
    }
    let output = export.wait_with_output().expect("it ends");
    let folded = String::from_utf8(output.stdout).expect("text");
    assert!(folded.contains("answer (libanswer.so.1)"), "{folded}");
    assert!(
        folded.lines().all(|line| line.starts_with("asker;")),
        "{folded}"
    );
}

#[test]
fn hits_of_a_breakpoint_are_recorded_and_reported_to_the_last_one() {
    let Some(_one) = may_run() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (library, program) = compiled(dir.path());
    let mut asker = asker(dir.path(), &program);
    let event = format!("uprobe:{}:answer", library.display());
    let path = dir.path().join("x.perf.data");
    let flags = ["-e", &event, "-F", "0", "--max-overhead", "100"];
    let record = Record::start(&path, &flags);
    assert_eq!(asker.ask(50), "done");
    sleep(Duration::from_millis(1200));
    let (path, _) = record.stop();
    let hits = 50 * CALLS_A_TIME;
    assert_eq!(exact(&trailer(&path)).get(&event), Some(&hits));

    let last = reported(&path);
    assert_eq!(total(&last, &event), hits);
    let stacks = last["stacks"].as_array().expect("stacks");
    let ours = |stack: &&Value| stack["function"] == event.as_str();
    let stack = stacks.iter().find(ours).expect("its stack");
    assert_eq!(stack["comm"], "asker", "{stack}");
    assert!(stack["frames"].to_string().contains("answer"), "{stack}");
    // Four of five calls are the function's own.
    let by_program = |stack: &Value| stack["frames"].to_string().contains("run (asker)");
    assert!(stacks.iter().filter(ours).any(by_program), "{stacks:?}");

    let Some(weights) = weights(&path) else {
        skip("perf is not installed");
        return;
    };
    assert_eq!(weights.values().sum::<u64>(), hits, "{weights:?}");
    let stacks = perf(&["script"], &path).expect("perf is installed");
    assert!(stacks.contains("answer+0x"), "{stacks}");
    assert!(stacks.contains("run+0x"), "the caller: {stacks}");
}
