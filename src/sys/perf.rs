//! perf events: one ring per CPU, led by a tracepoint that hardly ever fires; the others join its
//! group and write into its ring. Opened with perf-event2; the ioctls it lacks are here.
//!
//! The leader is a tracepoint too, not PERF_COUNT_SW_DUMMY: since Linux 6.13 a sibling that is
//! enabled by itself is scheduled only within its own PMU's contexts, so that tracepoints
//! joined to a dummy (another software PMU) stay at 0 until the leader is toggled. Seen on 6.18.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use perf_event::events::{Hardware, Software, Tracepoint};
use perf_event::{Builder, Clock, Counter, ReadFormat, SampleFlag, Sampler};
use perf_event_open_sys::ioctls;

use super::group::GroupReader;
use super::wanted::Wanted;
use crate::decode::ClockKind;

/// A period no hit count reaches: the event counts and never samples.
pub const NO_SAMPLES: u64 = 1 << 62;

/// Bytes of the stack that a sample brings: one word.
const TOP: u32 = 8;

/// Frames per chain the kernel may walk: its own limit, which asking for more than is refused.
fn max_stack() -> u16 {
    static LIMIT: OnceLock<u16> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/perf_event_max_stack");
        let limit = text.ok().and_then(|text| text.trim().parse().ok());
        limit.unwrap_or(127).min(127)
    })
}

/// PERF_FORMAT_LOST came with Linux 6.0; older kernels answer EINVAL and it is left out.
static LOST_FORMAT: AtomicBool = AtomicBool::new(true);

fn read_format() -> ReadFormat {
    let format = ReadFormat::GROUP | ReadFormat::ID;
    if LOST_FORMAT.load(Ordering::Relaxed) {
        format | ReadFormat::LOST
    } else {
        format
    }
}

/// Settles once, before any ring is opened, whether this kernel counts lost samples per event.
pub fn settle_read_format() {
    let probe = Builder::new(Software::DUMMY)
        .observe_self()
        .read_format(read_format())
        .build();
    if probe.is_err_and(|e| e.raw_os_error() == Some(libc::EINVAL)) {
        LOST_FORMAT.store(false, Ordering::Relaxed);
    }
}

/// Does a group reading say how many samples were lost? Then LOST records say the same again.
pub fn readings_count_loss() -> bool {
    LOST_FORMAT.load(Ordering::Relaxed)
}

/// What every event of a ring has in common. PERF_SAMPLE_PERIOD is set on clocks only: on a
/// tracepoint the kernel then ignores the period and records every hit (docs/measuring.md).
fn in_ring(builder: &mut Builder, cpu: u32, watermark: usize, clock: bool) {
    let period = if clock {
        SampleFlag::PERIOD
    } else {
        SampleFlag::empty()
    };
    builder
        .any_pid()
        .one_cpu(cpu as usize)
        .include_kernel()
        .exclude_guest(true)
        .sample(
            SampleFlag::IDENTIFIER
                | SampleFlag::TID
                | SampleFlag::TIME
                | SampleFlag::CPU
                | SampleFlag::CALLCHAIN
                | SampleFlag::RAW
                | period,
        )
        .sample_id_all(true)
        .sample_max_stack(max_stack())
        .clockid(Clock::MONOTONIC)
        .wakeup_watermark(watermark)
        .read_format(read_format());
}

/// What a ring belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leader {
    /// A tracepoint that hardly ever fires, by its id; others may join its group.
    Quiet(u64),
    /// Without tracefs there are no tracepoints: the clock alone writes into the ring.
    Nothing,
}

/// The ring of one CPU and the quiet event that leads its group.
pub struct Ring {
    leader: Sampler,
    cpu: u32,
    watermark: usize,
}

