//! The parts of a stranger's file that are wanted, read into memory: whoever truncates a file
//! that is mapped instead kills its reader with SIGBUS. What one file may take is limited.

use std::cell::{Cell, OnceCell};
use std::io::{Read, Seek};
use std::ops::Range;

use object::{ReadCache, ReadRef};

/// A file whose parts together are larger is not read further: a debug build of 300 MB has some
/// 200 MB that matter.
pub const MOST_BYTES: u64 = 512 << 20;

/// Longest name of a section; names of symbols are not read through here.
const LONGEST_NAME: u64 = 256;

pub struct Pieces<R: Read + Seek> {
    cache: ReadCache<R>,
    left: Cell<u64>,
    len: OnceCell<Option<u64>>,
}

impl<R: Read + Seek> Pieces<R> {
    pub fn new(read: R) -> Pieces<R> {
        Pieces {
            cache: ReadCache::new(read),
            left: Cell::new(MOST_BYTES),
            len: OnceCell::new(),
        }
    }

    /// Bytes held, at most.
    pub fn read(&self) -> u64 {
        MOST_BYTES - self.left.get()
    }
}

impl<'a, R: Read + Seek> ReadRef<'a> for &'a Pieces<R> {
    fn len(self) -> Result<u64, ()> {
        let len = self.len.get_or_init(|| (&self.cache).len().ok());
        len.ok_or(())
    }

    /// The cache makes room before it reads: sizes are judged here.
    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'a [u8], ()> {
        let end = offset.checked_add(size).ok_or(())?;
        if end > ReadRef::len(self)? {
            return Err(());
        }
        self.left.set(self.left.get().checked_sub(size).ok_or(())?);
        (&self.cache).read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        self.left
            .set(self.left.get().checked_sub(LONGEST_NAME).ok_or(())?);
        (&self.cache).read_bytes_at_until(range, delimiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{self, Cursor, SeekFrom};

    /// As long as wanted, of zeros, and nobody has to hold them.
    struct Sparse(u64);

    impl Read for Sparse {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            bytes.fill(0);
            Ok(bytes.len())
        }
    }

    impl Seek for Sparse {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            Ok(match to {
                SeekFrom::Start(at) => at,
                SeekFrom::End(_) | SeekFrom::Current(_) => self.0,
            })
        }
    }

    #[test]
    fn a_piece_is_read_once_more_as_it_was() {
        let pieces = Pieces::new(Cursor::new(b"0123456789".to_vec()));
        assert_eq!((&pieces).read_bytes_at(2, 3), Ok(&b"234"[..]));
        assert_eq!((&pieces).read_bytes_at(2, 3), Ok(&b"234"[..]));
        assert_eq!((&pieces).read_bytes_at(8, 3), Err(()));
        assert_eq!((&pieces).read_bytes_at_until(1..9, b'4'), Ok(&b"123"[..]));
    }

    #[test]
    fn a_huge_file_is_refused_before_room_is_made_for_it() {
        let pieces = Pieces::new(Sparse(1 << 50));
        assert_eq!((&pieces).read_bytes_at(0, 1 << 45), Err(()));
        assert!((&pieces).read_bytes_at(0, 1 << 10).is_ok());
        assert_eq!(pieces.read(), 1 << 10);
        assert_eq!((&pieces).read_bytes_at(0, MOST_BYTES), Err(()));
    }
}
