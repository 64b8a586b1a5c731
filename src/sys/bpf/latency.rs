//! Time between two tracepoints, measured by BPF programs (assets/bpf/latency.bpf.c): loads and
//! attaches them, and reads what they share. Layouts are those of that file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use aya::programs::BtfTracePoint;
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader};

use super::memory::Shared;
use super::{Program, into_io, reason, types};

/// Pairs of the object: the first are found by address, the rest by CPU.
pub const PAIRS: usize = 9;
pub const BY_ADDRESS: usize = 5;

/// Of a histogram: 16 per power of two, up to 2^35 ns.
pub const BUCKETS: usize = 512;
const CELLS: usize = 64 + PAIRS;
const WAITING: u32 = 8192;

/// `struct settings`.
#[repr(C)]
struct Settings {
    salt: AtomicU64,
    skbs: AtomicU32,
    sockets: AtomicU32,
    softirqs: AtomicU32,
    unused: AtomicU32,
}

/// `struct side`, cumulative, of one pair on one CPU.
#[repr(C)]
struct Side {
    counts: [AtomicU64; 6],
}

/// `struct cpu`.
#[repr(C)]
struct Cpu {
    addresses: [AtomicU64; 12],
    hits: AtomicU64,
    gro: AtomicU64,
    raised: [AtomicU64; 2],
    entered: [AtomicU64; 2],
    dice: [AtomicU64; 2],
    sides: [Side; PAIRS],
}

/// `struct waiting`.
#[repr(C)]
struct Waiting {
    address: AtomicU64,
    at: [AtomicU64; BY_ADDRESS],
    socket: AtomicU64,
    cpu: AtomicU32,
    node: AtomicU32,
}

/// `struct cell`.
#[repr(C)]
struct Cell {
    pair: AtomicU32,
    netns: AtomicU32,
    id: AtomicU32,
    crossed: AtomicU32,
    crossed_nodes: AtomicU32,
    orphans: AtomicU32,
    sum: AtomicU64,
    max: AtomicU64,
    name: [AtomicU64; 2],
    buckets: [AtomicU32; BUCKETS],
}

type Table = [Cell; CELLS];

/// What became of one pair's first events on one CPU since the programs were loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fates {
    pub started: u64,
    pub matched: u64,
    pub freed: u64,
    pub replaced: u64,
    pub merged: u64,
    pub orphans: u64,
}

/// One histogram, cumulative but for `max`, which is since it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    pub cpu: u32,
    /// Stays with the cell; who is in it may change.
    pub cell: usize,
    pub pair: usize,
    pub netns: u32,
    /// Interface, or process; 0: neither, or there was no room for another.
    pub id: u32,
    pub name: [u8; 16],
    pub crossed: u32,
    pub crossed_nodes: u32,
    pub orphans: u32,
    pub sum: u64,
    pub max: u64,
}

