//! perf.data, in both directions. What perf has no place for (exact counts, tick boundaries, host
//! counters, names) stands behind the last section, in netop's trailer.
//! Knows no probe, no engine, no screen.

mod attr;
mod body;
mod described;
mod fault;
mod features;
mod recording;
mod records;
mod side_band;
mod stream;
mod tracing;
mod trailer;
mod trailer_reader;
mod write;

pub use attr::{Attr, HARDWARE, SOFTWARE, TRACEPOINT, part};
pub use body::{IdPlace, Read, SampleBody, Tail};
pub use described::{ClockData, Described};
pub use fault::Fault;
pub use recording::{MAGIC, Recording, other_kind};
pub use records::Record;
pub use side_band::side_band;
pub use trailer::{BEGIN, END, Line, Run, Symbols, VERSION};
pub use trailer_reader::{Kept, TrailerReader};
pub use write::{Begin, BuildId, ClockPair, Ending, Writer};
