//! The records of a file that is not netop's (or was not ended): samples into batches, their
//! weights into counts, and ticks where intervals are over.

use rustc_hash::FxHashMap;

use super::Options;
use super::counts::Weights;
use super::events::{Route, device_slots, routes, session_events};
use super::interval::{Intervals, Place};
use super::opened::{Opened, recorded_id};
use super::outlet::{Closed, Outlet};
use super::part::Clocks;
use crate::decode::{
    Batch, CONTEXT_USER, ENDED, EventId, Happened, Loss, RECORD_LOST, RECORD_LOST_SAMPLES,
    RECORD_SAMPLE, RECORD_THROTTLE, Sample, Session, SideBand, Span, Tick, decode_lost,
};
use crate::perfdata::{Attr, IdPlace, Record, SampleBody, Tail, side_band};

/// Bits of a record's `misc` that say what the CPU was doing, and user code
/// (PERF_RECORD_MISC_CPUMODE_MASK and _USER of include/uapi/linux/perf_event.h).
const MODE: u16 = 7;
const USER: u16 = 2;

/// What processes are called that perf saw from within another PID namespace.
const OUTSIDE: &str = "[outside]";

/// A batch goes to the engine with so many samples, frames or raw bytes.
const SAMPLES: usize = 4096;
const FRAMES: usize = 1 << 17;
const RAW: usize = 1 << 20;

/// Frames held for later intervals: with more a round is taken to have ended.
const HELD_FRAMES: usize = 16 << 20;
const HELD_SAMPLES: usize = 1 << 20;
const HELD_SIDE: usize = 1 << 16;

/// Ids of CPUs below this are believed.
const CPUS: u32 = 8192;

/// Shorter than this, rates say nothing, ns.
const SHORTEST: u64 = 1_000_000;

pub struct Decoder {
    pub session: Session,
    attrs: Vec<Attr>,
    routes: Vec<Vec<Route>>,
    by_id: FxHashMap<u64, usize>,
    place_of_id: IdPlace,
    /// The event of the last record.
    last: (u64, usize),
    /// Counters' last values, for samples that carry them.
    read: FxHashMap<u64, u64>,
    pub intervals: Intervals,
    /// `None`: not known yet.
    clocks: Option<Clocks>,
    /// When the file was last written, ns since 1970.
    written: u64,
    weights: Weights,
    pub now: Batch,
    later: Batch,
    /// What happened to processes, CPU after CPU within a round.
    side: Vec<SideBand>,
    /// Samples of pid 0 are of user code: it is no idle task.
    outside: bool,
    device: Option<String>,
    /// By event.
    device_slot: Vec<Option<usize>>,
    pub notes: Vec<String>,
    outlet: Outlet,
}

impl Decoder {
    pub fn new(opened: &Opened, options: Options, outlet: Outlet) -> Decoder {
        let own: Vec<_> = opened.described().attrs.iter().map(recorded_id).collect();
        let routes = routes(&opened.events, &own, &options.specs);
        let described = opened.described();
        let events = session_events(&options.specs, &routes, &opened.events);
        let session = opened.session(events, CPUS);
        let clocks = opened.clocks();
        let attrs = described.attrs.clone();
        let ids = attrs.iter().enumerate();
        let by_id = ids
            .flat_map(|(at, attr)| attr.ids.iter().map(move |id| (*id, at)))
            .collect();
        let mut notes = opened.notes();
        if clocks.is_none() {
            notes.push(
                "the file does not say when it was recorded: times are of its last change"
                    .to_owned(),
            );
        }
        let known = clocks.unwrap_or_default();
        Decoder {
            session,
            place_of_id: attrs.first().map_or_else(IdPlace::default, IdPlace::of),
            attrs,
            routes,
            by_id,
            last: (u64::MAX, 0),
            read: FxHashMap::default(),
            intervals: Intervals::new(
                options.part,
                known,
                options.cut.length(),
                described.sample_time.map(|(first, _)| first),
            ),
            clocks,
            written: opened.written(),
            weights: Weights::new(options.pids, own.iter().any(Option::is_some)),
            now: Batch::default(),
            later: Batch::default(),
            side: Vec::new(),
            outside: false,
            device: options.device,
            device_slot: device_slots(&options.specs),
            notes,
            outlet,
        }
    }

    pub fn take(&mut self, record: &Record<'_>) -> Result<(), Closed> {
        match record.kind {
            RECORD_SAMPLE => {
                if self.sample(record.misc, record.body).is_none() {
                    self.now.loss.undecodable += 1;
                }
                if self.later.samples.len() >= HELD_SAMPLES
                    || self.later.frames.len() >= HELD_FRAMES
                {
                    self.intervals.settle_all();
                    self.tick_what_is_over()?;
                }
                self.send_full()?;
            }
            RECORD_LOST | RECORD_LOST_SAMPLES => {
                let lost = decode_lost(record.kind, record.body).unwrap_or(0);
                self.now.loss.lose(lost);
            }
            RECORD_THROTTLE => self.now.loss.throttled += 1,
            _ => {
                let tail = match self.attr_of_tail(record.body) {
                    Some(attr) => Tail::parse(&self.attrs[attr], record.body),
                    None => Tail::default(),
                };
                // Also what was before the part: names are of its time.
                let told = side_band(record, tail);
                // The idle task is never renamed.
                let told = match told {
                    Some(told) if names_pid_0(&told) => self.first_outside(),
                    told => told,
                };
                self.side.extend(told);
                if self.side.len() >= HELD_SIDE {
                    self.tell_side(u64::MAX);
                }
                self.send_full()?;
            }
        }
        Ok(())
    }

