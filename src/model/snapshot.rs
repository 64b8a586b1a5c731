//! The snapshot, schema `netop.snapshot/1` (docs/snapshot.md): one immutable value per interval.
//! Screen, JSON, CSV, text and advice read this and nothing else. A field that cannot be had is
//! `None`, in JSON `null`; never 0. Fields marked `serde(skip)` serve the screen only.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::cpu::{Cpu, Part, Stage};
use super::device::{Device, OtherDevices};
use super::drop::{Class, Drop, Losses};
use super::finding::{Facts, Finding};
use super::host_event::HostEvent;
use super::latency::Latency;
use super::process::{Process, pid_or_null};
use super::ranked::Ranked;
use super::role::Role;
use super::spent::Spent;
use super::tcp::{Listener, Sockets, Tcp, TcpGroup};
use super::time;

pub const SCHEMA: &str = "netop.snapshot/1";

/// How many of the heaviest stacks of an interval are exported.
pub const STACKS_EXPORTED: usize = 50;

/// How many past intervals the sparklines know.
pub const HISTORY: usize = 60;

#[derive(Debug, Clone, Serialize)]
pub struct Snapshot {
    pub schema: &'static str,
    /// End of the interval, ns since 1970 UTC; RFC 3339 in JSON.
    #[serde(serialize_with = "time::rfc3339")]
    pub at: u64,
    /// Real length of the interval, seconds.
    pub interval_s: f64,
    /// Since the first interval began, seconds.
    pub elapsed_s: f64,
    /// Counts snapshots from 1.
    pub sequence: u64,
    pub host: HostInfo,
    pub filter: Filter,
    pub summary: Summary,
    /// Every row this run knows, in the order of the path.
    pub functions: Vec<Function>,
    /// Heaviest first.
    pub stages: Vec<Stage>,
    /// CPU time of this interval alone; null: it was not sampled, or no names are known yet.
    pub spent: Option<Spent>,
    /// What all CPUs did, by context: percent of one CPU, idle included.
    pub contexts: Vec<Part>,
    pub cpus: Vec<Cpu>,
    /// Busiest first; loopback and idle ones last.
    pub devices: Ranked<Device>,
    /// The devices that are left out of `devices` (without `--all`); null: none are.
    pub devices_other: Option<OtherDevices>,
    /// Heaviest first.
    pub processes: Vec<Process>,
    /// How the sockets were read; null: not yet, or not here.
    pub sockets: Option<Sockets>,
    /// The most active connections, most bytes first.
    pub tcp: Vec<Tcp>,
    /// Sums of all connections, most bytes first.
    pub tcp_groups: Vec<TcpGroup>,
    /// Fullest first.
    pub listeners: Vec<Listener>,
    /// Worst class first, then by rate.
    pub drops: Vec<Drop>,
    /// What `drops` adds up to.
    pub losses: Losses,
    pub latency: Vec<Latency>,
    /// The heaviest stacks of this interval, heaviest first, at most [`STACKS_EXPORTED`].
    pub stacks: Vec<Stack>,
    /// Where the user frames of the heaviest stacks are in the source, `file:line` or
    /// `file:first-last` by frame, as far as there is debug information.
    pub lines: BTreeMap<Arc<str>, Arc<str>>,
    /// Counters of /proc/net/snmp and netstat of all namespaces read, per second, those that moved.
    pub protocol_rates: BTreeMap<Arc<str>, f64>,
    /// Links that went down, settings that changed, what the kernel said of devices; oldest first.
    pub events: Vec<HostEvent>,
    pub facts: Facts,
    pub findings: Vec<Finding>,
    /// What the rules that did not fire looked at, in words.
    pub checked: Vec<&'static str>,
    /// Rules that could not be judged here, and why.
    pub unjudged: Vec<String>,
    pub health: Health,

