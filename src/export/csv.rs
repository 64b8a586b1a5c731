//! CSV: one table, its header once, then its rows of every snapshot. A figure that could not be
//! had is an empty field.

use crate::model::{Snapshot, format_time};

use super::clean::clean;
use super::table::{Cell, Table};

/// Before the table's own columns, so that rows of many snapshots can be told apart.
const STAMP: [&str; 2] = ["at", "interval_s"];

pub fn header(table: &Table) -> String {
    let names = STAMP.into_iter().chain((table.columns)());
    lines([names.map(str::to_owned).collect()])
}

pub fn rows(table: &Table, snapshot: &Snapshot) -> String {
    let at = format_time(snapshot.at);
    let interval = snapshot.interval_s.to_string();
    let stamped = |row: Vec<Cell>| {
        let stamp = [at.clone(), interval.clone()];
        stamp.into_iter().chain(row.iter().map(field)).collect()
    };
    lines((table.rows)(snapshot).into_iter().map(stamped))
}

fn field(cell: &Cell) -> String {
    match cell {
        Cell::Missing => String::new(),
        Cell::Count(count) => count.to_string(),
        Cell::Number(number) => number.to_string(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Text(text) => as_text(&clean(text)),
    }
}

/// A spreadsheet takes what begins so for a formula, and runs it; behind an apostrophe it is text.
fn as_text(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn lines(rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer
            .write_record(&row)
            .expect("memory takes every write, and all rows of a table have its columns");
    }
    let bytes = writer.into_inner().expect("memory takes every write");
    String::from_utf8(bytes).expect("fields are text")
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
