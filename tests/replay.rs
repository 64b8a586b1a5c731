//! A recording of netop shows what the run that made it showed: every snapshot of it again, or all
//! of it as one. On the made-up machine; `tests/live` does the same with a real kernel.

use std::path::Path;
use std::time::Duration;

use netop::engine::{Counting, Engine, Progress, Registry, Settings};
use netop::mode::DemoNames;
use netop::model::{Want, parse_time};
use netop::source::demo::{Demo, Pace};
use netop::source::replay::{Cut, Moment, Opened, Options, Part, Replay};
use serde_json::Value;

use tape::{json, tape};

#[path = "tape/mod.rs"]
mod tape;

const NONE: Duration = Duration::ZERO;

fn want() -> Want {
    Want {
        interval: Duration::from_millis(500),
        ..Want::default()
    }
}

fn settings(recorded: bool) -> Settings {
    Settings {
        max_overhead_pct: 100.0,
        counting: Counting::Perf,
        first_interval: None,
        banner: None,
        limits: netop::advice::Limits::default(),
        notes: Vec::new(),
        recorded,
    }
}

/// Records so many snapshots of the made-up machine, and gives them.
fn record(dir: &Path, seed: u64, snapshots: usize) -> Vec<Value> {
    let registry = Registry::new(Vec::new());
    let demo = Demo::new(seed, Pace::AsFastAsPossible, registry.specs());
    let mut tape = tape(dir, netop::source::Source::session(&demo));
    let names = Box::new(DemoNames::default());
    let mut engine = Engine::new(Box::new(demo), names, registry, settings(false), want());
    let mut shown = Vec::new();
    while shown.len() < snapshots {
        if let Progress::Snapshot(snapshot) = engine
            .step_past(NONE, Some(&mut tape))
            .expect("the demo never fails")
        {
            shown.push(json(&snapshot));
        }
    }
    tape.finish();
    shown
}

fn replay(dir: &Path, cut: Cut, part: Part) -> Vec<Value> {
    let opened = Opened::open(&dir.join("x.perf.data")).expect("it was written just now");
    assert!(opened.is_netops());
    let registry = Registry::new(Vec::new());
    let options = Options {
        specs: registry.specs(),
        cut,
        part,
        ..Options::default()
    };
    let as_it_was = cut == Cut::Recorded && part == Part::default();
    let source = Box::new(Replay::start(opened, options).expect("a thread"));
    let names = Box::new(DemoNames::default());
    let mut engine = Engine::new(source, names, registry, settings(!as_it_was), want());
    let mut shown = Vec::new();
    loop {
        match engine.step(Duration::from_secs(5)).expect("no fault") {
            Progress::Snapshot(snapshot) => shown.push(json(&snapshot)),
            Progress::Working => {}
            Progress::End => return shown,
        }
    }
}

fn calls(snapshot: &Value, function: &str) -> u64 {
    let functions = snapshot["functions"].as_array().expect("a list");
    let row = functions.iter().find(|row| row["name"] == function);
    row.expect("a row")["calls"].as_u64().expect("counted")
}

#[test]
fn a_replay_shows_every_snapshot_of_the_run_again() {
    for seed in [1, 2, 3, 5, 8, 13, 21, 34] {
        let dir = tempfile::tempdir().expect("a directory");
        let live = record(dir.path(), seed, 4);
        let again = replay(dir.path(), Cut::Recorded, Part::default());
        assert_eq!(live.len(), again.len(), "seed {seed}");
        for (live, again) in live.iter().zip(&again) {
            for (field, value) in live.as_object().expect("an object") {
                assert_eq!(value, &again[field], "seed {seed}, {field}");
            }
        }
    }
}

#[test]
fn all_of_it_as_one_has_the_sum_of_the_calls_and_its_length() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = record(dir.path(), 7, 5);
    let whole = replay(dir.path(), Cut::Whole, Part::default());
    let [whole] = &whole[..] else {
        panic!("{} snapshots", whole.len())
    };
    for function in ["dev_queue_xmit", "napi_gro_receive", "net_rx_action"] {
        let sum: u64 = live.iter().map(|snapshot| calls(snapshot, function)).sum();
        assert_eq!(calls(whole, function), sum, "{function}");
    }
    assert!((whole["interval_s"].as_f64().expect("a number") - 2.5).abs() < 1e-9);
    assert_eq!(whole["at"], live[4]["at"]);
}

#[test]
fn a_part_has_the_calls_of_its_intervals() {
    let dir = tempfile::tempdir().expect("a directory");
    let live = record(dir.path(), 7, 6);
    let at = |index: usize| {
        let at = live[index]["at"].as_str().and_then(parse_time);
        Some(Moment::Wall(at.expect("a time")))
    };
    let part = Part {
        start: at(0),
        stop: at(2),
    };
    let shown = replay(dir.path(), Cut::Whole, part);
    let sum = calls(&live[1], "dev_queue_xmit") + calls(&live[2], "dev_queue_xmit");
    assert_eq!(calls(&shown[0], "dev_queue_xmit"), sum);
    assert_eq!(shown[0]["at"], live[2]["at"]);
    let apart = replay(dir.path(), Cut::Every(500_000_000), part);
    let calls_of = |shown: &[Value]| -> Vec<u64> {
        shown.iter().map(|s| calls(s, "dev_queue_xmit")).collect()
    };
    assert_eq!(calls_of(&apart), calls_of(&live[1..3]));
}
