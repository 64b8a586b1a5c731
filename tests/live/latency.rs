//! Times between events against known delays, known counts and known CPUs.

use std::time::{Duration, Instant};

use netop::decode::{Demand, Timing};
use netop::source::live::{Live, Options};
use netop::source::{Source, Step};
use serde_json::Value;

use crate::net::{B, Net, Traffic, ip, may_run, run};
use crate::netop::Netop;

fn pair<'a>(snapshot: &'a Value, name: &str) -> &'a Value {
    let pairs = snapshot["latency"].as_array().expect("a table");
    let found = pairs.iter().find(|pair| pair["pair"] == name);
    found.expect("every pair has a row")
}

fn number(row: &Value, field: &str) -> f64 {
    row[field]
        .as_f64()
        .unwrap_or_else(|| panic!("no {field} in {row}"))
}

/// Everything is attached, and every packet is followed: which is so after a quiet interval.
fn watch_all() -> Netop {
    let mut netop = Netop::watch(&["--latency"]);
    netop.catch_up();
    let started = Instant::now();
    let settled = |netop: &Netop| {
        let row = pair(&netop.last, "xmit_queue");
        row["reason"].is_null() && number(row, "one_in") <= 1.0
    };
    while !settled(&netop) {
        assert!(started.elapsed() < Duration::from_secs(20), "never quiet");
        netop.next();
    }
    netop
}

/// Traffic, again and again, until a snapshot has so many of a pair.
fn until<'a>(netop: &'a mut Netop, name: &str, count: f64, mut traffic: impl FnMut()) -> &'a Value {
    for _ in 0..40 {
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(300) {
            traffic();
        }
        netop.next();
        if number(pair(&netop.last, name), "count") >= count {
            return pair(&netop.last, name);
        }
    }
    panic!("never {count} of {name}: {}", pair(&netop.last, name));
}

#[test]
fn a_slow_qdisc_delays_by_what_its_rate_says() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    // 42 bytes of headers: one each 0.83 ms.
    let tbf = "qdisc add dev DEV root tbf rate 10mbit burst 2000 limit 1mb".replace("DEV", &net.va);
    let words = format!("tc -n {} {tbf}", net.a);
    run(&words.split(' ').collect::<Vec<_>>());
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9420"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9420 1 50 1000"));
    let mut netop = watch_all();
    let mut burst = || {
        sender.go();
        sender.wait_for("done");
        std::thread::sleep(Duration::from_millis(80));
    };
    until(&mut netop, "qdisc", 100.0, &mut burst);
    for name in ["qdisc", "xmit_queue"] {
        let row = pair(&netop.last, name);
        // The first goes at once, the last waits for 48 others.
        let (p50, max) = (number(row, "p50_ns") / 1e6, number(row, "max_ns") / 1e6);
        assert!((14.0..28.0).contains(&p50), "{name}: {row}");
        assert!((30.0..60.0).contains(&max), "{name}: {row}");
        assert!(number(row, "matched_pct") >= 95.0, "{name}: {row}");
    }
    let row = pair(&netop.last, "qdisc");
    assert_eq!(row["by"][0]["name"], net.va.as_str(), "{row}");
    sender.finish();
    receiver.finish();
}

#[test]
fn a_reader_that_sleeps_lets_its_data_wait_as_long() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let reader = Traffic::start(&net.b, &format!("udp-sleepy {B}:9421 20"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9421 1 1 100"));
    let pid = reader.child.id();
    let mut netop = Netop::watch(&["--latency", "-p", &pid.to_string()]);
    let row = until(&mut netop, "reader", 4.0, || {
        sender.go();
        sender.wait_for("done");
        std::thread::sleep(Duration::from_millis(40));
    });
    let p50 = number(row, "p50_ns") / 1e6;
    assert!((18.0..27.0).contains(&p50), "{row}");
    let whose = row["by"][0]["name"].as_str().expect("a name");
    assert!(whose.ends_with(&format!("({pid})")), "{row}");
    sender.finish();
    reader.finish();
}

#[test]
fn every_softirq_that_the_kernel_counts_is_timed() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9422"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9422 2 2000 100"));
    let mut netop = watch_all();
    let (mut runs, mut waits, mut calls) = (0.0, 0.0, 0.0);
    for _ in 0..8 {
        sender.go();
        sender.wait_for("done");
        netop.next();
        runs += number(pair(&netop.last, "net_rx_run"), "count");
        waits += number(pair(&netop.last, "net_rx_wait"), "count");
        calls += netop
            .field("net_rx_action", "calls")
            .as_f64()
            .expect("counted");
    }
    assert!(calls > 1000.0, "{calls}");
    // What is under way at an edge is in the next interval; readings are some time apart.
    assert!(
        (runs - calls).abs() < 0.02 * calls,
        "{runs} runs of {calls}"
    );
    assert!(
        (waits - runs).abs() < 0.01 * calls,
        "{waits} waits of {runs}"
    );
    sender.finish();
    receiver.finish();
}

