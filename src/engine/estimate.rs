//! Counts from a part of the time: the rate of an interval and its 95 % bound, from how the rates
//! of the windows differed, over the last intervals.

use rustc_hash::FxHashMap;

use crate::decode::{Counts, EventId, Spread};

/// What an interval tells of the windows' variance counts so much less with each that follows.
const FADES: f64 = 0.9;

/// 97.5 % quantiles of Student's t with 1, 2, … degrees of freedom; beyond: nearly the normal's.
const STUDENT: [f64; 12] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179,
];
const MANY: f64 = 2.0;

/// The windows of one event on one CPU so far: what their variance is made of.
#[derive(Debug, Default, Clone, Copy)]
struct Pool {
    freedom: f64,
    squares: f64,
}

/// Pools of every event that is counted a part of the time.
#[derive(Debug, Default)]
pub struct Estimates {
    pools: FxHashMap<(EventId, u32), Pool>,
}

impl Estimates {
    /// Variance of the rate (hits/s)² that `count` estimates for an interval of `length_ns`, with
    /// the square of the quantile in it; `None`: too few windows so far to say.
    pub fn variance(&mut self, count: &Counts, spread: Spread, length_ns: u64) -> Option<f64> {
        let pool = self.pools.entry((count.event, count.cpu?)).or_default();
        let new = f64::from(spread.windows.saturating_sub(1));
        pool.freedom = pool.freedom * FADES + new;
        pool.squares = pool.squares * FADES + new * spread.variance as f64;
        if pool.freedom < 1.0 || spread.windows == 0 {
            return None;
        }
        let t = STUDENT
            .get(pool.freedom.round() as usize - 1)
            .copied()
            .unwrap_or(MANY);
        // What was seen of the interval needs no estimate.
        let unseen = (1.0 - count.span_ns as f64 / length_ns as f64).max(0.0);
        let variance = pool.squares / pool.freedom / f64::from(spread.windows);
        Some(t * t * variance * unseen)
    }

    /// Of events that are counted all the time nothing is kept.
    pub fn keep(&mut self, events: &[EventId]) {
        self.pools.retain(|(event, _), _| events.contains(event));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small xorshift, evenly between 0 and 1.
    fn random(seed: &mut u64) -> f64 {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        (*seed >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Hits of each of the 100 slots of 10 ms of an interval.
    type Arrivals = fn(&mut u64) -> [f64; 100];

    /// About as many as on average, as independent arrivals scatter.
    fn scattered(mean: f64, seed: &mut u64) -> f64 {
        let normal: f64 = (0..12).map(|_| random(seed)).sum::<f64>() - 6.0;
        (mean + mean.sqrt() * normal).max(0.0).round()
    }

    fn steady(seed: &mut u64) -> [f64; 100] {
        std::array::from_fn(|_| scattered(1000.0, seed))
    }

    /// On and off for 20 to 80 ms each.
    fn bursts(seed: &mut u64) -> [f64; 100] {
        let (mut on, mut left) = (random(seed) < 0.5, 0);
        std::array::from_fn(|_| {
            if left == 0 {
                (on, left) = (!on, 2 + (random(seed) * 6.0) as u32);
            }
            left -= 1;
            scattered(if on { 2000.0 } else { 50.0 }, seed)
        })
    }

    /// A load that is another in every second.
    fn changing(seed: &mut u64) -> [f64; 100] {
        let level = 200.0 + 1800.0 * random(seed);
        std::array::from_fn(|_| scattered(level, seed))
    }

    /// The share of 2000 intervals whose true count is within the stated bound.
    fn coverage(arrivals: Arrivals, seed: &mut u64) -> f64 {
        let mut estimates = Estimates::default();
        let (mut stated, mut held) = (0, 0);
        while stated < 2000 {
            let slots = arrivals(seed);
            // Windows of 50 ms, one in five: places drawn without return.
            let (mut windows, mut hits) = (Vec::new(), 0.0);
            for place in 0..20 {
                if random(seed) < 0.2 {
                    let within: f64 = slots[place * 5..place * 5 + 5].iter().sum();
                    windows.push(within / 0.05);
                    hits += within;
                }
            }
            let n = windows.len() as f64;
            let mean = windows.iter().sum::<f64>() / n.max(1.0);
            let squares: f64 = windows.iter().map(|rate| (rate - mean).powi(2)).sum();
            let count = Counts {
                event: EventId(0),
                cpu: Some(0),
                pid: None,
                hits: hits as u64,
                span_ns: windows.len() as u64 * 50_000_000,
                gate: true,
                spread: None,
            };
            let spread = Spread {
                windows: windows.len() as u32,
                variance: (squares / (n - 1.0).max(1.0)) as u64,
            };
            let Some(variance) = estimates.variance(&count, spread, 1_000_000_000) else {
                continue;
            };
            stated += 1;
            held += u32::from((slots.iter().sum::<f64>() - mean).abs() <= variance.sqrt());
        }
        100.0 * f64::from(held) / f64::from(stated)
    }

    #[test]
    fn ninety_five_percent_bounds_hold_in_about_ninety_five_percent_of_2000_intervals() {
        let mut seed = 0x5eed;
        for (name, arrivals) in [
            ("steady", steady as Arrivals),
            ("bursts", bursts),
            ("changing", changing),
        ] {
            let held = coverage(arrivals, &mut seed);
            eprintln!("{name}: {held:.1}%");
            assert!((93.0..=97.0).contains(&held), "{name}: {held:.1}%");
        }
    }

    #[test]
    fn what_was_seen_whole_needs_no_bound() {
        let mut estimates = Estimates::default();
        let count = Counts {
            event: EventId(0),
            cpu: Some(0),
            pid: None,
            hits: 100,
            span_ns: 1_000_000_000,
            gate: true,
            spread: None,
        };
        let spread = Spread {
            windows: 4,
            variance: 1000,
        };
        assert_eq!(estimates.variance(&count, spread, 1_000_000_000), Some(0.0));
    }
}
