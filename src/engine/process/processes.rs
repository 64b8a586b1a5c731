//! The process table: whose sockets packets were for, and whose context the functions ran in. What
//! comes from samples is an estimate, unless every hit was sampled.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::attribution::Attribution;
use super::limit::tightest;
use super::readers::Readers;
use crate::decode::{Counts, ENDED, EventId, NOBODY, SlowSample, TaskCounters};
use crate::model::{Folded, NO_SOCKET, Process, SEVERAL};
use crate::probe::Flow;

/// Rows kept, heaviest first.
const MOST: usize = 500;

/// A process that nothing was counted for has a row when the network takes this much of it,
/// percent of one CPU.
const LEAST_PCT: f64 = 0.5;

/// Percent of one CPU that the network took of each process, in its own system calls and on its
/// time for whoever.
#[derive(Debug, Default)]
pub struct Charged {
    pub pct: FxHashMap<u32, (f64, f64)>,
    /// What receive softirqs spent on each process's sockets; `None`: nobody says for whom.
    pub owned: Option<FxHashMap<u32, f64>>,
    /// CPU time is sampled: a process that is not here used none.
    pub known: bool,
}

impl Charged {
    fn fill(&self, process: &mut Process) {
        if !self.known {
            return;
        }
        let owned = self.owned.as_ref();
        process.cpu_softirq_owned_pct =
            owned.map(|owned| owned.get(&process.pid).copied().unwrap_or_default());
        if process.pid == NO_SOCKET {
            return;
        }
        let (own, stolen) = self.pct.get(&process.pid).copied().unwrap_or_default();
        process.cpu_own_pct = Some(own);
        // The idle task has no time that could be taken from it.
        process.cpu_stolen_pct = (process.pid != 0).then_some(stolen);
    }
}

/// What an interval brought.
pub struct Interval<'a> {
    pub folded: &'a Folded,
    pub counts: &'a [Counts],
    /// The gate counted every process in all of the interval.
    pub everybody: bool,
    /// Only the processes of a filter are counted.
    pub filtered: bool,
    /// Hits of which the gate cannot say the process.
    pub overflow: u64,
    pub length_ns: u64,
    pub ended: &'a [u32],
    pub charged: &'a Charged,
    pub attribution: &'a Attribution,
    /// Sent packets, drops, retransmits; and what says of received packets.
    pub by_socket: [EventId; 3],
    pub receives: [EventId; 2],
    /// The longest waits for a reader that have ended, ms; empty: they are not measured.
    pub waits: &'a FxHashMap<u32, f64>,
    /// The process is one of those asked for.
    pub listed: &'a dyn Fn(u32) -> bool,
}

impl Interval<'_> {
    /// What went through the process's sockets.
    fn fill(&self, process: &mut Process) {
        let moved = |event| self.attribution.moved(event, process.pid);
        let [sent, dropped, again] = self.by_socket.map(moved);
        let received = self.receives.map(moved).into_iter().flatten();
        let received: Vec<f64> = received.map(|moved| moved.packets).collect();
        process.tx_packets = sent.map(|moved| moved.packets);
        process.drops = dropped.map(|moved| moved.hits);
        process.retransmits = again.map(|moved| moved.hits);
        process.rx_packets = (!received.is_empty()).then(|| received.iter().sum());
        process.packets_estimated = self.attribution.estimated;
    }
}

/// Hits of processes that were counted, not sampled.
#[derive(Default)]
struct Exact {
    events: FxHashSet<EventId>,
    /// Those whose bytes were counted too.
    moved: FxHashSet<EventId>,
    /// Event, process, hits, bytes.
    hits: Vec<(EventId, u32, u64, u64)>,
}

impl Exact {
    fn of(interval: &Interval<'_>) -> Exact {
        let mut exact = Exact::default();
        if !interval.everybody && !interval.filtered {
            return exact;
        }
        // What the gate counted in windows, or not from the beginning, is no more exact than
        // samples.
        let part = |count: &Counts| {
            count.spread.is_some() || count.gate && count.span_ns < interval.length_ns / 100 * 98
        };
        let parts: FxHashSet<EventId> = (interval.counts.iter())
            .filter(|count| part(count))
            .map(|count| count.event)
            .collect();
        for count in interval.counts {
            let Some(pid) = count.pid else { continue };
            if parts.contains(&count.event) {
                continue;
            }
            exact.events.insert(count.event);
            if count.gate {
                exact.moved.insert(count.event);
            }
            // The gate still knows processes that had no hits in this interval.
            if count.hits > 0 || !count.gate {
                exact.hits.push((count.event, pid, count.hits, count.bytes));
            }
        }
        exact
    }

    /// The process's hits of the event were counted. Under a filter those of forked children are
    /// in their parent's count; what is theirs only samples say.
    fn counted(&self, event: EventId, pid: u32, interval: &Interval<'_>) -> bool {
        let own = |(e, p, ..): &(EventId, u32, u64, u64)| (*e, *p) == (event, pid);
        self.events.contains(&event) && (interval.everybody || self.hits.iter().any(own))
    }
}

