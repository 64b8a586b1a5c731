//! What can sample CPU time here: the processor's own cycle counter, or else a timer.

use std::io;

use perf_event::Builder;
use perf_event::events::{Event, Hardware, Software};

use super::perf::no_such_counter;
use crate::decode::ClockKind;

/// The rate of CPU samples, Hz: prime, so that it runs in step with no timer (docs/measuring.md).
const RATE: u64 = 199;

/// Opens (and closes) one on `cpu` at the rate it would be used with: some virtual processors
/// count cycles and cannot interrupt.
pub fn cpu_clock(cpu: u32) -> io::Result<ClockKind> {
    match open(Hardware::CPU_CYCLES, cpu) {
        Ok(()) => Ok(ClockKind::Cycles),
        Err(error) if no_such_counter(&error) => {
            open(Software::CPU_CLOCK, cpu).map(|()| ClockKind::CpuClock)
        }
        Err(error) => Err(error),
    }
}

fn open(event: impl Event + 'static, cpu: u32) -> io::Result<()> {
    Builder::new(event)
        .any_pid()
        .one_cpu(cpu as usize)
        .include_kernel()
        .exclude_guest(true)
        .sample_frequency(RATE)
        .build()
        .map(drop)
}
