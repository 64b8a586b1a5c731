//! What changed since the mark: the seconds up to the mark against those since, judged as `netop
//! diff` judges two files. No second belongs to both sides.

use std::sync::Arc;

use super::history::History;
use crate::model::Snapshot;
use crate::model::compare::{Comparison, Key, Measured, Origin, Second, compare};

/// Either side is at most so long, as the CPU columns' window is.
const WINDOW_NS: u64 = 30_500_000_000;

#[derive(Debug, Default)]
pub struct Baseline {
    before: Option<Before>,
    /// The shown snapshot that `comparison` is of.
    at: u64,
    comparison: Option<Comparison>,
    /// Snapshots from this one on are the other side; 0: from the mark on.
    begin: u64,
}

#[derive(Debug)]
struct Before {
    measured: Measured,
    /// Sequence numbers of its snapshots.
    first: u64,
    last: u64,
}

/// Of one process, whatever others have its name.
pub fn process_key(pid: u32) -> Key {
    Key::process(&pid.to_string())
}

impl Baseline {
    /// Takes the seconds that `mark` ends as what is compared with.
    pub fn mark(&mut self, history: &History, mark: &Snapshot) {
        let window: Vec<&Arc<Snapshot>> = window(history, mark).collect();
        self.before = Some(Before {
            first: window.first().map_or(mark.sequence, |s| s.sequence),
            last: mark.sequence,
            measured: measured(window.into_iter()),
        });
        self.comparison = None;
        self.begin = 0;
        self.at = mark.sequence;
    }

    /// What was before this snapshot is neither side's: a setting was changed then.
    pub fn begin_after(&mut self, sequence: u64) {
        self.begin = sequence;
        self.comparison = None;
    }

    pub fn forget(&mut self) {
        *self = Baseline::default();
    }

    /// Compares with the seconds that `shown` ends, if that is not done yet.
    pub fn refresh(&mut self, history: &History, shown: &Snapshot) {
        let Some(before) = &self.before else { return };
        if shown.sequence == self.at {
            return;
        }
        self.at = shown.sequence;
        let apart = |s: &&Arc<Snapshot>| s.sequence < before.first || s.sequence > before.last;
        let begun = |s: &&Arc<Snapshot>| s.sequence > self.begin;
        let after = measured(window(history, shown).filter(apart).filter(begun));
        self.comparison = (after.snapshots > 0).then(|| compare(&before.measured, &after));
    }

    /// `None`: nothing is marked, or no second has passed since.
    pub fn comparison(&self) -> Option<&Comparison> {
        self.comparison.as_ref()
    }
}

/// The seconds that `last` ends, oldest first.
fn window<'a>(history: &'a History, last: &'a Snapshot) -> impl Iterator<Item = &'a Arc<Snapshot>> {
    history.all().filter(|s| {
        // The first interval is short and holds netop's own start.
        let begun = s.sequence > 1 && s.at.saturating_add(WINDOW_NS) > last.at;
        begun && s.sequence <= last.sequence
    })
}

fn measured<'a>(snapshots: impl Iterator<Item = &'a Arc<Snapshot>>) -> Measured {
    let mut measured = Measured::default();
    for snapshot in snapshots {
        let second = Second::of(snapshot, |pid, _| process_key(pid));
        // Its window reaches back over what the other side has.
        if measured.push(Origin::of(snapshot), second, None).is_err() {
            break;
        }
    }
    measured
}
