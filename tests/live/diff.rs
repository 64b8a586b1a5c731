//! `netop diff` of the real kernel: the same stream with GRO off and on, and twice the same.

use crate::skip::skip;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run};
use crate::netop::Netop;

/// The series of each side. A change of tens of percent needs no minute.
const SECONDS: usize = 20;

/// Snapshots before the stream has found its rate.
const SETTLING: usize = 4;

/// Writes a series of a TCP stream that the sender's queue holds to one rate: costs are compared
/// only under equal loads.
fn series(net: &Net, port: u16, file: &Path) {
    let receiver = Traffic::start(&net.b, &format!("tcp-receive {B}:{port}"));
    let mut sender = Traffic::start(&net.a, &format!("tcp-send {B}:{port} 1000000000000"));
    sender.go();
    let mut netop = Netop::watch_every("1", &["--max-overhead", "100", "-F", "997"]);
    for _ in 0..SETTLING {
        netop.next();
    }
    let mut lines = String::new();
    for _ in 0..SECONDS {
        let _ = writeln!(lines, "{}", netop.next());
    }
    std::fs::write(file, lines).expect("a file");
    drop((sender, receiver));
}

fn diff(before: &Path, after: &Path) -> Value {
    let mut texts = ["text", "json"].map(|format| {
        let output = Command::new(env!("CARGO_BIN_EXE_netop"))
            .arg("diff")
            .args([before, after])
            .args(["--format", format])
            .output()
            .expect("netop starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    eprintln!("{}", texts[0]);
    serde_json::from_str(&std::mem::take(&mut texts[1])).expect("JSON")
}

#[test]
fn gro_makes_a_packet_cheaper_and_its_calls_fewer_beyond_chance() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let queue = ["qdisc", "add", "dev", &net.va, "root", "tbf"];
    let held = Command::new("tc")
        .args(["-n", &net.a])
        .args(queue)
        .args(["rate", "500mbit", "burst", "256kb", "latency", "20ms"])
        .status();
    if !held.is_ok_and(|status| status.success()) {
        skip("tc cannot hold the stream to one rate (sch_tbf)");
        return;
    }
    Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
    let dir = tempfile::tempdir().expect("a directory");
    let [off, again, on] = ["off", "again", "on"].map(|name| dir.path().join(name));
    series(&net, 9051, &off);
    series(&net, 9052, &again);
    Traffic::start(&net.b, &format!("offloads {} gro=1", net.vb)).finish();
    series(&net, 9053, &on);

    let same = diff(&off, &again);
    assert_eq!(same["load"], "comparable");
    let changed = diff(&again, &on);
    assert_eq!(changed["load"], "comparable");
    // Whether 20 s are enough to tell it from chance is the machine's mood; the simulation of
    // model/compare holds the verdicts.
    let pct = changed["ns_per_packet"]["change_pct"].as_f64();
    assert!(pct.is_some_and(|pct| pct < 0.0), "{pct:?}");
    let rows = changed["rows"].as_array().expect("rows");
    let row = rows.iter().find(|row| row["name"] == "netif_receive_skb");
    let rate = &row.expect("it is always counted")["rate"];
    assert_eq!(rate["verdict"], "different");
    let pct = rate["change_pct"].as_f64();
    assert!(pct.is_some_and(|pct| pct < -50.0), "{rate}");
}

/// A recording of `seconds` while datagrams are sent as fast as they go.
fn recording(net: &Net, port: u16, seconds: u32, file: &Path) {
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:{port}"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:{port} 30"));
    sender.go();
    // A debug build's own time alone may be more than the default budget: every row would be shed.
    let output = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["record", "--max-overhead", "100", "--duration"])
        .arg(seconds.to_string())
        .arg("-o")
        .arg(file)
        .output()
        .expect("netop starts");
    assert!(output.status.success(), "{output:?}");
    drop((sender, receiver));
}

#[test]
fn two_recordings_are_compared_and_their_stacks_exported() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let dir = tempfile::tempdir().expect("a directory");
    let [first, second] = ["first.data", "second.data"].map(|name| dir.path().join(name));
    recording(&net, 9061, 5, &first);
    recording(&net, 9062, 5, &second);
    let compared = diff(&first, &second);
    let rows = compared["rows"].as_array().expect("rows");
    let function = |row: &&Value| row["kind"] == "function" && row["name"] == "dev_queue_xmit";
    assert!(rows.iter().any(|row| function(&row)), "{compared:#}");
    let export = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_netop"))
            .arg("export")
            .arg(&first)
            .args(words)
            .output()
            .expect("netop starts");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let cpu = export(&["--to", "folded"]);
    assert!(cpu.contains("net_rx_action"), "{cpu}");
    let hits = export(&["--to", "folded", "--function", "dev_queue_xmit"]);
    assert!(hits.lines().count() > 0);
    assert!(
        hits.lines().all(|line| line.contains("__dev_queue_xmit")),
        "{hits}"
    );
}
