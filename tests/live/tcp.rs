//! Streams that are held up by a known cause, and what view 9's figures call it.

use serde_json::Value;

use crate::net::{A, B, Net, Traffic, ip, may_run, run};
use crate::netop::Netop;

/// Intervals in which a stream is watched.
const WATCHED: usize = 5;

/// The sender's row of the connection to `remote`.
fn sender<'a>(snapshot: &'a Value, remote: &str) -> Option<&'a Value> {
    let all = snapshot["tcp"].as_array()?;
    all.iter().find(|tcp| tcp["remote"] == remote)
}

/// What it was held up by in most of the intervals, and the mean of that share.
fn watched(netop: &mut Netop, remote: &str) -> (String, f64) {
    let mut limits: Vec<(String, f64)> = Vec::new();
    netop.catch_up();
    for _ in 0..WATCHED {
        let snapshot = netop.next();
        let Some(tcp) = sender(snapshot, remote) else {
            continue;
        };
        let Some(limit) = tcp["limit"].as_str() else {
            continue;
        };
        let share = tcp["limited"][format!("{limit}_pct")].as_f64();
        limits.push((limit.to_owned(), share.unwrap_or(0.0)));
    }
    let of = |name: &str| limits.iter().filter(|(limit, _)| limit == name).count();
    let (limit, _) = limits
        .iter()
        .max_by_key(|(limit, _)| of(limit))
        .unwrap_or_else(|| panic!("{remote} was never told: {}", netop.last["tcp"]));
    let shares: Vec<f64> = limits
        .iter()
        .filter(|l| l.0 == *limit)
        .map(|l| l.1)
        .collect();
    (
        limit.clone(),
        shares.iter().sum::<f64>() / shares.len() as f64,
    )
}

fn held_up(
    receive: &str,
    send: &str,
    port: u16,
    prepare: impl FnOnce(&Net),
) -> (String, f64, Value) {
    let net = Net::new();
    prepare(&net);
    let receiver = Traffic::start(&net.b, &format!("{receive} {B}:{port}"));
    let mut sending = Traffic::start(&net.a, &format!("{send} {B}:{port}"));
    let mut netop = Netop::watch_every("0.5", &[]);
    sending.go();
    let remote = format!("{B}:{port}");
    let (limit, share) = watched(&mut netop, &remote);
    let mut row = sender(&netop.last, &remote).cloned().expect("it is told");
    let all = netop.last["tcp"].as_array().expect("a table");
    let other = all.iter().find(|tcp| tcp["local"] == remote.as_str());
    row["arrived_bps"] = other.expect("the other end")["received_bps"].clone();
    assert_eq!(row["pid"], sending.child.id(), "whose it is: {row}");
    drop((sending, receiver));
    (limit, share, row)
}

#[test]
fn a_slow_reader_is_the_peers_window() {
    let Some(_one) = may_run() else { return };
    let (limit, share, row) = held_up("tcp-slow", "tcp-stream", 9101, |_| {});
    assert_eq!(limit, "rwnd", "{row}");
    assert!(share > 50.0, "{share}: {row}");
}

#[test]
fn a_small_send_buffer_is_ours() {
    let Some(_one) = may_run() else { return };
    // One segment to an skb: one of 64 KiB (TCP builds them without offloads too) is more than the
    // buffer, and what cannot go of it at once is unsent, which the kernel calls the window's. A slow
    // way back for the acknowledgements makes a round trip that the buffer does not cover.
    let prepare = |net: &Net| {
        ip(&["-n", &net.a, "link", "set", &net.va, "gso_max_segs", "1"]);
        let words = ["tc", "-n", &net.b, "qdisc", "add", "dev", &net.vb, "root"];
        let tbf = ["tbf", "rate", "200kbit", "burst", "1600", "limit", "30000"];
        run(&[&words[..], &tbf[..]].concat());
    };
    let (limit, share, row) = held_up("tcp-fast", "tcp-stream-sndbuf", 9102, prepare);
    assert_eq!(limit, "sndbuf", "{row}");
    assert!(share > 50.0, "{share}: {row}");
}

