//! BPF programs that count tracepoint hits and let some through as samples (assets/bpf): loaded
//! with aya against the running kernel's BTF. Knows neither tracepoints nor what is in a sample.

mod call;
mod entries;
mod latency;
mod memory;
mod shared_maps;
mod sockets;
mod types;
mod uprobe;
mod verify;

use std::io;
use std::os::fd::AsFd;
use std::sync::Arc;

use aya::maps::{Array, HashMap, Map, PerCpuHashMap};
use aya::programs::tp_btf::BtfTracePointLinkId;
use aya::programs::uprobe::{UProbeAttachLocation, UProbeAttachPoint, UProbeScope};
use aya::programs::{BtfTracePoint, ProgramError, UProbe};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader};

use self::entries::Entries;
use self::memory::Shared;
use self::uprobe::{BREAKPOINTS, Uprobe};
use super::lockdown::{FORBIDS, is_confidential};

pub use self::latency::{BUCKETS, BY_ADDRESS, Fates, PAIRS, Pairs, Timed};
pub use self::shared_maps::{CELLS, DeviceTally, Switchboard, Switches, Tally};
pub use self::sockets::SocketTally;

/// One program of the object and the tracepoint it observes.
#[derive(Debug, Clone, Copy)]
pub struct Program {
    pub name: &'static str,
    /// One that tells more, tried before, which older kernels refuse.
    pub richer: Option<&'static str>,
    pub tracepoint: &'static str,
    /// It counts per device too. Those that do come first.
    pub by_device: bool,
}

/// The loaded object. Programs cost nothing until they are attached.
pub struct Gate {
    ebpf: Ebpf,
    /// Of the loaded programs, in the order they were asked for.
    names: Vec<&'static str>,
    links: Vec<Option<BtfTracePointLinkId>>,
    uprobes: Vec<Uprobe>,
    /// Why a program could not be loaded.
    pub refused: Vec<Option<String>>,
    pub board: Switchboard,
}

impl Gate {
    /// Loads the programs that are `wanted`, by number. `Err`: a sentence why there can be no gate here.
    pub fn load(
        object: &[u8],
        programs: &'static [Program],
        wanted: impl Fn(usize) -> bool,
    ) -> Result<Gate, String> {
        let wanted: Vec<bool> = (0..programs.len()).map(wanted).collect();
        let chosen = programs.iter().zip(&wanted).filter(|(_, wanted)| **wanted);
        let tracepoints = chosen.map(|(program, _)| program.tracepoint);
        let btf = types::named_by(object, tracepoints)?;
        let possible = nr_cpus().map_err(|(file, error)| format!("{file}: {error}"))? as u32;
        let mut ebpf = EbpfLoader::new()
            .btf(Some(&btf))
            .map_max_entries("cpus", possible)
            .map_max_entries("devices", possible)
            .map_max_entries("rings", possible)
            .load(object)
            .map_err(|error| reason(&error))?;
        let loaded = verify::load(&mut ebpf, programs, &wanted, &btf);
        let (names, refused): (Vec<_>, Vec<_>) = loaded.into_iter().unzip();
        if refused.iter().all(Option::is_some) {
            let mut asked = refused
                .into_iter()
                .zip(wanted)
                .filter(|(_, wanted)| *wanted);
            let why = asked.find_map(|(why, _)| why);
            return Err(why.unwrap_or_else(|| verify::UNWANTED.to_owned()));
        }
        let Some(Map::PerfEventArray(rings)) = ebpf.map("rings") else {
            return Err("the object has no map rings".to_owned());
        };
        let rings = rings.fd().as_fd().try_clone_to_owned();
        let slots = programs.len() + BREAKPOINTS;
        let cells = CELLS * programs.iter().filter(|program| program.by_device).count();
        let board = Switchboard {
            cpus: Arc::new(Shared::map_rows(&ebpf, "cpus", possible, slots)?),
            devices: Arc::new(Shared::map_rows(&ebpf, "devices", possible, cells)?),
            rings: Arc::new(rings.map_err(|error| error.to_string())?),
        };
        Ok(Gate {
            ebpf,
            uprobes: Vec::new(),
            links: programs.iter().map(|_| None).collect(),
            names,
            refused,
            board,
        })
    }

