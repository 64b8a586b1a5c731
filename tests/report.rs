//! `netop report` on files that the installed perf makes, in every shape that changes the format:
//! the counts are those of `perf script`.

#[path = "net/installed.rs"]
mod installed;
mod skip;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use skip::skip;

/// Sends so many datagrams to itself.
const TRAFFIC: &str = "import socket
a=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
b=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
b.bind(('127.0.0.1',0))
for n in range(400):
  a.sendto(b'x'*100,b.getsockname())
  b.recv(2000)";

const EVENTS: [&str; 6] = [
    "-e",
    "net:netif_receive_skb",
    "-e",
    "net:net_dev_queue",
    "-e",
    "cpu-clock/freq=99,name=clock/",
];

/// How perf is told to record; `-` at the end: through a pipe.
const SHAPES: [(&str, &[&str]); 11] = [
    ("chains", &["-a", "-g"]),
    // Of smaller stacks in a larger ring: else perf loses half of them on a busy machine.
    ("dwarf", &["-a", "--call-graph", "dwarf,1024", "-m", "8M"]),
    ("compressed", &["-a", "-g", "-z"]),
    ("no build ids", &["-a", "-g", "--no-buildid"]),
    ("one program", &["-g"]),
    ("counted in threes", &["-a", "-c", "3", "-d"]),
    ("counters read", &["-a", "-g", "-s"]),
    ("own clock", &["-a", "-g", "-k", "CLOCK_MONOTONIC"]),
    ("build ids in maps", &["-a", "-g", "--buildid-mmap"]),
    ("pipe", &["-a", "-g", "-o", "-"]),
    ("compressed pipe", &["-a", "-g", "-z", "-o", "-"]),
];

/// perf's file, or `None` when this perf or kernel cannot record so.
fn record(dir: &Path, shape: &[&str]) -> Option<std::path::PathBuf> {
    let path = dir.join("perf.data");
    let piped = shape.ends_with(&["-"]);
    let mut command = Command::new("perf");
    command.args(["record", "-q"]).args(shape).args(EVENTS);
    if !piped {
        command.arg("-o").arg(&path);
    }
    command.args(["--", "python3", "-c", TRAFFIC]);
    command.stderr(Stdio::null());
    if piped {
        command.stdout(std::fs::File::create(&path).expect("room"));
    }
    command.status().is_ok_and(|s| s.success()).then_some(path)
}

/// Of each event: how many samples perf finds, and what they weigh.
fn perf_script(path: &Path) -> BTreeMap<String, (u64, u64)> {
    let output = Command::new("perf")
        .args(["script", "-F", "event,period", "-i"])
        .arg(path)
        .output()
        .expect("perf is installed");
    let mut events: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let mut words = line.split_whitespace();
        let (Some(period), Some(event)) = (words.next(), words.next()) else {
            continue;
        };
        let sums = events
            .entry(event.trim_end_matches(':').to_owned())
            .or_default();
        sums.0 += 1;
        sums.1 += period.parse::<u64>().unwrap_or(0);
    }
    events
}

fn report(path: &Path, words: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_netop"))
        .arg("report")
        .arg(path)
        .args(["-b", "--format", "json"])
        .args(words)
        .output()
        .expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("netop prints UTF-8");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("an object a line"))
        .collect()
}

fn row<'a>(snapshot: &'a Value, function: &str) -> &'a Value {
    let rows = snapshot["functions"].as_array().expect("a list");
    rows.iter()
        .find(|row| row["name"] == function)
        .expect("a row")
}

fn may_record() -> bool {
    let root = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|status| status.lines().any(|line| line.starts_with("Uid:\t0")));
    let may = root && installed::has("perf") && installed::has("python3");
    if !may {
        skip("it needs root, perf and python3");
    }
    may
}

