//! From readings of the sockets to rates, shares and what held a connection up. A reading may be
//! older than the interval: its rates stand until the next, its counts are told once.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::decode::{
    GroupKey, SlowSample, SocketCounters, SocketGroup, SocketSample, TcpCounters, TcpSince,
};
use crate::model::{Flow, Limit, Limited, Listener, Sockets, Tcp, TcpGroup};

/// A receive queue this full stays so because nobody reads, percent of the buffer.
const UNREAD_PCT: u64 = 50;

/// Under this share of its time nothing held a sender up.
const HELD_UP_PCT: f64 = 1.0;

#[derive(Debug, Default)]
pub struct Connections {
    sample: Option<SocketSample>,
    /// It came in this interval.
    fresh: bool,
    /// netop's network namespace, and what others are called.
    own: Option<u64>,
    names: BTreeMap<u64, String>,
}

/// What a snapshot tells of it.
#[derive(Debug, Default)]
pub struct Told {
    pub sockets: Option<Sockets>,
    pub tcp: Vec<Tcp>,
    pub groups: Vec<TcpGroup>,
    pub listeners: Vec<Listener>,
}

impl Connections {
    pub fn ingest(&mut self, slow: Option<&SlowSample>) {
        let newer = slow.and_then(|slow| slow.sockets.as_deref());
        self.fresh = newer.is_some();
        if let Some(newer) = newer {
            self.sample = Some(newer.clone());
        }
        if let Some(slow) = slow {
            self.own = slow.links.first().map(|link| link.netns);
            self.names = slow.netns_names.iter().cloned().collect();
        }
    }

    /// `at`: the end of the interval, CLOCK_MONOTONIC.
    pub fn told(&self, at: u64) -> Told {
        let Some(sample) = &self.sample else {
            return Told::default();
        };
        let compared = sample.interval_ns > 0;
        let seconds = sample.interval_ns as f64 / 1e9;
        let span = Span {
            seconds,
            fresh: self.fresh,
        };
        Told {
            sockets: Some(Sockets {
                tcp: sample.tcp,
                udp: sample.udp,
                opened: compared.then_some(sample.opened),
                closed: compared.then_some(sample.closed),
                interval_s: compared.then_some(seconds),
                age_s: at.saturating_sub(sample.at) as f64 / 1e9,
                took_ms: sample.took_ns as f64 / 1e6,
                cut: sample.cut,
            }),
            tcp: sample.connections.iter().map(|s| span.of(s)).collect(),
            groups: sample.groups.iter().map(|g| span.sum(g)).collect(),
            listeners: sample.listeners.iter().map(|s| self.listener(s)).collect(),
        }
    }

    fn listener(&self, socket: &SocketCounters) -> Listener {
        Listener {
            local: address(socket.local),
            netns: socket.netns,
            netns_name: (self.own != Some(socket.netns)).then(|| {
                let name = self.names.get(&socket.netns).cloned();
                name.unwrap_or_else(|| socket.netns.to_string())
            }),
            cookie: socket.cookie,
            pid: socket.owner.as_ref().map(|owner| owner.pid),
            comm: socket.owner.as_ref().map(|owner| owner.comm.clone()),
            queue: socket.rx_queue.into(),
            backlog: socket.tx_queue.into(),
            dropped: socket.drops_since.map(u64::from),
            dropped_total: socket.drops.map(u64::from),
        }
    }
}

/// The time between two readings.
struct Span {
    seconds: f64,
    fresh: bool,
}

impl Span {
    fn of(&self, socket: &SocketCounters) -> Tcp {
        let tcp = socket.tcp.unwrap_or_default();
        let mut flow = self.flow(socket.since.as_ref());
        flow.srtt_us = (tcp.srtt_us > 0).then_some(tcp.srtt_us.into());
        flow.min_rtt_us = tcp.min_rtt_us.map(u64::from);
        flow.delivery_rate = (tcp.delivery_rate > 0).then_some(tcp.delivery_rate);
        flow.rx_queue = socket.rx_queue.into();
        flow.tx_queue = socket.tx_queue.into();
        flow.limit = socket.since.and_then(|since| limit(socket, &tcp, &since));
        Tcp {
            local: address(socket.local),
            remote: address(socket.remote),
            netns: socket.netns,
            cookie: socket.cookie,
            pid: socket.owner.as_ref().map(|owner| owner.pid),
            comm: socket.owner.as_ref().map(|owner| owner.comm.clone()),
            state: socket.state.name(),
            flow,
            total_sent: tcp.bytes_sent,
            total_received: tcp.bytes_received,
            total_retrans: tcp.bytes_retrans,
            cwnd: tcp.cwnd.into(),
            mss: tcp.mss.into(),
            unacked: tcp.unacked.into(),
            lost: tcp.lost.into(),
            reordered: tcp.reordered.into(),
            timeouts: tcp.timeouts.into(),
            notsent: tcp.notsent.into(),
            pacing_rate: (tcp.pacing_rate != u64::MAX).then_some(tcp.pacing_rate),
            rcvbuf: socket.rcvbuf.map(u64::from),
            sndbuf: socket.sndbuf.map(u64::from),
            peer_window: tcp.snd_wnd.into(),
        }
    }