    /// CPU samples of the last `cpu_profile_s` seconds, heaviest first: the network's and the
    /// observers'; under a PID filter all of those processes.
    #[serde(skip)]
    pub cpu_profile: Arc<[Stack]>,
    #[serde(skip)]
    pub cpu_profile_s: f64,
    /// Stacks of the functions' hits of the last `profile_s` seconds, for the tree.
    #[serde(skip)]
    pub profile: Arc<[Stack]>,
    #[serde(skip)]
    pub profile_s: f64,
    /// All processes of the host, when the PID prompt asked for them.
    #[serde(skip)]
    pub candidates: Arc<[(u32, String)]>,
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct HostInfo {
    pub hostname: String,
    pub kernel: String,
    pub arch: String,
    /// Of those that are looked at (`-C`).
    pub cpus_online: usize,
    /// "cycles", "cpu-clock" or null.
    pub clock: Option<&'static str>,
    /// "live", "replay" or "demo".
    pub source: &'static str,
}

#[derive(Debug, Clone, Serialize, PartialEq, Eq, Default)]
pub struct Filter {
    /// The first pid of the filter; `pids` has all.
    pub pid: Option<u32>,
    pub comm: Option<String>,
    pub device: Option<String>,
    /// A list like `0-3,7`.
    pub cpu: Option<String>,
    pub cgroup: Option<String>,
    /// Stacks, stages and the CPU time of functions are those of this kernel module.
    pub module: Option<String>,
    /// "owner" or "context".
    pub by: Option<&'static str>,
    pub pids: Vec<u32>,
    /// Pids of the filter that have ended.
    pub ended: Vec<u32>,
}

#[derive(Debug, Clone, Serialize, PartialEq, Default)]
pub struct Summary {
    /// Packets lost for lack of room or time (`trouble`) per second, over all places that count
    /// their losses; null: nothing counts.
    pub loss_rate: Option<f64>,
    /// The place that lost most, e.g. "socket buffer (UDP)".
    pub loss_where: Option<String>,
    /// When losing began, RFC 3339 UTC.
    #[serde(serialize_with = "time::rfc3339_option")]
    pub loss_since: Option<u64>,
    /// Losses since netop started.
    pub loss_total: Option<u64>,
    pub hot_cpu: Option<u32>,
    pub hot_softirq_pct: Option<f64>,
    /// In words, e.g. "41% of RX".
    pub hot_cause: Option<String>,
    /// The next hottest CPU and its softirq share.
    pub next_cpu: Option<u32>,
    pub next_softirq_pct: Option<f64>,
    /// CPU time of the network stack, over the window of `cpu_window_s`; 1: one CPU.
    pub net_cores: Option<f64>,
    /// 95 % half-width of `net_cores`.
    pub net_cores_error: Option<f64>,
    /// Its parts by whose work it was, percent of one CPU.
    pub net_rx_pct: Option<f64>,
    pub net_tx_pct: Option<f64>,
    pub net_sock_pct: Option<f64>,
    pub net_other_pct: Option<f64>,
    /// Profilers at work, netop among them; not part of `net_cores`.
    pub observer_pct: Option<f64>,
    /// `net_cores` per wire packet (received, sent, and what stayed on this host), ns.
    pub ns_per_packet: Option<f64>,
    pub ns_error: Option<f64>,
    /// Wire packets per second, as in `ns_per_packet`.
    pub wire_pps: Option<f64>,
    /// Past seconds that the CPU figures cover.
    pub cpu_window_s: Option<f64>,
    /// What physical devices received and sent.
    pub rx_pps: Option<f64>,
    pub tx_pps: Option<f64>,
    pub rx_bps: Option<f64>,
    pub tx_bps: Option<f64>,
    /// What stayed on this host: sent by loopback and veth devices of all namespaces read.
    pub local_pps: Option<f64>,
    pub local_bps: Option<f64>,
    /// Seconds that these rates are over: more than the interval after a late reading. Null: the
    /// devices were not read in this interval.
    pub devices_s: Option<f64>,
}

/// Rates over so many intervals are said to be.
const LATE: f64 = 1.5;

impl Snapshot {
    /// What rules and programs of the user drop, per second; `None`: nothing, or nobody counts it. It is
    /// no trouble by itself, and may be what somebody looks for.
    pub fn policy_rate(&self) -> Option<f64> {
        let by_rules = self.drops.iter().filter(|drop| drop.class == Class::Policy);
        let rate: f64 = by_rules.filter_map(|drop| drop.rate).sum();
        (rate > 0.0).then_some(rate)
    }

