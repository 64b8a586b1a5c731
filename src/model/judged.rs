//! Chains judged once: what is known of each kernel address, kept, and the verdict on a chain with
//! the function rows it passes through.

use rustc_hash::FxHashMap;

use super::chain::{Entry, entries};
use super::names::Names;
use super::stage::{Kind, Task, Verdict, judge};

/// Addresses kept; at this many all are forgotten and asked for again.
const MOST: usize = 1 << 16;

/// The verdict on a chain, and which rows of the function table it belongs to (a bit per row).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    pub verdict: Verdict,
    /// Rows one of whose functions is inside the cut.
    pub rows: u64,
    /// Rows one of whose functions ran itself.
    pub own_rows: u64,
    /// A profiler's own work, whatever it interrupted.
    pub observer: bool,
}

/// What is known of kernel functions, by address.
#[derive(Debug, Default)]
pub struct KernelFrames {
    rows: FxHashMap<&'static str, u64>,
    known: FxHashMap<u64, (Kind, u64)>,
}

impl KernelFrames {
    /// `symbols`: kernel functions and the row (below 64) their time belongs to.
    pub fn new(symbols: impl IntoIterator<Item = (&'static str, usize)>) -> KernelFrames {
        let mut frames = KernelFrames::default();
        for (symbol, row) in symbols {
            *frames.rows.entry(symbol).or_default() |= 1_u64.checked_shl(row as u32).unwrap_or(0);
        }
        frames
    }

    /// `None`: a name is still being looked up.
    pub fn judge(&mut self, pid: u32, chain: &[u64], names: &mut dyn Names) -> Option<Judged> {
        let mut kinds = Vec::with_capacity(chain.len());
        let mut bits = Vec::with_capacity(chain.len());
        for entry in entries(chain) {
            if let Entry::Kernel(address) = entry {
                let (kind, rows) = self.look_up(address, names)?;
                kinds.push(kind);
                bits.push(rows);
            }
        }
        let verdict = judge(&kinds, Task::of(pid, &kinds));
        let inside = &bits[..verdict.cut];
        Some(Judged {
            verdict,
            rows: inside.iter().fold(0, |all, rows| all | rows),
            own_rows: inside.first().copied().unwrap_or(0),
            observer: kinds[..verdict.cut].iter().any(|kind| kind.observer),
        })
    }

    fn look_up(&mut self, address: u64, names: &mut dyn Names) -> Option<(Kind, u64)> {
        if let Some(known) = self.known.get(&address) {
            return Some(*known);
        }
        let function = names.function(address)?;
        let rows = self.rows.get(&*function.plain).copied().unwrap_or(0);
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(address, (function.kind, rows));
        Some((function.kind, rows))
    }
}
