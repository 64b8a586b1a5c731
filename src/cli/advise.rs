//! What `netop advise` and `netop why` take.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Live, seconds};

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Advise {
    /// Seconds to look; a rule looks at ten, and is sure after fourteen
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value = "30")]
    pub duration: Duration,

    /// How to print the answer
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    pub format: String,

    /// What the rules compare with: a TOML file of lines like "A27.drops" = 5
    #[arg(long, value_name = "FILE")]
    pub rules: Option<PathBuf>,

    /// The made-up machine of `netop demo` instead of this host
    #[arg(long)]
    pub demo: bool,
}

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Why {
    /// Only what these processes do is counted; losses are the host's
    #[arg(short = 'p', long = "pid", value_name = "PID,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,

    /// Seconds to look
    #[arg(long, value_name = "SECS", value_parser = seconds, default_value = "11")]
    pub duration: Duration,

    /// The made-up machine of `netop demo` instead of this host
    #[arg(long)]
    pub demo: bool,
}

impl Advise {
    pub fn live(&self) -> Live {
        Live {
            rules: self.rules.clone(),
            ..Live::quiet(Vec::new())
        }
    }
}

impl Why {
    pub fn live(&self) -> Live {
        Live::quiet(self.pids.clone())
    }
}
