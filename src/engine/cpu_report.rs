//! CPU samples at the end of an interval: into the window, and from it into the snapshot.

use std::sync::Arc;

use super::Engine;
use super::attribution::Attribution;
use super::bucket::Wire;
use super::cpu_time::Taken;
use crate::decode::{ClockKind, SourceKind, Tick};
use crate::model::{Function, STACKS_EXPORTED, Sampled, Snapshot, Stack, Weighed};
use crate::probe::Whose;

/// Stacks of the tree and the flame graph.
const PROFILE_STACKS: usize = 4000;

/// What a CPU sample is called where functions have their names.
const CPU: &str = "cpu";

impl Engine {
    /// Fills what comes from CPU samples; the counts are there already.
    pub(super) fn report_cpu_time(
        &mut self,
        wire: Option<Wire>,
        stacks: &[Weighed],
        snapshot: &mut Snapshot,
    ) {
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
            if self.by_owner() {
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
            PROFILE_STACKS
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
    pub(super) fn take_cpu_time(
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
            by_owner: self.by_owner(),
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
}
