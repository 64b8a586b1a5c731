//! The figures of a fixture as a snapshot of one second.

use std::collections::BTreeMap;
use std::sync::Arc;

use netop::model::{
    Class, Coalescing, Cpu, Device, DeviceIrq, DriverFigure, Drop, Facts, Filter, Health, HostInfo,
    Layer, Losses, Offload, Part, Process, Qdisc, Queue, SCHEMA, Setup, Snapshot, Sockets, Stage,
    Summary,
};
use serde::Deserialize;

type Map<T> = BTreeMap<String, T>;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Figures {
    /// Per second.
    counters: Map<f64>,
    sysctls: Map<String>,
    capture_sockets: Option<u64>,
    sockets: Option<u64>,
    net_cores: Option<f64>,
    observer_pct: Option<f64>,
    rx_pps: Option<f64>,
    local_bps: Option<f64>,
    stages: Map<StageFigures>,
    cpus: Map<CpuFigures>,
    drops: Map<DropFigures>,
    devices: Map<DeviceFigures>,
    processes: Map<ProcessFigures>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct StageFigures {
    cpu: f64,
    leaves: Map<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct CpuFigures {
    packets: u64,
    squeezed: u64,
    runs: u64,
    softirq: Option<f64>,
    idle: Option<f64>,
    steal: Option<f64>,
    node: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DropFigures {
    layer: String,
    #[serde(default)]
    class: String,
    reason: Option<String>,
    device: Option<String>,
    comm: Option<String>,
    pid: Option<u32>,
    rate: u64,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DeviceFigures {
    kind: Option<String>,
    netns: Option<String>,
    driver: Option<String>,
    qdisc: Option<String>,
    rx: Option<f64>,
    rx_length: Option<f64>,
    tx: Option<f64>,
    tx_length: Option<f64>,
    gro_ratio: Option<f64>,
    packets_per_interrupt: Option<f64>,
    packets_per_poll: Option<f64>,
    full_polls: Option<f64>,
    node: Option<u32>,
    offloads: Map<bool>,
    mtu: Option<u32>,
    channels: Option<u32>,
    rx_ring: Option<(u32, u32)>,
    tx_ring: Option<(u32, u32)>,
    rx_usecs: Option<u32>,
    adaptive: bool,
    /// Receive queues.
    queues: Map<QueueFigures>,
    qdiscs: Map<QdiscFigures>,
    /// By what they tell of, per second.
    counters: Map<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct QueueFigures {
    rate: Option<f64>,
    interrupts: Option<u64>,
    cpu: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct QdiscFigures {
    handle: String,
    parent: String,
    drops: u64,
    limit: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ProcessFigures {
    pid: u32,
    stolen: Option<f64>,
    own: Option<f64>,
    runq_delay_ms: Option<f64>,
}

/// Names of the model are of the program: a test may leak its few.
fn forever(name: &str) -> &'static str {
    Box::leak(name.into())
}

impl StageFigures {
    fn stage(&self, name: &str) -> Stage {
        let leaf = |(name, cpu): (&String, &f64)| Part {
            name: forever(name),
            cpu_pct: *cpu,
        };
        Stage {
            stage: forever(name),
            direction: "other",
            cpu_pct: self.cpu,
            cpu_error: None,
            inclusive_pct: self.cpu,
            ns_per_packet: None,
            ns_error: None,
            leaves: self.leaves.iter().map(leaf).collect(),
            per_cpu: Vec::new(),
        }
    }
}

impl CpuFigures {
    fn cpu(&self, number: &str) -> Cpu {
        Cpu {
            cpu: number.parse().expect("a CPU's number"),
            node: self.node,
            rx_packets: Some(self.packets),
            squeezed: Some(self.squeezed),
            net_rx_runs: Some(self.runs),
            softirq_pct: self.softirq,
            idle_pct: self.idle,
            steal_pct: self.steal,
            ..Cpu::default()
        }
    }
}

impl DropFigures {
    fn drop(&self, place: &str) -> Drop {
        let layer = match &*self.layer {
            "nic" => Layer::Nic,
            "backlog" => Layer::Backlog,
            "qdisc" => Layer::Qdisc,
            "socket" => Layer::Socket,
            "stack" => Layer::Stack,
            other => panic!("no layer {other}"),
        };
        let class = match &*self.class {
            "" | "trouble" => Class::Trouble,
            "look" => Class::Look,
            "expected" => Class::Expected,
            other => panic!("no class {other}"),
        };
        Drop {
            reason: self.reason.clone(),
            device: self.device.clone(),
            comm: self.comm.clone(),
            pid: self.pid,
            count: self.rate,
            rate: Some(self.rate as f64),
            ..Drop::at(place.to_owned(), class, layer, "skbs")
        }
    }
}

impl DeviceFigures {
    fn device(&self, name: &str) -> Device {
        let queue = |(number, queue): (&String, &QueueFigures)| Queue {
            queue: number.parse().expect("a queue's number"),
            direction: "rx",
            irq: Some(100 + number.parse::<u32>().expect("a number")),
            cpu: queue.cpu,
            rate: queue.rate,
            interrupts: queue.interrupts,
            ..Queue::default()
        };
        let irq = |(number, queue): (&String, &QueueFigures)| DeviceIrq {
            irq: 100 + number.parse::<u32>().expect("a number"),
            name: format!("{name}-{number}"),
            count: queue.interrupts.unwrap_or(0),
            cpu: queue.cpu,
        };
        let qdisc = |(kind, qdisc): (&String, &QdiscFigures)| Qdisc {
            kind: kind.clone(),
            handle: qdisc.handle.clone(),
            parent: qdisc.parent.clone(),
            drops: Some(qdisc.drops),
            drops_total: qdisc.drops,
            limit: qdisc.limit,
            ..Qdisc::default()
        };
        let counter = |(tells, count): (&String, &u64)| DriverFigure {
            name: tells.replace(' ', "_"),
            tells: forever(tells),
            count: *count,
            total: *count,
        };
        let offload = |(name, on): (&String, &bool)| Offload {
            name: name.clone(),
            on: *on,
        };
        Device {
            name: name.to_owned(),
            netns: self.netns.clone(),
            driver: self.driver.clone(),
            kind: self.kind.clone(),
            physical: self.kind.is_none(),
            fresh: true,
            rx_rate: self.rx,
            rx_length: self.rx_length,
            tx_rate: self.tx,
            tx_length: self.tx_length,
            gro_ratio: self.gro_ratio,
            packets_per_interrupt: self.packets_per_interrupt,
            packets_per_poll: self.packets_per_poll,
            full_polls_pct: self.full_polls,
            qdisc: self.qdisc.clone(),
            numa_node: self.node,
            queues: self.queues.iter().map(queue).collect(),
            qdiscs: self.qdiscs.iter().map(qdisc).collect(),
            counters: self.counters.iter().map(counter).collect(),
            irqs: self.queues.iter().map(irq).collect(),
            setup: Some(Setup {
                mtu: self.mtu,
                offloads: self.offloads.iter().map(offload).collect(),
                rx_ring: self.rx_ring,
                tx_ring: self.tx_ring,
                channels: self.channels,
                coalesce: self.rx_usecs.map(|rx_us| Coalescing {
                    adaptive_rx: self.adaptive,
                    rx_us,
                    ..Coalescing::default()
                }),
                ..Setup::default()
            }),
            ..Device::default()
        }
    }
}

pub fn snapshot(figures: &Figures, second: u64) -> Snapshot {
    let process = |(comm, p): (&String, &ProcessFigures)| Process {
        pid: p.pid,
        comm: comm.clone(),
        cpu_own_pct: p.own,
        cpu_stolen_pct: p.stolen,
        runq_delay_ms: p.runq_delay_ms,
        ..Process::default()
    };
    let sockets = |tcp| Sockets {
        tcp,
        udp: 0,
        opened: None,
        closed: None,
        interval_s: None,
        age_s: 0.0,
        took_ms: 1.0,
        cut: false,
    };
    let counter = |(name, rate): (&String, &f64)| (Arc::from(name.as_str()), *rate);
    Snapshot {
        events: Vec::new(),
        schema: SCHEMA,
        at: second * 1_000_000_000,
        interval_s: 1.0,
        elapsed_s: second as f64,
        sequence: second,
        host: HostInfo {
            hostname: String::new(),
            kernel: String::new(),
            arch: String::new(),
            cpus_online: figures.cpus.len(),
            clock: None,
            source: "live",
        },
        filter: Filter::default(),
        summary: Summary {
            net_cores: Some(figures.net_cores.unwrap_or(0.0)),
            observer_pct: figures.observer_pct,
            rx_pps: figures.rx_pps,
            local_bps: figures.local_bps,
            ..Summary::default()
        },
        functions: Vec::new(),
        stages: figures
            .stages
            .iter()
            .map(|(name, s)| s.stage(name))
            .collect(),
        spent: None,
        contexts: Vec::new(),
        cpus: figures
            .cpus
            .iter()
            .map(|(number, c)| c.cpu(number))
            .collect(),
        devices: figures
            .devices
            .iter()
            .map(|(name, d)| d.device(name))
            .collect(),
        processes: figures.processes.iter().map(process).collect(),
        sockets: figures.sockets.map(sockets),
        tcp: Vec::new(),
        tcp_groups: Vec::new(),
        listeners: Vec::new(),
        drops: figures
            .drops
            .iter()
            .map(|(place, d)| d.drop(place))
            .collect(),
        losses: Losses::default(),
        latency: Vec::new(),
        stacks: Vec::new(),
        lines: BTreeMap::new(),
        protocol_rates: figures.counters.iter().map(counter).collect(),
        facts: Facts {
            sysctls: Arc::new(figures.sysctls.clone()),
            capture_sockets: figures.capture_sockets,
        },
        findings: Vec::new(),
        checked: Vec::new(),
        unjudged: Vec::new(),
        health: Health {
            budget_pct: 5.0,
            ..Health::default()
        },
        cpu_profile: Arc::from([]),
        cpu_profile_s: 0.0,
        profile: Arc::from([]),
        profile_s: 0.0,
        candidates: Arc::from([]),
    }
}
