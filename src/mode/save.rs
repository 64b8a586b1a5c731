//! Files that are there whole or not at all, readable by their owner only.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::export::json;
use crate::model::{Snapshot, format_time};
use crate::sys::create_own_file;

/// `w`: writes `netop-HOST-UTCTIME.json` into `dir` and returns its path.
pub fn snapshot(snapshot: &Snapshot, dir: &Path) -> io::Result<PathBuf> {
    let path = dir.join(file_name(&snapshot.host.hostname, snapshot.at, "json"));
    whole(&path, json::file(snapshot).as_bytes())?;
    Ok(path)
}

/// The text goes to a new file of mode 0600 beside `path` first (no link is followed) and takes
/// its name when it is complete.
pub fn whole(path: &Path, text: &[u8]) -> io::Result<()> {
    may_write(path)?;
    let mut part = std::ffi::OsString::from(".");
    part.push(path.file_name().unwrap_or_default());
    part.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(part);
    let written = create_own_file(&part)
        .and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What is left of a failed try is of no use to anyone.
        let _left_behind = fs::remove_file(&part);
    }
    written
}

/// A name may become a file's when it is free or a file's already: a link or a device keeps it.
pub fn may_write(path: &Path) -> io::Result<()> {
    let refused = |why| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    let dir = path.parent().filter(|dir| *dir != Path::new(""));
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_symlink() => refused("it is a symbolic link"),
        Ok(there) if !there.is_file() => refused("it is no regular file"),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ if path.file_name().is_none() => refused("that is no file name"),
        _ => fs::metadata(dir.unwrap_or(Path::new("."))).map(|_| ()),
    }
}

/// `netop-HOST-UTCTIME.ENDING`; `at`: ns since 1970.
pub fn file_name(host: &str, at: u64, ending: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') {
            c
        } else {
            '_'
        }
    };
    let host: String = host.chars().map(plain).take(64).collect();
    let time = format_time(at).replace(['-', ':'], "");
    format!("netop-{host}-{time}.{ending}")
}
