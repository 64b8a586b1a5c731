//! Recordings of the real kernel, read by perf where it is installed: it accepts them, and its
//! weights add up to what was sent and to the exact counts in netop's own part.

use crate::skip::skip;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ::netop::perfdata::Line;

use crate::net::{B, Net, Traffic, may_run, run};

/// `netop record -o FILE …`.
pub struct Record {
    child: Child,
    path: PathBuf,
}

impl Record {
    /// Returns when events are attached.
    pub fn start(path: &Path, flags: &[&str]) -> Record {
        let before = fs::metadata(path).map(|found| found.ino()).ok();
        let mut child = Command::new(env!("CARGO_BIN_EXE_netop"))
            .args(["record", "-o"])
            .arg(path)
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .expect("netop starts");
        let began = Instant::now();
        let new = || fs::metadata(path).is_ok_and(|found| Some(found.ino()) != before);
        // The baseline, two short ones for attaching, and one whole interval.
        while (!new() || rounds(path) < 4) && matches!(child.try_wait(), Ok(None)) {
            let waited = began.elapsed();
            assert!(waited < Duration::from_secs(30), "nothing is recorded");
            sleep(Duration::from_millis(20));
        }
        Record {
            child,
            path: path.to_owned(),
        }
    }

    fn signal(self, signal: &str) -> (PathBuf, Output) {
        run(&["kill", signal, &self.child.id().to_string()]);
        (self.path, self.child.wait_with_output().expect("it ends"))
    }

    /// What it said.
    pub fn stop(self) -> (PathBuf, String) {
        let (path, output) = self.signal("-INT");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{said}");
        (path, said)
    }
}

/// Finished rounds of a recording that goes on.
fn rounds(path: &Path) -> usize {
    let file = fs::read(path).unwrap_or_default();
    let data = file.get(40..48).and_then(|word| word.try_into().ok());
    let mut at = u64::from_le_bytes(data.unwrap_or_default()) as usize;
    let mut rounds = 0;
    while let (true, Some(header)) = (at > 0, file.get(at..at + 8)) {
        rounds += usize::from(header[..4] == 68u32.to_le_bytes());
        at += usize::from(u16::from_le_bytes([header[6], header[7]])).max(8);
    }
    rounds
}

/// perf's answer, which has to be without a warning; `None`: it is not installed.
pub fn perf(words: &[&str], path: &Path) -> Option<String> {
    let output = Command::new("perf")
        .args(words)
        .arg("-i")
        .arg(path)
        .output();
    let output = output.ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    // A hint of evlist; and what perf says of every file with a LOST record, which a busy machine
    // may cause: the weights make up for it.
    let of_loss = ["Warning:", "Processed ", "Check IO/CPU overload!"];
    let hints = if lost(&said) { &of_loss[..] } else { &[] };
    let told = |line: &&str| {
        let begins = |with: &&str| line.starts_with(with);
        !(line.is_empty() || begins(&"# Tip") || hints.iter().any(begins))
    };
    let warned = said.lines().filter(told);
    assert_eq!(warned.collect::<Vec<_>>(), [""; 0], "{words:?}");
    assert!(output.status.success(), "{words:?}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn lost(said: &str) -> bool {
    said.contains(" and lost ")
}

/// Sum of perf's weights by event.
pub fn weights(path: &Path) -> Option<BTreeMap<String, u64>> {
    let mut sums = BTreeMap::new();
    for line in perf(&["script", "-F", "event,period"], path)?.lines() {
        let mut words = line.split_whitespace();
        if let (Some(period), Some(event)) = (words.next(), words.next()) {
            let period: u64 = period.parse().expect("a number");
            *sums
                .entry(event.trim_end_matches(':').to_owned())
                .or_default() += period;
        }
    }
    Some(sums)
}

/// Hits by event of netop's own questions about the host in the last 100 ms, which come after the
/// counts are read for the last time.
fn last_questions(path: &Path) -> BTreeMap<String, u64> {
    let text = perf(&["script", "-F", "comm,time,event,period"], path).expect("perf is installed");
    // `counters 12057.484401: 1 skb:consume_skb:`
    let samples: Vec<(&str, f64, u64, &str)> = (text.lines())
        .filter_map(|line| {
            let (rest, event) = line.trim_end().trim_end_matches(':').rsplit_once(' ')?;
            let (rest, period) = rest.trim_end().rsplit_once(' ')?;
            let (comm, time) = rest.trim_end().trim_end_matches(':').rsplit_once(' ')?;
            let (time, period) = (time.parse().ok()?, period.parse().ok()?);
            Some((comm.trim(), time, period, event))
        })
        .collect();
    let end = samples.iter().map(|sample| sample.1).fold(0.0, f64::max);
    let mut sums = BTreeMap::new();
    for (_, _, period, event) in
        (samples.iter()).filter(|(comm, time, ..)| *comm == "counters" && *time > end - 0.1)
    {
        *sums.entry((*event).to_owned()).or_default() += period;
    }
    sums
}

/// Lines of netop's own part.
pub fn trailer(path: &Path) -> Vec<Line> {
    let file = fs::read(path).expect("it is there");
    let (rest, end) = file.split_at(file.len() - 16);
    assert_eq!(end[8..], *b"NETOPEND");
    let begin = u64::from_le_bytes(end[..8].try_into().expect("eight bytes")) as usize;
    let lines = zstd::decode_all(&rest[begin + 16..]).expect("zstd");
    let lines = lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty());
    lines
        .map(|line| serde_json::from_slice(line).expect("a line"))
        .collect()
}

