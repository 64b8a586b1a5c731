//! The vocabulary and the fold: events become counts, series and stacks, and a tick makes them a
//! snapshot. Knows no kernel, no clock, no screen.

mod chain;
pub mod compare;
mod cost;
mod cpu;
mod cpu_fold;
mod device;
mod drop;
mod finding;
mod fold;
mod histogram;
mod host_event;
mod judged;
mod latency;
mod module;
mod names;
mod observable;
mod process;
mod ranked;
pub mod reason;
mod role;
mod series;
mod setting;
mod snapshot;
mod spent;
mod stage;
mod steers;
mod tcp;
mod time;
mod want;
mod window;

pub use chain::{Entry, entries};
pub use cost::{Bounded, differ, ratio, t95};
pub use cpu::{Busy, Cpu, CpuPart, OUTSIDE, Part, Serves, Stage};
pub use cpu_fold::{CpuFold, CpuFolded, Sampled, Spot};
pub use device::{
    Coalescing, Device, DeviceIrq, DriverFigure, Offload, OtherDevices, PauseFrames, Polling,
    Qdisc, Queue, Setup, Spreading,
};
pub use drop::{Class, ClassRate, DeviceLoss, Drop, Layer, LayerSum, Losses, Witness};
pub use finding::{Evidence, Facts, Finding, Guard, Severity, Tried};
pub use fold::{Fold, Folded, Hit, Sums, Tagged};
pub use histogram::Histogram;
pub use host_event::HostEvent;
pub use judged::{Judged, KernelFrames};
pub use latency::{HEAT_FROM, HEAT_ROWS, Heat, Latency, LatencyPart, Pair, Times};
pub use module::{ModuleFunctions, OTHER_FUNCTIONS};
pub use names::{KernelFunction, Mapped, NOWHERE, Name, Names};
pub use observable::{Observable, ObservableKind};
pub use process::{NO_SOCKET, Process, SEVERAL};
pub use ranked::Ranked;
pub use role::Role;
pub use series::Series;
pub use setting::{Changed, Settings, changed, settings};
pub use snapshot::{
    Backing, CpuCalls, Filter, Function, HISTORY, Health, HostInfo, SCHEMA, STACKS_EXPORTED, Share,
    Snapshot, Stack, Summary,
};
pub use spent::{FunctionSpent, ProcessSpent, Spent, StageSpent, WirePackets};
pub use stage::{
    Boundary, Context, Direction, Kind, Leaf, StageId, StageSet, Task, Verdict, judge,
};
pub use steers::steers;
pub use tcp::{Flow, Limit, Limited, Listener, Sockets, Tcp, TcpGroup};
pub use time::{format_time, last_time_of_day, parse_time};
pub use want::Want;
pub use window::Weighed;
