//! What each device carried and lost between two readings of the host's counters, with what the
//! gate counted of it: GRO, GSO, polls.

use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use rustc_hash::{FxBuildHasher, FxHashMap};

use super::device_parts::{counters, irqs_of, qdiscs, queues, setup};
use crate::decode::{DeviceCounts, LinkCounters, LinkSetup, SlowSample};
use crate::model::{Cpu, Device, OtherDevices, Queue, Ranked, Serves, Setup};
use crate::probe::PathPoint;

/// Devices that exports have one by one; as many more where they matter.
pub const MOST_DEVICES: usize = 64;

/// Devices in a snapshot, busiest first.
const MOST: usize = 16_384;

/// Devices named of a CPU.
const MOST_SERVED: usize = 4;

/// What the gate calls polls of the per-CPU backlog.
const BACKLOG: &str = "(no_device)";

/// Namespace and ifindex.
type Id = (u64, u32);

/// Hits and packets that the gate counted of a device.
#[derive(Debug, Clone, Copy, Default)]
struct Passed {
    hits: u64,
    packets: u64,
}

/// How a device is set up.
#[derive(Debug)]
struct SetUp {
    driver: Option<String>,
    numa_node: Option<u32>,
    setup: Arc<Setup>,
}

impl SetUp {
    fn new(read: &LinkSetup) -> SetUp {
        SetUp {
            driver: read.driver.clone(),
            numa_node: read.numa_node,
            setup: Arc::new(setup(read)),
        }
    }
}

#[derive(Debug, Default)]
pub struct Devices {
    last: Option<Arc<SlowSample>>,
    /// When each namespace was last read, CLOCK_MONOTONIC, ns, and what was read of its devices then.
    read_at: FxHashMap<u64, u64>,
    before: FxHashMap<Id, Arc<LinkCounters>>,
    /// Older readings of what is read more rarely.
    drivers: FxHashMap<Id, Arc<LinkCounters>>,
    /// The first reading of what is told as a total.
    first: FxHashMap<Id, Arc<LinkCounters>>,
    /// How each is set up, as last read.
    setups: FxHashMap<Id, SetUp>,
    rows: FxHashMap<Id, Device>,
    /// Of this interval: by place and device.
    passed: BTreeMap<(u8, Id), Passed>,
    /// Polls by device, name and CPU.
    polls: BTreeMap<(u32, String, Id), Passed>,
    /// Samples of polls by device name: full ones and all, in hits.
    full: FxHashMap<Box<str>, (f64, f64)>,
    nodes: Vec<(u32, u32)>,
    /// Interrupts by device and CPU, in the order of the CPUs' columns.
    interrupts: BTreeMap<String, Vec<u64>>,
}

impl Devices {
    /// A new reading of the slow counters.
    pub fn ingest(&mut self, now: &Arc<SlowSample>, order: &[u32]) {
        self.nodes.clone_from(&now.nodes);
        let times = now.times();
        for link in &now.links {
            if let Some(setup) = &link.setup {
                self.setups.insert(id(link), SetUp::new(setup));
            }
        }
        let last = self.last.replace(Arc::clone(now));
        if last.as_ref().is_some_and(|last| last.at >= now.at) {
            return;
        }
        self.interrupts = last
            .as_ref()
            .map(|last| interrupts(last, now))
            .unwrap_or_default();
        let mut known = std::mem::take(&mut self.before);
        let own = now.links.first().map(|link| link.netns);
        for link in &now.links {
            let link = &Arc::new(link.clone());
            let before = known.remove(&id(link));
            let before = before.filter(|before| before.name == link.name);
            let at = times.of(link.netns);
            let span_ns = self
                .read_at
                .get(&link.netns)
                .map_or(0, |before| at - at.min(*before));
            let old = self.rows.remove(&id(link));
            let readings = (last.as_deref().unwrap_or(now), &**now);
            let (mut row, fresh) = self.row(link, before.as_deref(), old, readings, order);
            carried(&mut row, link, before.as_deref(), span_ns);
            losses(&mut row, link, before.as_deref(), fresh);
            if last.is_none() {
                // Nothing to compare with: what it counts is not 0.
                row.age();
                row.fresh = true;
            }
            row.netns = (own != Some(link.netns)).then(|| netns_name(link.netns, now));
            self.rows.insert(id(link), row);
            self.first
                .entry(id(link))
                .or_insert_with(|| Arc::clone(link));
            self.before.insert(id(link), Arc::clone(link));
        }
        known.retain(|(netns, _), _| times.unread.contains(netns));
        self.before.extend(known);
        let there = |of: &Id| self.before.contains_key(of);
        self.rows.retain(|of, _| there(of));
        self.first.retain(|of, _| there(of));
        self.drivers.retain(|of, _| there(of));
        self.setups.retain(|of, _| there(of));
        self.read_at.retain(|netns, _| times.unread.contains(netns));
        let read = now
            .links
            .iter()
            .map(|link| (link.netns, times.of(link.netns)));
        self.read_at.extend(read);
    }

