//! One ELF file → the names of its functions, by file offset. addr2line's loader maps the file
//! and reads its symbol table; the file is a stranger's, so its headers are judged first.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;

use addr2line::Loader;
use object::{Object, ObjectKind, ObjectSection, ObjectSegment, ReadCache};

use super::mapped_file::MappedFile;
use super::readable;

/// The loader unpacks compressed debug sections into memory: more than this is refused.
const MOST_UNPACKED: u64 = 256 << 20;

/// A larger program is shown by offsets: each is copied before it is read.
const LARGEST_FILE: u64 = 192 << 20;

pub struct Elf {
    loader: Loader,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, Copy)]
struct Segment {
    offset: u64,
    size: u64,
    address: u64,
}

impl Elf {
    pub fn open(file: &MappedFile) -> Option<Elf> {
        if file.len() > LARGEST_FILE {
            return None;
        }
        let copy = private_copy(File::open(file.path()).ok()?)?;
        let segments = judge(copy.try_clone().ok()?)?;
        let loader = Loader::new(format!("/proc/self/fd/{}", copy.as_raw_fd())).ok()?;
        Some(Elf { loader, segments })
    }

    /// Name of the function at `offset` of the file.
    pub fn name(&self, offset: u64) -> Option<String> {
        let segment = self
            .segments
            .iter()
            .find(|segment| offset.wrapping_sub(segment.offset) < segment.size)?;
        let address = segment.address.wrapping_add(offset - segment.offset);
        self.loader.find_symbol(address).map(readable::symbol)
    }
}

/// The loader maps its file, and whoever truncates a mapped file kills the reader with SIGBUS: so
/// it is given a copy that has no name and that nobody else can reach.
fn private_copy(mut file: File) -> Option<File> {
    let unnamed = |dir| {
        let mut options = File::options();
        options
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_TMPFILE)
            .open(dir)
    };
    let mut copy = unnamed("/dev/shm").or_else(|_| unnamed("/tmp")).ok()?;
    io::copy(&mut Read::by_ref(&mut file).take(LARGEST_FILE), &mut copy).ok()?;
    copy.rewind().ok()?;
    Some(copy)
}

/// The segments of a linked ELF file that is safe to load.
fn judge(file: File) -> Option<Vec<Segment>> {
    let cache = ReadCache::new(file);
    let file = object::File::parse(&cache).ok()?;
    if file.format() != object::BinaryFormat::Elf
        || !matches!(file.kind(), ObjectKind::Executable | ObjectKind::Dynamic)
    {
        return None;
    }
    let unpacked = file
        .sections()
        .filter_map(|section| section.compressed_file_range().ok())
        .filter(|range| range.format != object::CompressionFormat::None)
        .fold(0u64, |sum, range| {
            sum.saturating_add(range.uncompressed_size)
        });
    if unpacked > MOST_UNPACKED {
        return None;
    }
    let segments = file.segments().map(|segment| {
        let (offset, size) = segment.file_range();
        Segment {
            offset,
            size,
            address: segment.address(),
        }
    });
    Some(segments.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::path::Path;

    fn open(path: &Path) -> Option<Elf> {
        let uid = fs::metadata(path).expect("metadata").uid();
        Elf::open(&MappedFile::owned_by(path, uid)?)
    }

    #[test]
    fn files_that_are_no_linked_elf_are_refused() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("x");
        for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n", &[0xff; 4096]] {
            fs::write(&path, bytes).expect("file");
            assert!(open(&path).is_none(), "{bytes:?}");
        }
    }

    #[test]
    fn this_program_cut_anywhere_or_with_broken_bytes_is_survived() {
        let whole = fs::read("/proc/self/exe").expect("this program");
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("x");
        for len in [16, 63, 64, 65, 1000, 4096, 100_000] {
            fs::write(&path, &whole[..len]).expect("file");
            if let Some(elf) = open(&path) {
                elf.name(0x1000);
            }
        }
        for at in 16..256 {
            let mut broken = whole[..200_000.min(whole.len())].to_vec();
            broken[at] = 0xff;
            fs::write(&path, &broken).expect("file");
            if let Some(elf) = open(&path) {
                elf.name(0x1000);
            }
        }
    }
}
