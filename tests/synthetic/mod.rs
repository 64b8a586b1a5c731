//! A host that nobody has: so many CPUs whose samples repeat the same stacks, and a tail of stacks
//! that were never seen before. What it gives was made beforehand; the engine's work is what costs.

use std::sync::Arc;
use std::time::Duration;

use netop::decode::{
    Batch, ClockKind, Costs, Counts, CpuCounters, CpuTime, Demand, Event, EventId, Host,
    HostSample, LinkCounters, OwnCost, Sample, Session, SlowSample, SourceKind, Span, Tick,
};
use netop::engine::{Counting, Engine, Registry, Settings};
use netop::error::Error;
use netop::model::{KernelFunction, Kind, Name, Names, StageId, Want};
use netop::source::{Source, Step};

const FRAMES: u64 = 16;
/// As the samplers' batches.
const BATCH: usize = 1024;
/// Batches that are made beforehand and go round.
const MADE: usize = 64;
const PIDS: u64 = 50;
const INTERVAL_NS: u64 = 1_000_000_000;
const DEVICES: [&[u8]; 4] = [b"eth0", b"eth1", b"veth12", b"lo"];

/// How busy it is, per interval of a second.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub cpus: u32,
    pub samples: usize,
    /// Stacks that come again and again.
    pub stacks: u64,
    /// One sample in so many has a stack of its own; 0: none.
    pub new_every: usize,
}

pub struct Synthetic {
    session: Session,
    load: Load,
    made: Vec<Batch>,
    /// Samples of the running interval that were given.
    given: usize,
    intervals: u64,
    /// Stacks that never came before.
    novel: u64,
}

impl Synthetic {
    pub fn new(load: Load, registry: &Registry) -> Synthetic {
        let events: Vec<Event> = (registry.specs().into_iter())
            .map(|spec| Event {
                symbols: vec![("reason".into(), 6, "SOCKET_RCVBUFF".into())],
                spec,
                missing: None,
                format: None,
                gate: false,
            })
            .collect();
        // The softirqs' beginnings and ends are not sampled on a busy host.
        let sampled: Vec<EventId> = (0..events.len() as u16)
            .map(EventId)
            .filter(|event| !registry.softirq.contains(event))
            .collect();
        let mut random = 7;
        let made = (0..MADE)
            .map(|_| batch(&load, &sampled, &mut random))
            .collect();
        Synthetic {
            session: Session {
                host: Host {
                    hostname: "synthetic".into(),
                    kernel: "6.18".into(),
                    arch: "x86_64".into(),
                    cpus: (0..load.cpus).collect(),
                    clock: Some(ClockKind::CpuClock),
                },
                source: SourceKind::Demo,
                events,
                costs: Costs::default(),
                no_gate: None,
                gate_loading: false,
            },
            load,
            made,
            given: 0,
            intervals: 0,
            novel: 0,
        }
    }

    /// Every CPU's batches in turn.
    fn dress(&mut self, batch: &mut Batch) {
        let cpu = (self.given / BATCH) as u32 % self.load.cpus;
        batch.cpu = cpu;
        batch
            .samples
            .truncate(self.load.samples - self.given.min(self.load.samples));
        for (index, sample) in batch.samples.iter_mut().enumerate() {
            sample.cpu = cpu;
            if self.load.new_every > 0 && index.is_multiple_of(self.load.new_every) {
                self.novel += 1;
                let frame = sample.chain.start as usize + 1;
                batch.frames[frame] = 0xffff_ffff_9000_0000 + self.novel * 16;
            }
        }
        self.given += batch.samples.len();
    }

    fn tick(&mut self) -> Tick {
        let first = self.intervals == 0;
        self.intervals += 1;
        self.given = 0;
        let at = self.intervals * INTERVAL_NS;
        let count = |event: usize, cpu: u32| Counts {
            event: EventId(event as u16),
            cpu: Some(cpu),
            pid: None,
            hits: 20_000 + u64::from(cpu),
            bytes: 0,
            span_ns: INTERVAL_NS,
            gate: false,
            spread: None,
        };
        let events = 0..self.session.events.len();
        let counts = (0..self.load.cpus)
            .flat_map(|cpu| events.clone().map(move |event| count(event, cpu)))
            .filter(|_| !first)
            .collect();
        Tick {
            at,
            wall_ns: 1_795_000_000_000_000_000 + at,
            interval_ns: if first { 0 } else { INTERVAL_NS },
            counts,
            host: HostSample {
                cpus: (0..self.load.cpus)
                    .map(|cpu| counters(cpu, self.intervals))
                    .collect(),
                slow: Some(Arc::new(slow(self.intervals))),
            },
            own: OwnCost {
                cpu_ns: Some(1_000_000),
                anon_bytes: Some(1 << 20),
                per_cpu: Vec::new(),
            },
            ..Tick::default()
        }
    }
}

impl Source for Synthetic {
    fn session(&self) -> &Session {
        &self.session
    }

