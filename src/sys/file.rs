//! Files that a user names, and files that are to be this user's alone: opened so that nothing is
//! waited for, no link is followed, and nobody else's file is taken.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::rights::effective_uid;

/// Group and others may write.
const OTHERS_WRITE: u32 = 0o022;
const OWNER_ONLY: u32 = 0o600;
const OWNER_ONLY_DIR: u32 = 0o700;

/// Takes room on the disk for the file's first `bytes` bytes, so that they cannot run out later.
pub fn allocate(file: &File, bytes: u64) -> io::Result<()> {
    let bytes = libc::off_t::try_from(bytes).unwrap_or(libc::off_t::MAX);
    // SAFETY: an open descriptor, no pointers.
    let result = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, bytes) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// For reading: a regular file of at most so many bytes. A FIFO is not waited for.
pub fn open_regular(path: &Path, most: u64) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(refused("it is no regular file"));
    }
    if meta.len() > most {
        return Err(too_large(most));
    }
    Ok(file)
}

/// The whole of it; of files whose length the kernel does not say (/proc) at most as much, too.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path, most)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

/// A new file of mode 0600, for reading and writing. What has the name already is not touched.
pub fn create_own_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(OWNER_ONLY)
        .custom_flags(libc::O_NOFOLLOW)
        .open(path)
}

/// A file of this user's alone, made if it is not there, with what it holds: a lock, or an output that
/// its caller empties. A link, a FIFO, another user's file and one with a second name are refused.
pub fn open_own_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(OWNER_ONLY)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => refused("it is a symbolic link"),
            _ => error,
        })?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(refused("it is no regular file"));
    }
    if meta.uid() != effective_uid() {
        return Err(refused(&format!("it belongs to user {}", meta.uid())));
    }
    if meta.nlink() > 1 {
        return Err(refused("it has a second name (a hard link)"));
    }
    if meta.mode() & 0o777 & !OWNER_ONLY != 0 {
        file.set_permissions(Permissions::from_mode(OWNER_ONLY))?;
    }
    Ok(file)
}

/// A directory of this user's alone, held open: whoever may rename what leads to it does not lead what
/// is written to another place.
pub struct OwnDir(File);

impl OwnDir {
    /// Nobody else may change what is in it, and no link of another user leads to it.
    pub fn open(path: &Path) -> io::Result<OwnDir> {
        OwnDir::found(path, false)
    }

    /// The same; what is missing of the path is made, with mode 0700.
    pub fn create(path: &Path) -> io::Result<OwnDir> {
        OwnDir::found(path, true)
    }

    fn found(path: &Path, make: bool) -> io::Result<OwnDir> {
        let dir = walk(path, make)?;
        let meta = dir.metadata()?;
        if meta.uid() != effective_uid() {
            return Err(refused(&format!("it belongs to user {}", meta.uid())));
        }
        if meta.mode() & OTHERS_WRITE != 0 {
            return Err(refused(&format!(
                "others may write to it (mode {:04o}): chmod go-w it",
                meta.mode() & 0o7777
            )));
        }
        Ok(OwnDir(dir))
    }

    /// Leads to the directory itself as long as it is open.
    pub fn path(&self) -> PathBuf {
        held(&self.0)
    }
}

/// Links followed on the way: as many as the kernel follows.
const MOST_LINKS: u32 = 40;

/// The directory that a path leads to. Each part is opened below the one above, which is held open, so that
/// nobody can put another thing in its place between a look and its use. A link on the way is followed
/// if it is root's or this user's, one at the end is not.
fn walk(path: &Path, make: bool) -> io::Result<File> {
    let parts = |path: &Path| -> Vec<OsString> {
        let parts = path.components().rev();
        parts.map(|part| part.as_os_str().to_owned()).collect()
    };
    let mut dir = look_at(Path::new("."))?;
    let mut left = parts(path);
    let mut links = 0;
    while let Some(part) = left.pop() {
        // The root begins with a slash: it replaces what stands before it.
        let at = held(&dir).join(&part);
        let found = match look_at(&at) {
            Err(error) if make && error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().mode(OWNER_ONLY_DIR).create(&at)?;
                look_at(&at)?
            }
            found => found?,
        };
        let meta = found.metadata()?;
        if meta.is_symlink() {
            let name = Path::new(&part).display();
            if ![0, effective_uid()].contains(&meta.uid()) {
                let owner = meta.uid();
                return Err(refused(&format!(
                    "{name} is a symbolic link of user {owner}"
                )));
            }
            links += 1;
            if left.is_empty() || links > MOST_LINKS {
                return Err(refused("it is a symbolic link"));
            }
            left.extend(parts(&link_target(&found)?));
        } else if meta.is_dir() {
            dir = found;
        } else {
            return Err(refused("it is no directory"));
        }
    }
    Ok(dir)
}

/// Opens neither a file's contents nor what a link leads to.
fn look_at(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
        .open(path)
}

