//! Reads a recording of netop: the batches as they were, and its own ticks, which stand behind the
//! samples. Each round of the file is an interval.

use rustc_hash::FxHashMap;

use super::joined::Joined;
use super::opened::{Opened, recorded_id};
use super::outlet::{Closed, Outlet};
use super::part::{Clocks, Part};
use super::ticks::Ids;
use super::{Cut, Options};
use crate::decode::{
    Batch, EventId, EventSpec, Format, Layout, RECORD_LOST, RECORD_LOST_SAMPLES, RECORD_SAMPLE,
    RECORD_THROTTLE, Sample, Session, Span, Tick,
};
use crate::perfdata::{Attr, Line, Record, Recording, SampleBody, Tail, TrailerReader, side_band};

/// A batch goes to the engine with so many samples.
const SAMPLES: usize = 8192;
/// … or with so much told of processes.
const SIDE: usize = 1 << 16;

pub struct Reader {
    recording: Recording,
    trailer: TrailerReader,
    decoder: Decoder,
    progress: Progress,
    /// An interval was read.
    met: bool,
    /// The first reading that failed.
    fault: Option<String>,
}

/// Batches of the running interval.
struct Decoder {
    by_id: FxHashMap<u64, usize>,
    attrs: Vec<Attr>,
    /// By attr: its event here and where its fields are; `None`: it is none of this netop's.
    events: Vec<Option<(EventId, Layout)>>,
    batch: Batch,
    /// Samples of this interval are shown.
    shown: bool,
    outlet: Outlet,
}

/// Which ticks become which.
struct Progress {
    ids: Ids,
    specs: Vec<EventSpec>,
    session: Session,
    cut: Cut,
    part: Part,
    /// From and until, once the first tick is known.
    range: Option<(u64, u64)>,
    joined: Joined,
}

/// What becomes of an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is before what is shown: only its counters matter, as a beginning.
    Before,
    Shown,
    /// It is behind what is shown.
    Past,
}

impl Reader {
    /// `recorded`: the session as it was.
    pub fn new(
        opened: Opened,
        recorded: &Session,
        trailer: TrailerReader,
        options: Options,
        outlet: Outlet,
    ) -> Reader {
        let notes = opened.notes();
        let ids = Ids::new(recorded, &options.specs);
        let session = ids.session(recorded, &options.specs);
        let described = opened.described();
        let formats: Vec<Format> = (described.formats.iter())
            .filter_map(|(_, text)| Format::parse(text).ok())
            .collect();
        let attrs = described.attrs.clone();
        let event = |attr: &Attr| {
            let here = ids.here(recorded_id(attr)?)?;
            let spec = options.specs.get(here.0 as usize);
            let format = formats.iter().find(|format| format.id == attr.config);
            let layout = spec
                .zip(format)
                .map(|(spec, format)| format.bind(&spec.fields).0);
            Some((here, layout.unwrap_or_default()))
        };
        let decoder = Decoder {
            events: attrs.iter().map(event).collect(),
            by_id: (attrs.iter().enumerate())
                .flat_map(|(at, attr)| attr.ids.iter().map(move |id| (*id, at)))
                .collect(),
            attrs,
            batch: Batch::default(),
            shown: options.cut == Cut::Recorded,
            outlet,
        };
        Reader {
            recording: opened.recording,
            trailer,
            decoder,
            progress: Progress {
                ids,
                specs: options.specs,
                session,
                cut: options.cut,
                part: options.part,
                range: None,
                joined: Joined::new(options.cut, notes),
            },
            met: false,
            fault: None,
        }
    }

    pub fn session(&self) -> Session {
        self.progress.session.clone()
    }

    /// Reads to the end, or until nobody listens. Returns why not even one interval could be read.
    pub fn run(mut self) -> Option<String> {
        let _nobody_listens = self.read();
        self.fault.filter(|_| !self.met)
    }

    fn fail(&mut self, note: String) {
        self.progress.joined.note(note.clone());
        self.fault.get_or_insert(note);
    }

    fn read(&mut self) -> Result<(), Closed> {
        let mut upcoming = self.upcoming()?;
        while let Some((tick, fate)) = upcoming {
            self.met = true;
            if fate == Fate::Past {
                break;
            }
            self.decoder.shown = fate == Fate::Shown;
            self.round()?;
            self.decoder.send()?;
            self.progress.tick(tick, fate, &self.decoder.outlet)?;
            upcoming = self.upcoming()?;
        }
        self.progress.finish(&self.decoder.outlet)
    }

    /// The samples of an interval; where they cannot be read its counts stand all the same.
    fn round(&mut self) -> Result<(), Closed> {
        loop {
            match self.recording.record() {
                Ok(Some(record)) if record.ends_round() => return Ok(()),
                Ok(Some(record)) if record.is_kernels() => self.decoder.take(&record)?,
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(fault) => {
                    let note = format!("the samples could be read in part only: {fault}");
                    self.fail(note);
                    return Ok(());
                }
            }
        }
    }

