//! An open loop that takes about half of CPU 0: datagrams in groups, each group when it is due,
//! whatever became of those before. A reader on CPU 1 in the other namespace counts how late they
//! arrive, from when they were due: a late sender hides nothing.

use std::fs::File;
use std::net::UdpSocket;
use std::os::unix::fs::FileExt;
use std::thread;
use std::time::{Duration, Instant};

use super::cycle::inside;
use super::fill::{BATCH, Messages, connected};
use super::gauge::Gauge;
use super::pin;

/// Groups sent one after another to learn what one takes.
const TRIALS: usize = 4000;

/// A group is due after so many times what it took then: back to back caches are warm and the machine is
/// at its fastest. At 2, CPU 0 was busy for 0.9 of the time, and lateness said how long the queue was.
const PERIOD: u32 = 4;

/// As late as this, what was due is given up: a load above what the CPU can do has no end.
const LATEST: Duration = Duration::from_millis(100);

/// Between two prints of how late datagrams were.
const PRINT: Duration = Duration::from_millis(50);

/// Parts of each doubling of the lateness.
const PARTS: u32 = 32;

/// To a host in `namespace`; gauges CPU 0 in `gauge` with a 0 behind, and prints the lateness into
/// that with `late` behind.
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
    thread::spawn(move || {
        pin(0);
        send(
            &connected(&format!("{address}:{port}")),
            epoch,
            Gauge::create(&format!("{gauge}0")),
        );
    });
}

fn send(socket: &UdpSocket, epoch: Instant, mut gauge: Gauge) {
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
    let period = PERIOD * took[TRIALS / 2];
    let mut due = Instant::now();
    loop {
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