#[derive(Debug, Default)]
pub struct Processes {
    names: FxHashMap<u32, Arc<str>>,
    /// When each started, clock ticks since boot.
    starts: FxHashMap<u32, u64>,
    runq: FxHashMap<u32, (u64, u64)>,
    /// Delay per second, ms, of the last reading.
    delays: FxHashMap<u32, f64>,
    containers: FxHashMap<u32, Arc<str>>,
    /// Periods of the CPU quota, and those in which it stopped the process's group.
    quotas: FxHashMap<u32, (u64, u64)>,
    /// The share of periods in which it did, percent, of the last reading.
    throttled: FxHashMap<u32, f64>,
    readers: Readers,
    /// Pids of the last snapshot: whose slow counters are wanted.
    pub shown: Vec<u32>,
    pub candidates: Arc<[(u32, String)]>,
}

impl Processes {
    /// `replaced`: pids of the filter that another process has by now. Its rows are still those of the one
    /// that was asked for.
    pub fn ingest(&mut self, slow: Option<&SlowSample>, replaced: &[u32]) {
        let Some(slow) = slow else { return };
        self.make_room();
        self.readers.ingest(slow);
        self.delays.clear();
        self.throttled.clear();
        let asked = |task: &&TaskCounters| !replaced.contains(&task.pid);
        for task in slow.tasks.iter().filter(asked) {
            self.meet(task);
            if let Some(container) = &task.container {
                self.containers.insert(task.pid, container.as_str().into());
            }
            if let Some((periods, stopped)) = task.throttled
                && let Some((before, stopped_before)) =
                    self.quotas.insert(task.pid, (periods, stopped))
                && periods > before
            {
                let stopped = stopped.saturating_sub(stopped_before);
                let share = 100.0 * stopped as f64 / (periods - before) as f64;
                self.throttled.insert(task.pid, share);
            }
            self.names.insert(task.pid, task.comm.as_str().into());
            let Some(now) = task.runq_ns else { continue };
            if let Some((at, before)) = self.runq.insert(task.pid, (slow.at, now)) {
                let seconds = slow.at.saturating_sub(at) as f64 / 1e9;
                if seconds > 0.0 {
                    self.delays
                        .insert(task.pid, now.saturating_sub(before) as f64 / 1e6 / seconds);
                }
            }
        }
        if self.runq.len() > 16 * MOST {
            self.runq.clear();
            self.quotas.clear();
        }
        if slow.tasks_complete {
            self.candidates = slow.tasks.iter().map(|t| (t.pid, t.comm.clone())).collect();
        }
    }

    /// What is known of a pid is the process's that has it: of one that had it before nothing stays.
    fn meet(&mut self, task: &TaskCounters) {
        let Some(start) = task.start_ticks else {
            return;
        };
        let before = self.starts.insert(task.pid, start);
        if before.is_some_and(|before| before != start) {
            self.runq.remove(&task.pid);
            self.quotas.remove(&task.pid);
            self.containers.remove(&task.pid);
        }
    }

    pub fn called(&mut self, pid: u32, comm: &str) {
        self.make_room();
        self.names.insert(pid, comm.into());
    }

    /// Until it is called otherwise.
    pub fn forked(&mut self, parent: u32, child: u32) {
        if let Some(name) = self.names.get(&parent) {
            let name = Arc::clone(name);
            self.names.insert(child, name);
        }
    }

    /// Names of processes that are not shown any more are not kept for ever.
    fn make_room(&mut self) {
        if self.names.len() > 16 * MOST {
            self.names.clear();
            self.starts.clear();
            self.containers.clear();
        }
    }

    pub fn name(&self, pid: u32) -> Arc<str> {
        match pid {
            NO_SOCKET => return Arc::from("[fwd]"),
            SEVERAL => return Arc::from("[others]"),
            ENDED => return Arc::from("[ended]"),
            _ => {}
        }
        let unknown = || Arc::from(if pid == 0 { "swapper" } else { "–" });
        self.names.get(&pid).cloned().unwrap_or_else(unknown)
    }

