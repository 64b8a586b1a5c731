//! What the engine's side tells a sampler thread, and what comes back.

use std::io;

use crate::decode::{ClockKind, EventId, Layout, Windows};
use crate::sys::{GroupReader, Switchboard, Wanted};

#[derive(Clone)]
pub enum SamplerCommand {
    Attach {
        event: EventId,
        wanted: Wanted,
        layout: Layout,
        stacks_per_s: u32,
        every: bool,
    },
    /// Take the samples that the gate lets through of one of its programs.
    Gate {
        event: EventId,
        board: Switchboard,
        program: usize,
        layout: Layout,
        stacks_per_s: u32,
    },
    /// Count from now on, or pause: an event that is counted a part of the time.
    Window {
        event: EventId,
        on: bool,
    },
    Detach(EventId),
    /// A new target of samples per second.
    Aim {
        event: EventId,
        stacks_per_s: u32,
    },
    /// CPU samples per second from now on; 0: none.
    Clock {
        hz: u32,
    },
    /// Tell what happens to processes from now on, or no longer.
    SideBand(bool),
    /// The interval is over: drain, answer, and adapt to the rates (hits/s) it had.
    Round {
        number: u64,
        rates: Vec<(EventId, f64)>,
    },
    /// The CPU is offline: what every event had counted by then. The kernel has broken up its group, so
    /// that they are read one by one.
    LastCounts,
    Stop,
}

pub enum Answer {
    Attached {
        cpu: u32,
        event: EventId,
        id: u64,
        at: u64,
        /// Of an event that is not in the CPU's group.
        reader: Option<GroupReader>,
    },
    Refused {
        cpu: u32,
        event: EventId,
        error: io::Error,
    },
    /// CPU time is sampled now, by this; or why not.
    Clock {
        cpu: u32,
        result: io::Result<ClockKind>,
    },
    /// What happens to processes cannot be told.
    NoSideBand {
        cpu: u32,
        error: io::Error,
    },
    /// What an event of a CPU that went offline has counted since it was attached.
    LastCount {
        cpu: u32,
        event: EventId,
        hits: u64,
    },
    /// What an event had in its windows.
    Windows {
        cpu: u32,
        event: EventId,
        windows: Windows,
    },
    Drained {
        round: u64,
    },
}
