//! What the rules look at: the last snapshots, boiled down to sums, rates and means.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::model::{Device, Drop, Facts, Snapshot};

/// Seconds that a rule looks back.
pub const WINDOW_S: f64 = 10.0;

/// Snapshots kept at most, whatever their interval.
const MOST: usize = 1200;

/// What a snapshot leaves behind.
struct Moment {
    seconds: f64,
    cpus: Vec<CpuMoment>,
    drops: Vec<(Arc<str>, u64)>,
    counters: BTreeMap<Arc<str>, f64>,
    /// Of drivers, by device and what they tell of; requeues of qdiscs among "tx stop".
    troubles: BTreeMap<(String, &'static str), u64>,
    lost: u64,
    samples: u64,
}

struct CpuMoment {
    cpu: u32,
    packets: u64,
    squeezed: u64,
    runs: u64,
    softirq_pct: Option<f64>,
    idle_pct: Option<f64>,
    steal_pct: Option<f64>,
}

/// One CPU over the window.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuSeen {
    pub cpu: u32,
    /// Per second.
    pub packets: f64,
    pub squeezes: f64,
    pub runs: f64,
    /// Means; `None`: not read.
    pub softirq_pct: Option<f64>,
    pub idle_pct: Option<f64>,
    pub steal_pct: Option<f64>,
}

#[derive(Default)]
pub struct Past {
    moments: VecDeque<Moment>,
}

impl Past {
    pub fn push(&mut self, snapshot: &Snapshot) {
        let cpus = snapshot.cpus.iter().map(|cpu| CpuMoment {
            cpu: cpu.cpu,
            packets: cpu.rx_packets.unwrap_or(0),
            squeezed: cpu.squeezed.unwrap_or(0),
            runs: cpu.net_rx_runs.unwrap_or(0),
            softirq_pct: cpu.softirq_pct,
            idle_pct: cpu.idle_pct,
            steal_pct: cpu.steal_pct,
        });
        let scaled =
            |(name, rate): (&Arc<str>, &f64)| (Arc::clone(name), rate * snapshot.interval_s);
        self.moments.push_back(Moment {
            seconds: snapshot.interval_s,
            cpus: cpus.collect(),
            drops: snapshot
                .drops
                .iter()
                .map(|d| (Arc::clone(&d.key), d.count))
                .collect(),
            counters: snapshot.protocol_rates.iter().map(scaled).collect(),
            troubles: troubles(&snapshot.devices),
            lost: snapshot.health.lost,
            samples: snapshot.health.samples,
        });
        let mut length = 0.0;
        let kept = self.moments.iter().rev().take_while(|moment| {
            let inside = length < WINDOW_S;
            length += moment.seconds;
            inside
        });
        let kept = kept.count().min(MOST);
        self.moments.drain(..self.moments.len() - kept);
    }

    /// The last `seconds`, as far as they were seen.
    fn last(&self, seconds: f64) -> impl Iterator<Item = &Moment> {
        let mut length = 0.0;
        self.moments.iter().rev().take_while(move |moment| {
            // A hundredth for the jitter of intervals.
            let inside = length < seconds * 0.99;
            length += moment.seconds;
            inside
        })
    }
}

/// Devices without a reading in this interval show their last: that is counted already.
fn troubles(devices: &[Device]) -> BTreeMap<(String, &'static str), u64> {
    let mut sums = BTreeMap::new();
    for device in devices.iter().filter(|device| device.fresh) {
        let figures = device
            .counters
            .iter()
            .filter_map(|c| Some((c.tells, c.count?)));
        let again = device.qdiscs.first().and_then(|qdisc| qdisc.requeues);
        for (tells, count) in figures.chain(again.map(|count| ("tx stop", count))) {
            *sums.entry((device.name.clone(), tells)).or_default() += count;
        }
    }
    sums
}

/// The past and the newest snapshot.
pub struct Window<'a> {
    pub now: &'a Snapshot,
    past: &'a Past,
    /// Seconds that were really seen, at most [`WINDOW_S`].
    pub seconds: f64,
}

