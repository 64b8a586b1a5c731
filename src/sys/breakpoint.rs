//! Breakpoints of one's own as perf events: the uprobe and kprobe PMUs (Linux 4.17), whose probes
//! vanish with their descriptors and leave nothing in tracefs. perf-event2 0.7.4 has types for them,
//! but its UProbe is no `Event`.

use std::ffi::CString;
use std::fs;
use std::io;
use std::sync::Arc;

use perf_event::events::{Event, EventData};
use perf_event_open_sys::bindings::perf_event_attr;

/// Where, and whether at the call or at the return.
#[derive(Clone)]
pub struct Breakpoint {
    pmu: u32,
    /// File or function.
    place: CString,
    offset: u64,
    returns: bool,
}

impl Breakpoint {
    /// `pmu`: `uprobe` or `kprobe`. ENOENT: this kernel has none of them.
    pub fn new(pmu: &str, place: &str, offset: u64, returns: bool) -> io::Result<Breakpoint> {
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
