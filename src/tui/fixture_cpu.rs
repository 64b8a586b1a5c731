//! What CPU samples say of the made-up machine, for the tests of the screen.

use crate::model::{CpuPart, Function, Part, Snapshot, Stage};

/// Stage, direction, percent of one CPU, inclusive, ns per packet.
const STAGES: [(&str, &str, f64, f64, f64); 13] = [
    ("driver", "rx", 58.2, 130.4, 84.3),
    ("copy", "sock", 31.0, 31.0, 44.9),
    ("gro", "rx", 27.4, 29.9, 39.7),
    ("tcp", "rx", 24.1, 45.3, 34.9),
    ("skb_mem", "rx", 18.8, 18.8, 27.2),
    ("ip", "rx", 14.2, 78.6, 20.6),
    ("xmit", "tx", 13.9, 22.0, 154.4),
    ("core_rx", "rx", 11.6, 96.1, 16.8),
    ("sock_wake", "rx", 9.3, 9.3, 13.5),
    ("qdisc", "tx", 8.7, 30.7, 96.7),
    ("napi", "rx", 6.1, 152.8, 8.8),
    ("driver", "tx", 5.5, 5.5, 61.1),
    ("softirq_core", "other", 0.4, 154.0, 0.6),
];

pub fn add(s: &mut Snapshot) {
    s.host.clock = Some("cpu-clock");
    s.health.cpu_samples = Some(796);
    let summary = &mut s.summary;
    summary.net_cores = Some(2.29);
    summary.net_cores_error = Some(0.11);
    summary.net_rx_pct = Some(169.7);
    summary.net_tx_pct = Some(28.1);
    summary.net_sock_pct = Some(31.0);
    summary.net_other_pct = Some(0.4);
    summary.observer_pct = Some(2.1);
    summary.ns_per_packet = Some(289.3);
    summary.ns_error = Some(13.9);
    summary.wire_pps = Some(7_924_000.0);
    summary.cpu_window_s = Some(30.0);
    s.stages = STAGES.map(stage).to_vec();
    s.stages.push(Stage {
        inclusive_pct: 2.1,
        ns_per_packet: None,
        ns_error: None,
        ..stage(("observer", "other", 2.1, 2.1, 0.0))
    });
    let contexts = [
        ("softirq", 152.0),
        ("ksoftirqd", 18.4),
        ("napi thread", 0.0),
        ("interrupt", 6.6),
        ("process", 119.0),
        ("idle", 104.0),
    ];
    s.contexts = contexts.map(part).to_vec();
    for (cpu, pct) in s.cpus.iter_mut().zip([48.2, 131.0 / 1.5, 61.0, 32.5]) {
        cpu.net_pct = Some(pct);
        cpu.net_rx_pct = Some(pct * 0.7);
        cpu.net_tx_pct = Some(pct * 0.2);
        cpu.net_sock_pct = Some(pct * 0.1);
        cpu.observer_pct = Some(0.5);
    }
    for (process, own) in s.processes.iter_mut().zip([71.3, 22.4, 0.0]) {
        process.cpu_own_pct = Some(own);
        process.cpu_stolen_pct = Some(own / 3.0);
    }
    for (f, (pct, own)) in s.functions.iter_mut().zip([
        (154.0, 6.1),
        (29.9, 11.2),
        (30.7, 1.4),
        (96.1, 4.0),
        (3.1, 0.02),
        (148.2, 9.6),
        (22.0, 3.3),
    ]) {
        costs(f, pct, own);
    }
}

fn costs(f: &mut Function, pct: f64, own: f64) {
    f.symbols = ["a_kernel_function".into()].into();
    f.cpu_pct = Some(pct);
    f.cpu_error = Some(pct * 0.05);
    f.self_pct = Some(own);
    f.ns_per_packet = Some(pct * 1.45);
    f.ns_error = Some(pct * 0.07);
    f.ns_per_call = f.rate.map(|rate| pct * 1e7 / rate);
}

fn part((name, cpu_pct): (&'static str, f64)) -> Part {
    Part { name, cpu_pct }
}

fn stage(
    (stage, direction, cpu_pct, inclusive_pct, ns): (&'static str, &'static str, f64, f64, f64),
) -> Stage {
    let on = |(cpu, share): (u32, f64)| CpuPart {
        cpu,
        cpu_pct: cpu_pct * share,
    };
    Stage {
        stage,
        direction,
        cpu_pct,
        cpu_error: Some(cpu_pct * 0.08),
        inclusive_pct,
        ns_per_packet: Some(ns),
        ns_error: Some(ns * 0.08),
        leaves: [
            ("lock", cpu_pct * 0.12),
            ("alloc", cpu_pct * 0.08),
            ("csum", cpu_pct * 0.03),
        ]
        .map(part)
        .to_vec(),
        per_cpu: [(0, 0.25), (1, 0.75)].map(on).to_vec(),
    }
}
