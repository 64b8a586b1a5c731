//! `netop report FILE`: a recording in the same views. Of perf's files the counts are sums of
//! weights; of netop's everything is as it was.

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::said::say;
use super::there::{self, Filter};
use super::{batch, flight, live, module, screen, script};
use crate::advice::Limits;
use crate::cli;
use crate::decode::{Format, Place};
use crate::engine::{Counting, Engine, Registry, Settings};
use crate::error::{Error, shell_word};
use crate::export;
use crate::host::{Proc, drivers};
use crate::model::{Names, Want, parse_time};
use crate::perfdata::{MAGIC, Run, Symbols, other_kind};
use crate::plan::{self, Plan, Recorded};
use crate::probe::{Added, filter, typed as typed_breakpoint};
use crate::source::narrowed;
use crate::source::replay::{Cut, FileEvent, Moment, Opened, Options, Part, Replay};
use crate::symbol::{KernelCache, PerfFile, PerfFileNames, RecordedNames, RecordedSymbols};
use crate::sys::open_regular;

/// How long names are looked for, all together.
const PATIENCE: Duration = Duration::from_secs(10);

/// CPU samples per second where the file does not say.
const CLOCK_HZ: u32 = 199;

pub fn run(typed: &cli::Report) -> Result<(), Error> {
    if typed.file.is_dir() {
        return flight::run(typed);
    }
    if typed.at.is_some() {
        return Err(Error::usage(
            format!(
                "--at is a moment of a flight recorder, and {} is a file",
                typed.file.display()
            ),
            "netop report FILE --start TIME --stop TIME",
        ));
    }
    let shown = typed.live();
    screen::check_output(&shown)?;
    let (engine, want) = open(typed)?;
    if typed.batch.batch {
        return match batch::run(engine, want, &shown)? {
            0 => Err(nothing(typed)),
            _ => Ok(()),
        };
    }
    let ui = screen::open(&shown, want, &[], Some(typed.file.display().to_string()))?;
    let dir = screen::snapshot_dir(&shown);
    if let Some(keys) = &typed.screen.keys {
        return script::run(engine, ui, keys, &shown, None, &dir);
    }
    let whole = cli::Report {
        batch: cli::Batch {
            batch: true,
            ..typed.batch.clone()
        },
        interval: None,
        ..typed.clone()
    };
    // A pipe cannot be read twice: it has its intervals only.
    let is_pipe = typed.file.as_os_str() == "-";
    let then = if is_pipe { None } else { Some(open(&whole)?.0) };
    live::run(
        engine,
        ui,
        dir,
        typed.count,
        live::After::Whole(then.map(Box::new)),
    )
}

fn nothing(typed: &cli::Report) -> Error {
    let file = export::clean(&typed.file.display().to_string()).into_owned();
    let word = shell_word(&file);
    if typed.start.is_some() || typed.stop.is_some() {
        return Error::nothing(
            format!("there is no sample in this part of {file}"),
            format!("netop report {word} -b"),
        );
    }
    Error::nothing(
        format!("{file} has no sample and no count: it was cut, or its disk was full"),
        format!("perf report --stats -i {word}"),
    )
}

/// What a file is that is no snapshot, if its first bytes say so: compressed, the text of perf script …
pub fn what_else(path: &Path) -> Option<Error> {
    let mut start = Vec::new();
    let file = open_regular(path, u64::MAX).ok()?;
    file.take(16).read_to_end(&mut start).ok()?;
    let kind = other_kind(&start)?;
    let file = export::clean(&path.display().to_string()).into_owned();
    Some(Error::failed(
        format!("cannot read {file}: {kind}"),
        format!("file {}", shell_word(&file)),
    ))
}

