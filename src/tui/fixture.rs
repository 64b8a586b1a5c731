//! Snapshots made by hand for the tests of the screen.

use std::sync::Arc;

pub use super::fixture_profile::{cpu_stack, cpu_time, cpu_time_before};

use super::fixture_cpu;
use crate::model::{
    Backing, Class, Cpu, CpuCalls, Drop, Facts, Filter, Function, FunctionSpent, HISTORY, Health,
    HostInfo, Layer, Losses, Process, Role, SCHEMA, Share, Snapshot, Sockets, Spent, Stack,
    Summary, Tcp, WirePackets,
};

pub fn empty() -> Snapshot {
    Snapshot {
        schema: SCHEMA,
        at: 1_795_362_301_123_000_000,
        interval_s: 1.0,
        elapsed_s: 60.0,
        sequence: 60,
        host: HostInfo {
            hostname: "edge-12".into(),
            kernel: "6.18.0-12-cloud-amd64".into(),
            arch: "x86_64".into(),
            cpus_online: 2,
            clock: None,
            source: "live",
        },
        filter: Filter::default(),
        summary: Summary::default(),
        functions: Vec::new(),
        stages: Vec::new(),
        spent: None,
        contexts: Vec::new(),
        cpus: Vec::new(),
        devices: crate::model::Ranked::default(),
        devices_other: None,
        processes: Vec::new(),
        sockets: None,
        tcp: Vec::new(),
        tcp_groups: Vec::new(),
        listeners: Vec::new(),
        drops: Vec::new(),
        losses: Losses::default(),
        latency: Vec::new(),
        stacks: Vec::new(),
        lines: std::collections::BTreeMap::new(),
        protocol_rates: std::collections::BTreeMap::new(),
        facts: Facts::default(),
        findings: Vec::new(),
        checked: Vec::new(),
        unjudged: Vec::new(),
        events: Vec::new(),
        health: Health {
            budget_pct: 5.0,
            limit_pct: 5.0,
            counting: "proc",
            ..Health::default()
        },
        cpu_profile: Arc::from([]),
        cpu_profile_s: 0.0,
        profile: Vec::new().into(),
        profile_s: 0.0,
        candidates: Vec::new().into(),
    }
}

/// A second with so many packets, numbered from the start, in which CPU time was sampled.
pub fn second(sequence: u64, pps: f64) -> Snapshot {
    let mut s = empty();
    s.sequence = sequence;
    s.at += sequence * 1_000_000_000;
    s.host.clock = Some("cpu-clock");
    s.spent = Some(Spent {
        net_ns: 0.0,
        sample_ns: 5e6,
        wire: Some(WirePackets {
            rx: pps,
            tx: pps,
            all: pps,
        }),
        functions: Vec::new(),
        stages: Vec::new(),
        processes: Vec::new(),
    });
    s
}

/// A function of that second and its CPU time.
pub fn spend(s: &mut Snapshot, name: &str, ns: f64) {
    s.functions.push(function(name, Some(1000)));
    let spent = s.spent.as_mut().expect("CPU time was sampled");
    spent.net_ns += ns;
    spent.functions.push(FunctionSpent {
        name: name.into(),
        direction: "rx",
        ns,
    });
}

pub fn function(name: &str, calls: Option<u64>) -> Function {
    let rate = calls.map(|calls| calls as f64);
    let shape = |i: usize| rate.map_or(f32::NAN, |rate| rate as f32 * (1 + i % 20) as f32 / 20.0);
    Function {
        name: name.into(),
        event: format!("net:{name}").into(),
        source: calls.map(|_| Backing::Perf),
        calls,
        rate,
        total: calls.map(|calls| calls * 60),
        peak_rate: rate.map(|rate| rate * 1.3),
        estimated: false,
        error: None,
        packets_per_hit: None,
        bytes_per_hit: None,
        cpu_pct: None,
        cpu_error: None,
        self_pct: None,
        ns_per_packet: None,
        ns_per_call: None,
        ns_error: None,
        per_cpu: Vec::new(),
        samples: 0,
        top: Vec::new(),
        reason: None,
        history: (0..HISTORY).map(shape).collect(),
        doc: format!("One hit is one run of {name}, whatever it did.").into(),
        label: "perf".into(),
        bytes_exact: true,
        packets_exact: true,
        asked: false,
        symbols: [].into(),
        role: (name == "kfree_skb").then_some(Role::Drops),
    }
}

