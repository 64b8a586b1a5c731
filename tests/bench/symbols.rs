//! How long the names of 10 000 frames of a large program with DWARF take in the background, from
//! the first question to the last answer, and how much CPU time: of this program, or of the ELF
//! files named. Seconds count only while nothing else runs.
//! And how long the first kernel name takes, with the kernel's symbols kept and without.
//! `cargo bench --bench symbols [-- FILE …]`

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use netop::model::Names;
use netop::symbol::{HostNames, KernelCache};
use object::{Object, ObjectSection, ReadCache};

const FRAMES: u64 = 10_000;
/// Where the file is mapped in the process of the benchmark.
const BASE: u64 = 0x10_0000_0000;
const PID: u32 = 7;

fn main() {
    let mut files: Vec<String> = std::env::args().skip(1).collect();
    files.retain(|file| !file.starts_with("--"));
    if files.is_empty() {
        let this = std::env::current_exe().expect("a path");
        files.push(this.to_str().expect("UTF-8").to_owned());
    }
    for file in files {
        measure(Path::new(&file));
    }
    measure_kernel();
}

/// From the start to the name of a function of the kernel itself.
fn measure_kernel() {
    let kallsyms = fs::read_to_string("/proc/kallsyms").expect("kallsyms");
    let line = kallsyms
        .lines()
        .find(|line| line.ends_with(" T net_rx_action"));
    let line = line.or(kallsyms.lines().find(|line| line.contains(" T vfs_read")));
    let address = line.and_then(|line| u64::from_str_radix(line.split(' ').next()?, 16).ok());
    let Some(address) = address.filter(|address| *address != 0) else {
        println!("kernel names: kallsyms hides its addresses, run as root");
        return;
    };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let cache = KernelCache::at(dir.path().join("netop"));
    for how in ["from kallsyms, kept for the next", "kept", "kept"] {
        let began = Instant::now();
        let mut names = HostNames::cached(rustc_hash::FxHashSet::default(), cache.clone(), None);
        while !names.kernel(address).settled {
            thread::park_timeout(Duration::from_micros(200));
        }
        let first = began.elapsed();
        // Until a miss is final everything has been read, and kept.
        while how.starts_with("from") && !names.kernel(1).settled {
            thread::park_timeout(Duration::from_millis(5));
        }
        println!(
            "first kernel name, {how}: {:.1} ms",
            first.as_secs_f64() * 1e3
        );
    }
}

fn measure(file: &Path) {
    let (start, size) = code(file);
    let addresses: Vec<u64> = (0..FRAMES)
        .map(|n| BASE + start + n * (size / FRAMES))
        .collect();
    let (mut best, mut least) = (f64::INFINITY, f64::INFINITY);
    let (mut known, mut frames, mut slowest_question) = (0, 0, Duration::ZERO);
    for _ in 0..3 {
        let host = host_with(file);
        let mut names = HostNames::at(host.path(), rustc_hash::FxHashSet::default());
        let (began, cpu) = (Instant::now(), background_seconds());
        let mut open = addresses.clone();
        let mut texts: Vec<Arc<str>> = Vec::new();
        while !open.is_empty() {
            open.retain(|&address| {
                let before = texts.len();
                let asked = Instant::now();
                let settled = names.user(PID, address, &mut texts);
                slowest_question = slowest_question.max(asked.elapsed());
                if !settled {
                    texts.truncate(before);
                }
                !settled
            });
            thread::park_timeout(Duration::from_millis(5));
        }
        least = least.min(background_seconds() - cpu);
        best = best.min(began.elapsed().as_secs_f64());
        frames = texts.len();
        known = texts.iter().filter(|text| text.ends_with(')')).count();
        if let Some(why) = names.user_missing() {
            println!("  {why}");
        }
    }
    let megabytes = fs::metadata(file).map_or(0, |data| data.len()) / 1_000_000;
    println!(
        "{} ({megabytes} MB): {FRAMES} addresses in {:.0} ms, {:.0} ms of CPU, {frames} frames, {known} with a name; \
         longest wait of a question {:.2} ms; {} MB of memory at most",
        file.file_name().unwrap_or_default().display(),
        best * 1e3,
        least * 1e3,
        slowest_question.as_secs_f64() * 1e3,
        peak_megabytes(),
    );
}

/// File range of the code.
fn code(file: &Path) -> (u64, u64) {
    let cache = ReadCache::new(fs::File::open(file).expect("a file"));
    let elf = object::File::parse(&cache).expect("an ELF file");
    let text = elf.section_by_name(".text").expect("code");
    text.file_range().expect("in the file")
}

/// A /proc of one process that has mapped the file.
fn host_with(file: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let process = dir.path().join(format!("proc/{PID}"));
    fs::create_dir_all(&process).expect("directory");
    let data = fs::metadata(file).expect("metadata");
    let maps = format!(
        "{BASE:x}-{:x} r-xp 00000000 {:x}:{:x} {} {}\n",
        BASE + data.len(),
        libc::major(data.dev()),
        libc::minor(data.dev()),
        data.ino(),
        fs::canonicalize(file).expect("a path").display(),
    );
    fs::write(process.join("maps"), maps).expect("file");
    dir
}

/// CPU time of all threads but the one that asks.
fn background_seconds() -> f64 {
    let ticks = |path: &str| {
        let stat = fs::read_to_string(path).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        // Fields 14 and 15 of man 5 proc_pid_stat, in ticks of 10 ms.
        let times = fields.split_whitespace().skip(11).take(2);
        times
            .filter_map(|time| time.parse::<f64>().ok())
            .sum::<f64>()
    };
    let main = format!("/proc/self/task/{}/stat", std::process::id());
    (ticks("/proc/self/stat") - ticks(&main)) / 100.0
}

fn peak_megabytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1000
}
