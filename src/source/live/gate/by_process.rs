//! Hits by process, as the gate counts them: of whoever ran.

use rustc_hash::FxHashMap;

use super::{Brought, Open};
use crate::decode::Counts;
use crate::sys::Gate;

/// Ticks after which a process that causes no hits any more makes room for another.
const IDLE_TICKS: u32 = 30;

/// By process and program.
#[derive(Default)]
pub struct ByProcess(FxHashMap<(u32, usize), Process>);

#[derive(Default)]
struct Process {
    hits: u64,
    bytes: u64,
    idle: u32,
}

impl ByProcess {
    /// `pids`: those of the filter, or none. Others were counted before it was set.
    pub fn read(
        &mut self,
        (gate, open): (&mut Gate, &[Open]),
        (now, from): (u64, u64),
        pids: &[u32],
        brought: &mut Brought,
    ) {
        let known = &mut self.0;
        gate.processes(|pid, program, hits, bytes| {
            let process = known.entry((pid, program)).or_default();
            let new = hits.saturating_sub(process.hits);
            let new_bytes = bytes.saturating_sub(process.bytes);
            process.hits = hits;
            process.bytes = bytes;
            process.idle = if new == 0 { process.idle + 1 } else { 0 };
            let wanted = pids.is_empty() || pids.contains(&pid);
            let attached = open.iter().find(|o| o.program == program);
            if let Some(open) = attached.filter(|_| wanted) {
                brought.counts.push(Counts {
                    event: open.event,
                    cpu: None,
                    pid: Some(pid),
                    hits: new,
                    bytes: new_bytes,
                    span_ns: now.saturating_sub(open.since.max(from)),
                    gate: true,
                    spread: None,
                });
            }
            let kept = process.idle < IDLE_TICKS;
            if !kept {
                known.remove(&(pid, program));
            }
            kept
        });
    }
}