    fn sum(&self, group: &SocketGroup) -> TcpGroup {
        let since = (self.seconds > 0.0).then_some(&group.since);
        let mut flow = self.flow(since);
        flow.srtt_us = group.srtt_us;
        flow.min_rtt_us = group.min_rtt_us.map(u64::from);
        flow.delivery_rate = (group.delivery_rate > 0).then_some(group.delivery_rate);
        flow.rx_queue = group.rx_queue;
        flow.tx_queue = group.tx_queue;
        flow.limit = since.and_then(|since| heaviest(since, &flow.limited));
        let (by, name, pid) = match &group.key {
            GroupKey::Network { address, prefix } => {
                ("network", format!("{address}/{prefix}"), None)
            }
            GroupKey::Port { port, here: true } => ("port", format!(":{port}"), None),
            GroupKey::Port { port, here: false } => ("port", format!("→{port}"), None),
            GroupKey::Process(None) => ("process", "unknown".to_owned(), None),
            GroupKey::Process(Some(pid)) => {
                ("process", format!("{}({pid})", group.comm), Some(*pid))
            }
            GroupKey::State(state) => ("state", state.name().to_owned(), None),
        };
        TcpGroup {
            by,
            name,
            pid,
            connections: group.connections,
            active: group.active,
            flow,
        }
    }

    fn flow(&self, since: Option<&TcpSince>) -> Flow {
        let Some(since) = since.filter(|_| self.seconds > 0.0) else {
            return Flow::default();
        };
        let told = |count: u64| self.fresh.then_some(count);
        let share = |us: u64| {
            let share = 100.0 * us as f64 / since.span_us as f64;
            (since.span_us > 0).then_some(share)
        };
        let sent = since.bytes_sent as f64;
        Flow {
            bytes_sent: told(since.bytes_sent),
            bytes_received: told(since.bytes_received),
            bytes_retrans: told(since.bytes_retrans),
            sent_bps: Some(8.0 * sent / self.seconds),
            received_bps: Some(8.0 * since.bytes_received as f64 / self.seconds),
            retransmit_rate: Some(since.segs_retrans as f64 / self.seconds),
            retrans_pct: (sent > 0.0).then_some(100.0 * since.bytes_retrans as f64 / sent),
            limited: Limited {
                rwnd_pct: share(since.rwnd_us),
                sndbuf_pct: share(since.sndbuf_us),
                cwnd_pct: share(since.cwnd_us),
                app_pct: share(since.app_us),
            },
            ..Flow::default()
        }
    }
}

/// Of one connection: where it only receives, nobody here is asked to send.
fn limit(socket: &SocketCounters, tcp: &TcpCounters, since: &TcpSince) -> Option<Limit> {
    let room = u64::from(socket.rcvbuf.unwrap_or(u32::MAX));
    let unread = u64::from(socket.rx_queue) * 100 >= room.max(1) * UNREAD_PCT;
    if unread && since.bytes_received >= since.bytes_sent && tcp.notsent == 0 {
        return Some(Limit::Reader);
    }
    let idle = since.app_us >= since.span_us && since.bytes_sent == 0;
    if idle || since.receives() {
        return None;
    }
    let share = |us: u64| Some(100.0 * us as f64 / since.span_us.max(1) as f64);
    let limited = Limited {
        rwnd_pct: share(since.rwnd_us),
        sndbuf_pct: share(since.sndbuf_us),
        cwnd_pct: share(since.cwnd_us),
        app_pct: share(since.app_us),
    };
    heaviest(since, &limited)
}

fn heaviest(since: &TcpSince, limited: &Limited) -> Option<Limit> {
    if since.span_us == 0 || since.bytes() == 0 && since.app_us >= since.span_us {
        return None;
    }
    [Limit::Rwnd, Limit::Sndbuf, Limit::Cwnd, Limit::App]
        .into_iter()
        .filter_map(|limit| Some((limit, limited.of(limit)?)))
        .filter(|(_, pct)| *pct >= HELD_UP_PCT)
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(limit, _)| limit)
}

/// `*:80` for any address, as ss writes it.
fn address(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("*:{}", address.port())
    } else {
        address.to_string()
    }
}

#[cfg(test)]
#[path = "tcp_tests.rs"]
mod tests;
