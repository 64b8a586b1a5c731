//! What of the budget goes to CPU samples and to timing softirqs.

use super::Governor;
use super::cost::{LIGHT_SAMPLE, Prices};
use crate::decode::{Attach, EventId, Session};
use crate::engine::registry::Registry;
use crate::model::Want;

/// The share of the budget that timing each run of the softirqs may take.
const TIMING_SHARE: f64 = 0.2;

/// The share of the budget that CPU samples may take, and the rate below which they are left.
const CLOCK_SHARE: f64 = 0.5;
const FEWEST_HZ: u32 = 19;

/// CPU samples say what everything costs: giving up this little would not pay for a row.
const CLOCK_KEEPS: f64 = 0.02;

/// CPU samples per second: at most half of a small budget, and the fewest when it is short;
/// below [`FEWEST_HZ`] they say nothing.
pub fn clock_hz(governor: &Governor, want: &Want, prices: &Prices<'_>) -> (u32, u32) {
    if governor.nothing_opened(want).is_some() {
        return (0, 0);
    }
    if governor.budget_pct >= 100.0 {
        return (want.clock_hz, want.clock_hz);
    }
    let affordable =
        |share: f64| (governor.budget_pct * 1e7 * share / prices.sample().max(1.0)) as u32;
    let most = affordable(CLOCK_SHARE);
    if most < want.clock_hz.min(FEWEST_HZ) {
        return (0, 0);
    }
    let fewest = affordable(CLOCK_KEEPS).max(FEWEST_HZ);
    let most = want.clock_hz.min(most);
    (most, most.min(fewest))
}

/// What timing every run costs each CPU, ns per second: two samples a run, so only where runs
/// are so few that it hardly costs anything. `None`: not to be had.
pub fn timing_ns(
    governor: &Governor,
    want: &Want,
    session: &Session,
    registry: &Registry,
    prices: &Prices<'_>,
) -> Option<Vec<f64>> {
    let known = |event: &EventId| session.events.get(event.0 as usize);
    let usable = |event: &EventId| known(event).is_some_and(|e| e.missing.is_none());
    if governor.nothing_opened(want).is_some()
        || !governor.forecast.learnt
        || want.device.is_some()
        || want.only
        || !registry.softirq.iter().all(usable)
    {
        return None;
    }
    let perf_ns = f64::from(prices.costs.perf_ns);
    let each = 2.0 * (perf_ns + LIGHT_SAMPLE * prices.sample());
    let ns: Vec<f64> = (session.host.cpus.iter())
        .map(|&cpu| governor.forecast.runs(cpu) * each)
        .collect();
    let most = governor.budget_pct * 1e7 * TIMING_SHARE;
    ns.iter().all(|&ns| ns <= most).then_some(ns)
}

/// An event whose every hit is wanted for its time.
pub fn timed(event: EventId) -> Attach {
    Attach {
        every: true,
        ..Attach::wide(event)
    }
}
