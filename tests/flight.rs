//! The flight recorder's ring, read back: what a live engine saw is seen again, and a moment that
//! is asked for is the one that is shown.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use netop::decode::{Demand, EventKind, HostEvent, Session, Tick};
use netop::engine::{Counting, Engine, Progress, Registry, Settings};
use netop::error::Error;
use netop::flight::{Begin, Limits, Ring, segments};
use netop::mode::DemoNames;
use netop::model::{Want, format_time};
use netop::perfdata::Run;
use netop::source::demo::{Demo, Pace};
use netop::source::replay::{Cut, Flight, Options, Replay};
use netop::source::{Source, Step};
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);

/// Seconds of the made-up machine's free counters.
fn seconds(seed: u64, count: usize) -> (Session, Vec<Tick>) {
    let mut demo = Demo::new(
        seed,
        Pace::AsFastAsPossible,
        Registry::new(Vec::new()).specs(),
    );
    demo.demand(&Demand {
        interval: SECOND,
        ..Demand::default()
    });
    let mut ticks = Vec::new();
    while ticks.len() < count {
        if let Step::Tick(tick) = demo.step(Duration::ZERO).expect("the demo never fails") {
            ticks.push(*tick);
        }
    }
    (demo.session().clone(), ticks)
}

fn write(dir: &Path, session: &Session, boot: &str, ticks: &[Tick]) {
    let run = Run {
        netop: "test".to_owned(),
        interval_ns: SECOND.as_nanos() as u64,
        max_overhead_pct: 100.0,
        counting: "proc".to_owned(),
        ..Run::default()
    };
    let begin = Begin {
        run,
        session: session.clone(),
        boot: boot.to_owned(),
    };
    let limits = Limits {
        segment_ns: 4 * SECOND.as_nanos() as u64,
        ..Limits::default()
    };
    let mut ring = Ring::open(dir, limits, begin).expect("a ring");
    for tick in ticks {
        ring.tick(tick).expect("room");
    }
    ring.finish().expect("an end");
}

fn snapshots(source: Box<dyn Source>) -> Vec<Value> {
    let settings = Settings {
        max_overhead_pct: 100.0,
        counting: Counting::Proc,
        first_interval: None,
        banner: None,
        limits: netop::advice::Limits::default(),
        notes: Vec::new(),
        recorded: true,
    };
    let registry = Registry::new(Vec::new());
    let names = Box::new(DemoNames::default());
    let mut engine = Engine::new(source, names, registry, settings, Want::default());
    let mut shown = Vec::new();
    loop {
        match engine.step(Duration::from_secs(5)).expect("no fault") {
            Progress::Snapshot(snapshot) => {
                let mut value = serde_json::to_value(&*snapshot).expect("it is plain");
                // Who looked.
                value["host"]["source"] = Value::Null;
                value["health"]["governor"] = Value::Null;
                shown.push(value);
            }
            Progress::Working => {}
            Progress::End => return shown,
        }
    }
}

/// What was never written down.
struct Remembered {
    session: Session,
    ticks: std::vec::IntoIter<Tick>,
}

impl Source for Remembered {
    fn session(&self) -> &Session {
        &self.session
    }

    fn step(&mut self, _: Duration) -> Result<Step, Error> {
        let next = self.ticks.next();
        Ok(next.map_or(Step::End, |tick| Step::Tick(Box::new(tick))))
    }

    fn demand(&mut self, _: &Demand) {}
}

fn replayed(dir: &Path, cut: Cut) -> Vec<Value> {
    let flight = Flight::open(dir).expect("it was written just now");
    let options = Options {
        specs: Registry::new(Vec::new()).specs(),
        cut,
        ..Options::default()
    };
    snapshots(Box::new(
        Replay::of_flight(flight, options).expect("a thread"),
    ))
}

#[test]
fn the_ring_shows_every_second_as_it_was() {
    for seed in [1, 2, 3, 5] {
        let dir = tempfile::tempdir().expect("a directory");
        let (session, ticks) = seconds(seed, 11);
        write(dir.path(), &session, "b", &ticks);
        assert_eq!(segments(dir.path()).expect("files").len(), 3);
        let live = snapshots(Box::new(Remembered {
            session,
            ticks: ticks.into_iter(),
        }));
        let again = replayed(dir.path(), Cut::Every(SECOND.as_nanos() as u64));
        assert_eq!((live.len(), again.len()), (10, 10), "seed {seed}");
        for (live, again) in live.iter().zip(&again) {
            for (field, value) in live.as_object().expect("an object") {
                assert_eq!(value, &again[field], "seed {seed}, {field}");
            }
        }
    }
}

