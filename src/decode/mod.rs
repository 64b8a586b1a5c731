//! Bytes → numbers, pure. Also the plain values that sources and files share.
//! Knows no tracepoint by name, no model, no screen.

mod batch;
mod demand;
mod session;
mod tick;

pub use batch::{Batch, Loss, Sample, Span};
pub use demand::{Attach, Demand};
pub use session::{ClockKind, Event, EventId, EventSpec, FIELDS, Host, Session, SourceKind};
pub use tick::{
    Counts, CpuCounters, CpuTime, HostSample, IrqCounter, LinkCounters, OwnCost, ProtocolCounters,
    SlowSample, Softnet, TaskCounters, Tick,
};
