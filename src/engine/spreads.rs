//! How sure the counts of a duty-cycled event are: the 95 % half-width, from how its random windows
//! differed. An interval has few of them, or one, so the last intervals' are taken together.

use rustc_hash::FxHashMap;

use crate::decode::{Attach, Counts, EventId};
use crate::model::t95;

/// What an interval later is left of an interval's say in the variance.
const FADES: f64 = 0.8;

/// Less is forgotten.
const GONE: f64 = 0.05;

/// Windows are seldom where little of the time is counted: for so many intervals without one the
/// last ones stand.
const STANDS: u32 = 3;

#[derive(Debug, Default)]
pub struct Spreads {
    places: FxHashMap<(EventId, u32), Place>,
}

/// An event on a CPU.
#[derive(Debug)]
struct Place {
    /// Σ squares of windows' rates, and their degrees of freedom.
    squares: f64,
    freedom: f64,
    /// The last interval with windows, and how many intervals ago that was.
    last: Counts,
    age: u32,
}

fn rate(count: &Counts) -> f64 {
    count.hits as f64 * 1e9 / count.span_ns.max(1) as f64
}

impl Spreads {
    pub fn take(&mut self, counts: &[Counts]) {
        for place in self.places.values_mut() {
            place.squares *= FADES;
            place.freedom *= FADES;
            place.age += 1;
        }
        self.places
            .retain(|_, place| place.freedom > GONE || place.age <= STANDS);
        for count in counts.iter().filter(|c| c.span_ns > 0) {
            let (Some(cpu), Some(spread)) = (count.cpu, count.spread) else {
                continue;
            };
            let windows = f64::from(spread.windows);
            let known = self.places.get(&(count.event, cpu));
            // One window says how it differs from the last interval's.
            let between = known.and_then(|place| {
                let before = f64::from(place.last.spread?.windows);
                let weight = windows * before / (windows + before).max(1.0);
                Some(weight * (rate(count) - rate(&place.last)).powi(2))
            });
            let freedom = (windows - 1.0).max(0.0);
            let (squares, so_far) = known.map_or((0.0, 0.0), |p| (p.squares, p.freedom));
            let place = Place {
                squares: squares + spread.variance as f64 * freedom + between.unwrap_or(0.0),
                freedom: so_far + freedom + f64::from(u8::from(between.is_some())),
                last: *count,
                age: 0,
            };
            self.places.insert((count.event, cpu), place);
        }
    }

    /// The counts of an interval, with the last windows of what is counted a part of the time and
    /// had none in it.
    pub fn complete(&self, counts: &[Counts], attached: &[Attach]) -> Vec<Counts> {
        let mut all = counts.to_vec();
        for attach in attached.iter().filter(|a| a.duty_pct < 100) {
            let of_event = |(place, _): &(&(EventId, u32), &Place)| place.0 == attach.event;
            for (_, place) in self.places.iter().filter(of_event) {
                if (1..=STANDS).contains(&place.age) {
                    all.push(place.last);
                }
            }
        }
        all
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
            let place = self.places.get(&(count.event, cpu))?;
            if place.freedom < 1.0 || spread.windows == 0 {
                return None;
            }
            let duty = (count.span_ns as f64 / interval_ns as f64).min(1.0);
            let variance = place.squares / place.freedom / f64::from(spread.windows);
            let variance = variance * (1.0 - duty);
            sum += seconds * variance.sqrt();
            freedom = freedom.min(place.freedom);
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
