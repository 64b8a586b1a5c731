//! Samples whose stage, packets and process are known, through the window into the figures.

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::*;
use crate::decode::{Costs, Host, Session, SourceKind};
use crate::engine::cpu::cpus::Cpus;
use crate::engine::functions::Functions;
use crate::engine::functions::interval::Interval;
use crate::engine::governor::Plan;
use crate::engine::governor::counting::FreeNow;
use crate::model::{Folded, KernelFunction, Name, Want};
use crate::symbol::StageTable;

const KERNEL: u64 = (-128i64) as u64;
const USER: u64 = (-512i64) as u64;

/// Kernel functions at 1000, 2000, … ; return addresses lie one above.
const FUNCTIONS: [&str; 13] = [
    "tcp_v4_rcv",
    "__netif_receive_skb_core.constprop.0",
    "net_rx_action",
    "handle_softirqs",
    "__dev_queue_xmit",
    "tcp_sendmsg",
    "sock_write_iter",
    "default_idle",
    "vfs_read",
    "perf_tp_event",
    "_raw_spin_lock",
    "virtnet_poll [virtio_net]",
    "mwait_enter [virtio_net]",
];

fn at(name: &str) -> u64 {
    let index = FUNCTIONS.iter().position(|f| f.starts_with(name));
    (index.expect("a function of the list") as u64 + 1) * 1000
}

/// A chain of kernel functions, leaf first.
fn chain(names: &str) -> Vec<u64> {
    let mut chain = vec![KERNEL];
    for (i, name) in names.split(' ').enumerate() {
        chain.push(at(name) + u64::from(i > 0));
    }
    chain
}

struct Table {
    stages: StageTable,
    loaded: bool,
}

impl Names for Table {
    fn kernel(&mut self, address: u64) -> Name {
        Name {
            text: FUNCTIONS[(address / 1000 - 1) as usize].into(),
            settled: self.loaded,
        }
    }

    fn function(&mut self, address: u64) -> Option<KernelFunction> {
        let name = self.kernel(address);
        self.loaded
            .then(|| self.stages.function(&name.text, &FxHashSet::default()))
    }

    fn stage(&self, stage: StageId) -> &'static str {
        self.stages.name(stage)
    }

    fn user(&mut self, _: u32, _: u64, frames: &mut Vec<Arc<str>>) -> bool {
        frames.push("main (prog)".into());
        true
    }
}

fn names() -> Table {
    Table {
        stages: StageTable::builtin(),
        loaded: true,
    }
}

const RECEIVE: &str = "tcp_v4_rcv __netif_receive_skb_core net_rx_action handle_softirqs \
    __dev_queue_xmit tcp_sendmsg sock_write_iter";
const SEND: &str = "__dev_queue_xmit tcp_sendmsg sock_write_iter";
const MS: u64 = 1_000_000;

/// A second of two CPUs: CPU 0 receives for 300 ms on the time of process 7 and sends for 200 ms in
/// it; CPU 1 idles. 100 000 packets.
fn second(time: &mut CpuTime, names: &mut Table, pids: &[u32]) {
    let chains = [(RECEIVE, 300), (SEND, 200), ("vfs_read", 500)];
    for (names, ms) in chains {
        time.fold.push(0, 7, ms * MS, &chain(names));
    }
    time.fold.push(1, 0, 1000 * MS, &chain("default_idle"));
    let rates = vec![Some(50_000.0); 13];
    let wire = Wire {
        rx: 100_000.0,
        tx: 100_000.0,
        all: 100_000.0,
    };
    let counted = |pid| pids.is_empty() || pids.contains(&pid);
    time.ingest(
        &Taken {
            seconds: 1.0,
            hz: 199,
            wire: Some(wire),
            rates: &rates,
            counted: &counted,
            receivers: None,
            all: false,
            filtered: !pids.is_empty(),
            by_owner: false,
            cpus: &[0, 1],
            share: &|_, _| 1e9,
        },
        names,
    );
}

/// An interval of so many seconds and CPUs in which nobody counted packets.
fn uncounted(
    time: &mut CpuTime,
    names: &mut Table,
    (seconds, cpus): (f64, &[u32]),
    share: &dyn Fn(u32, Sampled) -> f64,
) -> Vec<Weighed> {
    let taken = Taken {
        seconds,
        hz: 199,
        wire: None,
        rates: &[],
        counted: &|_| true,
        receivers: None,
        all: false,
        filtered: false,
        by_owner: false,
        cpus,
        share,
    };
    time.ingest(&taken, names)
}

/// A second of one CPU whose samples are all of its time.
fn take_whole(time: &mut CpuTime, names: &mut Table) -> Vec<Weighed> {
    uncounted(time, names, (1.0, &[0]), &|_, _| 1e9)
}

fn close(a: Option<f64>, b: f64) {
    let a = a.expect("a figure");
    assert!((a - b).abs() < 1e-6 * b.abs().max(1.0), "{a} is not {b}");
}

