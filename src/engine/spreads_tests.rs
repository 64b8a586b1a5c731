//! Do the stated bounds of a count from windows hold the true count? Arrivals are made up, the
//! windows are those of the live source: of equal length, with gaps drawn evenly.

use super::*;
use crate::decode::Spread;

/// Slots of 2 ms; an interval is a second, a window 50 ms.
const INTERVAL: usize = 500;
const WINDOW: usize = 25;
const INTERVALS: usize = 2_000;

struct Chance(u64);

impl Chance {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() * limit as f64) as usize
    }

    /// Poisson, for small means by counting exponential gaps.
    fn poisson(&mut self, mean: f64) -> u64 {
        let (mut count, mut left) = (0, (-mean).exp());
        loop {
            left /= self.next().max(1e-12);
            if left >= 1.0 {
                return count;
            }
            count += 1;
        }
    }
}

/// Hits per slot of two CPUs.
type Arrivals = fn(&mut Chance, usize) -> [u64; 2];

fn even(chance: &mut Chance, _: usize) -> [u64; 2] {
    [chance.poisson(20.0), chance.poisson(5.0)]
}

fn one_cpu(chance: &mut Chance, _: usize) -> [u64; 2] {
    [chance.poisson(10.0), 0]
}

/// Both CPUs are busy for 30 ms and quiet for 20.
fn bursts(chance: &mut Chance, slot: usize) -> [u64; 2] {
    let mean = if slot % 25 < 15 { 30.0 } else { 1.0 };
    [chance.poisson(mean), chance.poisson(mean / 2.0)]
}

/// All traffic changes over to the other CPU every 70 ms.
fn alternating(chance: &mut Chance, slot: usize) -> [u64; 2] {
    let hits = chance.poisson(20.0);
    if (slot / 35).is_multiple_of(2) {
        [hits, 0]
    } else {
        [0, hits]
    }
}

/// Seldom and much at once: a slot in fifty holds nearly everything.
fn seldom(chance: &mut Chance, _: usize) -> [u64; 2] {
    let burst = if chance.below(50) == 0 { 200.0 } else { 0.2 };
    [chance.poisson(burst), 0]
}

/// The share of the intervals whose bounds hold the true count, percent; of those with bounds.
fn coverage(arrivals: Arrivals, duty: usize) -> (f64, f64) {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut spreads = Spreads::default();
    let (mut held, mut stated, mut width) = (0, 0, 0.0);
    let (mut on, mut left) = (true, WINDOW);
    let mut window = [0_u64; 2];
    for interval in 0..INTERVALS {
        let mut truth = 0;
        let mut rates: Vec<f64> = Vec::new();
        let mut hits = [0; 2];
        for slot in 0..INTERVAL {
            let came = arrivals(&mut chance, interval * INTERVAL + slot);
            truth += came.iter().sum::<u64>();
            if on {
                (0..2).for_each(|cpu| window[cpu] += came[cpu]);
            }
            left -= usize::from(left > 0);
            while left == 0 {
                on = !on;
                left = WINDOW;
                if !on {
                    rates.push((window[0] + window[1]) as f64 * 500.0 / WINDOW as f64);
                    for cpu in 0..2 {
                        hits[cpu] += std::mem::take(&mut window[cpu]);
                    }
                    let mean = WINDOW * (100 - duty) / duty;
                    left = chance.below(2 * mean + 1);
                }
            }
        }
        let counts: Vec<Counts> = (0..2)
            .filter(|_| !rates.is_empty())
            .map(|cpu| count(cpu, hits[cpu], &rates))
            .collect();
        spreads.take(&counts);
        let counts = spreads.complete(&counts, &[attach(duty)], 1_000_000_000);
        let Some(error) = spreads.error(counts.iter(), 1_000_000_000) else {
            continue;
        };
        let guess: u64 = counts.iter().map(|c| estimated(c, 1_000_000_000)).sum();
        stated += 1;
        held += usize::from((guess as f64 - truth as f64).abs() <= error);
        width += error / truth as f64;
    }
    let pct = |part: f64| 100.0 * part / f64::from(stated.max(1));
    assert!(
        f64::from(stated) > 0.8 * INTERVALS as f64,
        "{stated} have bounds"
    );
    (pct(held as f64), pct(width))
}

