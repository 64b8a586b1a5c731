//! The end of an interval as a snapshot: its figures, the host, the filter, netop's own health.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cost::Cost;
use super::processes::{self, Charged};
use super::spreads::estimated;
use super::{Engine, PROFILE_S, functions};
use crate::decode::{Attach, ClockKind, Counts, EventId, Loss, SourceKind, Tick};
use crate::model::{
    Cpu, Facts, Filter, Folded, Function, Health, HostInfo, Process, SCHEMA, STACKS_EXPORTED,
    Snapshot, Stack, Summary, Weighed,
};

/// Stacks of the tree.
const PROFILE_STACKS: usize = 4000;

/// The heaviest stacks whose frames have their lines in the snapshot.
const STACKS_WITH_LINES: usize = 500;

impl Engine {
    pub(super) fn snapshot(&mut self, tick: &Tick, cost: &Cost, own_pct: Option<f64>) -> Snapshot {
        let seconds = tick.interval_ns as f64 / 1e9;
        self.elapsed_ns += tick.interval_ns;
        self.sequence += 1;
        for pid in &tick.ended {
            if !self.ended.contains(pid) {
                self.ended.push(*pid);
            }
        }
        let wide: FxHashMap<(u16, u32), u64> = (tick.counts.iter())
            .filter_map(|c: &Counts| {
                let hits = estimated(c, tick.interval_ns);
                Some(((c.event.0, c.cpu?), hits))
            })
            .collect();
        let folded = self.fold.finish(seconds, PROFILE_S, |event, cpu| {
            wide.get(&(event, cpu)).copied()
        });
        self.shortened += folded.samples_folded;
        let stacks: Vec<Stack> = folded
            .stacks
            .iter()
            .take(STACKS_EXPORTED)
            .map(|stack| self.name_stack(stack))
            .collect();
        let window = self.fold.window(PROFILE_STACKS);
        let profile: Vec<Stack> = window.iter().map(|stack| self.name_stack(stack)).collect();

        let free = self.free_now();
        let owned = self.owned();
        let functions = self.functions.rows(&functions::Interval {
            registry: &self.registry,
            session: self.source.session(),
            want: &self.want,
            plan: &self.plan,
            free,
            counts: &tick.counts,
            carried: &tick.carried,
            devices: &tick.devices,
            owned: &owned,
            cpus: &self.cpus,
            folded: &folded,
            samples: &self.event_samples,
            length_ns: tick.interval_ns,
        });
        self.settle_traffic(tick, &functions);
        let packets = self.traffic.wire();
        let cpu_stacks = self.take_cpu_time(tick, packets, &functions);
        let processes = self.process_table(tick, &folded);
        // The first interval holds netop's own start, which says nothing about what it costs.
        let own_pct = own_pct.filter(|_| self.sequence > 1);
        let mut cpus = self.cpus(tick, cost, own_pct);
        fill_polls(&mut cpus, &functions);
        let mut summary = Summary {
            loss_rate: self.losses.rate(),
            loss_where: self.losses.worst(),
            loss_since: self.losses.since(),
            loss_total: self.losses.total(),
            ..Summary::default()
        };
        let order: Vec<u32> = tick.host.cpus.iter().map(|c| c.cpu).collect();
        self.traffic.fill(&mut summary, &cpus, &order);
        let devices = self.device_rows(&tick.devices, &mut cpus, &order);
        let loss = std::mem::take(&mut self.loss);
        let mut snapshot = Snapshot {
            schema: SCHEMA,
            at: tick.wall_ns,
            interval_s: seconds,
            elapsed_s: self.elapsed_ns as f64 / 1e9,
            sequence: self.sequence,
            host: self.host(),
            filter: self.filter(),
            summary,
            health: self.health(loss, tick, cost, own_pct, &functions),
            functions,
            stages: Vec::new(),
            contexts: Vec::new(),
            cpu_profile: Arc::from([]),
            cpus,
            devices,
            processes,
            tcp: Vec::new(),
            drops: self.losses.rows(),
            latency: Vec::new(),
            stacks,
            lines: BTreeMap::new(),
            facts: Facts::default(),
            findings: Vec::new(),
            profile: profile.into(),
            profile_s: self.fold.window_seconds(),
            candidates: Arc::clone(&self.processes.candidates),
            cpu_profile_s: 0.0,
        };
        self.report_cpu_time(packets, &cpu_stacks, &mut snapshot);
        snapshot.lines = self.lines(&snapshot);
        snapshot
    }

    /// Whose sockets the interval's samples were for, by name.
    fn owned(&mut self) -> Vec<(EventId, Arc<str>, f64)> {
        let owned = self.owners.take().into_iter();
        let named = owned.map(|(event, user, weight)| {
            let name = match user {
                Some(pid) => format!("{}({pid})", self.processes.name(pid)).into(),
                None => "unknown".into(),
            };
            (event, name, weight)
        });
        named.collect()
    }

