//! Where the debug information of a stripped file lies: a file of its own, found by build id or by
//! the name and checksum in .gnu_debuglink ("Debugging Information in Separate Files", gdb's
//! manual), in the root of the process first and then in the host's.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::Marks;
use super::build_id;
use super::mapped_file::MappedFile;

/// A larger file is not summed up to be checked: that reads all of it.
const LARGEST_SUMMED: u64 = 2 << 30;

const DEBUG: &str = "usr/lib/debug";

/// Where a mapped file is.
#[derive(Debug, Clone)]
pub struct Whereabouts {
    /// The process's root, if it is here, and the host's.
    pub roots: Vec<PathBuf>,
    /// Folder of the file below a root.
    pub folder: PathBuf,
}

impl Whereabouts {
    /// `path` is that of a mapping.
    pub fn of(proc: &Path, pid: u32, path: &str) -> Whereabouts {
        let folder = Path::new(path.trim_start_matches('/')).parent();
        Whereabouts {
            roots: vec![
                proc.join(pid.to_string()).join("root"),
                proc.parent().unwrap_or(proc).to_owned(),
            ],
            folder: folder.unwrap_or(Path::new("")).to_owned(),
        }
    }

    /// `path` is that of a mapping of a process which may have been on another host.
    pub fn recorded(path: &str) -> Whereabouts {
        let folder = Path::new(path.trim_start_matches('/')).parent();
        Whereabouts {
            roots: vec![PathBuf::from("/")],
            folder: folder.unwrap_or(Path::new("")).to_owned(),
        }
    }

    /// Files that may be it, the likeliest first, and whether the name is a build id's.
    fn candidates(&self, marks: &Marks) -> Vec<(PathBuf, bool)> {
        let id = marks.build_id.as_deref().and_then(|id| {
            let id = build_id::in_folders(id)?;
            Some(format!("{DEBUG}/.build-id/{id}.debug"))
        });
        let link = marks.link.as_ref().map(|(name, _)| name);
        let link = link.filter(|name| !name.contains('/') && *name != "..");
        let mut paths = Vec::new();
        for root in &self.roots {
            paths.extend(id.iter().map(|id| (root.join(id), true)));
        }
        for root in &self.roots {
            for folder in [
                root.join(&self.folder),
                root.join(&self.folder).join(".debug"),
                root.join(DEBUG).join(&self.folder),
            ] {
                paths.extend(link.iter().map(|name| (folder.join(name), false)));
            }
        }
        paths
    }

    /// The debug file of a file with these marks. `build_id` reads that of a candidate: one found
    /// by its name must have the same, one found by link the same checksum.
    pub fn find(
        &self,
        marks: &Marks,
        build_id: impl Fn(File) -> Option<Vec<u8>>,
    ) -> Option<MappedFile> {
        let candidates = self.candidates(marks).into_iter();
        candidates
            .filter_map(|(path, by_id)| Some((MappedFile::regular(&path)?, by_id)))
            .find(|(file, by_id)| {
                let Ok(opened) = File::open(file.path()) else {
                    return false;
                };
                if *by_id {
                    return build_id(opened) == marks.build_id;
                }
                let expected = marks.link.as_ref().map(|(_, checksum)| *checksum);
                file.len() <= LARGEST_SUMMED && checksum(opened).ok() == expected
            })
            .map(|(file, _)| file)
    }
}

/// CRC-32 as in zlib.
fn checksum(file: File) -> io::Result<u32> {
    let mut file = file.take(LARGEST_SUMMED);
    let mut sum = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(sum.finalize()),
            len => sum.update(&buffer[..len]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn host() -> (tempfile::TempDir, Whereabouts) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let places = Whereabouts::of(&dir.path().join("proc"), 7, "/opt/x/prog");
        (dir, places)
    }

    fn put(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
        fs::write(path, text).expect("file");
    }

    fn found(places: &Whereabouts, marks: &Marks) -> Option<String> {
        // The text of a candidate is its build id here.
        let id = |mut file: File| {
            let mut id = Vec::new();
            file.read_to_end(&mut id).ok()?;
            Some(id)
        };
        let file = places.find(marks, id)?;
        fs::read_to_string(file.path()).ok()
    }

    #[test]
    fn a_build_id_is_looked_up_in_the_root_of_the_process_then_on_the_host_and_compared() {
        let (dir, places) = host();
        let marks = Marks {
            build_id: Some(b"abc".to_vec()),
            link: None,
        };
        let name = "usr/lib/debug/.build-id/61/6263.debug";
        assert_eq!(found(&places, &marks), None);
        put(dir.path(), name, "abc");
        assert_eq!(found(&places, &marks).as_deref(), Some("abc"));
        put(dir.path(), &format!("proc/7/root/{name}"), "another");
        assert_eq!(found(&places, &marks).as_deref(), Some("abc"));
        put(dir.path(), name, "other");
        assert_eq!(found(&places, &marks), None);
    }

    #[test]
    fn a_link_is_looked_up_beside_the_file_and_its_checksum_compared() {
        for folder in ["opt/x", "opt/x/.debug", "usr/lib/debug/opt/x"] {
            let (dir, places) = host();
            // The check value every description of this CRC gives.
            put(
                dir.path(),
                &format!("proc/7/root/{folder}/prog.debug"),
                "123456789",
            );
            let mut marks = Marks {
                build_id: None,
                link: Some(("prog.debug".to_owned(), 0xcbf4_3926)),
            };
            assert!(found(&places, &marks).is_some(), "{folder}");
            marks.link = Some(("prog.debug".to_owned(), 1));
            assert!(found(&places, &marks).is_none(), "{folder}");
        }
    }

    #[test]
    fn a_link_does_not_lead_out_of_its_folder() {
        let (_dir, places) = host();
        for name in ["/etc/passwd", "../../etc/passwd", ".."] {
            let marks = Marks {
                build_id: None,
                link: Some((name.to_owned(), 0)),
            };
            assert_eq!(places.candidates(&marks), [], "{name}");
        }
    }
}
