//! A breakpoint in a recording: perf reads its hits with their stacks, and a report counts them.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::breakpoints::{CALLS_A_TIME, asker, compiled};
use crate::net::may_run;
use crate::record::{Record, exact, perf, trailer, weights};

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

    let report = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["report", "-b", "--format", "json"])
        .arg(&path)
        .output()
        .expect("netop starts");
    let text = String::from_utf8(report.stdout).expect("text");
    let last: Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    let rows = last["functions"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == event.as_str());
    assert_eq!(row.expect("its row")["total"], hits);
    let stacks = last["stacks"].as_array().expect("stacks");
    let ours = |stack: &&Value| stack["function"] == event.as_str();
    let stack = stacks.iter().find(ours).expect("its stack");
    assert_eq!(stack["comm"], "asker", "{stack}");
    assert!(stack["frames"].to_string().contains("answer"), "{stack}");
    // Four of five calls are the function's own.
    let by_program = |stack: &Value| stack["frames"].to_string().contains("run (asker)");
    assert!(stacks.iter().filter(ours).any(by_program), "{stacks:?}");

    let Some(weights) = weights(&path) else {
        eprintln!("skipped: perf is not installed");
        return;
    };
    assert_eq!(weights.values().sum::<u64>(), hits, "{weights:?}");
    let stacks = perf(&["script"], &path).expect("perf is installed");
    assert!(stacks.contains("answer+0x"), "{stacks}");
    assert!(stacks.contains("run+0x"), "the caller: {stacks}");
}
