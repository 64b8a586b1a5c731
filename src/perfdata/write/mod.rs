//! A recording as it is written. perf's part can be read at any time after its last round; the
//! header says so only in the end (until then its data size is 0).
//!
//! ```text
//! header │ ids │ attrs │ data … round, round, round │ table of features │ features │ netop's trailer
//! ```

mod attr;
mod bytes;
mod features;
mod header;
mod records;
mod tracing;
mod trailer;
mod weights;
mod writer;

pub use features::{BuildId, ClockPair};
pub use writer::{Begin, Ending, Writer};
