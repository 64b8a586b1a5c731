//! /proc/PID/maps (fs/proc/task_mmu.c): where the code of a process lies.

/// `vm.max_map_count` is 65530 unless somebody raised it.
const MOST_MAPPINGS: usize = 16 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    pub start: u64,
    pub end: u64,
    /// Offset of `start` in the file.
    pub offset: u64,
    /// Device and inode of the file; inode 0: no file.
    pub device: u64,
    pub inode: u64,
    /// As the kernel prints it, ` (deleted)` taken off: a path, `[vdso]`, or empty.
    pub path: String,
    /// Whatever lies at the path now is another file.
    pub deleted: bool,
}

impl Mapping {
    pub fn is_file(&self) -> bool {
        self.inode != 0 && self.path.starts_with('/')
    }

    /// Last part of the path.
    pub fn basename(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or("")
    }
}

/// The executable mappings, ascending.
pub fn parse(text: &str) -> Vec<Mapping> {
    let lines = text.lines().take(MOST_MAPPINGS);
    let mut mappings: Vec<Mapping> = lines.filter_map(mapping).collect();
    mappings.sort_by_key(|mapping| mapping.start);
    mappings
}

/// `7f12-7f34 r-xp 00026000 fd:01 1234      /usr/lib/x y (deleted)`
fn mapping(line: &str) -> Option<Mapping> {
    let mut parts = line.splitn(6, ' ');
    let (start, end) = parts.next()?.split_once('-')?;
    if parts.next()?.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let offset = parts.next()?;
    let (major, minor) = parts.next()?.split_once(':')?;
    let inode = parts.next()?.parse().ok()?;
    let path = parts.next().unwrap_or("").trim_start();
    let before = path.strip_suffix(" (deleted)");
    let hex = |text| u64::from_str_radix(text, 16).ok();
    let hex32 = |text| u32::from_str_radix(text, 16).ok();
    Some(Mapping {
        start: hex(start)?,
        end: hex(end)?,
        offset: hex(offset)?,
        device: libc::makedev(hex32(major)?, hex32(minor)?),
        inode,
        path: before.unwrap_or(path).to_owned(),
        deleted: before.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
55f0000-55f1000 r--p 00000000 fd:01 1234                                 /usr/bin/x
55f1000-55f4000 r-xp 00001000 fd:01 1234                                 /usr/bin/x
7f00000-7f01000 rwxp 00000000 00:00 0 
7f02000-7f03000 r-xp 00026000 fd:01 77                     /tmp/a lib (deleted)
7ffd000-7ffe000 r-xp 00000000 00:00 0                                    [vdso]
";

    #[test]
    fn executable_mappings_are_kept_with_their_file() {
        let maps = parse(TEXT);
        let first = Mapping {
            start: 0x55f_1000,
            end: 0x55f_4000,
            offset: 0x1000,
            device: libc::makedev(0xfd, 1),
            inode: 1234,
            path: "/usr/bin/x".to_owned(),
            deleted: false,
        };
        assert_eq!(maps[0], first);
        let rest: Vec<_> = maps
            .iter()
            .map(|m| (m.path.as_str(), m.is_file(), m.deleted))
            .collect();
        let expected = [
            ("/usr/bin/x", true, false),
            ("", false, false),
            ("/tmp/a lib", true, true),
            ("[vdso]", false, false),
        ];
        assert_eq!(rest, expected);
        assert_eq!(maps[2].basename(), "a lib");
    }

    #[test]
    fn any_truncation_and_garbage_are_survived() {
        for end in 0..TEXT.len() {
            assert!(parse(&TEXT[..end]).len() <= 4);
        }
        assert_eq!(parse("zz-1 r-xp 0 0:0 0\n\n- - - - - -\n1-2 r\n"), []);
    }
}
