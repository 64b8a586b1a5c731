//! What was typed → what is possible here: events resolved by name, permissions, processes.

mod events;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::events::{Asked, Kernel};
use crate::advice::Limits;
use crate::cli;
use crate::decode::{EventSpec, Format};
use crate::engine::{Counting, Registry, Row, Settings};
use crate::error::Error;
use crate::model::Want;
use crate::probe::{Added, PROBES, Probe, rejoined, softirq_times};
use crate::sys::{ErrnoHint, PerfEvent, Permissions, Tracefs, cpu_clock, read_regular};

pub struct Plan {
    pub registry: Registry,
    pub want: Want,
    pub settings: Settings,
    pub tracefs: Result<Tracefs, String>,
}

/// A run on this host's kernel.
pub fn live(typed: &cli::Live) -> Result<Plan, Error> {
    let permissions = Permissions::of_this_process();
    let tracefs = events(permissions);
    let counting = counting(typed.cost.counting, &tracefs)?;
    if counting != Counting::Proc && !typed.what.events.is_empty() {
        demand_events(&tracefs, "-e counts events")?;
    }
    if !typed.what.pids.is_empty() || typed.what.device.is_some() || typed.what.cgroup.is_some() {
        demand_events(
            &tracefs,
            "a filter needs events: the free counters know no process and no device",
        )?;
    }
    for pid in &typed.what.pids {
        if !Path::new(&format!("/proc/{pid}")).exists() {
            return Err(Error::nothing(
                format!("there is no process {pid}"),
                "pgrep -l NAME",
            ));
        }
    }
    let kernel = Kernel {
        format: &|group, name| tracefs.as_ref().map_err(Clone::clone)?.format(group, name),
        all: &|| tracefs.as_ref().map(Tracefs::all).unwrap_or_default(),
        root: Some(Path::new("/")),
        pids: &typed.what.pids,
    };
    let (want, added, notes) = want(typed, &kernel)?;
    let banner = match &tracefs {
        Err(reason) if counting != Counting::Proc => {
            // Sampling CPU time needs no tracefs.
            let shown = match cpu_clock(0) {
                Ok(_) => "Only CPU time and free counters are shown",
                Err(_) => "Only free counters are shown",
            };
            Some(if permissions.root {
                format!("{shown}: {reason}. See netop doctor.")
            } else {
                let grant = permissions.grant();
                format!("{shown}: {reason}. Run sudo netop, or once: {grant}")
            })
        }
        _ => None,
    };
    Ok(Plan {
        registry: Registry::new(added),
        want,
        settings: settings(typed, counting, banner, notes)?,
        tracefs,
    })
}

/// A run that is recorded.
pub fn record(typed: &cli::Record) -> Result<Plan, Error> {
    let live_typed = typed.live();
    let mut plan = if typed.demo {
        demo(&live_typed)?
    } else {
        demand_events(
            &events(Permissions::of_this_process()),
            "a recording is made of events",
        )?;
        live(&live_typed)?
    };
    let breakpoint = |row: &Row| row.probe.events().iter().any(EventSpec::is_breakpoint);
    if !typed.pids.is_empty() && plan.registry.rows.iter().any(breakpoint) {
        // perf_uprobe_init() reads its file's name from whoever inherits the event (src/sys/perf.rs).
        return Err(Error::unavailable(
            "perf events cannot follow one process through a breakpoint: record all, and report one",
            format!(
                "netop record -e '{}'; netop report FILE -p {}",
                typed.events.join(","),
                typed.pids[0]
            ),
        ));
    }
    plan.want.only = !typed.events.is_empty();
    plan.want.side_band = true;
    plan.settings.counting = Counting::Record;
    Ok(plan)
}

/// A run on the made-up machine: everything is possible there.
pub fn demo(typed: &cli::Live) -> Result<Plan, Error> {
    let counting = match typed.cost.counting {
        cli::Counting::Proc => Counting::Proc,
        cli::Counting::Perf => Counting::Perf,
        cli::Counting::Auto | cli::Counting::Bpf => Counting::Auto,
    };
    let kernel = Kernel {
        format: &|_, _| Ok("ID: 0\n".to_owned()),
        all: &Vec::new,
        root: None,
        pids: &[],
    };
    let (want, added, notes) = want(typed, &kernel)?;
    // Nothing costs anything on a machine that is not there.
    let settings = Settings {
        max_overhead_pct: 100.0,
        ..settings(typed, counting, None, notes)?
    };
    Ok(Plan {
        registry: Registry::new(added),
        want,
        settings,
        tracefs: Err("the demo has no tracefs".to_owned()),
    })
}

/// What a recording holds, as far as a plan must know it.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// Group, name and format text of its tracepoints.
    pub tracepoints: Vec<(String, String, Option<Arc<str>>)>,
    /// Other counters, as perf calls them.
    pub others: Vec<String>,
    /// CPU samples per second and CPU; 0: none.
    pub clock_hz: u32,
}

