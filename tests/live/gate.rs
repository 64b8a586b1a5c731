//! Counting with BPF programs: equal to known traffic, per device, namespace and process.

use crate::net::{B, Net, Traffic, may_run};
use crate::netop::Netop;

/// Devices in a row's `top` by name, and their hits.
fn shares(row: &serde_json::Value) -> Vec<(String, f64)> {
    let top = row["top"].as_array().expect("a list");
    let share = |s: &serde_json::Value| {
        let name = s["name"].as_str().expect("a name").to_owned();
        (name, s["calls"].as_f64().expect("a number"))
    };
    let device = |s: &&serde_json::Value| s["kind"] == "device";
    top.iter().filter(device).map(share).collect()
}

#[test]
fn the_gate_counts_every_datagram_and_says_that_it_does() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9400"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9400 2 15000 100"));
    let mut out = Netop::watch(&["--counting", "bpf", "-i", &net.va]);
    let mut perf = Netop::watch(&["--counting", "perf", "-i", &net.va]);
    sender.go();
    sender.wait_for("done");
    assert_eq!(out.settle("dev_queue_xmit"), 30_000);
    assert_eq!(out.total("net_dev_start_xmit"), 30_000);
    assert_eq!(out.field("dev_queue_xmit", "source"), "bpf");
    assert_eq!(perf.settle("dev_queue_xmit"), 30_000);
    assert_eq!(perf.field("dev_queue_xmit", "source"), "perf");
    sender.finish();
    receiver.finish();
}

#[test]
fn one_in_many_hits_is_a_sample_and_the_samples_weigh_as_much_as_all_hits() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let _receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9401"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:9401 4"));
    let mut netop = Netop::watch(&["--counting", "bpf", "-e", "dev_queue_xmit", "-i", &net.va]);
    sender.go();
    for _ in 0..5 {
        netop.next();
    }
    let row = netop.row("dev_queue_xmit").clone();
    let (calls, samples) = (row["calls"].as_f64(), row["samples"].as_f64());
    let (calls, samples) = (calls.expect("counted"), samples.expect("sampled"));
    assert!(calls > 5_000.0, "a flood: {calls}");
    assert!(
        samples > 5.0 && samples * 20.0 < calls,
        "{samples} of {calls}"
    );
    let stacks = netop.last["stacks"].as_array().expect("a table");
    let own = |s: &&serde_json::Value| s["function"] == "dev_queue_xmit";
    let frames = stacks.iter().find(own).expect("a stack")["frames"].clone();
    assert_eq!(
        frames[0], "__dev_queue_xmit",
        "the gate's own frames are left out: {frames}"
    );
}

#[test]
fn two_processes_that_send_are_counted_apart_and_exactly() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9402"));
    let mut chosen = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9402 3 4000 100"));
    let mut other = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9402 2 7000 100"));
    let pids = [chosen.child.id(), other.child.id()].map(|pid| pid.to_string());
    let mut first = Netop::watch(&["--counting", "bpf", "-p", &pids[0]]);
    let mut both = Netop::watch(&["--counting", "bpf", "-p", &pids.join(",")]);
    chosen.go();
    other.go();
    chosen.wait_for("done");
    other.wait_for("done");
    assert_eq!(first.settle("sock_send_length"), 12_000);
    assert_eq!(both.settle("sock_send_length"), 26_000);
    assert_eq!(first.field("sock_send_length", "source"), "bpf");
    chosen.finish();
    other.finish();
    receiver.finish();
}

#[test]
fn devices_of_one_name_in_two_namespaces_stay_apart() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let senders = [&net.a, &net.b].map(|namespace| {
        let mut sender = Traffic::start(namespace, "udp-flood 0.0.0.0:0 127.0.0.1:9403 4");
        sender.go();
        sender
    });
    let mut netop = Netop::watch(&["--counting", "bpf", "-e", "dev_queue_xmit"]);
    netop.next();
    netop.next();
    let top = shares(netop.row("dev_queue_xmit"));
    let lo = |(name, _): &&(String, f64)| name.starts_with("lo");
    // The host's own may be among them.
    assert!(top.iter().filter(lo).count() >= 2, "{top:?}");
    let named = |(name, _): &(String, f64)| name.starts_with("lo (netns 4");
    assert!(top.iter().filter(lo).all(named), "{top:?}");
    let counted =
        |share: &serde_json::Value| share["estimated"] == false || share["kind"] == "owner";
    let shares = netop.row("dev_queue_xmit")["top"].as_array();
    assert!(shares.expect("a list").iter().all(counted), "{shares:?}");
    let all: f64 = top.iter().map(|(_, calls)| calls).sum();
    let calls = netop.field("dev_queue_xmit", "calls").as_f64();
    // More than the eight heaviest devices are not listed.
    assert!(calls.expect("counted") * 0.99 < all, "{calls:?} of {top:?}");
    drop(senders);
}

