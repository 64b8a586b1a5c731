//! The hits of kfree_skb of an interval by reason, function, device and socket: counted where every
//! hit was a sample, else estimated from the samples so that they add up to the count.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::model::Names;

/// Kernel frames kept of a hit; the first of them that does not itself free is the location.
const FRAMES: usize = 6;

/// Distinct cells of an interval, devices and addresses remembered.
const CELLS: usize = 4096;
const DEVICES: usize = 1024;
const ADDRESSES: usize = 8192;

/// PERF_CONTEXT_* markers are the last 4096 values (include/uapi/linux/perf_event.h).
const MARKERS: u64 = u64::MAX - 4095;
/// Kernel addresses have the highest bit; what follows in a chain is the process's own.
const KERNEL: u64 = 1 << 63;

/// So many hits, or this share of them, may be on the other side of the end of an interval.
const EDGE: u64 = 16;
const EDGE_SHARE: f64 = 0.02;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Cell {
    cpu: u32,
    reason: u64,
    frames: [u64; FRAMES],
    /// Place in `devices` + 1; 0: none.
    device: u32,
    owner: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Cpu {
    periods: u64,
    /// A sample stood for more than one hit.
    thinned: bool,
    /// Hits that were counted but not seen as samples yet (or the other way round).
    debt: i64,
}

/// Hits that had everything in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub reason: u64,
    pub location: Option<Arc<str>>,
    pub device: Option<Arc<str>>,
    /// Inode of the socket; 0: none.
    pub owner: u64,
    pub hits: f64,
    /// Every hit was a sample.
    pub exact: bool,
}

#[derive(Debug, Default)]
pub struct Events {
    cells: FxHashMap<Cell, u64>,
    cpus: FxHashMap<u32, Cpu>,
    devices: Vec<Arc<str>>,
    device_ids: FxHashMap<Box<[u8]>, u32>,
    /// Names of locations; `None`: a function that frees for others.
    functions: FxHashMap<u64, Option<Arc<str>>>,
}

/// One sample.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    pub cpu: u32,
    pub reason: u64,
    pub chain: &'a [u64],
    pub device: &'a [u8],
    pub owner: u64,
    pub period: u64,
}

impl Events {
    pub fn push(&mut self, hit: &Hit<'_>) {
        let cpu = self.cpus.entry(hit.cpu).or_default();
        cpu.periods += hit.period;
        cpu.thinned |= hit.period > 1;
        let mut frames = [0; FRAMES];
        let kernel = (hit.chain.iter().copied())
            .filter(|&address| address < MARKERS)
            .take_while(|&address| address & KERNEL != 0);
        for (frame, address) in frames.iter_mut().zip(kernel) {
            *frame = address;
        }
        let mut cell = Cell {
            cpu: hit.cpu,
            reason: hit.reason,
            frames,
            device: self.device(hit.device),
            owner: hit.owner,
        };
        if self.cells.len() >= CELLS && !self.cells.contains_key(&cell) {
            cell = Cell {
                frames: [0; FRAMES],
                device: 0,
                owner: 0,
                ..cell
            };
        }
        *self.cells.entry(cell).or_default() += hit.period;
    }

    fn device(&mut self, name: &[u8]) -> u32 {
        if name.is_empty() {
            return 0;
        }
        if let Some(&id) = self.device_ids.get(name) {
            return id;
        }
        if self.devices.len() >= DEVICES {
            return 0;
        }
        self.devices.push(String::from_utf8_lossy(name).into());
        let id = self.devices.len() as u32;
        self.device_ids.insert(name.into(), id);
        id
    }

    /// Ends an interval. `counted`: the exact hits of each CPU, where they were counted; `helpers`:
    /// functions that free for others. The second value: hits nobody sampled.
    pub fn finish(
        &mut self,
        counted: &FxHashMap<u32, u64>,
        helpers: &[&str],
        names: &mut dyn Names,
    ) -> (Vec<Seen>, u64) {
        let mut unseen = 0;
        for cpu in counted.keys() {
            self.cpus.entry(*cpu).or_default();
        }
        let mut scales: FxHashMap<u32, Scale> = FxHashMap::default();
        for (id, cpu) in &mut self.cpus {
            let hits = counted.get(id).copied();
            scales.insert(*id, cpu.settle(hits, &mut unseen));
        }
        let mut seen = Vec::with_capacity(self.cells.len());
        for (cell, periods) in std::mem::take(&mut self.cells) {
            let scale = scales.get(&cell.cpu).copied().unwrap_or(UNKNOWN);
            seen.push(Seen {
                reason: cell.reason,
                location: self.location(&cell.frames, helpers, names),
                device: (cell.device as usize)
                    .checked_sub(1)
                    .map(|place| Arc::clone(&self.devices[place])),
                owner: cell.owner,
                hits: periods as f64 * scale.factor,
                exact: scale.exact,
            });
        }
        (seen, unseen)
    }

    /// The innermost function that does not free for others; `None`: nobody can tell, or somebody
    /// is still looking.
    fn location(
        &mut self,
        frames: &[u64; FRAMES],
        helpers: &[&str],
        names: &mut dyn Names,
    ) -> Option<Arc<str>> {
        for &address in frames.iter().filter(|&&address| address != 0) {
            if let Some(known) = self.functions.get(&address) {
                match known {
                    Some(name) => return Some(Arc::clone(name)),
                    None => continue,
                }
            }
            let name = names.kernel(address);
            if name.text.starts_with("0x") {
                return None;
            }
            let frees = frees_for_others(&name.text, helpers);
            if name.settled {
                if self.functions.len() >= ADDRESSES {
                    self.functions.clear();
                }
                let kept = (!frees).then(|| Arc::clone(&name.text));
                self.functions.insert(address, kept);
            }
            if !frees {
                return Some(name.text);
            }
        }
        None
    }
}

/// From periods to hits.
#[derive(Debug, Clone, Copy)]
struct Scale {
    factor: f64,
    /// Every hit was a sample.
    exact: bool,
}

/// Nobody counted the hits.
const UNKNOWN: Scale = Scale {
    factor: 1.0,
    exact: false,
};

impl Cpu {
    fn settle(&mut self, hits: Option<u64>, unseen: &mut u64) -> Scale {
        let periods = std::mem::take(&mut self.periods);
        let thinned = std::mem::take(&mut self.thinned);
        let Some(hits) = hits else {
            self.debt = 0;
            return UNKNOWN;
        };
        let owed = self.debt + hits.cast_signed() - periods.cast_signed();
        let edge = EDGE.max((EDGE_SHARE * hits as f64) as u64).cast_signed();
        if periods > 0 && (thinned || owed.abs() > edge) {
            let due = (self.debt + hits.cast_signed()).max(0);
            self.debt = 0;
            return Scale {
                factor: due as f64 / periods as f64,
                exact: false,
            };
        }
        // What is owed over a whole interval was never a sample.
        let overdue = self.debt.min(owed).max(0);
        *unseen += overdue as u64;
        self.debt = owed - overdue;
        Scale {
            factor: 1.0,
            exact: true,
        }
    }
}

/// Functions between the tracepoint and the one that gave the packet up.
fn frees_for_others(function: &str, helpers: &[&str]) -> bool {
    let plain = function.split([' ', '.']).next().unwrap_or(function);
    helpers.contains(&plain)
        || [
            "__traceiter_",
            "bpf_",
            "perf_trace_",
            "__bpf_trace_",
            "__probestub_",
        ]
        .iter()
        .any(|prefix| plain.starts_with(prefix))
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
