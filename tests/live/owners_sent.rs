//! What leaves in nobody's context belongs to its sender: paced and shaped streams; and where all of
//! it leaves in the sender's own, perf says the same.

use crate::skip::skip;
use std::process::{Command, Stdio};

use crate::net::{B, Net, Traffic, may_run, run};
use crate::netop::Netop;

/// What a stream's sender put on the device, and everybody.
fn sent(net: &Net, port: u16, order: &str, function: &str) -> [u64; 2] {
    let mut receiver = Traffic::start(&net.b, &format!("tcp-receive {B}:{port}"));
    let mut sender = Traffic::start(&net.a, order);
    let pid = sender.child.id().to_string();
    let mut its = Netop::watch(&["-p", &pid, "-i", &net.va]);
    let mut all = Netop::watch(&["-i", &net.va]);
    sender.go();
    receiver.wait_for("done");
    let sent = [&mut its, &mut all].map(|netop| netop.settle(function));
    assert_eq!(its.last["filter"]["by"], "owner");
    sender.finish();
    receiver.finish();
    sent
}

/// The handshake and the last words have no socket with a process.
fn all_but_a_few([its, all]: [u64; 2]) {
    assert!(all > 20 && its <= all && its + 8 >= all, "{its} of {all}");
}

#[test]
fn a_paced_stream_that_leaves_when_a_timer_says_so_is_its_senders() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let order = format!("tcp-paced {B}:9901 2000000 2000000");
    all_but_a_few(sent(&net, 9901, &order, "net_dev_start_xmit"));
}

#[test]
fn a_shaped_stream_that_leaves_from_the_qdiscs_timer_is_its_senders() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let words = ["tc", "-n", &net.a, "qdisc", "add", "dev", &net.va, "root"];
    let tbf = [
        "tbf", "rate", "20mbit", "burst", "70000", "limit", "3000000",
    ];
    run(&[&words[..], &tbf[..]].concat());
    let order = format!("tcp-paced {B}:9902 2000000 2000000000");
    all_but_a_few(sent(&net, 9902, &order, "net_dev_start_xmit"));
}

#[test]
fn of_a_sender_of_datagrams_perf_says_the_same() {
    let Some(_one) = may_run() else { return };
    if Command::new("perf").arg("--version").output().is_err() {
        skip("the command perf is missing");
        return;
    }
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9903"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9903 1 3000 200"));
    let pid = sender.child.id().to_string();
    let mut netop = Netop::watch(&["-p", &pid]);
    let events = "net:net_dev_queue,sock:sock_send_length";
    let perf = Command::new("perf")
        .args(["stat", "-x", ",", "-e", events, "-p", &pid])
        .stderr(Stdio::piped())
        .spawn()
        .expect("perf starts");
    // perf says nowhere that it has begun: its events have when it has opened them.
    let opened = format!("/proc/{}/fd", perf.id());
    let began = std::time::Instant::now();
    let open = || {
        let files = std::fs::read_dir(&opened).into_iter().flatten().flatten();
        let links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
        links
            .filter(|link| link.to_string_lossy().contains("perf_event"))
            .count()
    };
    while open() < 2 && began.elapsed().as_secs() < 10 {
        netop.next();
    }
    netop.next();
    sender.go();
    sender.wait_for("done");
    let queued = netop.settle("dev_queue_xmit");
    let sends = netop.total("sock_send_length");
    run(&["kill", "-INT", &perf.id().to_string()]);
    let said = perf.wait_with_output().expect("perf ends").stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let count = |event: &str| -> u64 {
        let line = said.lines().find(|line| line.contains(event));
        let first = line.and_then(|line| line.split(',').next());
        first
            .and_then(|n| n.parse().ok())
            .unwrap_or_else(|| panic!("{event}: {said}"))
    };
    assert_eq!((queued, sends), (3000, 3000));
    assert_eq!(count("net_dev_queue"), queued, "{said}");
    assert_eq!(count("sock_send_length"), sends, "{said}");
    sender.finish();
    receiver.finish();
}
