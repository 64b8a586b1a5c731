//! A burst after a quiet time: everything is counted, and from one moment to the next that costs many
//! times what was forecast. The gate's counts are in shared memory, so netop looks at them several
//! times within an interval and lets go at once what was not asked for; the next plan counts it in
//! windows.

use rustc_hash::FxHashMap;

use super::Live;
use crate::decode::{ALWAYS, Attach, EventId};

/// Between two looks: each wakes netop, which takes 50 µs, and a burst has at most so long.
const EVERY_NS: u64 = 200_000_000;

/// So many times the budget is a burst; less is for the next plan.
const TIMES: f64 = 1.5;

/// What costs less than this share of the limit is not let go.
const CHEAP: f64 = 0.01;

const SAID: &str = "a burst: what was not asked for by name was let go within the interval to stay within the budget, and is counted again from the next one on";

#[derive(Debug, Default)]
pub struct Burst {
    at: u64,
    hits: FxHashMap<EventId, Vec<u64>>,
}

impl Live {
    /// When to look again, CLOCK_MONOTONIC, ns.
    pub(super) fn burst_look(&self) -> u64 {
        let mut attached = self.demand.attached.iter();
        let limited = self.demand.gate_limit_ns.is_some() && self.gate.is_some();
        if limited && attached.any(may_go) {
            self.burst.at + EVERY_NS
        } else {
            u64::MAX
        }
    }

    /// Looks, if it is time to.
    pub(super) fn answer_bursts(&mut self, now: u64) {
        let (Some(limit), Some(gate)) = (self.demand.gate_limit_ns, &self.gate) else {
            return;
        };
        let since = now.saturating_sub(self.burst.at);
        if since < EVERY_NS {
            return;
        }
        let first = self.burst.at == 0;
        self.burst.at = now;
        let grown = gate.hits_since(&mut self.burst.hits);
        if first || self.started.is_none() {
            return;
        }
        let price = f64::from(self.demand.gate_hit_ns) * 1e9 / since as f64;
        let go = too_much(&grown, &self.demand.attached, price, limit as f64);
        if !go.is_empty() {
            let old = self.demand.clone();
            (self.demand.attached).retain(|a| !go.contains(&a.event));
            self.reconcile_gate(&old);
            self.notes.push(SAID.to_owned());
        }
    }
}

/// The events to let go, those with the most hits first, until the rest costs no more than the limit;
/// none where all of them cost less than [`TIMES`] as much. So many hits in the time looked at cost
/// `price` times as many ns per second.
fn too_much(grown: &[(EventId, u64)], attached: &[Attach], price: f64, limit: f64) -> Vec<EventId> {
    let mut cost: f64 = grown.iter().map(|(_, hits)| *hits as f64 * price).sum();
    if cost <= TIMES * limit {
        return Vec::new();
    }
    let mut grown: Vec<(EventId, u64)> = (grown.iter().copied())
        .filter(|(event, hits)| {
            let go = |a: &Attach| a.event == *event && may_go(a);
            *hits as f64 * price > CHEAP * limit && attached.iter().any(go)
        })
        .collect();
    grown.sort_by_key(|(_, hits)| std::cmp::Reverse(*hits));
    let mut go = Vec::new();
    for (event, hits) in grown {
        if cost <= limit {
            break;
        }
        go.push(event);
        cost -= hits as f64 * price;
    }
    go
}

/// It is counted all of the time, and nobody asked for it by name.
fn may_go(attach: &Attach) -> bool {
    attach.gate && !attach.asked && attach.duty_permille == ALWAYS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach(event: u16, asked: bool, duty_permille: u16) -> Attach {
        Attach {
            event: EventId(event),
            stacks_per_s: 0,
            every: false,
            wide: true,
            per_task: false,
            gate: true,
            everyone: false,
            by_socket: false,
            duty_permille,
            asked,
        }
    }

    /// What goes when these hits came in a fifth of a second, a hit costs 100 ns and the limit is 5 %
    /// of a CPU.
    fn gone(hits: &[u64]) -> Vec<u16> {
        let attached = [
            attach(0, false, ALWAYS),
            attach(1, true, ALWAYS),
            attach(2, false, ALWAYS),
            attach(3, false, 100),
        ];
        let grown: Vec<(EventId, u64)> = (0..).map(EventId).zip(hits.iter().copied()).collect();
        let go = too_much(&grown, &attached, 100.0 * 5.0, 0.05 * 1e9);
        go.into_iter().map(|event| event.0).collect()
    }

    #[test]
    fn half_as_much_again_as_the_budget_is_not_yet_a_burst() {
        assert_eq!(gone(&[100_000, 0, 40_000]), [0_u16; 0]);
        assert_eq!(gone(&[100_000, 0, 60_000]), [0]);
    }

    #[test]
    fn as_many_events_are_let_go_as_brings_the_rest_into_the_budget() {
        assert_eq!(gone(&[200_000, 0, 150_000]), [0, 2]);
        assert_eq!(gone(&[200_000, 0, 90_000]), [0]);
        assert_eq!(gone(&[90_000, 0, 200_000]), [2]);
    }

    #[test]
    fn what_was_asked_for_or_is_in_windows_stays() {
        assert_eq!(gone(&[0, 900_000, 20_000, 900_000]), [2]);
    }
}
