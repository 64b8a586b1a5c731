//! What an XDP program drops is in the ledger, by the driver's own counter, under its name.

use crate::net::{B, Net, Traffic, may_run, run};
use crate::netop::Netop;
use crate::skip::skip;

#[test]
fn drops_of_an_xdp_program_are_policy_and_have_its_name() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let xdp = Traffic::start(&net.b, &format!("xdp-drop {}", net.vb));
    let shown = run(&["ip", "-n", &net.b, "link", "show", "dev", &net.vb]);
    if !String::from_utf8_lossy(&shown.stdout).contains("prog/xdp") {
        skip("this kernel takes no XDP program on a veth");
        return;
    }
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9801 1 2000 200"));
    let mut netop = Netop::watch_every("1", &["--max-overhead", "100"]);
    netop.next();
    sender.go();
    sender.wait_for("done");
    let mut found = None;
    for _ in 0..8 {
        let drops = netop.next()["drops"].as_array().cloned();
        let of_xdp = |row: &serde_json::Value| row["layer"] == "xdp";
        found = drops.into_iter().flatten().find(of_xdp).or(found);
        if found.as_ref().is_some_and(|row| row["total"] == 2000) {
            break;
        }
    }
    let row = found.unwrap_or_else(|| panic!("no such row: {}", netop.last["drops"]));
    assert_eq!(
        (&row["class"], &row["total"]),
        (&"policy".into(), &2000.into())
    );
    let place = format!("XDP nt_drop_all on {} (rx_queue_#_xdp_drops)", net.vb);
    let said = row["where"].as_str().expect("a place");
    assert!(said.starts_with(&place), "{row}");
    sender.finish();
    xdp.finish();
}
