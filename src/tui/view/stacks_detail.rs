//! Below the frames: the selected one's figures, whose they are, and the way to it in one line.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::stacks_figure::{amount, change, cpu_pct, name, per_second, share};
use super::{Scene, lines, rule};
use crate::tui::figure;
use crate::tui::stacks::stack_query::Source;
use crate::tui::text::{clean, wrap, wrap_whole};

/// A process and its part of a frame.
type Share = (u32, Arc<str>, f64);

pub fn render(scene: &Scene<'_>, node: usize, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let tree = &scene.ui.tree_state.tree;
    let title = vec![
        Span::styled(name(&tree.nodes[node]), theme.strong),
        Span::styled(figures(scene, node), theme.dim),
    ];
    rule(scene, title, area, buf);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let room = usize::from(area.width).saturating_sub(2);
    let mut list = Vec::new();
    if scene.ui.tree_state.compares() {
        let text = format!(" {}", compared(scene, node));
        list.push((0, Line::styled(text, change(scene, node).ink(scene))));
    }
    if let Some(line) = scene.snapshot.lines.get(&tree.nodes[node].name) {
        list.push((1, Line::raw(format!(" at {}", clean(line)))));
    }
    let processes_of = tree.processes(node);
    if !processes_of.is_empty() {
        let said = processes(&processes_of, tree.nodes[node].weight, room);
        list.push((
            0,
            Line::from(vec![Span::raw(" in "), Span::styled(said, theme.user)]),
        ));
    }
    let left = usize::from(below.height).saturating_sub(list.len());
    for line in blind(scene, &processes_of, room, left) {
        list.push((1, Line::styled(format!(" {line}"), theme.warn)));
    }
    let nearest = tree.way_up(node).skip(1);
    let way: Vec<String> = nearest.map(|n| name(&tree.nodes[n])).collect();
    // The top is no caller.
    let way = &way[..way.len().saturating_sub(1)];
    if !way.is_empty() {
        let (said, arrow) = if scene.ui.stack_query.inverted {
            ("calls", " › ")
        } else {
            ("called by", " ‹ ")
        };
        let text = format!("{said} {}", way.join(arrow));
        let most = usize::from(below.height).saturating_sub(list.len()).max(1);
        for line in wrap(&text, room, most) {
            list.push((2, Line::styled(format!(" {line}"), theme.dim)));
        }
    }
    lines(list, below, buf);
}

/// `12.3% of all · ≈412 ms/s · 41% of a CPU · own 3.1%`
fn figures(scene: &Scene<'_>, at: usize) -> String {
    let tree = &scene.ui.tree_state.tree;
    let node = &tree.nodes[at];
    let top = tree.way_up(at).last().unwrap_or(at);
    // Turned round, what ends at a frame is where its stacks began.
    let own = if scene.ui.stack_query.inverted {
        String::new()
    } else {
        format!(" · own {}", share(node.own, tree.weight()))
    };
    match scene.ui.tree_state.source() {
        Source::Cpu => format!(
            "{} · {} ms/s · {} of a CPU{own}",
            share(node.weight, tree.weight()),
            amount(scene, at),
            cpu_pct(scene, node.weight),
        ),
        Source::Hits if at == top => format!(
            "{} of all hits ({})",
            share(node.weight, tree.weight()),
            amount(scene, at)
        ),
        Source::Hits => {
            let top = &tree.nodes[top];
            let share = share(node.weight, top.weight);
            format!("{share} of {} ({})", top.name, amount(scene, at))
        }
    }
}

/// `+3.1 points: 12.3% now, 9.2% then · ≈412 ms/s now, ≈310 then, ×1.33`
fn compared(scene: &Scene<'_>, at: usize) -> String {
    let tree = &scene.ui.tree_state.tree;
    let node = &tree.nodes[at];
    let change = change(scene, at);
    let now = share(node.weight, tree.weight());
    let rate = |weight: f64| match scene.ui.tree_state.source() {
        Source::Cpu => per_second(scene, weight),
        Source::Hits => figure::rate(Some(weight / Source::Hits.seconds(scene.snapshot))),
    };
    let unit = match scene.ui.tree_state.source() {
        Source::Cpu => "ms/s",
        Source::Hits => "hits/s",
    };
    format!(
        "{} points: {now} now, {} then · {} {unit} now, {} then, {}",
        change.points(),
        change.then,
        rate(node.weight),
        rate(node.then),
        change.times,
    )
}

/// Said of the first of the frame's programs that keeps no frame pointers.
fn blind(scene: &Scene<'_>, processes: &[Share], room: usize, lines: usize) -> Vec<String> {
    let blind = &scene.ui.tree_state.blind;
    let mut comms = processes.iter().map(|(_, comm, _)| comm);
    let Some(program) = comms.find(|comm| blind.contains(comm)) else {
        return Vec::new();
    };
    let program = clean(program);
    let long = format!(
        "{program} keeps no frame pointers: its user stacks end early or lack callers; build with -fno-omit-frame-pointer"
    );
    let short = format!("{program} keeps no frame pointers: -fno-omit-frame-pointer");
    wrap_whole(&long, room, lines).unwrap_or_else(|| wrap(&short, room, lines))
}

/// `iperf3(300) 62%  nginx(120) 20%  4 others 18%`
fn processes(split: &[Share], all: f64, room: usize) -> String {
    let pct = |weight: f64| figure::percent(Some(weight * 100.0 / all));
    let mut text = String::new();
    let mut left = all;
    for (i, (pid, comm, weight)) in split.iter().enumerate() {
        let more = format!("{}({pid}) {}  ", clean(comm), pct(*weight));
        if i > 0 && text.chars().count() + more.chars().count() + 16 > room {
            let others = format!("{} {}", figure::others(split.len() - i), pct(left));
            text.push_str(&others);
            break;
        }
        left = (left - weight).max(0.0);
        text.push_str(&more);
    }
    text.trim_end().to_owned()
}
