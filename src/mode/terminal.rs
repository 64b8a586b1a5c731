//! The terminal while the screen has it: raw mode and the alternate screen, given back however
//! the program ends.

use std::io::{self, Stdout, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

use super::said::say;
use crate::error::Error;
use crate::sys::{before_out_of_memory, exit_now};

/// Is the terminal ours? Whoever gives it back first takes this.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The line is dead: nothing may be written to it.
static DEAD: AtomicBool = AtomicBool::new(false);

pub type Screen = Terminal<CrosstermBackend<Stdout>>;

/// A panic in any thread gives the terminal back, says what happened and ends the process: a
/// screen or a stream of figures that goes on without one of its threads would lie. But a thread
/// that reads a stranger's program takes only the names of that program with it.
pub fn end_on_panic() {
    before_out_of_memory(give_back);
    let default_hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some(crate::symbol::ELF_THREAD) {
            return;
        }
        give_back();
        if !DEAD.load(Ordering::Relaxed) {
            say(&format!(
                "this is a fault of netop's own: {panic}\n  try: RUST_BACKTRACE=1 netop, and report it with what netop doctor prints"
            ));
            if std::env::var_os("RUST_BACKTRACE").is_some() {
                default_hook(panic);
            }
        }
        exit_now(crate::error::EXIT_FAILED);
    }));
}

/// To the clipboard of whoever sits there (OSC 52); the text is netop's own and device names that
/// were made printable.
pub fn copy(text: &str) {
    let printable: String = text.chars().filter(|c| !c.is_control()).collect();
    // A terminal that does not take it ignores it; the screen shows the text anyway.
    let _ignored = execute!(io::stdout(), CopyToClipboard::to_clipboard_from(printable));
}

pub fn take() -> Result<Screen, Error> {
    enter()
        .and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())))
        .map_err(|error| {
            give_back();
            Error::failed(format!("cannot use this terminal: {error}"), "netop -b")
        })
}

/// Raw mode and the alternate screen, at the start and after a stop.
pub fn enter() -> io::Result<()> {
    TAKEN.store(true, Ordering::Relaxed);
    enable_raw_mode()?;
    execute!(
        io::stdout(),
        EnterAlternateScreen,
        EnableBracketedPaste,
        cursor::Hide
    )
}

/// Gives the terminal back, once; a dead one is left alone.
pub fn give_back() {
    if !TAKEN.swap(false, Ordering::Relaxed) || DEAD.load(Ordering::Relaxed) {
        return;
    }
    // Each is tried whatever became of the one before: half a restored terminal beats none.
    let _tried = execute!(
        io::stdout(),
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    );
    let _tried = disable_raw_mode();
    let _tried = io::stdout().flush();
}

/// Ends raw mode without writing a byte: for a terminal that takes none.
pub fn cook() {
    let _tried = disable_raw_mode();
}

/// From now on nothing is written to the terminal.
pub fn bury() {
    DEAD.store(true, Ordering::Relaxed);
}
