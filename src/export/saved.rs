//! A snapshot that was written as JSON, read again: the stacks and where they come from. The file
//! may come from anywhere: what is no snapshot is refused with the reason.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::model::{Context, Direction, NO_SOCKET, SCHEMA, Stack, StageId};

/// Text of one snapshot; a busy host of 512 CPUs has a tenth of it.
pub const LARGEST: usize = 16 << 20;

/// A kernel and a user chain have 127 frames each, and some were inlined.
const DEEPEST: usize = 2000;

const LONGEST_STAGE: usize = 32;

/// Sums of weights stay exact below this.
const HEAVIEST: f64 = (1_u64 << 53) as f64;

#[derive(Debug)]
pub struct Saved {
    pub hostname: String,
    pub kernel: String,
    /// End of the interval, RFC 3339 when netop wrote it.
    pub at: String,
    pub interval_s: f64,
    pub stacks: Vec<Stack>,
    /// `file:line` by frame.
    pub lines: BTreeMap<Arc<str>, Arc<str>>,
}

#[derive(Deserialize)]
struct SnapshotText {
    schema: String,
    at: String,
    interval_s: f64,
    host: HostText,
    stacks: Vec<StackText>,
    #[serde(default)]
    lines: BTreeMap<Arc<str>, Arc<str>>,
}

#[derive(Deserialize)]
struct HostText {
    hostname: String,
    kernel: String,
}

#[derive(Deserialize)]
pub(super) struct StackText {
    function: String,
    /// Null: no socket, no process.
    pid: Option<u32>,
    comm: String,
    weight: f64,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    samples: u64,
    #[serde(default)]
    stage: Option<String>,
    #[serde(default)]
    direction: Option<String>,
    #[serde(default)]
    context: Option<String>,
    #[serde(default)]
    cut: Option<u64>,
    frames: Vec<String>,
}

/// Reads a file of one snapshot, or the last line of a stream of them.
pub fn parse(text: &str) -> Result<Saved, String> {
    let text = text.trim();
    let last = text.rsplit('\n').next().unwrap_or(text);
    // An indented object ends with a line of its own.
    let object = if last.starts_with('{') { last } else { text };
    if object.len() > LARGEST {
        return Err(format!(
            "one snapshot of {} MiB is larger than any that netop writes",
            object.len() >> 20
        ));
    }
    let read: SnapshotText = serde_json::from_str(object).map_err(|error| error.to_string())?;
    if read.schema != SCHEMA {
        return Err(format!("its schema is {:?}, not {SCHEMA}", read.schema));
    }
    let mut stages = Stages::default();
    let stacks = read.stacks.into_iter().map(|read| stack(read, &mut stages));
    let stacks: Result<Vec<Stack>, String> = stacks.collect();
    let stacks = stacks?;
    let weight: f64 = stacks.iter().map(|stack| stack.weight).sum();
    if weight >= HEAVIEST {
        return Err(format!("its stacks weigh {weight:e} together"));
    }
    Ok(Saved {
        hostname: read.host.hostname,
        kernel: read.host.kernel,
        at: read.at,
        interval_s: read.interval_s,
        stacks,
        lines: read.lines,
    })
}

/// Names of stages live as long as the program, as those of its own table do: few are kept.
#[derive(Debug, Default)]
pub(super) struct Stages(Vec<&'static str>);

impl Stages {
    fn keep(&mut self, name: &str) -> Option<&'static str> {
        if let Some(known) = self.0.iter().find(|known| **known == name) {
            return Some(known);
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let is_one = (1..=LONGEST_STAGE).contains(&name.len()) && name.bytes().all(plain);
        if !is_one || self.0.len() >= StageId::MOST {
            return None;
        }
        let kept: &'static str = Box::leak(name.into());
        self.0.push(kept);
        Some(kept)
    }
}

pub(super) fn stack(read: StackText, stages: &mut Stages) -> Result<Stack, String> {
    let unit = match read.unit.as_deref() {
        None | Some("hits") => "hits",
        Some("ns") => "ns",
        Some(other) => return Err(format!("a stack has the unit {other:?}")),
    };
    if read.weight < 0.0 {
        return Err(format!("a stack has the weight {}", read.weight));
    }
    if read.frames.len() > DEEPEST {
        return Err(format!("a stack has {} frames", read.frames.len()));
    }
    let context = read.context.as_deref();
    let frames: Vec<Arc<str>> = read.frames.into_iter().map(Arc::from).collect();
    Ok(Stack {
        function: read.function.into(),
        pid: read.pid.unwrap_or(NO_SOCKET),
        comm: read.comm.into(),
        weight: read.weight,
        unit,
        samples: read.samples,
        stage: read.stage.and_then(|name| stages.keep(&name)),
        direction: (Direction::ALL.into_iter().map(Direction::name))
            .find(|known| Some(*known) == read.direction.as_deref()),
        context: Context::ALL
            .iter()
            .map(|known| known.name())
            .find(|known| Some(*known) == context),
        cut: read.cut.map_or(usize::MAX, |cut| cut as usize),
        frames: frames.into(),
    })
}

#[cfg(test)]
#[path = "saved_tests.rs"]
mod tests;
