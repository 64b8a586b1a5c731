//! `w`: a snapshot as a file, whole or not at all, readable by its owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::export::json;
use crate::model::{Snapshot, format_time};

/// Writes `netop-HOST-UTCTIME.json` into `dir` and returns its path. The text goes to a new file
/// of mode 0600 beside it first (no link is followed) and takes its name when it is complete.
pub fn snapshot(snapshot: &Snapshot, dir: &Path) -> io::Result<PathBuf> {
    let path = dir.join(file_name(snapshot));
    let part = dir.join(format!(
        ".{}.{}.part",
        file_name(snapshot),
        std::process::id()
    ));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part)
        .and_then(|mut file| {
            file.write_all(json::file(snapshot).as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&part, &path));
    if let Err(error) = written {
        // What is left of a failed try is of no use to anyone.
        let _left_behind = fs::remove_file(&part);
        return Err(error);
    }
    Ok(path)
}

fn file_name(snapshot: &Snapshot) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            c
        } else {
            '_'
        }
    };
    let host: String = snapshot.host.hostname.chars().map(plain).take(64).collect();
    let time = format_time(snapshot.at).replace(['-', ':'], "");
    format!("netop-{host}-{time}.json")
}