/// Exact hits by event in the intervals that are shown, but not those of softirqs' times.
pub fn exact(lines: &[Line]) -> BTreeMap<String, u64> {
    let names: Vec<_> = (lines.iter())
        .find_map(|line| match line {
            Line::Session(session) => Some(&session.events),
            _ => None,
        })
        .expect("a session")
        .iter()
        .map(|event| (event.spec.full_name(), event.spec.filter.clone()))
        .collect();
    let mut sums = BTreeMap::new();
    for line in lines {
        let Line::Tick { tick, shown: true } = line else {
            continue;
        };
        for count in &tick.counts {
            let (name, filter) = &names[count.event.0 as usize];
            if !filter
                .as_deref()
                .is_some_and(|filter| filter.contains("||"))
            {
                *sums.entry(name.clone()).or_default() += count.hits;
            }
        }
    }
    sums
}

#[test]
fn perf_reads_a_recording_and_its_weights_are_what_was_sent() {
    let Some(_one) = may_run() else { return };
    let (net, dir) = (Net::new(), tempfile::tempdir().expect("a directory"));
    let _receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9310"));
    let mut sender = Traffic::start(&net.a, &format!("udp-send 0.0.0.0:0 {B}:9310 2 6000 100"));
    let path = dir.path().join("x.perf.data");
    let record = Record::start(&path, &["--max-overhead", "100"]);
    let mode = fs::metadata(&path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    sender.go();
    sender.wait_for("done");
    sleep(Duration::from_millis(1200));
    let (path, said) = record.stop();
    assert!(
        said.starts_with("netop: recorded ") && said.contains(" lost), "),
        "{said}"
    );

    let lines = trailer(&path);
    let exact = exact(&lines);
    assert!(exact["net:net_dev_queue"] >= 12_000, "{exact:?}");
    let symbols = lines.iter().find_map(|line| match line {
        Line::Symbols(symbols) => Some(symbols),
        _ => None,
    });
    let symbols = symbols.expect("names");
    let named = |name: &str| symbols.kernel.iter().any(|(_, known)| known == name);
    assert!(named("__dev_queue_xmit") && symbols.text > 0);
    assert!(!symbols.user.is_empty());

    let Some(weights) = weights(&path) else {
        skip("perf is not installed");
        return;
    };
    let questions = last_questions(&path);
    for (event, hits) in exact.iter().filter(|(_, hits)| **hits > 0) {
        let seen = weights.get(event).copied().unwrap_or(0);
        // A sample of the last moment may come before its hit is counted, on a busy machine more.
        let last = 4.max(hits / 200) + questions.get(event).copied().unwrap_or(0);
        assert!(
            (*hits..=hits + last).contains(&seen),
            "{event}: {seen} of {hits}"
        );
    }
    let fields = perf(&["script", "-G"], &path);
    let fields = fields.expect("perf is installed");
    assert!(fields.contains(&format!("net:net_dev_queue: dev={} skbaddr=0x", net.va)));
    let events = perf(&["evlist", "-v"], &path).expect("perf is installed");
    assert!(events.contains("net:net_dev_queue: type: 2, size: 128"));
    let report = perf(&["report", "--stdio", "-G"], &path).expect("perf is installed");
    assert!(report.contains("__dev_queue_xmit") && report.contains("of event 'cpu-clock'"));
    let header = perf(&["report", "--header-only"], &path).expect("perf is installed");
    for line in [
        "# hostname : ",
        "# os release : ",
        "# nrcpus online : ",
        "# cmdline : ",
    ] {
        assert!(header.contains(line), "{header}");
    }
    let builds = perf(&["buildid-list"], &path).expect("perf is installed");
    assert!(
        builds.contains("[kernel.kallsyms]") && builds.contains("libc.so"),
        "{builds}"
    );
}

#[test]
fn only_what_is_named_is_recorded_and_only_of_the_process_that_is_named() {
    let Some(_one) = may_run() else { return };
    let (net, dir) = (Net::new(), tempfile::tempdir().expect("a directory"));
    let _receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9311"));
    let order = |threads| format!("udp-send 0.0.0.0:0 {B}:9311 {threads} 3000 100");
    let mut watched = Traffic::start(&net.a, &order(1));
    let mut other = Traffic::start(&net.a, &order(2));
    let pid = watched.child.id().to_string();
    let path = dir.path().join("x.perf.data");
    let flags = ["-e", "dev_queue_xmit", "-F", "0", "-p", &pid];
    let record = Record::start(&path, &flags);
    watched.go();
    other.go();
    watched.wait_for("done");
    other.wait_for("done");
    sleep(Duration::from_millis(1200));
    let (path, _) = record.stop();
    let Some(weights) = weights(&path) else {
        skip("perf is not installed");
        return;
    };
    assert_eq!(weights.keys().collect::<Vec<_>>(), ["net:net_dev_queue"]);
    let seen = weights["net:net_dev_queue"];
    assert!((2900..=3010).contains(&seen), "{seen} of 3000");
}

#[test]
fn a_command_is_recorded_while_it_runs_and_its_exit_code_is_passed_on() {
    let Some(_one) = may_run() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("x.perf.data");
    let output = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(["record", "-o"])
        .arg(&path)
        .args(["--", "sh", "-c", "echo from within; sleep 0.4; exit 3"])
        .output()
        .expect("netop starts");
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(output.stdout, b"from within\n");
    let comms = perf(
        &["script", "--show-task-events", "-F", "comm,tid,time,event"],
        &path,
    );
    let Some(comms) = comms else {
        skip("perf is not installed");
        return;
    };
    let told = |what: &str| comms.lines().any(|line| line.contains(what));
    assert!(told("PERF_RECORD_COMM exec: sleep:"), "{comms}");
    assert!(told("PERF_RECORD_FORK") && told("PERF_RECORD_EXIT"));
}

#[test]
fn a_terminated_recording_is_whole_and_a_killed_one_has_its_head() {
    let Some(_one) = may_run() else { return };
    let dir = tempfile::tempdir().expect("a directory");
    let record = Record::start(&dir.path().join("x.perf.data"), &[]);
    let asked = Instant::now();
    let (path, output) = record.signal("-TERM");
    assert!(output.status.success() && asked.elapsed() < Duration::from_secs(2));
    assert!(
        trailer(&path)
            .iter()
            .any(|line| matches!(line, Line::Symbols(_)))
    );
    assert!(perf(&["evlist"], &path).is_none_or(|events| events.contains("cpu-clock")));

    let record = Record::start(&path, &[]);
    let old = fs::metadata(dir.path().join("x.perf.data.old"));
    assert!(old.is_ok(), "the one before is kept");
    let (path, _) = record.signal("-KILL");
    let file = fs::read(&path).expect("it is there");
    let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().expect("eight bytes"));
    assert_eq!((&file[..8], word(8), word(48)), (&b"PERFILE2"[..], 104, 0));
    let names = fs::read_dir(dir.path()).expect("a directory").count();
    assert_eq!(names, 2, "no other file is left");
}

