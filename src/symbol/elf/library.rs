//! The name of a program or library → its file: as a process has it mapped, as the loader would
//! find it, or as the shell would.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use crate::symbol::maps;

/// Beyond these many processes nobody is asked which library he has.
const MOST_PROCESSES: usize = 20_000;

/// /etc/ld.so.cache is some 100 KiB.
const LARGEST_CACHE: u64 = 16 << 20;

/// As many as the kernel follows (MAXSYMLINKS of include/linux/namei.h).
const MOST_LINKS: usize = 40;

/// The path through which the file is to be opened. With `pids` it is the file that those
/// processes see, in their own mounts. `Err`: one sentence.
pub fn find(root: &Path, name: &str, pids: &[u32]) -> Result<PathBuf, String> {
    if name.contains('/') {
        return at_path(root, name, pids);
    }
    let mapped = |pids: &[u32]| pids.iter().find_map(|pid| mapped(root, *pid, name));
    if mapped(pids).is_some() {
        let all = pids.iter().filter_map(|pid| self::mapped(root, *pid, name));
        return one_for_all(name, all.collect());
    }
    if let [first, ..] = pids {
        return Err(format!("process {first} has mapped no file named {name}"));
    }
    by_loader(root, name)
        .or_else(|| by_shell(root, name))
        .or_else(|| mapped(&processes(root)))
        .ok_or_else(|| {
            format!("neither the loader nor a running process knows {name}; give its path")
        })
}

/// As the shell's user names a file, in the mounts of those processes.
fn at_path(root: &Path, name: &str, pids: &[u32]) -> Result<PathBuf, String> {
    let here = env::current_dir().unwrap_or_default();
    let absolute = here.join(name);
    let seen = |base: &Path, whose: &str| {
        let path = inside(base, &absolute);
        match path.metadata() {
            Ok(found) if found.is_file() => Ok(path),
            Ok(_) => Err(format!("{name} is no regular file")),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Err(format!("cannot look at {name}{whose}: {error}"))
            }
            Err(_) => Err(format!("there is no file {name}{whose}")),
        }
    };
    if pids.is_empty() {
        return seen(root, "");
    }
    let theirs = pids.iter().map(|pid| {
        let base = root.join(format!("proc/{pid}/root"));
        seen(&base, &format!(" for process {pid}"))
    });
    one_for_all(name, theirs.collect::<Result<_, _>>()?)
}

/// A path as who has `base` for his root follows it: absolute links lead there, too, and nothing
/// leads out.
fn inside(base: &Path, path: &Path) -> PathBuf {
    let parts = |path: &Path| -> Vec<OsString> {
        let parts = path.components().rev().filter_map(|part| match part {
            Component::Normal(part) => Some(part.to_owned()),
            Component::ParentDir => Some("..".into()),
            _ => None,
        });
        parts.collect()
    };
    let (mut left, mut found, mut links) = (parts(path), base.to_owned(), 0);
    while let Some(part) = left.pop() {
        if part == ".." {
            if found != base {
                found.pop();
            }
            continue;
        }
        found.push(part);
        if links < MOST_LINKS
            && let Ok(target) = found.read_link()
        {
            links += 1;
            found.pop();
            if target.is_absolute() {
                base.clone_into(&mut found);
            }
            left.extend(parts(&target));
        }
    }
    found
}

/// The first, unless another process has another file of that name: a breakpoint in one counts
/// nothing of the other.
fn one_for_all(name: &str, all: Vec<PathBuf>) -> Result<PathBuf, String> {
    let identity = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        Some((found.dev(), found.ino()))
    };
    let mut all = all.into_iter();
    let first = all.next().unwrap_or_default();
    let same = identity(&first);
    match all.find(|path| identity(path) != same) {
        Some(other) => Err(format!(
            "the processes have different files named {name}, {} and {}: name each by its path, as an event of its own",
            first.display(),
            other.display()
        )),
        None => Ok(first),
    }
}

/// `libssl` and `libssl.so` name `libssl.so.3` too.
fn is_named(file: &str, name: &str) -> bool {
    let Some(rest) = file.strip_prefix(name) else {
        return false;
    };
    let bare = Path::new(name).extension().is_some_and(|end| end == "so");
    rest.is_empty() || rest.starts_with(".so") || bare && rest.starts_with('.')
}

/// The file as that process sees it.
fn mapped(root: &Path, pid: u32, name: &str) -> Option<PathBuf> {
    let of_process = root.join(format!("proc/{pid}"));
    let text = fs::read_to_string(of_process.join("maps")).ok()?;
    let mapping = maps::parse(&text).into_iter().find(|mapping| {
        mapping.is_file() && !mapping.deleted && is_named(mapping.basename(), name)
    })?;
    let inside = mapping.path.trim_start_matches('/');
    Some(of_process.join("root").join(inside)).filter(|path| path.is_file())
}

fn processes(root: &Path) -> Vec<u32> {
    let entries = fs::read_dir(root.join("proc")).ok();
    let names = entries.into_iter().flatten().filter_map(Result::ok);
    let pids: BTreeSet<u32> = names
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .take(MOST_PROCESSES)
        .collect();
    pids.into_iter().collect()
}

fn by_shell(root: &Path, name: &str) -> Option<PathBuf> {
    [
        "usr/local/sbin",
        "usr/local/bin",
        "usr/sbin",
        "usr/bin",
        "sbin",
        "bin",
    ]
    .into_iter()
    .map(|folder| root.join(folder).join(name))
    .find(|path| path.is_file())
}

