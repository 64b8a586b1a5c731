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
        let mut grown = gate.hits_since(&mut self.burst.hits);
        if first || self.started.is_none() {
            return;
        }
        let price = f64::from(self.demand.gate_hit_ns) * 1e9 / since as f64;
        let limit = limit as f64;
        let mut cost: f64 = grown.iter().map(|(_, hits)| *hits as f64 * price).sum();
        if cost <= TIMES * limit {
            return;
        }
        grown.sort_by_key(|(_, hits)| std::cmp::Reverse(*hits));
        let old = self.demand.clone();
        for (event, hits) in grown {
            if cost <= limit {
                break;
            }
            let before = self.demand.attached.len();
            (self.demand.attached).retain(|a| a.event != event || !may_go(a));
            if self.demand.attached.len() < before {
                cost -= hits as f64 * price;
            }
        }
        if self.demand.attached.len() < old.attached.len() {
            self.reconcile_gate(&old);
            self.notes.push(SAID.to_owned());
        }
    }
}

/// It is counted all of the time, and nobody asked for it by name.
fn may_go(attach: &Attach) -> bool {
    attach.gate && !attach.asked && attach.duty_permille == ALWAYS
}