    /// Seconds that the devices' rates are over, where that is clearly more than this interval.
    pub fn late_devices_s(&self) -> Option<f64> {
        let over = |seconds: &f64| *seconds > LATE * self.interval_s;
        self.summary.devices_s.filter(over)
    }
}

/// Who counted a function's hits.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Backing {
    Proc,
    Bpf,
    Perf,
    File,
}

impl Backing {
    pub fn name(self) -> &'static str {
        match self {
            Backing::Proc => "proc",
            Backing::Bpf => "bpf",
            Backing::Perf => "perf",
            Backing::File => "file",
        }
    }
}

#[derive(Debug, Clone, Default, Serialize, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says of another figure how sure it is"
)]
pub struct Function {
    /// The name the user knows: `net_rx_action`, or `group:name` of an added event.
    pub name: Arc<str>,
    /// The event that observes it, e.g. `net:net_dev_queue`; empty: none does, CPU samples met it.
    pub event: Arc<str>,
    pub source: Option<Backing>,
    /// Hits in this interval after the filter; null: not counted (see `reason`). Estimated when
    /// they were counted in random windows of the interval only.
    pub calls: Option<u64>,
    /// Hits per second of the real interval.
    pub rate: Option<f64>,
    /// Since netop started.
    pub total: Option<u64>,
    /// Highest rate of all intervals since the start.
    pub peak_rate: Option<f64>,
    pub estimated: bool,
    /// 95 % half-width of `calls` in the same unit (hits of this interval) when estimated; null:
    /// too few windows yet to say.
    pub error: Option<f64>,
    pub packets_per_hit: Option<f64>,
    /// Mean bytes of a hit, where the event carries a length; from samples unless `bytes_exact`.
    pub bytes_per_hit: Option<f64>,
    /// The function and what it called in the same context, percent of one CPU.
    pub cpu_pct: Option<f64>,
    /// 95 % half-width of `cpu_pct`.
    pub cpu_error: Option<f64>,
    /// The function's own code.
    pub self_pct: Option<f64>,
    /// CPU time per wire packet of its direction.
    pub ns_per_packet: Option<f64>,
    /// CPU time per hit: misleading alone, a merged packet is one hit.
    pub ns_per_call: Option<f64>,
    /// 95 % half-width of `ns_per_packet`.
    pub ns_error: Option<f64>,
    /// Empty when it was counted per task.
    pub per_cpu: Vec<CpuCalls>,
    /// Samples with stacks taken in this interval.
    pub samples: u64,
    /// What the hits were about (devices, drop reasons …), of each kind heaviest first.
    pub top: Vec<Share>,
    /// Why `calls` is null, or what to know about the number; also in `health.notes`.
    pub reason: Option<Arc<str>>,
    /// Rates of the last intervals, oldest first, at most [`HISTORY`]; NaN: not counted.
    #[serde(skip)]
    pub history: Vec<f32>,
    /// One sentence: what one hit means.
    #[serde(skip)]
    pub doc: Arc<str>,
    /// What backs the number, in a word for the SOURCE column: "softirqs", "softnet", "perf".
    #[serde(skip)]
    pub label: Arc<str>,
    /// `bytes_per_hit` is of all hits, counted.
    #[serde(skip)]
    pub bytes_exact: bool,
    /// `packets_per_hit` is of all hits, counted.
    #[serde(skip)]
    pub packets_exact: bool,
    /// The user asked for it by name (`-e`, `e`, Enter).
    #[serde(skip)]
    pub asked: bool,
    /// The kernel functions whose CPU time is this row's; empty: it has none of its own.
    #[serde(skip)]
    pub symbols: Arc<[Arc<str>]>,
    /// What else its hits are used for.
    #[serde(skip)]
    pub role: Option<Role>,
}

