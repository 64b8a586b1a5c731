//! What the command line and the environment say about the screen: colours, signs, sorting.

use std::path::PathBuf;

use crate::cli::{Color, Live};
use crate::error::Error;
use crate::model::Want;
use crate::sys;
use crate::tui::{self, Theme, UiState};

/// Without `-b` the output must be a terminal.
pub fn check_output(typed: &Live) -> Result<(), Error> {
    if typed.batch.batch || typed.screen.keys.is_some() || sys::is_terminal() {
        return Ok(());
    }
    Err(Error::usage(
        "the screen needs a terminal and the output is none",
        "netop -b",
    ))
}

/// Where `w` writes.
pub fn snapshot_dir(typed: &Live) -> PathBuf {
    typed
        .screen
        .snapshot_dir
        .clone()
        .unwrap_or_else(|| PathBuf::from("."))
}

/// The screen before its first snapshot. `notes`: what a name of habit really stands for, said
/// at once; it stays in the detail pane. `recording`: its file.
pub fn open(
    typed: &Live,
    want: Want,
    notes: &[String],
    recording: Option<String>,
) -> Result<UiState, Error> {
    let mut ui = UiState::new(tui::Options {
        want,
        events: typed.what.events.clone(),
        theme: theme(typed)?,
        ascii: typed.screen.ascii || !speaks_unicode(),
        snapshot_dir: snapshot_dir(typed).display().to_string(),
        utc_offset_s: utc_offset_s(typed),
        recording,
    });
    if let Some(key) = &typed.screen.sort {
        ui.sort_by(key).map_err(|known| {
            Error::usage(
                format!("there is no column {key}: {known}"),
                "netop --sort rate",
            )
        })?;
    }
    if !notes.is_empty() {
        ui.message(&notes.join(" "), false);
    }
    Ok(ui)
}

fn theme(typed: &Live) -> Result<&'static Theme, Error> {
    // https://no-color.org: any value but the empty one.
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = match typed.screen.color {
        Color::Auto => !no_color,
        Color::Always => true,
        Color::Never => false,
    };
    let name = typed.screen.theme.as_deref();
    Theme::choose(name, color).ok_or_else(|| {
        let known: Vec<&str> = tui::THEMES.iter().map(|theme| theme.name).collect();
        Error::usage(
            format!("there is no theme {}", name.unwrap_or_default()),
            format!("netop --theme {}", known.join(" or ")),
        )
    })
}

/// Does the locale speak UTF-8? The Linux console lacks most of the signs whatever it speaks.
pub fn speaks_unicode() -> bool {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let locale = set("LC_ALL")
        .or_else(|| set("LC_CTYPE"))
        .or_else(|| set("LANG"))
        .unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    (locale.contains("utf-8") || locale.contains("utf8")) && set("TERM").as_deref() != Some("linux")
}

/// Local time on the screen, as TZ or /etc/localtime say; a scripted picture stays in UTC.
fn utc_offset_s(typed: &Live) -> i32 {
    if typed.screen.keys.is_some() {
        return 0;
    }
    jiff::tz::TimeZone::system()
        .to_offset(jiff::Timestamp::now())
        .seconds()
}
