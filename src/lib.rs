//! netop: the live profiler of the Linux network stack for the terminal.

#[cfg(not(target_os = "linux"))]
compile_error!("netop reads the Linux kernel's own counters and events: it builds on Linux only");

pub mod decode;
pub mod error;
pub mod model;
pub mod source;
pub mod tui;
