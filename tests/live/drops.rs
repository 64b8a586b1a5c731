//! The drop ledger against known losses: each once, at its place, with its class, and with
//! witnesses that say what the kernel's own counters say.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::net::{B, Net, Traffic, ip, may_run, run};
use crate::netop::Netop;

/// Rows of the ledger whose `where` begins so.
fn rows<'a>(netop: &'a Netop, place: &str) -> Vec<&'a Value> {
    let drops = netop.last["drops"].as_array().expect("a table");
    let of = |row: &&Value| row["where"].as_str().is_some_and(|w| w.starts_with(place));
    drops.iter().filter(of).collect()
}

fn total(netop: &Netop, place: &str) -> u64 {
    let rows = rows(netop, place);
    rows.iter().filter_map(|row| row["total"].as_u64()).sum()
}

/// Takes snapshots until the place has lost something and then nothing for two of them.
fn settle(netop: &mut Netop, place: &str) {
    netop.catch_up();
    let started = Instant::now();
    let (mut seen, mut still) = (0, 0);
    while still < 2 || seen == 0 {
        let waited = started.elapsed();
        assert!(
            waited < Duration::from_secs(20),
            "{place}: {}",
            netop.last["drops"]
        );
        netop.next();
        let now = total(netop, place);
        still = if now == seen { still + 1 } else { 0 };
        seen = now;
    }
}

/// What a counter of the row says; of a namespace, where it is one of a protocol.
fn witness(row: &Value, name: &str) -> u64 {
    let witnesses = row["witnesses"].as_array().expect("a list");
    let found = witnesses.iter().find(|w| w["name"] == name);
    let found = found.unwrap_or_else(|| panic!("{name} is no witness of {row}"));
    found["count"].as_u64().expect("a count")
}

