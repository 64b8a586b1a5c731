//! How the engine is run.

use std::time::Duration;

use super::Counting;
use crate::advice::Limits;

/// How the engine is run.
pub struct Settings {
    pub max_overhead_pct: f64,
    pub counting: Counting,
    /// The length of the first shown interval, when it shall be shorter than the others.
    pub first_interval: Option<Duration>,
    /// What is missing on this host and the command that mends it.
    pub banner: Option<String>,
    /// Sentences for `health.notes` from the start on.
    pub notes: Vec<String>,
    /// Nothing is attached any more: the first interval is as good as any.
    pub recorded: bool,
    /// What the advice compares with.
    pub limits: Limits,
}
