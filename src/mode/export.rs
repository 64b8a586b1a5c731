//! `netop export`: call stacks for other programs, of this host now or of a snapshot from before.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::said::say;
use super::{Origin, batch, printed, report, save};
use crate::cli;
use crate::error::{Error, shell_word};
use crate::export::{self, Profile, Saved};
use crate::model::{STACKS_EXPORTED, Snapshot, Stack, format_time, parse_time};
use crate::plan;
use crate::source::demo::Pace;
use crate::source::replay::Opened;
use crate::sys::open_regular;

/// A stream of snapshots has no end, a file that is read does.
const LARGEST_FILE: u64 = 64 << 20;

/// Prints the stacks, or writes them to `typed.output`.
pub fn run(typed: &cli::Export) -> Result<(), Error> {
    let format = export::stack_format(&typed.to)
        .ok_or_else(|| Error::usage(format!("there is no {}", typed.to), "netop export --help"))?;
    if let Some(path) = &typed.output {
        // Before ten seconds are spent on what cannot be kept.
        save::may_write(path).map_err(|error| not_written(path, &error))?;
    }
    if format.binary && typed.output.is_none() && io::stdout().is_terminal() {
        return Err(Error::usage(
            format!("{} is no text for a terminal", typed.to),
            format!("netop export --to {} -o stacks.pb.gz", typed.to),
        ));
    }
    let (bytes, note) = match &typed.file {
        Some(path) if report::is_recording(path) => (of_recording(path, typed, format)?, None),
        Some(path) if typed.module.is_some() => {
            let shown = export::clean(&path.display().to_string()).into_owned();
            return Err(Error::usage(
                format!("{shown} is a snapshot: its stacks are what was looked at then"),
                format!(
                    "netop export {shown} --to {}",
                    typed.to,
                    shown = shell_word(&shown)
                ),
            ));
        }
        Some(path) => of_file(path, typed, format)?,
        None => (of_now(typed, format)?, None),
    };
    match &typed.output {
        Some(path) => save::whole(path, &bytes).map_err(|e| not_written(path, &e))?,
        None => printed(io::stdout().write_all(&bytes))?,
    }
    if let Some(note) = note {
        say(&note);
    }
    Ok(())
}

/// Samples a host for `typed.duration`.
fn of_now(typed: &cli::Export, format: &export::StackFormat) -> Result<Vec<u8>, Error> {
    let mut live = typed.live();
    let intervals = typed.duration.as_secs_f64().ceil().max(1.0);
    live.interval = Duration::from_secs_f64(typed.duration.as_secs_f64() / intervals);
    let (mut plan, origin) = if typed.demo {
        (
            plan::demo(&live)?,
            Origin::MadeUp(1, Pace::AsFastAsPossible),
        )
    } else {
        (plan::live(&live)?, Origin::Host)
    };
    // The function is the only event that was asked for by name.
    let function = plan.want.exact.first().cloned();
    plan.want.drill.clone_from(&function);
    plan.want.all_cpu_time = !typed.network;
    plan.want.whole_profile = true;
    let want = plan.want.clone();
    let engine = origin.engine(plan)?;
    let mut last: Option<Arc<Snapshot>> = None;
    batch::drive(engine, want, Some(intervals as u64), |snapshot| {
        last = Some(Arc::clone(snapshot));
        Ok(true)
    })?;
    let snapshot = last.ok_or_else(|| {
        Error::nothing(
            "interrupted before there was a stack",
            format!("netop export --to {}", typed.to),
        )
    })?;
    // Whose stacks these are is not clear then.
    for note in snapshot
        .health
        .notes
        .iter()
        .filter(|n| n.starts_with("process "))
    {
        say(&format!("note: {note}"));
    }
    let written = profile(&snapshot, function.as_deref(), format);
    written.ok_or_else(|| nothing_sampled(&snapshot, function.as_deref(), &typed.to))
}