    /// What is told of a device beside what it carried and lost, and whether its queues were read anew.
    fn row(
        &mut self,
        link: &Arc<LinkCounters>,
        before: Option<&LinkCounters>,
        old: Option<Device>,
        (last, now): (&SlowSample, &SlowSample),
        order: &[u32],
    ) -> (Device, bool) {
        let driver = self.drivers.get(&id(link));
        let driver = driver.filter(|driver| driver.name == link.name);
        let driver = driver.map(|driver| &**driver);
        let first = self.first.get(&id(link)).unwrap_or(link);
        let own = now.links.first().map(|link| link.netns);
        let set_up = self.setups.get(&id(link));
        let irqs = irqs_of(&link.name, own == Some(link.netns), last, now, order);
        let fresh = driver.is_none_or(|driver| driver.driver_at != link.driver_at);
        let row = Device {
            name: link.name.clone(),
            netns_id: link.netns,
            ifindex: link.ifindex,
            kind: link.kind.clone(),
            xdp: link.xdp.clone(),
            physical: link.physical,
            driver: set_up.and_then(|known| known.driver.clone()),
            numa_node: set_up.and_then(|known| known.numa_node),
            setup: set_up.map(|known| Arc::clone(&known.setup)),
            qdisc: link.qdisc.clone(),
            qdisc_backlog: link.qdisc_backlog,
            interrupts: (!irqs.is_empty()).then(|| irqs.iter().filter_map(|irq| irq.count).sum()),
            irqs,
            qdiscs: qdiscs(link, before, first),
            counters: counters(link, driver.unwrap_or(link), first),
            queues: match old {
                Some(mut old) if !fresh => {
                    old.queues.iter_mut().for_each(Queue::age);
                    old.queues
                }
                _ => queues(link, driver, last, now, order),
            },
            ..Device::default()
        };
        if fresh {
            self.drivers.insert(id(link), Arc::clone(link));
        }
        (row, fresh)
    }

    /// A device of this name is in some namespace, as last read.
    pub fn has(&self, name: &str) -> bool {
        self.rows.values().any(|row| row.name == name)
    }

    /// A sample of a poll: whether it used its whole budget.
    pub fn polled(&mut self, device: &str, work: f64, budget: f64, weight: u64) {
        let weight = weight as f64;
        let full = if work >= budget { weight } else { 0.0 };
        if let Some(sums) = self.full.get_mut(device) {
            sums.0 += full;
            sums.1 += weight;
        } else if self.full.len() < MOST {
            self.full.insert(device.into(), (full, weight));
        }
    }

    /// What the gate counted of a device on one CPU.
    pub fn counted(&mut self, place: PathPoint, counts: &DeviceCounts) {
        let of = (counts.netns, counts.ifindex);
        let sum = self.passed.entry((place as u8, of)).or_default();
        sum.hits += counts.hits;
        sum.packets += counts.packets;
        if place == PathPoint::Poll {
            let key = (counts.cpu, counts.name.clone(), of);
            let sum = self.polls.entry(key).or_default();
            sum.hits += counts.hits;
            sum.packets += counts.packets;
        }
    }

