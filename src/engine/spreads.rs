//! How sure the counts of a duty-cycled event are: the 95 % half-width, from how its random windows
//! differed. An interval has few of them, or one, so the last intervals' are taken together.

use rustc_hash::FxHashMap;

use crate::decode::{ALWAYS, Attach, Counts, EventId, Spread};
use crate::model::t95;

/// What an interval later is left of an interval's say in the variance.
const FADES: f64 = 0.8;

/// Less is forgotten.
const GONE: f64 = 0.05;

/// Windows are seldom where little of the time is counted: without one the last ones stand for some
/// intervals, and for three times as long as there is one on average (windows are 50 ms at most:
/// src/source/live/windows.rs), up to a limit.
const STANDS: u32 = 3;
const WINDOW_NS: u64 = 50_000_000;
const STANDS_NS: u64 = 20_000_000_000;

/// Intervals for which the last windows of what is counted so much of the time stand.
fn stands(permille: u16, interval_ns: u64) -> u32 {
    let between = WINDOW_NS * u64::from(ALWAYS) / u64::from(permille.max(1));
    let stands = (3 * between).min(STANDS_NS);
    STANDS.max(stands.div_ceil(interval_ns.max(1)) as u32)
}

#[derive(Debug, Default)]
pub struct Spreads {
    places: FxHashMap<EventId, Place>,
}

/// An event's windows, over all CPUs.
#[derive(Debug)]
struct Place {
    /// Σ squares of windows' rates, and their degrees of freedom.
    squares: f64,
    freedom: f64,
    /// Each CPU's counts of the last interval with windows, and how many intervals ago that was.
    last: Vec<Counts>,
    age: u32,
    /// The age up to which they stand.
    stands: u32,
}

impl Place {
    /// Hits/s of all CPUs, and in how many windows, of the last interval with windows.
    fn last(&self) -> (f64, f64) {
        let rate = |c: &Counts| c.hits as f64 * 1e9 / c.span_ns.max(1) as f64;
        let windows = self.last.first().and_then(|c| c.spread);
        let windows = windows.map_or(0.0, |spread| f64::from(spread.windows));
        (self.last.iter().map(rate).sum(), windows)
    }
}

impl Spreads {
    pub fn take(&mut self, counts: &[Counts]) {
        for place in self.places.values_mut() {
            place.squares *= FADES;
            place.freedom *= FADES;
            place.age += 1;
        }
        self.places
            .retain(|_, place| place.freedom > GONE || place.stands >= place.age);
        let mut seen: FxHashMap<EventId, (Spread, Vec<Counts>)> = FxHashMap::default();
        for count in counts.iter().filter(|c| c.span_ns > 0 && c.cpu.is_some()) {
            if let Some(spread) = count.spread {
                let (_, cpus) = seen.entry(count.event).or_insert((spread, Vec::new()));
                cpus.push(*count);
            }
        }
        for (event, (spread, cpus)) in seen {
            let before = self.places.get(&event);
            let freedom = f64::from(spread.windows.saturating_sub(1));
            let mut place = Place {
                squares: before.map_or(0.0, |p| p.squares) + spread.variance as f64 * freedom,
                freedom: before.map_or(0.0, |p| p.freedom) + freedom,
                last: cpus,
                age: 0,
                stands: STANDS,
            };
            // One window says how it differs from the last interval's.
            if let Some(before) = before {
                let ((now, n), (then, m)) = (place.last(), before.last());
                place.squares += n * m / (n + m).max(1.0) * (now - then).powi(2);
                place.freedom += 1.0;
            }
            self.places.insert(event, place);
        }
    }

    /// The counts of an interval, with the last windows of what is counted a part of the time and
    /// had none in it.
    pub fn complete(
        &mut self,
        counts: &[Counts],
        attached: &[Attach],
        interval_ns: u64,
    ) -> Vec<Counts> {
        let mut all = counts.to_vec();
        for attach in attached.iter().filter(|a| a.duty_permille < ALWAYS) {
            if let Some(place) = self.places.get_mut(&attach.event) {
                place.stands = stands(attach.duty_permille, interval_ns);
                if (1..=place.stands).contains(&place.age) {
                    all.extend(&place.last);
                }
            }
        }
        all
    }

    /// The half-width of the hits of an interval, in hits; `None`: too few windows yet. The windows
    /// are a random part of the interval, whose rest nobody saw (finite population correction).
    pub fn error<'a>(
        &self,
        counts: impl Iterator<Item = &'a Counts>,
        interval_ns: u64,
    ) -> Option<f64> {
        let seconds = interval_ns as f64 / 1e9;
        let (mut sum, mut freedom) = (0.0, f64::INFINITY);
        let mut told: Vec<EventId> = Vec::new();
        for count in counts {
            let Some(spread) = count.spread.filter(|_| !told.contains(&count.event)) else {
                continue;
            };
            told.push(count.event);
            let place = self.places.get(&count.event)?;
            if place.freedom < 1.0 || spread.windows == 0 {
                return None;
            }
            let duty = (count.span_ns as f64 / interval_ns as f64).min(1.0);
            let variance = place.squares / place.freedom / f64::from(spread.windows);
            sum += seconds * (variance * (1.0 - duty)).sqrt();
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
