//! Bytes of strangers, changed at random from a seed, against everything that reads any: no panic, no
//! hang. Each target of `targets.rs` for `NETOP_FUZZ_SECONDS` (20). `NETOP_FUZZ_SEED` makes other
//! changes; of `NETOP_FUZZ_CORPUS` each file whose name contains the target's name, or every file of
//! perf's for recordings, is a seed too. What went wrong is kept in a file that the panic names.

mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use targets::{Target, named};

/// No input may take more CPU time, in an unoptimized build …
const LONGEST: Duration = Duration::from_secs(10);

/// … nor more time on a machine that others share.
const LATEST: Duration = Duration::from_secs(300);

/// Larger seeds are changed in this much of them only, and are few.
const LARGEST: usize = 2 << 20;

/// xorshift64*: the same changes each time.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

const NUMBERS: [&[u8]; 8] = [
    b"0",
    b"-1",
    b"18446744073709551615",
    b"18446744073709551616",
    b"1e308",
    b"nan",
    b"9223372036854775808",
    b"4294967296",
];

/// A few changes; of `others` parts are put in.
fn change(chance: &mut Chance, bytes: &mut Vec<u8>, others: &[Vec<u8>], from: usize) {
    for _ in 0..=chance.below(6) {
        if bytes.len() <= from {
            return bytes.push(chance.next() as u8);
        }
        let room = bytes.len() - from;
        // Headers are at the beginning.
        let span = [room, room.min(512), room.min(64)][chance.below(3)];
        let at = from + chance.below(span);
        let most = [4, 16, 256][chance.below(3)];
        let length = 1 + chance.below(most.min(bytes.len() - at));
        match chance.below(9) {
            0 => bytes[at] ^= 1 << chance.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, chance.next() as u8][chance.below(6)],
            2 => {
                let number = [
                    0,
                    1,
                    u64::MAX,
                    1 << 63,
                    1 << 32,
                    u64::from(u32::MAX),
                    chance.next(),
                ][chance.below(7)];
                let size = [2, 4, 8][chance.below(3)].min(bytes.len() - at);
                bytes[at..at + size].copy_from_slice(&number.to_le_bytes()[..size]);
            }
            3 => bytes.truncate(at),
            4 => {
                bytes.drain(at..at + length.min(bytes.len() - at));
            }
            5 => {
                let part = bytes[at..at + length.min(bytes.len() - at)].to_vec();
                let to = from + chance.below(bytes.len() - from);
                bytes.splice(to..to, part);
            }
            6 => {
                let other = &others[chance.below(others.len())];
                let begin = chance.below(other.len());
                let end = (begin + length).min(other.len());
                bytes.splice(at..at, other[begin..end].iter().copied());
            }
            7 => {
                // A number of a text: all its digits.
                let digit = |byte: &u8| byte.is_ascii_digit();
                let Some(first) = bytes[at..].iter().position(digit) else {
                    continue;
                };
                let first = at + first;
                let digits = bytes[first..].iter().take_while(|byte| digit(byte)).count();
                let number = NUMBERS[chance.below(NUMBERS.len())];
                bytes.splice(first..first + digits, number.iter().copied());
            }
            _ => {
                let byte = [b'\n', b' ', b':', b'"', 0, 0xff, 0x1b][chance.below(7)];
                bytes.insert(at, byte);
            }
        }
    }
}

/// CPU time of all threads so far: fields 14 and 15 of /proc/self/stat, hundredths of a second.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("this process");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_ascii_whitespace().skip(11).take(2);
    let ticks: u64 = ticks
        .map(|field| field.parse::<u64>().expect("ticks"))
        .sum();
    Duration::from_millis(10 * ticks)
}

