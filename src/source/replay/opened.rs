//! A recording that was opened: what is known before its first record is read.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::part::Clocks;
use crate::decode::{ClockKind, Costs, Event, EventId, Format, Host, Session, SourceKind};
use crate::error::{Error, shell_word};
use crate::perfdata::{
    Attr, Described, Fault, HARDWARE, Kept, Recording, Run, SOFTWARE, Symbols, TRACEPOINT,
    TrailerReader, part,
};
use crate::sys;

pub struct Opened {
    pub(super) recording: Recording,
    trailer: Option<TrailerReader>,
    kept: Kept,
    /// By attr; `None`: it takes no samples.
    pub(super) events: Vec<Option<FileEvent>>,
    /// When the file was last written, ns since 1970; a pipe is written now.
    written: u64,
}

/// What an event of a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEvent {
    /// It samples CPU time, so often a second where the file says so.
    Clock(ClockKind, Option<u32>),
    Tracepoint {
        group: String,
        name: String,
        format: Option<Arc<str>>,
    },
    /// Another counter, as perf calls it.
    Other(String),
}

impl Opened {
    pub fn open(path: &Path) -> Result<Opened, Error> {
        let shown = path.display();
        let failed = |fault: Fault| {
            Error::failed(
                format!("cannot read {shown}: {fault}"),
                format!(
                    "perf report -i {}, or record again: netop record",
                    shell_word(&shown.to_string())
                ),
            )
        };
        let mut recording = Recording::open(path).map_err(failed)?;
        let mut trailer = recording.take_trailer();
        let mut kept = Kept::default();
        if let Some(reader) = &mut trailer {
            match reader.kept() {
                Ok(read) if read.run.is_some() && read.session.is_some() => kept = read,
                Ok(_) => trailer = None,
                Err(fault) => {
                    let why = format!(
                        "netop's own part cannot be read, the samples alone are shown: {fault}"
                    );
                    recording.notes.push(why);
                    trailer = None;
                }
            }
        }
        let written = fs::metadata(path)
            .ok()
            .filter(fs::Metadata::is_file)
            .and_then(|meta| meta.modified().ok()?.duration_since(UNIX_EPOCH).ok())
            .map_or_else(sys::wall_ns, |since| since.as_nanos() as u64);
        let events = events(&recording.described);
        Ok(Opened {
            recording,
            trailer,
            kept,
            events,
            written,
        })
    }

    /// netop made it, and ended it.
    pub fn is_netops(&self) -> bool {
        self.trailer.is_some()
    }

    /// What is missing of the file, a sentence each.
    pub fn faults(&self) -> &[String] {
        &self.recording.notes
    }

    pub fn described(&self) -> &Described {
        &self.recording.described
    }

    pub(super) fn take_own(&mut self) -> Option<(TrailerReader, Session)> {
        self.trailer.take().zip(self.kept.session.take())
    }

    /// What its events are stands at the end of a file, which an interrupted one has not: asks the
    /// host that this is.
    pub fn name_by_this_host(&mut self) {
        let described = &mut self.recording.described;
        let nameless = |attr: &&Attr| attr.kind == TRACEPOINT && attr.name.is_none();
        let nameless = described.attrs.iter().filter(nameless);
        let wanted: Vec<u64> = nameless.map(|attr| attr.config).collect();
        if wanted.is_empty() || !described.formats.is_empty() || described.release.is_some() {
            return;
        }
        let Ok(tracefs) = sys::Tracefs::find_or_mount() else {
            return;
        };
        for name in tracefs.all() {
            let Some((group, event)) = name.split_once(':') else {
                continue;
            };
            if let Ok(text) = tracefs.format(group, event)
                && Format::parse(&text).is_ok_and(|format| wanted.contains(&format.id))
            {
                described.formats.push((group.to_owned(), text));
            }
        }
        let note = "the file does not say what its events are: they are taken for those with the same numbers on this host";
        self.recording.notes.push(note.to_owned());
        self.events = events(&self.recording.described);
    }

    /// How netop was run.
    pub fn run(&self) -> Option<&Run> {
        self.kept.run.as_ref()
    }

    /// The names that it carries.
    pub fn take_symbols(&mut self) -> Symbols {
        std::mem::take(&mut self.kept.symbols)
    }

    /// Its samples answer another question than its counts: those are sums of weights then.
    pub fn forget_counts(&mut self) {
        self.trailer = None;
    }

    /// Each event of the file once.
    pub fn file_events(&self) -> Vec<FileEvent> {
        let mut events: Vec<FileEvent> = Vec::new();
        for event in self.events.iter().flatten() {
            if !events.contains(event) {
                events.push(event.clone());
            }
        }
        events
    }

    /// The bytes of the file; `None`: it is a pipe.
    pub fn size(&self) -> Option<u64> {
        self.recording.size
    }

    /// What it is as a source. `cpus`: so many at most.
    pub(super) fn session(&self, events: Vec<Event>, cpus: u32) -> Session {
        let described = self.described();
        let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".to_owned());
        Session {
            host: Host {
                hostname: text(&described.hostname),
                kernel: text(&described.release),
                arch: text(&described.arch),
                cpus: (0..described.cpus_online.unwrap_or(0).min(cpus)).collect(),
                clock: self.events.iter().flatten().find_map(clock_kind),
            },
            source: SourceKind::File,
            events,
            costs: Costs::default(),
            no_gate: None,
            gate_loading: false,
        }
    }

