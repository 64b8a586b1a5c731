//! A mean over a series of seconds and how sure it is. Neighbouring seconds are alike: traffic and
//! neighbours on the host swing over several of them (a saturated TCP stream: correlation 0.5 from
//! one second to the next). Taken as independent, equal runs of such would be called different in
//! 25 of 100 cases; so the mean is as sure as that of fewer, independent seconds.

use crate::model::{Bounded, t95};

/// A mean, its variance, and the degrees of freedom that this is known with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    pub value: f64,
    pub variance: f64,
    pub freedom: f64,
}

/// Fewer parts say nothing of how they vary.
pub const FEWEST: usize = 5;

/// A correlation above this cannot be told from a trend.
const HIGHEST: f64 = 0.95;

/// Σ amounts ÷ Σ bases of (amount, base) parts in the order of time; `grain`: what one sample of
/// the amounts stands for (0: they were counted). `None`: too few parts, or no base.
pub fn ratio(parts: &[(f64, f64)], grain: f64) -> Option<Mean> {
    let amounts: f64 = parts.iter().map(|part| part.0).sum();
    let bases: f64 = parts.iter().map(|part| part.1).sum();
    let with_base = parts.iter().filter(|part| part.1 > 0.0).count();
    if with_base < FEWEST || bases <= 0.0 {
        return None;
    }
    let value = amounts / bases;
    let n = parts.len() as f64;
    let rest: Vec<f64> = parts.iter().map(|(a, b)| a - value * b).collect();
    let squares: f64 = rest.iter().map(|e| e * e).sum();
    let inflation = inflation(&rest, squares);
    let between = squares / (n - 1.0) * n * inflation;
    // Few samples may agree by chance; none at all might as well have been one.
    let sampled = grain * amounts.max(grain);
    Some(Mean {
        value,
        variance: between.max(sampled) / (bases * bases),
        freedom: (n / inflation).max(2.0) - 1.0,
    })
}

/// How many seconds of this series are worth one independent second: (1 + r) ÷ (1 − r), where r is
/// the correlation of neighbours, which short series underestimate by (1 + 3 r) ÷ n and more.
fn inflation(rest: &[f64], squares: f64) -> f64 {
    if squares <= 0.0 {
        return 1.0;
    }
    let pairs: f64 = rest.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let seen = pairs / squares;
    let r = seen + (2.0 + 4.0 * seen.max(0.0)) / rest.len() as f64;
    let r = r.clamp(0.0, HIGHEST);
    (1.0 + r) / (1.0 - r)
}

/// A figure whose bounds come from elsewhere, over so many seconds. `None`: it has none.
pub fn bounded(figure: Bounded, seconds: f64) -> Option<Mean> {
    let freedom = (seconds - 1.0).max(2.0);
    let spread = figure.error? / t95(freedom as usize);
    Some(Mean {
        value: figure.value,
        variance: spread * spread,
        freedom,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_that_are_alike_count_for_fewer() {
        let apart = |period: usize| {
            let parts: Vec<(f64, f64)> = (0..60)
                .map(|i| {
                    let up = (i / period).is_multiple_of(2);
                    (if up { 110.0 } else { 90.0 }, 1.0)
                })
                .collect();
            ratio(&parts, 0.0).expect("a mean")
        };
        let (quick, slow) = (apart(1), apart(10));
        assert!((quick.value - 100.0).abs() < 1e-9 && (slow.value - 100.0).abs() < 1e-9);
        assert!(slow.variance > 5.0 * quick.variance);
        assert!(slow.freedom < 6.0 && quick.freedom > 55.0);
    }

    #[test]
    fn few_parts_have_no_mean_and_few_samples_no_certainty() {
        assert_eq!(ratio(&[(1.0, 1.0); FEWEST - 1], 0.0), None);
        assert_eq!(ratio(&[(1.0, 0.0); 9], 0.0), None);
        let none = ratio(&[(0.0, 1.0); 10], 5e6).expect("a mean");
        assert!(none.variance > 0.0);
        let exact = ratio(&[(7.0, 1.0); 10], 0.0).expect("a mean");
        assert!(exact.variance <= 0.0);
    }
}
