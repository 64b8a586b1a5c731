//! The parts of a stranger's file that are wanted, read into memory: whoever truncates a file
//! that is mapped instead kills its reader with SIGBUS. What one file may take is limited.

use std::cell::{Cell, OnceCell, RefCell};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::rc::Rc;

use object::{ReadCache, ReadRef};

use super::section::ReadAt;

/// What is held of one file: of a debug build of 300 MB some 20 MB are touched, its roots of
/// units most of all.
pub const MOST_BYTES: u64 = 32 << 20;

/// Longest name of a section; names of symbols are not read through here.
const LONGEST_NAME: u64 = 256;

pub struct Pieces<R: Read + Seek> {
    read: Shared<R>,
    cache: ReadCache<Shared<R>>,
    left: Cell<u64>,
    is_full: Cell<bool>,
    len: OnceCell<Option<u64>>,
}

/// One open file, read by whoever seeks first.
struct Shared<R>(Rc<RefCell<R>>);

impl<R: Read> Read for Shared<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read(bytes)
    }
}

impl<R: Seek> Seek for Shared<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.borrow_mut().seek(to)
    }
}

impl<R: Read + Seek> Pieces<R> {
    pub fn new(read: R) -> Pieces<R> {
        Pieces::of(Rc::new(RefCell::new(read)))
    }

    /// The same file with nothing held yet, for what is let go soon.
    pub fn again(&self) -> Pieces<R> {
        Pieces::of(Rc::clone(&self.read.0))
    }

    fn of(read: Rc<RefCell<R>>) -> Pieces<R> {
        Pieces {
            cache: ReadCache::new(Shared(Rc::clone(&read))),
            read: Shared(read),
            left: Cell::new(MOST_BYTES),
            is_full: Cell::new(false),
            len: OnceCell::new(),
        }
    }

    /// Bytes held, at most.
    pub fn read(&self) -> u64 {
        MOST_BYTES - self.left.get()
    }

    /// Takes room for `bytes` more.
    pub fn hold(&self, bytes: u64) -> Option<()> {
        let left = self.left.get().checked_sub(bytes);
        match left {
            Some(left) => self.left.set(left),
            None => self.is_full.set(true),
        }
        left.map(|_| ())
    }

    /// Something was not read because so much is held.
    pub fn is_full(&self) -> bool {
        self.is_full.get()
    }
}

impl<R: Read + Seek> ReadAt for Pieces<R> {
    fn fill(&self, offset: u64, page: &mut [u8]) -> Option<()> {
        self.hold(page.len() as u64)?;
        let mut read = self.read.0.borrow_mut();
        read.seek(SeekFrom::Start(offset)).ok()?;
        read.read_exact(page).ok()
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
        self.hold(size).ok_or(())?;
        (&self.cache).read_bytes_at(offset, size)
    }

    fn read_bytes_at_until(self, range: Range<u64>, delimiter: u8) -> Result<&'a [u8], ()> {
        self.hold(LONGEST_NAME).ok_or(())?;
        (&self.cache).read_bytes_at_until(range, delimiter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

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
        let mut page = [0; 4];
        assert_eq!(pieces.fill(5, &mut page), Some(()));
        assert_eq!(&page, b"5678");
        assert_eq!((&pieces).read_bytes_at(2, 3), Ok(&b"234"[..]));
        assert_eq!((&pieces).read_bytes_at(8, 3), Err(()));
        assert_eq!(pieces.fill(8, &mut page), None);
        assert_eq!((&pieces).read_bytes_at_until(1..9, b'4'), Ok(&b"123"[..]));
        let again = pieces.again();
        assert_eq!((&again).read_bytes_at(0, 2), Ok(&b"01"[..]));
        assert_eq!(again.read(), 2);
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
