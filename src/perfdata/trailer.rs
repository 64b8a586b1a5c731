//! netop's own part of a recording. perf ignores what stands behind the last section of a file.
//!
//! ```text
//! … perf's sections │ BEGIN │ version u32 │ 0 u32 │ zstd( one JSON Line per line ) │ offset of BEGIN u64 │ END │ end of file
//! ```
//!
//! Lines come in the order of the run: the run and the session, ticks, then the symbols.

use serde::{Deserialize, Serialize};

use crate::decode::{Session, Tick};

pub const BEGIN: [u8; 8] = *b"NETOPREC";
pub const END: [u8; 8] = *b"NETOPEND";
pub const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    Run(Run),
    /// Again whenever it changed (CPUs, what samples CPU time, what an event costs).
    Session(Session),
    Tick {
        /// It led to a snapshot.
        shown: bool,
        tick: Box<Tick>,
    },
    Symbols(Symbols),
}

/// How netop was run, as far as a replay must do the same.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Run {
    /// Version of the program that wrote it.
    pub netop: String,
    pub interval_ns: u64,
    pub clock_hz: u32,
    pub max_overhead_pct: f64,
    /// As typed after `--counting`.
    pub counting: String,
    /// Functions asked for by name.
    pub exact: Vec<String>,
    /// Nothing but `exact` was counted by events.
    #[serde(default)]
    pub only: bool,
    /// Tracepoints that are rows of their own, `group:name`.
    pub added: Vec<String>,
    pub pids: Vec<u32>,
    pub children: bool,
    pub device: Option<String>,
    pub banner: Option<String>,
    pub notes: Vec<String>,
}

/// The names that the samples' addresses had on the host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Symbols {
    /// Address of `_text`; 0: not known, and kernel addresses are as sampled.
    pub text: u64,
    /// Address less `text` (wrapping), name; ascending.
    pub kernel: Vec<(u64, String)>,
    /// pid, address, the functions there, innermost first; ascending.
    pub user: Vec<(u32, u64, Vec<String>)>,
    /// `file:line` by frame.
    pub lines: Vec<(String, String)>,
    /// Modules that drive a network device there.
    pub drivers: Vec<String>,
    pub kernel_missing: Option<String>,
    pub user_missing: Option<String>,
}
