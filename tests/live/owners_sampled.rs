//! Whose the work is where no BPF program says it (`--counting perf`): estimates, or a reason.

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run, run};
use crate::netop::Netop;

const PERF: [&str; 2] = ["--counting", "perf"];

#[test]
fn a_filter_by_owner_estimates_what_names_its_socket_and_leaves_the_rest_open() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
    let words = ["tc", "-n", &net.a, "qdisc", "add", "dev", &net.va, "root"];
    let tbf = ["tbf", "rate", "20mbit", "burst", "3000", "limit", "12000"];
    run(&[&words[..], &tbf[..]].concat());
    let mut receiver = Traffic::start(&net.b, &format!("tcp-receive {B}:9701"));
    let order = format!("tcp-paced {B}:9701 8000000 2000000000");
    let mut sender = Traffic::start(&net.a, &order);
    let pids = [sender.child.id(), receiver.child.id()].map(|pid| pid.to_string());
    let mut of = pids.map(|pid| Netop::watch(&[&PERF[..], &["-p", &pid]].concat()));
    let mut all = Netop::watch(&PERF);
    sender.go();
    receiver.wait_for("done");
    // The intervals of each watcher are its own; the totals are of the whole stream.
    let [sent, acknowledged] = of.each_mut().map(|o| o.settle("tcp_retransmit_skb"));
    let everybody = all.settle("tcp_retransmit_skb");
    let sums = [sent, acknowledged, everybody];
    assert!(everybody > 20, "{sums:?}");
    assert!(
        10 * sent > 7 * everybody && 10 * sent < 14 * everybody,
        "{sums:?}"
    );
    assert_eq!(acknowledged, 0, "it only acknowledges: {sums:?}");
    let [of_sender, _] = &of;
    assert_eq!(of_sender.last["filter"]["by"], "owner");
    assert_eq!(*of_sender.field("tcp_retransmit_skb", "estimated"), true);
    for open in ["net_dev_start_xmit", "netif_receive_skb"] {
        assert_eq!(*of_sender.field(open, "calls"), Value::Null);
        assert!(of_sender.field(open, "reason").is_string(), "{open}");
    }
    drop((sender, receiver));
}

#[test]
fn without_a_filter_each_process_has_its_retransmits_and_its_softirqs() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("tcp-fast {B}:9702"));
    let mut sender = Traffic::start(&net.a, &format!("tcp-stream {B}:9702"));
    let mut netop = Netop::watch(&PERF);
    sender.go();
    netop.catch_up();
    let pids = [sender.child.id(), receiver.child.id()];
    let mut owned = [0.0, 0.0];
    for _ in 0..6 {
        let rows = netop.next()["processes"].as_array().expect("a table");
        for (pid, owned) in pids.iter().zip(&mut owned) {
            let row = rows.iter().find(|row| row["pid"] == *pid);
            let pct = row.and_then(|row| row["cpu_softirq_owned_pct"].as_f64());
            *owned += pct.unwrap_or(0.0);
        }
    }
    assert!(owned[1] > 1.0, "data comes to it: {owned:?}");
    assert!(owned[0] > 0.0, "acknowledgements come to it: {owned:?}");
    drop((sender, receiver));
}