/// A file system of its own, as small as is said.
struct Disk(PathBuf);

impl Disk {
    fn new(dir: &Path, size: &str) -> Disk {
        let path = dir.join("disk");
        fs::create_dir(&path).expect("a directory");
        let size = format!("size={size}");
        run(&[
            "mount",
            "-t",
            "tmpfs",
            "-o",
            &size,
            "tmpfs",
            path.to_str().expect("text"),
        ]);
        Disk(path)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _left_behind = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_a_valid_file_with_what_was_seen() {
    let Some(_one) = may_run() else { return };
    let (net, dir) = (Net::new(), tempfile::tempdir().expect("a directory"));
    let disk = Disk::new(dir.path(), "24m");
    let _receiver = Traffic::start(&net.b, &format!("udp-receive {B}:9312"));
    let mut sender = Traffic::start(&net.a, &format!("udp-flood 0.0.0.0:0 {B}:9312 40"));
    let path = disk.0.join("x.perf.data");
    sender.go();
    let record = Record::start(&path, &["--max-overhead", "100", "-F", "999"]);
    let output = record.child.wait_with_output().expect("it ends");
    let said = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        said.starts_with("netop: recording stopped early (No space left"),
        "{said}"
    );
    assert!(
        said.contains(" s with ") && said.contains("try: df -h"),
        "{said}"
    );
    let lines = trailer(&path);
    let ticks = lines
        .iter()
        .filter(|line| matches!(line, Line::Tick { .. }));
    assert!(ticks.count() > 1);
    if let Some(weights) = weights(&path) {
        let sent = weights.get("net:net_dev_queue");
        assert!(sent > Some(&1000), "{said} {weights:?}");
    }
    // What it says that it kept is what is read back.
    let typed = [
        "report",
        path.to_str().expect("text"),
        "-b",
        "--format",
        "json",
    ];
    let report = Command::new(env!("CARGO_BIN_EXE_netop"))
        .args(typed)
        .output();
    let report = report.expect("netop starts").stdout;
    let read: serde_json::Value = serde_json::from_slice(&report).expect("one snapshot");
    let count = |name: &str| read["health"][name].as_u64().expect("a count");
    let samples = count("samples") + count("cpu_samples");
    let lost = count("lost") + count("channel_dropped") + count("undecodable");
    let seconds = read["elapsed_s"].as_f64().expect("seconds");
    let kept = format!("kept {seconds:.1} s with {samples} samples ({lost} lost)");
    assert!(said.contains(&kept), "{kept}: {said}");
}

/// util-linux's programs: netop raises its limit where it may.
#[test]
fn a_recording_with_too_few_open_files_says_what_is_not_in_it() {
    let Some(_one) = may_run() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("few.data");
    let output = Command::new("prlimit")
        .args([
            "--nofile=60:60",
            "setpriv",
            "--bounding-set",
            "-sys_resource",
        ])
        .arg(env!("CARGO_BIN_EXE_netop"))
        .args(["record", "--duration", "1", "-o"])
        .arg(&path)
        .output()
        .expect("prlimit and setpriv");
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{said}");
    let lack = "too many open files; try: ulimit -n 65536";
    let about = |line: &&str| line.starts_with("netop: note: ") && line.ends_with(lack);
    assert!(said.lines().any(|line| about(&line)), "{said}");
    // A lack of descriptors is no lack of rights.
    assert!(!said.contains("not permitted"), "{said}");
}
