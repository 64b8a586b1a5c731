//! What netop says it costs, measured on the traffic that is there, and what it gives up for it.

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

#[test]
fn under_a_flood_no_row_is_given_up_and_a_hit_is_priced_on_the_traffic() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let (_reader, _sender) = flood(&net, 9701);
    let mut netop = Netop::watch_every("1", &["--max-overhead", "2"]);
    for _ in 0..10 {
        netop.next();
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
    assert!(figure("cost_modelled_pct") > 0.0, "{health}");
    // Estimates agree with what is counted all the time.
    let (sent, exact) = ("net_dev_start_xmit", "dev_queue_xmit");
    let rates = [sent, exact].map(|f| netop.field(f, "rate").as_f64().expect("a rate"));
    let ratio = rates[0] / rates[1];
    assert!((0.5..2.0).contains(&ratio), "{rates:?}");
}

#[test]
fn a_burst_after_a_quiet_time_is_answered_within_the_second() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let mut netop = Netop::watch_every("1", &[]);
    for _ in 0..3 {
        netop.next();
    }
    let (_reader, _sender) = flood(&net, 9702);
    let said = (0..4).any(|_| {
        let notes = &netop.next()["health"]["notes"];
        notes.to_string().contains("a burst: ")
    });
    assert!(said, "{}", netop.last["health"]);
    // Counted again, in windows.
    for _ in 0..4 {
        netop.next();
    }
    for function in HIT {
        let rate = netop.field(function, "rate").as_f64();
        assert!(rate.is_some(), "{function}: {}", netop.row(function));
    }
}
