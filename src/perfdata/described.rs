//! What a file says of itself beside its records: the host, the events, their formats.

use super::attr::Attr;

/// Bounds what a file of a stranger may make of memory that it does not hold itself.
pub const MOST_ATTRS: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Described {
    pub hostname: Option<String>,
    /// Kernel release.
    pub release: Option<String>,
    pub arch: Option<String>,
    /// Of the program that wrote it.
    pub version: Option<String>,
    pub cmdline: Vec<String>,
    pub cpus_online: Option<u32>,
    /// By path.
    pub build_ids: Vec<(String, Vec<u8>)>,
    /// Times of the first and the last sample, ns.
    pub sample_time: Option<(u64, u64)>,
    pub clock: Option<ClockData>,
    pub attrs: Vec<Attr>,
    /// Of tracepoints: their group and their `format` text.
    pub formats: Vec<(String, String)>,
}

/// One moment by two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockData {
    /// ns since 1970.
    pub wall_ns: u64,
    /// In the clock of the samples, ns.
    pub sample_ns: u64,
}

impl Described {
    pub fn add_attr(&mut self, attr: Attr) {
        if self.attrs.len() < MOST_ATTRS {
            self.attrs.push(attr);
        }
    }

    /// The name of the event that has this id.
    pub fn name(&mut self, id: u64, name: String) {
        if let Some(attr) = self.attrs.iter_mut().find(|attr| attr.ids.contains(&id)) {
            attr.name = Some(name);
        }
    }
}
