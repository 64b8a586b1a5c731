//! Several intervals as one.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::link::LinkCounters;
use super::session::EventId;
use super::tick::{Carried, Counts, DeviceCounts, SlowSample, Softnets, Spread, Tick};

/// Events that a long interval keeps, the oldest.
const MOST_EVENTS_JOINED: usize = 10_000;

/// One interval of several.
pub fn join(so_far: &mut Tick, next: Tick) {
    so_far.at = next.at;
    so_far.wall_ns = next.wall_ns;
    so_far.interval_ns = so_far.interval_ns.saturating_add(next.interval_ns);
    let between = between(&so_far.counts, &next.counts);
    add(&mut so_far.counts, next.counts, same_count, add_count);
    for count in &mut so_far.counts {
        if let (Some(spread), Some(squares)) = (&mut count.spread, between.get(&count.event)) {
            let freedom = f64::from(spread.windows.max(2) - 1);
            let more = |squares: f64| (squares / freedom) as u64;
            spread.variance = spread.variance.saturating_add(more(squares.of_rate));
            if let Some(softnet) = &mut spread.softnet {
                softnet.variance = softnet.variance.saturating_add(more(squares.per_packet));
            }
        }
    }
    add(&mut so_far.devices, next.devices, same_device, add_device);
    let same_event = |a: &Carried, b: &Carried| a.event == b.event;
    add(&mut so_far.carried, next.carried, same_event, add_carried);
    so_far.overflow = so_far.overflow.saturating_add(next.overflow);
    if !next.host.cpus.is_empty() {
        so_far.host.cpus = next.host.cpus;
    }
    so_far.host.slow = match (so_far.host.slow.take(), next.host.slow) {
        (Some(before), Some(now)) => {
            Some(Arc::new(later_reading(&before, Arc::unwrap_or_clone(now))))
        }
        (before, now) => now.or(before),
    };
    so_far.own.cpu_ns = so_far
        .own
        .cpu_ns
        .zip(next.own.cpu_ns)
        .map(|(a, b)| a.saturating_add(b));
    so_far.own.anon_bytes = next.own.anon_bytes;
    so_far.loss.add(next.loss);
    so_far.ended.extend(next.ended);
    so_far.replaced.extend(next.replaced);
    so_far.events.extend(next.events);
    so_far.events.truncate(MOST_EVENTS_JOINED);
    so_far.children = next.children;
    so_far.members = next.members;
    so_far.notes.extend(next.notes);
}

/// Each of `next` to its own of `all`. Sources tell them in the same order each time, so that most
/// stand where they are looked for first.
fn add<T>(all: &mut Vec<T>, next: Vec<T>, same: fn(&T, &T) -> bool, sum: fn(&mut T, &T)) {
    for (place, item) in next.into_iter().enumerate() {
        let here = all.get(place).is_some_and(|known| same(known, &item));
        let at = if here {
            Some(place)
        } else {
            all.iter().position(|known| same(known, &item))
        };
        match at {
            Some(at) => sum(&mut all[at], &item),
            None => all.push(item),
        }
    }
}

/// Σ squares, (hits/s)².
struct Between {
    of_rate: f64,
    /// Of what softnet's packets do not foretell.
    per_packet: f64,
}

/// What the windows of two intervals differ by because their means do: the variances within each do
/// not have it, and one window has none at all.
fn between(before: &[Counts], next: &[Counts]) -> FxHashMap<EventId, Between> {
    let (before, next) = (means(before), means(next));
    (before.into_iter())
        .filter_map(|(event, then)| {
            let now = next.get(&event)?;
            let (n, m) = (then.windows, now.windows);
            let ratio = Means::ratio([(1.0, &then), (1.0, now)].into_iter());
            let left = |means: &Means| means.windows * means.left(ratio).powi(2);
            let squares = Between {
                of_rate: n * m / (n + m).max(1.0) * (now.rate - then.rate).powi(2),
                per_packet: left(&then) + left(now),
            };
            Some((event, squares))
        })
        .collect()
}

