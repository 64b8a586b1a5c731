//! What counting costs: a hit by way of counting, and what an interval cost each CPU.

use rustc_hash::FxHashMap;

use super::live_price::Factor;
use crate::decode::{Costs, Counts, EventId};

/// A sample without a stack costs this share of one with (about 0.9 us).
pub const LIGHT_SAMPLE: f64 = 0.2;

/// A gated hit looks up its process under a PID filter; a perf event has a second one per task.
const GATE_PIDS: f64 = 1.5;
const PERF_PIDS: f64 = 2.0;

/// A hit of a disabled perf event costs this share of a counted one (`cargo bench --bench hit`).
const DISABLED: f64 = 0.25;

/// A gated hit that is also counted for its process, ns.
pub const BY_PROCESS_NS: f64 = 60.0;

/// What a hit and a sample cost here, ns.
#[derive(Debug, Clone, Copy)]
pub struct Prices<'a> {
    pub costs: Costs,
    /// Breakpoints, each of whose hits is an exception.
    pub probes: &'a [EventId],
    /// There is a PID filter.
    pub pids: bool,
}

impl Prices<'_> {
    /// Counted once.
    fn once(&self, event: EventId, gate: bool) -> f64 {
        self.exception(event) + self.costs.hit_ns(gate)
    }

    /// A breakpoint is hit once, whoever counts it.
    fn exception(&self, event: EventId) -> f64 {
        if self.probes.contains(&event) {
            f64::from(self.costs.probe_ns)
        } else {
            0.0
        }
    }

    /// Of an event that is counted on every CPU, and for the processes of the filter.
    pub fn hit(&self, event: EventId, gate: bool) -> f64 {
        let times = match (self.pids, gate) {
            (false, _) => 1.0,
            (true, true) => GATE_PIDS,
            (true, false) => PERF_PIDS,
        };
        self.exception(event) + times * self.costs.hit_ns(gate)
    }

    /// Between the windows of an event that is counted a part of the time: the gate is taken from
    /// its tracepoint, a perf event that is disabled stays there.
    pub fn idle(&self, event: EventId, gate: bool) -> f64 {
        if gate {
            0.0
        } else {
            DISABLED * self.hit(event, false)
        }
    }

    pub fn sample(&self) -> f64 {
        self.costs.sample_ns()
    }
}

/// What an interval is priced by.
pub struct Spent<'a> {
    pub prices: Prices<'a>,
    pub counts: &'a [Counts],
    /// Samples per second of each CPU, in units of one with a stack.
    pub samples_per_s: &'a FxHashMap<u32, f64>,
    /// netop's own CPU time, percent of one CPU …
    pub own_pct: f64,
    /// … and where it ran, ns; empty where that is not told: it may run anywhere.
    pub own_per_cpu: &'a [(u32, u64)],
    /// How busy each CPU was, percent; empty where that is not told.
    pub busy: &'a FxHashMap<u32, f64>,
    /// What the price of a hit was corrected by.
    pub factor: Factor,
    /// Of the host.
    pub online: &'a [u32],
    pub interval_ns: u64,
    /// The gate counted per process.
    pub by_process: bool,
    /// What timing pairs of events cost each CPU, ns per second.
    pub timing_ns: &'a [(u32, f64)],
}

/// CPUs that are as busy as the busiest but for so much, percent, count as the busiest too; and those
/// that are but for what two ticks of the kernel's clock are of the interval (10 ms each).
const AS_BUSY: f64 = 5.0;
const TWO_TICKS_NS: f64 = 2e7;

/// A CPU that is busy for less, percent, has room: what netop itself takes there is not the host's.
const FULL: f64 = 95.0;

/// What the last interval cost, percent of one CPU. The busiest CPU is that of the host: what netop's
/// threads do where there is room slows nothing down, and is in the figure of all CPUs.
#[derive(Debug, Default, Clone)]
pub struct Cost {
    pub busiest_pct: f64,
    pub busiest_cpu: Option<u32>,
    pub all_pct: f64,
    pub per_cpu: FxHashMap<u32, f64>,
    /// Of the busiest CPU: 95 % half-width, from how unsure the price of a gated hit is.
    pub bound_pct: f64,
    /// The same with the price that a loop had at the start.
    pub modelled_pct: f64,
}

impl Spent<'_> {
    /// netop's own time, percent of each CPU.
    pub fn own_by_cpu(&self) -> FxHashMap<u32, f64> {
        if self.own_per_cpu.is_empty() {
            let share = self.own_pct / self.online.len().max(1) as f64;
            return self.online.iter().map(|&cpu| (cpu, share)).collect();
        }
        let pct = |ns: u64| 100.0 * ns as f64 / self.interval_ns.max(1) as f64;
        let ran = self.own_per_cpu.iter();
        ran.map(|&(cpu, ns)| (cpu, pct(ns))).collect()
    }
}

