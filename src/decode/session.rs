//! What a source is before its first batch: the host, the clock and the list of events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Index into [`Session::events`]; stable for the life of a source, events are only ever added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EventId(pub u16);

impl EventId {
    /// The clock that samples CPU time; no event of [`Session::events`].
    pub const CLOCK: EventId = EventId(u16::MAX);
}

/// How many fields of a tracepoint a sample carries decoded.
pub const FIELDS: usize = 4;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub host: Host,
    pub source: SourceKind,
    /// Every event this run knows, attached or not. Indexed by [`EventId`].
    pub events: Vec<Event>,
    pub costs: Costs,
    /// Why no BPF program counts here, when it was wanted.
    pub no_gate: Option<String>,
    /// They are on their way: what they will count is not attached yet.
    #[serde(default)]
    pub gate_loading: bool,
}

/// What one hit costs the CPU it happens on, ns: as measured on this host before anything was
/// attached, or as measured elsewhere (docs/measuring.md) where that was not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs {
    /// Counted by a perf event.
    pub perf_ns: u32,
    /// Counted by the gate.
    pub gate_ns: u32,
    /// The exception of a breakpoint of one's own, in user space or in the kernel, beyond being counted.
    pub probe_ns: u32,
    /// Recorded with its call chain, beyond being counted.
    pub sample_ns: u32,
    /// Measured here.
    pub measured: bool,
}

impl Costs {
    /// One counted hit.
    pub fn hit_ns(self, gate: bool) -> f64 {
        f64::from(if gate { self.gate_ns } else { self.perf_ns })
    }

    /// One sample with its call chain.
    pub fn sample_ns(self) -> f64 {
        f64::from(self.sample_ns)
    }
}

impl Default for Costs {
    fn default() -> Self {
        Costs {
            perf_ns: 200,
            gate_ns: 70,
            // 6.18 on an AMD EPYC, an exception and back: 1.2–1.9 µs.
            probe_ns: 1500,
            sample_ns: 4700,
            measured: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Host {
    pub hostname: String,
    /// Kernel release, as in `uname -r`.
    pub kernel: String,
    pub arch: String,
    /// Ids of the online CPUs, ascending; they need not be 0..n.
    pub cpus: Vec<u32>,
    /// What samples CPU time; `None` until a source samples it.
    pub clock: Option<ClockKind>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClockKind {
    Cycles,
    CpuClock,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceKind {
    Live,
    Replay,
    /// A recording that is not netop's (or was not ended): counts are sums of weights.
    File,
    Demo,
}

/// What somebody wants to observe, before anyone knows whether this kernel has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventSpec {
    /// Of a tracepoint its system; else `uprobe`, `uretprobe`, `kprobe` or `kretprobe`.
    pub group: String,
    pub name: String,
    #[serde(default)]
    pub place: Place,
    /// In-kernel filter; the exact counts are counts behind it.
    pub filter: Option<String>,
    /// Fields to decode, at most [`FIELDS`]; `Sample::values` has them in this order.
    pub fields: Vec<String>,
    /// The field that holds the device name, when the event has one (`-i DEV` filters on it).
    pub device_field: Option<String>,
}

/// What the hits of an event are hits of.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Place {
    /// A tracepoint, found in tracefs by its name.
    #[default]
    Tracepoint,
    /// An instruction of a program or a library, or the return of the function that begins there.
    User {
        /// As the kernel is to open it: may lead through /proc/PID/root.
        file: String,
        /// Of the instruction in the file, bytes.
        offset: u64,
        returns: bool,
        /// A function begins there: at its call, whoever called it is on top of the stack.
        #[serde(default)]
        begins: bool,
    },
    /// A function of the kernel or of a module, or its return.
    Kernel {
        function: String,
        offset: u64,
        returns: bool,
    },
}

impl Place {
    /// Samples bring the word on top of the stack, which is the caller's address: x86-64 calls put
    /// it there. A function that keeps no frame pointer cannot be walked out of otherwise.
    pub fn brings_caller(&self) -> bool {
        let called = matches!(
            self,
            Place::User {
                returns: false,
                begins: true,
                ..
            }
        );
        called && cfg!(target_arch = "x86_64")
    }
}

/// An event of this source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub spec: EventSpec,
    /// `None`: usable. Otherwise one sentence that says why it cannot be had here.
    pub missing: Option<String>,
    /// A BPF program of netop can count it here (the gate).
    pub gate: bool,
    /// Names of an enumerated field, from the event's `print fmt`: (field, value, name).
    pub symbols: Vec<(String, u64, String)>,
    /// The kernel's description of its samples' raw bytes (tracefs `format`); `None`: it was not
    /// read, or there is no kernel.
    #[serde(default)]
    pub format: Option<Arc<str>>,
}

impl EventSpec {
    /// Also in a recording, which has its hits as those of any other event.
    pub fn is_breakpoint(&self) -> bool {
        matches!(
            self.group.as_str(),
            "uprobe" | "uretprobe" | "kprobe" | "kretprobe"
        )
    }

    /// `group:name`, as perf and the user write it; what is no tracepoint has no group.
    pub fn full_name(&self) -> String {
        if self.group.is_empty() {
            return self.name.clone();
        }
        format!("{}:{}", self.group, self.name)
    }
}

impl Session {
    /// The events that are breakpoints of one's own.
    pub fn probes(&self) -> Vec<EventId> {
        let probed = |(_, event): &(u16, &Event)| event.spec.place != Place::Tracepoint;
        let numbered = (0..).zip(&self.events).filter(probed);
        numbered.map(|(index, _)| EventId(index)).collect()
    }
}

impl Event {
    /// The kernel's name of `value` of `field`, e.g. reason 6 = `SOCKET_RCVBUFF`.
    pub fn symbol(&self, field: &str, value: u64) -> Option<&str> {
        self.symbols
            .iter()
            .find(|(f, v, _)| f == field && *v == value)
            .map(|(_, _, name)| name.as_str())
    }
}
