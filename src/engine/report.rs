//! What a snapshot says beside its figures: the host, the filter, netop's own health.

use super::Engine;
use super::governor::Cost;
use crate::decode::{ClockKind, Loss, SourceKind, Tick};
use crate::model::{Filter, Function, Health, HostInfo};

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
                SourceKind::Replay => "replay",
                SourceKind::Demo => "demo",
            },
        }
    }

    pub(super) fn filter(&self) -> Filter {
        let pid = self.want.pids.first().copied();
        Filter {
            pid,
            comm: pid.map(|pid| self.processes.name(pid).to_string()),
            device: self.want.device.clone(),
            by: pid.map(|_| "context"),
            pids: self.want.pids.clone(),
            ended: self.ended.clone(),
            ..Filter::default()
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
        notes.extend(uncounted(functions));
        Health {
            lost: loss.lost,
            throttled: loss.throttled,
            channel_dropped: loss.channel_dropped,
            undecodable: loss.undecodable,
            samples: functions.iter().map(|f| f.samples).sum(),
            own_cpu_pct: own_pct,
            own_anon_bytes: tick.own.anon_bytes,
            cost_pct: own_pct.map(|_| cost.busiest_pct),
            cost_cpu: own_pct.and(cost.busiest_cpu),
            cost_all_pct: own_pct.map(|_| cost.all_pct),
            budget_pct: self.settings.max_overhead_pct,
            governor: self.plan.phrase.clone(),
            counting: if self.plan.attached.is_empty() {
                "proc"
            } else {
                "perf"
            },
            detached: self.want.detached,
            banner: self.settings.banner.clone(),
            notes,
        }
    }
}

/// napi_poll's exact counts belong to the CPU table too.
pub(super) fn fill_polls(cpus: &mut [crate::model::Cpu], functions: &[Function]) {
    let Some(polls) = functions
        .iter()
        .find(|f| &*f.name == "napi_poll" && f.calls.is_some())
    else {
        return;
    };
    for cpu in cpus {
        let calls = polls
            .per_cpu
            .iter()
            .find(|c| c.cpu == cpu.cpu)
            .map(|c| c.calls);
        cpu.napi_polls = calls;
        if let (Some(calls), Some(packets)) = (calls.filter(|&c| c > 0), cpu.rx_packets) {
            cpu.work_per_poll = Some(packets as f64 / calls as f64);
        }
    }
}

/// Why rows are not counted, each reason once.
fn uncounted(functions: &[Function]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for function in functions.iter().filter(|f| f.calls.is_none()) {
        let Some(reason) = function.reason.as_deref() else {
            continue;
        };
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(&function.name),
            None => reasons.push((reason, vec![&function.name])),
        }
    }
    reasons
        .into_iter()
        .map(|(reason, names)| format!("{}: {reason}", names.join(", ")))
        .collect()
}
