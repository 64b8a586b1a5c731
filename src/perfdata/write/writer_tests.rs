//! Whole files of the made-up machine.

use std::fs::{self, File, OpenOptions};
use std::time::Duration;

use super::*;
use crate::decode::{Attach, Demand, EventSpec};
use crate::perfdata::{BEGIN, END, VERSION};
use crate::source::demo::{Demo, Pace};
use crate::source::{Source, Step};

fn run() -> Run {
    Run {
        netop: "test".to_owned(),
        interval_ns: 1_000_000_000,
        clock_hz: 199,
        max_overhead_pct: 100.0,
        counting: "perf".to_owned(),
        ..Run::default()
    }
}

fn queue() -> EventSpec {
    EventSpec {
        place: crate::decode::Place::Tracepoint,
        group: "net".into(),
        name: "net_dev_queue".into(),
        filter: None,
        fields: vec!["len".into(), "name".into()],
        device_field: Some("name".into()),
    }
}

/// Three intervals of the made-up machine; `end` has the last word.
fn recorded(end: impl FnOnce(Writer)) -> Vec<u8> {
    let mut demo = Demo::new(1, Pace::AsFastAsPossible, vec![queue()]);
    demo.demand(&Demand {
        interval: Duration::from_secs(1),
        attached: vec![Attach {
            by_socket: false,
            event: EventId(0),
            stacks_per_s: 49,
            every: false,
            wide: true,
            per_task: false,
            gate: false,
            everyone: false,
            duty_permille: 1000,
            asked: false,
        }],
        clock_hz: 199,
        ..Demand::default()
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.perf.data");
    let mut options = OpenOptions::new();
    let spill = options.read(true).write(true).create_new(true);
    let spill = spill.open(dir.path().join("spill")).unwrap();
    let begin = Begin {
        run: run(),
        events: vec![EventId(0)],
        silent: Vec::new(),
        cpus: (0..64).collect(),
        cmdline: vec!["netop".to_owned(), "record".to_owned()],
        clocks: ClockPair {
            monotonic_ns: 1,
            wall_ns: 2,
        },
    };
    let out = File::create(&path).unwrap();
    let mut writer = Writer::begin(out, spill, begin, demo.session()).unwrap();
    let mut ticks = 0;
    while ticks < 4 {
        match demo.step(Duration::ZERO).unwrap() {
            Step::Batch(batch) => writer.batch(&batch),
            Step::Tick(tick) => {
                writer.tick(demo.session(), &tick, ticks > 0).unwrap();
                ticks += 1;
            }
            Step::Idle | Step::End => {}
        }
    }
    end(writer);
    fs::read(path).unwrap()
}

fn word(file: &[u8], at: usize) -> usize {
    u64::from_le_bytes(file[at..at + 8].try_into().unwrap()) as usize
}

/// Types of the records of a data section.
fn kinds(mut data: &[u8]) -> Vec<u32> {
    let mut kinds = Vec::new();
    while !data.is_empty() {
        let size = usize::from(u16::from_le_bytes([data[6], data[7]]));
        kinds.push(word(data, 0) as u32);
        data = &data[size..];
    }
    kinds
}

#[test]
fn a_finished_file_has_whole_records_its_features_and_the_trailer() {
    let file = recorded(|writer| {
        let samples = writer.samples();
        assert!(samples > 100, "{samples}");
        writer.finish(Ending::default()).unwrap();
    });
    assert_eq!(file[..8], *b"PERFILE2");
    let (data, size) = (word(&file, 40), word(&file, 48));
    let kinds = kinds(&file[data..data + size]);
    assert_eq!(kinds.iter().filter(|kind| **kind == 68).count(), 4);
    assert_eq!(kinds.last(), Some(&68));
    // Section after section without a gap, then netop's own.
    let flags = word(&file, 72);
    let sections = flags.count_ones() as usize;
    let mut end = data + size + 16 * sections;
    for section in 0..sections {
        let entry = data + size + 16 * section;
        assert_eq!(word(&file, entry), end);
        end += word(&file, entry + 8);
    }
    assert_eq!(file[end..end + 8], BEGIN);
    assert_eq!(
        file[end + 8..end + 16],
        [VERSION as u8, 0, 0, 0, 0, 0, 0, 0]
    );
    let last = file.len() - 16;
    assert_eq!((word(&file, last), &file[last + 8..]), (end, &END[..]));
    let lines = zstd::decode_all(&file[end + 16..last]).unwrap();
    let lines: Vec<Line> = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let ticks = lines
        .iter()
        .filter(|line| matches!(line, Line::Tick { .. }));
    assert_eq!(ticks.count(), 4);
    assert!(matches!(lines[0], Line::Run(_)) && matches!(lines[1], Line::Session(_)));
    assert!(matches!(lines.last(), Some(Line::Symbols(_))));
}

#[test]
fn a_file_whose_writer_was_killed_has_its_head_and_whole_rounds() {
    let file = recorded(drop);
    let (attrs, data, size) = (word(&file, 24), word(&file, 40), word(&file, 48));
    assert_eq!((size, word(&file, 32)), (0, 2 * 144));
    // The ids of 64 CPUs and two events come first.
    assert_eq!(attrs, 104 + 8 * 2 * 64);
    assert_eq!(kinds(&file[data..]).last(), Some(&68));
}
