//! The fold of one interval's samples, and the window of intervals behind the stack tree.
//!
//! Every sample comes with the period in force when it was taken. At the end of the interval
//! the weights of an event on a CPU are scaled so that they add up to its exact count: the
//! composition is sampled, the total is not. (The period alone is biased: the kernel restarts a
//! period at each change, so that the next hit is always a sample; and samples get lost.)

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::chain::{CELLS_PER_INTERVAL, ChainId, ChainTable, Frames, others};
use super::names::Names;
use super::window::{self, StackWindow, Weighed, heaviest_first};

/// Distinct tags (devices, drop reasons) of one event.
const TAGS: usize = 256;

/// One sampled hit, as the engine understood it.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    pub event: u16,
    pub cpu: u32,
    pub pid: u32,
    /// Hits it stands for before scaling.
    pub period: u64,
    /// Leaf first, with context markers.
    pub chain: &'a [u64],
    pub tag: Option<(&'static str, &'a str)>,
    pub packets: Option<f64>,
    pub bytes: Option<f64>,
}

/// Weighted sums, before scaling in units of the period.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    pub weight: f64,
    pub samples: u64,
    pub packets: f64,
    pub bytes: f64,
    /// Weight of the samples that carried a packet count, and of those with a length.
    pub with_packets: f64,
    pub with_bytes: f64,
}

impl Sums {
    fn add(&mut self, hit: &Hit<'_>) {
        let weight = hit.period as f64;
        self.weight += weight;
        self.samples += 1;
        if let Some(packets) = hit.packets {
            self.packets += packets * weight;
            self.with_packets += weight;
        }
        if let Some(bytes) = hit.bytes {
            self.bytes += bytes * weight;
            self.with_bytes += weight;
        }
    }

    fn add_scaled(&mut self, other: &Sums, scale: f64) {
        self.weight += other.weight * scale;
        self.samples += other.samples;
        self.packets += other.packets * scale;
        self.bytes += other.bytes * scale;
        self.with_packets += other.with_packets * scale;
        self.with_bytes += other.with_bytes * scale;
    }
}

/// What the hits of an event were about.
#[derive(Debug, Clone, PartialEq)]
pub struct Tagged {
    pub event: u16,
    pub kind: &'static str,
    pub name: Arc<str>,
    pub hits: f64,
}

/// What an interval's samples add up to.
#[derive(Debug, Default)]
pub struct Folded {
    pub per_event: FxHashMap<u16, Sums>,
    pub per_process: FxHashMap<(u16, u32), Sums>,
    /// Heaviest first.
    pub tags: Vec<Tagged>,
    /// Heaviest first.
    pub stacks: Vec<Weighed>,
    /// Samples whose stacks the window shortened.
    pub samples_folded: u64,
}

type Spot = (u16, u32);

/// Event, CPU, process and chain.
type StackKey = (u16, u32, u32, Option<ChainId>);

#[derive(Debug, Default)]
pub struct Fold {
    pub chains: ChainTable,
    totals: FxHashMap<Spot, u64>,
    stacks: FxHashMap<StackKey, (u64, u64)>,
    processes: FxHashMap<(u16, u32, u32), Sums>,
    tags: FxHashMap<(u16, u32, u32), u64>,
    tag_names: Vec<(&'static str, Arc<str>)>,
    tag_ids: FxHashMap<Box<str>, u32>,
    window: StackWindow,
}

impl Fold {
    /// `counted`: the hit belongs to the filter; a foreign one only takes part in the scale.
    pub fn push(&mut self, hit: &Hit<'_>, counted: bool) {
        *self.totals.entry((hit.event, hit.cpu)).or_default() += hit.period;
        if !counted {
            return;
        }
        self.processes
            .entry((hit.event, hit.cpu, hit.pid))
            .or_default()
            .add(hit);
        if let Some((kind, name)) = hit.tag {
            let id = self.tag_id(kind, name);
            *self.tags.entry((hit.event, hit.cpu, id)).or_default() += hit.period;
        }
        let mut chain = self.chains.meet(hit.pid, hit.chain);
        let mut key = (hit.event, hit.cpu, hit.pid, chain);
        if let Some(id) = chain
            && self.stacks.len() >= CELLS_PER_INTERVAL
            && !self.stacks.contains_key(&key)
        {
            self.chains.forgo(id);
            chain = None;
        }
        if chain.is_none() {
            key = (hit.event, hit.cpu, 0, None);
        }
        let cell = self.stacks.entry(key).or_default();
        if let (Some(chain), 0) = (chain, cell.1) {
            self.chains.hold_again(chain);
        }
        cell.0 += hit.period;
        cell.1 += 1;
    }

