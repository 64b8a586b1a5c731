//! Is the difference of two means more than chance? Welch's test, and Holm's correction where many
//! are asked at once.

use statrs::function::beta::checked_beta_reg;

use super::mean::Mean;
use crate::model::t95;

/// The chance that so great a difference comes from one and the same thing measured twice. `None`:
/// nothing says how sure the means are.
pub fn p_value(a: Mean, b: Mean) -> Option<f64> {
    let apart = (a.value - b.value).abs();
    let variance = a.variance + b.variance;
    if apart == 0.0 {
        return Some(1.0);
    }
    if variance <= 0.0 {
        return Some(0.0);
    }
    let freedom = freedom(a, b);
    let t = apart / variance.sqrt();
    // The two tails of Student's t as an incomplete beta function.
    checked_beta_reg(freedom / 2.0, 0.5, freedom / (freedom + t * t))
        .ok()
        .filter(|p| p.is_finite())
}

/// 95 % half-width of the difference.
pub fn half_width(a: Mean, b: Mean) -> f64 {
    t95(freedom(a, b) as usize) * (a.variance + b.variance).sqrt()
}

/// The smallest difference that would be found in 80 of 100 such pairs.
pub fn detectable(a: Mean, b: Mean) -> f64 {
    const POWER_80: f64 = 0.85;
    (t95(freedom(a, b) as usize) + POWER_80) * (a.variance + b.variance).sqrt()
}

/// After Welch and Satterthwaite.
fn freedom(a: Mean, b: Mean) -> f64 {
    let part = |mean: Mean| mean.variance * mean.variance / mean.freedom.max(1.0);
    let parts = part(a) + part(b);
    if parts > 0.0 {
        ((a.variance + b.variance).powi(2) / parts).max(1.0)
    } else {
        a.freedom.min(b.freedom).max(1.0)
    }
}

/// Holm's step-down adjustment: calling those at most 0.05 different calls any one of them wrongly
/// in at most 5 of 100 cases, however many and however dependent they are.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut least = 0.0_f64;
    for (rank, &at) in order.iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        least = least.max((p_values[at] * left).min(1.0));
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(value: f64, variance: f64, freedom: f64) -> Mean {
        Mean {
            value,
            variance,
            freedom,
        }
    }

    #[test]
    fn the_chance_is_that_of_student_s_tables() {
        // Two-sided 5 % of 20 degrees of freedom: t = 2.086; two equal variances of 10 each.
        let p = p_value(mean(0.0, 0.5, 10.0), mean(2.086, 0.5, 10.0)).expect("bounds");
        assert!((p - 0.05).abs() < 1e-4, "{p}");
        let p = p_value(mean(0.0, 0.5, 10.0), mean(3.850, 0.5, 10.0)).expect("bounds");
        assert!((p - 0.001).abs() < 1e-5, "{p}");
        assert!((half_width(mean(0.0, 0.5, 10.0), mean(9.0, 0.5, 10.0)) - 2.086).abs() < 1e-9);
    }

    #[test]
    fn what_does_not_vary_differs_or_is_the_same() {
        let exact = |value| mean(value, 0.0, 9.0);
        assert_eq!(p_value(exact(5.0), exact(5.0)), Some(1.0));
        assert_eq!(p_value(exact(5.0), exact(5.1)), Some(0.0));
        assert_eq!(p_value(mean(5.0, 2.0, 9.0), exact(5.0)), Some(1.0));
    }

    #[test]
    fn of_many_the_least_chance_is_multiplied_most() {
        assert_eq!(holm(&[0.04, 0.01, 0.03]), [0.06, 0.03, 0.06]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }
}
