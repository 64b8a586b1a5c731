//! The window of past intervals behind the stack tree. Bounded: of each second only the heaviest
//! stacks stay whole; lighter ones are folded into their callers, and counted.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;

use super::chain::{ChainId, ChainTable};
use super::process::SEVERAL;
use super::snapshot::STACKS_EXPORTED;

/// Stacks that a second leaves to the window whole (another interval its share).
const STACKS_KEPT: usize = 1000;

/// No interval leaves more than so many seconds do.
const MOST_SECONDS: f64 = 30.0;

/// How many outermost frames a folded stack keeps: as many as leave few enough stacks.
const OUTER_FRAMES: [usize; 5] = [16, 8, 4, 2, 1];

/// A stack of the window: where it was hit, by whom, and how often.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighed {
    pub event: u16,
    pub pid: u32,
    /// `None`: hits whose stacks were not kept apart.
    pub chain: Option<ChainId>,
    pub weight: f64,
    pub samples: u64,
}

pub type Sums = FxHashMap<(u16, u32, Option<ChainId>), (f64, u64)>;

#[derive(Debug, Default)]
pub struct StackWindow {
    intervals: VecDeque<(f64, Vec<Weighed>)>,
    /// Every stack of an interval stays whole: as many as the table of chains has room for.
    pub whole: bool,
}

impl StackWindow {
    /// Takes an interval's stacks, heaviest first, with their holds on `chains`, and lets go of
    /// what is older than the window. Returns how many samples lost frames by folding.
    pub fn keep(
        &mut self,
        seconds: f64,
        window_s: f64,
        stacks: &[Weighed],
        chains: &mut ChainTable,
    ) -> u64 {
        let least_seconds = STACKS_EXPORTED as f64 / STACKS_KEPT as f64;
        let most = if self.whole {
            stacks.len()
        } else {
            (STACKS_KEPT as f64 * seconds.clamp(least_seconds, MOST_SECONDS)) as usize
        };
        let (whole, light) = stacks.split_at(most.min(stacks.len()));
        let mut kept = whole.to_vec();
        kept.extend(fold_into_callers(light, most / 4, chains));
        self.intervals.push_back((seconds, kept));
        while self.intervals.len() > 1 && self.seconds() > window_s + 0.5 {
            if let Some((_, old)) = self.intervals.pop_front() {
                release(&old, chains);
            }
        }
        light.iter().map(|stack| stack.samples).sum()
    }

    pub fn seconds(&self) -> f64 {
        self.intervals.iter().map(|(seconds, _)| seconds).sum()
    }

    /// The window's stacks added up, heaviest first, at most `most` of them.
    pub fn heaviest(&self, most: usize) -> Vec<Weighed> {
        let mut sums = Sums::default();
        for stack in self.intervals.iter().flat_map(|(_, stacks)| stacks) {
            let cell = sums
                .entry((stack.event, stack.pid, stack.chain))
                .or_default();
            cell.0 += stack.weight;
            cell.1 += stack.samples;
        }
        let mut all = heaviest_first(sums);
        all.truncate(most);
        all
    }

    pub fn forget(&mut self, chains: &mut ChainTable) {
        for (_, old) in std::mem::take(&mut self.intervals) {
            release(&old, chains);
        }
    }
}

