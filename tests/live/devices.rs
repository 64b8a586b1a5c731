//! View 3's figures against known traffic and the kernel's own tools.

use crate::skip::skip;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run, run};
use crate::netop::Netop;

/// The row of a device in the namespace with this name.
fn device<'a>(snapshot: &'a Value, netns: &str, name: &str) -> Option<&'a Value> {
    let rows = snapshot["devices"].as_array().expect("a table");
    rows.iter()
        .find(|row| row["netns"] == netns && row["name"] == name)
}

/// Adds a figure up over the readings until the device has been still for three of them.
fn sum(netop: &mut Netop, (netns, name): (&str, &str), figure: &str) -> u64 {
    let (mut sum, mut still) = (0, 0);
    for _ in 0..60 {
        let Some(row) = device(netop.next(), netns, name) else {
            continue;
        };
        if row["fresh"] != true {
            continue;
        }
        let Some(count) = row[figure].as_u64() else {
            continue;
        };
        sum += count;
        still = if count == 0 && sum > 0 { still + 1 } else { 0 };
        if still == 3 {
            return sum;
        }
    }
    panic!("{figure} of {name} never stands still: {sum}");
}

#[test]
fn a_device_of_another_namespace_has_its_packets_its_name_and_its_driver() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9500"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9500 2 1500 100"));
    let mut netop = Netop::watch(&["--counting", "bpf", "--all"]);
    // The namespaces are known and have a first reading.
    while device(netop.next(), &net.a, &net.va).is_none_or(|row| row["tx_packets"].is_null()) {}
    sender.go();
    sender.wait_for("done");
    assert_eq!(sum(&mut netop, (&net.a, &net.va), "tx_packets"), 3000);
    let row = device(&netop.last, &net.a, &net.va).expect("a row");
    assert_eq!(
        (&row["driver"], &row["kind"]),
        (&"veth".into(), &"veth".into())
    );
    let unsupported = row["setup"]["unsupported"].as_array().expect("a list");
    assert!(unsupported.iter().any(|what| what == "rings"), "{row}");
    sender.finish();
    receiver.finish();
}

#[test]
fn a_namespace_that_nobody_is_in_is_read_and_a_sender_that_ends_takes_nothing_with_it() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let mut netop = Netop::watch(&["--counting", "bpf", "--all"]);
    for (netns, name) in [(&net.a, &net.va), (&net.b, &net.vb)] {
        let there = (0..40).any(|_| {
            let row = device(netop.next(), netns, name);
            row.is_some_and(|row| row["tx_packets"].is_u64())
        });
        assert!(
            there,
            "{name} of {netns} is not read: {}",
            netop.last["health"]
        );
    }
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9501 2 1500 100"));
    sender.go();
    sender.wait_for("done");
    sender.finish();
    assert_eq!(sum(&mut netop, (&net.a, &net.va), "tx_packets"), 3000);
    let received = device(&netop.last, &net.b, &net.vb).expect("a row");
    assert_eq!(received["kind"], "veth");
}

/// (kind, dropped, backlog packets) of each qdisc as `tc -s` says it.
fn tc(netns: &str, name: &str) -> Vec<(String, u64, u64)> {
    let output = run(&["tc", "-n", netns, "-s", "qdisc", "show", "dev", name]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |line: &str, word: &str| -> Option<u64> {
        let rest = line.split_once(word)?.1.trim_start();
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let mut all: Vec<(String, u64, u64)> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("qdisc ") {
            let kind = rest.split(' ').next().expect("a word");
            all.push((kind.to_owned(), 0, 0));
        } else if let (Some(last), Some(dropped)) = (all.last_mut(), number(line, "dropped")) {
            last.1 = dropped;
        } else if let (Some(last), Some(rest)) = (all.last_mut(), line.split_once("b ")) {
            last.2 = number(rest.1, "").unwrap_or(0);
        }
    }
    all
}

#[test]
fn a_shaper_and_the_queue_below_it_drop_as_many_as_tc_says() {
    let Some(_one) = may_run() else { return };
    if Command::new("tc").arg("-V").output().is_err() {
        skip("the command tc (iproute2) is missing");
        return;
    }
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9501"));
    let mut sender = Traffic::start(&net.a, &format!("udp-blast 0.0.0.0:0 {B}:9501 2000"));
    let tc_add = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        let add = ["tc", "-n", &net.a, "qdisc", "add", "dev", &net.va];
        run(&[&add[..], &words].concat());
    };
    tc_add("root handle 1: tbf rate 64kbit burst 2kb limit 100kb");
    tc_add("parent 1:1 handle 10: pfifo limit 50");
    let mut netop = Netop::watch(&["--counting", "bpf"]);
    while device(netop.next(), &net.a, &net.va).is_none_or(|row| row["qdisc_drops"].is_null()) {}
    sender.go();
    sender.wait_for("done");
    let (mut dropped, mut queued) = (0, 0);
    for _ in 0..8 {
        let row = device(netop.next(), &net.a, &net.va).expect("a row");
        if row["fresh"] == true {
            dropped += row["qdisc_drops"].as_u64().expect("counted");
            queued = queued.max(row["qdisc_backlog"].as_u64().expect("read"));
        }
    }
    let said = tc(&net.a, &net.va);
    let row = device(&netop.last, &net.a, &net.va).expect("a row");
    assert_eq!(row["qdisc"], "tbf");
    let ours: Vec<(String, u64)> = (row["qdiscs"].as_array().expect("a list").iter())
        .map(|q| {
            let kind = q["kind"].as_str().expect("text").to_owned();
            (kind, q["drops_total"].as_u64().expect("a number"))
        })
        .collect();
    let theirs: Vec<(String, u64)> = said.iter().map(|(k, d, _)| (k.clone(), *d)).collect();
    assert_eq!(ours, theirs);
    assert_eq!(
        dropped, theirs[0].1,
        "the sum over the intervals is the total"
    );
    assert!(dropped > 1500, "{dropped}");
    assert!((1..=51).contains(&queued), "{queued}");
    drop(sender);
    receiver.finish();
}

