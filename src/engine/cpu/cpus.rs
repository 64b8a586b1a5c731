//! Per-CPU figures from the host's counters: shares of time, softnet, runs of net_rx_action.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use crate::decode::{CpuCounters, CpuTime};
use crate::model::{Cpu, Series};

/// What one CPU did in the interval.
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuDelta {
    pub net_rx_runs: u64,
    pub net_tx_runs: u64,
    pub processed: u64,
}

#[derive(Debug, Default)]
pub struct Cpus {
    last: BTreeMap<u32, CpuCounters>,
    softirq: BTreeMap<u32, Series>,
    /// Of the last interval, per CPU; empty before two readings.
    pub deltas: BTreeMap<u32, CpuDelta>,
    pub rows: Vec<Cpu>,
    /// A CPU went offline within the interval, and what it had counted is told when it is back; or it is
    /// back, and some of what it tells is from before.
    pub changed: bool,
    /// A CPU is back within the interval: an event that was attached to it then has missed some.
    pub came: bool,
    /// Read last; `None`: not yet.
    read: Option<Vec<u32>>,
    /// Length of the last interval.
    seconds: f64,
}

impl Cpus {
    pub fn ingest(&mut self, interval_ns: u64, counters: &[CpuCounters]) {
        self.deltas.clear();
        self.rows.clear();
        let seconds = interval_ns as f64 / 1e9;
        self.seconds = seconds;
        let read: Vec<u32> = counters.iter().map(|now| now.cpu).collect();
        let before = self.read.as_ref();
        self.changed = before.is_some_and(|before| *before != read);
        self.came = before.is_some_and(|before| read.iter().any(|cpu| !before.contains(cpu)));
        self.read = Some(read);
        for now in counters {
            let last = self.last.insert(now.cpu, *now);
            let Some(last) = last.filter(|_| interval_ns > 0) else {
                continue;
            };
            let softnet = now.softnet.since(&last.softnet);
            let delta = CpuDelta {
                net_rx_runs: now.net_rx_runs.saturating_sub(last.net_rx_runs),
                net_tx_runs: now.net_tx_runs.saturating_sub(last.net_tx_runs),
                processed: softnet.processed,
            };
            self.deltas.insert(now.cpu, delta);
            let mut row = Cpu {
                cpu: now.cpu,
                rx_packets: Some(delta.processed),
                rx_rate: Some(delta.processed as f64 / seconds),
                squeezed: Some(softnet.squeezed),
                backlog_dropped: Some(softnet.dropped),
                backlog: Some(now.softnet.backlog),
                received_rps: Some(softnet.received_rps),
                net_rx_runs: Some(delta.net_rx_runs),
                net_rx_rate: Some(delta.net_rx_runs as f64 / seconds),
                packets_per_run: (delta.net_rx_runs > 0)
                    .then(|| delta.processed as f64 / delta.net_rx_runs as f64),
                ..Cpu::default()
            };
            shares(&mut row, &now.time, &last.time);
            let series = self.softirq.entry(now.cpu).or_default();
            series.push(row.softirq_pct, None);
            row.history = series.history();
            self.rows.push(row);
        }
    }

    /// The counters say something of the interval: there are two readings of a CPU, or every CPU that is
    /// looked at has been offline.
    pub fn known(&self) -> bool {
        let offline = self.read.as_ref().is_some_and(Vec::is_empty) && !self.last.is_empty();
        offline || !self.deltas.is_empty()
    }

    /// How busy each CPU was, percent of the time that /proc/stat accounted for.
    pub fn busy(&self) -> FxHashMap<u32, f64> {
        let busy = |row: &Cpu| Some((row.cpu, 100.0 - row.idle_pct?));
        self.rows.iter().filter_map(busy).collect()
    }

    /// Packets that softnet processed in the interval on all CPUs; `None`: not known.
    pub fn processed(&self) -> Option<u64> {
        let all = self.deltas.values().map(|delta| delta.processed).sum();
        (!self.deltas.is_empty()).then_some(all)
    }

    /// Runs/s of net_rx_action and net_tx_action on each CPU.
    pub fn run_rates(&self) -> FxHashMap<u32, f64> {
        let runs = |cpu: &u32| self.deltas.get(cpu).map(|d| d.net_rx_runs + d.net_tx_runs);
        let rate = |row: &Cpu| Some((row.cpu, runs(&row.cpu)? as f64 / self.seconds));
        self.rows.iter().filter_map(rate).collect()
    }

    /// Packets/s that each CPU takes in: as softnet and the runs of NET_RX say, or its share of what
    /// devices received (GRO makes few of many before softnet counts them).
    pub fn rx_load(&self, received: Option<f64>) -> FxHashMap<u32, f64> {
        let own = |row: &Cpu| {
            let [packets, runs] = [row.rx_rate, row.net_rx_rate].map(|r| r.unwrap_or(0.0));
            packets.max(runs)
        };
        let all: f64 = self.rows.iter().map(own).sum();
        let merged = received.filter(|_| all > 0.0).map_or(0.0, |r| r / all);
        let rate = |row: &Cpu| (row.cpu, own(row) * merged.max(1.0));
        self.rows.iter().map(rate).collect()
    }