/// All of a recording.
fn of_recording(
    path: &Path,
    typed: &cli::Export,
    format: &export::StackFormat,
) -> Result<Vec<u8>, Error> {
    let shown = export::clean(&path.display().to_string()).into_owned();
    for fault in Opened::open(path)?.faults() {
        say(&format!("{shown}: {fault}"));
    }
    let (mut engine, mut want) = report::open(&cli::Report {
        module: typed.module.clone(),
        ..cli::Report::quiet(path, None)
    })?;
    want.all_cpu_time = !typed.network;
    want.whole_profile = true;
    engine.want(want.clone());
    let mut last: Option<Arc<Snapshot>> = None;
    batch::drive(engine, want, None, |snapshot| {
        last = Some(Arc::clone(snapshot));
        Ok(true)
    })?;
    let stacks = last.as_ref().map_or(&[][..], |last| &last.profile);
    let function = typed.function.as_deref().map(|said| meant(stacks, said));
    let of = function.unwrap_or("CPU time");
    let written = last
        .as_ref()
        .and_then(|last| profile(last, function, format));
    written.ok_or_else(|| {
        let hint = match stacks.first() {
            Some(other) => format!(
                "netop export {shown} --function '{}' --to {}",
                export::clean(&other.function),
                typed.to,
                shown = shell_word(&shown)
            ),
            None => format!("netop report {shown} -b", shown = shell_word(&shown)),
        };
        Error::nothing(format!("{shown} has no stacks of {of}"), hint)
    })
}

/// The name of the only function that `said` is a part of: `SSL_write` of `uprobe:libssl.so.3:SSL_write`,
/// `net:net_dev_queue` of `net:net_dev_queue:len>1`; else `said`.
fn meant<'a>(stacks: &'a [Stack], said: &'a str) -> &'a str {
    let is_part =
        |name: &&str| name.ends_with(&format!(":{said}")) || name.starts_with(&format!("{said}:"));
    let names: BTreeSet<&str> = stacks.iter().map(|stack| &*stack.function).collect();
    let parts: Vec<&str> = names.iter().copied().filter(is_part).collect();
    match parts[..] {
        [one] if !names.contains(said) => one,
        _ => said,
    }
}

/// The stacks that a snapshot has of its whole window; `None`: there are none.
pub fn profile(
    snapshot: &Snapshot,
    function: Option<&str>,
    format: &export::StackFormat,
) -> Option<Vec<u8>> {
    let (stacks, seconds): (Vec<Stack>, f64) = match function {
        Some(name) => (of_function(&snapshot.profile, name), snapshot.profile_s),
        None => (snapshot.cpu_profile.to_vec(), snapshot.cpu_profile_s),
    };
    let host = &snapshot.host;
    let profile = Profile {
        title: title(&host.hostname, function, seconds),
        subtitle: subtitle(
            &host.kernel,
            &format_time(snapshot.at),
            snapshot.host.clock.filter(|_| function.is_none()),
        ),
        stacks: &stacks,
        lines: &snapshot.lines,
        at: snapshot.at,
        seconds,
    };
    (format.write)(&profile)
}

fn nothing_sampled(snapshot: &Snapshot, function: Option<&str>, to: &str) -> Error {
    if let Some(banner) = &snapshot.health.banner {
        return Error::unavailable(format!("nothing was sampled. {banner}"), "netop doctor");
    }
    match function {
        Some(name) => {
            let row = snapshot.functions.iter().find(|row| *row.name == *name);
            let why = match row.and_then(|row| row.reason.as_deref()) {
                Some(reason) => format!(": {reason}"),
                None => String::new(),
            };
            Error::nothing(
                format!("no stack of {name} was sampled{why}"),
                format!(
                    "netop export --function {name} --duration 30 --to {to}",
                    name = shell_word(name)
                ),
            )
        }
        None => Error::nothing(
            format!("no CPU time was sampled ({})", snapshot.health.governor),
            format!("netop export --max-overhead 100 --to {to}"),
        ),
    }
}

