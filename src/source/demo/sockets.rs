//! The machine's TCP connections, as sock_diag would tell them: what the flows carried, and what
//! held each of them up.

use super::counters::NETNS;
use super::load::{Flow, KAFKA_SEGS, Load, NGINX_SEGS, TCP_MERGED};
use super::process::{KAFKA, NGINX, PROCESSES, Process, SSHD, STATSD};
use crate::decode::{
    Demand, GroupKey, SocketCounters, SocketGroup, SocketOwner, SocketReader, SocketSample,
    TcpCounters, TcpSince, TcpState,
};

/// Bytes of a full segment.
const MSS: u64 = 1448;

struct Connection {
    process: &'static Process,
    local: &'static str,
    remote: &'static str,
    /// Its share of what all such connections carry, percent.
    share: u64,
    sends: fn(&Load) -> u64,
    receives: fn(&Load) -> u64,
    again: fn(&Load) -> u64,
    /// Held up by the peer's window, the send buffer, the network: percent of the time.
    limits: [u64; 3],
    /// Round trip and the least one, µs.
    trip: (u32, u32),
    rx_queue: u32,
}

const NOTHING: fn(&Load) -> u64 = |_| 0;

const fn connection(
    process: &'static Process,
    local: &'static str,
    remote: &'static str,
) -> Connection {
    Connection {
        process,
        local,
        remote,
        share: 100,
        sends: NOTHING,
        receives: NOTHING,
        again: NOTHING,
        limits: [0; 3],
        trip: (420, 180),
        rx_queue: 0,
    }
}

fn replicated(load: &Load) -> u64 {
    (load[Flow::KafkaTx] + load[Flow::KafkaTxSoft]) * KAFKA_SEGS * MSS
}

fn served(load: &Load) -> u64 {
    load[Flow::NginxTx] * NGINX_SEGS * MSS
}

fn produced(load: &Load) -> u64 {
    load[Flow::StackTcp] * TCP_MERGED * MSS
}

static CONNECTIONS: &[Connection] = &[
    Connection {
        share: 60,
        receives: produced,
        ..connection(&KAFKA, "10.0.0.12:9092", "10.0.7.21:48810")
    },
    Connection {
        share: 40,
        receives: produced,
        rx_queue: 2_600_000,
        ..connection(&KAFKA, "10.0.0.12:9092", "10.0.7.34:51322")
    },
    Connection {
        share: 70,
        sends: replicated,
        again: |load| load[Flow::Retransmit] * MSS,
        limits: [1, 0, 93],
        trip: (1_900, 240),
        ..connection(&KAFKA, "10.0.0.12:39114", "10.0.3.13:9092")
    },
    Connection {
        share: 30,
        sends: replicated,
        limits: [0, 64, 22],
        trip: (8_100, 7_900),
        ..connection(&KAFKA, "10.0.0.12:39116", "10.0.4.14:9092")
    },
    Connection {
        share: 55,
        sends: served,
        limits: [71, 0, 12],
        trip: (24_300, 19_000),
        ..connection(&NGINX, "203.0.113.12:443", "198.51.100.77:40112")
    },
    Connection {
        share: 45,
        sends: served,
        limits: [0, 0, 18],
        trip: (31_000, 28_000),
        ..connection(&NGINX, "203.0.113.12:443", "[2001:db8:77::5]:52000")
    },
    Connection {
        sends: |load| load[Flow::SshTx] * 180,
        limits: [0, 0, 0],
        trip: (12_000, 11_000),
        ..connection(&SSHD, "203.0.113.12:22", "198.51.100.9:50122")
    },
];

/// Where it listens, how many wait there, how many may.
static LISTENERS: &[(&Process, &str, u32, u32)] = &[
    (&KAFKA, "0.0.0.0:9092", 51, 50),
    (&NGINX, "0.0.0.0:443", 3, 511),
    (&SSHD, "0.0.0.0:22", 0, 128),
];

/// `all` since the boot, `before` the interval that ends `at` and took `interval_ns`.
pub fn read(all: &Load, before: &Load, at: u64, interval_ns: u64, demand: &Demand) -> SocketSample {
    let listed = |process: &Process| demand.pids.is_empty() || demand.pids.contains(&process.pid);
    let chosen = (10..).zip(CONNECTIONS).filter(|(_, c)| listed(c.process));
    let mut connections: Vec<SocketCounters> = chosen
        .map(|(id, c)| {
            let span_us = interval_ns / 1000;
            let tcp = c.counted(all);
            let mut socket = socket(id, c.process, c.local, c.remote);
            socket.rx_queue = c.rx_queue;
            if c.rx_queue > 0 {
                // It holds more than it has data, and takes a quarter of a second to read.
                socket.rx_memory = Some(c.rx_queue / 2 * 3);
                socket.oldest_rx_ms = Some(250);
            }
            socket.rcvbuf = Some(4_194_304);
            socket.sndbuf = Some(87_040);
            socket.since = (interval_ns > 0).then(|| c.since(&c.counted(before), &tcp, span_us));
            socket.tcp = Some(tcp);
            socket
        })
        .collect();
    let bytes = |s: &SocketCounters| s.since.map_or(0, |since| since.bytes());
    connections.sort_by_key(|socket| std::cmp::Reverse(bytes(socket)));
    let listening = (1..).zip(LISTENERS).filter(|(_, l)| listed(l.0));
    let listeners = listening.map(|(id, (process, local, queue, backlog))| SocketCounters {
        state: TcpState::Listen,
        rx_queue: *queue,
        tx_queue: *backlog,
        drops: Some((all[Flow::DropNoSocket] / 9) as u32 * u32::from(queue > backlog)),
        drops_since: (interval_ns > 0).then_some(u32::from(queue > backlog)),
        ..socket(id, process, local, "0.0.0.0:0")
    });
    let dropped = all[Flow::DropRcvbuf] - before[Flow::DropRcvbuf];
    SocketSample {
        at,
        interval_ns,
        took_ns: 400_000,
        readers: readers(&connections, if listed(&STATSD) { dropped } else { 0 }),
        tcp: (CONNECTIONS.len() + LISTENERS.len()) as u64,
        udp: 1,
        groups: groups(&connections),
        listeners: listeners.collect(),
        connections,
        ..SocketSample::default()
    }
}

