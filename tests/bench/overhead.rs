//! What a packet costs the whole host with and without netop: CPU time of all CPUs over a fixed
//! number of 64-byte datagrams through a veth pair, configurations interleaved, several rounds.
//! `sudo -E cargo bench --bench overhead [-- ROUNDS PACKETS]`

#[path = "../net/buffer.rs"]
mod buffer;
#[path = "../net/installed.rs"]
mod installed;
#[path = "../net/mod.rs"]
mod net;
#[path = "../net/traffic.rs"]
mod traffic_program;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use installed::has;
use net::{B, Net, Traffic, may_run};

/// Events that perf counts beside netop's defaults, for comparison.
const PERF: &str =
    "net:net_dev_queue,net:netif_receive_skb,napi:napi_poll,net:napi_gro_receive_entry";

/// USER_HZ: the unit of /proc/stat.
const TICK_NS: f64 = 1e7;

fn main() {
    if std::env::var_os("NETOP_TRAFFIC").is_some() {
        return traffic_program::obey();
    }
    let Some(_one) = may_run() else { return };
    let mut numbers = std::env::args()
        .skip(1)
        .filter_map(|a| a.parse::<usize>().ok());
    let rounds = numbers.next().unwrap_or(7);
    let packets = numbers.next().unwrap_or(400_000);
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9100"));
    let mut sender = Traffic::start(&net.a, &format!("udp-blast 0.0.0.0:0 {B}:9100 {packets}"));
    let mut configurations = vec![
        ("nothing", Vec::new()),
        ("netop, default budget", netop(&[])),
        (
            "netop, --max-overhead 100",
            netop(&["--max-overhead", "100"]),
        ),
        ("netop, --counting proc", netop(&["--counting", "proc"])),
    ];
    if has("perf") {
        let words = ["perf", "stat", "-a", "-e", PERF, "sleep", "600"];
        configurations.push(("perf stat, four events", words.map(str::to_owned).to_vec()));
    }
    let mut cost: Vec<Vec<f64>> = vec![Vec::new(); configurations.len()];
    let mut rate: Vec<Vec<f64>> = vec![Vec::new(); configurations.len()];
    for _ in 0..rounds {
        for (index, (_, command)) in configurations.iter().enumerate() {
            let watcher = start(command);
            // The first blast is not measured: a watcher with a budget settles within it.
            blast(&mut sender);
            let (busy, began) = (busy_ticks(), Instant::now());
            blast(&mut sender);
            let seconds = began.elapsed().as_secs_f64();
            cost[index].push((busy_ticks() - busy) as f64 * TICK_NS / packets as f64);
            rate[index].push(packets as f64 / seconds);
            stop(watcher);
        }
    }
    println!(
        "{rounds} rounds of {packets} datagrams of 64 bytes, whole host, ns of CPU per datagram:"
    );
    println!(
        "{:28} {:>7} {:>7} {:>7}  {:>9}  {:>5}",
        "", "mean", "median", "min", "datagr./s", "kept"
    );
    let base = median(&rate[0]);
    for (index, (name, _)) in configurations.iter().enumerate() {
        let costs = &cost[index];
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        let kept = median(&rate[index]);
        println!(
            "{name:28} {mean:7.0} {:7.0} {least:7.0}  {kept:9.0}  {:5.2}",
            median(costs),
            kept / base
        );
    }
    sender.finish();
    receiver.finish();
}

fn blast(sender: &mut Traffic) {
    sender.go();
    sender.wait_for("done");
}

fn netop(flags: &[&str]) -> Vec<String> {
    let words = [
        &[
            env!("CARGO_BIN_EXE_netop"),
            "-b",
            "-d",
            "1",
            "--format",
            "json",
        ],
        flags,
    ]
    .concat();
    words.into_iter().map(str::to_owned).collect()
}

/// Starts the watcher and gives it time to attach.
fn start(command: &[String]) -> Option<Child> {
    let (program, arguments) = command.split_first()?;
    let child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the watcher starts");
    std::thread::sleep(Duration::from_millis(700));
    Some(child)
}

fn stop(watcher: Option<Child>) {
    if let Some(mut child) = watcher {
        child.kill().expect("it runs");
        child.wait().expect("it ran");
        std::thread::sleep(Duration::from_millis(700));
    }
}

/// Busy ticks of all CPUs since boot: everything but idle, waiting and steal.
fn busy_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/stat").expect("/proc/stat");
    let fields: Vec<u64> = stat
        .lines()
        .next()
        .expect("a first line")
        .split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect();
    [0, 1, 2, 5, 6].iter().map(|&i| fields[i]).sum()
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