#[test]
fn a_reader_on_another_cpu_than_the_sender_is_said_to_be() {
    let Some(_one) = may_run() else { return };
    if run(&["nproc"]).stdout == b"1\n" {
        return;
    }
    let pin = |traffic: &Traffic, cpu: &str| {
        run(&[
            "taskset",
            "-a",
            "-c",
            "-p",
            cpu,
            &traffic.child.id().to_string(),
        ]);
    };
    let net = Net::new();
    let reader = Traffic::start(&net.b, &format!("udp-receive {B}:9423"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9423 1 20 100"));
    pin(&sender, "1");
    let mut netop = Netop::watch(&["--latency", "-p", &reader.child.id().to_string()]);
    for (cpu, expected) in [("0", 95.0..=100.0), ("1", 0.0..=5.0)] {
        pin(&reader, cpu);
        netop.catch_up();
        let row = until(&mut netop, "reader", 20.0, || {
            sender.go();
            sender.wait_for("done");
        });
        let crossed = number(row, "crossed_cpu_pct");
        assert!(expected.contains(&crossed), "reader on CPU {cpu}: {row}");
    }
    sender.finish();
    reader.finish();
}

/// BPF links that this process holds.
fn links() -> usize {
    let files = std::fs::read_dir("/proc/self/fdinfo").expect("a process has files");
    let text =
        |file: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(file.ok()?.path()).ok();
    files
        .filter_map(text)
        .filter(|text| text.contains("link_type"))
        .count()
}

#[test]
fn nothing_is_attached_when_nobody_looks_any_more() {
    let Some(_one) = may_run() else { return };
    let interval = Duration::from_millis(100);
    let options = Options {
        specs: Vec::new(),
        tracefs: Err("not for this test".to_owned()),
        interval,
        gate: None,
        clock: true,
        cpus: Vec::new().into(),
    };
    let mut live = Live::open(options).expect("counters can be read");
    let mut demand = Demand {
        interval,
        timing: Some(Timing {
            packets: 1,
            sockets: 1,
            softirqs: 1,
            softirqs_only: false,
        }),
        ..Demand::default()
    };
    live.demand(&demand);
    let started = Instant::now();
    let mut timed = false;
    while !timed {
        assert!(started.elapsed() < Duration::from_secs(20), "never timed");
        if let Step::Tick(tick) = live.step(interval).expect("it goes on") {
            let sample = tick.latency.expect("it was asked for");
            assert_eq!(sample.refused, None);
            timed = sample.timing.is_some();
        }
    }
    assert_eq!(links(), 17);
    demand.timing = None;
    live.demand(&demand);
    let started = Instant::now();
    while links() > 0 {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", links());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The devices' queue is said to be split, not shown as if it were fast.
#[test]
fn packets_that_a_qdisc_splits_are_not_shown_as_if_they_had_been_timed() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let tbf =
        "qdisc add dev DEV root tbf rate 200mbit burst 5000 limit 1mb".replace("DEV", &net.va);
    let words = format!("tc -n {} {tbf}", net.a);
    run(&words.split(' ').collect::<Vec<_>>());
    ip(&["-n", &net.a, "link", "show", &net.va]);
    let receiver = Traffic::start(&net.b, &format!("tcp-receive {B}:9424"));
    let mut sender = Traffic::start(&net.a, &format!("tcp-send {B}:9424 100000000"));
    let mut netop = Netop::watch(&["--latency", "-i", &net.va]);
    sender.go();
    let started = Instant::now();
    loop {
        netop.next();
        let row = pair(&netop.last, "qdisc");
        if let Some(why) = row["reason"]
            .as_str()
            .filter(|why| why.contains("segments"))
        {
            assert!(
                row["p50_ns"].is_null() && number(row, "matched_pct") < 80.0,
                "{why} {row}"
            );
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{row}");
    }
    drop((sender, receiver));
}
