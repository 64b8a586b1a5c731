//! A tick: the end of an interval, with everything that was counted in it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use super::batch::Loss;
use super::host_event::HostEvent;
use super::latency::LatencySample;
use super::link::LinkCounters;
use super::session::EventId;
use super::socket::SocketSample;

/// Hits of one event since the previous tick (or since it was attached, if that was later).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub event: EventId,
    /// `None`: counted per task, over all CPUs.
    pub cpu: Option<u32>,
    /// The pid these hits belong to when they were counted per task.
    pub pid: Option<u32>,
    pub hits: u64,
    /// Of system calls that the gate counted per process: what they moved.
    #[serde(default)]
    pub bytes: u64,
    /// How long it was counted within the interval, ns.
    pub span_ns: u64,
    /// Counted by the gate.
    pub gate: bool,
    /// Counted in windows only.
    pub spread: Option<Spread>,
}

/// How the windows of a duty-cycled counter differed: what the rate's error bound is made of. All
/// CPUs have the same windows; this is of their sum, and the counts of each of them carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// Windows within the interval.
    pub windows: u32,
    /// Variance of the rate over all CPUs (hits/s) between the windows, (hits/s)².
    pub variance: u64,
    /// What the kernel's free counters saw in the windows; `None`: they were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub softnet: Option<Softnets>,
}

/// Packets that softnet processed in an event's windows, all CPUs together, and how well they foretell
/// the event's hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Softnets {
    pub packets: u64,
    /// Variance of the rate between the windows when each had as many hits per packet as all of them
    /// together, (hits/s)².
    pub variance: u64,
}

/// Exact hits, packets and bytes of one gated event on one device and CPU since the previous tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceCounts {
    pub event: EventId,
    pub cpu: u32,
    /// Inode of the network namespace.
    pub netns: u64,
    pub ifindex: u32,
    /// As the device was called when it was first seen.
    pub name: String,
    pub hits: u64,
    pub packets: u64,
    pub bytes: u64,
}

/// Exact packets and bytes of one gated event since the previous tick, all CPUs and devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    pub event: EventId,
    pub hits: u64,
    pub packets: u64,
    pub bytes: u64,
}

/// Exact hits, packets and bytes of one gated event for one socket since the previous tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketCounts {
    pub event: EventId,
    /// Inode; 0: all the sockets that are not told one by one.
    pub socket: u64,
    /// Of receives: where the softirq ran.
    pub cpu: Option<u32>,
    pub hits: u64,
    pub packets: u64,
    pub bytes: u64,
}

/// A note that begins so replaces those before it.
pub const CPUS_ONLINE: &str = "CPUs online now: ";

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Tick {
    /// CLOCK_MONOTONIC at the end of the interval, ns.
    pub at: u64,
    /// Wall clock at the same moment, ns since 1970 UTC.
    pub wall_ns: u64,
    /// Real length of the interval, ns.
    pub interval_ns: u64,
    pub counts: Vec<Counts>,
    /// Of gated events; empty where there are none.
    pub devices: Vec<DeviceCounts>,
    pub carried: Vec<Carried>,
    /// The busiest sockets, where the demand asks for them.
    #[serde(default)]
    pub sockets: Vec<SocketCounts>,
    /// Hits that found no room in the gate's tables of devices, processes and sockets.
    pub overflow: u64,
    pub host: HostSample,
    pub own: OwnCost,
    /// Windows in which events were counted beside those in which they were not.
    #[serde(default)]
    pub compared: Vec<Compared>,
    /// Times between events, while they are wanted.
    #[serde(default)]
    pub latency: Option<LatencySample>,
    /// Loss that no batch reported: `PERF_FORMAT_LOST` beyond the LOST records seen.
    pub loss: Loss,
    /// Processes of the filter that have ended.
    pub ended: Vec<u32>,
    /// Processes of the filter that have ended and whose number another one has now.
    #[serde(default)]
    pub replaced: Vec<u32>,
    /// With `Demand::cgroup`: the processes that are in it now.
    #[serde(default)]
    pub members: Vec<u32>,
    /// With `Demand::children`: their forked children that live now, and theirs.
    pub children: Vec<u32>,
    /// Gated hits were counted for their processes a part of the interval only.
    #[serde(default)]
    pub processes_in_part: bool,
    /// Packets per second since a burst was answered within the interval, divided by those of the whole
    /// interval; `None`: none was, or nothing is known of it.
    #[serde(default)]
    pub risen: Option<f64>,
    /// What happened to the host meanwhile.
    #[serde(default)]
    pub events: Vec<HostEvent>,
    /// Sentences about what the source could not do, said once in `health.notes`.
    pub notes: Vec<String>,
}

