//! What one interval alone took. The CPU columns are means over a sliding window; comparisons need
//! the seconds one by one, for how much they vary is what tells a change from chance.

use std::sync::Arc;

use serde::Serialize;

/// CPU time in ns of one interval, and the packets that it was for.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Spent {
    /// Of the network stack.
    pub net_ns: f64,
    /// What one CPU sample stands for, ns.
    pub sample_ns: f64,
    /// Null: nobody counted packets, or they are not those of the question (a filter).
    pub wire: Option<WirePackets>,
    /// Those that have CPU time of their own.
    pub functions: Vec<FunctionSpent>,
    pub stages: Vec<StageSpent>,
    /// Of the network in system calls of their own, heaviest first.
    pub processes: Vec<ProcessSpent>,
}

/// Wire packets of the interval.
#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub struct WirePackets {
    pub rx: f64,
    pub tx: f64,
    pub all: f64,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct FunctionSpent {
    pub name: Arc<str>,
    /// Whose packets it is divided by: "rx", "tx", else all.
    pub direction: &'static str,
    /// The function and what it called.
    pub ns: f64,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct StageSpent {
    pub stage: &'static str,
    pub direction: &'static str,
    /// Its own code.
    pub ns: f64,
}

#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub struct ProcessSpent {
    pub pid: u32,
    pub ns: f64,
}
