//! Which counts the samples of an interval carry: its exact hits, shared out in proportion to the
//! samples' periods, so that the weights that readers add up are the exact counts.
//!
//! A reader's weight of a sample is its count less that of the sample before it *in time* of the
//! same id; samples of weight 0 it does not see. Hits without a sample wait for the next one.

use rustc_hash::FxHashMap;

use super::records::{SAMPLE_COUNT, SAMPLE_TIME};
use crate::decode::{Counts, EventId};

/// A sample's record that waits for its interval's end.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Where it begins among the records that wait.
    pub at: usize,
    pub id: u64,
    pub event: EventId,
    pub cpu: u32,
    pub pid: u32,
    pub time: u64,
    pub period: u64,
}

/// The sample that carries the latest count of a group, in the file.
#[derive(Debug, Clone, Copy)]
struct Last {
    count_at: u64,
    count: u64,
}

/// What is counted together: an event on a CPU; of processes, on all of them.
type Group = (EventId, Option<u32>);

#[derive(Debug, Default, Clone)]
pub struct Weights {
    /// Only samples of these weigh; empty: all.
    pids: Vec<u32>,
    /// No samples of these do.
    silent: Vec<EventId>,
    /// By id: the latest count and time.
    streams: FxHashMap<u64, (u64, u64)>,
    /// Hits without a sample; less than 0: samples without a hit (the counts are read a moment
    /// before the rings).
    left: FxHashMap<Group, i64>,
    last: FxHashMap<Group, Last>,
}

impl Weights {
    pub fn new(pids: Vec<u32>, silent: Vec<EventId>) -> Weights {
        Weights {
            pids,
            silent,
            ..Weights::default()
        }
    }

    /// Puts the counts into `records`, which will lie at `file_at`. `children`: of the processes.
    pub fn share_out(
        &mut self,
        records: &mut [u8],
        file_at: u64,
        waiting: &mut [Waiting],
        exact: &[Counts],
        (interval_ns, children, shown): (u64, &[u32], bool),
    ) {
        waiting.sort_by_key(|sample| (sample.event, sample.cpu, sample.time));
        let mut weights = vec![0; waiting.len()];
        let mut groups: FxHashMap<Group, Vec<usize>> = FxHashMap::default();
        // What came before the first interval is in nobody's figures.
        let exact = if shown { exact } else { &[] };
        let mut hits = self.hits(exact, interval_ns);
        let watched =
            |pid| self.pids.is_empty() || self.pids.contains(&pid) || children.contains(&pid);
        for (index, sample) in waiting.iter().enumerate() {
            let counts = shown && watched(sample.pid) && !self.silent.contains(&sample.event);
            if sample.event == EventId::CLOCK {
                weights[index] = if counts { sample.period } else { 0 };
            } else if counts {
                let group = self.group(sample.event, sample.cpu);
                groups.entry(group).or_default().push(index);
            }
        }
        for (&group, samples) in &groups {
            let periods: Vec<u64> = samples.iter().map(|i| waiting[*i].period).collect();
            let known = hits.remove(&group);
            let shares = match known {
                // Nobody counted it (it was let go): what the samples say.
                None => periods,
                Some(hits) => {
                    let left = self.left.entry(group).or_default();
                    let total = left.saturating_add_unsigned(hits);
                    let shares = shares(total, &periods);
                    *left = total.saturating_sub_unsigned(shares.iter().sum());
                    shares
                }
            };
            for (&index, share) in samples.iter().zip(shares) {
                weights[index] = share;
            }
        }
        for (group, hits) in hits {
            let left = self.left.entry(group).or_default();
            *left = left.saturating_add_unsigned(hits);
        }
        for (sample, weight) in waiting.iter().zip(weights) {
            let (count, time) = self.streams.entry(sample.id).or_default();
            *count = count.wrapping_add(weight);
            // An interrupted hit may stand behind the one that interrupted it; across the
            // border of two intervals it cannot be put before it any more.
            *time = sample.time.max(*time);
            put(records, sample.at + SAMPLE_COUNT, *count);
            put(records, sample.at + SAMPLE_TIME, *time);
            let last = Last {
                count_at: file_at + (sample.at + SAMPLE_COUNT) as u64,
                count: *count,
            };
            self.last.insert(self.group(sample.event, sample.cpu), last);
        }
    }

    /// What still waits for a sample goes to the last one there was: (where its count is in the
    /// file, the count).
    pub fn rest(&self) -> Vec<(u64, u64)> {
        if !self.pids.is_empty() {
            // Behind the last sample of a process there may be some that do not weigh.
            return Vec::new();
        }
        let more = |(group, left): (&Group, &i64)| {
            let left = u64::try_from(*left).ok().filter(|left| *left > 0)?;
            let last = self.last.get(group)?;
            Some((last.count_at, last.count + left))
        };
        self.left.iter().filter_map(more).collect()
    }

    fn group(&self, event: EventId, cpu: u32) -> Group {
        (event, self.pids.is_empty().then_some(cpu))
    }

    fn hits(&self, counts: &[Counts], interval_ns: u64) -> FxHashMap<Group, u64> {
        let mut hits = FxHashMap::default();
        for count in counts {
            // Under a filter the counts per CPU are everybody's.
            if self.pids.is_empty() == count.pid.is_some() || self.silent.contains(&count.event) {
                continue;
            }
            // Counted in windows only: the best that is known is the rate.
            let whole = match count.spread {
                Some(_) if count.span_ns > 0 => {
                    let scaled = u128::from(count.hits) * u128::from(interval_ns);
                    u64::try_from(scaled / u128::from(count.span_ns)).unwrap_or(count.hits)
                }
                _ => count.hits,
            };
            let group = self.group(count.event, count.cpu.unwrap_or(0));
            *hits.entry(group).or_default() += whole;
        }
        hits
    }
}

/// `total` hits in proportion to the periods, 1 at the least for each.
fn shares(total: i64, periods: &[u64]) -> Vec<u64> {
    let mut free = u128::try_from(total).unwrap_or(0);
    free = free.saturating_sub(periods.len() as u128);
    let all: u128 = periods.iter().map(|period| u128::from(*period)).sum();
    let (mut before, mut given) = (0u128, 0u128);
    let share = |period: &u64| {
        before += u128::from(*period);
        let until = free * before / all.max(1);
        let share = until - given;
        given = until;
        1 + share as u64
    };
    periods.iter().map(share).collect()
}

fn put(records: &mut [u8], at: usize, value: u64) {
    if let Some(place) = records.get_mut(at..at + 8) {
        place.copy_from_slice(&value.to_le_bytes());
    }
}

#[cfg(test)]
#[path = "weights_tests.rs"]
mod tests;
