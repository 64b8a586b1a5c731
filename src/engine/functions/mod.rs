//! The function table: who counted each row in this interval, and what its samples add.

pub mod duty_cycle_error;
pub mod interval;
pub mod per_hit;
pub mod top;

use std::sync::Arc;

use self::interval::Interval;
use super::registry::Registry;
use crate::decode::{Counts, EventId, SourceKind};
use crate::model::{Backing, CpuCalls, Function, Role, Series};
use crate::probe::Free;

/// Of a filter by owner.
const UNNAMED: &str =
    "no sample of this interval names a socket of a known process, so its hits have no owner";
const NO_CALLS: &str = "samples of sock_send_length and sock_recv_length name the owner of a socket, and neither is counted, to save CPU (e forces them)";

/// Why a row has no figure that will have one in the next interval.
pub const BEING_ATTACHED: &str = "attaching …";

/// Of a row in a recording.
const UNSEEN: &str =
    "no sample of it, and nothing says whether it was counted: the recording is cut or filtered";
const PARTLY: &str = "counted in less than half of it: report -d 1 shows when";

const CPU_CAME: &str = "a CPU came online within this interval: its hits before the event was attached there are missing";

/// What the rows keep from interval to interval.
pub struct Functions {
    rows: Vec<Kept>,
}

struct Kept {
    name: Arc<str>,
    event: Arc<str>,
    doc: Arc<str>,
    symbols: Arc<[Arc<str>]>,
    role: Option<Role>,
    series: Series,
    /// Packets per hit of the last interval are exact.
    exact_packets: bool,
}

/// A count, however it was come by.
#[derive(Default)]
struct Counted {
    source: Option<Backing>,
    /// Part of the interval was not counted: the rate is right, the calls are too few.
    partial: bool,
    calls: u64,
    rate: f64,
    per_cpu: Vec<CpuCalls>,
    /// Counted a part of the time: percent of it.
    part: Option<f64>,
    error: Option<f64>,
}

impl Counted {
    /// Every hit of the interval.
    fn is_exact(&self) -> bool {
        self.source.is_some() && self.part.is_none() && !self.partial
    }
}

impl Functions {
    pub fn new(registry: &Registry) -> Functions {
        let rows = (registry.rows.iter())
            .map(|row| {
                let events: Vec<String> = (row.probe.events().iter())
                    .map(|spec| match &spec.filter {
                        Some(filter) => format!("{} {filter}", spec.full_name()),
                        None => spec.full_name(),
                    })
                    .collect();
                Kept {
                    name: row.probe.function().into(),
                    event: events.join(" + ").into(),
                    doc: row.probe.doc().into(),
                    symbols: (row.probe.symbols().iter()).map(|&s| s.into()).collect(),
                    role: row.probe.role(),
                    series: Series::default(),
                    exact_packets: false,
                }
            })
            .collect();
        Functions { rows }
    }

    pub fn name(&self, row: usize) -> Arc<str> {
        Arc::clone(&self.rows[row].name)
    }

    /// The packets per hit of the last interval were counted, not sampled.
    pub fn exact_packets(&self, row: usize) -> bool {
        self.rows[row].exact_packets
    }

    pub fn rows(&mut self, interval: &Interval<'_>) -> Vec<Function> {
        (0..self.rows.len())
            .map(|row| self.row(row, interval))
            .collect()
    }

