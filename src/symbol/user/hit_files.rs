//! Which files the samples' user frames lie in, and which builds of them they are.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;

use super::spaces::{Region, Spaces};
use crate::decode::{Happened, MappedFile, SideBand};
use crate::symbol::elf::reader::build_id;

/// More files than this a recording does not name.
const MOST: usize = 1 << 16;

pub struct HitFiles {
    proc: PathBuf,
    spaces: Spaces,
    files: Vec<Mapped>,
    known: FxHashMap<(String, MappedFile), u32>,
    /// Processes that ended since samples of theirs were last looked for.
    ended: Vec<u32>,
}

struct Mapped {
    path: String,
    file: MappedFile,
    hit: Hit,
}

enum Hit {
    No,
    /// With its build id, if it has one.
    Yes(Option<Vec<u8>>),
}

impl HitFiles {
    /// `proc`: where the processes are.
    pub fn new(proc: &Path) -> HitFiles {
        HitFiles {
            proc: proc.to_owned(),
            spaces: Spaces::default(),
            files: Vec::new(),
            known: FxHashMap::default(),
            ended: Vec::new(),
        }
    }

    pub fn told(&mut self, happened: &SideBand) {
        let pid = happened.pid;
        match &happened.what {
            Happened::Mapped(mapping) if !mapping.kernel && mapping.path.starts_with('/') => {
                if let Some(file) = self.file(&mapping.path, &mapping.file) {
                    let region = Region {
                        start: mapping.start,
                        end: mapping.start.saturating_add(mapping.len),
                        offset: mapping.offset,
                        file,
                    };
                    self.spaces.add(pid, region);
                }
            }
            Happened::Named { exec: true, .. } => self.spaces.empty(pid),
            Happened::Forked { parent, .. } if *parent != pid => self.spaces.fork(*parent, pid),
            Happened::Ended if happened.tid == pid => self.ended.push(pid),
            _ => {}
        }
    }

    fn file(&mut self, path: &str, file: &MappedFile) -> Option<u32> {
        let key = (path.to_owned(), file.clone());
        if let Some(known) = self.known.get(&key) {
            return Some(*known);
        }
        if self.files.len() >= MOST {
            return None;
        }
        let index = self.files.len() as u32;
        self.files.push(Mapped {
            path: path.to_owned(),
            file: file.clone(),
            hit: Hit::No,
        });
        self.known.insert(key, index);
        Some(index)
    }

    /// A sample has this user frame. The process is still there most likely: its file is looked at.
    pub fn hit(&mut self, pid: u32, address: u64) {
        let Some(region) = self.spaces.find(pid, address) else {
            return;
        };
        if let Some(mapped) = self.files.get_mut(region.file as usize)
            && matches!(mapped.hit, Hit::No)
        {
            mapped.hit = Hit::Yes(mapped.build(&self.proc, pid));
        }
    }

    /// Every sample up to now has been looked at: what ended is forgotten.
    pub fn settle(&mut self) {
        for pid in self.ended.drain(..) {
            self.spaces.empty(pid);
        }
    }

    /// Path and build id of every file that was hit and has one.
    pub fn builds(&self) -> Vec<(String, Vec<u8>)> {
        let build = |mapped: &Mapped| match &mapped.hit {
            Hit::Yes(Some(id)) => Some((mapped.path.clone(), id.clone())),
            _ => None,
        };
        self.files.iter().filter_map(build).collect()
    }
}

impl Mapped {
    fn build(&self, proc: &Path, pid: u32) -> Option<Vec<u8>> {
        if let MappedFile::BuildId(id) = &self.file {
            return Some(id.clone());
        }
        let below = self.path.trim_start_matches('/');
        let inside = proc.join(pid.to_string()).join("root").join(below);
        let path = [inside, PathBuf::from(&self.path)];
        let path = path.into_iter().find(|path| self.is(path))?;
        build_id(File::open(path).ok()?)
    }

    /// What lies there now may be another file. Nothing is opened that may block.
    fn is(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| {
            let same = match self.file {
                MappedFile::Inode { inode, .. } => found.ino() == inode,
                _ => true,
            };
            found.is_file() && same
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Mapping;

    fn told(pid: u32, what: Happened) -> SideBand {
        SideBand {
            time: 0,
            cpu: 0,
            pid,
            tid: pid,
            what,
        }
    }

    fn code(start: u64, path: &str, file: MappedFile) -> Happened {
        Happened::Mapped(Mapping {
            start,
            len: 0x1000,
            offset: 0,
            path: path.to_owned(),
            file,
            kernel: false,
        })
    }

    #[test]
    fn files_are_named_when_they_are_hit_by_whoever_mapped_them() {
        let mut files = HitFiles::new(Path::new("/nowhere"));
        let id = |byte| MappedFile::BuildId(vec![byte; 20]);
        files.told(&told(7, code(0x1000, "/bin/a", id(1))));
        files.told(&told(7, code(0x5000, "/bin/b", id(2))));
        let (parent, parent_tid) = (7, 7);
        files.told(&told(8, Happened::Forked { parent, parent_tid }));
        files.hit(8, 0x1500);
        files.hit(7, 0x4000);
        assert_eq!(files.builds(), [("/bin/a".to_owned(), vec![1; 20])]);
        files.told(&told(8, Happened::Ended));
        files.hit(8, 0x5500);
        assert_eq!(files.builds().len(), 2, "samples of its last moment");
        files.settle();
        files.told(&told(
            9,
            Happened::Forked {
                parent: 8,
                parent_tid: 8,
            },
        ));
        files.told(&told(9, code(0x1000, "/bin/c", id(3))));
        files.hit(8, 0x1500);
        assert_eq!(files.builds().len(), 2);
    }

    #[test]
    fn a_file_that_is_another_now_has_no_build() {
        let inode = |inode| MappedFile::Inode {
            major: 0,
            minor: 0,
            inode,
            generation: 0,
        };
        let own = std::env::current_exe().unwrap();
        let there = fs::metadata(&own).unwrap().ino();
        let path = own.to_str().unwrap();
        for (number, builds) in [(there, 1), (there + 1, 0)] {
            let mut files = HitFiles::new(Path::new("/proc"));
            files.told(&told(std::process::id(), code(0x1000, path, inode(number))));
            files.hit(std::process::id(), 0x1800);
            assert_eq!(files.builds().len(), builds);
        }
    }
}
