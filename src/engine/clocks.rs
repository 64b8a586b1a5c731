//! What of the budget goes to CPU samples and to timing softirqs.

use rustc_hash::FxHashMap;

use super::governor::{Governor, LIGHT_SAMPLE};
use super::registry::Registry;
use crate::decode::{Attach, Costs, EventId, Session};
use crate::model::Want;

/// The share of the budget that timing each run of the softirqs may take.
const TIMING_SHARE: f64 = 0.2;

/// The share of the budget that CPU samples may take, and the rate below which they are left.
const CLOCK_SHARE: f64 = 0.5;
const FEWEST_HZ: u32 = 19;

impl Governor {
    /// CPU samples come first, they say what everything costs; but half of a small budget is all
    /// they get, and below [`FEWEST_HZ`] they say nothing.
    pub(super) fn clock_hz(&self, want: &Want, costs: Costs) -> u32 {
        if self.nothing_opened(want).is_some() {
            return 0;
        }
        if self.budget_pct >= 100.0 {
            return want.clock_hz;
        }
        let affordable = (self.budget_pct * 1e7 * CLOCK_SHARE / costs.sample_ns()) as u32;
        if affordable < want.clock_hz.min(FEWEST_HZ) {
            return 0;
        }
        want.clock_hz.min(affordable)
    }

    /// Two samples a run: only where runs are so few that it hardly costs anything.
    pub(super) fn times_softirqs(
        &self,
        want: &Want,
        session: &Session,
        registry: &Registry,
        spent: &FxHashMap<u32, f64>,
    ) -> bool {
        let known = |event: &EventId| session.events.get(event.0 as usize);
        let usable = |event: &EventId| known(event).is_some_and(|e| e.missing.is_none());
        if self.nothing_opened(want).is_some()
            || !self.learnt
            || want.device.is_some()
            || !registry.softirq.iter().all(usable)
        {
            return false;
        }
        let budget = self.budget_pct * 1e7;
        session.host.cpus.iter().all(|cpu| {
            let runs = self.runs.get(cpu).copied().unwrap_or(0.0);
            let ns = 2.0
                * runs
                * (session.costs.hit_ns(false) + LIGHT_SAMPLE * session.costs.sample_ns());
            let spent = spent.get(cpu).copied().unwrap_or(0.0);
            ns <= budget * TIMING_SHARE && spent + ns <= budget
        })
    }
}

/// An event whose every hit is wanted for its time.
pub fn timed(event: EventId) -> Attach {
    Attach {
        event,
        stacks_per_s: 0,
        every: true,
        wide: true,
        per_task: false,
        gate: false,
        everyone: false,
        duty_pct: 100,
    }
}
