//! Counting a part of the time: random windows that add up to a share of it, and how their rates
//! differed. An event costs nothing between its windows.

use crate::decode::{EventId, Spread};

/// A window is this share of the interval, but no shorter than [`SHORTEST_NS`].
const WINDOW: u64 = 20;
const SHORTEST_NS: u64 = 50_000_000;

/// When one event is counted.
#[derive(Debug)]
pub struct Duty {
    pub event: EventId,
    pub pct: u8,
    pub on: bool,
    /// CLOCK_MONOTONIC, ns, when that changes.
    pub until: u64,
    random: u64,
}

impl Duty {
    /// Begins with a gap: right after a plan netop itself is busy, which is no random moment.
    pub fn new(event: EventId, pct: u8, interval_ns: u64, now: u64) -> Duty {
        let mut duty = Duty {
            event,
            pct,
            on: false,
            until: 0,
            random: now ^ (u64::from(event.0) << 32) | 1,
        };
        duty.until = now + duty.length(interval_ns);
        duty
    }

    /// On becomes off, off on. Gaps are drawn evenly from 0 to twice their mean, so that no
    /// rhythm of the traffic runs in step with the windows.
    pub fn flip(&mut self, interval_ns: u64, now: u64) {
        self.on = !self.on;
        self.until = now + self.length(interval_ns);
    }

    fn length(&mut self, interval_ns: u64) -> u64 {
        let window = (interval_ns / WINDOW).max(SHORTEST_NS);
        if self.on {
            return window;
        }
        let pct = u64::from(self.pct.clamp(1, 99));
        let mean = window * (100 - pct) / pct;
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % (2 * mean + 1)
    }
}

/// The windows of one event on one CPU since they were last taken.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Windows {
    pub hits: u64,
    pub span_ns: u64,
    count: u32,
    sum: f64,
    squares: f64,
}

impl Windows {
    pub fn push(&mut self, hits: u64, span_ns: u64) {
        if span_ns == 0 {
            return;
        }
        let rate = hits as f64 * 1e9 / span_ns as f64;
        self.hits += hits;
        self.span_ns += span_ns;
        self.count += 1;
        self.sum += rate;
        self.squares += rate * rate;
    }

    pub fn spread(&self) -> Spread {
        let n = f64::from(self.count);
        let variance = if self.count > 1 {
            ((self.squares - self.sum * self.sum / n) / (n - 1.0)).max(0.0)
        } else {
            0.0
        };
        Spread {
            windows: self.count,
            variance: variance as u64,
        }
    }
}

/// The spread of a sum whose parts move together: their deviations add up.
pub fn together(parts: impl Iterator<Item = Spread>) -> Spread {
    let (mut windows, mut deviation) = (u32::MAX, 0.0);
    for part in parts {
        windows = windows.min(part.windows);
        deviation += (part.variance as f64).sqrt();
    }
    Spread {
        windows,
        variance: (deviation * deviation) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_add_up_to_their_share_of_the_time() {
        for pct in [2, 10, 50, 90] {
            let (mut now, mut on) = (0, 0);
            let mut duty = Duty::new(EventId(3), pct, 1_000_000_000, now);
            for _ in 0..20_000 {
                if duty.on {
                    on += duty.until - now;
                }
                now = duty.until;
                duty.flip(1_000_000_000, now);
            }
            let share = 100.0 * on as f64 / now as f64;
            assert!(
                (share / f64::from(pct) - 1.0).abs() < 0.05,
                "{share}% of {pct}%"
            );
        }
    }

    #[test]
    fn the_spread_is_the_variance_between_the_windows_rates() {
        let mut windows = Windows::default();
        for hits in [10, 20, 30] {
            windows.push(hits, 10_000_000);
        }
        assert_eq!((windows.hits, windows.span_ns), (60, 30_000_000));
        let spread = windows.spread();
        assert_eq!((spread.windows, spread.variance), (3, 1_000_000));
    }
}
