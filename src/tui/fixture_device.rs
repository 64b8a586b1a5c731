//! Devices made by hand for the tests of the screen: a NIC that loses, a shaped veth in another
//! namespace, loopback.

use crate::model::{Coalescing, Device, DeviceIrq, DriverFigure, Offload, Qdisc, Queue, Setup};

pub fn devices() -> Vec<Device> {
    vec![nic(), shaped(), loopback()]
}

fn nic() -> Device {
    let queue = |direction, queue, rate: f64| Queue {
        queue,
        direction,
        irq: Some(147 + queue),
        cpu: Some(queue),
        packets: Some(rate as u64),
        rate: Some(rate),
        bps: Some(rate * 8.0 * 1290.0),
        interrupts: (direction == "rx").then_some(21_000),
        polls: (direction == "rx").then_some(112_000),
        drops: Some(if queue == 1 { 1700 } else { 0 }),
        bql_limit: (direction == "tx").then_some(42_240),
        bql_inflight: (direction == "tx").then_some(9_084),
        steering: (direction == "tx").then(|| "3".to_owned()),
        ..Queue::default()
    };
    let irq = |irq, count| DeviceIrq {
        irq,
        name: format!("ens1f0-{}", irq - 147),
        count,
        cpu: Some(irq - 147),
        ..DeviceIrq::default()
    };
    Device {
        name: "ens1f0".to_owned(),
        driver: Some("mlx5_core".to_owned()),
        ifindex: 2,
        physical: true,
        rx_packets: Some(6_904_000),
        rx_rate: Some(6_904_000.0),
        rx_bps: Some(71.4e9),
        rx_length: Some(1293.0),
        tx_packets: Some(900_000),
        tx_rate: Some(900_000.0),
        tx_bps: Some(3.1e9),
        tx_length: Some(430.0),
        gro_ratio: Some(16.0),
        gso_factor: Some(14.8),
        interrupts: Some(42_000),
        packets_per_interrupt: Some(164.0),
        polls: Some(224_900),
        packets_per_poll: Some(30.7),
        full_polls_pct: Some(46.2),
        dropped: Some(1700),
        rx_dropped: Some(0),
        tx_dropped: Some(0),
        ring_drops: Some(1700),
        qdisc: Some("mq".to_owned()),
        qdisc_drops: Some(0),
        qdisc_backlog: Some(12),
        numa_node: Some(0),
        queues: vec![
            queue("rx", 0, 2_100_000.0),
            queue("rx", 1, 4_804_000.0),
            queue("tx", 0, 600_000.0),
            queue("tx", 1, 300_000.0),
        ],
        qdiscs: vec![qdisc("mq", "root", 0, 12)],
        counters: vec![DriverFigure {
            name: "rx_out_of_buffer".to_owned(),
            tells: "rx drop",
            count: Some(1700),
            total: 73_600,
        }],
        irqs: vec![irq(147, Some(20_000)), irq(148, Some(22_000))],
        setup: Some(std::sync::Arc::new(Setup {
            mtu: Some(1500),
            speed: Some(100_000),
            offloads: [("gro", true), ("lro", false), ("tso", true), ("gso", true)]
                .map(|(name, on)| Offload {
                    name: name.to_owned(),
                    on,
                })
                .into(),
            rx_ring: Some((1024, 8192)),
            tx_ring: Some((1024, 8192)),
            channels: Some(2),
            coalesce: Some(Coalescing {
                adaptive_rx: true,
                rx_us: 8,
                rx_frames: 128,
                ..Coalescing::default()
            }),
            ..Setup::default()
        })),
        ..Device::default()
    }
}

fn shaped() -> Device {
    Device {
        name: "veth7".to_owned(),
        netns: Some("blue".to_owned()),
        netns_id: 9,
        ifindex: 7,
        driver: Some("veth".to_owned()),
        kind: Some("veth".to_owned()),
        rx_packets: Some(0),
        rx_rate: Some(0.0),
        rx_bps: Some(0.0),
        tx_packets: Some(120_000),
        tx_rate: Some(120_000.0),
        tx_bps: Some(1.2e9),
        tx_length: Some(1250.0),
        gso_factor: Some(1.0),
        dropped: Some(41),
        qdisc: Some("tbf".to_owned()),
        qdisc_drops: Some(41),
        qdisc_backlog: Some(200),
        qdiscs: vec![
            qdisc("tbf", "root", 41, 200),
            qdisc("pfifo", "1:1", 41, 200),
        ],
        setup: Some(std::sync::Arc::new(Setup {
            mtu: Some(1500),
            unsupported: ["rings", "coalescing"].map(str::to_owned).into(),
            ..Setup::default()
        })),
        ..Device::default()
    }
}

fn loopback() -> Device {
    Device {
        name: "lo".to_owned(),
        ifindex: 1,
        rx_rate: Some(0.0),
        tx_rate: Some(0.0),
        dropped: Some(0),
        ..Device::default()
    }
}

fn qdisc(kind: &str, parent: &str, drops: u64, backlog: u64) -> Qdisc {
    Qdisc {
        kind: kind.to_owned(),
        handle: "1:".to_owned(),
        parent: parent.to_owned(),
        drops: Some(drops),
        drops_total: drops * 10,
        backlog,
        ..Qdisc::default()
    }
}
