//! A made-up busy machine, the same for the same seed: the whole screen without privileges, for
//! tests, pictures and a first look. Its host counters and its events tell one story.

mod chains;
mod clock;
mod counters;
mod devices;
mod events;
mod latency;
mod load;
mod owners;
mod process;
mod rng;
mod rx;
mod sampler;
mod sockets;
mod tx;
mod work;

use std::collections::VecDeque;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub use chains::symbol;

use self::clock::Clocks;
use self::counters::Counters;
use self::events::Row;
use self::load::{CPUS, Load};
use self::process::PROCESSES;
use self::rng::Rng;
use self::sampler::{Window, parts};
use super::{Source, Step};
use crate::decode::{
    Batch, ClockKind, Costs, Counts, Demand, Event, EventId, EventSpec, Host, OwnCost, Session,
    SourceKind, Tick,
};
use crate::error::Error;

/// 2026-11-22T15:45:00Z, ns since 1970: when the machine's first interval begins.
const WALL_START: u64 = 1_795_362_300 * 1_000_000_000;
/// CLOCK_MONOTONIC at that moment, ns.
const START: u64 = 4_000 * 1_000_000_000;

/// How the machine's time passes. It is virtual either way: a tick is one interval later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    AsFastAsPossible,
    /// An interval takes as long as it says.
    RealTime,
}

#[derive(Debug)]
pub struct Demo {
    session: Session,
    /// By event.
    rows: Vec<Vec<&'static Row>>,
    pace: Pace,
    /// When the running interval began, for `Pace::RealTime` only.
    began: Instant,
    demand: Demand,
    seed: u64,
    machine: Rng,
    counters: Counters,
    /// The baseline tick has been given.
    baselined: bool,
    /// Intervals that are over.
    sequence: u64,
    elapsed_ns: u64,
    /// Hits since the last sample, by event and CPU.
    unsampled: Vec<[u64; CPUS]>,
    clocks: Clocks,
    ready: VecDeque<Step>,
    empty: Vec<Batch>,
}

impl Demo {
    pub fn new(seed: u64, pace: Pace, specs: Vec<EventSpec>) -> Self {
        let rows: Vec<_> = specs.iter().map(events::rows).collect();
        Demo {
            unsampled: vec![[0; CPUS]; specs.len()],
            clocks: Clocks::new(),
            session: Session {
                costs: Costs::default(),
                no_gate: None,
                gate_loading: false,
                host: Host {
                    hostname: "demo-12".to_owned(),
                    kernel: "6.8.0-demo".to_owned(),
                    arch: "x86_64".to_owned(),
                    cpus: (0..CPUS as u32).collect(),
                    clock: Some(ClockKind::CpuClock),
                },
                source: SourceKind::Demo,
                events: specs.into_iter().map(event).collect(),
            },
            rows,
            pace,
            began: Instant::now(),
            demand: Demand {
                interval: Duration::from_secs(1),
                ..Demand::default()
            },
            seed,
            machine: Rng::new(seed),
            counters: Counters::default(),
            baselined: false,
            sequence: 0,
            elapsed_ns: 0,
            ready: VecDeque::new(),
            empty: Vec::new(),
        }
    }

    /// Waits for the end of the running interval; false: it is not over within the patience.
    fn wait(&mut self, patience: Duration) -> bool {
        if self.pace == Pace::AsFastAsPossible {
            return true;
        }
        let left = self.demand.interval.saturating_sub(self.began.elapsed());
        sleep(left.min(patience));
        if left > patience {
            return false;
        }
        let due = self.began + self.demand.interval;
        // After a stop (Ctrl-Z) what was missed is not made up for.
        self.began = if due.elapsed() > self.demand.interval {
            Instant::now()
        } else {
            due
        };
        true
    }

    /// The first reading of every counter, before any interval.
    fn baseline(&self) -> Tick {
        Tick {
            at: START,
            wall_ns: WALL_START,
            host: self.counters.sample(START, &self.demand),
            ..Tick::default()
        }
    }

    /// One interval: its samples, then its tick.
    fn pass(&mut self) {
        let length_ns = self.demand.interval.as_nanos() as u64;
        let seconds = |ns: u64| ns as f64 / 1e9;
        let loads = load::interval(
            &mut self.machine,
            self.sequence,
            seconds(self.elapsed_ns),
            seconds(length_ns),
        );
        self.counters.add(&loads, length_ns);
        for (cpu, load) in loads.iter().enumerate() {
            let window = Window {
                cpu: cpu as u32,
                start: START + self.elapsed_ns,
                length_ns,
            };
            let batch = self.sample(window, load);
            if !batch.samples.is_empty() {
                self.ready.push_back(Step::Batch(batch));
            }
        }
        self.sequence += 1;
        self.elapsed_ns += length_ns;
        let at = START + self.elapsed_ns;
        let known = |pid: &u32| PROCESSES.iter().any(|process| process.pid == *pid);
        let tick = Tick {
            at,
            wall_ns: WALL_START + self.elapsed_ns,
            interval_ns: length_ns,
            counts: self.count(&loads, length_ns),
            latency: self.demand.timing.map(|timing| {
                let mut rng = Rng::new(self.seed ^ (self.sequence << 8) ^ (1 << 61));
                latency::sample(timing, &loads, &mut rng)
            }),
            devices: self.by_device(&loads),
            sockets: self.by_socket(&loads),
            carried: self.carried(&loads),
            host: self.counters.sample(at, &self.demand),
            own: OwnCost::default(),
            ended: self
                .demand
                .pids
                .iter()
                .copied()
                .filter(|pid| !known(pid))
                .collect(),
            ..Tick::default()
        };
        self.ready.push_back(Step::Tick(Box::new(tick)));
    }