fn attach(duty: usize) -> Attach {
    Attach {
        event: EventId(3),
        stacks_per_s: 0,
        every: false,
        wide: true,
        per_task: false,
        gate: true,
        everyone: false,
        by_socket: false,
        duty_permille: 10 * duty as u16,
        asked: false,
    }
}

fn count(cpu: usize, hits: u64, rates: &[f64]) -> Counts {
    let n = rates.len() as f64;
    let mean = rates.iter().sum::<f64>() / n;
    let squares: f64 = rates.iter().map(|rate| (rate - mean).powi(2)).sum();
    Counts {
        event: EventId(3),
        cpu: Some(cpu as u32),
        pid: None,
        hits,
        bytes: 0,
        span_ns: rates.len() as u64 * WINDOW as u64 * 2_000_000,
        gate: true,
        spread: Some(Spread {
            windows: rates.len() as u32,
            variance: (squares / (n - 1.0).max(1.0)) as u64,
        }),
    }
}

fn holds(arrivals: Arrivals, duties: &[usize], wanted: std::ops::RangeInclusive<f64>) {
    for &duty in duties {
        let (held, width) = coverage(arrivals, duty);
        assert!(wanted.contains(&held), "{held}% at {duty}%, ±{width:.1}%");
    }
}

#[test]
fn bounds_of_arrivals_on_one_cpu_hold_the_true_count_as_often_as_stated() {
    holds(one_cpu, &[10, 25, 50], 93.0..=98.0);
    holds(seldom, &[10, 25, 50], 93.0..=98.0);
}

#[test]
fn with_hardly_a_window_in_an_interval_bounds_are_wider_than_need_be() {
    holds(one_cpu, &[5], 97.0..=100.0);
    holds(seldom, &[5], 97.0..=100.0);
}

#[test]
fn bounds_hold_whether_the_cpus_move_together_or_take_turns() {
    holds(even, &[10, 25], 93.0..=98.5);
    holds(bursts, &[10, 25], 93.0..=98.5);
    holds(alternating, &[10, 25], 93.0..=98.5);
}

#[test]
fn without_a_window_the_last_ones_stand_for_as_long_as_one_may_be_late() {
    const S: u64 = 1_000_000_000;
    let seen = [count(0, 500, &[10_000.0; 2])];
    for (duty, stands) in [(25, 3), (5, 3), (2, 8), (1, 15)] {
        let mut spreads = Spreads::default();
        spreads.take(&seen);
        assert_eq!(spreads.complete(&seen, &[attach(duty)], S), seen);
        for interval in 0..stands {
            spreads.take(&[]);
            let left = spreads.complete(&[], &[attach(duty)], S);
            assert_eq!(left, seen, "{duty} %, {interval}");
            assert!(spreads.complete(&[], &[attach(100)], S).is_empty());
        }
        spreads.take(&[]);
        assert!(spreads.complete(&[], &[attach(duty)], S).is_empty());
    }
}

#[test]
fn without_two_windows_nothing_is_stated_and_with_all_of_the_time_nothing_is_unsure() {
    let mut spreads = Spreads::default();
    let one = [count(0, 500, &[50_000.0])];
    spreads.take(&one);
    assert_eq!(spreads.error(one.iter(), 1_000_000_000), None);
    let whole = [count(0, 5_000, &[4_000.0, 6_000.0].repeat(10))];
    spreads.take(&whole);
    assert_eq!(spreads.error(whole.iter(), 1_000_000_000), Some(0.0));
}

#[test]
fn a_count_from_windows_stands_for_all_of_the_interval() {
    let seen = count(0, 500, &[10_000.0]);
    assert_eq!(estimated(&seen, 1_000_000_000), 10_000);
    let exact = Counts {
        spread: None,
        ..seen
    };
    assert_eq!(estimated(&exact, 1_000_000_000), 500);
}
