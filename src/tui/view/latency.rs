//! View 7: how long packets, softirqs and readers wait, in the order of the way in and the way out.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::column::{self, Column, Key};
use super::{Scene, View, latency_detail, no_rows, split};
use crate::model::{Latency as Row, Snapshot};
use crate::tui::figure;
use crate::tui::input::keymap::Context;
use crate::tui::state::UiState;
use crate::tui::state::pane;
use crate::tui::text::clean;
use crate::tui::widget::table::Grow;

pub struct Latency;

static COLUMNS: &[Column<Row>] = &[
    Column::new(
        "STAGE",
        12,
        0,
        Some(|l: &Row| Key::Text(stage(l).to_owned())),
        |_, l, _| Line::raw(stage(l)),
    )
    .left(),
    Column::new(
        "P50",
        figure::COST,
        0,
        Some(|l: &Row| number(l.times.p50_ns)),
        |s, l, _| s.figure(figure::duration(l.times.p50_ns)),
    ),
    Column::new(
        "P99",
        figure::COST,
        0,
        Some(|l: &Row| number(l.times.p99_ns)),
        |s, l, _| s.figure(figure::duration(l.times.p99_ns)),
    ),
    Column::new(
        "P99.9",
        figure::COST,
        1,
        Some(|l: &Row| number(l.times.p999_ns)),
        |s, l, _| s.figure(figure::duration(l.times.p999_ns)),
    ),
    Column::new(
        "MAX",
        figure::COST,
        1,
        Some(|l: &Row| number(l.times.max_ns)),
        |s, l, _| s.figure(figure::duration(l.times.max_ns)),
    ),
    Column::new(
        "COUNT",
        figure::RATE,
        2,
        Some(|l: &Row| number(Some(l.times.count))),
        count,
    ),
    Column::new(
        "1 IN",
        4,
        4,
        Some(|l: &Row| number(Some(l.one_in.into()))),
        |_, l, _| Line::raw(l.one_in.to_string()),
    ),
    Column::new(
        "MATCH",
        figure::PERCENT,
        3,
        Some(|l: &Row| Key::Number(l.matched_pct)),
        |s, l, _| s.figure(figure::percent(l.matched_pct)),
    ),
    Column::new(
        "DEVICE",
        8,
        5,
        Some(|l: &Row| Key::Text(l.device.clone().unwrap_or_default())),
        device,
    )
    .left()
    .grow(Grow::To(15)),
    Column::new("WHAT IS WAITED FOR", 18, 6, None, |s, l, _| what(s, l))
        .left()
        .grow(Grow::To(57)),
];

impl View for Latency {
    fn title(&self) -> &'static str {
        "Latency"
    }

    fn short(&self) -> &'static str {
        "Lat"
    }

    fn digit(&self) -> char {
        '7'
    }

    fn context(&self) -> Context {
        Context::Latency
    }

    fn sorts(&self) -> Vec<&'static str> {
        column::sorts(COLUMNS)
    }

    fn rows(&self, ui: &UiState, snapshot: &Snapshot) -> Vec<pane::Row> {
        order(ui, snapshot)
            .into_iter()
            .map(|i| pane::Row::Pair(snapshot.latency[i].pair))
            .collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let rows = &scene.snapshot.latency;
        let order = order(scene.ui, scene.snapshot);
        let cursor = scene
            .ui
            .pane()
            .position(&self.rows(scene.ui, scene.snapshot));
        let (list, below) = split(area, order.len() + 1, 7..=u16::MAX);
        column::render(scene, COLUMNS, rows, &order, cursor, list, buf);
        if order.is_empty() {
            no_rows(scene, nothing(scene), list, buf);
        }
        if let (Some(area), Some(cursor)) = (below, cursor) {
            latency_detail::render(scene, &rows[order[cursor]], area, buf);
        }
    }
}

fn nothing(scene: &Scene<'_>) -> &'static str {
    if scene.ui.is_of_recording() {
        return "Packets were not timed when this was recorded.";
    }
    if !scene.snapshot.latency.is_empty() {
        "No stage has this text: Esc clears it."
    } else if scene.snapshot.health.detached {
        "Everything is detached: ! attaches it again."
    } else {
        "Packets are timed only while this view is open: the first interval is under way, or the pause is from before it."
    }
}

fn order(ui: &UiState, snapshot: &Snapshot) -> Vec<usize> {
    let pane = ui.pane_of(Context::Latency);
    column::arrange(&snapshot.latency, pane, COLUMNS, |l| {
        format!("{} {} {} {}", stage(l), l.pair, l.from, l.to)
    })
}

pub fn stage(l: &Row) -> &'static str {
    l.which.map_or(l.pair, |pair| pair.title().0)
}

fn number(value: Option<u64>) -> Key {
    Key::Number(value.map(|value| value as f64))
}

fn count(scene: &Scene<'_>, l: &Row, _: u16) -> Line<'static> {
    scene.figure(figure::count(Some(l.times.count)))
}

fn device(scene: &Scene<'_>, l: &Row, _: u16) -> Line<'static> {
    let name = l.device.as_deref().map(|name| clean(name).into_owned());
    scene.figure(name.unwrap_or_else(|| figure::NONE.to_owned()))
}

fn what(scene: &Scene<'_>, l: &Row) -> Line<'static> {
    let text = l.which.map_or("", |pair| pair.title().1);
    Line::styled(text, scene.theme.dim)
}
