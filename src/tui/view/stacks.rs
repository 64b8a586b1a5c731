//! View 5: the ways that lead to a function, as a tree of frames with their weight and share.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{Scene, View, notice, split, stacks_detail};
use crate::model::Snapshot;
use crate::tui::figure;
use crate::tui::keymap::Context;
use crate::tui::pane::Row;
use crate::tui::state::UiState;
use crate::tui::text::{clean, clip_line};
use crate::tui::unfold::Visible;
use crate::tui::widget::strip::{Part, fit};
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
        let nodes = &ui.unfold.tree.nodes;
        let rows = ui.unfold.rows.iter();
        rows.map(|row| Row::Frame(nodes[row.node].id)).collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        if area.is_empty() {
            return;
        }
        let rows = self.rows(scene.ui, scene.snapshot);
        let cursor = scene.ui.pane().position(&rows);
        // Two lines stand above the rows: what this is, and the titles.
        let (list, below) = split(area, rows.len() + 2, 3..=5);
        let above = if list.height > 3 { 2 } else { 0 };
        if above > 0 {
            let head = summary(scene, usize::from(list.width));
            buf.set_line(list.x, list.y, &head, list.width);
            let titles = Line::styled("  SHARE    HITS  FRAME", scene.theme.title);
            buf.set_line(list.x, list.y.saturating_add(1), &titles, list.width);
        }
        let body = Rect {
            y: list.y.saturating_add(above),
            height: list.height - above,
            ..list
        };
        if rows.is_empty() {
            notice(scene, &why_empty(scene), body, buf);
            return;
        }
        let shown = window(rows.len(), cursor, usize::from(body.height));
        for (y, at) in (body.y..).zip(shown) {
            let place = Rect {
                y,
                height: 1,
                ..body
            };
            let here = cursor == Some(at);
            let line = row(scene, &scene.ui.unfold.rows[at], here);
            buf.set_line(
                place.x,
                y,
                &clip_line(line, usize::from(place.width)),
                place.width,
            );
            if here {
                buf.set_style(place, scene.theme.selected);
            }
        }
        if let (Some(area), Some(cursor)) = (below, cursor) {
            stacks_detail::render(scene, scene.ui.unfold.rows[cursor].node, area, buf);
        }
    }
}

/// Weight, and `≈` where a sample stands for more than itself.
pub fn weight(scene: &Scene<'_>, node: usize) -> String {
    let node = &scene.ui.unfold.tree.nodes[node];
    let estimated = (node.weight - node.samples as f64).abs() > 0.5;
    figure::estimate(Some(node.weight), estimated)
}

/// A node's hits in percent of so many.
pub fn share(scene: &Scene<'_>, node: usize, all: f64) -> String {
    let pct = scene.ui.unfold.tree.nodes[node].weight * 100.0 / all;
    if pct < 0.05 {
        return figure::percent(Some(pct));
    }
    format!("{pct:.1}%")
}

fn summary(scene: &Scene<'_>, width: usize) -> Line<'static> {
    let ui = scene.ui;
    let tree = &ui.unfold.tree;
    let plain = |rank, text: String| Part::new(rank, vec![Span::raw(text)]);
    let what = ui.want().drill.as_deref().unwrap_or("all functions");
    let samples: u64 = tree.tops.iter().map(|&top| tree.nodes[top].samples).sum();
    let seconds = std::time::Duration::from_secs_f64(scene.snapshot.profile_s.clamp(0.0, 1e6));
    let mut parts = vec![
        Part::new(
            0,
            vec![Span::styled(
                format!(" {}", clean(what)),
                scene.theme.strong,
            )],
        ),
        plain(
            2,
            format!("{} stacks sampled", figure::count(Some(samples))),
        ),
        plain(3, format!("last {}", figure::span(seconds))),
    ];
    if !ui.pane().text.is_empty() {
        let text = ui.pane().text.to_lowercase();
        let holds = |node: &&crate::tui::call_tree::Node| node.name.to_lowercase().contains(&text);
        let found = tree.nodes.iter().filter(holds).count();
        let text = &ui.pane().text;
        let said = match found {
            0 => format!("no frame holds '{text}'"),
            1 => format!("'{text}' in 1 frame"),
            _ => format!("'{text}' in {found} frames, n next"),
        };
        parts.push(Part::new(1, vec![Span::styled(said, scene.theme.warn)]));
    }
    parts.push(Part::new(
        4,
        vec![Span::styled(
            "from the outermost frame down",
            scene.theme.dim,
        )],
    ));
    fit(parts, " · ", width)
}

fn why_empty(scene: &Scene<'_>) -> String {
    let detached = scene.snapshot.health.detached;
    let drilled = scene.ui.want().drill.as_deref();
    let function = drilled.and_then(|name| {
        let mut functions = scene.snapshot.functions.iter();
        functions.find(|f| &*f.name == name)
    });
    match (drilled, function) {
        _ if detached => "Everything is detached: ! attaches again.".to_owned(),
        (None, _) => "No stacks yet: Enter on a function in view 1 samples its stacks.".to_owned(),
        (Some(name), Some(f)) => match (&f.reason, f.calls) {
            (Some(reason), _) => format!("No stacks of {}: {}", clean(name), clean(reason)),
            (None, Some(0)) => format!(
                "{} did not run in the last interval: nothing to sample.",
                clean(name)
            ),
            (None, _) => format!("Waiting for the first samples of {} …", clean(name)),
        },
        (Some(name), None) => format!("Waiting for the first samples of {} …", clean(name)),
    }
}

fn row(scene: &Scene<'_>, row: &Visible, here: bool) -> Line<'static> {
    let node = &scene.ui.unfold.tree.nodes[row.node];
    let sign = if here { '▶' } else { ' ' };
    let style = if node.parent.is_none() {
        scene.theme.strong
    } else if node.name.ends_with(')') {
        scene.theme.user
    } else {
        Style::new()
    };
    let mut spans = vec![
        Span::raw(format!(
            "{sign}{:>6} {:>7}  ",
            share(scene, row.node, scene.ui.unfold.tree.weight()),
            weight(scene, row.node)
        )),
        Span::styled(guides(row.place), scene.theme.dim),
    ];
    spans.extend(highlight(
        &node.name,
        &scene.ui.pane().text,
        style,
        scene.theme.found,
    ));
    Line::from(spans)
}

/// The parts of a name that a search found stand out. Names that change length in lower case are
/// shown as they are.
fn highlight(name: &str, text: &str, style: Style, found: Style) -> Vec<Span<'static>> {
    let lower = name.to_lowercase();
    let text = text.to_lowercase();
    if text.is_empty() || lower.len() != name.len() {
        return vec![Span::styled(name.to_owned(), style)];
    }
    let mut spans = Vec::new();
    let mut done = 0;
    for (at, hit) in lower.match_indices(&text) {
        let end = at + hit.len();
        if let (Some(before), Some(part)) = (name.get(done..at), name.get(at..end)) {
            spans.push(Span::styled(before.to_owned(), style));
            spans.push(Span::styled(part.to_owned(), found));
            done = end;
        }
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
            ("tcp_v4_rcv_tcp", "TCP", 2),
            ("İstanbul_tcp", "tcp", 0),
            ("abc", "", 0),
            ("abc", "x", 0),
        ] {
            let spans = highlight(name, text, Style::new(), found);
            let whole: String = spans.iter().map(|span| span.content.as_ref()).collect();
            assert_eq!(whole, name);
            assert_eq!(
                spans.iter().filter(|span| span.style == found).count(),
                hits
            );
        }
    }
}
