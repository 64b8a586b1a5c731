//! Names for a recording of perf, against those perf itself gives it: `perf script` is the reader
//! of the file here, netop's names are the subject.

mod skip;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use netop::model::{Mapped, Names};
use netop::symbol::{KernelCache, PerfFile, PerfFileNames};

use skip::skip;

const PROGRAM: &str = r#"
#include <unistd.h>
#include <fcntl.h>
static char bytes[1 << 20];
__attribute__((noinline)) long read_zeros(int fd) { return read(fd, bytes, sizeof bytes); }
__attribute__((noinline)) long spin(void) { long sum = 0; for (int i = 0; i < 100000; i++) sum += bytes[i & 0xffff] ^ i; return sum; }
int main(void) {
    int fd = open("/dev/zero", O_RDONLY);
    long sum = 0;
    for (int i = 0; i < 4000; i++) sum += read_zeros(fd) + spin();
    return sum == 42;
}
"#;

fn run(program: &str, arguments: &[&str], home: &Path) -> Output {
    let output = Command::new(program)
        .args(arguments)
        .env("HOME", home)
        .output();
    output.unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn text(output: Output) -> String {
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|text| text.contains("\nUid:\t0\t"))
}

/// A recording of the program, or `None` and the reason said.
fn recorded(dir: &Path) -> Option<()> {
    let missing = ["perf", "cc"]
        .into_iter()
        .find(|tool| Command::new(tool).arg("--version").output().is_err());
    if let Some(tool) = missing {
        skip(&format!("no {tool} here"));
        return None;
    }
    if !is_root() {
        skip("only root sees kernel addresses");
        return None;
    }
    fs::write(dir.join("prog.c"), PROGRAM).expect("file");
    let at = |name: &str| dir.join(name).to_str().expect("UTF-8").to_owned();
    let flags = ["-O1", "-g", "-fno-omit-frame-pointer", "-o"];
    let built = run(
        "cc",
        &[&flags[..], &[&at("prog"), &at("prog.c")]].concat(),
        dir,
    );
    assert!(built.status.success(), "{built:?}");
    let ended = run(
        "perf",
        &[
            "record",
            "-o",
            &at("perf.data"),
            "-g",
            "-F",
            "1999",
            &at("prog"),
        ],
        dir,
    );
    assert!(
        at("perf.data").len() > 9 && dir.join("perf.data").exists(),
        "{ended:?}"
    );
    Some(())
}

/// Where perf says that code was: pid and path → start less offset in the file.
type Places = BTreeMap<(u32, String), u64>;

/// `pid/tid: [0xSTART(0xLEN) @ 0xOFFSET …]: r-xp PATH` behind the record's name.
fn told(names: &mut PerfFileNames, places: &mut Places, line: &str) -> Option<()> {
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let (_, rest) = line.split_once("PERF_RECORD_MMAP")?;
    let rest = rest.trim_start_matches('2').trim_start();
    let (who, rest) = rest.split_once(": [")?;
    let (pid, _) = who.split_once('/')?;
    let (range, path) = rest.split_once("]: ")?;
    let (place, offset) = range.split_once(" @ ")?;
    let (start, len) = place.trim_end_matches(')').split_once('(')?;
    let (_, path) = path.split_once(' ')?;
    let mapped = Mapped {
        pid: pid.parse().ok(),
        start: hex(start)?,
        len: hex(len)?,
        offset: hex(offset.split_whitespace().next()?)?,
        path,
        build_id: None,
    };
    names.mapped(&mapped);
    if let Some(pid) = mapped.pid {
        let begin = mapped.start.wrapping_sub(mapped.offset);
        places.insert((pid, path.to_owned()), begin);
    }
    Some(())
}

fn foreign(dir: &Path) -> PerfFile {
    let file = dir.join("perf.data");
    let file = file.to_str().expect("UTF-8");
    let list = text(run("perf", &["buildid-list", "-i", file], dir));
    let bytes = |hex: &str| -> Vec<u8> {
        let digits: Vec<u8> = hex
            .chars()
            .filter_map(|c| c.to_digit(16))
            .map(|d| d as u8)
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    };
    let lines = list.lines().filter_map(|line| line.split_once(' '));
    PerfFile {
        build_ids: lines
            .map(|(id, path)| (path.to_owned(), bytes(id)))
            .collect(),
        ..PerfFile::default()
    }
}

