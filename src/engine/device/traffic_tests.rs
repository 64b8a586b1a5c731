//! What devices carried, from made-up counters, samples and the gate's counts.

use super::*;
use crate::decode::{EventId, IrqCounter, LinkCounters, NetnsReading};

fn sample(at: u64, k: u64) -> HostSample {
    let link = |name: &str, physical, local, rate: u64| LinkCounters {
        netns: 1,
        name: name.into(),
        physical,
        local,
        rx_packets: k * rate,
        tx_packets: k * rate * 2,
        rx_bytes: k * rate * 100,
        tx_bytes: k * rate * 200,
        ..LinkCounters::default()
    };
    let slow = SlowSample {
        at,
        links: vec![
            link("eth0", true, false, 1000),
            link("lo", false, true, 10),
            link("br0", false, false, 999),
        ],
        irqs: vec![IrqCounter {
            device: None,
            irq: 147,
            name: "eth0-3".into(),
            per_cpu: vec![k * 500, k],
            ..IrqCounter::default()
        }],
        ..SlowSample::default()
    };
    HostSample {
        cpus: Vec::new(),
        slow: Some(Arc::new(slow)),
    }
}

#[test]
fn wires_and_what_stays_on_the_host_are_added_up_apart_and_bridges_not_at_all() {
    let mut traffic = Traffic::default();
    traffic.ingest(2_000_000_000, &sample(1_000_000_000, 1));
    traffic.ingest(2_000_000_000, &sample(3_000_000_000, 5));
    let mut summary = Summary::default();
    traffic.fill(&mut summary, &[], &[]);
    assert_eq!(
        (summary.rx_pps, summary.tx_pps),
        (Some(2000.0), Some(4000.0))
    );
    assert_eq!(summary.rx_bps, Some(1_600_000.0));
    assert_eq!(summary.local_pps, Some(40.0));
}

#[test]
fn a_late_reading_is_not_the_rate_of_two_intervals_and_says_what_it_is_over() {
    const SECOND: u64 = 1_000_000_000;
    let mut traffic = Traffic::default();
    let shown = |traffic: &Traffic| {
        let mut summary = Summary::default();
        traffic.fill(&mut summary, &[], &[]);
        (summary.rx_pps, summary.devices_s)
    };
    traffic.ingest(SECOND, &sample(SECOND, 1));
    traffic.ingest(SECOND, &sample(2 * SECOND, 2));
    assert_eq!(shown(&traffic), (Some(1000.0), Some(1.0)));
    assert!(traffic.wire().is_some());
    traffic.ingest(SECOND, &HostSample::default());
    assert_eq!(shown(&traffic), (None, None), "of the second before");
    assert_eq!(traffic.wire(), None);
    traffic.ingest(SECOND, &sample(4 * SECOND, 8));
    assert_eq!(shown(&traffic), (Some(3000.0), Some(2.0)));
    assert_eq!(traffic.wire(), None, "hits of one second, packets of two");
    traffic.ingest(SECOND, &sample(5 * SECOND + LATE_NS, 9));
    assert_eq!(shown(&traffic).1, Some(1.03));
    assert!(traffic.wire().is_some());
}

#[test]
fn the_hottest_cpu_is_named_with_its_interrupt_and_its_share_of_rx() {
    let mut traffic = Traffic::default();
    traffic.ingest(1, &sample(1, 1));
    traffic.ingest(1, &sample(2, 2));
    let cpu = |cpu, softirq, rx| Cpu {
        cpu,
        softirq_pct: Some(softirq),
        rx_packets: Some(rx),
        ..Cpu::default()
    };
    let mut summary = Summary::default();
    traffic.fill(&mut summary, &[cpu(1, 20.0, 59), cpu(0, 98.0, 41)], &[0, 1]);
    assert_eq!((summary.hot_cpu, summary.next_cpu), (Some(0), Some(1)));
    assert_eq!(
        summary.hot_cause.as_deref(),
        Some("irq 147 eth0-3, 41% of RX")
    );
}

/// A second of a local device: skbs, their bytes.
fn local(packets: u64, bytes: u64) -> Traffic {
    locals(&[0], packets, bytes)
}

/// The same of a device `va` in each of these namespaces.
fn locals(namespaces: &[u64], packets: u64, bytes: u64) -> Traffic {
    let mut traffic = Traffic::default();
    for second in 0..2 {
        let link = |&netns: &u64| LinkCounters {
            netns,
            name: "va".into(),
            local: true,
            tx_packets: 1 + second * packets,
            tx_bytes: second * bytes,
            ..LinkCounters::default()
        };
        traffic.ingest(
            1_000_000_000,
            &HostSample {
                slow: Some(Arc::new(SlowSample {
                    at: second * 1_000_000_000,
                    links: namespaces.iter().map(link).collect(),
                    ..SlowSample::default()
                })),
                ..HostSample::default()
            },
        );
    }
    traffic
}

