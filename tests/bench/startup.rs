//! From exec to the first live figures, and from `q` to the end, in a real pty: with the defaults
//! and with many events, beside `perf top` and `perf stat` where perf is installed. As root.
//! `cargo bench --bench startup`, `RUNS=20` for more runs

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

const RUNS: usize = 10;
const COLUMNS: u16 = 100;
const ROWS: u16 = 30;
const PATIENCE: Duration = Duration::from_secs(20);

/// By then every event of the run before is closed.
const CLOSED: Duration = Duration::from_secs(2);

/// Groups whose tracepoints are all counted in the run with many events.
const GROUPS: [&str; 4] = ["net", "tcp", "skb", "sock"];

/// Their tracepoints, as `-e` takes them.
fn many() -> String {
    let names = |group: &str| -> Vec<String> {
        let folder = format!("/sys/kernel/tracing/events/{group}");
        let Ok(entries) = std::fs::read_dir(folder) else {
            return Vec::new();
        };
        (entries.flatten())
            .filter(|entry| entry.path().is_dir())
            .map(|entry| format!("{group}:{}", entry.file_name().to_string_lossy()))
            .collect()
    };
    let mut all: Vec<String> = GROUPS.iter().flat_map(|group| names(group)).collect();
    all.sort();
    all.join(",")
}

fn main() {
    let netop = env!("CARGO_BIN_EXE_netop");
    let runs = std::env::var("RUNS").ok().and_then(|n| n.parse().ok());
    let runs = runs.unwrap_or(RUNS);
    let many = many();
    println!("ms, median (most) of {runs}: to the first figures; from q to the end");
    for (name, words) in [
        ("netop", vec![]),
        (
            &format!("netop -e, {} events", many.split(',').count()),
            vec!["-e", &many, "--max-overhead", "100"],
        ),
        ("netop --counting proc", vec!["--counting", "proc"]),
        ("netop demo", vec!["demo"]),
    ] {
        measure(name, runs, netop, &words, &has_figures);
    }
    if Command::new("perf").arg("-v").output().is_err() {
        return println!("perf is not installed");
    }
    let rows = |screen: &str| screen.contains('%') && screen.contains("[k]");
    let top = ["top", "-e", "cpu-clock", "--stdio"];
    measure("perf top", runs, "perf", &top[..3], &rows);
    let events = "net:*,tcp:*,skb:*,sock:*";
    let counts = |screen: &str| screen.contains("net:net_dev_queue");
    let stat = ["stat", "-a", "-I", "100", "-e", events];
    measure("perf stat -I 100", runs, "perf", &stat, &counts);
}

/// The path table with a rate in it.
fn has_figures(screen: &str) -> bool {
    screen.lines().any(|line| {
        let mut words = line.trim_start_matches(['▶', ' ']).split_whitespace();
        words.next() == Some("net_rx_action")
            && words
                .next()
                .is_some_and(|rate| rate.starts_with(|c: char| c.is_ascii_digit()))
    })
}

fn measure(name: &str, runs: usize, program: &str, words: &[&str], shown: &dyn Fn(&str) -> bool) {
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        // The last run's events are still being closed, which makes opening new ones wait.
        thread::sleep(CLOSED);
        let Some((start, end)) = run(program, words, shown) else {
            return println!("{name:24} shows nothing");
        };
        starts.push(start);
        ends.push(end);
    }
    let text = |times: &mut Vec<Duration>| {
        times.sort();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        format!(
            "{:6.0} ({:6.0})",
            ms(times[times.len() / 2]),
            ms(times[times.len() - 1])
        )
    };
    println!("{name:24} {}  {}", text(&mut starts), text(&mut ends));
}

/// From exec to the figures, and from the key to the end.
fn run(
    program: &str,
    words: &[&str],
    shown: &dyn Fn(&str) -> bool,
) -> Option<(Duration, Duration)> {
    let pair = native_pty_system()
        .openpty(PtySize {
            rows: ROWS,
            cols: COLUMNS,
            pixel_width: 0,
            pixel_height: 0,
        })
        .expect("a pseudo-terminal");
    let size = |n: u16| NonZeroU16::new(n).expect("a size");
    let parser = vt100::Parser::new(size(ROWS), size(COLUMNS), 0);
    let screen = Arc::new((Mutex::new(parser), Condvar::new()));
    let mut output = pair.master.try_clone_reader().expect("a reader");
    let mut keys = pair.master.take_writer().expect("a writer");
    let drawn = Arc::clone(&screen);
    thread::spawn(move || {
        let mut bytes = [0; 16384];
        while let Ok(n @ 1..) = output.read(&mut bytes) {
            drawn.0.lock().expect("no panic").process(&bytes[..n]);
            drawn.1.notify_all();
        }
    });
    let mut command = CommandBuilder::new(program);
    command.args(words);
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    let began = Instant::now();
    let mut child = pair.slave.spawn_command(command).expect("it starts");
    let mut parser = screen.0.lock().expect("no panic");
    while !shown(&parser.screen().contents()) {
        let left = PATIENCE.saturating_sub(began.elapsed());
        if left.is_zero() {
            let _gone_already = child.kill();
            let _reaped = child.wait();
            return None;
        }
        parser = screen.1.wait_timeout(parser, left).expect("no panic").0;
    }
    let start = began.elapsed();
    drop(parser);
    // A while later, as a person would.
    thread::sleep(Duration::from_millis(700));
    let left = Instant::now();
    let pid = child.process_id().expect("it runs").to_string();
    if program == "perf" && words[0] == "stat" {
        let sent = Command::new("kill").args(["-INT", &pid]).status();
        assert!(sent.expect("kill is there").success());
    } else {
        keys.write_all(b"q").expect("it takes keys");
        keys.flush().expect("it takes keys");
    }
    child.wait().expect("it is our child");
    Some((start, left.elapsed()))
}
