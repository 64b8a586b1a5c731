//! What an interval brought, as the rows of functions look at it.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::duty_cycle_error::DutyCycleError;
use crate::decode::{Carried, Counts, DeviceCounts, EventId, Session};
use crate::engine::cpu::cpus::Cpus;
use crate::engine::governor::Plan;
use crate::engine::governor::counting::FreeNow;
use crate::engine::registry::Registry;
use crate::model::{Folded, Want};

/// What an interval brought.
#[derive(Clone, Copy)]
pub struct Interval<'a> {
    pub registry: &'a Registry,
    pub session: &'a Session,
    pub want: &'a Want,
    pub plan: &'a Plan,
    pub free: FreeNow,
    pub counts: &'a [Counts],
    pub duty_error: &'a DutyCycleError,
    /// Of gated events, exact.
    pub carried: &'a [Carried],
    pub devices: &'a [DeviceCounts],
    /// Whose sockets the samples were for.
    pub owned: &'a [(EventId, Arc<str>, f64)],
    /// Events whose hits for processes are known from samples alone.
    pub by_sample: &'a FxHashSet<EventId>,
    pub cpus: &'a Cpus,
    pub folded: &'a Folded,
    /// The name of a process.
    pub process: &'a dyn Fn(u32) -> Arc<str>,
    pub samples: &'a FxHashMap<EventId, u64>,
    pub length_ns: u64,
}