/// The GRO ratio of the device while a TCP stream arrives there, with GRO on or off.
fn gro_ratio(net: &Net, gro: bool, port: u16) -> (Option<f64>, Value) {
    let order = format!("offloads {} gro={}", net.vb, u8::from(gro));
    Traffic::start(&net.b, &order).finish();
    // Packets of one segment, so that there is something to merge.
    let order = format!("offloads {} tso=0 gso=0", net.va);
    Traffic::start(&net.a, &order).finish();
    let receiver = Traffic::start(&net.b, &format!("tcp-receive {B}:{port}"));
    let mut sender = Traffic::start(&net.a, &format!("tcp-send {B}:{port} 8000000000"));
    // The sum of what leaves GRO is softnet's, free; by device the gate counts it all the same.
    let mut netop = Netop::watch(&[]);
    sender.go();
    let mut ratio = None;
    for _ in 0..20 {
        let snapshot = netop.next();
        let Some(row) = device(snapshot, &net.b, &net.vb).cloned() else {
            continue;
        };
        let calls = |function: &str| -> f64 {
            let rows = snapshot["functions"].as_array().expect("a table");
            let row = rows.iter().find(|row| row["name"] == function);
            let top = row.expect("a function")["top"].as_array().expect("a list");
            let of = top.iter().find(|share| share["name"] == net.vb.as_str());
            of.and_then(|share| share["calls"].as_f64()).unwrap_or(0.0)
        };
        if row["rx_rate"].as_f64().is_some_and(|rate| rate > 1000.0) {
            ratio = row["gro_ratio"].as_f64();
            if let Some(ratio) = ratio {
                let counted = calls("napi_gro_receive") / calls("netif_receive_skb");
                assert!((ratio - counted).abs() < 1e-6, "{ratio} {counted}");
                drop((sender, receiver));
                return (Some(ratio), row);
            }
        }
    }
    drop((sender, receiver));
    let row = device(&netop.last, &net.b, &net.vb).cloned();
    (ratio, row.expect("a row"))
}

#[test]
fn gro_on_and_off_moves_the_ratio_and_the_offload_says_so() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let gro = |row: &Value| {
        let offloads = row["setup"]["offloads"].as_array().expect("a list").clone();
        let gro = offloads
            .into_iter()
            .find(|offload| offload["name"] == "gro");
        gro.expect("every device has it")["on"].clone()
    };
    let (on, row) = gro_ratio(&net, true, 9502);
    assert_eq!(gro(&row), true);
    let on = on.unwrap_or_else(|| panic!("a stream was merged: {row}"));
    assert!(on > 2.0, "{on}");
    assert!(row["packets_per_poll"].as_f64().is_some(), "{row}");
    let (off, row) = gro_ratio(&net, false, 9503);
    assert_eq!(gro(&row), false);
    // Without NAPI a veth gives nothing to GRO.
    assert!(off.is_none_or(|off| off < 1.1), "{off:?}");
}

#[test]
fn a_device_whose_name_is_no_text_keeps_its_driver_and_steers_no_terminal() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let added = Command::new("ip")
        .args(["-n", &net.a, "link", "add"])
        .arg(OsStr::from_bytes(b"n\x1b[1m\xff"))
        .args(["type", "veth", "peer", "name", "n2"])
        .status();
    assert!(added.expect("ip starts").success());
    let mut netop = Netop::watch(&["--counting", "proc"]);
    let shown = "n?[1m\u{fffd}";
    for _ in 0..10 {
        let row = device(netop.next(), &net.a, shown);
        if row.is_some_and(|row| row["driver"] == "veth") {
            return;
        }
    }
    panic!("{:?}", device(&netop.last, &net.a, shown));
}
