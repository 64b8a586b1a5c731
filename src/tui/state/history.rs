//! The last snapshots, and which of them is on the screen.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::Snapshot;

/// How many are kept whole, the newest; while paused as many again, so that the way back from the
/// pause stays whole.
pub const KEPT: usize = 60;

/// As many older ones stay without their call trees, then one in [`SPARSE`] …
const SPARSE: u64 = 5;

/// … up to this age, seconds: with the 200 stacks and rows of a busy host some 10 MB.
const LONGEST_S: f64 = 600.0;

/// Of a recording: a day in steps of a minute and a half. A snapshot without call trees takes
/// some 50 KB.
pub const MOST_RECORDED: usize = 1200;

#[derive(Debug, Default)]
pub struct History {
    /// Oldest first.
    all: VecDeque<Arc<Snapshot>>,
    frozen: Option<Arc<Snapshot>>,
    /// When the pause began, in the time of snapshots, seconds.
    paused_s: f64,
    /// All are kept whole: they are a recording's, which has no more.
    pub recorded: bool,
}

impl History {
    /// Of the past ones only the devices that exports have are kept: 2 000 of them are 3 MB a snapshot.
    pub fn push(&mut self, snapshot: Arc<Snapshot>) {
        let before = self.all.back_mut().filter(|_| !self.recorded);
        if let Some(before) = before.filter(|old| old.devices.left_out().next().is_some()) {
            Arc::make_mut(before).devices.forget_left_out();
        }
        self.all.push_back(snapshot);
        self.trim();
    }

    pub fn latest(&self) -> Option<&Arc<Snapshot>> {
        self.all.back()
    }

