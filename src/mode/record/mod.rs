//! `netop record`: the normal engine, with a tape on its tap.

mod flight;
mod output;
mod progress;
mod symbols;
mod tape;

use std::io;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::output::Output;
use self::progress::{Progress, summary};
use self::tape::Tape;
use super::said::say;
use super::{Origin, save};
use crate::cli;
use crate::decode::EventId;
use crate::engine::{self, BEING_ATTACHED, Engine, Observer, Registry, by_reason, uncounted};
use crate::error::Error;
use crate::host::{Proc, identity, possible_cpus};
use crate::model::{Snapshot, Want};
use crate::perfdata::{Begin, ClockPair, Run};
use crate::plan::{self, Plan};
use crate::probe::Probe;
use crate::source::demo::Pace;
use crate::sys::{
    Raised, Signals, close_in_child, exit_now, monotonic_ns, terminate, wall_ns,
    with_callers_rights,
};

/// How long a signal waits at most.
const PATIENCE: Duration = Duration::from_millis(50);

/// Steps that the last interval may take: at most about a second.
const LAST_STEPS: usize = 20;

/// The demo's machine has fewer CPUs.
const DEMO_CPUS: u32 = 64;

/// Exit code of a command that a signal ended, as shells have it.
const SIGNALLED: u8 = 128;

/// Records until it is told to stop, and says what it kept.
pub fn run(typed: &cli::Record) -> Result<(), Error> {
    if typed.flight {
        return flight::run(typed);
    }
    let plan = plan::record(typed)?;
    let said_before = plan.settings.notes.clone();
    for note in &said_before {
        say(note);
    }
    let begin = begin(typed, &plan);
    let path = typed.output.clone().unwrap_or_else(default_name);
    let failed = |e: io::Error| Error::failed(format!("cannot watch signals: {e}"), "ulimit -n");
    let signals = Signals::watch().map_err(failed)?;
    let (output, out, spill) = Output::create(&path)?;
    let tape = Tape::new(output, out, spill, begin);
    // All files that the user named are open: from here on other users' processes and programs are read.
    let _rights = Raised::all();
    let want = plan.want.clone();
    let origin = if typed.demo {
        Origin::MadeUp(1, Pace::RealTime)
    } else {
        Origin::Host
    };
    let engine = origin.engine(plan)?;
    let mut recording = Recording {
        engine,
        tape,
        want,
        signals,
        command: None,
        missing: Missing::default(),
    };
    let ended = recording.drive(typed);
    let code = recording.end_command();
    if let Err(error @ Error::Nothing { .. }) = ended {
        recording.tape.discard();
        return Err(error);
    }
    let (kept, cut) = recording.tape.finish(recording.engine.names());
    let kept = kept.map_err(|error| {
        let what = format!("cannot complete {}: {error}", path.display());
        Error::failed(what, "df -h")
    })?;
    // What could not be counted or read is not in the file.
    for note in recording.missing.notes() {
        if !said_before.contains(&note) {
            say(&format!("note: {note}"));
        }
    }
    let said = summary(&kept, &path);
    if let Some(error) = cut {
        let what = format!("recording stopped early ({error}): kept {said}");
        return Err(Error::failed(what, "df -h"));
    }
    ended?;
    say(&format!("recorded {said}"));
    match code {
        None | Some(0) => Ok(()),
        Some(code) => {
            close_in_child();
            exit_now(code)
        }
    }
}

struct Recording {
    engine: Engine,
    tape: Tape,
    want: Want,
    signals: Signals,
    command: Option<Child>,
    missing: Missing,
}

/// What is not in the file, of all its whole intervals.
#[derive(Default)]
struct Missing {
    intervals: u32,
    notes: Vec<String>,
    /// Rows that were not counted and why, the first reason of each.
    rows: Vec<(Arc<str>, Arc<str>)>,
}

impl Missing {
    fn learn(&mut self, snapshot: &Snapshot) {
        self.intervals += 1;
        let rows = uncounted(&snapshot.functions);
        for note in (snapshot.health.notes.iter()).filter(|note| !rows.contains(note)) {
            // The same of another number is no news.
            let text = |note: &str| {
                note.trim_start_matches(|c: char| c.is_ascii_digit())
                    .to_owned()
            };
            if self.notes.iter().all(|known| text(known) != text(note)) {
                self.notes.push(note.clone());
            }
        }
        for row in snapshot.functions.iter().filter(|row| row.calls.is_none()) {
            let reason = row
                .reason
                .as_ref()
                .filter(|reason| ***reason != *BEING_ATTACHED);
            let Some(reason) = reason else { continue };
            if self.rows.iter().all(|(name, _)| *name != row.name) {
                self.rows.push((row.name.clone(), reason.clone()));
            }
        }
    }

    fn notes(&self) -> impl Iterator<Item = String> {
        let rows = self.rows.iter().map(|(name, reason)| (&**name, &**reason));
        self.notes.iter().cloned().chain(by_reason(rows))
    }
}

