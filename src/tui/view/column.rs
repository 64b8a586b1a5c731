//! A column of a table of model rows: its place, its text, its order. One entry is one column.

use std::cmp::Ordering;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Scene;
use crate::tui::figure;
use crate::tui::state::pane::Pane;
use crate::tui::text;
use crate::tui::widget::spark;
use crate::tui::widget::table::{self, Grow, Table};

pub struct Column<R: 'static> {
    pub layout: table::Column,
    /// None: one cannot sort by it.
    pub key: Option<fn(&R) -> Key>,
    pub cell: fn(&Scene<'_>, &R, u16) -> Line<'static>,
    /// Whether it is there at all, whatever the width: a column that nothing can fill is not.
    pub when: fn(&Scene<'_>) -> bool,
}

/// Names ascend, numbers descend, what was not measured comes last either way.
pub enum Key {
    Text(String),
    Number(Option<f64>),
}

/// A title of this name is the length of time the sparkline shows.
pub const SPARK: &str = "60s";

impl<R> Column<R> {
    pub const fn new(
        title: &'static str,
        least: u16,
        rank: u8,
        key: Option<fn(&R) -> Key>,
        cell: fn(&Scene<'_>, &R, u16) -> Line<'static>,
    ) -> Self {
        Column {
            layout: table::Column {
                title,
                least,
                grow: Grow::No,
                right: true,
                rank,
                from: 0,
            },
            key,
            cell,
            when: |_| true,
        }
    }

    pub const fn when(mut self, when: fn(&Scene<'_>) -> bool) -> Self {
        self.when = when;
        self
    }

    pub const fn left(mut self) -> Self {
        self.layout.right = false;
        self
    }

    /// Not in a table less wide than this.
    pub const fn from(mut self, width: u16) -> Self {
        self.layout.from = width;
        self
    }

    pub const fn grow(mut self, grow: Grow) -> Self {
        self.layout.grow = grow;
        self
    }
}

pub fn sorts<R>(columns: &[Column<R>]) -> Vec<&'static str> {
    sortable(columns)
        .map(|column| column.layout.title)
        .collect()
}

/// Indices of the rows that hold the pane's text, in the pane's order.
pub fn arrange<R>(
    rows: &[R],
    pane: &Pane,
    columns: &[Column<R>],
    words: fn(&R) -> String,
) -> Vec<usize> {
    let text = pane.text.to_lowercase();
    let mut order: Vec<usize> = (0..rows.len())
        .filter(|&i| text.is_empty() || words(&rows[i]).to_lowercase().contains(&text))
        .collect();
    let key = pane.sort.and_then(|sort| sortable(columns).nth(sort)?.key);
    match key {
        Some(key) => {
            let keys: Vec<Key> = rows.iter().map(key).collect();
            order.sort_by(|&a, &b| compare(&keys[a], &keys[b], pane.reverse));
        }
        None if pane.reverse => order.reverse(),
        None => {}
    }
    order
}

/// Titles of the columns that a table of this width shows.
pub fn shown<R>(scene: &Scene<'_>, columns: &[Column<R>], width: u16) -> Vec<&'static str> {
    let layouts = layouts(scene, columns);
    let shown = table::layout(&layouts, width);
    shown.iter().map(|(i, _)| layouts[*i].title).collect()
}

/// No table is as wide as a column that is not there asks for.
fn layouts<R>(scene: &Scene<'_>, columns: &[Column<R>]) -> Vec<table::Column> {
    let layout = |column: &Column<R>| table::Column {
        from: if (column.when)(scene) {
            column.layout.from
        } else {
            u16::MAX
        },
        ..column.layout
    };
    columns.iter().map(layout).collect()
}

/// Draws the table; `order` are indices into `rows`.
pub fn render<R>(
    scene: &Scene<'_>,
    columns: &'static [Column<R>],
    rows: &[R],
    order: &[usize],
    cursor: Option<usize>,
    area: Rect,
    buf: &mut Buffer,
) {
    let layouts = layouts(scene, columns);
    let pane = scene.ui.pane();
    let sorted = pane
        .sort
        .and_then(|sort| sortable(columns).nth(sort))
        .map(|column| column.layout.title);
    let table = Table {
        columns: &table::layout(&layouts, area.width),
        layout: &|i| layouts[i],
        titles: &|i, width| title(scene, layouts[i].title, sorted, width),
        rows: order.len(),
        cursor,
        title_style: scene.theme.title,
        cursor_style: scene.theme.selected,
    };
    table.render(area, buf, |row, i, width| {
        (columns[i].cell)(scene, &rows[order[row]], width)
    });
}

/// The sign of the order stands in the title where there is room for it.
fn title(scene: &Scene<'_>, title: &str, sorted: Option<&str>, width: u16) -> String {
    if title == SPARK {
        let shown = spark_span(usize::from(width));
        let asked = scene.ui.interval().as_secs_f64();
        let changing = asked > 1.5 * scene.snapshot.interval_s;
        if !changing && !scene.ui.history.uneven(shown) {
            return figure::span(scene.ui.interval() * shown as u32);
        }
        let long = format!("{shown} intervals");
        return if text::width(&long) <= usize::from(width) {
            long
        } else {
            format!("{shown} int.")
        };
    }
    if sorted != Some(title) {
        return title.to_owned();
    }
    let sign = order_sign(scene.ui.pane().reverse);
    if text::width(title) < usize::from(width) {
        format!("{title}{sign}")
    } else {
        format!("{}{sign}", &title[..title.len().saturating_sub(1)])
    }
}

pub fn order_sign(reverse: bool) -> &'static str {
    if reverse { "▲" } else { "▼" }
}

/// How many intervals a sparkline of that width shows.
fn spark_span(width: usize) -> usize {
    let per = spark::per_cell(crate::model::HISTORY, width);
    (per * width).min(crate::model::HISTORY)
}

fn sortable<R>(columns: &[Column<R>]) -> impl Iterator<Item = &Column<R>> {
    columns.iter().filter(|column| column.key.is_some())
}

fn compare(a: &Key, b: &Key, reverse: bool) -> Ordering {
    let turn = |order: Ordering| if reverse { order.reverse() } else { order };
    match (a, b) {
        (Key::Text(a), Key::Text(b)) => turn(a.cmp(b)),
        (Key::Number(Some(a)), Key::Number(Some(b))) => turn(b.total_cmp(a)),
        (Key::Number(Some(_)), Key::Number(None)) => Ordering::Less,
        (Key::Number(None), Key::Number(Some(_))) => Ordering::Greater,
        _ => Ordering::Equal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Measured(Option<f64>);

    fn number(row: &Measured) -> Key {
        Key::Number(row.0)
    }

    fn none(_: &Scene<'_>, _: &Measured, _: u16) -> Line<'static> {
        Line::default()
    }

    #[test]
    fn what_was_not_measured_is_last_in_either_order() {
        let columns = [Column::new("N", 3, 0, Some(number), none)];
        let rows = [None, Some(1.0), Some(3.0), None, Some(2.0)].map(Measured);
        let order = |sort, reverse| {
            let pane = Pane {
                sort,
                reverse,
                ..Pane::default()
            };
            arrange(&rows, &pane, &columns, |_| String::new())
        };
        assert_eq!(order(Some(0), false), [2, 4, 1, 0, 3]);
        assert_eq!(order(Some(0), true), [1, 4, 2, 0, 3]);
        assert_eq!(order(None, false), [0, 1, 2, 3, 4]);
        assert_eq!(order(None, true), [4, 3, 2, 1, 0]);
    }

    #[test]
    fn text_keeps_the_rows_that_hold_it() {
        let columns = [Column::new("N", 3, 0, Some(number), none)];
        let pane = Pane {
            text: "ON".to_owned(),
            ..Pane::default()
        };
        let words = |row: &Measured| if row.0.is_some() { "one" } else { "two" }.to_owned();
        assert_eq!(
            arrange(&[None, Some(1.0)].map(Measured), &pane, &columns, words),
            [1]
        );
    }
}