    /// Oldest first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        self.all.iter()
    }

    pub fn shown(&self) -> Option<&Arc<Snapshot>> {
        self.frozen.as_ref().or_else(|| self.latest())
    }

    pub fn paused(&self) -> bool {
        self.frozen.is_some()
    }

    pub fn pause(&mut self, on: bool) {
        self.frozen = if on { self.latest().cloned() } else { None };
        self.paused_s = self.frozen.as_ref().map_or(0.0, |at| at.elapsed_s);
        self.trim();
    }

    /// One snapshot back or on; false: there is none, or nothing is paused.
    pub fn step(&mut self, back: bool) -> bool {
        let Some(now) = self.frozen.as_ref().map(|frozen| frozen.sequence) else {
            return false;
        };
        let next = if back {
            self.all.iter().rev().find(|other| other.sequence < now)
        } else {
            self.all.iter().find(|other| other.sequence > now)
        };
        let moved = next.is_some();
        if moved {
            self.frozen = next.cloned();
        }
        moved
    }

    /// How long before the pause the shown one was, seconds; negative: after it.
    pub fn age_s(&self) -> f64 {
        self.frozen
            .as_ref()
            .map_or(0.0, |shown| self.paused_s - shown.elapsed_s)
    }

    /// Do the last intervals up to the shown one differ in length, so that equal bars do not stand
    /// for equal times? The first of all is short on purpose and does not count.
    pub fn uneven(&self, intervals: usize) -> bool {
        let Some(shown) = self.shown() else {
            return false;
        };
        let lengths = self
            .all
            .iter()
            .rev()
            .filter(|other| (2..=shown.sequence).contains(&other.sequence))
            .take(intervals)
            .map(|other| other.interval_s);
        let (least, most) = lengths.fold((f64::MAX, 0.0_f64), |(least, most), length| {
            (least.min(length), most.max(length))
        });
        most > 1.5 * least
    }

    fn trim(&mut self) {
        if self.recorded {
            let over = self.all.len().saturating_sub(MOST_RECORDED);
            self.all.drain(..over);
            return;
        }
        let whole = if self.paused() { 2 * KEPT } else { KEPT };
        let newest = self.all.back().map_or(0.0, |latest| latest.elapsed_s);
        let len = self.all.len();
        for old in self.all.iter_mut().take(len.saturating_sub(whole)) {
            if !old.profile.is_empty() || !old.cpu_profile.is_empty() {
                let mut bare = (**old).clone();
                bare.profile = Arc::from([]);
                bare.cpu_profile = Arc::from([]);
                *old = Arc::new(bare);
            }
        }
        let sparse = len.saturating_sub(2 * whole);
        let mut place = 0;
        self.all.retain(|old| {
            place += 1;
            let kept = place > sparse || old.sequence.is_multiple_of(SPARSE);
            kept && newest - old.elapsed_s <= LONGEST_S
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Device, Ranked};
    use crate::tui::fixture;

    fn numbered(sequence: u64) -> Arc<Snapshot> {
        let mut snapshot = fixture::busy();
        snapshot.sequence = sequence;
        snapshot.elapsed_s = sequence as f64;
        Arc::new(snapshot)
    }

    fn sequence(history: &History) -> u64 {
        history.shown().expect("pushed").sequence
    }

    #[test]
    fn a_pause_keeps_the_snapshot_and_the_way_back_while_new_ones_arrive() {
        let mut history = History::default();
        (1..=60).for_each(|n| history.push(numbered(n)));
        history.pause(true);
        (61..=120).for_each(|n| history.push(numbered(n)));
        assert_eq!(sequence(&history), 60);
        let age = |history: &History| history.age_s().round() as i64;
        assert_eq!(age(&history), 0);
        while history.step(true) {}
        assert_eq!((sequence(&history), age(&history)), (1, 59));
        while history.step(false) {}
        assert_eq!((sequence(&history), age(&history)), (120, -60));
        history.pause(false);
        assert_eq!((sequence(&history), history.all.len()), (120, 120));
    }

    #[test]
    fn ten_minutes_are_kept_thinner_with_age_and_without_their_trees() {
        let mut history = History::default();
        (1..=2000).for_each(|n| history.push(numbered(n)));
        let kept: Vec<u64> = history.all.iter().map(|old| old.sequence).collect();
        assert_eq!((kept[0], kept[kept.len() - 1]), (1400, 2000));
        assert_eq!(kept.len(), 2 * KEPT + (600 - 2 * KEPT) / 5 + 1);
        let whole = history.all.iter().filter(|old| !old.cpu_profile.is_empty());
        assert!(whole.count() <= KEPT);
    }

    #[test]
    fn of_past_snapshots_only_the_devices_that_exports_have_are_kept() {
        let many = |sequence| {
            let mut snapshot = (*numbered(sequence)).clone();
            let devices = vec![Device::default(); 2000];
            snapshot.devices = Ranked::first(devices, 64, Device::matters);
            Arc::new(snapshot)
        };
        let mut history = History::default();
        (1..=3).for_each(|n| history.push(many(n)));
        let kept = |history: &History| -> Vec<usize> {
            history.all.iter().map(|old| old.devices.len()).collect()
        };
        assert_eq!(kept(&history), [64, 64, 2000]);
        history.pause(true);
        history.push(many(4));
        let shown = history.shown().expect("paused");
        assert_eq!(shown.devices.len(), 2000, "what is on the screen stays");
        let mut recording = History {
            recorded: true,
            ..History::default()
        };
        (1..=2).for_each(|n| recording.push(many(n)));
        assert_eq!(kept(&recording), [2000, 2000]);
    }

    #[test]
    fn a_changed_interval_is_known_until_it_has_left_the_bars() {
        let mut history = History::default();
        assert!(!history.uneven(60));
        (1..=10).for_each(|n| history.push(numbered(n)));
        assert!(!history.uneven(60));
        let mut longer = (*numbered(11)).clone();
        longer.interval_s *= 2.0;
        history.push(Arc::new(longer));
        assert!(history.uneven(60) && !history.uneven(1));
        (12..=16).for_each(|n| history.push(numbered(n)));
        assert!(history.uneven(6) && !history.uneven(5));
    }

    #[test]
    fn memory_is_bounded_however_long_the_pause() {
        let mut history = History::default();
        assert!(!history.step(true));
        (1..=10).for_each(|n| history.push(numbered(n)));
        history.pause(true);
        (11..=1000).for_each(|n| history.push(numbered(n)));
        let most = 4 * KEPT + (600 - 4 * KEPT) / 5 + 1;
        assert_eq!((sequence(&history), history.all.len()), (10, most));
        assert!(!history.step(true), "nothing older is left");
        assert!(history.step(false));
    }
}
