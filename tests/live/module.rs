//! `--module`: the BPF programs of the host are a module in kallsyms. One that takes its time over
//! each packet, live and out of a recording.

use crate::skip::skip;
use std::process::{Command, Output};

use serde_json::Value;

use crate::net::{B, Net, Traffic, may_run, run};
use crate::netop::Netop;
use crate::record::Record;

const PROGRAM: &str = "_nt_work [bpf]";

/// Snapshots of two seconds in which the program runs: so many are looked at, and up to so many until a
/// debug build on a busy machine has read what it names functions by.
const LOOKED_AT: usize = 4;
const NAMED_WITHIN: usize = 20;

fn frames(stack: &Value) -> Vec<&str> {
    let frames = stack["frames"].as_array().expect("frames");
    frames.iter().filter_map(Value::as_str).collect()
}

fn of_module(stack: &Value) -> bool {
    frames(stack).iter().any(|frame| frame.ends_with(" [bpf]"))
}

fn stacks(snapshot: &Value) -> &Vec<Value> {
    snapshot["stacks"].as_array().expect("stacks")
}

/// The program's row.
fn program(snapshot: &Value) -> Option<&Value> {
    let rows = snapshot["functions"].as_array().expect("a table");
    let ours = |row: &&Value| {
        row["name"]
            .as_str()
            .is_some_and(|name| name.ends_with(PROGRAM))
    };
    rows.iter().find(ours)
}

/// CPU samples met the program, and their stacks have names.
fn has_program(snapshot: &Value) -> bool {
    let sampled = |row: &Value| row["cpu_pct"].as_f64() > Some(1.0);
    program(snapshot).is_some_and(sampled) && stacks(snapshot).iter().any(|s| s["unit"] == "ns")
}

/// What a snapshot says of the program, and of nothing else.
fn check(snapshot: &Value) {
    let rows = snapshot["functions"].as_array().expect("a table");
    let all = &rows[0];
    assert_eq!(all["name"], "[bpf]", "{all}");
    let program = program(snapshot).unwrap_or_else(|| panic!("it has no row: {rows:#?}"));
    let pct = |row: &Value, key: &str| row[key].as_f64().expect("a figure");
    // How much that is depends on the machine; the sender is paced.
    assert!(pct(program, "cpu_pct") > 1.0, "{program}");
    // It calls nothing.
    assert!(
        pct(program, "self_pct") > pct(program, "cpu_pct") * 0.8,
        "{program}"
    );
    assert!(pct(all, "cpu_pct") >= pct(program, "cpu_pct"), "{all}");
    assert!(
        program["calls"].is_null() && program["reason"].is_string(),
        "{program}"
    );
    let stages = snapshot["stages"].as_array().expect("stages");
    let sender = stages.iter().find(|s| s["stage"] == "sock_tx");
    assert!(
        sender.is_none(),
        "the sender passes through no program: {sender:?}"
    );
    let of_cpu = stacks(snapshot)
        .iter()
        .filter(|stack| stack["unit"] == "ns");
    assert!(of_cpu.clone().count() > 0);
    for stack in stacks(snapshot) {
        assert!(of_module(stack), "{stack}");
    }
}

/// Packets into a program that works, for as long as it is held.
struct Load {
    _programs: [Traffic; 2],
    _net: Net,
}

impl Load {
    /// `None`: this kernel takes no such program.
    fn start(port: u16) -> Option<Load> {
        let net = Net::new();
        let xdp = Traffic::start(&net.b, &format!("xdp-work {}", net.vb));
        let shown = run(&["ip", "-n", &net.b, "link", "show", "dev", &net.vb]);
        if !String::from_utf8_lossy(&shown.stdout).contains("prog/xdp") {
            skip("this kernel takes no XDP program on a veth");
            return None;
        }
        let order = format!("udp-send 0.0.0.0:0 {B}:{port} 1 100000000 200");
        let mut sender = Traffic::start(&net.a, &order);
        sender.go();
        Some(Load {
            _programs: [sender, xdp],
            _net: net,
        })
    }
}

#[test]
fn of_a_module_only_its_functions_and_what_passed_through_them_have_cpu_time_and_stacks() {
    let Some(_one) = may_run() else { return };
    let Some(load) = Load::start(9761) else {
        return;
    };
    let mut module = Netop::watch_every("2", &["--module", "bpf", "--max-overhead", "100"]);
    let mut whole = Netop::watch_every("2", &["--max-overhead", "100"]);
    // The same host without the filter: the sender is there, and the rate is no other.
    let elsewhere = |stack: &Value| stack["unit"] == "ns" && !of_module(stack);
    for snapshot in 0..NAMED_WITHIN {
        module.next();
        whole.next();
        let seen = has_program(&module.last) && stacks(&whole.last).iter().any(elsewhere);
        if snapshot + 1 >= LOOKED_AT && seen {
            break;
        }
    }
    check(&module.last);
    assert_eq!(module.last["filter"]["module"], "bpf");
    assert!(stacks(&whole.last).iter().any(elsewhere));
    let sent = |netop: &Netop| netop.field("dev_queue_xmit", "rate").as_f64();
    let (one, other) = (sent(&module), sent(&whole));
    let ratio = one.expect("a rate") / other.expect("a rate");
    assert!((0.5..2.0).contains(&ratio), "{one:?} {other:?}");
    drop(load);
}

fn report(flags: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_netop"))
        .arg("report")
        .args(flags)
        .output()
        .expect("netop starts")
}

#[test]
fn a_recording_is_looked_at_through_a_module_and_names_those_it_has() {
    let Some(_one) = may_run() else { return };
    let Some(load) = Load::start(9762) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let recording = Record::start(&folder.path().join("perf.data"), &["--max-overhead", "100"]);
    std::thread::sleep(std::time::Duration::from_secs(4));
    let (path, _) = recording.stop();
    drop(load);
    let path = path.to_str().expect("a path");
    let module = |name: &str| report(&[path, "-b", "--format", "json", "--module", name]);
    let output = module("bpf");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    check(&serde_json::from_slice(&output.stdout).expect("a snapshot"));
    let other = module("mlx5-core");
    let said = String::from_utf8_lossy(&other.stderr);
    assert_eq!(other.status.code(), Some(1), "{said}");
    assert!(
        said.contains("module mlx5_core") && said.contains("bpf"),
        "{said}"
    );
}
