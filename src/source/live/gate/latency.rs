//! Times between pairs of events: BPF programs that are loaded and attached only while somebody
//! looks, in a thread of their own, and what they counted since the last tick.

use std::thread::{self, JoinHandle};

use rustc_hash::FxHashMap;

use crate::decode::{Fate, GIVEN_UP_NS, LatencySample, Timed, Timing};
use crate::sys::{BUCKETS, Fates, PAIRS, Pairs, Program, give_back_memory, monotonic_ns};

/// The compiled programs; .ci/run compares them with their source.
const OBJECT: &[u8] = include_bytes!("../../../../assets/bpf/latency.bpf.o");

/// Second events before the first, so that what starts is seen to end; softirqs at the end.
const PROGRAMS: [Program; 17] = [
    program("netop_consume", "consume_skb"),
    program("netop_drop", "kfree_skb"),
    program("netop_receive", "netif_receive_skb"),
    program("netop_xmit", "net_dev_start_xmit"),
    program("netop_dequeue", "qdisc_dequeue"),
    program("netop_enqueue", "qdisc_enqueue"),
    program("netop_read", "sock_recv_length"),
    program("netop_gro_end", "napi_gro_receive_exit"),
    program("netop_gro_frags_end", "napi_gro_frags_exit"),
    program("netop_rx", "netif_rx"),
    program("netop_gro", "napi_gro_receive_entry"),
    program("netop_gro_frags", "napi_gro_frags_entry"),
    program("netop_queue", "net_dev_queue"),
    program("netop_ready", "sk_data_ready"),
    program("netop_exit", "softirq_exit"),
    program("netop_entry", "softirq_entry"),
    program("netop_raise", "softirq_raise"),
];
const SOFTIRQS: usize = 3;

/// Ticks after which a device or process without traffic makes room for another.
const IDLE_TICKS: u32 = 30;

/// Devices or processes of a pair, and CPUs of a pair, that a tick tells apart; the rest is one.
const TOLD: usize = 32;

const fn program(name: &'static str, tracepoint: &'static str) -> Program {
    Program {
        name,
        richer: None,
        tracepoint,
        by_device: false,
    }
}

#[derive(Default)]
pub struct Latency {
    state: State,
    timing: Option<Timing>,
    ticks: u32,
}

/// The tick that ends the first interval, in which nothing else is attached yet: what is asked for
/// from the start on is waited for.
const FIRST: u32 = 2;

#[derive(Default)]
enum State {
    #[default]
    Off,
    Starting(JoinHandle<Result<Pairs, String>>),
    On(Box<Running>),
    Refused(String),
}

struct Running {
    pairs: Pairs,
    salt: u64,
    /// As of the last tick, by CPU.
    hits: Vec<u64>,
    fates: Vec<[Fates; PAIRS]>,
    cells: FxHashMap<(u32, usize), Cell>,
}

struct Cell {
    buckets: Box<[u32; BUCKETS]>,
    crossed: u32,
    crossed_nodes: u32,
    orphans: u32,
    sum: u64,
    idle: u32,
}

impl Latency {
    /// Starts and stops as the demand says; neither is waited for.
    pub fn want(&mut self, timing: Option<Timing>) {
        let parts = |timing: Option<Timing>| timing.map(|t| t.softirqs_only);
        if parts(timing) != parts(self.timing) {
            // To let programs go takes a grace period of the kernel each.
            let old = std::mem::take(&mut self.state);
            // Without a thread they are let go here, when the closure is dropped.
            let _waited_for = thread::Builder::new().spawn(move || match old {
                State::Starting(loading) => drop(loading.join()),
                State::On(running) => drop(running),
                State::Off | State::Refused(_) => {}
            });
            if let Some(timing) = timing {
                let first = if timing.softirqs_only {
                    PROGRAMS.len() - SOFTIRQS
                } else {
                    0
                };
                let loading = thread::Builder::new().spawn(move || {
                    let started = Pairs::start(OBJECT, &PROGRAMS[first..]);
                    give_back_memory();
                    started
                });
                self.state = match loading {
                    Ok(loading) => State::Starting(loading),
                    Err(error) => State::Refused(format!("cannot start a thread: {error}")),
                };
            }
        }
        self.timing = timing;
        if let State::On(running) = &mut self.state {
            running.choose(timing);
        }
    }

