//! Packets that another CPU or a thread takes in: RPS and threaded NAPI, and who pays for it.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run, run};
use crate::netop::Netop;

const SENT: u64 = 20_000;

/// Until all of it has come.
const PATIENCE: Duration = Duration::from_secs(60);

/// Burns CPU 1 and touches no socket.
struct Burner(Child);

impl Burner {
    fn start() -> Burner {
        let words = ["-c", "1", "sh", "-c", "while :; do :; done"];
        let child = Command::new("taskset").args(words).spawn();
        Burner(child.expect("taskset starts"))
    }
}

impl Drop for Burner {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn one_cpu() -> bool {
    run(&["nproc"]).stdout == b"1\n"
}

fn pin(traffic: &Traffic, cpu: &str) {
    let pid = traffic.child.id().to_string();
    run(&["taskset", "-a", "-c", "-p", cpu, &pid]);
}

/// Writes a setting of the device `vb`, as its namespace sees /sys.
fn set(net: &Net, file: &str, value: &str) {
    let words = format!("echo {value} > /sys/class/net/{}/{file}", net.vb);
    run(&["ip", "netns", "exec", &net.b, "sh", "-c", &words]);
}

/// The IPIs for RPS that a CPU took: column 10 of softnet_stat.
fn rps_interrupts(cpu: usize) -> u64 {
    softnet(cpu, 9)
}

/// What found the CPU's backlog full.
fn backlog_drops(cpu: usize) -> u64 {
    softnet(cpu, 1)
}

fn softnet(cpu: usize, column: usize) -> u64 {
    let text = std::fs::read_to_string("/proc/net/softnet_stat").expect("every kernel has it");
    let line = text.lines().nth(cpu).expect("a CPU");
    let column = line.split_whitespace().nth(column).expect("a column");
    u64::from_str_radix(column, 16).expect("hexadecimal")
}

fn per_cpu(netop: &Netop, function: &str, cpu: u64) -> u64 {
    let all = netop.field(function, "per_cpu").as_array().expect("a list");
    let here = all.iter().filter(|part| part["cpu"] == cpu);
    here.filter_map(|part| part["calls"].as_u64()).sum()
}

fn process(snapshot: &Value, pid: u32) -> Option<&Value> {
    let rows = snapshot["processes"].as_array().expect("a table");
    rows.iter().find(|row| row["pid"] == pid)
}

#[test]
fn with_rps_the_other_cpu_takes_every_packet_in_and_is_interrupted_for_it() {
    let Some(_one) = may_run() else { return };
    if one_cpu() {
        return;
    }
    let net = Net::new();
    set(&net, "queues/rx-0/rps_cpus", "2");
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9601"));
    let order = format!("udp-send 0.0.0.0:0 {B}:9601 1 {SENT} 200");
    let mut sender = Traffic::start(&net.a, &order);
    pin(&sender, "0");
    // By perf events: on an otherwise idle CPU that is woken for packets the kernel leaves out runs
    // of BPF programs without counting them (6.18; bpftrace misses the same).
    let mut into = Netop::watch(&["-i", &net.vb, "--counting", "perf"]);
    let mut all = Netop::watch(&[]);
    all.catch_up();
    let before = rps_interrupts(1);
    let (mut cpus, mut still, mut interrupts, mut runs) = ([0; 2], 0, 0, 0);
    let drops = backlog_drops(1);
    sender.go();
    let began = Instant::now();
    while still < 3 || cpus == [0; 2] {
        assert!(began.elapsed() < PATIENCE, "it never rests: {cpus:?}");
        into.next();
        let now = [0, 1].map(|cpu| per_cpu(&into, "netif_receive_skb", cpu));
        still = if now == [0; 2] { still + 1 } else { 0 };
        cpus = [cpus[0] + now[0], cpus[1] + now[1]];
        let cpu = &all.next()["cpus"][1];
        interrupts += cpu["received_rps"].as_u64().expect("counted");
        runs += cpu["net_rx_runs"].as_u64().expect("counted");
    }
    all.catch_up();
    // The kernel's own count of what was not taken in.
    let dropped = backlog_drops(1) - drops;
    assert_eq!([cpus[0], cpus[1] + dropped], [0, SENT], "{dropped} dropped");
    let counted = rps_interrupts(1) - before;
    assert!(
        counted > 0 && interrupts <= counted,
        "{interrupts} of {counted}"
    );
    assert!(
        interrupts * 100 >= counted * 95,
        "{interrupts} of {counted}"
    );
    // Each interrupt raises the softirq there; other work may raise it too.
    assert!(
        runs * 100 >= interrupts * 98,
        "{runs} runs, {interrupts} IPIs"
    );
    sender.finish();
    receiver.finish();
}

#[test]
fn who_only_burns_cpu_time_is_shown_as_interrupted_for_the_reader_and_as_owner_of_nothing() {
    let Some(_one) = may_run() else { return };
    if one_cpu() {
        return;
    }
    let net = Net::new();
    set(&net, "queues/rx-0/rps_cpus", "2");
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9602"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:9602 12"));
    let burner = Burner::start();
    pin(&sender, "0");
    pin(&receiver, "0");
    let mut netop = Netop::watch(&[]);
    sender.go();
    netop.catch_up();
    // Shares of CPU time are of the last seconds: let those before the flood pass.
    for _ in 0..10 {
        netop.next();
    }
    let (mut stolen, mut owned, mut net, mut burnt) = (0.0, 0.0, 0.0, 0.0);
    for _ in 0..12 {
        let snapshot = netop.next();
        let number = |pid: u32, field: &str| {
            process(snapshot, pid)
                .and_then(|row| row[field].as_f64())
                .unwrap_or(0.0)
        };
        stolen += number(burner.0.id(), "cpu_stolen_pct") / 12.0;
        owned += number(receiver.child.id(), "cpu_softirq_owned_pct") / 12.0;
        net += snapshot["cpus"][1]["net_rx_pct"].as_f64().unwrap_or(0.0) / 12.0;
        for figure in [
            "rx_packets",
            "tx_packets",
            "rx_calls",
            "cpu_softirq_owned_pct",
        ] {
            burnt += number(burner.0.id(), figure);
        }
    }
    // netop runs on that CPU, too, and a debug build of it long: it loses a part as the burner does.
    let seen = format!("{stolen} % taken, {owned} % for the reader, {net} % receiving");
    assert!(
        net > 2.0 && stolen > net / 5.0 && stolen < net * 1.1,
        "{seen}"
    );
    assert!(owned > net / 2.0, "{seen}");
    assert!(burnt == 0.0, "{burnt}");
    drop((sender, receiver));
}

