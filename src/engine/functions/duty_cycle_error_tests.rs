//! Do the stated bounds of a count from windows hold the true count? Arrivals are made up, the
//! windows are those of the live source: of equal length, with gaps drawn evenly.

use super::*;
use crate::decode::Windows;

const S: u64 = 1_000_000_000;

/// Slots of 2 ms; an interval is a second, a window 50 ms.
const INTERVAL: usize = 500;
const WINDOW: usize = 25;
const WINDOW_LENGTH_NS: u64 = WINDOW as u64 * 2_000_000;
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

/// An interval's counts of an event that is counted `duty` percent of the time, and those that stand
/// for it.
fn taken(
    duty_error: &mut DutyCycleError,
    counts: &[Counts],
    duty: usize,
    packets: Option<u64>,
) -> Vec<Counts> {
    duty_error.learn(counts, &[attach(duty)], S, packets);
    [counts, duty_error.standing()].concat()
}

/// Hits of an event where so many packets came on a CPU.
type Event = fn(&mut Chance, u64) -> u64;

fn a_hit_a_packet(_: &mut Chance, packets: u64) -> u64 {
    packets
}

/// Four hits in five packets.
fn most_packets(chance: &mut Chance, packets: u64) -> u64 {
    (0..packets).filter(|_| chance.below(5) > 0).count() as u64
}

/// Nothing to do with packets.
fn on_its_own(chance: &mut Chance, _: u64) -> u64 {
    chance.poisson(4.0)
}

#[derive(Debug)]
struct Coverage {
    /// Intervals whose bounds hold the true count, percent of those with bounds.
    held: f64,
    /// Mean of the bounds, percent of the true count.
    width: f64,
    /// All counts together, percent of the true ones.
    sum: f64,
}

/// `slower`: packets that come in a window are so many percent fewer. `softnet`: they are counted.
fn coverage(
    arrivals: Arrivals,
    event: Event,
    duty: usize,
    slower: usize,
    softnet: bool,
) -> Coverage {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    let mut duty_error = DutyCycleError::default();
    let (mut held, mut stated, mut width) = (0, 0, 0.0);
    let (mut guesses, mut truths) = (0.0, 0.0);
    let (mut on, mut left) = (true, WINDOW);
    let mut window = Windows::default();
    let (mut seen, mut packets_seen) = ([0_u64; 2], 0);
    let mut cpus = [Windows::default(); 2];
    for interval in 0..INTERVALS {
        let (mut truth, mut packets) = (0, 0);
        for slot in 0..INTERVAL {
            let mut came = arrivals(&mut chance, interval * INTERVAL + slot);
            if on && slower > 0 {
                came = came.map(|n| (0..n).filter(|_| chance.below(100) >= slower).count() as u64);
            }
            let hits = came.map(|packets| event(&mut chance, packets));
            truth += hits.iter().sum::<u64>();
            packets += came.iter().sum::<u64>();
            if on {
                (0..2).for_each(|cpu| seen[cpu] += hits[cpu]);
                packets_seen += came.iter().sum::<u64>();
            }
            left -= usize::from(left > 0);
            while left == 0 {
                on = !on;
                left = WINDOW;
                if !on {
                    let packets = softnet.then_some(std::mem::take(&mut packets_seen));
                    window.push(seen[0] + seen[1], packets, WINDOW_LENGTH_NS);
                    for (cpu, hits) in std::mem::take(&mut seen).into_iter().enumerate() {
                        cpus[cpu].push(hits, packets, WINDOW_LENGTH_NS);
                    }
                    let mean = WINDOW * (100 - duty) / duty;
                    left = chance.below(2 * mean + 1);
                }
            }
        }
        let spread = std::mem::take(&mut window).spread();
        let windows = std::mem::take(&mut cpus);
        let counts: Vec<Counts> = (0..2)
            .filter(|_| spread.windows > 0)
            .map(|cpu| count(cpu, &windows[cpu], spread))
            .collect();
        let packets = softnet.then_some(packets);
        let counts = taken(&mut duty_error, &counts, duty, packets);
        let Some(error) = duty_error.error(counts.iter(), S) else {
            continue;
        };
        let guess: u64 = counts.iter().map(|c| duty_error.hits(c, S)).sum();
        stated += 1;
        // Counts are whole numbers on each CPU.
        held += usize::from((guess as f64 - truth as f64).abs() <= error + 1.0);
        width += error / truth as f64;
        guesses += guess as f64;
        truths += truth as f64;
    }
    let pct = |part: f64| 100.0 * part / f64::from(stated.max(1));
    assert!(
        f64::from(stated) > 0.8 * INTERVALS as f64,
        "{stated} have bounds"
    );
    Coverage {
        held: pct(held as f64),
        width: pct(width),
        sum: 100.0 * guesses / truths,
    }
}

