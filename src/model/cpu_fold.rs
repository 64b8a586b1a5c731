//! The fold of one interval's CPU samples: weights scaled to the exact time of each CPU, chains
//! judged, stacks kept for the window.

use rustc_hash::FxHashMap;

use super::chain::{CELLS_PER_INTERVAL, ChainId, ChainTable, Frames, others};
use super::judged::{Judged, KernelFrames};
use super::module::ModuleFunctions;
use super::names::Names;
use super::stage::Context;
use super::window::{StackWindow, Sums, Weighed, heaviest_first};

/// CPU time of one chain of one process on one CPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    pub cpu: u32,
    pub pid: u32,
    pub ns: f64,
    /// `None`: its names are still being looked up, or it was not kept apart.
    pub judged: Option<Judged>,
}

#[derive(Debug, Default)]
pub struct CpuFold {
    chains: ChainTable,
    frames: KernelFrames,
    /// CPU, process and chain → periods, samples.
    stacks: FxHashMap<(u32, u32, Option<ChainId>), (u64, u64)>,
    window: StackWindow,
    /// All CPUs' time is split by what the samples of all of them stand for.
    by_periods: bool,
}

/// What the samples of a CPU stand for as they come: ns of the timer, or cycles.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sampled {
    pub all: f64,
    /// Of the idle task.
    pub idle: f64,
    /// How many they are.
    pub number: u64,
}

/// What an interval's CPU samples add up to.
#[derive(Debug, Default)]
pub struct CpuFolded {
    pub spots: Vec<Spot>,
    /// Those that are kept, heaviest first.
    pub stacks: Vec<Weighed>,
    pub samples: u64,
    /// The time that the samples of each CPU share, ns.
    pub shared: FxHashMap<u32, f64>,
    /// Samples whose stacks the window shortened.
    pub samples_folded: u64,
}

impl CpuFold {
    pub fn new(frames: KernelFrames) -> CpuFold {
        CpuFold {
            frames,
            ..CpuFold::default()
        }
    }

    /// The functions of the wanted module that samples met so far; `None`: none is wanted.
    pub fn module(&self) -> Option<&ModuleFunctions> {
        self.frames.module()
    }

    /// The verdict on a chain of another table.
    pub fn judge(
        &mut self,
        chains: &mut ChainTable,
        chain: ChainId,
        names: &mut dyn Names,
    ) -> Option<Judged> {
        chains.judged(chain, &mut self.frames, names)
    }

    /// `period`: ns of the timer, or cycles.
    pub fn push(&mut self, cpu: u32, pid: u32, period: u64, chain: &[u64]) {
        let mut chain = self.chains.meet(pid, chain);
        if let Some(id) = chain
            && self.stacks.len() >= CELLS_PER_INTERVAL
            && !self.stacks.contains_key(&(cpu, pid, chain))
        {
            self.chains.forgo(id);
            chain = None;
        }
        let cell = self.stacks.entry((cpu, pid, chain)).or_default();
        if let (Some(chain), 0) = (chain, cell.1) {
            self.chains.hold_again(chain);
        }
        cell.0 += period;
        cell.1 += 1;
    }

    /// Ends the interval of `seconds`. `share` gives the ns that the samples of a CPU share;
    /// `keep` says which stacks the window keeps, which spans at most `window_s`.
    pub fn finish(
        &mut self,
        (seconds, window_s): (f64, f64),
        share: impl Fn(u32, Sampled) -> f64,
        keep: impl Fn(u32, Option<Judged>) -> bool,
        names: &mut dyn Names,
    ) -> CpuFolded {
        let mut folded = CpuFolded::default();
        let mut sampled: FxHashMap<u32, Sampled> = FxHashMap::default();
        let mut judged = Vec::with_capacity(self.stacks.len());
        for ((cpu, pid, chain), (periods, samples)) in self.stacks.drain() {
            let verdict = chain.and_then(|id| self.chains.judged(id, &mut self.frames, names));
            let of = sampled.entry(cpu).or_default();
            of.all += periods as f64;
            of.number += samples;
            if verdict.is_some_and(|j| j.verdict.context == Context::Idle) {
                of.idle += periods as f64;
            }
            judged.push((cpu, pid, chain, periods as f64, samples, verdict));
        }
        for (&cpu, &of) in &sampled {
            folded.shared.insert(cpu, share(cpu, of));
        }
        if self.by_periods {
            let time: f64 = folded.shared.values().sum();
            let all: f64 = sampled.values().map(|of| of.all).sum();
            for (cpu, share) in &mut folded.shared {
                *share = time * sampled[cpu].all / all.max(1.0);
            }
        }
        let mut kept = Sums::default();
        for (cpu, pid, chain, periods, samples, judged) in judged {
            let all = sampled.get(&cpu).map_or(1.0, |of| of.all.max(1.0));
            let ns = periods * folded.shared.get(&cpu).copied().unwrap_or(0.0) / all;
            folded.samples += samples;
            folded.spots.push(Spot {
                cpu,
                pid,
                ns,
                judged,
            });
            if !keep(pid, judged) {
                if let Some(chain) = chain {
                    self.chains.release(chain);
                }
                continue;
            }
            let cell = kept.entry((u16::MAX, pid, chain)).or_default();
            if let (Some(chain), true) = (chain, cell.1 > 0) {
                self.chains.release(chain);
            }
            cell.0 += ns;
            cell.1 += samples;
        }
        folded.stacks = heaviest_first(kept);
        folded.samples_folded =
            self.window
                .keep(seconds, window_s, &folded.stacks, &mut self.chains);
        folded
    }

    /// The verdict on a stack, its frames leaf first, and how many of them its context has.
    pub fn describe(
        &mut self,
        stack: &Weighed,
        names: &mut dyn Names,
    ) -> (Option<Judged>, Frames, usize) {
        let Some(chain) = stack.chain else {
            return (None, others(), 1);
        };
        let judged = self.chains.judged(chain, &mut self.frames, names);
        let frames = self.chains.names(chain, names);
        let cut = match judged {
            Some(judged) if judged.verdict.interrupted => judged.verdict.cut,
            _ => frames.len(),
        };
        (judged, frames, cut)
    }

    /// A profile that is made once: no stack is folded into its callers. `by_periods`: of cycles, as perf
    /// has them; else each CPU's time is split by its own samples.
    pub fn keep_whole(&mut self, whole: bool, by_periods: bool) {
        self.window.whole = whole;
        self.by_periods = by_periods;
    }

    pub fn window_seconds(&self) -> f64 {
        self.window.seconds()
    }

    /// The window's stacks added up, heaviest first, at most `most` of them.
    pub fn window(&self, most: usize) -> Vec<Weighed> {
        self.window.heaviest(most)
    }

    /// Forgets everything: the question has changed.
    pub fn forget(&mut self) {
        for ((.., chain), _) in std::mem::take(&mut self.stacks) {
            if let Some(chain) = chain {
                self.chains.release(chain);
            }
        }
        self.window.forget(&mut self.chains);
    }
}
