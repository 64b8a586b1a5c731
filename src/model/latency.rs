//! How long packets, softirqs and sockets wait between two events: one row per pair of events
//! (docs/snapshot.md; signals.md 2).

use std::sync::Arc;

use serde::Serialize;

use super::stage::Direction;

/// A pair of events, in the order of assets/bpf/latency.bpf.c.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    Backlog,
    Gro,
    Queue,
    Qdisc,
    Reader,
    TxRaise,
    RxRaise,
    TxRun,
    RxRun,
}

impl Pair {
    pub const ALL: [Pair; 9] = [
        Pair::Backlog,
        Pair::Gro,
        Pair::Queue,
        Pair::Qdisc,
        Pair::Reader,
        Pair::TxRaise,
        Pair::RxRaise,
        Pair::TxRun,
        Pair::RxRun,
    ];

    /// In the order of a packet's way in, and of one's way out.
    pub const PIPELINE: [Pair; 9] = [
        Pair::RxRaise,
        Pair::RxRun,
        Pair::Gro,
        Pair::Backlog,
        Pair::Reader,
        Pair::Queue,
        Pair::Qdisc,
        Pair::TxRaise,
        Pair::TxRun,
    ];

    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Pair::Backlog => "backlog",
            Pair::Gro => "gro",
            Pair::Queue => "xmit_queue",
            Pair::Qdisc => "qdisc",
            Pair::Reader => "reader",
            Pair::TxRaise => "net_tx_wait",
            Pair::RxRaise => "net_rx_wait",
            Pair::TxRun => "net_tx_run",
            Pair::RxRun => "net_rx_run",
        }
    }

    /// For people: (stage, what is waited for).
    pub fn title(self) -> (&'static str, &'static str) {
        match self {
            Pair::Backlog => (
                "backlog",
                "from the CPU's backlog (RPS, loopback, veth) to the stack",
            ),
            Pair::Gro => (
                "gro hold",
                "how long GRO holds a packet that others may join",
            ),
            Pair::Queue => (
                "xmit queue",
                "from the stack to the driver: qdisc, its lock, checks",
            ),
            Pair::Qdisc => ("qdisc", "within the qdisc"),
            Pair::Reader => (
                "reader",
                "data is in the socket, until the application has read it",
            ),
            Pair::TxRaise => ("net_tx wait", "the softirq is raised, until it runs"),
            Pair::RxRaise => ("net_rx wait", "the softirq is raised, until it runs"),
            Pair::TxRun => ("net_tx run", "one run of net_tx_action"),
            Pair::RxRun => ("net_rx run", "one run of net_rx_action"),
        }
    }

    pub fn events(self) -> (&'static str, &'static str) {
        match self {
            Pair::Backlog => ("netif_rx", "netif_receive_skb"),
            Pair::Gro => ("napi_gro_receive_entry", "netif_receive_skb"),
            Pair::Queue => ("net_dev_queue", "net_dev_start_xmit"),
            Pair::Qdisc => ("qdisc_enqueue", "qdisc_dequeue"),
            Pair::Reader => ("sk_data_ready", "sock_recv_length"),
            Pair::TxRaise | Pair::RxRaise => ("softirq_raise", "softirq_entry"),
            Pair::TxRun | Pair::RxRun => ("softirq_entry", "softirq_exit"),
        }
    }

    pub fn direction(self) -> Direction {
        match self {
            Pair::Backlog | Pair::Gro | Pair::RxRaise | Pair::RxRun => Direction::Rx,
            Pair::Queue | Pair::Qdisc | Pair::TxRaise | Pair::TxRun => Direction::Tx,
            Pair::Reader => Direction::Sock,
        }
    }

    /// Of a softirq: its beginning and end are matched by CPU, not by skb.
    pub fn is_softirq(self) -> bool {
        matches!(
            self,
            Pair::TxRaise | Pair::RxRaise | Pair::TxRun | Pair::RxRun
        )
    }
}

/// Figures of one histogram, ns.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq, Default)]
pub struct Times {
    pub count: u64,
    pub p50_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    pub p999_ns: Option<u64>,
    pub max_ns: Option<u64>,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Latency {
    pub pair: &'static str,
    pub from: &'static str,
    pub to: &'static str,
    pub direction: &'static str,
    /// Where all of it was on one device.
    pub device: Option<String>,
    #[serde(flatten)]
    pub times: Times,
    /// Sum of the times, ns; of one in `one_in`.
    pub sum_ns: Option<u64>,
    /// First events that came to their second, percent.
    pub matched_pct: Option<f64>,
    /// Given up after ten seconds: they lasted at least that long.
    pub censored: u64,
    /// Became part of another packet (GRO), and did not wait themselves.
    pub merged: u64,
    /// One in so many packets or sockets was followed.
    pub one_in: u32,
    /// The second event was on another CPU, and on another NUMA node, than the first.
    pub crossed_cpu_pct: Option<f64>,
    pub crossed_node_pct: Option<f64>,
    /// Why there are no times, in a sentence.
    pub reason: Option<String>,
    /// The last [`HISTORY`](super::HISTORY) intervals together.
    pub recent: Times,
    /// By device, CPU, process.
    pub by: Vec<LatencyPart>,
    #[serde(skip)]
    pub which: Option<Pair>,
    /// Of the last intervals, oldest first: times by power of two of ns, from [`HEAT_FROM`].
    #[serde(skip)]
    pub heat: Arc<[Heat]>,
}

/// The heat map begins at 2^7 ns; what is shorter is in the first.
pub const HEAT_FROM: u32 = 7;
pub const HEAT_ROWS: usize = 28;

pub type Heat = [u32; HEAT_ROWS];

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct LatencyPart {
    /// "device", "cpu", "process".
    pub kind: &'static str,
    pub name: Arc<str>,
    #[serde(flatten)]
    pub times: Times,
    pub crossed_cpu_pct: Option<f64>,
}
