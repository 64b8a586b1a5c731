//! What is opened, and how many stacks are sampled, within the budget. The limit holds for the
//! busiest CPU; an event's cost is forecast before it is opened. Shed in this order: stacks,
//! then rows from the end of the priorities; every step is said.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::clocks;
use super::phrase::Said;
use super::registry::Registry;
use crate::decode::{Attach, Counts, EventId, Session};
use crate::model::Want;
use crate::probe::Free;

/// Cost of a counted hit and of a sample with its call chain, ns (peers.md 0.4, style of
/// crates.md 1: 0.14–0.2 µs and 4.2–4.7 µs; the upper ends).
pub const COUNT_NS: f64 = 200.0;
pub const SAMPLE_NS: f64 = 4700.0;

/// Samples with stacks per second, CPU and event; and of the row being looked at.
const STACKS: u32 = 49;
const DRILL_STACKS: u32 = 499;

/// A sample without a stack costs this share of one with (about 0.9 us).
pub const LIGHT_SAMPLE: f64 = 0.2;

/// Intervals of which netop's own least time is budgeted.
const OWN_INTERVALS: usize = 3;

/// A row that was shed comes back only when it would leave this share of the budget free.
const COMES_BACK: f64 = 0.7;

/// Who may count (`--counting`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// The free counters where they serve, else perf events.
    Auto,
    /// perf events for everything.
    Perf,
    /// Only the free counters.
    Proc,
}

/// What the governor decided for the coming interval.
#[derive(Debug, Default)]
pub struct Plan {
    pub attached: Vec<Attach>,
    /// CPU samples per second and CPU.
    pub clock_hz: u32,
    /// Why a row is not counted; by row.
    pub reasons: Vec<Option<Arc<str>>>,
    /// The gate counts per process.
    pub by_process: bool,
    /// One phrase for the header.
    pub phrase: String,
}

/// What the last interval cost, percent of one CPU.
#[derive(Debug, Default, Clone)]
pub struct Cost {
    pub busiest_pct: f64,
    pub busiest_cpu: Option<u32>,
    pub all_pct: f64,
    pub per_cpu: FxHashMap<u32, f64>,
}

pub struct Governor {
    pub budget_pct: f64,
    pub counting: Counting,
    /// Hits/s as last measured, and how many intervals ago.
    rates: FxHashMap<(EventId, u32), (f64, u32)>,
    /// Runs/s of the network's softirqs.
    pub(super) runs: FxHashMap<u32, f64>,
    /// Packets/s that a CPU takes in: what an event that was never measured is expected to hit.
    packets: FxHashMap<u32, f64>,
    attached: Vec<EventId>,
    /// An interval has been measured; before that there is nothing to forecast from.
    pub(super) learnt: bool,
    /// netop's own time of the last intervals, percent of one CPU.
    own: VecDeque<f64>,
}

/// Which rows the free counters can serve now.
#[derive(Debug, Clone, Copy, Default)]
pub struct FreeNow {
    pub softirqs: bool,
    pub softnet: bool,
}

impl FreeNow {
    pub fn serves(self, free: Free) -> bool {
        match free {
            Free::NetRxRuns | Free::NetTxRuns => self.softirqs,
            Free::SoftnetProcessed => self.softnet,
        }
    }
}

impl Governor {
    pub fn new(budget_pct: f64, counting: Counting) -> Governor {
        Governor {
            budget_pct,
            counting,
            rates: FxHashMap::default(),
            runs: FxHashMap::default(),
            packets: FxHashMap::default(),
            attached: Vec::new(),
            learnt: false,
            own: VecDeque::new(),
        }
    }