/// An event's windows of one interval, all CPUs together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Means {
    /// Hits/s in them, packets/s that softnet processed, and how many windows they were.
    pub rate: f64,
    pub packets: f64,
    pub windows: f64,
}

impl Means {
    /// With another CPU's counts.
    pub fn add(&mut self, count: &Counts) {
        let Some(spread) = count.spread else { return };
        let per_second = |of: u64| of as f64 * 1e9 / count.span_ns.max(1) as f64;
        self.rate += per_second(count.hits);
        self.packets = spread
            .softnet
            .map_or(0.0, |softnet| per_second(softnet.packets));
        self.windows = f64::from(spread.windows);
    }

    /// Hits per packet of all of them, each with its weight; 0 where no packet came.
    pub fn ratio<'a>(all: impl Iterator<Item = (f64, &'a Means)>) -> f64 {
        let (mut hits, mut packets) = (0.0, 0.0);
        for (weight, means) in all {
            hits += weight * means.windows * means.rate;
            packets += weight * means.windows * means.packets;
        }
        if packets > 0.0 { hits / packets } else { 0.0 }
    }

    /// Hits/s that so many hits per packet do not foretell.
    pub fn left(&self, ratio: f64) -> f64 {
        self.rate - ratio * self.packets
    }
}

fn means(counts: &[Counts]) -> FxHashMap<EventId, Means> {
    let mut means: FxHashMap<EventId, Means> = FxHashMap::default();
    for count in counts.iter().filter(|c| c.cpu.is_some() && c.span_ns > 0) {
        if count.spread.is_some() {
            means.entry(count.event).or_default().add(count);
        }
    }
    means
}

fn same_count(a: &Counts, b: &Counts) -> bool {
    (a.event, a.cpu, a.pid, a.gate) == (b.event, b.cpu, b.pid, b.gate)
}

fn add_count(known: &mut Counts, next: &Counts) {
    known.hits = known.hits.saturating_add(next.hits);
    known.bytes = known.bytes.saturating_add(next.bytes);
    known.span_ns = known.span_ns.saturating_add(next.span_ns);
    known.spread = match (known.spread, next.spread) {
        (Some(mut all), Some(more)) => {
            let freedom = |of: Spread| u128::from(of.windows.saturating_sub(1));
            let (before, next) = (freedom(all), freedom(more));
            all.windows = all.windows.saturating_add(more.windows);
            let left = freedom(all).max(1);
            let pooled = |then: u64, now: u64| {
                let squares = u128::from(then) * before + u128::from(now) * next;
                u64::try_from(squares / left).unwrap_or(u64::MAX)
            };
            all.variance = pooled(all.variance, more.variance);
            let softnet = all.softnet.zip(more.softnet);
            all.softnet = softnet.map(|(then, now)| Softnets {
                packets: then.packets.saturating_add(now.packets),
                variance: pooled(then.variance, now.variance),
            });
            Some(all)
        }
        (before, now) => before.or(now),
    };
}

fn same_device(a: &DeviceCounts, b: &DeviceCounts) -> bool {
    (a.event, a.cpu, a.netns, a.ifindex) == (b.event, b.cpu, b.netns, b.ifindex)
}

fn add_device(known: &mut DeviceCounts, next: &DeviceCounts) {
    known.hits = known.hits.saturating_add(next.hits);
    known.packets = known.packets.saturating_add(next.packets);
    known.bytes = known.bytes.saturating_add(next.bytes);
}

fn add_carried(known: &mut Carried, next: &Carried) {
    known.hits = known.hits.saturating_add(next.hits);
    known.packets = known.packets.saturating_add(next.packets);
    known.bytes = known.bytes.saturating_add(next.bytes);
}

