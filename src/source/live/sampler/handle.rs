//! The engine's side of one CPU: commands to its sampler thread, and the counts of its group.

use std::io;
use std::sync::Arc;
use std::thread;

use crossbeam_channel::{Receiver, Sender};

use super::Sampler;
use super::command::{Answer, SamplerCommand};
use super::outbox::Outbox;
use crate::decode::{Batch, Counts, EventId, Reading};
use crate::error::Error;
use crate::sys::{GroupReader, Leader, PerfEvent, Ring, WakeFd};

/// The channels that all samplers share.
#[derive(Clone)]
pub struct Lines {
    pub batches: Sender<Batch>,
    pub pool: Receiver<Batch>,
    pub answers: Sender<Answer>,
    pub closer: Sender<PerfEvent>,
}

/// Events are closed by a thread of their own: each last close waits 31–43 ms for RCU.
pub fn start_closer() -> Result<Sender<PerfEvent>, Error> {
    let (closer, closing) = crossbeam_channel::unbounded::<PerfEvent>();
    std::thread::Builder::new()
        .name("closer".to_owned())
        .spawn(move || closing.into_iter().for_each(drop))
        .map_err(|e| Error::no_thread(&e))?;
    Ok(closer)
}

struct Attached {
    event: EventId,
    id: u64,
    /// Of an event that is in no group.
    reader: Option<GroupReader>,
    hits: u64,
    lost: u64,
    since: u64,
}

pub struct SamplerHandle {
    pub cpu: u32,
    commands: Sender<SamplerCommand>,
    wake: Arc<WakeFd>,
    reader: GroupReader,
    attached: Vec<Attached>,
    readings: Vec<Reading>,
    /// Counts of events that were detached within the interval.
    carried: Vec<Counts>,
    /// Samples lost by events that were detached within the interval.
    lost: u64,
    /// The CPU went away: its events can no longer be read.
    pub dead: bool,
}

impl SamplerHandle {
    /// Opens the CPU's ring and starts its sampler thread. The second value is the ring's size.
    pub fn start(
        cpu: u32,
        leader: Leader,
        ring_bytes: usize,
        interval_s: f64,
        lines: &Lines,
    ) -> io::Result<(SamplerHandle, usize)> {
        let (ring, size) = Ring::open(cpu, leader, ring_bytes)?;
        let reader = ring.reader()?;
        let ring_reader = ring.reader()?;
        let wake = Arc::new(WakeFd::new()?);
        let (commands, incoming) = crossbeam_channel::unbounded();
        let sampler = Sampler {
            cpu,
            ring,
            commands: incoming,
            wake: Arc::clone(&wake),
            answers: lines.answers.clone(),
            outbox: Outbox::new(cpu, lines.batches.clone(), lines.pool.clone()),
            closer: lines.closer.clone(),
            interval_s,
            clock: None,
            output: None,
            side_band: None,
            reader: ring_reader,
            closed: Vec::new(),
        };
        thread::Builder::new()
            .name(format!("sampler/{cpu}"))
            .spawn(move || sampler.run())?;
        let sampler = SamplerHandle {
            cpu,
            commands,
            wake,
            reader,
            attached: Vec::new(),
            readings: Vec::new(),
            carried: Vec::new(),
            lost: 0,
            dead: false,
        };
        Ok((sampler, size))
    }

    pub fn send(&self, command: SamplerCommand) {
        // A sampler that is gone has closed its events; the sampler is about to go too.
        let _sampler_gone = self.commands.send(command);
        self.wake.wake();
    }

    pub fn attached(&mut self, event: EventId, id: u64, at: u64, reader: Option<GroupReader>) {
        self.attached.retain(|a| a.event != event);
        self.attached.push(Attached {
            event,
            id,
            reader,
            hits: 0,
            lost: 0,
            since: at,
        });
    }

    /// Takes the event's last counts before its sampler closes it.
    pub fn detach(&mut self, event: EventId, now: u64, interval_started: u64) {
        if self.attached.iter().any(|a| a.event == event) {
            let mut last = Vec::new();
            self.lost += self.read(now, interval_started, &mut last);
            self.carried.extend(last);
            self.attached.retain(|a| a.event != event);
        }
        self.send(SamplerCommand::Detach(event));
    }

    /// One system call, and one for each event that is in no group: the hits of every event of
    /// this CPU since the last call. Returns the
    /// samples that the kernel says it lost in that time.
    pub fn read(&mut self, now: u64, interval_started: u64, out: &mut Vec<Counts>) -> u64 {
        let first = out.len();
        out.append(&mut self.carried);
        if self.attached.is_empty() {
            return 0;
        }
        if self.reader.read(&mut self.readings).is_err() || self.readings.is_empty() {
            self.lose_cpu();
            return 0;
        }
        let mut lost = std::mem::take(&mut self.lost);
        let mut broken = false;
        for attached in &mut self.attached {
            if let Some(reader) = &mut attached.reader {
                let mut alone = Vec::new();
                let _cpu_gone = reader.read(&mut alone);
                self.readings.append(&mut alone);
            }
            let Some(reading) = self.readings.iter().find(|r| r.id == attached.id) else {
                broken = true;
                continue;
            };
            let hits = reading.value.saturating_sub(attached.hits);
            let span_ns = now.saturating_sub(attached.since.max(interval_started));
            match out[first..].iter_mut().find(|c| c.event == attached.event) {
                Some(carried) => {
                    carried.hits += hits;
                    carried.span_ns += span_ns;
                }
                None => out.push(Counts {
                    event: attached.event,
                    cpu: Some(self.cpu),
                    pid: None,
                    hits,
                    bytes: 0,
                    span_ns,
                    gate: false,
                    spread: None,
                }),
            }
            attached.since = now;
            lost += reading.lost.saturating_sub(attached.lost);
            attached.hits = reading.value;
            attached.lost = reading.lost;
        }
        if broken {
            self.lose_cpu();
        }
        lost
    }

    /// The CPU is or was offline: the kernel has broken up the group, and nothing more is counted. What had
    /// been is asked for once.
    fn lose_cpu(&mut self) {
        if !std::mem::replace(&mut self.dead, true) {
            self.send(SamplerCommand::LastCounts);
        }
    }

    /// What the event had when its CPU went offline, within the interval of `interval_ns`: all that it had in
    /// it, for there were no more.
    pub fn last_count(&mut self, event: EventId, hits: u64, interval_ns: u64) -> Option<Counts> {
        let mut attached = self.attached.iter_mut();
        let attached = attached.find(|a| a.event == event)?;
        let more = hits.saturating_sub(attached.hits);
        attached.hits = hits.max(attached.hits);
        Some(Counts {
            event,
            cpu: Some(self.cpu),
            pid: None,
            hits: more,
            bytes: 0,
            span_ns: interval_ns,
            gate: false,
            spread: None,
        })
    }
}

impl Drop for SamplerHandle {
    fn drop(&mut self) {
        self.send(SamplerCommand::Stop);
    }
}
