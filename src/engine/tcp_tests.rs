//! Made-up readings, and what is told of them.

use super::*;
use crate::decode::{SocketOwner, TcpState};

fn socket(since: TcpSince) -> SocketCounters {
    SocketCounters {
        cookie: 1,
        inode: 1,
        netns: 1,
        local: "10.0.0.1:80".parse().expect("an address"),
        remote: "10.0.0.2:5000".parse().expect("an address"),
        state: TcpState::Established,
        owner: Some(SocketOwner {
            pid: 7,
            comm: "a".to_owned(),
        }),
        rx_queue: 0,
        tx_queue: 0,
        rx_memory: None,
        oldest_rx_ms: None,
        drops: None,
        drops_since: None,
        rcvbuf: Some(1000),
        sndbuf: None,
        cgroup: None,
        tcp: Some(TcpCounters::default()),
        since: Some(since),
    }
}

fn told(socket: SocketCounters) -> Tcp {
    let slow = SlowSample {
        sockets: Some(Box::new(SocketSample {
            at: 1_000_000_000,
            interval_ns: 2_000_000_000,
            connections: vec![socket],
            ..SocketSample::default()
        })),
        ..SlowSample::default()
    };
    let mut connections = Connections::default();
    connections.ingest(Some(&slow));
    connections.told(1_500_000_000).tcp.remove(0)
}

const SPAN: u64 = 2_000_000;

fn since(sent: u64, received: u64, limits: [u64; 4]) -> TcpSince {
    TcpSince {
        bytes_sent: sent,
        bytes_received: received,
        span_us: SPAN,
        rwnd_us: limits[0],
        sndbuf_us: limits[1],
        cwnd_us: limits[2],
        app_us: limits[3],
        ..TcpSince::default()
    }
}

#[test]
fn rates_and_shares_are_of_the_time_between_the_readings() {
    let mut of = since(1000, 0, [SPAN / 2, SPAN / 4, SPAN / 4, 0]);
    of.bytes_retrans = 100;
    of.segs_retrans = 4;
    let flow = told(socket(of)).flow;
    assert_eq!(flow.sent_bps, Some(4000.0));
    assert_eq!(flow.retrans_pct, Some(10.0));
    assert_eq!(flow.retransmit_rate, Some(2.0));
    assert_eq!(flow.limited.rwnd_pct, Some(50.0));
    assert_eq!(flow.limit, Some(Limit::Rwnd));
}

#[test]
fn the_greatest_share_is_the_limit_and_who_only_receives_has_none() {
    for (of, limit) in [
        (since(9, 0, [0, SPAN, 0, 0]), Some(Limit::Sndbuf)),
        (since(9, 0, [0, 0, SPAN - 1, 1]), Some(Limit::Cwnd)),
        (since(9, 0, [0, 0, 1, SPAN - 1]), Some(Limit::App)),
        (since(9, 900, [0, 0, 1, SPAN - 1]), None),
        (since(0, 0, [0, 0, 0, SPAN]), None),
        (since(0, 0, [SPAN, 0, 0, 0]), Some(Limit::Rwnd)),
    ] {
        assert_eq!(told(socket(of)).flow.limit, limit, "{of:?}");
    }
}

#[test]
fn a_receive_queue_that_nobody_reads_is_our_readers() {
    let mut slow = socket(since(0, 10, [0, 0, 0, SPAN]));
    slow.rx_queue = 600;
    assert_eq!(told(slow).flow.limit, Some(Limit::Reader));
}

#[test]
fn a_reading_of_before_keeps_its_rates_and_tells_no_counts_again() {
    let slow = SlowSample {
        sockets: Some(Box::new(SocketSample {
            interval_ns: 1_000_000_000,
            connections: vec![socket(since(1000, 0, [0, 0, SPAN, 0]))],
            ..SocketSample::default()
        })),
        ..SlowSample::default()
    };
    let mut connections = Connections::default();
    assert!(connections.told(5).sockets.is_none(), "nothing was read");
    connections.ingest(Some(&slow));
    assert_eq!(connections.told(5).tcp[0].flow.bytes_sent, Some(1000));
    connections.ingest(Some(&SlowSample::default()));
    let again = connections.told(3_000_000_000);
    assert_eq!(again.tcp[0].flow.bytes_sent, None);
    assert_eq!(again.tcp[0].flow.sent_bps, Some(8000.0));
    assert_eq!(again.sockets.map(|sockets| sockets.age_s), Some(3.0));
}
