//! What was typed after `netop list`.

use clap::Args;

use super::word;

#[derive(Debug, Clone, PartialEq, Args)]
pub struct List {
    /// Part of a name, or with * and ? the whole of it
    #[arg(value_name = "PATTERN", value_parser = word)]
    pub pattern: Option<String>,

    /// The files that these processes see
    #[arg(short = 'p', long = "pid", value_name = "PID,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,
}
