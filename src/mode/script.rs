//! `--keys` and `--size`: keys in, the last frame out, without a terminal. A snapshot comes
//! before the first key and after each one, so that what a key asked for can be seen.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::live::{save_bundle, save_shown};
use super::probing::Probing;
use crate::cli::Live;
use crate::engine::{Engine, Progress};
use crate::error::Error;
use crate::tui::{Effect, UiState, frame_text, parse_keys, render};

/// Intervals that are over when the first key is pressed.
const BEFORE: u64 = 25;

const PATIENCE: Duration = Duration::from_millis(50);

/// Prints the frame that `keys` lead to; `-n` intervals pass first.
pub fn run(
    mut engine: Engine,
    mut ui: UiState,
    keys: &str,
    typed: &Live,
    probing: Option<&Probing>,
    dir: &Path,
) -> Result<(), Error> {
    let size = typed.screen.size.unwrap_or((80, 24));
    let keys = parse_keys(keys).map_err(|why| Error::usage(why, "netop demo --keys 'j<enter>'"))?;
    ui.resize(size.0, size.1);
    for _ in 0..typed.count.unwrap_or(BEFORE) {
        if !next(&mut engine, &mut ui)? {
            break;
        }
    }
    'keys: for key in keys {
        for effect in ui.key(key) {
            match effect {
                Effect::ListProbes(place) => {
                    if let Some(probing) = probing {
                        let list = probing.list(&place, &ui.want().pids);
                        ui.probes_listed(&place, list);
                    }
                }
                Effect::Probes(events) => {
                    let other = probing.map(|probing| probing.engine(&events, ui.want()));
                    match other {
                        Some(Ok(other)) => {
                            let before = std::mem::replace(&mut engine, other.engine);
                            engine.follow(&before);
                            ui.probes_taken(other.events, other.exact, &other.notes);
                        }
                        Some(Err(why)) => ui.probes_refused(&events, &why.to_string()),
                        None => {}
                    }
                }
                Effect::Quit => break 'keys,
                Effect::Want(want) => engine.want(want),
                Effect::SaveSnapshot => save_shown(&mut ui, dir),
                Effect::SaveBundle => save_bundle(&mut ui, dir),
                Effect::Redraw | Effect::Suspend | Effect::Copy(_) => {}
            }
        }
        next(&mut engine, &mut ui)?;
    }
    let area = Rect::new(0, 0, size.0, size.1);
    let mut buffer = Buffer::empty(area);
    render(&ui, area, &mut buffer);
    let mut text = String::new();
    let _infallible = writeln!(text, "{}", frame_text(&buffer).trim_end());
    io::stdout()
        .write_all(text.as_bytes())
        .or_else(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Ok(()),
            _ => Err(Error::failed(format!("cannot write: {error}"), "df -h")),
        })
}

/// One more snapshot; false: there is none.
fn next(engine: &mut Engine, ui: &mut UiState) -> Result<bool, Error> {
    loop {
        match engine.step(PATIENCE)? {
            Progress::Working => {}
            Progress::Snapshot(snapshot) => {
                ui.snapshot(snapshot);
                return Ok(true);
            }
            Progress::End => {
                ui.recording_is_read();
                return Ok(false);
            }
        }
    }
}
