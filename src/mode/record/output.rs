//! The files of a recording: itself, what becomes its trailer, and room kept free for its end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::mode::save;
use crate::sys::{allocate, create_own_file};

/// Sections and names of a short recording are smaller than this.
const LEAST_ROOM: u64 = 2 << 20;

/// The room kept free grows by at least so much at a time.
const STEP: u64 = 1 << 20;

pub struct Output {
    pub path: PathBuf,
    /// What had the name before is called this now.
    replaced: Option<PathBuf>,
    /// Without a name: it goes with the process.
    room: File,
    kept_free: u64,
}

impl Output {
    /// The output, its file, and one for the trailer, both empty.
    pub fn create(path: &Path) -> Result<(Output, File, File), Error> {
        let failed = |error: &io::Error| {
            let full = matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT));
            let folder = path.parent().filter(|folder| *folder != Path::new(""));
            let folder = folder.unwrap_or(Path::new(".")).display();
            Error::failed(
                format!("cannot write {}: {error}", path.display()),
                format!("{} {folder}", if full { "df -h" } else { "ls -ld" }),
            )
        };
        if path == Path::new("-") {
            return Err(Error::usage(
                "a recording is completed in its place, which a pipe cannot be",
                "netop record -o FILE",
            ));
        }
        save::may_write(path).map_err(|error| failed(&error))?;
        let spill = nameless(path, "trailer").map_err(|error| failed(&error))?;
        let room = nameless(path, "room").map_err(|error| failed(&error))?;
        let mut replaced = None;
        if path.exists() {
            let mut old = path.as_os_str().to_owned();
            old.push(".old");
            let old = PathBuf::from(old);
            save::may_write(&old)
                .and_then(|()| fs::rename(path, &old))
                .map_err(|error| failed(&error))?;
            replaced = Some(old);
        }
        let mut output = Output {
            path: path.to_owned(),
            replaced,
            room,
            kept_free: 0,
        };
        let file = create_own_file(path).map_err(|error| failed(&error))?;
        if let Err(error) = output.keep_free(LEAST_ROOM) {
            output.discard();
            return Err(failed(&error));
        }
        Ok((output, file, spill))
    }

    /// Keeps so many bytes free on the disk for what is written in the end.
    pub fn keep_free(&mut self, bytes: u64) -> io::Result<()> {
        if bytes <= self.kept_free {
            return Ok(());
        }
        let bytes = bytes + STEP;
        match allocate(&self.room, bytes) {
            // This file system cannot: then nothing is kept.
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {}
            other => other?,
        }
        self.kept_free = bytes;
        Ok(())
    }

    /// The end is written now.
    pub fn give_room(&mut self) {
        // Where it fails the end may not fit, which writing it says.
        let _kept = self.room.set_len(0);
    }

    /// Nothing was recorded.
    pub fn discard(&self) {
        // What cannot be removed is an empty recording.
        let _left_behind = fs::remove_file(&self.path);
        if let Some(old) = &self.replaced {
            let _left_behind = fs::rename(old, &self.path);
        }
    }
}

/// A file on the same disk that nobody else can open.
fn nameless(beside: &Path, kind: &str) -> io::Result<File> {
    let mut name = std::ffi::OsString::from(".");
    name.push(beside.file_name().unwrap_or_default());
    name.push(format!(".{}.{kind}", std::process::id()));
    let path = beside.with_file_name(name);
    let file = create_own_file(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_there_gets_another_name_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.perf.data");
        fs::write(&path, "before").unwrap();
        let (output, mut file, _spill) = Output::create(&path).unwrap();
        file.write_all(b"now").unwrap();
        assert_eq!(names(dir.path()), ["x.perf.data", "x.perf.data.old"]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        output.discard();
        assert_eq!(names(dir.path()), ["x.perf.data"]);
        assert_eq!(fs::read(&path).unwrap(), b"before");
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, aim) = (dir.path().join("link"), dir.path().join("aim"));
        symlink(&aim, &path).unwrap();
        let refused = Output::create(&path).err().unwrap();
        assert!(refused.to_string().ends_with("it is a symbolic link"));
        assert_eq!(names(dir.path()), ["link"]);
    }
}
