//! A ring that wraps, is thinned, torn, and opened again.

use std::fs::OpenOptions;

use super::*;
use crate::decode::{
    Costs, CpuCounters, EventKind, Host, HostEvent, HostSample, LinkCounters, SlowSample,
    SourceKind,
};
use crate::flight::{Ended, SegmentReader};
use crate::perfdata::Run;

const SECOND: u64 = 1_000_000_000;
/// 2026-11-23T03:10:00Z
const WALL: u64 = 1_795_403_400 * SECOND;

fn begin() -> Begin {
    Begin {
        run: Run {
            netop: "0".to_owned(),
            interval_ns: SECOND,
            max_overhead_pct: 5.0,
            counting: "proc".to_owned(),
            ..Run::default()
        },
        session: Session {
            host: Host::default(),
            source: SourceKind::Live,
            events: Vec::new(),
            costs: Costs::default(),
            no_gate: None,
            gate_loading: false,
        },
        boot: "b".to_owned(),
    }
}

/// The n-th second, with figures that do not pack well.
fn second(n: u64) -> Tick {
    let cpu = |cpu: u32| CpuCounters {
        cpu,
        net_rx_runs: (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(cpu) << 20,
        ..CpuCounters::default()
    };
    Tick {
        at: n * SECOND,
        wall_ns: WALL + n * SECOND,
        interval_ns: SECOND,
        host: HostSample {
            cpus: (0..50).map(cpu).collect(),
            slow: None,
        },
        ..Tick::default()
    }
}

fn with_setup(mut tick: Tick, setup: bool) -> Tick {
    let link = LinkCounters {
        name: "eth0".to_owned(),
        setup: setup.then(Arc::default),
        ..LinkCounters::default()
    };
    tick.host.slow = Some(Arc::new(SlowSample {
        links: vec![link],
        ..SlowSample::default()
    }));
    tick
}

fn read(path: &Path) -> (Vec<Tick>, Ended) {
    let mut reader = SegmentReader::open(path).expect("a segment");
    let mut ticks = Vec::new();
    loop {
        match reader.read() {
            Ok(Entry::Tick(tick)) => ticks.push(*tick),
            Ok(_) => {}
            Err(ended) => return (ticks, ended),
        }
    }
}

fn all(dir: &Path) -> Vec<Tick> {
    let of = |segment: Segment| read(&segment.path).0.into_iter();
    segments(dir)
        .expect("a directory")
        .into_iter()
        .flat_map(of)
        .collect()
}

#[test]
fn a_ring_that_wraps_stays_within_its_bytes_and_keeps_the_newest() {
    let dir = tempfile::tempdir().expect("a directory");
    let limits = Limits {
        bytes: 60_000,
        age_ns: 10_000 * SECOND,
        segment_ns: 60 * SECOND,
        segment_bytes: 10_000,
    };
    let mut ring = Ring::open(dir.path(), limits, begin()).expect("a ring");
    let mut most = 0;
    for n in 0..600 {
        ring.tick(&second(n)).expect("room");
        most = most.max(ring.bytes().expect("sizes"));
    }
    assert!((30_000..=60_000).contains(&most), "{most}");
    ring.finish().expect("an end");
    let ticks = all(dir.path());
    assert!(ticks[0].at > 0, "the first seconds have left");
    assert_eq!(ticks.last(), Some(&second(599)));
    let thinned = ticks.iter().filter(|tick| tick.interval_ns > SECOND);
    assert!(
        thinned.count() > 0,
        "older seconds are thinned before they leave"
    );
    let gapless = |pair: &[Tick]| pair[1].at - pair[1].interval_ns == pair[0].at;
    assert!(ticks.windows(2).all(gapless));
}

#[test]
fn seconds_that_are_too_old_leave_though_there_is_room() {
    let dir = tempfile::tempdir().expect("a directory");
    let limits = Limits {
        age_ns: 100 * SECOND,
        segment_ns: 10 * SECOND,
        ..Limits::default()
    };
    let mut ring = Ring::open(dir.path(), limits, begin()).expect("a ring");
    (0..300).for_each(|n| ring.tick(&second(n)).expect("room"));
    ring.finish().expect("an end");
    let first = all(dir.path())[0].at / SECOND;
    assert!((180..200).contains(&first), "{first}");
}

#[test]
fn what_is_killed_between_two_seconds_has_lost_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ring = Ring::open(dir.path(), Limits::default(), begin()).expect("a ring");
    (0..5).for_each(|n| ring.tick(&second(n)).expect("room"));
    // As SIGKILL leaves it: nothing is ended.
    let path = segments(dir.path()).expect("a directory").remove(0).path;
    let (ticks, ended) = read(&path);
    assert_eq!((ticks.len(), ended), (5, Ended::Whole));
    drop(ring);
    let again = Ring::open(dir.path(), Limits::default(), begin()).expect("the lock is free");
    drop(again);
}

