//! What a watcher showed in its windows, and what the windows of nothing beside them did.

use crate::host::Scope;
use crate::load::{Edge, Figures};
use crate::running::Running;
use crate::said::{Said, around, within};
use crate::shape::Shape;
use crate::statistics::median;
use crate::watcher::{State, Watcher};

pub struct Row {
    pub watcher: Watcher,
    pub states: Vec<(State, Vec<Pair>)>,
    /// Why it was not measured.
    pub failed: Option<String>,
}

/// A watcher's window and the two windows of nothing beside it.
pub struct Pair {
    pub before: Figures,
    pub with: Figures,
    pub after: Figures,
    pub words: Words,
}

/// What netop said of a window's cost, percent of the busiest CPU or of all.
#[derive(Clone, Copy, Default)]
pub struct Words {
    pub said: Option<f64>,
    pub measured: Option<f64>,
    pub bound: Option<f64>,
    /// It spoke of another CPU than the one that is measured.
    pub elsewhere: bool,
}

impl Row {
    pub fn new(watcher: Watcher, states: &[State]) -> Row {
        Row {
            watcher,
            states: states.iter().map(|&state| (state, Vec::new())).collect(),
            failed: None,
        }
    }

    pub fn add(&mut self, state: State, pair: Pair) {
        let mut states = self.states.iter_mut();
        let found = states.find(|(known, _)| *known == state);
        found.expect("a state that was asked for").1.push(pair);
    }
}

impl Pair {
    /// Time per packet with nothing, divided by that with the watcher, at the same speed.
    pub fn kept(&self) -> f64 {
        self.ratio(|figures| figures.batches)
            .unwrap_or_else(|| self.kept_raw())
    }

    pub fn kept_tasks(&self) -> Option<f64> {
        self.ratio(|figures| figures.tasks_batches)
    }

    /// The same without regard to the machine's speed.
    pub fn kept_raw(&self) -> f64 {
        f64::midpoint(self.before.ns, self.after.ns) / self.with.ns
    }

    /// Percent of the CPU, or of all, that the watcher takes.
    pub fn costs(&self) -> f64 {
        100.0 * (1.0 - self.kept()) * self.with.busy
    }

    /// How much more it says than it costs.
    pub fn said_too_much(&self) -> Option<f64> {
        Some(self.words.said? - self.costs())
    }

    pub fn p99(&self) -> Option<f64> {
        self.ratio(|figures| figures.p99_us).map(f64::recip)
    }

    /// The figure with nothing, divided by that with the watcher.
    fn ratio(&self, figure: fn(&Figures) -> Option<f64>) -> Option<f64> {
        let nothing = f64::midpoint(figure(&self.before)?, figure(&self.after)?);
        Some(nothing / figure(&self.with)?)
    }
}

impl Words {
    pub fn of(running: &Running, edges: &[Edge], shape: &Shape, state: State) -> Words {
        let reports = running.reports();
        let from = running.age(edges[0].at);
        let to = running.age(edges.last().expect("two edges").at);
        let said = if state == State::First {
            // It begins to count when it is up: its first interval ends a little later.
            reports.iter().take(1).map(|report| report.said).collect()
        } else {
            within(&reports, from, to)
        };
        let figure = |of: fn(&Said) -> Option<f64>| {
            if shape.bursts {
                return around(&reports, from, to, of);
            }
            let figures: Vec<f64> = said.iter().filter_map(of).collect();
            (!figures.is_empty()).then(|| median(&figures))
        };
        let said_of = figure(match shape.scope {
            Scope::Cpu0 => |said| said.busiest,
            Scope::All => |said| said.all,
        });
        Words {
            // A share of the time that the scope has, as the costs are.
            said: said_of.map(|pct| pct / shape.scope.cpus() as f64),
            measured: figure(|said| said.measured),
            bound: figure(|said| said.bound),
            elsewhere: shape.scope == Scope::Cpu0
                && said.iter().any(|said| said.cpu.is_some_and(|cpu| cpu != 0)),
        }
    }
}