    /// What was timed since the last tick; sentences about what cannot be go to `notes`.
    pub fn read(&mut self, cpus: &[u32], notes: &mut Vec<String>) -> Option<LatencySample> {
        self.ticks = self.ticks.saturating_add(1);
        let timing = self.timing?;
        let mut sample = LatencySample::default();
        match std::mem::take(&mut self.state) {
            State::Starting(loading) if loading.is_finished() || self.ticks == FIRST => {
                let started = loading.join();
                match started.unwrap_or_else(|_| Err("loading failed".to_owned())) {
                    Ok(pairs) => {
                        for (tracepoint, why) in &pairs.refused {
                            notes.push(format!("no times of {tracepoint}: {why}"));
                        }
                        let mut running = Box::new(Running::new(pairs));
                        running.choose(Some(timing));
                        self.state = State::On(running);
                    }
                    Err(why) => {
                        sample.refused = Some(why.clone());
                        self.state = State::Refused(why);
                    }
                }
            }
            State::On(mut running) => {
                sample.timing = Some(timing);
                running.read(cpus, &mut sample);
                running.choose(Some(timing));
                self.state = State::On(running);
            }
            other => {
                if let State::Refused(why) = &other {
                    sample.refused = Some(why.clone());
                }
                self.state = other;
            }
        }
        Some(sample)
    }
}

impl Running {
    fn new(pairs: Pairs) -> Running {
        let possible = 0..pairs.possible();
        Running {
            salt: monotonic_ns(),
            hits: possible.clone().map(|cpu| pairs.hits(cpu)).collect(),
            fates: vec![[Fates::default(); PAIRS]; possible.len()],
            cells: FxHashMap::default(),
            pairs,
        }
    }

    /// Others than until now: a few addresses may carry all of a quiet host's packets.
    fn choose(&mut self, timing: Option<Timing>) {
        if let Some(timing) = timing {
            self.salt = self.salt.wrapping_mul(6_364_136_223_846_793_005) | 1;
            let shares = (timing.packets, timing.sockets, timing.softirqs);
            self.pairs.choose(self.salt, shares);
        }
    }

    fn read(&mut self, cpus: &[u32], sample: &mut LatencySample) {
        sample.fates = (0..PAIRS as u8).map(Fate::of).collect();
        let mut whose: FxHashMap<(usize, u32, u32), Sum> = FxHashMap::default();
        let mut where_to: FxHashMap<(usize, u32), Sum> = FxHashMap::default();
        for &cpu in cpus {
            let Some(before) = self.fates.get_mut(cpu as usize) else {
                continue;
            };
            for ((pair, before), fate) in before.iter_mut().enumerate().zip(&mut sample.fates) {
                let now = self.pairs.fates(cpu, pair);
                fate.add(&now, before);
                *before = now;
            }
            let hits = self.pairs.hits(cpu);
            let before = std::mem::replace(&mut self.hits[cpu as usize], hits);
            sample.hits.push((cpu, hits.saturating_sub(before)));
            for cell in self.pairs.histograms(cpu) {
                let known = self.cells.entry((cpu, cell.cell)).or_default();
                let mut sum = Sum {
                    name: cell.name,
                    max: cell.max,
                    crossed: u64::from(cell.crossed.wrapping_sub(known.crossed)),
                    crossed_nodes: u64::from(cell.crossed_nodes.wrapping_sub(known.crossed_nodes)),
                    ns: cell.sum.saturating_sub(known.sum),
                    orphans: u64::from(cell.orphans.wrapping_sub(known.orphans)),
                    ..Sum::default()
                };
                known.crossed = cell.crossed;
                known.crossed_nodes = cell.crossed_nodes;
                known.orphans = cell.orphans;
                known.sum = cell.sum;
                let buckets = self.pairs.buckets(cpu, cell.cell);
                for ((at, before), now) in known.buckets.iter_mut().enumerate().zip(buckets) {
                    sum.buckets[at] = now.wrapping_sub(*before);
                    sum.times += u64::from(sum.buckets[at]);
                    *before = now;
                }
                if sum.times + sum.orphans > 0 {
                    known.idle = 0;
                    let place = (cell.pair, cell.netns, cell.id);
                    whose.entry(place).or_default().add(&sum);
                    where_to.entry((cell.pair, cpu)).or_default().add(&sum);
                } else {
                    known.idle += 1;
                    if known.idle >= IDLE_TICKS {
                        self.pairs.release(cpu, cell.cell);
                    }
                }
            }
        }
        let given_up = self
            .pairs
            .give_up(monotonic_ns().saturating_sub(GIVEN_UP_NS));
        for (fate, count) in sample.fates.iter_mut().zip(given_up) {
            fate.given_up = count;
        }
        tell(whose, where_to, &mut sample.histograms);
    }
}

