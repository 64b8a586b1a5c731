//! Times between events: histograms of the interval and of the last ones, the rows of them, and
//! how many packets are followed so that it stays cheap.

pub mod reason;

use std::collections::VecDeque;
use std::sync::Arc;

use self::reason::{left_out, reason};
use crate::decode::{Fate, LatencySample, Timed, Timing};
use crate::model::{
    HEAT_FROM, HEAT_ROWS, HISTORY, Heat, Histogram, Latency, LatencyPart, Pair, Times, Want,
};

/// Packets, and readies of sockets, that are followed per second: enough for a p99.9.
const FOLLOWED: f64 = 20_000.0;

/// A pair that is measured, beyond the hits of its events, ns: tables, clocks, histogram.
const PAIR_NS: f64 = 150.0;

/// Timing may take so much of the budget; counting gets the rest while somebody looks at times.
const OF_BUDGET: f64 = 0.8;

/// Below so much of that, what was not tried is.
const COMES_BACK: f64 = 0.7;

/// Intervals over that before packets are let go.
const PATIENCE: u32 = 2;

/// Below this share of matched pairs what is left is no fair sample (signals.md 2), percent.
const MATCHED_PCT: f64 = 80.0;

/// A share of fewer than so many pairs says nothing.
const ENOUGH: u64 = 20;

pub struct Latencies {
    timing: Timing,
    over: u32,
    /// Everything was timed: what it costs is known, not foreseen.
    measured: bool,
    /// Something was timed in the last interval.
    timed: bool,
    /// What timing cost each CPU in the last interval, ns per second.
    pub cost_ns: Vec<(u32, f64)>,
    past: Vec<Past>,
    /// Of the last interval; empty: nothing was wanted.
    pub rows: Vec<Latency>,
}

/// One pair's last intervals.
#[derive(Default)]
struct Past {
    times: VecDeque<Option<Histogram>>,
    heat: VecDeque<Heat>,
}

/// Hits per second to expect of the programs on a CPU: of those that time packets and sockets, and
/// of those that time softirqs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    pub cpu: u32,
    pub packets: f64,
    pub softirqs: f64,
}

/// A run of a softirq is raised, begun, ended.
pub const SOFTIRQ_PROGRAMS: f64 = 3.0;

/// Hits of the other programs for each pair that is measured where every packet is followed.
const HITS_A_PAIR: f64 = 4.0;

/// What the interval is judged by.
pub struct Terms<'a> {
    pub want: &'a Want,
    pub seconds: f64,
    pub budget_pct: f64,
    pub hit_ns: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        Latencies {
            timing: Timing {
                packets: 16,
                sockets: 1,
                softirqs: 1,
                softirqs_only: false,
            },
            over: 0,
            measured: false,
            timed: false,
            cost_ns: Vec::new(),
            past: Pair::ALL.map(|_| Past::default()).into(),
            rows: Vec::new(),
        }
    }
}

impl Latencies {
    /// What the source shall time from now on.
    pub fn wanted(&self, want: &Want) -> Option<Timing> {
        (want.latency && !want.detached).then_some(self.timing)
    }

    /// What timing is expected to cost each CPU a second, ns, before anything was timed. What is too
    /// dear is not tried; once everything was timed, the measured cost decides.
    pub fn foresee(
        &mut self,
        expected: &[Expected],
        hit_ns: f64,
        budget_pct: f64,
    ) -> Option<Vec<(u32, f64)>> {
        let everything = |of: &Expected| (of.packets + of.softirqs) * hit_ns;
        if !self.measured && budget_pct < 100.0 {
            let worst = expected.iter().map(everything).fold(0.0, f64::max);
            let comes_back = if self.timing.softirqs_only {
                COMES_BACK
            } else {
                1.0
            };
            self.timing.softirqs_only = worst > comes_back * OF_BUDGET * budget_pct * 1e7;
        }
        if self.timed {
            return None;
        }
        let runs = |of: &Expected| of.softirqs / SOFTIRQ_PROGRAMS;
        let pairs = |of: &Expected| of.packets / HITS_A_PAIR;
        self.timing.softirqs = one_in(1, expected.iter().map(runs).sum());
        self.timing.packets = one_in(1, expected.iter().map(pairs).sum());
        let cost = |of: &Expected| {
            let softirqs =
                of.softirqs * hit_ns + 2.0 * runs(of) / f64::from(self.timing.softirqs) * PAIR_NS;
            let packets =
                of.packets * hit_ns + pairs(of) / f64::from(self.timing.packets) * PAIR_NS;
            let packets = if self.timing.softirqs_only {
                0.0
            } else {
                packets
            };
            (of.cpu, softirqs + packets)
        };
        Some(expected.iter().map(cost).collect())
    }

