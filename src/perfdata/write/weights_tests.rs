//! Exact hits, shared out over an interval's samples.

use super::*;
use proptest::prelude::*;

const EVENT: EventId = EventId(3);

fn counts(cpu: u32, hits: u64) -> Counts {
    Counts {
        event: EVENT,
        cpu: Some(cpu),
        pid: None,
        hits,
        span_ns: 1_000_000_000,
        gate: false,
        bytes: 0,
        spread: None,
    }
}

/// Records of nothing but room; `samples`: (CPU, pid, time, period).
fn waiting(samples: &[(u32, u32, u64, u64)]) -> (Vec<u8>, Vec<Waiting>) {
    let waiting = samples.iter().enumerate();
    let waiting = waiting.map(|(index, &(cpu, pid, time, period))| Waiting {
        at: 100 * index,
        id: u64::from(cpu) + 1,
        event: EVENT,
        cpu,
        pid,
        time,
        period,
    });
    (vec![0; 100 * samples.len()], waiting.collect())
}

fn value(records: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(records[at..at + 8].try_into().unwrap())
}

/// What a reader makes of it: the weights of one CPU's samples in the order of their time.
fn weights(records: &[u8], waiting: &[Waiting], cpu: u32, before: u64) -> Vec<u64> {
    let of_cpu = waiting.iter().filter(|sample| sample.cpu == cpu);
    let mut counts: Vec<(u64, u64)> = of_cpu
        .map(|s| {
            let time = value(records, s.at + SAMPLE_TIME);
            (time, value(records, s.at + SAMPLE_COUNT))
        })
        .collect();
    counts.sort_by_key(|(time, _)| *time);
    let mut before = before;
    let weight =
        |&(_, count): &(u64, u64)| count.wrapping_sub(std::mem::replace(&mut before, count));
    counts.iter().map(weight).collect()
}

#[test]
fn the_hits_of_an_interval_are_shared_out_by_period() {
    let mut shared = Weights::default();
    let (mut records, mut held) = waiting(&[(0, 1, 10, 100), (0, 1, 20, 300), (1, 1, 15, 7)]);
    let exact = [counts(0, 1002), counts(1, 5)];
    shared.share_out(&mut records, 0, &mut held, &exact, (1, &[], true));
    assert_eq!(weights(&records, &held, 0, 0), [251, 751]);
    assert_eq!(weights(&records, &held, 1, 0), [5]);
}

#[test]
fn hits_without_a_sample_go_to_the_next_one() {
    let mut shared = Weights::default();
    shared.share_out(&mut [], 0, &mut [], &[counts(0, 40)], (1, &[], true));
    let (mut records, mut held) = waiting(&[(0, 1, 10, 100)]);
    shared.share_out(&mut records, 0, &mut held, &[counts(0, 2)], (1, &[], true));
    assert_eq!(weights(&records, &held, 0, 0), [42]);
}

#[test]
fn hits_after_the_last_sample_are_added_to_it_in_the_end() {
    let mut shared = Weights::default();
    let (mut records, mut held) = waiting(&[(0, 1, 10, 100)]);
    shared.share_out(
        &mut records,
        7000,
        &mut held,
        &[counts(0, 2)],
        (1, &[], true),
    );
    shared.share_out(&mut [], 8000, &mut [], &[counts(0, 40)], (1, &[], true));
    assert_eq!(shared.rest(), [(7000 + SAMPLE_COUNT as u64, 42)]);
}

#[test]
fn a_sample_whose_hit_is_counted_later_weighs_one_and_no_hit_twice() {
    let mut shared = Weights::default();
    let (mut records, mut held) = waiting(&[(0, 1, 10, 5), (0, 1, 11, 5)]);
    shared.share_out(&mut records, 0, &mut held, &[counts(0, 1)], (1, &[], true));
    assert_eq!(weights(&records, &held, 0, 0), [1, 1]);
    let (mut records, mut held) = waiting(&[(0, 1, 20, 5)]);
    shared.share_out(&mut records, 0, &mut held, &[counts(0, 6)], (1, &[], true));
    assert_eq!(weights(&records, &held, 0, 2), [5]);
}

#[test]
fn under_a_filter_only_the_processes_samples_weigh() {
    let mut shared = Weights::new(vec![7], Vec::new());
    let samples = [(0, 7, 10, 5), (0, 8, 11, 5), (1, 9, 12, 5)];
    let (mut records, mut held) = waiting(&samples);
    let of_process = Counts {
        cpu: None,
        pid: Some(7),
        ..counts(0, 10)
    };
    let exact = [counts(0, 1000), of_process];
    shared.share_out(&mut records, 0, &mut held, &exact, (1, &[9], true));
    assert_eq!(weights(&records, &held, 0, 0), [5, 0]);
    assert_eq!(weights(&records, &held, 1, 0), [5]);
}

#[test]
fn samples_that_only_netop_reads_weigh_nothing() {
    let mut shared = Weights::new(Vec::new(), vec![EVENT]);
    let (mut records, mut held) = waiting(&[(0, 1, 10, 5), (0, 1, 11, 5)]);
    shared.share_out(&mut records, 0, &mut held, &[counts(0, 50)], (1, &[], true));
    assert_eq!(weights(&records, &held, 0, 0), [0, 0]);
    assert_eq!(shared.rest(), []);
}

proptest! {
    #[test]
    fn weights_add_up_to_the_hits_however_the_samples_come(
        intervals in prop::collection::vec((
            prop::collection::vec((0u64..1000, 1u64..1 << 62), 0..9), 0u64..100_000,
        ), 1..9),
    ) {
        let mut shared = Weights::default();
        let (mut exact, mut seen, mut samples, mut file) = (0, 0, 0, Vec::new());
        for (of_interval, hits) in &intervals {
            exact += hits;
            let samples_of: Vec<_> = of_interval.iter().map(|(time, period)| (0, 1, *time, *period)).collect();
            let (mut records, mut held) = waiting(&samples_of);
            shared.share_out(&mut records, file.len() as u64, &mut held, &[counts(0, *hits)], (1, &[], true));
            let given = weights(&records, &held, 0, seen);
            prop_assert!(given.iter().all(|weight| (1..=1 << 60).contains(weight)), "{given:?}");
            seen += given.iter().sum::<u64>();
            samples += held.len() as u64;
            file.extend(records);
        }
        if samples > 0 {
            seen = shared.rest().first().map_or(seen, |(_, count)| *count);
            prop_assert!((exact..=exact.max(samples + exact)).contains(&seen), "{seen} of {exact}");
            if intervals.iter().all(|(of, hits)| *hits >= of.len() as u64) {
                prop_assert_eq!(seen, exact);
            }
        }
    }
}
