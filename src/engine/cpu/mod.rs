//! CPU time: the window of samples with what it says of stages, functions and processes, and each CPU's own figures.

pub mod bucket;
pub mod cpu_time;
pub mod cpus;
pub mod module_rows;
pub mod module_time;
pub mod occupants;
pub mod softirq_time;
pub mod spent;
