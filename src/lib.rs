//! netop: the live profiler of the Linux network stack for the terminal.

#[cfg(not(target_os = "linux"))]
compile_error!("netop reads the Linux kernel's own counters and events: it builds on Linux only");

pub mod cli;
pub mod decode;
pub mod engine;
pub mod error;
pub mod export;
pub mod host;
pub mod mode;
pub mod model;
pub mod plan;
pub mod probe;
pub mod source;
pub mod symbol;
pub mod sys;
pub mod tui;
