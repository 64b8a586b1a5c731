//! One netop that detaches and attaches its events in turn: no start-up is in its figures.

use std::thread;
use std::time::Duration;

use crate::load::{Figures, Load};
use crate::pair::{Pair, Row, Words};
use crate::running::Running;
use crate::shape::Shape;
use crate::watcher::{self, State};

const WINDOW: Duration = Duration::from_millis(1500);

const AFTER_DETACHING: Duration = Duration::from_secs(1);

/// netop's budget takes some intervals to settle.
const AFTER_ATTACHING: Duration = Duration::from_secs(4);

/// The figures with everything detached, and the row of those between.
pub fn measure(
    shape: &'static Shape,
    load: &mut Load,
    rounds: usize,
) -> Result<(Vec<Figures>, Row), String> {
    let netop = watcher::netop("", "", true);
    let mut running = Running::start(&netop)?;
    running.live_through(netop.settle)?;
    let mut row = Row::new(
        watcher::Watcher {
            name: "attached".to_owned(),
            ..netop
        },
        &[State::Settled],
    );
    let mut before = detached(load, &mut running)?;
    let mut nothing = vec![before];
    for round in 0..rounds {
        eprint!("\r\x1b[Ktoggle: round {}", round + 1);
        running.press("!");
        running.live_through(AFTER_ATTACHING)?;
        if running.header().contains("DETACHED") {
            return Err(format!("did not attach: {}", running.header()));
        }
        let edges = load.window(WINDOW, Some(running.pid));
        thread::sleep(crate::LAST_REPORT);
        let words = Words::of(&running, &edges, shape, State::Settled);
        let with = load.figures(&edges);
        let after = detached(load, &mut running)?;
        row.add(
            State::Settled,
            Pair {
                before,
                with,
                after,
                words,
            },
        );
        nothing.push(after);
        before = after;
    }
    eprint!("\r\x1b[K");
    Ok((nothing, row))
}

fn detached(load: &mut Load, running: &mut Running) -> Result<Figures, String> {
    running.press("!");
    running.live_through(AFTER_DETACHING)?;
    if !running.header().contains("DETACHED") {
        return Err(format!("did not detach: {}", running.header()));
    }
    let edges = load.window(WINDOW, Some(running.pid));
    Ok(load.figures(&edges))
}
