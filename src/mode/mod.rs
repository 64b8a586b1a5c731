//! Wiring only: who drives the engine and where output goes. One file per command.

mod batch;
mod completions;
mod doctor;
mod live;
mod man;
mod names;
mod save;
mod script;
mod terminal;

use std::io;
use std::path::PathBuf;

use crate::cli::{Cli, Color, Command, Live};
use crate::engine::Engine;
use crate::error::Error;
use crate::model::Want;
use crate::plan::{self, Plan};
use crate::source::demo::{Demo, Pace};
use crate::source::live::{Live as LiveSource, Options};
use crate::symbol::HostNames;
use crate::sys;
use crate::tui::{self, Theme, UiState};

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
        Some(Command::Doctor(typed)) => doctor::run(&typed.format, speaks_unicode()),
    }
}

/// The screen, its script, or batch.
fn watch((engine, want): (Engine, Want), typed: &Live) -> Result<(), Error> {
    if typed.batch.batch {
        return batch::run(engine, want, typed);
    }
    let ui = screen(typed, want)?;
    let dir = typed
        .screen
        .snapshot_dir
        .clone()
        .unwrap_or_else(|| PathBuf::from("."));
    if let Some(keys) = &typed.screen.keys {
        return script::run(
            engine,
            ui,
            keys,
            typed.screen.size.unwrap_or((80, 24)),
            typed.count,
            &dir,
        );
    }
    live::run(engine, ui, dir, typed.count)
}

/// Without `-b` the output must be a terminal.
fn check_output(typed: &Live) -> Result<(), Error> {
    if typed.batch.batch || typed.screen.keys.is_some() || sys::is_terminal() {
        return Ok(());
    }
    Err(Error::usage(
        "the screen needs a terminal and the output is none",
        "netop -b",
    ))
}

fn screen(typed: &Live, want: Want) -> Result<UiState, Error> {
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = match typed.screen.color {
        Color::Auto => !no_color,
        Color::Always => true,
        Color::Never => false,
    };
    let name = typed.screen.theme.as_deref();
    let theme = Theme::choose(name, color).ok_or_else(|| {
        let known: Vec<&str> = tui::THEMES.iter().map(|theme| theme.name).collect();
        Error::usage(
            format!("there is no theme {}", name.unwrap_or_default()),
            format!("netop --theme {}", known.join(" or ")),
        )
    })?;
    let dir = typed
        .screen
        .snapshot_dir
        .as_ref()
        .map_or_else(|| ".".to_owned(), |d| d.display().to_string());
    Ok(UiState::new(tui::Options {
        want,
        theme,
        ascii: typed.screen.ascii || !speaks_unicode(),
        snapshot_dir: dir,
    }))
}

/// Does the locale speak UTF-8? The Linux console lacks most of the signs whatever it speaks.
fn speaks_unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"))
        .unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    (locale.contains("utf-8") || locale.contains("utf8")) && set("TERM").as_deref() != Some("linux")
}

/// The engine over this host's kernel.
fn host(typed: &Live) -> Result<(Engine, Want), Error> {
    check_output(typed)?;
    let Plan {
        registry,
        want,
        settings,
        tracefs,
    } = plan::live(typed)?;
    let source = LiveSource::open(Options {
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
    check_output(typed)?;
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