#[test]
fn a_torn_tail_is_read_up_to_the_tear() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ring = Ring::open(dir.path(), Limits::default(), begin()).expect("a ring");
    (0..50).for_each(|n| ring.tick(&second(n)).expect("room"));
    let path = segments(dir.path()).expect("a directory").remove(0).path;
    let whole = fs::metadata(&path).expect("a size").len();
    let file = OpenOptions::new().write(true).open(&path).expect("it");
    let mut torn = 0;
    for size in (16..whole).rev().step_by(97) {
        file.set_len(size).expect("shorter");
        let (ticks, ended) = read(&path);
        let right = ticks
            .iter()
            .enumerate()
            .all(|(n, tick)| *tick == second(n as u64));
        assert!(right && ticks.len() <= 50);
        torn += usize::from(ended != Ended::Whole);
    }
    assert!(torn > 10, "most cuts are within a second: {torn}");
    // A power loss may leave zeros where data was to be.
    file.set_len(whole).expect("longer");
    assert!(matches!(read(&path).1, Ended::Torn(_)));
}

#[test]
fn a_flipped_bit_ends_the_reading_and_is_never_a_figure() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ring = Ring::open(dir.path(), Limits::default(), begin()).expect("a ring");
    (0..20).for_each(|n| ring.tick(&second(n)).expect("room"));
    ring.finish().expect("an end");
    let path = segments(dir.path()).expect("a directory").remove(0).path;
    let whole = fs::read(&path).expect("bytes");
    for at in (16..whole.len()).step_by(101) {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        fs::write(&path, flipped).expect("room");
        let (ticks, ended) = read(&path);
        let right = (ticks.iter().enumerate()).all(|(n, tick)| *tick == second(n as u64));
        assert!(right && matches!(ended, Ended::Torn(_)), "byte {at}");
    }
}

#[test]
fn every_segment_says_how_devices_are_set_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let limits = Limits {
        segment_ns: 10 * SECOND,
        ..Limits::default()
    };
    let mut ring = Ring::open(dir.path(), limits, begin()).expect("a ring");
    for n in 0..25 {
        ring.tick(&with_setup(second(n), n == 0)).expect("room");
    }
    ring.finish().expect("an end");
    let files = segments(dir.path()).expect("a directory");
    assert_eq!(files.len(), 3);
    for file in files {
        let first = read(&file.path).0.remove(0);
        let slow = first.host.slow.expect("a reading");
        assert!(slow.links[0].setup.is_some());
    }
}

#[test]
fn thinned_seconds_keep_their_events_and_the_last_figures() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut ring = Ring::open(dir.path(), Limits::default(), begin()).expect("a ring");
    ring.tick(&Tick {
        interval_ns: 0,
        ..second(0)
    })
    .expect("room");
    for n in 1..=25 {
        let mut tick = second(n);
        tick.events.push(HostEvent {
            wall_ns: tick.wall_ns,
            kind: EventKind::Link,
            device: None,
            text: n.to_string(),
        });
        ring.tick(&tick).expect("room");
    }
    ring.finish().expect("an end");
    let from = segments(dir.path()).expect("a directory").remove(0).path;
    let to = dir.path().join("thin");
    thin(&from, &to).expect("it can be read");
    let (ticks, ended) = read(&to);
    assert_eq!(ended, Ended::Whole);
    let told: Vec<_> = ticks
        .iter()
        .map(|tick| {
            (
                tick.interval_ns / SECOND,
                tick.at / SECOND,
                tick.events.len(),
            )
        })
        .collect();
    assert_eq!(told, [(0, 0, 0), (10, 10, 10), (10, 20, 10), (5, 25, 5)]);
    assert_eq!(ticks[1].host, second(10).host);
}

#[test]
fn two_recorders_do_not_share_a_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let _first = Ring::open(dir.path(), Limits::default(), begin()).expect("a ring");
    let second = Ring::open(dir.path(), Limits::default(), begin());
    assert_eq!(
        second.err().map(|error| error.kind()),
        Some(io::ErrorKind::WouldBlock)
    );
}

#[test]
fn a_segments_name_tells_its_first_second() {
    assert_eq!(name(WALL, false), "20261123T031000.000Z.netop-flight");
    assert_eq!(parsed(&name(WALL, true)), Some((WALL, true)));
    assert_eq!(parsed("lock"), None);
}
