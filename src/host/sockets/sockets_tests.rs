//! Readings of made-up sockets, and one of this host.

use std::cell::Cell;
use std::io::Write;
use std::net::{TcpListener, TcpStream};

use super::*;
use crate::decode::TcpSince;

thread_local! {
    static NOW: Cell<u64> = const { Cell::new(0) };
}

/// A clock that stands still until a test moves it.
fn clock() -> u64 {
    NOW.get()
}

pub fn connection(cookie: u64, local: &str, remote: &str) -> SocketCounters {
    SocketCounters {
        cookie,
        inode: cookie as u32,
        netns: 1,
        local: local.parse().expect("an address"),
        remote: remote.parse().expect("an address"),
        state: TcpState::Established,
        owner: None,
        rx_queue: 0,
        tx_queue: 0,
        rx_memory: None,
        oldest_rx_ms: None,
        drops: None,
        drops_since: None,
        rcvbuf: None,
        sndbuf: None,
        cgroup: None,
        tcp: Some(TcpCounters::default()),
        since: None,
    }
}

pub fn listener(cookie: u64, local: &str) -> SocketCounters {
    SocketCounters {
        state: TcpState::Listen,
        ..connection(cookie, local, "0.0.0.0:0")
    }
}

fn sent(cookie: u64, bytes_sent: u64) -> SocketCounters {
    let mut socket = connection(cookie, "10.0.0.1:80", "10.0.0.2:5000");
    socket.tcp = Some(TcpCounters {
        bytes_sent,
        ..TcpCounters::default()
    });
    socket
}

/// One whole reading of namespace 1 at that second.
fn reading(sockets: &mut Sockets, second: u64, all: Vec<SocketCounters>) -> SocketSample {
    NOW.set(second * 1_000_000_000);
    let mut found = sockets.begin(clock());
    for socket in all {
        sockets.take(socket, Protocol::Tcp, &mut found);
    }
    sockets.complete.insert(1);
    sockets.end(&Proc::at("/nowhere"), found, &mut Vec::new())
}

fn bytes(sample: &SocketSample) -> Vec<(u64, Option<u64>)> {
    let since = |s: &SocketCounters| s.since.map(|since| since.bytes_sent);
    let all = sample.connections.iter();
    all.map(|socket| (socket.cookie, since(socket))).collect()
}

#[test]
fn what_was_sent_is_counted_from_reading_to_reading_and_from_birth() {
    let mut sockets = Sockets::new(clock);
    let first = reading(&mut sockets, 1, vec![sent(1, 1000), sent(2, 5)]);
    assert_eq!(bytes(&first), [(1, None), (2, None)], "nothing to compare");
    assert_eq!((first.interval_ns, first.opened), (0, 0));
    let next = reading(&mut sockets, 3, vec![sent(1, 1100), sent(3, 70)]);
    assert_eq!(bytes(&next), [(1, Some(100)), (3, Some(70))]);
    assert_eq!(
        (next.interval_ns, next.opened, next.closed),
        (2_000_000_000, 1, 1)
    );
    let span = next.connections[0].since.expect("compared").span_us;
    assert_eq!(span, 2_000_000);
}

#[test]
fn a_socket_that_was_missed_once_is_not_taken_for_a_new_one() {
    let mut sockets = Sockets::new(clock);
    reading(&mut sockets, 1, vec![sent(1, 1000)]);
    sockets.complete.clear();
    let next = reading(&mut sockets, 2, vec![sent(2, 900)]);
    assert_eq!(bytes(&next), [(2, None)], "the reading before was cut");
}

#[test]
fn a_filter_tells_only_of_its_processes() {
    let mut sockets = Sockets::new(clock);
    sockets.pids = vec![5];
    let sample = reading(&mut sockets, 1, vec![sent(1, 10)]);
    assert_eq!((sample.tcp, bytes(&sample)), (1, Vec::new()));
    assert_eq!(sample.groups, []);
}

#[test]
fn a_socket_that_is_given_twice_counts_once() {
    let mut sockets = Sockets::new(clock);
    reading(&mut sockets, 1, vec![sent(1, 0)]);
    let next = reading(&mut sockets, 2, vec![sent(1, 10), sent(1, 20)]);
    assert_eq!((bytes(&next), next.tcp), (vec![(1, Some(10))], 1));
}

#[test]
fn readings_take_an_80th_of_the_time_when_looked_at_a_150th_where_they_are_long_and_else_a_300th() {
    const MS: u64 = 1_000_000;
    let mut sockets = Sockets::new(clock);
    reading(&mut sockets, 1, vec![sent(1, 0)]);
    sockets.last = Some((0, 300));
    assert!(sockets.is_due(1, false), "nothing is compared yet");
    reading(&mut sockets, 2, vec![sent(1, 10)]);
    for (took, at, looked_at, due) in [
        (MS, 80 * MS - 1, true, false),
        (MS, 80 * MS, true, true),
        (50 * MS, 4000 * MS, true, true),
        (100 * MS, 15_000 * MS - 1, true, false),
        (100 * MS, 15_000 * MS, true, true),
        (MS, 300 * MS, false, false),
        (MS, 3000 * MS - 1, false, false),
        (MS, 3000 * MS, false, true),
        (20 * MS, 6000 * MS - 1, false, false),
        (20 * MS, 6000 * MS, false, true),
    ] {
        sockets.last = Some((0, took));
        assert_eq!(sockets.is_due(at, looked_at), due, "{at}");
    }
}

