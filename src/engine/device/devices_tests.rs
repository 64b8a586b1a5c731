//! Devices from readings made by hand: every counter grows by its own step per second.

use std::sync::Arc;

use super::*;
use crate::decode::{
    DriverCounter, EventId, IrqCounter, LinkSetup, NetnsReading, QdiscCounters, QueueCounters,
    Trouble, Way,
};

const NETNS: u64 = 1;

const LISTED: Which<'_> = Which {
    all: false,
    listed: true,
    wanted: None,
};

/// The end of the interval, ns.
const AT: u64 = 3_000_000_000;

/// A reading of second `k`.
fn reading(k: u64) -> Arc<SlowSample> {
    let queue = |way, queue, packets| QueueCounters {
        way,
        queue,
        irq: Some(40 + queue),
        packets: Some(packets * k),
        bytes: Some(packets * k * 100),
        drops: Some(2 * k),
        ..QueueCounters::default()
    };
    let eth0 = LinkCounters {
        netns: NETNS,
        ifindex: 2,
        name: "eth0".to_owned(),
        physical: true,
        rx_packets: 1000 * k,
        rx_bytes: 100_000 * k,
        tx_packets: 10 * k,
        tx_bytes: 15_000 * k,
        rx_dropped: k,
        rx_missed: 5 * k,
        qdisc: Some("tbf".to_owned()),
        qdisc_drops: Some(u64::from(u32::MAX - 29).wrapping_add(20 * k) & 0xffff_ffff),
        qdisc_backlog: Some(4),
        qdiscs: vec![QdiscCounters {
            kind: "tbf".to_owned(),
            handle: "1:".to_owned(),
            parent: "root".to_owned(),
            drops: 20 * k,
            ..QdiscCounters::default()
        }],
        queues: vec![queue(Way::Rx, 0, 600), queue(Way::Rx, 1, 400)],
        trouble: vec![DriverCounter {
            name: "rx_missed_errors".to_owned(),
            tells: Trouble::RxDrop,
            value: 50 + 5 * k,
        }],
        driver_at: k * 1_000_000_000,
        // Read now and then only; what was read stands.
        setup: (k == 1).then(|| {
            Arc::new(LinkSetup {
                driver: Some("ice".to_owned()),
                ..LinkSetup::default()
            })
        }),
        ..LinkCounters::default()
    };
    let other = |netns, name: &str, packets| LinkCounters {
        netns,
        ifindex: 2,
        name: name.to_owned(),
        tx_packets: packets * k,
        ..LinkCounters::default()
    };
    let irq = |irq, per_cpu: [u64; 2]| IrqCounter {
        irq,
        name: format!("eth0-{irq}"),
        device: Some("eth0".to_owned()),
        per_cpu: per_cpu.map(|n| n * k).into(),
        ..IrqCounter::default()
    };
    Arc::new(SlowSample {
        at: k * 1_000_000_000,
        links: vec![
            LinkCounters {
                ifindex: 1,
                ..other(NETNS, "lo", 1_000_000)
            },
            LinkCounters {
                ifindex: 3,
                ..other(NETNS, "idle0", 0)
            },
            eth0,
            other(9, "eth0", 300),
        ],
        irqs: vec![irq(40, [100, 0]), irq(41, [0, 25])],
        netns_names: vec![(9, "blue".to_owned())],
        nodes: vec![(4, 0), (5, 1)],
        ..SlowSample::default()
    })
}

fn counts(netns: u64, cpu: u32, hits: u64, packets: u64) -> DeviceCounts {
    DeviceCounts {
        event: EventId(0),
        cpu,
        netns,
        ifindex: 2,
        name: "eth0".to_owned(),
        hits,
        packets,
        bytes: 0,
    }
}

fn two_readings() -> Devices {
    let mut devices = Devices::default();
    devices.ingest(&reading(1), &[4, 5]);
    devices.ingest(&reading(3), &[4, 5]);
    devices
}

fn eth0(rows: &[Device]) -> &Device {
    let own = |row: &&Device| row.name == "eth0" && row.netns.is_none();
    rows.iter().find(own).expect("a row")
}

