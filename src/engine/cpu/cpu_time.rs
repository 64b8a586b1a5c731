//! CPU time of the network stack: the window of the last 30 seconds of CPU samples, and what it
//! says of stages, functions, CPUs and processes. Means over the window with 95 % bounds from the
//! variance between its seconds (docs/measuring.md).

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::bucket::{Bucket, NetTime, StageTime, Wire};
use super::occupants;
use super::occupants::Occupied;
use super::spent::Latest;
use crate::engine::process::processes::Charged;
use crate::engine::registry::Registry;
use crate::model::{
    Bounded, Context, Cpu, CpuFold, CpuPart, Direction, Function, Judged, KernelFrames, Leaf,
    Names, OUTSIDE, Part, Sampled, Spent, Stage, StageId, Summary, Weighed, ratio,
};

/// The CPU columns cover this much of the past, seconds.
const WINDOW_S: f64 = 30.0;

/// Shorter intervals are put together until they are about a second: bounds come from the
/// variance between seconds.
const PART_S: f64 = 0.95;

/// With more of the busy time unnamed (kallsyms is still being read) a part says nothing.
const UNKNOWN: f64 = 0.02;

/// What one sample is of a packet's cost at most, ns: an idle host's three packets did not cost the
/// 5 ms that the one sample stands for which met them.
const COARSEST_NS: f64 = 1000.0;

/// What an interval's samples are seen with.
pub struct Taken<'a> {
    pub seconds: f64,
    /// Samples per second and CPU.
    pub hz: u32,
    pub wire: Option<Wire>,
    /// Hits per second of each row; `None`: not counted.
    pub rates: &'a [Option<f64>],
    pub counted: &'a dyn Fn(u32) -> bool,
    /// By CPU: for whom its receive softirq worked; `None`: nobody says.
    pub receivers: Option<&'a FxHashMap<u32, Vec<(u32, f64)>>>,
    /// Stacks of everything are kept.
    pub all: bool,
    /// There is a PID filter.
    pub filtered: bool,
    /// … which means owners: what interrupted the processes is not theirs.
    pub by_owner: bool,
    /// The CPUs that were sampled.
    pub cpus: &'a [u32],
    /// The ns of the interval that the samples of a CPU share; the rest of it the CPU idled.
    pub share: &'a dyn Fn(u32, Sampled) -> f64,
}

/// Work for whoever, on the time of the process that was running.
fn interrupts(context: Context) -> bool {
    matches!(context, Context::Softirq | Context::Interrupt)
}

pub struct CpuTime {
    pub fold: CpuFold,
    pub(in crate::engine) parts: VecDeque<Bucket>,
    /// The last interval alone; `None`: it says nothing.
    latest: Option<Latest>,
    directions: Vec<Direction>,
    /// Samples of the last interval; `None`: CPU time is not sampled.
    pub samples: Option<u64>,
    /// Samples whose stacks were shortened since the start.
    pub folded: u64,
    /// Samples per second and CPU.
    hz: f64,
    /// Who kept each CPU busy in the last interval.
    pub occupied: Occupied,
    /// How long names have been missing, seconds.
    unnamed_s: f64,
    /// Sampling began within the interval.
    fresh: bool,
}

impl CpuTime {
    /// `module`: stacks, stages and rows are to be of this kernel module.
    pub fn new(registry: &Registry, module: Option<&str>) -> CpuTime {
        let symbols = registry.rows.iter().enumerate().flat_map(|(row, of)| {
            let symbols = of.probe.symbols().iter();
            symbols.map(move |&symbol| (symbol, row))
        });
        CpuTime {
            fold: CpuFold::new(KernelFrames::new(symbols).with_module(module)),
            parts: VecDeque::new(),
            latest: None,
            directions: registry.rows.iter().map(|r| r.probe.direction()).collect(),
            samples: None,
            folded: 0,
            hz: 1.0,
            occupied: Occupied::default(),
            unnamed_s: 0.0,
            fresh: true,
        }
    }

    /// Another question was asked, or sampling began anew: the past answers it no more.
    pub fn forget(&mut self) {
        self.fold.forget();
        self.parts.clear();
        self.latest = None;
        self.samples = None;
        self.occupied.clear();
        self.fresh = true;
    }

    /// Sampling began before the interval.
    pub fn begun(&mut self) {
        self.fresh = false;
    }

