//! What a kernel function is to the stage model: looked up by name in assets/stages.tsv and
//! assets/frames.tsv. Once per symbol; callers keep the answer.

mod rules;

use rustc_hash::FxHashSet;

use crate::model::{Boundary, Direction, KernelFunction, Kind, Leaf, StageId, Task};
use rules::{Rules, jited_program};

const STAGES: &str = include_str!("../../../assets/stages.tsv");
const FRAMES: &str = include_str!("../../../assets/frames.tsv");

/// Its own cost and that of other profilers.
const OBSERVER: &str = "observer";

pub struct StageTable {
    names: Vec<&'static str>,
    /// Line of the table → what its functions are.
    kinds: Vec<Kind>,
    stages: Rules,
    boundaries: Rules,
    boundary_kinds: Vec<Boundary>,
    leaves: Rules,
    leaf_kinds: Vec<Leaf>,
    tasks: Rules,
    task_kinds: Vec<Task>,
    observer: Kind,
}

impl StageTable {
    /// The table that netop carries.
    pub fn builtin() -> StageTable {
        StageTable::parse(STAGES, FRAMES).expect("the tests parse both tables")
    }

    fn parse(stages: &'static str, frames: &'static str) -> Result<StageTable, String> {
        let mut table = StageTable {
            names: Vec::new(),
            kinds: Vec::new(),
            stages: Rules::default(),
            boundaries: Rules::default(),
            boundary_kinds: Vec::new(),
            leaves: Rules::default(),
            leaf_kinds: Vec::new(),
            tasks: Rules::default(),
            task_kinds: Vec::new(),
            observer: Kind::default(),
        };
        for line in lines(stages) {
            let [stage, direction, evidence, rules] = columns(line)?;
            let kind = Kind {
                stage: Some(table.add_name(stage)?),
                direction: direction_named(direction)?,
                network: is_evidence(evidence)?,
                observer: stage == OBSERVER,
                ..Kind::default()
            };
            table.stages.add(table.kinds.len(), rules)?;
            table.kinds.push(kind);
        }
        for line in lines(frames) {
            let [of, class, rules] = columns(line)?;
            match of {
                "boundary" => {
                    table.boundaries.add(table.boundary_kinds.len(), rules)?;
                    table.boundary_kinds.push(boundary_named(class)?);
                }
                "leaf" => {
                    table.leaves.add(table.leaf_kinds.len(), rules)?;
                    table.leaf_kinds.push(leaf_named(class)?);
                }
                "task" => {
                    table.tasks.add(table.task_kinds.len(), rules)?;
                    table.task_kinds.push(task_named(class)?);
                }
                _ => return Err(format!("neither boundary, leaf nor task: {of}")),
            }
        }
        table.observer = *table
            .kinds
            .iter()
            .find(|kind| kind.observer)
            .ok_or("no stage observer")?;
        Ok(table)
    }

    fn add_name(&mut self, name: &'static str) -> Result<StageId, String> {
        let index = self.names.iter().position(|known| *known == name);
        let index = index.unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        StageId::new(index).ok_or_else(|| format!("more than {} stages", StageId::MOST))
    }

    /// In the order of the table; [`StageId::index`] is the place.
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    pub fn name(&self, stage: StageId) -> &'static str {
        self.names[stage.index()]
    }

    pub fn id(&self, name: &str) -> Option<StageId> {
        let index = self.names.iter().position(|known| *known == name)?;
        StageId::new(index)
    }

    pub fn function(&self, text: &str, drivers: &FxHashSet<String>) -> KernelFunction {
        let (name, module) = split_module(text);
        KernelFunction {
            plain: without_suffixes(name).into(),
            module: module.map(Into::into),
            kind: self.kind(text, drivers),
        }
    }

    /// `text` is a frame's name, `function` or `function [module]`; `drivers` are the modules
    /// behind the host's network devices (/sys/class/net/X/device/driver/module).
    pub fn kind(&self, text: &str, drivers: &FxHashSet<String>) -> Kind {
        let (name, module) = split_module(text);
        // Padding before a function, never run: a caller was looked up at its return address.
        if name.starts_with("__pfx_") {
            return Kind::default();
        }
        let name = without_suffixes(name);
        let driver = module.is_some_and(|module| drivers.contains(module));
        let kind = match self.stages.find(name, driver) {
            _ if is_own_program(name) => self.observer,
            Some(line) => self.kinds[line],
            None => Kind::default(),
        };
        let boundary = self.boundaries.find(name, false);
        let leaf = self.leaves.find(name, false);
        let task = self.tasks.find(name, false);
        Kind {
            task: task.map(|line| self.task_kinds[line]),
            boundary: boundary.map(|line| self.boundary_kinds[line]),
            leaf: leaf.map(|line| self.leaf_kinds[line]),
            ..kind
        }
    }
}

fn lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn columns<const N: usize>(line: &'static str) -> Result<[&'static str; N], String> {
    let columns: Vec<&str> = line.split('\t').collect();
    columns
        .try_into()
        .map_err(|_| format!("not {N} columns: {line}"))
}

fn direction_named(name: &str) -> Result<Direction, String> {
    let named = |direction: &Direction| direction.name() == name;
    let direction = Direction::ALL.into_iter().find(named);
    direction.ok_or_else(|| format!("no direction: {name}"))
}

fn is_evidence(word: &str) -> Result<bool, String> {
    match word {
        "net" => Ok(true),
        "-" => Ok(false),
        _ => Err(format!("neither net nor -: {word}")),
    }
}

fn boundary_named(name: &str) -> Result<Boundary, String> {
    match name {
        "softirq" => Ok(Boundary::Softirq),
        "interrupt" => Ok(Boundary::Interrupt),
        _ => Err(format!("no boundary: {name}")),
    }
}

fn leaf_named(name: &str) -> Result<Leaf, String> {
    let leaf = Leaf::ALL.into_iter().find(|leaf| leaf.name() == name);
    leaf.ok_or_else(|| format!("no class of leaves: {name}"))
}

fn task_named(name: &str) -> Result<Task, String> {
    match name {
        "ksoftirqd" => Ok(Task::Ksoftirqd),
        "napi_thread" => Ok(Task::NapiThread),
        _ => Err(format!("no kernel thread: {name}")),
    }
}

/// `function [module]` in two.
fn split_module(text: &str) -> (&str, Option<&str>) {
    match text.split_once(" [") {
        Some((name, module)) => (name, module.strip_suffix(']')),
        None => (text, None),
    }
}

/// The name in the source: compilers and linkers append what they did to a copy of the function.
fn without_suffixes(name: &str) -> &str {
    const SUFFIXES: [&str; 6] = ["cold", "part", "isra", "constprop", "llvm", "lto_priv"];
    match name.split_once('.') {
        Some((source, suffix)) => {
            let kind = suffix.split('.').next().unwrap_or_default();
            if SUFFIXES.contains(&kind) {
                source
            } else {
                name
            }
        }
        None => name,
    }
}

/// netop's BPF programs count its events; they are not the host's XDP.
fn is_own_program(name: &str) -> bool {
    jited_program(name).is_some_and(|program| program.starts_with("netop_"))
}

#[cfg(test)]
mod tests;
