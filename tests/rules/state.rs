//! The figures of a fixture as a snapshot of one second.

use std::collections::BTreeMap;
use std::sync::Arc;

use netop::model::{
    Busy, Class, Coalescing, Cpu, Device, DeviceIrq, DriverFigure, Drop, Facts, Filter, Flow,
    Health, HostInfo, Latency, Layer, Listener, Losses, Offload, Part, PauseFrames, Polling,
    Process, Qdisc, Queue, SCHEMA, Setup, Snapshot, Sockets, Stage, Summary, Tcp, Times,
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
    /// What netop itself costs.
    own_cost_pct: Option<f64>,
    rx_pps: Option<f64>,
    local_bps: Option<f64>,
    stages: Map<StageFigures>,
    cpus: Map<CpuFigures>,
    drops: Map<DropFigures>,
    devices: Map<DeviceFigures>,
    processes: Map<ProcessFigures>,
    /// Percent of one CPU.
    contexts: Map<f64>,
    latency: Map<LatencyFigures>,
    /// Of the nearest peer, µs.
    round_trip: Option<u64>,
    /// What connections receive, bits per second.
    flows: Vec<f64>,
    /// By network namespace.
    inside: Map<Map<String>>,
    listeners: Map<ListenerFigures>,
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
    tx: Option<f64>,
    /// Programs that ran there, percent of it.
    programs: Map<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LatencyFigures {
    count: u64,
    p99_ms: f64,
    crossed_cpu: Option<f64>,
    crossed_node: Option<f64>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ListenerFigures {
    netns: u64,
    netns_name: Option<String>,
    pid: Option<u32>,
    comm: Option<String>,
    queue: u64,
    backlog: u64,
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
    threaded: Option<bool>,
    gro_flush_timeout: u64,
    defer_hard_irqs: u64,
    xdp: Option<String>,
    pause: Option<bool>,
    channels_most: Option<u32>,
    /// Receive queues.
    queues: Map<QueueFigures>,
    tx_queues: Map<QueueFigures>,
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
    steering: Option<String>,
    rfs_flows: Option<u64>,
    timeouts: Option<u64>,
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
    throttled: Option<f64>,
    tx_packets: Option<f64>,
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
        let busy = |(pid, (comm, cpu_pct)): (u32, (&String, &f64))| Busy {
            pid,
            comm: comm.clone(),
            cpu_pct: *cpu_pct,
        };
        Cpu {
            cpu: number.parse().expect("a CPU's number"),
            node: self.node,
            rx_packets: Some(self.packets),
            squeezed: Some(self.squeezed),
            net_rx_runs: Some(self.runs),
            softirq_pct: self.softirq,
            idle_pct: self.idle,
            steal_pct: self.steal,
            net_tx_pct: self.tx,
            processes: (100..).zip(&self.programs).map(busy).collect(),
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
        let queue = |direction, (number, queue): (&String, &QueueFigures)| Queue {
            queue: number.parse().expect("a queue's number"),
            direction,
            steering: queue.steering.clone(),
            rfs_flows: queue.rfs_flows,
            timeouts: queue.timeouts,
            irq: Some(100 + number.parse::<u32>().expect("a number")),
            cpu: queue.cpu,
            rate: queue.rate,
            interrupts: queue.interrupts,
            ..Queue::default()
        };
        let irq = |(number, queue): (&String, &QueueFigures)| DeviceIrq {
            irq: 100 + number.parse::<u32>().expect("a number"),
            name: format!("{name}-{number}"),
            count: queue.interrupts,
            cpu: queue.cpu,
            ..DeviceIrq::default()
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
            count: Some(*count),
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
            xdp: self.xdp.clone(),
            queues: (self.queues.iter().map(|row| queue("rx", row)))
                .chain(self.tx_queues.iter().map(|row| queue("tx", row)))
                .collect(),
            qdiscs: self.qdiscs.iter().map(qdisc).collect(),
            counters: self.counters.iter().map(counter).collect(),
            irqs: self.queues.iter().map(irq).collect(),
            setup: Some(std::sync::Arc::new(Setup {
                mtu: self.mtu,
                offloads: self.offloads.iter().map(offload).collect(),
                rx_ring: self.rx_ring,
                tx_ring: self.tx_ring,
                channels: self.channels,
                channels_most: self.channels_most,
                pause: self.pause.map(|on| PauseFrames {
                    negotiated: false,
                    rx: on,
                    tx: on,
                }),
                napi: self.threaded.map(|threaded| Polling {
                    threaded: Some(threaded),
                    gro_flush_timeout: self.gro_flush_timeout,
                    defer_hard_irqs: self.defer_hard_irqs,
                }),
                coalesce: self.rx_usecs.map(|rx_us| Coalescing {
                    adaptive_rx: self.adaptive,
                    rx_us,
                    ..Coalescing::default()
                }),
                ..Setup::default()
            })),
            ..Device::default()
        }
    }
}

fn connection(srtt_us: Option<u64>, received_bps: Option<f64>) -> Tcp {
    Tcp {
        flow: Flow {
            srtt_us,
            received_bps,
            ..Flow::default()
        },
        ..Tcp::default()
    }
}

fn latency((pair, figures): (&String, &LatencyFigures)) -> Latency {
    let times = Times {
        count: figures.count,
        p99_ns: Some((figures.p99_ms * 1e6) as u64),
        ..Times::default()
    };
    Latency {
        pair: forever(pair),
        from: "",
        to: "",
        direction: "rx",
        device: None,
        times,
        sum_ns: None,
        matched_pct: None,
        censored: 0,
        merged: 0,
        one_in: 1,
        crossed_cpu_pct: figures.crossed_cpu,
        crossed_node_pct: figures.crossed_node,
        reason: None,
        recent: times,
        by: Vec::new(),
        which: None,
        heat: Arc::from([]),
    }
}

fn listener((local, figures): (&String, &ListenerFigures)) -> Listener {
    Listener {
        local: local.clone(),
        netns: figures.netns,
        netns_name: figures.netns_name.clone(),
        pid: figures.pid,
        comm: figures.comm.clone(),
        queue: figures.queue,
        backlog: figures.backlog,
        ..Listener::default()
    }
}

fn host(cpus_online: usize) -> HostInfo {
    HostInfo {
        hostname: String::new(),
        kernel: String::new(),
        arch: String::new(),
        cpus_online,
        clock: None,
        source: "live",
    }
}

pub fn snapshot(figures: &Figures, second: u64) -> Snapshot {
    let process = |(comm, p): (&String, &ProcessFigures)| Process {
        pid: p.pid,
        comm: comm.clone(),
        cpu_own_pct: p.own,
        cpu_stolen_pct: p.stolen,
        runq_delay_ms: p.runq_delay_ms,
        throttled_pct: p.throttled,
        tx_packets: p.tx_packets,
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
    let part = |(name, cpu): (&String, &f64)| Part {
        name: forever(name),
        cpu_pct: *cpu,
    };
    let counter = |(name, rate): (&String, &f64)| (Arc::from(name.as_str()), *rate);
    Snapshot {
        events: Vec::new(),
        schema: SCHEMA,
        at: second * 1_000_000_000,
        interval_s: 1.0,
        elapsed_s: second as f64,
        sequence: second,
        host: host(figures.cpus.len()),
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
        contexts: figures.contexts.iter().map(part).collect(),
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
        devices_other: None,
        processes: figures.processes.iter().map(process).collect(),
        sockets: figures.sockets.map(sockets),
        tcp: (figures
            .round_trip
            .map(|us| connection(Some(us), None))
            .into_iter())
        .chain(figures.flows.iter().map(|bps| connection(None, Some(*bps))))
        .collect(),
        tcp_groups: Vec::new(),
        listeners: figures.listeners.iter().map(listener).collect(),
        drops: figures
            .drops
            .iter()
            .map(|(place, d)| d.drop(place))
            .collect(),
        losses: Losses::default(),
        latency: figures.latency.iter().map(latency).collect(),
        stacks: Vec::new(),
        lines: BTreeMap::new(),
        protocol_rates: figures.counters.iter().map(counter).collect(),
        facts: Facts {
            sysctls: Arc::new(figures.sysctls.clone()),
            capture_sockets: figures.capture_sockets,
            inside: Arc::new(figures.inside.clone()),
            ..Facts::default()
        },
        findings: Vec::new(),
        checked: Vec::new(),
        unjudged: Vec::new(),
        health: Health {
            budget_pct: 5.0,
            cost_all_pct: figures.own_cost_pct,
            ..Health::default()
        },
        cpu_profile: Arc::from([]),
        cpu_profile_s: 0.0,
        profile: Arc::from([]),
        profile_s: 0.0,
        candidates: Arc::from([]),
    }
}
