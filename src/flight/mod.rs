//! The flight recorder's ring: a directory of segments, the oldest of which leave for the newest.
//! Knows no source, no engine; has no clock: its time is that of the ticks.
//!
//! ```text
//! DIR/lock                                held by the one who records
//! DIR/20261123T031000.123Z.netop-flight   MAGIC │ version u32 │ 0 u32 │ block …
//!                                         block: bytes u32 │ CRC-32 u32 │ part of zstd( one JSON Entry per line )
//! ```
//!
//! A segment is named by the wall clock of its first second and stands for itself: it begins with
//! the run and the session. Every second ends a block, so that what is killed loses none; the end
//! of the compressed stream is missing then, and the segment is read up to there.

mod entry;
mod ring;
mod segment;
mod segment_reader;
mod thin;

pub use entry::{Begin, Entry, MAGIC, VERSION};
pub use ring::{Limits, Ring, Segment, segments};
pub use segment_reader::{Ended, SegmentReader};
