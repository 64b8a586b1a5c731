//! perf.data, in both directions. What perf has no place for (exact counts, tick boundaries, host
//! counters, names) stands behind the last section, in netop's trailer.
//! Knows no probe, no engine, no screen.

mod trailer;

pub use trailer::{BEGIN, END, Line, Run, Symbols, VERSION};
