//! The ledger against readings and events made by hand.

mod driver;
mod rates;

use super::*;
use crate::decode::{
    CpuCounters, DriverCounter, LinkCounters, NetnsReading, ProtocolCounters, SlowSample, Softnet,
    Trouble,
};
use crate::model::{KernelFunction, Name, StageId};

const S: u64 = 1_000_000_000;

struct Book(&'static str);

impl Names for Book {
    fn kernel(&mut self, _: u64) -> Name {
        Name {
            text: self.0.into(),
            settled: true,
        }
    }

    fn function(&mut self, _: u64) -> Option<KernelFunction> {
        None
    }

    fn stage(&self, _: StageId) -> &'static str {
        ""
    }

    fn user(&mut self, _: u32, _: u64, _: &mut Vec<Arc<str>>) -> bool {
        true
    }
}

fn event() -> Event {
    let names = [
        (3, "NO_SOCKET"),
        (6, "SOCKET_RCVBUFF"),
        (64, "QDISC_DROP"),
        (66, "QDISC_CONGESTED"),
        (74, "UNHANDLED_PROTO"),
    ];
    Event {
        spec: crate::decode::EventSpec {
            place: crate::decode::Place::Tracepoint,
            group: "skb".into(),
            name: "kfree_skb".into(),
            filter: None,
            fields: Vec::new(),
            device_field: None,
        },
        missing: None,
        gate: true,
        symbols: names
            .map(|(value, name)| ("reason".to_owned(), value, name.to_owned()))
            .into(),
        format: None,
    }
}

/// Seconds go by; each has its counters and its hits of kfree_skb.
struct Bench {
    ledger: Ledger,
    second: u64,
    event: Event,
    host: HostSample,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            ledger: Ledger::default(),
            second: 0,
            event: event(),
            host: HostSample::default(),
        }
    }

    fn counters(&mut self, names: &[(&str, u64)]) -> &mut Bench {
        self.links(Vec::new(), names)
    }

    fn links(&mut self, links: Vec<LinkCounters>, names: &[(&str, u64)]) -> &mut Bench {
        let counters = names.iter().map(|(n, v)| ((*n).to_owned(), *v)).collect();
        let slow = SlowSample {
            at: (self.second + 1) * S,
            links,
            protocols: vec![ProtocolCounters { netns: 1, counters }],
            ..SlowSample::default()
        };
        self.host.slow = Some(Arc::new(slow));
        self
    }

    /// `hits`: reason, how many, in which function.
    fn tick(&mut self, function: &'static str, hits: &[(u64, u64)], period: u64) {
        self.second += 1;
        self.ledger.ingest(S, &self.host);
        let mut counted: FxHashMap<u32, u64> = [(0, 0)].into_iter().collect();
        for &(reason, n) in hits {
            for _ in 0..n / period {
                self.ledger.hit(&Hit {
                    cpu: 0,
                    reason,
                    chain: &[u64::MAX - 4096],
                    device: b"eth0",
                    owner: 900,
                    period,
                });
            }
            *counted.entry(0).or_default() += n;
        }
        let ending = Ending {
            interval_ns: S,
            shown: true,
            counted: &counted,
            event: Some(&self.event),
            helpers: &[],
            owner: &|socket| (socket == 900).then_some(7),
        };
        self.ledger.end_interval(&ending, &mut Book(function));
        self.ledger.episode(self.second * S, self.second * S);
        self.host.slow = None;
    }

    fn drops(&self) -> Vec<Drop> {
        self.ledger.drops(|pid| format!("p{pid}").into())
    }
}

fn backlog(dropped: u64) -> CpuCounters {
    CpuCounters {
        softnet: Softnet {
            dropped,
            ..Softnet::default()
        },
        ..CpuCounters::default()
    }
}

fn qdisc(drops: u64) -> Vec<LinkCounters> {
    vec![LinkCounters {
        netns: 1,
        name: "eth0".into(),
        qdisc_drops: Some(drops),
        ..LinkCounters::default()
    }]
}

#[test]
fn the_first_reading_is_the_baseline_and_no_loss() {
    let mut bench = Bench::new();
    bench
        .counters(&[("Udp.RcvbufErrors", 7000)])
        .tick("f", &[], 1);
    assert_eq!((bench.ledger.rate(), bench.ledger.total()), (None, None));
    bench
        .counters(&[("Udp.RcvbufErrors", 7000)])
        .tick("f", &[], 1);
    assert_eq!(
        (bench.ledger.rate(), bench.ledger.total()),
        (Some(0.0), Some(0))
    );
    assert!(bench.drops().is_empty());
}

