//! Of which processes and devices a recording has samples: a filter that none of them passes is a slip
//! of the one who typed it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use super::module;
use crate::decode::{Batch, ClockKind, EventSpec, Happened, Sample, Session, Span};
use crate::error::{Error, shell_word};
use crate::export;
use crate::model::{Entry, Names, entries};
use crate::source::replay::{FileEvent, Opened, Options, Replay};
use crate::source::{Source, Step};

/// Named when none of those asked for is there; the rest is a number.
const MOST: usize = 12;

/// Waited for the next record.
const PATIENCE: Duration = Duration::from_millis(100);

pub struct Filter<'a> {
    pub pids: &'a [u32],
    pub device: Option<&'a str>,
    pub module: Option<&'a str>,
    /// netop's own recording: what a process's sockets did was sampled in others, too.
    pub by_owner: bool,
}

#[derive(Default)]
struct There {
    /// With their samples and their latest name.
    processes: BTreeMap<u32, (u64, String)>,
    devices: BTreeSet<String>,
    modules: BTreeSet<String>,
}

/// Reads the file once more and refuses what it has not. `names`: of its kernel's
/// functions, where a module is looked for.
pub fn check(
    path: &Path,
    filter: &Filter<'_>,
    specs: Vec<EventSpec>,
    names: &mut dyn Names,
) -> Result<(), Error> {
    let nothing = filter.pids.is_empty() && filter.device.is_none() && filter.module.is_none();
    // A pipe cannot be read twice.
    if nothing || path.as_os_str() == "-" {
        return Ok(());
    }
    let options = Options {
        specs,
        ..Options::default()
    };
    let mut replay = Replay::start(Opened::open(path)?, options)?;
    let mut names = filter.module.map(|_| names);
    let mut there = There::default();
    loop {
        match replay.step(PATIENCE)? {
            Step::Batch(batch) => {
                there.take(replay.session(), &batch, &mut names);
                replay.recycle(batch);
            }
            Step::Tick(tick) => {
                let links = tick.host.slow.iter().flat_map(|slow| &slow.links);
                there.devices.extend(links.map(|link| link.name.clone()));
                let counted = tick.devices.iter().map(|device| device.name.clone());
                there.devices.extend(counted);
            }
            Step::End => break,
            Step::Idle => {}
        }
    }
    let file = export::clean(&path.display().to_string()).into_owned();
    there.judge(&file, filter)
}

/// Refuses a recording of perf without a sample: a page of zeros would say that nothing happened.
pub fn check_samples(path: &Path, opened: &Opened, specs: Vec<EventSpec>) -> Result<(), Error> {
    if opened.is_netops() || path.as_os_str() == "-" {
        return Ok(());
    }
    let options = Options {
        specs,
        ..Options::default()
    };
    let mut replay = Replay::start(Opened::open(path)?, options)?;
    loop {
        match replay.step(PATIENCE)? {
            Step::Batch(batch) if !batch.samples.is_empty() => return Ok(()),
            Step::End => break,
            _ => {}
        }
    }
    let file = export::clean(&path.display().to_string()).into_owned();
    let events = opened.file_events().into_iter().map(|event| match event {
        FileEvent::Clock(ClockKind::Cycles, _) => "cycles".to_owned(),
        FileEvent::Clock(ClockKind::CpuClock, _) => "cpu-clock".to_owned(),
        FileEvent::Tracepoint { group, name, .. } => format!("{group}:{name}"),
        FileEvent::Other(name) => name,
    });
    let events: Vec<String> = events.collect();
    let events = export::clean(&events.join(", ")).into_owned();
    let what = format!("{file} has no sample that netop reads");
    if let [fault, ..] = opened.faults() {
        let fault = fault.split(": ").next().unwrap_or(fault);
        let again = "netop record -o FILE, and end it with Ctrl-C";
        return Err(Error::nothing(
            format!("{what}: {}", export::clean(fault)),
            again,
        ));
    }
    Err(Error::nothing(
        format!(
            "{what}: {events} did not happen while it was recorded, or is in data that only perf decodes (AUX)"
        ),
        format!("perf report --stats -i {}", shell_word(&file)),
    ))
}

impl There {
    fn take(&mut self, session: &Session, batch: &Batch, names: &mut Option<&mut dyn Names>) {
        for happened in &batch.side {
            if let Happened::Named { comm, .. } = &happened.what
                && happened.pid == happened.tid
            {
                let process = self.processes.entry(happened.pid).or_default();
                process.1.clone_from(comm);
            }
        }
        for sample in &batch.samples {
            self.processes.entry(sample.pid).or_default().0 += 1;
            self.devices.extend(device(session, sample, batch));
            let Some(names) = names else { continue };
            for entry in entries(sample.chain.of(&batch.frames)) {
                if let Entry::Kernel(address) = entry {
                    let name = names.kernel(address).text;
                    let module = name
                        .strip_suffix(']')
                        .and_then(|name| name.split_once(" ["));
                    self.modules
                        .extend(module.map(|(_, module)| module.to_owned()));
                }
            }
        }
    }