    /// The tick that the coming round ends with.
    fn upcoming(&mut self) -> Result<Option<(Tick, Fate)>, Closed> {
        loop {
            match self.trailer.read() {
                Ok(Some(Line::Tick { shown, mut tick })) => {
                    self.progress.ids.translate(&mut tick);
                    let fate = self.progress.fate(&tick, shown);
                    return Ok(Some((*tick, fate)));
                }
                Ok(Some(Line::Session(session))) => {
                    let progress = &mut self.progress;
                    progress.session = progress.ids.session(&session, &progress.specs);
                    self.decoder.outlet.session(&progress.session)?;
                }
                Ok(Some(Line::Run(_) | Line::Symbols(_))) => {}
                Ok(None) => return Ok(None),
                Err(fault) => {
                    let note = format!("the intervals could be read in part only: {fault}");
                    self.fail(note);
                    return Ok(None);
                }
            }
        }
    }
}

impl Decoder {
    fn take(&mut self, record: &Record<'_>) -> Result<(), Closed> {
        match record.kind {
            RECORD_SAMPLE => {
                if self.sample(record.body)?.is_none() && self.shown {
                    self.batch.loss.undecodable += 1;
                }
            }
            // The ticks have what was lost.
            RECORD_LOST | RECORD_LOST_SAMPLES | RECORD_THROTTLE => {}
            _ => {
                let attr = self.attrs.first();
                let tail = attr.map_or(Tail::default(), |attr| Tail::parse(attr, record.body));
                self.batch.side.extend(side_band(record, tail));
                if self.batch.side.len() >= SIDE {
                    self.send()?;
                }
            }
        }
        Ok(())
    }

    fn sample(&mut self, bytes: &[u8]) -> Result<Option<()>, Closed> {
        let id = bytes.first_chunk().map(|id| u64::from_le_bytes(*id));
        let Some(&at) = id.and_then(|id| self.by_id.get(&id)) else {
            return Ok(None);
        };
        let Some(body) = SampleBody::parse(&self.attrs[at], bytes) else {
            return Ok(None);
        };
        let (true, Some((event, layout))) = (self.shown, self.events[at]) else {
            return Ok(Some(()));
        };
        let cpu = body.cpu.unwrap_or(0);
        let others = self
            .batch
            .samples
            .first()
            .is_some_and(|first| first.cpu != cpu);
        if others || self.batch.samples.len() >= SAMPLES {
            self.send()?;
        }
        let batch = &mut self.batch;
        let (frames, raw) = (batch.frames.len() as u32, batch.raw.len() as u32);
        let words = body.chain.as_chunks::<8>().0.iter();
        batch
            .frames
            .extend(words.map(|word| u64::from_le_bytes(*word)));
        batch.raw.extend_from_slice(body.raw);
        batch.samples.push(Sample {
            event,
            cpu,
            pid: body.pid,
            tid: body.tid,
            time: body.time.unwrap_or(0),
            period: body.period.unwrap_or(1),
            chain: Span {
                start: frames,
                len: (body.chain.len() / 8) as u32,
            },
            raw: Span {
                start: raw,
                len: body.raw.len() as u32,
            },
            owner: 0,
            values: layout.read(body.raw, raw),
        });
        Ok(Some(()))
    }

    fn send(&mut self) -> Result<(), Closed> {
        let mut batch = std::mem::replace(&mut self.batch, self.outlet.empty());
        if let Some(first) = batch.samples.first() {
            batch.cpu = first.cpu;
        }
        self.outlet.batch(batch)
    }
}

impl Progress {
    fn is_as_recorded(&self) -> bool {
        self.cut == Cut::Recorded && self.part.is_all()
    }

    fn fate(&mut self, tick: &Tick, shown: bool) -> Fate {
        if self.is_as_recorded() {
            return Fate::Shown;
        }
        let clocks = Clocks {
            sample_ns: tick.at,
            wall_ns: tick.wall_ns,
        };
        let range = self.range;
        let (from, until) = range.unwrap_or_else(|| self.part.range(tick.at, clocks));
        self.range = Some((from, until));
        if !shown || tick.at <= from {
            Fate::Before
        } else if tick.at.saturating_sub(tick.interval_ns) >= until {
            Fate::Past
        } else {
            Fate::Shown
        }
    }

    fn tick(&mut self, mut tick: Tick, fate: Fate, outlet: &Outlet) -> Result<(), Closed> {
        if self.is_as_recorded() {
            tick.notes.append(&mut self.joined.notes);
            return outlet.tick(tick);
        }
        if fate == Fate::Before {
            self.joined.before(tick);
            return Ok(());
        }
        self.joined.shown(tick, outlet)
    }

    fn finish(&mut self, outlet: &Outlet) -> Result<(), Closed> {
        self.joined.finish(outlet)
    }
}