    /// Ends an interval in which CPU time was sampled. Returns its stacks, heaviest first.
    pub fn ingest(&mut self, taken: &Taken<'_>, names: &mut dyn Names) -> Vec<Weighed> {
        let span = (taken.seconds, WINDOW_S);
        // Of a process that was asked for all its time is of interest, of the others only what
        // the network takes: naming the frames of every program would cost more than all the rest.
        let only_module = self.fold.module().is_some();
        let of_module = |judged: Option<Judged>| judged.is_some_and(Judged::is_of_module);
        let keep = |pid, judged: Option<Judged>| match judged {
            _ if only_module && !of_module(judged) => false,
            _ if taken.all && !only_module => (taken.counted)(pid),
            Some(judged) if judged.verdict.context == Context::Idle => false,
            Some(_) if only_module && !taken.filtered => true,
            Some(judged) if !taken.filtered => judged.verdict.network || judged.observer,
            Some(judged) if taken.by_owner && interrupts(judged.verdict.context) => false,
            _ => (taken.counted)(pid),
        };
        let folded = self.fold.finish(span, taken.share, keep, names);
        self.folded += folded.samples_folded;
        self.latest = None;
        if std::mem::take(&mut self.fresh) {
            return folded.stacks;
        }
        self.samples = Some(folded.samples);
        if taken.cpus.is_empty() && folded.samples == 0 {
            // A recording of nothing: no CPU had time.
            return folded.stacks;
        }
        self.hz = f64::from(taken.hz.max(1));
        self.occupied = occupants::of(&folded.spots, taken.seconds);
        let mut part = Bucket::new(&folded.spots, self.directions.len(), |spot| {
            let context = spot.judged.map_or(Context::Process, |j| j.verdict.context);
            (taken.counted)(spot.pid)
                && !(taken.by_owner && interrupts(context))
                && (!only_module || of_module(spot.judged))
        });
        part.seconds = taken.seconds;
        part.samples = folded.samples;
        part.wire = taken.wire;
        if let Some(receivers) = taken.receivers {
            part.own(receivers);
        }
        let calls = taken.rates.iter();
        part.calls = calls.map(|rate| rate.map(|r| r * taken.seconds)).collect();
        for cpu in taken.cpus {
            let shared = folded.shared.get(cpu).copied().unwrap_or(0.0);
            let unsampled = taken.seconds * 1e9 - shared;
            part.contexts[Context::Idle as usize] += unsampled.max(0.0);
        }
        let idle = part.contexts[Context::Idle as usize];
        let busy = part.contexts.iter().sum::<f64>() - idle + part.unknown;
        if part.unknown > UNKNOWN * busy {
            // Old figures do not stand for ever.
            self.unnamed_s += taken.seconds;
            if self.unnamed_s > WINDOW_S {
                self.parts.clear();
            }
            return folded.stacks;
        }
        self.unnamed_s = 0.0;
        self.latest = Some(Latest::of(&part, self.hz));
        match self.parts.back_mut() {
            Some(last) if last.seconds < PART_S => last.merge(part),
            _ => self.parts.push_back(part),
        }
        while self.parts.len() > 1 && self.seconds() > WINDOW_S + PART_S / 2.0 {
            self.parts.pop_front();
        }
        folded.stacks
    }

    pub fn seconds(&self) -> f64 {
        self.parts.iter().map(|part| part.seconds).sum()
    }

    /// Percent of one CPU. What no sample met may have taken as much as three samples stand for.
    pub(in crate::engine) fn pct(&self, ns: impl Fn(&Bucket) -> f64) -> Option<Bounded> {
        let parts = self.parts.iter().map(|p| (ns(p) / 1e7, p.seconds));
        let pct = ratio(parts, 100.0 / self.hz)?;
        let unmet = pct.value == 0.0;
        Some(Bounded {
            error: pct.error.map(|error| {
                if unmet {
                    300.0 / (self.hz * self.seconds())
                } else {
                    error
                }
            }),
            ..pct
        })
    }

    /// ns per wire packet, over the parts whose packets were counted; `None` where they are so few that
    /// a sample more or less would change it by [`COARSEST_NS`].
    pub(in crate::engine) fn per_packet(
        &self,
        ns: impl Fn(&Bucket) -> f64,
        direction: Direction,
    ) -> Option<Bounded> {
        let counted = self
            .parts
            .iter()
            .filter_map(|part| Some((part, part.wire?)));
        let parts = counted.map(|(part, wire)| (ns(part), wire.of(direction)));
        let sample_ns = 1e9 / self.hz;
        let packets: f64 = parts.clone().map(|(_, packets)| packets).sum();
        if sample_ns > COARSEST_NS * packets {
            return None;
        }
        let cost = ratio(parts, sample_ns)?;
        // No sample met it: nobody knows what it costs.
        (cost.value > 0.0).then_some(cost)
    }

