//! What was typed after `netop export`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::{Cost, half_a_minute, module, word};
use crate::export;

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Export {
    /// A recording (perf.data) of netop or perf; or a snapshot written by `w` or `-b --format
    /// json`, which holds the 50 heaviest stacks of its last interval [default: sample this host]
    #[arg(value_name = "FILE", conflicts_with_all =
          ["duration", "pids", "children", "frequency", "max_overhead", "counting", "demo"])]
    pub file: Option<PathBuf>,

    /// folded: `frame;frame;… weight` a line, for flamegraph.pl, inferno, speedscope (weights in
    /// µs of CPU time, or hits); svg: a flame graph for a browser; firefox: for
    /// profiler.firefox.com; pprof: for `go tool pprof`, Pyroscope, Parca (gzipped); json: the
    /// stacks as a snapshot has them
    #[arg(long, value_name = "FORMAT",
          value_parser = PossibleValuesParser::new(export::STACK_FORMATS.iter().map(|f| f.name)))]
    pub to: String,

    /// Write to this file
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Stacks of this function's hits instead of CPU time, e.g. kfree_skb
    #[arg(long, value_name = "NAME", value_parser = word)]
    pub function: Option<String>,

    /// Seconds to sample, 0.05 to 30
    #[arg(long, value_name = "SECS", value_parser = half_a_minute, default_value = "10")]
    pub duration: Duration,

    /// Only CPU time of the network stack, without what else ran and what idled
    #[arg(long, conflicts_with = "function")]
    pub network: bool,

    /// Only what ran in these processes
    #[arg(short = 'p', long = "pid", value_name = "PID,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,

    /// Forked children of those processes too
    #[arg(long, requires = "pids")]
    pub children: bool,

    /// Only what passed through this kernel module
    #[arg(long, value_name = "NAME", value_parser = module)]
    pub module: Option<Arc<str>>,

    /// CPU samples per second and CPU
    #[arg(short = 'F', long = "frequency", value_name = "HZ", default_value_t = 199,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub frequency: u32,

    /// The made-up machine of `netop demo` instead of this host
    #[arg(long)]
    pub demo: bool,

    #[command(flatten)]
    pub cost: Cost,
}
