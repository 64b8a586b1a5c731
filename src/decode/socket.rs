//! What sock_diag says of the host's sockets: the most active ones whole, all of them in sums.
//! The kernel's counters begin with the connection; `since` is what one reading saw happen.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::socket_reader::SocketReader;

/// One reading of all sockets of the namespaces that could be entered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SocketSample {
    /// CLOCK_MONOTONIC when the reading began, ns.
    pub at: u64,
    /// Since the reading before, ns; 0: there was none, and nothing has a `since`.
    pub interval_ns: u64,
    /// How long the reading took, ns.
    pub took_ns: u64,
    /// Sockets found: TCP (listening ones too, not those in TIME_WAIT) and UDP.
    pub tcp: u64,
    pub udp: u64,
    /// TCP sockets that are new or gone since the reading before.
    pub opened: u64,
    pub closed: u64,
    /// The reading was ended before it had seen every socket.
    pub cut: bool,
    /// TCP connections with most bytes, most retransmits, or fullest queues; most bytes first.
    pub connections: Vec<SocketCounters>,
    /// Fullest accept queue first.
    pub listeners: Vec<SocketCounters>,
    /// UDP sockets with most drops or fullest queues.
    pub datagrams: Vec<SocketCounters>,
    /// Sums over all TCP connections; of each kind the most active.
    pub groups: Vec<SocketGroup>,
    /// Sums of each process over all its sockets: late readers first.
    #[serde(default)]
    pub readers: Vec<SocketReader>,
}

/// One socket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SocketCounters {
    /// Unique as long as the host runs; tracepoints carry it too.
    pub cookie: u64,
    /// Of its file; 0: no process has it open any more.
    pub inode: u32,
    /// Inode of its network namespace.
    pub netns: u64,
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub state: TcpState,
    /// The process that has it open, as far as it is known.
    pub owner: Option<SocketOwner>,
    /// Bytes nobody has read yet; of a listening socket the length of its accept queue.
    pub rx_queue: u32,
    /// Bytes not acknowledged yet; of a listening socket how long its accept queue may get.
    pub tx_queue: u32,
    /// What is not read takes so much of `rcvbuf`, overhead included.
    #[serde(default)]
    pub rx_memory: Option<u32>,
    /// The oldest of what is not read has waited so long at least, ms; `None`: nothing waits, or
    /// nobody knows (UDP).
    #[serde(default)]
    pub oldest_rx_ms: Option<u64>,
    /// Packets that found no room in its buffer, ever (32 bits, wraps).
    pub drops: Option<u32>,
    /// The same since the reading before.
    pub drops_since: Option<u32>,
    /// Bytes that its buffers may take.
    pub rcvbuf: Option<u32>,
    pub sndbuf: Option<u32>,
    /// Id of its cgroup.
    pub cgroup: Option<u64>,
    pub tcp: Option<TcpCounters>,
    /// `None`: it was not there or not read the time before.
    pub since: Option<TcpSince>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketOwner {
    pub pid: u32,
    pub comm: String,
}

/// struct tcp_info (include/uapi/linux/tcp.h): since the connection began, and how it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TcpCounters {
    /// Retransmits included.
    pub bytes_sent: u64,
    pub bytes_acked: u64,
    pub bytes_received: u64,
    pub bytes_retrans: u64,
    pub segs_out: u32,
    pub segs_in: u32,
    /// Segments with data, retransmits included.
    pub data_segs_out: u32,
    pub segs_retrans: u32,
    /// With something to send or to be acknowledged, µs; the next two are part of it.
    pub busy_us: u64,
    /// The peer's window was full.
    pub rwnd_us: u64,
    /// The send buffer was full.
    pub sndbuf_us: u64,
    pub srtt_us: u32,
    /// `None`: nothing was measured yet.
    pub min_rtt_us: Option<u32>,
    /// Segments.
    pub cwnd: u32,
    pub mss: u32,
    /// Segments on the way.
    pub unacked: u32,
    /// Segments held for lost now.
    pub lost: u32,
    /// Reordering that was seen, events.
    pub reordered: u32,
    /// Timeouts in a row now.
    pub timeouts: u32,
    /// Bytes in the send queue that were never sent.
    pub notsent: u32,
    /// The peer's window, bytes.
    pub snd_wnd: u32,
    /// Bytes/s; [`u64::MAX`]: no limit.
    pub pacing_rate: u64,
    /// Bytes/s that the network took last.
    pub delivery_rate: u64,
    /// That rate is the application's: it had nothing more to send.
    pub app_limited: bool,
    /// The send buffer is full: who writes has to wait.
    pub sndbuf_full: bool,
    /// Since data came last, ms.
    #[serde(default)]
    pub last_data_ms: u32,
}

