//! `-C`: the same traffic, from one CPU, seen by those who look there and by those who do not.

use crate::skip::skip;
use std::fs;

use crate::breakpoints::{CALLS_A_TIME, asker, compiled};
use crate::net::{B, Net, Traffic, may_run, run};
use crate::netop::Netop;

const SENT: u64 = 20_000;

fn sees_only_its_cpu(counting: &str, port: u16) {
    let Some(_one) = may_run() else { return };
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() < 2) {
        skip("there is one CPU");
        return;
    }
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:{port}"));
    let mut sender = Traffic::start(
        &net.a,
        &format!("udp-send 0.0.0.0:0 {B}:{port} 1 {SENT} 200"),
    );
    let pid = sender.child.id().to_string();
    // All threads: the one that sends is started when told, with the CPUs of the one that starts it.
    run(&["taskset", "-acp", "1", &pid]);
    let watch = |cpu: &str, filter: &[&str]| {
        let flags = ["--counting", counting, "-C", cpu];
        Netop::watch(&[&flags[..], filter].concat())
    };
    let of_device = ["-i", &net.va];
    let of_process = ["-p", &pid, "--by", "context"];
    let mut there = [watch("1", &of_device), watch("1", &of_process)];
    let mut elsewhere = [watch("0", &of_device), watch("0", &of_process)];
    sender.go();
    sender.wait_for("done");
    let rows = ["dev_queue_xmit", "sock_send_length"];
    for (netop, row) in there.iter_mut().zip(rows) {
        assert_eq!(netop.settle(row), SENT, "{row}, {counting}, on its CPU");
        assert_eq!(netop.last["filter"]["cpu"], "1");
        let cpus = netop.last["cpus"].as_array().expect("a table");
        assert!(cpus.iter().all(|cpu| cpu["cpu"] == 1), "{cpus:?}");
    }
    for (netop, row) in elsewhere.iter_mut().zip(rows) {
        netop.catch_up();
        assert_eq!(netop.total(row), 0, "{row}, {counting}, on the other CPU");
    }
    sender.finish();
    receiver.finish();
}

#[test]
fn the_gate_counts_on_chosen_cpus_only() {
    sees_only_its_cpu("bpf", 9751);
}

#[test]
fn perf_events_count_on_chosen_cpus_only() {
    sees_only_its_cpu("perf", 9752);
}

#[test]
fn breakpoints_count_on_chosen_cpus_only() {
    let Some(_one) = may_run() else { return };
    if std::thread::available_parallelism().is_ok_and(|cpus| cpus.get() < 2) {
        skip("there is one CPU");
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let (library, program) = compiled(dir.path());
    let mut asker = asker(dir.path(), &program);
    let pid = asker.pid().to_string();
    // The threads that it starts keep to it.
    run(&["taskset", "-acp", "1", &pid]);
    let event = format!("uprobe:{}:answer", library.display());
    let watch =
        |cpu: &str, filter: &[&str]| Netop::watch(&[&["-C", cpu, "-e", &event], filter].concat());
    let mut there = [watch("1", &[]), watch("1", &["-p", &pid])];
    let mut elsewhere = [watch("0", &[]), watch("0", &["-p", &pid])];
    assert_eq!(asker.ask(300), "done");
    for netop in &mut there {
        assert_eq!(netop.settle(&event), 300 * CALLS_A_TIME);
    }
    for netop in &mut elsewhere {
        netop.catch_up();
        assert_eq!(netop.total(&event), 0);
    }
}

/// Takes a CPU off, and puts it back whatever becomes of the test.
struct Switch(&'static str);

impl Switch {
    fn set(&self, online: &str) {
        fs::write(self.0, online).expect("CPUs can be switched off here");
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _left_off = fs::write(self.0, "1");
    }
}

#[test]
fn a_cpu_that_comes_back_counts_in_the_interval_in_which_it_comes() {
    let Some(_one) = may_run() else { return };
    let cpu = Switch("/sys/devices/system/cpu/cpu1/online");
    if fs::read(cpu.0).is_err() {
        skip("CPU 1 cannot be switched off here");
        return;
    }
    let mut netop = Netop::watch(&["--counting", "bpf"]);
    let online = |netop: &Netop| netop.last["host"]["cpus_online"].as_u64();
    let all = online(&netop).expect("a count");
    cpu.set("0");
    for _ in 0..5 {
        netop.next();
    }
    assert_eq!(online(&netop), Some(all - 1));
    cpu.set("1");
    let mut seen = false;
    for _ in 0..5 {
        netop.next();
        let row = netop.row("dev_queue_xmit");
        assert!(row["calls"].is_u64(), "{row}");
        seen |= online(&netop) == Some(all);
    }
    assert!(seen, "{}", netop.last["host"]);
    let notes = netop.last["health"]["notes"].to_string();
    let said = |cpus| notes.contains(&format!("CPUs online now: {cpus}\""));
    assert!(said(all) && !said(all - 1), "{notes}");
}

const ONLINE: &str = "/sys/devices/system/cpu/cpu1/online";

/// CPU 1 is there again, whatever became of the test.
struct Back;

impl Drop for Back {
    fn drop(&mut self) {
        let _there_already = fs::write(ONLINE, "1");
    }
}

fn counts_again_on_a_cpu_that_was_offline(counting: &str, port: u16) {
    let Some(_one) = may_run() else { return };
    if fs::metadata(ONLINE).is_err() {
        skip("CPU 1 cannot be taken offline here");
        return;
    }
    let _back = Back;
    let net = Net::new();
    let receiver = Traffic::start(&net.b, &format!("udp-receive {B}:{port}"));
    let mut netop = Netop::watch(&["--counting", counting, "-C", "1", "-i", &net.va]);
    let send = || {
        let order = format!("udp-send 0.0.0.0:0 {B}:{port} 1 2000 200");
        let mut sender = Traffic::start(&net.a, &order);
        run(&["taskset", "-acp", "1", &sender.child.id().to_string()]);
        sender.go();
        sender.wait_for("done");
        sender.finish();
    };
    send();
    // What was counted since the last reading is not lost with the CPU.
    fs::write(ONLINE, "0").expect("root may");
    netop.catch_up();
    netop.next();
    fs::write(ONLINE, "1").expect("root may");
    netop.catch_up();
    for _ in 0..3 {
        netop.next();
    }
    send();
    assert_eq!(netop.settle("dev_queue_xmit"), 4000, "{counting}");
    // An idle CPU is sampled seldom.
    let sampled = (0..30).any(|_| {
        let samples = netop.next()["health"]["cpu_samples"].as_u64();
        samples.expect("CPU time is sampled") > 0
    });
    assert!(sampled, "no CPU sample since it is back: {counting}");
    receiver.finish();
}

#[test]
fn the_gate_counts_a_cpu_that_was_offline_without_a_gap() {
    counts_again_on_a_cpu_that_was_offline("bpf", 9756);
}

#[test]
fn perf_events_count_a_cpu_that_was_offline_without_a_gap() {
    counts_again_on_a_cpu_that_was_offline("perf", 9757);
}
