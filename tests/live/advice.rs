//! The advice and whether it helped, from end to end: a fault made in a namespace is named, the
//! finding is marked with `d`, the command that its card proposes is run as it stands there, and the
//! pair in the evidence bundle says what became of it.

use crate::skip::skip;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::net::{Net, Traffic, run};

/// Seconds before the first key: a rule looks at ten, and is sure after fourteen.
const BEFORE: &str = "18";

/// The mark comes with the seventh key; the change some seconds later.
const CHANGE_S: u64 = 31;

/// After the mark: how devices are set up is read every ten seconds, twelve pass before the first
/// verdict, and the cost per packet needs about as many as there are before. A key without an
/// effect lets each pass.
const AFTER: usize = 42;

/// Follows the advice that the rule's card must give; the pair of before and after.
fn tried(rule: &str, command: &str) -> Value {
    let dir = tempfile::tempdir().expect("a directory");
    let keys = format!("8/{rule}<enter>d{}Wq", "g".repeat(AFTER));
    let mut netop = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args([
            "-d",
            "1",
            "-n",
            BEFORE,
            "--size",
            "120x40",
            "--keys",
            &keys,
            "--snapshot-dir",
        ])
        .arg(dir.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("netop starts");
    thread::sleep(Duration::from_secs(CHANGE_S));
    println!("$ {command}");
    run(&["sh", "-ec", command]);
    let mut frame = String::new();
    let mut out = netop.stdout.take().expect("piped");
    std::io::Read::read_to_string(&mut out, &mut frame).expect("text");
    assert!(netop.wait().expect("it ran").success());
    let bundle = std::fs::read_dir(dir.path()).expect("a directory").next();
    let bundle = bundle
        .unwrap_or_else(|| panic!("no bundle:\n{frame}"))
        .expect("an entry");
    let read = |name: &str| {
        let text = std::fs::read_to_string(Path::new(&bundle.path()).join(name));
        text.unwrap_or_else(|error| panic!("{name}: {error}:\n{frame}"))
    };
    println!("{}", read("tried.txt"));
    let pair: Value = serde_json::from_str(&read("tried.json")).expect("one JSON object");
    assert_eq!(
        pair["before"]["try"], command,
        "the advice and what was done"
    );
    pair
}

fn changed(pair: &Value) -> Vec<String> {
    let all = pair["changed"].as_array().expect("a list");
    let word = |c: &Value, field: &str| c[field].as_str().expect("text").to_owned();
    all.iter()
        .map(|c| {
            format!(
                "{} {} → {}",
                word(c, "name"),
                word(c, "before"),
                word(c, "after")
            )
        })
        .collect()
}

fn verdict(pair: &Value) -> &str {
    pair["verdict"].as_str().expect("text")
}

fn inside(netns: &str, command: &str) {
    run(&["ip", "netns", "exec", netns, "sh", "-ec", command]);
}

#[test]
fn a_queue_that_is_too_short_for_the_load_stays_full_when_it_is_doubled() {
    let Some(_one) = crate::net::may_run() else {
        return;
    };
    let net = Net::new();
    let (va, netns) = (&net.va, &net.a);
    inside(
        netns,
        &format!("tc qdisc add dev {va} root handle 1: tbf rate 4mbit burst 4k limit 400k"),
    );
    inside(
        netns,
        &format!("tc qdisc add dev {va} parent 1:1 handle 2: pfifo limit 5"),
    );
    let _receiver = Traffic::start(&net.b, "udp-receive 10.99.0.2:9000");
    let mut sender = Traffic::start(netns, "udp-ask 10.99.0.2:9000 9000");
    sender.go();
    let command = format!(
        "ip netns exec {netns} tc qdisc change dev {va} parent 1:1 handle 2: pfifo limit 10"
    );
    let pair = tried("A23", &command);
    let told = changed(&pair);
    let limit = format!("{va}@{netns} qdisc 1:1 pfifo limit 5 → pfifo limit 10");
    assert!(told.contains(&limit), "{told:?}");
    // Twice what the shaper lets pass is offered all the time: no queue is long enough.
    assert!(
        verdict(&pair).contains("no significant change") && pair["after"]["rule"] == "A23",
        "{}",
        verdict(&pair)
    );
}

#[test]
fn a_strict_filter_that_is_loosened_lets_the_packets_pass_and_the_finding_is_gone() {
    let Some(_one) = crate::net::may_run() else {
        return;
    };
    let net = Net::new();
    inside(&net.b, "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter");
    // Loose mode takes a source that can be reached at all.
    inside(&net.b, "ip route add 10.77.0.1/32 dev lo");
    inside(&net.a, "ip addr add 10.77.0.1/32 dev lo");
    inside(
        &net.a,
        &format!("ip route replace 10.99.0.2/32 dev {} src 10.77.0.1", net.va),
    );
    let _receiver = Traffic::start(&net.b, "udp-receive 10.99.0.2:9000");
    let mut sender = Traffic::start(&net.a, "udp-ask 10.99.0.2:9000 500");
    sender.go();
    let pair = tried(
        "A43",
        &format!(
            "ip netns exec {} sysctl -w net.ipv4.conf.all.rp_filter=2",
            net.b
        ),
    );
    let told = changed(&pair);
    assert_eq!(
        told,
        [format!("net.ipv4.conf.all.rp_filter@{} 1 → 2", net.b)]
    );
    assert!(
        verdict(&pair).contains("→ the finding is gone"),
        "{}",
        verdict(&pair)
    );
    assert_eq!(pair["after"], Value::Null);
}

#[test]
fn gro_on_a_veth_with_a_segmented_stream_ends_the_finding_and_the_cost_is_judged() {
    let Some(_one) = crate::net::may_run() else {
        return;
    };
    if Command::new("ethtool").arg("--version").output().is_err() {
        skip("the command ethtool, which the card names, is missing");
        return;
    }
    let net = Net::new();
    Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
    let _receiver = Traffic::start(&net.b, "tcp-fast 10.99.0.2:9100");
    let mut sender = Traffic::start(&net.a, "tcp-at-rate 10.99.0.2:9100 110000000");
    sender.go();
    let command = format!("ip netns exec {} ethtool -K {} gro on", net.b, net.vb);
    let pair = tried("A11", &command);
    let told = changed(&pair);
    let gro = format!("{}@{} gro off → on", net.vb, net.b);
    assert!(told.contains(&gro), "{told:?}");
    let verdict = verdict(&pair);
    assert!(verdict.contains("the finding is gone"), "{verdict}");
    // A paced stream has little to merge: whether that is cheaper than chance allows is for the
    // verdict to say, but never that packets became dearer.
    assert!(verdict.contains("cost per packet"), "{verdict}");
    assert!(!verdict.contains(" ns (+"), "{verdict}");
}