/// A recording that is not netop's: nothing was governed, what is in it is shown.
pub fn foreign(typed: &cli::Live, recorded: &Recorded) -> Result<Plan, Error> {
    let known: Vec<EventSpec> = PROBES.iter().flat_map(|probe| probe.events()).collect();
    let is_row = |group: &str, name: &str| {
        let same = |spec: &EventSpec| spec.group == group && spec.name == name;
        known.iter().any(same) || softirq_times().iter().any(same)
    };
    let tracepoints = recorded.tracepoints.iter();
    let tracepoints = tracepoints.filter(|(group, name, _)| !is_row(group, name));
    let mut added: Vec<Added> = tracepoints
        .map(|(group, name, format)| {
            let format = format.as_deref().and_then(|text| Format::parse(text).ok());
            Added::new(group, name, &format.unwrap_or_default())
        })
        .collect();
    added.extend(recorded.others.iter().map(|name| Added::counter(name)));
    let want = Want {
        interval: typed.interval,
        pids: typed.what.pids.clone(),
        device: typed.what.device.clone(),
        cpus: typed.what.cpus.clone().unwrap_or_default(),
        module: typed.what.module.clone(),
        clock_hz: recorded.clock_hz,
        ..Want::default()
    };
    let of_network = (recorded.tracepoints.iter()).any(|(group, name, _)| is_row(group, name));
    let banner = (!of_network).then(|| NO_NETWORK_EVENT.to_owned());
    Ok(Plan {
        registry: Registry::new(added),
        want,
        settings: Settings {
            recorded: true,
            ..settings(typed, Counting::Perf, banner, Vec::new())?
        },
        tracefs: Err("a recording has no tracefs".to_owned()),
    })
}

const NO_NETWORK_EVENT: &str = "no event of the network is in this file: view 5 and netop export have its CPU time by stack. To record the network: netop record";

/// The first snapshot of the screen comes after this, so that numbers are there at once.
const FIRST_INTERVAL: Duration = Duration::from_millis(150);

fn settings(
    typed: &cli::Live,
    counting: Counting,
    banner: Option<String>,
    notes: Vec<String>,
) -> Result<Settings, Error> {
    Ok(Settings {
        max_overhead_pct: typed.cost.max_overhead,
        counting,
        first_interval: (!typed.batch.batch).then_some(FIRST_INTERVAL),
        banner,
        notes,
        recorded: false,
        limits: limits(typed.rules.as_deref())?,
    })
}

/// Bytes: 100 rules of a line each are a tenth.
const LARGEST_RULES: u64 = 1 << 20;

