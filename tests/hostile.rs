//! perf.data from strangers: whatever the bytes, a recording is shown as far as it goes or refused
//! with the place; nothing panics, hangs or takes memory that the file does not hold.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use netop::decode::{Attach, Demand, EventId};
use netop::engine::Registry;
use netop::perfdata::{Begin, ClockPair, Ending, Run, Writer};
use netop::source::demo::{Demo, Pace};
use netop::source::replay::{Cut, Opened, Options, Replay};
use netop::source::{Source, Step};

/// A small recording of the made-up machine.
fn recording(dir: &Path) -> Vec<u8> {
    let specs = Registry::new(Vec::new()).specs();
    let mut demo = Demo::new(1, Pace::AsFastAsPossible, specs);
    demo.demand(&Demand {
        interval: Duration::from_millis(50),
        attached: vec![Attach {
            by_socket: false,
            event: EventId(1),
            stacks_per_s: 49,
            every: false,
            wide: true,
            per_task: false,
            gate: false,
            everyone: false,
            duty_permille: 1000,
            asked: false,
        }],
        clock_hz: 99,
        ..Demand::default()
    });
    let begin = Begin {
        run: Run {
            netop: "test".to_owned(),
            interval_ns: 50_000_000,
            clock_hz: 99,
            max_overhead_pct: 100.0,
            counting: "perf".to_owned(),
            ..Run::default()
        },
        events: vec![EventId(1)],
        silent: Vec::new(),
        cpus: demo.session().host.cpus.clone(),
        cmdline: Vec::new(),
        clocks: ClockPair {
            monotonic_ns: 1,
            wall_ns: 2,
        },
    };
    let mut options = OpenOptions::new();
    let spill = options.read(true).write(true).create_new(true);
    let spill = spill.open(dir.join("spill")).expect("a file");
    let path = dir.join("whole");
    let out = File::create(&path).expect("a file");
    let mut writer = Writer::begin(out, spill, begin, demo.session()).expect("room");
    let mut ticks = 0;
    while ticks < 3 {
        match demo.step(Duration::ZERO).expect("the demo never fails") {
            Step::Batch(batch) => writer.batch(&batch),
            Step::Tick(tick) => {
                writer.tick(demo.session(), &tick, ticks > 0).expect("room");
                ticks += 1;
            }
            Step::Idle | Step::End => {}
        }
    }
    writer.finish(Ending::default()).expect("room");
    fs::read(path).expect("it is there")
}

/// Samples and ticks that a file of these bytes gives; `None`: it is refused.
fn shown(dir: &Path, bytes: &[u8], cut: Cut) -> Option<(usize, usize)> {
    let path = dir.join("x");
    fs::write(&path, bytes).expect("room");
    let opened = Opened::open(&path).ok()?;
    let options = Options {
        specs: Registry::new(Vec::new()).specs(),
        cut,
        ..Options::default()
    };
    let mut replay = Replay::start(opened, options).expect("a thread");
    let (mut samples, mut ticks) = (0, 0);
    loop {
        let step = match replay.step(Duration::from_secs(60)) {
            Ok(step) => step,
            Err(error) => {
                // Not even one interval can be read, and netop says where it stops.
                assert!(!error.to_string().contains("a fault of netop"), "{error}");
                assert_eq!(ticks, 0);
                return None;
            }
        };
        match step {
            Step::Batch(batch) => {
                samples += batch.samples.len();
                replay.recycle(batch);
            }
            Step::Tick(_) => ticks += 1,
            Step::Idle => panic!("it hangs"),
            Step::End => return Some((samples, ticks)),
        }
    }
}

#[test]
fn a_recording_cut_anywhere_is_shown_as_far_as_it_goes() {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = recording(dir.path());
    let (all, ticks) = shown(dir.path(), &whole, Cut::Whole).expect("it is whole");
    assert!(all > 20 && ticks == 2, "{all} samples, {ticks} ticks");
    let mut most = 0;
    for cut in (0..whole.len()).step_by(whole.len() / 400) {
        if let Some((samples, _)) = shown(dir.path(), &whole[..cut], Cut::Whole) {
            assert!(samples >= most, "cut at {cut}: {samples} after {most}");
            most = samples;
        }
    }
    assert!(most >= all, "{most} of {all}");
}

#[test]
fn damaged_bytes_never_panic_or_hang() {
    let dir = tempfile::tempdir().expect("a directory");
    let whole = recording(dir.path());
    let mut chance = 0x9e37_79b9_7f4a_7c15u64;
    let mut draw = |below: usize| {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        (chance % below as u64) as usize
    };
    for round in 0..400 {
        let mut bytes = whole.clone();
        for _ in 0..=round % 7 {
            // Half of the damage is in the header and its sections.
            let at = match draw(2) {
                0 => draw(bytes.len().min(700)),
                _ => draw(bytes.len()),
            };
            bytes[at] = [0, 0xff, 0x7f, 0x80, draw(256) as u8][draw(5)];
        }
        for cut in [Cut::Whole, Cut::Every(10_000_000), Cut::Recorded] {
            let _shown_or_refused = shown(dir.path(), &bytes, cut);
        }
    }
}

/// A recording through a pipe, of one event, in which nothing happens but that so many processes get names.
fn many_names(count: u32) -> Vec<u8> {
    let record = |kind: u32, body: &[u8]| {
        let size = (8 + body.len()) as u16;
        let head = [&kind.to_ne_bytes()[..], &[0, 0], &size.to_ne_bytes()].concat();
        [&head[..], body].concat()
    };
    let mut attr = [0_u8; 128];
    // PERF_TYPE_SOFTWARE, its own size, cpu-clock, every ms, IP | TID | TIME (include/uapi/linux/perf_event.h).
    for (at, value) in [(0, 1_u64 | 128 << 32), (8, 0), (16, 1_000_000), (24, 7)] {
        attr[at..at + 8].copy_from_slice(&value.to_ne_bytes());
    }
    // PERF_RECORD_HEADER_ATTR with the event's id.
    let mut bytes = b"PERFILE2\x10\0\0\0\0\0\0\0".to_vec();
    bytes.extend(record(64, &[&attr[..], &7_u64.to_ne_bytes()].concat()));
    for pid in 1..=count {
        // PERF_RECORD_COMM
        let ids = [pid.to_ne_bytes(), pid.to_ne_bytes()].concat();
        bytes.extend(record(3, &[&ids[..], b"somebody"].concat()));
    }
    bytes
}

#[test]
fn what_is_told_of_processes_goes_to_the_engine_in_pieces() {
    const COUNT: u32 = 300_000;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("names");
    fs::write(&path, many_names(COUNT)).expect("a file");
    let options = Options {
        specs: Registry::new(Vec::new()).specs(),
        cut: Cut::Whole,
        ..Options::default()
    };
    let opened = Opened::open(&path).expect("it is read");
    let mut replay = Replay::start(opened, options).expect("a thread");
    let (mut told, mut most) = (0, 0);
    loop {
        match replay.step(Duration::from_secs(60)).expect("no fault") {
            Step::Batch(batch) => {
                told += batch.side.len();
                most = most.max(batch.side.len());
                replay.recycle(batch);
            }
            Step::End => break,
            Step::Tick(_) | Step::Idle => {}
        }
    }
    assert_eq!(told, COUNT as usize);
    assert!(most <= 1 << 17, "{most} at once");
}
