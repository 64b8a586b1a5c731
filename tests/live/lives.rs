//! A process is its number and its start: another one that is given the number is not counted.

use crate::net::{B, Net, Traffic, may_run};
use crate::netop::Netop;
use crate::skip::skip;

const LAST_PID: &str = "/proc/sys/kernel/ns_last_pid";

/// A paced sender that waits for its word, with this process number.
fn with_number(net: &Net, order: &str, pid: u32) -> Traffic {
    for _ in 0..50 {
        std::fs::write(LAST_PID, (pid - 1).to_string()).expect("root may");
        let traffic = Traffic::start(&net.a, order);
        if traffic.child.id() == pid {
            return traffic;
        }
        traffic.finish();
    }
    panic!("somebody else always takes the number {pid}");
}

/// May a test run here that chooses the next process number?
fn numbers_can_be_chosen() -> bool {
    let can = std::path::Path::new(LAST_PID).exists();
    if !can {
        skip("this kernel does not let the next process number be chosen");
    }
    can
}

#[test]
fn who_is_given_the_number_of_a_process_that_ended_is_not_counted_for_it() {
    let Some(_one) = may_run() else { return };
    if !numbers_can_be_chosen() {
        return;
    }
    let net = Net::new();
    let order = format!("udp-send 0.0.0.0:0 {B}:9771 1 100000000 200");
    let mut sender = Traffic::start(&net.a, &order);
    let pid = sender.child.id();
    let mut netop = Netop::watch(&["-p", &pid.to_string()]);
    sender.go();
    netop.catch_up();
    netop.next();
    netop.next();
    assert!(
        netop.total("dev_queue_xmit") > 20,
        "{}",
        netop.last["filter"]
    );
    drop(sender);
    let mut stranger = with_number(&net, &order, pid);
    let before = netop.settle("dev_queue_xmit");
    stranger.go();
    netop.catch_up();
    for _ in 0..4 {
        netop.next();
    }
    assert_eq!(netop.total("dev_queue_xmit"), before);
    let notes = netop.last["health"]["notes"].to_string();
    assert!(notes.contains("another one has its number"), "{notes}");
    let filter = &netop.last["filter"];
    assert_eq!(filter["pids"], serde_json::json!([pid]));
    assert_eq!(filter["ended"], serde_json::json!([pid]));
}

#[test]
fn within_an_interval_the_hits_of_another_process_with_the_number_are_not_counted() {
    let Some(_one) = may_run() else { return };
    if !numbers_can_be_chosen() {
        return;
    }
    let net = Net::new();
    let order = format!("udp-send 0.0.0.0:0 {B}:9774 1 300 200");
    let mut sender = Traffic::start(&net.a, &order);
    let pid = sender.child.id();
    let flags = ["--max-overhead", "100", "-p", &pid.to_string()];
    let mut netop = Netop::watch_every("4", &flags);
    netop.next();
    sender.go();
    sender.wait_for("done");
    drop(sender);
    let mut stranger = with_number(&net, &order, pid);
    stranger.go();
    stranger.wait_for("done");
    assert_eq!(netop.settle("dev_queue_xmit"), 300);
    drop(stranger);
}

/// Field 22 of /proc/PID/stat.
fn started(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_ascii_whitespace().nth(19).expect("a start");
    ticks.parse().expect("a number")
}

#[test]
fn the_row_of_a_number_says_the_start_of_the_process_that_has_it() {
    let Some(_one) = may_run() else { return };
    if !numbers_can_be_chosen() {
        return;
    }
    let net = Net::new();
    let order = format!("udp-send 0.0.0.0:0 {B}:9771 1 100000000 2000");
    let mut netop = Netop::watch(&[]);
    let row = |netop: &mut Netop, pid: u32, start: u64| {
        for _ in 0..8 {
            let rows = netop.next()["processes"].as_array().expect("a table");
            let row = rows.iter().find(|row| row["pid"] == pid);
            if row.is_some_and(|row| row["start_ticks"] == start) {
                return;
            }
        }
        panic!(
            "{pid} of {start} is never shown: {}",
            netop.last["processes"]
        );
    };
    let mut sender = Traffic::start(&net.a, &order);
    let pid = sender.child.id();
    let first = started(pid);
    sender.go();
    row(&mut netop, pid, first);
    drop(sender);
    let mut stranger = with_number(&net, &order, pid);
    let second = started(pid);
    assert!(second > first);
    stranger.go();
    row(&mut netop, pid, second);
}
