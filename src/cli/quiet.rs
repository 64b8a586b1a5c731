//! A run without a screen, for commands that print something else than snapshots.

use std::time::Duration;

use std::path::Path;

use super::{Batch, By, Color, Cost, Counting, Export, Live, Report, Screen, What};

impl Live {
    /// A batch of seconds with what is counted by default.
    pub fn quiet(pids: Vec<u32>) -> Live {
        Live {
            interval: Duration::from_secs(1),
            count: None,
            what: What {
                cpus: None,
                module: None,
                pids,
                cgroup: None,
                children: false,
                by: By::Context,
                device: None,
                latency: false,
                events: Vec::new(),
                frequency: 199,
            },
            batch: Batch {
                all: false,
                batch: true,
                format: "text".to_owned(),
                table: "functions".to_owned(),
                output: None,
            },
            cost: Cost {
                max_overhead: 5.0,
                counting: Counting::Auto,
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

impl Report {
    /// The whole of a recording as one snapshot, or one for each `interval`.
    pub fn quiet(file: &Path, interval: Option<Duration>) -> Report {
        let quiet = Live::quiet(Vec::new());
        Report {
            file: file.to_owned(),
            interval,
            count: None,
            at: None,
            start: None,
            stop: None,
            pids: Vec::new(),
            device: None,
            cpus: None,
            module: None,
            batch: quiet.batch,
            screen: quiet.screen,
        }
    }
}

impl Export {
    /// What the same run in batch would have been asked for.
    pub fn live(&self) -> Live {
        let quiet = Live::quiet(self.pids.clone());
        Live {
            what: What {
                children: self.children,
                module: self.module.clone(),
                events: self.function.iter().cloned().collect(),
                // Hits have stacks of their own.
                frequency: if self.function.is_some() {
                    0
                } else {
                    self.frequency
                },
                ..quiet.what
            },
            cost: self.cost.clone(),
            ..quiet
        }
    }
}