impl Cost {
    pub fn of(spent: &Spent<'_>) -> Cost {
        let mut ns: FxHashMap<u32, f64> = FxHashMap::default();
        // The part of it that hits of the gate are.
        let mut gated: FxHashMap<u32, f64> = FxHashMap::default();
        let mut anywhere = 0.0;
        for count in spent.counts.iter().filter(|c| c.span_ns > 0) {
            let seconds = spent.interval_ns.max(1) as f64 / 1e9;
            // Hits of the time in which it was attached, and those that went by between its windows.
            let rate = count.hits as f64 / seconds;
            let part = count.span_ns as f64 / 1e9 / seconds;
            let between = match count.spread {
                Some(_) => rate * (1.0 / part - 1.0).max(0.0),
                None => 0.0,
            };
            let more = if spent.by_process { BY_PROCESS_NS } else { 0.0 };
            match (count.cpu, count.gate) {
                (Some(cpu), true) => {
                    let hits = rate * (spent.prices.hit(count.event, true) + more);
                    *ns.entry(cpu).or_default() += hits;
                    *gated.entry(cpu).or_default() += hits;
                }
                (Some(cpu), false) => {
                    *ns.entry(cpu).or_default() += rate * spent.prices.once(count.event, false)
                        + between * spent.prices.idle(count.event, false);
                }
                (None, false) => anywhere += rate * spent.prices.once(count.event, false),
                // Part of the hits of the CPUs.
                (None, true) => {}
            }
        }
        for &(cpu, timing) in spent.timing_ns {
            *ns.entry(cpu).or_default() += timing;
        }
        for (&cpu, rate) in spent.samples_per_s {
            *ns.entry(cpu).or_default() += rate * spent.prices.sample();
        }
        let share = spent.own_pct / spent.online.len().max(1) as f64;
        let own = spent.own_by_cpu();
        let ran = own.keys().filter(|_| !spent.own_per_cpu.is_empty());
        for cpu in ran.chain(spent.busy.keys()) {
            ns.entry(*cpu).or_default();
        }
        let own = |cpu: u32| own.get(&cpu).copied().unwrap_or(0.0);
        let per_cpu: FxHashMap<u32, f64> = ns
            .into_iter()
            // No CPU spends more time than it has, whatever the price of a hit was at the start.
            .map(|(cpu, ns)| (cpu, (ns / 1e7 + own(cpu)).min(100.0)))
            .collect();
        let without_own = per_cpu.iter().map(|(cpu, pct)| pct - own(*cpu));
        let without_own: f64 = without_own.sum();
        let busy = |cpu: &u32| {
            let all = spent.busy.get(cpu).copied().unwrap_or(0.0);
            if all < FULL { all - own(*cpu) } else { all }
        };
        let most = per_cpu.keys().map(busy).fold(0.0, f64::max);
        let ticks = 100.0 * TWO_TICKS_NS / spent.interval_ns.max(1) as f64;
        let least = most - AS_BUSY.max(ticks);
        let busiest = per_cpu
            .iter()
            .filter(|(cpu, _)| busy(cpu) > least)
            .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)));
        let gated = busiest.and_then(|(cpu, _)| gated.get(cpu)).copied();
        let gated_pct = gated.unwrap_or(0.0) / 1e7;
        let Factor { value, bound, .. } = spent.factor;
        let busiest_pct = busiest.map_or(share, |(_, pct)| *pct) + anywhere / 1e7;
        Cost {
            bound_pct: gated_pct * bound / value,
            modelled_pct: busiest_pct - gated_pct + gated_pct / value,
            // What was counted per task may all have run on the busiest CPU.
            busiest_pct,
            busiest_cpu: busiest.map(|(cpu, _)| *cpu),
            all_pct: without_own + anywhere / 1e7 + spent.own_pct,
            per_cpu,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;
    const HIT: EventId = EventId(7);

    fn prices(pids: bool) -> Prices<'static> {
        Prices {
            costs: Costs {
                gate_ns: 100,
                perf_ns: 200,
                probe_ns: 13_000,
                ..Costs::default()
            },
            probes: &[HIT],
            pids,
        }
    }

    const NO_FACTOR: Factor = Factor {
        value: 1.0,
        bound: 0.0,
        windows: 0,
    };

    fn counted(cpu: u32, hits: u64) -> Counts {
        Counts {
            event: EventId(1),
            cpu: Some(cpu),
            pid: None,
            hits,
            bytes: 0,
            span_ns: S,
            gate: true,
            spread: None,
        }
    }

    #[test]
    fn netops_own_time_belongs_to_the_cpus_that_it_ran_on() {
        let of = |own_per_cpu: &[(u32, u64)]| {
            Cost::of(&Spent {
                prices: prices(false),
                counts: &[counted(0, 100_000)],
                samples_per_s: &FxHashMap::default(),
                own_pct: 4.0,
                own_per_cpu,
                busy: &FxHashMap::default(),
                factor: NO_FACTOR,
                online: &[0, 1],
                interval_ns: S,
                by_process: false,
                timing_ns: &[],
            })
        };
        assert!(
            (of(&[]).per_cpu[&0] - 3.0).abs() < 1e-9,
            "it may run anywhere"
        );
        let cost = of(&[(0, 0), (1, 40_000_000)]);
        assert!((cost.per_cpu[&0] - 1.0).abs() < 1e-9);
        assert_eq!((cost.busiest_cpu, cost.busiest_pct), (Some(1), 4.0));
        assert!((cost.all_pct - 5.0).abs() < 1e-9);
    }

    #[test]
    fn the_busiest_cpu_is_that_of_the_host_and_of_equals_the_one_that_netop_costs_most() {
        let of = |busy: [f64; 2]| {
            let cost = Cost::of(&Spent {
                prices: prices(false),
                counts: &[counted(0, 100_000)],
                samples_per_s: &FxHashMap::default(),
                own_pct: 4.0,
                own_per_cpu: &[(0, 0), (1, 40_000_000)],
                busy: &(0..).zip(busy).collect(),
                factor: NO_FACTOR,
                online: &[0, 1],
                interval_ns: S,
                by_process: false,
                timing_ns: &[],
            });
            (cost.busiest_cpu, cost.busiest_pct, cost.all_pct)
        };
        assert_eq!(of([100.0, 60.0]), (Some(0), 1.0, 5.0));
        assert_eq!(of([60.0, 100.0]), (Some(1), 4.0, 5.0));
        assert_eq!(of([60.0, 62.0]), (Some(1), 4.0, 5.0));
        assert_eq!(of([60.0, 58.5]), (Some(0), 1.0, 5.0), "4 of it are netop's");
        assert_eq!(of([100.0, 97.0]), (Some(1), 4.0, 5.0));
    }

    #[test]
    fn an_event_costs_what_it_hit_however_short_it_was_attached() {
        let mut count = counted(0, 100_000);
        count.span_ns = S / 10;
        let cost = Cost::of(&Spent {
            prices: prices(false),
            counts: &[count],
            samples_per_s: &FxHashMap::default(),
            own_pct: 0.0,
            own_per_cpu: &[],
            busy: &FxHashMap::default(),
            factor: NO_FACTOR,
            online: &[0],
            interval_ns: S,
            by_process: false,
            timing_ns: &[],
        });
        assert!((cost.busiest_pct - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_corrected_price_says_what_the_loops_price_would_and_how_sure_it_is() {
        let cost = Cost::of(&Spent {
            prices: prices(false),
            counts: &[counted(0, 400_000)],
            samples_per_s: &FxHashMap::default(),
            own_pct: 1.0,
            own_per_cpu: &[(0, 10_000_000)],
            busy: &FxHashMap::default(),
            factor: Factor {
                value: 2.0,
                bound: 0.5,
                windows: 20,
            },
            online: &[0],
            interval_ns: S,
            by_process: false,
            timing_ns: &[],
        });
        // 400 000 hits of 100 ns, and netop's own percent.
        assert!((cost.busiest_pct - 5.0).abs() < 1e-9);
        assert!((cost.modelled_pct - 3.0).abs() < 1e-9);
        assert!((cost.bound_pct - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_breakpoint_is_hit_once_whoever_counts_it() {
        assert!((prices(false).hit(HIT, true) - 13_100.0).abs() < 1e-9);
        // The process is looked up, the exception is the same.
        assert!((prices(true).hit(HIT, true) - 13_150.0).abs() < 1e-9);
        assert!((prices(true).hit(EventId(1), false) - 400.0).abs() < 1e-9);
    }

    #[test]
    fn no_cpu_spends_more_time_than_it_has() {
        let count = |cpu, hits| Counts {
            event: HIT,
            cpu: Some(cpu),
            pid: None,
            hits,
            bytes: 0,
            span_ns: S,
            gate: true,
            spread: None,
        };
        let cost = Cost::of(&Spent {
            prices: prices(false),
            counts: &[count(0, 10_000), count(1, 100_000)],
            samples_per_s: &FxHashMap::default(),
            own_pct: 2.0,
            own_per_cpu: &[],
            busy: &FxHashMap::default(),
            factor: NO_FACTOR,
            online: &[0, 1],
            interval_ns: S,
            by_process: false,
            timing_ns: &[],
        });
        assert_eq!((cost.busiest_cpu, cost.busiest_pct), (Some(1), 100.0));
        assert!((cost.per_cpu[&0] - 14.1).abs() < 1e-9);
        assert!((cost.all_pct - (13.1 + 99.0 + 2.0)).abs() < 1e-9);
    }
}
