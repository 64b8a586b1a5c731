//! TCP connections as sock_diag tells them: the most active ones, sums of all of them, and the
//! sockets that listen. Rates and shares are of the time between the last two readings.

use serde::Serialize;

/// How the sockets were read.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Sockets {
    /// TCP sockets, listening ones too, and UDP sockets.
    pub tcp: u64,
    pub udp: u64,
    /// TCP sockets that are new or gone since the reading before; null: there was none.
    pub opened: Option<u64>,
    pub closed: Option<u64>,
    /// Between the last two readings, seconds; null: there was one.
    pub interval_s: Option<f64>,
    /// How long ago the last one began at the end of this interval, seconds.
    pub age_s: f64,
    pub took_ms: f64,
    /// It was ended before it had seen every socket.
    pub cut: bool,
}

/// One connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Tcp {
    pub local: String,
    pub remote: String,
    /// Inode of its network namespace.
    pub netns: u64,
    pub cookie: u64,
    /// Who has it open; null: nobody any more, or not known.
    pub pid: Option<u32>,
    pub comm: Option<String>,
    pub state: &'static str,
    #[serde(flatten)]
    pub flow: Flow,
    /// Bytes since it began; retransmits are part of what was sent.
    pub total_sent: u64,
    pub total_received: u64,
    pub total_retrans: u64,
    /// Segments.
    pub cwnd: u64,
    pub mss: u64,
    pub unacked: u64,
    pub lost: u64,
    pub reordered: u64,
    /// Retransmission timeouts in a row, now.
    pub timeouts: u64,
    /// Of the send queue, what was never sent, bytes.
    pub notsent: u64,
    /// Bytes per second it may be sent with; null: no limit.
    pub pacing_rate: Option<u64>,
    pub rcvbuf: Option<u64>,
    pub sndbuf: Option<u64>,
    /// The peer's window, bytes.
    pub peer_window: u64,
}

/// What a connection, or all of a group, carried, and what held it up.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Flow {
    /// Between the last two readings, if the later one was in this interval. Retransmits are part
    /// of what was sent, and so is what a queue of this host dropped.
    pub bytes_sent: Option<u64>,
    pub bytes_received: Option<u64>,
    pub bytes_retrans: Option<u64>,
    /// Bits per second.
    pub sent_bps: Option<f64>,
    pub received_bps: Option<f64>,
    /// Segments per second.
    pub retransmit_rate: Option<f64>,
    /// Of the bytes sent.
    pub retrans_pct: Option<f64>,
    /// Of a group: the mean of active connections, and the least.
    pub srtt_us: Option<u64>,
    pub min_rtt_us: Option<u64>,
    /// What the network took last, bytes per second; of a group the sum.
    pub delivery_rate: Option<u64>,
    /// Not read yet by its process; not acknowledged yet by the peer.
    pub rx_queue: u64,
    pub tx_queue: u64,
    pub limited: Limited,
    /// The greatest of `limited`, if anything was held up at all.
    pub limit: Option<Limit>,
}

/// Shares of the time between the readings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Limited {
    pub rwnd_pct: Option<f64>,
    pub sndbuf_pct: Option<f64>,
    pub cwnd_pct: Option<f64>,
    pub app_pct: Option<f64>,
}

/// What kept a sender from sending more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Limit {
    /// The peer's receive window: its reader is slow, or its buffer small.
    Rwnd,
    /// Our send buffer is smaller than what is on its way.
    Sndbuf,
    /// The network: congestion window, round trip, loss.
    Cwnd,
    /// Our application had nothing to send.
    App,
    /// Our process does not read what has come.
    Reader,
}

impl Limit {
    pub fn name(self) -> &'static str {
        match self {
            Limit::Rwnd => "rwnd",
            Limit::Sndbuf => "sndbuf",
            Limit::Cwnd => "cwnd",
            Limit::App => "app",
            Limit::Reader => "reader",
        }
    }
}

impl Limited {
    pub fn of(&self, limit: Limit) -> Option<f64> {
        match limit {
            Limit::Rwnd => self.rwnd_pct,
            Limit::Sndbuf => self.sndbuf_pct,
            Limit::Cwnd => self.cwnd_pct,
            Limit::App => self.app_pct,
            Limit::Reader => None,
        }
    }
}

/// Connections that have something in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TcpGroup {
    /// "network", "port", "process" or "state".
    pub by: &'static str,
    /// `192.0.2.0/24`, `:443` (served here), `→5432` (served by the peers), `nginx(812)`, a state.
    pub name: String,
    pub pid: Option<u32>,
    pub connections: u64,
    /// Those that carried anything; all but the queues is of these.
    pub active: u64,
    #[serde(flatten)]
    pub flow: Flow,
}

/// A socket that listens.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Listener {
    pub local: String,
    pub netns: u64,
    /// As `ip netns` calls it, else its inode; null: the namespace netop runs in.
    pub netns_name: Option<String>,
    pub cookie: u64,
    pub pid: Option<u32>,
    pub comm: Option<String>,
    /// Connections that wait to be accepted, and how many may: `queue > backlog` is full.
    pub queue: u64,
    pub backlog: u64,
    /// Connections refused or dropped since the reading before; null: nothing to compare with.
    pub dropped: Option<u64>,
    pub dropped_total: Option<u64>,
}

impl Listener {
    /// The kernel lets one more in than the backlog says (sk_acceptq_is_full).
    pub fn is_full(&self) -> bool {
        self.queue > self.backlog
    }
}
