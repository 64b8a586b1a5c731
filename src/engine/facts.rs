//! What the advice has to know of the host's settings.

use std::sync::Arc;

use super::device::devices::netns_name;
use crate::decode::SlowSample;
use crate::model::Facts;

/// A new reading: what did not change is shared with the snapshots before.
pub fn ingest(facts: &mut Facts, slow: &SlowSample) {
    if *facts.sysctls != slow.sysctls {
        facts.sysctls = Arc::new(slow.sysctls.clone());
    }
    let named = |netns: u64| netns_name(netns, slow);
    let inside = slow.sysctls_inside.iter();
    let inside = inside
        .map(|(netns, read)| (named(*netns), read.clone()))
        .collect();
    if *facts.inside != inside {
        facts.inside = Arc::new(inside);
    }
    *facts = Facts {
        sysctls: Arc::clone(&facts.sysctls),
        inside: Arc::clone(&facts.inside),
        irqbalance: slow.irqbalance,
        capture_sockets: slow.capture_sockets,
    };
}
