//! What an event had in the windows in which it was counted, and how these differed.

use super::tick::{Softnets, Spread};

/// The windows of one event on one CPU since they were last taken.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Windows {
    pub hits: u64,
    pub span_ns: u64,
    count: u32,
    sum: f64,
    squares: f64,
    /// Windows in which softnet was read, its packets in them, and Σ of packets² and of packets ×
    /// hits as rates.
    beside: u32,
    packets: u64,
    packets_squares: f64,
    products: f64,
}

impl Windows {
    /// `packets`: what softnet processed in the window on all CPUs, if that is known.
    pub fn push(&mut self, hits: u64, packets: Option<u64>, span_ns: u64) {
        if span_ns == 0 {
            return;
        }
        let per_second = |count: u64| count as f64 * 1e9 / span_ns as f64;
        let rate = per_second(hits);
        self.hits += hits;
        self.span_ns += span_ns;
        self.count += 1;
        self.sum += rate;
        self.squares += rate * rate;
        if let Some(packets) = packets {
            self.beside += 1;
            self.packets += packets;
            self.packets_squares += per_second(packets).powi(2);
            self.products += per_second(packets) * rate;
        }
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
            softnet: self.softnet(),
        }
    }

    fn softnet(&self) -> Option<Softnets> {
        if self.beside < self.count || self.count == 0 {
            return None;
        }
        let ratio = self.hits as f64 / self.packets.max(1) as f64;
        let left =
            self.squares - 2.0 * ratio * self.products + ratio * ratio * self.packets_squares;
        let freedom = f64::from(self.count.saturating_sub(1));
        let variance = if freedom > 0.0 {
            left.max(0.0) / freedom
        } else {
            0.0
        };
        Some(Softnets {
            packets: self.packets,
            variance: variance as u64,
        })
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
        softnet: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_is_the_variance_between_the_windows_rates() {
        let mut windows = Windows::default();
        for hits in [10, 20, 30] {
            windows.push(hits, Some(2 * hits), 10_000_000);
        }
        assert_eq!((windows.hits, windows.span_ns), (60, 30_000_000));
        let spread = windows.spread();
        assert_eq!((spread.windows, spread.variance), (3, 1_000_000));
        let all_foretold = Softnets {
            packets: 120,
            variance: 0,
        };
        assert_eq!(spread.softnet, Some(all_foretold));
        // 3 000 hits/s are 1 000 more than two packets foretell; once more, and 2 000 fewer.
        let mut windows = Windows::default();
        for (hits, packets) in [(30, 40), (30, 40), (0, 40)] {
            windows.push(hits, Some(packets), 10_000_000);
        }
        assert_eq!(
            windows.spread().softnet.map(|s| s.variance),
            Some(3_000_000)
        );
        windows.push(10, None, 10_000_000);
        assert_eq!(windows.spread().softnet, None, "a window without a reading");
    }
}
