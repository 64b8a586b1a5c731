//! Snapshots that were written as JSON, read again as one side of a comparison: the stream of
//! `-b --format json`, a line each, or the one that `w` wrote. The file may come from anywhere: what
//! is no snapshot is refused with the line and the reason.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::saved::{LARGEST, StackText, Stages, stack};
use crate::model::compare::{Key, Measured, Origin, Second, Window, Windowed};
use crate::model::{OUTSIDE, SCHEMA, Stack, WirePackets, parse_time};

/// Stacks told apart; lighter newcomers of a longer series are left out.
const MOST_STACKS: usize = 20_000;

/// No interval is a year, no count or rate of one this great.
const LONGEST_S: f64 = 3e7;
const GREATEST: f64 = 1e18;

type Frames = Arc<[Arc<str>]>;

/// One side of a comparison and what its flame graph is drawn from.
#[derive(Debug, Default)]
pub struct Recorded {
    pub measured: Measured,
    /// CPU time of the heaviest stacks of each snapshot, added up, ns.
    pub stacks: Vec<Stack>,
    stages: Stages,
    /// Process and frames → index in `stacks`.
    known: HashMap<(u32, Frames), usize>,
}

#[derive(Deserialize)]
struct SnapshotText {
    schema: String,
    at: String,
    interval_s: f64,
    host: HostText,
    summary: SummaryText,
    functions: Vec<FunctionText>,
    #[serde(default)]
    stages: Vec<StageText>,
    #[serde(default)]
    devices: Vec<DeviceText>,
    #[serde(default)]
    processes: Vec<ProcessText>,
    #[serde(default)]
    spent: Option<SpentText>,
    #[serde(default)]
    stacks: Vec<StackText>,
}

#[derive(Deserialize)]
struct HostText {
    hostname: String,
    kernel: String,
}

#[derive(Deserialize)]
struct SummaryText {
    cpu_window_s: Option<f64>,
    wire_pps: Option<f64>,
    net_cores: Option<f64>,
    net_cores_error: Option<f64>,
    ns_per_packet: Option<f64>,
    ns_error: Option<f64>,
}

#[derive(Deserialize)]
struct FunctionText {
    name: String,
    calls: Option<u64>,
    #[serde(default)]
    estimated: bool,
    cpu_pct: Option<f64>,
    cpu_error: Option<f64>,
    ns_per_packet: Option<f64>,
    ns_error: Option<f64>,
}

#[derive(Deserialize)]
struct StageText {
    stage: String,
    direction: String,
    cpu_pct: f64,
    cpu_error: Option<f64>,
    ns_per_packet: Option<f64>,
    ns_error: Option<f64>,
}

#[derive(Deserialize)]
struct DeviceText {
    name: String,
    rx_packets: Option<u64>,
    tx_packets: Option<u64>,
}

#[derive(Deserialize)]
struct ProcessText {
    /// Null: no socket, no process.
    pid: Option<u32>,
    comm: String,
    context_rate: f64,
    #[serde(default)]
    estimated: bool,
    #[serde(default)]
    calls_exact: bool,
}

#[derive(Deserialize)]
struct SpentText {
    net_ns: f64,
    sample_ns: f64,
    wire: Option<WireText>,
    functions: Vec<FunctionSpentText>,
    stages: Vec<StageSpentText>,
    processes: Vec<ProcessSpentText>,
}

#[derive(Deserialize)]
struct WireText {
    rx: f64,
    tx: f64,
    all: f64,
}

#[derive(Deserialize)]
struct FunctionSpentText {
    name: String,
    direction: String,
    ns: f64,
}

#[derive(Deserialize)]
struct StageSpentText {
    stage: String,
    direction: String,
    ns: f64,
}

#[derive(Deserialize)]
struct ProcessSpentText {
    pid: u32,
    ns: f64,
}

/// Why a line was refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    pub why: String,
    /// The text ends within the snapshot: it was cut off.
    pub cut_off: bool,
}

impl Refused {
    fn new(why: impl Into<String>) -> Refused {
        Refused {
            why: why.into(),
            cut_off: false,
        }
    }
}

impl Recorded {
    /// Takes the text of one snapshot that begins in line `line` of its file.
    pub fn take(&mut self, line: usize, text: &str) -> Result<(), Refused> {
        if text.len() > LARGEST {
            let why = format!("line {line} is larger than any snapshot that netop writes");
            return Err(Refused::new(why));
        }
        let read: SnapshotText = serde_json::from_str(text).map_err(|error| Refused {
            why: place(line, &error),
            cut_off: error.is_eof(),
        })?;
        let at = |why: String| Refused::new(format!("line {line}: {why}"));
        if read.schema != SCHEMA {
            return Err(at(format!("its schema is {:?}, not {SCHEMA}", read.schema)));
        }
        let time = parse_time(&read.at);
        let time = time.ok_or_else(|| at(format!("{:?} is no time", read.at)))?;
        if !(read.interval_s > 0.0 && read.interval_s < LONGEST_S) {
            return Err(at(format!("its interval is {} s", read.interval_s)));
        }
        let second = second(&read).map_err(at)?;
        let window = window(&read).map_err(at)?;
        let origin = Origin {
            hostname: read.host.hostname,
            kernel: read.host.kernel,
            at: time,
        };
        self.measured
            .push(origin, second, window)
            .map_err(|_| at("it names more functions and processes than a host has".to_owned()))?;
        for text in read.stacks {
            let stack = stack(text, &mut self.stages).map_err(at)?;
            self.add_stack(stack);
        }
        Ok(())
    }

