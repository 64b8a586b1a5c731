//! `netop advise` and `netop why`: some seconds of this host (or the made-up one), then what to do.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use super::{Origin, batch, printed};
use crate::cli::{self, Live};
use crate::error::Error;
use crate::export;
use crate::model::{Class, Severity, Snapshot};
use crate::plan;
use crate::source::demo::Pace;

pub fn advise(typed: &cli::Advise) -> Result<(), Error> {
    let snapshot = watched(&typed.live(), typed.duration, typed.demo)?;
    let page = if typed.format == "json" {
        export::json::line(&snapshot)
    } else {
        export::advice::page(&snapshot)
    };
    printed(io::stdout().write_all(page.as_bytes()))
}

/// Exit code 1 when something is wrong.
pub fn why(typed: &cli::Why) -> Result<(), Error> {
    let snapshot = watched(&typed.live(), typed.duration, typed.demo)?;
    printed(io::stdout().write_all(export::advice::why(&snapshot).as_bytes()))?;
    let advised = (snapshot.findings.iter())
        .filter(|f| f.severity != Severity::Info)
        .count();
    let lost = (snapshot.drops.iter())
        .filter(|drop| drop.class == Class::Trouble && drop.total > 0)
        .count();
    match advised.max(lost) {
        0 => Ok(()),
        1 => Err(Error::nothing("one thing is wrong here", "netop, key 8")),
        many => Err(Error::nothing(
            format!("{many} things are wrong here"),
            "netop, key 8",
        )),
    }
}

fn watched(live: &Live, duration: Duration, demo: bool) -> Result<Arc<Snapshot>, Error> {
    let (plan, origin) = if demo {
        (plan::demo(live)?, Origin::MadeUp(1, Pace::AsFastAsPossible))
    } else {
        (plan::live(live)?, Origin::Host)
    };
    // Rules judge what connections wait for.
    let mut want = plan.want.clone();
    want.sockets = true;
    let engine = origin.engine(plan)?;
    let intervals = duration.as_secs_f64().ceil().max(1.0) as u64;
    let mut last = None;
    batch::drive(engine, want, Some(intervals), |snapshot| {
        last = Some(Arc::clone(snapshot));
        Ok(true)
    })?;
    last.ok_or_else(|| Error::nothing("interrupted before anything was seen", "netop why"))
}
