//! Exact time in the network's softirqs: each run from irq:softirq_entry to irq:softirq_exit. They do
//! not nest on a CPU, so that the next end belongs to the last beginning.

use rustc_hash::FxHashMap;

use crate::decode::{Counts, EventId};

#[derive(Debug, Default)]
pub struct SoftirqTime {
    cpus: FxHashMap<u32, Runs>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Runs {
    /// CLOCK_MONOTONIC of a beginning whose end is still to come, ns.
    began: Option<u64>,
    ns: u64,
    /// Beginnings and ends seen in this interval.
    seen: [u64; 2],
}

impl SoftirqTime {
    /// `end`: an exit, else an entry. Samples of a CPU come in the order of its ring.
    pub fn push(&mut self, cpu: u32, end: bool, time: u64) {
        let runs = self.cpus.entry(cpu).or_default();
        runs.seen[usize::from(end)] += 1;
        if end {
            let ns = runs.began.take().map(|began| time.saturating_sub(began));
            runs.ns += ns.unwrap_or(0);
        } else {
            runs.began = Some(time);
        }
    }

    /// Ends the interval: ns of each CPU on which every beginning and end was seen.
    pub fn take(
        &mut self,
        events: [EventId; 2],
        counts: &[Counts],
        length_ns: u64,
    ) -> FxHashMap<u32, u64> {
        let mut exact = FxHashMap::default();
        for count in counts.iter().filter(|count| count.event == events[1]) {
            let Some(cpu) = count.cpu else { continue };
            let runs = self.cpus.entry(cpu).or_default();
            let entries = counts
                .iter()
                .find(|c| c.cpu == Some(cpu) && c.event == events[0]);
            // The counts and the ring are read some 60 us apart: a run more or less is no gap.
            let whole = |seen: u64, hits: u64| seen.abs_diff(hits) <= 1 + hits / 200;
            let whole = whole(runs.seen[1], count.hits)
                && entries.is_some_and(|entries| whole(runs.seen[0], entries.hits));
            if whole && count.span_ns >= length_ns / 100 * 98 {
                exact.insert(cpu, runs.ns);
            }
        }
        for runs in self.cpus.values_mut() {
            runs.ns = 0;
            runs.seen = [0; 2];
        }
        exact
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [EventId; 2] = [EventId(7), EventId(8)];

    fn counts(cpu: u32, entries: u64, exits: u64) -> Vec<Counts> {
        let count = |event, hits| Counts {
            event,
            cpu: Some(cpu),
            pid: None,
            hits,
            span_ns: 1_000,
            gate: false,
            spread: None,
        };
        vec![count(EVENTS[0], entries), count(EVENTS[1], exits)]
    }

    #[test]
    fn the_time_between_each_beginning_and_end_adds_up() {
        let mut times = SoftirqTime::default();
        for (end, at) in [(false, 100), (true, 130), (false, 200), (true, 205)] {
            times.push(3, end, at);
        }
        assert_eq!(times.take(EVENTS, &counts(3, 2, 2), 1_000)[&3], 35);
    }

    #[test]
    fn a_run_across_the_tick_counts_where_it_ends() {
        let mut times = SoftirqTime::default();
        times.push(0, false, 900);
        assert_eq!(times.take(EVENTS, &counts(0, 1, 0), 1_000)[&0], 0);
        times.push(0, true, 1_100);
        assert_eq!(times.take(EVENTS, &counts(0, 0, 1), 1_000)[&0], 200);
    }

    #[test]
    fn where_runs_were_missed_there_is_no_time() {
        let mut times = SoftirqTime::default();
        times.push(0, false, 1);
        times.push(0, true, 2);
        assert!(times.take(EVENTS, &counts(0, 50, 50), 1_000).is_empty());
        let quiet = times.take(EVENTS, &counts(0, 0, 0), 1_000);
        assert_eq!(quiet[&0], 0, "none ran, and that is exact");
        assert!(
            times.take(EVENTS, &counts(0, 0, 0), 100_000).is_empty(),
            "attached just now"
        );
    }
}