fn attach(duty: usize) -> Attach {
    Attach {
        gate: true,
        duty_permille: 10 * duty as u16,
        ..Attach::wide(EventId(3))
    }
}

fn count(cpu: usize, windows: &Windows, spread: Spread) -> Counts {
    Counts {
        event: EventId(3),
        cpu: Some(cpu as u32),
        pid: None,
        hits: windows.hits,
        bytes: 0,
        span_ns: windows.span_ns,
        gate: true,
        spread: Some(spread),
    }
}

/// Windows of 50 ms with so many hits each on one CPU.
fn seen(hits: &[u64]) -> Counts {
    let mut windows = Windows::default();
    for &hits in hits {
        windows.push(hits, None, WINDOW_LENGTH_NS);
    }
    count(0, &windows, windows.spread())
}

fn holds(arrivals: Arrivals, duties: &[usize], wanted: std::ops::RangeInclusive<f64>) {
    for &duty in duties {
        let all = coverage(arrivals, a_hit_a_packet, duty, 0, false);
        assert!(wanted.contains(&all.held), "{all:?} at {duty}%");
    }
}

#[test]
fn bounds_of_arrivals_on_one_cpu_hold_the_true_count_as_often_as_stated() {
    holds(one_cpu, &[10, 25, 50], 93.0..=98.0);
    holds(seldom, &[10, 25, 50], 93.0..=98.0);
}

#[test]
fn with_hardly_a_window_in_an_interval_bounds_are_wider_than_need_be() {
    holds(one_cpu, &[5], 96.0..=100.0);
    holds(seldom, &[5], 96.0..=100.0);
}

#[test]
fn bounds_hold_whether_the_cpus_move_together_or_take_turns() {
    holds(even, &[10, 25], 93.0..=98.5);
    holds(bursts, &[10, 25], 93.0..=98.5);
    holds(alternating, &[10, 25], 93.0..=98.5);
}

#[test]
fn hits_per_packet_follow_bursts_and_are_several_times_surer() {
    for (arrivals, duty) in [(bursts as Arrivals, 5), (bursts, 10), (alternating, 25)] {
        let by_time = coverage(arrivals, most_packets, duty, 0, false);
        let by_packets = coverage(arrivals, most_packets, duty, 0, true);
        assert!(
            (93.0..=99.9).contains(&by_packets.held),
            "{by_packets:?} at {duty}%"
        );
        assert!(
            by_packets.width < by_time.width / 1.5,
            "{by_packets:?} beside {by_time:?}"
        );
        assert!((99.0..101.0).contains(&by_packets.sum), "{by_packets:?}");
    }
}

#[test]
fn windows_in_which_packets_pass_slower_do_not_make_the_count_lower() {
    let by_time = coverage(even, a_hit_a_packet, 5, 12, false);
    assert!((86.0..91.0).contains(&by_time.sum), "{by_time:?}");
    let by_packets = coverage(even, a_hit_a_packet, 5, 12, true);
    assert!((99.9..100.1).contains(&by_packets.sum), "{by_packets:?}");
    assert!(by_packets.held > 99.0, "{by_packets:?}");
}

#[test]
fn an_event_that_comes_without_packets_is_estimated_by_the_time() {
    for (arrivals, duty) in [(bursts as Arrivals, 25), (alternating, 10)] {
        let all = coverage(arrivals, on_its_own, duty, 0, true);
        assert!((93.0..=98.5).contains(&all.held), "{all:?}");
        let alone = coverage(arrivals, on_its_own, duty, 0, false);
        assert!(all.width < 1.2 * alone.width, "{all:?} beside {alone:?}");
        assert!((99.0..101.0).contains(&all.sum), "{all:?}");
    }
}

/// So many windows with these hits and packets each.
fn windows(number: usize, hits: u64, packets: u64) -> Vec<Counts> {
    let mut windows = Windows::default();
    for _ in 0..number {
        windows.push(hits, Some(packets), WINDOW_LENGTH_NS);
    }
    vec![count(0, &windows, windows.spread())]
}

#[test]
fn without_a_window_the_last_hits_per_packet_stand_and_no_packet_is_no_hit() {
    let mut duty_error = DutyCycleError::default();
    let mut hits = |counts: &[Counts], packets| {
        let counts = taken(&mut duty_error, counts, 5, Some(packets));
        counts.iter().map(|c| duty_error.hits(c, S)).sum::<u64>()
    };
    assert_eq!(hits(&windows(1, 500, 1_000), 20_000), 10_000);
    assert_eq!(hits(&[], 80_000), 40_000);
    assert_eq!(hits(&[], 0), 0);
}

#[test]
fn what_stands_for_another_interval_is_no_part_of_it_however_few_packets_that_had() {
    let mut duty_error = DutyCycleError::default();
    for (hits, packets) in [(500, 1_000), (520, 1_000), (480, 1_000)] {
        taken(&mut duty_error, &windows(1, hits, packets), 5, Some(20_000));
    }
    let left = taken(&mut duty_error, &[], 5, Some(1_000));
    let error = duty_error.error(left.iter(), S).expect("a bound");
    assert!((10.0..200.0).contains(&error), "480 ±{error}");
}