#[test]
fn a_recording_of_perf_has_the_names_that_perf_gives_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    if recorded(dir.path()).is_none() {
        return;
    }
    let file = dir.path().join("perf.data");
    let file = file.to_str().expect("UTF-8");
    let cache = KernelCache::at(dir.path().join("cache"));
    let script = |extra: &[&str]| {
        text(run(
            "perf",
            &[&["script", "-i", file][..], extra].concat(),
            dir.path(),
        ))
    };
    let mappings = script(&["--show-mmap-events"]);
    let samples = script(&["-F", "pid,ip,sym,dso"]);
    // With what the first one keeps, the second has kernel names at once.
    let mut longest = Vec::new();
    for kept in [false, true, true, true] {
        let mut names =
            PerfFileNames::new(foreign(dir.path()), cache.clone(), Duration::from_secs(20));
        let maps = mappings
            .lines()
            .filter(|line| line.contains("PERF_RECORD_MMAP"));
        let mut places = Places::new();
        assert!(
            maps.filter_map(|line| told(&mut names, &mut places, line))
                .count()
                > 3
        );
        let wait = compare(&mut names, &places, &samples);
        if kept {
            longest.push(wait);
        }
    }
    // 20 ms is the budget of an optimised build; reading kallsyms takes ten times as long. What
    // else runs here may be in the way once.
    let least = longest.iter().min().expect("three waits");
    assert!(*least < Duration::from_millis(150), "{longest:?}");
}

/// The longest wait for a kernel name.
fn compare(names: &mut PerfFileNames, places: &Places, samples: &str) -> Duration {
    let mut pid = 0;
    let (mut same, mut all) = (0, 0);
    let mut others: BTreeMap<String, u32> = BTreeMap::new();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut longest = Duration::ZERO;
    for line in samples.lines() {
        if !line.starts_with('\t') {
            pid = line.trim().parse().unwrap_or(pid);
            continue;
        }
        let Some((address, rest)) = line.trim().split_once(' ') else {
            continue;
        };
        let (symbol, file) = rest.rsplit_once(" (").expect("a file");
        let address = u64::from_str_radix(address, 16).expect("an address");
        let is_kernel = address > u64::MAX / 2;
        if symbol == "[unknown]" {
            continue;
        }
        let name = if is_kernel {
            let began = Instant::now();
            let name = names.kernel(address);
            longest = longest.max(began.elapsed());
            assert!(name.settled, "{line}");
            name.text.to_string()
        } else {
            let mut frames: Vec<Arc<str>> = Vec::new();
            // perf prints offsets in the file.
            let file = (pid, file.trim_end_matches(')').to_owned());
            let address = address.wrapping_add(places[&file]);
            assert!(names.user(pid, address, &mut frames), "{line}");
            let name = frames.pop().expect("a frame");
            name.split(" (").next().unwrap_or(&name).to_owned()
        };
        all += 1;
        if name == symbol {
            same += 1;
            *seen.entry(name).or_default() += 1;
        } else {
            *others.entry(format!("{symbol} ≠ {name}")).or_default() += 1;
        }
    }
    println!("{same} of {all} frames have perf's name; longest wait for a kernel name {longest:?}");
    println!("others: {others:?}");
    assert_eq!(names.kernel_missing(), None);
    assert!(
        all > 500 && same * 100 >= all * 95,
        "{same} of {all}: {others:?}"
    );
    for function in ["spin", "main", "vfs_read", "do_syscall_64"] {
        assert!(seen.contains_key(function), "{function} of {seen:?}");
    }
    longest
}

