//! What the user wants to see, as data: made by the command line, changed by the screen,
//! turned into a `Demand` on the source by the engine's governor.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a wish of its own, in any combination"
)]
pub struct Want {
    pub interval: Duration,
    /// CPU samples per second and CPU (`-F`); 0: none.
    pub clock_hz: u32,
    /// Functions the user asked to count exactly (`-e`, `e`).
    pub exact: BTreeSet<String>,
    /// Nothing but `exact` is counted by events.
    pub only: bool,
    /// The function whose stacks are being looked at.
    pub drill: Option<String>,
    /// PID filter; empty: none.
    pub pids: Vec<u32>,
    /// When the processes of `pids` started that were picked from a row, clock ticks since boot: who
    /// has such a pid but started later is somebody else.
    pub start_ticks: Vec<(u32, u64)>,
    /// `pids` are the processes of this control group; others join as they come.
    pub cgroup: Option<String>,
    /// The forked children of `pids` too.
    pub children: bool,
    /// The PID filter means the owners of sockets, not what ran in the processes' context.
    pub by_owner: bool,
    /// Device filter.
    pub device: Option<String>,
    /// CPUs to look at (`-C`), ascending; empty: all. The source gives only those.
    pub cpus: Arc<[u32]>,
    /// Stacks, stages and the CPU time of functions are those of this kernel module (`--module`),
    /// named as in kallsyms.
    pub module: Option<Arc<str>>,
    /// Everything detached (`!`).
    pub detached: bool,
    /// The PID prompt is open and completes names.
    pub list_tasks: bool,
    /// The table of processes is looked at: exact counts per process where they are to be had.
    pub processes: bool,
    /// Times between events are looked at (view 7, `--latency`).
    pub latency: bool,
    /// The table of devices is looked at: what GRO makes of each one's packets is counted by
    /// device, though the free counters have the sum.
    pub devices: bool,
    /// The screen lists all devices: else a snapshot has those only that exports have.
    pub list_devices: bool,
    /// What happens to processes is wanted too (a recording needs it).
    pub side_band: bool,
    /// Sockets are looked at: they are read as often as may be.
    pub sockets: bool,
    /// Call stacks are looked at: their user frames have inlined functions and lines of source.
    pub stacks: bool,
    /// Stacks of all CPU time, idle time too, as perf has them: else only the network's.
    pub all_cpu_time: bool,
    /// Of the stacks of CPU time none is folded into its callers or left out: a profile is made once.
    pub whole_profile: bool,
    /// Exports have every device and namespace (`--all`): else the busiest, and what matters.
    pub all: bool,
}

impl Want {
    /// The PID filter is there and means owners.
    pub fn filters_owners(&self) -> bool {
        self.by_owner && !self.pids.is_empty()
    }

    /// No filter: the packets of all wires are those of what is counted.
    pub fn is_whole_host(&self) -> bool {
        self.pids.is_empty() && self.device.is_none() && self.cpus.is_empty()
    }
}

impl Default for Want {
    fn default() -> Self {
        Want {
            interval: Duration::from_secs(1),
            clock_hz: 199,
            exact: BTreeSet::new(),
            only: false,
            drill: None,
            pids: Vec::new(),
            start_ticks: Vec::new(),
            cgroup: None,
            children: false,
            by_owner: true,
            device: None,
            cpus: Arc::new([]),
            module: None,
            detached: false,
            list_tasks: false,
            processes: false,
            latency: false,
            devices: false,
            list_devices: false,
            side_band: false,
            sockets: false,
            stacks: false,
            all_cpu_time: false,
            whole_profile: false,
            all: false,
        }
    }
}
