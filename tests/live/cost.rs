//! What netop says it costs, measured on the traffic that is there, and what it gives up for it.

use std::thread::sleep;
use std::time::Duration;

use crate::net::{B, Net, Traffic, may_run};
use crate::netop::Netop;

/// A flood that fills CPU 0, and its reader on CPU 1.
fn flood(net: &Net, port: u16) -> (Traffic, Traffic) {
    let reader = Traffic::start(&net.b, &format!("udp-drain {B}:{port} 1"));
    let mut sender = Traffic::start(&net.a, &format!("udp-fill {B}:{port} 0"));
    sender.go();
    (reader, sender)
}

/// Rows that a flood of datagrams hits.
const HIT: [&str; 6] = [
    "dev_queue_xmit",
    "net_dev_start_xmit",
    "netif_rx",
    "sock_recv_length",
    "consume_skb",
    "kfree_skb",
];

/// Seconds.
const MEASURED_WITHIN: usize = 40;

/// Rows that are counted a part of the time at that budget.
const IN_WINDOWS: [&str; 3] = ["dev_queue_xmit", "net_dev_start_xmit", "netif_rx"];

#[test]
fn under_a_flood_no_row_is_given_up_and_a_hit_is_priced_on_the_traffic() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let (_reader, _sender) = flood(&net, 9701);
    let mut netop = Netop::watch_every("1", &["--max-overhead", "2"]);
    let mut modelled = 0.0;
    // A debug build spends so much on names at first that the budget leaves few windows for seconds.
    for second in 0..MEASURED_WITHIN {
        let health = &netop.next()["health"];
        // 0 in a second without a window.
        modelled += health["cost_modelled_pct"].as_f64().expect("a figure");
        let windows = health["cost_windows"].as_f64();
        let bound = health["cost_bound_pct"].as_f64();
        let priced = windows >= Some(4.0) && bound.is_some_and(|bound| bound < 2.0);
        // A row has one where the last windows foretell it.
        let bounded = |function: &&str| netop.field(function, "error").is_number();
        if second >= 9 && priced && IN_WINDOWS.iter().all(bounded) {
            break;
        }
    }
    for function in HIT {
        let rate = netop.field(function, "rate").as_f64();
        let why = netop.field(function, "reason");
        assert!(rate.is_some(), "{function} has no rate: {why}");
    }
    let health = &netop.last["health"];
    let figure = |name: &str| {
        let value = health[name].as_f64();
        value.unwrap_or_else(|| panic!("{name} is not measured: {health}"))
    };
    assert!(figure("cost_windows") >= 4.0, "{health}");
    let bound = figure("cost_bound_pct");
    assert!((0.0..2.0).contains(&bound), "{health}");
    assert!(modelled > 0.0, "{health}");
    // What windows saw stands for the interval: the kernel counts each datagram as received.
    assert_eq!(netop.field("netif_receive_skb", "source"), "proc");
    let exact = netop.field("netif_receive_skb", "rate").as_f64();
    let exact = exact.expect("a rate");
    for function in IN_WINDOWS {
        let row = netop.row(function);
        assert_eq!(row["estimated"], true, "{row}");
        let rate = row["rate"].as_f64().expect("a rate");
        assert!((rate / exact - 1.0).abs() < 0.02, "{exact}: {row}");
        let bound = row["error"].as_f64().expect("a bound");
        assert!(bound < 0.05 * exact, "{row}");
    }
}

/// The kernel times each run of a BPF program: that makes netop's dearer, and nobody else's here.
struct DearPrograms;

const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

impl DearPrograms {
    fn begin() -> DearPrograms {
        std::fs::write(STATS, "1").expect("root may");
        DearPrograms
    }
}

impl Drop for DearPrograms {
    fn drop(&mut self) {
        std::fs::write(STATS, "0").expect("root may");
    }
}

/// What a hit costs as netop measures it on the traffic, ns. `dear`: from after its loop at the start,
/// which does not know of it then.
fn price(dear: bool) -> f64 {
    let mut netop = Netop::watch_every("1", &["--max-overhead", "10"]);
    netop.next();
    let _dear = dear.then(DearPrograms::begin);
    for _ in 0..30 {
        netop.next();
    }
    let health = &netop.last["health"];
    let figure = |name: &str| health[name].as_f64().expect("it is measured");
    assert!(figure("cost_windows") >= 20.0, "{health}");
    figure("bpf_hit_ns")
}

#[test]
fn the_price_of_a_hit_follows_what_programs_cost_on_the_traffic() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let (_reader, _sender) = flood(&net, 9703);
    let prices = [false, true, false].map(price);
    let usual = f64::midpoint(prices[0], prices[2]);
    assert!(prices[1] > 1.15 * usual, "{prices:?} ns");
}

#[test]
fn a_burst_after_a_quiet_time_is_answered_within_the_second() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    // Wherever in its interval it begins.
    for begins in [0, 300, 600].map(Duration::from_millis) {
        let mut netop = Netop::watch_every("1", &[]);
        for _ in 0..3 {
            netop.next();
        }
        sleep(begins);
        let (_reader, _sender) = flood(&net, 9702);
        let said = (0..4).any(|_| {
            let notes = &netop.next()["health"]["notes"];
            notes.to_string().contains("burst: events")
        });
        assert!(said, "{begins:?}: {}", netop.last["health"]);
        // Counted again, in windows.
        for _ in 0..4 {
            netop.next();
        }
        for function in HIT {
            let rate = netop.field(function, "rate").as_f64();
            assert!(rate.is_some(), "{function}: {}", netop.row(function));
        }
    }
}