    /// Once, what pid 0 is called from now on.
    fn first_outside(&mut self) -> Option<SideBand> {
        (!std::mem::replace(&mut self.outside, true)).then(outside)
    }

    fn attr_of_tail(&self, body: &[u8]) -> Option<usize> {
        if self.attrs.len() == 1 {
            return Some(0);
        }
        let id = self.place_of_id.in_tail(body)?;
        // What perf itself made up has no id.
        Some(self.by_id.get(&id).copied().unwrap_or(0))
    }

    fn attr_of_sample(&mut self, body: &[u8]) -> Option<usize> {
        if self.attrs.len() == 1 {
            return Some(0);
        }
        let id = self.place_of_id.in_sample(body)?;
        if self.last.0 != id {
            self.last = (id, *self.by_id.get(&id)?);
        }
        Some(self.last.1)
    }

    /// `None`: it cannot be decoded.
    fn sample(&mut self, misc: u16, bytes: &[u8]) -> Option<()> {
        let at = self.attr_of_sample(bytes)?;
        let attr = &self.attrs[at];
        let body = SampleBody::parse(attr, bytes)?;
        let cpu = body.cpu.unwrap_or(0);
        if cpu >= CPUS {
            return None;
        }
        let period = match body.period {
            Some(period) => period,
            None if attr.freq => 1,
            None => attr.period.max(1),
        };
        let user = misc & MODE == USER;
        if user && body.pid == 0 {
            let told = self.first_outside();
            self.side.extend(told);
        }
        let place = self.intervals.place(body.time.unwrap_or(0));
        let Some(read) = body.read else {
            self.hits(at, (&body, user), place, period);
            return Some(());
        };
        // The counts since the last sample, of its own counter and of its group's.
        let own = self.place_of_id.in_sample(bytes).unwrap_or(0);
        for (value, id) in read.values() {
            let id = if id == 0 { own } else { id };
            let before = self.read.insert(id, value).unwrap_or(0);
            let hits = value.saturating_sub(before);
            let event = self.by_id.get(&id).copied();
            match event {
                Some(event) if hits > 0 => self.hits(event, (&body, user), place, hits),
                None if id == 0 && hits > 0 => self.hits(at, (&body, user), place, hits),
                _ => {}
            }
        }
        Some(())
    }