#[test]
fn counts_and_samples_are_those_of_perf_script_whatever_the_shape_of_the_file() {
    if !may_record() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    for (name, shape) in SHAPES {
        let Some(path) = record(dir.path(), shape) else {
            println!("this perf does not record {shape:?}");
            continue;
        };
        let perf = perf_script(&path);
        let shown = report(&path, &[]);
        let [whole] = &shown[..] else {
            panic!("{name}: {} snapshots", shown.len())
        };
        for (function, event) in [
            ("netif_receive_skb", "net:netif_receive_skb"),
            ("dev_queue_xmit", "net:net_dev_queue"),
        ] {
            let (samples, weight) = perf.get(event).copied().unwrap_or_default();
            assert!(weight >= 100, "{name}: perf saw {weight} of {event}");
            let row = row(whole, function);
            assert_eq!(row["calls"], weight, "{name}: {function}");
            assert_eq!(row["samples"], samples, "{name}: {function}");
            assert_eq!(row["source"], "file", "{name}");
            assert_eq!(row["estimated"], samples != weight, "{name}: {function}");
        }
        let clock = perf.get("clock").map_or(0, |(samples, _)| *samples);
        assert_eq!(whole["health"]["cpu_samples"], clock, "{name}");
        let missing = row(whole, "napi_poll");
        assert!(missing["rate"].is_null(), "{name}");
        let reason = missing["reason"].as_str().expect("a reason");
        assert!(reason.ends_with("is not in this file"), "{name}: {reason}");
        let apart = report(&path, &["-d", "0.05"]);
        let calls = |snapshot| {
            row(snapshot, "dev_queue_xmit")["calls"]
                .as_u64()
                .unwrap_or(0)
        };
        let sum: u64 = apart.iter().map(calls).sum();
        assert_eq!(sum, calls(whole), "{name}: {} intervals", apart.len());
    }
}

#[test]
fn a_process_or_a_part_of_a_file_has_its_own_counts() {
    if !may_record() {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let path = record(dir.path(), &["-a", "-g"]).expect("perf records");
    let whole = &report(&path, &[])[0];
    let processes = whole["processes"].as_array().expect("a list");
    let sender = processes
        .iter()
        .find(|process| process["comm"] == "python3");
    let pid = sender.expect("the sender has a row")["pid"].to_string();
    let filtered = &report(&path, &["-p", &pid])[0];
    let calls = row(filtered, "dev_queue_xmit")["calls"].as_u64();
    assert!((400..450).contains(&calls.expect("counted")), "{calls:?}");
    let length = whole["interval_s"].as_f64().expect("a number");
    let middle = (length / 2.0).to_string();
    let before = &report(&path, &["--stop", &middle])[0];
    let after = &report(&path, &["--start", &middle])[0];
    let calls = |snapshot: &Value| row(snapshot, "dev_queue_xmit")["calls"].as_u64();
    assert_eq!(
        calls(before).zip(calls(after)).map(|(a, b)| a + b),
        calls(whole)
    );
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// What a pipe carries: an event with PID, time and CPU, and these records.
fn pipe(records: &[(u32, Vec<u8>)]) -> Vec<u8> {
    const SAMPLE_TYPE: u64 = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 16;
    let mut attr = words(&[2 | 128 << 32, 77, 1, SAMPLE_TYPE, 0, 1 << 18]);
    attr.resize(128, 0);
    attr.extend(words(&[5]));
    let mut bytes = [&b"PERFILE2"[..], &words(&[16])].concat();
    let name = [&words(&[2, 5])[..], b"net:net_dev_queue\0"].concat();
    for (kind, body) in [(64, attr), (78, name)].iter().chain(records) {
        bytes.extend(words(&[u64::from(*kind) | (body.len() as u64 + 8) << 48]));
        bytes.extend(body);
    }
    bytes
}

#[test]
fn what_happened_to_a_process_is_told_in_its_order_whichever_cpus_ring_comes_first() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("pipe");
    let ids = 7 | 7 << 32;
    let comm = |name: &[u8; 8], time, cpu| {
        let tail = words(&[ids, time, cpu, 5]);
        (3, [&words(&[ids])[..], name, &tail].concat())
    };
    let sample = |time| (9, words(&[5, ids, time, 0]));
    let round = || (68, Vec::new());
    let records = [
        comm(b"last\0\0\0\0", 30, 0),
        sample(1_000),
        round(),
        comm(b"first\0\0\0", 20, 1),
        sample(2_000_000_000),
        round(),
    ];
    // Of one round, whatever their rounds say: the second's may be older than the first's.
    std::fs::write(&path, pipe(&records)).expect("room");
    let whole = &report(&path, &[])[0];
    assert_eq!(row(whole, "dev_queue_xmit")["calls"], 2);
    assert_eq!(whole["processes"][0]["comm"], "last");
}
