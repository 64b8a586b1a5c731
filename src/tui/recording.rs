//! A recording on the screen: its intervals one by one, then the whole of it; and the keys that only
//! a host that is watched now can obey.

use std::sync::Arc;

use super::action::Action;
use super::figure;
use super::state::UiState;
use crate::model::Snapshot;

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
}

impl UiState {
    /// All of the recording, behind its last interval. Its bars are those of the intervals.
    pub fn whole(&mut self, mut whole: Snapshot) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        if let Some(last) = self.history.latest() {
            for function in &mut whole.functions {
                let same = last.functions.iter().find(|f| f.name == function.name);
                function.history = same.map_or_else(Vec::new, |same| same.history.clone());
            }
            for cpu in &mut whole.cpus {
                let same = last.cpus.iter().find(|c| c.cpu == cpu.cpu);
                cpu.history = same.map_or_else(Vec::new, |same| same.history.clone());
            }
        }
        recording.whole = Some(Arc::new(whole));
        self.settle();
    }

    pub fn is_of_recording(&self) -> bool {
        self.recording.is_some()
    }

    /// Nothing more comes of the recording.
    pub fn recording_is_read(&mut self) {
        if let Some(recording) = &mut self.recording {
            recording.read = true;
        }
    }

    /// False: it is what was left when the recording ended, too short to be looked at alone.
    pub(super) fn count_interval(&mut self, snapshot: &Snapshot) -> bool {
        let usual = self.interval().as_secs_f64();
        let Some(recording) = &mut self.recording else {
            return true;
        };
        let counts = snapshot.interval_s > usual / 20.0 || recording.intervals == 0;
        if counts {
            recording.intervals = snapshot.sequence;
        }
        counts
    }

    /// `REPLAY whole 8.0s`, `REPLAY 3/8 at 3.0s`, `READING 3.0s`.
    pub(super) fn place_in_recording(&self, shown: &Snapshot) -> Option<String> {
        let recording = self.recording.as_ref()?;
        let word = shown.host.source.to_uppercase();
        let at = figure::span(std::time::Duration::from_secs_f64(shown.elapsed_s));
        let paused = self.history.paused();
        Some(if recording.whole.is_some() && !paused {
            format!("{word} whole {at}")
        } else if recording.read || paused {
            format!("{word} {}/{} at {at}", shown.sequence, recording.intervals)
        } else {
            format!("READING {at}")
        })
    }

    /// Why a key does nothing here.
    pub(super) fn only_live(&self, action: Action) -> Option<String> {
        let file = &self.recording.as_ref()?.file;
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