    pub fn ingest(&mut self, sample: Option<&LatencySample>, terms: &Terms<'_>) {
        self.cost_ns.clear();
        self.rows.clear();
        let Some(sample) = sample else {
            // Looked at again, everything begins anew.
            *self = Latencies::default();
            return;
        };
        self.timed = sample.timing.is_some();
        self.price(sample, terms);
        for pair in Pair::PIPELINE {
            let row = self.row(pair, sample, terms.want);
            self.rows.push(row);
        }
        if sample.timing.is_some() {
            self.settle(sample, terms);
        }
    }

    fn price(&mut self, sample: &LatencySample, terms: &Terms<'_>) {
        for &(cpu, hits) in &sample.hits {
            let of_cpu = |t: &&Timed| t.cpu == Some(cpu);
            let pairs: u64 = sample.histograms.iter().filter(of_cpu).map(times).sum();
            let ns = hits as f64 * terms.hit_ns + pairs as f64 * PAIR_NS;
            self.cost_ns.push((cpu, ns / terms.seconds));
        }
    }

    /// How many are followed from now on.
    fn settle(&mut self, sample: &LatencySample, terms: &Terms<'_>) {
        let started = |pair: fn(Pair) -> bool| {
            let of = |f: &&Fate| Pair::ALL.get(f.pair as usize).is_some_and(|p| pair(*p));
            let fates = sample.fates.iter().filter(of);
            fates.map(|fate| fate.started).sum::<u64>() as f64 / terms.seconds
        };
        let packets = started(|pair| !pair.is_softirq() && pair != Pair::Reader);
        let sockets = started(|pair| pair == Pair::Reader);
        self.timing.packets = one_in(self.timing.packets, packets);
        self.timing.sockets = one_in(self.timing.sockets, sockets);
        let runs = started(|pair| matches!(pair, Pair::RxRun | Pair::TxRun));
        self.timing.softirqs = one_in(self.timing.softirqs, runs);
        self.measured |= sample.timing.is_some_and(|timing| !timing.softirqs_only);
        let worst = self.cost_ns.iter().map(|(_, ns)| *ns).fold(0.0, f64::max);
        let limit = OF_BUDGET * terms.budget_pct * 1e7;
        self.over = if worst > limit && terms.budget_pct < 100.0 {
            self.over + 1
        } else {
            0
        };
        if self.over >= PATIENCE {
            // Each hit costs, whether it is followed or not.
            self.timing.softirqs_only = true;
        }
    }

    fn row(&mut self, pair: Pair, sample: &LatencySample, want: &Want) -> Latency {
        let of_pair = |t: &&Timed| t.pair as usize == pair as usize;
        let timed: Vec<&Timed> = sample.histograms.iter().filter(of_pair).collect();
        let whose: Vec<&Timed> = (timed.iter().copied())
            .filter(|t| t.cpu.is_none() && counts(pair, t, want))
            .collect();
        // A device whose packets are other ones when they leave is not timed by the few that are not.
        let (unlike, whose): (Vec<_>, Vec<_>) = whose.into_iter().partition(|t| is_unfair(t));
        let mut all = Histogram::default();
        for timed in &whose {
            fill(&mut all, timed);
        }
        let count = all.count;
        let sum: u64 = whose.iter().map(|t| t.sum_ns).sum();
        let share = |of: fn(&Timed) -> u64| {
            let crossed: u64 = whose.iter().map(|t| of(t)).sum();
            (count > 0 && !pair.is_softirq()).then(|| 100.0 * crossed as f64 / count as f64)
        };
        let fate = (sample.fates.iter()).find(|f| f.pair as usize == pair as usize);
        let fate = fate.copied().unwrap_or_default();
        let left: &[&Timed] = if whose.is_empty() { &unlike } else { &whose };
        let away: u64 = unlike.iter().map(|t| times(t)).sum();
        let matched = if whose.is_empty() {
            fate.matched
        } else {
            fate.matched.saturating_sub(away)
        };
        let orphans = fate.orphans + left.iter().map(|t| t.orphans).sum::<u64>();
        let ended = matched + fate.freed + fate.replaced + fate.given_up + orphans;
        let matched_pct = (ended > 0).then(|| 100.0 * matched as f64 / ended as f64);
        let unfair = matched_pct.is_some_and(|pct| pct < MATCHED_PCT) && ended >= ENOUGH;
        let past = &mut self.past[pair as usize];
        past.push((!unfair).then_some(&all));
        let mut recent = Histogram::default();
        past.times.iter().flatten().for_each(|h| recent.merge(h));
        let mut by = Vec::new();
        if !unfair {
            by.extend(whose.iter().filter_map(|t| part(pair, t)));
            let cpus = timed.iter().filter(|t| t.cpu.is_some());
            by.extend(cpus.filter_map(|t| part(pair, t)));
        }
        let mut devices = by.iter().filter(|part| part.kind == "device");
        let only = devices.next().filter(|_| devices.next().is_none());
        let one_in = |timing: Timing| match pair {
            Pair::Reader => timing.sockets,
            _ if pair.is_softirq() => timing.softirqs,
            _ => timing.packets,
        };
        Latency {
            pair: pair.name(),
            from: pair.events().0,
            to: pair.events().1,
            direction: pair.direction().name(),
            device: only.map(|part| part.name.to_string()),
            times: if unfair {
                Times {
                    count,
                    ..Times::default()
                }
            } else {
                figures(&all)
            },
            sum_ns: (count > 0 && !unfair).then_some(sum),
            matched_pct,
            censored: fate.given_up,
            merged: fate.merged,
            one_in: sample.timing.map_or(1, one_in),
            crossed_cpu_pct: share(|t| t.crossed),
            crossed_node_pct: share(|t| t.crossed_nodes),
            reason: reason(pair, sample, &Fate { orphans, ..fate }, unfair).or_else(|| {
                let names: Vec<&str> = unlike.iter().map(|t| &*t.name).collect();
                (!names.is_empty()).then(|| left_out(pair, &names.join(", ")))
            }),
            recent: figures(&recent),
            by,
            which: Some(pair),
            heat: past.heat.iter().copied().collect(),
        }
    }
}

