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

    /// Learns from the counters at the end of an interval, and from what netop's own threads took of each
    /// CPU in it, ns, where there is room.
    pub fn step(&mut self, cpus: &[CpuCounters], own: &[(u32, u64)]) {
        let of_cpu = |c: &CpuCounters| {
            let own = own.iter().find(|(cpu, _)| *cpu == c.cpu);
            let own = own.map_or(0, |(_, ns)| *ns);
            Some((c.cpu, busy(self.last.get(&c.cpu)?, &c.time, own)?))
        };
        let busy: Vec<(u32, f64)> = (cpus.iter())
            .filter(|c| self.allowed.contains(&c.cpu))
            .filter_map(of_cpu)
            .collect();
        self.last = cpus.iter().map(|c| (c.cpu, c.time)).collect();
        let wanted = chosen(&busy, &self.allowed);
        // Where that is not permitted, netop runs where it did.
        if wanted != self.now && run_on(&wanted).is_ok() {
            self.now = wanted;
        }
    }
}

/// The share of the time that others than netop kept it busy, lest netop flees from itself; `None`: no
/// time has passed.
fn busy(before: &CpuTime, after: &CpuTime, own_ns: u64) -> Option<f64> {
    let sum = |t: &CpuTime| t.user + t.system + t.irq + t.softirq + t.steal;
    let (worked, idle) = (
        sum(after).saturating_sub(sum(before)) as f64,
        after.idle.saturating_sub(before.idle) as f64,
    );
    (worked + idle > 0.0).then(|| (worked - own_ns as f64).max(0.0) / (worked + idle))
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
    fn what_netop_itself_takes_of_a_cpu_is_no_reason_to_leave_it() {
        let before = CpuTime::default();
        let after = CpuTime {
            user: 800,
            idle: 200,
            ..before
        };
        let share = |own_ns| busy(&before, &after, own_ns).expect("time has passed");
        assert!((share(0) - 0.8).abs() < 1e-9);
        assert!((share(700) - 0.1).abs() < 1e-9);
        assert!(
            share(900).abs() < 1e-9,
            "ticks are coarser than netop's own time"
        );
        assert!(busy(&before, &before, 0).is_none());
    }

    #[test]
    fn where_netop_was_not_to_run_it_does_not_go() {
        assert_eq!(chosen(&[(0, 1.0), (1, 0.4)], &[0]), [0]);
    }
}
