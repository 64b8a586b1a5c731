//! What an event had in all of an interval of which random windows saw a part, and how sure that is.
//!
//! Two ways: its hits per second of the windows times the interval, or its hits per packet that
//! softnet processed in them times the packets of the interval, which the kernel counts for nothing.
//! The second follows bursts between windows, and does not notice that packets pass slower while
//! everything is attached. It holds where hits come with packets, and not for, say, retransmits: what
//! the last windows differed by says which way foretells an event better.
//!
//! The bound is the 95 % half-width, from those differences. An interval has few windows, or one, so
//! the last intervals' are taken together.

use rustc_hash::FxHashMap;

use crate::decode::{ALWAYS, Attach, Counts, EventId, Means, Spread};
use crate::model::t95;

/// What the next interval with windows leaves of an interval's say in the variance.
const FADES: f64 = 0.8;

/// Windows are seldom where little of the time is counted: without one the last ones stand for some
/// intervals, and for three times as long as there is one on average (windows are 50 ms at most:
/// src/source/live/windows.rs), up to a limit.
const STANDS: u32 = 3;
const WINDOW_NS: u64 = 50_000_000;
const STANDS_NS: u64 = 20_000_000_000;

/// How windows differed is forgotten after so many intervals without one, if they do not stand longer.
const FORGOTTEN: u32 = 30;

/// With fewer packets in the windows nothing is said per packet.
const FEW_PACKETS: u64 = 200;

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
    /// Σ squares of what windows' rates differed by, and their degrees of freedom.
    squares: f64,
    freedom: f64,
    /// Σ squares of what softnet's packets did not foretell; `None`: they were not always known.
    squares_per_packet: Option<f64>,
    /// Each CPU's counts of the last interval with windows, and how many intervals ago that was.
    last: Vec<Counts>,
    spread: Spread,
    age: u32,
    /// The age up to which they stand.
    stands: u32,
    /// What share of the interval those windows were, and the factor from a rate in them to that of
    /// the interval; `None`: hits per second of the windows are those of the interval.
    part: f64,
    factor: Option<f64>,
}

impl Place {
    fn means(&self) -> Means {
        let mut means = Means::default();
        self.last.iter().for_each(|count| means.add(count));
        means
    }

    fn span_ns(&self) -> f64 {
        self.last.first().map_or(0.0, |c| c.span_ns as f64)
    }

    /// How `packets` of the interval are more than in windows; `None`: time foretells it better.
    fn by_packets(&self, interval_ns: u64, packets: Option<u64>) -> Option<f64> {
        let seen = self.spread.softnet.filter(|s| s.packets >= FEW_PACKETS)?;
        let left = self.squares_per_packet?;
        if self.freedom >= 1.0 && left > self.squares {
            return None;
        }
        let in_windows = seen.packets as f64 / self.span_ns();
        Some(packets? as f64 / interval_ns.max(1) as f64 / in_windows)
    }
}

impl Spreads {
    /// Makes the counts of windows those of all of the interval: their `span_ns` becomes the share
    /// of the interval's hits that they saw, and the last windows stand for an event that is counted
    /// a part of the time and had none. `packets`: what softnet processed in the interval.
    pub fn settle(
        &mut self,
        counts: &mut Vec<Counts>,
        attached: &[Attach],
        interval_ns: u64,
        packets: Option<u64>,
    ) {
        for place in self.places.values_mut() {
            place.age += 1;
        }
        self.learn(counts);
        self.places
            .retain(|_, place| place.age <= FORGOTTEN.max(place.stands));
        let mut standing: Vec<Counts> = Vec::new();
        for attach in attached.iter().filter(|a| a.duty_permille < ALWAYS) {
            if let Some(place) = self.places.get_mut(&attach.event) {
                place.stands = stands(attach.duty_permille, interval_ns);
                if (1..=place.stands).contains(&place.age) {
                    standing.extend(&place.last);
                }
            }
        }
        counts.extend(standing);
        for place in self.places.values_mut() {
            place.part = place.span_ns() / interval_ns.max(1) as f64;
            place.factor = place.by_packets(interval_ns, packets);
        }
        for count in counts.iter_mut().filter(|c| c.spread.is_some()) {
            let Some(factor) = self.places.get(&count.event).and_then(|p| p.factor) else {
                continue;
            };
            if factor > 0.0 {
                count.span_ns = ((count.span_ns as f64 / factor).round() as u64).max(1);
            } else {
                // Not one packet came.
                (count.hits, count.span_ns) = (0, interval_ns);
            }
        }
    }

    fn learn(&mut self, counts: &[Counts]) {
        let mut seen: FxHashMap<EventId, (Spread, Vec<Counts>)> = FxHashMap::default();
        for count in counts.iter().filter(|c| c.span_ns > 0 && c.cpu.is_some()) {
            if let Some(spread) = count.spread {
                let (_, cpus) = seen.entry(count.event).or_insert((spread, Vec::new()));
                cpus.push(*count);
            }
        }
        for (event, (spread, cpus)) in seen {
            let freedom = f64::from(spread.windows.saturating_sub(1));
            let mut place = Place {
                squares: spread.variance as f64 * freedom,
                freedom,
                squares_per_packet: spread.softnet.map(|s| s.variance as f64 * freedom),
                last: cpus,
                spread,
                age: 0,
                stands: STANDS,
                part: 0.0,
                factor: None,
            };
            if let Some(before) = self.places.get(&event) {
                place.follow(before);
            }
            self.places.insert(event, place);
        }
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
            let seen = (count.span_ns as f64 / interval_ns as f64).min(1.0);
            let squares = match place.factor {
                Some(factor) => place.squares_per_packet? * factor * factor,
                None => place.squares,
            };
            let variance = squares / place.freedom / f64::from(spread.windows);
            sum += seconds * (variance * (1.0 - seen)).sqrt();
            freedom = freedom.min(place.freedom);
        }
        freedom.is_finite().then(|| sum * t95(freedom as usize))
    }

    /// The share of the interval in which the event was counted; `None`: not in windows.
    pub fn part(&self, event: EventId) -> Option<f64> {
        self.places.get(&event).map(|place| place.part)
    }
}

impl Place {
    /// What windows differed by before is remembered, and one window says how it differs from the
    /// last interval's.
    fn follow(&mut self, before: &Place) {
        let (now, then) = (self.means(), before.means());
        let (n, m) = (now.windows, then.windows);
        let weight = n * m / (n + m).max(1.0);
        self.squares += FADES * before.squares + weight * (now.rate - then.rate).powi(2);
        self.freedom += FADES * before.freedom + 1.0;
        self.squares_per_packet = match (self.squares_per_packet, before.squares_per_packet) {
            (Some(squares), Some(known)) => {
                let ratios = now.per_packet().zip(then.per_packet());
                let differ = ratios.map_or(0.0, |(now, then)| now - then) * now.packets_rate();
                Some(squares + FADES * known + weight * differ.powi(2))
            }
            _ => None,
        };
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