impl Default for Cell {
    fn default() -> Self {
        Cell {
            buckets: Box::new([0; BUCKETS]),
            crossed: 0,
            crossed_nodes: 0,
            orphans: 0,
            sum: 0,
            idle: 0,
        }
    }
}

impl Fate {
    fn of(pair: u8) -> Fate {
        Fate {
            pair,
            ..Fate::default()
        }
    }

    fn add(&mut self, now: &Fates, before: &Fates) {
        self.started += now.started.saturating_sub(before.started);
        self.matched += now.matched.saturating_sub(before.matched);
        self.freed += now.freed.saturating_sub(before.freed);
        self.replaced += now.replaced.saturating_sub(before.replaced);
        self.merged += now.merged.saturating_sub(before.merged);
        self.orphans += now.orphans.saturating_sub(before.orphans);
    }
}

/// Histograms of several CPUs, devices or processes added up.
struct Sum {
    name: [u8; 16],
    times: u64,
    crossed: u64,
    crossed_nodes: u64,
    orphans: u64,
    ns: u64,
    max: u64,
    buckets: Box<[u32; BUCKETS]>,
}

impl Default for Sum {
    fn default() -> Self {
        Sum {
            name: [0; 16],
            times: 0,
            crossed: 0,
            crossed_nodes: 0,
            orphans: 0,
            ns: 0,
            max: 0,
            buckets: Box::new([0; BUCKETS]),
        }
    }
}

impl Sum {
    fn add(&mut self, other: &Sum) {
        self.name = other.name;
        self.times += other.times;
        self.crossed += other.crossed;
        self.crossed_nodes += other.crossed_nodes;
        self.orphans += other.orphans;
        self.ns += other.ns;
        self.max = self.max.max(other.max);
        for (count, more) in self.buckets.iter_mut().zip(other.buckets.iter()) {
            *count += more;
        }
    }

    fn timed(&self, pair: usize) -> Timed {
        let end = self.name.iter().position(|&b| b == 0).unwrap_or(16);
        let filled = (0..).zip(self.buckets.iter()).filter(|(_, n)| **n > 0);
        Timed {
            pair: pair as u8,
            name: String::from_utf8_lossy(&self.name[..end]).into_owned(),
            crossed: self.crossed,
            crossed_nodes: self.crossed_nodes,
            orphans: self.orphans,
            sum_ns: self.ns,
            max_ns: self.max,
            buckets: filled.map(|(at, count)| (at, *count)).collect(),
            ..Timed::default()
        }
    }
}

/// The busiest devices, processes and CPUs of each pair; other devices and processes as one.
fn tell(
    whose: FxHashMap<(usize, u32, u32), Sum>,
    where_to: FxHashMap<(usize, u32), Sum>,
    out: &mut Vec<Timed>,
) {
    let mut whose: Vec<_> = whose.into_iter().collect();
    whose.sort_unstable_by_key(|(place, sum)| (std::cmp::Reverse(sum.times), *place));
    let mut told = [0; PAIRS];
    let mut rest: FxHashMap<usize, Sum> = FxHashMap::default();
    for ((pair, netns, id), sum) in whose {
        if pair >= PAIRS {
            continue;
        }
        told[pair] += 1;
        if id == 0 || told[pair] > TOLD {
            rest.entry(pair).or_default().add(&sum);
        } else {
            out.push(Timed {
                netns: u64::from(netns),
                id,
                ..sum.timed(pair)
            });
        }
    }
    for (pair, sum) in rest {
        out.push(Timed {
            name: String::new(),
            ..sum.timed(pair)
        });
    }
    let mut where_to: Vec<_> = where_to.into_iter().collect();
    where_to.sort_unstable_by_key(|(place, sum)| (std::cmp::Reverse(sum.times), *place));
    let mut told = [0; PAIRS];
    for ((pair, cpu), sum) in where_to {
        if pair < PAIRS && told[pair] < TOLD {
            told[pair] += 1;
            out.push(Timed {
                cpu: Some(cpu),
                name: String::new(),
                ..sum.timed(pair)
            });
        }
    }
}
