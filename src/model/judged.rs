//! Chains judged once: what is known of each kernel address, kept, and the verdict on a chain with
//! the function rows it passes through.

use rustc_hash::FxHashMap;

use super::chain::{Entry, entries};
use super::module::ModuleFunctions;
use super::names::Names;
use super::stage::{Context, Kind, Task, Verdict, judge};

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
    /// Functions of the wanted module inside the cut ([`ModuleFunctions`]).
    pub module: u64,
    /// The one of them that ran itself.
    pub module_own: u64,
}

impl Judged {
    /// It passes through the wanted module; an idle CPU takes no time.
    pub fn is_of_module(self) -> bool {
        self.module != 0 && self.verdict.context != Context::Idle
    }
}

/// What is kept of one kernel function.
#[derive(Debug, Clone, Copy)]
struct Known {
    kind: Kind,
    rows: u64,
    module: u64,
}

/// What is known of kernel functions, by address.
#[derive(Debug, Default)]
pub struct KernelFrames {
    rows: FxHashMap<&'static str, u64>,
    known: FxHashMap<u64, Known>,
    module: Option<ModuleFunctions>,
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

    /// The module whose functions are told apart.
    #[must_use]
    pub fn with_module(mut self, module: Option<&str>) -> KernelFrames {
        self.module = module.map(ModuleFunctions::of);
        self
    }

    /// `None`: no module is wanted.
    pub fn module(&self) -> Option<&ModuleFunctions> {
        self.module.as_ref()
    }

    /// `None`: a name is still being looked up.
    pub fn judge(&mut self, pid: u32, chain: &[u64], names: &mut dyn Names) -> Option<Judged> {
        let mut kinds = Vec::with_capacity(chain.len());
        let mut functions = Vec::with_capacity(chain.len());
        for entry in entries(chain) {
            if let Entry::Kernel(address) = entry {
                let known = self.look_up(address, names)?;
                kinds.push(known.kind);
                functions.push(known);
            }
        }
        let verdict = judge(&kinds, Task::of(pid, &kinds));
        let inside = &functions[..verdict.cut];
        let own = inside.first();
        // What a profiler does within a function of the module is not the function's; a profiler
        // that is of the module itself has the time it takes.
        let observer = inside.iter().rposition(|known| known.kind.observer);
        let of_module = observer.map_or(inside, |outermost| &inside[..=outermost]);
        Some(Judged {
            verdict,
            rows: inside.iter().fold(0, |all, known| all | known.rows),
            own_rows: own.map_or(0, |known| known.rows),
            observer: observer.is_some(),
            module: of_module.iter().fold(0, |all, known| all | known.module),
            module_own: own.map_or(0, |known| known.module),
        })
    }

    fn look_up(&mut self, address: u64, names: &mut dyn Names) -> Option<Known> {
        if let Some(known) = self.known.get(&address) {
            return Some(*known);
        }
        let function = names.function(address)?;
        let known = Known {
            kind: function.kind,
            rows: self.rows.get(&*function.plain).copied().unwrap_or(0),
            module: (self.module.as_mut()).map_or(0, |module| module.bit(&function)),
        };
        if self.known.len() >= MOST {
            self.known.clear();
        }
        self.known.insert(address, known);
        Some(known)
    }
}