/// Does the file begin as perf.data does, in a file and through a pipe? Its readers say what else
/// is wrong with it.
pub fn is_recording(path: &Path) -> bool {
    // A pipe without a writer would be waited for.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let mut magic = [0; MAGIC.len()];
    // A file of /proc has no length: what is read of one may be gone for others.
    let empty = |file: &File| file.metadata().is_ok_and(|m| m.is_file() && m.len() == 0);
    file.and_then(|mut file| {
        if empty(&file) {
            return Ok(());
        }
        file.read_exact(&mut magic)
    })
    .is_ok_and(|()| magic == MAGIC)
}

/// The recording as an engine, read from its beginning; and what is wanted of it. Another filter
/// means reading it again.
pub fn open(typed: &cli::Report) -> Result<(Engine, Want), Error> {
    let part = Part {
        start: moment(typed.start.as_deref())?,
        stop: moment(typed.stop.as_deref())?,
    };
    let is_fifo = |meta: fs::Metadata| meta.file_type().is_fifo();
    if fs::metadata(&typed.file).is_ok_and(is_fifo) {
        let file = typed.file.display().to_string();
        let word = shell_word(&file);
        say(&format!(
            "{file} is a FIFO: waiting for a writer, for example perf record -o {word}"
        ));
    }
    let mut opened = Opened::open(&typed.file)?;
    opened.name_by_this_host();
    if !opened.is_netops() && opened.file_events().is_empty() {
        let file = export::clean(&typed.file.display().to_string()).into_owned();
        return Err(Error::failed(
            format!("{file} has no event: it was cut, or never ended"),
            format!("ls -l {file}", file = shell_word(&file)),
        ));
    }
    let cut = match (typed.interval, typed.batch.batch) {
        (Some(interval), _) => Cut::Every(interval.as_nanos() as u64),
        (None, true) => Cut::Whole,
        (None, false) => Cut::Recorded,
    };
    let filtered = !typed.pids.is_empty() || typed.device.is_some();
    let mut names: Box<dyn Names> = if opened.is_netops() {
        let kept = kept(opened.take_symbols());
        let file = export::clean(&typed.file.display().to_string()).into_owned();
        let hint = format!("netop report {file}", file = shell_word(&file));
        module::met(typed.module.as_deref(), kept.modules(), (&file, &hint))?;
        Box::new(RecordedNames::new(kept))
    } else {
        Box::new(foreign_names(&opened))
    };
    let events = recorded(&opened);
    if filtered {
        opened.forget_counts();
    }
    let mut plan = match opened.run() {
        Some(run) if opened.is_netops() => own(
            typed,
            run,
            &events,
            cut == Cut::Recorded && part == Part::default(),
        ),
        _ => plan::foreign(&typed.live(), &events)?,
    };
    plan.want.cpus = typed.cpus.clone().unwrap_or_default();
    plan.want.module.clone_from(&typed.module);
    // Who recorded it with perf need not have meant the network.
    plan.want.all_cpu_time = !opened.is_netops();
    // Without call chains every address is a stack of its own: perf has all of them.
    plan.want.whole_profile = !opened.is_netops() && cut == Cut::Whole;
    there::check_samples(&typed.file, &opened, plan.registry.specs())?;
    let filter = Filter {
        pids: &typed.pids,
        device: typed.device.as_deref(),
        // Of netop's own the names say it.
        module: typed.module.as_deref().filter(|_| !opened.is_netops()),
        by_owner: opened.is_netops(),
    };
    there::check(&typed.file, &filter, plan.registry.specs(), names.as_mut())?;
    let options = Options {
        specs: plan.registry.specs(),
        cut,
        part,
        pids: plan.want.pids.clone(),
        device: plan.want.device.clone(),
    };
    let again = format!(
        "netop report {}",
        shell_word(&typed.file.display().to_string())
    );
    let source = narrowed(Box::new(Replay::start(opened, options)?), &plan.want.cpus)
        .map_err(|error| Error::nothing(error.to_string(), again))?;
    let want = plan.want.clone();
    let engine = Engine::new(source, names, plan.registry, plan.settings, plan.want);
    Ok((engine, want))
}

