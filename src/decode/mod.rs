//! Bytes → numbers, pure. Also the plain values that sources and files share.
//! Knows no tracepoint by name, no model, no screen.

mod batch;
mod caller;
mod cpu_list;
mod demand;
mod format;
mod group;
mod host_event;
mod join;
mod latency;
mod link;
pub mod maps;
mod sample;
mod session;
mod side;
mod socket;
mod socket_reader;
mod tick;
mod windows;

pub use batch::{Batch, ENDED, Loss, Sample, Span};
pub use cpu_list::{CpuRanges, MOST_CPUS, cpu_list};
pub use demand::{ALWAYS, Attach, Demand, NOBODY};
pub use format::{Field, Format, Layout};
pub use group::{Reading, decode_group};
pub use host_event::{EventKind, HostEvent, MOST_EVENTS};
pub use join::{Means, join, later_reading};
pub use latency::{Fate, GIVEN_UP_NS, LatencySample, Timed, Timing};
pub use link::{
    Coalesce, DriverCounter, LinkCounters, LinkSetup, LinkState, MOST_QDISCS, MOST_QUEUES,
    MOST_TROUBLE, NapiSettings, Pause, QdiscCounters, QueueCounters, Ring, Rss, Trouble, Way,
};
pub use sample::{
    Binding, CONTEXT_KERNEL, CONTEXT_MAX, CONTEXT_USER, Cursor, RECORD_LOST, RECORD_LOST_SAMPLES,
    RECORD_SAMPLE, RECORD_THROTTLE, RECORD_UNTHROTTLE, decode_gated, decode_lost, decode_sample,
    lost_event,
};
pub use session::{
    ClockKind, Costs, Event, EventId, EventSpec, FIELDS, Host, Place, Session, SourceKind,
};
pub use side::{Happened, MappedFile, Mapping, SideBand};
pub use socket::{
    GroupKey, SocketCounters, SocketGroup, SocketOwner, SocketSample, TcpCounters, TcpSince,
    TcpState,
};
pub use socket_reader::SocketReader;
pub use tick::{
    CPUS_ONLINE, Carried, Compared, Counts, CpuCounters, CpuTime, DeviceCounts, HostSample,
    IrqCounter, NetnsReading, OwnCost, ProtocolCounters, ReadTimes, SlowSample, SocketCounts,
    SocketUser, Softnet, Softnets, Spread, Stretch, TaskCounters, Tick,
};
pub use windows::{Windows, together};
