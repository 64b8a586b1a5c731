//! What the kernel says about the host: how long its CPUs worked, what a process used, what the
//! devices received, and what machine it is.

use std::fs;

/// USER_HZ: the unit of /proc/stat.
const TICK_NS: f64 = 1e7;

/// Whose time is measured.
#[derive(Clone, Copy, PartialEq)]
pub enum Scope {
    Cpu0,
    All,
}

impl Scope {
    /// ns that nothing ran in so far. Idle time is subtracted from the wall clock's, because the
    /// kernel times idleness to the µs while it only guesses work by what each tick finds; the
    /// print rounds to 10 ms either way.
    pub fn unused_ns(self) -> f64 {
        let stat = read("/proc/stat");
        let name = match self {
            Scope::Cpu0 => "cpu0 ",
            Scope::All => "cpu ",
        };
        let line = stat.lines().find(|line| line.starts_with(name));
        let fields = numbers(line.unwrap_or_default());
        // man 5 proc_stat: user nice system idle iowait irq softirq steal
        [3, 4, 7].iter().map(|&i| fields[i]).sum::<f64>() * TICK_NS
    }

    pub fn cpus(self) -> usize {
        match self {
            Scope::Cpu0 => 1,
            Scope::All => cpus(),
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Scope::Cpu0 => "CPU 0",
            Scope::All => "all CPUs",
        }
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn numbers(line: &str) -> Vec<f64> {
    let words = line.split_whitespace();
    words.filter_map(|word| word.parse().ok()).collect()
}

pub fn cpus() -> usize {
    let stat = read("/proc/stat");
    let cpu = |line: &&str| line.starts_with("cpu") && !line.starts_with("cpu ");
    stat.lines().filter(cpu).count()
}

/// CPU time of a process with all its threads that live, as the scheduler timed it.
pub fn process_ns(pid: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let threads = threads.into_iter().flatten().flatten();
    let runtime = |thread: fs::DirEntry| {
        let schedstat = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        numbers(&schedstat).first().copied()
    };
    threads.filter_map(runtime).sum()
}

/// The kernel's threads that run what a softirq leaves over.
pub fn softirq_threads() -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| read(&format!("/proc/{pid}/comm")).starts_with("ksoftirqd/"))
        .collect()
}

/// Packets that devices in the network namespace of a process received, but for the loopback's.
pub fn received(pid: u32) -> f64 {
    let devices = read(&format!("/proc/{pid}/net/dev"));
    let devices = devices.lines().filter_map(|line| line.split_once(':'));
    devices
        .filter(|(name, _)| name.trim() != "lo")
        .map(|(_, counters)| numbers(counters)[1])
        .sum()
}

/// Packets that found the backlog of their CPU full: they never entered the stack.
pub fn dropped() -> f64 {
    let lines = read("/proc/net/softnet_stat");
    let second = |line: &str| u32::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    lines.lines().filter_map(second).map(f64::from).sum()
}

/// Does the process hold an event or a program of the kernel?
pub fn holds_events(pid: u32) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd"))
        .into_iter()
        .flatten();
    files
        .filter_map(|file| fs::read_link(file.ok()?.path()).ok())
        .any(|target| {
            let target = target.to_string_lossy();
            target.starts_with("anon_inode:[perf_event]") || target.starts_with("anon_inode:bpf")
        })
}

/// One line that says where the figures come from.
pub fn description() -> String {
    let info = read("/proc/cpuinfo");
    let model = info.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(": "));
    format!(
        "{}, {} CPUs, Linux {}, netop {}",
        model.map_or("unknown CPU", |(_, model)| model),
        cpus(),
        read("/proc/sys/kernel/osrelease").trim(),
        env!("CARGO_PKG_VERSION"),
    )
}