#[test]
fn after_quiet_intervals_hits_per_packet_are_used_at_once() {
    for quiet in [(0, 0), (30, 3)] {
        let mut duty_error = DutyCycleError::default();
        for _ in 0..5 {
            taken(&mut duty_error, &windows(1, quiet.0, quiet.1), 5, Some(60));
        }
        let flood = windows(1, 20_000, 20_000);
        let counts = taken(&mut duty_error, &flood, 5, Some(300_000));
        let hits: u64 = counts.iter().map(|c| duty_error.hits(c, S)).sum();
        assert_eq!(hits, 300_000, "after {quiet:?}");
    }
}

#[test]
fn a_row_does_not_change_its_way_by_chance() {
    let mut duty_error = DutyCycleError::default();
    let mut chance = Chance(7);
    let mut ways = Vec::new();
    for _ in 0..400 {
        // As much of it comes with packets as comes on its own.
        let packets = 900 + chance.below(200) as u64;
        let hits = packets / 2 + 450 + chance.below(100) as u64;
        taken(&mut duty_error, &windows(1, hits, packets), 5, Some(20_000));
        ways.push(duty_error.places[&EventId(3)].by_packets);
    }
    let changes = ways.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes < 40, "{changes} changes in 400 intervals");
}

#[test]
fn of_few_packets_nothing_is_foretold() {
    let mut duty_error = DutyCycleError::default();
    let counts = taken(&mut duty_error, &windows(1, 50, 100), 5, Some(1_000_000));
    assert_eq!(duty_error.hits(&counts[0], S), 1_000);
}

#[test]
fn without_a_window_the_last_ones_stand_for_as_long_as_one_may_be_late() {
    let seen = vec![seen(&[500, 500])];
    for (duty, stands) in [(25, 3), (5, 3), (2, 8), (1, 15)] {
        let mut duty_error = DutyCycleError::default();
        assert_eq!(taken(&mut duty_error, &seen, duty, None), seen);
        for interval in 0..stands {
            let left = taken(&mut duty_error, &[], duty, None);
            assert_eq!(left, seen, "{duty} %, {interval}");
        }
        assert!(taken(&mut duty_error, &[], duty, None).is_empty());
    }
    let mut duty_error = DutyCycleError::default();
    taken(&mut duty_error, &seen, 5, None);
    let all = taken(&mut duty_error, &[], 100, None);
    assert!(all.is_empty(), "all of the time is counted now");
}

#[test]
fn without_two_windows_nothing_is_stated_and_with_all_of_the_time_nothing_is_unsure() {
    let mut duty_error = DutyCycleError::default();
    let one = taken(&mut duty_error, &[seen(&[2_500])], 5, None);
    assert_eq!(duty_error.error(one.iter(), S), None);
    let whole = taken(&mut duty_error, &[seen(&[200, 300].repeat(10))], 5, None);
    assert_eq!(duty_error.error(whole.iter(), S), Some(0.0));
}

#[test]
fn a_count_from_windows_stands_for_all_of_the_interval() {
    let mut duty_error = DutyCycleError::default();
    let counts = taken(&mut duty_error, &[seen(&[500])], 5, None);
    assert_eq!(duty_error.hits(&counts[0], S), 10_000);
    let exact = Counts {
        spread: None,
        ..counts[0]
    };
    assert_eq!(duty_error.hits(&exact, S), 500);
}

#[test]
fn a_burst_that_no_window_met_is_in_the_bound_of_the_0_that_they_saw() {
    let mut duty_error = DutyCycleError::default();
    let interval = |duty_error: &mut DutyCycleError, in_windows: u64, hits: u64, packets: u64| {
        let mut windows = Windows::default();
        for _ in 0..2 {
            windows.push(hits, Some(in_windows), WINDOW_LENGTH_NS);
        }
        let count = count(0, &windows, windows.spread());
        duty_error.learn(&[count], &[attach(10)], S, Some(packets));
        (
            duty_error.hits(&count, S),
            duty_error.error([count].iter(), S).map(f64::round),
        )
    };
    // Nothing came, and nothing was seen.
    assert_eq!(interval(&mut duty_error, 0, 0, 0), (0, Some(0.0)));
    assert_eq!(interval(&mut duty_error, 0, 0, 36_149), (0, Some(36_149.0)));
    // Half a hit a packet, since windows have seen some.
    let mut duty_error = DutyCycleError::default();
    interval(&mut duty_error, 1_000, 500, 20_000);
    let (hits, error) = interval(&mut duty_error, 0, 0, 36_149);
    assert_eq!(hits, 0);
    let error = error.expect("a bound");
    assert!(error >= 18_000.0, "{error}");
}