    fn sample(&mut self, window: Window, load: &Load) -> Batch {
        let cpu = window.cpu as usize;
        let mut batch = self.empty.pop().unwrap_or_default();
        batch.cpu = window.cpu;
        // Chances of their own: what is attached does not change the machine.
        let mut rng =
            Rng::new(self.seed ^ (self.sequence << 8) ^ u64::from(window.cpu) ^ (1 << 63));
        for attach in self
            .demand
            .attached
            .iter()
            .filter(|a| a.wide && a.stacks_per_s > 0)
        {
            let Some(spec) = self.session.events.get(usize::from(attach.event.0)) else {
                continue;
            };
            let mut parts = parts(&self.wanted(attach.event), cpu, load);
            // The gate's samples under a filter by owner.
            let pids = &self.demand.pids;
            if attach.by_socket && !attach.everyone && !pids.is_empty() {
                parts.retain(|part| owners::is_for(part.row, pids));
            }
            let hits: u64 = parts.iter().map(|part| part.hits).sum();
            let period = window.period(hits, attach.stacks_per_s);
            let unsampled = &mut self.unsampled[usize::from(attach.event.0)][cpu];
            *unsampled += hits;
            let count = *unsampled / period;
            *unsampled %= period;
            window.sample(
                (attach, &spec.spec),
                &parts,
                (count, period),
                &mut rng,
                &mut batch,
            );
        }
        if self.demand.clock_hz > 0 {
            // Its chances are its own too.
            let mut rng =
                Rng::new(self.seed ^ (self.sequence << 8) ^ u64::from(window.cpu) ^ (1 << 62));
            let hz = self.demand.clock_hz;
            self.clocks.sample(window, hz, load, &mut rng, &mut batch);
        }
        batch.samples.sort_by_key(|sample| sample.time);
        batch
    }

    fn count(&self, loads: &[Load; CPUS], span_ns: u64) -> Vec<Counts> {
        let mut counts = Vec::new();
        for attach in &self.demand.attached {
            let rows = self.wanted(attach.event);
            let parts: [_; CPUS] = std::array::from_fn(|cpu| parts(&rows, cpu, &loads[cpu]));
            for (cpu, parts) in (0..).zip(&parts).filter(|_| attach.wide) {
                counts.push(Counts {
                    event: attach.event,
                    cpu: Some(cpu),
                    pid: None,
                    hits: parts.iter().map(|part| part.hits).sum(),
                    bytes: 0,
                    span_ns,
                    gate: attach.gate,
                    spread: None,
                });
            }
            let pids = self.counted_for(attach).into_iter();
            counts.extend(pids.map(|pid| self.count_for(attach, pid, &parts, span_ns)));
        }
        counts
    }

    /// The rows of an event behind the device filter. An id nobody knows has none.
    fn wanted(&self, event: EventId) -> Vec<&'static Row> {
        let index = usize::from(event.0);
        let (Some(rows), Some(event)) = (self.rows.get(index), self.session.events.get(index))
        else {
            return Vec::new();
        };
        let device = self.demand.device.as_deref();
        let device = device.filter(|_| event.spec.device_field.is_some());
        rows.iter()
            .copied()
            .filter(|row| device.is_none_or(|device| row.device == device))
            .collect()
    }
}

impl Source for Demo {
    fn session(&self) -> &Session {
        &self.session
    }

    fn step(&mut self, patience: Duration) -> Result<Step, Error> {
        if !self.baselined {
            self.baselined = true;
            self.began = Instant::now();
            return Ok(Step::Tick(Box::new(self.baseline())));
        }
        if self.ready.is_empty() {
            if !self.wait(patience) {
                return Ok(Step::Idle);
            }
            self.pass();
        }
        Ok(self.ready.pop_front().unwrap_or(Step::Idle))
    }

    fn demand(&mut self, demand: &Demand) {
        if self.demand == *demand {
            return;
        }
        self.demand = demand.clone();
        // An event that was let go begins anew when it comes back.
        for (index, unsampled) in self.unsampled.iter_mut().enumerate() {
            if demand
                .attached
                .iter()
                .all(|attach| usize::from(attach.event.0) != index)
            {
                *unsampled = [0; CPUS];
            }
        }
    }

    fn recycle(&mut self, mut batch: Batch) {
        batch.clear();
        self.empty.push(batch);
    }
}

fn event(spec: EventSpec) -> Event {
    let names: &[(&str, u64, &str)] = match spec.name.as_str() {
        "kfree_skb" => &[
            ("reason", events::NO_SOCKET, "NO_SOCKET"),
            ("reason", events::SOCKET_RCVBUFF, "SOCKET_RCVBUFF"),
        ],
        "softirq_entry" => &[("vec", 2, "NET_TX"), ("vec", 3, "NET_RX")],
        _ => &[],
    };
    let owned =
        |&(field, value, name): &(&str, u64, &str)| (field.to_owned(), value, name.to_owned());
    Event {
        symbols: names.iter().map(owned).collect(),
        gate: owners::gated(&spec),
        spec,
        missing: None,
        format: None,
    }
}

#[cfg(test)]
mod tests;
