//! Snapshots for the tests of the formats.

use std::sync::Arc;

use crate::model::{
    Backing, Class, Cpu, CpuCalls, CpuPart, Device, Drop, Facts, Filter, Flow, Function, Health,
    HostEvent, HostInfo, Latency, LatencyPart, Layer, Limit, Limited, Listener, Losses, Part,
    Process, SCHEMA, Share, Snapshot, Stack, Stage, Summary, Tcp, TcpGroup, Times, Witness,
};

/// Nothing was seen.
pub fn empty() -> Snapshot {
    Snapshot {
        schema: SCHEMA,
        at: 1_795_362_301_123_000_000,
        interval_s: 1.0,
        elapsed_s: 1.0,
        sequence: 1,
        host: HostInfo {
            hostname: "edge-12".to_owned(),
            kernel: "6.8.0".to_owned(),
            arch: "x86_64".to_owned(),
            cpus_online: 4,
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
            counting: "perf",
            ..Health::default()
        },
        cpu_profile: Arc::from([]),
        cpu_profile_s: 0.0,
        profile: Arc::new([]),
        profile_s: 0.0,
        candidates: Arc::new([]),
    }
}

fn link_down() -> HostEvent {
    HostEvent {
        time: 1_795_362_301_123_000_000,
        kind: "link",
        device: Some("eth0".to_owned()),
        text: "eth0: link down".to_owned(),
    }
}

/// Every table has a row, and strangers named the processes.
pub fn busy() -> Snapshot {
    Snapshot {
        events: vec![link_down()],
        latency: vec![latency()],
        summary: summary(),
        functions: vec![
            function("net_rx_action", Some(212_433)),
            Function {
                estimated: true,
                error: Some(1200.0),
                bytes_per_hit: Some(1448.5),
                cpu_pct: Some(27.4),
                cpu_error: Some(2.25),
                self_pct: Some(11.0),
                ns_per_packet: Some(39.7),
                ns_error: Some(3.3),
                ns_per_call: Some(40.1),
                ..function("napi_gro_receive", Some(6_900_128))
            },
            Function {
                reason: Some(Arc::from("over the budget of 5 %")),
                ..function("netif_rx", None)
            },
            function("sock_send_length", Some(0)),
        ],
        stages: vec![
            stage("driver", "rx", 58.25),
            Stage {
                ns_per_packet: None,
                ns_error: None,
                cpu_error: None,
                ..stage("observer", "other", 2.5)
            },
        ],
        contexts: vec![part("softirq", 150.0), part("idle", 250.0)],
        cpus: vec![Cpu {
            cpu: 2,
            net_pct: Some(91.5),
            net_rx_pct: Some(80.0),
            softirq_pct: Some(97.6),
            ..Cpu::default()
        }],
        devices: vec![Device {
            name: "eth0".to_owned(),
            driver: Some("ice".to_owned()),
            rx_packets: Some(7),
            rx_bytes: Some(0),
            qdisc: Some("fq".to_owned()),
            ..Device::default()
        }]
        .into(),
        processes: vec![Process {
            pid: 9127,
            comm: "st\x1b]0;x\u{7}a,\"t\u{9b}sd".to_owned(),
            context_rate: 12.5,
            ..Process::default()
        }],
        tcp: connections(),
        tcp_groups: sums(),
        listeners: listeners(),
        drops: vec![Drop {
            count: 1840,
            total: 3312,
            witnesses: vec![Witness {
                name: "Udp.RcvbufErrors".to_owned(),
                count: 3312,
                includes_others: false,
                estimated: false,
            }],
            ..Drop::at(
                "socket buffer (UDP)".to_owned(),
                Class::Trouble,
                Layer::Socket,
                "datagrams",
            )
        }],
        stacks: vec![Stack {
            function: Arc::from("dev_queue_xmit"),
            pid: 9127,
            comm: Arc::from("statsd"),
            weight: 31.0,
            unit: "hits",
            stage: None,
            direction: None,
            context: None,
            cut: usize::MAX,
            samples: 1,
            frames: [Arc::from("__dev_queue_xmit"), Arc::from("main (st\natsd)")].into(),
        }],
        health: Health {
            counting: "perf",
            cost_cpu: Some(2),
            cost_pct: Some(0.94),
            notes: vec!["netif_rx is not counted: over the budget".to_owned()],
            ..Health::default()
        },
        ..empty()
    }
}