    /// The rows of the interval that ended `at` (CLOCK_MONOTONIC, ns), and what the CPUs did for them.
    /// `which` of them there are to be.
    pub fn finish(
        &mut self,
        at: u64,
        (cpus, order): (&mut [Cpu], &[u32]),
        which: &Which<'_>,
    ) -> (Ranked<Device>, Option<OtherDevices>) {
        let full = std::mem::take(&mut self.full);
        let passed = std::mem::take(&mut self.passed);
        let polls = std::mem::take(&mut self.polls);
        let (mut rows, others) = which.choose(self.rows.values());
        for row in rows.iter_mut() {
            let read_at = self.read_at.get(&row.netns_id);
            row.age_s = read_at.map(|read_at| at.saturating_sub(*read_at) as f64 / 1e9);
        }
        self.rows.values_mut().for_each(Device::age);
        let of = |place: PathPoint, row: &Device| {
            let key = (place as u8, (row.netns_id, row.ifindex));
            passed.get(&key).copied().filter(|passed| passed.hits > 0)
        };
        let polled = |name: &str| {
            let same = polls.keys().filter(|(_, known, _)| known == name);
            let mut devices: Vec<Id> = same.map(|(.., of)| *of).collect();
            devices.sort_unstable();
            devices.dedup();
            devices.len()
        };
        for row in rows.iter_mut() {
            if let (Some(before), Some(after)) =
                (of(PathPoint::BeforeGro, row), of(PathPoint::AfterGro, row))
            {
                row.gro_ratio = Some(before.hits as f64 / after.hits as f64);
            }
            if let Some(sent) = of(PathPoint::Sent, row) {
                row.gso_factor = Some(sent.packets as f64 / sent.hits as f64);
            }
            if let Some(poll) = of(PathPoint::Poll, row) {
                row.polls = Some(poll.hits);
                row.packets_per_poll = Some(poll.packets as f64 / poll.hits as f64);
            }
            // A sample does not say the namespace: of two devices of a name it is nobody's.
            let sampled = full
                .get(row.name.as_str())
                .filter(|_| polled(&row.name) <= 1);
            let sampled = sampled.filter(|_| row.polls.is_some() || polls.is_empty());
            row.full_polls_pct = sampled.map(|(full, all)| 100.0 * full / all.max(1.0));
            let alone = |cpu: u32| {
                let rx = row
                    .queues
                    .iter()
                    .filter(|q| q.direction == "rx" && q.cpu == Some(cpu));
                rx.count() == 1
            };
            let shared: Vec<Option<u64>> = (row.queues.iter())
                .map(|queue| {
                    let cpu = queue
                        .cpu
                        .filter(|cpu| queue.direction == "rx" && alone(*cpu))?;
                    let key = (cpu, row.name.clone(), (row.netns_id, row.ifindex));
                    Some(polls.get(&key)?.hits)
                })
                .collect();
            for (queue, polls) in row.queues.iter_mut().zip(shared) {
                queue.polls = polls;
            }
        }
        self.serve(cpus, order, &polls);
        (rows, others)
    }

    fn serve(&self, cpus: &mut [Cpu], order: &[u32], polls: &BTreeMap<(u32, String, Id), Passed>) {
        for cpu in cpus {
            let node = self.nodes.iter().find(|(of, _)| *of == cpu.cpu);
            cpu.node = cpu.node.or(node.map(|(_, node)| *node));
            let mut served: BTreeMap<&str, Serves> = BTreeMap::new();
            let column = order.iter().position(|of| *of == cpu.cpu);
            for (device, counts) in &self.interrupts {
                let count = column.and_then(|column| counts.get(column)).copied();
                if count.is_some_and(|count| count > 0) {
                    serving(&mut served, device).interrupts = count;
                }
            }
            for ((of, device, _), polled) in polls {
                if *of == cpu.cpu && polled.hits > 0 {
                    let name = if device == BACKLOG { "backlog" } else { device };
                    let known = serving(&mut served, name);
                    known.polls = Some(known.polls.unwrap_or(0) + polled.hits);
                    known.packets = Some(known.packets.unwrap_or(0) + polled.packets);
                }
            }
            cpu.devices = served.into_values().collect();
            cpu.devices
                .sort_by_key(|s| std::cmp::Reverse((s.packets, s.polls, s.interrupts)));
            cpu.devices.truncate(MOST_SERVED);
        }
    }
}

/// Which devices a snapshot has: of a host with thousands most carry nothing, and a row is 1.5 KB.
#[derive(Debug, Default)]
pub struct Which<'a> {
    /// Every device is exported (`--all`).
    pub all: bool,
    /// The screen lists every device; exports have the busiest.
    pub listed: bool,
    /// The device filter: exported in any case.
    pub wanted: Option<&'a str>,
}

impl Which<'_> {
    /// And what those carried that are not exported.
    fn choose<'a>(
        &self,
        rows: impl Iterator<Item = &'a Device>,
    ) -> (Ranked<Device>, Option<OtherDevices>) {
        let rows = busiest_first(rows);
        if self.all {
            return (rows.into_iter().cloned().collect(), None);
        }
        let matters = |device: &&Device| device.matters() || self.wanted == Some(&device.name);
        let mut rows = Ranked::first(rows, MOST_DEVICES, matters);
        let others = OtherDevices::sum(rows.left_out().copied());
        if !self.listed {
            rows.forget_left_out();
        }
        (rows.cloned(), others)
    }
}

/// Then idle ones, loopback last.
fn busiest_first<'a>(rows: impl Iterator<Item = &'a Device>) -> Vec<&'a Device> {
    let mut rows: Vec<&Device> = rows.collect();
    rows.sort_by(|a, b| {
        let last = |row: &Device| (row.name == "lo", row.traffic() <= 0.0);
        (last(a).cmp(&last(b)))
            .then(b.traffic().total_cmp(&a.traffic()))
            .then(b.physical.cmp(&a.physical))
            .then_with(|| (&a.netns, &a.name).cmp(&(&b.netns, &b.name)))
    });
    rows.truncate(MOST);
    rows
}