    fn judge(&self, file: &str, filter: &Filter<'_>) -> Result<(), Error> {
        let hint = format!("netop report {file}", file = shell_word(file));
        let samples = |pid: &u32| self.processes.get(pid).map(|(samples, _)| *samples);
        let is_there = |pid: &u32| samples(pid).is_some_and(|n| n > 0 || filter.by_owner);
        if !filter.pids.is_empty() && !filter.pids.iter().any(is_there) {
            let typed: Vec<String> = filter.pids.iter().map(ToString::to_string).collect();
            let mut with: Vec<_> = self.processes.iter().collect();
            with.retain(|(_, (samples, _))| *samples > 0);
            with.sort_by_key(|(_, (samples, _))| std::cmp::Reverse(*samples));
            let name = |(pid, (_, comm)): &(&u32, &(u64, String))| match comm.as_str() {
                "" => format!("PID {pid}"),
                comm => format!("{} ({pid})", export::clean(comm)),
            };
            let what = format!(
                "no sample of {file} is of process {}: {}",
                typed.join(", "),
                listed("samples are of", with.iter().map(name)),
            );
            return Err(Error::nothing(what, hint));
        }
        if let Some(device) = filter.device
            && !self.devices.contains(device)
        {
            let devices = self.devices.iter().map(|device| export::clean(device));
            let what = format!(
                "no sample of {file} names a device {}: {}",
                export::clean(device),
                listed("devices there:", devices),
            );
            return Err(Error::nothing(what, hint));
        }
        let modules = self.modules.iter().map(String::as_str);
        module::met(filter.module, modules, (file, &hint))
    }
}

fn device(session: &Session, sample: &Sample, batch: &Batch) -> Option<String> {
    let spec = &session.events.get(sample.event.0 as usize)?.spec;
    let field = spec.device_field.as_ref()?;
    let index = spec.fields.iter().position(|name| name == field)?;
    let text = Span::unpack(*sample.values.get(index)?).of(&batch.raw);
    let text = text.split(|&byte| byte == 0).next()?;
    (!text.is_empty()).then(|| String::from_utf8_lossy(text).into_owned())
}

/// `before` and the first of them, or that there is none.
fn listed(before: &str, all: impl Iterator<Item = impl Display>) -> String {
    let mut all: Vec<String> = all.map(|one| one.to_string()).collect();
    let more = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    match (all.as_slice(), more) {
        ([], _) => "there is none".to_owned(),
        (all, 0) => format!("{before} {}", all.join(", ")),
        (all, more) => format!("{before} {} and {more} more", all.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(there: &There, filter: &Filter<'_>) -> Option<String> {
        let refused = there.judge("x.data", filter).err()?;
        assert_eq!(
            (refused.exit_code(), refused.hint()),
            (1, "netop report x.data")
        );
        Some(refused.to_string())
    }

    const ALL: Filter<'_> = Filter {
        pids: &[],
        device: None,
        module: None,
        by_owner: false,
    };

    #[test]
    fn a_filter_that_no_sample_passes_is_refused_with_what_there_is() {
        let there = There {
            processes: [
                (7, (3, "curl".to_owned())),
                (8, (0, "bash".to_owned())),
                (9, (5, String::new())),
            ]
            .into(),
            devices: ["eth0".to_owned()].into(),
            modules: ["veth".to_owned()].into(),
        };
        assert_eq!(refused(&there, &ALL), None);
        let pids = |pids| refused(&there, &Filter { pids, ..ALL });
        assert_eq!(pids(&[8, 7]), None);
        assert_eq!(
            pids(&[8, 99]).as_deref(),
            Some("no sample of x.data is of process 8, 99: samples are of PID 9, curl (7)")
        );
        let of_owner = Filter {
            pids: &[8],
            by_owner: true,
            ..ALL
        };
        assert_eq!(refused(&there, &of_owner), None);
        let device = |device| {
            refused(
                &there,
                &Filter {
                    device: Some(device),
                    ..ALL
                },
            )
        };
        assert_eq!(device("eth0"), None);
        assert_eq!(
            device("eht0").as_deref(),
            Some("no sample of x.data names a device eht0: devices there: eth0")
        );
        let module = |module| {
            refused(
                &there,
                &Filter {
                    module: Some(module),
                    ..ALL
                },
            )
        };
        assert_eq!(module("veth"), None);
        assert!(module("vteh").is_some_and(|why| why.ends_with("modules there: veth")));
        let none = There::default();
        let device = Some("eth0");
        let why = refused(&none, &Filter { device, ..ALL }).expect("no device");
        assert!(why.ends_with("names a device eth0: there is none"), "{why}");
    }

    #[test]
    fn of_many_the_first_are_named_and_the_rest_counted() {
        assert_eq!(
            listed("there:", 1..=14),
            "there: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 2 more"
        );
    }
}
