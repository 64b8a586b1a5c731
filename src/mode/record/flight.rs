//! `netop record --flight`: the source alone, every second into the ring. No engine: what the
//! figures mean is worked out when somebody looks.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::said::say;
use crate::cli;
use crate::decode::{Demand, EventKind, HostEvent, Tick};
use crate::engine::Registry;
use crate::error::{Error, shell_word};
use crate::flight::{Begin, Limits, Ring};
use crate::host::{KernelLog, Proc, boot_id};
use crate::perfdata::Run;
use crate::source::live::{Live, Options};
use crate::source::{Source, Step};
use crate::sys::{OwnDir, Raised, Signals};

/// How long a signal waits at most.
const PATIENCE: Duration = Duration::from_millis(250);

const INTERVAL: Duration = Duration::from_secs(1);

/// Ticks that the first reading of the slower counters may take: before it there is nothing to
/// compare with.
const MOST_UNREAD: u32 = 5;

pub fn run(typed: &cli::Record) -> Result<(), Error> {
    let failed = |e: io::Error| Error::failed(format!("cannot watch signals: {e}"), "ulimit -n");
    let signals = Signals::watch().map_err(failed)?;
    // Its threads read other users' processes as long as they live; this one opens files in DIR.
    let rights = Raised::all();
    let mut source = Live::open(Options {
        specs: Registry::new(Vec::new()).specs(),
        tracefs: Err("the flight recorder attaches nothing".to_owned()),
        interval: INTERVAL,
        gate: None,
        clock: false,
        cpus: Arc::new([]),
    })?;
    drop(rights);
    source.demand(&Demand {
        interval: INTERVAL,
        ..Demand::default()
    });
    let begin = Begin {
        run: counted_only(),
        session: source.session().clone(),
        boot: boot_id(&Proc::host()),
    };
    let (_stays_open, mut ring) = open(&typed.dir, begin)?;
    let dir = typed.dir.display();
    say(&format!("flight recorder: the last day is kept in {dir}"));
    let started = Instant::now();
    let over = || typed.duration.is_some_and(|most| started.elapsed() >= most);
    let cannot = |error: io::Error| {
        Error::failed(
            format!("cannot write to {dir}: {error}"),
            format!("df -h {dir}"),
        )
    };
    let (mut is_first, mut unread) = (true, 0);
    while !signals.stop_asked() && !over() {
        if let Step::Tick(mut tick) = source.step(PATIENCE)? {
            if is_first {
                unread += 1;
                if tick.host.slow.is_none() && unread < MOST_UNREAD {
                    continue;
                }
                begin_with(&mut tick);
                is_first = false;
            }
            ring.session(source.session()).map_err(cannot)?;
            ring.tick(&tick).map_err(cannot)?;
        }
    }
    let bytes = ring.bytes().map_err(cannot)?;
    ring.finish().map_err(cannot)?;
    say(&format!(
        "flight recorder ended: {bytes} bytes in {dir}; netop report {dir}"
    ));
    Ok(())
}

/// With its directory: nobody else is to read what is on this host's network.
fn open(dir: &Path, begin: Begin) -> Result<(OwnDir, Ring), Error> {
    let opened = OwnDir::create(dir).and_then(|own| {
        let ring = Ring::open(&own.path(), Limits::default(), begin)?;
        Ok((own, ring))
    });
    opened.map_err(|error| {
        let dir = dir.display();
        match error.kind() {
            io::ErrorKind::WouldBlock => Error::failed(
                format!("another flight recorder writes to {dir}"),
                format!(
                    "fuser {}, or netop record --flight --dir OTHER",
                    shell_word(&format!("{dir}/lock"))
                ),
            ),
            _ => Error::failed(
                format!("cannot record into {dir}: {error}"),
                "netop record --flight --dir DIR",
            ),
        }
    })
}

/// Where all counters begin.
fn begin_with(tick: &mut Tick) {
    tick.interval_ns = 0;
    let mut tell = |text: String| {
        tick.events.push(HostEvent {
            wall_ns: tick.wall_ns,
            kind: EventKind::Recorder,
            device: None,
            text,
        });
    };
    tell(format!(
        "the flight recorder began (netop {})",
        env!("CARGO_PKG_VERSION")
    ));
    if let Err(error) = KernelLog::open() {
        tell(format!(
            "the kernel's log cannot be read (needs CAP_SYSLOG): {error}"
        ));
    }
}

/// How a replay is to count.
fn counted_only() -> Run {
    Run {
        netop: env!("CARGO_PKG_VERSION").to_owned(),
        interval_ns: INTERVAL.as_nanos() as u64,
        max_overhead_pct: 100.0,
        counting: "proc".to_owned(),
        ..Run::default()
    }
}