    fn add_stack(&mut self, stack: Stack) {
        if stack.unit != "ns" {
            return;
        }
        let key = (stack.pid, Arc::clone(&stack.frames));
        match self.known.get(&key) {
            Some(&at) => self.stacks[at].weight += stack.weight,
            None if self.stacks.len() < MOST_STACKS => {
                self.known.insert(key, self.stacks.len());
                self.stacks.push(stack);
            }
            None => {}
        }
    }
}

/// `line 3, column 17: missing field …`; serde knows lines of this text only.
fn place(line: usize, error: &serde_json::Error) -> String {
    let whole = error.to_string();
    let why = whole
        .rsplit_once(" at line ")
        .map_or(&*whole, |(why, _)| why);
    let within = line + error.line().saturating_sub(1);
    format!("line {within}, column {}: {why}", error.column())
}

/// A number as netop writes it.
fn sound(what: &str, number: f64) -> Result<f64, String> {
    if (0.0..=GREATEST).contains(&number) {
        Ok(number)
    } else {
        Err(format!("{what} is {number}"))
    }
}

fn all_sound<const N: usize>(what: &str, numbers: [Option<f64>; N]) -> Result<(), String> {
    for number in numbers.into_iter().flatten() {
        sound(what, number)?;
    }
    Ok(())
}

fn second(read: &SnapshotText) -> Result<Second, String> {
    let mut second = Second {
        seconds: read.interval_s,
        ..Second::default()
    };
    for f in &read.functions {
        let calls = f.calls.map(|calls| calls as f64);
        second.count(Key::function(&f.name), calls, f.estimated);
    }
    for d in &read.devices {
        for (direction, packets) in [("rx", d.rx_packets), ("tx", d.tx_packets)] {
            let packets = packets.map(|packets| packets as f64);
            second.count(Key::device(&d.name, direction), packets, false);
        }
    }
    for p in &read.processes {
        let calls = sound("the rate of a process", p.context_rate)? * read.interval_s;
        let estimated = p.estimated && !p.calls_exact;
        second.count(Key::process(&p.comm), Some(calls), estimated);
    }
    if let Some(spent) = &read.spent {
        spend(read, spent, &mut second)?;
    }
    Ok(second)
}

fn spend(read: &SnapshotText, spent: &SpentText, second: &mut Second) -> Result<(), String> {
    second.net_ns = Some(sound("net_ns", spent.net_ns)?);
    second.sample_ns = sound("sample_ns", spent.sample_ns)?;
    if let Some(wire) = &spent.wire {
        second.wire = Some(WirePackets {
            rx: sound("wire.rx", wire.rx)?,
            tx: sound("wire.tx", wire.tx)?,
            all: sound("wire.all", wire.all)?,
        });
    }
    for f in &spent.functions {
        let ns = sound("the time of a function", f.ns)?;
        second.spend(Key::function(&f.name), &f.direction, ns);
    }
    for s in &spent.stages {
        let ns = sound("the time of a stage", s.ns)?;
        second.spend(Key::stage(&s.stage, &s.direction), &s.direction, ns);
    }
    let names: HashMap<u32, &str> = (read.processes.iter())
        .filter_map(|p| Some((p.pid?, &*p.comm)))
        .collect();
    for p in &spent.processes {
        let ns = sound("the time of a process", p.ns)?;
        if let Some(comm) = names.get(&p.pid) {
            second.spend(Key::process(comm), "other", ns);
        }
    }
    Ok(())
}

fn window(read: &SnapshotText) -> Result<Option<Window>, String> {
    let summary = &read.summary;
    let Some(seconds) = summary.cpu_window_s else {
        return Ok(None);
    };
    let what = "a figure of the summary";
    let pct = [summary.net_cores, summary.net_cores_error];
    all_sound(what, [Some(seconds), summary.wire_pps])?;
    all_sound(what, pct)?;
    all_sound(what, [summary.ns_per_packet, summary.ns_error])?;
    let pct = pct.map(|cores| cores.map(|cores| cores * 100.0));
    let mut window = Window {
        seconds,
        pps: summary.wire_pps,
        net: Windowed::new(pct.into(), (summary.ns_per_packet, summary.ns_error)),
        rows: std::collections::BTreeMap::new(),
    };
    for f in &read.functions {
        let (cpu, cost) = ((f.cpu_pct, f.cpu_error), (f.ns_per_packet, f.ns_error));
        all_sound("a figure of a function", [cpu.0, cpu.1, cost.0, cost.1])?;
        let figures = Windowed::new(cpu, cost);
        window.rows.insert(Key::function(&f.name), figures);
    }
    for s in read.stages.iter().filter(|s| s.stage != OUTSIDE) {
        let (cpu, cost) = (
            (Some(s.cpu_pct), s.cpu_error),
            (s.ns_per_packet, s.ns_error),
        );
        all_sound("a figure of a stage", [cpu.0, cpu.1, cost.0, cost.1])?;
        let figures = Windowed::new(cpu, cost);
        window
            .rows
            .insert(Key::stage(&s.stage, &s.direction), figures);
    }
    Ok(Some(window))
}

#[cfg(test)]
#[path = "measured_tests.rs"]
mod tests;