#[test]
fn a_drop_that_three_counters_see_is_one_row_with_its_witnesses() {
    let mut bench = Bench::new();
    let names = |n| [("Udp.RcvbufErrors", n), ("Udp.InErrors", n)];
    bench
        .counters(&names(0))
        .tick("udp_queue_rcv_one_skb", &[], 1);
    bench
        .counters(&names(0))
        .tick("udp_queue_rcv_one_skb", &[(6, 1994)], 1);
    // The counter is read after the event was seen.
    bench
        .counters(&names(1994))
        .tick("udp_queue_rcv_one_skb", &[], 1);
    let drops = bench.drops();
    assert_eq!(drops.len(), 1, "{drops:?}");
    let drop = &drops[0];
    assert_eq!(drop.place, "socket buffer (UDP)");
    assert_eq!((drop.total, drop.count, drop.estimated), (1994, 0, false));
    assert_eq!((drop.class, drop.layer), (Class::Trouble, Layer::Socket));
    assert_eq!((drop.pid, drop.comm.as_deref()), (Some(7), Some("p7")));
    let said: Vec<_> = drop
        .witnesses
        .iter()
        .map(|w| (w.name.as_str(), w.count, w.includes_others))
        .collect();
    assert_eq!(
        said,
        [
            ("Udp.RcvbufErrors", 1994, false),
            ("kfree_skb SOCKET_RCVBUFF", 1994, false),
            ("Udp.InErrors", 1994, true),
        ]
    );
}

#[test]
fn samples_are_an_estimate_only_until_a_counter_says_how_many() {
    let mut bench = Bench::new();
    bench
        .counters(&[("Udp.RcvbufErrors", 0)])
        .tick("udp_x", &[], 1);
    bench.tick("udp_x", &[(6, 1990)], 10);
    assert!(bench.drops()[0].estimated);
    bench
        .counters(&[("Udp.RcvbufErrors", 1994)])
        .tick("udp_x", &[], 1);
    let drop = &bench.drops()[0];
    assert_eq!((drop.total, drop.estimated), (1994, false));
}

#[test]
fn the_same_reason_in_another_protocol_is_another_row() {
    let mut bench = Bench::new();
    bench
        .counters(&[("Udp.RcvbufErrors", 0)])
        .tick("raw_rcv", &[], 1);
    bench
        .counters(&[("Udp.RcvbufErrors", 5)])
        .tick("raw_rcv", &[(6, 3)], 1);
    let drops = bench.drops();
    let totals: Vec<_> = drops.iter().map(|d| (d.place.as_str(), d.total)).collect();
    assert_eq!(totals, [("socket buffer (UDP)", 5), ("socket (raw)", 3)]);
}

#[test]
fn a_datagram_dropped_by_a_qdisc_is_one_loss_whatever_else_counts_it() {
    let mut bench = Bench::new();
    let names = |n| {
        [
            ("Udp.SndbufErrors", n),
            ("Ip.OutDiscards", n),
            ("Udp.InErrors", n),
        ]
    };
    bench
        .links(qdisc(0), &names(0))
        .tick("__dev_xmit_skb", &[], 1);
    bench
        .links(qdisc(992), &names(992))
        .tick("__dev_xmit_skb", &[(64, 992)], 1);
    let drops = bench.drops();
    assert_eq!(drops.len(), 1, "{drops:?}");
    assert_eq!(
        (drops[0].place.as_str(), drops[0].total),
        ("qdisc eth0", 992)
    );
    assert_eq!(drops[0].witnesses.len(), 2);
    assert_eq!(bench.ledger.total(), Some(992));
}

#[test]
fn what_the_qdisc_dropped_by_policy_is_not_counted_as_trouble_too() {
    let mut bench = Bench::new();
    bench.links(qdisc(0), &[]).tick("codel", &[], 1);
    bench
        .links(qdisc(100), &[])
        .tick("codel", &[(64, 60), (66, 40)], 1);
    let drops = bench.drops();
    let totals: Vec<_> = drops.iter().map(|d| (d.class, d.total)).collect();
    assert_eq!(totals, [(Class::Trouble, 60), (Class::Policy, 40)]);
}

#[test]
fn an_overflow_of_the_accept_queue_is_not_a_listen_drop_again() {
    let mut bench = Bench::new();
    let names = |n, d| [("TcpExt.ListenOverflows", n), ("TcpExt.ListenDrops", d)];
    bench.counters(&names(0, 0)).tick("f", &[], 1);
    bench.counters(&names(8, 10)).tick("f", &[], 1);
    let totals: Vec<_> = bench
        .drops()
        .iter()
        .map(|d| (d.place.clone(), d.total))
        .collect();
    assert_eq!(
        totals,
        [
            ("accept queue (TCP)".to_owned(), 8),
            ("connection attempts (TCP)".to_owned(), 2)
        ]
    );
}

