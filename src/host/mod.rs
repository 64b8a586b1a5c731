//! Counters the kernel keeps anyway, read from /proc, /sys and netlink, and nothing attached.
//! Knows no event, no thread, no screen.

mod accounting;
mod cgroup;
mod drivers;
mod family;
mod fast;
mod identity;
mod interrupts;
mod links;
mod net_dev;
mod netns;
mod proc;
mod protocols;
mod slow;
mod socket_owners;
mod softirqs;
mod softnet;
mod stacked;
mod stat;
mod tasks;

pub use cgroup::members;
pub use drivers::drivers;
pub use family::descendants;
pub use fast::FastCounters;
pub use identity::identity;
pub use proc::Proc;
pub use slow::{Question, SlowReader};
