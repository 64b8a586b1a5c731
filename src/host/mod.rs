//! Counters the kernel keeps anyway, read from /proc, /sys and netlink, and nothing attached.
//! Knows no event, no thread, no screen.

mod accounting;
mod cgroup;
mod changes;
mod device_details;
mod driver_counters;
mod drivers;
mod family;
mod fast;
mod identity;
mod inet_diag;
mod interrupts;
mod kernel_code;
mod kernel_log;
mod link_setup;
mod links;
mod net_dev;
mod netns;
mod nodes;
mod proc;
mod protocols;
mod qdiscs;
mod queues;
mod slow;
mod socket_groups;
mod socket_owners;
mod socket_top;
mod sockets;
mod softirqs;
mod softnet;
mod stacked;
mod start_state;
mod stat;
mod sysctls;
mod tasks;

pub use cgroup::members;
pub use changes::Changes;
pub use drivers::drivers;
pub use family::descendants;
pub use fast::FastCounters;
pub use identity::{boot_id, identity, possible_cpus};
pub use kernel_code::kernel_code;
pub use kernel_log::KernelLog;
pub use proc::Proc;
pub use slow::{Question, SlowReader};
pub use start_state::processes;
