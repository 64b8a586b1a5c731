//! What is opened, and how many stacks are sampled, within the budget. The limit holds for the
//! busiest CPU; an event's cost is forecast before it is opened. Shed in this order: stacks,
//! then rows from the end of the priorities (`ladder`); every step is said.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::backoff::Backoff;
use super::clocks;
use super::ladder::{Candidate, Standing};
use super::phrase::Said;
use super::registry::Registry;
use crate::decode::{Attach, Costs, Counts, EventId, Session};
use crate::model::Want;
use crate::probe::Free;

/// Samples with stacks per second, CPU and event; and of the row being looked at.
const STACKS: u32 = 49;
const DRILL_STACKS: u32 = 499;

/// A sample without a stack costs this share of one with (about 0.9 us).
pub const LIGHT_SAMPLE: f64 = 0.2;

/// Intervals of which netop's own least time is budgeted.
const OWN_INTERVALS: usize = 3;

/// A row that was shed comes back only when it would leave this share of the budget free.
pub(super) const COMES_BACK: f64 = 0.7;

/// How the reason of a row begins that is not counted to save CPU.
const TOO_DEAR: &str = "counting it would take";

const BACKED_OFF: &str = "let go because drops rose when it was attached; e counts it all the same";

/// Who may count (`--counting`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// The free counters where they serve, else the gate, else perf events.
    Auto,
    /// The gate for everything it can count.
    Bpf,
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
    /// Rows that are counted a part of the time, and what percentage.
    pub parts: Vec<(usize, u8)>,
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
    pub(super) attached: Vec<EventId>,
    /// How each row was counted, and for how many intervals it stays that way if not fully.
    pub(super) standings: FxHashMap<usize, (Standing, u32)>,
    /// Percent of the time for those that are counted a part of it.
    pub(super) part: u8,
    pub(super) backoff: Backoff,
    /// An interval has been measured; before that there is nothing to forecast from.
    pub(super) learnt: bool,
    /// netop's own time of the last intervals, percent of one CPU.
    own: VecDeque<f64>,
}

