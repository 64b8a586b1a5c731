//! What netop needs while everything on a host comes and goes: twenty short-lived programs a second, each
//! a large file that netop has not met, with sockets of their own; TCP connections; network namespaces
//! with devices. A row each minute; fails where anything grows. As root.
//! `sudo -E cargo bench --bench soak -- MINUTES` (60)

#[path = "../net/buffer.rs"]
mod buffer;
#[path = "../net/mod.rs"]
mod net;
#[path = "../net/traffic.rs"]
mod traffic_program;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use net::{A, B, Net, Traffic, may_run};

const INTERVAL_S: f64 = 0.1;

/// An interval this much longer than it should be is late.
const LATE: f64 = 1.5;

const BETWEEN_PROGRAMS: Duration = Duration::from_millis(50);
const BETWEEN_NAMESPACES: Duration = Duration::from_secs(2);

/// Files that are run in turn; all are new ones every minute.
const PROGRAMS: usize = 24;

/// Of what a minute is looked at.
const LOOKS: u32 = 60;

/// MB of anonymous memory that it may need at any time, and by how much the last quarter may be above the
/// second.
const MOST: f64 = 128.0;
const GROWTH: f64 = 12.0;

/// Threads and open files by which the last quarter may be above the second.
const FEW: f64 = 8.0;

#[derive(Default)]
struct Done {
    programs: AtomicU64,
    namespaces: AtomicU64,
    intervals: AtomicU64,
    late: AtomicU64,
    ends: AtomicBool,
}

/// The most of a minute.
#[derive(Debug, Clone, Copy, Default)]
struct Uses {
    memory: f64,
    /// The middle of what it was: debug information of a large program takes memory for some seconds.
    usual: f64,
    threads: f64,
    files: f64,
}