    /// Packets/s that each CPU sends: of what devices sent, as much as of the kernel's time is
    /// this CPU's. Empty where no device was read.
    pub fn tx_load(&self, sent: Option<f64>) -> FxHashMap<u32, f64> {
        let Some(sent) = sent else {
            return FxHashMap::default();
        };
        let busy = |row: &Cpu| row.system_pct.unwrap_or(0.0) + row.softirq_pct.unwrap_or(0.0);
        let all: f64 = self.rows.iter().map(busy).sum();
        let share = |row: &Cpu| {
            // Without ticks of the clock any CPU may be the one that sends.
            let share = if all > 0.0 { busy(row) / all } else { 1.0 };
            (row.cpu, sent * share)
        };
        self.rows.iter().map(share).collect()
    }
}

/// Shares of the time that /proc/stat accounted for (its ticks, not the interval's length).
fn shares(row: &mut Cpu, now: &CpuTime, last: &CpuTime) {
    let part = |get: fn(&CpuTime) -> u64| get(now).saturating_sub(get(last)) as f64;
    let parts: [fn(&CpuTime) -> u64; 6] = [
        |t| t.user,
        |t| t.system,
        |t| t.idle,
        |t| t.irq,
        |t| t.softirq,
        |t| t.steal,
    ];
    let [user, system, idle, irq, softirq, steal] = parts.map(part);
    let all = user + system + idle + irq + softirq + steal;
    if all <= 0.0 {
        return;
    }
    let pct = |value: f64| Some(100.0 * value / all);
    row.user_pct = pct(user);
    row.system_pct = pct(system);
    row.idle_pct = pct(idle);
    row.irq_pct = pct(irq);
    row.softirq_pct = pct(softirq);
    row.steal_pct = pct(steal);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(cpu: u32, k: u64) -> CpuCounters {
        CpuCounters {
            cpu,
            net_rx_runs: 100 * k,
            net_tx_runs: k,
            softnet: crate::decode::Softnet {
                processed: 1000 * k,
                ..Default::default()
            },
            time: CpuTime {
                idle: 600 * k,
                softirq: 300 * k,
                user: 100 * k,
                ..Default::default()
            },
        }
    }

    #[test]
    fn an_interval_is_the_difference_of_two_readings() {
        let mut cpus = Cpus::default();
        cpus.ingest(0, &[counters(3, 1)]);
        assert!(cpus.rows.is_empty(), "a baseline is no interval");
        cpus.ingest(2_000_000_000, &[counters(3, 2)]);
        let row = &cpus.rows[0];
        assert_eq!(
            (row.cpu, row.rx_packets, row.net_rx_runs),
            (3, Some(1000), Some(100))
        );
        assert_eq!(
            (row.rx_rate, row.packets_per_run),
            (Some(500.0), Some(10.0))
        );
        assert!((row.softirq_pct.unwrap() - 30.0).abs() < 1e-9);
    }

    #[test]
    fn an_interval_in_which_a_cpu_goes_or_comes_back_is_marked_and_nothing_is_lost() {
        let mut cpus = Cpus::default();
        let mut marked = Vec::new();
        let mut all = 0;
        for (k, online) in [[1, 1], [2, 2], [3, 0], [4, 0], [5, 9], [6, 10]]
            .into_iter()
            .enumerate()
        {
            let there = (0..2).filter(|cpu| online[*cpu as usize] > 0);
            let read: Vec<_> = there
                .map(|cpu| counters(cpu, online[cpu as usize]))
                .collect();
            cpus.ingest(if k == 0 { 0 } else { 1_000_000_000 }, &read);
            marked.push(cpus.changed);
            all += cpus.processed().unwrap_or(0);
        }
        assert_eq!(marked, [false, false, true, false, true, false]);
        assert_eq!(all, 1000 * (5 + 9), "since the baseline, on both CPUs");
    }

    #[test]
    fn softnets_counters_of_32_bits_begin_anew_without_a_gap() {
        let mut cpus = Cpus::default();
        let at = |processed| {
            let mut counters = counters(3, 1);
            counters.softnet.processed = processed;
            counters
        };
        cpus.ingest(0, &[at(u64::from(u32::MAX) - 9)]);
        cpus.ingest(1_000_000_000, &[at(20)]);
        assert_eq!(cpus.processed(), Some(30));
        cpus.ingest(1_000_000_000, &[at(19)]);
        assert_eq!(cpus.processed(), Some(0), "it went back");
    }

    #[test]
    fn a_cpu_without_ticks_has_no_shares_rather_than_zeros() {
        let mut cpus = Cpus::default();
        cpus.ingest(0, &[counters(0, 1)]);
        cpus.ingest(1_000_000, &[counters(0, 1)]);
        assert_eq!(cpus.rows[0].softirq_pct, None);
        assert_eq!(cpus.rows[0].packets_per_run, None);
    }
}
