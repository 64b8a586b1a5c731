//! What netop itself uses stands still: a minute at ten readings a second, with processes that come
//! and go in namespaces of the test's own. Needs root; says so when it skips.

#[path = "net/buffer.rs"]
mod buffer;
#[path = "net/mod.rs"]
mod net;
#[path = "net/traffic.rs"]
mod traffic_program;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use net::{A, B, Net, Traffic, ip, may_run};

const LASTS: Duration = Duration::from_secs(60);

/// By then everything is attached and every program that runs has been named once.
const SETTLED: Duration = Duration::from_secs(20);

/// KB of anonymous memory. An unoptimized build has been seen at 90 000 at most, while it read the
/// kernel's types and the debug information of the traffic program (over 100 MB in the file), and
/// at 66 000 settled.
const MOST_MEMORY: u64 = 112 << 10;

/// KB that the last twenty seconds may need more than the twenty before: a file that is open has up
/// to so much.
const MOST_GROWTH: u64 = 12 << 10;

/// A leak for each reading would be 400, one for each process that came 20.
const FEW: u64 = 8;

#[test]
fn memory_threads_and_files_stand_still() {
    let Some(_one) = may_run() else { return };
    let net = Net::new();
    let address = format!("{B}:9700");
    let receiver = Traffic::start(&net.b, &format!("udp-receive {address}"));
    let watched = Watched::start(&["-d", "0.1"]);
    let began = Instant::now();
    let mut seen = Vec::new();
    while began.elapsed() < LASTS {
        // A process each time: its mappings are new, and so is what is asked of its file.
        let order = format!("udp-send {A}:0 {address} 2 2000 200");
        let mut sender = Traffic::start(&net.a, &order);
        sender.go();
        sender.wait_for("done");
        sender.finish();
        sleep(Duration::from_secs(1));
        seen.push((began.elapsed(), watched.uses()));
    }
    drop(receiver);
    let most = |from: Duration, to: Duration, of: fn(&Uses) -> u64| {
        let between = seen.iter().filter(|(at, _)| (from..to).contains(at));
        between.map(|(_, uses)| of(uses)).max().expect("readings")
    };
    for (at, uses) in &seen {
        eprintln!("{} s: {uses:?}", at.as_secs());
    }
    let middle = (SETTLED + LASTS) / 2;
    let memory = |uses: &Uses| uses.memory;
    let peak = most(Duration::ZERO, Duration::MAX, memory);
    assert!(peak <= MOST_MEMORY, "{peak} KB");
    for (what, of, room) in [
        ("KB", memory as fn(&Uses) -> u64, MOST_GROWTH),
        ("threads", |uses| uses.threads, FEW),
        ("files", |uses| uses.files, FEW),
    ] {
        let (before, after) = (most(SETTLED, middle, of), most(middle, Duration::MAX, of));
        assert!(after <= before + room, "{before} {what} grew to {after}");
    }
}

/// What netop keeps open inside a namespace keeps that alive, with its devices and their peers.
#[test]
fn a_namespace_that_was_deleted_is_let_go_within_seconds() {
    let Some(_one) = may_run() else { return };
    // Let go with the next reading, and where that is far off without one.
    for interval in ["1", "30"] {
        let net = Net::new();
        let inside = Traffic::start(&net.a, &format!("udp-receive {A}:9701"));
        let _watched = Watched::start(&["-d", interval]);
        sleep(Duration::from_secs(3));
        drop(inside);
        ip(&["netns", "del", &net.a]);
        let deleted = Instant::now();
        while has_device(&net.b, &net.vb) {
            let long = deleted.elapsed() > Duration::from_secs(5);
            assert!(!long, "-d {interval}: its veth's peer is still there");
            sleep(Duration::from_millis(100));
        }
    }
}

fn has_device(namespace: &str, device: &str) -> bool {
    let shown = Command::new("ip")
        .args(["-n", namespace, "link", "show", device])
        .output();
    shown.expect("ip starts").status.success()
}

/// Not a test: the traffic program, when a test starts this binary inside a namespace.
#[test]
fn traffic() {
    traffic_program::obey();
}

/// Ends with the value.
struct Watched(Child);

#[derive(Debug)]
struct Uses {
    /// Anonymous and resident, KB.
    memory: u64,
    threads: u64,
    files: u64,
}

impl Watched {
    fn start(flags: &[&str]) -> Watched {
        let child = Command::new(env!("CARGO_BIN_EXE_netop"))
            .args(["-b", "--format", "json"])
            .args(flags)
            .stdout(Stdio::null())
            .spawn();
        Watched(child.expect("netop starts"))
    }

    fn uses(&self) -> Uses {
        let own = format!("/proc/{}", self.0.id());
        let status = fs::read_to_string(format!("{own}/status")).expect("netop runs");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).expect(name)
        };
        Uses {
            memory: number("RssAnon:"),
            threads: number("Threads:"),
            files: fs::read_dir(format!("{own}/fd"))
                .expect("netop runs")
                .count() as u64,
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}