    /// Learns from an interval and says what it cost. `samples` per CPU; `own_pct`: netop's own
    /// CPU time, which may run anywhere.
    pub fn learn(
        &mut self,
        counts: &[Counts],
        (packets, runs): (FxHashMap<u32, f64>, FxHashMap<u32, f64>),
        samples_per_s: &FxHashMap<u32, f64>,
        own_pct: f64,
        cpus: usize,
    ) -> Cost {
        for (_, age) in self.rates.values_mut() {
            *age += 1;
        }
        // A rate that was not measured for half a minute says nothing any more.
        self.rates.retain(|_, (_, age)| *age < 30);
        self.packets = packets;
        self.runs = runs;
        self.own.push_back(own_pct / cpus.max(1) as f64);
        if self.own.len() > OWN_INTERVALS {
            self.own.pop_front();
        }
        self.learnt = true;
        let mut ns: FxHashMap<u32, f64> = FxHashMap::default();
        let mut anywhere = 0.0;
        for count in counts.iter().filter(|c| c.span_ns > 0) {
            let rate = count.hits as f64 * 1e9 / count.span_ns as f64;
            match count.cpu {
                Some(cpu) => {
                    self.rates.insert((count.event, cpu), (rate, 0));
                    *ns.entry(cpu).or_default() += rate * COUNT_NS;
                }
                None => anywhere += rate * COUNT_NS,
            }
        }
        for (&cpu, rate) in samples_per_s {
            *ns.entry(cpu).or_default() += rate * SAMPLE_NS;
        }
        let share = own_pct / cpus.max(1) as f64;
        let per_cpu: FxHashMap<u32, f64> = ns
            .into_iter()
            .map(|(cpu, ns)| (cpu, ns / 1e7 + share))
            .collect();
        let busiest = per_cpu
            .iter()
            .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(a.0)));
        Cost {
            // What was counted per task may all have run on the busiest CPU.
            busiest_pct: busiest.map_or(share, |(_, pct)| *pct) + anywhere / 1e7,
            busiest_cpu: busiest.map(|(cpu, _)| *cpu),
            all_pct: per_cpu.values().map(|pct| pct - share).sum::<f64>()
                + anywhere / 1e7
                + own_pct,
            per_cpu,
        }
    }

    /// Hits/s to expect of an event on a CPU: as measured, else one per packet that the CPU takes
    /// in, else (drops, retransmits, what the user added) none.
    fn expected(&self, event: EventId, cpu: u32, seldom: bool) -> f64 {
        match self.rates.get(&(event, cpu)) {
            Some((rate, _)) => *rate,
            None if seldom => 0.0,
            None => self.packets.get(&cpu).copied().unwrap_or(0.0),
        }
    }

    /// What a second of counting these events is expected to cost a CPU.
    fn counting_ns(&self, events: &[EventId], cpu: u32, seldom: bool) -> f64 {
        let hits = events.iter().map(|&e| self.expected(e, cpu, seldom));
        hits.sum::<f64>() * COUNT_NS
    }

    /// What to open for the coming interval.
    pub fn plan(
        &mut self,
        want: &Want,
        registry: &Registry,
        session: &Session,
        free: FreeNow,
    ) -> Plan {
        let mut plan = Plan {
            reasons: vec![None; registry.rows.len()],
            ..Plan::default()
        };
        let filtered = !want.pids.is_empty() || want.device.is_some();
        let asked = |row: usize| {
            let name = registry.rows[row].probe.function();
            want.exact.contains(name) || want.drill.as_deref() == Some(name)
        };
        let drilled =
            |row: usize| want.drill.as_deref() == Some(registry.rows[row].probe.function());
        let mut order: Vec<usize> = (0..registry.rows.len()).collect();
        order.sort_by_key(|&row| (!asked(row), registry.rows[row].probe.priority(), row));

        let budget_ns = self.budget_pct * 1e7;
        plan.clock_hz = self.clock_hz(want);
        // Reading names is a burst now and then; what netop always takes is the least of some.
        let own_pct = self.own.iter().copied().fold(f64::INFINITY, f64::min);
        let own_pct = if own_pct.is_finite() { own_pct } else { 0.0 };
        let clock_ns = f64::from(plan.clock_hz) * SAMPLE_NS + own_pct * 1e7;
        let cpus = session.host.cpus.iter();
        let mut spent: FxHashMap<u32, f64> = cpus.map(|&cpu| (cpu, clock_ns)).collect();
        let mut opened: Vec<(usize, EventId, bool)> = Vec::new();
        let mut shed: Vec<&str> = Vec::new();
        let mut forced_over: Option<&str> = None;
        for row in order {
            let probe = &registry.rows[row].probe;
            let served = !filtered && probe.free().is_some_and(|f| free.serves(f));
            if let Some(why) = self.nothing_opened(want) {
                plan.reasons[row] = (!served).then(|| why.into());
                continue;
            }
            let wide = drilled(row) || !served || self.counting == Counting::Perf;
            if !wide {
                continue;
            }
            let usable = match usable(registry, session, row, want) {
                Ok(usable) => usable,
                Err(reason) => {
                    if !served {
                        plan.reasons[row] = Some(reason.into());
                    }
                    continue;
                }
            };
            // Counted per task, a hit costs once more.
            let times = if want.pids.is_empty() { 1.0 } else { 2.0 };
            let mut after = spent.clone();
            for &cpu in &session.host.cpus {
                *after.entry(cpu).or_default() +=
                    times * self.counting_ns(&usable, cpu, probe.priority() == 1);
            }
            let worst = after.values().copied().fold(0.0, f64::max);
            let open_already = usable.iter().all(|event| self.attached.contains(event));
            let limit = if open_already {
                budget_ns
            } else {
                budget_ns * COMES_BACK
            };
            let must = asked(row) || probe.priority() == 0;
            if !self.learnt && self.budget_pct < 100.0 && probe.priority() > 1 && !must {
                continue;
            }
            if worst > limit && self.budget_pct < 100.0 {
                if !must {
                    shed.push(probe.function());
                    plan.reasons[row] = Some(self.too_dear(worst).into());
                    continue;
                }
                forced_over.get_or_insert(probe.function());
            }
            spent = after;
            opened.extend(usable.into_iter().map(|event| (row, event, drilled(row))));
        }
        let stacks = self.stacks(&opened, session, &spent);
        let per_task = !want.pids.is_empty();
        plan.attached = opened
            .iter()
            .map(|&(_, event, drill)| Attach {
                event,
                stacks_per_s: (target(drill) * stacks) as u32,
                every: false,
                wide: true,
                per_task,
                gate: session.events[event.0 as usize].gate,
                everyone: false,
                duty_pct: 100,
            })
            .collect();
        if self.times_softirqs(want, session, registry, &spent) {
            plan.attached.extend(registry.softirq.map(clocks::timed));
        }
        plan.attached.sort_by_key(|a| a.event);
        self.attached = plan.attached.iter().map(|a| a.event).collect();
        let missing = plan.reasons.iter().flatten().count() - shed.len();
        plan.phrase = Said {
            want,
            counting: self.counting,
            shed: &shed,
            over: forced_over,
            stacks,
            missing,
            clock_hz: plan.clock_hz,
        }
        .phrase();
        plan
    }

    /// Why no event is opened at all.
    pub(super) fn nothing_opened(&self, want: &Want) -> Option<&'static str> {
        if self.counting == Counting::Proc {
            return Some("needs perf events; netop runs with --counting proc");
        }
        want.detached
            .then_some("everything is detached; press ! to attach again")
    }

    fn too_dear(&self, worst_ns: f64) -> String {
        format!(
            "counting it would take netop to {:.1}% of the busiest CPU; a row comes back below {:.1}% (the budget is {}%); e counts it all the same",
            worst_ns / 1e7,
            self.budget_pct * COMES_BACK,
            self.budget_pct
        )
    }

    /// The share of the wanted samples that what is left of the budget pays for: 0 to 1.
    fn stacks(
        &self,
        opened: &[(usize, EventId, bool)],
        session: &Session,
        spent: &FxHashMap<u32, f64>,
    ) -> f64 {
        let mut share: f64 = 1.0;
        if self.budget_pct >= 100.0 {
            return share;
        }
        for &cpu in &session.host.cpus {
            let wanted: f64 = opened
                .iter()
                .map(|&(_, event, drill)| {
                    self.expected(event, cpu, false).min(target(drill)) * SAMPLE_NS
                })
                .sum();
            let left = (self.budget_pct * 1e7 - spent.get(&cpu).copied().unwrap_or(0.0)).max(0.0);
            if wanted > left {
                share = share.min(left / wanted);
            }
        }
        // Fewer than a few samples per second say nothing.
        if share < 0.1 { 0.0 } else { share }
    }
}

/// Wanted samples per second of an event on a CPU; `drill`: its row is being looked at.
fn target(drill: bool) -> f64 {
    f64::from(if drill { DRILL_STACKS } else { STACKS })
}

/// The events of a row that can be opened here, or why none can.
fn usable(
    registry: &Registry,
    session: &Session,
    row: usize,
    want: &Want,
) -> Result<Vec<EventId>, String> {
    let events = &registry.rows[row].events;
    let mut missing = None;
    let mut usable = Vec::new();
    for &event in events {
        let Some(known) = session.events.get(event.0 as usize) else {
            continue;
        };
        match &known.missing {
            Some(reason) => missing = Some(reason.clone()),
            None => usable.push(event),
        }
        if want.device.is_some() && known.spec.device_field.is_none() {
            return Err("its event names no device, so it cannot be counted for one".to_owned());
        }
    }
    if usable.is_empty() {
        return Err(missing.unwrap_or_else(|| "this source has no such event".to_owned()));
    }
    Ok(usable)
}

#[cfg(test)]
#[path = "governor_tests.rs"]
mod tests;
