//! What the devices carried: the NET line, and the hottest CPU with what makes it hot.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::decode::{DeviceCounts, HostSample, LinkCounters, SlowSample};
use crate::engine::cpu::bucket::Wire;
use crate::model::{Cpu, Summary};

/// How fast the mean number of segments follows what one interval's samples say.
const SEGMENTS_SETTLE: f64 = 0.3;

/// Devices whose segments are remembered, and for how many intervals without a sample.
const DEVICES: usize = 4096;
const OLDEST: u32 = 30;

/// skbs of this mean length are single packets (an Ethernet frame of 1500 bytes).
const ONE_PACKET: f64 = 1514.0;

/// What a device sends in a second below this hardly counts.
const FEW_PPS: f64 = 100.0;

/// The share of net_dev_start_xmit's hits that the devices must account for. Readings of the two
/// are some ms apart.
const SEEN: f64 = 0.8;

/// Readings of the devices may be so far off the ends of an interval, ns, or a fifth of it.
const LATE_NS: u64 = 30_000_000;

/// Inode of the network namespace and name; a sample does not say the namespace.
type Device = (Option<u64>, Box<str>);

#[derive(Debug, Default)]
pub struct Traffic {
    last: Option<Arc<SlowSample>>,
    /// As each was last read.
    namespaces: FxHashMap<u64, Namespace>,
    rates: Option<Rates>,
    /// From the reading before to that of this interval, ns, in the own namespace; `None`: the devices were
    /// not read in it.
    fresh: Option<u64>,
    /// That is the interval, also in every other namespace that carries packets: what they carried in
    /// between is what they carried in it.
    in_step: bool,
    /// Packets that one skb of a device stands for (GSO), as last seen.
    segments: FxHashMap<Device, Segments>,
    /// Of this interval's samples: device → Σ packets and Σ weights.
    sent: FxHashMap<Box<str>, (f64, f64)>,
    /// The same as the gate counted it, with the namespace.
    counted: FxHashMap<Device, (f64, f64)>,
    /// More was sent than the devices that are read account for.
    unseen: bool,
    /// Interrupts of the last reading: irq and name → per CPU in the interval.
    irqs: Vec<(u32, String, Vec<u64>)>,
}

/// Devices of a network namespace: cumulative, and what they carried between the last two readings.
#[derive(Debug, Default)]
struct Namespace {
    at: u64,
    links: FxHashMap<String, Carried>,
    /// `None`: it was read once.
    rates: Option<Rates>,
    /// Between the two, ns.
    span_ns: u64,
}

#[derive(Debug, Clone, Copy)]
struct Carried {
    rx_packets: u64,
    rx_bytes: u64,
    tx_packets: u64,
    tx_bytes: u64,
}

#[derive(Debug, Clone, Default)]
struct Rates {
    rx_pps: f64,
    tx_pps: f64,
    rx_bps: f64,
    tx_bps: f64,
    local_pps: f64,
    local_bps: f64,
    physical: bool,
    /// A device with a past appeared: what it sent in the interval is not known.
    grown: bool,
    /// Sent by all devices, stacked ones too, skbs per second.
    all_tx_pps: f64,
    /// The devices whose traffic stays on this host.
    local: Vec<Sender>,
}

#[derive(Debug, Clone)]
struct Sender {
    netns: u64,
    name: Box<str>,
    /// skbs per second.
    pps: f64,
    mean_bytes: f64,
}

/// Mean packets of a device's skbs.
#[derive(Debug, Clone, Copy)]
struct Segments {
    mean: f64,
    /// Intervals since a sample said so.
    age: u32,
}

impl Traffic {
    /// At the end of an interval. On a busy host the devices are read late, and the reading comes with
    /// the next interval.
    pub fn ingest(&mut self, interval_ns: u64, host: &HostSample) {
        (self.fresh, self.in_step) = (None, false);
        let Some(now) = &host.slow else { return };
        let own = now.links.first().map(|link| link.netns);
        let times = now.times();
        let mut before = std::mem::take(&mut self.namespaces);
        let is_new = before.is_empty();
        for links in now.links.chunk_by(|a, b| a.netns == b.netns) {
            let netns = links[0].netns;
            let known = before.remove(&netns);
            let read = Namespace::read(links, known.as_ref(), times.of(netns), is_new);
            self.namespaces.insert(netns, read);
        }
        let read: FxHashSet<u64> = self.namespaces.keys().copied().collect();
        before.retain(|netns, _| times.unread.contains(netns));
        self.namespaces.extend(before);
        if let Some(last) = self.last.replace(Arc::clone(now)) {
            self.irqs = interrupts(&last, now);
        }
        let first = own.and_then(|own| self.namespaces.get(&own));
        let span_ns = first.filter(|of| of.rates.is_some()).map(|of| of.span_ns);
        let Some(span_ns) = span_ns.filter(|span| *span > 0) else {
            return;
        };
        self.fresh = Some(span_ns);
        let mut all = Rates::default();
        let late_ns = (interval_ns / 5).max(LATE_NS);
        self.in_step = true;
        for (netns, namespace) in &self.namespaces {
            let Some(rates) = &namespace.rates else {
                continue;
            };
            all.add(rates);
            let in_step =
                read.contains(netns) && namespace.span_ns.abs_diff(interval_ns) <= late_ns;
            let carries = rates.rx_pps + rates.all_tx_pps > FEW_PPS || Some(*netns) == own;
            self.in_step &= in_step || !carries;
        }
        self.rates = Some(all);
    }