/// What happened between two readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TcpSince {
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub bytes_retrans: u64,
    pub segs_out: u64,
    pub segs_in: u64,
    pub data_segs_out: u64,
    pub segs_retrans: u64,
    /// The time since the reading before, or since it began, µs.
    pub span_us: u64,
    /// By whom it was limited, µs of `span_us`: the peer's window, the send buffer, the network
    /// (window full or waiting for acknowledgements), the application (nothing to send).
    pub rwnd_us: u64,
    pub sndbuf_us: u64,
    pub cwnd_us: u64,
    pub app_us: u64,
}

impl TcpSince {
    pub fn add(&mut self, more: &TcpSince) {
        self.bytes_sent += more.bytes_sent;
        self.bytes_received += more.bytes_received;
        self.bytes_retrans += more.bytes_retrans;
        self.segs_out += more.segs_out;
        self.segs_in += more.segs_in;
        self.data_segs_out += more.data_segs_out;
        self.segs_retrans += more.segs_retrans;
        self.span_us += more.span_us;
        self.rwnd_us += more.rwnd_us;
        self.sndbuf_us += more.sndbuf_us;
        self.cwnd_us += more.cwnd_us;
        self.app_us += more.app_us;
    }

    pub fn bytes(&self) -> u64 {
        self.bytes_sent + self.bytes_received
    }

    /// Mostly the peer sends: that nothing was to be sent here held nobody up.
    pub fn receives(&self) -> bool {
        self.bytes_received > self.bytes_sent && self.app_us * 2 > self.span_us
    }

    /// The same without the times, which are then nobody's.
    #[must_use]
    pub fn untimed(&self) -> TcpSince {
        TcpSince {
            span_us: 0,
            rwnd_us: 0,
            sndbuf_us: 0,
            cwnd_us: 0,
            app_us: 0,
            ..*self
        }
    }
}

/// What connections of one group have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum GroupKey {
    /// The peer's network: /24, /64.
    Network {
        address: IpAddr,
        prefix: u8,
    },
    /// The port somebody listens on: here, or at the peer.
    Port {
        port: u16,
        here: bool,
    },
    /// `None`: the process is not known.
    Process(Option<u32>),
    State(TcpState),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SocketGroup {
    pub key: GroupKey,
    /// Of a process.
    pub comm: String,
    pub connections: u64,
    /// Those that sent or received anything, or were trying to.
    pub active: u64,
    /// Bytes not read by our processes, and not acknowledged by the peers.
    pub rx_queue: u64,
    pub tx_queue: u64,
    /// Mean of the active connections.
    pub srtt_us: Option<u64>,
    /// The least of the active connections.
    pub min_rtt_us: Option<u32>,
    /// Sum of the active connections, bytes/s.
    pub delivery_rate: u64,
    /// Times only of active connections that send.
    pub since: TcpSince,
}

/// include/net/tcp_states.h
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub enum TcpState {
    Established,
    SynSent,
    SynRecv,
    FinWait1,
    FinWait2,
    TimeWait,
    #[default]
    Close,
    CloseWait,
    LastAck,
    Listen,
    Closing,
}