/// One CPU in a window in which events were attached, and right before and after it, when they were
/// not: what attaching them costs there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Compared {
    pub cpu: u32,
    pub with: Stretch,
    /// Before and after together.
    pub without: Stretch,
    /// Hits in the window of the gated events that were attached for it.
    pub hits: u64,
    /// What softnet counted in the window …
    pub received: u64,
    /// … and the gate's netif_receive_skb, if that was among the events.
    pub received_seen: Option<u64>,
}

/// What a CPU did in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stretch {
    /// Time in which it was not idle, ns. /proc/stat tells idleness in steps of 10 ms.
    pub busy_ns: u64,
    /// Packets that went through it: softnet's, and hits of what is counted all the time.
    pub packets: u64,
}

/// What netop itself used in the interval; `None` when nobody measured it (demo, replay).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OwnCost {
    pub cpu_ns: Option<u64>,
    pub anon_bytes: Option<u64>,
    /// Its time by CPU, ns; empty: not told apart.
    #[serde(default)]
    pub per_cpu: Vec<(u32, u64)>,
}

/// Counters that the kernel keeps anyway. All are cumulative since boot unless said otherwise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HostSample {
    /// Per online CPU, ascending; read beside the exact counts.
    pub cpus: Vec<CpuCounters>,
    /// Slower readings (links, qdiscs, protocols, tasks), only when there is a new one.
    pub slow: Option<Arc<SlowSample>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CpuCounters {
    pub cpu: u32,
    /// Runs of net_rx_action and net_tx_action: rows NET_RX and NET_TX of /proc/softirqs.
    pub net_rx_runs: u64,
    pub net_tx_runs: u64,
    pub softnet: Softnet,
    /// /proc/stat, in ns.
    pub time: CpuTime,
}

/// /proc/net/softnet_stat: see signals.md 4.1 for what each column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Softnet {
    pub processed: u64,
    pub dropped: u64,
    pub squeezed: u64,
    pub received_rps: u64,
    pub flow_limited: u64,
    /// Packets waiting now (not cumulative).
    pub backlog: u64,
}

