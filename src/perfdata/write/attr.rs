//! `struct perf_event_attr` (include/uapi/linux/perf_event.h) as a recording of netop has it.

use super::bytes::{u16, u32, u64};
use crate::decode::ClockKind;
use crate::perfdata::attr::{HARDWARE, SOFTWARE, TRACEPOINT, part};

/// PERF_ATTR_SIZE_VER7.
pub const SIZE: usize = 128;

/// What [`super::records::sample`] writes.
const SAMPLE_TYPE: u64 = part::IDENTIFIER
    | part::IP
    | part::TID
    | part::TIME
    | part::CPU
    | part::PERIOD
    | part::READ
    | part::CALLCHAIN
    | part::RAW;

/// PERF_FORMAT_ID alone: the count and whose it is.
const READ_FORMAT: u64 = 1 << 2;

const INHERIT: u64 = 1 << 1;
const MMAP: u64 = 1 << 8;
const COMM: u64 = 1 << 9;
const FREQ: u64 = 1 << 10;
const TASK: u64 = 1 << 13;
const SAMPLE_ID_ALL: u64 = 1 << 18;
const EXCLUDE_GUEST: u64 = 1 << 20;
const MMAP2: u64 = 1 << 23;
const COMM_EXEC: u64 = 1 << 24;
const USE_CLOCKID: u64 = 1 << 25;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A tracepoint by its id.
    Tracepoint(u64),
    /// CPU time, so many samples per second.
    Clock(ClockKind, u32),
}

/// `first`: the side band belongs to this event.
pub fn encode(what: What, first: bool, out: &mut Vec<u8>) {
    let (kind, config, period) = match what {
        What::Tracepoint(id) => (TRACEPOINT, id, 1),
        What::Clock(ClockKind::Cycles, hz) => (HARDWARE, 0, u64::from(hz)),
        What::Clock(ClockKind::CpuClock, hz) => (SOFTWARE, 0, u64::from(hz)),
    };
    let mut flags = SAMPLE_ID_ALL | EXCLUDE_GUEST | USE_CLOCKID;
    if first {
        flags |= INHERIT | MMAP | COMM | TASK | MMAP2 | COMM_EXEC;
    }
    if matches!(what, What::Clock(..)) {
        flags |= FREQ;
    }
    let end = out.len() + SIZE;
    u32(out, kind);
    u32(out, SIZE as u32);
    for value in [config, period, SAMPLE_TYPE, READ_FORMAT, flags] {
        u64(out, value);
    }
    // wakeup_events, bp_type.
    u64(out, 0);
    // config1, config2, branch_sample_type, sample_regs_user.
    for _ in 0..4 {
        u64(out, 0);
    }
    // sample_stack_user, clockid.
    u32(out, 0);
    u32(out, CLOCK_MONOTONIC);
    // sample_regs_intr, aux_watermark.
    u64(out, 0);
    u32(out, 0);
    u16(out, MAX_STACK);
    out.resize(end, 0);
}

pub const CLOCK_MONOTONIC: u32 = 1;

const MAX_STACK: u16 = 127;