    /// One sample for each event of netop's that it is a hit of. `user`: it met user code.
    fn hits(
        &mut self,
        attr: usize,
        (body, user): (&SampleBody<'_>, bool),
        place: Place,
        period: u64,
    ) {
        let into = match place {
            Place::Now => &mut self.now,
            Place::Later => &mut self.later,
            Place::Outside => return,
        };
        for route in self.routes[attr]
            .iter()
            .filter(|route| route.accepts(body.raw))
        {
            self.weights.meet(route.event);
            let raw = Span {
                start: into.raw.len() as u32,
                len: body.raw.len() as u32,
            };
            let values = route.layout.read(body.raw, raw.start);
            into.raw.extend_from_slice(body.raw);
            let slot = self
                .device_slot
                .get(route.event.0 as usize)
                .copied()
                .flatten();
            if let (Some(device), Some(slot)) = (&self.device, slot)
                && into.text(values[slot]) != device.as_bytes()
            {
                into.raw.truncate(raw.start as usize);
                continue;
            }
            let start = into.frames.len();
            if body.chain.is_empty() {
                let marker = (user && body.ip != 0).then_some(CONTEXT_USER);
                into.frames.extend(marker);
                into.frames.extend((body.ip != 0).then_some(body.ip));
            } else {
                into.frames.extend(words(body.chain));
            }
            let sample = Sample {
                event: route.event,
                cpu: body.cpu.unwrap_or(0),
                // perf's -1: the process has ended by then.
                pid: if body.pid == u32::MAX {
                    ENDED
                } else {
                    body.pid
                },
                tid: body.tid,
                time: body.time.unwrap_or(0),
                period,
                chain: Span {
                    start: start as u32,
                    len: (into.frames.len() - start) as u32,
                },
                raw,
                owner: 0,
                values,
            };
            into.samples.push(sample);
            if place == Place::Now {
                self.weights
                    .add(sample.event, sample.cpu, sample.pid, period);
            }
        }
    }

    fn send_full(&mut self) -> Result<(), Closed> {
        let now = &self.now;
        let room = now.samples.len() < SAMPLES
            && now.frames.len() < FRAMES
            && now.raw.len() < RAW
            && now.side.len() < HELD_SIDE;
        if room {
            return Ok(());
        }
        self.send()
    }

    fn send(&mut self) -> Result<(), Closed> {
        let mut batch = std::mem::replace(&mut self.now, self.outlet.empty());
        batch.cpu = batch.samples.first().map_or(0, |sample| sample.cpu);
        self.meet_cpus(&batch)?;
        self.outlet.batch(batch)
    }

    /// CPUs that the file did not announce.
    fn meet_cpus(&mut self, batch: &Batch) -> Result<(), Closed> {
        let cpus = &mut self.session.host.cpus;
        let before = cpus.len();
        for sample in &batch.samples {
            if let Err(place) = cpus.binary_search(&sample.cpu) {
                cpus.insert(place, sample.cpu);
            }
        }
        if cpus.len() > before {
            self.outlet.session(&self.session)?;
        }
        Ok(())
    }

    /// A fork stands before what its child did, whichever CPU's ring was read first.
    fn tell_side(&mut self, until: u64) {
        self.side.sort_by_key(|happened| happened.time);
        let known = self.side.partition_point(|happened| happened.time <= until);
        self.now.side.extend(self.side.drain(..known));
    }

    pub fn tick_what_is_over(&mut self) -> Result<(), Closed> {
        self.tell_side(self.intervals.settled());
        while self.intervals.is_over() && !self.intervals.is_past() {
            let (begin, end) = (self.intervals.begin, self.intervals.end);
            self.tick(begin, end)?;
            let oldest = self.later.samples.iter().map(|sample| sample.time).min();
            self.intervals.advance(oldest);
            self.take_held();
        }
        // The first interval may have become known just now.
        if self.intervals.seen.is_none() {
            self.take_held();
        }
        Ok(())
    }

    /// What was held for later, as far as its time has come.
    fn take_held(&mut self) {
        let held = std::mem::take(&mut self.later);
        for sample in &held.samples {
            let place = self.intervals.place(sample.time);
            let into = match place {
                Place::Now => &mut self.now,
                Place::Later => &mut self.later,
                Place::Outside => continue,
            };
            let bytes = sample.raw.of(&held.raw);
            let raw = Span {
                start: into.raw.len() as u32,
                len: sample.raw.len,
            };
            let chain = Span {
                start: into.frames.len() as u32,
                len: sample.chain.len,
            };
            into.raw.extend_from_slice(bytes);
            into.frames.extend_from_slice(sample.chain.of(&held.frames));
            let route = self.routes.iter().flatten();
            let mut route = route.filter(|route| route.event == sample.event);
            let values = route
                .next()
                .map_or(sample.values, |route| route.layout.read(bytes, raw.start));
            into.samples.push(Sample {
                chain,
                raw,
                values,
                ..*sample
            });
            if place == Place::Now {
                self.weights
                    .add(sample.event, sample.cpu, sample.pid, sample.period);
            }
        }
    }

    /// Ends an interval.
    fn tick(&mut self, begin: u64, end: u64) -> Result<(), Closed> {
        self.send()?;
        let length = end.saturating_sub(begin);
        let span = length.max(SHORTEST);
        let present = (0u16..).zip(&self.session.events);
        let by_device = self.device.is_some();
        let present = present.filter(|(_, event)| {
            event.missing.is_none() && (!by_device || event.spec.device_field.is_some())
        });
        let events = present.map(|(index, _)| EventId(index));
        let counts = self.weights.take(events, &self.session.host.cpus, span);
        let clocks = self.clocks.get_or_insert(Clocks {
            sample_ns: end,
            wall_ns: self.written,
        });
        self.outlet.tick(Tick {
            at: end,
            wall_ns: clocks.wall(end),
            interval_ns: span,
            counts,
            notes: std::mem::take(&mut self.notes),
            ..Tick::default()
        })
    }

    pub fn finish(&mut self) -> Result<(), Closed> {
        self.tell_side(u64::MAX);
        self.intervals.settle_all();
        self.tick_what_is_over()?;
        if let Some((begin, end)) = self.intervals.last() {
            if begin == end && self.intervals.is_one() {
                self.notes
                    .push("the samples have no times of their own: rates say nothing".to_owned());
            }
            return self.tick(begin, end);
        }
        // Nothing was sampled; what was to be said of the file is said, but not in the place of a part.
        let at = self.intervals.newest();
        let is_said = !self.notes.is_empty() || self.now.loss != Loss::default();
        if is_said && self.intervals.are_of_all() {
            return self.tick(at.saturating_sub(SHORTEST), at);
        }
        Ok(())
    }
}

fn names_pid_0(told: &SideBand) -> bool {
    let named = matches!(&told.what, Happened::Named { comm, .. } if comm != "swapper");
    told.pid == 0 && named
}

/// In a PID namespace perf gives 0 to every process that is not in it.
fn outside() -> SideBand {
    SideBand {
        time: 0,
        cpu: 0,
        pid: 0,
        tid: 0,
        what: Happened::Named {
            comm: OUTSIDE.to_owned(),
            exec: false,
        },
    }
}

fn words(chain: &[u8]) -> impl Iterator<Item = u64> {
    let words = chain.as_chunks::<8>().0.iter();
    words.map(|word| u64::from_le_bytes(*word))
}
