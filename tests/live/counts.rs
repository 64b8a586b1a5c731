//! Exact counts: known traffic, and figures that must be equal to it, to /proc and to perf.

use std::process::{Command, Stdio};

use crate::installed::has;
use crate::net::{B, Net, Traffic, may_run, run};
use crate::netop::Netop;

#[test]
fn every_datagram_sent_is_one_dev_queue_xmit_and_one_netif_receive_skb_on_its_device() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9000"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9000 1 20000 200"));
    let mut out = Netop::watch(&["-i", &net.va]);
    let mut into = Netop::watch(&["-i", &net.vb]);
    sender.go();
    sender.wait_for("done");
    assert_eq!(out.settle("dev_queue_xmit"), 20_000);
    assert_eq!(out.total("net_dev_start_xmit"), 20_000);
    assert_eq!(into.settle("netif_receive_skb"), 20_000);
    assert_eq!(
        into.field("netif_receive_skb", "source"),
        "bpf",
        "/proc knows no device"
    );
    assert!(out.last["filter"]["device"] == net.va.as_str());
    assert!(
        out.field("kfree_skb", "calls").is_null(),
        "kfree_skb names no device"
    );
    sender.finish();
    receiver.finish();
}

#[test]
fn with_gro_every_packet_of_a_tcp_stream_is_one_napi_gro_receive() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
    Traffic::start(&net.b, &format!("offloads {} gro=1", net.vb)).finish();
    let mut receiver = Traffic::start(&net.b, &format!("tcp-receive {B}:9001"));
    let mut sender = Traffic::start(&net.a, &format!("tcp-send {B}:9001 8000000"));
    let mut out = Netop::watch(&["-i", &net.va]);
    let mut into = Netop::watch(&["-i", &net.vb]);
    let perf = has("perf").then(|| {
        let filter = format!("name == \"{}\"", net.vb);
        let child = Command::new("perf")
            .args([
                "stat",
                "-a",
                "-x,",
                "-e",
                "net:napi_gro_receive_entry",
                "--filter",
                &filter,
                "sleep",
                "6",
            ])
            .stderr(Stdio::piped())
            .spawn()
            .expect("perf starts");
        std::thread::sleep(std::time::Duration::from_millis(500));
        child
    });
    sender.go();
    sender.wait_for("done");
    receiver.wait_for("done");
    let packets = into.settle("napi_gro_receive");
    assert!(
        packets > 8_000_000 / 1460,
        "without segmentation offload every segment is a packet: {packets}"
    );
    // A full ring at the other end drops what was handed to the device.
    let file = format!("/sys/class/net/{}/statistics/tx_dropped", net.va);
    let dropped = run(&["ip", "netns", "exec", &net.a, "cat", &file]);
    let dropped = String::from_utf8_lossy(&dropped.stdout)
        .trim()
        .parse::<u64>();
    let dropped = dropped.expect("a number");
    assert_eq!(out.settle("net_dev_start_xmit"), packets + dropped);
    let merged = into.settle("netif_receive_skb");
    assert!(merged * 2 < packets, "GRO merges: {merged} of {packets}");
    match perf {
        None => eprintln!("not compared with perf stat: perf is not installed"),
        Some(child) => {
            let output = child.wait_with_output().expect("perf ran");
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let counted = text
                .lines()
                .find(|l| l.contains("napi_gro_receive_entry"))
                .expect("a count");
            assert_eq!(
                counted.split(',').next(),
                Some(packets.to_string().as_str()),
                "{text}"
            );
        }
    }
    sender.finish();
    receiver.finish();
}

#[test]
fn runs_of_net_rx_action_counted_by_perf_are_those_of_proc_softirqs() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9002"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9002 1 10000 64"));
    let outer = net_rx_runs();
    let mut by_perf = Netop::watch(&["--counting", "perf"]);
    let before = by_perf.total("net_rx_action");
    let inner = net_rx_runs();
    sender.go();
    sender.wait_for("done");
    let inner = net_rx_runs() - inner;
    by_perf.catch_up();
    by_perf.next();
    let counted = by_perf.total("net_rx_action");
    let outer = net_rx_runs() - outer;
    assert!(counted >= inner, "{counted} of at least {inner}");
    assert!(counted <= outer, "{counted} of at most {outer}");
    assert!(
        counted - before >= 9_000,
        "the traffic was seen: {before} → {counted}"
    );
    sender.finish();
    receiver.finish();
}

