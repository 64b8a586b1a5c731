//! Where /proc and /sys are, and bounded reading of their text. The root is a value, so that
//! tests put literal files in a directory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// No file read here is longer on a real host (/proc/interrupts of 512 CPUs: about 12 MB).
const LONGEST: u64 = 32 << 20;

/// Of most files the text is shorter, bytes.
const USUAL: usize = 4 << 10;

/// More network devices, tasks or interrupts than this are cut.
pub const MOST_ENTRIES: usize = 1 << 20;

#[derive(Debug, Clone)]
pub struct Proc {
    root: PathBuf,
}

impl Proc {
    /// The running kernel's.
    pub fn host() -> Proc {
        Proc::at("/")
    }

    /// `ROOT/proc` and `ROOT/sys`.
    pub fn at(root: impl AsRef<Path>) -> Proc {
        Proc {
            root: root.as_ref().to_owned(),
        }
    }

    /// `name` is relative to the root: `proc/stat`, `sys/class/net`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub fn open(&self, name: &str) -> io::Result<File> {
        File::open(self.path(name))
    }

    /// The text of a file; what is not UTF-8 becomes U+FFFD.
    pub fn text(&self, name: &str) -> io::Result<String> {
        // Most fit: one call reads them, where an empty one would grow from 32 bytes call by call.
        let mut bytes = Vec::with_capacity(USUAL);
        self.open(name)?.take(LONGEST).read_to_end(&mut bytes)?;
        Ok(match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        })
    }

    pub fn exists(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    /// Names in a directory, sorted.
    pub fn list(&self, name: &str) -> io::Result<Vec<String>> {
        let mut names: Vec<String> = fs::read_dir(self.path(name))?
            .take(MOST_ENTRIES)
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    /// Last part of where a symbolic link points.
    pub fn link_name(&self, name: &str) -> io::Result<String> {
        let target = fs::read_link(self.path(name))?;
        Ok(target
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default())
    }

    /// How many tasks there are and the last pid that was given, as /proc/loadavg has them: while this
    /// stands still hardly any process began or ended that is seen here. `None`: it cannot be read.
    pub fn task_mark(&self) -> Option<String> {
        let text = self.text("proc/loadavg").ok()?;
        let (_running, mark) = text.split_once('/')?;
        Some(mark.trim_end().to_owned())
    }

    /// Process ids, ascending.
    pub fn pids(&self) -> io::Result<Vec<u32>> {
        let mut pids: Vec<u32> = fs::read_dir(self.path("proc"))?
            .take(MOST_ENTRIES)
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .collect();
        pids.sort_unstable();
        Ok(pids)
    }
}

/// Why something could not be read, with the command that helps where there is one.
pub fn because(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE) => "netop has as many files open as it may: ulimit -n 65536".to_owned(),
        Some(libc::ENFILE) => {
            "the host has as many files open as it may: sysctl fs.file-max".to_owned()
        }
        _ => error.to_string(),
    }
}

/// The same of a netlink request. netlink-socket2 0.3.5 calls whatever keeps it from opening a socket
/// EPERM (sock.rs, get_socket_new), a lack of descriptors, too.
pub fn because_of_netlink(error: &io::Error) -> String {
    let lack = (error.raw_os_error() == Some(libc::EPERM))
        .then(|| File::open("/proc/self/stat").err())
        .flatten();
    because(lack.as_ref().unwrap_or(error))
}

/// Text of the kernel that strangers may have chosen (comm, device names): control characters
/// become `?`.
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A root with literal files.
    pub fn root_with(files: &[(&str, &str)]) -> (tempfile::TempDir, Proc) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a name below the root")).expect("directory");
            fs::write(path, text).expect("file");
        }
        let proc = Proc::at(dir.path());
        (dir, proc)
    }

    #[test]
    fn a_lack_of_descriptors_is_told_from_a_lack_of_rights() {
        let said = |errno| because(&io::Error::from_raw_os_error(errno));
        assert!(said(libc::EMFILE).ends_with("ulimit -n 65536"));
        assert!(said(libc::ENFILE).ends_with("sysctl fs.file-max"));
        assert_eq!(said(libc::EPERM), "Operation not permitted (os error 1)");
    }

    #[test]
    fn only_numbers_are_pids_and_they_ascend() {
        let (_dir, proc) = root_with(&[
            ("proc/12/comm", "a"),
            ("proc/7/comm", "b"),
            ("proc/net/dev", ""),
            ("proc/99999999999/comm", ""),
        ]);
        assert_eq!(proc.pids().expect("list"), [7, 12]);
    }

    #[test]
    fn control_and_escape_characters_become_question_marks() {
        assert_eq!(printable("a\u{1b}[31m\nb\u{9b}c"), "a?[31m?b?c");
    }

    #[test]
    fn text_that_is_not_utf8_is_still_text() {
        let (dir, proc) = root_with(&[]);
        fs::write(dir.path().join("x"), [b'a', 0xff, b'b']).expect("file");
        assert_eq!(proc.text("x").expect("text"), "a\u{fffd}b");
    }
}
