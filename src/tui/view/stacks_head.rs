//! The line above the frames of view 5: what is looked at, how, and what a search found; and why
//! there is nothing.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::Scene;
use super::stacks_figure::{cpu_pct, share};
use crate::model::compare::Load;
use crate::tui::figure;
use crate::tui::stacks::stack_query::{Focus, Source};
use crate::tui::text::{clean, clip};
use crate::tui::widget::strip::{Part, fit, plain, styled};

/// Cells of a name that stands in the line.
const NAME: usize = 30;

/// `further`: what the tree or the flame graph has to say beside.
pub fn summary(scene: &Scene<'_>, further: Option<String>, width: usize) -> Line<'static> {
    let (ui, theme) = (scene.ui, scene.theme);
    let tree_state = &ui.tree_state;
    let tree = &tree_state.tree;
    let samples: u64 = tree.tops.iter().map(|&top| tree.nodes[top].samples).sum();
    let seconds =
        Duration::from_secs_f64(tree_state.source().seconds(scene.snapshot).clamp(0.0, 1e6));
    let what = match (tree_state.source(), whose(scene)) {
        (Source::Cpu, None) => "CPU time of all".to_owned(),
        (Source::Cpu, Some(whose)) => format!("CPU time of {whose}"),
        (Source::Hits, None) => "hits of all functions".to_owned(),
        (Source::Hits, Some(whose)) => format!("hits of {whose}"),
    };
    let mut parts = vec![Part::new(
        0,
        vec![Span::raw(" "), Span::styled(what, theme.strong)],
    )];
    if tree_state.source() == Source::Cpu && tree.weight() > 0.0 {
        let said = format!("≈{} of a CPU", cpu_pct(scene, tree.weight()));
        parts.push(plain(4, said));
    }
    if let Some(zoomed) = tree_state.zoomed() {
        let name = clip(&tree.nodes[zoomed].name, NAME).into_owned();
        parts.push(styled(1, format!("below {name}"), theme.warn));
    }
    parts.extend(search(scene));
    parts.extend(mark(scene));
    if ui.stack_query.inverted {
        parts.push(styled(2, "inverted".to_owned(), theme.warn));
    }
    if scene.snapshot.health.detached {
        parts.push(styled(1, "from before the detach".to_owned(), theme.warn));
    }
    if ui.stack_query.unrolled {
        parts.push(styled(3, "recursion unfolded".to_owned(), theme.warn));
    }
    parts.extend(further.map(|text| plain(4, text)));
    parts.push(plain(
        5,
        format!("{} samples", figure::count(Some(samples))),
    ));
    parts.push(plain(6, format!("last {}", figure::span(seconds))));
    if !ui.stack_query.inverted {
        let said = "from the outermost frame down";
        parts.push(styled(7, said.to_owned(), theme.dim));
    }
    fit(parts, " · ", width)
}

/// `dev_queue_xmit`, `stage tcp`, `flood(9127)`; of all: nothing.
fn whose(scene: &Scene<'_>) -> Option<String> {
    match &scene.ui.stack_query.focus {
        Focus::All => None,
        Focus::Function(name) => Some(clean(name).into_owned()),
        Focus::Stage(stage) => Some(format!("stage {}", clean(stage))),
        Focus::Process(pid) => {
            let mut processes = scene.snapshot.processes.iter();
            let known = processes.find(|process| process.pid == *pid);
            Some(known.map_or_else(
                || format!("process {pid}"),
                |process| format!("{}({pid})", clean(&process.comm)),
            ))
        }
    }
}

fn search(scene: &Scene<'_>) -> Option<Part> {
    let tree_state = &scene.ui.tree_state;
    let found = &tree_state.found;
    let text = clip(tree_state.search.text(), NAME).into_owned();
    if text.is_empty() {
        return None;
    }
    let share = share(found.weight, tree_state.tree.weight());
    let kind = if tree_state.search.literal {
        " (no valid pattern: as text)"
    } else {
        ""
    };
    let said = match found.frames {
        0 => format!("no frame matches '{text}'{kind}"),
        1 => format!("'{text}'{kind} {share} in 1 frame"),
        n => format!("'{text}'{kind} {share} in {n} frames, n next"),
    };
    Some(styled(1, said, scene.theme.warn))
}

fn mark(scene: &Scene<'_>) -> Option<Part> {
    let mark = scene.ui.mark.as_ref()?;
    let at = figure::clock(mark.at, scene.ui.utc_offset_s);
    // Shares shift with the load as costs do.
    let load = scene.compared().map(|compared| compared.load);
    let said = if scene.ui.tree_state.compares() && load == Some(Load::Differs) {
        format!("against {at}, other packet rate: n/c")
    } else if scene.ui.tree_state.compares() {
        format!("against {at}")
    } else {
        format!("the mark of {at} has none of these stacks")
    };
    Some(styled(2, said, scene.theme.warn))
}

pub fn why_empty(scene: &Scene<'_>) -> String {
    if scene.snapshot.health.detached {
        return "Everything is detached: ! attaches again.".to_owned();
    }
    match scene.ui.tree_state.source() {
        Source::Cpu => no_cpu_time(scene),
        Source::Hits => no_hits(scene),
    }
}

fn no_cpu_time(scene: &Scene<'_>) -> String {
    let no_symbols = scene
        .ui
        .tree_state
        .picture()
        .is_some_and(|picture| picture.symbols.is_empty());
    match whose(scene) {
        _ if scene.snapshot.cpu_profile.is_empty() => {
            "No CPU samples: c shows the hits of the functions instead.".to_owned()
        }
        Some(name) if no_symbols && matches!(scene.ui.stack_query.focus, Focus::Function(_)) => {
            format!("{name} is no kernel function of its own: c shows its hits.")
        }
        Some(name) => format!("No CPU sample of {name} in this time: it took very little."),
        None => "No CPU sample but of idle CPUs in this time.".to_owned(),
    }
}

fn no_hits(scene: &Scene<'_>) -> String {
    let Some(name) = scene.ui.want().drill.as_deref() else {
        return match whose(scene) {
            Some(whose) => format!("No stacks of hits of {whose}: c shows its CPU time."),
            None => "No stacks yet: Enter on a function in view 1 samples its stacks.".to_owned(),
        };
    };
    let mut functions = scene.snapshot.functions.iter();
    let function = functions.find(|f| &*f.name == name);
    let name = clean(name);
    match function.map(|f| (&f.reason, f.calls)) {
        Some((Some(reason), _)) => format!("No stacks of {name}: {}", clean(reason)),
        Some((None, Some(0))) => {
            format!("{name} did not run in the last interval: nothing to sample.")
        }
        _ => format!("Waiting for the first samples of {name} …"),
    }
}
