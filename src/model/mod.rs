//! The vocabulary and the fold: events become counts, series and stacks, and a tick makes them a
//! snapshot. Knows no kernel, no clock, no screen.

mod chain;
mod cost;
mod cpu;
mod cpu_fold;
mod device;
mod fold;
mod judged;
mod names;
mod series;
mod snapshot;
mod stage;
mod time;
mod want;
mod window;

pub use cost::{Bounded, differ, ratio, t95};
pub use cpu::{Busy, Cpu, CpuPart, Part, Serves, Stage};
pub use cpu_fold::{CpuFold, CpuFolded, Sampled, Spot};
pub use device::{Coalescing, Device, DeviceIrq, DriverFigure, Offload, Qdisc, Queue, Setup};
pub use fold::{Fold, Folded, Hit, Sums, Tagged};
pub use judged::{Judged, KernelFrames};
pub use names::{KernelFunction, Mapped, Name, Names};
pub use series::Series;
pub use snapshot::{
    Backing, CpuCalls, Drop, Facts, Filter, Finding, Function, HISTORY, Health, HostInfo, Latency,
    Process, SCHEMA, STACKS_EXPORTED, Share, Snapshot, Stack, Summary, Tcp,
};
pub use stage::{
    Boundary, Context, Direction, Kind, Leaf, StageId, StageSet, Task, Verdict, judge,
};
pub use time::format_time;
pub use want::Want;
pub use window::Weighed;
