//! One number over time: the last [`HISTORY`] values, the highest, and the sum.

use std::collections::VecDeque;

use super::snapshot::HISTORY;

#[derive(Debug, Default, Clone)]
pub struct Series {
    last: VecDeque<f32>,
    pub peak: Option<f64>,
    pub total: Option<u64>,
}

impl Series {
    /// A value that was not measured leaves a gap (NaN) in the history and nothing else.
    pub fn push(&mut self, value: Option<f64>, calls: Option<u64>) {
        if self.last.len() == HISTORY {
            self.last.pop_front();
        }
        self.last.push_back(value.map_or(f32::NAN, |v| v as f32));
        if let Some(value) = value {
            self.peak = Some(self.peak.map_or(value, |peak| peak.max(value)));
        }
        if let Some(calls) = calls {
            self.total = Some(self.total.unwrap_or(0) + calls);
        }
    }

    /// Oldest first.
    pub fn history(&self) -> Vec<f32> {
        self.last.iter().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_history_is_bounded_and_gaps_are_kept_apart_from_zero() {
        let mut series = Series::default();
        for i in 0..100 {
            series.push(Some(f64::from(i)), Some(2));
        }
        series.push(None, None);
        let history = series.history();
        assert_eq!(history.len(), HISTORY);
        assert!(history.last().unwrap().is_nan());
        assert_eq!((series.peak, series.total), (Some(99.0), Some(200)));
    }

    #[test]
    fn nothing_measured_is_no_peak_and_no_total() {
        let mut series = Series::default();
        series.push(None, None);
        assert_eq!((series.peak, series.total), (None, None));
    }
}
