//! What can be opened: tracepoints, and breakpoints of one's own as perf events: the uprobe and kprobe PMUs (Linux 4.17), whose probes
//! vanish with their descriptors and leave nothing in tracefs. perf-event2 0.7.4 has types for them,
//! but its UProbe is no `Event`.

use std::ffi::CString;
use std::fs;
use std::io;
use std::sync::Arc;

use perf_event::Builder;
use perf_event::events::{Event, EventData, Tracepoint};
use perf_event_open_sys::bindings::perf_event_attr;

/// The event to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub what: What,
    pub filter: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// By its id in tracefs.
    Tracepoint(u64),
    /// A breakpoint in a file of user space.
    User {
        file: String,
        offset: u64,
        returns: bool,
        /// Samples bring the word on top of the stack.
        top: bool,
    },
    /// A breakpoint in the kernel.
    Kernel {
        function: String,
        offset: u64,
        returns: bool,
    },
}

impl What {
    /// Breakpoints belong to PMUs of their own and cannot join a tracepoint's group (see the top of
    /// perf.rs).
    pub(super) fn joins_group(&self) -> bool {
        matches!(self, What::Tracepoint(_))
    }

    pub(super) fn brings_top(&self) -> bool {
        matches!(self, What::User { top: true, .. })
    }

    pub(super) fn builder(&self) -> io::Result<Builder<'static>> {
        Ok(match self {
            What::Tracepoint(id) => Builder::new(Tracepoint::with_id(*id)),
            What::User {
                file,
                offset,
                returns,
                ..
            } => Builder::new(Breakpoint::new("uprobe", file, *offset, *returns)?),
            What::Kernel {
                function,
                offset,
                returns,
            } => Builder::new(Breakpoint::new("kprobe", function, *offset, *returns)?),
        })
    }
}

/// Where, and whether at the call or at the return.
#[derive(Clone)]
struct Breakpoint {
    pmu: u32,
    /// File or function.
    place: CString,
    offset: u64,
    returns: bool,
}

impl Breakpoint {
    /// `pmu`: `uprobe` or `kprobe`. ENOENT: this kernel has none of them.
    fn new(pmu: &str, place: &str, offset: u64, returns: bool) -> io::Result<Breakpoint> {
        let text = fs::read_to_string(format!("/sys/bus/event_source/devices/{pmu}/type"))?;
        let invalid = |_| io::Error::from(io::ErrorKind::InvalidData);
        Ok(Breakpoint {
            pmu: text.trim().parse().map_err(invalid)?,
            place: CString::new(place)?,
            offset,
            returns,
        })
    }
}

impl Event for Breakpoint {
    fn update_attrs(self, attr: &mut perf_event_attr) {
        // The string has to outlive the opening: without a keeper there is no event.
        attr.type_ = u32::MAX;
    }

    fn update_attrs_with_data(self, attr: &mut perf_event_attr) -> Option<Arc<dyn EventData>> {
        attr.type_ = self.pmu;
        attr.config = self.returns.into();
        // Also uprobe_path.
        attr.kprobe_func = self.place.as_ptr() as usize as u64;
        attr.probe_offset = self.offset;
        Some(Arc::new(self.place))
    }
}
