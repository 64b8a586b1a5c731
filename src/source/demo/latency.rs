//! How long things wait on the made-up machine: log-normal times with a slow one in a hundred.

use std::collections::BTreeMap;

use super::load::{CPUS, Flow, Load};
use super::rng::Rng;
use crate::decode::{Fate, LatencySample, Timed, Timing};

/// Inode of the machine's network namespace.
const NETNS: u64 = 4_026_531_840;

/// Times of a place in an interval, at most.
const MOST: u64 = 400;

/// A slow one in so many takes so much longer.
const SLOW_IN: u64 = 100;
const SLOWER: f64 = 12.0;

/// One pair of events on one device, of one process, or of softirqs.
struct Place {
    /// As in assets/bpf/latency.bpf.c.
    pair: u8,
    name: &'static str,
    /// Interface, or process.
    id: u32,
    flow: Flow,
    median_ns: f64,
    /// One in a hundred wakes up on another CPU than it was woken from.
    crosses: bool,
}

const fn place(pair: u8, name: &'static str, id: u32, flow: Flow, median_ns: f64) -> Place {
    Place {
        pair,
        name,
        id,
        flow,
        median_ns,
        crosses: pair == 4,
    }
}

const PLACES: [Place; 11] = [
    place(0, "lo", 1, Flow::Lo, 1_700.0),
    place(1, "eth0", 2, Flow::StackTcp, 5_200.0),
    place(1, "eth1", 3, Flow::StackEth1, 6_900.0),
    place(2, "eth0", 2, Flow::KafkaTx, 1_100.0),
    place(2, "lo", 1, Flow::Lo, 560.0),
    place(3, "eth0", 2, Flow::NginxTx, 38_000.0),
    place(4, "statsd", 9127, Flow::StatsdRecv, 61_000.0),
    place(4, "kafka", 18211, Flow::KafkaRecv, 17_000.0),
    place(5, "", 0, Flow::RunTx, 900.0),
    place(6, "", 0, Flow::RunRx, 1_400.0),
    place(8, "", 0, Flow::RunRx, 24_000.0),
];

/// `rng`: chances of their own, so that nothing else of the machine changes.
pub fn sample(timing: Timing, loads: &[Load; CPUS], rng: &mut Rng) -> LatencySample {
    let mut fates: BTreeMap<u8, Fate> = BTreeMap::new();
    let mut histograms = Vec::new();
    for place in &PLACES {
        let mut whole = Timed {
            pair: place.pair,
            netns: if place.name.is_empty() { 0 } else { NETNS },
            id: place.id,
            name: place.name.to_owned(),
            ..Timed::default()
        };
        for (cpu, load) in loads.iter().enumerate() {
            let mut part = Timed {
                pair: place.pair,
                cpu: u32::try_from(cpu).ok(),
                ..Timed::default()
            };
            let times = load[place.flow].min(MOST);
            draw(place, times, rng, &mut part);
            let fate = fates.entry(place.pair).or_default();
            fate.pair = place.pair;
            fate.started += times + times / 200;
            fate.matched += times;
            fate.freed += times / 200;
            merge(&mut whole, &part);
            if times > 0 {
                histograms.push(part);
            }
        }
        histograms.push(whole);
    }
    LatencySample {
        timing: Some(timing),
        refused: None,
        hits: Vec::new(),
        fates: fates.into_values().collect(),
        histograms,
    }
}

fn draw(place: &Place, times: u64, rng: &mut Rng, part: &mut Timed) {
    let mut buckets: BTreeMap<u16, u32> = BTreeMap::new();
    for _ in 0..times {
        let spread: f64 = (0..4).map(|_| rng.unit() - 0.5).sum();
        let slow = if rng.below(SLOW_IN) == 0 { SLOWER } else { 1.0 };
        let ns = (place.median_ns * slow * spread.exp()) as u64;
        *buckets.entry(bucket_of(ns)).or_default() += 1;
        part.max_ns = part.max_ns.max(ns);
        part.sum_ns += ns;
        part.crossed += u64::from(place.crosses && rng.below(9) == 0);
    }
    part.buckets = buckets.into_iter().collect();
}

fn merge(whole: &mut Timed, part: &Timed) {
    let mut buckets: BTreeMap<u16, u32> = whole.buckets.iter().copied().collect();
    for &(bucket, times) in &part.buckets {
        *buckets.entry(bucket).or_default() += times;
    }
    whole.buckets = buckets.into_iter().collect();
    whole.crossed += part.crossed;
    whole.sum_ns += part.sum_ns;
    whole.max_ns = whole.max_ns.max(part.max_ns);
}

/// 16 per power of two, see [`Timed::buckets`].
fn bucket_of(ns: u64) -> u16 {
    let ns = ns.clamp(16, (1 << 35) - 1);
    let log = ns.ilog2();
    (((log - 3) << 4) | ((ns >> (log - 4)) & 15) as u32) as u16
}
