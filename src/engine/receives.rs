//! For whose sockets softirqs work is counted where the table of processes is looked at, as far as
//! the budget goes.

use super::cost::BY_PROCESS_NS;
use super::governor::{Counting, Governor};
use super::ladder::Ladder;
use super::registry::Registry;
use crate::decode::{Attach, EventId, Session};
use crate::model::Want;

/// Parts of the time, percent, for which it may be counted for whom softirqs work.
const RECEIVES: [u8; 3] = [100, 25, 10];

impl Governor {
    /// Shares are all that is asked of it, so that a part of the time does too.
    pub(super) fn count_receives(
        &mut self,
        want: &Want,
        ladder: &Ladder,
        session: &Session,
        registry: &Registry,
    ) {
        let usable = |event: &EventId| {
            let known = session.events.get(event.0 as usize);
            known.is_some_and(|e| e.gate && e.missing.is_none())
        };
        self.receives = (Vec::new(), 0);
        if !want.processes
            || !matches!(self.counting, Counting::Auto | Counting::Bpf)
            || self.nothing_opened(want).is_some()
            || !self.forecast.learnt
        {
            return;
        }
        let events: Vec<EventId> = registry.receives.into_iter().filter(usable).collect();
        let each = f64::from(session.costs.gate_ns) + BY_PROCESS_NS;
        let ns = (session.host.cpus.iter())
            .map(|&cpu| {
                let rate = |event: &EventId| self.forecast.rate(*event, cpu);
                events.iter().map(rate).sum::<f64>() * each
            })
            .fold(0.0, f64::max);
        let left = self.budget_pct * 1e7 - ladder.worst(&self.kept);
        let fits = |share: &u8| ns * f64::from(*share) / 100.0 <= left || self.budget_pct >= 100.0;
        if let Some(share) = RECEIVES.into_iter().find(fits) {
            self.receives = (events, share);
        }
    }

    pub(super) fn receives(&self) -> impl Iterator<Item = Attach> + '_ {
        let (events, share) = &self.receives;
        events.iter().map(|&event| Attach {
            event,
            stacks_per_s: 0,
            every: false,
            wide: true,
            per_task: false,
            gate: true,
            everyone: false,
            by_socket: true,
            duty_pct: *share,
        })
    }
}
