//! View 9: TCP connections, one by one or summed up, and the sockets that listen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::tcp_columns::COLUMNS;
use super::tcp_rows::{Entry, entries};
use super::{Scene, View, column, no_rows, split, tcp_detail};
use crate::model::Snapshot;
use crate::tui::input::keymap::Context;
use crate::tui::state::UiState;
use crate::tui::state::pane::Row;

pub struct Tcp;

impl View for Tcp {
    fn title(&self) -> &'static str {
        "TCP"
    }

    fn digit(&self) -> char {
        '9'
    }

    fn context(&self) -> Context {
        Context::Tcp
    }

    fn sorts(&self) -> Vec<&'static str> {
        column::sorts(COLUMNS)
    }

    fn rows(&self, ui: &UiState, snapshot: &Snapshot) -> Vec<Row> {
        let entries = entries(snapshot, ui.grouping);
        order(ui, &entries)
            .into_iter()
            .map(|i| entries[i].row())
            .collect()
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
        let entries = entries(scene.snapshot, scene.ui.grouping);
        let order = order(scene.ui, &entries);
        let rows = self.rows(scene.ui, scene.snapshot);
        let cursor = scene.ui.pane().position(&rows);
        let (list, below) = split(area, order.len() + 1, 5..=9);
        column::render(scene, COLUMNS, &entries, &order, cursor, list, buf);
        if order.is_empty() {
            no_rows(scene, &why_empty(scene, entries.is_empty()), list, buf);
        }
        if let (Some(area), Some(cursor)) = (below, cursor) {
            tcp_detail::render(scene, &entries[order[cursor]], area, buf);
        }
    }
}

fn order(ui: &UiState, entries: &[Entry]) -> Vec<usize> {
    column::arrange(entries, ui.pane_of(Context::Tcp), COLUMNS, |entry| {
        format!("{} {} {}", entry.local(), entry.name(), entry.process())
    })
}

fn why_empty(scene: &Scene<'_>, none: bool) -> String {
    let grouping = scene.ui.grouping.name();
    if !none {
        return format!("Nothing has this text ({grouping}): Esc clears it.");
    }
    match &scene.snapshot.sockets {
        None => "Sockets are not read yet: sock_diag takes up to a second where there are few."
            .to_owned(),
        Some(_) if !scene.snapshot.filter.pids.is_empty() => {
            format!("No TCP sockets of these processes ({grouping}).")
        }
        Some(_) => format!("No TCP sockets of this kind ({grouping}): b shows others."),
    }
}