    pub fn summary(&self, summary: &mut Summary) {
        let Some(net) = self.pct(|part| part.net.net()) else {
            return;
        };
        let of = |direction: Direction| {
            let pct = self.pct(|part| part.net.directions[direction as usize]);
            pct.map(|pct| pct.value)
        };
        summary.net_cores = Some(net.value / 100.0);
        summary.net_cores_error = net.error.map(|error| error / 100.0);
        summary.net_rx_pct = of(Direction::Rx);
        summary.net_tx_pct = of(Direction::Tx);
        summary.net_sock_pct = of(Direction::Sock);
        summary.net_other_pct = of(Direction::Other);
        summary.observer_pct = self.pct(|part| part.net.observer).map(|pct| pct.value);
        let cost = self.per_packet(|part| part.net.net(), Direction::Other);
        summary.ns_per_packet = cost.map(|cost| cost.value);
        summary.ns_error = cost.and_then(|cost| cost.error);
        let seconds = self.seconds();
        let counted = self
            .parts
            .iter()
            .filter_map(|p| Some((p.wire?.all, p.seconds)));
        summary.wire_pps = ratio(counted, 0.0).map(|pps| pps.value);
        summary.cpu_window_s = Some(seconds);
    }

    /// The CPU columns of the function table. `per_packet`: the packets of the whole host are
    /// those of the question (there is no filter).
    pub fn functions(&self, functions: &mut [Function], per_packet: bool) {
        if self.parts.is_empty() {
            return;
        }
        for (row, function) in functions.iter_mut().enumerate() {
            if function.symbols.is_empty() {
                continue;
            }
            let inclusive = |part: &Bucket| part.rows[row].0;
            let cpu = self.pct(inclusive);
            function.cpu_pct = cpu.map(|cpu| cpu.value);
            function.cpu_error = cpu.and_then(|cpu| cpu.error);
            function.self_pct = self.pct(|part| part.rows[row].1).map(|own| own.value);
            let calls: Option<f64> = (self.parts.iter())
                .map(|part| part.calls.get(row).copied().flatten())
                .sum();
            let calls = calls.filter(|&calls| calls > 0.0);
            let ns: f64 = self.parts.iter().map(inclusive).sum();
            function.ns_per_call = calls.map(|calls| ns / calls);
            if !per_packet {
                continue;
            }
            let direction = self.directions[row];
            let cost = self.per_packet(inclusive, direction);
            function.ns_per_packet = cost.map(|cost| cost.value);
            function.ns_error = cost.and_then(|cost| cost.error);
        }
    }

    /// The last interval alone, of the processes `listed`.
    pub fn spent(
        &self,
        functions: &[Function],
        names: &dyn Names,
        listed: impl Fn(u32) -> bool,
        per_packet: bool,
    ) -> Option<Spent> {
        let latest = self.latest.as_ref()?;
        Some(latest.spent(functions, &self.directions, names, listed, per_packet))
    }

    /// Wire packets (per second) of a row's direction for each of its hits.
    pub fn packets_per_hit(&self, row: usize, rate: f64, wire: Wire) -> f64 {
        wire.of(self.directions[row]) / rate
    }

    pub fn stages(&self, names: &dyn Names, per_packet: bool) -> Vec<Stage> {
        let mut keys: Vec<(StageId, Direction)> = (self.parts.iter())
            .flat_map(|part| part.stages.keys().copied())
            .collect();
        keys.sort_unstable();
        keys.dedup();
        let mut stages: Vec<Stage> = (keys.into_iter())
            .filter_map(|key| self.stage(key, names, per_packet))
            .collect();
        stages.sort_by(|a, b| {
            b.cpu_pct
                .total_cmp(&a.cpu_pct)
                .then(b.inclusive_pct.total_cmp(&a.inclusive_pct))
                .then((a.stage, a.direction).cmp(&(b.stage, b.direction)))
        });
        stages.extend(self.outside());
        stages
    }

    /// Of the processes of the filter, too. `None`: nothing, or only a module is looked at.
    fn outside(&self) -> Option<Stage> {
        if self.fold.module().is_some() {
            return None;
        }
        let own = self
            .pct(|part| part.outside)
            .filter(|own| own.value > 0.0)?;
        Some(Stage {
            stage: OUTSIDE,
            direction: Direction::Other.name(),
            cpu_pct: own.value,
            cpu_error: own.error,
            inclusive_pct: own.value,
            ns_per_packet: None,
            ns_error: None,
            leaves: Vec::new(),
            per_cpu: Vec::new(),
        })
    }

