//! Where the cost of watching goes: one cause at a time is switched on and off in windows of 50 ms
//! while a pinned sender fills CPU 0 through a veth pair, and the time of a packet with it is held
//! against the windows beside it without. `sudo -E cargo bench --bench causes [-- PAIRS]`

#[path = "../../net/buffer.rs"]
mod buffer;
#[path = "../../net/mod.rs"]
mod net;
#[path = "../../net/offloads.rs"]
mod offloads;
#[path = "../../net/traffic.rs"]
mod traffic_program;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use netop::decode::Format;
use netop::host::{FastCounters, Proc, Question, SlowReader};
use netop::source::live::{GATE_OBJECT, GATE_PROGRAMS};
use netop::sys::{
    Gate, Leader, NO_SAMPLES, PerfEvent, Ring, Switches, Target, Tracefs, Wanted, What,
};

use net::{B, Net, Traffic};

const WINDOW: Duration = Duration::from_millis(50);

/// After a switch, until caches and queues are as they will be.
const SETTLE: Duration = Duration::from_millis(5);

/// The gate's programs that the first screen needs.
const ROWS: [&str; 14] = [
    "netop_queue",
    "netop_xmit",
    "netop_poll",
    "netop_gro",
    "netop_gro_frags",
    "netop_receive",
    "netop_rx",
    "netop_drop",
    "netop_consume",
    "netop_send",
    "netop_recv",
    "netop_retransmit",
    "netop_rx_action",
    "netop_tx_action",
];

/// The number of a program.
fn program(name: &str) -> usize {
    let found = GATE_PROGRAMS
        .iter()
        .position(|program| program.name == name);
    found.expect("a program of the gate")
}

/// Something that can be switched.
struct Cause {
    name: &'static str,
    /// How often it happens, as the figure is to be read.
    dose: String,
    switch: Box<dyn FnMut(bool)>,
}

fn main() {
    if std::env::var_os("NETOP_TRAFFIC").is_some() {
        offloads::obey();
        return traffic_program::obey();
    }
    let Some(_one) = net::may_run() else { return };
    let words = std::env::args().skip(1).filter(|word| word != "--bench");
    let (mut pairs, mut only) = (100, String::new());
    for word in words {
        match word.parse() {
            Ok(number) => pairs = number,
            Err(_) => only = word,
        }
    }
    let net = Net::new();
    let _receiver = Traffic::start(&net.b, &format!("udp-drain {B}:9100 1"));
    let mut sender = Traffic::start(&net.a, &format!("udp-fill {B}:9100 0"));
    sender.go();
    thread::sleep(Duration::from_secs(1));
    let packets = Packets::of(&sender, &net.va);
    println!("| cause | ns a packet | 95 % | % of CPU 0 | |\n|---|---:|---:|---:|---|");
    for mut cause in causes() {
        if !cause.name.contains(&only) {
            continue;
        }
        let (mut more, mut base) = (Vec::new(), Vec::new());
        let mut before = packets.window();
        for _ in 0..pairs {
            (cause.switch)(true);
            thread::sleep(SETTLE);
            let with = packets.window();
            (cause.switch)(false);
            thread::sleep(SETTLE);
            let after = packets.window();
            more.push(with / f64::midpoint(before, after) - 1.0);
            base.push(after);
            before = after;
        }
        let (share, (low, high)) = (median(&mut more), interval(&more));
        let base = median(&mut base);
        println!(
            "| {} | {:+.0} | {:+.0}–{:+.0} | {:.2} | {} |",
            cause.name,
            share * base,
            low * base,
            high * base,
            100.0 * share / (1.0 + share),
            cause.dose
        );
    }
    sender.finish();
}

/// Packets that a device in the sender's namespace sent.
struct Packets {
    file: File,
    device: String,
}

impl Packets {
    fn of(sender: &Traffic, device: &str) -> Packets {
        let file = File::open(format!("/proc/{}/net/dev", sender.child.id())).expect("it lives");
        Packets {
            file,
            device: format!("{device}:"),
        }
    }

    fn sent(&self) -> f64 {
        let mut text = [0; 4096];
        let read = self.file.read_at(&mut text, 0).expect("a file of /proc");
        let text = String::from_utf8_lossy(&text[..read]);
        let line = text.lines().find(|line| line.contains(&self.device));
        let field = line.and_then(|line| line.split_whitespace().nth(10));
        field.expect("the device").parse().expect("a number")
    }

    /// ns of a full CPU for each packet.
    fn window(&self) -> f64 {
        let (began, before) = (Instant::now(), self.sent());
        thread::sleep(WINDOW);
        let (after, took) = (self.sent(), began.elapsed());
        took.as_secs_f64() * 1e9 / (after - before)
    }
}

fn causes() -> Vec<Cause> {
    let mut all = vec![Cause {
        name: "nothing",
        dose: String::new(),
        switch: Box::new(|_| {}),
    }];
    all.extend(gate_causes());
    all.extend(perf_causes());
    all.extend(busy_causes());
    all
}

