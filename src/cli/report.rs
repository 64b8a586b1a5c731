//! What was typed after `netop report`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Batch, By, Cost, Counting, Cpus, Live, Screen, What, cpus, module, seconds, word};

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Report {
    /// A perf.data file, or a flight recorder's directory; - reads what `perf record -o -` writes
    #[arg(value_name = "FILE|DIR")]
    pub file: PathBuf,

    /// Seconds between two snapshots, 0.05 to 3600 [default with -b: one of all]
    #[arg(short = 'd', value_name = "SECS", value_parser = seconds)]
    pub interval: Option<Duration>,

    /// Stop after this many snapshots
    #[arg(short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// What the flight recorder kept of this moment: with -b that second, on the screen five
    /// minutes around it; 03:11 and 03:11:20 are by this host's clock, the last time it was so late
    #[arg(long, value_name = "TIME", value_parser = word, conflicts_with_all = ["start", "stop"])]
    pub at: Option<String>,

    /// From here on: seconds after the first sample, or a time like 2026-11-23T03:11:00Z (of the
    /// flight recorder like 03:11, too)
    #[arg(long, value_name = "TIME", value_parser = word, allow_hyphen_values = true)]
    pub start: Option<String>,

    /// Until here
    #[arg(long, value_name = "TIME", value_parser = word, allow_hyphen_values = true)]
    pub stop: Option<String>,

    /// Only these processes, with all their threads
    #[arg(short = 'p', long = "pid", value_name = "PID,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,

    /// Only packets of this network device
    #[arg(short = 'i', long = "device", value_name = "DEV", value_parser = word)]
    pub device: Option<String>,

    /// Only these CPUs, like 0-3,7
    #[arg(short = 'C', long = "cpus", value_name = "CPUS", value_parser = cpus)]
    pub cpus: Option<Cpus>,

    /// Only stacks, stages and CPU time of this kernel module, and each of its functions
    #[arg(long, value_name = "NAME", value_parser = module)]
    pub module: Option<Arc<str>>,

    #[command(flatten)]
    pub batch: Batch,

    #[command(flatten)]
    pub screen: Screen,
}

impl Report {
    /// What of a live run would show the same.
    pub fn live(&self) -> Live {
        Live {
            interval: self.interval.unwrap_or(Duration::from_secs(1)),
            count: self.count,
            what: What {
                cpus: self.cpus.clone(),
                module: self.module.clone(),
                pids: self.pids.clone(),
                cgroup: None,
                children: false,
                by: By::Context,
                device: self.device.clone(),
                latency: false,
                events: Vec::new(),
                frequency: 0,
            },
            batch: self.batch.clone(),
            cost: Cost {
                max_overhead: 100.0,
                counting: Counting::Perf,
            },
            screen: self.screen.clone(),
            rules: None,
        }
    }
}
