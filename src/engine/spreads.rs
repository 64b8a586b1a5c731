//! How sure the counts of a duty-cycled event are: the 95 % half-width, from how its random windows
//! differed. Few windows say little about that, so the last intervals' are taken together.

use rustc_hash::FxHashMap;

use crate::decode::{Counts, EventId};
use crate::model::t95;

/// What an interval later is left of an interval's say in the variance.
const FADES: f64 = 0.8;

/// Less is forgotten.
const GONE: f64 = 0.05;

#[derive(Debug, Default)]
pub struct Spreads {
    /// (event, CPU) → Σ squares, degrees of freedom.
    pools: FxHashMap<(EventId, u32), (f64, f64)>,
}

impl Spreads {
    pub fn take(&mut self, counts: &[Counts]) {
        for (squares, freedom) in self.pools.values_mut() {
            *squares *= FADES;
            *freedom *= FADES;
        }
        self.pools.retain(|_, (_, freedom)| *freedom > GONE);
        for count in counts {
            if let (Some(cpu), Some(spread)) = (count.cpu, count.spread) {
                let freedom = f64::from(spread.windows.saturating_sub(1));
                let pool = self.pools.entry((count.event, cpu)).or_default();
                pool.0 += spread.variance as f64 * freedom;
                pool.1 += freedom;
            }
        }
    }

    /// The half-width of the hits of an interval, in hits; `None`: too few windows yet. The windows
    /// are a random part of the interval, whose rest nobody saw (finite population correction).
    /// All CPUs have the same windows, and bursts may come to all of them at once: their errors
    /// are added up as if they always did.
    pub fn error<'a>(
        &self,
        counts: impl Iterator<Item = &'a Counts>,
        interval_ns: u64,
    ) -> Option<f64> {
        let seconds = interval_ns as f64 / 1e9;
        let (mut sum, mut freedom) = (0.0, f64::INFINITY);
        for count in counts {
            let (Some(cpu), Some(spread)) = (count.cpu, count.spread) else {
                continue;
            };
            let (squares, known) = self.pools.get(&(count.event, cpu)).copied()?;
            if known < 1.0 || spread.windows == 0 {
                return None;
            }
            let duty = (count.span_ns as f64 / interval_ns as f64).min(1.0);
            let variance = squares / known / f64::from(spread.windows) * (1.0 - duty);
            sum += seconds * variance.sqrt();
            freedom = freedom.min(known);
        }
        freedom.is_finite().then(|| sum * t95(freedom as usize))
    }
}

/// Hits in all of the interval, of which a part was seen.
pub fn estimated(count: &Counts, interval_ns: u64) -> u64 {
    match count.spread {
        Some(_) if count.span_ns > 0 => {
            (count.hits as f64 * interval_ns as f64 / count.span_ns as f64).round() as u64
        }
        _ => count.hits,
    }
}

#[cfg(test)]
#[path = "spreads_tests.rs"]
mod tests;
