//! Counters the kernel keeps anyway, read from /proc, /sys and netlink, and nothing attached.
//! Knows no event, no thread, no screen.

pub mod settings;

mod changes;
mod device;
mod fast;
mod netns;
mod proc;
mod process;
mod protocols;
mod slow;
mod sockets;
mod system;
mod turns;

pub use self::device::drivers::drivers;
pub use self::device::links::is_link;
pub use self::device::qdiscs::is_qdisc;
pub use self::process::cgroup::members;
pub use self::process::process_tree::{descendants, started_at};
pub use self::process::start_state::processes;
pub use self::sockets::inet_diag::is_socket;
pub use self::system::identity::{OnlineCpus, boot_id, identity, possible_cpus};
pub use self::system::kernel_code::kernel_code;
pub use self::system::kernel_log::KernelLog;
pub use self::system::modules::modules;
pub use changes::Changes;
pub use fast::FastCounters;
pub use proc::Proc;
pub use slow::{Question, SlowReader};