#[test]
fn a_full_queue_that_drops_is_the_wire_with_its_retransmits() {
    let Some(_one) = may_run() else { return };
    let prepare = |net: &Net| {
        Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
        let words = ["tc", "-n", &net.a, "qdisc", "add", "dev", &net.va, "root"];
        let tbf = ["tbf", "rate", "20mbit", "burst", "3000", "limit", "12000"];
        run(&[&words[..], &tbf[..]].concat());
    };
    let (limit, share, row) = held_up("tcp-fast", "tcp-stream", 9103, prepare);
    assert_eq!(limit, "cwnd", "{row}");
    assert!(share > 50.0, "{share}: {row}");
    assert!(row["total_retrans"].as_u64() > Some(0), "{row}");
    // What a queue of this host drops counts as sent: what arrived is the rate of the way.
    let rate = row["arrived_bps"].as_f64().expect("measured");
    assert!((15e6..20e6).contains(&rate), "{rate} of 20 Mb/s: {row}");
}

#[test]
fn an_application_that_sends_little_is_the_application() {
    let Some(_one) = may_run() else { return };
    let (limit, share, row) = held_up("tcp-fast", "tcp-trickle", 9104, |_| {});
    assert_eq!(limit, "app", "{row}");
    assert!(share > 90.0, "{share}: {row}");
}

#[test]
fn the_bytes_of_the_intervals_add_up_to_what_was_sent_and_to_the_sums() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("tcp-fast {B}:9105"));
    let mut sending = Traffic::start(&net.a, &format!("tcp-portion {B}:9105 3000000"));
    let mut netop = Netop::watch_every("0.5", &[]);
    sending.go();
    sending.wait_for("done");
    let remote = format!("{B}:9105");
    let (mut row, mut port, mut new) = (0, 0, 0);
    for _ in 0..6 {
        let snapshot = netop.next();
        let Some(tcp) = sender(snapshot, &remote) else {
            continue;
        };
        row += tcp["bytes_sent"].as_u64().unwrap_or(0) - tcp["bytes_retrans"].as_u64().unwrap_or(0);
        assert_eq!(tcp["local"].as_str().map(|a| a.starts_with(A)), Some(true));
        let groups = snapshot["tcp_groups"].as_array().expect("sums");
        let to = groups
            .iter()
            .find(|g| g["by"] == "network" && g["name"] == "10.99.0.0/24");
        let to = to.expect("the peer's network");
        port += to["bytes_received"].as_u64().unwrap_or(0);
        new += snapshot["sockets"]["opened"].as_u64().unwrap_or(0);
    }
    assert_eq!(row, 3_000_000);
    assert_eq!(
        port, 3_000_000,
        "received at the other end, by the same network"
    );
    assert!(new >= 2, "both ends were new: {new}");
    sending.finish();
    receiver.finish();
}

#[test]
fn a_full_listen_queue_is_shown_with_what_it_dropped() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let listening = Traffic::start(&net.b, &format!("tcp-listen {B}:9106 1"));
    let mut netop = Netop::watch_every("0.5", &[]);
    let mut knocking = Traffic::start(&net.a, &format!("tcp-queue-up {B}:9106 6"));
    knocking.go();
    knocking.wait_for("done");
    netop.catch_up();
    let mut dropped = 0;
    let mut found = Value::Null;
    for _ in 0..4 {
        let all = netop.next()["listeners"].as_array().cloned();
        let row = all
            .into_iter()
            .flatten()
            .find(|l| l["local"] == format!("{B}:9106"));
        found = row.expect("the listener");
        dropped = found["dropped_total"].as_u64().expect("counted");
        if dropped > 0 {
            break;
        }
    }
    assert_eq!(
        (&found["queue"], &found["backlog"]),
        (&2.into(), &1.into()),
        "{found}"
    );
    assert!(dropped > 0, "{found}");
    assert_eq!(found["pid"], listening.child.id());
    knocking.finish();
    listening.finish();
}
