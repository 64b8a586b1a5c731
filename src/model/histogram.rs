//! Times as a log-linear histogram: 16 buckets per power of two, so that a figure read from it is
//! within 1/32 of the true one; up to 2^35 ns, which is 34 s. Histograms add up.

pub const BUCKETS: usize = 512;

/// log2 of the buckets per power of two.
const FINE: u32 = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64; BUCKETS]>,
    pub count: u64,
    pub max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            counts: Box::new([0; BUCKETS]),
            count: 0,
            max: 0,
        }
    }
}

/// The times that a bucket holds: from the first, up to and without the second.
fn bounds(bucket: usize) -> (u64, u64) {
    let (coarse, fine) = (bucket >> FINE, (bucket & 15) as u64);
    if coarse == 0 {
        return (fine, fine + 1);
    }
    let shift = coarse - 1;
    ((16 + fine) << shift, (17 + fine) << shift)
}

impl Histogram {
    /// So many times in a bucket; one beyond the last is left out, which is what a broken file says.
    pub fn add(&mut self, bucket: usize, times: u64) {
        if let Some(count) = self.counts.get_mut(bucket) {
            *count = count.saturating_add(times);
            self.count = self.count.saturating_add(times);
        }
    }

    pub fn merge(&mut self, other: &Histogram) {
        for (bucket, times) in other.counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            self.add(bucket, *times);
        }
        self.max = self.max.max(other.max);
    }

    /// The time that a share `q` of all do not exceed; `None`: there are none.
    pub fn quantile(&self, q: f64) -> Option<u64> {
        let wanted = ((self.count as f64 * q).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        let bucket = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        let (from, to) = bounds(bucket);
        let middle = from + (to - from) / 2;
        Some(if self.max > 0 {
            middle.min(self.max)
        } else {
            middle
        })
    }

    /// Times by power of two: how many lasted at least 2^i ns and less than twice that.
    pub fn by_power(&self) -> impl Iterator<Item = (u32, u64)> {
        let filled = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        filled.map(|(bucket, times)| (bounds(bucket).0.max(1).ilog2(), *times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bucket_of(ns: u64) -> usize {
        (0..BUCKETS)
            .find(|bucket| ns < bounds(*bucket).1)
            .unwrap_or(BUCKETS - 1)
    }

    #[test]
    fn buckets_lie_side_by_side_up_to_34_seconds() {
        for bucket in 1..BUCKETS {
            assert_eq!(bounds(bucket - 1).1, bounds(bucket).0);
        }
        assert_eq!(bounds(BUCKETS - 1).1, 1 << 35);
    }

    #[test]
    fn nothing_measured_has_no_quantile() {
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_hdrhistogram_within_a_bucket(
            times in prop::collection::vec(1u64..30_000_000_000, 1..300),
            q in 0.0f64..=1.0,
        ) {
            let mut oracle = hdrhistogram::Histogram::<u64>::new(5).expect("valid");
            let (mut left, mut right) = (Histogram::default(), Histogram::default());
            for (i, &time) in times.iter().enumerate() {
                oracle.record(time).expect("it resizes");
                let half = if i % 2 == 0 { &mut left } else { &mut right };
                half.add(bucket_of(time), 1);
                half.max = half.max.max(time);
            }
            left.merge(&right);
            let told = left.quantile(q).expect("not empty") as f64;
            let exact = oracle.value_at_quantile(q) as f64;
            prop_assert!((told - exact).abs() <= exact / 16.0 + 1.0, "{told} for {exact}");
        }
    }
}
