//! What is attached to the kernel, seen from outside: one read per CPU and tick, prime periods,
//! and nothing attached by moving the cursor.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use ::netop::decode::{Attach, Demand, EventId, EventSpec, Format, Place};
use ::netop::source::live::{Live, Options};
use ::netop::source::{Source, Step};
use ::netop::sys::{Leader, PerfEvent, Ring, Target, Tracefs, Wanted, What, settle_read_format};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use crate::net::{B, Net, Traffic, may_run};

const EVENTS: [(&str, &str); 5] = [
    ("net", "net_dev_queue"),
    ("net", "netif_receive_skb"),
    ("net", "netif_rx"),
    ("napi", "napi_poll"),
    ("skb", "consume_skb"),
];

#[test]
fn one_read_gives_the_counts_of_all_events_of_a_cpu() {
    let Some(_one) = may_run() else { return };
    settle_read_format();
    let tracefs = Tracefs::find_or_mount().expect("tracefs");
    let leader = tracefs.quiet().expect("a quiet tracepoint");
    let (mut ring, _) = Ring::open(0, Leader::Quiet(leader), 128 * 1024).expect("a ring");
    let mut reader = ring.reader().expect("a reader");
    let events: Vec<PerfEvent> = EVENTS
        .iter()
        .map(|(group, name)| {
            let text = tracefs.format(group, name).expect("a format");
            let wanted = Wanted {
                what: What::Tracepoint(Format::parse(&text).expect("parses").id),
                filter: None,
            };
            PerfEvent::open(
                &wanted,
                Target::Cpu {
                    ring: &mut ring,
                    period: 1009,
                    stacks: true,
                },
            )
            .expect("opens")
        })
        .collect();
    let mut readings = Vec::new();
    let calls = |act: &mut dyn FnMut()| {
        let before = read_calls();
        act();
        read_calls() - before
    };
    let nothing = calls(&mut || {});
    let once = calls(&mut || reader.read(&mut readings).expect("reads"));
    assert_eq!(once - nothing, 1, "one system call");
    let ids: BTreeSet<u64> = readings.iter().skip(1).map(|r| r.id).collect();
    assert_eq!(
        ids,
        events.iter().map(PerfEvent::id).collect(),
        "the leader and every event"
    );
}

/// `read` system calls of this thread so far.
fn read_calls() -> u64 {
    let io = fs::read_to_string("/proc/thread-self/io").expect("task I/O accounting");
    let line = io
        .lines()
        .find_map(|l| l.strip_prefix("syscr: "))
        .expect("syscr");
    line.parse().expect("a number")
}

#[test]
fn periods_are_primes_drawn_anew_and_samples_stay_near_their_target() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let _receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9300"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:9300 8"));
    let spec = EventSpec {
        group: "net".into(),
        name: "net_dev_queue".into(),
        place: Place::Tracepoint,
        filter: None,
        fields: vec!["name".into(), "len".into()],
        device_field: Some("name".into()),
    };
    let interval = Duration::from_millis(500);
    let mut source = Live::open(Options {
        specs: vec![spec],
        tracefs: Tracefs::find_or_mount(),
        interval,
        gate: None,
        clock: true,
        cpus: Vec::new().into(),
    })
    .expect("opens");
    let attach = Attach {
        event: EventId(0),
        stacks_per_s: 200,
        every: false,
        wide: true,
        per_task: false,
        gate: false,
        everyone: false,
        by_socket: false,
        duty_permille: 1000,
        asked: false,
    };
    source.demand(&Demand {
        interval,
        attached: vec![attach],
        ..Demand::default()
    });
    sender.go();
    let (mut ticks, mut hits, mut samples) = (0, 0, 0);
    let mut periods = BTreeSet::new();
    while ticks < 10 {
        match source.step(Duration::from_millis(50)).expect("goes on") {
            Step::Tick(tick) => {
                ticks += 1;
                hits += tick.counts.iter().map(|c| c.hits).sum::<u64>();
            }
            Step::Batch(batch) => {
                samples += batch.samples.len() as u64;
                periods.extend(batch.samples.iter().map(|s| s.period));
                let named = batch
                    .samples
                    .iter()
                    .filter(|s| batch.text(s.values[0]).starts_with(b"nt"));
                assert!(
                    named.count() * 10 > batch.samples.len() * 9,
                    "the device is decoded by the format"
                );
            }
            Step::Idle | Step::End => {}
        }
    }
    assert!(hits > 50_000, "a flood: {hits}");
    assert!(
        samples * 20 < hits,
        "sampled, not recorded whole: {samples} of {hits}"
    );
    assert!(periods.len() >= 4, "drawn anew: {periods:?}");
    let prime = |n: u64| n == 1 || (n > 1 && (2..=n.isqrt()).all(|d| !n.is_multiple_of(d)));
    assert!(periods.iter().copied().all(prime), "{periods:?}");
}

#[test]
fn moving_the_cursor_attaches_nothing_enter_does_and_detaching_leaves_nothing() {
    let Some(_one) = may_run() else { return };
    let cpus = fs::read_to_string("/proc/stat")
        .expect("stat")
        .matches("\ncpu")
        .count();
    // Each CPU has a leader that two read, and the clock of netop's own time there; beside them, once
    // the gate has sampled, where it writes.
    // net_rx_action is served by /proc: the gate's program is attached for its stacks alone.
    press_keys("auto", 1, 5 * cpus);
    // Here its event is open for counting already.
    press_keys("perf", 0, 4 * cpus);
}

/// `opened`: descriptors that Enter takes; `left`: those that stay when all is detached.
fn press_keys(counting: &str, opened: usize, left: usize) {
    let size = PtySize {
        rows: 24,
        cols: 80,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pty = native_pty_system().openpty(size).expect("a pty");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_netop"));
    command.args(["--max-overhead", "100", "-d", "0.3", "--counting", counting]);
    let mut child = pty.slave.spawn_command(command).expect("netop starts");
    let pid = child.process_id().expect("a pid");
    let mut output = pty.master.try_clone_reader().expect("a reader");
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while matches!(output.read(&mut bytes), Ok(1..)) {}
    });
    let mut input = pty.master.take_writer().expect("a writer");
    let mut press = |keys: &str| input.write_all(keys.as_bytes()).expect("netop reads");

    let attached = steady(pid);
    assert!(attached > 0, "events are open");
    press("jjjjjjjjjjjjjjjjjkkkkkkkkkG");
    assert_eq!(
        steady(pid),
        attached,
        "moving the cursor attached or let go"
    );
    press("g\r");
    assert_eq!(
        steady(pid),
        attached + opened,
        "{counting}: Enter opens what the row's stacks take"
    );
    press("\x1b");
    assert_eq!(steady(pid), attached, "Esc lets it go");
    press("!");
    assert_eq!(
        steady(pid),
        left,
        "{counting}: only the quiet leaders, their readers, own clocks and the gate's outputs stay"
    );
    press("q");
    assert!(child.wait().expect("netop ends").success());
}

/// How many descriptors of perf events and BPF links a process has, once that has not changed for a second.
fn steady(pid: u32) -> usize {
    let count = || {
        let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is there");
        entries
            .filter_map(Result::ok)
            .filter(|e| {
                fs::read_link(e.path()).is_ok_and(|l| {
                    let l = l.to_string_lossy();
                    l.contains("perf_event") || l.contains("bpf_link")
                })
            })
            .count()
    };
    let (mut seen, mut since) = (count(), Instant::now());
    while since.elapsed() < Duration::from_secs(1) {
        std::thread::sleep(Duration::from_millis(50));
        let now = count();
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
    seen
}
