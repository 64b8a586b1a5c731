//! View 5: where CPU time goes or the ways that lead to a function, as a tree of frames or as a
//! flame graph.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::stacks_figure::{amount, change, name, share};
use super::stacks_head::{summary, why_empty};
use super::{Scene, View, flame, notice, split, stacks_detail};
use crate::model::Snapshot;
use crate::tui::input::keymap::Context;
use crate::tui::stacks::call_tree::Node;
use crate::tui::stacks::search::Search;
use crate::tui::stacks::stack_query::{Source, is_user};
use crate::tui::stacks::tree_state::Visible;
use crate::tui::state::UiState;
use crate::tui::state::pane::Row;
use crate::tui::text::clip_line;
use crate::tui::widget::table::window;
use crate::tui::widget::tree::guides;

pub struct Stacks;

impl View for Stacks {
    fn title(&self) -> &'static str {
        "Stacks"
    }

    fn digit(&self) -> char {
        '5'
    }

    fn context(&self) -> Context {
        Context::Stacks
    }

    fn sorts(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn rows(&self, ui: &UiState, _: &Snapshot) -> Vec<Row> {
        let tree_state = &ui.tree_state;
        let nodes = &tree_state.tree.nodes;
        let frame = |node: usize| Row::Frame(nodes[node].id);
        if ui.stack_query.flame {
            let all = tree_state.tree.walk(&tree_state.roots());
            let has_box = |node: &usize| nodes[*node].weight > 0.0;
            return all.filter(has_box).map(frame).collect();
        }
        tree_state.rows.iter().map(|row| frame(row.node)).collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let rows = self.rows(scene.ui, scene.snapshot);
        let cursor = scene.ui.pane().position(&rows);
        if rows.is_empty() {
            let head = summary(scene, None, usize::from(area.width));
            let line = u16::from(area.height > 3);
            if line > 0 {
                buf.set_line(area.x, area.y, &head, area.width);
            }
            let below = Rect {
                y: area.y + line,
                height: area.height - line,
                ..area
            };
            notice(scene, &why_empty(scene), below, buf);
            return;
        }
        let selected = cursor.and_then(|at| match &rows[at] {
            Row::Frame(id) => scene.ui.tree_state.tree.find(*id),
            _ => None,
        });
        if let (true, Some(selected)) = (scene.ui.stack_query.flame, selected) {
            flame::render(scene, selected, area, buf);
        } else {
            tree(scene, cursor, area, buf);
        }
    }
}

fn tree(scene: &Scene<'_>, cursor: Option<usize>, area: Rect, buf: &mut Buffer) {
    let rows = &scene.ui.tree_state.rows;
    // Two lines stand above the rows: what this is, and the titles.
    let (list, below) = split(area, rows.len() + 2, 3..=6);
    let above = if list.height > 3 { 2 } else { 0 };
    if above > 0 {
        let head = summary(scene, None, usize::from(list.width));
        buf.set_line(list.x, list.y, &head, list.width);
        let titles = Line::styled(titles(scene), scene.theme.title);
        buf.set_line(list.x, list.y.saturating_add(1), &titles, list.width);
    }
    let body = Rect {
        y: list.y.saturating_add(above),
        height: list.height - above,
        ..list
    };
    let shown = window(rows.len(), cursor, usize::from(body.height));
    for (y, at) in (body.y..).zip(shown) {
        let place = Rect {
            y,
            height: 1,
            ..body
        };
        let here = cursor == Some(at);
        let line = clip_line(row(scene, &rows[at], here), usize::from(place.width));
        buf.set_line(place.x, y, &line, place.width);
        if here {
            buf.set_style(place, scene.theme.selected);
        }
    }
    if let (Some(area), Some(cursor)) = (below, cursor) {
        stacks_detail::render(scene, rows[cursor].node, area, buf);
    }
}

fn titles(scene: &Scene<'_>) -> &'static str {
    match (scene.ui.tree_state.compares(), scene.ui.tree_state.source()) {
        (true, _) => "  SHARE   THEN POINTS     /s  FRAME",
        (false, Source::Cpu) => "  SHARE    ms/s  FRAME",
        (false, Source::Hits) => "  SHARE    HITS  FRAME",
    }
}

fn row(scene: &Scene<'_>, row: &Visible, here: bool) -> Line<'static> {
    let tree_state = &scene.ui.tree_state;
    let node = &tree_state.tree.nodes[row.node];
    let sign = if here { '▶' } else { ' ' };
    let style = name_style(scene, node);
    let share = share(node.weight, tree_state.tree.weight());
    let mut spans = vec![Span::raw(format!("{sign}{share:>6} "))];
    if tree_state.compares() {
        let change = change(scene, row.node);
        let ink = change.ink(scene);
        spans.push(Span::raw(format!("{:>6} ", change.then)));
        let figures = format!("{:>6} {:>6}  ", change.points(), change.times);
        spans.push(Span::styled(figures, ink));
    } else {
        spans.push(Span::raw(format!("{:>7}  ", amount(scene, row.node))));
    }
    spans.push(Span::styled(guides(row.place), scene.theme.dim));
    let found = tree_state.found.hits.get(row.node) == Some(&true);
    let search = found.then_some(&tree_state.search);
    spans.extend(highlight(&name(node), search, style, scene.theme.found));
    Line::from(spans)
}

fn name_style(scene: &Scene<'_>, node: &Node) -> Style {
    if node.parent.is_none() {
        scene.theme.strong
    } else if is_user(&node.name) {
        scene.theme.user
    } else {
        Style::new()
    }
}

/// The parts of a name that a search found stand out.
fn highlight(
    name: &str,
    search: Option<&Search>,
    style: Style,
    found: Style,
) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut done = 0;
    let parts = search.map(|search| search.parts(name));
    for part in parts.into_iter().flatten() {
        spans.push(Span::styled(name[done..part.start].to_owned(), style));
        done = part.end;
        spans.push(Span::styled(name[part].to_owned(), found));
    }
    spans.push(Span::styled(name[done..].to_owned(), style));
    spans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::THEMES;

    #[test]
    fn a_search_marks_each_hit_and_changes_no_text() {
        let found = THEMES[0].found;
        for (name, text, hits) in [
            ("tcp_v4_rcv_tcp", "tcp", 2),
            ("İstanbul_tcp", "tcp", 1),
            ("abc", "", 0),
            ("abc", "x", 0),
        ] {
            let spans = highlight(name, Some(&Search::new(text)), Style::new(), found);
            let whole: String = spans.iter().map(|span| span.content.as_ref()).collect();
            assert_eq!(whole, name);
            let marked = spans.iter().filter(|span| span.style == found).count();
            assert_eq!(marked, hits);
        }
    }
}
