//! What `netop diff` takes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Diff {
    /// Snapshots of `-b --format json` (a minute of them finds a change of 5 %), a recording
    /// (perf.data), or one snapshot of `w`
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,

    /// The same after the change
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,

    /// How to print the answer
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text",
          conflicts_with = "to")]
    pub format: String,

    /// svg: a flame graph for a browser, as wide as AFTER, red where a stack takes more CPU time
    /// than BEFORE, blue where less
    #[arg(long, value_name = "FORMAT", value_parser = ["svg"])]
    pub to: Option<String>,

    /// Write to this file
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,
}
