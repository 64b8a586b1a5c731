//! How the live source is opened.

use std::sync::Arc;
use std::time::Duration;

use crate::decode::EventSpec;
use crate::sys::Tracefs;

pub struct Options {
    /// The events this run knows.
    pub specs: Vec<EventSpec>,
    /// Where tracefs is, or why there are no events.
    pub tracefs: Result<Tracefs, String>,
    pub interval: Duration,
    /// Count with BPF programs where they load. The first interval waits so long for them; on a slow
    /// machine they come later, and until then only the free counters are told.
    pub gate: Option<Duration>,
    /// CPU time may be sampled, also without tracefs.
    pub clock: bool,
    /// Only these CPUs; empty: all.
    pub cpus: Arc<[u32]>,
}
