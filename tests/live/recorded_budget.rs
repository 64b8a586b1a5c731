//! A recording over its budget: what was asked for keeps its stacks, and the rest is what the kernel
//! counts anyway.

use std::process::Command;

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run};

fn netop(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(words)
        .output()
        .expect("netop starts");
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_is_asked_for_is_recorded_with_its_stacks_and_free_counters_stay_exact() {
    let Some(_one) = may_run() else { return };
    let (net, dir) = (Net::new(), tempfile::tempdir().expect("a directory"));
    let _receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9321"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:9321 20"));
    sender.go();
    let path = dir.path().join("x.perf.data");
    let path = path.to_str().expect("UTF-8");
    let asked = ["-e", "dev_queue_xmit", "--max-overhead", "0.1"];
    netop(&[&["record", "--duration", "3", "-o", path], &asked[..]].concat());
    let summary: Value =
        serde_json::from_str(&netop(&["report", path, "-b", "--format", "json"])).expect("JSON");
    let row = |name: &str| {
        let rows = summary["functions"].as_array().expect("rows");
        let row = rows.iter().find(|row| row["name"] == name);
        row.expect("a row").clone()
    };
    // 49 a second and CPU are wanted, and the sender has one CPU at least; without stacks there is
    // one for the rest of each interval.
    let sent = row("dev_queue_xmit");
    assert!(sent["samples"].as_u64() > Some(60), "{sent:#}");
    assert_eq!(sent["estimated"], false, "{sent:#}");
    for name in ["net_rx_action", "netif_receive_skb"] {
        let free = row(name);
        assert_eq!(free["source"], "proc", "{free:#}");
        assert_eq!(free["estimated"], false, "{free:#}");
        assert!(free["calls"].as_u64() > Some(1_000), "{free:#}");
    }
    let folded = netop(&[
        "export",
        path,
        "--to",
        "folded",
        "--function",
        "dev_queue_xmit",
    ]);
    assert!(folded.contains("__dev_queue_xmit"), "{folded}");
}
