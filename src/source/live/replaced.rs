//! Files that breakpoints stand in and that were replaced, deleted or written to since: a breakpoint
//! belongs to the file (its inode), so that programs started later run without it, or with it where
//! another instruction is.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::decode::{EventSpec, Place};
use crate::sys::Raised;

/// A look costs a system call per file.
const EVERY_NS: u64 = 5_000_000_000;

pub struct Replaced {
    files: Vec<Watched>,
    looked: u64,
}

struct Watched {
    path: String,
    /// The breakpoints in it, by their full names.
    events: Vec<String>,
    /// When the breakpoint was set.
    was: Option<State>,
    said: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// Device and inode.
    identity: (u64, u64),
    /// Length, and when it was written to (s, ns).
    content: (u64, i64, i64),
}

impl Replaced {
    pub fn watch(specs: &[EventSpec]) -> Replaced {
        let mut breakpoints: Vec<(&String, String)> = (specs.iter())
            .filter_map(|spec| match &spec.place {
                Place::User { file, .. } => Some((file, spec.full_name())),
                Place::Tracepoint | Place::Kernel { .. } => None,
            })
            .collect();
        breakpoints.sort();
        let files = breakpoints.chunk_by(|a, b| a.0 == b.0);
        let files = files.map(|of_file| Watched {
            path: of_file[0].0.clone(),
            events: of_file.iter().map(|(_, event)| event.clone()).collect(),
            was: state(of_file[0].0),
            said: false,
        });
        Replaced {
            files: files.collect(),
            looked: 0,
        }
    }

    /// A sentence about each breakpoint whose file is not the same any more, once. `now` in ns.
    pub fn look(&mut self, now: u64) -> Vec<String> {
        if self.files.is_empty() || now.saturating_sub(self.looked) < EVERY_NS {
            return Vec::new();
        }
        self.looked = now;
        let mut notes = Vec::new();
        for file in self.files.iter_mut().filter(|file| !file.said) {
            // A file seen through a process that has ended is nobody's any more.
            let now = state(&file.path);
            let ended = file.path.starts_with("/proc/") && now.is_none();
            if ended || now == file.was {
                continue;
            }
            file.said = true;
            let is_same = |other: State| file.was.is_some_and(|was| was.identity == other.identity);
            let what = if now.is_some_and(is_same) {
                "was written to; the breakpoint may stand inside another instruction now: end netop, and start it again"
            } else {
                "was replaced or deleted; programs that opened it before are counted, those started since are not: start netop again for them"
            };
            let said = |event: &String| format!("{event}: {} {what}", file.path);
            notes.extend(file.events.iter().map(said));
        }
        notes
    }
}

fn state(path: &str) -> Option<State> {
    // It may be named through a process: /proc/PID/root/…
    let _processes = Raised::processes();
    let data = fs::metadata(path).ok()?;
    Some(State {
        identity: (data.dev(), data.ino()),
        content: (data.len(), data.mtime(), data.mtime_nsec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(path: &std::path::Path) -> EventSpec {
        EventSpec {
            group: "uprobe".to_owned(),
            name: "x".to_owned(),
            place: Place::User {
                file: path.display().to_string(),
                offset: 0,
                returns: false,
                begins: true,
            },
            filter: None,
            fields: Vec::new(),
            device_field: None,
        }
    }

    #[test]
    fn a_file_that_another_one_took_the_place_of_is_said_once() {
        let dir = tempfile::tempdir().expect("a directory");
        let (path, other) = (dir.path().join("lib.so"), dir.path().join("new"));
        fs::write(&path, "old").expect("a file");
        let mut replaced = Replaced::watch(&[spec(&path), spec(&path)]);
        assert_eq!(replaced.look(EVERY_NS), Vec::<String>::new());
        fs::write(&other, "new").expect("a file");
        fs::rename(&other, &path).expect("renamed");
        assert_eq!(
            replaced.look(EVERY_NS + 1),
            Vec::<String>::new(),
            "not so soon"
        );
        let notes = replaced.look(2 * EVERY_NS);
        assert!(
            notes[0].contains("lib.so was replaced or deleted"),
            "{notes:?}"
        );
        assert_eq!(notes.len(), 2, "of each breakpoint");
        assert_eq!(replaced.look(3 * EVERY_NS), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_was_written_to_is_told_from_another_one() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("lib.so");
        fs::write(&path, "old").expect("a file");
        let mut replaced = Replaced::watch(&[spec(&path)]);
        fs::write(&path, "newer").expect("the same file");
        let notes = replaced.look(EVERY_NS);
        assert!(notes[0].contains("lib.so was written to"), "{notes:?}");
    }
}
