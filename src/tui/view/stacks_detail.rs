//! Below the tree: which processes the selected frame's hits ran in, and the way to it in one line.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::stacks::{share, weight};
use super::{Scene, lines, rule};
use crate::tui::figure;
use crate::tui::text::{clean, wrap};

pub fn render(scene: &Scene<'_>, node: usize, area: Rect, buf: &mut Buffer) {
    let theme = scene.theme;
    let tree = &scene.ui.unfold.tree;
    let this = &tree.nodes[node];
    let top = tree.top(node);
    let of = if node == top {
        format!("{} of all hits", share(scene, node, tree.weight()))
    } else {
        let top = &tree.nodes[top];
        format!("{} of {}", share(scene, node, top.weight), top.name)
    };
    let said = format!("{of} ({})", weight(scene, node));
    let title = vec![
        Span::styled(this.name.to_string(), theme.strong),
        Span::styled(said, theme.dim),
    ];
    rule(scene, title, area, buf);
    let below = Rect {
        y: area.y.saturating_add(1),
        height: area.height.saturating_sub(1),
        ..area
    };
    let room = usize::from(area.width).saturating_sub(2);
    let mut list = Vec::new();
    let said = processes(scene, node, room);
    list.push((
        0,
        Line::from(vec![Span::raw(" in "), Span::styled(said, theme.user)]),
    ));
    let path = tree.path(node);
    let callers: Vec<&str> = path
        .iter()
        .skip(1)
        .rev()
        .skip(1)
        .map(|&n| &*tree.nodes[n].name)
        .collect();
    if !callers.is_empty() {
        let text = format!("called by {}", callers.join(" ‹ "));
        let most = usize::from(below.height.saturating_sub(1)).max(1);
        for line in wrap(&text, room, most) {
            list.push((1, Line::styled(format!(" {line}"), theme.dim)));
        }
    }
    lines(list, below, buf);
}

/// `iperf3(300) 62%  nginx(120) 20%  4 others 18%`
fn processes(scene: &Scene<'_>, node: usize, room: usize) -> String {
    let tree = &scene.ui.unfold.tree;
    let split = tree.processes(&scene.snapshot.profile, node);
    let all = tree.nodes[node].weight;
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