fn in_namespace(namespace: &str, words: &[&str]) -> String {
    let output = run(&[&["ip", "netns", "exec", namespace], words].concat());
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A counter of /proc/net/snmp or netstat of the namespace.
fn counter(namespace: &str, file: &str, group: &str, name: &str) -> u64 {
    let text = in_namespace(namespace, &["cat", &format!("/proc/net/{file}")]);
    let lines: Vec<Vec<&str>> = (text.lines())
        .filter(|line| line.split(':').next() == Some(group))
        .map(|line| line.split_whitespace().collect())
        .collect();
    let column = lines[0].iter().position(|n| *n == name).expect("a counter");
    lines[1][column].parse().expect("a number")
}

fn is(row: &Value, class: &str, layer: &str) {
    assert_eq!(row["class"], class, "{row}");
    assert_eq!(row["layer"], layer, "{row}");
}

#[test]
fn every_loss_is_one_row_at_its_place_and_its_witnesses_say_what_the_kernel_says() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let deaf = Traffic::start(&net.b, &format!("udp-deaf {B}:9000"));
    let full = Traffic::start(&net.b, &format!("tcp-full {B}:9001"));
    let start = |order: String| Traffic::start(&net.a, &order);
    let mut flood = start(format!("udp-send 0.0.0.0:0 {B}:9000 1 2000 200"));
    let mut closed = start(format!("udp-blast 0.0.0.0:0 {B}:9999 20"));
    let mut strange = start(format!("frames {} 50", net.va));
    let mut knock = start(format!("tcp-knock {B}:9001 6"));
    let netns = &net.b;
    let of_b = |name: &str| format!("{name} in netns {netns}");
    let mut netop = Netop::watch_every("1", &["--max-overhead", "100"]);
    netop.next();

    flood.go();
    flood.wait_for("done");
    settle(&mut netop, "socket buffer (UDP)");
    let found = rows(&netop, "socket buffer (UDP)");
    assert_eq!(found.len(), 1, "{found:?}");
    let row = found[0];
    is(row, "trouble", "socket");
    let lost = counter(&net.b, "snmp", "Udp", "RcvbufErrors");
    assert!((1_980..2_000).contains(&lost), "{lost}");
    assert_eq!(witness(row, &of_b("Udp.RcvbufErrors")), lost);
    assert_eq!(row["total"], lost);
    assert_eq!(row["estimated"], false);
    let seen = witness(row, "kfree_skb SOCKET_RCVBUFF");
    assert!(seen.abs_diff(lost) <= lost / 20, "{seen} of {lost}");
    assert_eq!(row["location"], "udp_queue_rcv_one_skb");

    closed.go();
    closed.wait_for("done");
    settle(&mut netop, "closed port (UDP)");
    let found = rows(&netop, "closed port (UDP)");
    assert_eq!(found.len(), 1, "{found:?}");
    is(found[0], "look", "socket");
    assert_eq!(witness(found[0], &of_b("Udp.NoPorts")), 20);
    assert_eq!(witness(found[0], "kfree_skb NO_SOCKET"), 20);
    assert_eq!(found[0]["total"], 20);

    strange.go();
    strange.wait_for("done");
    let place = format!("stack {}", net.vb);
    settle(&mut netop, &place);
    let found = rows(&netop, &place);
    assert_eq!(found.len(), 1, "{found:?}");
    is(found[0], "expected", "stack");
    assert_eq!(found[0]["reason"], "UNHANDLED_PROTO");
    assert_eq!(
        (&found[0]["total"], &found[0]["estimated"]),
        (&50.into(), &false.into())
    );
    netop.next();
    let devices = netop.last["losses"]["devices"].as_array().expect("a table");
    let its = |device: &&Value| device["device"] == net.vb.as_str();
    let device = devices.iter().find(its).expect("it counts them too");
    assert_eq!(
        (&device["rx_dropped"], &device["unexplained"]),
        (&50.into(), &0.into())
    );

    knock.go();
    knock.wait_for("done");
    settle(&mut netop, "accept queue (TCP)");
    let found = rows(&netop, "accept queue (TCP)");
    assert_eq!(found.len(), 1, "{found:?}");
    is(found[0], "trouble", "socket");
    let refused = counter(&net.b, "netstat", "TcpExt", "ListenOverflows");
    assert!(refused >= 4, "{refused}");
    assert_eq!(found[0]["total"], refused);
    assert_eq!(witness(found[0], &of_b("TcpExt.ListenDrops")), refused);
    assert!(rows(&netop, "connection attempts").is_empty());
    deaf.finish();
    full.finish();
}

#[test]
fn what_a_shaper_drops_is_one_row_and_equals_its_own_counter() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let shaper = "tbf rate 20mbit burst 10kb limit 20kb";
    let words: Vec<&str> = ["-n", &net.a, "qdisc", "add", "dev", &net.va, "root"]
        .into_iter()
        .chain(shaper.split(' '))
        .collect();
    run(&[&["tc"], words.as_slice()].concat());
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9000"));
    let order = format!("udp-send 0.0.0.0:0 {B}:9000 1 1500 1400");
    let mut sender = Traffic::start(&net.a, &order);
    let mut netop = Netop::watch_every("1", &["--max-overhead", "100"]);
    netop.next();
    sender.go();
    sender.wait_for("done");
    let place = format!("qdisc {}", net.va);
    settle(&mut netop, &place);
    let found = rows(&netop, &place);
    assert_eq!(found.len(), 1, "{found:?}");
    is(found[0], "trouble", "qdisc");
    let text = run(&["tc", "-n", &net.a, "-s", "qdisc", "show", "dev", &net.va]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let after = text.split("(dropped ").nth(1).expect("a figure");
    let dropped: u64 = after
        .split(',')
        .next()
        .and_then(|n| n.parse().ok())
        .expect(&text);
    assert!(dropped > 1_000, "{text}");
    assert_eq!(found[0]["total"], dropped, "{}", found[0]);
    assert_eq!(witness(found[0], "kfree_skb QDISC_DROP"), dropped);
    sender.finish();
    receiver.finish();
    ip(&["-n", &net.a, "link", "set", &net.va, "down"]);
}