fn held(file: &File) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Of the link that is open, wherever its name leads by now.
fn link_target(link: &File) -> io::Result<PathBuf> {
    let mut buffer = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: an open descriptor, a path that ends with 0, and a buffer of the length that is told.
    let length = unsafe {
        libc::readlinkat(
            link.as_raw_fd(),
            c"".as_ptr(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
        )
    };
    let Ok(length) = usize::try_from(length) else {
        return Err(io::Error::last_os_error());
    };
    buffer.truncate(length);
    Ok(OsString::from_vec(buffer).into())
}

fn refused(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}

fn too_large(most: u64) -> io::Error {
    refused(&format!("it is larger than {} MiB", most.div_ceil(1 << 20)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn why<T>(result: io::Result<T>) -> String {
        result.err().expect("refused").to_string()
    }

    fn fifo(path: &Path) {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.expect("mkfifo of coreutils").success());
    }

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read_and_nothing_is_waited_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let (file, pipe) = (dir.path().join("rules"), dir.path().join("fifo"));
        fs::write(&file, "A = 1").expect("a file");
        fifo(&pipe);
        assert_eq!(read_regular(&file, 5).expect("read"), b"A = 1");
        assert_eq!(why(read_regular(&file, 4)), "it is larger than 1 MiB");
        for path in [&pipe, Path::new("/dev/zero"), dir.path()] {
            assert_eq!(why(read_regular(path, 9)), "it is no regular file");
        }
        // Its length is said to be 0.
        assert_eq!(
            why(read_regular(Path::new("/proc/self/status"), 9)),
            "it is larger than 1 MiB"
        );
    }

    #[test]
    fn a_lock_is_this_users_own_file_and_keeps_what_it_holds() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |name: &str| dir.path().join(name);
        fs::write(at("there"), "held").expect("a file");
        fs::set_permissions(at("there"), Permissions::from_mode(0o644)).expect("chmod");
        open_own_file(&at("there")).expect("its owner's");
        assert_eq!(fs::read_to_string(at("there")).expect("text"), "held");
        let mode = fs::metadata(at("there")).expect("there").mode();
        assert_eq!(mode & 0o777, OWNER_ONLY);
        open_own_file(&at("new")).expect("made");

        symlink(at("there"), at("link")).expect("a link");
        symlink(at("nowhere"), at("dangling")).expect("a link");
        fifo(&at("fifo"));
        for (name, said) in [
            ("link", "it is a symbolic link"),
            ("dangling", "it is a symbolic link"),
            ("fifo", "it is no regular file"),
        ] {
            assert_eq!(why(open_own_file(&at(name))), said);
        }
        fs::hard_link(at("there"), at("second")).expect("a link");
        assert!(why(open_own_file(&at("second"))).contains("a second name"));
        assert!(!at("nowhere").exists());
        assert!(create_own_file(&at("dangling")).is_err() && !at("nowhere").exists());
    }

    #[test]
    fn a_directory_that_others_may_write_to_is_not_ones_own() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("ring");
        fs::create_dir(&path).expect("made");
        for (mode, own) in [
            (0o700, true),
            (0o755, true),
            (0o775, false),
            (0o1777, false),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("chmod");
            assert_eq!(OwnDir::open(&path).is_ok(), own, "{mode:o}");
        }
        symlink(dir.path(), dir.path().join("link")).expect("a link");
        assert_eq!(
            why(OwnDir::open(&dir.path().join("link"))),
            "it is a symbolic link"
        );
        assert_eq!(
            why(OwnDir::open(Path::new("/proc/self/status"))),
            "it is no directory"
        );
    }

    #[test]
    fn files_and_directories_of_another_user_are_not_ones_own() {
        if effective_uid() != 0 {
            return eprintln!("skipped: only root can give a file away");
        }
        let dir = tempfile::tempdir().expect("a directory");
        let (file, ring) = (dir.path().join("lock"), dir.path().join("ring"));
        fs::write(&file, "").expect("a file");
        fs::create_dir(&ring).expect("made");
        for path in [&file, &ring] {
            std::os::unix::fs::chown(path, Some(65_534), None).expect("given away");
        }
        assert_eq!(why(open_own_file(&file)), "it belongs to user 65534");
        assert_eq!(why(OwnDir::open(&ring)), "it belongs to user 65534");
    }

    #[test]
    fn a_directory_stays_the_one_that_was_opened_whatever_its_name_leads_to() {
        let dir = tempfile::tempdir().expect("a directory");
        let (ring, moved) = (dir.path().join("ring"), dir.path().join("moved"));
        let own = OwnDir::create(&ring).expect("one's own");
        fs::rename(&ring, &moved).expect("renamed");
        symlink("/nowhere", &ring).expect("a link");
        create_own_file(&own.path().join("lock")).expect("a file");
        assert!(moved.join("lock").exists());
    }

    #[test]
    fn a_link_of_another_user_leads_to_no_directory_of_ones_own() {
        if effective_uid() != 0 {
            return eprintln!("skipped: only root can give a link away");
        }
        let dir = tempfile::tempdir().expect("a directory");
        let (there, link) = (dir.path().join("there"), dir.path().join("link"));
        fs::create_dir(&there).expect("made");
        symlink(&there, &link).expect("a link");
        let below = link.join("ring");
        OwnDir::create(&below).expect("root's own link");
        OwnDir::open(&below).expect("root's own link");
        std::os::unix::fs::lchown(&link, Some(65_534), None).expect("given away");
        let said = "link is a symbolic link of user 65534";
        assert_eq!(why(OwnDir::open(&below)), said);
        assert_eq!(why(OwnDir::create(&link.join("new"))), said);
        // Nor by a link of one's own that leads through it.
        symlink("link/ring", dir.path().join("own")).expect("a link");
        assert_eq!(why(OwnDir::open(&dir.path().join("own/deeper"))), said);
        assert!(!there.join("new").exists());
    }

    #[test]
    fn what_leads_to_a_directory_is_made_and_goes_up_and_round() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("a/./b/../c/");
        let own = OwnDir::create(&path).expect("made");
        create_own_file(&own.path().join("lock")).expect("a file");
        assert!(dir.path().join("a/c/lock").exists());
        let mode = fs::metadata(dir.path().join("a")).expect("made").mode();
        assert_eq!(mode & 0o777, OWNER_ONLY_DIR);
        symlink("round", dir.path().join("round")).expect("a link");
        assert_eq!(
            why(OwnDir::open(&dir.path().join("round/x"))),
            "it is a symbolic link"
        );
    }
}
