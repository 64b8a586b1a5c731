//! JSON: one object per snapshot (docs/snapshot.md). A figure that could not be had is null.

use std::fmt::Write;

use serde::Serialize;

use crate::model::Snapshot;

use super::clean::steers;

/// One line, for streams.
pub fn line(snapshot: &Snapshot) -> String {
    finish(serde_json::to_string(snapshot))
}

/// The same object, indented, for a file that people open.
pub fn file(snapshot: &Snapshot) -> String {
    finish(serde_json::to_string_pretty(snapshot))
}

/// A comparison, on one line.
pub fn object<T: Serialize>(value: &T) -> String {
    finish(serde_json::to_string(value))
}

/// JSON need not escape DEL, C1 controls and direction marks, but a terminal obeys them. They
/// stand inside strings only, so an escape in their place is the same value.
pub(super) fn finish(text: serde_json::Result<String>) -> String {
    let mut text = text.expect("what is written has string keys and plain values only");
    // Most often there is nothing to escape: no copy is made then.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n')) {
        text.push('\n');
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if steers(c) && c != '\n' {
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        } else {
            safe.push(c);
        }
    }
    safe.push('\n');
    safe
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
