//! An open loop that takes about half of CPU 0: datagrams in groups, each group when it is due,
//! whatever became of those before. A reader on CPU 1 in the other namespace counts how late they
//! arrive, from when they were due: a late sender hides nothing.

use std::fs::{self, File};
use std::net::UdpSocket;
use std::os::unix::fs::FileExt;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::cycle::inside;
use super::fill::{BATCH, Messages, connected};
use super::gauge::Gauge;
use super::pin;

/// Groups sent one after another to learn what one takes.
const TRIALS: usize = 4000;

/// A group is due after so many times what it took then, at first. Back to back caches are warm and the
/// machine is at its fastest: how busy a pace keeps the CPU is measured, and the pace mended.
const PERIOD: u32 = 4;

/// So often, each time over so long, and so far at once.
const MENDED: usize = 6;
const OVER: Duration = Duration::from_millis(400);
const MOST: f64 = 2.0;

/// The share of CPU 0's time that is to be busy.
const BUSY: f64 = 0.5;

/// As late as this, what was due is given up: a load above what the CPU can do has no end.
const LATEST: Duration = Duration::from_millis(100);

/// Between two prints of how late datagrams were.
const PRINT: Duration = Duration::from_millis(50);

/// Parts of each doubling of the lateness.
const PARTS: u32 = 32;

/// To a host in `namespace`; gauges CPU 0 in `gauge` with a 0 behind, and prints the lateness into
/// that with `late` behind. Returns when CPU 0 is about half busy.
pub fn half(namespace: &'static str, address: &'static str, port: u16, gauge: &'static str) {
    let to = (address, port);
    let receiver = inside(namespace, || {
        UdpSocket::bind(to).expect("the address is theirs")
    });
    let epoch = Instant::now();
    thread::spawn(move || {
        pin(1);
        read(&receiver, epoch, &format!("{gauge}late"));
    });
    // Sleep no longer than asked: threads inherit it. Else the kernel adds up to 50 µs.
    std::fs::write("/proc/self/timerslack_ns", "1").expect("the slack is ours");
    let (paced, is_paced) = mpsc::channel();
    thread::spawn(move || {
        pin(0);
        send(
            &connected(&format!("{address}:{port}")),
            epoch,
            Gauge::create(&format!("{gauge}0")),
            &paced,
        );
    });
    is_paced.recv().expect("the sender finds a pace");
}

/// The time of CPU 0 in which nothing ran, and all of it, ticks of the kernel's clock.
fn cpu0() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").expect("/proc is there");
    let line = stat.lines().find(|line| line.starts_with("cpu0 "));
    let words = line.expect("CPU 0 is there").split_whitespace().skip(1);
    let ticks: Vec<f64> = words.map_while(|word| word.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guests are in user and nice.
    (ticks[3] + ticks[4], ticks.iter().take(8).sum())
}

fn send(socket: &UdpSocket, epoch: Instant, mut gauge: Gauge, paced: &mpsc::Sender<()>) {
    let mut group = Messages::new(64);
    // Arrives when it is due, as far as the reader can tell.
    group.mark(u64::MAX);
    let mut took: Vec<Duration> = (0..TRIALS)
        .map(|_| {
            let began = Instant::now();
            group.send(socket);
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    let mut period = PERIOD * took[TRIALS / 2];
    let mut due = Instant::now();
    let (mut mended, mut since, mut began) = (0, due, cpu0());
    loop {
        if mended < MENDED && since.elapsed() > OVER {
            let now = cpu0();
            let busy = 1.0 - (now.0 - began.0) / (now.1 - began.1).max(1.0);
            period = period.mul_f64((busy / BUSY).clamp(1.0 / MOST, MOST));
            mended += 1;
            if mended == MENDED {
                let _the_test_has_ended = paced.send(());
            }
            due = Instant::now();
            (since, began) = (due, cpu0());
        }
        thread::sleep(due.saturating_duration_since(Instant::now()));
        group.mark((due - epoch).as_nanos() as u64);
        group.send(socket);
        gauge.look();
        due += period;
        if due.elapsed() > LATEST {
            due = Instant::now();
        }
    }
}

fn read(socket: &UdpSocket, epoch: Instant, path: &str) {
    let mut group = Messages::new(64);
    let file = File::create(path).expect("room for a file");
    let mut counts = vec![0u64; 64 * PARTS as usize];
    let mut printed = Instant::now();
    loop {
        let count = group.receive(socket).min(BATCH);
        let now = epoch.elapsed().as_nanos() as u64;
        for due in group.marks(count) {
            counts[place(now.saturating_sub(due))] += 1;
        }
        if printed.elapsed() > PRINT {
            printed = Instant::now();
            print(&file, &counts);
        }
    }
}

/// Pairs of u64, little endian: so many ns late and a little more, and how many were.
fn print(file: &File, counts: &[u64]) {
    let pairs = counts.iter().enumerate().map(|(at, count)| {
        let (octave, part) = (at as u32 / PARTS, u64::from(at as u32 % PARTS));
        let least = (1u64 << octave) + ((part << octave) / u64::from(PARTS));
        [least.to_le_bytes(), count.to_le_bytes()]
    });
    let bytes: Vec<u8> = pairs.flatten().flatten().collect();
    file.write_all_at(&bytes, 0).expect("room for the figures");
}

fn place(late: u64) -> usize {
    let late = late.max(1);
    let octave = late.ilog2();
    // The bits behind the first, as many as tell the parts apart.
    let rest = u128::from(late - (1 << octave)) * u128::from(PARTS);
    (octave * PARTS) as usize + (rest >> octave) as usize
}
