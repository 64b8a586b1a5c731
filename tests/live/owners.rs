//! Whose the work is: what each process sent and received, and who paid for it.

use std::process::{Child, Command};

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run};
use crate::netop::Netop;

const FIGURES: [&str; 7] = [
    "tx_calls",
    "tx_bytes",
    "rx_calls",
    "rx_bytes",
    "tx_packets",
    "rx_packets",
    "drops",
];

/// Sums of the process's figures until nothing moves any more.
fn sums(netop: &mut Netop, pids: [u32; 3]) -> [[u64; 7]; 3] {
    let (mut sums, mut still) = ([[0; 7]; 3], 0);
    while still < 4 {
        still += 1;
        let rows = netop.next()["processes"].as_array().expect("a table");
        for (pid, sums) in pids.iter().zip(&mut sums) {
            let Some(row) = rows.iter().find(|row| row["pid"] == *pid) else {
                continue;
            };
            for (name, sum) in FIGURES.iter().zip(sums) {
                let moved = row[name].as_f64().unwrap_or(0.0) as u64;
                // The receiver calls again and again, also when nothing is there.
                let data = moved > 0 && !name.ends_with("calls");
                still = if data { 0 } else { still };
                *sum += moved;
            }
            let calls = row["tx_calls"].as_f64().or(row["rx_calls"].as_f64());
            assert!(calls.is_none() || row["bytes_exact"] == true, "{row}");
        }
    }
    sums
}

struct Burner(Child);

impl Burner {
    fn start() -> Burner {
        let child = Command::new("sh")
            .args(["-c", "while :; do :; done"])
            .spawn();
        Burner(child.expect("sh starts"))
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn the_owners_have_the_calls_bytes_and_packets_and_the_one_that_only_burns_has_none() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9501"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9501 2 6000 200"));
    let burner = Burner::start();
    let mut netop = Netop::watch(&["--counting", "bpf"]);
    netop.catch_up();
    sender.go();
    let pids = [sender.child.id(), receiver.child.id(), burner.0.id()];
    let [sent, taken, burnt] = sums(&mut netop, pids);
    assert_eq!(sent[..2], [12_000, 2_400_000]);
    assert_eq!(sent[4], 12_000, "packets of its sockets");
    // On a busy host its buffer may have been full.
    let arrived = 12_000 - taken[6];
    assert!(
        taken[2] >= arrived,
        "and calls that found nothing: {taken:?}"
    );
    assert_eq!((taken[3], taken[5]), (200 * arrived, arrived));
    assert_eq!(burnt, [0; 7]);
    sender.finish();
    receiver.finish();
}

#[test]
fn a_pid_means_the_owner_also_where_others_are_interrupted_for_it() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let mut receiver = Traffic::start(&net.b, &format!("tcp-receive {B}:9502"));
    let mut sender = Traffic::start(&net.a, &format!("tcp-send {B}:9502 20000000"));
    // The receiver only acknowledges: most of that leaves in the softirqs of others.
    let pid = receiver.child.id().to_string();
    let mut owner = Netop::watch(&["-p", &pid, "-i", &net.vb]);
    let mut all = Netop::watch(&["-i", &net.vb]);
    sender.go();
    receiver.wait_for("done");
    let sent = all.settle("dev_queue_xmit");
    let its = owner.settle("dev_queue_xmit");
    // The handshake and the last words have no socket with a process.
    assert!(its <= sent && its + 8 >= sent, "{its} of {sent}");
    assert_eq!(owner.last["filter"]["by"], "owner");
    let reason = owner.field("netif_receive_skb", "reason");
    assert!(
        reason.as_str().is_some_and(|r| r.contains("no socket")),
        "{reason}"
    );
    assert_eq!(*owner.field("netif_receive_skb", "calls"), Value::Null);
    sender.finish();
    receiver.finish();
}
