//! CPU figures of the snapshot (schema in snapshot.rs): per CPU, and per stage of the network stack.

use serde::Serialize;

/// The last stage of a snapshot: CPU time outside the network, of programs and of the kernel.
pub const OUTSIDE: &str = "outside_net";

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Stage {
    pub stage: &'static str,
    /// "rx", "tx", "sock" or "other".
    pub direction: &'static str,
    /// Its own code, percent of one CPU; the stages of a snapshot add up to the network share
    /// and the observers', and with [`OUTSIDE`] to all that was not idle.
    pub cpu_pct: f64,
    /// 95 % half-width of `cpu_pct`.
    pub cpu_error: Option<f64>,
    /// Its own code and everything that it called in the same context.
    pub inclusive_pct: f64,
    /// Per wire packet of its direction (sock, other: of any).
    pub ns_per_packet: Option<f64>,
    /// 95 % half-width of `ns_per_packet`.
    pub ns_error: Option<f64>,
    /// What its innermost functions did, heaviest first: "lock", "alloc", "copy", "csum",
    /// "memset", "irq_off"; what is left was none of them.
    pub leaves: Vec<Part>,
    /// Where it ran.
    pub per_cpu: Vec<CpuPart>,
}

/// A part of a CPU figure.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Part {
    pub name: &'static str,
    pub cpu_pct: f64,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct CpuPart {
    pub cpu: u32,
    pub cpu_pct: f64,
}

#[derive(Debug, Clone, Serialize, PartialEq, Default)]
pub struct Cpu {
    pub cpu: u32,
    pub node: Option<u32>,
    /// The network stack on this CPU, over the summary's window.
    pub net_pct: Option<f64>,
    pub net_rx_pct: Option<f64>,
    pub net_tx_pct: Option<f64>,
    pub net_sock_pct: Option<f64>,
    pub observer_pct: Option<f64>,
    /// Ticks of /proc/stat until something better counts it.
    pub softirq_pct: Option<f64>,
    /// Time in NET_RX and NET_TX, each run timed in this interval; null where they are too many
    /// to be timed within the budget.
    pub net_softirq_pct: Option<f64>,
    pub user_pct: Option<f64>,
    pub system_pct: Option<f64>,
    pub irq_pct: Option<f64>,
    pub idle_pct: Option<f64>,
    pub steal_pct: Option<f64>,
    /// Packets this CPU took into the stack in the interval (softnet).
    pub rx_packets: Option<u64>,
    pub rx_rate: Option<f64>,
    pub squeezed: Option<u64>,
    pub backlog_dropped: Option<u64>,
    /// Packets waiting in the backlog now.
    pub backlog: Option<u64>,
    pub received_rps: Option<u64>,
    pub net_rx_runs: Option<u64>,
    pub net_rx_rate: Option<f64>,
    pub napi_polls: Option<u64>,
    pub work_per_poll: Option<f64>,
    /// Packets per run of net_rx_action.
    pub packets_per_run: Option<f64>,
    /// The devices whose interrupts and polls it serves, most packets first.
    pub devices: Vec<Serves>,
    /// The processes that ran here, busiest first; from CPU samples of this interval.
    pub processes: Vec<Busy>,
    /// Estimated cost of netop's events on this CPU.
    pub cost_pct: Option<f64>,
    /// Softirq share of the last intervals, oldest first, at most [`HISTORY`].
    #[serde(skip)]
    pub history: Vec<f32>,
}

/// What a CPU does for a device.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Serves {
    /// "backlog" is what no driver polls: loopback, veth without NAPI, packets steered here.
    pub name: String,
    pub interrupts: Option<u64>,
    pub polls: Option<u64>,
    /// Received in those polls.
    pub packets: Option<u64>,
}

#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Busy {
    pub pid: u32,
    pub comm: String,
    /// Its own time on this CPU, without the interrupts and softirqs that it was stopped for.
    pub cpu_pct: f64,
}
