//! Tables of a snapshot: what a column is, and the list of tables. CSV prints any of them, the
//! text page prints `functions` and `stages`; the columns themselves are declared once, in `columns`.

use std::sync::Arc;

use crate::model::Snapshot;

use super::{columns, columns_tcp};

/// One value of a table, as measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Could not be had here; never 0.
    Missing,
    Count(u64),
    Number(f64),
    Flag(bool),
    Text(String),
}

/// What a number counts; the text page chooses its digits and marks by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    None,
    /// Hits of the row's function: exact unless the row is estimated.
    Hits,
    HitsPerS,
    /// Packets that a hit carries: counted, or from samples.
    PerHit,
    /// Anything else that is counted: packets, samples, drops.
    Count,
    PerS,
    Bytes,
    Bits,
    /// Percent of one CPU.
    Percent,
    Ns,
    Ms,
    Seconds,
}

/// One column of rows of type `R`.
pub struct Column<R> {
    /// The JSON field's name: CSV and JSON call one figure the same.
    pub name: &'static str,
    pub unit: Unit,
    pub get: fn(&R) -> Cell,
    /// The column's title on the text page, if it stands there.
    pub title: Option<&'static str>,
}

impl<R> Column<R> {
    pub const fn new(name: &'static str, unit: Unit, get: fn(&R) -> Cell) -> Self {
        Column {
            name,
            unit,
            get,
            title: None,
        }
    }

    pub const fn titled(mut self, title: &'static str) -> Self {
        self.title = Some(title);
        self
    }
}

/// A table with its rows' type hidden.
#[derive(Debug)]
pub struct Table {
    /// As typed after `--table`, and the snapshot's field.
    pub name: &'static str,
    pub columns: fn() -> Vec<&'static str>,
    pub rows: fn(&Snapshot) -> Vec<Vec<Cell>>,
}

pub static TABLES: &[Table] = &[
    Table {
        name: "functions",
        columns: || names(columns::FUNCTIONS),
        rows: |s| cells(columns::FUNCTIONS, &s.functions),
    },
    Table {
        name: "stages",
        columns: || names(columns::STAGES),
        rows: |s| cells(columns::STAGES, &s.stages),
    },
    Table {
        name: "contexts",
        columns: || names(columns::CONTEXTS),
        rows: |s| cells(columns::CONTEXTS, &s.contexts),
    },
    Table {
        name: "cpus",
        columns: || names(columns::CPUS),
        rows: |s| cells(columns::CPUS, &s.cpus),
    },
    Table {
        name: "processes",
        columns: || names(columns::PROCESSES),
        rows: |s| cells(columns::PROCESSES, &s.processes),
    },
    Table {
        name: "stacks",
        columns: || names(columns::STACKS),
        rows: |s| cells(columns::STACKS, &s.stacks),
    },
    Table {
        name: "drops",
        columns: || names(columns::DROPS),
        rows: |s| cells(columns::DROPS, &s.drops),
    },
    Table {
        name: "latency",
        columns: || names(columns::LATENCY),
        rows: |s| cells(columns::LATENCY, &s.latency),
    },
    Table {
        name: "devices",
        columns: || names(columns::DEVICES),
        rows: |s| cells(columns::DEVICES, s.devices.exported()),
    },
    Table {
        name: "tcp",
        columns: || names(columns_tcp::TCP),
        rows: |s| cells(columns_tcp::TCP, &s.tcp),
    },
    Table {
        name: "tcp_groups",
        columns: || names(columns_tcp::TCP_GROUPS),
        rows: |s| cells(columns_tcp::TCP_GROUPS, &s.tcp_groups),
    },
    Table {
        name: "listeners",
        columns: || names(columns_tcp::LISTENERS),
        rows: |s| cells(columns_tcp::LISTENERS, &s.listeners),
    },
    Table {
        name: "summary",
        columns: || names(columns::SUMMARY),
        rows: |s| cells(columns::SUMMARY, std::slice::from_ref(&s.summary)),
    },
    Table {
        name: "events",
        columns: || names(columns::EVENTS),
        rows: |s| cells(columns::EVENTS, &s.events),
    },
    Table {
        name: "health",
        columns: || names(columns::HEALTH),
        rows: |s| cells(columns::HEALTH, std::slice::from_ref(&s.health)),
    },
];

pub fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}

fn names<R>(columns: &[Column<R>]) -> Vec<&'static str> {
    columns.iter().map(|column| column.name).collect()
}

fn cells<'a, R: 'a>(
    columns: &[Column<R>],
    rows: impl IntoIterator<Item = &'a R>,
) -> Vec<Vec<Cell>> {
    let row = |row| columns.iter().map(|column| (column.get)(row)).collect();
    rows.into_iter().map(row).collect()
}

impl From<u64> for Cell {
    fn from(count: u64) -> Cell {
        Cell::Count(count)
    }
}

impl From<u32> for Cell {
    fn from(count: u32) -> Cell {
        Cell::Count(count.into())
    }
}

impl From<f64> for Cell {
    /// A number that is none (0 ÷ 0) was not measured.
    fn from(number: f64) -> Cell {
        if number.is_finite() {
            Cell::Number(number)
        } else {
            Cell::Missing
        }
    }
}

impl From<bool> for Cell {
    fn from(flag: bool) -> Cell {
        Cell::Flag(flag)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }
}

impl From<&String> for Cell {
    fn from(text: &String) -> Cell {
        Cell::Text(text.clone())
    }
}

impl From<&Arc<str>> for Cell {
    fn from(text: &Arc<str>) -> Cell {
        Cell::Text(text.to_string())
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Missing, Into::into)
    }
}
