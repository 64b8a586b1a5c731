//! netop: the live profiler of the Linux network stack for the terminal.
//!
//! The map of the house. Data flows one way; `tests/layering.rs` holds who may know whom.
//!
//! ```text
//!  kernel                                                         people and machines
//!  tracepoints ─► sampler threads ─► channels ─┐
//!  by BPF or perf (source/live, sys, decode)   ├─► engine ─► Arc<Snapshot> ─► tui    ─► terminal
//!  /proc /sys netlink ─► host counters ────────┘   (probe,        │
//!                 (host)                            model)        └─────────► export ─► stdout, files
//!  recordings, flight segments ─► source/replay ───┤  ▲
//!  made-up machine ─► source/demo ─────────────────┘  │
//!                                          names: symbol (kallsyms, ELF)
//!
//!  what the user wants:  tui ─► Effect ─► mode ─► Want ─► engine's governor ─► Demand ─► source
//! ```
//!
//! The screen (`tui`), five lines that stand on every view and the view below them:
//!
//! ```text
//!  host kernel cpus LIVE 1s perf   cost cpu7 0.9% all 0.1%   lost 0   03:12:45
//!  LOSS  how much is lost, where, since when
//!  HOT   the CPU busiest with softirqs, and why
//!  NET   what wires carried, and what stayed on this host
//!  [1 Path] 2 CPUs  3 Devices  4 Procs  5 Stacks  6 Drops …
//!   FUNCTION        RATE/s 60s      PEAK  TOTAL PER HIT SOURCE
//!  ─ the selected row: what a hit means, per CPU, stacks, why it is not counted ─
//!  keys
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!("netop reads the Linux kernel's own counters and events: it builds on Linux only");

pub mod advice;
pub mod cli;
pub mod decode;
pub mod engine;
pub mod error;
pub mod export;
pub mod flight;
pub mod host;
pub mod mode;
pub mod model;
pub mod perfdata;
pub mod plan;
pub mod probe;
pub mod source;
pub mod symbol;
pub mod sys;
pub mod tui;