/// What an interval brought that the governor learns from.
pub struct Measured<'a> {
    pub counts: &'a [Counts],
    pub costs: Costs,
    /// Packets taken in and runs of the network's softirqs, per second and CPU.
    pub packets: FxHashMap<u32, f64>,
    pub runs: FxHashMap<u32, f64>,
    /// Samples per second and CPU, in units of one with a stack.
    pub samples: FxHashMap<u32, f64>,
    /// netop's own CPU time.
    pub own_pct: f64,
    pub cpus: usize,
    pub seconds: f64,
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
            standings: FxHashMap::default(),
            part: 100,
            backoff: Backoff::default(),
            learnt: false,
            own: VecDeque::new(),
        }
    }

    /// Learns from an interval and says what it cost. `samples` per second and CPU; `own_pct`:
    /// netop's own CPU time, which may run anywhere.
    pub fn learn(&mut self, interval: &Measured<'_>) -> Cost {
        for (_, age) in self.rates.values_mut() {
            *age += 1;
        }
        // A rate that was not measured for half a minute says nothing any more.
        self.rates.retain(|_, (_, age)| *age < 30);
        self.packets.clone_from(&interval.packets);
        self.runs.clone_from(&interval.runs);
        self.calm();
        let share = interval.own_pct / interval.cpus.max(1) as f64;
        self.own.push_back(share);
        if self.own.len() > OWN_INTERVALS {
            self.own.pop_front();
        }
        self.learnt = true;
        let seconds = interval.seconds.max(1e-9);
        let mut ns: FxHashMap<u32, f64> = FxHashMap::default();
        let mut anywhere = 0.0;
        for count in interval.counts.iter().filter(|c| c.span_ns > 0) {
            let spent = count.hits as f64 / seconds * interval.costs.hit_ns(count.gate);
            match count.cpu {
                Some(cpu) => {
                    let rate = count.hits as f64 * 1e9 / count.span_ns as f64;
                    self.rates.insert((count.event, cpu), (rate, 0));
                    *ns.entry(cpu).or_default() += spent;
                }
                // The gate has counted it wide as well.
                None if count.gate => anywhere += spent / 2.0,
                None => anywhere += spent,
            }
        }
        for (&cpu, rate) in &interval.samples {
            *ns.entry(cpu).or_default() += rate * interval.costs.sample_ns();
        }
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
                + interval.own_pct,
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
            clock_hz: self.clock_hz(want, session.costs),
            ..Plan::default()
        };
        let candidates = self.candidates(want, registry, session, free, &mut plan);
        let cpus = &session.host.cpus;
        let mut spent = vec![self.standing_ns(&plan, session.costs); cpus.len()];
        let (mut full, mut dear, mut roomy) = (Vec::new(), Vec::new(), Vec::new());
        let mut forced_over: Option<&str> = None;
        let budget_ns = self.budget_pct * 1e7;
        let unlimited = self.budget_pct >= 100.0;
        for candidate in candidates {
            // Nothing is attached before it is known what it would cost.
            if !self.learnt && !unlimited && !candidate.asked {
                continue;
            }
            let worst = candidate.worst(&spent, 1.0);
            if worst <= budget_ns * COMES_BACK {
                roomy.push(candidate.row);
            }
            let fits = unlimited || worst <= self.limit_of(&candidate, budget_ns);
            if fits || candidate.asked {
                if !fits {
                    forced_over.get_or_insert(registry.rows[candidate.row].probe.function());
                }
                candidate.spend(&mut spent, 1.0);
                full.push(candidate);
            } else {
                dear.push(candidate);
            }
        }
        let share = self.part_of_the_time(&mut dear, &spent, |candidate, worst| {
            plan.reasons[candidate.row] = Some(self.too_dear(worst).into());
        });
        for candidate in &dear {
            candidate.spend(&mut spent, f64::from(share) / 100.0);
        }
        self.remember(&plan, &full, &dear, &roomy);
        self.part = share;
        let stacks = self.stacks(&full, session, &spent);
        let shown = full
            .iter()
            .map(|c| (c, 100))
            .chain(dear.iter().map(|c| (c, share)));
        for (candidate, duty_pct) in shown {
            let stacks = if duty_pct == 100 { stacks } else { 0.0 };
            let probe = &registry.rows[candidate.row].probe;
            plan.attached
                .extend(candidate.events.iter().map(|&event| Attach {
                    event,
                    stacks_per_s: (target(candidate.drilled) * stacks) as u32,
                    every: false,
                    wide: true,
                    per_task: !want.pids.is_empty(),
                    gate: self.gates(event, session, want),
                    everyone: probe.sends(),
                    duty_pct,
                }));
        }
        let spent = cpus.iter().copied().zip(spent).collect();
        if self.times_softirqs(want, session, registry, &spent) {
            plan.attached.extend(registry.softirq.map(clocks::timed));
        }
        plan.attached.sort_by_key(|a| a.event);
        plan.attached.dedup_by_key(|a| a.event);
        self.tell_backoff(&full, &dear);
        let name = |c: &Candidate| registry.rows[c.row].probe.function();
        let shed: Vec<&str> = (registry.rows.iter().zip(&plan.reasons))
            .filter(|(_, why)| why.as_deref().is_some_and(|why| why.starts_with(TOO_DEAR)))
            .map(|(row, _)| row.probe.function())
            .collect();
        plan.parts = dear.iter().map(|c| (c.row, share)).collect();
        plan.phrase = Said {
            want,
            counting: self.counting,
            shed: &shed,
            parts: &dear.iter().map(name).collect::<Vec<_>>(),
            share,
            over: forced_over,
            stacks,
            missing: plan.reasons.iter().flatten().count() - shed.len(),
            clock_hz: plan.clock_hz,
        }
        .phrase();
        plan
    }

    /// The rows whose events may be opened, in the order of the budget: what the user asked for,
    /// then by priority. The others have their reason.
    fn candidates(
        &self,
        want: &Want,
        registry: &Registry,
        session: &Session,
        free: FreeNow,
        plan: &mut Plan,
    ) -> Vec<Candidate> {
        let filtered = !want.pids.is_empty() || want.device.is_some();
        let mut candidates = Vec::new();
        for (row, known) in registry.rows.iter().enumerate() {
            let probe = &known.probe;
            let served = !filtered && probe.free().is_some_and(|f| free.serves(f));
            if let Some(why) = self.nothing_opened(want) {
                plan.reasons[row] = (!served).then(|| why.into());
                continue;
            }
            let drilled = want.drill.as_deref() == Some(probe.function());
            if served && !drilled {
                continue;
            }
            let events = match usable(registry, session, row, want) {
                Ok(usable) => usable,
                Err(reason) => {
                    plan.reasons[row] = (!served).then(|| reason.into());
                    continue;
                }
            };
            let asked = drilled || want.exact.contains(probe.function());
            if !asked && events.iter().any(|&event| self.backoff.banned(event)) {
                plan.reasons[row] = Some(BACKED_OFF.into());
                continue;
            }
            let seldom = probe.priority() == 1;
            let cost = |&cpu: &u32| -> f64 {
                let hit = |&event: &EventId| {
                    let gate = self.gates(event, session, want);
                    // Counted per task, a hit costs once more, or a look into a table.
                    let times = match (want.pids.is_empty(), gate) {
                        (true, _) => 1.0,
                        (false, true) => 1.5,
                        (false, false) => 2.0,
                    };
                    times * self.expected(event, cpu, seldom) * session.costs.hit_ns(gate)
                };
                events.iter().map(hit).sum()
            };
            candidates.push(Candidate {
                row,
                asked,
                drilled,
                priority: probe.priority(),
                cost: session.host.cpus.iter().map(cost).collect(),
                events,
            });
        }
        candidates.sort_by_key(|c| (!c.asked, c.priority, c.row));
        candidates
    }

    /// Does a BPF program count this event? It tells processes of a list apart, not their children.
    fn gates(&self, event: EventId, session: &Session, want: &Want) -> bool {
        let known = session.events.get(event.0 as usize);
        let families = want.children && !want.pids.is_empty();
        self.counting != Counting::Perf && !families && known.is_some_and(|e| e.gate)
    }

    /// What netop takes of every CPU whatever is counted, ns per second. Reading names is a burst
    /// now and then; what netop always takes is the least of some intervals.
    fn standing_ns(&self, plan: &Plan, costs: Costs) -> f64 {
        let own = self.own.iter().copied().fold(f64::INFINITY, f64::min);
        let own = if own.is_finite() { own } else { 0.0 };
        f64::from(plan.clock_hz) * costs.sample_ns() + own * 1e7
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
            "{TOO_DEAR} netop to {:.1}% of the busiest CPU; a row comes back below {:.1}% (the budget is {}%); e counts it all the same",
            worst_ns / 1e7,
            self.budget_pct * COMES_BACK,
            self.budget_pct
        )
    }

    /// The share of the wanted samples that what is left of the budget pays for: 0 to 1.
    fn stacks(&self, full: &[Candidate], session: &Session, spent: &[f64]) -> f64 {
        let mut share: f64 = 1.0;
        if self.budget_pct >= 100.0 {
            return share;
        }
        for (&cpu, spent) in session.host.cpus.iter().zip(spent) {
            let samples = |candidate: &Candidate| -> f64 {
                let target = target(candidate.drilled);
                let events = candidate.events.iter();
                let rates = events.map(|&event| self.expected(event, cpu, false).min(target));
                rates.sum()
            };
            let wanted = full.iter().map(samples).sum::<f64>() * session.costs.sample_ns();
            let left = (self.budget_pct * 1e7 - spent).max(0.0);
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
pub(super) mod tests;