impl<'a> Window<'a> {
    pub fn new(now: &'a Snapshot, past: &'a Past) -> Window<'a> {
        Window {
            now,
            past,
            seconds: past.last(WINDOW_S).map(|moment| moment.seconds).sum(),
        }
    }

    /// As long as a rule's window is.
    pub fn is_full(&self) -> bool {
        self.seconds >= WINDOW_S * 0.95
    }

    pub fn facts(&self) -> &Facts {
        &self.now.facts
    }

    fn per_second(&self, sum: f64) -> f64 {
        sum / self.seconds.max(1e-9)
    }

    /// Rows of the ledger at these places that lost something in the window: per second.
    pub fn losses(&self, is: impl Fn(&Drop) -> bool) -> Vec<(&'a Drop, f64)> {
        let rows = self.now.drops.iter().filter(|drop| is(drop));
        let rate = |drop: &'a Drop| {
            let of_row = |moment: &Moment| -> u64 {
                let same = moment.drops.iter().filter(|(key, _)| *key == drop.key);
                same.map(|(_, count)| *count).sum()
            };
            let sum: u64 = self.past.last(WINDOW_S).map(of_row).sum();
            (drop, self.per_second(sum as f64))
        };
        rows.map(rate).filter(|(_, rate)| *rate > 0.0).collect()
    }

    /// Of a counter of /proc/net/snmp or netstat, all namespaces: per second.
    pub fn counter(&self, name: &str) -> f64 {
        let of_moment = |moment: &Moment| moment.counters.get(name).copied().unwrap_or(0.0);
        self.per_second(self.past.last(WINDOW_S).map(of_moment).sum())
    }

    /// What a device's driver tells of, per second.
    pub fn trouble(&self, device: &str, tells: &'static str) -> f64 {
        let key = (device.to_owned(), tells);
        let of_moment = |moment: &Moment| moment.troubles.get(&key).copied().unwrap_or(0);
        let sum: u64 = self.past.last(WINDOW_S).map(of_moment).sum();
        self.per_second(sum as f64)
    }

    pub fn cpus(&self) -> Vec<CpuSeen> {
        let seen = |cpu: u32| {
            let of_cpu = || {
                let all = self.past.last(WINDOW_S);
                all.filter_map(move |m| {
                    m.cpus.iter().find(|c| c.cpu == cpu).map(|c| (m.seconds, c))
                })
            };
            let sum = |value: fn(&CpuMoment) -> u64| {
                self.per_second(of_cpu().map(|(_, c)| value(c) as f64).sum())
            };
            let mean = |value: fn(&CpuMoment) -> Option<f64>| {
                let known = of_cpu().filter_map(|(seconds, c)| Some((seconds, value(c)?)));
                let (length, sum) = known.fold((0.0, 0.0), |(l, s), (seconds, v)| {
                    (l + seconds, s + seconds * v)
                });
                (length > 0.0).then(|| sum / length)
            };
            CpuSeen {
                cpu,
                packets: sum(|c| c.packets),
                squeezes: sum(|c| c.squeezed),
                runs: sum(|c| c.runs),
                softirq_pct: mean(|c| c.softirq_pct),
                idle_pct: mean(|c| c.idle_pct),
                steal_pct: mean(|c| c.steal_pct),
            }
        };
        self.now.cpus.iter().map(|cpu| seen(cpu.cpu)).collect()
    }

    /// Softirq share of the busiest CPU.
    pub fn hottest_softirq(&self) -> Option<f64> {
        let shares = self.cpus().into_iter().filter_map(|cpu| cpu.softirq_pct);
        shares.max_by(f64::total_cmp)
    }

    /// Percent of one CPU that was spent so; `None`: CPU time is not sampled.
    pub fn context_pct(&self, context: &str) -> Option<f64> {
        let parts = self.now.contexts.iter();
        parts
            .filter(|part| part.name == context)
            .map(|part| part.cpu_pct)
            .next()
    }

    /// The device on a wire that carries most.
    pub fn busiest_wire(&self) -> Option<&'a Device> {
        let wire = self.now.devices.iter().filter(|device| device.physical);
        wire.max_by(|a, b| a.traffic().total_cmp(&b.traffic()))
    }

    /// Percent of the samples that were lost.
    pub fn lost_pct(&self) -> f64 {
        let sums = self.past.last(WINDOW_S).fold((0, 0), |(lost, all), m| {
            (lost + m.lost, all + m.samples + m.lost)
        });
        100.0 * sums.0 as f64 / (sums.1.max(1)) as f64
    }

    /// Share of the network's CPU time that a stage takes itself, percent, and that CPU time in
    /// percent of one CPU; `None`: CPU time is not sampled, or there is too little of it.
    pub fn stage_share(&self, stages: &[&str]) -> Option<(f64, f64)> {
        let net = 100.0 * self.now.summary.net_cores?;
        let own: f64 = (self.now.stages.iter())
            .filter(|stage| stages.contains(&stage.stage))
            .map(|stage| stage.cpu_pct)
            .sum();
        (net > 0.0).then(|| (100.0 * own / net, net))
    }

    /// The same of a stage and all that it called.
    pub fn inclusive_share(&self, stage: &str) -> Option<(f64, f64)> {
        let net = 100.0 * self.now.summary.net_cores?;
        let stages = self.now.stages.iter().filter(|row| row.stage == stage);
        let all: f64 = stages.map(|row| row.inclusive_pct).sum();
        (net > 0.0).then(|| (100.0 * all / net, net))
    }

    /// The same of what innermost functions did: "csum", "copy", "lock", "alloc".
    pub fn leaf_share(&self, leaf: &str) -> Option<(f64, f64)> {
        let net = 100.0 * self.now.summary.net_cores?;
        let leaves = self.now.stages.iter().flat_map(|stage| &stage.leaves);
        let own: f64 = leaves
            .filter(|part| part.name == leaf)
            .map(|part| part.cpu_pct)
            .sum();
        (net > 0.0).then(|| (100.0 * own / net, net))
    }

    pub fn sysctl(&self, name: &str) -> Option<&'a str> {
        self.now.facts.sysctls.get(name).map(String::as_str)
    }

    /// In another network namespace, else in netop's own.
    pub fn sysctl_inside(&self, netns: Option<&str>, name: &str) -> Option<&'a str> {
        let inside = netns.and_then(|netns| self.now.facts.inside.get(netns)?.get(name));
        inside.map(String::as_str).or_else(|| self.sysctl(name))
    }

    pub fn sysctl_number(&self, name: &str) -> Option<u64> {
        self.sysctl(name)?.parse().ok()
    }
}

/// `0-3,8`, as taskset takes it.
pub fn cpu_list(cpus: impl Iterator<Item = u32>) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for cpu in cpus {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == cpu => *last = cpu,
            _ => ranges.push((cpu, cpu)),
        }
    }
    let range = |(first, last): &(u32, u32)| {
        if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        }
    };
    ranges.iter().map(range).collect::<Vec<_>>().join(",")
}
