//! Means over a sliding window, with honest bounds: what a second costs, or a packet, and how
//! sure that is. The 95 % half-width comes from the variance between the window's parts (seconds),
//! not from Poisson statistics of samples: ten equal runs differed by 3 × Poisson (docs/measuring.md).

/// A mean and its 95 % half-width; `None`: too few parts to say.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounded {
    pub value: f64,
    pub error: Option<f64>,
}

/// Fewer parts give no bounds.
const FEWEST: usize = 3;

/// Two-sided 95 % quantiles of Student's t for 1, 2, … degrees of freedom.
const T95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// Student's t for a two-sided 95 % bound.
pub fn t95(freedom: usize) -> f64 {
    T95.get(freedom.saturating_sub(1)).copied().unwrap_or(1.96)
}

/// Σ amounts ÷ Σ bases over (amount, base) parts: nanoseconds and seconds, or nanoseconds and
/// packets. Parts may differ in length. `None` without any base.
///
/// The variance of a ratio by linearisation: the residuals are amount − ratio × base. It is at
/// least what counting samples brings, of which one stands for `grain`: few parts with few
/// samples each may agree by chance.
pub fn ratio(parts: impl Iterator<Item = (f64, f64)> + Clone, grain: f64) -> Option<Bounded> {
    let (mut amounts, mut bases, mut count) = (0.0, 0.0, 0);
    for (amount, base) in parts.clone() {
        amounts += amount;
        bases += base;
        count += usize::from(base > 0.0);
    }
    if bases <= 0.0 {
        return None;
    }
    let value = amounts / bases;
    if count < FEWEST {
        return Some(Bounded { value, error: None });
    }
    let squares: f64 = parts
        .map(|(amount, base)| (amount - value * base).powi(2))
        .sum();
    let n = count as f64;
    let between = squares / (n - 1.0) * n;
    let spread = between.max(grain * amounts).sqrt() / bases;
    Some(Bounded {
        value,
        error: Some(t95(count - 1) * spread),
    })
}

/// Do two measurements differ by more than chance? `None` where one has no bounds.
pub fn differ(a: Bounded, b: Bounded) -> Option<bool> {
    let (ea, eb) = (a.error?, b.error?);
    Some((a.value - b.value).abs() > ea.hypot(eb))
}

#[cfg(test)]
#[path = "cost_tests.rs"]
mod tests;
