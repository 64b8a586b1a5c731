//! A recording of the real kernel shows what the run that made it showed.

use std::net::UdpSocket;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::netop::engine::{Counting, Engine, Progress, Registry, Settings};
use ::netop::mode::DemoNames;
use ::netop::model::Want;
use ::netop::source::Source;
use ::netop::source::live::{Live, Options};
use ::netop::source::replay::{self, Opened, Replay};
use ::netop::sys::Tracefs;
use serde_json::Value;

use crate::net::may_run;
use crate::tape::{Tape, json, tape};

const SNAPSHOTS: usize = 4;

/// Names of this kernel are not the point: addresses are their own.
fn engine(source: Box<dyn Source>, registry: Registry) -> Engine {
    let settings = Settings {
        max_overhead_pct: 50.0,
        counting: Counting::Perf,
        first_interval: None,
        banner: None,
        limits: ::netop::advice::Limits::default(),
        notes: Vec::new(),
        recorded: false,
    };
    let want = Want {
        interval: Duration::from_millis(500),
        ..Want::default()
    };
    Engine::new(
        source,
        Box::new(DemoNames::default()),
        registry,
        settings,
        want,
    )
}

fn shown(engine: &mut Engine, mut tape: Option<&mut Tape>) -> Vec<Value> {
    let mut shown = Vec::new();
    while shown.len() < SNAPSHOTS {
        let tap = tape.as_mut().map(|tape| &mut **tape as _);
        match engine
            .step_past(Duration::from_secs(1), tap)
            .expect("no fault")
        {
            Progress::Snapshot(snapshot) => shown.push(json(&snapshot)),
            Progress::Working => {}
            Progress::End => break,
        }
    }
    shown
}

fn record(dir: &Path) -> Vec<Value> {
    let registry = Registry::new(Vec::new());
    let live = Live::open(Options {
        specs: registry.specs(),
        tracefs: Tracefs::find_or_mount(),
        interval: Duration::from_millis(500),
        gate: None,
        clock: true,
        cpus: Vec::new().into(),
    });
    let live = live.expect("events");
    let mut tape = tape(dir, live.session());
    let shown = shown(&mut engine(Box::new(live), registry), Some(&mut tape));
    tape.finish();
    shown
}

#[test]
fn a_replay_shows_every_snapshot_of_a_live_run_again() {
    let Some(_one) = may_run() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let over = AtomicBool::new(false);
    let live = std::thread::scope(|scope| {
        scope.spawn(|| {
            let [from, to] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a socket"));
            let address = to.local_addr().expect("an address");
            while !over.load(Ordering::Relaxed) {
                from.send_to(&[7; 200], address).expect("loopback takes it");
                to.recv(&mut [0; 300]).expect("it comes");
            }
        });
        let live = record(dir.path());
        over.store(true, Ordering::Relaxed);
        live
    });
    let opened = Opened::open(&dir.path().join("x.perf.data")).expect("it was written just now");
    let registry = Registry::new(Vec::new());
    let options = replay::Options {
        specs: registry.specs(),
        cut: replay::Cut::Recorded,
        ..replay::Options::default()
    };
    let source = Replay::start(opened, options).expect("a thread");
    let again = shown(&mut engine(Box::new(source), registry), None);
    assert_eq!(again.len(), live.len());
    let sent = &live[2]["functions"][2];
    assert!(
        sent["calls"].as_u64().is_some_and(|calls| calls > 100),
        "{sent}"
    );
    for (number, (live, again)) in live.iter().zip(&again).enumerate() {
        for (field, value) in live.as_object().expect("an object") {
            assert_eq!(value, &again[field], "snapshot {number}, {field}");
        }
    }
}
