//! Sums over all TCP connections: by the peer's network, by the port that is served, by process
//! and by state. Bounded: of each kind so many are summed up, and the most active are told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::decode::{GroupKey, SocketCounters, SocketGroup, TcpSince};

/// Groups of a kind summed up at once; connections of further ones are in no group of that kind.
const SUMMED: usize = 1 << 14;

/// Groups of each kind that are told.
const TOLD: usize = 32;

#[derive(Debug, Default)]
pub struct Groups {
    sums: FxHashMap<GroupKey, Sum>,
    /// Ports that somebody listened on at the reading before, by network namespace.
    served: FxHashSet<(u64, u16)>,
    serving: FxHashSet<(u64, u16)>,
}

#[derive(Debug, Default)]
struct Sum {
    connections: u64,
    active: u64,
    rx_queue: u64,
    tx_queue: u64,
    srtt_us: u64,
    /// Active ones with an srtt.
    timed: u64,
    min_rtt_us: Option<u32>,
    delivery_rate: u64,
    since: TcpSince,
}

impl Groups {
    pub fn listens(&mut self, socket: &SocketCounters) {
        if self.serving.len() < SUMMED {
            self.serving.insert((socket.netns, socket.local.port()));
        }
    }

    pub fn add(&mut self, socket: &SocketCounters, pid: Option<u32>) {
        let place = (socket.netns, socket.local.port());
        let here = self.served.contains(&place) || self.serving.contains(&place);
        let keys = [
            network(socket.remote.ip()),
            GroupKey::Port {
                port: if here { place.1 } else { socket.remote.port() },
                here,
            },
            GroupKey::Process(pid),
            GroupKey::State(socket.state),
        ];
        // Many networks leave room for ports, these for processes, and these for states.
        for (key, rooms) in keys.into_iter().zip(1..) {
            if self.sums.len() < rooms * SUMMED || self.sums.contains_key(&key) {
                self.sums.entry(key).or_default().add(socket);
            }
        }
    }

    /// Ends a reading.
    pub fn take(&mut self, mut comm: impl FnMut(u32) -> Option<String>) -> Vec<SocketGroup> {
        self.served = std::mem::take(&mut self.serving);
        let mut groups: Vec<SocketGroup> = (self.sums.drain())
            .map(|(key, sum)| sum.told(key, &mut comm))
            .collect();
        self.sums.shrink_to(SUMMED / 16);
        groups.sort_by(|a, b| order(b).cmp(&order(a)).then_with(|| a.key.cmp(&b.key)));
        let mut kinds: FxHashMap<_, usize> = FxHashMap::default();
        groups.retain(|group| {
            let told = kinds.entry(std::mem::discriminant(&group.key)).or_default();
            *told += 1;
            *told <= TOLD
        });
        groups
    }
}

/// Most bytes first, then most connections.
fn order(group: &SocketGroup) -> (u64, u64) {
    (group.since.bytes(), group.connections)
}

impl Sum {
    fn add(&mut self, socket: &SocketCounters) {
        self.connections += 1;
        self.rx_queue += u64::from(socket.rx_queue);
        self.tx_queue += u64::from(socket.tx_queue);
        let Some((tcp, since)) = socket.tcp.as_ref().zip(socket.since.as_ref()) else {
            return;
        };
        // Idle connections would make every group limited by its applications.
        if since.bytes() == 0 && since.app_us >= since.span_us {
            return;
        }
        self.active += 1;
        // Of both ends of a transfer only the sender's times say what held it up.
        if since.receives() {
            self.since.add(&since.untimed());
        } else {
            self.since.add(since);
        }
        self.delivery_rate += tcp.delivery_rate;
        if tcp.srtt_us > 0 {
            self.timed += 1;
            self.srtt_us += u64::from(tcp.srtt_us);
        }
        self.min_rtt_us = self.min_rtt_us.into_iter().chain(tcp.min_rtt_us).min();
    }

    fn told(self, key: GroupKey, comm: impl FnOnce(u32) -> Option<String>) -> SocketGroup {
        let comm = match key {
            GroupKey::Process(Some(pid)) => comm(pid).unwrap_or_default(),
            _ => String::new(),
        };
        SocketGroup {
            key,
            comm,
            connections: self.connections,
            active: self.active,
            rx_queue: self.rx_queue,
            tx_queue: self.tx_queue,
            srtt_us: self.srtt_us.checked_div(self.timed),
            min_rtt_us: self.min_rtt_us,
            delivery_rate: self.delivery_rate,
            since: self.since,
        }
    }
}

fn network(address: IpAddr) -> GroupKey {
    match address {
        IpAddr::V4(address) => GroupKey::Network {
            address: Ipv4Addr::from_bits(address.to_bits() & !0xff).into(),
            prefix: 24,
        },
        IpAddr::V6(address) => GroupKey::Network {
            address: Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
            prefix: 64,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{connection, listener};
    use super::*;

    fn of(groups: &[SocketGroup], key: &GroupKey) -> (u64, u64, u64) {
        let group = groups.iter().find(|group| group.key == *key);
        group.map_or((0, 0, 0), |g| (g.connections, g.active, g.since.bytes_sent))
    }

    #[test]
    fn a_connection_is_in_one_group_of_each_kind() {
        let mut groups = Groups::default();
        groups.listens(&listener(1, "10.0.0.1:443"));
        let sent = |bytes_sent| {
            Some(TcpSince {
                bytes_sent,
                ..TcpSince::default()
            })
        };
        for (local, remote, since) in [
            ("10.0.0.1:443", "192.0.2.7:50000", sent(10)),
            ("10.0.0.1:443", "192.0.2.200:50001", sent(20)),
            ("10.0.0.1:40000", "198.51.100.1:5432", sent(0)),
            ("[2001:db8::1]:443", "[2001:db8:0:1:2::9]:1", sent(7)),
        ] {
            let mut socket = connection(1, local, remote);
            socket.since = since;
            groups.add(&socket, Some(4));
        }
        let told = groups.take(|pid| Some(format!("p{pid}")));
        let net = |text: &str, prefix| GroupKey::Network {
            address: text.parse().expect("an address"),
            prefix,
        };
        let port = |port, here| GroupKey::Port { port, here };
        assert_eq!(of(&told, &net("192.0.2.0", 24)), (2, 2, 30));
        assert_eq!(of(&told, &net("2001:db8:0:1::", 64)), (1, 1, 7));
        assert_eq!(of(&told, &port(443, true)), (3, 3, 37));
        let idle = (1, 0, 0);
        assert_eq!(of(&told, &port(5432, false)), idle, "nothing was sent");
        assert_eq!(of(&told, &GroupKey::Process(Some(4))), (4, 3, 37));
        assert_eq!(told[0].since.bytes_sent, 37, "most bytes first");
        assert!(told.iter().any(|group| group.comm == "p4"));
        assert_eq!(groups.take(|_| None), [], "each reading sums anew");
    }

    #[test]
    fn only_so_many_of_each_kind_are_told() {
        let mut groups = Groups::default();
        for i in 0..40_000_u32 {
            let [_, a, b, c] = i.to_be_bytes();
            let remote = format!("10.{a}.{b}.{c}:{}", i % 60_000 + 1);
            groups.add(&connection(1, "10.0.0.1:9", &remote), Some(i));
        }
        assert!(groups.sums.len() <= 3 * SUMMED + 11);
        let told = groups.take(|_| None);
        assert!(told.len() <= 3 * TOLD + 11, "{}", told.len());
    }
}
