//! Sampling periods: primes near rate ÷ target, drawn anew each interval. Fixed composite
//! periods run in step with traffic patterns (two of them showed a true share of 25 % as 100 %).

/// The period before anything is known about the rate.
pub const FIRST: u64 = 1009;

/// A small xorshift; the draw only has to be different each time, not secret.
#[derive(Debug)]
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Draw(seed | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }

    /// The period for `rate` hits/s so that about `target` samples/s come: 1 when every hit may
    /// be one, else a prime within about ±12 % of the quotient.
    pub fn period(&mut self, rate: f64, target: u32) -> u64 {
        let wanted = (rate / f64::from(target.max(1))).round() as u64;
        if wanted <= 1 {
            return 1;
        }
        let spread = wanted / 4;
        prime_from(wanted - wanted / 8 + self.below(spread + 1))
    }
}

/// The smallest prime ≥ `from` (and ≥ 2).
fn prime_from(from: u64) -> u64 {
    let mut candidate = from.max(2);
    while !is_prime(candidate) {
        candidate += 1;
    }
    candidate
}

fn is_prime(n: u64) -> bool {
    if n < 4 {
        return n >= 2;
    }
    !n.is_multiple_of(2)
        && (3..)
            .step_by(2)
            .take_while(|d| d * d <= n)
            .all(|d| !n.is_multiple_of(d))
}

/// What to do at once when far more samples come than wanted: a much longer period.
pub fn lengthen(period: u64) -> u64 {
    prime_from(period.saturating_mul(16).min(1 << 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_period_above_one_is_a_prime_near_the_quotient() {
        let mut draw = Draw::new(7);
        for rate in [200.0, 1e4, 3e5, 5e6] {
            for _ in 0..200 {
                let period = draw.period(rate, 50);
                let quotient = rate / 50.0;
                assert!(is_prime(period));
                assert!(
                    (period as f64) >= quotient * 0.85 - 1.0,
                    "{period} for {quotient}"
                );
                assert!(
                    (period as f64) <= quotient * 1.2 + 8.0,
                    "{period} for {quotient}"
                );
            }
        }
    }

    #[test]
    fn the_draw_changes_from_interval_to_interval() {
        let mut draw = Draw::new(7);
        let drawn: std::collections::BTreeSet<u64> =
            (0..50).map(|_| draw.period(1e6, 50)).collect();
        assert!(drawn.len() > 20, "{drawn:?}");
    }

    #[test]
    fn slow_events_are_sampled_whole() {
        assert_eq!(Draw::new(1).period(49.0, 50), 1);
        assert_eq!(Draw::new(1).period(0.0, 50), 1);
    }

    #[test]
    fn lengthening_ends_at_a_bound() {
        let mut period = 1;
        for _ in 0..20 {
            period = lengthen(period);
        }
        assert!(is_prime(period) && period < 1 << 33);
    }
}
