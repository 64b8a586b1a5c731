//! A recording on the screen: its intervals one by one, then the whole of it; and the keys that only
//! a host that is watched now can obey.

use std::sync::Arc;
use std::time::Duration;

use crate::model::Snapshot;
use crate::tui::figure;
use crate::tui::input::action::Action;

#[derive(Debug)]
pub struct Recording {
    /// As one would type it.
    file: String,
    /// All of it as one interval, when it is read.
    whole: Option<Arc<Snapshot>>,
    /// Intervals so far.
    intervals: u64,
    /// There are no more.
    read: bool,
}

impl Recording {
    pub fn new(file: String) -> Recording {
        Recording {
            file,
            whole: None,
            intervals: 0,
            read: false,
        }
    }

    pub fn whole(&self) -> Option<&Arc<Snapshot>> {
        self.whole.as_ref()
    }

    /// All of it, behind `last`, its last interval: the bars are those of the intervals.
    pub fn set_whole(&mut self, mut whole: Snapshot, last: Option<&Snapshot>) {
        if let Some(last) = last {
            for function in &mut whole.functions {
                let same = last.functions.iter().find(|f| f.name == function.name);
                function.history = same.map_or_else(Vec::new, |same| same.history.clone());
            }
            for cpu in &mut whole.cpus {
                let same = last.cpus.iter().find(|c| c.cpu == cpu.cpu);
                cpu.history = same.map_or_else(Vec::new, |same| same.history.clone());
            }
        }
        self.whole = Some(Arc::new(whole));
    }

    /// Nothing more comes of it.
    pub fn end(&mut self) {
        self.read = true;
    }

    /// Counts one more interval of `usual` length. False: it is what was left when the recording
    /// ended, too short to be looked at alone.
    pub fn count_interval(&mut self, snapshot: &Snapshot, usual: Duration) -> bool {
        let counts = snapshot.interval_s > usual.as_secs_f64() / 20.0 || self.intervals == 0;
        if counts {
            self.intervals = snapshot.sequence;
        }
        counts
    }

    /// Where in it the shown snapshot is: `REPLAY whole 8.0s`, `REPLAY 3/8 at 3.0s`, `READING 3.0s`.
    pub fn place(&self, shown: &Snapshot, paused: bool) -> String {
        let word = shown.host.source.to_uppercase();
        let at = figure::span(Duration::from_secs_f64(shown.elapsed_s));
        if self.whole.is_some() && !paused {
            format!("{word} whole {at}")
        } else if self.read || paused {
            format!("{word} {}/{} at {at}", shown.sequence, self.intervals)
        } else {
            format!("READING {at}")
        }
    }

    /// Why a key does nothing here.
    pub fn only_live(&self, action: Action) -> Option<String> {
        let file = &self.file;
        Some(match action {
            Action::Slower | Action::Faster => {
                format!("the intervals are the recording's; others: netop report {file} -d SECS")
            }
            Action::Pids | Action::PickProcess => {
                format!("a recording is read once; one process: netop report {file} -p PID")
            }
            Action::Probes => {
                "a recording has what was recorded; more: netop record -e EVENT".to_owned()
            }
            Action::Exact => "every count of a recording is as exact as it was recorded".to_owned(),
            Action::Detach => "nothing is attached: this is a recording".to_owned(),
            Action::Whose => "what a PID means was settled when it was recorded".to_owned(),
            _ => return None,
        })
    }
}
