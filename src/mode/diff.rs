//! `netop diff BEFORE AFTER`: two measurements from files, compared.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use super::{batch, printed, report, save};
use crate::cli;
use crate::error::{Error, shell_word};
use crate::export::{self, LARGEST, Profile, Recorded, compared, svg};
use crate::model::compare::compare;
use crate::model::format_time;
use crate::source::replay::Opened;
use crate::sys::open_regular;

/// Of what a recording is cut into.
const SECOND: Duration = Duration::from_secs(1);

/// How a file to compare is made.
const MAKE: &str = "netop -b -n 60 --format json -o before.json";

pub fn run(typed: &cli::Diff) -> Result<(), Error> {
    if let Some(path) = &typed.output {
        save::may_write(path).map_err(|error| not_written(path, &error))?;
    }
    let before = read(&typed.before)?;
    let after = read(&typed.after)?;
    let text = match (&typed.to, typed.format.as_str()) {
        (Some(_), _) => picture(typed, &before, &after)?,
        (None, "json") => compared::json(&compare(&before.measured, &after.measured)),
        (None, _) => compared::page(&compare(&before.measured, &after.measured)),
    };
    match &typed.output {
        Some(path) => save::whole(path, text.as_bytes()).map_err(|e| not_written(path, &e)),
        None => printed(io::stdout().write_all(text.as_bytes())),
    }
}

/// The differential flame graph, of the heaviest stacks of each snapshot.
fn picture(typed: &cli::Diff, before: &Recorded, after: &Recorded) -> Result<String, Error> {
    let nothing = |path| {
        let what = format!("{} has no stacks of CPU time", shown(path));
        Error::nothing(what, MAKE)
    };
    for (side, path) in [(before, &typed.before), (after, &typed.after)] {
        if side.stacks.is_empty() {
            return Err(nothing(path));
        }
    }
    let no_lines = BTreeMap::new();
    let [then, now] = [before, after].map(|side| {
        let origin = &side.measured.origin;
        Profile {
            title: format!("{}, {:.0} s", origin.hostname, side.measured.seconds()),
            subtitle: format!("{} until {}", origin.kernel, format_time(origin.at)),
            stacks: &side.stacks,
            lines: &no_lines,
            at: side.measured.origin.at,
            seconds: side.measured.seconds(),
        }
    });
    svg::difference(&then, &now).ok_or_else(|| nothing(&typed.after))
}

fn read(path: &Path) -> Result<Recorded, Error> {
    let failed = |error: &io::Error| {
        let name = shown(path);
        Error::failed(
            format!("cannot read {name}: {error}"),
            format!("ls -l {}", shell_word(&name)),
        )
    };
    if report::is_recording(path) {
        return recording(path);
    }
    let mut file = open(path)?;
    let mut recorded = Recorded::default();
    let mut number = 1;
    let mut text = String::new();
    loop {
        text.clear();
        let more = (&mut file).take(LARGEST as u64 + 1).read_line(&mut text);
        let more = more.map_err(|error| match error.kind() {
            // What it is instead (compressed, a program), a reader of recordings knows.
            io::ErrorKind::InvalidData if number == 1 => report::what_else(path)
                .unwrap_or_else(|| refused(path, "line 1 is no text (UTF-8)")),
            io::ErrorKind::InvalidData => {
                refused(path, &format!("line {number} is no text (UTF-8)"))
            }
            _ => failed(&error),
        })?;
        if more == 0 {
            break;
        }
        // An indented object goes over many lines, and is the only one.
        if number == 1 && text.trim_end() == "{" {
            let rest = (&mut file).take(LARGEST as u64).read_to_string(&mut text);
            rest.map_err(|error| failed(&error))?;
        }
        if !text.trim().is_empty() {
            match recorded.take(number, &text) {
                Ok(()) => {}
                // netop was killed while it wrote the last line.
                Err(why) if why.cut_off && number > 1 && !text.ends_with('\n') => break,
                Err(why) if number == 1 => {
                    let known = report::what_else(path);
                    return Err(known.unwrap_or_else(|| refused(path, &why.why)));
                }
                Err(why) => return Err(refused(path, &why.why)),
            }
        }
        number += 1;
    }
    if recorded.measured.snapshots == 0 {
        return Err(refused(path, "it is empty"));
    }
    Ok(recorded)
}

/// A recording, second by second.
fn recording(path: &Path) -> Result<Recorded, Error> {
    let (engine, want) = report::open(&cli::Report::quiet(path, Some(SECOND)))?;
    let undated = !Opened::open(path)?.is_dated();
    let mut recorded = Recorded::default();
    let mut number = 1;
    let (mut samples, mut unnamed) = (0, 0);
    batch::drive(engine, want, None, |snapshot| {
        let met = snapshot.health.cpu_samples.unwrap_or(0);
        samples += met;
        if snapshot.spent.is_none() {
            unnamed += met;
        }
        let taken = recorded.take(number, &export::json::line(snapshot));
        number += 1;
        taken.map_err(|why| refused(path, &why.why)).map(|()| true)
    })?;
    if recorded.measured.snapshots == 0 {
        let what = format!("{} has no sample", shown(path));
        return Err(Error::nothing(
            what,
            format!("netop report {} -b", shown(path)),
        ));
    }
    recorded.measured.undated = undated;
    recorded.measured.leave_unnamed(unnamed, samples);
    Ok(recorded)
}

fn open(path: &Path) -> Result<BufReader<File>, Error> {
    let failed = |why: &str| {
        let name = shown(path);
        Error::failed(
            format!("cannot read {name}: {why}"),
            format!("ls -l {}", shell_word(&name)),
        )
    };
    let file = open_regular(path, u64::MAX).map_err(|error| failed(&error.to_string()))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

fn refused(path: &Path, why: &str) -> Error {
    Error::failed(
        format!(
            "{} is no snapshot of netop: {}",
            shown(path),
            export::clean(why)
        ),
        MAKE,
    )
}

fn not_written(path: &Path, error: &io::Error) -> Error {
    Error::failed(
        format!("cannot write {}: {error}", shown(path)),
        "netop diff BEFORE AFTER -o FILE",
    )
}

fn shown(path: &Path) -> String {
    export::clean(&path.display().to_string()).into_owned()
}