impl Softnet {
    /// What was counted since a reading before. The kernel's counters have 32 bits (net/core/dev.h:
    /// struct softnet_data) and begin anew in hours under load; one that went back counts nothing.
    #[must_use]
    pub fn since(&self, before: &Softnet) -> Softnet {
        let grown = |now: u64, then: u64| {
            let grown = (now as u32).wrapping_sub(then as u32);
            if grown <= u32::MAX / 2 {
                u64::from(grown)
            } else {
                0
            }
        };
        Softnet {
            processed: grown(self.processed, before.processed),
            dropped: grown(self.dropped, before.dropped),
            squeezed: grown(self.squeezed, before.squeezed),
            received_rps: grown(self.received_rps, before.received_rps),
            flow_limited: grown(self.flow_limited, before.flow_limited),
            backlog: self.backlog,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CpuTime {
    pub user: u64,
    pub system: u64,
    pub idle: u64,
    pub irq: u64,
    pub softirq: u64,
    pub steal: u64,
}

#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SlowSample {
    /// CLOCK_MONOTONIC of the reading, ns.
    pub at: u64,
    /// Of the namespaces that were read, the own one first.
    pub links: Vec<LinkCounters>,
    /// Every network namespace there is, and when it was read. Empty: all were, at `at`.
    #[serde(default)]
    pub namespaces: Vec<NetnsReading>,
    pub protocols: Vec<ProtocolCounters>,
    /// The processes that the demand named, or all when it asked for the list.
    pub tasks: Vec<TaskCounters>,
    /// `tasks` holds every process of the host.
    pub tasks_complete: bool,
    pub irqs: Vec<IrqCounter>,
    /// Only when they were read again: that is not each time where there are many.
    #[serde(default)]
    pub sockets: Option<Box<SocketSample>>,
    /// Who has the sockets that the demand asked for open, as far as it is known.
    #[serde(default)]
    pub socket_users: Vec<SocketUser>,
    /// Why softnet's `processed` is not the number of netif_receive_skb hits here (stacked
    /// devices take another round); `None` where it is.
    pub softnet_inexact: Option<String>,
    /// Settings of the network stack by their `sysctl` names.
    #[serde(default)]
    pub sysctls: BTreeMap<String, String>,
    /// AF_PACKET sockets of the own namespace; `None`: not read.
    #[serde(default)]
    pub capture_sockets: Option<u64>,
    /// Settings of other namespaces, by inode.
    #[serde(default)]
    pub sysctls_inside: Vec<(u64, BTreeMap<String, String>)>,
    /// irqbalance runs, which sets affinities by itself; `None`: not read.
    #[serde(default)]
    pub irqbalance: Option<bool>,
    /// Names that `ip netns` gave to namespaces, by inode.
    #[serde(default)]
    pub netns_names: Vec<(u64, String)>,
    /// NUMA node of each CPU that has one.
    #[serde(default)]
    pub nodes: Vec<(u32, u32)>,
    pub notes: Vec<String>,
}

/// Where there are many namespaces, a reading is of the busy ones and of some of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NetnsReading {
    pub netns: u64,
    /// CLOCK_MONOTONIC, ns. `None`: not this time; what the last reading said of it stands.
    pub at: Option<u64>,
}

impl SlowSample {
    /// When each namespace was read.
    pub fn times(&self) -> ReadTimes {
        let read = self.namespaces.iter();
        let read = read.filter_map(|namespace| Some((namespace.netns, namespace.at?)));
        let unread = self
            .namespaces
            .iter()
            .filter(|namespace| namespace.at.is_none());
        ReadTimes {
            at: self.at,
            read: read.collect(),
            unread: unread.map(|namespace| namespace.netns).collect(),
        }
    }
}

#[derive(Debug, Clone, Default)]
pub struct ReadTimes {
    at: u64,
    read: FxHashMap<u64, u64>,
    /// They are there, and were not read this time.
    pub unread: FxHashSet<u64>,
}

impl ReadTimes {
    /// When the counters of a namespace in this reading were read, CLOCK_MONOTONIC, ns.
    pub fn of(&self, netns: u64) -> u64 {
        self.read.get(&netns).copied().unwrap_or(self.at)
    }
}

/// Counters of /proc/net/snmp and netstat of one network namespace, named `Udp.RcvbufErrors`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProtocolCounters {
    pub netns: u64,
    pub counters: Vec<(String, u64)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TaskCounters {
    pub pid: u32,
    pub comm: String,
    /// When it started, clock ticks since boot (field 22 of /proc/PID/stat).
    #[serde(default)]
    pub start_ticks: Option<u64>,
    pub netns: u64,
    /// Time spent runnable but not running (/proc/PID/schedstat), ns; main thread only.
    pub runq_ns: Option<u64>,
    /// Pod, container or unit, as its control group says; else its network namespace, if that is
    /// named and not netop's.
    #[serde(default)]
    pub container: Option<String>,
    /// Periods of its group's CPU quota, and those in which it was stopped; `None`: no quota.
    #[serde(default)]
    pub throttled: Option<(u64, u64)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SocketUser {
    /// The socket's inode.
    pub socket: u64,
    pub pid: u32,
}

/// One line of /proc/interrupts that belongs to a network device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IrqCounter {
    pub irq: u32,
    pub name: String,
    /// The device it belongs to, where that can be told.
    #[serde(default)]
    pub device: Option<String>,
    /// Count per CPU, in the order of `HostSample::cpus`.
    pub per_cpu: Vec<u64>,
    /// CPU lists: where it may go, and where it goes.
    #[serde(default)]
    pub affinity: Option<String>,
    #[serde(default)]
    pub effective: Option<String>,
}
