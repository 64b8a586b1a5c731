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

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use crate::decode::{ALWAYS, Attach, Counts, EventId, Means, Spread};
use crate::model::t95;

/// What the next interval with windows leaves of an interval's say in the variance, and how many have
/// a say.
const FADES: f64 = 0.8;
const INTERVALS: usize = 16;

/// Windows are seldom where little of the time is counted: without one the last ones stand for some
/// intervals, and for three times as long as there is one on average (windows are 50 ms at most:
/// src/source/live/gate/windows.rs), up to a limit.
const STANDS: u32 = 3;
const WINDOW_NS: u64 = 50_000_000;
const STANDS_NS: u64 = 20_000_000_000;

/// How windows differed is forgotten after so many intervals without one, if they do not stand longer.
const FORGOTTEN: u32 = 30;

/// With fewer packets in the windows nothing is said per packet.
const FEW_PACKETS: u64 = 200;

/// The other way is taken when its variance is so many times smaller, so that a row does not change
/// from one to the other by chance.
const CLEARLY: f64 = 2.0;

/// Intervals for which the last windows of what is counted so much of the time stand.
fn stands(permille: u16, interval_ns: u64) -> u32 {
    let between = WINDOW_NS * u64::from(ALWAYS) / u64::from(permille.max(1));
    let stands = (3 * between).min(STANDS_NS);
    STANDS.max(stands.div_ceil(interval_ns.max(1)) as u32)
}

#[derive(Debug, Default)]
pub struct DutyCycleError {
    places: FxHashMap<EventId, Place>,
    /// The last windows of what had none in the interval, which stand for it.
    standing: Vec<Counts>,
}

/// An event's windows, over all CPUs.
#[derive(Debug)]
struct Place {
    /// Of the last intervals with windows, the last one first.
    seen: VecDeque<Seen>,
    /// Each CPU's counts of the last interval with windows, and how many intervals ago that was.
    last: Vec<Counts>,
    age: u32,
    /// The age up to which they stand.
    stands: u32,
    /// Packets have foretold it better.
    by_packets: bool,
    /// From a rate in the windows to that of the interval, by its packets; `None`: the rates are the
    /// same.
    factor: Option<f64>,
    /// Hits of a burst that no window met.
    missed: f64,
}

/// An interval's windows.
#[derive(Debug, Clone, Copy)]
struct Seen {
    means: Means,
    spread: Spread,
}

/// How windows differed from what was to be expected: Σ squares, (hits/s)², and degrees of freedom.
#[derive(Debug, Clone, Copy, Default)]
struct Differences {
    squares: f64,
    freedom: f64,
}

impl Differences {
    /// `None`: nothing could differ yet.
    fn variance(self) -> Option<f64> {
        (self.freedom >= 1.0).then(|| self.squares / self.freedom)
    }
}

impl Place {
    fn new() -> Place {
        Place {
            seen: VecDeque::new(),
            last: Vec::new(),
            age: 0,
            stands: STANDS,
            by_packets: true,
            factor: None,
            missed: 0.0,
        }
    }

    fn learn(&mut self, spread: Spread, cpus: Vec<Counts>) {
        let mut means = Means::default();
        for count in &cpus {
            means.add(count);
        }
        self.seen.push_front(Seen { means, spread });
        self.seen.truncate(INTERVALS);
        (self.last, self.age) = (cpus, 0);
        let (time, packets) = (self.by_time(), self.per_packet());
        if let (Some(time), Some(packets)) = (time.variance(), packets.variance()) {
            self.by_packets = if self.by_packets {
                packets <= CLEARLY * time
            } else {
                CLEARLY * packets < time
            };
        }
    }

    /// Windows from their interval's mean, and that from the mean of the interval before.
    fn by_time(&self) -> Differences {
        let mut all = Differences::default();
        let mut weight = 1.0;
        for (place, seen) in self.seen.iter().enumerate() {
            let freedom = f64::from(seen.spread.windows.saturating_sub(1));
            all.squares += weight * seen.spread.variance as f64 * freedom;
            all.freedom += weight * freedom;
            if let Some(before) = self.seen.get(place + 1) {
                let (n, m) = (seen.means.windows, before.means.windows);
                let differ = seen.means.rate - before.means.rate;
                all.squares += weight * n * m / (n + m).max(1.0) * differ.powi(2);
                all.freedom += weight;
            }
            weight *= FADES;
        }
        all
    }

    /// Windows from their interval's hits per packet, and those from the hits per packet of all.
    fn per_packet(&self) -> Differences {
        let weights = std::iter::successors(Some(1.0), |weight| Some(weight * FADES));
        let known: Vec<(f64, &Seen)> = (weights.zip(&self.seen))
            .filter(|(_, seen)| seen.spread.softnet.is_some())
            .collect();
        let ratio = Means::ratio(known.iter().map(|(weight, seen)| (*weight, &seen.means)));
        let mut all = Differences::default();
        let mut weights_squared = 0.0;
        for (weight, seen) in &known {
            let within = seen.spread.softnet.map_or(0.0, |s| s.variance as f64);
            let freedom = (seen.means.windows - 1.0).max(0.0);
            let left = seen.means.left(ratio);
            all.squares += weight * (within * freedom + seen.means.windows * left.powi(2));
            all.freedom += weight * seen.means.windows;
            weights_squared += weight * weight * seen.means.windows;
        }
        // The ratio is one of them; not a whole one, where older windows weigh less.
        all.freedom -= weights_squared / all.freedom.max(1.0);
        all
    }