fn main() {
    if std::env::var_os("NETOP_TRAFFIC").is_some() {
        return traffic_program::obey();
    }
    let Some(_one) = may_run() else { return };
    let minutes = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let minutes: usize = minutes.unwrap_or(60);
    let mut netop = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["-b", "--format", "json", "-d", &INTERVAL_S.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("netop starts");
    let done = Arc::new(Done::default());
    let lines = netop.stdout.take().expect("piped");
    let read = start(&done, move |done| read(lines, done));
    let works = [
        read,
        start(&done, run_programs),
        start(&done, make_namespaces),
    ];
    println!(
        "minute  anon MB  at most  threads  files  own CPU %  late of intervals  programs  namespaces"
    );
    let mut seen = Vec::new();
    for minute in 1..=minutes {
        seen.push(look(&netop, minute, &done));
    }
    done.ends.store(true, Relaxed);
    let _ended_already = netop.kill();
    netop.wait().expect("it ran");
    for work in works {
        work.join().expect("the load never fails");
    }
    judge(&seen);
}

fn start(done: &Arc<Done>, work: impl FnOnce(&Done) + Send + 'static) -> JoinHandle<()> {
    let done = done.clone();
    thread::spawn(move || work(&done))
}

fn look(netop: &Child, minute: usize, done: &Done) -> Uses {
    let began = Instant::now();
    let counts = || {
        [
            &done.intervals,
            &done.late,
            &done.programs,
            &done.namespaces,
        ]
        .map(|n| n.load(Relaxed))
    };
    let (before, cpu) = (counts(), cpu_s(netop.id()));
    let (mut most, mut memory) = (Uses::default(), Vec::new());
    for _ in 0..LOOKS {
        sleep(Duration::from_secs(60) / LOOKS);
        let now = uses(netop.id());
        memory.push(now.memory);
        most.memory = most.memory.max(now.memory);
        most.threads = most.threads.max(now.threads);
        most.files = most.files.max(now.files);
    }
    memory.sort_by(f64::total_cmp);
    most.usual = memory[memory.len() / 2];
    let own = 100.0 * (cpu_s(netop.id()) - cpu) / began.elapsed().as_secs_f64();
    let after = counts();
    let [intervals, late, programs, namespaces] = [0, 1, 2, 3].map(|at| after[at] - before[at]);
    println!(
        "{minute:6}  {:7.1}  {:7.1}  {:7}  {:5}  {own:9.1}  {late:4} of {intervals:9}  {programs:8}  {namespaces:10}",
        most.usual, most.memory, most.threads, most.files
    );
    most
}

fn judge(seen: &[Uses]) {
    let most = |part: &[Uses], of: fn(&Uses) -> f64| part.iter().map(of).fold(0.0, f64::max);
    let peak = most(seen, |uses| uses.memory);
    assert!(
        peak <= MOST,
        "{peak} MB of anonymous memory, {MOST} at most"
    );
    let quarter = seen.len() / 4;
    if quarter == 0 {
        return println!("of fewer than four minutes nothing can be said of growth");
    }
    let (second, last) = (&seen[quarter..2 * quarter], &seen[seen.len() - quarter..]);
    for (what, of, room) in [
        ("MB", (|uses| uses.usual) as fn(&Uses) -> f64, GROWTH),
        ("threads", |uses| uses.threads, FEW),
        ("files", |uses| uses.files, FEW),
    ] {
        let (before, after) = (most(second, of), most(last, of));
        assert!(after <= before + room, "{before} {what} grew to {after}");
    }
    println!("nothing grew; {peak:.1} MB of anonymous memory at most");
}

/// Intervals, and those that were late.
fn read(lines: ChildStdout, done: &Done) {
    for line in BufReader::new(lines).lines().map_while(Result::ok) {
        let snapshot: serde_json::Value = serde_json::from_str(&line).expect("netop writes JSON");
        let long = snapshot["interval_s"].as_f64().expect("an interval");
        done.intervals.fetch_add(1, Relaxed);
        done.late
            .fetch_add(u64::from(long > LATE * INTERVAL_S), Relaxed);
    }
}

fn run_programs(done: &Done) {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = fs::read(std::env::current_exe().expect("a path")).expect("its own file");
    let sink = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let order = format!(
        "udp-blast 127.0.0.1:0 {} 2000",
        sink.local_addr().expect("bound")
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (mut programs, mut children, mut made) = (Vec::new(), Vec::<Child>::new(), Instant::now());
    while !done.ends.load(Relaxed) {
        let began = Instant::now();
        if programs.is_empty() || made.elapsed() > Duration::from_secs(60) {
            programs = copies(dir.path(), &whole, done.programs.load(Relaxed));
            made = Instant::now();
        }
        let at = done.programs.fetch_add(1, Relaxed) as usize % programs.len();
        let mut child = Command::new(&programs[at])
            .env("NETOP_TRAFFIC", &order)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a copy of this program starts");
        child
            .stdin
            .take()
            .expect("piped")
            .write_all(b"go\n")
            .expect("it reads");
        children.push(child);
        children.retain_mut(|child| child.try_wait().is_ok_and(|ended| ended.is_none()));
        let _connected = TcpStream::connect(listener.local_addr().expect("bound"));
        let _accepted = listener.accept();
        sleep(BETWEEN_PROGRAMS.saturating_sub(began.elapsed()));
    }
    for mut child in children {
        child.wait().expect("it ran");
    }
}

/// Copies of this program, each with a build id that nobody has met.
fn copies(dir: &Path, whole: &[u8], round: u64) -> Vec<PathBuf> {
    // struct elf32_nhdr of NT_GNU_BUILD_ID, 20 bytes (linux/elf.h), and its name.
    const NOTE: &[u8] = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0";
    let at = whole.windows(NOTE.len()).position(|part| part == NOTE);
    let copy = |number: usize| {
        let mut bytes = whole.to_vec();
        if let Some(at) = at {
            let id = at + NOTE.len();
            bytes[id..id + 8].copy_from_slice(&round.to_le_bytes());
            bytes[id + 8..id + 16].copy_from_slice(&(number as u64).to_le_bytes());
        }
        // One that runs cannot be written: another file takes its name.
        let (path, new) = (dir.join(format!("program{number}")), dir.join("new"));
        fs::write(&new, bytes).expect("room");
        fs::set_permissions(&new, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("ours");
        fs::rename(&new, &path).expect("ours");
        path
    };
    (0..PROGRAMS).map(copy).collect()
}

fn make_namespaces(done: &Done) {
    while !done.ends.load(Relaxed) {
        let began = Instant::now();
        let net = Net::new();
        let order = format!("udp-send {A}:0 {B}:9700 2 2000 200");
        let mut sender = Traffic::start(&net.a, &order);
        sender.go();
        sender.wait_for("done");
        sender.finish();
        sleep(BETWEEN_NAMESPACES.saturating_sub(began.elapsed()));
        drop(net);
        done.namespaces.fetch_add(2, Relaxed);
    }
}

fn uses(pid: u32) -> Uses {
    let own = format!("/proc/{pid}");
    let status = fs::read_to_string(format!("{own}/status")).expect("netop runs");
    let number = |name: &str| -> f64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).expect(name)
    };
    let memory = number("RssAnon:") / 1024.0;
    Uses {
        memory,
        usual: memory,
        threads: number("Threads:"),
        files: fs::read_dir(format!("{own}/fd"))
            .expect("netop runs")
            .count() as f64,
    }
}

/// CPU time so far, seconds (proc_pid_stat(5); USER_HZ is 100).
fn cpu_s(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("netop runs");
    let words: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .expect("a name")
        .split(' ')
        .collect();
    let ticks: f64 = words[11..13]
        .iter()
        .filter_map(|word| word.parse::<f64>().ok())
        .sum();
    ticks / 100.0
}