fn running(pids: &[u32], seconds: usize) -> (CpuTime, Table) {
    let (mut time, mut names) = (CpuTime::new(&Registry::new(Vec::new()), None), names());
    for _ in 0..seconds {
        second(&mut time, &mut names, pids);
    }
    (time, names)
}

#[test]
fn the_first_interval_after_sampling_began_is_left_out() {
    let (time, _) = running(&[], 1);
    let mut summary = Summary::default();
    time.summary(&mut summary);
    assert_eq!(summary.net_cores, None);
}

#[test]
fn cpu_time_is_split_by_direction_and_divided_by_packets() {
    let (time, names) = running(&[], 5);
    let mut summary = Summary::default();
    time.summary(&mut summary);
    close(summary.net_cores, 0.5);
    close(summary.net_rx_pct, 30.0);
    close(summary.net_tx_pct, 20.0);
    close(summary.net_sock_pct, 0.0);
    close(summary.ns_per_packet, 5000.0);
    // Equal seconds, but only 398 samples.
    close(summary.ns_error, 3.182 * 5000.0 / 398_f64.sqrt());
    close(summary.cpu_window_s, 4.0);
    let stages = time.stages(&names, true);
    let found: Vec<_> = stages
        .iter()
        .filter(|s| s.cpu_pct > 0.0)
        .map(|s| (s.stage, s.direction, s.cpu_pct.round() as u32))
        .collect();
    let outside = ("outside_net", "other", 50);
    assert_eq!(found, [("tcp", "rx", 30), ("xmit", "tx", 20), outside]);
    close(stages[0].ns_per_packet, 3000.0);
    assert_eq!(stages[0].per_cpu.len(), 1);
    let of_network = stages.iter().filter(|s| s.stage != OUTSIDE);
    let stages: f64 = of_network.map(|s| s.cpu_pct).sum();
    close(Some(stages), 50.0);
}

/// The table before its CPU columns are filled.
fn rows(registry: &Registry) -> Vec<Function> {
    let session = Session {
        costs: Costs::default(),
        no_gate: None,
        gate_loading: false,
        host: Host::default(),
        source: SourceKind::Demo,
        events: Vec::new(),
    };
    let empty = Interval {
        by_sample: &FxHashSet::default(),
        registry,
        session: &session,
        want: &Want::default(),
        plan: &Plan::default(),
        free: FreeNow::default(),
        counts: &[],
        duty_error: &crate::engine::functions::duty_cycle_error::DutyCycleError::default(),
        carried: &[],
        devices: &[],
        owned: &[],
        cpus: &Cpus::default(),
        folded: &Folded::default(),
        process: &|_| "–".into(),
        samples: &FxHashMap::default(),
        length_ns: 1,
    };
    Functions::new(registry).rows(&empty)
}

#[test]
fn rows_have_their_functions_time_and_not_that_of_what_they_interrupted() {
    let registry = Registry::new(Vec::new());
    let (time, _) = running(&[], 4);
    let mut functions = rows(&registry);
    time.functions(&mut functions, true);
    let of = |name: &str| functions.iter().find(|f| &*f.name == name).expect("a row");
    close(of("net_rx_action").cpu_pct, 30.0);
    close(of("net_rx_action").self_pct, 0.0);
    close(of("net_rx_action").ns_per_packet, 3000.0);
    close(of("net_rx_action").ns_per_call, 6000.0);
    close(of("netif_receive_skb").cpu_pct, 30.0);
    // 300 ms of the receive ran inside of __dev_queue_xmit too, and are not its own.
    close(of("dev_queue_xmit").cpu_pct, 20.0);
    close(of("dev_queue_xmit").self_pct, 20.0);
    close(of("sock_send_length").cpu_pct, 20.0);
    close(of("kfree_skb").cpu_pct, 0.0);
}

#[test]
fn a_victim_is_charged_apart_from_what_it_asked_for() {
    let (time, _) = running(&[], 3);
    let charged = time.charged();
    let (own, stolen) = charged.pct[&7];
    close(Some(own), 20.0);
    close(Some(stolen), 30.0);
    assert!(!charged.pct.contains_key(&0));
}

#[test]
fn contexts_add_up_to_every_cpu_and_idle_stands_last() {
    let (time, _) = running(&[], 3);
    let contexts = time.contexts();
    let sum: f64 = contexts.iter().map(|c| c.cpu_pct).sum();
    close(Some(sum), 200.0);
    assert_eq!(contexts[0].name, "process");
    assert_eq!(contexts.last().expect("six").name, "idle");
}

#[test]
fn under_a_pid_filter_the_host_keeps_its_figures_and_the_stages_are_the_processs() {
    let (time, names) = running(&[8], 3);
    let mut summary = Summary::default();
    time.summary(&mut summary);
    close(summary.net_cores, 0.5);
    assert!(time.stages(&names, false).is_empty());
    let (time, names) = running(&[7], 3);
    assert_eq!(time.stages(&names, false)[0].ns_per_packet, None);
}

