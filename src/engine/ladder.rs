//! Over budget: which rows are counted a part of the time and which not at all; and when what was
//! shed may come back.

use super::governor::{COMES_BACK, Governor, Plan};
use crate::decode::EventId;

/// The share of the budget that counters which do not fit whole may fill; the rest is for stacks.
const FOR_PARTS: f64 = 0.85;

/// Percent of the time that a row is counted at least, for windows enough in an interval; a row
/// that was out comes back with more. At most: beyond, switching costs what it saves.
const LEAST_PART: f64 = 10.0;
const COMES_BACK_PART: f64 = 15.0;
const MOST_PART: f64 = 50.0;

/// Attaching and letting go of an event for a window takes some 0.4 ms; windows are a twentieth of
/// a second. What an event that is on all the time but switched so often would cost, ns per second.
const SWITCHING_NS: f64 = 20.0 * 400_000.0;

/// Intervals that a row would have to fit before it comes back.
const PATIENCE: u32 = 3;

/// A row that may be opened, and what it would cost.
pub struct Candidate {
    pub row: usize,
    pub asked: bool,
    pub drilled: bool,
    pub priority: u8,
    /// ns per second on each CPU of the session, in its order.
    pub cost: Vec<f64>,
    pub events: Vec<EventId>,
}

impl Candidate {
    /// What the worst CPU would have spent with this as well, a `part` of the time.
    pub fn worst(&self, spent: &[f64], part: f64) -> f64 {
        let each = spent.iter().zip(&self.cost);
        each.map(|(spent, cost)| spent + part * cost)
            .fold(0.0, f64::max)
    }

    pub fn spend(&self, spent: &mut [f64], part: f64) {
        for (spent, cost) in spent.iter_mut().zip(&self.cost) {
            *spent += part * cost;
        }
    }
}

/// How a row was counted by the last plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Full,
    Part,
    Out,
}

impl Governor {
    /// What the worst CPU may have spent with this row counted all the time: what is on may fill
    /// the budget, what comes anew leaves some of it.
    pub(super) fn limit_of(&self, candidate: &Candidate, budget_ns: f64) -> f64 {
        match self.standings.get(&candidate.row) {
            Some((Standing::Full, _)) => budget_ns,
            Some((_, patience)) if *patience > 0 => 0.0,
            _ => budget_ns * COMES_BACK,
        }
    }

    /// The percentage of the time that all of `dear` can be counted; the last of them are taken
    /// out, with what the worst CPU would have spent, until that is enough to say something.
    pub(super) fn part_of_the_time(
        &self,
        dear: &mut Vec<Candidate>,
        spent: &[f64],
        mut out: impl FnMut(&Candidate, f64),
    ) -> u8 {
        while let Some(last) = dear.last() {
            let part = self.affordable(dear, spent);
            let was_out =
                |c: &Candidate| matches!(self.standings.get(&c.row), Some((Standing::Out, _)));
            let least = if dear.iter().any(was_out) {
                COMES_BACK_PART
            } else {
                LEAST_PART
            };
            if part >= least {
                let part = part.min(MOST_PART);
                let before = f64::from(self.part);
                // A small change is not worth other windows.
                let same = before >= 0.7 * part && before <= 1.1 * part;
                return if same { self.part } else { part as u8 };
            }
            out(last, last.worst(spent, 1.0));
            dear.pop();
        }
        100
    }

    /// Percent of the time that the CPU with the least room has for all of them.
    fn affordable(&self, dear: &[Candidate], spent: &[f64]) -> f64 {
        let budget_ns = self.budget_pct * 1e7 * FOR_PARTS;
        let switching: f64 = dear.iter().map(|c| c.events.len() as f64).sum::<f64>() * SWITCHING_NS;
        let parts = spent.iter().enumerate().map(|(cpu, spent)| {
            let cost: f64 = dear.iter().map(|c| c.cost[cpu]).sum();
            let room = (budget_ns - spent).max(0.0);
            // Where nothing is hit nothing is spent but the switching, which all CPUs notice.
            100.0 * room / (cost + switching)
        });
        parts.fold(f64::INFINITY, f64::min)
    }

    /// What this plan did to each row, for the next one. `roomy`: rows for which there was room to
    /// come back; the others begin to wait anew.
    pub(super) fn remember(
        &mut self,
        plan: &Plan,
        full: &[Candidate],
        dear: &[Candidate],
        roomy: &[usize],
    ) {
        let before = std::mem::take(&mut self.standings);
        let waits = |row: usize| match before.get(&row) {
            Some((Standing::Part | Standing::Out, left)) if roomy.contains(&row) => *left,
            _ => PATIENCE,
        };
        for candidate in full {
            self.standings.insert(candidate.row, (Standing::Full, 0));
        }
        for row in dear.iter().map(|c| c.row) {
            self.standings.insert(row, (Standing::Part, waits(row)));
        }
        for row in (0..plan.reasons.len()).filter(|&row| plan.reasons[row].is_some()) {
            let out = (Standing::Out, waits(row));
            self.standings.entry(row).or_insert(out);
        }
    }

    /// An interval has passed: who waits to come back has waited one more.
    pub(super) fn calm(&mut self) {
        for (_, left) in self.standings.values_mut() {
            *left = left.saturating_sub(1);
        }
    }

    /// What was attached now and not before, and by nobody's wish, is watched for drops.
    pub(super) fn tell_backoff(&mut self, full: &[Candidate], dear: &[Candidate]) {
        let events = |c: &Candidate| c.events.clone();
        let own = full.iter().filter(|c| !c.asked).flat_map(events);
        let new: Vec<EventId> = own.filter(|e| !self.attached.contains(e)).collect();
        self.attached = full.iter().chain(dear).flat_map(events).collect();
        self.backoff.attached(&new);
    }
}

#[cfg(test)]
#[path = "ladder_tests.rs"]
mod tests;
