//! The tables of the text page: aligned, columns that nothing here could fill are left out.

use unicode_width::UnicodeWidthStr;

use crate::model::{Function, Latency, Stage};

use super::clean::clean;
use super::columns::{FUNCTIONS, LATENCY, STAGES};
use super::table::{Cell, Column, Unit};

pub const MISSING: &str = "–";

pub fn functions(rows: &[Function]) -> Vec<String> {
    aligned(FUNCTIONS, rows, |row, unit| match unit {
        Unit::Hits | Unit::HitsPerS => row.estimated,
        // From samples, and they did not see every hit.
        Unit::PerHit => row.packets_estimated(),
        Unit::Bytes => row.bytes_estimated(),
        _ => false,
    })
}

pub fn stages(rows: &[Stage]) -> Vec<String> {
    aligned(STAGES, rows, |_, _| false)
}

pub fn latency(rows: &[Latency]) -> Vec<String> {
    aligned(LATENCY, rows, |_, _| false)
}

/// With its title line: text left, numbers right.
fn aligned<R>(columns: &[Column<R>], rows: &[R], estimated: fn(&R, Unit) -> bool) -> Vec<String> {
    let columns = columns.iter().filter_map(|column| {
        let title = column.title?;
        let fields: Vec<String> = rows
            .iter()
            .map(|row| match field((column.get)(row)) {
                Some(text) if estimated(row, column.unit) => format!("≈{text}"),
                Some(text) => text,
                None => MISSING.to_owned(),
            })
            .collect();
        // The name and the exact counts stand in any case: their – is news.
        let stands = matches!(column.unit, Unit::None | Unit::Hits | Unit::HitsPerS)
            || fields.iter().any(|field| field != MISSING);
        stands.then_some((title, column.unit, fields))
    });
    let mut lines = vec![String::new(); rows.len() + 1];
    for (title, unit, fields) in columns {
        let cells = || std::iter::once(title).chain(fields.iter().map(String::as_str));
        let width = cells().map(UnicodeWidthStr::width).max().unwrap_or(0);
        for (line, cell) in lines.iter_mut().zip(cells()) {
            let space = " ".repeat(width - cell.width());
            if !line.is_empty() {
                line.push_str("  ");
            }
            if unit == Unit::None {
                line.push_str(cell);
                line.push_str(&space);
            } else {
                line.push_str(&space);
                line.push_str(cell);
            }
        }
    }
    lines
}

fn field(cell: Cell) -> Option<String> {
    Some(match cell {
        Cell::Missing => return None,
        Cell::Text(text) => clean(&text).into_owned(),
        Cell::Flag(flag) => flag.to_string(),
        Cell::Count(count) => count.to_string(),
        // Enough digits to compare with other tools.
        Cell::Number(number) if number.abs() >= 100.0 => format!("{number:.0}"),
        Cell::Number(number) => format!("{number:.1}"),
    })
}
