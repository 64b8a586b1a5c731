//! The folder where netop keeps kernel symbols by build id: reading /proc/kallsyms takes a hundred
//! times as long. Nobody else's file is believed.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::kallsyms::Kallsyms;
use super::packed::{pack, unpack};
use crate::symbol::elf::build_id;

/// A kernel with 120 000 symbols takes 3.5 MB.
const LARGEST: u64 = 64 << 20;

/// Others may not write it.
const OTHERS_WRITE: u32 = 0o022;

#[derive(Debug, Clone)]
pub struct KernelCache {
    dir: PathBuf,
    /// The user that netop runs as.
    uid: u32,
}

impl KernelCache {
    /// `$XDG_CACHE_HOME/netop`, else `~/.cache/netop`, where these are the user's own: under sudo
    /// they may be another's, and root's home is taken. `None`: there is no such place.
    pub fn of_user() -> Option<KernelCache> {
        let uid = effective_uid(&fs::read_to_string("/proc/self/status").ok()?)?;
        let own = |name| {
            let path = std::env::var_os(name).map(PathBuf::from)?;
            let own = path.is_absolute() && fs::metadata(&path).is_ok_and(|dir| dir.uid() == uid);
            own.then_some(path)
        };
        let of_root = || {
            let passwd = fs::read_to_string("/etc/passwd")
                .ok()
                .filter(|_| uid == 0)?;
            roots_home(&passwd)
        };
        let in_home = || Some(own("HOME").or_else(of_root)?.join(".cache"));
        Some(KernelCache {
            dir: own("XDG_CACHE_HOME").or_else(in_home)?.join("netop"),
            uid,
        })
    }

    /// In a folder of this process's user.
    pub fn at(dir: PathBuf) -> Option<KernelCache> {
        let uid = effective_uid(&fs::read_to_string("/proc/self/status").ok()?)?;
        Some(KernelCache { dir, uid })
    }

    /// The symbols of a kernel that begins at `begin`.
    pub fn read(&self, build_id: &[u8], begin: u64) -> Option<Kallsyms> {
        self.dir_is_own().ok()?;
        let file = OpenOptions::new()
            .read(true)
            // No link is followed, no FIFO waited for.
            .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
            .open(self.path(build_id))
            .ok()?;
        let data = file.metadata().ok()?;
        let own = data.uid() == self.uid && data.mode() & OTHERS_WRITE == 0;
        if !own || !data.is_file() || data.len() > LARGEST {
            return None;
        }
        let mut bytes = Vec::with_capacity(data.len() as usize);
        file.take(LARGEST).read_to_end(&mut bytes).ok()?;
        unpack(&bytes, begin)
    }

    /// The file is there whole or not at all.
    pub fn write(&self, build_id: &[u8], table: &Kallsyms) -> io::Result<()> {
        let Some(bytes) = pack(table) else {
            return Ok(());
        };
        let mut folders = DirBuilder::new();
        folders.recursive(true).mode(0o700).create(&self.dir)?;
        self.dir_is_own()?;
        let path = self.path(build_id);
        let part = path.with_extension(format!("{}.part", std::process::id()));
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)
            .and_then(|mut file: File| file.write_all(&bytes))
            .and_then(|()| fs::rename(&part, &path));
        if written.is_err() {
            // What is left of a failed try is of no use to anyone.
            let _left_behind = fs::remove_file(&part);
        }
        written
    }

    fn dir_is_own(&self) -> io::Result<()> {
        let data = fs::symlink_metadata(&self.dir)?;
        if data.is_dir() && data.uid() == self.uid && data.mode() & OTHERS_WRITE == 0 {
            return Ok(());
        }
        Err(io::Error::other("not a folder of the user's own"))
    }

    fn path(&self, build_id: &[u8]) -> PathBuf {
        let name = format!("kallsyms-{}", build_id::hex(build_id));
        Path::new(&self.dir).join(name)
    }
}

/// man 5 proc_pid_status: real, effective, saved, of file access.
fn effective_uid(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// man 5 passwd.
fn roots_home(passwd: &str) -> Option<PathBuf> {
    let fields = |line: &'_ str| -> Vec<String> { line.split(':').map(str::to_owned).collect() };
    let root = passwd
        .lines()
        .map(fields)
        .find(|f| f.get(2).is_some_and(|uid| uid == "0"))?;
    Some(PathBuf::from(root.get(5)?)).filter(|home| home.is_absolute())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const ID: [u8; 3] = [0xab, 0xcd, 0xef];

    fn table() -> Kallsyms {
        Kallsyms::parse("1000 T _text\n1100 T f\n").expect("symbols")
    }

    fn cache() -> (tempfile::TempDir, KernelCache) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let cache = KernelCache::at(dir.path().join("cache/netop")).expect("a user");
        (dir, cache)
    }

    #[test]
    fn what_was_written_is_read_by_its_build_id_and_is_the_users_alone() {
        let (_dir, cache) = cache();
        assert_eq!(cache.read(&ID, 0x1000), None);
        cache.write(&ID, &table()).expect("written");
        assert_eq!(cache.read(&ID, 0x1000), Some(table()));
        assert_eq!(cache.read(&ID[..2], 0x1000), None);
        let names: Vec<_> = fs::read_dir(&cache.dir).expect("a folder").collect();
        assert_eq!(names.len(), 1);
        let file = cache.dir.join("kallsyms-abcdef");
        for (path, mode) in [(&file, 0o600), (&cache.dir, 0o700)] {
            let data = fs::metadata(path).expect("metadata");
            assert_eq!(data.mode() & 0o777, mode, "{}", path.display());
        }
    }

    #[test]
    fn what_others_could_have_written_is_not_believed() {
        let (_dir, mut cache) = cache();
        cache.write(&ID, &table()).expect("written");
        let file = cache.path(&ID);
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        };
        mode(&file, 0o620);
        assert_eq!(cache.read(&ID, 0x1000), None);
        mode(&file, 0o600);
        mode(&cache.dir, 0o777);
        assert_eq!(cache.read(&ID, 0x1000), None);
        assert!(cache.write(&ID, &table()).is_err());
        mode(&cache.dir, 0o700);
        assert!(cache.read(&ID, 0x1000).is_some());
        cache.uid += 1;
        assert_eq!(cache.read(&ID, 0x1000), None);
        cache.uid -= 1;
        let moved = cache.dir.join("moved");
        fs::rename(&file, &moved).expect("renamed");
        symlink(&moved, &file).expect("a link");
        assert_eq!(cache.read(&ID, 0x1000), None);
    }

    #[test]
    fn who_netop_runs_as_and_where_root_lives_are_found() {
        assert_eq!(effective_uid("Name:\tx\nUid:\t1\t2\t3\t4\n"), Some(2));
        assert_eq!(effective_uid("Name:\tx\n"), None);
        let passwd = "a:x:10:0::/a:/bin/sh\nroot:x:0:0:root:/root:/bin/bash\n";
        assert_eq!(roots_home(passwd), Some("/root".into()));
        assert_eq!(roots_home("root:x:0:0\n"), None);
    }
}