    fn step(&mut self, _: Duration) -> Result<Step, Error> {
        if self.intervals > 0 && self.given < self.load.samples {
            let mut batch = self.made.pop().expect("each batch comes back");
            self.dress(&mut batch);
            return Ok(Step::Batch(batch));
        }
        Ok(Step::Tick(Box::new(self.tick())))
    }

    fn demand(&mut self, _: &Demand) {}

    fn recycle(&mut self, batch: Batch) {
        self.made.insert(0, batch);
    }
}

fn batch(load: &Load, events: &[EventId], random: &mut u64) -> Batch {
    let mut batch = Batch::default();
    let names = DEVICES.map(|device| {
        let start = batch.raw.len() as u32;
        batch.raw.extend_from_slice(device);
        let len = device.len() as u32;
        Span { start, len }
    });
    for _ in 0..BATCH.min(load.samples) {
        // Few stacks are frequent, as everywhere: the product of two draws.
        let stack = draw(random, load.stacks) * draw(random, load.stacks) / load.stacks;
        // A stack ends in its tracepoint; a quarter are CPU samples.
        let event = events.get(stack as usize % (events.len() * 4 / 3));
        let chain = chain_of(stack, &mut batch.frames);
        // Its name is also the address of its one socket.
        let raw = names[(stack % 4) as usize];
        batch.samples.push(Sample {
            event: event.copied().unwrap_or(EventId::CLOCK),
            cpu: 0,
            pid: (stack % PIDS) as u32,
            tid: (stack % PIDS) as u32,
            time: 1,
            period: if event.is_some() { 97 } else { 5_025_125 },
            chain,
            raw,
            owner: 0,
            values: [raw.pack(); 4],
        });
    }
    batch
}

fn chain_of(stack: u64, frames: &mut Vec<u64>) -> Span {
    let start = frames.len() as u32;
    frames.push((-128i64) as u64);
    for frame in 0..FRAMES {
        if frame == FRAMES - 4 {
            frames.push((-512i64) as u64);
        }
        let text = if frame < FRAMES - 4 {
            0xffff_ffff_8100_0000
        } else {
            0x5581_0000_0000
        };
        frames.push(text + frame * 0x10000 + (stack >> (frame / 2)) * 16);
    }
    Span {
        start,
        len: frames.len() as u32 - start,
    }
}

fn draw(random: &mut u64, below: u64) -> u64 {
    *random = random
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1);
    (*random >> 33) % below
}

fn counters(cpu: u32, seconds: u64) -> CpuCounters {
    let mut counters = CpuCounters {
        cpu,
        net_rx_runs: 9_000 * seconds,
        net_tx_runs: seconds,
        time: CpuTime {
            user: 100_000_000 * seconds,
            system: 300_000_000 * seconds,
            idle: 500_000_000 * seconds,
            softirq: 100_000_000 * seconds,
            ..CpuTime::default()
        },
        ..CpuCounters::default()
    };
    counters.softnet.processed = 20_000 * seconds;
    counters
}

fn slow(seconds: u64) -> SlowSample {
    let link = |number: u64| LinkCounters {
        netns: 1,
        name: format!("eth{number}"),
        physical: true,
        rx_packets: 10_000 * seconds,
        tx_packets: 10_000 * seconds,
        rx_bytes: 1_000_000 * seconds,
        tx_bytes: 1_000_000 * seconds,
        ..LinkCounters::default()
    };
    SlowSample {
        at: seconds * INTERVAL_NS,
        links: (0..16).map(link).collect(),
        ..SlowSample::default()
    }
}

/// Names of addresses that nobody compiled, all known at once.
struct Made {
    frame: Arc<str>,
    plain: Arc<str>,
}

impl Names for Made {
    fn kernel(&mut self, _: u64) -> Name {
        Name {
            text: Arc::clone(&self.frame),
            settled: true,
        }
    }

    fn function(&mut self, address: u64) -> Option<KernelFunction> {
        Some(KernelFunction {
            plain: Arc::clone(&self.plain),
            module: None,
            kind: Kind {
                stage: StageId::new((address / 0x10000 % 20) as usize),
                network: true,
                ..Kind::default()
            },
        })
    }

    fn stage(&self, _: StageId) -> &'static str {
        "made"
    }

    fn user(&mut self, _: u32, _: u64, frames: &mut Vec<Arc<str>>) -> bool {
        frames.push(Arc::clone(&self.frame));
        true
    }
}

/// The engine over this host, every event counted.
pub fn engine(load: Load) -> Engine {
    let registry = Registry::new(Vec::new());
    let names = Made {
        frame: "made".into(),
        plain: "made".into(),
    };
    Engine::new(
        Box::new(Synthetic::new(load, &registry)),
        Box::new(names),
        registry,
        Settings {
            max_overhead_pct: 100.0,
            counting: Counting::Perf,
            first_interval: None,
            banner: None,
            limits: netop::advice::Limits::default(),
            notes: Vec::new(),
            recorded: false,
        },
        Want::default(),
    )
}
