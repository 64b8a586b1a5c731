//! Counters the kernel keeps anyway, read from /proc, /sys and netlink, and nothing attached.
//! Knows no event, no thread, no screen.

mod accounting;
mod device_details;
mod driver_counters;
mod drivers;
mod family;
mod fast;
mod identity;
mod interrupts;
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
mod softirqs;
mod softnet;
mod stacked;
mod stat;
mod tasks;

pub use drivers::drivers;
pub use family::descendants;
pub use fast::FastCounters;
pub use identity::identity;
pub use proc::Proc;
pub use slow::SlowReader;
