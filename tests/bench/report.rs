//! How long `netop report -b` of a perf.data takes beside `perf report --stdio` and `perf script`,
//! alternating, and when the first snapshot of a 5 GB file of 256 CPUs comes, in how much memory.
//! `cargo bench --bench report [-- FILE.perf.data] [-- --gigabytes N]`; the large file is written to
//! $TMPDIR, or /tmp, and removed.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const RUNS: usize = 5;
const CPUS: u64 = 256;
const FRAMES: u64 = 24;
/// Distinct stacks.
const STACKS: u64 = 20_000;
/// Of one CPU in a round, which is 100 ms.
const SAMPLES: u64 = 400;
const ROUND_NS: u64 = 100_000_000;

fn main() {
    let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (mut file, mut gigabytes) = (None, 5.0);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--gigabytes" => gigabytes = words.next().and_then(|n| n.parse().ok()).unwrap_or(5.0),
            _ => file = Some(PathBuf::from(word)),
        }
    }
    match file {
        Some(file) => beside_perf(&file),
        None => println!("no FILE: perf record -a -g -o FILE … makes one to compare with perf"),
    }
    if gigabytes > 0.0 {
        let path = std::env::temp_dir().join("netop-bench-large.perf.data");
        let size = write(&path, (gigabytes * 1e9) as u64).expect("room for the large file");
        println!("\n{:.1} GB, {CPUS} CPUs", size as f64 / 1e9);
        let first = run(&netop(&path, &["-d", "1", "-n", "1"]));
        println!("first snapshot  {first}");
        let all = run(&netop(&path, &[]));
        println!("the whole       {all}");
        fs::remove_file(path).expect("it is ours");
    }
}

fn beside_perf(file: &Path) {
    let name = file.to_str().expect("UTF-8");
    let size = fs::metadata(file).expect("it is there").len();
    println!(
        "{name}, {:.0} MB; the least of {RUNS} runs",
        size as f64 / 1e6
    );
    let perf = |words: &[&str]| [&["perf"], words, &["-i", name]].concat().join(" ");
    let commands = [
        ("netop report -b", netop(file, &[])),
        ("perf report --stdio", perf(&["report", "--stdio"])),
        ("perf script", perf(&["script"])),
    ];
    let mut least: [Option<Ran>; 3] = [None, None, None];
    for _ in 0..RUNS {
        for ((_, command), least) in commands.iter().zip(&mut least) {
            let ran = run(command);
            if least.as_ref().is_none_or(|least| ran.wall < least.wall) {
                *least = Some(ran);
            }
        }
    }
    let own = least[0].as_ref().map_or(0.0, |ran| ran.wall.as_secs_f64());
    for ((name, _), ran) in commands.iter().zip(&least) {
        let Some(ran) = ran else { continue };
        let times = ran.wall.as_secs_f64() / own;
        println!("{name:20} {ran}  × {times:.1}");
    }
}

fn netop(file: &Path, words: &[&str]) -> String {
    let file = file.to_str().expect("UTF-8");
    let netop = env!("CARGO_BIN_EXE_netop");
    [&[netop, "report", file, "-b"], words].concat().join(" ")
}

struct Ran {
    wall: Duration,
    /// Largest resident memory, kB.
    memory: u64,
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (wall, memory) = (self.wall.as_secs_f64(), self.memory as f64 / 1e3);
        write!(f, "{wall:7.3} s {memory:7.0} MB")
    }
}

fn run(command: &str) -> Ran {
    let mut words = command.split(' ');
    let began = Instant::now();
    let mut child = Command::new(words.next().expect("a program"))
        .args(words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it is installed");
    let file = format!("/proc/{}/status", child.id());
    let mut memory = 0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        let text = fs::read_to_string(&file).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let known = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        memory = memory.max(known.unwrap_or(0));
        sleep(Duration::from_millis(1));
    };
    assert!(status.success(), "{command}: {status}");
    Ran {
        wall: began.elapsed(),
        memory,
    }
}

fn put(out: &mut Vec<u8>, words: &[u64]) {
    for word in words {
        out.extend(word.to_le_bytes());
    }
}

