//! A recording without its names, made by an engine of the test's own; and snapshots to compare.

use std::fs::{File, OpenOptions};
use std::path::Path;

use ::netop::decode::{Batch, EventId, Session, Tick};
use ::netop::engine::Tap;
use ::netop::error::Error;
use ::netop::model::{Names, Snapshot};
use ::netop::perfdata::{Begin, ClockPair, Ending, Run, Writer};
use serde_json::Value;

/// Writes what passes.
pub struct Tape(Option<Writer>);

impl Tape {
    pub fn finish(&mut self) {
        let writer = self.0.take().expect("once");
        writer.finish(Ending::default()).expect("room");
    }
}

impl Tap for Tape {
    fn batch(&mut self, _: &Session, batch: &Batch, _: &mut dyn Names) -> Result<(), Error> {
        self.0.as_mut().expect("not finished").batch(batch);
        Ok(())
    }

    fn tick(
        &mut self,
        session: &Session,
        tick: &Tick,
        shown: bool,
        _: &mut dyn Names,
    ) -> Result<(), Error> {
        let writer = self.0.as_mut().expect("not finished");
        writer.tick(session, tick, shown).expect("there is room");
        Ok(())
    }
}

pub fn tape(dir: &Path, session: &Session) -> Tape {
    let run = Run {
        netop: "test".to_owned(),
        interval_ns: 500_000_000,
        clock_hz: 199,
        max_overhead_pct: 100.0,
        counting: "perf".to_owned(),
        ..Run::default()
    };
    let begin = Begin {
        run,
        events: (0..session.events.len() as u16).map(EventId).collect(),
        silent: Vec::new(),
        cpus: session.host.cpus.clone(),
        cmdline: vec!["netop".to_owned(), "record".to_owned()],
        clocks: ClockPair {
            monotonic_ns: 1,
            wall_ns: 2,
        },
    };
    let mut options = OpenOptions::new();
    let spill = options.read(true).write(true).create_new(true);
    let spill = spill.open(dir.join("spill")).expect("a file");
    let out = File::create(dir.join("x.perf.data")).expect("a file");
    Tape(Some(
        Writer::begin(out, spill, begin, session).expect("room"),
    ))
}

/// What was seen, without who looked.
pub fn json(snapshot: &Snapshot) -> Value {
    let mut value = serde_json::to_value(snapshot).expect("it is plain");
    value["host"]["source"] = Value::Null;
    value
}