fn socket(id: u64, process: &Process, local: &str, remote: &str) -> SocketCounters {
    let address = |text: &str| text.parse().expect("a literal address");
    SocketCounters {
        cookie: id,
        inode: 5000 + id as u32,
        netns: NETNS,
        local: address(local),
        remote: address(remote),
        state: TcpState::Established,
        owner: Some(SocketOwner {
            pid: process.pid,
            comm: process.comm.to_owned(),
        }),
        rx_queue: 0,
        tx_queue: 0,
        rx_memory: None,
        oldest_rx_ms: None,
        drops: Some(0),
        drops_since: Some(0),
        rcvbuf: None,
        sndbuf: None,
        cgroup: None,
        tcp: None,
        since: None,
    }
}

impl Connection {
    fn counted(&self, load: &Load) -> TcpCounters {
        let of = |flow: fn(&Load) -> u64| flow(load) * self.share / 100;
        let sent = of(self.sends);
        TcpCounters {
            bytes_sent: sent,
            bytes_acked: sent,
            bytes_received: of(self.receives),
            bytes_retrans: of(self.again),
            data_segs_out: (sent / MSS) as u32,
            segs_retrans: (of(self.again) / MSS) as u32,
            srtt_us: self.trip.0,
            min_rtt_us: Some(self.trip.1),
            cwnd: 42,
            mss: MSS as u32,
            unacked: if sent > 0 { 40 } else { 0 },
            snd_wnd: 65_160,
            pacing_rate: 120_000_000,
            delivery_rate: if sent > 0 { 61_000_000 } else { 0 },
            ..TcpCounters::default()
        }
    }

    fn since(&self, before: &TcpCounters, now: &TcpCounters, span_us: u64) -> TcpSince {
        let [rwnd_us, sndbuf_us, cwnd_us] = self.limits.map(|pct| span_us * pct / 100);
        TcpSince {
            rwnd_us,
            sndbuf_us,
            cwnd_us,
            app_us: span_us - rwnd_us - sndbuf_us - cwnd_us,
            ..SocketSample::between(before, now, span_us)
        }
    }
}

/// How the processes get on; `dropped`: datagrams that statsd had no room for.
fn readers(connections: &[SocketCounters], dropped: u64) -> Vec<SocketReader> {
    let mut readers: Vec<SocketReader> = Vec::new();
    if dropped > 0 {
        readers.push(SocketReader {
            fullest_pct: Some(100),
            dropped,
            ..SocketReader::of(STATSD.pid)
        });
    }
    for (socket, owner) in connections
        .iter()
        .filter_map(|s| Some((s, s.owner.as_ref()?)))
    {
        let known = readers.iter().position(|reader| reader.pid == owner.pid);
        let at = known.unwrap_or_else(|| {
            readers.push(SocketReader::of(owner.pid));
            readers.len() - 1
        });
        readers[at].add(socket);
    }
    readers
}

/// The same sums that the host's reader makes, over these few.
fn groups(connections: &[SocketCounters]) -> Vec<SocketGroup> {
    let mut groups: Vec<SocketGroup> = Vec::new();
    for socket in connections {
        let served = [9092, 443, 22].contains(&socket.local.port());
        let pid = socket.owner.as_ref().map(|owner| owner.pid);
        let (address, prefix) = network(socket);
        let keys = [
            GroupKey::Network { address, prefix },
            GroupKey::Port {
                port: if served {
                    socket.local.port()
                } else {
                    socket.remote.port()
                },
                here: served,
            },
            GroupKey::Process(pid),
            GroupKey::State(socket.state),
        ];
        for key in keys {
            add(&mut groups, key, socket);
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.since.bytes()));
    groups
}

fn network(socket: &SocketCounters) -> (std::net::IpAddr, u8) {
    match socket.remote.ip() {
        std::net::IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            (std::net::Ipv4Addr::new(a, b, c, 0).into(), 24)
        }
        std::net::IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            (std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into(), 64)
        }
    }
}

fn add(groups: &mut Vec<SocketGroup>, key: GroupKey, socket: &SocketCounters) {
    let process = PROCESSES
        .iter()
        .find(|p| key == GroupKey::Process(Some(p.pid)));
    let known = groups.iter().position(|group| group.key == key);
    let at = known.unwrap_or_else(|| {
        groups.push(SocketGroup {
            key,
            comm: process.map_or_else(String::new, |p| p.comm.to_owned()),
            connections: 0,
            active: 0,
            rx_queue: 0,
            tx_queue: 0,
            srtt_us: socket.tcp.map(|tcp| tcp.srtt_us.into()),
            min_rtt_us: socket.tcp.and_then(|tcp| tcp.min_rtt_us),
            delivery_rate: 0,
            since: TcpSince::default(),
        });
        groups.len() - 1
    });
    let group = &mut groups[at];
    group.connections += 1;
    group.rx_queue += u64::from(socket.rx_queue);
    let Some(since) = socket.since else { return };
    group.active += 1;
    group.delivery_rate += socket.tcp.map_or(0, |tcp| tcp.delivery_rate);
    if since.receives() {
        group.since.add(&since.untimed());
    } else {
        group.since.add(&since);
    }
}