/// Packets that reached the device's stack, polls of it, and runs of NET_RX of the whole host, while
/// datagrams are sent as fast as they go.
fn flooded(net: &Net, port: u16) -> [f64; 3] {
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:{port}"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:{port} 6"));
    let mut into = Netop::watch(&["-i", &net.vb]);
    let mut all = Netop::watch(&[]);
    sender.go();
    into.catch_up();
    all.catch_up();
    let mut sums = [0.0; 3];
    for _ in 0..10 {
        into.next();
        all.next();
        let of_device = ["netif_receive_skb", "napi_poll"].map(|name| into.field(name, "calls"));
        let calls = [
            of_device[0],
            of_device[1],
            all.field("net_rx_action", "calls"),
        ];
        for (sum, calls) in sums.iter_mut().zip(calls) {
            *sum += calls.as_f64().expect("counted");
        }
    }
    drop((sender, receiver));
    sums
}

#[test]
fn with_threaded_napi_polls_go_on_and_the_runs_of_net_rx_action_nearly_vanish() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    // A veth polls with GRO only, and only what a sender without TSO gives it.
    Traffic::start(&net.a, &format!("offloads {} tso=0 gso=0", net.va)).finish();
    Traffic::start(&net.b, &format!("offloads {} gro=1", net.vb)).finish();
    let [packets, polls, runs] = flooded(&net, 9603);
    assert!(
        polls > 100.0 && runs > 0.5 * polls,
        "{packets} packets: {polls} polls, {runs} runs"
    );
    set(&net, "threaded", "1");
    let [packets, polls, runs] = flooded(&net, 9604);
    assert!(
        packets > 1000.0 && polls > 100.0,
        "{packets} packets: {polls} polls"
    );
    assert!(
        runs < 0.2 * polls,
        "{packets} packets: {polls} polls, {runs} runs"
    );
}
