//! What was written is decoded again, and read by `go tool pprof` where it is installed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::process::Command;

use flate2::read::GzDecoder;

use super::*;

fn stack(weight: f64, frames: &[&str]) -> Stack {
    Stack {
        function: "cpu".into(),
        pid: 7,
        comm: "kaf\u{1b}ka".into(),
        weight,
        unit: "ns",
        samples: 3,
        stage: Some("tcp"),
        direction: Some("rx"),
        context: Some("process"),
        cut: usize::MAX,
        frames: frames.iter().map(|frame| Arc::from(*frame)).collect(),
    }
}

fn stacks() -> Vec<Stack> {
    let mut cut = stack(40e6, &["tcp_ack", "veth_poll [veth]", "main (kafka)"]);
    cut.cut = 2;
    vec![
        stack(
            60e6,
            &["copy", "tcp_recvmsg", "read (libc.so.6)", "main (kafka)"],
        ),
        cut,
    ]
}

fn written(stacks: &[Stack]) -> Vec<u8> {
    let line = ("main (kafka)".into(), "kafka.c:17-23".into());
    let lines: BTreeMap<Arc<str>, Arc<str>> = [line].into_iter().collect();
    profile(&Profile {
        title: "edge-12: CPU time".to_owned(),
        subtitle: "6.8.0".to_owned(),
        stacks,
        lines: &lines,
        at: 1_795_362_301_000_000_000,
        seconds: 10.0,
    })
    .expect("there is something")
}

fn read(bytes: &[u8]) -> Proto {
    let mut plain = Vec::new();
    let mut unzip = GzDecoder::new(bytes);
    unzip.read_to_end(&mut plain).expect("gzip");
    Proto::decode(&*plain).expect("a message")
}

#[test]
fn every_sample_leads_to_its_functions_objects_and_lines() {
    let read = read(&written(&stacks()));
    let text = |place: i64| read.string_table[place as usize].as_str();
    let mut found = Vec::new();
    for sample in &read.sample {
        let frames: Vec<String> = (sample.location_id.iter())
            .map(|id| {
                let location = &read.location[*id as usize - 1];
                let line = &location.line[0];
                let function = &read.function[line.function_id as usize - 1];
                let mapping = &read.mapping[location.mapping_id as usize - 1];
                assert_eq!((location.id, mapping.has_functions), (*id, true));
                assert_eq!(function.id, line.function_id);
                let (name, file) = (text(function.name), text(function.filename));
                format!("{name} {} {file}:{}", text(mapping.filename), line.line)
            })
            .collect();
        found.push((frames, sample.value.clone()));
    }
    let owned = |frames: &[&str]| frames.iter().map(ToString::to_string).collect::<Vec<_>>();
    let expected = [
        (
            owned(&[
                "copy [kernel.kallsyms] :0",
                "tcp_recvmsg [kernel.kallsyms] :0",
                "read libc.so.6 :0",
                "main kafka kafka.c:17",
            ]),
            vec![3, 60_000_000],
        ),
        (
            owned(&["tcp_ack [kernel.kallsyms] :0", "veth_poll [veth] :0"]),
            vec![3, 40_000_000],
        ),
    ];
    assert_eq!(found, expected);
    let types: Vec<_> = (read.sample_type.iter())
        .map(|kind| (text(kind.kind), text(kind.unit)))
        .collect();
    assert_eq!(types, [("samples", "count"), ("cpu", "nanoseconds")]);
    assert_eq!(read.string_table[0], "");
    assert_eq!(read.time_nanos, 1_795_362_291_000_000_000);
    let labels: Vec<_> = (read.sample[0].label.iter())
        .map(|label| (text(label.key), text(label.text), label.number))
        .collect();
    let expected = [
        ("pid", "", 7),
        ("comm", "kaf?ka", 0),
        ("context", "process", 0),
        ("stage", "tcp", 0),
        ("direction", "rx", 0),
    ];
    assert_eq!(labels, expected);
}

#[test]
fn the_same_frame_is_written_once() {
    let many = vec![stack(1e6, &["f", "g (x)"]); 100];
    let read = read(&written(&many));
    assert_eq!(
        (read.location.len(), read.function.len(), read.mapping.len()),
        (2, 2, 2)
    );
    assert_eq!(read.sample.len(), 100);
}

#[test]
fn go_tool_pprof_prints_the_functions_with_their_time() {
    if Command::new("go").arg("version").output().is_err() {
        println!("skipped: go is not installed (apt-get install -y golang)");
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("cpu.pb.gz");
    fs::write(&path, written(&stacks())).expect("file");
    let ended = Command::new("go")
        .args(["tool", "pprof", "-top", "-cum"])
        .arg(&path)
        .env("HOME", dir.path())
        .output()
        .expect("go runs");
    let (out, err) = (
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr),
    );
    assert!(ended.status.success(), "{err}");
    for said in ["Type: cpu", "Duration: 10s, Total samples = 100ms"] {
        assert!(out.contains(said), "no {said}: {out}");
    }
    let line = |name: &str| {
        let ends = |line: &&str| line.trim_end().ends_with(name);
        let line = out
            .lines()
            .find(ends)
            .unwrap_or_else(|| panic!("no {name}: {out}"));
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(line(" copy")[..2], ["60ms", "60.00%"]);
    assert_eq!(line(" tcp_ack")[..2], ["40ms", "40.00%"]);
    assert_eq!(line(" main")[3..5], ["60ms", "60.00%"]);
}
