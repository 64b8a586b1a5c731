//! `W`: everything that is known now, in one directory for a ticket: what is shown, how it came
//! there, the stacks, the settings of the host, and what was wrong.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{export::profile, save};
use crate::export::{self, json};
use crate::model::compare::Comparison;
use crate::model::{Device, Facts, HostInfo, Snapshot, Tried};

/// How the host is set up, beside its figures.
#[derive(Serialize)]
struct Settings<'a> {
    host: &'a HostInfo,
    facts: &'a Facts,
    /// With their drivers, offloads, rings, queues, qdiscs and interrupts.
    devices: &'a [Device],
}

/// Writes `netop-HOST-UTCTIME/` into `dir` and returns its path; it is there whole or not at all.
/// `history`: oldest first.
pub fn write<'a>(
    shown: &Snapshot,
    history: impl Iterator<Item = &'a Snapshot>,
    against_the_mark: Option<&Comparison>,
    tried: Option<&Tried>,
    dir: &Path,
) -> io::Result<PathBuf> {
    let name = save::file_name(&shown.host.hostname, shown.at, "");
    let name = name.trim_end_matches('.');
    let path = dir.join(name);
    let part = dir.join(format!(".{name}.{}.part", std::process::id()));
    DirBuilder::new().mode(0o700).create(&part)?;
    let written = fill(&part, shown, history, against_the_mark, tried)
        .and_then(|()| fs::rename(&part, &path));
    if written.is_err() {
        // What is left of a failed try is of no use to anyone.
        let _left_behind = fs::remove_dir_all(&part);
    }
    written.map(|()| path)
}

fn fill<'a>(
    dir: &Path,
    shown: &Snapshot,
    history: impl Iterator<Item = &'a Snapshot>,
    against_the_mark: Option<&Comparison>,
    tried: Option<&Tried>,
) -> io::Result<()> {
    let put = |name: &str, bytes: &[u8]| save::whole(&dir.join(name), bytes);
    put("why.txt", export::advice::why(shown).as_bytes())?;
    put("page.txt", export::text::page(shown).as_bytes())?;
    put("snapshot.json", json::file(shown).as_bytes())?;
    let lines: String = history.map(json::line).collect();
    put("history.jsonl", lines.as_bytes())?;
    let settings = Settings {
        host: &shown.host,
        facts: &shown.facts,
        devices: &shown.devices,
    };
    put("settings.json", json::object(&settings).as_bytes())?;
    if let Some(comparison) = against_the_mark {
        put("mark.txt", export::compared::page(comparison).as_bytes())?;
        put("mark.json", export::compared::json(comparison).as_bytes())?;
    }
    if let Some(tried) = tried {
        put("tried.txt", export::advice::tried(tried).as_bytes())?;
        put("tried.json", json::object(tried).as_bytes())?;
    }
    for format in ["folded", "svg"]
        .into_iter()
        .filter_map(export::stack_format)
    {
        if let Some(bytes) = profile(shown, None, format) {
            put(&format!("cpu.{}", format.name), &bytes)?;
        }
    }
    let Some(folded) = export::stack_format("folded") else {
        return Ok(());
    };
    let mut functions: Vec<&str> = shown.profile.iter().map(|stack| &*stack.function).collect();
    functions.sort_unstable();
    functions.dedup();
    for function in functions {
        if let Some(bytes) = profile(shown, Some(function), folded) {
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            let name: String = function.chars().map(plain).take(64).collect();
            put(&format!("hits-{name}.folded"), &bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::fixture::busy;
    use crate::model::{Changed, Finding, Severity};

    fn finding() -> Finding {
        Finding {
            rule: "A27",
            name: "udp-rcvbuf",
            severity: Severity::Drop,
            title: "datagrams are lost".to_owned(),
            confirmed: true,
            ..Finding::default()
        }
    }

    #[test]
    fn a_bundle_holds_what_is_shown_how_it_came_there_and_the_settings() {
        let dir = tempfile::tempdir().expect("a directory");
        let shown = busy();
        let tried = Tried {
            before: finding(),
            changed: vec![Changed {
                name: "net.core.rmem_max".to_owned(),
                before: "212992".to_owned(),
                after: "8388608".to_owned(),
            }],
            changed_after_s: Some(7.0),
            after: None,
            verdict: "A27: it is gone".to_owned(),
        };
        let path = write(
            &shown,
            [&shown, &shown].into_iter(),
            None,
            Some(&tried),
            dir.path(),
        )
        .expect("written");
        let read = |name: &str| fs::read_to_string(path.join(name)).expect(name);
        assert_eq!(read("history.jsonl").lines().count(), 2);
        assert!(read("snapshot.json").contains("netop.snapshot/1"));
        assert!(read("settings.json").contains("sysctls"));
        let pair = read("tried.txt");
        for part in [
            "it is gone",
            "BEFORE",
            "net.core.rmem_max 212992 → 8388608",
            "the finding is gone",
        ] {
            assert!(pair.contains(part), "{part}: {pair}");
        }
        assert!(read("tried.json").contains("\"verdict\""));
        assert!(!read("why.txt").is_empty() && !read("page.txt").is_empty());
        let again = write(&shown, [&shown].into_iter(), None, None, dir.path());
        assert!(again.is_err(), "what is there is not replaced");
        let left = fs::read_dir(dir.path()).expect("a directory").count();
        assert_eq!(left, 1, "nothing is left of the failed try");
    }
}
