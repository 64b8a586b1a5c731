//! CPU samples: the clock strikes so often a second on every CPU, and what ran there is drawn by
//! the time that the host counters give it.

use super::chains::{self, IDLE, IDLE_LOOP, Path, Segment, Under};
use super::load::{CPUS, Load};
use super::process::{KSOFTIRQD, Process, SWAPPER, interrupted};
use super::rng::Rng;
use super::sampler::{Window, span};
use super::work::{IN_CALLS, IN_INTERRUPT, IN_PROGRAMS, IN_SOFTIRQ, Work};
use crate::decode::{Batch, EventId, FIELDS, Sample, Span};

const SECOND: u64 = 1_000_000_000;

/// How far each CPU's clock is towards its next stroke, in strokes × ns.
#[derive(Debug)]
pub struct Clocks([u64; CPUS]);

/// What ran, and for how long.
struct Spell {
    ns: u64,
    process: &'static Process,
    leaf: Segment,
    base: Path,
    under: Under,
}

impl Clocks {
    /// CPUs strike one after the other.
    pub fn new() -> Clocks {
        Clocks(std::array::from_fn(|cpu| {
            SECOND * (cpu as u64 + 1) / (CPUS as u64 + 1)
        }))
    }

    /// Appends the samples of an interval of one CPU, in the order of time.
    pub fn sample(
        &mut self,
        window: Window,
        hz: u32,
        load: &Load,
        rng: &mut Rng,
        batch: &mut Batch,
    ) {
        let towards = &mut self.0[window.cpu as usize];
        let hz = u64::from(hz);
        let begun = *towards;
        let strokes = begun + hz * window.length_ns;
        *towards = strokes % SECOND;
        let spells = spells(window.cpu as usize, load);
        let spent = spells.iter().map(|spell| spell.ns).sum();
        for stroke in 1..=strokes / SECOND {
            let mut at = rng.below(spent);
            let hit = spells.iter().find(|spell| {
                let found = at < spell.ns;
                at = at.saturating_sub(spell.ns);
                found
            });
            let Some(spell) = hit else { break };
            let chain = batch.frames.len();
            chains::push(spell.leaf, spell.base, spell.under, &mut batch.frames);
            batch.samples.push(Sample {
                event: EventId::CLOCK,
                cpu: window.cpu,
                pid: spell.process.pid,
                tid: spell.process.pid,
                // The last ns before the stroke: inside the interval.
                time: window.start + (stroke * SECOND - begun).div_ceil(hz) - 1,
                period: SECOND / hz,
                chain: span(chain, batch.frames.len()),
                raw: Span::default(),
                owner: 0,
                values: [0; FIELDS],
            });
        }
    }
}

/// Everything that ran on a CPU; it adds up to the interval but for the fractions of ns.
fn spells(cpu: usize, load: &Load) -> Vec<Spell> {
    let time = &load.time;
    let mut spells = Vec::new();
    each(IN_SOFTIRQ, time.softirq, load, |work, leaf, ns| {
        spells.extend(interrupted(cpu, ns).map(|(process, ns)| Spell {
            ns,
            process,
            leaf,
            base: work.base,
            under: Under::Softirq(process),
        }));
    });
    each(IN_INTERRUPT, time.irq, load, |work, leaf, ns| {
        // A polling ksoftirqd keeps its queue's interrupt off.
        let shares = interrupted(cpu, ns).map(|(process, ns)| match process {
            p if *p == KSOFTIRQD => (&SWAPPER, ns),
            _ => (process, ns),
        });
        spells.extend(shares.map(|(process, ns)| Spell {
            ns,
            process,
            leaf,
            base: work.base,
            under: Under::Interrupt(process),
        }));
    });
    for (works, ns) in [(IN_CALLS, time.system), (IN_PROGRAMS, time.user)] {
        each(works, ns, load, |work, leaf, ns| {
            spells.extend(work.process.map(|process| Spell {
                ns,
                process,
                leaf,
                base: work.base,
                under: Under::Call(work.user),
            }));
        });
    }
    spells.push(Spell {
        ns: time.idle,
        process: &SWAPPER,
        leaf: IDLE,
        base: &[IDLE_LOOP],
        under: Under::Call(&[]),
    });
    spells
}

/// Splits `ns` among the parts of works by what they cost in this load.
fn each(
    works: &'static [Work],
    ns: u64,
    load: &Load,
    mut part: impl FnMut(&'static Work, Segment, u64),
) {
    let cost = |work: &Work, ns: u64| u128::from(load[work.flow]) * u128::from(ns);
    let parts = || {
        works
            .iter()
            .flat_map(|work| work.parts.iter().map(move |&(ns, leaf)| (work, leaf, ns)))
    };
    let all = parts().map(|(work, _, ns)| cost(work, ns)).sum::<u128>();
    for (work, leaf, share) in parts() {
        let share = u128::from(ns) * cost(work, share) / all.max(1);
        part(work, leaf, share as u64);
    }
}