    /// A sample of an skb that a device sent: how many packets it stands for.
    pub fn sent(&mut self, device: &str, packets: f64, period: u64) {
        let weight = period as f64;
        if let Some(sum) = self.sent.get_mut(device) {
            sum.0 += packets * weight;
            sum.1 += weight;
        } else if self.sent.len() < DEVICES {
            self.sent.insert(device.into(), (packets * weight, weight));
        }
    }

    /// Every skb that a device sent, and how many packets they were.
    pub fn carried(&mut self, device: &DeviceCounts) {
        let key = (Some(device.netns), device.name.as_str().into());
        if self.counted.len() < DEVICES || self.counted.contains_key(&key) {
            let sum = self.counted.entry(key).or_default();
            sum.0 += device.packets as f64;
            sum.1 += device.hits as f64;
        }
    }

    /// Packets per second that NICs received and that all devices sent, as last read.
    pub fn packets(&self) -> (Option<f64>, Option<f64>) {
        let rates = self.rates.as_ref();
        (rates.map(|r| r.rx_pps), rates.map(|r| r.all_tx_pps))
    }

    /// Ends an interval: what its samples said of the devices, and the hits per second of
    /// net_dev_start_xmit where they were counted.
    pub fn end_interval(&mut self, start_xmit_rate: Option<f64>) {
        for segments in self.segments.values_mut() {
            segments.age += 1;
        }
        self.segments.retain(|_, segments| segments.age < OLDEST);
        for (device, (packets, weight)) in self.sent.drain() {
            let mean = packets / weight.max(1.0);
            let known = self.segments.entry((None, device));
            let known = known.or_insert(Segments { mean, age: 0 });
            known.mean += (mean - known.mean) * SEGMENTS_SETTLE;
            known.age = 0;
        }
        for (device, (packets, hits)) in self.counted.drain() {
            let mean = packets / hits.max(1.0);
            self.segments.insert(device, Segments { mean, age: 0 });
        }
        let counted = self.rates.as_ref().map(|rates| rates.all_tx_pps);
        self.unseen = counted.zip(start_xmit_rate).is_some_and(|(counted, hits)| {
            // A device in a namespace that was not found yet.
            hits > FEW_PPS && counted < SEEN * hits
        });
    }

    /// Wire packets per second of this interval. A local device counts an skb of many segments once, a
    /// NIC's driver each segment. `None`: not every device was read; nobody knows how many segments the
    /// skbs of a busy one have; or the devices were not read at both ends of the interval, and packets of
    /// another one give no ratio with this one's hits and CPU time.
    pub fn wire(&self) -> Option<Wire> {
        let rates = self.rates.as_ref().filter(|rates| !rates.grown)?;
        if self.unseen || !self.in_step {
            return None;
        }
        let mut local = 0.0;
        for sender in &rates.local {
            let counted = (Some(sender.netns), sender.name.clone());
            let sampled = (None, sender.name.clone());
            let known = self.segments.get(&counted);
            let segments = match known.or_else(|| self.segments.get(&sampled)) {
                Some(segments) => segments.mean,
                None if sender.mean_bytes <= ONE_PACKET => 1.0,
                None if sender.pps < FEW_PPS => 1.0,
                None => return None,
            };
            local += sender.pps * segments;
        }
        Some(Wire {
            rx: rates.rx_pps + local,
            tx: rates.tx_pps + local,
            all: rates.rx_pps + rates.tx_pps + local,
        })
    }

    pub fn fill(&self, summary: &mut Summary, cpus: &[Cpu], order: &[u32]) {
        // Rates of an earlier interval are not this one's.
        if let Some((rates, span_ns)) = self.rates.as_ref().zip(self.fresh) {
            summary.devices_s = Some(span_ns as f64 / 1e9);
            summary.local_pps = Some(rates.local_pps);
            summary.local_bps = Some(rates.local_bps);
            if rates.physical {
                summary.rx_pps = Some(rates.rx_pps);
                summary.tx_pps = Some(rates.tx_pps);
                summary.rx_bps = Some(rates.rx_bps);
                summary.tx_bps = Some(rates.tx_bps);
            }
        }
        let mut hot: Vec<&Cpu> = cpus.iter().filter(|c| c.softirq_pct.is_some()).collect();
        hot.sort_by(|a, b| {
            b.softirq_pct
                .unwrap_or(0.0)
                .total_cmp(&a.softirq_pct.unwrap_or(0.0))
        });
        let Some(first) = hot.first() else { return };
        summary.hot_cpu = Some(first.cpu);
        summary.hot_softirq_pct = first.softirq_pct;
        summary.next_cpu = hot.get(1).map(|c| c.cpu);
        summary.next_softirq_pct = hot.get(1).and_then(|c| c.softirq_pct);
        summary.hot_cause = self.cause(first, cpus, order);
    }

