//! Ctrl-P on this host: a breakpoint and a filter are added while netop runs, and taken away again.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::breakpoints::{asker, compiled};
use crate::net::may_run;

/// The last frame after these keys, an interval of 100 ms after each.
fn frame(keys: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["-d", "0.1", "-n", "2", "--size", "120x40", "--keys", keys])
        .output()
        .expect("netop starts");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_breakpoint_is_added_while_netop_runs_counted_and_taken_away_again() {
    let Some(_one) = may_run() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let (library, program) = compiled(dir.path());
    let mut asker = asker(dir.path(), &program);
    let event = format!("uprobe:{}:answer", library.display());
    let toggle = format!("<c-p>{event}<enter>");
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Bounded: a frame that fails must not leave the scope waiting.
            for _ in 0..1000 {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                assert_eq!(asker.ask(1), "done");
                thread::sleep(Duration::from_millis(20));
            }
        });
        let added = frame(&format!("{toggle}jkjkjkjkjk"));
        let removed = frame(&format!("{toggle}jk{toggle}"));
        ended.store(true, Ordering::Relaxed);
        let row = added.lines().find(|line| line.contains("uprobe:…answer"));
        let row = row.unwrap_or_else(|| panic!("no row of it\n{added}"));
        let total = row.split_whitespace().rev().nth(1).expect("TOTAL");
        assert!(row.contains("bpf*") || row.contains("perf*"), "{row}");
        assert!(!["0", "–"].contains(&total), "{row}");
        let row = |line: &str| line.contains("uprobe:…answer");
        assert!(!removed.lines().any(row), "{removed}");
        assert!(removed.contains("removed; totals restart"), "{removed}");
    });
}

#[test]
fn a_filter_that_the_kernel_would_refuse_is_marked_and_can_be_mended() {
    let Some(_one) = may_run() else { return };
    let wrong = "<c-p>net:net_dev_queue:nose>1<enter>";
    let said = frame(wrong);
    assert!(said.contains("^ there is no field"), "{said}");
    assert!(
        said.contains("add or remove: net:net_dev_queue:nose>1"),
        "{said}"
    );
    let mended = frame(&format!("{wrong}<bs><bs><bs><bs><bs><bs>len>1<enter>jk"));
    assert!(mended.contains(" net:net_dev_queue:len"), "{mended}");
}
