//! Wiring only: who drives the engine and where output goes. One file per command.

mod advise;
mod batch;
mod bundle;
mod completions;
mod diff;
mod doctor;
mod export;
mod flight;
mod group;
mod list;
mod live;
mod man;
mod module;
mod names;
mod observable;
mod probing;
mod record;
mod report;
mod said;
mod save;
mod screen;
mod script;
mod terminal;
mod there;

use std::io;

use std::time::Duration;

use crate::cli::{Cli, Command, Live};
use crate::engine::Counting;
use crate::engine::Engine;
use crate::error::Error;
use crate::host::{Proc, drivers};
use crate::model::Names;
use crate::plan::{self, Plan};
use crate::source::demo::{Demo, Pace};
use crate::source::live::{Live as LiveSource, Options};
use crate::source::{Source, narrowed};
use crate::symbol::{HostNames, KernelCache};
use crate::sys::Raised;

use self::probing::Probing;

pub use self::names::{DEMO_DRIVERS, DemoNames};
pub use self::said::{answer, say_error};

/// Runs what was typed.
pub fn run(cli: &Cli) -> Result<(), Error> {
    terminal::end_on_panic();
    match &cli.command {
        None => host(&cli.live),
        Some(Command::Demo(demo)) => made_up(&demo.live, demo.seed),
        Some(Command::Report(typed)) => report::run(typed),
        Some(Command::Export(typed)) => export::run(typed),
        Some(Command::List(typed)) => list::run(typed.pattern.as_deref(), &typed.pids),
        Some(Command::Advise(typed)) => advise::advise(typed),
        Some(Command::Why(typed)) => advise::why(typed),
        Some(Command::Diff(typed)) => diff::run(typed),
        Some(Command::Record(typed)) => record::run(typed),
        Some(Command::Completions { shell }) => {
            printed(completions::run(*shell, &mut io::stdout()))
        }
        Some(Command::Man) => printed(man::run(&mut io::stdout())),
        Some(Command::Doctor(typed)) => doctor::run(&typed.format, screen::speaks_unicode()),
    }
}

/// This host's kernel.
fn host(typed: &Live) -> Result<(), Error> {
    screen::check_output(typed)?;
    let mut plan = plan::live(typed)?;
    group::only(typed, &mut plan)?;
    watch(Origin::Host, plan, typed)
}

/// The made-up machine.
fn made_up(typed: &Live, seed: u64) -> Result<(), Error> {
    screen::check_output(typed)?;
    let pace = if typed.screen.keys.is_some() {
        Pace::AsFastAsPossible
    } else {
        Pace::RealTime
    };
    watch(Origin::MadeUp(seed, pace), plan::demo(typed)?, typed)
}

/// How long the first figures wait for BPF programs to load: a screen has the free counters at once,
/// a batch is read by programs that expect every row in the first snapshot.
const SCREEN_WAITS: Duration = Duration::from_millis(150);
const BATCH_WAITS: Duration = Duration::from_secs(10);

/// Until then a screen names user frames by tables of symbols: inlined functions and lines of source
/// cost more than everything else that netop does in its first seconds.
const DEBUG_AFTER: Duration = Duration::from_secs(5);

/// Where samples and names come from.
#[derive(Clone, Copy)]
enum Origin {
    Host,
    /// With this seed.
    MadeUp(u64, Pace),
}

impl Origin {
    fn engine(self, mut plan: Plan) -> Result<Engine, Error> {
        let specs = plan.registry.specs();
        let (source, names): (Box<dyn Source>, Box<dyn Names>) = match self {
            Origin::Host => {
                // Its threads read other users' processes and programs as long as they live.
                let _rights = Raised::all();
                module::loaded_here(plan.want.module.as_deref())?;
                let source = LiveSource::open(Options {
                    specs,
                    tracefs: std::mem::replace(&mut plan.tracefs, Err(String::new())),
                    interval: plan.want.interval,
                    gate: matches!(plan.settings.counting, Counting::Auto | Counting::Bpf).then(
                        || match plan.settings.first_interval {
                            Some(_) => SCREEN_WAITS,
                            None => BATCH_WAITS,
                        },
                    ),
                    clock: true,
                    cpus: plan.want.cpus.clone(),
                })?;
                // A batch may be over when a screen's stacks are looked at for the first time.
                // A recording keeps the names for those who read it.
                let debug_after = match plan.settings.first_interval {
                    _ if plan.settings.counting == Counting::Record => None,
                    Some(_) => Some(DEBUG_AFTER),
                    None => Some(Duration::ZERO),
                };
                let cache = KernelCache::of_user();
                let names = HostNames::cached(drivers(&Proc::host()), cache, debug_after);
                (Box::new(source), Box::new(names))
            }
            Origin::MadeUp(seed, pace) => {
                module::met(
                    plan.want.module.as_deref(),
                    DEMO_DRIVERS.into_iter(),
                    ("the demo", "netop demo --module ice"),
                )?;
                let demo = Box::new(Demo::new(seed, pace, specs));
                (
                    narrowed(demo, &plan.want.cpus)?,
                    Box::new(DemoNames::default()),
                )
            }
        };
        let Plan {
            registry,
            want,
            settings,
            ..
        } = plan;
        Ok(Engine::new(source, names, registry, settings, want))
    }
}

/// The screen, its script, or batch.
fn watch(origin: Origin, plan: Plan, typed: &Live) -> Result<(), Error> {
    let (want, notes) = (plan.want.clone(), plan.settings.notes.clone());
    let engine = origin.engine(plan)?;
    if typed.batch.batch {
        return batch::run(engine, want, typed).map(|_| ());
    }
    let ui = screen::open(typed, want, &notes, None)?;
    let dir = screen::snapshot_dir(typed);
    let probing = Probing::new(origin, typed);
    match &typed.screen.keys {
        Some(keys) => script::run(engine, ui, keys, typed, Some(&probing), &dir),
        None => live::run(
            engine,
            ui,
            dir,
            typed.count,
            live::After::Probing(Box::new(probing)),
        ),
    }
}

/// A closed pipe is no error: the reader has seen enough.
fn printed(result: io::Result<()>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::failed(format!("cannot write: {error}"), "df -h"))
        }
        _ => Ok(()),
    }
}
