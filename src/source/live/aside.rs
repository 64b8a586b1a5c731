//! netop's threads leave the busiest CPUs alone where another has room: a full CPU's packets wait for
//! whatever else runs there.

use std::collections::BTreeMap;

use crate::decode::{CpuCounters, CpuTime};
use crate::sys::{allowed_cpus, run_on};

/// A CPU that is busy for more than this share of the time is left alone …
const BUSY: f64 = 0.4;

/// … where another is busy for so much less.
const ROOM: f64 = 0.1;

#[derive(Debug, Default)]
pub struct Aside {
    /// Where netop was allowed to run when it started; empty: not known, and nothing is changed.
    allowed: Vec<u32>,
    now: Vec<u32>,
    last: BTreeMap<u32, CpuTime>,
}

impl Aside {
    pub fn new() -> Aside {
        let allowed = allowed_cpus().unwrap_or_default();
        Aside {
            now: allowed.clone(),
            allowed,
            last: BTreeMap::new(),
        }
    }

    /// Learns from the counters at the end of an interval where there is room.
    pub fn step(&mut self, cpus: &[CpuCounters]) {
        let busy: Vec<(u32, f64)> = (cpus.iter())
            .filter(|c| self.allowed.contains(&c.cpu))
            .filter_map(|c| Some((c.cpu, busy(self.last.get(&c.cpu)?, &c.time)?)))
            .collect();
        self.last = cpus.iter().map(|c| (c.cpu, c.time)).collect();
        let wanted = chosen(&busy, &self.allowed);
        // Where that is not permitted, netop runs where it did.
        if wanted != self.now && run_on(&wanted).is_ok() {
            self.now = wanted;
        }
    }
}

/// The share of the time that it was busy; `None`: no time has passed.
fn busy(before: &CpuTime, after: &CpuTime) -> Option<f64> {
    let sum = |t: &CpuTime| t.user + t.system + t.irq + t.softirq + t.steal;
    let (worked, idle) = (
        sum(after).saturating_sub(sum(before)) as f64,
        after.idle.saturating_sub(before.idle) as f64,
    );
    (worked + idle > 0.0).then(|| worked / (worked + idle))
}

/// Of the allowed CPUs those that have room, or all where none has.
fn chosen(busy: &[(u32, f64)], allowed: &[u32]) -> Vec<u32> {
    let least = busy.iter().map(|(_, share)| *share).fold(1.0, f64::min);
    let full = |cpu: &u32| {
        let of = busy.iter().find(|(of, _)| of == cpu);
        of.is_some_and(|(_, share)| *share > BUSY && *share > least + ROOM)
    };
    let room: Vec<u32> = allowed.iter().copied().filter(|cpu| !full(cpu)).collect();
    if room.is_empty() {
        allowed.to_vec()
    } else {
        room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_cpu_is_left_alone_where_another_has_room() {
        assert_eq!(chosen(&[(0, 1.0), (1, 0.4)], &[0, 1]), [1]);
        assert_eq!(chosen(&[(0, 1.0), (1, 0.85)], &[0, 1]), [1]);
        assert_eq!(chosen(&[(0, 1.0), (1, 0.95)], &[0, 1]), [0, 1]);
        assert_eq!(chosen(&[(0, 0.5), (1, 0.25)], &[0, 1]), [1]);
        assert_eq!(chosen(&[(0, 0.3), (1, 0.1)], &[0, 1]), [0, 1]);
        let busy = [(0, 1.0), (1, 0.9), (2, 0.3), (3, 0.1)];
        assert_eq!(chosen(&busy, &[0, 1, 2, 3]), [2, 3]);
        assert_eq!(chosen(&[], &[0, 1]), [0, 1], "nothing is known yet");
    }

    #[test]
    fn where_netop_was_not_to_run_it_does_not_go() {
        assert_eq!(chosen(&[(0, 1.0), (1, 0.4)], &[0]), [0]);
    }
}
