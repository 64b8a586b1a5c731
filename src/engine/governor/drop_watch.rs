//! Do drops rise because netop began to count something? What the governor attached just before
//! losses jumped is let go and left alone for some minutes, unless the losses go on without it.

use std::collections::VecDeque;

/// Intervals whose losses say what is usual.
const USUAL: usize = 10;

/// With fewer of them, two intervals in a row have to agree.
const SURE: usize = 3;

/// Losses per second that count as a rise at all.
const LEAST: f64 = 100.0;

/// So many intervals after an attach its losses are looked at; as many after letting go.
const LOOKED_AT: u32 = 2;

/// How long a row is left alone, ns.
const PAUSE_NS: u64 = 180_000_000_000;

#[derive(Debug, Default)]
pub struct DropWatch {
    /// Losses per second.
    usual: VecDeque<f64>,
    /// What was attached in the last intervals, and how many ago.
    steps: Vec<(usize, u32)>,
    /// Intervals in a row with a rise.
    risen: u32,
    let_go: Option<Detached>,
}

#[derive(Debug)]
struct Detached {
    rows: Vec<usize>,
    /// CLOCK_MONOTONIC, ns.
    until: u64,
    /// Losses above this are still unusual.
    threshold: f64,
    intervals: u32,
    /// Losses went on: the rows were not the cause.
    innocent: bool,
}

/// What an interval's losses led to.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// Let these rows go: losses per second rose from, to.
    Detached(Vec<usize>, f64, f64),
    /// Losses went on without them.
    Cleared(Vec<usize>),
}

impl DropWatch {
    /// The governor opens these rows now; nobody asked for them by name.
    pub fn attached(&mut self, rows: impl Iterator<Item = usize>) {
        for row in rows {
            self.steps.retain(|(known, _)| *known != row);
            self.steps.push((row, 0));
        }
    }

    /// Rows that are left alone.
    pub fn left_alone(&self) -> &[usize] {
        let guilty = self.let_go.as_ref().filter(|let_go| !let_go.innocent);
        guilty.map_or(&[], |let_go| &let_go.rows)
    }

    /// Losses per second of the interval that ended at `at`.
    pub fn learn(&mut self, at: u64, seconds: f64, rate: f64) -> Option<Judged> {
        if self.let_go.as_ref().is_some_and(|l| at >= l.until) {
            self.let_go = None;
        }
        if let Some(let_go) = &mut self.let_go {
            self.steps.clear();
            let_go.intervals += 1;
            let judged = (let_go.intervals == LOOKED_AT && rate > let_go.threshold).then(|| {
                let_go.innocent = true;
                Judged::Cleared(let_go.rows.clone())
            });
            self.keep(rate);
            return judged;
        }
        if self.steps.is_empty() || self.usual.is_empty() {
            self.keep(rate);
            self.steps.clear();
            return None;
        }
        for (_, age) in &mut self.steps {
            *age += 1;
        }
        let (mean, chance) = self.usual(seconds);
        let threshold = mean + chance.max(LEAST);
        self.risen = if rate > threshold { self.risen + 1 } else { 0 };
        let enough = if self.usual.len() >= SURE { 1 } else { 2 };
        if self.risen >= enough {
            self.risen = 0;
            let rows: Vec<usize> = self.steps.drain(..).map(|(row, _)| row).collect();
            self.let_go = Some(Detached {
                rows: rows.clone(),
                until: at + PAUSE_NS,
                threshold,
                intervals: 0,
                innocent: false,
            });
            return Some(Judged::Detached(rows, mean, rate));
        }
        // What is under suspicion does not become usual.
        if self.risen == 0 {
            self.keep(rate);
            self.steps.retain(|(_, age)| *age < LOOKED_AT);
        }
        None
    }

    /// The mean and three standard deviations; at least what chance brings (Poisson).
    fn usual(&self, seconds: f64) -> (f64, f64) {
        let n = self.usual.len() as f64;
        let mean = self.usual.iter().sum::<f64>() / n;
        let squares: f64 = self.usual.iter().map(|rate| (rate - mean).powi(2)).sum();
        let variance = (squares / (n - 1.0).max(1.0)).max(mean / seconds.max(1e-3));
        (mean, 3.0 * variance.sqrt())
    }

    fn keep(&mut self, rate: f64) {
        self.usual.push_back(rate);
        if self.usual.len() > USUAL {
            self.usual.pop_front();
        }
    }
}

#[cfg(test)]
#[path = "drop_watch_tests.rs"]
mod tests;
