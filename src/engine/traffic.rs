//! What the devices carried: the NET line, and the hottest CPU with what makes it hot.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::bucket::Wire;
use crate::decode::{HostSample, SlowSample};
use crate::model::{Cpu, Summary, Tagged};

/// How fast the mean number of segments follows what one interval's samples say.
const SEGMENTS_SETTLE: f64 = 0.3;

/// Devices whose segments are remembered.
const DEVICES: usize = 4096;

#[derive(Debug, Default)]
pub struct Traffic {
    last: Option<Arc<SlowSample>>,
    rates: Option<Rates>,
    /// Packets that one skb of a device stands for (GSO), as last seen.
    segments: FxHashMap<Arc<str>, f64>,
    /// Interrupts of the last reading: irq and name → per CPU in the interval.
    irqs: Vec<(u32, String, Vec<u64>)>,
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
    /// Sent by each device that stays on this host, skbs per second.
    local: Vec<(String, f64)>,
}

impl Traffic {
    pub fn take(&mut self, host: &HostSample) {
        let Some(now) = &host.slow else { return };
        if let Some(last) = self.last.replace(Arc::clone(now)) {
            let span = now.at.saturating_sub(last.at);
            if span > 0 {
                self.rates = Some(rates(&last, now, span));
                self.irqs = interrupts(&last, now);
            }
        }
    }

    /// Learns how many packets the skbs of a device are.
    pub fn learn_segments<'a>(&mut self, sent: impl Iterator<Item = &'a Tagged>) {
        for tagged in sent.filter(|tagged| tagged.kind == "device") {
            if let Some(packets) = tagged.packets_per_hit {
                let known = self
                    .segments
                    .entry(Arc::clone(&tagged.name))
                    .or_insert(packets);
                *known += (packets - *known) * SEGMENTS_SETTLE;
            }
        }
        // Devices of containers come and go.
        if self.segments.len() > DEVICES {
            self.segments.clear();
        }
    }

    /// Wire packets per second. A local device counts an skb of many segments once, a NIC's
    /// driver each segment. `None` before two readings.
    pub fn wire(&self) -> Option<Wire> {
        let rates = self.rates.as_ref()?;
        let segments = |name: &str| self.segments.get(name).copied().unwrap_or(1.0);
        let local = rates.local.iter();
        let local: f64 = local.map(|(name, pps)| pps * segments(name)).sum();
        Some(Wire {
            rx: rates.rx_pps + local,
            tx: rates.tx_pps + local,
            all: rates.rx_pps + rates.tx_pps + local,
        })
    }

    pub fn fill(&self, summary: &mut Summary, cpus: &[Cpu], order: &[u32]) {
        if let Some(rates) = &self.rates {
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

fn rates(last: &SlowSample, now: &SlowSample, span_ns: u64) -> Rates {
    let before: BTreeMap<(u64, &str), _> = last
        .links
        .iter()
        .map(|l| ((l.netns, l.name.as_str()), l))
        .collect();
    let mut rates = Rates::default();
    let per_s = |now: u64, last: u64| now.saturating_sub(last) as f64 * 1e9 / span_ns as f64;
    for link in &now.links {
        rates.physical |= link.physical;
        let Some(last) = before.get(&(link.netns, link.name.as_str())) else {
            continue;
        };
        if link.physical {
            rates.rx_pps += per_s(link.rx_packets, last.rx_packets);
            rates.tx_pps += per_s(link.tx_packets, last.tx_packets);
            rates.rx_bps += 8.0 * per_s(link.rx_bytes, last.rx_bytes);
            rates.tx_bps += 8.0 * per_s(link.tx_bytes, last.tx_bytes);
        } else if link.local {
            let pps = per_s(link.tx_packets, last.tx_packets);
            rates.local_pps += pps;
            rates.local.push((link.name.clone(), pps));
            rates.local_bps += 8.0 * per_s(link.tx_bytes, last.tx_bytes);
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
mod tests {
    use super::*;
    use crate::decode::{IrqCounter, LinkCounters};

    fn sample(at: u64, k: u64) -> HostSample {
        let link = |name: &str, physical, local, rate: u64| LinkCounters {
            netns: 1,
            name: name.into(),
            physical,
            local,
            rx_packets: k * rate,
            tx_packets: k * rate * 2,
            rx_bytes: k * rate * 100,
            tx_bytes: k * rate * 200,
            ..LinkCounters::default()
        };
        let slow = SlowSample {
            at,
            links: vec![
                link("eth0", true, false, 1000),
                link("lo", false, true, 10),
                link("br0", false, false, 999),
            ],
            irqs: vec![IrqCounter {
                irq: 147,
                name: "eth0-3".into(),
                per_cpu: vec![k * 500, k],
            }],
            ..SlowSample::default()
        };
        HostSample {
            cpus: Vec::new(),
            slow: Some(Arc::new(slow)),
        }
    }

    #[test]
    fn wires_and_what_stays_on_the_host_are_added_up_apart_and_bridges_not_at_all() {
        let mut traffic = Traffic::default();
        traffic.take(&sample(1_000_000_000, 1));
        traffic.take(&sample(3_000_000_000, 5));
        let mut summary = Summary::default();
        traffic.fill(&mut summary, &[], &[]);
        assert_eq!(
            (summary.rx_pps, summary.tx_pps),
            (Some(2000.0), Some(4000.0))
        );
        assert_eq!(summary.rx_bps, Some(1_600_000.0));
        assert_eq!(summary.local_pps, Some(40.0));
    }

    #[test]
    fn the_hottest_cpu_is_named_with_its_interrupt_and_its_share_of_rx() {
        let mut traffic = Traffic::default();
        traffic.take(&sample(1, 1));
        traffic.take(&sample(2, 2));
        let cpu = |cpu, softirq, rx| Cpu {
            cpu,
            softirq_pct: Some(softirq),
            rx_packets: Some(rx),
            ..Cpu::default()
        };
        let mut summary = Summary::default();
        traffic.fill(&mut summary, &[cpu(1, 20.0, 59), cpu(0, 98.0, 41)], &[0, 1]);
        assert_eq!((summary.hot_cpu, summary.next_cpu), (Some(0), Some(1)));
        assert_eq!(
            summary.hot_cause.as_deref(),
            Some("irq 147 eth0-3, 41% of RX")
        );
    }
}
