//! A finding: an advice rule that fired, with what it saw, what it checked and what to type
//! (docs/snapshot.md, `findings`), and the settings of the host that rules and diffs refer to (`facts`).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::{Changed, time};

/// How grave it is; the gravest comes first.
#[derive(Debug, Clone, Copy, Default, Serialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Packets are lost now.
    Drop,
    /// CPU time that need not be spent.
    Cost,
    Latency,
    #[default]
    Info,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Drop => "drop",
            Severity::Cost => "cost",
            Severity::Latency => "latency",
            Severity::Info => "info",
        }
    }
}

/// A figure that made the rule fire.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Evidence {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    /// Seconds that it covers; 0: a state, not a sum.
    pub window_s: f64,
}

/// What could have made the rule wrong, and was looked at.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Guard {
    pub name: String,
    pub value: String,
    pub passed: bool,
}

#[derive(Debug, Clone, Default, Serialize, PartialEq)]
pub struct Finding {
    /// `A27`
    pub rule: &'static str,
    /// `udp-rcvbuf`
    pub name: &'static str,
    /// What it is about: a device, a CPU, a namespace; empty: the host.
    pub subject: String,
    pub severity: Severity,
    pub title: String,
    /// Two sentences: what happens, and what the change would do.
    pub why: String,
    pub evidence: Vec<Evidence>,
    pub guards: Vec<Guard>,
    /// Commands, one a line; empty: there is none.
    pub check: String,
    #[serde(rename = "try")]
    pub attempt: String,
    pub revert: String,
    pub source: &'static str,
    /// It has held for three looks; before that it is a suspicion.
    pub confirmed: bool,
    /// Since when it holds, wall clock.
    #[serde(serialize_with = "time::rfc3339")]
    pub since: u64,
}

/// What became of a finding whose advice was followed: the pair that a ticket needs.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Tried {
    pub before: Finding,
    /// Empty: nothing yet, or only the user knows what.
    pub changed: Vec<Changed>,
    /// Seconds from the mark to the change; null: there was none yet.
    pub changed_after_s: Option<f64>,
    /// The same finding now; null: it is gone.
    pub after: Option<Finding>,
    pub verdict: String,
}

/// Settings of the host, as last read.
#[derive(Debug, Clone, Serialize, PartialEq, Eq, Default)]
pub struct Facts {
    /// By name, as in `sysctl`.
    pub sysctls: Arc<BTreeMap<String, String>>,
    /// Of other network namespaces that netop may enter, by their names.
    pub inside: Arc<BTreeMap<String, BTreeMap<String, String>>>,
    /// irqbalance runs; null: not read.
    pub irqbalance: Option<bool>,
    /// Capture sockets (AF_PACKET) in the namespaces that are read; null: not read.
    pub capture_sockets: Option<u64>,
}