/// What the advice compares with, as the user wants it.
fn limits(rules: Option<&Path>) -> Result<Limits, Error> {
    let Some(path) = rules else {
        return Ok(Limits::default());
    };
    let failed = |why: String| {
        Error::usage(
            format!("{}: {why}", path.display()),
            "netop man | grep -A3 rules",
        )
    };
    let bytes = read_regular(path, LARGEST_RULES).map_err(|e| failed(e.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| failed("it is no text (UTF-8)".to_owned()))?;
    // Without the line itself: a file of rules needs none of it to be mended, another file is not shown.
    let said = |error: toml::de::Error| {
        let line = error
            .span()
            .map(|span| text[..span.start].lines().count().max(1));
        let at = line.map_or(String::new(), |line| format!("line {line}: "));
        failed(format!("{at}{}", error.message()))
    };
    let changed: BTreeMap<String, f64> = toml::from_str(&text).map_err(said)?;
    Limits::with(changed).map_err(failed)
}

/// tracefs, or why no event can be opened here.
fn events(permissions: Permissions) -> Result<Tracefs, String> {
    if permissions.paranoid.is_none() {
        return Err("this kernel has no perf events".to_owned());
    }
    let tracefs = Tracefs::find_or_mount()?;
    if !permissions.may_trace() {
        let quiet = tracefs.quiet()?;
        PerfEvent::permitted(quiet, 0).map_err(|error| ErrnoHint::of(&error).why)?;
    }
    Ok(tracefs)
}

fn counting(typed: cli::Counting, tracefs: &Result<Tracefs, String>) -> Result<Counting, Error> {
    match typed {
        cli::Counting::Auto => Ok(Counting::Auto),
        cli::Counting::Proc => Ok(Counting::Proc),
        cli::Counting::Perf => {
            demand_events(tracefs, "--counting perf counts events")?;
            Ok(Counting::Perf)
        }
        cli::Counting::Bpf => {
            demand_events(tracefs, "--counting bpf counts events")?;
            Ok(Counting::Bpf)
        }
    }
}

fn demand_events(tracefs: &Result<Tracefs, String>, why: &str) -> Result<(), Error> {
    tracefs.as_ref().map(|_| ()).map_err(|reason| {
        let permissions = Permissions::of_this_process();
        let hint = if permissions.root {
            "netop doctor".to_owned()
        } else {
            permissions.grant()
        };
        Error::unavailable(format!("{why}, and there are none here: {reason}"), hint)
    })
}

type Wanted = (Want, Vec<Added>, Vec<String>);

/// Resolves `-e` names.
fn want(typed: &cli::Live, kernel: &Kernel<'_>) -> Result<Wanted, Error> {
    let mut want = Want {
        interval: typed.interval,
        pids: typed.what.pids.clone(),
        children: typed.what.children,
        by_owner: typed.what.by == cli::By::Owner,
        device: typed.what.device.clone(),
        cpus: typed.what.cpus.clone().unwrap_or_default(),
        module: typed.what.module.clone(),
        clock_hz: typed.what.frequency,
        all: typed.batch.all,
        latency: typed.what.latency || typed.batch.table == "latency",
        processes: typed.batch.batch && prints(&typed.batch, "processes"),
        devices: typed.batch.batch && prints(&typed.batch, "devices"),
        sockets: typed.batch.batch && prints_sockets(&typed.batch),
        // A screen says when somebody looks at them.
        stacks: typed.batch.batch,
        ..Want::default()
    };
    if want
        .device
        .as_ref()
        .is_some_and(|device| device.contains(['"', '\\']) || device.len() > 15)
    {
        return Err(Error::usage("that is no device name", "ip -br link"));
    }
    let (mut added, mut notes) = (Vec::new(), Vec::new());
    for said in &rejoined(&typed.what.events) {
        match events::asked(said, kernel)? {
            Asked::Function { name, note } => {
                want.exact.insert(name.to_owned());
                notes.extend(note.map(str::to_owned));
            }
            Asked::Added { event, note } => {
                if want.exact.insert(event.function().to_owned()) {
                    added.push(*event);
                    notes.extend(note);
                }
            }
        }
    }
    Ok((want, added, notes))
}

/// JSON has every table, text and CSV have the one that was asked for.
fn prints(batch: &cli::Batch, table: &str) -> bool {
    batch.format == "json" || batch.table == table
}

fn prints_sockets(batch: &cli::Batch) -> bool {
    let tables = ["tcp", "tcp_groups", "listeners"];
    batch.format == "json" || tables.contains(&batch.table.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(words: &[&str]) -> cli::Live {
        cli::Cli::from_words([&["netop"], words].concat())
            .unwrap()
            .live
    }

    fn resolved(words: &[&str]) -> Result<Wanted, Error> {
        let kernel = Kernel {
            format: &|group, name| match (group, name) {
                ("net", "net_dev_xmit") => Ok("ID: 9\n".to_owned()),
                _ => Err(format!("this kernel has no tracepoint {group}:{name}")),
            },
            all: &|| vec!["net:net_dev_xmit".to_owned(), "net:netif_rx".to_owned()],
            root: Some(Path::new("/")),
            pids: &[],
        };
        want(&typed(words), &kernel)
    }

    #[test]
    fn names_of_habit_become_rows_with_a_word_about_what_is_measured() {
        let (want, added, notes) = resolved(&["-e", "net:net_rx_action,dev_queue_xmit"]).unwrap();
        assert_eq!(
            want.exact.into_iter().collect::<Vec<_>>(),
            ["dev_queue_xmit", "net_rx_action"]
        );
        assert!(added.is_empty());
        assert!(notes[0].contains("no tracepoint net:net_rx_action"));
    }

    #[test]
    fn a_tracepoint_of_this_kernel_becomes_a_row_of_its_own_once() {
        let (want, added, _) =
            resolved(&["-e", "net:net_dev_xmit", "-e", "net:net_dev_xmit"]).unwrap();
        assert!(want.exact.contains("net:net_dev_xmit"));
        assert_eq!(added.len(), 1);
    }

    #[test]
    fn a_misspelt_event_is_exit_3_with_its_neighbour_as_the_next_command() {
        let error = resolved(&["-e", "net:net_dev_xmitt"]).err().unwrap();
        assert_eq!(error.exit_code(), 3);
        assert_eq!(error.hint(), "netop -e net:net_dev_xmit");
    }

    #[test]
    fn processes_are_counted_apart_where_their_table_is_printed() {
        let wanted = |words: &[&str]| resolved(words).unwrap().0.processes;
        assert!(wanted(&["-b", "--table", "processes", "--format", "csv"]));
        assert!(wanted(&["-b", "--format", "json"]));
        assert!(!wanted(&["-b"]));
        assert!(!wanted(&[]), "the screen asks when it shows them");
    }

    #[test]
    fn a_device_name_cannot_break_out_of_the_kernels_filter() {
        assert_eq!(resolved(&["-i", "va\" || 1"]).err().unwrap().exit_code(), 2);
    }
}
