//! `netop report DIR`: what a flight recorder kept, in the same views. Its seconds become as many
//! intervals as the screen can step through.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{batch, live, report, screen, script};
use crate::cli;
use crate::engine::Engine;
use crate::error::Error;
use crate::model::{Want, format_time, last_time_of_day, parse_time};
use crate::plan::Recorded;
use crate::source::replay::{Cut, Flight, Moment, Options, Part, Replay};
use crate::symbol::{RecordedNames, RecordedSymbols};
use crate::tui::MOST_RECORDED;

/// Intervals of the screen, unless -d says how long they are.
const INTERVALS: u64 = 1000;

/// … on each side of `--at`.
const AROUND: u64 = 300;

const SECOND_NS: u64 = 1_000_000_000;

pub fn run(typed: &cli::Report) -> Result<(), Error> {
    let mut shown = typed.live();
    screen::check_output(&shown)?;
    let Show {
        engine,
        want,
        at,
        span,
    } = open(typed)?;
    if typed.batch.batch {
        return match batch::run(engine, want, &shown)? {
            0 => Err(nothing(typed, span)),
            _ => Ok(()),
        };
    }
    let mut ui = screen::open(&shown, want, &[], Some(typed.file.display().to_string()))?;
    ui.recorded(at);
    let dir = screen::snapshot_dir(&shown);
    if let Some(keys) = &typed.screen.keys {
        shown.count = shown.count.or(Some(MOST_RECORDED as u64));
        return script::run(engine, ui, keys, &shown, None, &dir);
    }
    live::run(engine, ui, dir, typed.count, live::After::Whole(None))
}

fn nothing(typed: &cli::Report, (first, last): (u64, u64)) -> Error {
    let (first, last) = (format_time(first), format_time(last));
    Error::nothing(
        format!("nothing was recorded then: the flight recorder has {first} to {last}"),
        format!("netop report {} --start {first}", typed.file.display()),
    )
}

struct Show {
    engine: Engine,
    want: Want,
    /// What the screen begins with, ns since 1970 UTC.
    at: Option<u64>,
    /// The recorder's first and last second, ns since 1970 UTC.
    span: (u64, u64),
}

fn open(typed: &cli::Report) -> Result<Show, Error> {
    if !typed.pids.is_empty() || typed.device.is_some() || typed.module.is_some() {
        return Err(Error::usage(
            "a filter needs events: the flight recorder's counters know no process, no device and no module",
            format!("netop report {}", typed.file.display()),
        ));
    }
    let flight = Flight::open(&typed.file)?;
    let span = flight.span();
    let moment = |text: &Option<String>| text.as_deref().map(|t| moment(t, span)).transpose();
    let at = moment(&typed.at)?;
    let length = typed.interval.map(|interval| interval.as_nanos() as u64);
    let (start, stop, cut) = if let Some(at) = at {
        if at < span.0 || at > span.1 {
            return Err(nothing(typed, span));
        }
        let cut = Cut::Every(length.unwrap_or(SECOND_NS));
        // With a length from there on, else the second that holds it.
        let around = AROUND * length.unwrap_or(SECOND_NS);
        let (before, behind) = if typed.batch.batch {
            (1, length.unwrap_or(0))
        } else {
            (around, around)
        };
        (Some(at.saturating_sub(before)), Some(at + behind), cut)
    } else {
        let (start, stop) = (moment(&typed.start)?, moment(&typed.stop)?);
        let whole = stop
            .unwrap_or(span.1)
            .saturating_sub(start.unwrap_or(span.0));
        let seconds = (whole / SECOND_NS).div_ceil(INTERVALS).max(1);
        let cut = match length {
            Some(length) => Cut::Every(length),
            None if typed.batch.batch => Cut::Whole,
            None => Cut::Every(seconds * SECOND_NS),
        };
        (start, stop, cut)
    };
    let mut plan = report::own(typed, flight.run(), &Recorded::default(), false);
    if let Cut::Every(length) = cut {
        plan.want.interval = Duration::from_nanos(length);
    }
    let options = Options {
        specs: plan.registry.specs(),
        cut,
        part: Part {
            start: start.map(Moment::Wall),
            stop: stop.map(Moment::Wall),
        },
        ..Options::default()
    };
    let source = Replay::of_flight(flight, options)?;
    let want = plan.want.clone();
    let names = RecordedNames::new(RecordedSymbols::default());
    let engine = Engine::new(
        Box::new(source),
        Box::new(names),
        plan.registry,
        plan.settings,
        plan.want,
    );
    Ok(Show {
        engine,
        want,
        at,
        span,
    })
}

/// Seconds after the first one, a time of the day by this host's clock, or with its date.
fn moment(typed: &str, (first, last): (u64, u64)) -> Result<u64, Error> {
    let seconds = typed.parse::<f64>().ok();
    let after = seconds.filter(|seconds| (0.0..1e9).contains(seconds));
    let after = after.map(|seconds| first.saturating_add((seconds * 1e9) as u64));
    after
        .or_else(|| parse_time(typed))
        .or_else(|| last_time_of_day(typed, last, &TimeZone::system()))
        .ok_or_else(|| {
            Error::usage(
                format!(
                    "{typed} is no time: like 03:11, 03:11:20, 2026-11-23T03:11:00Z, or seconds after the first one"
                ),
                "netop report DIR --at 03:11",
            )
        })
}