impl Past {
    fn push(&mut self, all: Option<&Histogram>) {
        let mut heat = [0; HEAT_ROWS];
        for (power, times) in all.into_iter().flat_map(Histogram::by_power) {
            let row = power.saturating_sub(HEAT_FROM) as usize;
            let cell = &mut heat[row.min(HEAT_ROWS - 1)];
            *cell = u32::try_from(times)
                .unwrap_or(u32::MAX)
                .saturating_add(*cell);
        }
        if self.times.len() == HISTORY {
            self.times.pop_front();
            self.heat.pop_front();
        }
        self.times
            .push_back(all.filter(|all| all.count > 0).cloned());
        self.heat.push_back(heat);
    }
}

/// Does it belong to what the filter asks for?
fn counts(pair: Pair, timed: &Timed, want: &Want) -> bool {
    match pair {
        Pair::Reader => want.pids.is_empty() || want.pids.contains(&timed.id),
        _ if pair.is_softirq() => true,
        _ => want
            .device
            .as_ref()
            .is_none_or(|device| *device == timed.name),
    }
}

fn times(timed: &Timed) -> u64 {
    timed.buckets.iter().map(|(_, n)| u64::from(*n)).sum()
}

fn is_unfair(timed: &Timed) -> bool {
    let followed = times(timed);
    let all = followed + timed.orphans;
    all >= ENOUGH && 100.0 * (followed as f64) < MATCHED_PCT * all as f64
}

fn fill(histogram: &mut Histogram, timed: &Timed) {
    for &(bucket, times) in &timed.buckets {
        histogram.add(usize::from(bucket), u64::from(times));
    }
    histogram.max = histogram.max.max(timed.max_ns);
}

fn figures(histogram: &Histogram) -> Times {
    Times {
        count: histogram.count,
        p50_ns: histogram.quantile(0.5),
        p99_ns: histogram.quantile(0.99),
        p999_ns: histogram.quantile(0.999),
        max_ns: (histogram.count > 0).then_some(histogram.max),
    }
}

fn part(pair: Pair, timed: &Timed) -> Option<LatencyPart> {
    let (kind, name) = match (timed.cpu, pair) {
        (Some(cpu), _) => ("cpu", format!("cpu{cpu}")),
        (None, _) if pair.is_softirq() => return None,
        (None, Pair::Reader) if timed.id == 0 => ("process", "others".to_owned()),
        (None, Pair::Reader) => ("process", format!("{}({})", timed.name, timed.id)),
        (None, _) if timed.id == 0 => ("device", "others".to_owned()),
        (None, _) => ("device", timed.name.clone()),
    };
    let mut histogram = Histogram::default();
    fill(&mut histogram, timed);
    let crossed = 100.0 * timed.crossed as f64 / histogram.count.max(1) as f64;
    Some(LatencyPart {
        kind,
        name: Arc::from(name),
        times: figures(&histogram),
        crossed_cpu_pct: (!pair.is_softirq()).then_some(crossed),
    })
}

/// One in so many, a power of two, for a rate that one in `now` gave; it does not follow small
/// changes.
fn one_in(now: u32, rate: f64) -> u32 {
    if (FOLLOWED / 3.0..=1.5 * FOLLOWED).contains(&rate) {
        return now;
    }
    let wanted = (f64::from(now) * rate / FOLLOWED).ceil();
    (wanted.clamp(1.0, 4096.0) as u32).next_power_of_two()
}

#[cfg(test)]
#[path = "latency_tests.rs"]
mod tests;
