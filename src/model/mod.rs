//! The vocabulary and the fold: events become counts, series and stacks, and a tick makes them a
//! snapshot. Knows no kernel, no clock, no screen.

mod chain;
mod fold;
mod names;
mod series;
mod snapshot;
mod time;
mod want;

pub use fold::{Fold, Folded, Hit, Sums, Weighed};
pub use names::{Name, Names};
pub use series::Series;
pub use snapshot::{
    Backing, Cpu, CpuCalls, Device, Drop, Facts, Filter, Finding, Function, HISTORY, Health,
    HostInfo, Latency, Process, Queue, SCHEMA, STACKS_EXPORTED, Share, Snapshot, Stack, Stage,
    Summary, Tcp,
};
pub use time::format_time;
pub use want::Want;
