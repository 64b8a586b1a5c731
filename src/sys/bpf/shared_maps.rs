//! The gate's shared memory: counters that the kernel writes, switches that netop writes, both
//! without a system call. Layouts are those of assets/bpf/gate.bpf.c.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::call;
use super::memory::Shared;
use crate::sys::PerfEvent;

/// Of a program that counts per device: so many devices on a CPU (gate.bpf.c).
pub const CELLS: usize = 256;

/// `enum flags` of gate.bpf.c.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switches(u32);

impl Switches {
    pub const BY_DEVICE: Switches = Switches(1);
    pub const BY_PROCESS: Switches = Switches(2);
    pub const ONE_DEVICE: Switches = Switches(4);
    pub const SOME_PIDS: Switches = Switches(8);
    pub const SAMPLE_PIDS: Switches = Switches(16);
    pub const BY_SOCKET: Switches = Switches(32);
    pub const SAMPLE_CHOSEN: Switches = Switches(64);
    pub const CHOOSE: Switches = Switches(128);
    /// Nothing counts on this CPU.
    pub const ELSEWHERE: Switches = Switches(256);
    /// Of a breakpoint: a function begins there, its caller is on top of the stack.
    pub const CALLED: Switches = Switches(512);

    #[must_use]
    pub fn with(self, other: Switches, on: bool) -> Switches {
        Switches(if on { self.0 | other.0 } else { self.0 })
    }
}

/// `struct slot` of gate.bpf.c: one program on one CPU.
#[repr(C)]
pub(super) struct Slot {
    hits: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    overflow: AtomicU64,
    since: AtomicU32,
    period: AtomicU32,
    left: AtomicU32,
    flags: AtomicU32,
    unused: [AtomicU64; 2],
}

/// `struct cell` of gate.bpf.c: one device in a program's table on one CPU.
#[repr(C)]
pub(super) struct Cell {
    ifindex: AtomicU32,
    netns: AtomicU32,
    hits: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    name: [AtomicU64; 2],
    unused: [AtomicU64; 2],
}

/// What a program has counted on one CPU since it was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    pub hits: u64,
    pub packets: u64,
    pub bytes: u64,
    /// Hits without room in the tables of devices and processes.
    pub overflow: u64,
}

/// The same on one device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceTally {
    /// Its cell in the table of the program and CPU.
    pub cell: u32,
    pub netns: u32,
    pub ifindex: u32,
    pub name: [u8; 16],
    pub tally: Tally,
}

/// The part of the gate that every thread may use: its shared memory.
#[derive(Clone)]
pub struct Switchboard {
    /// By CPU a slot for each program and breakpoint.
    pub(super) cpus: Arc<Shared<Slot>>,
    /// By CPU [`CELLS`] for each program that counts per device.
    pub(super) devices: Arc<Shared<Cell>>,
    /// The map of the events that samples are written to, by CPU.
    pub(super) rings: Arc<OwnedFd>,
}

impl Switchboard {
    fn slot(&self, cpu: u32, program: usize) -> Option<&Slot> {
        self.cpus.row(cpu)?.get(program)
    }

    /// CPUs that there can be: their ids are below.
    pub fn possible(&self) -> u32 {
        self.cpus.entries
    }

    pub fn tally(&self, cpu: u32, program: usize) -> Tally {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.slot(cpu, program)
            .map(|slot| Tally {
                hits: read(&slot.hits),
                packets: read(&slot.packets),
                bytes: read(&slot.bytes),
                overflow: read(&slot.overflow),
            })
            .unwrap_or_default()
    }

    /// Samples on `cpu` go to `event` (PERF_COUNT_SW_BPF_OUTPUT) as long as that is open.
    pub fn put_ring(&self, cpu: u32, event: &PerfEvent) -> io::Result<()> {
        // aya opens the events of such a map itself and has no call for one that is open.
        call::update(self.rings.as_fd(), &cpu, &event.as_raw_fd())
    }

    /// Every `period`-th hit becomes a sample; 0: none.
    pub fn set_period(&self, cpu: u32, program: usize, period: u32) {
        if let Some(slot) = self.slot(cpu, program) {
            slot.period.store(period, Ordering::Relaxed);
        }
    }

    /// Samples allowed until the next call, whatever the period.
    pub fn allow(&self, cpu: u32, program: usize, samples: u32) {
        if let Some(slot) = self.slot(cpu, program) {
            slot.left.store(samples, Ordering::Relaxed);
        }
    }

    pub fn switch(&self, cpu: u32, program: usize, switches: Switches) {
        if let Some(slot) = self.slot(cpu, program) {
            slot.flags.store(switches.0, Ordering::Relaxed);
        }
    }

    /// The cell is free for another device. A hit that its own one has at this moment is in the totals only.
    pub fn free_cell(&self, cpu: u32, program: usize, cell: u32) {
        let table = self.devices.row(cpu);
        let mut tables = table
            .into_iter()
            .flat_map(|table| table.chunks_exact(CELLS));
        if let Some(cell) = tables
            .nth(program)
            .and_then(|cells| cells.get(cell as usize))
        {
            cell.ifindex.store(0, Ordering::Release);
        }
    }

    /// The devices on which `program` was hit on `cpu`.
    pub fn devices(&self, cpu: u32, program: usize) -> impl Iterator<Item = DeviceTally> {
        let table = self.devices.row(cpu);
        let cells = table.and_then(|table| table.chunks_exact(CELLS).nth(program));
        let cells = (0..).zip(cells.into_iter().flatten());
        cells.filter_map(|(at, cell)| {
            let ifindex = cell.ifindex.load(Ordering::Acquire);
            let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
            let [first, second] = cell.name.each_ref().map(|half| read(half).to_ne_bytes());
            let mut name = [0; 16];
            name[..8].copy_from_slice(&first);
            name[8..].copy_from_slice(&second);
            (ifindex != 0).then(|| DeviceTally {
                cell: at,
                netns: cell.netns.load(Ordering::Relaxed),
                ifindex,
                name,
                tally: Tally {
                    hits: read(&cell.hits),
                    packets: read(&cell.packets),
                    bytes: read(&cell.bytes),
                    overflow: 0,
                },
            })
        })
    }
}