    fn row(&mut self, row: usize, interval: &Interval<'_>) -> Function {
        let probe = &interval.registry.rows[row].probe;
        let events = &interval.registry.rows[row].events;
        let free = probe
            .free()
            .filter(|f| interval.free.covers(*f) && interval.cpus.known());
        let counted = match free {
            Some(free) if interval.free.serves(free) => by_proc(free, interval),
            _ => by_events(events, interval),
        };
        let counted = match free {
            Some(free) if !counted.is_exact() => by_proc(free, interval),
            _ => counted,
        };
        let missed = counted.source == Some(Backing::Perf) && interval.cpus.came;
        let kept = &mut self.rows[row];
        let known = counted.source.is_some();
        kept.series.push(
            known.then_some(counted.rate),
            known.then_some(counted.calls),
        );

        let per_hit = per_hit::of(events, interval);
        kept.exact_packets = per_hit.exact && per_hit.packets.is_some();
        let top = top::of(events, interval);
        let label = label(&counted, free);
        let samples = events.iter().filter_map(|e| interval.samples.get(e)).sum();
        let by_sample = known && events.iter().any(|e| interval.by_sample.contains(e));
        // In a file every hit is a sample, or its samples stand for several.
        let weighted = counted.source == Some(Backing::File) && samples != counted.calls;
        let reason = interval.plan.reasons.get(row).cloned().flatten();
        let reason = reason.filter(|_| counted.source != Some(Backing::Proc));
        let asked = interval.want.exact.contains(&*kept.name)
            || interval.want.drill.as_deref() == Some(&*kept.name);
        Function {
            name: Arc::clone(&kept.name),
            event: Arc::clone(&kept.event),
            source: counted.source,
            calls: (known && !counted.partial).then_some(counted.calls),
            rate: known.then_some(counted.rate),
            total: kept.series.total,
            peak_rate: kept.series.peak,
            estimated: counted.part.is_some()
                || weighted
                || by_sample
                || (counted.source == Some(Backing::Proc) && interval.cpus.changed)
                || missed,
            error: counted.error,
            packets_per_hit: per_hit.packets,
            bytes_per_hit: per_hit.bytes,
            bytes_exact: per_hit.exact,
            packets_exact: per_hit.exact,
            cpu_pct: None,
            cpu_error: None,
            self_pct: None,
            ns_per_packet: None,
            ns_per_call: None,
            ns_error: None,
            per_cpu: counted.per_cpu,
            samples,
            top,
            reason: reason.or_else(|| {
                let attached = "attached within this interval: the rate is right, calls follow";
                match (known, counted.partial) {
                    (false, _) if interval.session.source == SourceKind::Replay => {
                        let some = interval.counts.iter().any(|c| events.contains(&c.event));
                        Some(
                            if some {
                                PARTLY
                            } else {
                                "not counted in this recording"
                            }
                            .into(),
                        )
                    }
                    (false, _) if interval.session.source == SourceKind::File => {
                        Some(UNSEEN.into())
                    }
                    (false, _) if events.iter().any(|e| interval.by_sample.contains(e)) => {
                        let says = |event| interval.registry.says(event).flow.is_some();
                        let called = (interval.plan.attached.iter()).any(|a| says(a.event));
                        Some(if called { UNNAMED } else { NO_CALLS }.into())
                    }
                    (false, _) => Some(BEING_ATTACHED.into()),
                    (true, true) => Some(attached.into()),
                    (true, false) if missed => Some(CPU_CAME.into()),
                    (true, false) => None,
                }
            }),
            history: kept.series.history(),
            doc: Arc::clone(&kept.doc),
            label,
            asked,
            symbols: Arc::clone(&kept.symbols),
            role: kept.role,
        }
    }
}

/// The word for the SOURCE column: who counts, and how sure an estimate is.
fn label(counted: &Counted, free: Option<Free>) -> Arc<str> {
    match (counted.source, free, counted.part) {
        (Some(Backing::Proc), Some(free), _) => free.label().into(),
        (Some(source), _, Some(_)) => {
            let unsure = counted
                .error
                .map(|e| 100.0 * e / counted.calls.max(1) as f64);
            match unsure {
                // Rounded up: no bound is nought.
                Some(pct) if pct <= 99.0 => format!("{} ±{:.0}%", source.name(), pct.ceil()).into(),
                // Too few windows yet, or such that a bound says nothing.
                _ => format!("{} ±?", source.name()).into(),
            }
        }
        (Some(source), ..) => source.name().into(),
        (None, ..) => "–".into(),
    }
}

