//! The vocabulary and the fold: events become counts, series and stacks, and a tick makes them a
//! snapshot. Knows no kernel, no clock, no screen.

mod chain;
pub mod compare;
mod cost;
mod cpu;
mod cpu_fold;
mod drop;
mod finding;
mod fold;
mod histogram;
mod judged;
mod latency;
mod names;
pub mod reason;
mod process;
mod series;
mod snapshot;
mod spent;
mod stage;
mod tcp;
mod time;
mod want;
mod window;

pub use chain::{Entry, entries};
pub use cost::{Bounded, differ, ratio, t95};
pub use cpu::{Cpu, CpuPart, Part, Stage};
pub use cpu_fold::{CpuFold, CpuFolded, Sampled, Spot};
pub use drop::{Class, ClassRate, DeviceLoss, Drop, Layer, LayerSum, Losses, Witness};
pub use finding::{Evidence, Facts, Finding, Guard, Severity};
pub use fold::{Fold, Folded, Hit, Sums, Tagged};
pub use histogram::Histogram;
pub use judged::{Judged, KernelFrames};
pub use latency::{HEAT_FROM, HEAT_ROWS, Heat, Latency, LatencyPart, Pair, Times};
pub use names::{KernelFunction, Mapped, Name, Names};
pub use process::{NO_SOCKET, Process};
pub use series::Series;
pub use snapshot::{
    Backing, CpuCalls, Device, Filter, Function, HISTORY, Health, HostInfo, Queue, SCHEMA, STACKS_EXPORTED, Share, Snapshot, Stack, Summary,
};
pub use spent::{FunctionSpent, ProcessSpent, Spent, StageSpent, WirePackets};
pub use stage::{
    Boundary, Context, Direction, Kind, Leaf, StageId, StageSet, Task, Verdict, judge,
};
pub use time::{format_time, parse_time};
pub use tcp::{Flow, Limit, Limited, Listener, Sockets, Tcp, TcpGroup};
pub use want::Want;
pub use window::Weighed;
