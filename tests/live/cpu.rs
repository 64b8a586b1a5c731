//! CPU samples against the real kernel: what a packet costs with GRO and without, the idle time of
//! /proc/stat, and perf's own profile of the same seconds.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use netop::symbol::StageTable;
use rustc_hash::FxHashSet;

use crate::installed::has;
use crate::net::{B, Net, Traffic, may_run};
use crate::netop::Netop;

/// ns per wire packet, ns per netif_receive_skb and packets per netif_receive_skb of a TCP
/// stream, over five seconds of netop with its defaults.
fn stream(net: &Net, port: u16) -> [f64; 3] {
    let receiver = Traffic::start(&net.b, &format!("tcp-receive {B}:{port}"));
    let mut sender = Traffic::start(&net.a, &format!("tcp-send {B}:{port} 1000000000000"));
    sender.go();
    let mut netop = Netop::watch_every("1", &["--max-overhead", "100"]);
    for _ in 0..6 {
        netop.next();
    }
    let number = |value: &serde_json::Value| value.as_f64().expect("a figure");
    let figures = [
        number(&netop.last["summary"]["ns_per_packet"]),
        number(netop.field("netif_receive_skb", "ns_per_call")),
        number(netop.field("netif_receive_skb", "packets_per_hit")),
    ];
    let stages: Vec<&str> = (netop.last["stages"].as_array().expect("a table").iter())
        .filter(|stage| stage["cpu_pct"].as_f64() > Some(0.5))
        .filter_map(|stage| stage["stage"].as_str())
        .collect();
    for stage in ["tcp", "copy", "skb_mem"] {
        assert!(stages.contains(&stage), "{stage} is not among {stages:?}");
    }
    drop((sender, receiver));
    figures
}

#[test]
fn with_gro_a_wire_packet_costs_less_and_a_netif_receive_skb_more() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
    let (mut measured, mut rounds) = ([[0.0; 3]; 2], 0.0);
    // The machine is faster in one moment than in the next by more than GRO makes: what one round does not
    // show, the sums of three do.
    for round in 0..3 {
        rounds += 1.0;
        for (gro, sums) in measured.iter_mut().enumerate() {
            Traffic::start(&net.b, &format!("offloads {} gro={gro}", net.vb)).finish();
            let figures = stream(&net, 9011 + 2 * round + gro as u16);
            for (sum, figure) in sums.iter_mut().zip(figures) {
                *sum += figure;
            }
        }
        if measured[1][0] < measured[0][0] {
            break;
        }
    }
    let [[off, off_call, off_packets], [on, on_call, on_packets]] =
        measured.map(|sums| sums.map(|sum| sum / rounds));
    eprintln!("per packet {off:.0} → {on:.0} ns; per call {off_call:.0} → {on_call:.0} ns");
    eprintln!("packets per call {off_packets:.2} → {on_packets:.2}");
    assert!((0.8..1.2).contains(&off_packets), "{off_packets}");
    assert!(on_packets > 5.0, "{on_packets}");
    assert!(on < off, "per wire packet {off} → {on}");
    // By how much differs between processors: 1.3 to 4 times were seen.
    assert!(on_call > 1.1 * off_call, "per call {off_call} → {on_call}");
}

/// Idle ns of all CPUs so far: the fourth and fifth field of /proc/stat's first line, in ticks of
/// 10 ms.
fn idle_ns() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").expect("it is there");
    let fields: Vec<f64> = (stat.lines().next().expect("a line").split_whitespace())
        .filter_map(|word| word.parse().ok())
        .collect();
    (fields[3] + fields[4]) * 1e7
}

#[test]
fn contexts_add_up_to_every_cpu_and_idle_time_is_that_of_proc_stat() {
    let Some(_one) = may_run() else { return };
    let mut netop = Netop::watch_every("1", &["--max-overhead", "100"]);
    let (began, idle) = (std::time::Instant::now(), idle_ns());
    for _ in 0..5 {
        netop.next();
    }
    let idle = 100.0 * (idle_ns() - idle) / began.elapsed().as_nanos() as f64;
    let contexts = netop.last["contexts"].as_array().expect("a table");
    let pct = |of: &serde_json::Value| of["cpu_pct"].as_f64().expect("a figure");
    let all: f64 = contexts.iter().map(pct).sum();
    let cpus = netop.last["host"]["cpus_online"]
        .as_f64()
        .expect("a number");
    assert!((all - 100.0 * cpus).abs() < 0.1, "{all}% of {cpus} CPUs");
    let sampled = contexts.iter().find(|c| c["name"] == "idle").map(pct);
    let sampled = sampled.expect("idle is told apart");
    // /proc/stat counts ticks, and calls a CPU idle that waits for a disk.
    assert!(
        (sampled - idle).abs() < 10.0 * cpus,
        "{sampled}%, /proc/stat {idle}%"
    );
    assert_eq!(
        netop.last["host"]["clock"].as_str().map(str::is_empty),
        Some(false)
    );
}