#[test]
fn the_window_keeps_network_stacks_and_of_a_chosen_process_all() {
    let (time, _) = running(&[], 3);
    assert_eq!(time.fold.window(100).len(), 2);
    let (time, _) = running(&[7], 3);
    assert_eq!(time.fold.window(100).len(), 3);
}

#[test]
fn without_names_there_are_no_figures_rather_than_zeros() {
    let mut time = CpuTime::new(&Registry::new(Vec::new()), None);
    let mut unread = Table {
        loaded: false,
        ..names()
    };
    for _ in 0..3 {
        second(&mut time, &mut unread, &[]);
    }
    let mut summary = Summary::default();
    time.summary(&mut summary);
    assert_eq!(summary.net_cores, None);
    assert!(!time.charged().known);
}

#[test]
fn a_profilers_work_is_the_observers_and_not_the_networks() {
    let (mut time, mut names) = (CpuTime::new(&Registry::new(Vec::new()), None), names());
    let inside = "_raw_spin_lock perf_tp_event tcp_v4_rcv net_rx_action handle_softirqs";
    for _ in 0..3 {
        time.fold.push(0, 7, 100 * MS, &chain(inside));
        second(&mut time, &mut names, &[]);
    }
    let mut summary = Summary::default();
    time.summary(&mut summary);
    // 1100 ms of samples share the second that was sampled.
    close(summary.observer_pct, 10.0 / 1.1);
    close(summary.net_cores, 0.5 / 1.1);
    let stages = time.stages(&names, true);
    let observer = stages
        .iter()
        .find(|s| s.stage == "observer")
        .expect("shown");
    close(Some(observer.cpu_pct), 10.0 / 1.1);
    assert_eq!(observer.leaves[0].name, "lock");
}

#[test]
fn packets_too_few_to_divide_a_sample_among_have_no_cost() {
    let cost = |packets: f64| {
        let (mut time, mut names) = (CpuTime::new(&Registry::new(Vec::new()), None), names());
        for _ in 0..3 {
            time.fold.push(0, 7, 10 * MS, &chain(SEND));
            let wire = Wire {
                rx: packets,
                tx: packets,
                all: packets,
            };
            let taken = Taken {
                seconds: 1.0,
                hz: 100,
                wire: Some(wire),
                rates: &[],
                counted: &|_| true,
                receivers: None,
                all: false,
                filtered: false,
                by_owner: false,
                cpus: &[0],
                share: &|_, _| 1e7,
            };
            time.ingest(&taken, &mut names);
        }
        let mut summary = Summary::default();
        time.summary(&mut summary);
        assert!(summary.net_cores.is_some_and(|cores| cores > 0.0));
        let stages = time.stages(&names, true);
        (summary.ns_per_packet, stages[0].ns_per_packet)
    };
    assert_eq!(cost(3.0), (None, None));
    assert_eq!(cost(4_999.0), (None, None));
    // Two seconds of which 10 ms each were the network's.
    let (of_all, of_stage) = cost(5_000.0);
    close(of_all, 2000.0);
    close(of_stage, 2000.0);
}

#[test]
fn short_intervals_are_put_together_until_they_are_about_a_second() {
    let (mut time, mut names) = (CpuTime::new(&Registry::new(Vec::new()), None), names());
    for _ in 0..41 {
        time.fold.push(0, 7, 10 * MS, &chain(SEND));
        uncounted(&mut time, &mut names, (0.1, &[0]), &|_, _| 1e8);
    }
    assert_eq!(time.parts.len(), 4);
    close(Some(time.seconds()), 4.0);
    let mut summary = Summary::default();
    time.summary(&mut summary);
    assert_eq!(summary.ns_per_packet, None, "nobody counted packets");
    close(summary.net_cores, 1.0);
}

#[test]
fn time_without_samples_is_idle_and_does_not_make_the_rest_more() {
    let (mut time, mut names) = (CpuTime::new(&Registry::new(Vec::new()), None), names());
    for _ in 0..3 {
        time.fold.push(0, 7, 10 * MS, &chain(SEND));
        uncounted(&mut time, &mut names, (1.0, &[0, 1]), &|_, sampled| {
            sampled.all
        });
    }
    let mut summary = Summary::default();
    time.summary(&mut summary);
    close(summary.net_cores, 0.01);
    let idle = time.contexts().pop().expect("six");
    close(Some(idle.cpu_pct), 199.0);
}

#[test]
fn user_code_is_process_time_and_no_network() {
    let (mut time, mut names) = (CpuTime::new(&Registry::new(Vec::new()), None), names());
    for _ in 0..2 {
        time.fold.push(0, 7, MS, &[USER, 0x40_0000]);
        uncounted(&mut time, &mut names, (1.0, &[0]), &|_, _| 1e9);
    }
    close(Some(time.contexts()[0].cpu_pct), 100.0);
    let mut summary = Summary::default();
    time.summary(&mut summary);
    close(summary.net_cores, 0.0);
}

#[path = "module_time_tests.rs"]
mod of_a_module;
