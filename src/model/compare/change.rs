//! The answer of a comparison: plain figures with their change and what to think of it.

use serde::Serialize;

use super::second::Key;
use crate::model::time;

pub const SCHEMA: &str = "netop.diff/1";

/// What a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// More than the variance between seconds makes likely.
    Different,
    /// No more than that.
    WithinChance,
    /// A cost under packet rates that differ by more than 10 %, or unknown.
    NotComparable,
    /// Too few seconds or samples to say.
    NotJudged,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    pub before: Option<f64>,
    pub after: Option<f64>,
    /// Of `before`.
    pub change_pct: Option<f64>,
    /// 95 % half-width of `change_pct`, in the same unit.
    pub error_pct: Option<f64>,
    /// The chance of such a change without a cause; of a row after Holm's correction for all rows.
    pub p: Option<f64>,
    pub verdict: Verdict,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SideInfo {
    pub hostname: String,
    pub kernel: String,
    #[serde(serialize_with = "time::rfc3339")]
    pub from: u64,
    #[serde(serialize_with = "time::rfc3339")]
    pub until: u64,
    pub seconds: f64,
    pub snapshots: usize,
    /// Parts of about a second in which CPU time was sampled: their variance is the measure.
    pub parts: usize,
    /// There are too few of them: CPU figures are those of the last snapshot's window of so many
    /// seconds, with its bounds.
    pub window_s: Option<f64>,
    /// CPU samples whose kernel functions have no names, if these are most: what the network took is not
    /// known.
    pub unnamed_samples: u64,
}

/// Are the packet rates close enough to compare costs?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    Comparable,
    Differs,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowChange {
    #[serde(flatten)]
    pub key: Key,
    /// Calls of the whole measurement, before and after.
    pub calls: [Option<f64>; 2],
    /// Both were counted, every one.
    pub exact: bool,
    /// Calls (of a device packets) per second.
    pub rate: Change,
    /// Percent of one CPU.
    pub cpu_pct: Change,
    pub ns_per_packet: Change,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    pub schema: &'static str,
    pub before: SideInfo,
    pub after: SideInfo,
    /// Seconds that both sides are made of: there nothing can differ.
    pub shared_s: f64,
    /// Both sides are one and the same measurement.
    pub identical: bool,
    pub load: Load,
    pub wire_pps: Change,
    /// CPU time of the network stack per wire packet: the verdict.
    pub ns_per_packet: Change,
    /// The least change of it, in percent, that would be found in 80 of 100 such pairs.
    pub detectable_pct: Option<f64>,
    /// CPU time of the network stack, percent of one CPU.
    pub net_cpu_pct: Change,
    /// How many times more the CPU time of both sides varies than its samples alone would make it.
    pub scatter: Option<f64>,
    /// By kind, heaviest first.
    pub rows: Vec<RowChange>,
}

impl Change {
    pub const UNKNOWN: Change = Change {
        before: None,
        after: None,
        change_pct: None,
        error_pct: None,
        p: None,
        verdict: Verdict::NotJudged,
    };

    pub fn differs(&self) -> bool {
        self.verdict == Verdict::Different
    }
}

impl RowChange {
    pub fn differs(&self) -> bool {
        self.figures().iter().any(|figure| figure.differs())
    }

    pub fn figures(&self) -> [&Change; 3] {
        [&self.ns_per_packet, &self.cpu_pct, &self.rate]
    }
}

impl Comparison {
    pub fn row(&self, key: &Key) -> Option<&RowChange> {
        self.rows.iter().find(|row| row.key == *key)
    }

    /// Does anything differ at all?
    pub fn differs(&self) -> bool {
        self.ns_per_packet.differs() || self.rows.iter().any(RowChange::differs)
    }
}