    fn stage(
        &self,
        key: (StageId, Direction),
        names: &dyn Names,
        per_packet: bool,
    ) -> Option<Stage> {
        let time =
            |part: &Bucket, get: fn(&StageTime) -> f64| part.stages.get(&key).map_or(0.0, get);
        let own = self.pct(|part| time(part, |time| time.own))?;
        let inclusive = self.pct(|part| time(part, |time| time.inclusive))?;
        let cost = per_packet
            .then(|| self.per_packet(|part| time(part, |time| time.own), key.1))
            .flatten();
        let to_pct = 1.0 / (self.seconds() * 1e7);
        let mut leaves: Vec<Part> = (Leaf::ALL.iter())
            .map(|&leaf| {
                let of = |part: &Bucket| {
                    part.stages
                        .get(&key)
                        .map_or(0.0, |t| t.leaves[leaf as usize])
                };
                Part {
                    name: leaf.name(),
                    cpu_pct: self.parts.iter().map(of).sum::<f64>() * to_pct,
                }
            })
            .filter(|part| part.cpu_pct > 0.0)
            .collect();
        leaves.sort_by(|a, b| b.cpu_pct.total_cmp(&a.cpu_pct));
        let mut cpus = std::collections::BTreeMap::<u32, f64>::new();
        for (cpu, ns) in (self.parts.iter())
            .filter_map(|part| part.stages.get(&key))
            .flat_map(|time| &time.cpus)
        {
            *cpus.entry(*cpu).or_default() += ns * to_pct;
        }
        Some(Stage {
            stage: names.stage(key.0),
            direction: key.1.name(),
            cpu_pct: own.value,
            cpu_error: own.error,
            inclusive_pct: inclusive.value,
            ns_per_packet: cost.map(|cost| cost.value),
            ns_error: cost.and_then(|cost| cost.error),
            leaves,
            per_cpu: (cpus.into_iter())
                .map(|(cpu, cpu_pct)| CpuPart { cpu, cpu_pct })
                .collect(),
        })
    }

    /// What the CPUs did, largest first; idle last.
    pub fn contexts(&self) -> Vec<Part> {
        let mut contexts: Vec<Part> = (Context::ALL.iter())
            .filter_map(|&context| {
                let pct = self.pct(|part| part.contexts[context as usize])?;
                Some(Part {
                    name: context.name(),
                    cpu_pct: pct.value,
                })
            })
            .collect();
        let idle = |part: &Part| part.name == Context::Idle.name();
        contexts.sort_by(|a, b| {
            (idle(a), b.cpu_pct)
                .partial_cmp(&(idle(b), a.cpu_pct))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        contexts
    }

    pub fn cpus(&self, cpus: &mut [Cpu]) {
        for row in cpus {
            let of = |get: &dyn Fn(&NetTime) -> f64| {
                let ns = |part: &Bucket| part.cpus.get(&row.cpu).map_or(0.0, get);
                self.pct(ns).map(|pct| pct.value)
            };
            let direction =
                |direction: Direction| of(&move |net: &NetTime| net.directions[direction as usize]);
            let net = of(&|net| net.net());
            let rx = direction(Direction::Rx);
            let tx = direction(Direction::Tx);
            let sock = direction(Direction::Sock);
            let observer = of(&|net| net.observer);
            row.net_pct = net;
            row.net_rx_pct = rx;
            row.net_tx_pct = tx;
            row.net_sock_pct = sock;
            row.observer_pct = observer;
        }
    }

    /// What the network took of each process.
    pub fn charged(&self) -> Charged {
        let mut charged = Charged {
            known: !self.parts.is_empty(),
            ..Charged::default()
        };
        let to_pct = 1.0 / (self.seconds() * 1e7);
        for (pid, (own, stolen)) in self.parts.iter().flat_map(|part| &part.processes) {
            let sum = charged.pct.entry(*pid).or_default();
            sum.0 += own * to_pct;
            sum.1 += stolen * to_pct;
        }
        let told = || {
            self.parts
                .iter()
                .filter_map(|p| Some((p.seconds, p.owned.as_ref()?)))
        };
        let seconds: f64 = told().map(|(seconds, _)| seconds).sum();
        if seconds > 0.0 {
            let owned = charged.owned.insert(FxHashMap::default());
            for (pid, ns) in told().flat_map(|(_, owned)| owned) {
                *owned.entry(*pid).or_default() += ns / (seconds * 1e7);
            }
        }
        charged
    }
}

#[cfg(test)]
#[path = "cpu_time_tests.rs"]
mod tests;