/// A recording of netop. `as_it_was`: with the same intervals, so that everything is decided as it
/// was then.
pub fn own(typed: &cli::Report, run: &Run, recorded: &Recorded, as_it_was: bool) -> Plan {
    let format = |group: &str, name: &str| {
        let same = |(of, event, _): &&(String, String, _)| of == group && event == name;
        let text = recorded.tracepoints.iter().find(same)?.2.as_deref()?;
        Format::parse(text).ok()
    };
    let added = |name: &String| {
        if typed_breakpoint(name).is_some() {
            let doc = format!("One hit of the breakpoint {name}.");
            return Some(Added::breakpoint(name, Place::Tracepoint, doc));
        }
        let mut parts = name.splitn(3, ':');
        let (group, event, condition) = (parts.next()?, parts.next()?, parts.next());
        let format = format(group, event).unwrap_or_default();
        let row = Added::new(group, event, &format);
        Some(match condition {
            // As the kernel was told it then.
            Some(typed) => {
                let told = filter(typed, &format).unwrap_or_else(|_| typed.to_owned());
                row.behind(typed, told)
            }
            None => row,
        })
    };
    let want = Want {
        interval: typed
            .interval
            .unwrap_or(Duration::from_nanos(run.interval_ns)),
        clock_hz: run.clock_hz,
        exact: run.exact.iter().cloned().collect(),
        only: run.only,
        pids: run.pids.clone(),
        children: run.children,
        device: run.device.clone(),
        ..Want::default()
    };
    Plan {
        registry: Registry::new(run.added.iter().filter_map(added).collect()),
        want,
        settings: Settings {
            max_overhead_pct: if as_it_was {
                run.max_overhead_pct
            } else {
                100.0
            },
            counting: Counting::named(&run.counting).unwrap_or(Counting::Perf),
            first_interval: None,
            banner: run.banner.clone(),
            notes: run.notes.clone(),
            recorded: !as_it_was,
            limits: Limits::default(),
        },
        tracefs: Err("a recording has no tracefs".to_owned()),
    }
}

fn recorded(opened: &Opened) -> Recorded {
    let mut recorded = Recorded::default();
    for event in opened.file_events() {
        match event {
            FileEvent::Clock(_, hz) => recorded.clock_hz = hz.unwrap_or(CLOCK_HZ),
            FileEvent::Tracepoint {
                group,
                name,
                format,
            } => recorded.tracepoints.push((group, name, format)),
            FileEvent::Other(name) => recorded.others.push(name),
        }
    }
    recorded
}

fn foreign_names(opened: &Opened) -> PerfFileNames {
    let described = opened.described();
    let foreign = PerfFile {
        build_ids: described.build_ids.clone(),
        release: described.release.clone(),
        drivers: drivers(&Proc::host()),
    };
    PerfFileNames::new(foreign, KernelCache::of_user(), PATIENCE)
}

fn kept(symbols: Symbols) -> RecordedSymbols {
    RecordedSymbols {
        text: symbols.text,
        kernel: symbols.kernel,
        user: symbols.user,
        lines: symbols.lines,
        drivers: symbols.drivers,
        kernel_missing: symbols.kernel_missing,
        user_missing: symbols.user_missing,
    }
}

/// Seconds after the first sample, or a time of the day with its date.
fn moment(typed: Option<&str>) -> Result<Option<Moment>, Error> {
    let Some(typed) = typed else { return Ok(None) };
    let after = typed
        .parse::<f64>()
        .ok()
        .filter(|seconds| (0.0..1e9).contains(seconds));
    if let Some(seconds) = after {
        return Ok(Some(Moment::After((seconds * 1e9) as u64)));
    }
    match parse_time(typed) {
        Some(wall) => Ok(Some(Moment::Wall(wall))),
        None => Err(Error::usage(
            format!(
                "{typed} is no time: seconds after the first sample, or like 2026-11-23T03:11:00Z"
            ),
            "netop report perf.data --start 2.5 --stop 4",
        )),
    }
}
