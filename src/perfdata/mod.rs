//! perf.data, in both directions. What perf has no place for (exact counts, tick boundaries, host
//! counters, names) stands behind the last section, in netop's trailer.
//! Knows no probe, no engine, no screen.

mod trailer;
mod write;

pub use trailer::{BEGIN, END, Line, Run, Symbols, VERSION};
pub use write::{Begin, BuildId, ClockPair, Ending, Writer};