impl Ring {
    /// `bytes`: a power of two. Where locked memory is short (EPERM) the ring is halved down to
    /// 128 KiB; the size got is in the result.
    pub fn open(cpu: u32, leader: Leader, bytes: usize) -> io::Result<(Ring, usize)> {
        let mut size = bytes;
        OPENED.store(true, Ordering::Relaxed);
        loop {
            let watermark = size / 8;
            let mut builder = match leader {
                Leader::Quiet(id) => Builder::new(Tracepoint::with_id(id)),
                Leader::Nothing => Builder::new(Software::DUMMY),
            };
            in_ring(&mut builder, cpu, watermark, false);
            let counter = builder.sample_period(NO_SAMPLES).enabled(true).build()?;
            match counter.sampled(size) {
                Ok(leader) => {
                    return Ok((
                        Ring {
                            leader,
                            cpu,
                            watermark,
                        },
                        size,
                    ));
                }
                Err(error) if error.raw_os_error() == Some(libc::EPERM) && size > 128 * 1024 => {
                    size /= 2;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A second handle on the leader, for whoever reads the counts.
    pub fn reader(&self) -> io::Result<GroupReader> {
        GroupReader::of(self.leader.as_raw_fd())
    }

    /// Hands every record of the ring, (type, misc, body without header), to `take`.
    pub fn drain(&mut self, mut take: impl FnMut(u32, u16, &[u8])) {
        while let Some(record) = self.leader.next_record() {
            take(record.ty(), record.misc(), &record.to_contiguous());
        }
    }
}

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.leader.as_raw_fd()
    }
}

/// Where to count it.
pub enum Target<'a> {
    /// On the ring's CPU, sampling every `period`-th hit into the ring, with or without stacks.
    Cpu {
        ring: &'a mut Ring,
        period: u64,
        stacks: bool,
    },
    /// In thread `tid` wherever it runs, or on one CPU, and in the threads it starts; with
    /// `children` in the processes it forks too.
    Thread {
        tid: u32,
        children: bool,
        cpu: Option<u32>,
    },
    /// In this thread, not in those it starts.
    Own,
}

/// Were events opened by this process? Then leaving takes the time of closing them.
static OPENED: AtomicBool = AtomicBool::new(false);

pub fn events_were_opened() -> bool {
    OPENED.load(Ordering::Relaxed)
}

/// An open event.
pub struct PerfEvent {
    counter: Counter,
    /// It leads a group of its own, which nobody else reads.
    alone: bool,
}

impl PerfEvent {
    /// May this process count a tracepoint on all of a CPU? The kernel's own answer, for where
    /// capabilities do not tell (patched kernels, security modules).
    pub fn permitted(tracepoint: u64, cpu: u32) -> io::Result<()> {
        let mut builder = Builder::new(Tracepoint::with_id(tracepoint));
        builder
            .any_pid()
            .one_cpu(cpu as usize)
            .include_kernel()
            .build()
            .map(drop)
    }

    /// Opens and starts it.
    pub fn open(wanted: &Wanted, target: Target<'_>) -> io::Result<PerfEvent> {
        let mut builder = wanted.what.builder()?;
        let alone = !wanted.what.joins_group();
        let (mut counter, output) = match target {
            Target::Cpu {
                ring,
                period,
                stacks,
            } => {
                in_ring(&mut builder, ring.cpu, ring.watermark, false);
                builder
                    .exclude_callchain_kernel(!stacks)
                    .exclude_callchain_user(!stacks);
                if wanted.what.brings_top() {
                    builder
                        .sample(SampleFlag::STACK_USER)
                        .sample_stack_user(TOP);
                }
                let output = ring.leader.as_raw_fd();
                builder.sample_period(period);
                let counter = if alone {
                    builder.build()?
                } else {
                    builder.build_with_group(ring.leader.as_counter_mut())?
                };
                (counter, Some(output))
            }
            Target::Own => {
                builder.any_cpu().observe_self().include_kernel();
                (builder.build()?, None)
            }
            // perf_uprobe_init() reads the file's name from the memory of whoever inherits the event:
            // fork and clone fail there with EFAULT.
            Target::Thread { .. } if alone => {
                return Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
            }
            Target::Thread { tid, children, cpu } => {
                match cpu {
                    Some(cpu) => builder.one_cpu(cpu as usize),
                    None => builder.any_cpu(),
                };
                builder
                    .observe_pid(tid.cast_signed())
                    .include_kernel()
                    .exclude_guest(true)
                    .read_format(ReadFormat::empty())
                    .inherit(true)
                    .inherit_thread(!children);
                (builder.build()?, None)
            }
        };
        let fd = counter.as_raw_fd();
        if let Some(output) = output {
            write_into(fd, output)?;
        }
        if let Some(filter) = &wanted.filter {
            let filter = CString::new(filter.as_str())?;
            // SAFETY: the kernel copies the string and does not keep it.
            check(unsafe { ioctls::SET_FILTER(fd, filter.as_ptr().cast_mut()) })?;
        }
        counter.enable()?;
        Ok(PerfEvent { counter, alone })
    }

    /// Reads the count of an event that is in nobody's group; `None`: its ring's reader does.
    pub fn reader(&self) -> Option<io::Result<GroupReader>> {
        self.alone
            .then(|| GroupReader::of(self.counter.as_raw_fd()))
    }

