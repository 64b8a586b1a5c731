//! What each view remembers: its cursor, its order, its text. The cursor is the identity of a row,
//! found again in every snapshot, never a row number.

use std::sync::Arc;

use crate::tui::input::action::Step;
use crate::tui::stacks::call_tree::NodeId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    Function(Arc<str>),
    Cpu(u32),
    /// Inode of the namespace and ifindex.
    Device((u64, u32)),
    /// Of that device, "rx" or "tx", number.
    Queue((u64, u32), &'static str, u32),
    Process(u32),
    /// By the key of its row in the ledger.
    Drop(Arc<str>),
    /// Rule and subject.
    Finding(&'static str, Arc<str>),
    /// A pair of events, by its name.
    Pair(&'static str),
    Frame(NodeId),
    /// Network namespace and cookie.
    Socket(u64, u64),
    /// Connections summed up.
    Group(Arc<str>),
}

#[derive(Debug, Clone, Default)]
pub struct Pane {
    pub cursor: Option<Row>,
    /// Where the cursor's row was last: its neighbour takes over while it is gone.
    pub near: usize,
    /// Which of the view's sortable columns; none: the natural order.
    pub sort: Option<usize>,
    pub reverse: bool,
    /// Filter of a table, search of the tree.
    pub text: String,
}

impl Pane {
    pub fn position(&self, rows: &[Row]) -> Option<usize> {
        let last = rows.len().checked_sub(1)?;
        let found = self
            .cursor
            .as_ref()
            .and_then(|cursor| rows.iter().position(|row| row == cursor));
        Some(found.unwrap_or_else(|| self.near.min(last)))
    }

    pub fn selected<'a>(&self, rows: &'a [Row]) -> Option<&'a Row> {
        rows.get(self.position(rows)?)
    }

    /// After rows have changed: remembers where the row is now. Without a cursor the first row
    /// becomes it, so that what Enter acts on cannot change under the finger.
    pub fn settle(&mut self, rows: &[Row]) {
        if self.cursor.is_none() {
            self.cursor = rows.first().cloned();
        }
        if let Some(at) = rows
            .iter()
            .position(|row| Some(row) == self.cursor.as_ref())
        {
            self.near = at;
        }
    }

    pub fn step(&mut self, rows: &[Row], step: Step, page: usize) {
        let Some(here) = self.position(rows) else {
            return;
        };
        let there = moved(here, rows.len() - 1, step, page);
        self.select(rows[there].clone());
        self.near = there;
    }

    pub fn select(&mut self, row: Row) {
        self.cursor = Some(row);
    }

    /// Through the sortable columns and the natural order.
    pub fn sort_by_next(&mut self, columns: usize, back: bool) {
        let places = columns + 1;
        let here = self.sort.map_or(0, |sort| sort + 1);
        let there = if back { here + places - 1 } else { here + 1 } % places;
        self.sort = there.checked_sub(1);
        self.reverse = false;
    }
}

pub fn moved(here: usize, last: usize, step: Step, page: usize) -> usize {
    match step {
        Step::Up => here.saturating_sub(1),
        Step::Down => here + 1,
        Step::PageUp => here.saturating_sub(page),
        Step::PageDown => here.saturating_add(page),
        Step::First => 0,
        Step::Last => last,
    }
    .min(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pids: &[u32]) -> Vec<Row> {
        pids.iter().copied().map(Row::Process).collect()
    }

    #[test]
    fn the_cursor_follows_its_row_and_a_neighbour_stands_in_while_it_is_gone() {
        let mut pane = Pane::default();
        pane.settle(&rows(&[1, 2, 3]));
        pane.step(&rows(&[1, 2, 3]), Step::Down, 10);
        assert_eq!(pane.position(&rows(&[3, 1, 2])), Some(2));
        pane.settle(&rows(&[3, 1, 2]));
        let without = rows(&[3, 1]);
        pane.settle(&without);
        assert_eq!(pane.position(&without), Some(1));
        assert_eq!(pane.selected(&rows(&[2, 3, 1])), Some(&Row::Process(2)));
        assert_eq!(pane.position(&[]), None);
    }

    #[test]
    fn a_cursor_never_leaves_the_list() {
        let list = rows(&[1, 2, 3]);
        for step in [
            Step::Up,
            Step::Down,
            Step::PageUp,
            Step::PageDown,
            Step::First,
            Step::Last,
        ] {
            let mut pane = Pane::default();
            for _ in 0..5 {
                pane.step(&list, step, usize::MAX);
                assert!(pane.position(&list).is_some_and(|at| at < 3));
            }
            pane.step(&[], step, 1);
        }
    }

    #[test]
    fn sorting_goes_round_through_the_natural_order() {
        let mut pane = Pane::default();
        let mut seen = Vec::new();
        for _ in 0..3 {
            pane.sort_by_next(2, false);
            seen.push(pane.sort);
        }
        assert_eq!(seen, [Some(0), Some(1), None]);
        pane.sort_by_next(2, true);
        assert_eq!(pane.sort, Some(1));
    }
}
