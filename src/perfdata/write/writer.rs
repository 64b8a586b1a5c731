//! Batches and ticks → the file, round by round.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

use rustc_hash::FxHashMap;

use super::attr::{self, CLOCK_MONOTONIC, What};
use super::features::{self, About, BuildId, ClockPair, Described};
use super::header::{self, Recorded};
use super::records::{self, Stamp};
use super::tracing::{self, Synthetic};
use super::trailer::Trailer;
use super::weights::{Waiting, Weights};
use crate::decode::{
    Batch, ClockKind, EventId, Format, Loss, Place, Session, SideBand, SourceKind, Tick,
};
use crate::perfdata::{Line, Run, Symbols};

/// What is known when a recording begins.
pub struct Begin {
    pub run: Run,
    /// Those of the session that may have samples; ascending.
    pub events: Vec<EventId>,
    /// Those of them that only netop makes sense of: other readers do not see their samples.
    pub silent: Vec<EventId>,
    /// Every CPU that may come online.
    pub cpus: Vec<u32>,
    pub cmdline: Vec<String>,
    pub clocks: ClockPair,
}

/// What is known when it ends.
#[derive(Default)]
pub struct Ending {
    pub symbols: Symbols,
    pub build_ids: Vec<BuildId>,
}

pub struct Writer {
    out: File,
    trailer: Trailer,
    begin: Begin,
    session: Session,
    events: Vec<Recorded>,
    formats: Vec<(String, String)>,
    synthetic: FxHashMap<EventId, Synthetic>,
    weights: Weights,
    /// Records of the interval, and the samples among them.
    records: Vec<u8>,
    waiting: Vec<Waiting>,
    raw: Vec<u8>,
    /// Where the data begins, and the next round.
    data: u64,
    end: u64,
    /// What the batches of the interval said.
    loss: Loss,
    /// Time of the first sample and of the last.
    sampled: Option<(u64, u64)>,
    samples: u64,
    lost: u64,
}

impl Writer {
    /// `out` and `spill` are empty files; the second is read again in the end.
    pub fn begin(
        mut out: File,
        spill: File,
        begin: Begin,
        session: &Session,
    ) -> io::Result<Writer> {
        let mut trailer = Trailer::new(spill)?;
        trailer.line(&Line::Run(begin.run.clone()))?;
        trailer.line(&Line::Session(session.clone()))?;
        let (mut formats, mut synthetic) = (Vec::new(), FxHashMap::default());
        let mut events = Vec::new();
        let ids = |event| {
            begin
                .cpus
                .iter()
                .map(|cpu| header::id(event, *cpu))
                .collect()
        };
        for &event in &begin.events {
            let Some(known) = session.events.get(event.0 as usize) else {
                continue;
            };
            let text = match &known.format {
                Some(text) => text.to_string(),
                // A breakpoint has none anywhere; a tracepoint without one is not on this kernel.
                None if session.source == SourceKind::Live
                    && known.spec.place == Place::Tracepoint =>
                {
                    continue;
                }
                None => {
                    let (made, text) = Synthetic::new(event, known);
                    synthetic.insert(event, made);
                    text
                }
            };
            let Ok(format) = Format::parse(&text) else {
                continue;
            };
            formats.push((known.spec.group.clone(), text));
            events.push(Recorded {
                event,
                what: What::Tracepoint(format.id),
                name: known.spec.full_name(),
                ids: ids(event),
            });
        }
        if begin.run.clock_hz > 0 {
            events.push(Recorded {
                event: EventId::CLOCK,
                what: What::Clock(ClockKind::CpuClock, begin.run.clock_hz),
                name: String::new(),
                ids: ids(EventId::CLOCK),
            });
        }
        let head = header::head(&events, 0, &[]);
        out.write_all(&head)?;
        let data = head.len() as u64;
        Ok(Writer {
            out,
            trailer,
            weights: Weights::new(begin.run.pids.clone(), begin.silent.clone()),
            begin,
            session: session.clone(),
            events,
            formats,
            synthetic,
            records: Vec::new(),
            waiting: Vec::new(),
            raw: Vec::new(),
            data,
            end: data,
            loss: Loss::default(),
            sampled: None,
            samples: 0,
            lost: 0,
        })
    }

    /// What the processes were before anything was recorded.
    pub fn start_state(&mut self, state: &[SideBand]) {
        for happened in state {
            records::side_band(&mut self.records, happened, 0);
        }
    }

    /// Takes it into the interval's records; nothing is written before the tick.
    pub fn batch(&mut self, batch: &Batch) {
        self.loss.add(batch.loss);
        let first = self.events.first().map(|event| event.event);
        let tracked = |cpu| first.map_or(0, |event| header::id(event, cpu));
        for happened in &batch.side {
            records::side_band(&mut self.records, happened, tracked(happened.cpu));
        }
        for sample in &batch.samples {
            let known = self.events.iter().any(|event| event.event == sample.event);
            let raw = match self.synthetic.get(&sample.event) {
                Some(synthetic) => {
                    synthetic.raw(sample, batch, &mut self.raw);
                    &self.raw
                }
                None => sample.raw.of(&batch.raw),
            };
            let (at, id) = (self.records.len(), header::id(sample.event, sample.cpu));
            let chain = sample.chain.of(&batch.frames);
            if !known || !records::sample(&mut self.records, id, sample, chain, raw) {
                self.loss.undecodable += 1;
                continue;
            }
            self.waiting.push(Waiting {
                at,
                id,
                event: sample.event,
                cpu: sample.cpu,
                pid: sample.pid,
                time: sample.time,
                period: sample.period,
            });
        }
        self.lost_records(batch.loss.lost, batch.cpu);
    }

