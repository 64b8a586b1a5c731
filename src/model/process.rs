//! A process as the table of view 4 and the snapshot have it.

use serde::Serialize;

/// Stands for the row of what no socket can be named for: forwarded, or for nobody that is known.
pub const NO_SOCKET: u32 = u32::MAX;

/// PID_MAX_LIMIT of linux/threads.h.
const LARGEST: u32 = 1 << 22;

/// Stands for several processes that are not told apart. No pid is as large.
pub const SEVERAL: u32 = u32::MAX - 1;

/// A process whose sockets packets were for, or in whose context network functions ran. Calls and
/// bytes are exact with `calls_exact` and `bytes_exact`; what comes from samples is an estimate
/// unless `estimated` is false (every hit was sampled).
#[derive(Debug, Clone, Serialize, PartialEq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a word about another figure"
)]
pub struct Process {
    /// Null: [`NO_SOCKET`].
    #[serde(serialize_with = "pid_or_null")]
    pub pid: u32,
    /// When it started, clock ticks since boot (field 22 of /proc/PID/stat): with the pid it is one
    /// process, whoever has that pid later. Null: not read yet, or not of this host.
    pub start_ticks: Option<u64>,
    pub comm: String,
    pub container: Option<String>,
    pub tx_calls: Option<f64>,
    pub tx_bytes: Option<f64>,
    pub rx_calls: Option<f64>,
    pub rx_bytes: Option<f64>,
    /// Wire packets that devices were handed for its sockets, whoever ran.
    pub tx_packets: Option<f64>,
    /// Wire packets that came to its sockets.
    pub rx_packets: Option<f64>,
    /// The network stack in its own system calls, percent of one CPU.
    pub cpu_own_pct: Option<f64>,
    /// What receive softirqs spent on its sockets, on whoever's time: each CPU's is split by the
    /// wire packets that came to sockets there; an estimate.
    pub cpu_softirq_owned_pct: Option<f64>,
    /// Softirqs and interrupts of the network that ran on its time.
    pub cpu_stolen_pct: Option<f64>,
    pub runq_delay_ms: Option<f64>,
    pub throttled_pct: Option<f64>,
    /// What has come for it and is not read has waited so long at least (TCP); with times measured
    /// the longest wait that ended, if that was longer. Null: nothing waits, or nobody knows.
    pub oldest_rx_ms: Option<f64>,
    /// Skbs of its sockets that the stack dropped, whatever the reason.
    pub drops: Option<f64>,
    pub retransmits: Option<f64>,
    /// The tightest with its share: `cpu`, `runq`, `rcvbuf`, `rwnd`, `sndbuf`, `cwnd`, `app`.
    pub limit: Option<String>,
    /// Hits per second of all counted functions in this process's context.
    pub context_rate: f64,
    pub estimated: bool,
    /// `context_rate`, `tx_calls` and `rx_calls` were counted, even where bytes are estimates.
    pub calls_exact: bool,
    /// `tx_bytes` and `rx_bytes` were counted.
    pub bytes_exact: bool,
    /// Packets, drops and retransmits were counted a part of the time.
    pub packets_estimated: bool,
    /// It ended; the row is kept while it carries weight.
    pub ended: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
pub(super) fn pid_or_null<S: serde::Serializer>(pid: &u32, to: S) -> Result<S::Ok, S::Error> {
    (*pid <= LARGEST).then_some(*pid).serialize(to)
}