impl TcpState {
    /// `None`: a state this program does not know.
    pub fn from_kernel(value: u8) -> Option<TcpState> {
        Some(match value {
            1 => TcpState::Established,
            2 => TcpState::SynSent,
            3 | 12 => TcpState::SynRecv,
            4 => TcpState::FinWait1,
            5 => TcpState::FinWait2,
            6 => TcpState::TimeWait,
            7 => TcpState::Close,
            8 => TcpState::CloseWait,
            9 => TcpState::LastAck,
            10 => TcpState::Listen,
            11 => TcpState::Closing,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            TcpState::Established => "established",
            TcpState::SynSent => "syn-sent",
            TcpState::SynRecv => "syn-recv",
            TcpState::FinWait1 => "fin-wait-1",
            TcpState::FinWait2 => "fin-wait-2",
            TcpState::TimeWait => "time-wait",
            TcpState::Close => "closed",
            TcpState::CloseWait => "close-wait",
            TcpState::LastAck => "last-ack",
            TcpState::Listen => "listen",
            TcpState::Closing => "closing",
        }
    }
}

impl SocketSample {
    /// What `counters` did since `before`, `span_us` ago. The times of the connection end at the
    /// reading, so what is left of the span was the application's.
    pub fn between(before: &TcpCounters, now: &TcpCounters, span_us: u64) -> TcpSince {
        let more = |now: u64, before: u64| now.saturating_sub(before);
        let wraps = |now: u32, before: u32| u64::from(now.wrapping_sub(before));
        let busy_us = more(now.busy_us, before.busy_us).min(span_us);
        let rwnd_us = more(now.rwnd_us, before.rwnd_us).min(busy_us);
        let mut sndbuf_us = more(now.sndbuf_us, before.sndbuf_us).min(busy_us - rwnd_us);
        let mut cwnd_us = busy_us - rwnd_us - sndbuf_us;
        if now.sndbuf_full && now.notsent == 0 && now.unacked < now.cwnd {
            // In slow start the kernel calls this the network's (tcp_is_cwnd_limited), though the
            // window has room and everything that was written is on its way.
            sndbuf_us += std::mem::take(&mut cwnd_us);
        } else if now.app_limited && now.notsent == 0 {
            // Busy with a few segments on their way is not the network's doing.
            cwnd_us = 0;
        }
        TcpSince {
            bytes_sent: more(now.bytes_sent, before.bytes_sent),
            bytes_received: more(now.bytes_received, before.bytes_received),
            bytes_retrans: more(now.bytes_retrans, before.bytes_retrans),
            segs_out: wraps(now.segs_out, before.segs_out),
            segs_in: wraps(now.segs_in, before.segs_in),
            data_segs_out: wraps(now.data_segs_out, before.data_segs_out),
            segs_retrans: wraps(now.segs_retrans, before.segs_retrans),
            span_us,
            rwnd_us,
            sndbuf_us,
            cwnd_us,
            app_us: span_us - rwnd_us - sndbuf_us - cwnd_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_span_add_up_to_it_whatever_the_kernel_says() {
        for (busy_us, rwnd_us, sndbuf_us) in [(0, 0, 0), (900, 200, 300), (5000, 4000, 3000)] {
            let now = TcpCounters {
                busy_us,
                rwnd_us,
                sndbuf_us,
                ..TcpCounters::default()
            };
            for app_limited in [false, true] {
                let now = TcpCounters { app_limited, ..now };
                let since = SocketSample::between(&TcpCounters::default(), &now, 1000);
                let sum = since.rwnd_us + since.sndbuf_us + since.cwnd_us + since.app_us;
                assert_eq!(sum, 1000, "{since:?}");
                assert_eq!(since.rwnd_us, rwnd_us.min(1000));
            }
        }
    }

    #[test]
    fn what_is_on_its_way_of_an_application_that_sends_little_is_the_applications_time() {
        let now = TcpCounters {
            busy_us: 800,
            app_limited: true,
            ..TcpCounters::default()
        };
        let shares = |now: &TcpCounters| {
            let since = SocketSample::between(&TcpCounters::default(), now, 1000);
            (since.cwnd_us, since.app_us)
        };
        assert_eq!(shares(&now), (0, 1000));
        let waiting = TcpCounters { notsent: 9, ..now };
        assert_eq!(shares(&waiting), (800, 200));
    }

    #[test]
    fn a_full_send_buffer_is_the_limit_while_the_window_has_room() {
        let now = TcpCounters {
            busy_us: 800,
            sndbuf_full: true,
            unacked: 8,
            cwnd: 10,
            ..TcpCounters::default()
        };
        let sndbuf =
            |now: &TcpCounters| SocketSample::between(&TcpCounters::default(), now, 1000).sndbuf_us;
        assert_eq!(sndbuf(&now), 800);
        assert_eq!(sndbuf(&TcpCounters { unacked: 10, ..now }), 0);
        assert_eq!(sndbuf(&TcpCounters { notsent: 1, ..now }), 0);
    }

    #[test]
    fn a_counter_of_32_bits_may_wrap_and_one_that_fell_counts_nothing() {
        let before = TcpCounters {
            segs_out: u32::MAX,
            bytes_sent: 100,
            ..TcpCounters::default()
        };
        let since = SocketSample::between(&before, &TcpCounters::default(), 1);
        assert_eq!((since.segs_out, since.bytes_sent), (1, 0));
    }
}
