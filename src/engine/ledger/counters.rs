//! The loss counters of the kernel between two readings: what each has grown by, and which row of
//! the ledger it belongs to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::kinds::{KINDS, Kind};
use super::nic::{self, Counts};
use super::row::Head;
use crate::decode::{
    CpuCounters, DriverCounter, LinkCounters, MOST_TROUBLE, ProtocolCounters, SlowSample,
};
use crate::model::{Class, Layer};

/// Whose row a counter belongs to.
#[derive(Debug, Clone)]
pub enum Of {
    Kind(&'static Kind),
    Device(Head),
}

/// What a counter has grown by since the last reading.
#[derive(Debug, Clone)]
pub struct Grown {
    pub of: Of,
    /// As the kernel calls it.
    pub name: String,
    /// `None`: of the network namespace that netop runs in.
    pub netns: Option<Arc<str>>,
    pub by: u64,
    /// It counts other losses too: it only bears witness.
    pub within: bool,
    /// In the row already by another counter of this list.
    pub minus: bool,
}

/// The readings so far. Counters are cumulative: the first reading of each is its baseline, and one
/// that shrinks (a device replaced) starts anew.
#[derive(Debug, Default)]
pub struct Counters {
    /// Drops of each CPU's backlog.
    backlog: BTreeMap<u32, u64>,
    last: BTreeMap<(u64, String), u64>,
    /// Devices of the last reading, by namespace. What a driver has not counted yet is not told:
    /// a counter that comes up on one of these was 0.
    known: BTreeSet<(u64, String)>,
}

impl Counters {
    /// `None`: the first reading.
    pub fn backlog(&mut self, cpus: &[CpuCounters]) -> Option<u64> {
        let known = !self.backlog.is_empty();
        // Per CPU: one that comes back online brings its old drops along.
        let mut dropped = 0;
        for cpu in cpus {
            let now = cpu.softnet.dropped;
            let last = self.backlog.insert(cpu.cpu, now);
            dropped += last.map_or(0, |last| now.saturating_sub(last));
        }
        known.then_some(dropped)
    }

