//! `netop -b`: the same snapshots without a screen, one after the other.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::said::say;
use crate::cli;
use crate::engine::{Engine, Progress};
use crate::error::Error;
use crate::export;
use crate::model::{Snapshot, Want};
use crate::sys::{Signals, open_own_file};

/// How long a signal waits at most. Each wake-up takes 50 µs.
const PATIENCE: Duration = Duration::from_millis(200);

/// How long a snapshot waits for names of functions whose files are being read: nobody asks the
/// first or the last of them again.
const FOR_NAMES: Duration = Duration::from_millis(150);
const FOR_NAMES_AT_LAST: Duration = Duration::from_secs(2);

/// How long the partial interval may take after an interrupt: a busy or slow host reads its counts late,
/// and without them the sum of all intervals lacks what it had. A second interrupt ends it.
const LAST: Duration = Duration::from_secs(9);

/// Prints snapshots until `typed.count`, a signal, the end of the source, or a closed pipe.
/// Returns how many.
pub fn run(engine: Engine, want: Want, typed: &cli::Live) -> Result<u64, Error> {
    let mut printer = Printer::new(typed)?;
    let mut shown = 0;
    drive(engine, want, typed.count, |snapshot| {
        shown += 1;
        printer.print(snapshot)
    })?;
    Ok(shown)
}

/// Gives `take` snapshots until there were `count`, a signal (after the partial interval), the end
/// of the source, or its refusal.
pub fn drive(
    mut engine: Engine,
    mut want: Want,
    count: Option<u64>,
    mut take: impl FnMut(&Arc<Snapshot>) -> Result<bool, Error>,
) -> Result<(), Error> {
    let failed = |e: io::Error| Error::failed(format!("cannot watch signals: {e}"), "ulimit -n");
    let signals = Signals::watch().map_err(failed)?;
    let started = signals.end_by_deadline(|| {});
    started.map_err(|e| Error::no_thread(&e))?;
    // Only what waits for a reader is cut short.
    signals.take_time(true);
    let mut give = |snapshot: &Arc<Snapshot>| {
        signals.take_time(false);
        let goes_on = take(snapshot);
        signals.take_time(true);
        goes_on
    };
    let mut left = count;
    while left != Some(0) {
        engine.be_patient(match left {
            Some(1) => FOR_NAMES_AT_LAST,
            _ => (want.interval / 4).min(FOR_NAMES),
        });
        if signals.stop_asked() {
            want.interval = Duration::from_millis(1);
            engine.want(want);
            // Nobody waits for names who wants it to end.
            engine.be_patient(FOR_NAMES);
            let until = Instant::now() + LAST;
            while Instant::now() < until {
                if let Progress::Snapshot(partial) = engine.step(PATIENCE)? {
                    give(&partial)?;
                    return Ok(());
                }
            }
            say("the last interval is not shown: it was not read in time");
            return Ok(());
        }
        match engine.step(PATIENCE)? {
            Progress::Working => {}
            Progress::Snapshot(snapshot) => {
                if !give(&snapshot)? {
                    return Ok(());
                }
                left = left.map(|left| left - 1);
            }
            Progress::End => return Ok(()),
        }
    }
    Ok(())
}

/// Empty, and this user's alone. A device (/dev/null) takes what it is given.
fn output(path: &Path) -> io::Result<File> {
    let is_device = |meta: Metadata| meta.file_type().is_char_device();
    if fs::symlink_metadata(path).is_ok_and(is_device) {
        return OpenOptions::new().write(true).open(path);
    }
    let file = open_own_file(path)?;
    file.set_len(0)?;
    Ok(file)
}

struct Printer {
    out: Box<dyn Write>,
    format: &'static export::Format,
    table: &'static export::Table,
    begun: bool,
}

impl Printer {
    fn new(typed: &cli::Live) -> Result<Printer, Error> {
        let batch = &typed.batch;
        let unknown = |what: &str| Error::usage(format!("there is no {what}"), "netop --help");
        let out: Box<dyn Write> = match &batch.output {
            None => Box::new(io::stdout()),
            Some(path) => Box::new(output(path).map_err(|error| {
                Error::failed(
                    format!("cannot write {}: {error}", path.display()),
                    "netop -b -o FILE",
                )
            })?),
        };
        Ok(Printer {
            out,
            format: export::format(&batch.format).ok_or_else(|| unknown(&batch.format))?,
            table: export::table(&batch.table).ok_or_else(|| unknown(&batch.table))?,
            begun: false,
        })
    }

    /// False: the reader has gone, which is no error.
    fn print(&mut self, snapshot: &Snapshot) -> Result<bool, Error> {
        let mut text = String::new();
        if !self.begun {
            self.begun = true;
            text.push_str(&(self.format.header)(self.table));
        }
        text.push_str(&(self.format.write)(self.table, snapshot));
        match self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush())
        {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Error::failed(format!("cannot write: {error}"), "df -h")),
        }
    }
}
