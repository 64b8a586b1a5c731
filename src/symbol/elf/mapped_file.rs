//! Opens the file behind a mapping of somebody else's process. Paths are theirs, so a file is
//! looked at (O_PATH: no device is touched, no FIFO waited for) before it is read, and it is then
//! read through its descriptor: nobody can swap it in between.

use std::fs::{File, Metadata, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::symbol::maps::Mapping;

/// S_IROTH
const EVERYBODY_READS: u32 = 0o004;

/// Numbers of a deleted file are soon given to another: the time of its last change tells them
/// apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Identity {
    pub device: u64,
    pub inode: u64,
    pub len: u64,
    pub changed: (i64, i64),
}

/// A regular file that is only looked at; read it through [`MappedFile::path`].
#[derive(Debug)]
pub struct MappedFile {
    looked_at: File,
}

impl MappedFile {
    /// `proc` is /proc. Tried in turn: the mapped file itself, deleted or not (needs
    /// CAP_CHECKPOINT_RESTORE); its path in the process's root; its path here, for processes that
    /// have ended. A path that names another file by now is not followed: nothing is better than
    /// the wrong names.
    pub fn open(proc: &Path, pid: u32, mapping: &Mapping) -> Option<MappedFile> {
        let of_process = proc.join(pid.to_string());
        let itself = format!("map_files/{:x}-{:x}", mapping.start, mapping.end);
        let inside = mapping.path.trim_start_matches('/');
        let by_path = |path: &Path| {
            let looked = (!mapping.deleted).then(|| look_at(path, libc::O_PATH));
            looked.flatten()
        };
        look_at(&of_process.join(itself), libc::O_PATH)
            .filter(is_regular)
            .or_else(|| {
                by_path(&of_process.join("root").join(inside))
                    // overlayfs and btrfs show another device here than in maps.
                    .filter(|file| is_regular(file) && has_inode(file, mapping.inode))
            })
            .or_else(|| {
                by_path(Path::new(&mapping.path)).filter(|file| {
                    is_regular(file)
                        && has_inode(file, mapping.inode)
                        && file
                            .metadata()
                            .is_ok_and(|data| data.dev() == mapping.device)
                })
            })
            .map(|looked_at| MappedFile { looked_at })
    }

    /// A regular file at `path`, which is no symbolic link, that belongs to `uid`, or to root and everybody
    /// may read it.
    pub fn readable_for(path: &Path, uid: u32) -> Option<MappedFile> {
        let belongs = |data: &Metadata| {
            data.uid() == uid || data.uid() == 0 && data.mode() & EVERYBODY_READS != 0
        };
        look_at(path, libc::O_PATH | libc::O_NOFOLLOW)
            .filter(|file| is_regular(file) && file.metadata().is_ok_and(|data| belongs(&data)))
            .map(|looked_at| MappedFile { looked_at })
    }

    /// A regular file, whoever owns it.
    pub fn regular(path: &Path) -> Option<MappedFile> {
        look_at(path, libc::O_PATH)
            .filter(is_regular)
            .map(|looked_at| MappedFile { looked_at })
    }

    /// Which file it is.
    pub fn identity(&self) -> Option<Identity> {
        let data = self.looked_at.metadata().ok()?;
        Some(Identity {
            device: data.dev(),
            inode: data.ino(),
            len: data.len(),
            changed: (data.ctime(), data.ctime_nsec()),
        })
    }

    /// Opens this very file while `self` lives.
    pub fn path(&self) -> PathBuf {
        format!("/proc/self/fd/{}", self.looked_at.as_raw_fd()).into()
    }

    pub fn len(&self) -> u64 {
        self.looked_at.metadata().map_or(0, |data| data.len())
    }
}

fn look_at(path: &Path, flags: i32) -> Option<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(flags | libc::O_CLOEXEC)
        .open(path)
        .ok()
}

fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|data| data.is_file())
}

fn has_inode(file: &File, inode: u64) -> bool {
    file.metadata().is_ok_and(|data| data.ino() == inode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn mapping(path: &Path, inode: u64, device: u64) -> Mapping {
        Mapping {
            start: 0x1000,
            end: 0x2000,
            offset: 0,
            device,
            inode,
            path: path.to_str().expect("UTF-8").to_owned(),
            deleted: false,
        }
    }

    #[test]
    fn only_the_mapped_inode_is_opened_by_path() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("lib.so");
        fs::write(&file, "text").expect("file");
        let data = fs::metadata(&file).expect("metadata");
        let nowhere = dir.path().join("proc");
        let right = mapping(&file, data.ino(), data.dev());
        let opened = MappedFile::open(&nowhere, 1, &right).expect("the same file");
        assert_eq!(fs::read_to_string(opened.path()).expect("text"), "text");
        let deleted = Mapping {
            deleted: true,
            ..right
        };
        for wrong in [
            mapping(&file, data.ino() + 1, data.dev()),
            mapping(&file, data.ino(), data.dev() + 1),
            deleted,
        ] {
            assert!(MappedFile::open(&nowhere, 1, &wrong).is_none());
        }
    }

    #[test]
    fn a_path_is_opened_in_the_root_of_its_process() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let root = dir.path().join("7/root/opt");
        fs::create_dir_all(&root).expect("directory");
        fs::write(root.join("lib.so"), "inside").expect("file");
        let inode = fs::metadata(root.join("lib.so")).expect("metadata").ino();
        let mapping = mapping(Path::new("/opt/lib.so"), inode, 0);
        let opened = MappedFile::open(dir.path(), 7, &mapping).expect("file");
        assert_eq!(fs::read_to_string(opened.path()).expect("text"), "inside");
        assert!(MappedFile::open(dir.path(), 8, &mapping).is_none());
    }

    #[test]
    fn devices_fifos_and_directories_are_not_opened() {
        let nowhere = Path::new("/nowhere");
        for path in ["/dev/null", "/dev", "/dev/zero"] {
            let data = fs::metadata(path).expect("metadata");
            let mapping = mapping(Path::new(path), data.ino(), data.dev());
            assert!(MappedFile::open(nowhere, 1, &mapping).is_none(), "{path}");
        }
    }

    #[test]
    fn a_file_of_somebody_else_or_behind_a_link_is_not_owned() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let file = dir.path().join("perf-1.map");
        fs::write(&file, "").expect("file");
        let uid = fs::metadata(&file).expect("metadata").uid();
        let mode = |mode| {
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(&file, mode).expect("own");
        };
        mode(0o644);
        assert!(MappedFile::readable_for(&file, uid).is_some());
        let of_root = MappedFile::readable_for(&file, uid + 1);
        assert_eq!(of_root.is_some(), uid == 0);
        mode(0o600);
        assert!(MappedFile::readable_for(&file, uid).is_some());
        assert!(MappedFile::readable_for(&file, uid + 1).is_none());
        let link = dir.path().join("link");
        symlink(&file, &link).expect("link");
        assert!(MappedFile::readable_for(&link, uid).is_none());
    }
}