#[test]
fn skbs_of_one_packet_are_packets_and_of_longer_ones_samples_must_say_how_many() {
    let mut plain = local(10_000, 14_000_000);
    plain.end_interval(None);
    assert_eq!(plain.wire().map(|wire| wire.all), Some(10_000.0));
    let mut merged = local(10_000, 600_000_000);
    merged.end_interval(None);
    assert_eq!(
        merged.wire(),
        None,
        "nobody knows how many packets they are"
    );
    merged.sent("va", 40.0, 100);
    merged.sent("va", 20.0, 100);
    merged.end_interval(None);
    assert_eq!(merged.wire().map(|wire| wire.all), Some(300_000.0));
    for _ in 0..OLDEST {
        merged.end_interval(None);
    }
    assert_eq!(merged.wire(), None, "what was known is too old");
}

#[test]
fn more_hits_than_the_devices_sent_mean_a_device_that_nobody_reads() {
    let mut traffic = local(1_000, 100_000);
    traffic.end_interval(Some(1_100.0));
    assert!(traffic.wire().is_some());
    traffic.end_interval(Some(90_000.0));
    assert_eq!(traffic.wire(), None);
}

/// What the gate counted of a device `va` on a CPU.
fn counted(netns: u64, cpu: u32, hits: u64, packets: u64) -> DeviceCounts {
    DeviceCounts {
        event: EventId(0),
        cpu,
        netns,
        ifindex: 2,
        name: "va".into(),
        hits,
        packets,
        bytes: 0,
    }
}

#[test]
fn devices_of_one_name_in_two_namespaces_have_their_own_segments() {
    let mut traffic = locals(&[4, 5], 10_000, 600_000_000);
    traffic.carried(&counted(4, 0, 4_000, 4_000));
    traffic.carried(&counted(4, 1, 6_000, 6_000));
    traffic.carried(&counted(5, 0, 10_000, 420_000));
    traffic.end_interval(None);
    assert_eq!(traffic.wire().map(|wire| wire.all), Some(430_000.0));
}

#[test]
fn what_was_counted_goes_before_samples_and_those_before_nothing() {
    let mut traffic = locals(&[4, 5], 10_000, 600_000_000);
    traffic.sent("va", 30.0, 100);
    traffic.carried(&counted(4, 0, 10, 100));
    traffic.end_interval(None);
    // The gate had no room for the one in namespace 5.
    assert_eq!(traffic.wire().map(|wire| wire.all), Some(400_000.0));
    // A count needs no smoothing.
    traffic.carried(&counted(4, 0, 10, 20));
    traffic.carried(&counted(5, 0, 10, 10));
    traffic.end_interval(None);
    assert_eq!(traffic.wire().map(|wire| wire.all), Some(30_000.0));
}

/// A reading of second `s` with a namespace 2 beside the own one, whose `lo` has sent `packets` by then;
/// `None`: its turn has not come.
fn with_another(s: u64, packets: Option<u64>) -> HostSample {
    const SECOND: u64 = 1_000_000_000;
    let mut host = sample(s * SECOND, s);
    let slow = Arc::make_mut(host.slow.as_mut().expect("a reading"));
    let turn = |netns, at| NetnsReading { netns, at };
    let at = packets.map(|_| slow.at);
    slow.namespaces = vec![turn(1, Some(slow.at)), turn(2, at)];
    slow.links.extend(packets.map(|tx_packets| LinkCounters {
        netns: 2,
        name: "lo".into(),
        local: true,
        tx_packets,
        ..LinkCounters::default()
    }));
    host
}

#[test]
fn the_last_rate_of_a_quiet_namespace_stands_and_that_of_a_busy_one_gives_no_ratio() {
    const SECOND: u64 = 1_000_000_000;
    let local = |traffic: &Traffic| {
        let mut summary = Summary::default();
        traffic.fill(&mut summary, &[], &[]);
        summary.local_pps
    };
    let mut traffic = Traffic::default();
    traffic.ingest(SECOND, &with_another(1, Some(100)));
    traffic.ingest(SECOND, &with_another(2, Some(140)));
    assert_eq!(local(&traffic), Some(60.0), "20 of lo, 40 of the other");
    assert!(traffic.wire().is_some());
    for s in [3, 4] {
        traffic.ingest(SECOND, &with_another(s, None));
        assert_eq!(local(&traffic), Some(60.0));
        assert!(traffic.wire().is_some());
    }
    // 3000 in three seconds: in which of them nobody knows.
    traffic.ingest(SECOND, &with_another(5, Some(3140)));
    assert_eq!(local(&traffic), Some(1020.0));
    assert_eq!(traffic.wire(), None);
    traffic.ingest(SECOND, &with_another(6, None));
    assert_eq!(traffic.wire(), None, "a busy one was not read");
    traffic.ingest(SECOND, &with_another(7, Some(3140)));
    traffic.ingest(SECOND, &with_another(8, Some(5140)));
    assert_eq!(local(&traffic), Some(2020.0));
    assert!(traffic.wire().is_some());
    // It is gone.
    traffic.ingest(SECOND, &sample(9 * SECOND, 9));
    assert_eq!(local(&traffic), Some(20.0));
}
