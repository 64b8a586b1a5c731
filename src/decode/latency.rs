//! Times between pairs of events, as histograms of an interval; what a pair is, is the model's
//! business.

use serde::{Deserialize, Serialize};

/// What is wanted of a source that times pairs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// One in so many packets and sockets is followed, powers of two.
    pub packets: u32,
    pub sockets: u32,
    /// … and in so many runs of softirqs; recordings of before followed each.
    #[serde(default = "every")]
    pub softirqs: u32,
    /// Nothing but softirqs is timed.
    pub softirqs_only: bool,
}

fn every() -> u32 {
    1
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LatencySample {
    /// As it was in this interval; `None`: nothing was timed, and `refused` says why, or it has
    /// not begun.
    pub timing: Option<Timing>,
    pub refused: Option<String>,
    /// Events that were looked at, by CPU: what timing costs.
    pub hits: Vec<(u32, u64)>,
    pub fates: Vec<Fate>,
    pub histograms: Vec<Timed>,
}

/// What became of the first events of a pair, all CPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Fate {
    pub pair: u8,
    pub started: u64,
    pub matched: u64,
    /// The packet was freed before the second event came.
    pub freed: u64,
    /// Another first event came instead.
    pub replaced: u64,
    /// The packet became part of another.
    pub merged: u64,
    /// Second events without a first.
    pub orphans: u64,
    /// Given up after [`GIVEN_UP_NS`].
    pub given_up: u64,
}

/// What is under way for longer is counted, not waited for.
pub const GIVEN_UP_NS: u64 = 10_000_000_000;

/// One pair's times in the interval, of one device or process on all CPUs, or of one CPU.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timed {
    pub pair: u8,
    /// Of a CPU: each time is in one of these too, and in one of those without.
    pub cpu: Option<u32>,
    /// Inode of the device's network namespace; 0: not of a device.
    pub netns: u64,
    /// Interface, or process; 0: neither, or beyond those that are told apart.
    pub id: u32,
    pub name: String,
    /// The second event was on another CPU, and on another NUMA node, than the first.
    pub crossed: u64,
    pub crossed_nodes: u64,
    /// Second events without a first.
    #[serde(default)]
    pub orphans: u64,
    pub sum_ns: u64,
    pub max_ns: u64,
    /// (bucket, times in it), ascending; buckets are 16 per power of two of ns.
    pub buckets: Vec<(u16, u32)>,
}