    fn tag_id(&mut self, kind: &'static str, name: &str) -> u32 {
        if let Some(&id) = self.tag_ids.get(name) {
            return id;
        }
        if self.tag_names.len() >= TAGS {
            return self.other_tag(kind);
        }
        self.tag_names.push((kind, name.into()));
        let id = (self.tag_names.len() - 1) as u32;
        self.tag_ids.insert(name.into(), id);
        id
    }

    fn other_tag(&mut self, kind: &'static str) -> u32 {
        if let Some(&id) = self.tag_ids.get("others") {
            return id;
        }
        self.tag_names.push((kind, "others".into()));
        let id = (self.tag_names.len() - 1) as u32;
        self.tag_ids.insert("others".into(), id);
        id
    }

    /// Lets go of the interval's stacks that are not wanted, and of hits without one; what was
    /// counted stays.
    pub fn retain_stacks(&mut self, mut wanted: impl FnMut(&mut ChainTable, ChainId) -> bool) {
        let chains = &mut self.chains;
        self.stacks.retain(|(.., chain), _| {
            let Some(chain) = *chain else { return false };
            let kept = wanted(chains, chain);
            if !kept {
                chains.release(chain);
            }
            kept
        });
    }

    /// Ends the interval of `seconds`. `exact` gives the exact hits of an event on a CPU, where
    /// they were counted; the window then spans at most `window_s`.
    pub fn finish(
        &mut self,
        seconds: f64,
        window_s: f64,
        exact: impl Fn(u16, u32) -> Option<u64>,
    ) -> Folded {
        let scales: FxHashMap<Spot, f64> = self
            .totals
            .drain()
            .map(|(spot, periods)| {
                let counted = exact(spot.0, spot.1).map_or(periods as f64, |hits| hits as f64);
                (spot, counted / periods.max(1) as f64)
            })
            .collect();
        let scale = |event: u16, cpu: u32| scales.get(&(event, cpu)).copied().unwrap_or(1.0);

        let mut folded = Folded::default();
        for ((event, cpu, pid), sums) in self.processes.drain() {
            let scale = scale(event, cpu);
            folded
                .per_event
                .entry(event)
                .or_default()
                .add_scaled(&sums, scale);
            folded
                .per_process
                .entry((event, pid))
                .or_default()
                .add_scaled(&sums, scale);
        }
        let mut tags: FxHashMap<(u16, u32), f64> = FxHashMap::default();
        for ((event, cpu, tag), periods) in self.tags.drain() {
            *tags.entry((event, tag)).or_default() += periods as f64 * scale(event, cpu);
        }
        for ((event, tag), hits) in tags {
            let (kind, name) = &self.tag_names[tag as usize];
            folded.tags.push(Tagged {
                event,
                kind,
                name: Arc::clone(name),
                hits,
            });
        }
        folded
            .tags
            .sort_by(|a, b| b.hits.total_cmp(&a.hits).then_with(|| a.name.cmp(&b.name)));

        let mut stacks = window::Sums::default();
        for ((event, cpu, pid, chain), (periods, samples)) in self.stacks.drain() {
            let cell = stacks.entry((event, pid, chain)).or_default();
            if let (Some(chain), true) = (chain, cell.1 > 0) {
                self.chains.release(chain);
            }
            cell.0 += periods as f64 * scale(event, cpu);
            cell.1 += samples;
        }
        folded.stacks = heaviest_first(stacks);
        folded.samples_folded =
            self.window
                .keep(seconds, window_s, &folded.stacks, &mut self.chains);
        folded
    }

    pub fn window_seconds(&self) -> f64 {
        self.window.seconds()
    }

    /// The window's stacks added up, heaviest first, at most `most` of them.
    pub fn window(&self, most: usize) -> Vec<Weighed> {
        self.window.heaviest(most)
    }

    /// Forgets the window: the filter has changed and old stacks answer another question.
    pub fn forget(&mut self) {
        self.totals.clear();
        self.processes.clear();
        self.tags.clear();
        for ((.., chain), _) in std::mem::take(&mut self.stacks) {
            if let Some(chain) = chain {
                self.chains.release(chain);
            }
        }
        self.window.forget(&mut self.chains);
    }

    /// The named frames of a stack; hits kept without one have the single frame `[others]`.
    pub fn frames(&mut self, stack: &Weighed, names: &mut dyn Names) -> Frames {
        match stack.chain {
            Some(chain) => without_the_call(&self.chains.names(chain, names)),
            None => others(),
        }
    }
}

/// Where several observe a tracepoint the kernel calls them from a function of its own
/// (`__DO_TRACE` of include/linux/tracepoint.h), which is no part of the traced path.
fn without_the_call(frames: &Frames) -> Frames {
    match frames.split_first() {
        Some((first, rest)) if first.starts_with("__traceiter_") => rest.into(),
        _ => Arc::clone(frames),
    }
}

#[cfg(test)]
#[path = "fold_tests.rs"]
mod tests;
