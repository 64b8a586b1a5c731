//! What a watcher of the network stack really costs in the shapes of load that users have, beside
//! what netop says it costs, for nothing, netop and the peers that are installed.
//! `sudo -E cargo bench --bench overhead [-- ROUNDS] [--only SHAPE,…] [--watch NAME,…]
//! [--state settled,first,three] [--toggle]`
//!
//! A load runs throughout; what happened in windows of some seconds is read from counters. Windows
//! go nothing, A, nothing, B, nothing …, and each watcher is judged by the windows of nothing
//! beside its own. What remains is the machine's speed, which changes within seconds: the load
//! gauges it as it runs, and time is counted in what the same work took in the same quarter second.

#[path = "../../net/buffer.rs"]
mod buffer;
mod choice;
mod host;
mod load;
#[path = "../../net/mod.rs"]
mod net;
#[path = "../../net/offloads.rs"]
mod offloads;
mod pair;
mod running;
mod said;
mod shape;
mod statistics;
mod table;
mod toggle;
#[path = "../../net/traffic.rs"]
mod traffic_program;
mod watcher;

use std::thread;
use std::time::{Duration, Instant};

use choice::Choice;
use load::{Figures, Load};
use pair::{Pair, Row, Words};
use running::Running;
use watcher::State;

/// With nothing, and with a watcher that has settled.
const WITHOUT: Duration = Duration::from_secs(3);
const WITH: Duration = Duration::from_secs(4);

/// Of the other states.
const FIRST: Duration = Duration::from_secs(1);
const REST_OF_THREE: Duration = Duration::from_secs(2);

/// Before each burst without a watcher.
const QUIET: Duration = Duration::from_secs(5);

/// Between a watcher's end and the next window: the kernel lets go of its events.
const SETTLE: Duration = Duration::from_millis(500);

/// After a window, until netop has shown the interval that mostly lies in it.
pub const LAST_REPORT: Duration = Duration::from_millis(700);

/// A burst lies in two intervals, of which the second ends a whole one later.
const LAST_REPORT_OF_BURST: Duration = Duration::from_millis(1300);

fn main() {
    if std::env::var_os("NETOP_TRAFFIC").is_some() {
        offloads::obey();
        return traffic_program::obey();
    }
    let Some(_one) = net::may_run() else { return };
    let choice = match Choice::from_words(std::env::args().skip(1)) {
        Ok(choice) => choice,
        Err(why) => {
            eprintln!("{why}");
            std::process::exit(2);
        }
    };
    println!("{}\n\n{}\n", host::description(), table::LEGEND);
    if choice.toggle {
        let shape = &shape::SHAPES[0];
        let mut load = Load::start(shape);
        match toggle::measure(shape, &mut load, choice.rounds) {
            Ok((nothing, row)) => println!("{}", table::toggled(&nothing, &row)),
            Err(why) => eprintln!("{why}"),
        }
        return;
    }
    for shape in choice.shapes() {
        let mut load = Load::start(shape);
        // A burst has a first second of its own.
        let states = if shape.bursts {
            &[State::Settled]
        } else {
            &choice.states[..]
        };
        let mut rows: Vec<Row> = watcher::all(&load.net)
            .into_iter()
            .filter(|watcher| choice.wants_watcher(&watcher.name, watcher.usual))
            .map(|watcher| Row::new(watcher, states))
            .collect();
        let nothing = measure(&mut load, &mut rows, choice.rounds);
        println!("{}", table::markdown(shape, &nothing, &rows));
    }
}

/// Fills the rows; the windows of nothing.
fn measure(load: &mut Load, rows: &mut [Row], rounds: usize) -> Vec<Figures> {
    let mut nothing = Vec::new();
    for round in 0..rounds {
        let mut before = without(load);
        nothing.push(before);
        for turn in 0..rows.len() {
            // Everyone has other neighbours in another round.
            let row = &mut rows[(turn + round) % rows.len()];
            if row.failed.is_some() {
                continue;
            }
            eprint!(
                "\r\x1b[K{}: round {}: {}",
                load.shape.name,
                round + 1,
                row.watcher.name
            );
            let seen = watched(load, row);
            thread::sleep(SETTLE);
            let after = without(load);
            match seen {
                Ok(seen) => {
                    for (state, with, words) in seen {
                        row.add(
                            state,
                            Pair {
                                before,
                                with,
                                after,
                                words,
                            },
                        );
                    }
                }
                Err(why) => row.failed = Some(why),
            }
            nothing.push(after);
            before = after;
        }
    }
    eprint!("\r\x1b[K");
    nothing
}

fn without(load: &mut Load) -> Figures {
    if load.shape.bursts {
        thread::sleep(QUIET);
    }
    let edges = load.window(WITHOUT, None);
    load.figures(&edges)
}

/// A window in each state; why there is none if the watcher did not live through them.
fn watched(load: &mut Load, row: &Row) -> Result<Vec<(State, Figures, Words)>, String> {
    let has = |state| row.states.iter().any(|(wanted, _)| *wanted == state);
    let mut early = vec![load.edge(None)];
    let mut running = if row.watcher.command.is_empty() {
        None
    } else {
        Some(Running::start(&row.watcher)?)
    };
    let pid = running.as_ref().map(|running| running.pid);
    let mut windows = Vec::new();
    let began = Instant::now();
    if has(State::First) || has(State::Three) {
        load.follow(&mut early, FIRST, pid);
        let seconds = early.len();
        if has(State::Three) {
            load.follow(&mut early, REST_OF_THREE, pid);
        }
        windows.push((State::First, &early[..seconds]));
        windows.push((State::Three, &early[..]));
    }
    let settled;
    if has(State::Settled) {
        let settle = if load.shape.bursts {
            row.watcher.settle.max(QUIET)
        } else {
            row.watcher.settle
        };
        match &mut running {
            Some(running) => running.live_until(settle)?,
            None => thread::sleep(settle.saturating_sub(began.elapsed())),
        }
        settled = load.window(WITH, pid);
        windows.push((State::Settled, &settled[..]));
    }
    if let Some(running) = &mut running {
        running.live_through(if load.shape.bursts {
            LAST_REPORT_OF_BURST
        } else {
            LAST_REPORT
        })?;
    }
    let seen = windows.into_iter().filter(|(state, _)| has(*state));
    let seen = seen.map(|(state, edges)| {
        let words = running.as_ref();
        let words = words.map(|running| Words::of(running, edges, load.shape, state));
        (state, load.figures(edges), words.unwrap_or_default())
    });
    Ok(seen.collect())
}
