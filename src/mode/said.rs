//! What netop says on standard error. File names, names of events and lines of other people's files
//! are in it: nothing of them may steer the terminal.

use std::io::{self, Write};

use crate::error::Error;
use crate::export::{clean_lines, steers};

/// A note of a command that goes on.
pub fn say(what: &str) {
    print(&format!("netop: {what}"));
}

/// Why a command ends, and the next one to type.
pub fn say_error(error: &Error) {
    print(&format!("netop: {error}\n  try: {}", error.hint()));
}

/// What clap answers: help, the version, or what it does not understand of what was typed.
pub fn answer(answer: &clap::Error) {
    let plain = answer.render().to_string();
    if plain.chars().any(|c| c != '\n' && steers(c)) {
        return print(plain.trim_end());
    }
    // In colours where that is a terminal. A closed one has no reader to tell.
    let _nobody_reads = answer.print();
}

/// A closed standard error leaves the exit code to speak.
fn print(text: &str) {
    let _nobody_reads = writeln!(io::stderr(), "{}", clean_lines(text));
}
