//! Processes: names, parents, control groups, how long they waited for a CPU.

pub mod cgroup;
pub mod process_tree;
pub mod start_state;
pub mod tasks;
