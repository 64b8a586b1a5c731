//! What was typed after `netop record`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Batch, By, Color, Cost, Counting, Live, Screen, What, percent, seconds, word};

#[derive(Debug, Clone, PartialEq, Args)]
pub struct Record {
    /// Write to this file; one that is there becomes FILE.old
    /// [default: netop-HOST-UTCTIME.perf.data]
    #[arg(short = 'o', long = "output", value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Stop after so many seconds [default: at Ctrl-C, or when COMMAND ends]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub duration: Option<Duration>,

    /// Only these processes count, with all their threads
    #[arg(short = 'p', long = "pid", value_name = "PID,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,

    /// Forked children of those processes too
    #[arg(long, requires = "pids")]
    pub children: bool,

    /// Record these functions or tracepoints instead of the default ones, each hit counted; CPU
    /// time is sampled beside them unless -F 0
    #[arg(short = 'e', long = "event", value_name = "EVENT,…", value_delimiter = ',', value_parser = word)]
    pub events: Vec<String>,

    /// CPU samples per second and CPU; 0 takes none
    #[arg(short = 'F', long = "frequency", value_name = "HZ", default_value_t = 199,
          value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub frequency: u32,

    /// What netop may cost a CPU, in percent of the time that it is busy (of half of all time at
    /// least); 100: no limit
    #[arg(long, value_name = "PCT", value_parser = percent, default_value = "5")]
    pub max_overhead: f64,

    /// Keep the last day of the free counters and of events in a directory, as a service: at most
    /// 100 MB, nothing is attached; netop report DIR shows it
    #[arg(long, conflicts_with_all = ["output", "pids", "events", "demo", "command"])]
    pub flight: bool,

    /// Where the flight recorder keeps them
    #[arg(
        long,
        value_name = "DIR",
        requires = "flight",
        default_value = "/var/lib/netop/flight"
    )]
    pub dir: PathBuf,

    /// Record the made-up machine of `netop demo` instead of this host
    #[arg(long)]
    pub demo: bool,

    /// Record the whole host while this command runs; its exit code becomes netop's
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

impl Record {
    /// What the same run in batch would have been asked for. The gate's samples have none of the
    /// tracepoints' bytes that other programs print: perf events count.
    pub fn live(&self) -> Live {
        Live {
            interval: Duration::from_secs(1),
            count: None,
            what: What {
                cpus: None,
                module: None,
                pids: self.pids.clone(),
                cgroup: None,
                children: self.children,
                by: By::Context,
                device: None,
                latency: false,
                events: self.events.clone(),
                frequency: self.frequency,
            },
            batch: Batch {
                all: false,
                batch: true,
                format: "text".to_owned(),
                table: "functions".to_owned(),
                output: None,
            },
            cost: Cost {
                max_overhead: self.max_overhead,
                counting: Counting::Perf,
            },
            screen: Screen {
                sort: None,
                snapshot_dir: None,
                color: Color::Never,
                ascii: false,
                theme: None,
                keys: None,
                size: None,
            },
            rules: None,
        }
    }
}
