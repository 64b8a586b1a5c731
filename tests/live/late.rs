//! Processes that read late, and what their rows say of it.

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run};
use crate::netop::Netop;

/// The process's row as soon as it is as it should be, and the last one if it never is.
fn row(netop: &mut Netop, pid: u32, is_so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..12 {
        let rows = netop.next()["processes"].as_array().expect("a table");
        let Some(row) = rows.iter().find(|row| row["pid"] == pid) else {
            continue;
        };
        if is_so(row) {
            return row.clone();
        }
        last = row.clone();
    }
    panic!("never: {last}");
}

fn limit(row: &Value) -> &str {
    row["limit"].as_str().unwrap_or_default()
}

#[test]
fn a_process_that_stops_reading_a_stream_has_old_data_and_its_peer_a_closed_window() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("tcp-slow {B}:9601"));
    let mut sender = Traffic::start(&net.a, &format!("tcp-stream {B}:9601"));
    let mut netop = Netop::watch_every("0.5", &[]);
    sender.go();
    let full = |row: &Value| limit(row).starts_with("rcvbuf");
    let reader = row(&mut netop, receiver.child.id(), |row| {
        full(row) && row["oldest_rx_ms"].as_f64() >= Some(100.0)
    });
    // 8 KiB every 20 ms: what fills a buffer of 128 KiB has waited for some tenths of a second.
    let oldest_ms = reader["oldest_rx_ms"].as_f64();
    assert!(oldest_ms.is_some_and(|ms| ms < 1000.0), "{reader}");
    let writer = row(&mut netop, sender.child.id(), |row| {
        limit(row).starts_with("rwnd")
    });
    assert_eq!(
        writer["oldest_rx_ms"],
        Value::Null,
        "nothing comes: {writer}"
    );
    drop((sender, receiver));
}

#[test]
fn a_process_whose_datagrams_find_no_room_is_held_up_by_its_receive_buffer() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-deaf {B}:9602"));
    let mut sender = Traffic::start(&net.a, &format!("udp-blast 0.0.0.0:0 {B}:9602 2000"));
    let mut netop = Netop::watch_every("0.5", &[]);
    // What was lost before the first reading of the sockets is in no row.
    let is_read = |snapshot: &Value| !snapshot["sockets"].is_null();
    assert!(
        (0..12).any(|_| is_read(netop.next())),
        "sockets are never read"
    );
    sender.go();
    let deaf = row(&mut netop, receiver.child.id(), |row| {
        limit(row).starts_with("rcvbuf")
    });
    assert!(
        deaf["rx_calls"].as_f64().is_none_or(|calls| calls < 0.5),
        "{deaf}"
    );
    sender.finish();
    receiver.finish();
}