#[test]
fn runs_of_the_network_softirqs_are_timed_one_by_one_while_they_are_few() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9031"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9031 1 2000 200"));
    // Out of its own time a debug build that reads symbols makes the default budget's refusal.
    let mut netop = Netop::watch_every("1", &["--max-overhead", "100"]);
    let timed = |snapshot: &serde_json::Value| {
        let cpus = snapshot["cpus"].as_array().expect("a table").clone();
        let timed = cpus.iter().map(|cpu| cpu["net_softirq_pct"].as_f64());
        timed.collect::<Option<Vec<f64>>>()
    };
    let waited = (0..10).find(|_| timed(netop.next()).is_some());
    assert!(waited.is_some(), "no CPU's softirqs are timed");
    sender.go();
    let timed: f64 = (0..3)
        .flat_map(|_| timed(netop.next()).expect("every run is seen"))
        .sum();
    // 2000 receptions of 1 to 50 us each, in percent of one second.
    assert!((0.1..10.0).contains(&timed), "{timed}%");
    sender.finish();
    receiver.finish();
}

/// Self time of each kernel function in percent of so many ns, as perf says. Its shares are of
/// the samples it got, and an idle CPU whose timer sleeps gives none.
fn perf_shares(file: &str, ns: f64) -> HashMap<String, f64> {
    let report = Command::new("perf")
        .args([
            "report",
            "-i",
            file,
            "--no-children",
            "--stdio",
            "-g",
            "none",
        ])
        .args(["-F", "overhead,sym"])
        .stderr(Stdio::null())
        .output()
        .expect("perf starts");
    let text = String::from_utf8_lossy(&report.stdout).into_owned();
    let sampled = text.lines().find_map(|line| {
        let count = line.strip_prefix("# Event count (approx.): ")?;
        count.trim().parse::<f64>().ok()
    });
    let scale = sampled.expect("perf says how much it sampled") / ns;
    let line = |line: &str| {
        let (share, symbol) = line.trim().split_once('%')?;
        let symbol = symbol.trim().strip_prefix("[k] ")?;
        Some((symbol.to_owned(), share.parse::<f64>().ok()? * scale))
    };
    text.lines().filter_map(line).collect()
}

/// The same of stacks that netop exported, which have the time of the last seconds: how many, too.
fn netop_shares(exported: &serde_json::Value, cpus: f64) -> (HashMap<String, f64>, f64) {
    let seconds = exported["seconds"].as_f64().expect("a number");
    let mut shares = HashMap::new();
    for stack in exported["stacks"].as_array().expect("stacks") {
        let leaf = stack["frames"][0].as_str().expect("a frame");
        let leaf = leaf.split(" [").next().expect("a name").to_owned();
        let ns = stack["weight"].as_f64().expect("a number");
        *shares.entry(leaf).or_default() += ns / (seconds * cpus * 1e7);
    }
    (shares, seconds)
}

#[test]
fn the_ten_heaviest_network_functions_have_the_share_that_perf_gives_them() {
    const SECONDS: f64 = 10.0;
    let Some(_one) = may_run() else { return };
    if !has("perf") {
        eprintln!("not compared with perf record: perf is not installed");
        return;
    }
    let net = Net::new();
    let _receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9021"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:9021 30"));
    sender.go();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("perf.data");
    let file = file.to_str().expect("plain");
    let mut perf = Command::new("perf")
        .args([
            "record",
            "-F",
            "199",
            "-a",
            "-g",
            "-e",
            "cpu-clock",
            "-o",
            file,
        ])
        .args(["--", "sleep", "10"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("perf starts");
    // Out of its own time a debug build that reads symbols makes the default budget's refusal.
    let export = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["export", "--to", "json", "--duration", "10"])
        .args(["--max-overhead", "100"])
        .output()
        .expect("netop starts");
    assert!(perf.wait().expect("perf ran").success());
    let exported = serde_json::from_slice(&export.stdout).expect("JSON");
    let cpus = std::thread::available_parallelism().map_or(1.0, |n| n.get() as f64);
    let (ours, seconds) = netop_shares(&exported, cpus);
    let stages = StageTable::builtin();
    let mut theirs: Vec<(String, f64)> = (perf_shares(file, SECONDS * cpus * 1e9).into_iter())
        .filter(|(symbol, _)| stages.kind(symbol, &FxHashSet::default()).network)
        .collect();
    theirs.sort_by(|a, b| b.1.total_cmp(&a.1));
    let samples = 199.0 * cpus;
    let mut rows: Vec<(&str, f64, f64)> = (theirs.iter().take(10))
        .map(|(symbol, theirs)| (symbol.as_str(), *theirs, ours.get(symbol).copied()))
        .map(|(symbol, theirs, ours)| (symbol, theirs, ours.unwrap_or(0.0)))
        .collect();
    let sum = |side: fn(&(&str, f64, f64)) -> f64| rows.iter().map(side).sum();
    rows.push(("all ten", sum(|row| row.1), sum(|row| row.2)));
    let mut outside = Vec::new();
    for (symbol, theirs, ours) in rows {
        // Binomial errors of the two shares, four of them, and 0.3 points for what netop's and
        // perf's own start and end differ in.
        let variance = |pct: f64, s: f64| pct.max(0.1) * (100.0 - pct) / (samples * s);
        let bound = 4.0 * (variance(theirs, SECONDS) + variance(ours, seconds)).sqrt() + 0.3;
        eprintln!("{symbol:34} perf {theirs:5.2}%  netop {ours:5.2}%  bound ±{bound:.2}");
        if (theirs - ours).abs() > bound {
            outside.push(symbol);
        }
    }
    assert!(theirs.len() >= 10, "perf saw the network stack");
    assert!(outside.is_empty(), "{outside:?}");
}