fn by_proc(free: Free, interval: &Interval<'_>) -> Counted {
    let per_cpu: Vec<CpuCalls> = (interval.cpus.deltas.iter())
        .map(|(&cpu, delta)| {
            let calls = match free {
                Free::NetRxRuns => delta.net_rx_runs,
                Free::NetTxRuns => delta.net_tx_runs,
                Free::SoftnetProcessed => delta.processed,
            };
            CpuCalls { cpu, calls }
        })
        .collect();
    let calls = per_cpu.iter().map(|c| c.calls).sum();
    let rate = calls as f64 * 1e9 / interval.length_ns.max(1) as f64;
    Counted {
        source: Some(Backing::Proc),
        partial: false,
        calls,
        rate,
        per_cpu,
        ..Counted::default()
    }
}

/// The sum over the row's events: per task under a PID filter, else over the CPUs. A row one of
/// whose usable events was not counted is not counted. What was counted in windows stands for all
/// of the interval.
fn by_events(events: &[EventId], interval: &Interval<'_>) -> Counted {
    let per_task = !interval.want.pids.is_empty();
    let usable = |e: &EventId| {
        interval
            .session
            .events
            .get(e.0 as usize)
            .is_some_and(|known| known.missing.is_none())
    };
    let mut counted = Counted::default();
    let mut found = Vec::new();
    let mut gated = true;
    let (mut part, mut in_windows) = (0.0, 0);
    let duty_error = interval.duty_error;
    let of_row = |c: &&Counts| events.contains(&c.event);
    for count in interval.counts.iter().filter(of_row) {
        // The gate names no process that had no hits: that it was there is all to be told.
        let all_tasks = per_task && count.pid.is_none();
        if count.pid.is_some() != per_task && !(all_tasks && count.gate) {
            continue;
        }
        let windowed = count.spread.is_some();
        // Attached or let go within the interval: too little of it was seen to speak of it.
        if count.span_ns == 0 || (!windowed && count.span_ns < interval.length_ns / 2) {
            continue;
        }
        found.push(count.event);
        // The dearer way names the row.
        gated &= count.gate;
        if windowed {
            part += duty_error.part(count.event, interval.length_ns);
            in_windows += 1;
        } else {
            counted.partial |= count.span_ns < interval.length_ns / 100 * 98;
        }
        if all_tasks {
            continue;
        }
        let calls = duty_error.hits(count, interval.length_ns);
        counted.calls += calls;
        counted.rate += duty_error.rate(count);
        if let Some(cpu) = count.cpu {
            counted.per_cpu.push(CpuCalls { cpu, calls });
        }
    }
    if in_windows > 0 {
        counted.part = Some(100.0 * part / f64::from(in_windows));
        counted.error = duty_error.error(interval.counts.iter().filter(of_row), interval.length_ns);
    }
    counted.per_cpu.sort_by_key(|c| c.cpu);
    counted.per_cpu.dedup_by(|later, first| {
        let same = later.cpu == first.cpu;
        first.calls += if same { later.calls } else { 0 };
        same
    });
    // One CPU that was not counted (it came online just now) makes the sum a guess.
    let wanted = if per_task {
        1
    } else {
        interval.session.host.cpus.len()
    };
    let complete = !found.is_empty()
        && events.iter().filter(|e| usable(e)).all(|e| {
            match found.iter().filter(|f| *f == e).count() {
                // Of a row's events those without a sample add nothing.
                0 => interval.session.source == SourceKind::File,
                on => on >= wanted,
            }
        });
    if complete {
        counted.source = Some(match (interval.session.source, gated) {
            (SourceKind::File, _) => Backing::File,
            (_, true) => Backing::Bpf,
            (_, false) => Backing::Perf,
        });
        counted
    } else {
        Counted::default()
    }
}

#[cfg(test)]
#[path = "functions_tests.rs"]
mod tests;
