//! /tmp/perf-PID.map: names that a JIT compiler writes for its code, `START SIZE name` in hex.
//! (tools/perf/Documentation/jit-interface.txt)

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::symbol::elf::demangle::readable;
use crate::symbol::elf::mapped_file::MappedFile;

const LONGEST: u64 = 16 << 20;

/// Functions kept of one map; a compiler that writes more is named only in part.
const MOST_FUNCTIONS: usize = 200_000;

/// Sorted by start.
#[derive(Debug, Default)]
pub struct PerfMap {
    functions: Vec<(u64, u64, String)>,
}

impl PerfMap {
    /// Empty when the process has none that it could read itself: what it mounts or links there may be a file
    /// of somebody else.
    pub fn read(proc: &Path, pid: u32) -> PerfMap {
        let mut text = Vec::new();
        if let Some(file) = open(proc, pid) {
            // A part of a map is better than none.
            let _ = file.take(LONGEST).read_to_end(&mut text);
        }
        PerfMap::parse(&String::from_utf8_lossy(&text))
    }

    fn parse(text: &str) -> PerfMap {
        let mut functions: Vec<_> = text
            .lines()
            .filter_map(function)
            .take(MOST_FUNCTIONS)
            .collect();
        functions.sort_by_key(|(start, _, _)| *start);
        PerfMap { functions }
    }

    pub fn name(&self, address: u64) -> Option<String> {
        let after = self
            .functions
            .partition_point(|(start, _, _)| *start <= address);
        let (start, size, name) = self.functions[..after].last()?;
        (address - start < *size).then(|| readable(name))
    }
}

/// The file is named after the pid the process has in its own namespace.
fn open(proc: &Path, pid: u32) -> Option<File> {
    let process = proc.join(pid.to_string());
    let status = fs::read_to_string(process.join("status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace())
    };
    let inner: u32 = field("NSpid:")?.last()?.parse().ok()?;
    // The effective one; /proc/PID itself belongs to root where the process does not let itself be dumped.
    let uid: u32 = field("Uid:")?.nth(1)?.parse().ok()?;
    let path = process.join(format!("root/tmp/perf-{inner}.map"));
    File::open(MappedFile::readable_for(&path, uid)?.path()).ok()
}

fn function(line: &str) -> Option<(u64, u64, String)> {
    let mut parts = line.splitn(3, ' ');
    let mut hex = || u64::from_str_radix(parts.next()?, 16).ok();
    let (start, size) = (hex()?, hex()?);
    Some((start, size, parts.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jit_functions_are_found_by_range() {
        let map = PerfMap::parse("2000 10 later\nzz\n1000 20 LazyCompile:~f /a b.js:3\n3000\n");
        assert_eq!(
            map.name(0x101f).as_deref(),
            Some("LazyCompile:~f /a b.js:3")
        );
        assert_eq!(map.name(0x2000).as_deref(), Some("later"));
        for outside in [0, 0xfff, 0x1020, 0x2010, u64::MAX] {
            assert_eq!(map.name(outside), None);
        }
    }

    #[test]
    fn the_map_is_found_by_the_pid_inside_the_namespace() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        fs::create_dir_all(dir.path().join("70/root/tmp")).expect("directory");
        let own = crate::sys::effective_uid();
        let status = format!("Name:\tx\nUid:\t9\t{own}\t9\t9\nNSpid:\t70\t5\n");
        fs::write(dir.path().join("70/status"), status).expect("file");
        fs::write(dir.path().join("70/root/tmp/perf-5.map"), "10 10 jitted\n").expect("file");
        assert_eq!(
            PerfMap::read(dir.path(), 70).name(0x18).as_deref(),
            Some("jitted")
        );
        assert_eq!(PerfMap::read(dir.path(), 71).name(0x18), None);
    }
}
