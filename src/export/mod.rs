//! Formats of a snapshot or of its stacks: one file each, a pure function to text or bytes. Who opens files
//! and when to flush is not known here.

pub mod advice;
mod clean;
mod columns;
mod columns_tcp;
pub mod compared;
mod csv;
mod firefox;
mod folded;
pub mod json;
mod measured;
mod pprof;
mod saved;
mod stacks;
mod stacks_json;
pub mod svg;
mod table;
pub mod text;
mod text_table;

#[cfg(test)]
pub mod fixture;

pub use clean::{clean, clean_lines, steers};
pub use measured::{Recorded, Refused};
pub use saved::{LARGEST, Saved, parse};
pub use stacks::Profile;
pub use table::{TABLES, Table, table};

use crate::model::Snapshot;

/// One way to print snapshots as a stream.
#[derive(Debug)]
pub struct Format {
    /// As typed after `--format`.
    pub name: &'static str,
    /// Printed once, before the first snapshot.
    pub header: fn(&Table) -> String,
    /// One snapshot. The table matters to CSV only.
    pub write: fn(&Table, &Snapshot) -> String,
}

/// In the order of the help.
pub static FORMATS: &[Format] = &[
    Format {
        name: "text",
        header: |_| String::new(),
        write: |_, snapshot| text::page(snapshot),
    },
    Format {
        name: "json",
        header: |_| String::new(),
        write: |_, snapshot| json::line(snapshot),
    },
    Format {
        name: "csv",
        header: csv::header,
        write: csv::rows,
    },
];

pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

/// One way to write call stacks.
#[derive(Debug)]
pub struct StackFormat {
    /// As typed after `--to`.
    pub name: &'static str,
    /// No text: nothing for a terminal.
    pub binary: bool,
    /// `None`: there is nothing to write.
    pub write: fn(&Profile) -> Option<Vec<u8>>,
}

/// In the order of the help.
pub static STACK_FORMATS: &[StackFormat] = &[
    StackFormat {
        name: "folded",
        binary: false,
        write: |profile| Some(folded::text(profile)?.into_bytes()),
    },
    StackFormat {
        name: "svg",
        binary: false,
        write: |profile| Some(svg::picture(profile)?.into_bytes()),
    },
    StackFormat {
        name: "firefox",
        binary: false,
        write: |profile| Some(firefox::profile(profile)?.into_bytes()),
    },
    StackFormat {
        name: "pprof",
        binary: true,
        write: pprof::profile,
    },
    StackFormat {
        name: "json",
        binary: false,
        write: |profile| Some(stacks_json::text(profile)?.into_bytes()),
    },
];

pub fn stack_format(name: &str) -> Option<&'static StackFormat> {
    STACK_FORMATS.iter().find(|format| format.name == name)
}