    /// Its samples are at times of the day that are known; about, when only the file's own is.
    /// It says by its own clock when it was recorded.
    pub fn is_dated(&self) -> bool {
        self.recording.described.clock.is_some()
    }

    pub(super) fn clocks(&self) -> Option<Clocks> {
        let described = &self.recording.described;
        if let Some(clock) = described.clock {
            return Some(Clocks {
                sample_ns: clock.sample_ns,
                wall_ns: clock.wall_ns,
            });
        }
        let (_, last) = described.sample_time?;
        Some(Clocks {
            sample_ns: last,
            wall_ns: self.written,
        })
    }

    /// About when it was recorded, where nothing else is known.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// What is to be said of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = self.recording.notes.clone();
        let attrs = &self.recording.described.attrs;
        if attrs.iter().any(|attr| attr.has(part::STACK_USER)) {
            let note =
                "stack dumps (--call-graph dwarf) are passed over: callers in programs are missing";
            notes.push(note.to_owned());
        }
        if attrs.iter().all(|attr| !attr.has(part::CALLCHAIN)) {
            notes.push("the file has no call chains: record with -g".to_owned());
        }
        let cpuless = |attr: &&Attr| !attr.is_dummy() && !attr.has(part::CPU);
        if let Some(attr) = attrs.iter().find(cpuless) {
            let name = attr.name.as_deref().unwrap_or("an event");
            notes.push(format!(
                "{name}: its samples do not say on which CPU: shown as CPU 0"
            ));
        }
        notes
    }
}

/// netop's own ids: the event's index plus one stands above the CPU's; the clock has the largest
/// index. The kernel's ids, which perf takes, are small.
pub(super) fn recorded_id(attr: &Attr) -> Option<EventId> {
    let index = u16::try_from(attr.ids.first()? >> 32).ok()?;
    if index == EventId::CLOCK.0 {
        return Some(EventId::CLOCK);
    }
    index.checked_sub(1).map(EventId)
}

fn events(described: &Described) -> Vec<Option<FileEvent>> {
    let formats: Vec<(Format, &str, &String, &String)> = (described.formats.iter())
        .filter_map(|(group, text)| {
            let name = text.lines().find_map(|line| line.strip_prefix("name:"))?;
            Some((Format::parse(text).ok()?, name.trim(), group, text))
        })
        .collect();
    let of = |attr: &Attr| {
        if attr.is_dummy() {
            return None;
        }
        let hz = clock_hz(attr);
        Some(match (attr.kind, attr.config) {
            (SOFTWARE, 0 | 1) => FileEvent::Clock(ClockKind::CpuClock, hz),
            (HARDWARE, 0) => FileEvent::Clock(ClockKind::Cycles, hz.filter(|_| attr.freq)),
            (TRACEPOINT, id) => {
                let known = formats.iter().find(|(format, ..)| format.id == id);
                match known {
                    Some((_, name, group, text)) => FileEvent::Tracepoint {
                        group: (*group).clone(),
                        name: (*name).to_owned(),
                        format: Some(text.as_str().into()),
                    },
                    None => unformatted(attr),
                }
            }
            (kind, config) => FileEvent::Other(match &attr.name {
                Some(name) => plain(name).to_owned(),
                None => format!("event {kind}:{config:#x}"),
            }),
        })
    };
    let mut events: Vec<Option<FileEvent>> = described.attrs.iter().map(of).collect();
    let clock = events.iter().flatten().find_map(clock_kind);
    // CPU time is not counted twice: another clock is a counter like others.
    for (event, attr) in events.iter_mut().zip(&described.attrs) {
        let kind = event.as_ref().and_then(clock_kind);
        if kind.is_some() && kind != clock {
            let name = attr.name.as_deref().map_or("another clock", plain);
            *event = Some(FileEvent::Other(name.to_owned()));
        }
    }
    events
}

fn clock_kind(event: &FileEvent) -> Option<ClockKind> {
    match event {
        FileEvent::Clock(clock, _) => Some(*clock),
        _ => None,
    }
}

/// Samples per second of a clock.
fn clock_hz(attr: &Attr) -> Option<u32> {
    let hz = if attr.freq {
        attr.period
    } else {
        1_000_000_000u64.checked_div(attr.period)?
    };
    u32::try_from(hz).ok().filter(|hz| *hz > 0)
}

/// A tracepoint of which the file has the name at most.
fn unformatted(attr: &Attr) -> FileEvent {
    let name = attr.name.as_deref().map(plain);
    match name.and_then(|name| name.split_once(':')) {
        Some((group, name)) => FileEvent::Tracepoint {
            group: group.to_owned(),
            name: name.split(':').next().unwrap_or(name).to_owned(),
            format: None,
        },
        None => FileEvent::Other(format!("tracepoint {}", attr.config)),
    }
}

/// Without `/options/`.
fn plain(name: &str) -> &str {
    match name.split_once('/') {
        Some((plain, _)) if !plain.is_empty() && plain.contains(':') => plain,
        _ => name,
    }
}
