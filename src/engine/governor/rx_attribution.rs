//! For whose sockets softirqs work is counted where the table of processes is looked at, as far as
//! the budget goes.

use super::Governor;
use super::cost::BY_PROCESS_NS;
use super::counting::Counting;
use super::ladder::Ladder;
use crate::decode::{ALWAYS, Attach, EventId, Session};
use crate::engine::registry::Registry;
use crate::model::Want;
use crate::probe::names_socket;

/// Parts of the time, 1/1000, for which it may be counted for whom softirqs work.
const RECEIVES: [u16; 5] = [ALWAYS, 250, 100, 50, 10];

/// Samples of each per second and CPU where no gate counts it by socket.
const SAMPLED: u32 = 97;

/// What says for whose sockets softirqs work.
#[derive(Debug, Default)]
pub struct RxAttribution {
    events: Vec<EventId>,
    /// The share of the time that it is counted, 1/1000.
    share: u16,
    /// By the gate, by socket; else samples name the socket.
    gated: bool,
}

impl RxAttribution {
    /// Shares are all that is asked of it, so that a part of the time does too.
    pub fn plan(
        governor: &Governor,
        want: &Want,
        ladder: &Ladder,
        session: &Session,
        registry: &Registry,
    ) -> RxAttribution {
        let by_perf = matches!(governor.counting, Counting::Perf | Counting::Record);
        let gate = !by_perf && !governor.gate_misses && session.no_gate.is_none();
        let usable = |event: &EventId| {
            let known = session.events.get(event.0 as usize);
            known.is_some_and(|e| {
                e.missing.is_none() && (gate && e.gate || !gate && names_socket(e))
            })
        };
        if !want.processes
            || governor.counting == Counting::Bpf && !gate
            || governor.nothing_opened(want).is_some()
            || session.gate_loading
            || !governor.forecast.learnt
        {
            return RxAttribution::default();
        }
        let events: Vec<EventId> = registry.receives.into_iter().filter(usable).collect();
        let costs = governor.live_price.corrected(session.costs);
        let (each, sampled) = if gate {
            (f64::from(costs.gate_ns) + BY_PROCESS_NS, 0.0)
        } else {
            let samples = f64::from(SAMPLED) * events.len() as f64;
            (costs.hit_ns(false), samples * costs.sample_ns())
        };
        let ns: Vec<f64> = (session.host.cpus.iter())
            .map(|&cpu| {
                let rate = |event: &EventId| governor.forecast.rate(*event, cpu);
                events.iter().map(rate).sum::<f64>() * each
            })
            .collect();
        let fits = |share: &u16| {
            let part = f64::from(*share) / f64::from(ALWAYS);
            let more: Vec<f64> = ns.iter().map(|ns| ns * part + sampled).collect();
            ladder.worst_with(&governor.kept, &more) <= governor.budget_pct * 1e7
                || governor.budget_pct >= 100.0
        };
        // A perf event between its windows costs, too: there is no part of the time.
        let parts = if gate { &RECEIVES[..] } else { &RECEIVES[..1] };
        match parts.iter().copied().find(fits) {
            Some(share) => RxAttribution {
                events,
                share,
                gated: gate,
            },
            None => RxAttribution::default(),
        }
    }

    pub fn attached(&self) -> impl Iterator<Item = Attach> + '_ {
        let RxAttribution {
            events,
            share,
            gated,
        } = self;
        events.iter().map(|&event| Attach {
            event,
            stacks_per_s: if *gated { 0 } else { SAMPLED },
            every: false,
            wide: true,
            per_task: false,
            gate: *gated,
            everyone: false,
            by_socket: *gated,
            duty_permille: *share,
            asked: false,
        })
    }
}
