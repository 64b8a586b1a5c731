//! What happened to the host: links that went down, settings that changed, what the kernel said.

use serde::{Deserialize, Serialize};

/// Of one interval.
pub const MOST_EVENTS: usize = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A device came, went, or its link changed.
    Link,
    /// A sysctl, or how a device is set up.
    Setting,
    /// The kernel's log.
    Kernel,
    /// The recorder itself.
    Recorder,
}

impl EventKind {
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Link => "link",
            EventKind::Setting => "setting",
            EventKind::Kernel => "kernel",
            EventKind::Recorder => "recorder",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEvent {
    /// Wall clock of the tick that it was seen with, ns since 1970 UTC.
    pub wall_ns: u64,
    pub kind: EventKind,
    /// What it happened to, where it is known.
    pub device: Option<String>,
    pub text: String,
}
