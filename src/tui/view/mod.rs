//! The views: one file each, and this list. A view is a pure function of the scene.

pub mod help;

mod advice;
mod column;
mod cost;
mod cpus;
mod cpus_detail;
mod devices;
mod devices_detail;
pub mod difference;
mod drops;
mod drops_detail;
mod flame;
mod latency;
mod latency_detail;
mod paragraphs;
mod path;
mod path_detail;
mod procs;
mod skb_drops;
mod stacks;
mod stacks_detail;
mod stacks_figure;
mod stacks_head;
mod stages;
mod tcp;
mod tcp_columns;
mod tcp_detail;
mod tcp_rows;
mod whole_host;

use std::ops::RangeInclusive;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::figure;
use super::input::keymap::Context;
use super::state::UiState;
use super::state::pane::Row;
use super::text;
use super::theme::Theme;
use crate::model::Snapshot;
use crate::model::compare::Comparison;

pub trait View: Sync {
    fn title(&self) -> &'static str;
    /// Its tab where there is little room.
    fn short(&self) -> &'static str {
        self.title()
    }
    /// The key that opens it.
    fn digit(&self) -> char;
    fn context(&self) -> Context;
    /// What its tab says where something there needs a look now: `!`, `!2`.
    fn alarm(&self, _ui: &UiState, _snapshot: &Snapshot) -> String {
        String::new()
    }
    /// Titles of the columns that `<` and `>` go through.
    fn sorts(&self) -> Vec<&'static str>;
    /// What can be selected, in the order on the screen.
    fn rows(&self, ui: &UiState, snapshot: &Snapshot) -> Vec<Row>;
    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer);
}

pub use column::order_sign;
pub use tcp_rows::entries as sockets;

/// In the order of the tabs.
pub static VIEWS: &[&dyn View] = &[
    &path::Path,
    &cpus::Cpus,
    &devices::Devices,
    &procs::Procs,
    &stacks::Stacks,
    &drops::Drops,
    &latency::Latency,
    &advice::Advice,
    &tcp::Tcp,
];

pub fn index(context: Context) -> usize {
    VIEWS
        .iter()
        .position(|view| view.context() == context)
        .unwrap_or(0)
}

/// What a view draws from.
pub struct Scene<'a> {
    pub ui: &'a UiState,
    pub snapshot: &'a Snapshot,
    pub theme: &'static Theme,
    /// What the user marked to compare with.
    pub mark: Option<&'a Snapshot>,
}

impl Scene<'_> {
    /// The seconds since the mark against the mark's.
    fn compared(&self) -> Option<&Comparison> {
        self.ui.baseline.comparison()
    }

    /// A figure, or the dash of what was not measured.
    fn figure(&self, text: String) -> Line<'static> {
        let none = text == figure::NONE;
        Line::styled(text, if none { self.theme.dim } else { Style::new() })
    }
}

/// CPU time is sampled here; where it is not, no column speaks of it.
fn cpu_sampled(scene: &Scene<'_>) -> bool {
    scene.snapshot.host.clock.is_some()
}

/// A view of fewer lines has no detail pane.
const DETAIL_FROM: u16 = 10;

/// The list above gets the lines it needs, the detail pane below what is left, within bounds.
fn split(area: Rect, needs: usize, detail: RangeInclusive<u16>) -> (Rect, Option<Rect>) {
    if area.height < DETAIL_FROM {
        return (area, None);
    }
    // An empty list needs its lines for the reason.
    let needs = u16::try_from(needs.max(4)).unwrap_or(u16::MAX);
    let left = area.height.saturating_sub(needs);
    let detail = left.clamp(*detail.start(), *detail.end());
    let list = Rect {
        height: area.height - detail,
        ..area
    };
    let below = Rect {
        y: list.bottom(),
        height: detail,
        ..area
    };
    (list, Some(below))
}

/// `─ name ─ more ─────────`
fn rule(scene: &Scene<'_>, mut parts: Vec<Span<'static>>, area: Rect, buf: &mut Buffer) {
    let style = scene.theme.title;
    let mut spans = Vec::new();
    parts.retain(|part| part.width() > 0);
    for part in parts {
        spans.push(Span::styled("─ ", style));
        spans.push(part);
        spans.push(Span::raw(" "));
    }
    let line = text::clip_line(Line::from(spans), usize::from(area.width));
    let rest = usize::from(area.width).saturating_sub(line.width());
    let (x, _) = buf.set_line(area.x, area.y, &line, area.width);
    buf.set_stringn(x, area.y, "─".repeat(rest), rest, style);
}

/// Lines of a detail pane: those of high rank are left out first where there are too many.
fn lines(mut lines: Vec<(u8, Line<'static>)>, area: Rect, buf: &mut Buffer) {
    while lines.len() > usize::from(area.height) {
        let worst = lines
            .iter()
            .enumerate()
            .max_by_key(|(i, line)| (line.0, *i));
        let Some((worst, _)) = worst else { break };
        lines.remove(worst);
    }
    for (y, (_, line)) in (area.y..).zip(lines) {
        let line = text::clip_line(line, usize::from(area.width));
        buf.set_line(area.x, y, &line, area.width);
    }
}

/// A table without rows says why under its titles, or, where there is one line, in their place.
fn no_rows(scene: &Scene<'_>, message: &str, list: Rect, buf: &mut Buffer) {
    let titles = u16::from(list.height > 1);
    let below = Rect {
        y: list.y + titles,
        height: list.height - titles,
        ..list
    };
    notice(scene, message, below, buf);
}

/// Why there is nothing to see, where the first row would be.
fn notice(scene: &Scene<'_>, message: &str, area: Rect, buf: &mut Buffer) {
    let room = usize::from(area.width.saturating_sub(2));
    for (y, line) in (area.y..area.bottom()).zip(text::wrap(message, room, 3)) {
        buf.set_stringn(area.x.saturating_add(1), y, line, room, scene.theme.strong);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_and_digits_are_unique() {
        for (i, view) in VIEWS.iter().enumerate() {
            assert!(!view.title().is_empty());
            assert_eq!(index(view.context()), i);
            for other in &VIEWS[..i] {
                assert_ne!(view.title(), other.title());
                assert!(other.digit() < view.digit());
            }
        }
    }
}
