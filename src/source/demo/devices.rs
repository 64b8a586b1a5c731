//! The machine's devices: counters, queues, qdiscs and setup.

use std::sync::Arc;

use super::START;
use super::counters::{FIRST_IRQ, NETNS};
use super::load::{CPUS, Flow, KAFKA_SEGS, Load, NGINX_SEGS};
use crate::decode::{
    Coalesce, DriverCounter, LinkCounters, LinkSetup, NapiSettings, Pause, QdiscCounters,
    QueueCounters, Ring, Rss, Trouble, Way,
};

pub fn ifindex(name: &str) -> u32 {
    match name {
        "lo" => 1,
        "eth0" => 2,
        "eth1" => 3,
        // What is polled for no device.
        _ => u32::MAX,
    }
}

pub fn links(cpus: &[Load; CPUS], all: &Load, at: u64) -> Vec<LinkCounters> {
    let eth0_skbs = all[Flow::AckTx] + all[Flow::Retransmit];
    let eth0_tx = (all[Flow::KafkaTx] + all[Flow::KafkaTxSoft]) * KAFKA_SEGS + eth0_skbs;
    let eth1_tx = all[Flow::NginxTx] * NGINX_SEGS + all[Flow::SshTx];
    let tcp = all[Flow::GroEth0].saturating_sub(all[Flow::StackUdp]);
    let received_bytes = tcp * 1514 + all[Flow::StackUdp] * 300;
    let sent_bytes = (eth0_tx - eth0_skbs) * 1514 + eth0_skbs * 66;
    let lo = (all[Flow::Lo], all[Flow::Lo] * 220);
    let link = |name: &str, rx: (u64, u64), tx: (u64, u64)| LinkCounters {
        netns: NETNS,
        ifindex: ifindex(name),
        name: name.to_owned(),
        physical: name != "lo",
        local: name == "lo",
        rx_packets: rx.0,
        rx_bytes: rx.1,
        tx_packets: tx.0,
        tx_bytes: tx.1,
        rx_errors: Some(0),
        tx_errors: Some(0),
        rx_nohandler: Some(0),
        qdisc_drops: Some(0),
        qdisc_backlog: Some(0),
        driver_at: at,
        setup: Some(Arc::new(setup(name))),
        ..LinkCounters::default()
    };
    let mut lo = link("lo", lo, lo);
    lo.qdisc = Some("noqueue".to_owned());
    let mut eth0 = link(
        "eth0",
        (all[Flow::GroEth0], received_bytes),
        (eth0_tx, sent_bytes),
    );
    let of_cpu = |load: &Load| {
        let sent = (load[Flow::KafkaTx] + load[Flow::KafkaTxSoft]) * KAFKA_SEGS
            + load[Flow::AckTx]
            + load[Flow::Retransmit];
        (load[Flow::GroEth0], sent)
    };
    // The bursts of the drop episode now and then find the ring full.
    eth0.rx_missed = all[Flow::DropRcvbuf] / 40;
    served(&mut eth0, "mq", &cpus.each_ref().map(of_cpu));
    let eth1_rx = (all[Flow::GroEth1], all[Flow::GroEth1] * 1514);
    let mut eth1 = link("eth1", eth1_rx, (eth1_tx, eth1_tx * 1500));
    served(&mut eth1, "fq_codel", &[(eth1_rx.0, eth1_tx)]);
    eth1.trouble = vec![DriverCounter {
        name: "tx_restart_queue".to_owned(),
        tells: Trouble::TxStop,
        // The transmit ring is full now and then.
        value: 12 + at.saturating_sub(START) / 4_000_000_000,
    }];
    vec![lo, eth0, eth1]
}

/// Adds a queue each way for every (received, sent), and the qdiscs.
fn served(link: &mut LinkCounters, root: &str, carried: &[(u64, u64)]) {
    let interrupts = link.name == "eth0";
    let mean = |bytes: u64, packets: u64| bytes / packets.max(1);
    let lengths = [
        mean(link.rx_bytes, link.rx_packets),
        mean(link.tx_bytes, link.tx_packets),
    ];
    let qdisc = |kind: &str, handle: &str, parent: &str, packets| QdiscCounters {
        kind: kind.to_owned(),
        handle: handle.to_owned(),
        parent: parent.to_owned(),
        packets,
        bytes: packets * lengths[1],
        ..QdiscCounters::default()
    };
    link.qdisc = Some(root.to_owned());
    link.qdiscs = vec![qdisc(root, "0:", "root", link.tx_packets)];
    for (number, &(received, sent)) in (0..).zip(carried) {
        let queue = |way, packets: u64, length| QueueCounters {
            way,
            queue: number,
            irq: interrupts.then_some(FIRST_IRQ + number),
            packets: Some(packets),
            bytes: Some(packets * length),
            drops: Some(0),
            ..QueueCounters::default()
        };
        link.queues.push(queue(Way::Rx, received, lengths[0]));
        link.queues.push(QueueCounters {
            stops: Some(0),
            bql_limit: Some(42_240),
            bql_inflight: Some(sent % 28 * 1514),
            steering: (carried.len() > 1).then(|| format!("{:x}", 1 << number)),
            ..queue(Way::Tx, sent, lengths[1])
        });
        if carried.len() > 1 {
            let parent = format!("0:{:x}", number + 1);
            link.qdiscs.push(qdisc("fq_codel", "0:", &parent, sent));
        }
    }
    link.queues.sort_by_key(|queue| (queue.way, queue.queue));
}

fn setup(name: &str) -> LinkSetup {
    let offload = |name: &str, on| (name.to_owned(), on);
    let physical = name != "lo";
    LinkSetup {
        driver: Some(if physical { "ice" } else { "loopback" }.to_owned()),
        numa_node: physical.then_some(0),
        mtu: Some(if physical { 1500 } else { 65_536 }),
        speed: physical.then_some(25_000),
        offloads: vec![
            offload("gro", true),
            offload("lro", false),
            offload("rx-csum", true),
            offload("tx-csum", true),
            offload("tso", true),
            offload("gso", true),
        ],
        rings: physical.then_some(Ring {
            rx: 2048,
            rx_most: 8160,
            tx: 256,
            tx_most: 8160,
        }),
        channels: physical.then_some(if name == "eth0" { CPUS as u32 } else { 1 }),
        channels_most: physical.then_some(if name == "eth0" { CPUS as u32 } else { 1 }),
        pause: physical.then_some(Pause::default()),
        rss: (name == "eth0").then(|| Rss {
            weights: vec![512 / CPUS as u32; CPUS],
            udp_hash: Some("sdfn".to_owned()),
        }),
        napi: Some(NapiSettings {
            threaded: Some(false),
            ..NapiSettings::default()
        }),
        coalesce: physical.then_some(Coalesce {
            adaptive_rx: true,
            adaptive_tx: true,
            rx_us: 50,
            tx_us: 50,
            ..Coalesce::default()
        }),
        unsupported: if physical {
            Vec::new()
        } else {
            ["rings", "channels", "coalescing", "statistics"]
                .map(str::to_owned)
                .into()
        },
    }
}
