//! What the people above want from a source, as one value; nothing else flows down.

use std::time::Duration;

use super::latency::Timing;
use super::session::EventId;

/// [`Attach::duty_permille`] of what is counted all of the time.
pub const ALWAYS: u16 = 1000;

/// One event to keep open.
/// No process has this number: the largest is 2^22 (PID_MAX_LIMIT, include/linux/threads.h). A filter
/// of processes that have all ended is not all processes.
pub const NOBODY: u32 = (1 << 22) + 1;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent switches of one event"
)]
pub struct Attach {
    pub event: EventId,
    /// Wanted samples with stacks per second and CPU; 0: count only.
    pub stacks_per_s: u32,
    /// Every hit is a sample, without its stack; disarmed until the next interval in a storm.
    pub every: bool,
    /// Count on every CPU (and sample from there).
    pub wide: bool,
    /// Count per task of [`Demand::pids`].
    pub per_task: bool,
    /// By a BPF program (the event says whether it can be), else by perf events.
    pub gate: bool,
    /// Count it by socket; [`Demand::pids`] then means the sockets of these processes.
    pub by_socket: bool,
    /// Samples of every process, though [`Demand::pids`] names some.
    pub everyone: bool,
    /// The share of the time that it is counted, 1/1000: [`ALWAYS`], or random windows that add up
    /// to less; then the counts have a [`Spread`](super::Spread).
    pub duty_permille: u16,
    /// By name: nobody but the user takes it away.
    pub asked: bool,
}

impl Attach {
    /// Counted all the time on every CPU by perf events, without samples.
    pub fn wide(event: EventId) -> Attach {
        Attach {
            event,
            stacks_per_s: 0,
            every: false,
            wide: true,
            per_task: false,
            gate: false,
            by_socket: false,
            everyone: false,
            duty_permille: ALWAYS,
            asked: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent wishes, in any combination"
)]
pub struct Demand {
    pub interval: Duration,
    /// Sorted by event.
    pub attached: Vec<Attach>,
    /// CPU samples per second and CPU; 0: none.
    pub clock_hz: u32,
    /// Processes of the PID filter; empty: no filter.
    pub pids: Vec<u32>,
    /// When those of `pids` started of which it is known, clock ticks since boot.
    pub start_ticks: Vec<(u32, u64)>,
    /// `pids` are the processes of this control group.
    pub cgroup: Option<String>,
    /// Count forked children of `pids` too.
    pub children: bool,
    /// Only this device: an in-kernel filter on each event that names one.
    pub device: Option<String>,
    /// Count each gated event per process, exactly.
    pub by_process: bool,
    /// Read the names of all processes (the PID prompt is open).
    pub list_tasks: bool,
    /// What happens to processes, with the batches (a recording needs it).
    pub side_band: bool,
    /// Time pairs of events.
    pub timing: Option<Timing>,
    /// Sockets are looked at: they are read more often.
    pub sockets: bool,
    /// Processes on screen, whose slow counters are wanted.
    pub tasks: Vec<u32>,
    /// Inodes of sockets whose process is wanted.
    pub ownerless: Vec<u64>,
    /// What a CPU's gated hits may cost, ns a second: a burst that makes them cost more is answered
    /// at once, by letting go what was not asked for. `None`: no limit.
    pub gate_limit_ns: Option<u64>,
    /// What a gated hit costs, ns, and what it costs more where it is counted for its process.
    pub gate_hit_ns: u32,
    pub gate_process_ns: u32,
}