#[test]
fn a_row_is_the_difference_of_two_readings() {
    let rows = two_readings().finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    let row = eth0(&rows);
    assert_eq!((row.rx_packets, row.rx_rate), (Some(2000), Some(1000.0)));
    assert_eq!((row.rx_length, row.tx_length), (Some(100.0), Some(1500.0)));
    assert_eq!(row.tx_bps, Some(120_000.0));
    assert_eq!(
        (row.interrupts, row.packets_per_interrupt),
        (Some(250), Some(8.0))
    );
    assert_eq!(row.driver.as_deref(), Some("ice"));
    // Two of rx_dropped, ten missed, forty of the qdisc; the counter of its drops has wrapped.
    assert_eq!((row.ring_drops, row.qdisc_drops), (Some(10), Some(40)));
    assert_eq!(row.dropped, Some(52));
    assert_eq!(
        (row.counters[0].count, row.counters[0].total),
        (Some(10), 10)
    );
    assert_eq!(
        (row.qdiscs[0].drops, row.qdiscs[0].drops_total),
        (Some(40), 40)
    );
}

#[test]
fn busy_devices_come_first_then_idle_ones_and_loopback_is_last() {
    let rows = two_readings().finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    let names: Vec<(&str, Option<&str>)> = rows
        .iter()
        .map(|row| (row.name.as_str(), row.netns.as_deref()))
        .collect();
    let expected = [
        ("eth0", None),
        ("eth0", Some("blue")),
        ("idle0", None),
        ("lo", None),
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_queue_has_its_interrupts_and_the_polls_of_the_cpu_it_has_for_itself() {
    let mut devices = two_readings();
    devices.counted(PathPoint::Poll, &counts(NETNS, 4, 50, 1500));
    devices.counted(PathPoint::Poll, &counts(9, 5, 8, 8));
    let rows = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    let row = eth0(&rows);
    let queue = &row.queues[0];
    assert_eq!(
        (queue.cpu, queue.interrupts, queue.polls),
        (Some(4), Some(200), Some(50))
    );
    assert_eq!(
        (queue.rate, queue.bps, queue.drops),
        (Some(600.0), Some(480_000.0), Some(4))
    );
    assert_eq!(row.queues[1].polls, None);
    assert_eq!((row.polls, row.packets_per_poll), (Some(50), Some(30.0)));
    let known = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    assert_eq!(eth0(&known).polls, None, "an interval's counts are its own");
    devices.ingest(
        &Arc::new(SlowSample {
            at: 4_000_000_000,
            ..(*reading(3)).clone()
        }),
        &[4, 5],
    );
    let kept = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    assert_eq!(
        eth0(&kept).queues[0].rate,
        Some(600.0),
        "not read anew, so the last stands"
    );
}

#[test]
fn gro_and_gso_are_ratios_of_what_was_counted_and_nothing_counted_is_no_ratio() {
    let mut devices = two_readings();
    devices.counted(PathPoint::BeforeGro, &counts(NETNS, 4, 900, 900));
    devices.counted(PathPoint::AfterGro, &counts(NETNS, 4, 100, 100));
    devices.counted(PathPoint::Sent, &counts(NETNS, 5, 10, 160));
    let rows = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    let row = eth0(&rows);
    assert_eq!((row.gro_ratio, row.gso_factor), (Some(9.0), Some(16.0)));
    assert_eq!(rows[1].gro_ratio, None);
}

#[test]
fn full_polls_are_a_share_of_the_sampled_ones_unless_two_devices_of_a_name_poll() {
    let polled = |devices: &mut Devices| {
        devices.polled("eth0", 64.0, 64.0, 30);
        devices.polled("eth0", 3.0, 64.0, 90);
    };
    let mut devices = two_readings();
    polled(&mut devices);
    devices.counted(PathPoint::Poll, &counts(NETNS, 4, 50, 1500));
    let rows = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    assert_eq!(eth0(&rows).full_polls_pct, Some(25.0));
    assert_eq!(rows[1].full_polls_pct, None);
    polled(&mut devices);
    devices.counted(PathPoint::Poll, &counts(NETNS, 4, 50, 1500));
    devices.counted(PathPoint::Poll, &counts(9, 4, 50, 1500));
    let rows = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    assert!(rows.iter().all(|row| row.full_polls_pct.is_none()));
}

#[test]
fn a_cpu_names_its_node_and_what_it_serves() {
    let mut devices = two_readings();
    devices.counted(PathPoint::Poll, &counts(NETNS, 4, 50, 1500));
    let backlog = DeviceCounts {
        name: "(no_device)".to_owned(),
        ifindex: u32::MAX,
        ..counts(NETNS, 4, 7, 9)
    };
    devices.counted(PathPoint::Poll, &backlog);
    let mut cpus = [4, 5].map(|cpu| Cpu {
        cpu,
        ..Cpu::default()
    });
    devices.finish(AT, (&mut cpus, &[4, 5]), &LISTED);
    assert_eq!(cpus.each_ref().map(|cpu| cpu.node), [Some(0), Some(1)]);
    let said = |cpu: &Cpu| -> Vec<(String, Option<u64>, Option<u64>)> {
        let serves = cpu.devices.iter();
        serves
            .map(|s| (s.name.clone(), s.interrupts, s.polls))
            .collect()
    };
    let expected = [
        ("eth0".to_owned(), Some(200), Some(50)),
        ("backlog".to_owned(), None, Some(7)),
    ];
    assert_eq!(said(&cpus[0]), expected);
    assert_eq!(said(&cpus[1]), [("eth0".to_owned(), Some(50), None)]);
}

#[test]
fn the_first_reading_names_the_devices_and_counts_nothing() {
    let mut devices = Devices::default();
    devices.ingest(&reading(1), &[4, 5]);
    let rows = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    assert_eq!(rows.len(), 4);
    let row = eth0(&rows);
    assert_eq!((row.interrupts, row.rx_rate, row.fresh), (None, None, true));
    assert_eq!((row.irqs[0].count, row.counters[0].count), (None, None));
    assert_eq!(row.queues[0].interrupts, None);
}

#[test]
fn a_device_that_has_just_come_has_no_rates_yet() {
    let mut devices = Devices::default();
    let mut first = (*reading(1)).clone();
    first.links.retain(|link| link.name == "lo");
    devices.ingest(&Arc::new(first), &[4, 5]);
    devices.ingest(&reading(2), &[4, 5]);
    let rows = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    let row = eth0(&rows);
    assert_eq!(
        (row.rx_rate, row.dropped, row.qdisc_drops),
        (None, None, None)
    );
    assert_eq!(row.qdiscs[0].drops, None);
}

/// The reading of second `k` in which only the own namespace's turn has come.
fn own_only(k: u64) -> Arc<SlowSample> {
    let mut slow = (*reading(k)).clone();
    slow.links.retain(|link| link.netns == NETNS);
    let turn = |netns, at| NetnsReading { netns, at };
    slow.namespaces = vec![turn(NETNS, Some(slow.at)), turn(9, None)];
    Arc::new(slow)
}

fn blue(rows: &[Device]) -> &Device {
    let blue = rows.iter().find(|row| row.netns.as_deref() == Some("blue"));
    blue.expect("a row")
}

#[test]
fn a_namespace_whose_turn_has_not_come_keeps_its_rates_with_their_age_and_is_counted_once() {
    let mut devices = two_readings();
    let rows = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    let row = blue(&rows);
    assert_eq!(
        (row.tx_packets, row.tx_rate, row.age_s),
        (Some(600), Some(300.0), Some(0.0))
    );
    for k in [4, 5] {
        devices.ingest(&own_only(k), &[4, 5]);
        let rows = devices
            .finish(k * 1_000_000_000, (&mut [], &[4, 5]), &LISTED)
            .0;
        let row = blue(&rows);
        assert_eq!(
            (row.tx_packets, row.tx_rate, row.fresh),
            (None, Some(300.0), false)
        );
        assert_eq!(row.age_s, Some((k - 3) as f64));
        assert_eq!(eth0(&rows).rx_packets, Some(1000));
    }
    devices.ingest(&reading(6), &[4, 5]);
    let rows = devices.finish(6_000_000_000, (&mut [], &[4, 5]), &LISTED).0;
    let row = blue(&rows);
    assert_eq!(
        (row.tx_packets, row.tx_rate, row.span_s),
        (Some(900), Some(300.0), Some(3.0))
    );
}

#[test]
fn what_was_counted_is_not_shown_again_in_an_interval_without_a_reading() {
    let mut devices = two_readings();
    devices.finish(AT, (&mut [], &[4, 5]), &LISTED);
    let rows = devices
        .finish(AT + 1_000_000_000, (&mut [], &[4, 5]), &LISTED)
        .0;
    let row = eth0(&rows);
    assert_eq!(
        (row.rx_packets, row.dropped, row.interrupts),
        (None, None, None)
    );
    assert_eq!(
        (row.rx_rate, row.age_s, row.fresh),
        (Some(1000.0), Some(1.0), false)
    );
    assert_eq!(
        (row.queues[0].packets, row.queues[0].rate),
        (None, Some(600.0))
    );
    assert_eq!((row.qdiscs[0].drops, row.qdiscs[0].drops_total), (None, 40));
    assert_eq!((row.counters[0].count, row.irqs[0].count), (None, None));
}

#[test]
fn a_device_is_there_also_while_the_turn_of_its_namespace_has_not_come() {
    let with_blue0 = |mut slow: SlowSample| {
        slow.links.push(LinkCounters {
            netns: 9,
            ifindex: 7,
            name: "blue0".to_owned(),
            ..LinkCounters::default()
        });
        Arc::new(slow)
    };
    let mut devices = Devices::default();
    devices.ingest(&with_blue0((*reading(1)).clone()), &[4, 5]);
    devices.ingest(&own_only(2), &[4, 5]);
    assert!(devices.has("blue0") && !devices.has("blue1"));
    let mut gone = (*own_only(3)).clone();
    gone.namespaces.pop();
    devices.ingest(&Arc::new(gone), &[4, 5]);
    assert!(!devices.has("blue0"));
}

#[test]
fn a_namespace_that_is_gone_has_no_rows() {
    let mut devices = two_readings();
    let mut slow = (*own_only(4)).clone();
    slow.namespaces.pop();
    devices.ingest(&Arc::new(slow), &[4, 5]);
    let rows = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    assert!(rows.iter().all(|row| row.netns.is_none()));
}

#[test]
fn devices_that_only_proc_lists_are_told_apart_by_their_names() {
    let with = |k: u64| {
        let mut slow = (*reading(k)).clone();
        for (name, packets) in [("va", 7), ("vb", 9)] {
            slow.links.push(LinkCounters {
                netns: 9,
                name: name.to_owned(),
                tx_packets: packets * k,
                ..LinkCounters::default()
            });
        }
        Arc::new(slow)
    };
    let mut devices = Devices::default();
    devices.ingest(&with(1), &[4, 5]);
    devices.ingest(&with(3), &[4, 5]);
    let rows = devices.finish(AT, (&mut [], &[4, 5]), &LISTED).0;
    let sent = |name: &str| rows.iter().find(|row| row.name == name)?.tx_packets;
    assert_eq!((sent("va"), sent("vb")), (Some(14), Some(18)));
}

#[test]
fn a_snapshot_has_the_busiest_devices_and_all_of_them_only_where_they_are_listed() {
    let at = |k: u64| {
        let mut slow = SlowSample {
            at: k * 1_000_000_000,
            ..SlowSample::default()
        };
        for index in 1..=200 {
            slow.links.push(LinkCounters {
                netns: NETNS,
                ifindex: index,
                name: format!("veth{index}"),
                // The last 100 carry packets.
                rx_packets: if index > 100 { k * u64::from(index) } else { 0 },
                ..LinkCounters::default()
            });
        }
        Arc::new(slow)
    };
    let mut devices = Devices::default();
    let mut chosen = |k: u64, which: &Which<'_>| {
        devices.ingest(&at(k), &[4, 5]);
        let (rows, others) = devices.finish(k * 1_000_000_000, (&mut [], &[4, 5]), which);
        let others = others.map(|others| (others.devices, others.rx_packets));
        (
            rows.len(),
            rows.exported().count(),
            rows.forgotten(),
            others,
        )
    };
    let bare = Which::default();
    chosen(1, &bare);
    // 64 and the 36 others that carry something.
    assert_eq!(chosen(2, &bare), (100, 100, 100, Some((100, 0))));
    assert_eq!(chosen(3, &LISTED), (200, 100, 0, Some((100, 0))));
    let wanted = Which {
        wanted: Some("veth7"),
        ..Which::default()
    };
    assert_eq!(chosen(4, &wanted), (101, 101, 99, Some((99, 0))));
    let all = Which {
        all: true,
        ..Which::default()
    };
    assert_eq!(chosen(5, &all), (200, 200, 0, None));
}