#[test]
fn a_hundred_thousand_sockets_leave_a_small_sample_with_the_right_ones_on_top() {
    let mut sockets = Sockets::new(clock);
    let all = |round: u64| {
        let socket = |i: u64| {
            let [.., a, b, c] = i.to_be_bytes();
            let remote = format!("10.{a}.{b}.{c}:{}", 1 + i % 60_000);
            let mut socket = connection(i, "10.0.0.1:443", &remote);
            socket.tcp = Some(TcpCounters {
                bytes_sent: 1_000_000 + round * i,
                segs_retrans: u32::from(i == 7) * round as u32,
                ..TcpCounters::default()
            });
            socket.rx_queue = u32::from(i == 8);
            socket
        };
        (1..=100_000).map(socket).collect()
    };
    reading(&mut sockets, 1, all(1));
    let sample = reading(&mut sockets, 2, all(2));
    assert_eq!((sample.tcp, sample.connections.len()), (100_000, 66));
    assert_eq!(bytes(&sample)[0], (100_000, Some(100_000)));
    let told = |cookie| bytes(&sample).contains(&(cookie, Some(cookie)));
    assert!(told(7) && told(8), "retransmits and queues count too");
    let text = serde_json::to_string(&sample).expect("serialisable");
    assert!(text.len() < 150_000, "{} bytes", text.len());
    let state = |sample: &SocketSample| {
        let mut groups = sample.groups.iter();
        let group = groups.find(|g| g.key == crate::decode::GroupKey::State(TcpState::Established));
        group.expect("all of them").since
    };
    let sum: u64 = (1..=100_000).sum();
    assert_eq!(state(&sample).bytes_sent, sum, "the sums are over all");
    assert!(sockets.before.len() <= REMEMBERED);
}

#[test]
fn a_socket_of_this_process_is_told_with_its_owner_and_its_bytes() {
    let proc = Proc::host();
    let own = super::super::netns::own(&proc).expect("a namespace");
    let mut sockets = Sockets::new(sys::monotonic_ns);
    let mut notes = Vec::new();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("an address");
    let mut client = TcpStream::connect(at).expect("a connection");
    let first = sockets.read(&proc, own, &[], (true, &[]), &mut notes);
    assert!(first.is_some_and(|first| first.interval_ns == 0 && first.took_ns > 0));
    client.write_all(&[7; 4567]).expect("room");
    sockets.last = Some((0, 0));
    let next = sockets
        .read(&proc, own, &[], (true, &[std::process::id()]), &mut notes)
        .expect("due");
    assert_eq!(notes, Vec::<String>::new());
    let found = next.connections.iter().find(|s| s.remote == at);
    let found = found.expect("the client");
    let since: TcpSince = found.since.expect("compared");
    assert_eq!(since.bytes_sent, 4567);
    let owner = found.owner.as_ref().expect("found in /proc");
    assert_eq!(owner.pid, std::process::id());
    let listening = next.listeners.iter().find(|s| s.local == at);
    assert_eq!(
        listening.expect("told").rx_queue,
        1,
        "nobody has accepted it"
    );
}

#[test]
fn data_that_nobody_reads_grows_old_and_belongs_to_its_process() {
    let mut sockets = Sockets::new(clock);
    let (_dir, proc) = super::super::proc::tests::root_with(&[("proc/5/comm", "late\n")]);
    let files = proc.path("proc/5/fd");
    std::fs::create_dir_all(&files).expect("a directory");
    std::os::unix::fs::symlink("socket:[1]", files.join("3")).expect("a link");
    sockets.owners.look(&proc, &[], &[]);
    let with = |received, unread| {
        let mut socket = connection(1, "10.0.0.1:80", "10.0.0.2:5000");
        socket.rx_queue = unread;
        socket.tcp = Some(TcpCounters {
            bytes_received: received,
            ..TcpCounters::default()
        });
        vec![socket]
    };
    let mut ages = Vec::new();
    for (second, received, unread) in [(1, 100, 0), (2, 300, 200), (5, 900, 800), (6, 900, 10)] {
        let sample = reading(&mut sockets, second, with(received, unread));
        assert_eq!(sample.readers[0].pid, 5);
        ages.push(sample.readers[0].oldest_rx_ms);
    }
    assert_eq!(ages, [None, Some(0), Some(3000), Some(1000)]);
    let mut closed = with(901, 1);
    closed[0].state = TcpState::CloseWait;
    let sample = reading(&mut sockets, 7, closed);
    assert_eq!(sample.readers[0].oldest_rx_ms, None, "only the end waits");
}