pub fn stack(function: &str, pid: u32, comm: &str, weight: f64, frames: &[&str]) -> Stack {
    Stack {
        function: function.into(),
        pid,
        comm: comm.into(),
        weight,
        unit: "hits",
        stage: None,
        direction: None,
        context: None,
        cut: usize::MAX,
        samples: weight as u64 / 10,
        frames: frames.iter().map(|frame| Arc::from(*frame)).collect(),
    }
}

fn connection() -> Tcp {
    Tcp {
        local: "10.0.0.1:443".into(),
        remote: "192.0.2.7:50000".into(),
        netns: 1,
        cookie: 5,
        pid: Some(812),
        comm: Some("nginx".into()),
        state: "established",
        ..Tcp::default()
    }
}

/// Frames of a UDP sender, leaf first.
pub const SEND: &[&str] = &[
    "__dev_queue_xmit",
    "ip_finish_output2",
    "ip_output",
    "udp_send_skb",
    "udp_sendmsg",
    "__sys_sendto",
    "__x64_sys_sendto",
    "do_syscall_64",
    "entry_SYSCALL_64_after_hwframe",
    "__libc_sendto (libc.so.6)",
    "main (flood)",
];

/// A receiver's acknowledgement, sent from softirq.
const ACK: &[&str] = &[
    "__dev_queue_xmit",
    "ip_finish_output2",
    "ip_output",
    "tcp_ack_snd_check [tcp_mod]",
    "tcp_v4_rcv",
    "net_rx_action",
    "handle_softirqs",
    "asm_common_interrupt",
];

pub fn busy() -> Snapshot {
    let mut s = empty();
    s.host.cpus_online = 4;
    s.summary = Summary {
        loss_rate: Some(0.0),
        loss_total: Some(0),
        hot_cpu: Some(1),
        hot_softirq_pct: Some(62.4),
        hot_cause: Some("71% of RX".into()),
        next_cpu: Some(0),
        next_softirq_pct: Some(12.0),
        rx_pps: Some(6_904_000.0),
        tx_pps: Some(900_000.0),
        rx_bps: Some(71.4e9),
        tx_bps: Some(3.1e9),
        local_pps: Some(120_000.0),
        local_bps: Some(1.2e9),
        ..Summary::default()
    };
    s.functions = functions();
    s.cpus = (0..4).map(cpu).collect();
    s.devices = super::fixture_device::devices().into();
    s.processes = vec![
        process(9127, "flood", 431_000.0, true),
        process(812, "nginx", 88_000.0, true),
        process(4_194_303, "kworker/1:2-eve", 312.0, false),
    ];
    (s.sockets, s.tcp) = (Some(Sockets::default()), vec![connection()]);
    s.profile = vec![
        stack("dev_queue_xmit", 9127, "flood", 380_000.0, SEND),
        stack("dev_queue_xmit", 812, "nginx", 51_000.0, ACK),
        stack("net_rx_action", 9127, "flood", 1000.0, &ACK[5..]),
    ]
    .into();
    s.profile_s = 10.0;
    s.candidates = vec![
        (1, "systemd".into()),
        (812, "nginx".into()),
        (9127, "flood".into()),
    ]
    .into();
    s.health = Health {
        samples: 800,
        cost_pct: Some(0.9),
        cost_cpu: Some(1),
        cost_all_pct: Some(0.3),
        budget_pct: 5.0,
        limit_pct: 5.0,
        counting: "perf+proc",
        ..Health::default()
    };
    fixture_cpu::add(&mut s);
    s
}