    /// What the devices sent, as sampled or as the gate counted it.
    fn settle_traffic(&mut self, tick: &Tick, functions: &[Function]) {
        let sends = |row: &super::registry::Row| row.probe.sends();
        let sender = self.registry.rows.iter().position(sends);
        let unfiltered = self.want.pids.is_empty() && self.want.device.is_none();
        for device in &tick.devices {
            if self.registry.row_of(device.event) == sender {
                self.traffic.carried(device);
            }
        }
        let hits = sender.filter(|_| unfiltered);
        self.traffic
            .settle(hits.and_then(|row| functions[row].rate));
    }

    fn process_table(&mut self, tick: &Tick, folded: &Folded) -> Vec<Process> {
        let charged = self.charged();
        let interval = processes::Interval {
            folded,
            counts: &tick.counts,
            everybody: self.by_process,
            filtered: !self.want.pids.is_empty(),
            overflow: tick.overflow,
            length_ns: tick.interval_ns,
            ended: &self.ended,
            charged: &charged,
        };
        let flow_of = |event| self.registry.says(event).flow;
        self.processes.rows(&interval, flow_of)
    }

    /// What the network took of the processes that have rows: under a filter only of its own.
    fn charged(&self) -> Charged {
        let mut charged = self.cpu_time.charged();
        let (pids, children) = (&self.want.pids, &self.children);
        let listed = |pid: &u32| pids.contains(pid) || children.contains(pid);
        charged.pct.retain(|pid, _| pids.is_empty() || listed(pid));
        charged
    }

    fn cpus(&mut self, tick: &Tick, cost: &Cost, own_pct: Option<f64>) -> Vec<Cpu> {
        let timed = self
            .softirq_time
            .take(self.registry.softirq, &tick.counts, tick.interval_ns);
        let mut cpus = self.cpus.rows.clone();
        for cpu in &mut cpus {
            let timed = timed.get(&cpu.cpu);
            cpu.net_softirq_pct = timed.map(|&ns| 100.0 * ns as f64 / tick.interval_ns as f64);
            cpu.cost_pct = own_pct.and_then(|_| cost.per_cpu.get(&cpu.cpu).copied());
        }
        cpus
    }

    /// Where user frames are in the source.
    fn lines(&self, snapshot: &Snapshot) -> BTreeMap<Arc<str>, Arc<str>> {
        let heaviest = snapshot.cpu_profile.iter().take(STACKS_WITH_LINES);
        let stacks = heaviest.chain(snapshot.profile.iter().take(STACKS_WITH_LINES));
        let mut lines = BTreeMap::new();
        // User frames are named `function (object)`.
        for frame in stacks.flat_map(|stack| stack.frames.iter()) {
            if frame.ends_with(')')
                && !lines.contains_key(frame)
                && let Some(line) = self.names.location(frame)
            {
                lines.insert(Arc::clone(frame), line);
            }
        }
        lines
    }

    fn name_stack(&mut self, stack: &Weighed) -> Stack {
        let row = self.registry.row_of(EventId(stack.event)).unwrap_or(0);
        Stack {
            function: self.functions.name(row),
            pid: stack.pid,
            comm: self.processes.name(stack.pid),
            weight: stack.weight,
            unit: "hits",
            stage: None,
            direction: None,
            context: None,
            cut: usize::MAX,
            samples: stack.samples,
            frames: self.fold.frames(stack, self.names.as_mut()),
        }
    }

    fn host(&self) -> HostInfo {
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

    fn filter(&self) -> Filter {
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

    fn health(
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
                "{} hits were of more devices and processes than the gate tells apart: totals have them, shares do not",
                tick.overflow
            ));
        }
        let costs = self.source.session().costs;
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
            own_anon_bytes: tick.own.anon_bytes,
            cost_pct: own_pct.map(|_| cost.busiest_pct),
            cost_cpu: own_pct.and(cost.busiest_cpu),
            cost_all_pct: own_pct.map(|_| cost.all_pct),
            budget_pct: self.settings.max_overhead_pct,
            perf_hit_ns: by(false).then_some(costs.perf_ns),
            bpf_hit_ns: by(true).then_some(costs.gate_ns),
            sample_ns: (!self.plan.attached.is_empty() || self.plan.clock_hz > 0)
                .then_some(costs.sample_ns),
            costs_measured: costs.measured,
            governor: self.plan.phrase.clone(),
            counting: counting(&self.plan.attached),
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

/// napi_poll's exact counts belong to the CPU table too.
fn fill_polls(cpus: &mut [Cpu], functions: &[Function]) {
    let Some(polls) = functions
        .iter()
        .find(|f| &*f.name == "napi_poll" && f.calls.is_some() && !f.estimated)
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
