//! Wiring only: who drives the engine and where output goes. One file per command.

mod batch;
mod completions;
mod man;
mod names;

use std::io;

use crate::cli::{Cli, Command, Live};
use crate::engine::Engine;
use crate::error::Error;
use crate::model::Want;
use crate::plan::{self, Plan};
use crate::source::demo::{Demo, Pace};
use crate::source::live;
use crate::symbol::HostNames;

use self::names::DemoNames;

/// Runs what was typed.
pub fn run(cli: &Cli) -> Result<(), Error> {
    match &cli.command {
        None => watch(host(&cli.live)?, &cli.live),
        Some(Command::Demo(demo)) => watch(made_up(&demo.live, demo.seed)?, &demo.live),
        Some(Command::Completions { shell }) => {
            printed(completions::run(*shell, &mut io::stdout()))
        }
        Some(Command::Man) => printed(man::run(&mut io::stdout())),
        Some(Command::Doctor(_)) => todo!(),
    }
}

fn watch((engine, want): (Engine, Want), typed: &Live) -> Result<(), Error> {
    batch::run(engine, want, typed)
}

/// The engine over this host's kernel.
fn host(typed: &Live) -> Result<(Engine, Want), Error> {
    let Plan {
        registry,
        want,
        settings,
        tracefs,
    } = plan::live(typed)?;
    let source = live::Live::open(live::Options {
        specs: registry.specs(),
        tracefs,
        interval: want.interval,
    })?;
    let names = Box::new(HostNames::start());
    Ok((
        Engine::new(Box::new(source), names, registry, settings, want.clone()),
        want,
    ))
}

/// The engine over the made-up machine.
fn made_up(typed: &Live, seed: u64) -> Result<(Engine, Want), Error> {
    let Plan {
        registry,
        want,
        settings,
        ..
    } = plan::demo(typed)?;
    let pace = if typed.screen.keys.is_some() {
        Pace::AsFastAsPossible
    } else {
        Pace::RealTime
    };
    let source = Box::new(Demo::new(seed, pace, registry.specs()));
    Ok((
        Engine::new(
            source,
            Box::new(DemoNames),
            registry,
            settings,
            want.clone(),
        ),
        want,
    ))
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