impl Recording {
    /// Until a signal, the end of the time, of the command, or of the disk.
    fn drive(&mut self, typed: &cli::Record) -> Result<(), Error> {
        let mut progress = Progress::start();
        let mut until = None;
        loop {
            let over = until.is_some_and(|until| Instant::now() >= until);
            if over || self.signals.stop_asked() || self.command_ended() {
                return self.last_interval();
            }
            match self.engine.step_past(PATIENCE, Some(&mut self.tape))? {
                engine::Progress::End => return Ok(()),
                engine::Progress::Snapshot(snapshot) => {
                    self.missing.learn(&snapshot);
                }
                engine::Progress::Working => {}
            }
            if !self.signals.hung_up() {
                progress.show(self.tape.recorded());
            }
            if until.is_none() && self.engine.is_warm() {
                let most = Duration::from_secs(u64::from(u32::MAX));
                until = Some(Instant::now() + typed.duration.unwrap_or(most));
                self.start_command(typed)?;
            }
        }
    }

    fn last_interval(&mut self) -> Result<(), Error> {
        self.want.interval = Duration::from_millis(1);
        self.engine.want(self.want.clone());
        // On a busy machine a sampler may be late for the first: the second has what it counted.
        let mut left = 2;
        for _ in 0..LAST_STEPS {
            match self.engine.step_past(PATIENCE, Some(&mut self.tape))? {
                engine::Progress::Working => {}
                engine::Progress::Snapshot(snapshot) => {
                    // It is short, and windows may have missed it: whole ones know better.
                    if self.missing.intervals == 0 {
                        self.missing.learn(&snapshot);
                    }
                    left -= 1;
                }
                engine::Progress::End => left = 0,
            }
            if left == 0 {
                break;
            }
        }
        Ok(())
    }

    /// Everything is attached: what it does from its first moment on is recorded.
    fn start_command(&mut self, typed: &cli::Record) -> Result<(), Error> {
        let Some((program, words)) = typed.command.split_first() else {
            return Ok(());
        };
        // It is looked for and started as the caller could.
        let started = with_callers_rights(|| Command::new(program).args(words).spawn());
        self.command = Some(started.map_err(|error| {
            let program = program.to_string_lossy().replace(char::is_control, "?");
            Error::unavailable(
                format!("cannot start {program}: {error}"),
                "netop record -- COMMAND, one that `command -v` finds",
            )
        })?);
        Ok(())
    }

    fn command_ended(&mut self) -> bool {
        let command = self.command.as_mut();
        command.is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// Its exit code, if there is one; it is asked to end if it has not.
    fn end_command(&mut self) -> Option<u8> {
        let mut child = self.command.take()?;
        if let Some(status) = child.try_wait().ok()? {
            return Some(status.code().map_or(SIGNALLED, |code| code as u8));
        }
        terminate(child.id());
        None
    }
}

fn default_name() -> PathBuf {
    let host = identity(&Proc::host()).hostname;
    save::file_name(&host, wall_ns(), "perf.data").into()
}

fn begin(typed: &cli::Record, plan: &Plan) -> Begin {
    let (want, registry, settings) = (&plan.want, &plan.registry, &plan.settings);
    let added = registry.rows.iter().filter_map(|row| match &row.probe {
        Observer::Added(added) => Some(added.function().to_owned()),
        Observer::Listed(_) => None,
    });
    let cpus = if typed.demo {
        (0..DEMO_CPUS).collect()
    } else {
        possible_cpus(&Proc::host())
    };
    Begin {
        run: Run {
            netop: env!("CARGO_PKG_VERSION").to_owned(),
            interval_ns: want.interval.as_nanos() as u64,
            clock_hz: want.clock_hz,
            max_overhead_pct: settings.max_overhead_pct,
            counting: settings.counting.name().to_owned(),
            exact: want.exact.iter().cloned().collect(),
            only: want.only,
            added: added.collect(),
            pids: want.pids.clone(),
            children: want.children,
            device: want.device.clone(),
            banner: settings.banner.clone(),
            notes: settings.notes.clone(),
        },
        events: recorded_events(want, registry),
        // Softirqs' beginnings and ends, each hit for its time; NET_RX and NET_TX are events too.
        silent: registry.softirq.to_vec(),
        cpus,
        cmdline: std::env::args_os()
            .map(|word| word.to_string_lossy().into_owned())
            .collect(),
        clocks: ClockPair {
            monotonic_ns: monotonic_ns(),
            wall_ns: wall_ns(),
        },
    }
}

/// Ascending.
fn recorded_events(want: &Want, registry: &Registry) -> Vec<EventId> {
    let rows = registry.rows.iter();
    let wanted = rows.filter(|row| !want.only || want.exact.contains(row.probe.function()));
    let timing = registry.softirq.into_iter().filter(|_| !want.only);
    let mut events: Vec<_> = wanted.flat_map(|row| row.events.iter().copied()).collect();
    events.extend(timing);
    events
}
