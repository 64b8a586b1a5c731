//! A burst after a quiet time: everything is counted, and from one moment to the next that costs many
//! times what was forecast. The gate's counts are in shared memory, so netop looks at them several
//! times within an interval, and when a ring has filled, and lets go at once what was not asked for;
//! the next plan counts it in windows.

use rustc_hash::FxHashMap;

use super::gate::Gated;
use super::window_edge::WindowEdge;
use crate::decode::{ALWAYS, Attach, Demand, EventId};

/// Between two looks: each wakes netop, which takes 50 µs, and a burst has at most so long.
const EVERY_NS: u64 = 200_000_000;

/// A ring that fills wakes netop anyway, as the first samples of a burst do. It looks then, if it has
/// not for so long, and again as soon while it sees a burst rise.
const SOON_NS: u64 = 15_000_000;

/// While hits cost less than this share of what they may, no look is worth waking up for: the samples
/// of a burst wake netop, and it looks then.
const QUIET: f64 = 0.01;

/// So many times the budget is a burst; less is for the next plan. What it may be is that of the whole
/// time between two looks.
const TIMES: f64 = 1.5;

/// What rises to so many times the budget is not given half of it more.
const STEEP: f64 = 3.0;

/// What may be spent on hits after a burst, as a share of the budget: its samples and the names in them
/// take the rest.
const LEFT: f64 = 0.5;

/// What costs less than this share of the limit is not let go.
const CHEAP: f64 = 0.01;

/// What is left of an interval after a burst was answered says nothing of the next if it is shorter.
const LEAST_NS: u64 = 30_000_000;

/// A burst at the end of a quiet second has so much of a second's packets in a fiftieth of it.
const MOST_RISEN: f64 = 50.0;

/// Said where events were let go.
pub const SAID: &str = "burst: events not asked for by name were detached within the interval to stay within the budget; the next interval attaches them again";

#[derive(Debug, Default)]
pub struct Burst {
    at: u64,
    hits: FxHashMap<EventId, Vec<u64>>,
    /// A ring has filled, or a burst rises: it looks before it is due.
    woken: bool,
    rises: bool,
    /// What was counted between the last two looks was next to nothing.
    quiet: bool,
    /// CLOCK_MONOTONIC, ns: up to then it looks whenever that is due, for samples have come. The gate lets
    /// few through until the interval ends, so that those of a burst may not wake netop again.
    alert_until: u64,
    /// When it looked last, due or not, CLOCK_MONOTONIC, ns, and what had been spent by then since it
    /// looked when it was due: of what may be spent from there to the next time.
    looked_at: u64,
    spent: f64,
    /// The free counters when the interval began, and when its first burst was answered.
    began: WindowEdge,
    answered: Option<WindowEdge>,
}

impl Burst {
    /// The interval ends with these counters; [`Tick::risen`](crate::decode::Tick).
    pub fn end_interval(&mut self, ends: WindowEdge) -> Option<f64> {
        let began = std::mem::replace(&mut self.began, ends);
        let answered = self.answered.take()?;
        let since = |edge: &WindowEdge| {
            let ns = self.began.at.saturating_sub(edge.at);
            let packets = self.began.packets_since(edge)?;
            (ns >= LEAST_NS).then(|| packets as f64 / ns as f64)
        };
        let (whole, after) = (since(&began)?, since(&answered)?);
        (after > whole).then(|| (after / whole).min(MOST_RISEN))
    }

    /// A ring has filled.
    pub fn wake(&mut self, now: u64) {
        self.woken = true;
        self.alert_until = now + 2 * EVERY_NS;
    }

    /// When to look again, CLOCK_MONOTONIC, ns.
    pub fn next_look(&self, demand: &Demand) -> u64 {
        let mut attached = demand.attached.iter();
        if demand.gate_limit_ns.is_none() || !attached.any(may_go) {
            return u64::MAX;
        }
        if self.rises {
            return self.looked_at + SOON_NS;
        }
        let due = self.at + EVERY_NS;
        let unseen = self.quiet && due > self.alert_until;
        if unseen && samples_wake(demand) {
            u64::MAX
        } else {
            due
        }
    }