fn seeds(target: &Target, scratch: &Path) -> Vec<Vec<u8>> {
    let mut seeds = (target.seeds)(Path::new(env!("CARGO_BIN_EXE_netop")), scratch);
    if let Some(corpus) = std::env::var_os("NETOP_FUZZ_CORPUS") {
        let perfs = ["recording", "stream", "trailer"].contains(&target.name);
        for entry in fs::read_dir(corpus).expect("a directory").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.contains(target.name) || perfs && name.contains(".data") {
                seeds.push(fs::read(entry.path()).expect("a file of the corpus"));
            }
        }
    }
    for seed in &mut seeds {
        seed.truncate(LARGEST);
    }
    assert!(seeds.iter().all(|seed| !seed.is_empty()), "{}", target.name);
    seeds
}

/// The thread's own directory in memory; gone with the value.
fn in_memory() -> tempfile::TempDir {
    let dir = tempfile::Builder::new()
        .prefix("netop-fuzz-")
        .tempdir_in("/dev/shm");
    dir.or_else(|_| tempfile::tempdir()).expect("a directory")
}

fn survives(name: &str) {
    let number = |variable: &str| std::env::var(variable).ok()?.parse().ok();
    let seconds = number("NETOP_FUZZ_SECONDS").unwrap_or(20);
    let mut chance = Chance(number("NETOP_FUZZ_SEED").unwrap_or(1) ^ 0x9e37_79b9_7f4a_7c15);
    let target = named(name);
    let scratch = in_memory();
    let seeds = seeds(target, scratch.path());
    for seed in &seeds {
        (target.run)(seed, scratch.path());
    }
    let (began, mut runs) = (Instant::now(), 0);
    while began.elapsed() < Duration::from_secs(seconds) {
        let mut bytes = seeds[chance.below(seeds.len())].clone();
        // Of a trailer what comes before is whole.
        let from = if name == "trailer" {
            bytes.len() - bytes.len() / 8
        } else {
            0
        };
        change(&mut chance, &mut bytes, &seeds, from);
        let (started, cpu) = (Instant::now(), cpu_time());
        let ran = catch_unwind(AssertUnwindSafe(|| (target.run)(&bytes, scratch.path())));
        let took = started.elapsed();
        // The CPU time of other targets beside this one is in it: it took that much at most.
        let worked = took.min(cpu_time().saturating_sub(cpu));
        if ran.is_err() || worked > LONGEST || took > LATEST {
            let kept = std::env::temp_dir().join(format!("netop-fuzz-{name}"));
            fs::write(&kept, &bytes).expect("room for the input");
            panic!(
                "{name}: {} took {took:?}, {worked:?} of CPU, ended {ran:?}",
                kept.display()
            );
        }
        runs += 1;
    }
    eprintln!("{name}: {runs} inputs");
    assert!(runs >= seconds, "{runs} inputs in {seconds} s");
}

#[test]
fn damaged_recordings_are_survived() {
    survives("recording");
}

#[test]
fn damaged_streams_of_perf_are_survived() {
    survives("stream");
}

#[test]
fn damaged_trailers_are_survived() {
    survives("trailer");
}

#[test]
fn damaged_segments_are_survived() {
    survives("segment");
}

#[test]
fn damaged_snapshots_are_survived() {
    survives("snapshot");
}

#[test]
fn damaged_rules_are_survived() {
    survives("rules");
}

#[test]
fn damaged_perf_maps_are_survived() {
    survives("perf_map");
}

#[test]
fn damaged_programs_are_survived() {
    survives("elf");
}

#[test]
fn damaged_answers_of_netlink_are_survived() {
    survives("netlink");
}

#[test]
fn damaged_counters_of_proc_are_survived() {
    survives("counters");
}

#[test]
fn every_target_has_a_test_here_and_a_program_for_cargo_fuzz() {
    let (tests, programs) = (include_str!("main.rs"), include_str!("Cargo.toml"));
    for target in &targets::TARGETS {
        assert!(tests.contains(&format!("survives(\"{}\")", target.name)));
        assert!(programs.contains(&format!("name = \"{}\"\n", target.name)));
    }
}
