//! The figures of view 5's frames: share, CPU time or hits, and what differs from the mark.

use ratatui::style::Style;

use super::Scene;
use crate::tui::figure;
use crate::tui::stacks::call_tree::Node;
use crate::tui::stacks::stack_query::Source;

/// Changes of fewer points are rounding.
const STILL: f64 = 0.05;

fn node<'a>(scene: &'a Scene<'_>, node: usize) -> &'a Node {
    &scene.ui.tree_state.tree.nodes[node]
}

/// `≈412ms/s` of CPU time, or hits; `≈` where a sample stands for more than itself.
pub fn amount(scene: &Scene<'_>, at: usize) -> String {
    let node = node(scene, at);
    match scene.ui.tree_state.source() {
        Source::Cpu => per_second(scene, node.weight),
        Source::Hits => {
            let estimated = (node.weight - node.samples as f64).abs() > 0.5;
            figure::estimate(Some(node.weight), estimated)
        }
    }
}

/// ms of CPU time in a second.
pub fn per_second(scene: &Scene<'_>, ns: f64) -> String {
    figure::estimate(Some(ns / 1e6 / Source::Cpu.seconds(scene.snapshot)), true)
}

/// Percent of one CPU.
pub fn cpu_pct(scene: &Scene<'_>, ns: f64) -> String {
    figure::percent(Some(ns / Source::Cpu.seconds(scene.snapshot) / 1e7))
}

pub fn share(weight: f64, all: f64) -> String {
    let pct = weight * 100.0 / all;
    if pct < STILL {
        return figure::percent(Some(pct));
    }
    format!("{pct:.1}%")
}

/// A frame against the mark.
pub struct Change {
    pub then: String,
    /// Percentage points of the share, with their sign.
    pub points: f64,
    /// Per second: `×1.23`, `new`, `gone`.
    pub times: String,
    /// More than the samples of both sides explain.
    significant: bool,
}

pub fn change(scene: &Scene<'_>, at: usize) -> Change {
    let tree = &scene.ui.tree_state.tree;
    let node = node(scene, at);
    let pct = |weight: f64, all: f64| if all > 0.0 { weight * 100.0 / all } else { 0.0 };
    let times = match node.weight / node.then {
        _ if node.then <= 0.0 => "new".to_owned(),
        _ if node.weight <= 0.0 => "gone".to_owned(),
        ratio if ratio < 9.995 => format!("×{ratio:.2}"),
        ratio => format!("×{}", figure::rate(Some(ratio))),
    };
    let (now, then) = (pct(node.weight, tree.weight()), pct(node.then, tree.then()));
    let samples: u64 = tree.tops.iter().map(|&top| tree.nodes[top].samples).sum();
    let samples = samples as f64;
    // The mark's samples weigh as much as these.
    let samples_then = samples * tree.then() / tree.weight().max(f64::MIN_POSITIVE);
    Change {
        then: share(node.then, tree.then()),
        points: now - then,
        times,
        significant: beyond_chance((now, samples), (then, samples_then), scatter(scene)),
    }
}

/// How many times more than samples alone seconds make figures vary, where it is not known: ten
/// equal runs (docs/measuring.md).
const USUAL_SCATTER: f64 = 1.7;

/// Frames are many: of twenty that did not change one is called changed in 5 of 100 graphs.
const SURE: f64 = 3.0;

/// As the seconds since the mark and those of the mark scatter; hits have no such series.
fn scatter(scene: &Scene<'_>) -> f64 {
    let measured = scene.compared().and_then(|compared| compared.scatter);
    match scene.ui.tree_state.source() {
        Source::Cpu => measured.unwrap_or(USUAL_SCATTER),
        Source::Hits => USUAL_SCATTER,
    }
}

/// Is the difference of two shares (percent, and the samples they are of) more than chance makes?
fn beyond_chance(now: (f64, f64), then: (f64, f64), scatter: f64) -> bool {
    let mean = f64::midpoint(now.0, then.0);
    let samples = 1.0 / now.1.max(1.0) + 1.0 / then.1.max(1.0);
    let spread = mean * (100.0 - mean) * samples;
    (now.0 - then.0).abs() > SURE * scatter * spread.max(0.0).sqrt()
}

impl Change {
    pub fn points(&self) -> String {
        if self.points.abs() < STILL {
            "0.0".to_owned()
        } else {
            format!("{:+.1}", self.points)
        }
    }

    /// Of a box of the flame graph.
    pub fn fill(&self, scene: &Scene<'_>) -> Style {
        let theme = scene.theme;
        match self.points {
            _ if self.points.abs() < STILL || !self.significant => theme.same,
            points if points > 0.0 => theme.more,
            _ => theme.less,
        }
    }

    /// Of a figure on the terminal's own ground.
    pub fn ink(&self, scene: &Scene<'_>) -> Style {
        let theme = scene.theme;
        match self.points {
            _ if self.points.abs() < STILL || !self.significant => theme.dim,
            points if points > 0.0 => theme.bad,
            _ => theme.good,
        }
    }
}

/// `tcp_v4_rcv`, and how often it repeats where recursion is folded.
pub fn name(node: &Node) -> String {
    match node.repeats {
        1 => node.name.to_string(),
        n => format!("{} ×{n}", node.name),
    }
}
