//! The function table: who counted each row in this interval, and what its samples add.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::cpus::Cpus;
use super::estimate::Estimates;
use super::governor::{FreeNow, Plan};
use super::registry::Registry;
use crate::decode::{Counts, EventId, Session};
use crate::model::{Backing, CpuCalls, Folded, Function, Series, Share, Sums, Want};
use crate::probe::Free;

/// Shares shown of what a function's hits were about.
const TOP: usize = 8;

/// What an interval brought.
pub struct Interval<'a> {
    pub registry: &'a Registry,
    pub session: &'a Session,
    pub want: &'a Want,
    pub plan: &'a Plan,
    pub free: FreeNow,
    pub counts: &'a [Counts],
    pub cpus: &'a Cpus,
    pub folded: &'a Folded,
    pub samples: &'a FxHashMap<EventId, u64>,
    pub length_ns: u64,
}

/// What the rows keep from interval to interval.
pub struct Functions {
    rows: Vec<Kept>,
    /// Of the events that are counted a part of the time.
    estimates: Estimates,
}

struct Kept {
    name: Arc<str>,
    event: Arc<str>,
    doc: Arc<str>,
    series: Series,
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
    /// Counted a part of the time: calls and rate are estimates.
    estimated: bool,
    /// 95 % half-width of `calls`.
    error: Option<f64>,
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
                    series: Series::default(),
                }
            })
            .collect();
        Functions {
            rows,
            estimates: Estimates::default(),
        }
    }

    pub fn name(&self, row: usize) -> Arc<str> {
        Arc::clone(&self.rows[row].name)
    }

    pub fn rows(&mut self, interval: &Interval<'_>) -> Vec<Function> {
        let parts = interval.plan.parts.iter();
        let events = parts.flat_map(|(row, _)| interval.registry.rows[*row].events.clone());
        self.estimates.keep(&events.collect::<Vec<_>>());
        (0..self.rows.len())
            .map(|row| self.row(row, interval))
            .collect()
    }

    fn row(&mut self, row: usize, interval: &Interval<'_>) -> Function {
        let probe = &interval.registry.rows[row].probe;
        let events = &interval.registry.rows[row].events;
        let free = probe
            .free()
            .filter(|f| interval.free.serves(*f) && !interval.cpus.deltas.is_empty());
        let counted = match free {
            Some(free) => by_proc(free, interval),
            None => by_event(events, interval, &mut self.estimates),
        };
        let kept = &mut self.rows[row];
        let known = counted.source.is_some();
        kept.series.push(
            known.then_some(counted.rate),
            known.then_some(counted.calls),
        );

        let sums = events
            .iter()
            .filter_map(|e| interval.folded.per_event.get(&e.0))
            .fold(Sums::default(), |mut all, sums| {
                all.packets += sums.packets;
                all.bytes += sums.bytes;
                all.with_packets += sums.with_packets;
                all.with_bytes += sums.with_bytes;
                all
            });
        let mean = |sum: f64, weight: f64| (weight > 0.0).then(|| sum / weight);
        let packets_per_hit = mean(sums.packets, sums.with_packets);
        let top: Vec<Share> = (interval.folded.tags.iter())
            .filter(|tagged| events.iter().any(|e| e.0 == tagged.event))
            .take(TOP)
            .map(|tagged| Share {
                kind: tagged.kind,
                name: Arc::clone(&tagged.name),
                calls: tagged.hits,
            })
            .collect();
        let reason = interval.plan.reasons.get(row).cloned().flatten();
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
            estimated: counted.estimated,
            error: counted.error,
            packets_per_hit,
            bytes_per_hit: mean(sums.bytes, sums.with_bytes),
            cpu_pct: None,
            cpu_error: None,
            self_pct: None,
            ns_per_packet: None,
            ns_per_call: None,
            ns_error: None,
            per_cpu: counted.per_cpu,
            samples: events.iter().filter_map(|e| interval.samples.get(e)).sum(),
            top,
            reason: reason.or_else(|| {
                let attached = "attached within this interval: the rate is right, calls follow";
                match (known, counted.partial) {
                    (false, _) => Some("attaching …".into()),
                    (true, true) => Some(attached.into()),
                    (true, false) => None,
                }
            }),
            history: kept.series.history(),
            doc: Arc::clone(&kept.doc),
            label: label(counted.source, free, part_of(row, interval.plan)).into(),
            asked,
            symbols: probe.symbols(),
        }
    }
}

/// The percentage of the time that a row is counted; `None`: all of it.
fn part_of(row: usize, plan: &Plan) -> Option<u8> {
    let part = plan.parts.iter().find(|(part, _)| *part == row);
    part.map(|(_, share)| *share)
}

fn label(source: Option<Backing>, free: Option<Free>, part: Option<u8>) -> Cow<'static, str> {
    match (source, free, part) {
        (Some(Backing::Proc), Some(free), _) => free.label().into(),
        (Some(source), _, Some(part)) => format!("{} {part}%", source.name()).into(),
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
        calls,
        rate,
        per_cpu,
        ..Counted::default()
    }
}

/// The sum over the row's events: per task under a PID filter, else over the CPUs. A row one of
/// whose usable events was not counted is not counted.
fn by_event(events: &[EventId], interval: &Interval<'_>, estimates: &mut Estimates) -> Counted {
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
    let mut gated = false;
    let mut variance = Some(0.0);
    let length_s = interval.length_ns as f64 / 1e9;
    for count in interval
        .counts
        .iter()
        .filter(|c| events.contains(&c.event) && c.pid.is_some() == per_task)
    {
        if let (Some(spread), Some(cpu)) = (count.spread, count.cpu) {
            let rate = count.hits as f64 * 1e9 / count.span_ns.max(1) as f64;
            let calls = (rate * length_s).round() as u64;
            let more = estimates.variance(count, spread, interval.length_ns);
            variance = variance.zip(more).map(|(sum, more)| sum + more);
            found.push(count.event);
            gated |= count.gate;
            counted.estimated = true;
            counted.calls += calls;
            counted.rate += rate;
            counted.per_cpu.push(CpuCalls { cpu, calls });
            continue;
        }
        // Attached or let go within the interval: too little of it was seen to speak of it.
        if count.span_ns < interval.length_ns / 2 {
            continue;
        }
        found.push(count.event);
        gated |= count.gate;
        counted.partial |= count.span_ns < interval.length_ns / 100 * 98;
        counted.calls += count.hits;
        counted.rate += count.hits as f64 * 1e9 / count.span_ns as f64;
        if let Some(cpu) = count.cpu {
            let calls = count.hits;
            counted.per_cpu.push(CpuCalls { cpu, calls });
        }
    }
    counted.per_cpu.sort_by_key(|c| c.cpu);
    counted.per_cpu.dedup_by(|later, first| {
        let same = later.cpu == first.cpu;
        first.calls += if same { later.calls } else { 0 };
        same
    });
    let error = variance.map(|rate: f64| rate.sqrt() * length_s);
    counted.error = error.filter(|_| counted.estimated);
    // One CPU that was not counted (it came online just now) makes the sum a guess.
    let wanted = if per_task {
        1
    } else {
        interval.session.host.cpus.len()
    };
    let complete = !found.is_empty()
        && events
            .iter()
            .filter(|e| usable(e))
            .all(|e| found.iter().filter(|f| *f == e).count() >= wanted);
    if complete {
        counted.source = Some(if gated { Backing::Bpf } else { Backing::Perf });
        counted
    } else {
        Counted::default()
    }
}