/// The loaded and attached programs; dropping it lets them go, which takes a while.
pub struct Pairs {
    _programs: Ebpf,
    settings: Shared<Settings>,
    cpus: Shared<Cpu>,
    under_way: Shared<Waiting>,
    histograms: Arc<Shared<Table>>,
    /// Tracepoints that could not be attached to, and why.
    pub refused: Vec<(&'static str, String)>,
}

impl Pairs {
    /// Attaches `programs` in their order; none of them finds anything to do before
    /// [`Pairs::choose`] says how many packets are followed. `Err`: a sentence why there is no
    /// latency here.
    pub fn start(object: &[u8], programs: &'static [Program]) -> Result<Pairs, String> {
        let btf = types::named_by(object, programs.iter().map(|program| program.tracepoint))?;
        let possible = nr_cpus().map_err(|(file, error)| format!("{file}: {error}"))? as u32;
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&btf))
            .map_max_entries("cpus", possible)
            .map_max_entries("histograms", possible)
            .load(object)
            .map_err(|error| reason(&error))?;
        let mut start = |program: &Program| -> Result<(), String> {
            let found = ebpf.program_mut(program.name);
            let found = found.ok_or_else(|| format!("no program {}", program.name))?;
            let traced: &mut BtfTracePoint = found.try_into().map_err(|_| "no tracepoint")?;
            traced
                .load(program.tracepoint, &btf)
                .map_err(|e| reason(&e))?;
            let attached = traced.attach().map_err(into_io);
            attached.map(|_| ()).map_err(|e| e.to_string())
        };
        let mut refused = Vec::new();
        for program in programs {
            if let Err(why) = start(program) {
                refused.push((program.tracepoint, why));
            }
        }
        if refused.len() == programs.len() {
            return Err(refused.pop().map(|(_, why)| why).unwrap_or_default());
        }
        Ok(Pairs {
            settings: Shared::map(&ebpf, "settings", 1)?,
            cpus: Shared::map(&ebpf, "cpus", possible)?,
            under_way: Shared::map(&ebpf, "under_way", WAITING)?,
            histograms: Arc::new(Shared::map(&ebpf, "histograms", possible)?),
            _programs: ebpf,
            refused,
        })
    }

    /// CPUs that there can be: their ids are below.
    pub fn possible(&self) -> u32 {
        self.cpus.entries
    }

    /// From now on follows the packets and sockets that `salt` chooses, and runs of softirqs: 1 in
    /// so many, a power of two each.
    pub fn choose(&self, salt: u64, (skbs, sockets, softirqs): (u32, u32, u32)) {
        if let Some(settings) = self.settings.of(0) {
            settings.skbs.store(skbs, Ordering::Relaxed);
            settings.sockets.store(sockets, Ordering::Relaxed);
            settings.softirqs.store(softirqs, Ordering::Relaxed);
            settings.salt.store(salt, Ordering::Relaxed);
        }
    }

    /// Runs of the programs on `cpu`; one that came in an interrupt may be missing.
    pub fn hits(&self, cpu: u32) -> u64 {
        let cpu = self.cpus.of(cpu);
        cpu.map_or(0, |cpu| cpu.hits.load(Ordering::Relaxed))
    }

    pub fn fates(&self, cpu: u32, pair: usize) -> Fates {
        let side = self.cpus.of(cpu).and_then(|cpu| cpu.sides.get(pair));
        side.map(|side| {
            let [started, matched, freed, replaced, merged, orphans] = side
                .counts
                .each_ref()
                .map(|count| count.load(Ordering::Relaxed));
            Fates {
                started,
                matched,
                freed,
                replaced,
                merged,
                orphans,
            }
        })
        .unwrap_or_default()
    }

    /// Every histogram that is in use on `cpu`.
    pub fn histograms(&self, cpu: u32) -> impl Iterator<Item = Timed> {
        let cells = self.histograms.of(cpu).into_iter().flatten().enumerate();
        cells.filter_map(move |(at, cell)| {
            let pair = cell.pair.load(Ordering::Acquire).checked_sub(1)?;
            let word = |word: &AtomicU32| word.load(Ordering::Relaxed);
            let halves = cell.name.each_ref().map(|h| h.load(Ordering::Relaxed));
            let mut name = [0; 16];
            name[..8].copy_from_slice(&halves[0].to_ne_bytes());
            name[8..].copy_from_slice(&halves[1].to_ne_bytes());
            Some(Timed {
                cpu,
                cell: at,
                pair: pair as usize,
                netns: word(&cell.netns),
                id: word(&cell.id),
                name,
                crossed: word(&cell.crossed),
                crossed_nodes: word(&cell.crossed_nodes),
                orphans: word(&cell.orphans),
                sum: cell.sum.load(Ordering::Relaxed),
                max: cell.max.swap(0, Ordering::Relaxed),
            })
        })
    }

    /// The buckets of a histogram, cumulative modulo 2^32.
    pub fn buckets(&self, cpu: u32, cell: usize) -> impl Iterator<Item = u32> {
        let cell = self.histograms.of(cpu).and_then(|table| table.get(cell));
        let buckets = cell.into_iter().flat_map(|cell| &cell.buckets);
        buckets.map(|count| count.load(Ordering::Relaxed))
    }

    /// The cell is free for another device or process; its buckets go on from where they are.
    pub fn release(&self, cpu: u32, cell: usize) {
        if let Some(cell) = self.histograms.of(cpu).and_then(|table| table.get(cell))
            && cell.id.load(Ordering::Relaxed) != 0
        {
            cell.pair.store(0, Ordering::Release);
        }
    }

    /// Gives up what has been under way since before `before` (CLOCK_MONOTONIC, ns), and says how
    /// many of each pair that were.
    pub fn give_up(&self, before: u64) -> [u64; BY_ADDRESS] {
        let mut given_up = [0; BY_ADDRESS];
        for waiting in (0..WAITING).filter_map(|index| self.under_way.of(index)) {
            let address = waiting.address.load(Ordering::Acquire);
            if address == 0 {
                continue;
            }
            let at = waiting.at.each_ref().map(|at| at.load(Ordering::Relaxed));
            // One that is being filled just now has no time yet: it is left alone.
            if at.iter().all(|&at| at < before) && at.iter().any(|&at| at > 0) {
                for (count, _) in given_up.iter_mut().zip(at).filter(|(_, at)| *at > 0) {
                    *count += 1;
                }
                for at in &waiting.at {
                    at.store(0, Ordering::Relaxed);
                }
                // If it has another address by now, it is not ours to free.
                let _freed = waiting.address.compare_exchange(
                    address,
                    0,
                    Ordering::Release,
                    Ordering::Relaxed,
                );
            }
        }
        given_up
    }
}
