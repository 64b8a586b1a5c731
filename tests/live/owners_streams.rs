//! Two streams that one poll receives together: each owner has its own packets and bytes, as if it
//! had been alone.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run};
use crate::netop::Netop;

/// Until the streams have ended: they take 2 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes, and bytes per second, of each stream; both last two seconds.
const STREAMS: [(u64, u64); 2] = [(20_000_000, 10_000_000), (8_000_000, 4_000_000)];

/// Of a process in all intervals: packets for its sockets, bytes read, bytes sent.
#[derive(Debug, Clone, Copy, Default)]
struct Moved {
    packets: f64,
    read: u64,
    sent: u64,
}

impl Moved {
    fn add(&mut self, row: &Value) -> bool {
        let packets = row["rx_packets"].as_f64().unwrap_or(0.0);
        let [read, sent] =
            ["rx_bytes", "tx_bytes"].map(|field| row[field].as_f64().unwrap_or(0.0) as u64);
        self.packets += packets;
        self.read += read;
        self.sent += sent;
        read + sent > 0
    }
}

/// What the receivers and senders of these streams moved, in the order of the streams.
fn streamed(net: &Net, ports: &[(u16, (u64, u64))]) -> Vec<[Moved; 2]> {
    let mut receivers: Vec<Traffic> = (ports.iter())
        .map(|(port, _)| Traffic::start(&net.b, &format!("tcp-receive {B}:{port}")))
        .collect();
    let paced = |(port, (bytes, rate)): &(u16, (u64, u64))| {
        Traffic::start(&net.a, &format!("tcp-paced {B}:{port} {bytes} {rate}"))
    };
    let mut senders: Vec<Traffic> = ports.iter().map(paced).collect();
    let mut netop = Netop::watch(&["--counting", "bpf"]);
    netop.catch_up();
    senders.iter_mut().for_each(Traffic::go);
    let mut moved = vec![[Moved::default(); 2]; ports.len()];
    let (mut still, mut begun) = (0, false);
    let start = Instant::now();
    while still < 4 || !begun {
        assert!(start.elapsed() < PATIENCE, "the streams never end");
        still += 1;
        let rows = netop.next()["processes"].as_array().expect("a table");
        for (index, sums) in moved.iter_mut().enumerate() {
            for (traffic, sum) in [&receivers[index], &senders[index]].into_iter().zip(sums) {
                let row = rows.iter().find(|row| row["pid"] == traffic.child.id());
                if row.is_some_and(|row| sum.add(row)) {
                    (still, begun) = (0, true);
                }
            }
        }
    }
    for receiver in &mut receivers {
        receiver.wait_for("done");
    }
    senders.into_iter().for_each(Traffic::finish);
    receivers.into_iter().for_each(Traffic::finish);
    moved
}

#[test]
fn streams_that_gro_merges_side_by_side_have_the_packets_and_bytes_that_each_has_alone() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
    Traffic::start(&net.b, &format!("offloads {} gro=1", net.vb)).finish();
    let [many, few] = STREAMS;
    let alone = [(9951, many), (9952, few)].map(|one| streamed(&net, &[one])[0]);
    let together = streamed(&net, &[(9953, many), (9954, few)]);
    for ((alone, together), (bytes, _)) in alone.iter().zip(&together).zip(STREAMS) {
        for [receiver, sender] in [alone, together] {
            assert_eq!(
                (receiver.read, sender.sent),
                (bytes, bytes),
                "{alone:?} {together:?}"
            );
        }
        // Of full segments there are so many at least: 1448 bytes each.
        let least = bytes as f64 / 1448.0;
        let [solo, both] = [alone, together].map(|moved| moved[0].packets);
        assert!(
            (0.99 * least..1.1 * least).contains(&solo),
            "{solo} of {least}"
        );
        assert!(
            (both - solo).abs() <= 0.05 * solo,
            "{both} beside the other, {solo} alone"
        );
    }
}