fn serving<'a, 'b>(served: &'a mut BTreeMap<&'b str, Serves>, name: &'b str) -> &'a mut Serves {
    served.entry(name).or_insert_with(|| Serves {
        name: name.to_owned(),
        interrupts: None,
        polls: None,
        packets: None,
    })
}

/// What /proc/PID/net/dev lists has names and no index: one that no device has stands for it.
fn id(link: &LinkCounters) -> Id {
    let no_index = || FxBuildHasher.hash_one(&link.name) as u32 | 1 << 31;
    match link.ifindex {
        0 => (link.netns, no_index()),
        index => (link.netns, index),
    }
}

/// As `ip netns` calls it, else its inode.
pub fn netns_name(netns: u64, now: &SlowSample) -> String {
    let names = now.netns_names.iter();
    let name = names
        .filter(|(inode, _)| *inode == netns)
        .map(|(_, name)| name);
    name.min().cloned().unwrap_or_else(|| netns.to_string())
}

/// `before`: what was read `span_ns` before.
fn carried(row: &mut Device, link: &LinkCounters, before: Option<&LinkCounters>, span_ns: u64) {
    let before = before.filter(|_| span_ns > 0);
    let delta =
        |get: fn(&LinkCounters) -> u64| before.map(|before| get(link).saturating_sub(get(before)));
    let per_s = |count: Option<u64>| count.map(|count| count as f64 * 1e9 / span_ns as f64);
    let mean = |bytes: Option<u64>, packets: Option<u64>| {
        let packets = packets.filter(|packets| *packets > 0)?;
        Some(bytes? as f64 / packets as f64)
    };
    let [rx_packets, rx_bytes] = [delta(|l| l.rx_packets), delta(|l| l.rx_bytes)];
    let [tx_packets, tx_bytes] = [delta(|l| l.tx_packets), delta(|l| l.tx_bytes)];
    row.fresh = true;
    row.span_s = before.map(|_| span_ns as f64 / 1e9);
    row.rx_packets = rx_packets;
    row.rx_bytes = rx_bytes;
    row.tx_packets = tx_packets;
    row.tx_bytes = tx_bytes;
    row.rx_rate = per_s(rx_packets);
    row.tx_rate = per_s(tx_packets);
    row.rx_bps = per_s(rx_bytes).map(|rate| 8.0 * rate);
    row.tx_bps = per_s(tx_bytes).map(|rate| 8.0 * rate);
    row.rx_length = mean(rx_bytes, rx_packets);
    row.tx_length = mean(tx_bytes, tx_packets);
    row.rx_dropped = delta(|l| l.rx_dropped);
    row.tx_dropped = delta(|l| l.tx_dropped);
}

/// What queues drop is in `rx_missed` with some drivers, in `rx_dropped` with others, and with
/// some nowhere else. `fresh`: the queues were read anew.
fn losses(row: &mut Device, link: &LinkCounters, before: Option<&LinkCounters>, fresh: bool) {
    let received = row.rx_packets.filter(|packets| *packets > 0);
    let interrupts = row.interrupts.filter(|count| *count > 0);
    row.packets_per_interrupt = (received.zip(interrupts)).map(|(p, i)| p as f64 / i as f64);
    let Some(before) = before else { return };
    let missed = link.rx_missed.saturating_sub(before.rx_missed);
    let of_queues = row
        .queues
        .iter()
        .filter(|queue| fresh && queue.direction == "rx");
    let of_queues: u64 = of_queues.filter_map(|queue| queue.drops).sum();
    row.ring_drops = Some(missed.max(of_queues));
    // 32 bits, which wrap.
    let drops = |link: &LinkCounters| link.qdisc_drops.map(|drops| drops as u32);
    row.qdisc_drops =
        (drops(link).zip(drops(before))).map(|(now, before)| u64::from(now.wrapping_sub(before)));
    let ever: u64 = link.queues.iter().filter_map(|queue| queue.drops).sum();
    let alone = if link.rx_dropped + link.rx_missed < ever {
        of_queues
    } else {
        0
    };
    let parts = [row.rx_dropped, row.tx_dropped, row.qdisc_drops];
    row.dropped = Some(parts.into_iter().flatten().sum::<u64>() + missed + alone);
}

fn interrupts(last: &SlowSample, now: &SlowSample) -> BTreeMap<String, Vec<u64>> {
    let mut all: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for irq in &now.irqs {
        let before = last.irqs.iter().find(|before| before.irq == irq.irq);
        let (Some(device), Some(before)) = (&irq.device, before) else {
            continue;
        };
        let sums = all.entry(device.clone()).or_default();
        sums.resize(sums.len().max(irq.per_cpu.len()), 0);
        for (sum, (now, before)) in sums.iter_mut().zip(irq.per_cpu.iter().zip(&before.per_cpu)) {
            *sum += now.saturating_sub(*before);
        }
    }
    all
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;