impl Function {
    /// An event is at it, whether it is counted or not; others are known from CPU samples alone.
    pub fn has_event(&self) -> bool {
        !self.event.is_empty()
    }

    /// What a hit carries comes from samples, and those are not all hits.
    pub fn bytes_estimated(&self) -> bool {
        !self.bytes_exact && self.calls != Some(self.samples)
    }

    /// The same of packets.
    pub fn packets_estimated(&self) -> bool {
        !self.packets_exact && self.calls != Some(self.samples)
    }
}

#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
pub struct CpuCalls {
    pub cpu: u32,
    pub calls: u64,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Share {
    /// "device", "reason" …
    pub kind: &'static str,
    pub name: Arc<str>,
    /// Hits in this interval.
    pub calls: f64,
    /// From samples, not counted.
    pub estimated: bool,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Stack {
    /// The function whose hit it is; of a CPU sample "cpu".
    pub function: Arc<str>,
    /// Null: of no socket's process.
    #[serde(serialize_with = "pid_or_null")]
    pub pid: u32,
    pub comm: Arc<str>,
    /// What it stands for, in `unit`s.
    pub weight: f64,
    /// "hits", or "ns" of CPU time.
    pub unit: &'static str,
    pub samples: u64,
    /// Of a CPU sample: whose code ran (see `stages`), for whom, and in which context.
    pub stage: Option<&'static str>,
    pub direction: Option<&'static str>,
    /// "softirq", "ksoftirqd", "napi thread", "interrupt", "process", "idle".
    pub context: Option<&'static str>,
    /// How many of `frames`, from the leaf, belong to the context; the rest was interrupted.
    pub cut: usize,
    /// Leaf first, kernel then user; `name` or `name [module]`, user frames `name (file)`.
    pub frames: Arc<[Arc<str>]>,
}

impl Health {
    /// Samples that were taken and are missing, wherever they were lost.
    pub fn samples_lost(&self) -> u64 {
        self.lost
            .saturating_add(self.channel_dropped)
            .saturating_add(self.undecodable)
    }
}

#[derive(Debug, Clone, Serialize, PartialEq, Default)]
pub struct Health {
    /// Samples of this interval that the kernel could not store.
    pub lost: u64,
    pub throttled: u64,
    pub channel_dropped: u64,
    pub undecodable: u64,
    pub samples: u64,
    /// CPU samples among them; null: CPU time is not sampled.
    pub cpu_samples: Option<u64>,
    /// Samples whose stacks were shortened since the start, so that memory stays bounded.
    pub samples_shortened: u64,
    pub own_cpu_pct: Option<f64>,
    pub own_anon_bytes: Option<u64>,
    /// Cost to the busiest CPU, in percent of it: netop's own time there, samples, and gated hits at
    /// the price that windows with and without them have on the live traffic …
    pub cost_pct: Option<f64>,
    /// … its 95 % half-width, from that price; null: no window has said anything yet …
    pub cost_bound_pct: Option<f64>,
    /// … the same at the price that a loop had at the start …
    pub cost_modelled_pct: Option<f64>,
    /// … and the windows that had a say.
    pub cost_windows: usize,
    pub cost_cpu: Option<u32>,
    /// The sum over all CPUs, in percent of one.
    pub cost_all_pct: Option<f64>,
    pub budget_pct: f64,
    /// What netop may take of `cost_cpu`, percent of it: the budget is of the time that it works.
    pub limit_pct: f64,
    /// What a hit costs by each way of counting in use, and a sample with its stack, ns.
    pub perf_hit_ns: Option<u32>,
    pub bpf_hit_ns: Option<u32>,
    pub sample_ns: Option<u32>,
    /// Those are measured on this host, else they are what other hosts had.
    pub costs_measured: bool,
    /// What the governor does now, one phrase.
    pub governor: String,
    /// How functions are counted: "bpf", "perf", "bpf+perf", or "proc" alone.
    pub counting: &'static str,
    /// Everything is detached (`!`).
    pub detached: bool,
    /// Stands at the top of every view: what is missing here and the command that mends it.
    pub banner: Option<String>,
    pub notes: Vec<String>,
}
