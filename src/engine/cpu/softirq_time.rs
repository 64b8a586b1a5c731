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
    /// Seen, but after the counts were read: the next interval's counts hold them.
    ahead: [u64; 2],
    /// Hits of either as counted, and whether all the interval was.
    counted: [Option<(u64, bool)>; 2],
}

impl Runs {
    /// Was every hit of the interval seen? The counts are read before the ring: 60 us on an idle
    /// host, but many runs where others have the CPU in between.
    fn whole(&mut self, side: usize) -> bool {
        let known = self.ahead[side] + std::mem::take(&mut self.seen[side]);
        let Some((hits, whole_interval)) = self.counted[side].take() else {
            self.ahead[side] = 0;
            return false;
        };
        self.ahead[side] = known.saturating_sub(hits);
        whole_interval && known + 1 + hits / 200 >= hits
    }
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
        for count in counts {
            let side = events.iter().position(|event| *event == count.event);
            if let (Some(side), Some(cpu)) = (side, count.cpu) {
                let whole_interval = count.span_ns >= length_ns / 100 * 98;
                let runs = self.cpus.entry(cpu).or_default();
                runs.counted[side] = Some((count.hits, whole_interval));
            }
        }
        let mut exact = FxHashMap::default();
        for (&cpu, runs) in &mut self.cpus {
            let ns = std::mem::take(&mut runs.ns);
            let entries = runs.whole(0);
            let exits = runs.whole(1);
            if entries && exits {
                exact.insert(cpu, ns);
            }
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
            bytes: 0,
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
    fn runs_between_the_reading_of_the_counts_and_of_the_ring_belong_to_the_next_counts() {
        let mut times = SoftirqTime::default();
        let run = |times: &mut SoftirqTime, runs: u64| {
            for at in 0..runs {
                times.push(0, false, at * 10);
                times.push(0, true, at * 10 + 4);
            }
        };
        run(&mut times, 140);
        assert_eq!(times.take(EVENTS, &counts(0, 100, 100), 1_000)[&0], 560);
        run(&mut times, 60);
        assert_eq!(times.take(EVENTS, &counts(0, 100, 100), 1_000)[&0], 240);
        run(&mut times, 60);
        let lost = times.take(EVENTS, &counts(0, 100, 100), 1_000);
        assert!(lost.is_empty(), "40 were lost, none was ahead: {lost:?}");
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
