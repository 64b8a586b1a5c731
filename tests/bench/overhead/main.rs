//! What watching the network stack costs: CPU time of the whole host per wire packet of three
//! loads, and the latency of one of them, beside nothing, netop and the peers that are installed.
//! `sudo -E cargo bench --bench overhead [-- ROUNDS] [--only LOAD,…] [--watch NAME,…]`
//!
//! A load runs throughout; what happened in windows of a second is read from counters. Windows go
//! nothing, A, nothing, B, nothing …, and each watcher is judged by the two windows of nothing
//! beside its own: what the machine does to all of them drops out.

#[path = "../../net/buffer.rs"]
mod buffer;
mod choice;
mod host;
mod load;
#[path = "../../net/mod.rs"]
mod net;
#[path = "../../net/offloads.rs"]
mod offloads;
mod running;
mod table;
#[path = "../../net/traffic.rs"]
mod traffic_program;
mod watcher;

use std::thread;
use std::time::Duration;

use choice::Choice;
use load::{Figures, KINDS, Kind, Load};
use running::Running;
use table::{Pair, Row};

/// From a watcher's start to its window: netop's budget settles after one or two intervals of a
/// second.
const WARM_UP: Duration = Duration::from_secs(2);

/// Between a watcher's end and the next window: the kernel lets go of its events.
const SETTLE: Duration = Duration::from_millis(200);

const LEGEND: &str = "kept: CPU time of the whole host per wire packet with nothing, divided by \
that with the watcher (median of the rounds, each against the seconds before and after it); tasks \
only: the same of sender, receiver, watcher and ksoftirqd, which other programs disturb less; \
from–to: 95 % interval of that median, or all rounds when they are fewer than nine; ns: per wire \
packet; its own: of the watcher's threads; ×: latency with the watcher, divided by that with \
nothing; –: not measured.";

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
    println!("{}\n\n{LEGEND}\n", host::description());
    for kind in KINDS.iter().filter(|kind| choice.wants_load(kind.name)) {
        let mut load = Load::start(kind);
        let mut rows: Vec<Row> = watcher::all(&load.net)
            .into_iter()
            .filter(|watcher| choice.wants_watcher(&watcher.name))
            .map(Row::new)
            .collect();
        let nothing = measure(kind, &mut load, &mut rows, choice.rounds);
        println!("{}", table::markdown(kind, &nothing, &rows));
    }
}

/// Fills the rows; the windows of nothing.
fn measure(kind: &Kind, load: &mut Load, rows: &mut [Row], rounds: usize) -> Vec<Figures> {
    let mut nothing = Vec::new();
    thread::sleep(WARM_UP);
    for round in 0..rounds {
        let mut before = load.window(None);
        nothing.push(before);
        for turn in 0..rows.len() {
            // Everyone has other neighbours in another round.
            let row = &mut rows[(turn + round) % rows.len().max(1)];
            if row.failed.is_some() {
                continue;
            }
            eprint!(
                "\r\x1b[K{}: round {}: {}",
                kind.name,
                round + 1,
                row.watcher.name
            );
            let with = watched(load, row);
            thread::sleep(SETTLE);
            let after = load.window(None);
            match with {
                Ok(with) => row.pairs.push(Pair {
                    before,
                    with,
                    after,
                }),
                Err(why) => row.failed = Some(why),
            }
            nothing.push(after);
            before = after;
        }
    }
    eprint!("\r\x1b[K");
    nothing
}

/// One window with the watcher; why there is none if it did not live through it.
fn watched(load: &mut Load, row: &Row) -> Result<Figures, String> {
    if row.watcher.command.is_empty() {
        thread::sleep(WARM_UP);
        return Ok(load.window(None));
    }
    let mut running = Running::start(&row.watcher)?;
    running.live_through(WARM_UP)?;
    let figures = load.window(Some(&running));
    running.live_through(Duration::ZERO)?;
    Ok(figures)
}