/// Two events (a tracepoint, cpu-clock), every CPU's samples of a round after the other's.
fn write(path: &Path, size: u64) -> io::Result<u64> {
    const ATTRS: u64 = 104;
    const DATA: u64 = ATTRS + 2 * 144 + 2 * 8 * CPUS;
    // IP, TID, TIME, CALLCHAIN, CPU, PERIOD, IDENTIFIER.
    const SAMPLE_TYPE: u64 = 1 | 2 | 4 | 1 << 5 | 1 << 7 | 1 << 8 | 1 << 16;
    let each = 8 * (8 + FRAMES);
    let round = CPUS * SAMPLES * each + 8;
    let rounds = size.div_ceil(round);
    let ids = |event: u64| {
        (1..=CPUS)
            .map(move |cpu| event * CPUS + cpu)
            .collect::<Vec<_>>()
    };
    let mut out = Vec::new();
    put(
        &mut out,
        &[u64::from_le_bytes(*b"PERFILE2"), 104, 144, ATTRS, 288],
    );
    put(
        &mut out,
        &[
            DATA,
            rounds * round,
            0,
            0,
            1 << 7 | 1 << 12 | 1 << 21,
            0,
            0,
            0,
        ],
    );
    let mut descriptions = vec![2, 0, 0, 0, 128, 0, 0, 0];
    for (event, (kind, config, name)) in
        (0u64..).zip([(2, 1, "net:net_dev_queue"), (1, 0, "cpu-clock")])
    {
        let begin = out.len();
        put(
            &mut out,
            &[kind | 128 << 32, config, 1_000_000, SAMPLE_TYPE, 0, 1 << 18],
        );
        out.resize(begin + 128, 0);
        descriptions.extend_from_slice(&out[begin..]);
        put(&mut out, &[ATTRS + 288 + event * 8 * CPUS, 8 * CPUS]);
        descriptions.extend((CPUS as u32).to_le_bytes());
        descriptions.extend(64u32.to_le_bytes());
        let end = descriptions.len() + 64;
        descriptions.extend(name.bytes());
        descriptions.resize(end, 0);
        put(&mut descriptions, &ids(event));
    }
    put(&mut out, &ids(0));
    put(&mut out, &ids(1));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    file.write_all(&out)?;
    let begin = BEGIN_NS;
    for round in 0..rounds {
        for cpu in 0..CPUS {
            out.clear();
            for sample in 0..SAMPLES {
                sampled(&mut out, (round, cpu, sample));
            }
            file.write_all(&out)?;
        }
        file.write_all(&(0x44u64 | 0x8 << 48).to_le_bytes())?;
    }
    out.clear();
    let table = DATA + rounds * round;
    let times = [begin, begin + rounds * ROUND_NS];
    let described = descriptions.len() as u64;
    put(
        &mut out,
        &[
            table + 48,
            8,
            table + 56,
            described,
            table + 56 + described,
            16,
        ],
    );
    put(&mut out, &[CPUS | CPUS << 32]);
    out.extend(descriptions);
    put(&mut out, &times);
    file.write_all(&out)?;
    file.into_inner()?.metadata().map(|meta| meta.len())
}

/// The n-th sample of a CPU in a round.
fn sampled(out: &mut Vec<u8>, (round, cpu, sample): (u64, u64, u64)) {
    let each = 8 * (8 + FRAMES);
    let time = BEGIN_NS + round * ROUND_NS + sample * (ROUND_NS / SAMPLES) + cpu;
    let stack = (round * 7919 + cpu * 104_729 + sample * 31) % STACKS;
    let leaf = 0xffff_ffff_8100_0000 + stack * 64;
    let (id, pid) = ((sample % 2) * CPUS + cpu + 1, 1000 + cpu);
    put(out, &[9 | (1 << 32) | each << 48, id, leaf]);
    put(
        out,
        &[
            pid | pid << 32,
            time,
            cpu,
            1_000_000,
            FRAMES,
            CONTEXT_KERNEL,
        ],
    );
    let chain: [u64; FRAMES as usize - 1] =
        std::array::from_fn(|depth| leaf + (stack % (depth as u64 + 1)) * 4096);
    put(out, &chain);
}

const BEGIN_NS: u64 = 1_000_000_000;

/// PERF_CONTEXT_KERNEL.
const CONTEXT_KERNEL: u64 = (-128i64) as u64;