/// The later reading; names of processes that it does not have stay known, and how devices are
/// set up, which not every reading says.
pub fn later_reading(before: &SlowSample, mut slow: SlowSample) -> SlowSample {
    let known: FxHashSet<u32> = slow.tasks.iter().map(|task| task.pid).collect();
    let gone = before
        .tasks
        .iter()
        .filter(|task| !known.contains(&task.pid));
    slow.tasks.extend(gone.cloned());
    // Sockets are read at their own pace.
    slow.sockets = slow.sockets.or_else(|| before.sockets.clone());
    let id = |link: &LinkCounters| (link.netns, link.ifindex);
    let setups = before.links.iter().map(|link| (id(link), &link.setup));
    let setups: FxHashMap<(u64, u32), _> = setups.collect();
    for link in &mut slow.links {
        if let (None, Some(setup)) = (&link.setup, setups.get(&id(link))) {
            link.setup.clone_from(setup);
        }
    }
    namespaces_before(before, &mut slow);
    slow
}

/// What only the reading before has read of the namespaces.
fn namespaces_before(before: &SlowSample, slow: &mut SlowSample) {
    let (times, mut only) = (before.times(), FxHashSet::default());
    for namespace in &mut slow.namespaces {
        if namespace.at.is_none() && !times.unread.contains(&namespace.netns) {
            let links = before.links.iter();
            if links.clone().any(|link| link.netns == namespace.netns) {
                namespace.at = Some(times.of(namespace.netns));
                only.insert(namespace.netns);
            }
        }
    }
    let links = before
        .links
        .iter()
        .filter(|link| only.contains(&link.netns));
    slow.links.extend(links.cloned());
    let protocols = before
        .protocols
        .iter()
        .filter(|of| only.contains(&of.netns));
    slow.protocols.extend(protocols.cloned());
}

#[cfg(test)]
mod tests {
    use super::super::link::LinkSetup;
    use super::super::tick::{HostSample, NetnsReading, TaskCounters};
    use super::*;

    fn tick(at: u64, hits: u64) -> Tick {
        Tick {
            at,
            interval_ns: 10,
            counts: vec![Counts {
                event: EventId(1),
                cpu: Some(0),
                pid: None,
                hits,
                span_ns: 10,
                gate: false,
                bytes: 0,
                spread: None,
            }],
            host: HostSample {
                slow: Some(Arc::new(SlowSample {
                    at,
                    tasks: vec![TaskCounters {
                        pid: at as u32,
                        ..TaskCounters::default()
                    }],
                    ..SlowSample::default()
                })),
                ..HostSample::default()
            },
            ..Tick::default()
        }
    }

    #[test]
    fn intervals_that_are_joined_add_up_and_end_with_the_last() {
        let mut all = tick(10, 5);
        join(&mut all, tick(20, 7));
        assert_eq!((all.at, all.interval_ns), (20, 20));
        assert_eq!((all.counts[0].hits, all.counts[0].span_ns), (12, 20));
        let slow = all.host.slow.expect("a reading");
        let pids: Vec<u32> = slow.tasks.iter().map(|task| task.pid).collect();
        assert_eq!((slow.at, pids), (20, vec![20, 10]));
    }

    #[test]
    fn windows_of_joined_intervals_have_the_variance_of_all_of_them() {
        // Rates of all windows, both CPUs together, hits per second.
        let intervals: [&[f64]; 3] = [&[800.0], &[100.0, 300.0], &[0.0]];
        let ticks = intervals.map(|rates| {
            let windows = rates.len() as f64;
            let mean = rates.iter().sum::<f64>() / windows;
            let squares = rates.iter().map(|rate| (rate - mean).powi(2)).sum::<f64>();
            let on = |cpu, share: f64| Counts {
                cpu: Some(cpu),
                hits: (mean * windows * share) as u64,
                span_ns: 1_000_000_000 * rates.len() as u64,
                spread: Some(Spread {
                    windows: rates.len() as u32,
                    variance: (squares / (windows - 1.0).max(1.0)) as u64,
                    softnet: Some(Softnets {
                        packets: 500 * rates.len() as u64,
                        variance: (squares / (windows - 1.0).max(1.0)) as u64,
                    }),
                }),
                ..tick(0, 0).counts[0]
            };
            Tick {
                counts: vec![on(0, 0.25), on(1, 0.75)],
                ..tick(10, 0)
            }
        });
        let [mut all, second, third] = ticks;
        join(&mut all, second);
        join(&mut all, third);
        // Of 800, 100, 300 and 0: the mean is 300.
        let variance = (500.0_f64.powi(2) + 200.0_f64.powi(2) + 300.0_f64.powi(2)) / 3.0;
        for count in &all.counts {
            let spread = count.spread.expect("it was counted in windows");
            assert_eq!(spread.windows, 4);
            assert!(
                (spread.variance as f64 - variance).abs() < 3.0,
                "{spread:?}"
            );
            // As many packets in each window: what they foretell is the mean.
            let softnet = spread.softnet.expect("it was read");
            assert_eq!(softnet.packets, 2000);
            assert!(
                (softnet.variance as f64 - variance).abs() < 3.0,
                "{softnet:?}"
            );
        }
    }