/// Light stacks by their outermost frames, in at most about `most` stacks; their holds go over.
fn fold_into_callers(light: &[Weighed], most: usize, chains: &mut ChainTable) -> Vec<Weighed> {
    if light.is_empty() {
        return Vec::new();
    }
    let mut folded: FxHashMap<(u16, u32, Vec<u64>), (f64, u64)> = FxHashMap::default();
    for frames in OUTER_FRAMES {
        folded.clear();
        for stack in light {
            let outer = stack.chain.map(|chain| chains.outermost(chain, frames));
            // The fewest frames of all are not told apart by process either.
            let pid = if frames == 1 { SEVERAL } else { stack.pid };
            let cell = folded
                .entry((stack.event, pid, outer.unwrap_or_default()))
                .or_default();
            cell.0 += stack.weight;
            cell.1 += stack.samples;
        }
        if folded.len() <= most {
            break;
        }
    }
    let mut sums = Sums::default();
    for ((event, pid, outer), (weight, samples)) in folded {
        // What cannot be told apart by then has no frames at all.
        let chain =
            (!outer.is_empty() && sums.len() < most.max(1)).then(|| chains.hold(pid, &outer));
        let key = (event, if chain.is_some() { pid } else { SEVERAL }, chain);
        let cell = sums.entry(key).or_default();
        cell.0 += weight;
        cell.1 += samples;
    }
    release(light, chains);
    heaviest_first(sums)
}

fn release(stacks: &[Weighed], chains: &mut ChainTable) {
    stacks
        .iter()
        .filter_map(|stack| stack.chain)
        .for_each(|chain| chains.release(chain));
}

/// Equal weights in a fixed order, so that the same samples give the same table.
pub fn heaviest_first(sums: Sums) -> Vec<Weighed> {
    let weighed = |((event, pid, chain), (weight, samples))| Weighed {
        event,
        pid,
        chain,
        weight,
        samples,
    };
    let mut all: Vec<Weighed> = sums.into_iter().map(weighed).collect();
    all.sort_by(|a, b| {
        b.weight
            .total_cmp(&a.weight)
            .then((a.event, a.pid, a.chain).cmp(&(b.event, b.pid, b.chain)))
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: u64 = (-128i64) as u64;
    const USER: u64 = (-512i64) as u64;

    fn stack(chains: &mut ChainTable, chain: &[u64]) -> Weighed {
        Weighed {
            event: 0,
            pid: 7,
            chain: Some(chains.hold(7, chain)),
            weight: 1.0,
            samples: 1,
        }
    }

    #[test]
    fn light_stacks_are_folded_into_their_callers_and_nothing_is_lost() {
        let mut chains = ChainTable::default();
        let mut window = StackWindow::default();
        let mut stacks = Vec::new();
        for leaf in 0..STACKS_KEPT as u64 + 5000 {
            let chain = [KERNEL, 900_000 + leaf, 500 + leaf % 10, 400, USER, 30000];
            stacks.push(stack(&mut chains, &chain));
        }
        assert_eq!(window.keep(1.0, 30.0, &stacks, &mut chains), 5000);
        let all = window.heaviest(usize::MAX);
        let total: f64 = all.iter().map(|s| s.weight).sum();
        assert!((total - (STACKS_KEPT as f64 + 5000.0)).abs() < 1e-6);
        // Two frames are what leaves few enough: 400 below 30000, all in one.
        assert_eq!(all.len(), STACKS_KEPT + 1);
        let folded = all[0].chain.expect("it has frames");
        assert_eq!(chains.outermost(folded, 9), [KERNEL, 399, USER, 30000]);
        window.forget(&mut chains);
        assert!(chains.is_empty());
    }

    #[test]
    fn ever_new_stacks_are_bounded_even_when_their_callers_are_new_too() {
        let mut chains = ChainTable::default();
        let mut window = StackWindow::default();
        for second in 0..40u64 {
            let new = (0..10_000u64).map(|n| second * 10_000 + n);
            let stacks: Vec<Weighed> = new
                .map(|n| stack(&mut chains, &[KERNEL, 10_000_000 + n, 20_000_000 + n]))
                .collect();
            window.keep(1.0, 30.0, &stacks, &mut chains);
            assert!(chains.len() <= 31 * (STACKS_KEPT + STACKS_KEPT / 4 + 1));
        }
        let total: f64 = window.heaviest(usize::MAX).iter().map(|s| s.weight).sum();
        assert!((total - 300_000.0).abs() < 1e-3);
    }
}
