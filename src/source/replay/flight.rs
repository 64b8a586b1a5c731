//! Reads a flight recorder's ring: its ticks, over all segments that the part touches. Its time is
//! the wall clock, for the kernel's own begins anew with every boot.

use std::path::Path;

use super::Options;
use super::joined::Joined;
use super::outlet::{Closed, Outlet};
use super::part::{Clocks, Part};
use super::ticks::Ids;
use crate::decode::{EventKind, EventSpec, HostEvent, Session, Tick};
use crate::error::{Error, shell_word};
use crate::flight::{Begin, Ended, Entry, Segment, SegmentReader, segments};
use crate::perfdata::Run;

/// Where the recorder was not running for less than this, nothing is missed, ns.
const GAP_NS: u64 = 3_000_000_000;

/// A ring that was opened.
pub struct Flight {
    segments: Vec<Segment>,
    begin: Begin,
    /// Wall clock of its newest second, ns.
    last_ns: u64,
}

impl Flight {
    pub fn open(dir: &Path) -> Result<Flight, Error> {
        let shown = dir.display();
        let hint = format!("ls -l {shown}", shown = shell_word(&shown.to_string()));
        let all = segments(dir).map_err(|error| {
            Error::failed(format!("cannot read {shown}: {error}"), hint.clone())
        })?;
        let none = || {
            let what = format!("{shown} is a directory without a flight recorder's seconds");
            Error::nothing(
                what,
                format!(
                    "netop record --flight --dir {shown}",
                    shown = shell_word(&shown.to_string())
                ),
            )
        };
        // What was killed at its very beginning has nothing to tell.
        let none = || unreadable(&all).map_or_else(none, |why| Error::failed(why, hint.clone()));
        let begin = all.iter().find_map(begin_of).ok_or_else(none)?;
        let last_ns = all.iter().rev().find_map(end_of).ok_or_else(none)?;
        Ok(Flight {
            segments: all,
            begin,
            last_ns,
        })
    }

    /// How netop was run.
    pub fn run(&self) -> &Run {
        &self.begin.run
    }

    /// Wall clock of its first and of its newest second, ns.
    pub fn span(&self) -> (u64, u64) {
        let first = self.segments.first().map_or(0, |first| first.start_ns);
        (first, self.last_ns)
    }
}

/// Why the first segment that cannot be opened cannot.
fn unreadable(all: &[Segment]) -> Option<String> {
    all.iter().find_map(|segment| {
        let error = SegmentReader::open(&segment.path).err()?;
        Some(format!("cannot read {}: {error}", segment.path.display()))
    })
}

fn begin_of(segment: &Segment) -> Option<Begin> {
    match SegmentReader::open(&segment.path).ok()?.read().ok()? {
        Entry::Begin(begin) => Some(*begin),
        Entry::Session(_) | Entry::Tick(_) => None,
    }
}

fn end_of(segment: &Segment) -> Option<u64> {
    let mut reader = SegmentReader::open(&segment.path).ok()?;
    let mut last = None;
    while let Ok(entry) = reader.read() {
        if let Entry::Tick(tick) = entry {
            last = Some(tick.wall_ns);
        }
    }
    last
}

pub struct Reader {
    segments: Vec<Segment>,
    recorded: Session,
    boot: String,
    specs: Vec<EventSpec>,
    ids: Ids,
    /// From and until, wall clock, ns.
    range: (u64, u64),
    joined: Joined,
    outlet: Outlet,
    /// CLOCK_MONOTONIC of the tick before, of this boot.
    before: Option<u64>,
    /// For the next interval.
    events: Vec<HostEvent>,
}

/// What is behind the part.
struct Past;

impl Reader {
    pub fn new(flight: Flight, options: Options, outlet: Outlet) -> Reader {
        let range = range(options.part, flight.span().0);
        let from = flight
            .segments
            .partition_point(|segment| segment.start_ns < range.0);
        let mut segments = flight.segments;
        // The one before has the reading that the first interval begins with.
        segments.drain(..from.saturating_sub(1));
        Reader {
            segments,
            ids: Ids::new(&flight.begin.session, &options.specs),
            recorded: flight.begin.session,
            boot: flight.begin.boot,
            specs: options.specs,
            range,
            joined: Joined::new(options.cut, Vec::new()),
            outlet,
            before: None,
            events: Vec::new(),
        }
    }

    pub fn session(&self) -> Session {
        self.ids.session(&self.recorded, &self.specs)
    }

    /// Reads to the end, or until nobody listens.
    pub fn run(mut self) -> Option<String> {
        let _nobody_listens = self.read();
        None
    }

    fn read(&mut self) -> Result<(), Closed> {
        for segment in std::mem::take(&mut self.segments) {
            if let Some(Past) = self.segment(&segment)? {
                break;
            }
        }
        self.joined.finish(&self.outlet)
    }

    fn segment(&mut self, segment: &Segment) -> Result<Option<Past>, Closed> {
        let name = segment
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let mut reader = match SegmentReader::open(&segment.path) {
            Ok(reader) => reader,
            Err(error) => {
                self.joined.note(format!("{name} cannot be read: {error}"));
                return Ok(None);
            }
        };
        loop {
            match reader.read() {
                Ok(Entry::Begin(begin)) => self.begin(*begin)?,
                Ok(Entry::Session(session)) => self.know(*session)?,
                Ok(Entry::Tick(tick)) => {
                    if let Some(past) = self.tick(*tick)? {
                        return Ok(Some(past));
                    }
                }
                Err(Ended::Whole) => return Ok(None),
                Err(Ended::Torn(why)) => {
                    self.joined
                        .note(format!("{name} is torn and was read up to there: {why}"));
                    return Ok(None);
                }
            }
        }
    }

    fn begin(&mut self, begin: Begin) -> Result<(), Closed> {
        if begin.boot != self.boot {
            // All counters begin anew: no interval goes over that.
            self.joined.finish(&self.outlet)?;
            self.boot = begin.boot;
            self.before = None;
        }
        self.know(begin.session)
    }

    fn know(&mut self, session: Session) -> Result<(), Closed> {
        if session == self.recorded {
            return Ok(());
        }
        self.ids = Ids::new(&session, &self.specs);
        self.recorded = session;
        self.outlet.session(&self.session())
    }

    fn tick(&mut self, mut tick: Tick) -> Result<Option<Past>, Closed> {
        self.ids.translate(&mut tick);
        let before = self.before.replace(tick.at);
        if let (0, Some(before)) = (tick.interval_ns, before) {
            // The recorder was away, the kernel went on counting.
            tick.interval_ns = tick.at.saturating_sub(before);
            if tick.interval_ns > GAP_NS {
                tick.events.push(HostEvent {
                    wall_ns: tick.wall_ns,
                    kind: EventKind::Recorder,
                    device: None,
                    text: format!(
                        "nothing was recorded for {} s before",
                        tick.interval_ns / 1_000_000_000
                    ),
                });
            }
        }
        if tick.wall_ns <= self.range.0 {
            self.joined.before(tick);
            return Ok(None);
        }
        if tick.wall_ns.saturating_sub(tick.interval_ns) >= self.range.1 {
            return Ok(Some(Past));
        }
        if tick.interval_ns == 0 {
            self.events.append(&mut tick.events);
            self.joined.before(tick);
            return Ok(None);
        }
        tick.events.splice(0..0, self.events.drain(..));
        self.joined.shown(tick, &self.outlet)?;
        Ok(None)
    }
}

fn range(part: Part, first: u64) -> (u64, u64) {
    let same = Clocks {
        sample_ns: first,
        wall_ns: first,
    };
    part.range(first, same)
}
