//! How the engine is run, and what it keeps of the host's settings for the advice.

use std::sync::Arc;
use std::time::Duration;

use super::devices::netns_name;
use super::{Counting, Engine};
use crate::advice::Limits;
use crate::decode::SlowSample;
use crate::model::Facts;

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

impl Engine {
    pub(super) fn take_facts(&mut self, slow: &SlowSample) {
        if *self.facts.sysctls != slow.sysctls {
            self.facts.sysctls = Arc::new(slow.sysctls.clone());
        }
        let named = |netns: u64| netns_name(netns, slow);
        let inside = slow.sysctls_inside.iter();
        let inside = inside
            .map(|(netns, read)| (named(*netns), read.clone()))
            .collect();
        if *self.facts.inside != inside {
            self.facts.inside = Arc::new(inside);
        }
        self.facts = Facts {
            sysctls: Arc::clone(&self.facts.sysctls),
            inside: Arc::clone(&self.facts.inside),
            irqbalance: slow.irqbalance,
            capture_sockets: slow.capture_sockets,
        };
    }
}
