//! What netop says on standard error. File names, names of events and lines of other people's files
//! are in it: nothing of them may steer the terminal.

use std::io::{self, Write};

use crate::error::Error;
use crate::export::{clean, clean_lines, steers};

/// A note of a command that goes on.
pub fn say(what: &str) {
    print(&format!("netop: {}", within(what)));
}

/// Why a command ends, and the next one to type.
pub fn say_error(error: &Error) {
    let (what, hint) = (within(&error.to_string()), clean(error.hint()));
    print(&format!("netop: {what}\n  try: {hint}"));
}

/// What clap answers: help, the version, or what it does not understand of what was typed.
pub fn answer(answer: &clap::Error) {
    let mut plain = answer.render().to_string();
    let typed = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let broken: Vec<String> = typed.filter(|word| word.contains('\n')).collect();
    for word in &broken {
        plain = plain.replace(word.as_str(), &clean(word));
    }
    if !broken.is_empty() || plain.chars().any(|c| c != '\n' && steers(c)) {
        return print(plain.trim_end());
    }
    // In colours where that is a terminal. A closed one has no reader to tell.
    let _nobody_reads = answer.print();
}

/// Other lines of one sentence are told from lines of netop's own: a file's name may hold any.
fn within(what: &str) -> String {
    what.replace('\n', "\n  | ")
}

/// A closed standard error leaves the exit code to speak.
fn print(text: &str) {
    let _nobody_reads = writeln!(io::stderr(), "{}", clean_lines(text));
}