    /// "irq 147 ens1f0-3, 41% of RX"; `order`: the CPU ids in the order of the irqs' columns.
    fn cause(&self, hot: &Cpu, cpus: &[Cpu], order: &[u32]) -> Option<String> {
        let all: u64 = cpus.iter().filter_map(|c| c.rx_packets).sum();
        let column = order.iter().position(|&cpu| cpu == hot.cpu)?;
        let busiest = (self.irqs.iter())
            .map(|(irq, name, counts)| (counts.get(column).copied().unwrap_or(0), irq, name))
            .max_by_key(|(count, ..)| *count)
            .filter(|(count, ..)| *count > 100);
        let share = (all > 0).then(|| 100.0 * hot.rx_packets.unwrap_or(0) as f64 / all as f64);
        let parts: Vec<String> = [
            busiest.map(|(_, irq, name)| format!("irq {irq} {name}")),
            share.map(|share| format!("{share:.0}% of RX")),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

impl Namespace {
    /// `is_new`: nothing was read before of any namespace.
    fn read(
        links: &[LinkCounters],
        before: Option<&Namespace>,
        at: u64,
        is_new: bool,
    ) -> Namespace {
        let span_ns = before.map_or(0, |before| at.saturating_sub(before.at));
        let carried = |link: &LinkCounters| Carried {
            rx_packets: link.rx_packets,
            rx_bytes: link.rx_bytes,
            tx_packets: link.tx_packets,
            tx_bytes: link.tx_bytes,
        };
        let none = FxHashMap::default();
        let known = before.map_or(&none, |before| &before.links);
        // Of a namespace that was just found nothing is known of the time before.
        let rates = (span_ns > 0 || !is_new).then(|| rates(links, known, span_ns));
        Namespace {
            at,
            links: links
                .iter()
                .map(|link| (link.name.clone(), carried(link)))
                .collect(),
            rates,
            span_ns,
        }
    }
}

impl Rates {
    fn add(&mut self, other: &Rates) {
        self.rx_pps += other.rx_pps;
        self.tx_pps += other.tx_pps;
        self.rx_bps += other.rx_bps;
        self.tx_bps += other.tx_bps;
        self.local_pps += other.local_pps;
        self.local_bps += other.local_bps;
        self.physical |= other.physical;
        self.grown |= other.grown;
        self.all_tx_pps += other.all_tx_pps;
        self.local.extend(other.local.iter().cloned());
    }
}

fn rates(links: &[LinkCounters], before: &FxHashMap<String, Carried>, span_ns: u64) -> Rates {
    let mut rates = Rates::default();
    let per_s = |now: u64, last: u64| now.saturating_sub(last) as f64 * 1e9 / span_ns.max(1) as f64;
    for link in links {
        rates.physical |= link.physical;
        let Some(last) = before.get(&link.name) else {
            rates.grown |= link.tx_packets > 0;
            continue;
        };
        rates.all_tx_pps += per_s(link.tx_packets, last.tx_packets);
        if link.physical {
            rates.rx_pps += per_s(link.rx_packets, last.rx_packets);
            rates.tx_pps += per_s(link.tx_packets, last.tx_packets);
            rates.rx_bps += 8.0 * per_s(link.rx_bytes, last.rx_bytes);
            rates.tx_bps += 8.0 * per_s(link.tx_bytes, last.tx_bytes);
        } else if link.local {
            let pps = per_s(link.tx_packets, last.tx_packets);
            rates.local_pps += pps;
            let bytes = per_s(link.tx_bytes, last.tx_bytes);
            // Of a quiet device it does not matter how many segments its skbs have.
            if pps > 0.0 {
                rates.local.push(Sender {
                    netns: link.netns,
                    name: link.name.as_str().into(),
                    pps,
                    mean_bytes: bytes / pps,
                });
            }
            rates.local_bps += 8.0 * bytes;
        }
    }
    rates
}

fn interrupts(last: &SlowSample, now: &SlowSample) -> Vec<(u32, String, Vec<u64>)> {
    now.irqs
        .iter()
        .filter_map(|irq| {
            let before = last.irqs.iter().find(|b| b.irq == irq.irq)?;
            let counts = irq
                .per_cpu
                .iter()
                .zip(&before.per_cpu)
                .map(|(n, b)| n.saturating_sub(*b))
                .collect();
            Some((irq.irq, irq.name.clone(), counts))
        })
        .collect()
}

#[cfg(test)]
#[path = "traffic_tests.rs"]
mod tests;