fn by_loader(root: &Path, name: &str) -> Option<PathBuf> {
    let path = root.join("etc/ld.so.cache");
    let short = fs::metadata(&path).is_ok_and(|data| data.len() <= LARGEST_CACHE);
    let cache = if short {
        fs::read(path).ok()?
    } else {
        Vec::new()
    };
    let found = cached(&cache, name).into_iter();
    found
        .map(|path| root.join(path.trim_start_matches('/')))
        .find(|path| path.is_file() && is_native(path))
}

/// The class (32 or 64 bit) of this program; a host may have libraries of both.
fn is_native(path: &Path) -> bool {
    use std::io::Read;
    let mut begin = [0; 5];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    let class = if cfg!(target_pointer_width = "64") {
        2
    } else {
        1
    };
    read.is_ok() && begin[4] == class
}

/// Paths of the libraries named so, in the cache's order (glibc sysdeps/generic/dl-cache.h: a
/// header of 48 bytes, entries of 24: flags, key, value, OS version, hardware; texts at offsets
/// from the header).
fn cached(cache: &[u8], name: &str) -> Vec<String> {
    const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
    // Older systems have the old format in front.
    let Some(start) = cache.windows(MAGIC.len()).position(|w| w == MAGIC) else {
        return Vec::new();
    };
    let cache = &cache[start..];
    let word = |at: usize| {
        let bytes = cache.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes) as usize)
    };
    let text = |at: usize| {
        let end = cache.get(at..)?.iter().position(|byte| *byte == 0)?;
        std::str::from_utf8(&cache[at..at + end]).ok()
    };
    let entries = word(MAGIC.len()).unwrap_or(0).min(cache.len() / 24);
    let entry = |index: usize| {
        let at = 48 + 24 * index;
        let key = text(word(at + 4)?)?;
        is_named(key, name).then(|| text(word(at + 8)?).map(str::to_owned))?
    };
    (0..entries).filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_finds_libc_and_the_shell_finds_sh() {
        let root = Path::new("/");
        let libc = find(root, "libc.so.6", &[]).expect("every Linux has it");
        assert!(libc.ends_with("libc.so.6"), "{}", libc.display());
        assert_eq!(find(root, "libc", &[]), Ok(libc));
        assert!(find(root, "sh", &[]).expect("a shell").ends_with("bin/sh"));
    }

    #[test]
    fn a_processes_library_is_found_through_its_own_root() {
        let me = std::process::id();
        let path = find(Path::new("/"), "libc.so.6", &[me]).expect("mapped here");
        assert!(
            path.starts_with(format!("/proc/{me}/root")),
            "{}",
            path.display()
        );
        let none = find(Path::new("/"), "libnone.so", &[me]).expect_err("not mapped");
        assert!(none.contains("mapped no file named libnone.so"), "{none}");
    }

    #[test]
    fn links_are_followed_below_the_root_that_is_meant() {
        let dir = tempfile::tempdir().expect("a directory");
        let base = dir.path();
        fs::create_dir_all(base.join("opt/app")).expect("made");
        fs::write(base.join("opt/app/real.so"), "").expect("written");
        let link = std::os::unix::fs::symlink::<&str, PathBuf>;
        link("/opt/app/real.so", base.join("absolute.so")).expect("linked");
        link("../../../../opt/app/real.so", base.join("opt/app/up.so")).expect("linked");
        link("/opt", base.join("folder")).expect("linked");
        link("/round", base.join("round")).expect("linked");
        let real = base.join("opt/app/real.so");
        for path in [
            "/absolute.so",
            "/opt/app/up.so",
            "/folder/app/real.so",
            "/folder/../opt/./app/real.so",
        ] {
            assert_eq!(inside(base, Path::new(path)), real, "{path}");
        }
        assert!(!inside(base, Path::new("/round/x")).exists());
    }

    #[test]
    fn a_path_is_the_shells_and_what_is_no_file_is_told_from_what_is_not_there() {
        let root = Path::new("/");
        // Tests run in the package's directory.
        let here = env::current_dir().expect("a directory").join("Cargo.toml");
        assert_eq!(find(root, "./Cargo.toml", &[]), Ok(here));
        let of = |name, pids: &[u32]| find(root, name, pids).expect_err(name);
        assert_eq!(of("/tmp", &[]), "/tmp is no regular file");
        assert_eq!(of("/tmp/none", &[]), "there is no file /tmp/none");
        let me = std::process::id();
        let why = of("/tmp/none", &[me]);
        assert_eq!(why, format!("there is no file /tmp/none for process {me}"));
    }

    #[test]
    fn names_without_a_version_find_one_and_no_other_library() {
        assert!(is_named("libssl.so.3", "libssl") && is_named("libssl.so.3", "libssl.so"));
        assert!(is_named("libssl.so.3", "libssl.so.3") && is_named("nginx", "nginx"));
        assert!(!is_named("libsslx.so.3", "libssl") && !is_named("libssl.so.31", "libssl.so.3"));
    }

    #[test]
    fn a_torn_cache_names_nothing_and_nothing_panics() {
        let cache = fs::read("/etc/ld.so.cache").unwrap_or_default();
        for end in (0..cache.len()).step_by(97) {
            let _fewer = cached(&cache[..end], "libc.so.6");
        }
        let mut wild = cache.clone();
        for byte in wild.iter_mut().skip(20).step_by(3) {
            *byte = 0xff;
        }
        let _none = cached(&wild, "libc.so.6");
    }
}
