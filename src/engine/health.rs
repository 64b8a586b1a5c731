//! What stands above every table: the host, the filter, and how well netop itself does.

use super::cost::Cost;
use super::{Engine, NOBODY};
use crate::decode::{Attach, ClockKind, CpuRanges, Loss, SourceKind, Tick};
use crate::model::{Filter, Function, Health, HostInfo};

/// What the governor's phrase is where there is nothing to govern.
const FILE: &str = "counts are sums of the file's samples by their weights";

const RECORDED: &str = "as it was recorded";

impl Engine {
    pub(super) fn host(&self) -> HostInfo {
        let session = self.source.session();
        HostInfo {
            hostname: session.host.hostname.clone(),
            kernel: session.host.kernel.clone(),
            arch: session.host.arch.clone(),
            cpus_online: session.host.cpus.len(),
            clock: session.host.clock.map(|clock| match clock {
                ClockKind::Cycles => "cycles",
                ClockKind::CpuClock => "cpu-clock",
            }),
            source: match session.source {
                SourceKind::Live => "live",
                SourceKind::Replay | SourceKind::File => "replay",
                SourceKind::Demo => "demo",
            },
        }
    }

    pub(super) fn filter(&self) -> Filter {
        let mut pids = self.want.pids.clone();
        pids.retain(|pid| *pid != NOBODY);
        pids.extend(&self.replaced);
        let mut ended = self.ended.clone();
        ended.extend(self.replaced.iter().filter(|pid| !self.ended.contains(pid)));
        let pid = pids.first().copied();
        Filter {
            pid,
            comm: pid.map(|pid| self.processes.name(pid).to_string()),
            device: self.want.device.clone(),
            cpu: (!self.want.cpus.is_empty()).then(|| CpuRanges(&self.want.cpus).to_string()),
            cgroup: self.want.cgroup.clone(),
            module: self.want.module.as_deref().map(str::to_owned),
            by: pid.map(|_| {
                if self.want.by_owner {
                    "owner"
                } else {
                    "context"
                }
            }),
            pids,
            ended,
        }
    }

    pub(super) fn health(
        &mut self,
        loss: Loss,
        tick: &Tick,
        cost: &Cost,
        own_pct: Option<f64>,
        functions: &[Function],
    ) -> Health {
        let mut notes = self.notes.clone();
        notes.extend(self.softnet_inexact.clone());
        notes.extend(self.device_unknown.clone());
        let unnamed = |why| format!("CPU time has no stages: {why}");
        notes.extend(self.names.kernel_missing().map(unnamed));
        notes.extend(self.names.user_missing().map(str::to_owned));
        notes.extend(uncounted(functions));
        if tick.overflow > 0 {
            notes.push(format!(
                "BPF map full: {} hits are in the totals but not in the split by device and process",
                tick.overflow
            ));
        }
        let costs = self.costs();
        let by_windows = self.governor.live_price.factor().windows;
        let file = self.source.session().source == SourceKind::File;
        let by = |gate| self.plan.attached.iter().any(|a| a.gate == gate);
        Health {
            lost: loss.lost,
            throttled: loss.throttled,
            channel_dropped: loss.channel_dropped,
            undecodable: loss.undecodable,
            samples: functions.iter().map(|f| f.samples).sum(),
            cpu_samples: None,
            samples_shortened: self.shortened,
            own_cpu_pct: own_pct,
            own_anon_bytes: own_pct.and(tick.own.anon_bytes),
            cost_pct: own_pct.map(|_| cost.busiest_pct),
            cost_bound_pct: own_pct.filter(|_| by_windows > 0).map(|_| cost.bound_pct),
            cost_modelled_pct: own_pct.map(|_| cost.modelled_pct),
            cost_windows: by_windows,
            cost_cpu: own_pct.and(cost.busiest_cpu),
            cost_all_pct: own_pct.map(|_| cost.all_pct),
            budget_pct: self.settings.max_overhead_pct,
            limit_pct: self.governor.limit_pct(cost.busiest_cpu),
            perf_hit_ns: (!file && by(false)).then_some(costs.perf_ns),
            bpf_hit_ns: by(true).then_some(costs.gate_ns),
            sample_ns: (!file && (!self.plan.attached.is_empty() || self.plan.clock_hz > 0))
                .then_some(costs.sample_ns),
            costs_measured: costs.measured,
            governor: match self.source.session().source {
                SourceKind::File => FILE.to_owned(),
                SourceKind::Replay if self.settings.recorded => RECORDED.to_owned(),
                _ => self.plan.phrase.clone(),
            },
            counting: if file {
                "file"
            } else {
                counting(&self.plan.attached)
            },
            detached: self.want.detached,
            banner: self.settings.banner.clone(),
            notes,
        }
    }
}

/// How rows are counted beyond the free counters; timing softirqs counts none.
fn counting(attached: &[Attach]) -> &'static str {
    let by = |gate| attached.iter().any(|a| !a.every && a.gate == gate);
    match (by(true), by(false)) {
        (true, true) => "bpf+perf",
        (true, false) => "bpf",
        (false, true) => "perf",
        (false, false) => "proc",
    }
}

/// Why rows are not counted, each reason once.
pub fn uncounted(functions: &[Function]) -> Vec<String> {
    let uncounted = functions.iter().filter(|f| f.calls.is_none());
    let reasons = uncounted.filter_map(|f| Some((&*f.name, f.reason.as_deref()?)));
    by_reason(reasons)
}

/// `rows`: name and reason.
pub fn by_reason<'a>(rows: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, reason) in rows {
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    reasons
        .into_iter()
        .map(|(reason, names)| format!("{}: {reason}", names.join(", ")))
        .collect()
}