    fn program(&mut self, program: usize) -> io::Result<&mut BtfTracePoint> {
        let name = self.names[program];
        let found = self.ebpf.program_mut(name);
        found
            .and_then(|p| p.try_into().ok())
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    pub fn attach(&mut self, program: usize) -> io::Result<()> {
        if program >= self.names.len() {
            return self.attach_breakpoint(program);
        }
        if self.links[program].is_none() {
            let link = self.program(program)?.attach().map_err(into_io)?;
            self.links[program] = Some(link);
        }
        Ok(())
    }

    /// From here on it is not run any more; what it counted stays.
    pub fn detach(&mut self, program: usize) {
        if program >= self.names.len() {
            return self.detach_breakpoint(program);
        }
        if let Some(link) = self.links[program].take() {
            // Only a link that is not there cannot be detached.
            let _detached = self.program(program).map(|p| p.detach(link));
        }
    }

    /// Makes a breakpoint known; its number serves like a program's. `Err`: a sentence why it is to
    /// be counted otherwise.
    pub fn add_breakpoint(
        &mut self,
        file: &str,
        offset: u64,
        returns: bool,
    ) -> Result<usize, String> {
        if self.uprobes.len() >= BREAKPOINTS {
            return Err(format!("more than {BREAKPOINTS} breakpoints"));
        }
        let number = self.names.len() + self.uprobes.len();
        let uprobe = Uprobe {
            file: file.to_owned(),
            offset,
            returns,
            link: None,
        };
        let first = self.uprobes.iter().all(|s| s.returns != returns);
        if first {
            let program = self.uprobe(uprobe.program()).map_err(|e| e.to_string())?;
            program.load().map_err(|error| reason(&error))?;
        }
        self.uprobes.push(uprobe);
        Ok(number)
    }

    fn uprobe(&mut self, name: &str) -> io::Result<&mut UProbe> {
        let found = self.ebpf.program_mut(name);
        found
            .and_then(|p| p.try_into().ok())
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn attach_breakpoint(&mut self, number: usize) -> io::Result<()> {
        let index = number - self.names.len();
        let Some(uprobe) = self.uprobes.get(index).filter(|s| s.link.is_none()) else {
            return Ok(());
        };
        let (name, offset, file) = (uprobe.program(), uprobe.offset, uprobe.file.clone());
        let point = UProbeAttachPoint {
            location: UProbeAttachLocation::AbsoluteOffset(offset),
            cookie: Some(index as u64),
        };
        let program = self.uprobe(name)?;
        let link = program.attach(point, file, UProbeScope::AllProcesses);
        self.uprobes[index].link = Some(link.map_err(into_io)?);
        Ok(())
    }

    fn detach_breakpoint(&mut self, number: usize) {
        let uprobe = self.uprobes.get_mut(number - self.names.len());
        if let Some((name, link)) = uprobe.and_then(|s| Some((s.program(), s.link.take()?))) {
            // Only a link that is not there cannot be detached.
            let _detached = self.uprobe(name).map(|p| p.detach(link));
        }
    }

    /// Runs that the kernel left out because the program was running on that CPU already: they
    /// came in an interrupt. Since Linux 5.12; 0 before.
    pub fn misses(&mut self, program: usize) -> u64 {
        if program >= self.names.len() {
            return 0;
        }
        let info = self.program(program).ok().and_then(|p| {
            let fd = p.fd().ok()?;
            call::program_info(fd.as_fd()).ok()
        });
        info.map_or(0, |info| info.recursion_misses)
    }

    /// Only hits on the device of this name count where [`Switches::ONE_DEVICE`] is on.
    pub fn set_device(&mut self, name: &str) {
        let mut padded = [0u8; 16];
        let len = name.len().min(15);
        padded[..len].copy_from_slice(&name.as_bytes()[..len]);
        let halves = [0, 8].map(|at| {
            let half = padded[at..at + 8].try_into().unwrap_or_default();
            u64::from_ne_bytes(half)
        });
        let map = self.ebpf.map_mut("filters");
        let filters = map.and_then(|map| Array::<_, [u64; 2]>::try_from(map).ok());
        if let Some(mut filters) = filters {
            // Index 0 of an array of one.
            let _set = filters.set(0, halves, 0);
        }
    }

    /// The processes that [`Switches::SOME_PIDS`] and [`Switches::SAMPLE_PIDS`] are about, and when each
    /// started, in clock ticks since boot; 0: whoever has the number.
    pub fn set_pids(&mut self, pids: &[(u32, u64)]) -> Result<(), String> {
        let map = self.ebpf.map_mut("pids").ok_or("no map")?;
        let mut listed = HashMap::<_, u32, u64>::try_from(map).map_err(|e| e.to_string())?;
        let known: Vec<(u32, u64)> = listed.iter().flatten().collect();
        for (pid, _) in known.iter().filter(|known| !pids.contains(known)) {
            // It may have been removed by nobody else.
            let _removed = listed.remove(pid);
        }
        for (pid, start) in pids.iter().filter(|pid| !known.contains(pid)) {
            listed.insert(pid, start, 0).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    /// Hits and bytes per (process, program), summed over the CPUs. `keep` says whether an entry
    /// stays; one that does not makes room.
    pub fn processes(&mut self, mut keep: impl FnMut(u32, usize, u64, u64) -> bool) {
        let cpus = self.board.possible() as usize;
        let at_once = Entries::<[u32; 2], [u64; 2]>::read(self.ebpf.map("processes"), cpus);
        let map = self.ebpf.map_mut("processes");
        let Some(mut processes) =
            map.and_then(|map| PerCpuHashMap::<_, [u32; 2], [u64; 2]>::try_from(map).ok())
        else {
            return;
        };
        let add = |values: &[[u64; 2]]| {
            let sum = |at: usize| values.iter().map(|value| value[at]).sum::<u64>();
            [sum(0), sum(1)]
        };
        let entries = match at_once {
            Some(entries) => (entries.iter())
                .map(|(key, values)| (*key, add(values)))
                .collect(),
            None => (processes.iter().flatten())
                .map(|(key, values)| (key, add(&values)))
                .collect::<Vec<_>>(),
        };
        let mut gone = Vec::new();
        for (key, [hits, bytes]) in entries {
            if !keep(key[0], key[1] as usize, hits, bytes) {
                gone.push(key);
            }
        }
        for key in gone {
            let _removed = processes.remove(&key);
        }
    }
}

fn into_io(error: ProgramError) -> io::Error {
    match error {
        ProgramError::SyscallError(call) => call.io_error,
        other => io::Error::other(other.to_string()),
    }
}

/// Characters.
const LONGEST_COMPLAINT: usize = 160;

/// What the verifier says last, before its statistics (kernel/bpf/verifier.c), or of the function's type
/// before that.
fn complaint(log: &str) -> Option<String> {
    const STATISTICS: [&str; 4] = ["processed ", "verification time", "stack depth", "mark_"];
    let lines = || log.lines().map(str::trim).filter(|line| !line.is_empty());
    let of_type = lines().find(|line| line.starts_with("func '"));
    let is_complaint = |line: &&str| !STATISTICS.iter().any(|s| line.starts_with(s));
    let said = of_type.or_else(|| lines().rfind(is_complaint))?;
    Some(said.chars().take(LONGEST_COMPLAINT).collect())
}

/// The kernel's answer is at the bottom of a chain of errors; the top says what was tried.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    if is_confidential() {
        // The verifier does not know the helpers that read the kernel's memory then.
        return FORBIDS.to_owned();
    }
    let mut deepest = error;
    loop {
        // An errno is no cause where the verifier gave one: it answers EACCES to a program that reads
        // what this kernel's tracepoint does not have, too.
        if let Some(ProgramError::LoadError { verifier_log, .. }) = deepest.downcast_ref()
            && let Some(why) = complaint(&verifier_log.to_string())
        {
            return format!("this kernel's verifier refuses the program: {why}");
        }
        match deepest.source() {
            Some(source) => deepest = source,
            None => break,
        }
    }
    let code = deepest.downcast_ref::<io::Error>();
    if let Some(libc::EPERM | libc::EACCES) = code.and_then(io::Error::raw_os_error) {
        return "BPF is not allowed here (CAP_BPF and CAP_PERFMON, lockdown, seccomp)".to_owned();
    }
    // The verifier's log is long; its story is in the first line.
    let text = deepest.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::complaint;

    #[test]
    fn the_verifier_says_itself_why_it_refuses() {
        let log = "func#0 @0\n0: R1=ctx() R10=fp0\n0: (79) r2 = *(u64 *)(r1 +16)\n\
            func 'kfree_skb' doesn't have 3-th argument\ninvalid bpf_context access off=16 size=8\n\
            processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0\n";
        assert_eq!(
            complaint(log).as_deref(),
            Some("func 'kfree_skb' doesn't have 3-th argument")
        );
        let log = "0: (b7) r0 = 0\nR1 invalid mem access 'scalar'\nverification time 40 usec\nstack depth 0\n";
        assert_eq!(
            complaint(log).as_deref(),
            Some("R1 invalid mem access 'scalar'")
        );
        assert_eq!(complaint("processed 0 insns\n\n"), None);
        assert_eq!(complaint(""), None);
    }
}