#[test]
fn user_samples_without_call_chains_are_of_the_files_that_perf_says() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    if recorded(dir.path()).is_none() {
        return;
    }
    let at = |name: &str| dir.path().join(name).to_str().expect("UTF-8").to_owned();
    let (file, prog) = (at("flat.data"), at("prog"));
    let typed = [
        "record",
        "-q",
        "-e",
        "cpu-clock:u",
        "-F",
        "999",
        "-o",
        &file,
        &prog,
    ];
    let ended = run("perf", &typed, dir.path());
    assert!(dir.path().join("flat.data").exists(), "{ended:?}");
    let typed = ["report", "-i", &file, "--stdio", "-n", "--sort", "dso"];
    let perf = text(run("perf", &typed, dir.path()));
    let of_perf: Vec<(f64, String)> = (perf.lines())
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, samples, object] = words[..] else {
                return None;
            };
            Some((samples.parse().ok()?, object.to_owned()))
        })
        .collect();
    let all: f64 = of_perf.iter().map(|(samples, _)| samples).sum();
    assert!(all > 50.0, "{perf}");
    let netop = env!("CARGO_BIN_EXE_netop");
    let folded = text(run(netop, &["export", &file, "--to", "folded"], dir.path()));
    let lines: Vec<(&str, f64)> = (folded.lines())
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(stack, weight)| Some((stack, weight.parse().ok()?)))
        .collect();
    let weights: f64 = lines.iter().map(|(_, weight)| weight).sum();
    for (samples, object) in of_perf.iter().filter(|(samples, _)| *samples > 10.0) {
        let is_of = |stack: &str| {
            let leaf = stack.rsplit(';').next().unwrap_or_default();
            leaf.contains(&format!("({object})")) || leaf.starts_with(&format!("{object}+"))
        };
        let its = lines.iter().filter(|(stack, _)| is_of(stack));
        let share = its.map(|(_, weight)| weight).sum::<f64>() / weights;
        let wanted = samples / all;
        assert!(
            (share - wanted).abs() < 0.01,
            "{object}: {share} and not {wanted}\n{perf}\n{folded}"
        );
    }
}

/// Other people's recordings, which are not in the repository.
fn trials() -> Option<std::path::PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/trials");
    let dir = std::env::var_os("NETOP_TRIALS").map_or_else(beside, Into::into);
    if dir.is_dir() {
        return Some(dir);
    }
    skip(&format!(
        "there are no trials: no {} (NETOP_TRIALS names another place)",
        dir.display()
    ));
    None
}

/// Percent of the time in the leaf of each stack.
fn shares(folded: &str) -> BTreeMap<&str, f64> {
    let mut shares: BTreeMap<&str, f64> = BTreeMap::new();
    let mut all = 0.0;
    for line in folded.lines() {
        let (stack, weight) = line.rsplit_once(' ').expect("a weight");
        let weight: f64 = weight.parse().expect("a number");
        let leaf = stack.rsplit(';').next().expect("a frame");
        *shares.entry(leaf).or_default() += weight;
        all += weight;
    }
    for share in shares.values_mut() {
        *share *= 100.0 / all;
    }
    shares
}

#[test]
fn an_export_of_other_peoples_recordings_has_the_shares_that_perf_reports() {
    let Some(dir) = trials() else { return };
    let table = include_str!("fixtures/trials.tsv");
    let rows = table.lines().filter(|line| !line.starts_with('#'));
    let mut files: BTreeMap<&str, Vec<(f64, &str)>> = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split('\t').collect();
        let [file, percent, function] = cells[..] else {
            panic!("{row}");
        };
        let percent = percent.parse().expect("a number");
        files.entry(file).or_default().push((percent, function));
    }
    assert_eq!(files.len(), 6);
    let mut wrong = Vec::new();
    for (file, functions) in files {
        let netop = env!("CARGO_BIN_EXE_netop");
        let path = dir.join(file);
        let words = ["export", path.to_str().expect("UTF-8"), "--to", "folded"];
        let folded = text(run(netop, &words, &dir));
        let shares = shares(&folded);
        for (percent, function) in functions {
            let share = shares.get(function).copied().unwrap_or(0.0);
            // A folded line is rounded to a µs.
            if (share - percent).abs() > 0.05 + percent / 50.0 {
                wrong.push(format!("{file}: {function} {share:.2} %, perf {percent} %"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // Recorded in a PID namespace: perf calls everybody outside what the last of them was called.
    let path = dir.join("dew-others.data");
    let words = ["export", path.to_str().expect("UTF-8"), "--to", "folded"];
    let folded = text(run(env!("CARGO_BIN_EXE_netop"), &words, &dir));
    let roots: BTreeSet<&str> = (folded.lines())
        .filter_map(|line| line.split(';').next())
        .collect();
    let expected = ["[ended]", "[outside]", "perf", "sleep"];
    assert_eq!(roots, BTreeSet::from(expected));
}