#[test]
fn a_recorder_that_was_away_leaves_a_longer_interval_and_a_boot_ends_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let (session, ticks) = seconds(1, 30);
    let begun = |tick: &Tick| Tick {
        interval_ns: 0,
        ..tick.clone()
    };
    let started = |from: usize, to: usize| [&[begun(&ticks[from])], &ticks[from + 1..to]].concat();
    write(dir.path(), &session, "first", &started(0, 5));
    write(dir.path(), &session, "first", &started(15, 20));
    write(dir.path(), &session, "second", &started(24, 30));
    let lengths = |cut| {
        let seconds =
            |snapshot: &Value| snapshot["interval_s"].as_f64().expect("a number").round() as u64;
        replayed(dir.path(), cut)
            .iter()
            .map(seconds)
            .collect::<Vec<u64>>()
    };
    assert_eq!(
        lengths(Cut::Whole),
        [19, 5],
        "up to the boot, and behind it"
    );
    let apart = lengths(Cut::Every(SECOND.as_nanos() as u64));
    assert_eq!(apart[4], 11, "{apart:?}");
    let whole = replayed(dir.path(), Cut::Whole);
    let events = whole[0]["events"].as_array().expect("a list");
    assert!(
        events
            .iter()
            .any(|event| event["text"] == "nothing was recorded for 11 s before")
    );
}

fn report(dir: &Path, flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["report", dir.to_str().expect("plain")])
        .args(flags)
        .env("TZ", "UTC")
        .output()
        .expect("it runs")
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |line| serde_json::from_str(line).expect("a line is JSON");
    text.lines().map(line).collect()
}

#[test]
fn a_moment_is_the_second_that_holds_it() {
    let dir = tempfile::tempdir().expect("a directory");
    let (session, mut ticks) = seconds(1, 20);
    let wall_ns = ticks[13].wall_ns;
    ticks[13].events.push(HostEvent {
        wall_ns,
        kind: EventKind::Link,
        device: Some("eth0".to_owned()),
        text: "eth0: link down".to_owned(),
    });
    write(dir.path(), &session, "b", &ticks);
    let end = |n: usize| format_time(ticks[n].wall_ns);
    // Half a second before the end of the 13th.
    let within = format_time(ticks[13].wall_ns - 500_000_000);
    let json = ["-b", "--format", "json"];
    let shown = lines(&report(
        dir.path(),
        &[&json[..], &["--at", &within]].concat(),
    ));
    let at: Vec<_> = shown.iter().map(|snapshot| &snapshot["at"]).collect();
    assert_eq!(at, [&Value::from(end(13))]);
    assert_eq!(shown[0]["events"][0]["text"], "eth0: link down");
    // The clock of the day, to the second.
    let clock = &end(7)[11..19];
    let shown = lines(&report(dir.path(), &[&json[..], &["--at", clock]].concat()));
    assert_eq!(shown[0]["at"], end(7), "{clock}");
    let part = ["--start", &end(4), "--stop", &end(9), "-d", "1"];
    let shown = lines(&report(dir.path(), &[&json[..], &part].concat()));
    let at: Vec<_> = shown
        .iter()
        .filter_map(|snapshot| snapshot["at"].as_str())
        .collect();
    let expected: Vec<String> = (5..=9).map(end).collect();
    assert_eq!(at, expected);
    let frame = report(
        dir.path(),
        &["--at", &within, "--keys", "<left>", "--size", "120x30"],
    );
    let frame = String::from_utf8_lossy(&frame.stdout).into_owned();
    assert!(frame.contains(&end(12)[11..19]), "{frame}");
    let frame = report(
        dir.path(),
        &["--at", &within, "--keys", "<right>", "--size", "120x30"],
    );
    let frame = String::from_utf8_lossy(&frame.stdout).into_owned();
    assert!(
        frame.contains("EVENTS") && frame.contains("eth0: link down"),
        "{frame}"
    );
}

#[test]
fn what_is_not_in_the_ring_is_said_with_what_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let empty = report(dir.path(), &["-b"]);
    assert_eq!(empty.status.code(), Some(1));
    let (session, ticks) = seconds(1, 3);
    write(dir.path(), &session, "b", &ticks);
    let said = |flags: &[&str]| {
        let output = report(dir.path(), flags);
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (code, text) = said(&["-b", "--at", "2001-01-01T00:00:00Z"]);
    assert!(
        code == Some(1) && text.contains(&format_time(ticks[2].wall_ns)),
        "{text}"
    );
    assert_eq!(said(&["-b", "--at", "noon"]).0, Some(2));
    assert_eq!(said(&["-b", "-i", "eth0"]).0, Some(2));
}