    fn lost_records(&mut self, lost: u64, cpu: u32) {
        if let (Some(first), true) = (self.events.first(), lost > 0) {
            let time = self.waiting.last().map_or(0, |sample| sample.time);
            let stamp = Stamp {
                id: header::id(first.event, cpu),
                time,
                cpu,
                ..Stamp::default()
            };
            records::lost(&mut self.records, stamp, lost);
        }
    }

    /// Writes the interval. After an error of the recording's file it is as the tick before left it and the
    /// interval is in neither file; only [`Writer::finish`] is of use then.
    pub fn tick(&mut self, session: &Session, tick: &Tick, shown: bool) -> io::Result<()> {
        let cpu = tick.host.cpus.first().map_or(0, |cpu| cpu.cpu);
        self.lost_records(tick.loss.lost, cpu);
        let before = self.weights.clone();
        self.weights.share_out(
            &mut self.records,
            self.end,
            &mut self.waiting,
            &tick.counts,
            (tick.interval_ns, &tick.children, shown),
        );
        records::finished_round(&mut self.records);
        let written = self.out.write_all(&self.records);
        if let Err(error) = written {
            // The samples that carried the counts of this interval are not there.
            self.weights = before;
            self.out.set_len(self.end)?;
            return Err(error);
        }
        self.end += self.records.len() as u64;
        let times = self.waiting.iter().map(|sample| sample.time);
        if let (Some(first), Some(last)) = (times.clone().min(), times.max()) {
            let (before, after) = self.sampled.unwrap_or((first, last));
            self.sampled = Some((before.min(first), after.max(last)));
        }
        if shown {
            let silent = &self.begin.silent;
            let seen = self.waiting.iter().filter(|w| !silent.contains(&w.event));
            self.samples += seen.count() as u64;
        }
        self.records.clear();
        self.waiting.clear();
        if *session != self.session {
            self.session.clone_from(session);
            self.trailer.line(&Line::Session(session.clone()))?;
        }
        let mut tick = tick.clone();
        tick.loss.add(std::mem::take(&mut self.loss));
        if shown {
            self.lost = self.lost.saturating_add(tick.loss.samples());
        }
        self.trailer.line(&Line::Tick {
            shown,
            tick: Box::new(tick),
        })
    }

    /// Samples written so far that readers see: of the intervals shown, and not of the events that only
    /// netop makes sense of.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Samples of the intervals shown that were lost, as their snapshots say.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Bytes of the file so far.
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// Bytes of netop's trailer so far; the file grows by them in the end.
    pub fn trailer_bytes(&self) -> io::Result<u64> {
        self.trailer.bytes()
    }

    /// Completes the file. Returns its size.
    pub fn finish(mut self, ending: Ending) -> io::Result<u64> {
        for event in &mut self.events {
            if let (What::Clock(_, hz), Some(kind)) = (event.what, self.session.host.clock) {
                event.what = What::Clock(kind, hz);
            }
        }
        for (at, count) in self.weights.rest() {
            self.out.seek(SeekFrom::Start(at))?;
            self.out.write_all(&count.to_le_bytes())?;
        }
        let sections = self.sections(&ending.build_ids);
        self.out.seek(SeekFrom::Start(self.end))?;
        let mut table = Vec::new();
        let mut offset = self.end + 16 * sections.len() as u64;
        for (_, section) in &sections {
            table.extend(offset.to_le_bytes());
            table.extend((section.len() as u64).to_le_bytes());
            offset += section.len() as u64;
        }
        self.out.write_all(&table)?;
        for (_, section) in &sections {
            self.out.write_all(section)?;
        }
        let features: Vec<u32> = sections.iter().map(|(feature, _)| *feature).collect();
        // perf's part is whole from here on, whatever becomes of the trailer.
        let head = header::head(&self.events, self.end - self.data, &features);
        self.out.seek(SeekFrom::Start(0))?;
        self.out.write_all(&head)?;
        self.out.seek(SeekFrom::End(0))?;
        self.trailer.line(&Line::Symbols(ending.symbols))?;
        self.trailer.append_to(&mut self.out)?;
        self.out.stream_position()
    }

    fn sections(&self, build_ids: &[BuildId]) -> Vec<(u32, Vec<u8>)> {
        let mut attrs = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            attr::encode(event.what, index == 0, &mut attrs);
        }
        let described: Vec<Described<'_>> = (self.events.iter())
            .zip(attrs.chunks(attr::SIZE))
            .map(|(event, attr)| Described {
                attr,
                name: match event.what {
                    What::Tracepoint(_) => event.name.clone(),
                    What::Clock(ClockKind::Cycles, _) => "cycles".to_owned(),
                    What::Clock(ClockKind::CpuClock, _) => "cpu-clock".to_owned(),
                },
                ids: &event.ids,
            })
            .collect();
        let host = &self.session.host;
        let possible = self.begin.cpus.iter().max().map_or(1, |most| most + 1);
        let formats = self.formats.iter().map(|(group, text)| (&**group, &**text));
        features::sections(&About {
            tracing: tracing::section(formats),
            build_ids,
            hostname: &host.hostname,
            kernel: &host.kernel,
            version: &format!("netop {}", self.begin.run.netop),
            arch: &host.arch,
            cpus: (possible, host.cpus.len() as u32),
            cmdline: &self.begin.cmdline,
            events: &described,
            sampled: self.sampled,
            clock_id: CLOCK_MONOTONIC,
            clocks: self.begin.clocks,
        })
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