/// Everything that can be wrong at once.
pub fn lossy() -> Snapshot {
    let mut s = busy();
    s.summary.loss_rate = Some(1840.0);
    s.summary.loss_where = Some("ring ens1f0 (rx_missed_errors)".into());
    s.summary.loss_since = Some(s.at - 40_000_000_000);
    s.summary.loss_total = Some(73_600);
    s.summary.hot_softirq_pct = Some(98.7);
    s.drops = vec![
        drop("ring ens1f0", 1700),
        drop("backlog", 140),
        drop("qdisc ens1f0", 0),
    ];
    s.functions[2].estimated = true;
    s.functions[2].error = Some(14_000.0);
    s.functions[5].calls = None;
    s.functions[5].rate = None;
    s.functions[5].reason =
        Some("shed by the governor: it would cost 3.1% of cpu1; e counts it all the same".into());
    s.cpus[1].squeezed = Some(41);
    s.cpus[1].backlog_dropped = Some(140);
    s.processes[0].ended = true;
    s.filter = Filter {
        pid: Some(9127),
        pids: vec![9127],
        ended: vec![9127],
        by: Some("context"),
        ..Filter::default()
    };
    s.health.lost = 412;
    s.health.cost_pct = Some(7.3);
    s.health.governor = "stacks off, 3 rows shed".into();
    s.health.banner = Some(
        "Events cannot be opened: run sudo netop, or once: sudo setcap cap_perfmon,cap_dac_read_search+ep /usr/local/bin/netop"
            .into(),
    );
    s.health.notes = vec!["tcp_retransmit_skb: not counted, shed".into()];
    s
}

fn functions() -> Vec<Function> {
    let rates = [
        ("net_rx_action", 212_400),
        ("napi_gro_receive", 6_904_000),
        ("dev_queue_xmit", 431_200),
        ("netif_receive_skb", 431_200),
        ("netif_rx", 61_000),
        ("napi_poll", 224_900),
        ("net_dev_start_xmit", 431_200),
        ("net_tx_action", 2),
        ("kfree_skb", 33),
        ("consume_skb", 840_000),
        ("tcp_retransmit_skb", 412),
        ("sock_send_length", 431_200),
        ("sock_recv_length", 88_100),
    ];
    let mut list: Vec<Function> = rates
        .iter()
        .map(|(name, calls)| function(name, Some(*calls)))
        .collect();
    for f in &mut list {
        let calls = f.calls.unwrap_or(0);
        let split = |(cpu, pct)| CpuCalls {
            cpu,
            calls: calls * pct / 100,
        };
        f.per_cpu = [(1, 62), (0, 30), (2, 5), (3, 3)].map(split).to_vec();
    }
    list[0].label = "softirqs".into();
    list[0].source = Some(Backing::Proc);
    list[0].packets_per_hit = Some(32.5);
    list[2].samples = 400;
    list[2].top = vec![
        Share {
            kind: "device",
            name: "ens1f0".into(),
            calls: 400_000.0,
            estimated: true,
        },
        Share {
            kind: "device",
            name: "lo".into(),
            calls: 31_200.0,
            estimated: true,
        },
    ];
    list[3].label = "softnet".into();
    list[12].bytes_per_hit = Some(101_000.0);
    list
}

fn cpu(n: u32) -> Cpu {
    Cpu {
        cpu: n,
        node: Some(0),
        softirq_pct: Some([12.0, 62.4, 0.0, 3.3][n as usize % 4]),
        user_pct: Some(10.0),
        system_pct: Some(20.0),
        irq_pct: Some(0.0),
        idle_pct: Some(57.6),
        steal_pct: None,
        rx_packets: Some(431_000),
        rx_rate: Some(431_000.0),
        squeezed: Some(0),
        backlog_dropped: Some(0),
        backlog: Some(3),
        received_rps: Some(0),
        net_rx_runs: Some(13_000),
        net_rx_rate: Some(13_000.0),
        packets_per_run: Some(33.1),
        cost_pct: Some(0.3),
        history: (0..HISTORY).map(|i| (i % 9) as f32).collect(),
        ..Cpu::default()
    }
}

fn process(pid: u32, comm: &str, rate: f64, estimated: bool) -> Process {
    Process {
        pid,
        comm: comm.into(),
        tx_calls: Some(rate),
        tx_bytes: Some(rate * 64.0),
        rx_calls: None,
        rx_bytes: None,
        runq_delay_ms: Some(3.2),
        context_rate: rate * 3.0,
        estimated,
        ..Process::default()
    }
}

fn drop(place: &str, count: u64) -> Drop {
    Drop {
        count,
        rate: Some(count as f64),
        total: count * 40,
        ..Drop::at(place.into(), Class::Trouble, Layer::Nic, "wire packets")
    }
}