    /// The rows of an interval. `flow_of`: which direction an event's hits are system calls in.
    pub fn rows(
        &mut self,
        interval: &Interval<'_>,
        flow_of: impl Fn(EventId) -> Option<Flow>,
    ) -> Vec<Process> {
        let seconds = interval.length_ns as f64 / 1e9;
        let charged = interval.charged;
        let mut rows: BTreeMap<u32, Process> = BTreeMap::new();
        let row = |rows: &mut BTreeMap<u32, Process>, pid: u32, name: Arc<str>| {
            rows.entry(pid)
                .or_insert_with(|| Process {
                    pid,
                    comm: name.to_string(),
                    ..Process::default()
                })
                .pid
        };
        let exact = Exact::of(interval);
        let mut sampled = FxHashSet::default();
        for (&(event, pid), sums) in &interval.folded.per_process {
            let event = EventId(event);
            row(&mut rows, pid, self.name(pid));
            let Some(process) = rows.get_mut(&pid) else {
                continue;
            };
            let flow = flow_of(event);
            let counted = exact.counted(event, pid, interval);
            let calls = if counted { 0.0 } else { sums.weight };
            process.context_rate += calls / seconds;
            let whole = (sums.weight - sums.samples as f64).abs() <= 0.5;
            let moved = counted && exact.moved.contains(&event);
            process.estimated |= !whole && (!counted || flow.is_some() && !moved);
            if !whole && !counted {
                sampled.insert(pid);
            }
            let (so_far, bytes) = match flow {
                Some(Flow::Tx) => (&mut process.tx_calls, &mut process.tx_bytes),
                Some(Flow::Rx) => (&mut process.rx_calls, &mut process.rx_bytes),
                None => continue,
            };
            if !moved {
                *bytes.get_or_insert(0.0) += sums.bytes;
            }
            if !counted {
                *so_far.get_or_insert(0.0) += calls;
            }
        }
        for &(event, pid, hits, bytes) in &exact.hits {
            row(&mut rows, pid, self.name(pid));
            let Some(process) = rows.get_mut(&pid) else {
                continue;
            };
            process.context_rate += hits as f64 / seconds;
            process.calls_exact = !sampled.contains(&pid);
            let (calls, moved) = match flow_of(event) {
                Some(Flow::Tx) => (&mut process.tx_calls, &mut process.tx_bytes),
                Some(Flow::Rx) => (&mut process.rx_calls, &mut process.rx_bytes),
                None => continue,
            };
            *calls.get_or_insert(0.0) += hits as f64;
            if exact.moved.contains(&event) {
                process.bytes_exact = true;
                *moved.get_or_insert(0.0) += bytes as f64;
            }
        }
        for (&pid, &(own, stolen)) in &charged.pct {
            if own + stolen >= LEAST_PCT {
                row(&mut rows, pid, self.name(pid));
            }
        }
        let owned = charged.owned.iter().flatten();
        let owned = owned
            .filter(|(_, pct)| **pct >= LEAST_PCT)
            .map(|(pid, _)| *pid);
        let late = self.readers.late();
        for pid in interval.attribution.pids().chain(owned).chain(late) {
            if (interval.listed)(pid) {
                row(&mut rows, pid, self.name(pid));
            }
        }
        rows.remove(&NOBODY);
        let mut rows: Vec<Process> = rows.into_values().collect();
        self.complete(&mut rows, interval, &exact, &sampled, flow_of);
        rows.sort_by(|a, b| {
            b.context_rate
                .total_cmp(&a.context_rate)
                .then(a.pid.cmp(&b.pid))
        });
        rows.truncate(MOST);
        let process = |pid: &u32| *pid != 0 && *pid != NO_SOCKET;
        self.shown = rows.iter().map(|p| p.pid).filter(process).collect();
        self.shown.sort_unstable();
        rows
    }

    /// What is known of each process beside its own hits.
    fn complete(
        &self,
        rows: &mut [Process],
        interval: &Interval<'_>,
        exact: &Exact,
        sampled: &FxHashSet<u32>,
        flow_of: impl Fn(EventId) -> Option<Flow>,
    ) {
        let charged = interval.charged;
        let all = |flow| {
            let mut events = exact.events.iter();
            let told = interval.everybody && interval.overflow == 0;
            told && events.any(|event| flow_of(*event) == Some(flow))
        };
        let (all_tx, all_rx) = (all(Flow::Tx), all(Flow::Rx));
        for process in rows {
            // Every call of every process was counted: who is not among them made none.
            process.calls_exact |= (all_tx || all_rx) && !sampled.contains(&process.pid);
            // What has no socket makes no calls.
            let calls = process.pid != NO_SOCKET;
            let whole = |event: &EventId| exact.moved.contains(event);
            let bytes = exact.events.iter().any(whole) && !sampled.contains(&process.pid);
            process.bytes_exact |= calls && (all_tx || all_rx) && bytes;
            if all_tx && calls {
                process.tx_calls.get_or_insert(0.0);
                process.tx_bytes.get_or_insert(0.0);
            }
            if all_rx && calls {
                process.rx_calls.get_or_insert(0.0);
                process.rx_bytes.get_or_insert(0.0);
            }
            process.start_ticks = self.starts.get(&process.pid).copied();
            charged.fill(process);
            interval.fill(process);
            process.runq_delay_ms = self.delays.get(&process.pid).copied();
            process.container = self.containers.get(&process.pid).map(ToString::to_string);
            process.throttled_pct = self.throttled.get(&process.pid).copied();
            let sockets = self.readers.of(process.pid);
            let waits = sockets.and_then(|sockets| sockets.oldest_rx_ms);
            let waited = interval.waits.get(&process.pid).copied();
            let longest = waits.map(|ms| ms as f64).into_iter().chain(waited);
            process.oldest_rx_ms = longest.reduce(f64::max);
            process.limit = tightest(process, sockets);
            process.ended = interval.ended.contains(&process.pid);
        }
    }
}

#[cfg(test)]
#[path = "processes_tests.rs"]
mod tests;
