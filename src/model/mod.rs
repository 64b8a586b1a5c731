//! The vocabulary and the fold: events become counts, series and stacks, and a tick makes them a
//! snapshot. Knows no kernel, no clock, no screen.

mod chain;
mod cost;
mod cpu;
mod cpu_fold;
mod fold;
mod judged;
mod names;
mod process;
mod series;
mod snapshot;
mod stage;
mod time;
mod want;
mod window;

pub use cost::{Bounded, differ, ratio, t95};
pub use cpu::{Cpu, CpuPart, Part, Stage};
pub use cpu_fold::{CpuFold, CpuFolded, Sampled, Spot};
pub use fold::{Fold, Folded, Hit, Sums, Tagged};
pub use judged::{Judged, KernelFrames};
pub use names::{KernelFunction, Mapped, Name, Names};
pub use process::{NO_SOCKET, Process};
pub use series::Series;
pub use snapshot::{
    Backing, CpuCalls, Device, Drop, Facts, Filter, Finding, Function, HISTORY, Health, HostInfo,
    Latency, Queue, SCHEMA, STACKS_EXPORTED, Share, Snapshot, Stack, Summary, Tcp,
};
pub use stage::{
    Boundary, Context, Direction, Kind, Leaf, StageId, StageSet, Task, Verdict, judge,
};
pub use time::{format_time, parse_time};
pub use want::Want;
pub use window::Weighed;