    #[test]
    fn of_joined_intervals_what_packets_foretell_is_left_out_and_no_packet_is_a_reading_too() {
        // Two hits per packet in each, but for 10 hits/s of the last.
        let intervals = [(200, 100), (0, 0), (610, 300)];
        let [mut all, second, third] = intervals.map(|(hits, packets)| {
            let count = Counts {
                cpu: Some(0),
                hits,
                span_ns: 1_000_000_000,
                spread: Some(Spread {
                    windows: 1,
                    variance: 0,
                    softnet: Some(Softnets {
                        packets,
                        variance: 0,
                    }),
                }),
                ..tick(0, 0).counts[0]
            };
            Tick {
                counts: vec![count],
                ..tick(10, 0)
            }
        });
        join(&mut all, second);
        join(&mut all, third);
        let spread = all.counts[0].spread.expect("it was counted in windows");
        let softnet = spread.softnet.expect("it was read each time");
        assert_eq!(softnet.packets, 400);
        assert!((3..30).contains(&softnet.variance), "{softnet:?}");
        assert!(spread.variance > 50_000, "{spread:?}");
    }

    #[test]
    fn what_only_an_earlier_reading_said_of_a_device_stands() {
        let with = |at, setup: Option<LinkSetup>| {
            let mut tick = tick(at, 0);
            let link = LinkCounters {
                rx_packets: at,
                setup: setup.map(Arc::new),
                ..LinkCounters::default()
            };
            let slow = tick.host.slow.as_mut().expect("a reading");
            Arc::make_mut(slow).links.push(link);
            tick
        };
        let mut all = with(10, Some(LinkSetup::default()));
        join(&mut all, with(20, None));
        let slow = all.host.slow.expect("a reading");
        assert!(slow.links[0].setup.is_some());
        assert_eq!(slow.links[0].rx_packets, 20);
    }

    #[test]
    fn a_namespace_that_only_the_earlier_reading_has_read_is_taken_from_there() {
        let with = |at, turns: &[(u64, bool)]| SlowSample {
            at,
            namespaces: (turns.iter())
                .map(|&(netns, read)| NetnsReading {
                    netns,
                    at: read.then_some(at + netns),
                })
                .collect(),
            links: (turns.iter().filter(|(_, read)| *read))
                .map(|&(netns, _)| LinkCounters {
                    netns,
                    rx_packets: at,
                    ..LinkCounters::default()
                })
                .collect(),
            ..SlowSample::default()
        };
        let before = with(10, &[(1, true), (2, true), (3, false)]);
        let joined = later_reading(&before, with(20, &[(1, true), (2, false), (3, false)]));
        let read: Vec<(u64, u64)> = (joined.links.iter())
            .map(|link| (link.netns, link.rx_packets))
            .collect();
        assert_eq!(read, [(1, 20), (2, 10)]);
        let times = joined.times();
        assert_eq!((times.of(1), times.of(2)), (21, 12));
        assert_eq!(times.unread.into_iter().collect::<Vec<_>>(), [3]);
    }
}
