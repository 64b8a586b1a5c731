//! Feature sections: what perf keeps behind the data (`HEADER_*` of tools/perf/util/header.h).

use super::bytes::{padded, string, u16, u32, u64};
use super::records::{MISC_KERNEL, MISC_USER};

pub const TRACING_DATA: u32 = 1;
const BUILD_ID: u32 = 2;
const HOSTNAME: u32 = 3;
const OSRELEASE: u32 = 4;
const VERSION: u32 = 5;
const ARCH: u32 = 6;
const NRCPUS: u32 = 7;
const CMDLINE: u32 = 11;
const EVENT_DESC: u32 = 12;
const SAMPLE_TIME: u32 = 21;
const CLOCKID: u32 = 23;
const CLOCK_DATA: u32 = 29;

const HEADER_BUILD_ID: u32 = 67;
/// The length of the id is told.
const MISC_BUILD_ID_SIZE: u16 = 1 << 15;
const BUILD_ID_BYTES: usize = 20;

/// File names are padded to this (NAME_ALIGN).
const NAME: usize = 64;

/// Which build of a file the samples hit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildId {
    /// The kernel or a module.
    pub kernel: bool,
    pub id: Vec<u8>,
    /// As its mapping is called; of the kernel: `[kernel.kallsyms]`.
    pub path: String,
}

/// An event as EVENT_DESC describes it.
pub struct Described<'a> {
    pub attr: &'a [u8],
    pub name: String,
    pub ids: &'a [u64],
}

/// The two clocks at the same moment, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockPair {
    pub monotonic_ns: u64,
    pub wall_ns: u64,
}

/// What the sections are made of.
pub struct About<'a> {
    pub tracing: Vec<u8>,
    pub build_ids: &'a [BuildId],
    pub hostname: &'a str,
    pub kernel: &'a str,
    pub version: &'a str,
    pub arch: &'a str,
    /// Possible and online CPUs.
    pub cpus: (u32, u32),
    pub cmdline: &'a [String],
    pub events: &'a [Described<'a>],
    /// Time of the first sample and of the last.
    pub sampled: Option<(u64, u64)>,
    pub clock_id: u32,
    pub clocks: ClockPair,
}

/// Number of the feature and its section, ascending.
pub fn sections(about: &About<'_>) -> Vec<(u32, Vec<u8>)> {
    let text = |text: &str| {
        let mut out = Vec::new();
        string(&mut out, text);
        out
    };
    let mut all = vec![(TRACING_DATA, about.tracing.clone())];
    if !about.build_ids.is_empty() {
        all.push((BUILD_ID, build_ids(about.build_ids)));
    }
    all.extend([
        (HOSTNAME, text(about.hostname)),
        (OSRELEASE, text(about.kernel)),
        (VERSION, text(about.version)),
        (ARCH, text(about.arch)),
    ]);
    let mut cpus = Vec::new();
    u32(&mut cpus, about.cpus.0);
    u32(&mut cpus, about.cpus.1);
    all.push((NRCPUS, cpus));
    let mut cmdline = Vec::new();
    u32(&mut cmdline, about.cmdline.len() as u32);
    for word in about.cmdline {
        string(&mut cmdline, word);
    }
    all.push((CMDLINE, cmdline));
    all.push((EVENT_DESC, event_desc(about.events)));
    if let Some((first, last)) = about.sampled {
        let mut times = Vec::new();
        u64(&mut times, first);
        u64(&mut times, last);
        all.push((SAMPLE_TIME, times));
    }
    // Resolution of the clock, ns.
    all.push((CLOCKID, 1u64.to_le_bytes().to_vec()));
    let mut clock = Vec::new();
    // Version of the section.
    u32(&mut clock, 1);
    u32(&mut clock, about.clock_id);
    u64(&mut clock, about.clocks.wall_ns);
    u64(&mut clock, about.clocks.monotonic_ns);
    all.push((CLOCK_DATA, clock));
    all
}

/// `struct perf_record_header_build_id` one after the other.
fn build_ids(files: &[BuildId]) -> Vec<u8> {
    let mut out = Vec::new();
    for file in files {
        let start = out.len();
        let whose = if file.kernel { MISC_KERNEL } else { MISC_USER };
        u32(&mut out, HEADER_BUILD_ID);
        u16(&mut out, whose | MISC_BUILD_ID_SIZE);
        u16(&mut out, 0);
        // The host's, not a guest's.
        u32(&mut out, u32::MAX);
        let len = file.id.len().min(BUILD_ID_BYTES);
        let end = out.len() + BUILD_ID_BYTES;
        out.extend_from_slice(&file.id[..len]);
        out.resize(end, 0);
        out.extend([len as u8, 0, 0, 0]);
        padded(&mut out, &file.path, NAME);
        match <u16>::try_from(out.len() - start) {
            Ok(size) => out[start + 6..start + 8].copy_from_slice(&size.to_le_bytes()),
            Err(_) => out.truncate(start),
        }
    }
    out
}

fn event_desc(events: &[Described<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    u32(&mut out, events.len() as u32);
    u32(&mut out, super::attr::SIZE as u32);
    for event in events {
        out.extend_from_slice(event.attr);
        u32(&mut out, event.ids.len() as u32);
        string(&mut out, &event.name);
        for &id in event.ids {
            u64(&mut out, id);
        }
    }
    out
}
