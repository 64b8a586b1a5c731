//! The end of an interval as a snapshot: its figures, CPU time, devices, the host, the filter, netop's own health.
//! long because it is one value, field by field.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cpu::bucket::Wire;
use super::cpu::cpu_time::Taken;
use super::device::devices::{MOST_DEVICES, Which};
use super::functions::interval::Interval;
use super::governor::cost::Cost;
use super::process::attribution::Attribution;
use super::process::by_sample::BySample;
use super::process::owners::Owned;
use super::process::processes;
use super::process::processes::Charged;
use super::process::readers::waits;
use super::{Engine, Observer, PROFILE_S, ledger};
use crate::decode::{
    self, Attach, ClockKind, Counts, CpuRanges, EventId, Loss, NOBODY, SourceKind, Tick,
};
use crate::model::{
    Busy, Cpu, Device, Filter, Folded, Function, Health, HostEvent, HostInfo, Judged, OtherDevices,
    Process, Ranked, Role, SCHEMA, STACKS_EXPORTED, Sampled, Snapshot, Stack, Summary, Weighed,
};
use crate::probe::Whose;

/// Stacks of the tree.
const PROFILE_STACKS: usize = 4000;

/// And of those of CPU time, which the flame graph has too.
const CPU_PROFILE_STACKS: usize = 4000;

/// What a CPU sample is called where functions have their names.
const CPU: &str = "cpu";

/// The heaviest stacks whose frames have their lines in the snapshot.
const STACKS_WITH_LINES: usize = 500;

/// What the governor's phrase is where there is nothing to govern.
const FILE: &str = "counts are sums of the file's samples by their weights";

const RECORDED: &str = "as it was recorded";

fn host_event(event: &decode::HostEvent) -> HostEvent {
    HostEvent {
        time: event.wall_ns,
        kind: event.kind.name(),
        device: event.device.clone(),
        text: event.text.clone(),
    }
}