    /// Looks at the gate's counts, if it is time to. Returns what is to be let go at once; `begun`:
    /// an interval has begun.
    pub fn look(&mut self, now: u64, begun: bool, demand: &Demand, gate: &Gated) -> Option<LetGo> {
        let limit = demand.gate_limit_ns?;
        let since = now.saturating_sub(self.at);
        // While a burst rises it is not begun anew to sum up what it costs.
        let due = since >= EVERY_NS && !self.rises;
        let looked_ns = now.saturating_sub(self.looked_at);
        let asked = self.woken || self.rises;
        let look = due || asked && looked_ns >= SOON_NS;
        if !look {
            return None;
        }
        self.looked_at = now;
        self.woken = false;
        let first = self.at == 0;
        // What woke it after a long quiet time may all have come just now.
        let begins = due && since > 2 * EVERY_NS && asked && self.quiet;
        let grown = if due {
            self.at = now;
            gate.hits_since(&mut self.hits)
        } else {
            gate.hits_since(&mut self.hits.clone())
        };
        if first || !begun {
            self.rises = false;
            return None;
        }
        if begins {
            self.rises = true;
            self.spent = 0.0;
            return None;
        }
        let over = if due { since } else { EVERY_NS };
        let second = 1e9 / over as f64;
        let hit = f64::from(demand.gate_hit_ns) * second;
        let process = if demand.by_process {
            f64::from(demand.gate_process_ns) * second
        } else {
            0.0
        };
        let hits: u64 = grown.iter().map(|(_, hits)| hits).sum();
        let spent = hits as f64 * (hit + process) / limit as f64;
        let risen = (spent - self.spent) * EVERY_NS as f64 / looked_ns.max(1) as f64;
        // Two looks say so: packets come in clusters of some milliseconds under any load.
        let steep = self.rises && risen > STEEP;
        let enough = if steep { 1.0 } else { TIMES };
        self.rises = !due && risen > TIMES && spent <= enough;
        self.spent = if due { 0.0 } else { spent };
        if due {
            self.quiet = spent < QUIET;
        }
        if spent <= enough {
            return None;
        }
        // What it costs now, not what it cost before it began.
        let hit = hit * (risen / spent).max(1.0);
        let limit = LEFT * limit as f64;
        Some(LetGo(too_much(&grown, &demand.attached, hit, limit)))
    }

    /// The free counters when the first burst of an interval was answered.
    pub fn answered(&mut self, edge: WindowEdge) {
        self.answered.get_or_insert(edge);
    }
}

/// The events that cost too much in a burst; who calls the rest is estimated from samples from now on,
/// which costs no event its count.
pub struct LetGo(pub Vec<EventId>);

/// Every hit that may cost much is sampled, whoever causes it.
fn samples_wake(demand: &Demand) -> bool {
    let sampled = |a: &Attach| !may_go(a) || a.every || a.stacks_per_s > 0;
    demand.pids.is_empty() && demand.device.is_none() && demand.attached.iter().all(sampled)
}

/// The events to let go, those with the most hits first, until the rest costs no more than the limit.
/// So many hits in the time looked at cost `price` times as many ns per second.
fn too_much(grown: &[(EventId, u64)], attached: &[Attach], price: f64, limit: f64) -> Vec<EventId> {
    let mut cost: f64 = grown.iter().map(|(_, hits)| *hits as f64 * price).sum();
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
    use crate::decode::Softnet;

    fn attach(event: u16, asked: bool, duty_permille: u16) -> Attach {
        Attach {
            gate: true,
            duty_permille,
            asked,
            ..Attach::wide(EventId(event))
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
    fn what_a_burst_has_risen_to_is_told_where_enough_of_the_interval_is_left() {
        let edge = |ms: u64, processed: u32| WindowEdge {
            at: ms * 1_000_000,
            softnet: Some(vec![(
                0,
                Softnet {
                    processed: processed.into(),
                    ..Softnet::default()
                },
            )]),
        };
        let risen = |answered: Option<(u64, u32)>, last: u32| {
            let mut burst = Burst::default();
            assert_eq!(burst.end_interval(edge(1000, 500)), None);
            burst.answered = answered.map(|(ms, processed)| edge(ms, processed));
            let risen = burst.end_interval(edge(2000, last));
            assert!(burst.answered.is_none());
            risen
        };
        // 100 000 of 140 000 packets in the last fifth of a second.
        assert_eq!(risen(Some((1800, 40_500)), 140_500), Some(500.0 / 140.0));
        assert_eq!(risen(None, 140_500), None);
        assert_eq!(risen(Some((1980, 40_500)), 140_500), None);
        assert_eq!(risen(Some((1500, 140_000)), 140_500), None, "it is over");
    }

    #[test]
    fn nothing_goes_from_what_is_within_the_budget() {
        assert_eq!(gone(&[60_000, 0, 40_000]), [0_u16; 0]);
        assert_eq!(gone(&[60_001, 0, 40_000]), [0]);
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
