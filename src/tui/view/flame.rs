//! View 5 as a flame graph: the root above, each box as wide as its weight. `│` begins a box, `▶`
//! the selected one, `*` one that a search found, `+` one that stands for several narrow ones.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::stacks_figure::{change, name};
use super::stacks_head::summary;
use super::{Scene, split, stacks_detail};
use crate::tui::stacks::call_tree::CallTree;
use crate::tui::stacks::stack_query::is_user;
use crate::tui::text::{clip, width};
use crate::tui::widget::flame::{Tile, Weighted, layout};
use crate::tui::widget::table::window;

/// Cells of a name that says something.
const NAME: usize = 5;

/// In narrower boxes every letter counts more than the mark of a cut.
const ROOMY: usize = 8;

impl Weighted for CallTree {
    fn weight(&self, node: usize) -> f64 {
        self.nodes[node].weight
    }

    fn children(&self, node: usize) -> &[usize] {
        &self.nodes[node].children
    }
}

pub fn render(scene: &Scene<'_>, selected: usize, area: Rect, buf: &mut Buffer) {
    let tree_state = &scene.ui.tree_state;
    let rows = layout(&tree_state.tree, &tree_state.roots(), area.width);
    let (list, below) = split(area, rows.len() + 1, 3..=6);
    let above = u16::from(list.height > 3);
    let body = Rect {
        y: list.y + above,
        height: list.height - above,
        ..list
    };
    let at = place(&rows, &tree_state.tree, selected);
    let shown = window(rows.len(), at.map(|(row, _)| row), usize::from(body.height));
    if above > 0 {
        let part = format!("rows {}–{} of {}", shown.start + 1, shown.end, rows.len());
        let part = (shown.len() < rows.len()).then_some(part);
        let head = summary(scene, part, usize::from(list.width));
        buf.set_line(list.x, list.y, &head, list.width);
    }
    for (y, row) in (body.y..).zip(shown) {
        for (i, tile) in rows[row].iter().enumerate() {
            let here = at == Some((row, i));
            let text = label(scene, tile, here);
            let style = if here {
                scene.theme.selected
            } else {
                fill(scene, tile, row + i)
            };
            let x = body.x + tile.x;
            let end = usize::from(tile.width);
            let text = if end < ROOMY {
                Cow::Owned(text.chars().take(end).collect())
            } else {
                clip(&text, end)
            };
            let room = end.saturating_sub(width(&text));
            let text = format!("{text}{}", " ".repeat(room));
            buf.set_stringn(x, y, text, end, style);
        }
    }
    if let Some(area) = below {
        stacks_detail::render(scene, selected, area, buf);
    }
}

/// Row and box of a node; of one that has none of its own, the box it is part of or below.
fn place(rows: &[Vec<Tile>], tree: &CallTree, node: usize) -> Option<(usize, usize)> {
    tree.way_up(node).find_map(|node| {
        rows.iter().enumerate().find_map(|(row, tiles)| {
            let at = tiles.iter().position(|tile| tile.nodes.contains(&node));
            at.map(|at| (row, at))
        })
    })
}

fn label(scene: &Scene<'_>, tile: &Tile, here: bool) -> String {
    let tree_state = &scene.ui.tree_state;
    let found = tile.nodes.iter().any(|&node| tree_state.found.hits[node]);
    let sign = match (here, found, tile.nodes.len()) {
        (true, ..) => '▶',
        (_, true, _) => '*',
        (_, _, 1) => '│',
        _ => '+',
    };
    match tile.nodes.as_slice() {
        [node] if tree_state.compares() => {
            let points = change(scene, *node).points();
            let name = name(&tree_state.tree.nodes[*node]);
            let room = usize::from(tile.width).saturating_sub(points.len() + 2);
            if room < NAME {
                // Which way it went, where there is no room for how far.
                let way = points.chars().next().filter(|c| "+-".contains(*c));
                format!("{sign}{}{name}", way.unwrap_or('='))
            } else {
                format!("{sign}{} {points}", clip(&name, room))
            }
        }
        [node] => format!("{sign}{}", name(&tree_state.tree.nodes[*node])),
        nodes => format!("{sign}{} more", nodes.len()),
    }
}

/// Neighbours differ, above and beside.
fn fill(scene: &Scene<'_>, tile: &Tile, turn: usize) -> Style {
    let tree_state = &scene.ui.tree_state;
    let theme = scene.theme;
    let node = tile.nodes[0];
    if tile.nodes.iter().any(|&node| tree_state.found.hits[node]) {
        theme.found_box
    } else if tree_state.compares() {
        change(scene, node).fill(scene)
    } else if is_user(&tree_state.tree.nodes[node].name) {
        theme.user_boxes[turn % 2]
    } else {
        theme.boxes[turn % 2]
    }
}