    /// What has grown since the last reading. Namespaces and devices come and go: only what this
    /// reading has is remembered, and what was read before of namespaces that are `unread` this time.
    pub fn slow(&mut self, slow: &SlowSample, unread: &FxHashSet<u64>) -> Vec<Grown> {
        let own = slow.links.first().map(|link| link.netns);
        // As `ip netns` calls it, else its inode.
        let foreign = |netns: u64| -> Option<Arc<str>> {
            let named = slow.netns_names.iter().find(|(inode, _)| *inode == netns);
            let name = || named.map_or_else(|| netns.to_string(), |(_, name)| name.clone());
            own.is_some_and(|own| own != netns).then(|| name().into())
        };
        let mut last = std::mem::take(&mut self.last);
        let mut grown = Vec::new();
        let mut read = |netns: u64, id: String, value: u64, first: Option<u64>| {
            let key = (netns, id);
            let last = last.remove(&key).or(first);
            self.last.insert(key, value);
            last.map_or(0, |last| value.saturating_sub(last))
        };
        let mut known = std::mem::take(&mut self.known);
        for link in &slow.links {
            let device = (link.netns, link.name.clone());
            // A list that is full has left some out.
            let new = known.contains(&device) && link.trouble.len() < MOST_TROUBLE;
            self.known.insert(device);
            for (name, value, device) in of_link(link) {
                let first = (new
                    && link
                        .trouble
                        .iter()
                        .any(|t| nic::numberless(&t.name) == name))
                .then_some(0);
                let by = read(link.netns, format!("{} {name}", link.name), value, first);
                grown.push(Grown {
                    of: Of::Device(device),
                    name,
                    netns: foreign(link.netns),
                    by,
                    within: false,
                    minus: false,
                });
            }
        }
        known.retain(|(netns, _)| unread.contains(netns));
        self.known.append(&mut known);
        for namespace in &slow.protocols {
            let mut deltas: BTreeMap<&str, u64> = BTreeMap::new();
            for (name, value) in &namespace.counters {
                let by = read(namespace.netns, name.clone(), *value, None);
                deltas.insert(name, by);
            }
            of_protocols(
                namespace,
                &deltas,
                foreign(namespace.netns).as_ref(),
                &mut grown,
            );
        }
        // A driver that did not answer this time has not begun anew.
        for ((netns, id), value) in last {
            let device = id.split_once(' ').map(|(name, _)| (netns, name.to_owned()));
            if unread.contains(&netns) || device.is_some_and(|device| self.known.contains(&device))
            {
                self.last.insert((netns, id), value);
            }
        }
        grown.retain(|grown| grown.by > 0);
        grown
    }
}

fn of_protocols(
    namespace: &ProtocolCounters,
    deltas: &BTreeMap<&str, u64>,
    netns: Option<&Arc<str>>,
    grown: &mut Vec<Grown>,
) {
    debug_assert!(deltas.len() <= namespace.counters.len());
    let delta = |name: &str| deltas.get(name).copied().unwrap_or(0);
    for kind in KINDS {
        let lists = [
            (kind.counters, false, false),
            (kind.minus, false, true),
            (kind.within, true, false),
        ];
        let sum = |names: &[&str]| names.iter().map(|name| delta(name)).sum::<u64>();
        let own = sum(kind.counters).saturating_sub(sum(kind.minus));
        if own == 0 {
            continue;
        }
        for (names, within, minus) in lists {
            grown.extend(names.iter().map(|name| Grown {
                of: Of::Kind(kind),
                name: (*name).to_owned(),
                netns: netns.cloned(),
                by: delta(name),
                within,
                minus,
            }));
        }
    }
}

/// (the counter, its value, the loss it is).
fn of_link(link: &LinkCounters) -> Vec<(String, u64, Head)> {
    let name = &link.name;
    let nic = |place: String, (meaning, next)| Head {
        class: Class::Trouble,
        device: Some(name.clone()),
        meaning,
        next,
        ..Head::at(place, Layer::Nic, "wire packets")
    };
    let mut all = Vec::new();
    let by_driver = of_driver(link);
    let room = by_driver
        .keys()
        .any(|(_, counts)| *counts == Counts::RxRoom);
    for ((statistic, counts), value) in by_driver {
        let (place, said) = match counts {
            Counts::RxRoom => (format!("NIC ring {name}"), RING),
            Counts::RxMemory => (format!("driver {name} (memory)"), DRIVER_MEMORY),
            Counts::Tx => (format!("driver {name} (tx)"), DRIVER_TX),
            Counts::Xdp => match &link.xdp {
                Some(program) => (format!("XDP {program} on {name}"), XDP),
                None => (format!("XDP {name}"), XDP),
            },
            Counts::Allowance => (format!("instance limit {name}"), ALLOWANCE),
        };
        let mut head = nic(format!("{place} ({statistic})"), said);
        if counts == Counts::Xdp {
            head.layer = Layer::Xdp;
            head.class = Class::Policy;
        } else if !link.physical {
            // Of a device without a wire the stack says what is lost.
            continue;
        }
        all.push((statistic, value, head));
    }
    if link.physical {
        // Many drivers fold their own statistics into it.
        if !room {
            let ring = nic(format!("NIC ring {name}"), RING);
            all.push(("rx_missed_errors".to_owned(), link.rx_missed, ring));
        }
        let driver = nic(format!("driver {name} (tx)"), DRIVER_TX);
        all.push(("tx_dropped".to_owned(), link.tx_dropped, driver));
    }
    // Without a queue nothing is dropped in one.
    let queues = link.qdisc.as_deref() != Some("noqueue");
    if let Some(drops) = link.qdisc_drops.filter(|_| queues) {
        let head = Head {
            layer: Layer::Qdisc,
            reason: Some("QDISC_DROP".to_owned()),
            unit: "skbs",
            ..nic(format!("qdisc {name}"), QDISC)
        };
        all.push((format!("qdisc {name} dropped"), drops, head));
    }
    all
}

/// The driver's statistics that count losses, those of its queues added up.
fn of_driver(link: &LinkCounters) -> BTreeMap<(String, Counts), u64> {
    let mut sums: BTreeMap<(String, Counts), u64> = BTreeMap::new();
    let driver = link.driver.as_deref().unwrap_or("");
    for DriverCounter { name, value, .. } in &link.trouble {
        if let Some(counts) = nic::counts(driver, name) {
            *sums.entry((nic::numberless(name), counts)).or_default() += value;
        }
    }
    sums
}

const DRIVER_MEMORY: (&str, &str) = (
    "The driver got no memory for a received packet.",
    "vm.min_free_kbytes; dmesg for allocation failures; ethtool -S DEV",
);

const XDP: (&str, &str) = (
    "An XDP program on the device dropped it before the stack saw it.",
    "ip -d link show dev DEV names the program; bpftool net",
);

const ALLOWANCE: (&str, &str) = (
    "The cloud instance's allowance (bandwidth, packets, connections) was used up.",
    "ethtool -S DEV | grep exceeded; a larger instance, or less traffic",
);

const RING: (&str, &str) = (
    "The NIC had no free buffer in its receive ring: the CPU came too late, or the burst was too long.",
    "ethtool -S DEV, ethtool -g DEV (ring size); the CPU that serves the queue (view 2)",
);

const DRIVER_TX: (&str, &str) = (
    "The driver could not hand it to the device.",
    "ethtool -S DEV; ip -s link show dev DEV",
);

const QDISC: (&str, &str) = (
    "The queueing discipline was full: more is sent than the device or the shaper lets through.",
    "tc -s qdisc show dev DEV: dropped, overlimits, backlog; then its limit or rate",
);