fn gate_causes() -> Vec<Cause> {
    let gate = Gate::load(GATE_OBJECT, &GATE_PROGRAMS, |_| true).expect("BPF loads here");
    let gate = std::rc::Rc::new(std::cell::RefCell::new(gate));
    let attached = |name, programs: &[&str], switches: Switches, dose: &str| {
        let gate = std::rc::Rc::clone(&gate);
        let programs: Vec<usize> = programs.iter().map(|name| program(name)).collect();
        Cause {
            name,
            dose: dose.to_owned(),
            switch: Box::new(move |on| {
                let mut gate = gate.borrow_mut();
                for &program in &programs {
                    for cpu in 0..gate.board.possible() {
                        gate.board.switch(cpu, program, switches);
                    }
                    if on {
                        gate.attach(program).expect("attached");
                    } else {
                        gate.detach(program);
                    }
                }
            }),
        }
    };
    vec![
        attached(
            "a program that returns at once at net_dev_queue",
            &["netop_queue"],
            Switches::ELSEWHERE,
            "a hit a packet",
        ),
        attached(
            "net_dev_queue counted",
            &["netop_queue"],
            Switches::default(),
            "a hit a packet",
        ),
        attached(
            "net_dev_queue counted per device",
            &["netop_queue"],
            Switches::BY_DEVICE,
            "a hit a packet",
        ),
        attached(
            "sk_data_ready counted per socket",
            &["netop_ready"],
            Switches::BY_SOCKET,
            "a hit a packet",
        ),
        attached("all programs, per device", &ROWS, Switches::BY_DEVICE, ""),
    ]
}

fn perf_causes() -> Vec<Cause> {
    let tracefs = Tracefs::find_or_mount().expect("tracefs");
    let mut all = Vec::new();
    let format = tracefs.format("net", "net_dev_queue").expect("an event");
    let wanted = Wanted {
        what: What::Tracepoint(Format::parse(&format).expect("a format").id),
        filter: None,
    };
    let quiet = tracefs.quiet().expect("a quiet event");
    let (mut ring, _) = Ring::open(0, Leader::Quiet(quiet), 512 * 1024).expect("a ring");
    let mut open = None;
    all.push(Cause {
        name: "net_dev_queue counted by a perf event on CPU 0",
        dose: "a hit a packet".to_owned(),
        switch: Box::new(move |on| {
            drop(open.take());
            if on {
                let target = Target::Cpu {
                    ring: &mut ring,
                    period: NO_SAMPLES,
                    stacks: false,
                };
                open = Some(PerfEvent::open(&wanted, target).expect("opened"));
            }
        }),
    });
    for (name, hz) in [
        ("CPU samples with stacks, 49 Hz", 49),
        ("CPU samples with stacks, 199 Hz", 199),
        ("CPU samples with stacks, 997 Hz", 997),
    ] {
        let (mut ring, _) = Ring::open(0, Leader::Quiet(quiet), 512 * 1024).expect("a ring");
        let mut clock = None;
        all.push(Cause {
            name,
            dose: String::new(),
            switch: Box::new(move |on| {
                drop(clock.take());
                if on {
                    clock = Some(PerfEvent::open_clock(&mut ring, hz).expect("a clock"));
                }
                ring.drain(|_, _, _| {});
            }),
        });
    }
    all
}

/// A thread that does `work` while it is switched on.
fn beside(
    name: &'static str,
    dose: &str,
    cpu: Option<usize>,
    pause: Duration,
    mut work: impl FnMut() + Send + 'static,
) -> Cause {
    let on = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&on);
    thread::spawn(move || {
        if let Some(cpu) = cpu {
            traffic_program::pin(cpu);
        }
        loop {
            if told.load(Ordering::Relaxed) {
                work();
                thread::sleep(pause);
            } else {
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    Cause {
        name,
        dose: dose.to_owned(),
        switch: Box::new(move |now| on.store(now, Ordering::Relaxed)),
    }
}

fn busy_causes() -> Vec<Cause> {
    let mut slow = SlowReader::new(Proc::host());
    let mut fast = FastCounters::open(&Proc::host()).expect("counters");
    let ms = Duration::from_millis;
    let flips = |name, program| {
        let mut gate = Gate::load(GATE_OBJECT, &GATE_PROGRAMS, |_| true).expect("BPF loads here");
        beside(name, "every 10 ms, 1 ms long", Some(1), ms(9), move || {
            gate.attach(program).expect("attached");
            thread::sleep(ms(1));
            gate.detach(program);
        })
    };
    vec![
        flips(
            "a tracepoint that nothing hits, switched",
            program("netop_retransmit"),
        ),
        flips("net_dev_queue, switched", program("netop_queue")),
        beside(
            "a thread on CPU 0 wakes and sleeps",
            "every ms",
            Some(0),
            ms(1),
            || {},
        ),
        beside(
            "the slow counters are read on CPU 1",
            "every 10 ms",
            Some(1),
            ms(10),
            move || {
                let _sample = slow.read(&Question {
                    at: netop::sys::monotonic_ns(),
                    ..Question::default()
                });
            },
        ),
        beside(
            "the fast counters are read on CPU 1",
            "every ms",
            Some(1),
            ms(1),
            move || {
                let _sample = fast.read();
            },
        ),
        beside(
            "/proc/kallsyms is read on CPU 1",
            "without a pause",
            Some(1),
            ms(0),
            || {
                let _text = std::fs::read("/proc/kallsyms");
            },
        ),
    ]
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// 95 % of the median of sorted values, by order statistics.
fn interval(sorted: &[f64]) -> (f64, f64) {
    let n = sorted.len() as f64;
    let out = ((n - 1.0) / 2.0 - 0.98 * n.sqrt()).max(0.0) as usize;
    (sorted[out], sorted[sorted.len() - 1 - out])
}
