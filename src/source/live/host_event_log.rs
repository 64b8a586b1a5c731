//! The log of host events: what changed since the reading before, and what the kernel said of devices.

use crate::decode::{EventKind, HostEvent, MOST_EVENTS, SlowSample};
use crate::host::{Changes, KernelLog, Proc};

pub struct HostEventLog {
    changes: Changes,
    /// `None`: it may not be read here.
    log: Option<KernelLog>,
}

impl HostEventLog {
    pub fn begin() -> HostEventLog {
        let proc = Proc::host();
        HostEventLog {
            changes: Changes::new(&proc),
            log: KernelLog::open().ok(),
        }
    }

    /// `slow`: the new reading, if there is one.
    pub fn look(&mut self, wall_ns: u64, slow: Option<&SlowSample>) -> Vec<HostEvent> {
        let mut seen = Vec::new();
        if let Some(slow) = slow {
            seen = self.changes.since(slow);
        }
        if let Some(log) = &mut self.log {
            let devices = self.changes.devices();
            let told = log.read(&devices);
            seen.extend(told.map(|(device, text)| (EventKind::Kernel, device, text)));
        }
        let more = seen.len().saturating_sub(MOST_EVENTS);
        seen.truncate(MOST_EVENTS);
        if more > 0 {
            let text = format!("{more} more events within this interval");
            seen.push((EventKind::Recorder, None, text));
        }
        let event = |(kind, device, text)| HostEvent {
            wall_ns,
            kind,
            device,
            text,
        };
        seen.into_iter().map(event).collect()
    }
}
