//! View 6: where packets are lost and why; the gravest first, then what is lost fastest.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::column::{self, Column, Key, SPARK};
use super::{Scene, View, drops_detail, no_rows, split};
use crate::model::{Class, Drop, HISTORY, Snapshot};
use crate::tui::figure;
use crate::tui::input::keymap::Context;
use crate::tui::state::UiState;
use crate::tui::state::pane::Row;
use crate::tui::text::clean;
use crate::tui::widget::spark;
use crate::tui::widget::table::Grow;

pub struct Drops;

static COLUMNS: &[Column<Drop>] = &[
    Column::new(
        "WHERE",
        20,
        0,
        Some(|d: &Drop| Key::Text(d.place.clone())),
        place,
    )
    .left()
    .grow(Grow::To(36)),
    Column::new(
        "REASON",
        18,
        0,
        Some(|d: &Drop| Key::Text(d.reason.clone().unwrap_or_default())),
        |s, d, _| text(s, d.reason.as_deref()),
    )
    .left()
    .grow(Grow::To(26)),
    Column::new(
        "CLASS",
        8,
        1,
        Some(|d: &Drop| Key::Number(Some(f64::from(d.class as u8)))),
        class,
    )
    .left(),
    Column::new(
        "RATE/s",
        figure::ESTIMATE,
        0,
        Some(|d: &Drop| Key::Number(d.rate)),
        |s, d, _| s.figure(figure::estimate(d.rate, d.estimated)),
    ),
    Column::new(SPARK, 10, 2, None, history)
        .left()
        .grow(Grow::Steps(&[12, 15, 20, 30])),
    Column::new(
        "TOTAL",
        figure::ESTIMATE,
        1,
        Some(|d: &Drop| Key::Number(Some(d.total as f64))),
        total,
    ),
    Column::new(
        "DEVICE",
        9,
        4,
        Some(|d: &Drop| Key::Text(d.device.clone().unwrap_or_default())),
        |s, d, _| text(s, d.device.as_deref()),
    )
    .left()
    .grow(Grow::To(15)),
    Column::new(
        "PROCESS",
        14,
        5,
        Some(|d: &Drop| Key::Text(d.comm.clone().unwrap_or_default())),
        process,
    )
    .left()
    .grow(Grow::To(24)),
    Column::new(
        "LOCATION",
        21,
        3,
        Some(|d: &Drop| Key::Text(d.location.clone().unwrap_or_default())),
        |s, d, _| text(s, d.location.as_deref()),
    )
    .left()
    .grow(Grow::To(40)),
];

impl View for Drops {
    fn title(&self) -> &'static str {
        "Drops"
    }

    fn digit(&self) -> char {
        '6'
    }

    fn context(&self) -> Context {
        Context::Drops
    }

    fn alarm(&self, _: &UiState, snapshot: &Snapshot) -> String {
        let lossy = snapshot.summary.loss_rate > Some(0.0);
        if lossy { "!" } else { "" }.to_owned()
    }

    fn sorts(&self) -> Vec<&'static str> {
        column::sorts(COLUMNS)
    }

    fn rows(&self, ui: &UiState, snapshot: &Snapshot) -> Vec<Row> {
        order(ui, snapshot)
            .into_iter()
            .map(|i| Row::Drop(snapshot.drops[i].key.clone()))
            .collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let drops = &scene.snapshot.drops;
        let order = order(scene.ui, scene.snapshot);
        let rows = self.rows(scene.ui, scene.snapshot);
        let cursor = scene.ui.pane().position(&rows);
        let (list, below) = split(area, order.len() + 1, 7..=u16::MAX);
        column::render(scene, COLUMNS, drops, &order, cursor, list, buf);
        if order.is_empty() {
            no_rows(scene, nothing(scene.snapshot), list, buf);
        }
        match (below, cursor) {
            (Some(area), Some(cursor)) => {
                drops_detail::render(scene, &drops[order[cursor]], area, buf);
            }
            (Some(area), None) => drops_detail::sums(scene, area, buf),
            (None, _) => {}
        }
    }
}

fn nothing(snapshot: &Snapshot) -> &'static str {
    if !snapshot.drops.is_empty() {
        "No loss has this text: Esc clears it."
    } else if snapshot.summary.loss_rate.is_none() {
        "No counter of losses could be read twice yet."
    } else {
        "No loss since netop started, in any counter that can be read here."
    }
}

fn order(ui: &UiState, snapshot: &Snapshot) -> Vec<usize> {
    let pane = ui.pane_of(Context::Drops);
    column::arrange(&snapshot.drops, pane, COLUMNS, |d| {
        let words = [&d.reason, &d.location, &d.device, &d.comm];
        let mut all = format!("{} {}", d.place, d.class.name());
        for word in words.into_iter().flatten() {
            all.push(' ');
            all.push_str(word);
        }
        all
    })
}

pub fn style(scene: &Scene<'_>, class: Class) -> Style {
    match class {
        Class::Trouble => scene.theme.bad,
        Class::Look => scene.theme.warn,
        Class::Policy => scene.theme.strong,
        Class::Expected => scene.theme.dim,
    }
}

fn place(scene: &Scene<'_>, d: &Drop, _: u16) -> Line<'static> {
    let quiet = d.rate.is_none_or(|rate| rate <= 0.0);
    let style = if quiet {
        Style::new()
    } else {
        style(scene, d.class)
    };
    Line::styled(clean(&d.place).into_owned(), style)
}

fn class(scene: &Scene<'_>, d: &Drop, _: u16) -> Line<'static> {
    Line::styled(d.class.name(), style(scene, d.class))
}

fn text(scene: &Scene<'_>, value: Option<&str>) -> Line<'static> {
    scene.figure(value.map_or_else(
        || figure::NONE.to_owned(),
        |value| clean(value).into_owned(),
    ))
}

fn history(scene: &Scene<'_>, d: &Drop, width: u16) -> Line<'static> {
    let end = scene.snapshot.sequence;
    let text = spark::text(&d.history, end, HISTORY, usize::from(width));
    Line::styled(text, scene.theme.spark)
}

fn total(scene: &Scene<'_>, d: &Drop, _: u16) -> Line<'static> {
    let count = figure::count(Some(d.total));
    scene.figure(format!("{}{count}", d.mark()))
}

fn process(scene: &Scene<'_>, d: &Drop, _: u16) -> Line<'static> {
    let name = d.comm.as_deref().zip(d.pid);
    let name = name.map(|(comm, pid)| format!("{comm}({pid})"));
    text(scene, name.as_deref())
}