    /// What it has counted, read by itself: after its CPU went offline no group's reader has it.
    pub fn alone_count(&self) -> io::Result<Option<u64>> {
        let mut readings = Vec::new();
        GroupReader::of(self.counter.as_raw_fd())?.read(&mut readings)?;
        let own = readings.iter().find(|r| r.id == self.id());
        Ok(own.map(|reading| reading.value))
    }

    /// Samples CPU time into the ring, `hz` times a second: cycles, or else the timer. In a group
    /// of its own (see the top of this file); its samples carry their period: cycles, or ns.
    pub fn open_clock(ring: &mut Ring, hz: u32) -> io::Result<(PerfEvent, ClockKind)> {
        let open = |event: ClockKind| {
            let mut builder = match event {
                ClockKind::Cycles => Builder::new(Hardware::CPU_CYCLES),
                ClockKind::CpuClock => Builder::new(Software::CPU_CLOCK),
            };
            in_ring(&mut builder, ring.cpu, ring.watermark, true);
            builder.sample_frequency(u64::from(hz)).build()
        };
        let (mut counter, kind) = match open(ClockKind::Cycles) {
            Ok(counter) => (counter, ClockKind::Cycles),
            // Some virtual processors count cycles and cannot interrupt.
            Err(error) if no_such_counter(&error) => {
                (open(ClockKind::CpuClock)?, ClockKind::CpuClock)
            }
            Err(error) => return Err(error),
        };
        write_into(counter.as_raw_fd(), ring.leader.as_raw_fd())?;
        counter.enable()?;
        let alone = true;
        Ok((PerfEvent { counter, alone }, kind))
    }

    /// The event that BPF programs on the ring's CPU write their samples to. In a group of its own
    /// like the clock; every write is a sample.
    pub fn open_bpf_output(ring: &mut Ring) -> io::Result<PerfEvent> {
        let mut builder = Builder::new(Software::BPF_OUTPUT);
        in_ring(&mut builder, ring.cpu, ring.watermark, false);
        let mut counter = builder.sample_period(1).build()?;
        write_into(counter.as_raw_fd(), ring.leader.as_raw_fd())?;
        counter.enable()?;
        let alone = true;
        Ok(PerfEvent { counter, alone })
    }

    /// What happens to processes on the ring's CPU. In a group of its own like the clock.
    pub fn open_side_band(ring: &mut Ring) -> io::Result<PerfEvent> {
        let open = |build_id| {
            let mut builder = Builder::new(Software::DUMMY);
            in_ring(&mut builder, ring.cpu, ring.watermark, false);
            builder.mmap(true).mmap2(true).build_id(build_id);
            builder.comm(true).comm_exec(true).task(true).build()
        };
        // Build ids instead of inodes came with Linux 5.12.
        let mut counter = open(true).or_else(|_| open(false))?;
        write_into(counter.as_raw_fd(), ring.leader.as_raw_fd())?;
        counter.enable()?;
        let alone = true;
        Ok(PerfEvent { counter, alone })
    }

    /// The id that this event's samples and group readings carry.
    pub fn id(&self) -> u64 {
        self.counter.id()
    }

    /// From now on every `period`-th hit is a sample.
    pub fn set_period(&self, period: u64) -> io::Result<()> {
        let mut period = period;
        // PERF_EVENT_IOC_PERIOD takes a pointer; the crate's wrapper declares the value.
        // SAFETY: `period` outlives the call.
        check(unsafe { ioctls::PERIOD(self.counter.as_raw_fd(), &raw mut period as u64) })
    }

    /// Goes on counting after [`PerfEvent::disable`].
    pub fn enable(&mut self) {
        // An event whose CPU is gone counts nothing anyway.
        let _gone = self.counter.enable();
    }

    /// Stops counting and sampling at once; closing takes its time.
    pub fn disable(&mut self) {
        // An event whose CPU or task is gone counts nothing anyway.
        let _gone = self.counter.disable();
    }

    /// Hits so far (of a per-thread event: inherited threads included).
    pub fn hits(&mut self) -> io::Result<u64> {
        self.counter.read()
    }
}

impl AsRawFd for PerfEvent {
    fn as_raw_fd(&self) -> RawFd {
        self.counter.as_raw_fd()
    }
}

/// Is it the counter that is missing, rather than a right or a descriptor?
pub(super) fn no_such_counter(error: &io::Error) -> bool {
    !matches!(
        error.raw_os_error(),
        Some(libc::EACCES | libc::EPERM | libc::EMFILE | libc::ENODEV)
    )
}

/// Records of the event `fd` go into the ring of `output`.
fn write_into(fd: RawFd, output: RawFd) -> io::Result<()> {
    // SAFETY: two open perf descriptors.
    check(unsafe { ioctls::SET_OUTPUT(fd, output) })
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
