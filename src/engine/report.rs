//! The end of an interval as a snapshot: its figures, the host, the filter, netop's own health.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::attribution::Attribution;
use super::cost::Cost;
use super::devices::MOST_DEVICES;
use super::owners::Owned;
use super::processes::{self, Charged};
use super::readers::waits;
use super::{Engine, NOBODY, Observer, PROFILE_S, functions, ledger};
use crate::decode::{self, Counts, EventId, Tick};
use crate::model::{
    Cpu, Folded, Function, HostEvent, Judged, Process, Role, SCHEMA, STACKS_EXPORTED, Snapshot,
    Stack, Summary, Weighed,
};

/// Stacks of the tree.
const PROFILE_STACKS: usize = 4000;

/// The heaviest stacks whose frames have their lines in the snapshot.
const STACKS_WITH_LINES: usize = 500;

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
        self.elapsed_ns += tick.interval_ns;
        self.sequence += 1;
        let new = |pid: &&u32| !self.ended.contains(pid) && **pid != NOBODY;
        let ended: Vec<u32> = tick.ended.iter().filter(new).copied().collect();
        self.ended.extend(ended);
        let wide: FxHashMap<(u16, u32), u64> = (tick.counts.iter())
            .filter_map(|c| Some(((c.event.0, c.cpu?), self.spreads.hits(c, tick.interval_ns))))
            .collect();
        let hits = |event, cpu| wide.get(&(event, cpu)).copied();
        self.leave_other_modules();
        self.names.be_patient(self.patience);
        self.names.look_closely(self.want.stacks);
        let folded = self.fold.finish(seconds, PROFILE_S, hits);
        self.shortened += folded.samples_folded;
        let stacks: Vec<Stack> = folded
            .stacks
            .iter()
            .take(STACKS_EXPORTED)
            .map(|stack| self.name_stack(stack))
            .collect();
        let window = self.fold.window(PROFILE_STACKS);
        let profile: Vec<Stack> = window.iter().map(|stack| self.name_stack(stack)).collect();

        let whose = self.owners.take();
        let (counts, by_sample) = self.with_sampled(tick, &whose);
        let functions = self.functions.rows(&functions::Interval {
            registry: &self.registry,
            session: self.source.session(),
            want: &self.want,
            plan: &self.plan,
            free: self.free_now(),
            counts: &counts,
            spreads: &self.spreads,
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
            profile: profile.into(),
            profile_s: self.fold.window_seconds(),
            candidates: Arc::clone(&self.processes.candidates),
            cpu_profile_s: 0.0,
        };
        self.report_cpu_time(packets, &cpu_stacks, &mut snapshot);
        self.complete(&mut snapshot);
        snapshot
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
                *counted.entry(cpu).or_default() += self.spreads.hits(count, tick.interval_ns);
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
        self.add_sampled(&mut attribution, tick, owned, &processed);
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
