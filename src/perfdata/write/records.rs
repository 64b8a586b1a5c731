//! Records of the data section: the kernel's own (include/uapi/linux/perf_event.h), and the round
//! mark of perf (tools/lib/perf/include/perf/event.h).

use super::bytes::{padded, u16, u32, u64};
use crate::decode::{CONTEXT_MAX, CONTEXT_USER, Happened, MappedFile, Mapping, Sample, SideBand};

const MMAP: u32 = 1;
const LOST: u32 = 2;
const COMM: u32 = 3;
const EXIT: u32 = 4;
const FORK: u32 = 7;
const SAMPLE: u32 = 9;
const MMAP2: u32 = 10;
const FINISHED_ROUND: u32 = 68;

pub const MISC_KERNEL: u16 = 1;
pub const MISC_USER: u16 = 2;
const MISC_COMM_EXEC: u16 = 1 << 13;
const MISC_MMAP_BUILD_ID: u16 = 1 << 14;

/// Build ids of MMAP2 records have room for so many bytes.
const BUILD_ID: usize = 20;

/// PROT_READ | PROT_EXEC, and MAP_PRIVATE.
const EXECUTABLE: (u32, u32) = (5, 2);

/// Where the time and the count lie in a sample's record.
pub const SAMPLE_TIME: usize = 32;
pub const SAMPLE_COUNT: usize = 56;

/// Whose record it is, and when: what `sample_id_all` puts behind every record but samples.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stamp {
    pub pid: u32,
    pub tid: u32,
    pub time: u64,
    pub cpu: u32,
    /// 0: synthesized.
    pub id: u64,
}

/// Appends a record of at most 64 KiB; false: it would be longer, and nothing is appended.
fn record(out: &mut Vec<u8>, kind: u32, misc: u16, body: impl FnOnce(&mut Vec<u8>)) -> bool {
    let start = out.len();
    u32(out, kind);
    u16(out, misc);
    u16(out, 0);
    body(out);
    let Ok(size) = <u16>::try_from(out.len() - start) else {
        out.truncate(start);
        return false;
    };
    out[start + 6..start + 8].copy_from_slice(&size.to_le_bytes());
    true
}

fn stamped(
    out: &mut Vec<u8>,
    (kind, misc): (u32, u16),
    stamp: Stamp,
    body: impl FnOnce(&mut Vec<u8>),
) -> bool {
    record(out, kind, misc, |out| {
        body(out);
        u32(out, stamp.pid);
        u32(out, stamp.tid);
        u64(out, stamp.time);
        u64(out, u64::from(stamp.cpu));
        u64(out, stamp.id);
    })
}

/// A sample whose count is still 0. False: it is longer than a record can be.
pub fn sample(out: &mut Vec<u8>, id: u64, sample: &Sample, chain: &[u64], raw: &[u8]) -> bool {
    let marker = chain.iter().find(|entry| **entry >= CONTEXT_MAX);
    let misc = if marker == Some(&CONTEXT_USER) {
        MISC_USER
    } else {
        MISC_KERNEL
    };
    let leaf = chain.iter().find(|entry| **entry < CONTEXT_MAX);
    record(out, SAMPLE, misc, |out| {
        u64(out, id);
        u64(out, leaf.copied().unwrap_or(0));
        u32(out, sample.pid);
        u32(out, sample.tid);
        u64(out, sample.time);
        u64(out, u64::from(sample.cpu));
        u64(out, sample.period);
        u64(out, 0);
        u64(out, id);
        u64(out, chain.len() as u64);
        for &entry in chain {
            u64(out, entry);
        }
        // The length field and the bytes together are a multiple of 8.
        let length = (4 + raw.len().max(4)).next_multiple_of(8) - 4;
        u32(out, length as u32);
        let end = out.len() + length;
        out.extend_from_slice(raw);
        out.resize(end, 0);
    })
}

pub fn lost(out: &mut Vec<u8>, stamp: Stamp, lost: u64) -> bool {
    stamped(out, (LOST, 0), stamp, |out| {
        u64(out, stamp.id);
        u64(out, lost);
    })
}

/// Everything of the interval has been written.
pub fn finished_round(out: &mut Vec<u8>) -> bool {
    record(out, FINISHED_ROUND, 0, |_| {})
}

/// `id`: of the event that the side band belongs to, on its CPU; 0: synthesized.
pub fn side_band(out: &mut Vec<u8>, happened: &SideBand, id: u64) -> bool {
    let &SideBand {
        time,
        cpu,
        pid,
        tid,
        ref what,
    } = happened;
    let stamp = Stamp {
        pid,
        tid,
        time,
        cpu,
        id,
    };
    match what {
        Happened::Mapped(mapping) if mapping.kernel => {
            stamped(out, (MMAP, MISC_KERNEL), stamp, |out| {
                u32(out, u32::MAX);
                u32(out, 0);
                place(out, mapping);
                padded(out, &mapping.path, 8);
            })
        }
        Happened::Mapped(mapping) => {
            let misc = match mapping.file {
                MappedFile::BuildId(_) => MISC_USER | MISC_MMAP_BUILD_ID,
                _ => MISC_USER,
            };
            stamped(out, (MMAP2, misc), stamp, |out| mapped(out, stamp, mapping))
        }
        Happened::Named { comm, exec } => {
            let misc = if *exec { MISC_COMM_EXEC } else { 0 };
            stamped(out, (COMM, misc), stamp, |out| {
                u32(out, pid);
                u32(out, tid);
                padded(out, comm, 8);
            })
        }
        Happened::Forked { parent, parent_tid } => {
            let parent = (*parent, *parent_tid);
            stamped(out, (FORK, 0), stamp, |out| task(out, stamp, parent))
        }
        Happened::Ended => stamped(out, (EXIT, 0), stamp, |out| task(out, stamp, (pid, tid))),
    }
}

fn place(out: &mut Vec<u8>, mapping: &Mapping) {
    u64(out, mapping.start);
    u64(out, mapping.len);
    u64(out, mapping.offset);
}

fn mapped(out: &mut Vec<u8>, stamp: Stamp, mapping: &Mapping) {
    u32(out, stamp.pid);
    u32(out, stamp.tid);
    place(out, mapping);
    match &mapping.file {
        MappedFile::BuildId(id) => {
            let len = id.len().min(BUILD_ID);
            out.extend([len as u8, 0, 0, 0]);
            let end = out.len() + BUILD_ID;
            out.extend_from_slice(&id[..len]);
            out.resize(end, 0);
        }
        MappedFile::Unknown => out.resize(out.len() + 24, 0),
        &MappedFile::Inode {
            major,
            minor,
            inode,
            generation,
        } => {
            u32(out, major);
            u32(out, minor);
            u64(out, inode);
            u64(out, generation);
        }
    }
    u32(out, EXECUTABLE.0);
    u32(out, EXECUTABLE.1);
    padded(out, &mapping.path, 8);
}

fn task(out: &mut Vec<u8>, stamp: Stamp, (parent, parent_tid): (u32, u32)) {
    u32(out, stamp.pid);
    u32(out, parent);
    u32(out, stamp.tid);
    u32(out, parent_tid);
    u64(out, stamp.time);
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
