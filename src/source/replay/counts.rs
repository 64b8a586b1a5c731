//! The sums of the samples' weights, which are the counts of a file that has no exact ones.

use rustc_hash::{FxHashMap, FxHashSet};

use crate::decode::{Counts, EventId};

#[derive(Debug, Default)]
pub struct Weights {
    by_cpu: FxHashMap<(EventId, u32), u64>,
    by_pid: FxHashMap<(EventId, u32), u64>,
    /// Counted apart; empty: no process is.
    pids: Vec<u32>,
    /// Had a sample in this interval, of the filter or not.
    met: FxHashSet<EventId>,
    /// Nothing says which events were open: one without a sample has no count, else it has none.
    only_met: bool,
}

impl Weights {
    pub fn new(pids: Vec<u32>, only_met: bool) -> Weights {
        Weights {
            pids,
            only_met,
            ..Weights::default()
        }
    }

    pub fn meet(&mut self, event: EventId) {
        self.met.insert(event);
    }

    pub fn add(&mut self, event: EventId, cpu: u32, pid: u32, weight: u64) {
        if event == EventId::CLOCK {
            return;
        }
        self.meet(event);
        let sum = self.by_cpu.entry((event, cpu)).or_default();
        *sum = sum.saturating_add(weight);
        if self.pids.contains(&pid) {
            let sum = self.by_pid.entry((event, pid)).or_default();
            *sum = sum.saturating_add(weight);
        }
    }

    /// Of an interval: of each event on each CPU, also where there was none, unless that says nothing.
    pub fn take(
        &mut self,
        events: impl Iterator<Item = EventId>,
        cpus: &[u32],
        span_ns: u64,
    ) -> Vec<Counts> {
        let mut counts = Vec::new();
        let count = |event, cpu, pid, hits| Counts {
            event,
            cpu,
            pid,
            hits,
            span_ns,
            gate: false,
            bytes: 0,
            spread: None,
        };
        for event in events.filter(|event| !self.only_met || self.met.contains(event)) {
            for &cpu in cpus {
                let hits = self.by_cpu.get(&(event, cpu)).copied().unwrap_or(0);
                counts.push(count(event, Some(cpu), None, hits));
            }
            for &pid in &self.pids {
                let hits = self.by_pid.get(&(event, pid)).copied().unwrap_or(0);
                counts.push(count(event, None, Some(pid), hits));
            }
        }
        self.by_cpu.clear();
        self.by_pid.clear();
        self.met.clear();
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_by_cpu_and_by_asked_process_and_begin_anew() {
        let mut weights = Weights::new(vec![7], false);
        weights.add(EventId(1), 0, 7, 10);
        weights.add(EventId(1), 0, 8, 5);
        weights.add(EventId::CLOCK, 0, 7, 1);
        let events = || [EventId(1)].into_iter();
        let counted = |counts: Vec<Counts>| -> Vec<_> {
            counts.iter().map(|c| (c.cpu, c.pid, c.hits)).collect()
        };
        assert_eq!(
            counted(weights.take(events(), &[0, 3], 9)),
            [(Some(0), None, 15), (Some(3), None, 0), (None, Some(7), 10)]
        );
        assert_eq!(counted(weights.take(events(), &[0], 9))[0].2, 0);
    }

    #[test]
    fn an_event_that_may_not_have_been_open_has_no_count_without_a_sample() {
        let mut weights = Weights::new(Vec::new(), true);
        let events = || [EventId(1), EventId(2), EventId(3)].into_iter();
        weights.add(EventId(1), 0, 7, 10);
        weights.meet(EventId(2));
        let counts = weights.take(events(), &[0], 9);
        let counted: Vec<_> = counts.iter().map(|c| (c.event.0, c.hits)).collect();
        assert_eq!(counted, [(1, 10), (2, 0)]);
        assert!(weights.take(events(), &[0], 9).is_empty());
    }
}