#[test]
fn a_pid_filter_counts_that_process_exactly_with_threads_started_later_while_another_sends() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9003"));
    let mut chosen = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9003 3 4000 100"));
    let mut other = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9003 2 7000 100"));
    let pid = chosen.child.id().to_string();
    let mut packets = Netop::watch(&["-p", &pid, "-i", &net.va]);
    let mut calls = Netop::watch(&["-p", &pid]);
    chosen.go();
    other.go();
    chosen.wait_for("done");
    other.wait_for("done");
    assert_eq!(packets.settle("dev_queue_xmit"), 12_000);
    assert_eq!(calls.settle("sock_send_length"), 12_000);
    assert_eq!(calls.last["filter"]["pid"].to_string(), pid);
    assert_eq!(calls.last["filter"]["by"], "owner");
    // The threads of the first round are gone; new ones are counted on.
    chosen.go();
    chosen.wait_for("done");
    assert_eq!(packets.settle("dev_queue_xmit"), 24_000);
    chosen.finish();
    other.finish();
    calls.catch_up();
    assert_eq!(
        calls.next()["filter"]["ended"].to_string(),
        format!("[{pid}]"),
        "its end is said"
    );
    receiver.finish();
}

#[test]
fn stacks_of_dev_queue_xmit_lead_from_the_system_call_down_to_it() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9004"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:9004 12"));
    let mut netop = Netop::watch(&["-e", "dev_queue_xmit"]);
    sender.go();
    let pid = sender.child.id();
    let of_sender = |s: &&serde_json::Value| s["function"] == "dev_queue_xmit" && s["pid"] == pid;
    // User frames are named in the background, for which a debug build takes a whole CPU: an interval
    // whose sampler did not run has no sample.
    for interval in 0..18 {
        let stacks = netop.next()["stacks"].as_array().expect("stacks");
        if interval >= 11 && stacks.iter().any(|s| of_sender(&s)) {
            break;
        }
    }
    let stacks = netop.last["stacks"].as_array().expect("stacks");
    let stack = stacks.iter().find(of_sender).unwrap_or_else(|| {
        let health = &netop.last["health"];
        panic!("a stack of the sender among {}: {health}", stacks.len())
    });
    let frames: Vec<&str> = stack["frames"]
        .as_array()
        .expect("frames")
        .iter()
        .filter_map(|f| f.as_str())
        .collect();
    assert_eq!(
        frames[0], "__dev_queue_xmit",
        "the leaf comes first: {frames:?}"
    );
    let place = |name: &str| {
        frames
            .iter()
            .position(|f| f.starts_with(name))
            .unwrap_or_else(|| panic!("{name} in {frames:?}"))
    };
    assert!(place("udp_sendmsg") < place("do_syscall_64"), "{frames:?}");
    assert!(
        frames
            .iter()
            .any(|f| f.contains("libc") || f.contains("live-")),
        "user frames: {frames:?}"
    );
    // The weights of the function's stacks stand for its hits.
    let weight: f64 = stacks
        .iter()
        .filter(|s| s["function"] == "dev_queue_xmit")
        .filter_map(|s| s["weight"].as_f64())
        .sum();
    let calls = netop
        .field("dev_queue_xmit", "calls")
        .as_f64()
        .expect("counted");
    assert!(
        weight > 0.9 * calls && weight < 1.001 * calls,
        "{weight} of {calls}"
    );
    sender.finish();
    receiver.finish();
}

#[test]
fn any_tracepoint_of_this_kernel_is_a_row_with_exact_counts() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9005"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9005 1 5000 64"));
    let mut netop = Netop::watch(&["-e", "net:net_dev_xmit", "-i", &net.va]);
    sender.go();
    sender.wait_for("done");
    assert_eq!(netop.settle("net:net_dev_xmit"), 5_000);
    sender.finish();
    receiver.finish();
}

#[test]
fn a_full_socket_buffer_shows_as_loss_with_its_place_and_as_drops_with_their_reason() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-deaf {B}:9006"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9006 1 3000 200"));
    let mut netop = Netop::watch(&[]);
    netop.next();
    sender.go();
    sender.wait_for("done");
    let mut places = Vec::new();
    let mut reasons = Vec::new();
    for _ in 0..4 {
        let snapshot = netop.next().clone();
        places.extend(
            snapshot["summary"]["loss_where"]
                .as_str()
                .map(str::to_owned),
        );
        let top = netop
            .field("kfree_skb", "top")
            .as_array()
            .cloned()
            .unwrap_or_default();
        reasons.extend(
            top.iter()
                .filter_map(|t| t["name"].as_str().map(str::to_owned)),
        );
    }
    assert!(
        places.iter().any(|p| p.starts_with("socket buffer (UDP)")),
        "{places:?}"
    );
    assert!(reasons.iter().any(|r| r == "SOCKET_RCVBUFF"), "{reasons:?}");
    let lost = netop.last["summary"]["loss_total"]
        .as_u64()
        .expect("counted");
    assert!(
        (2_500..=3_000).contains(&lost),
        "{lost} of 3000 datagrams for a buffer of a few"
    );
    sender.finish();
    receiver.finish();
}

/// Sum of the NET_RX row of /proc/softirqs.
fn net_rx_runs() -> u64 {
    let text = std::fs::read_to_string("/proc/softirqs").expect("/proc/softirqs");
    let row = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("NET_RX:"))
        .expect("a NET_RX row");
    row.split_whitespace()
        .map(|n| n.parse::<u64>().expect("a number"))
        .sum()
}