#[test]
fn the_table_of_processes_has_every_call_of_everybody() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9404"));
    let mut senders = [(3, 4000), (2, 7000)].map(|(threads, each)| {
        let order = format!("udp-send 0.0.0.0:0 {B}:9404 {threads} {each} 100");
        Traffic::start(&net.a, &order)
    });
    let mut netop = Netop::watch(&["--counting", "bpf"]);
    // From the second interval on everybody is counted from its beginning.
    netop.next();
    netop.next();
    for sender in &mut senders {
        sender.go();
    }
    let pids = senders.each_ref().map(|sender| sender.child.id());
    let mut sent = [0; 2];
    let mut still = 0;
    while still < 3 {
        let rows = netop.next()["processes"].as_array().expect("a table");
        still += 1;
        for (pid, sent) in pids.iter().zip(&mut sent) {
            let Some(row) = rows.iter().find(|row| row["pid"] == *pid) else {
                continue;
            };
            let calls = row["tx_calls"].as_f64().expect("counted");
            assert_eq!(row["calls_exact"], true, "{row}");
            if calls > 0.0 {
                *sent += calls as u64;
                still = 0;
            }
        }
    }
    assert_eq!(sent, [12_000, 14_000]);
    for sender in senders {
        sender.finish();
    }
    receiver.finish();
}

#[test]
fn packets_and_bytes_per_hit_are_those_of_every_hit() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9405"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:9405 3"));
    let mut netop = Netop::watch(&["--counting", "bpf", "-i", &net.va]);
    sender.go();
    netop.next();
    netop.next();
    let row = netop.row("net_dev_start_xmit");
    assert!(row["calls"].as_f64().expect("counted") > 1_000.0, "{row}");
    assert_eq!(row["packets_per_hit"], 1.0, "{row}");
    // 64 bytes, UDP, IP and Ethernet headers.
    for function in ["net_dev_start_xmit", "dev_queue_xmit"] {
        assert_eq!(netop.field(function, "bytes_per_hit"), 106.0);
    }
    drop(sender);
    receiver.finish();
}

#[test]
fn transmits_and_drops_have_the_owner_of_their_socket() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9405"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:9405 5"));
    let mut netop = Netop::watch(&["--counting", "bpf"]);
    sender.go();
    let owners = |netop: &Netop, function: &str| -> Vec<String> {
        let top = netop.row(function)["top"].as_array().expect("a list");
        let own = top.iter().filter(|share| share["kind"] == "owner");
        let name = |share: &serde_json::Value| share["name"].as_str().expect("a name").to_owned();
        own.map(name).collect()
    };
    let (sending, receiving) = (sender.child.id(), receiver.child.id());
    let is =
        |names: &[String], pid: u32| names.iter().any(|name| name.ends_with(&format!("({pid})")));
    let (mut sent, mut dropped) = (false, false);
    for _ in 0..12 {
        netop.next();
        sent |= is(&owners(&netop, "dev_queue_xmit"), sending);
        // The flood is more than the receiver's buffer takes.
        dropped |= is(&owners(&netop, "kfree_skb"), receiving);
    }
    assert!(sent, "{:?}", owners(&netop, "dev_queue_xmit"));
    assert!(dropped, "{:?}", owners(&netop, "kfree_skb"));
    drop((sender, receiver));
}

#[test]
fn resets_and_what_drivers_answer_are_counted_exactly_where_they_are_asked_for() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let (sent, received, done) = (
        "tcp:tcp_send_reset",
        "tcp:tcp_receive_reset",
        "net:net_dev_xmit",
    );
    let mut netop = Netop::watch(&[
        "--counting",
        "bpf",
        "-i",
        &net.va,
        "-e",
        sent,
        "-e",
        received,
        "-e",
        done,
    ]);
    // Nobody listens there: each is answered with a reset.
    let mut sender = Traffic::start(&net.a, &format!("tcp-refused {B}:9409 300"));
    sender.go();
    sender.wait_for("done");
    assert_eq!(netop.settle("net_dev_start_xmit"), 300);
    assert_eq!(netop.total(done), 300, "one for each SYN of this device");
    assert_eq!(netop.field(done, "source"), "bpf");
    sender.finish();
    drop(netop);
    let mut netop = Netop::watch(&["--counting", "bpf", "-e", sent, "-e", received]);
    let mut sender = Traffic::start(&net.a, &format!("tcp-refused {B}:9409 300"));
    sender.go();
    sender.wait_for("done");
    assert_eq!(netop.settle(sent), 300);
    assert_eq!(netop.total(received), 300);
    assert_eq!(netop.field(received, "source"), "bpf");
    sender.finish();
}