    /// The factor from a rate in the windows to that of an interval with so many packets.
    fn factor(&self, interval_ns: u64, packets: Option<u64>) -> Option<f64> {
        let seen = self.seen.front().filter(|_| self.by_packets)?;
        let enough = seen.spread.softnet?.packets >= FEW_PACKETS;
        let rate = packets.filter(|_| enough)? as f64 * 1e9 / interval_ns.max(1) as f64;
        Some(rate / seen.means.packets)
    }

    /// Hits of a burst between the windows: these saw too few packets to foretell anything by, and the
    /// interval had many more than they would make of it. At the hits per packet of all windows that saw
    /// any, else at one a packet.
    fn missed(&self, interval_ns: u64, packets: Option<u64>) -> f64 {
        let few = |seen: &&Seen| seen.spread.softnet.is_some_and(|s| s.packets < FEW_PACKETS);
        let front = self.seen.front().filter(few).filter(|_| self.by_packets);
        let (Some(seen), Some(packets)) = (front, packets) else {
            return 0.0;
        };
        let known = || (self.seen.iter()).filter(|seen| seen.means.packets > 0.0);
        let ratio = match known().next() {
            Some(_) => Means::ratio(known().map(|seen| (1.0, &seen.means))),
            None => 1.0,
        };
        let foretold = seen.means.packets * interval_ns as f64 / 1e9;
        let burst = packets as f64 - foretold;
        if burst < FEW_PACKETS as f64 {
            return 0.0;
        }
        burst * ratio
    }

    fn span_ns(&self) -> f64 {
        self.last.first().map_or(0.0, |count| count.span_ns as f64)
    }
}

impl DutyCycleError {
    /// Learns from the counts of an interval. `packets`: what softnet processed in it; `None`: not known.
    pub fn learn(
        &mut self,
        counts: &[Counts],
        attached: &[Attach],
        interval_ns: u64,
        packets: Option<u64>,
    ) {
        for place in self.places.values_mut() {
            place.age += 1;
        }
        let mut seen: FxHashMap<EventId, (Spread, Vec<Counts>)> = FxHashMap::default();
        for count in counts.iter().filter(|c| c.span_ns > 0 && c.cpu.is_some()) {
            if let Some(spread) = count.spread {
                let (_, cpus) = seen.entry(count.event).or_insert((spread, Vec::new()));
                cpus.push(*count);
            }
        }
        for (event, (spread, cpus)) in seen {
            let place = self.places.entry(event).or_insert_with(Place::new);
            place.learn(spread, cpus);
        }
        self.places
            .retain(|_, place| place.age <= FORGOTTEN.max(place.stands));
        self.standing.clear();
        for attach in attached.iter().filter(|a| a.duty_permille < ALWAYS) {
            if let Some(place) = self.places.get_mut(&attach.event) {
                place.stands = stands(attach.duty_permille, interval_ns);
                if (1..=place.stands).contains(&place.age) {
                    self.standing.extend(&place.last);
                }
            }
        }
        for place in self.places.values_mut() {
            place.factor = place.factor(interval_ns, packets);
            place.missed = place.missed(interval_ns, packets);
        }
    }

    /// For the events that are counted a part of the time and had no window in the last interval.
    pub fn standing(&self) -> &[Counts] {
        &self.standing
    }

    /// Hits/s in the last interval, of which windows saw a part.
    pub fn rate(&self, count: &Counts) -> f64 {
        let rate = count.hits as f64 * 1e9 / count.span_ns.max(1) as f64;
        match (count.spread, self.places.get(&count.event)) {
            (Some(_), Some(place)) => rate * place.factor.unwrap_or(1.0),
            _ => rate,
        }
    }

    /// Hits in all of that interval.
    pub fn hits(&self, count: &Counts, interval_ns: u64) -> u64 {
        match count.spread {
            Some(_) if count.span_ns > 0 => {
                (self.rate(count) * interval_ns as f64 / 1e9).round() as u64
            }
            _ => count.hits,
        }
    }

    /// The half-width of the hits of an interval, in hits; `None`: too few windows yet. The interval's
    /// own windows are a random part of it, whose rest nobody saw (finite population correction).
    pub fn error<'a>(
        &self,
        counts: impl Iterator<Item = &'a Counts>,
        interval_ns: u64,
    ) -> Option<f64> {
        let seconds = interval_ns as f64 / 1e9;
        let (mut sum, mut missed, mut freedom) = (0.0, 0.0, f64::INFINITY);
        let mut told: Vec<EventId> = Vec::new();
        for count in counts {
            let Some(spread) = count.spread.filter(|_| !told.contains(&count.event)) else {
                continue;
            };
            told.push(count.event);
            let place = self.places.get(&count.event)?;
            let (differences, factor) = match place.factor {
                Some(factor) => (place.per_packet(), factor),
                None => (place.by_time(), 1.0),
            };
            let variance = differences.variance()? / f64::from(spread.windows.max(1));
            let rest = if place.age == 0 {
                1.0 - (place.span_ns() / factor.max(1e-9) / interval_ns as f64).min(1.0)
            } else {
                1.0
            };
            missed += place.missed;
            sum += seconds * factor * (variance * rest).sqrt();
            freedom = freedom.min(differences.freedom);
        }
        freedom
            .is_finite()
            .then(|| sum * t95(freedom.round() as usize) + missed)
    }

    /// The share of an interval in which the event was counted, in the last one with windows of it.
    pub fn part(&self, event: EventId, interval_ns: u64) -> f64 {
        let place = self.places.get(&event);
        place.map_or(0.0, |place| place.span_ns() / interval_ns.max(1) as f64)
    }
}

#[cfg(test)]
#[path = "duty_cycle_error_tests.rs"]
mod tests;