#[test]
fn a_devices_drops_that_an_event_explains_are_not_unexplained() {
    let mut bench = Bench::new();
    let link = |rx_dropped| {
        vec![LinkCounters {
            netns: 1,
            name: "eth0".into(),
            rx_dropped,
            ..LinkCounters::default()
        }]
    };
    bench
        .links(link(1000), &[])
        .tick("__netif_receive_skb_core", &[], 1);
    bench
        .links(link(1053), &[])
        .tick("__netif_receive_skb_core", &[(74, 50)], 1);
    let losses = bench.ledger.losses(&bench.drops());
    let device = &losses.devices[0];
    assert_eq!((device.rx_dropped, device.unexplained), (53, Some(3)));
    let expected = losses.skb_rate(Class::Expected).unwrap();
    assert!((expected.rate - 50.0).abs() < 1e-9);
}

fn statistic(name: &str, value: u64) -> DriverCounter {
    DriverCounter {
        name: name.to_owned(),
        tells: Trouble::RxDrop,
        value,
    }
}

#[test]
fn a_nics_own_statistic_is_its_ring_and_the_queues_are_added_up() {
    let mut bench = Bench::new();
    let link = |a, b| {
        vec![LinkCounters {
            netns: 1,
            name: "eth0".into(),
            physical: true,
            driver: Some("igb".into()),
            trouble: vec![
                statistic("rx_queue_0_drops", a),
                statistic("rx_queue_1_drops", b),
            ],
            rx_missed: a + b,
            ..LinkCounters::default()
        }]
    };
    bench.links(link(5, 5), &[]).tick("f", &[], 1);
    bench.links(link(7, 8), &[]).tick("f", &[], 1);
    let drops = bench.drops();
    assert_eq!(drops.len(), 1, "{drops:?}");
    assert_eq!(drops[0].place, "NIC ring eth0 (rx_queue_#_drops)");
    assert_eq!((drops[0].total, drops[0].unit), (5, "wire packets"));
}

#[test]
fn losses_of_another_namespace_say_which() {
    let mut bench = Bench::new();
    let link = || {
        vec![LinkCounters {
            netns: 77,
            ..LinkCounters::default()
        }]
    };
    bench
        .links(link(), &[("Udp.RcvbufErrors", 0)])
        .tick("f", &[], 1);
    bench
        .links(link(), &[("Udp.RcvbufErrors", 9)])
        .tick("f", &[], 1);
    assert_eq!(bench.drops()[0].place, "socket buffer (UDP) in netns 1");
}

#[test]
fn a_storm_of_different_losses_stays_bounded() {
    let mut bench = Bench::new();
    let hits: Vec<(u64, u64)> = (1000..3000).map(|reason| (reason, 1)).collect();
    (0..3).for_each(|_| bench.tick("f", &hits, 1));
    let drops = bench.drops();
    assert!(drops.len() <= ROWS + 1, "{}", drops.len());
    assert_eq!(drops.iter().map(|d| d.total).sum::<u64>(), 6000);
}

#[test]
fn losses_are_counted_once_also_where_a_namespace_is_not_read_each_time() {
    let link = |drops| LinkCounters {
        netns: 2,
        name: "eth0".to_owned(),
        physical: true,
        rx_missed: drops,
        ..LinkCounters::default()
    };
    let own = || LinkCounters {
        netns: 1,
        ..LinkCounters::default()
    };
    let mut bench = Bench::new();
    bench.links(vec![own(), link(5)], &[]).tick("f", &[], 1);
    bench.links(vec![own()], &[]);
    let slow = Arc::make_mut(bench.host.slow.as_mut().expect("a reading"));
    let turn = |netns, at| NetnsReading { netns, at };
    slow.namespaces = vec![turn(1, Some(slow.at)), turn(2, None)];
    bench.tick("f", &[], 1);
    bench.links(vec![own(), link(12)], &[]).tick("f", &[], 1);
    let lost: Vec<u64> = bench.drops().iter().map(|drop| drop.total).collect();
    assert_eq!(lost, [7]);
}

#[test]
fn a_sum_over_a_time_in_which_kfree_skb_was_partly_not_counted_says_so() {
    let mut bench = Bench::new();
    bench
        .counters(&[("Udp.RcvbufErrors", 0)])
        .tick("f", &[(2, 40)], 1);
    let partly = |bench: &Bench| -> Vec<Option<f64>> {
        bench.drops().iter().map(|drop| drop.counted_s).collect()
    };
    assert_eq!(partly(&bench), [None]);
    let ending = Ending {
        interval_ns: S,
        shown: true,
        counted: &FxHashMap::default(),
        event: Some(&bench.event),
        helpers: &[],
        owner: &|_| None,
    };
    bench.ledger.end_interval(&ending, &mut Book("f"));
    assert_eq!(partly(&bench), [Some(1.0)]);
    let drop = &bench.drops()[0];
    assert_eq!((drop.total, drop.mark()), (40, "≥"));
}