impl Engine {
    pub(super) fn snapshot(&mut self, tick: &Tick, cost: &Cost, own_pct: Option<f64>) -> Snapshot {
        let seconds = tick.interval_ns as f64 / 1e9;
        self.begin(tick);
        let wide: FxHashMap<(u16, u32), u64> = (tick.counts.iter())
            .filter_map(|c| {
                Some((
                    (c.event.0, c.cpu?),
                    self.duty_error.hits(c, tick.interval_ns),
                ))
            })
            .collect();
        let hits = |event, cpu| wide.get(&(event, cpu)).copied();
        self.leave_other_modules();
        let folded = self.fold.finish(seconds, PROFILE_S, hits);
        self.shortened += folded.samples_folded;
        let stacks: Vec<Stack> = folded
            .stacks
            .iter()
            .take(STACKS_EXPORTED)
            .map(|stack| self.name_stack(stack))
            .collect();
        let profile = self.profile();

        let whose = self.owners.take();
        let standing = self.duty_error.standing();
        let (counts, by_sample) = self.by_sample().counts(tick, standing, &whose);
        let functions = self.functions.rows(&Interval {
            registry: &self.registry,
            session: self.source.session(),
            want: &self.want,
            plan: &self.plan,
            free: self.free_now(),
            counts: &counts,
            duty_error: &self.duty_error,
            carried: &tick.carried,
            devices: &tick.devices,
            owned: &self.owned(&whose),
            by_sample: &by_sample,
            cpus: &self.cpus,
            folded: &folded,
            process: &|pid| self.processes.name(pid),
            samples: &self.event_samples,
            length_ns: tick.interval_ns,
        });
        self.settle_traffic(tick, &functions);
        let packets = self.traffic.wire();
        let attribution = self.attribution(tick, &whose);
        let cpu_stacks = self.take_cpu_time(tick, packets, &functions, &attribution);
        let processes = self.process_table(tick, &folded, &attribution);
        // The first interval holds netop's own start, which says nothing about what it costs.
        let own_pct = own_pct.filter(|_| self.sequence > 1);
        let mut cpus = self.cpus(tick, cost, own_pct);
        fill_polls(&mut cpus, &functions);
        let mut summary = self.losses();
        let drops = self.ledger.drops(|pid| self.processes.name(pid));
        let order: Vec<u32> = tick.host.cpus.iter().map(|c| c.cpu).collect();
        self.traffic.fill(&mut summary, &cpus, &order);
        let connections = self.connections.told(tick.at);
        let (devices, devices_other) = self.device_rows(tick, &mut cpus, &order);
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
            spent: None,
            contexts: Vec::new(),
            cpu_profile: Arc::from([]),
            cpus,
            devices_other,
            devices,
            processes,
            losses: self.ledger.losses(&drops),
            drops,
            latency: self.latencies.rows.clone(),
            sockets: connections.sockets,
            tcp: connections.tcp,
            tcp_groups: connections.groups,
            listeners: connections.listeners,
            stacks,
            lines: BTreeMap::new(),
            protocol_rates: self.protocols.rates.clone(),
            events: tick.events.iter().map(host_event).collect(),
            facts: self.facts.clone(),
            findings: Vec::new(),
            checked: Vec::new(),
            unjudged: Vec::new(),
            profile,
            profile_s: self.fold.window_seconds(),
            candidates: Arc::clone(&self.processes.candidates),
            cpu_profile_s: 0.0,
        };
        self.report_cpu_time(packets, &cpu_stacks, &mut snapshot);
        self.complete(&mut snapshot);
        snapshot
    }

    /// Stacks of the functions' hits, for the tree.
    fn profile(&mut self) -> Arc<[Stack]> {
        let window = self.fold.window(PROFILE_STACKS);
        window.iter().map(|stack| self.name_stack(stack)).collect()
    }

    fn begin(&mut self, tick: &Tick) {
        self.names.be_patient(self.patience);
        self.names.look_closely(self.want.stacks);
        self.elapsed_ns += tick.interval_ns;
        self.sequence += 1;
        let new = |pid: &&u32| !self.ended.contains(pid) && **pid != NOBODY;
        let ended: Vec<u32> = tick.ended.iter().filter(new).copied().collect();
        self.ended.extend(ended);
    }

    /// What follows from the rest of the snapshot.
    fn complete(&mut self, snapshot: &mut Snapshot) {
        self.put_first_what_was_added(&mut snapshot.functions);
        snapshot.lines = self.lines(snapshot);
        self.adviser.ingest(snapshot);
        self.bound_facts(snapshot);
    }

    /// Settings of the namespaces whose devices are exported. The rules have seen those of all.
    fn bound_facts(&self, snapshot: &mut Snapshot) {
        if self.want.all || snapshot.facts.inside.len() <= MOST_DEVICES {
            return;
        }
        let exported = snapshot.devices.exported();
        let exported: BTreeSet<&str> = exported
            .filter_map(|device| device.netns.as_deref())
            .collect();
        let inside = snapshot.facts.inside.iter();
        let inside = inside.filter(|(netns, _)| exported.contains(netns.as_str()));
        let inside = inside.map(|(netns, set)| (netns.clone(), set.clone()));
        snapshot.facts.inside = Arc::new(inside.collect());
    }

    /// A module's rows are there already; events of one's own stand above the rows of everybody.
    fn put_first_what_was_added(&self, functions: &mut [Function]) {
        functions.sort_by_key(|function| {
            let row = self.registry.row_named(&function.name);
            let row = row.map(|row| &self.registry.rows[row].probe);
            row.map(|probe| matches!(probe, Observer::Listed(_)))
        });
    }

    /// Stacks of hits are those of the wanted module.
    fn leave_other_modules(&mut self) {
        if self.want.module.is_none() {
            return;
        }
        let (cpu, names) = (&mut self.cpu_time.fold, self.names.as_mut());
        self.fold.retain_stacks(|chains, chain| {
            let judged = cpu.judge(chains, chain, names);
            judged.is_some_and(Judged::is_of_module)
        });
    }

    fn losses(&self) -> Summary {
        Summary {
            loss_rate: self.ledger.rate(),
            loss_where: self.ledger.worst(),
            loss_since: self.ledger.since(),
            loss_total: self.ledger.total(),
            ..Summary::default()
        }
    }

    /// Ends the ledger's interval.
    pub(super) fn settle_losses(&mut self, tick: &Tick, shown: bool) {
        let drops = self.registry.drops();
        let mut counted: FxHashMap<u32, u64> = FxHashMap::default();
        let of_drops = |c: &&Counts| Some(c.event) == drops.map(|(event, _)| event);
        for count in tick.counts.iter().filter(of_drops) {
            if let Some(cpu) = count.cpu {
                *counted.entry(cpu).or_default() += self.duty_error.hits(count, tick.interval_ns);
            }
        }
        let events = &self.source.session().events;
        let ending = ledger::Ending {
            interval_ns: tick.interval_ns,
            shown,
            counted: &counted,
            event: drops.and_then(|(event, _)| events.get(event.0 as usize)),
            helpers: drops.map_or(&[], |(_, helpers)| helpers),
            owner: &|socket| self.owners.user(socket),
        };
        self.ledger.end_interval(&ending, self.names.as_mut());
        if shown {
            self.ledger.episode(tick.at, tick.wall_ns);
        }
    }

    fn by_sample(&self) -> BySample<'_> {
        BySample {
            plan: &self.plan,
            session: self.source.session(),
            registry: &self.registry,
            want: &self.want,
        }
    }

    /// Whose sockets the interval's samples were for, by name.
    fn owned(&self, owned: &[Owned]) -> Vec<(EventId, Arc<str>, f64)> {
        let named = owned.iter().map(|&(event, user, weight)| {
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
        let unfiltered = self.want.is_whole_host();
        for device in &tick.devices {
            if self.registry.row_of(device.event) == sender {
                self.traffic.carried(device);
            }
        }
        let hits = sender.filter(|_| unfiltered);
        self.traffic
            .end_interval(hits.and_then(|row| functions[row].rate));
    }

    fn attribution(&mut self, tick: &Tick, owned: &[Owned]) -> Attribution {
        // Where stacked devices count packets twice nobody knows how many there were.
        let exact = self.softnet_inexact.is_none();
        let processed: FxHashMap<u32, u64> = (self.cpus.deltas.iter())
            .filter(|_| exact)
            .map(|(cpu, delta)| (*cpu, delta.processed))
            .collect();
        let processed = |cpu| processed.get(&cpu).copied();
        let mut attribution = Attribution::of(
            tick,
            &self.plan.attached,
            &self.registry,
            &self.owners,
            processed,
        );
        let mut received = std::mem::take(&mut self.received);
        let sockets = (&self.owners, &mut received);
        self.by_sample()
            .attribute(&mut attribution, tick, sockets, owned, &processed);
        self.received = received;
        attribution
    }

    fn process_table(
        &mut self,
        tick: &Tick,
        folded: &Folded,
        attribution: &Attribution,
    ) -> Vec<Process> {
        let charged = self.charged();
        let (pids, children) = (&self.want.pids, &self.children);
        let listed = |pid| pids.is_empty() || pids.contains(&pid) || children.contains(&pid);
        let interval = processes::Interval {
            folded,
            counts: &tick.counts,
            everybody: self.by_process && !tick.processes_in_part,
            filtered: !self.want.pids.is_empty(),
            overflow: tick.overflow,
            length_ns: tick.interval_ns,
            ended: &self.ended,
            charged: &charged,
            attribution,
            by_socket: self.registry.by_socket,
            receives: self.registry.receives,
            waits: &waits(tick.latency.as_ref()),
            listed: &listed,
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
        if let (Some(owned), false) = (&mut charged.owned, pids.is_empty()) {
            owned.retain(|pid, _| listed(pid));
        }
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
        let frames = self.fold.frames(stack, self.names.as_mut());
        Stack {
            function: self.functions.name(row),
            pid: stack.pid,
            comm: self.processes.name(stack.pid),
            weight: stack.weight,
            unit: "hits",
            stage: None,
            direction: None,
            context: None,
            cut: frames.len(),
            samples: stack.samples,
            frames,
        }
    }

    /// Fills what comes from CPU samples; the counts are there already.
    fn report_cpu_time(&mut self, wire: Option<Wire>, stacks: &[Weighed], snapshot: &mut Snapshot) {
        // Packets of one process, device or CPU are not told apart here.
        let whole_host = self.want.is_whole_host();
        if let (true, Some(wire)) = (whole_host, wire) {
            self.packets_per_hit(&mut snapshot.functions, wire);
        }
        if !self.samples_cpu_time() {
            if self.want.module.is_some() {
                let note = "CPU time is not sampled: the module's functions have none";
                snapshot.health.notes.push(note.to_owned());
            }
            return;
        }
        self.cpu_time.summary(&mut snapshot.summary);
        if !self.want.cpus.is_empty() {
            // Wires carry for all CPUs.
            (snapshot.summary.ns_per_packet, snapshot.summary.ns_error) = (None, None);
        }
        self.cpu_time.cpus(&mut snapshot.cpus);
        snapshot.contexts = self.cpu_time.contexts();
        // CPU time cannot be split by device.
        if self.want.device.is_none() {
            self.cpu_time.functions(&mut snapshot.functions, whole_host);
            if self.want.filters_owners() {
                self.leave_nobodys_time(&mut snapshot.functions);
            }
            snapshot.stages = self.cpu_time.stages(self.names.as_ref(), whole_host);
            let (pids, children) = (&self.want.pids, &self.children);
            let listed = |pid| pids.is_empty() || pids.contains(&pid) || children.contains(&pid);
            let names = self.names.as_ref();
            snapshot.spent = self
                .cpu_time
                .spent(&snapshot.functions, names, listed, whole_host);
            let of_module = self.cpu_time.module(whole_host);
            snapshot.functions.splice(0..0, of_module);
        } else {
            let note = "CPU time cannot be split by device: functions have none here";
            snapshot.health.notes.push(note.to_owned());
        }
        snapshot.health.cpu_samples = self.cpu_time.samples;
        snapshot.health.samples_shortened += self.cpu_time.folded;
        let heaviest = stacks.iter().take(STACKS_EXPORTED);
        let exported: Vec<Stack> = heaviest.map(|stack| self.name_cpu_stack(stack)).collect();
        snapshot.stacks.extend(exported);
        let most = if self.want.whole_profile {
            usize::MAX
        } else {
            CPU_PROFILE_STACKS
        };
        let window = self.cpu_time.fold.window(most);
        let profile: Vec<Stack> = window.iter().map(|s| self.name_cpu_stack(s)).collect();
        snapshot.cpu_profile = profile.into();
        snapshot.cpu_profile_s = self.cpu_time.fold.window_seconds();
    }

    /// It is wanted, and the kernel has not refused it on every CPU: no sample would be no time then.
    fn samples_cpu_time(&self) -> bool {
        let session = self.source.session();
        let refused = session.source == SourceKind::Live && session.host.clock.is_none();
        self.plan.clock_hz > 0 && !refused
    }

    /// The time of what no owner can be named for is in no process's figures.
    fn leave_nobodys_time(&self, functions: &mut [Function]) {
        for (function, row) in functions.iter_mut().zip(&self.registry.rows) {
            if row.probe.whose() == Whose::Nobody {
                function.cpu_pct = None;
                function.cpu_error = None;
                function.self_pct = None;
                function.ns_per_call = None;
            }
        }
    }

    fn packets_per_hit(&self, functions: &mut [Function], wire: Wire) {
        for (row, function) in functions.iter_mut().enumerate() {
            let passes = self.registry.rows[row].probe.sees_every_packet()
                && !self.functions.exact_packets(row)
                && !function.estimated;
            if let (true, Some(rate)) = (passes, function.rate)
                && rate > 0.0
            {
                let packets = self.cpu_time.packets_per_hit(row, rate, wire);
                function.packets_per_hit = Some(packets);
                function.packets_exact = true;
            }
        }
    }

    /// The interval's CPU samples go into the window. Returns its stacks, heaviest first.
    fn take_cpu_time(
        &mut self,
        tick: &Tick,
        wire: Option<Wire>,
        functions: &[Function],
        attribution: &Attribution,
    ) -> Vec<Weighed> {
        if !self.samples_cpu_time() {
            return Vec::new();
        }
        let seconds = tick.interval_ns as f64 / 1e9;
        let span = tick.interval_ns as f64;
        let rates: Vec<Option<f64>> = functions.iter().map(|f| f.rate).collect();
        let (pids, children) = (&self.want.pids, &self.children);
        let counted = |pid| pids.is_empty() || pids.contains(&pid) || children.contains(&pid);
        let host = &self.source.session().host;
        let rows = &self.cpus.rows;
        let file = self.source.session().source == SourceKind::File;
        let distance = 1e9 / f64::from(self.plan.clock_hz);
        let share = |cpu, sampled: Sampled| {
            let row = rows.iter().find(|row| row.cpu == cpu);
            let idle = span * row.and_then(|row| row.idle_pct).unwrap_or(0.0) / 100.0;
            match host.clock {
                // Nobody read how long it idled: the timer's samples are the time they say, a
                // counter's so much as their number times their distance.
                Some(ClockKind::Cycles) if file => span.min(sampled.number as f64 * distance),
                _ if file => span.min(sampled.all),
                // A halted CPU counts no cycles: they share the time it was busy.
                Some(ClockKind::Cycles) => span - idle,
                // An idle CPU's timer may sleep too: what is missing of the samples it idled, as
                // far as /proc/stat says so. The rest are ticks that came too late.
                Some(ClockKind::CpuClock) | None => {
                    let missing = (span - sampled.all).max(0.0);
                    span - missing.min((idle - sampled.idle).max(0.0))
                }
            }
        };
        let taken = Taken {
            seconds,
            hz: self.plan.clock_hz,
            wire: wire.map(|wire| wire.times(seconds)),
            rates: &rates,
            counted: &counted,
            receivers: (!attribution.receivers.is_empty()).then_some(&attribution.receivers),
            all: self.want.all_cpu_time,
            filtered: !pids.is_empty(),
            by_owner: self.want.filters_owners(),
            cpus: &host.cpus,
            share: &share,
        };
        let whole = self.want.whole_profile;
        let cycles = file && host.clock == Some(ClockKind::Cycles);
        self.cpu_time.fold.keep_whole(whole, whole && cycles);
        self.cpu_time.ingest(&taken, self.names.as_mut())
    }

    fn name_cpu_stack(&mut self, stack: &Weighed) -> Stack {
        let names = self.names.as_mut();
        let (judged, frames, cut) = self.cpu_time.fold.describe(stack, names);
        let verdict = judged.map(|judged| judged.verdict);
        Stack {
            function: Arc::from(CPU),
            pid: stack.pid,
            comm: self.processes.name(stack.pid),
            weight: stack.weight,
            unit: "ns",
            samples: stack.samples,
            stage: verdict.and_then(|v| Some(names.stage(v.exclusive?))),
            direction: verdict.map(|v| v.direction.name()),
            context: verdict.map(|v| v.context.name()),
            cut,
            frames,
        }
    }

    /// The rows of the devices at the end of an interval; fills the CPUs' part of it. `order`: the CPU
    /// of each column of the interrupts.
    fn device_rows(
        &mut self,
        tick: &Tick,
        cpus: &mut [Cpu],
        order: &[u32],
    ) -> (Ranked<Device>, Option<OtherDevices>) {
        for counts in &tick.devices {
            let row = self.registry.row_of(counts.event);
            if let Some(place) = row.and_then(|row| self.registry.rows[row].probe.point()) {
                self.devices.counted(place, counts);
            }
        }
        let which = Which {
            all: self.want.all,
            listed: self.want.list_devices,
            wanted: self.want.device.as_deref(),
        };
        let devices = self.devices.finish(tick.at, (cpus, order), &which);
        for cpu in cpus {
            let occupied = self.cpu_time.occupied.get(&cpu.cpu).into_iter().flatten();
            let busy = occupied.map(|&(pid, cpu_pct)| Busy {
                pid,
                comm: self.processes.name(pid).to_string(),
                cpu_pct,
            });
            cpu.processes = busy.collect();
        }
        devices
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
                SourceKind::Replay | SourceKind::File => "replay",
                SourceKind::Demo => "demo",
            },
        }
    }

    fn filter(&self) -> Filter {
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

/// napi_poll's exact counts belong to the CPU table too.
fn fill_polls(cpus: &mut [Cpu], functions: &[Function]) {
    let Some(polls) = functions
        .iter()
        .find(|f| f.role == Some(Role::Polls) && f.calls.is_some() && !f.estimated)
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