/// The stacks of a saved snapshot, and what to know about them.
fn of_file(
    path: &Path,
    typed: &cli::Export,
    format: &export::StackFormat,
) -> Result<(Vec<u8>, Option<String>), Error> {
    let saved = read(path)?;
    let function = typed
        .function
        .as_deref()
        .map(|said| meant(&saved.stacks, said));
    let stacks = match function {
        Some(name) => of_function(&saved.stacks, name),
        None => saved
            .stacks
            .iter()
            .filter(|stack| stack.unit == "ns")
            .cloned()
            .collect(),
    };
    let few = format!(
        "a snapshot holds the {STACKS_EXPORTED} heaviest stacks of its last interval at most"
    );
    let profile = Profile {
        title: title(&saved.hostname, function, saved.interval_s),
        subtitle: format!("{} · {few}", subtitle(&saved.kernel, &saved.at, None)),
        stacks: &stacks,
        lines: &saved.lines,
        at: parse_time(&saved.at).unwrap_or(0),
        seconds: saved.interval_s,
    };
    match (format.write)(&profile) {
        Some(bytes) => Ok((bytes, Some(few))),
        None => Err(not_in_file(path, &saved, typed)),
    }
}

fn not_in_file(path: &Path, saved: &Saved, typed: &cli::Export) -> Error {
    let mut names: Vec<&str> = saved.stacks.iter().map(|stack| &*stack.function).collect();
    names.sort_unstable();
    names.dedup();
    let wanted = typed.function.as_deref().unwrap_or("CPU time");
    let shown = export::clean(&path.display().to_string()).into_owned();
    let other = names
        .iter()
        .find(|name| Some(**name) != typed.function.as_deref());
    let hint = match other {
        Some(&"cpu") => format!(
            "netop export {shown} --to {}",
            typed.to,
            shown = shell_word(&shown)
        ),
        Some(name) => format!(
            "netop export {shown} --function {} --to {}",
            export::clean(name),
            typed.to,
            shown = shell_word(&shown)
        ),
        None => format!("netop export --to {}", typed.to),
    };
    Error::nothing(format!("{shown} has no stacks of {wanted}"), hint)
}

fn read(path: &Path) -> Result<Saved, Error> {
    let shown = export::clean(&path.display().to_string()).into_owned();
    let failed = |why: &str, hint: &str| Error::failed(format!("cannot read {shown}: {why}"), hint);
    let list = format!("ls -l {}", shell_word(&shown));
    let file = open_regular(path, u64::MAX).map_err(|error| failed(&error.to_string(), &list))?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(&error.to_string(), &list))?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(failed(
            "it is larger than 64 MiB; only its last snapshot is used",
            &format!("tail -n 1 {} > last.json", shell_word(&shown)),
        ));
    }
    if bytes.is_empty() {
        return Err(failed("it is empty", &list));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        // What it is instead (compressed, a program), a reader of recordings knows.
        let what = report::what_else(path);
        return Err(what.unwrap_or_else(|| failed("it is no text (UTF-8)", &list)));
    };
    export::parse(&text).map_err(|why| {
        report::what_else(path).unwrap_or_else(|| {
            Error::failed(
                format!("{shown} is no snapshot of netop: {}", export::clean(&why)),
                "netop -b -n 2 --format json -o snapshot.json",
            )
        })
    })
}

fn of_function(stacks: &[Stack], name: &str) -> Vec<Stack> {
    let wanted = |stack: &&Stack| *stack.function == *name && stack.unit == "hits";
    stacks.iter().filter(wanted).cloned().collect()
}

fn title(host: &str, function: Option<&str>, seconds: f64) -> String {
    let of = match function {
        Some(name) => format!("call stacks of {name}, hits"),
        None => "CPU time by call stack, µs".to_owned(),
    };
    format!("{host}: {of}, {seconds:.1} s")
}

fn subtitle(kernel: &str, until: &str, clock: Option<&str>) -> String {
    match clock {
        Some(clock) => format!("{kernel} · {clock} · until {until}"),
        None => format!("{kernel} · until {until}"),
    }
}

fn not_written(path: &Path, error: &io::Error) -> Error {
    let shown = export::clean(&path.display().to_string()).into_owned();
    Error::failed(
        format!("cannot write {shown}: {error}"),
        "netop export -o FILE --to svg",
    )
}
