//! Two measurements of a host against each other: what a packet costs, each stage, function, device
//! and process. A change is called one when it is more than the variance between seconds makes
//! likely (docs/measuring.md).
//!
//! ```text
//!   snapshots ─► Second ─► Measured (a series per figure) ─► Mean ─┐
//!   snapshots ─► Second ─► Measured                       ─► Mean ─┴► Change ─► Comparison
//! ```

mod change;
mod judge;
mod mean;
mod measured;
mod second;
mod welch;

pub use change::{Change, Comparison, Load, RowChange, SideInfo, Verdict};
pub use judge::compare;
pub use measured::{Measured, TooMany};
pub use second::{Cell, Key, Origin, Second, Window, Windowed};

#[cfg(test)]
mod tests;
