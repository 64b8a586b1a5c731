//! Files that breakpoints stand in and that were replaced or deleted since: a breakpoint belongs to
//! the file (its inode), so that programs started later run without it.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::decode::{EventSpec, Place};

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
    /// Device and inode when the breakpoint was set.
    was: Option<(u64, u64)>,
    said: bool,
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
            was: identity(of_file[0].0),
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
            let ended = file.path.starts_with("/proc/") && identity(&file.path).is_none();
            if !ended && identity(&file.path) != file.was {
                file.said = true;
                notes.extend(file.events.iter().map(|event| format!(
                    "{event}: {} was replaced or deleted; programs that opened it before are counted, those started since are not: start netop again for them",
                    file.path
                )));
            }
        }
        notes
    }
}

fn identity(path: &str) -> Option<(u64, u64)> {
    let data = fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
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
}
