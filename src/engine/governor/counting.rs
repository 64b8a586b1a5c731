//! Who may count a row, and what the kernel counts anyway.

use crate::decode::ALWAYS;
use crate::probe::Free;

/// Who may count (`--counting`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// The free counters where they serve, else the gate, else perf events.
    Auto,
    /// The gate; perf events for nothing but added events that it has no program for.
    Bpf,
    /// perf events for everything.
    Perf,
    /// perf events, whose samples are what a recording is made for; the free counters for what
    /// those count a part of the time or not at all.
    Record,
    /// Only the free counters.
    Proc,
}

impl Counting {
    const NAMES: [(Counting, &str); 5] = [
        (Counting::Auto, "auto"),
        (Counting::Bpf, "bpf"),
        (Counting::Perf, "perf"),
        (Counting::Record, "record"),
        (Counting::Proc, "proc"),
    ];

    /// As a recording keeps it.
    pub fn name(self) -> &'static str {
        let of = Counting::NAMES
            .iter()
            .find(|(counting, _)| *counting == self);
        of.map_or("perf", |(_, name)| name)
    }

    /// Recordings of other versions may have other words.
    pub fn named(name: &str) -> Option<Counting> {
        let of = Counting::NAMES.iter().find(|(_, known)| *known == name);
        of.map(|(counting, _)| *counting)
    }

    /// The share of the stacks, percent, that is not given up for the budget: all of them cost some
    /// 0.01 % of a CPU per event, and an event without samples is not in a recording that others read.
    pub(in crate::engine) fn least_stacks(self) -> u8 {
        if self == Counting::Record { 100 } else { 0 }
    }
}

/// Which rows the free counters can serve now.
#[derive(Debug, Clone, Copy, Default)]
pub struct FreeNow {
    pub softirqs: bool,
    pub softnet: bool,
    /// They stand in for what events do not count; else those are not opened where they serve.
    pub stand_in: bool,
}

impl FreeNow {
    /// No event needs to be opened for it.
    pub fn serves(self, free: Free) -> bool {
        !self.stand_in && self.covers(free)
    }

    pub fn covers(self, free: Free) -> bool {
        match free {
            Free::NetRxRuns | Free::NetTxRuns => self.softirqs,
            Free::SoftnetProcessed => self.softnet,
        }
    }
}

/// A share of the time, 1/1000, in percent.
pub fn percent(share: u16) -> f64 {
    100.0 * f64::from(share) / f64::from(ALWAYS)
}