fn summary() -> Summary {
    Summary {
        loss_rate: Some(1840.4),
        loss_where: Some("socket buffer (UDP)".to_owned()),
        loss_since: Some(1_795_362_300_000_000_000),
        loss_total: Some(3312),
        hot_cpu: Some(2),
        hot_softirq_pct: Some(97.6),
        next_cpu: Some(3),
        next_softirq_pct: Some(4.25),
        rx_pps: Some(6_900_000.0),
        rx_bps: Some(71_400_000_000.0),
        net_cores: Some(1.92),
        net_cores_error: Some(0.11),
        net_rx_pct: Some(141.25),
        net_tx_pct: Some(40.5),
        net_sock_pct: Some(10.0),
        net_other_pct: Some(0.25),
        observer_pct: Some(2.5),
        ns_per_packet: Some(278.3),
        ns_error: Some(15.9),
        wire_pps: Some(6_900_000.0),
        cpu_window_s: Some(30.0),
        ..Summary::default()
    }
}

fn part(name: &'static str, cpu_pct: f64) -> Part {
    Part { name, cpu_pct }
}

fn stage(stage: &'static str, direction: &'static str, cpu_pct: f64) -> Stage {
    Stage {
        stage,
        direction,
        cpu_pct,
        cpu_error: Some(4.5),
        inclusive_pct: 2.0 * cpu_pct,
        ns_per_packet: Some(84.5),
        ns_error: Some(6.75),
        leaves: vec![part("lock", 12.5), part("alloc", 3.0)],
        per_cpu: vec![CpuPart { cpu: 2, cpu_pct }],
    }
}

fn function(name: &str, calls: Option<u64>) -> Function {
    Function {
        name: Arc::from(name),
        event: Arc::from("net:event"),
        source: calls.map(|_| Backing::Perf),
        calls,
        rate: calls.map(|calls| calls as f64),
        total: calls,
        peak_rate: calls.map(|calls| calls as f64),
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
        per_cpu: vec![CpuCalls { cpu: 2, calls: 7 }],
        samples: 3,
        top: vec![Share {
            kind: "device",
            name: Arc::from("eth0"),
            calls: 7.0,
            estimated: true,
        }],
        reason: None,
        history: Vec::new(),
        doc: Arc::from("one run"),
        label: Arc::from("perf"),
        bytes_exact: false,
        packets_exact: true,
        asked: false,
        symbols: [].into(),
        role: None,
    }
}

fn latency() -> Latency {
    let times = Times {
        count: 1_200,
        p50_ns: Some(656),
        p99_ns: Some(1_312),
        p999_ns: Some(5_376),
        max_ns: Some(9_001),
    };
    Latency {
        pair: "xmit_queue",
        from: "net_dev_queue",
        to: "net_dev_start_xmit",
        direction: "tx",
        device: Some("eth0".to_owned()),
        times,
        sum_ns: Some(900_000),
        matched_pct: Some(99.5),
        censored: 0,
        merged: 0,
        one_in: 16,
        crossed_cpu_pct: Some(0.0),
        crossed_node_pct: Some(0.0),
        reason: None,
        recent: times,
        by: vec![LatencyPart {
            kind: "device",
            name: "eth0".into(),
            times,
            crossed_cpu_pct: Some(0.0),
        }],
        which: None,
        heat: [].into(),
    }
}

fn connections() -> Vec<Tcp> {
    vec![Tcp {
        comm: Some("ng\x1binx".to_owned()),
        pid: Some(812),
        state: "established",
        total_sent: 77,
        ..Tcp::default()
    }]
}

fn sums() -> Vec<TcpGroup> {
    vec![TcpGroup {
        by: "port",
        name: ":443".to_owned(),
        connections: 2,
        flow: Flow {
            limit: Some(Limit::Cwnd),
            limited: Limited {
                rwnd_pct: Some(1.0),
                sndbuf_pct: Some(0.0),
                cwnd_pct: Some(90.5),
                app_pct: Some(8.5),
            },
            ..Flow::default()
        },
        ..TcpGroup::default()
    }]
}

fn listeners() -> Vec<Listener> {
    vec![Listener {
        local: "*:443".to_owned(),
        queue: 3,
        backlog: 2,
        dropped: Some(1),
        ..Listener::default()
    }]
}
