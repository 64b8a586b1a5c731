//! A host of many network namespaces: all of them are told, the busy ones each time.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run};
use crate::netop::Netop;

const NAMESPACES: usize = 100;

/// Namespaces with two veth pairs each, and loopback.
struct Many;

impl Many {
    fn new() -> Many {
        Many::batch(&[], |name| format!("netns add {name}"));
        for at in 0..NAMESPACES {
            let name = Many::name(at);
            let pairs = (0..2).map(|pair| format!("link add p{pair} type veth peer name q{pair}"));
            ip(&["-n", &name], &pairs.collect::<Vec<_>>().join("\n"));
        }
        Many
    }

    fn name(at: usize) -> String {
        format!("ntmany{}-{at}", std::process::id() % 100_000)
    }

    fn batch(words: &[&str], line: impl Fn(String) -> String) {
        let lines = (0..NAMESPACES).map(|at| line(Many::name(at)));
        ip(words, &lines.collect::<Vec<_>>().join("\n"));
    }
}

impl Drop for Many {
    fn drop(&mut self) {
        Many::batch(&["-force"], |name| format!("netns del {name}"));
    }
}

fn ip(words: &[&str], lines: &str) {
    let mut child = Command::new("ip")
        .args(words)
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("ip starts");
    let mut input = child.stdin.take().expect("piped");
    input.write_all(lines.as_bytes()).expect("ip reads");
    drop(input);
    assert!(child.wait().expect("it ran").success(), "ip {words:?}");
}

fn devices(snapshot: &Value) -> &[Value] {
    snapshot["devices"].as_array().expect("a table")
}

#[test]
fn the_first_snapshot_has_every_device_of_a_hundred_namespaces_and_the_busy_one_is_counted_each_time()
 {
    let Some(_one) = may_run() else { return };
    let _many = Many::new();
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9503"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9503 2 1500 100"));
    let mut netop = Netop::watch_every("1", &["--all"]);
    let own_and_net = devices(&netop.last).len() - 5 * NAMESPACES;
    assert!((1 + 2 + 2..40).contains(&own_and_net), "{own_and_net}");
    assert_eq!(netop.last["devices_other"], Value::Null);
    sender.go();
    sender.wait_for("done");
    let (mut sent, mut read) = (0, 0);
    for _ in 0..5 {
        let row = devices(netop.next())
            .iter()
            .find(|row| row["name"] == net.va.as_str());
        let row = row.expect("a row");
        if row["fresh"] == true {
            sent += row["tx_packets"].as_u64().expect("it was read before");
            read += 1;
        } else {
            assert_eq!(
                row["tx_packets"],
                Value::Null,
                "it was counted already: {row}"
            );
            assert!(row["age_s"].as_f64() > Some(0.0), "{row}");
        }
    }
    assert_eq!(sent, 3000, "in {read} readings");
    drop(netop);
    let mut netop = Netop::watch_every("1", &[]);
    for _ in 0..2 {
        let snapshot = netop.next();
        let other = &snapshot["devices_other"];
        let left_out = other["devices"].as_u64().expect("the others are summed up");
        let shown = devices(snapshot).len();
        assert!((64..=128).contains(&shown), "{shown}");
        assert_eq!(shown + left_out as usize, own_and_net + 5 * NAMESPACES);
        let length = snapshot.to_string().len();
        assert!(length < 400_000, "{length} bytes");
    }
    sender.finish();
    receiver.finish();
}
