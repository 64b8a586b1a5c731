//! DWARF of strangers, read with measure. A few bytes of it can stand for endless work (a list of
//! ranges shared by every function) or for endless depth (functions inlined into each other):
//! every read takes from the limit and looks how deep the stack is; where either ends, reading fails.

use std::borrow::Cow;
use std::cell::Cell;

use addr2line::gimli::{self, ReaderOffsetId, RunTimeEndian};

use super::memory::{FileMemory, NoRoom};
use super::section::Section;
use crate::sys::held_by_thread;

/// Reads per byte of DWARF: all of it is read two or three times, most reads take some bytes.
const PER_BYTE: u64 = 4;
const LEAST: u64 = 1 << 16;
/// About 4 s of work.
const MOST: u64 = 96 << 20;

/// Memory is looked at once in so many reads.
const LOOK_EVERY: u64 = 1 << 10;

/// A read in the middle of a long text costs one per so many bytes.
const BYTES_PER_READ: usize = 64;

/// The thread that reads has twice as much.
const DEEPEST: usize = 2 << 20;
pub const STACK: usize = 2 * DEEPEST;

/// Of one file, for as long as it is open.
#[derive(Debug)]
pub struct DwarfLimits<'m> {
    left: Cell<u64>,
    /// What the thread held when reading began, less what it has kept of the file since.
    base: Cell<isize>,
    memory: &'m FileMemory,
    no_room: Cell<Option<NoRoom>>,
    /// Where the stack was.
    shallow: usize,
}

impl<'m> DwarfLimits<'m> {
    /// To be called where nothing deep is under way.
    pub fn for_bytes(dwarf: u64, memory: &'m FileMemory) -> DwarfLimits<'m> {
        let full = dwarf.saturating_mul(PER_BYTE).clamp(LEAST, MOST);
        DwarfLimits {
            left: Cell::new(full),
            base: Cell::new(held_by_thread()),
            memory,
            no_room: Cell::new(None),
            shallow: here(),
        }
    }

    /// Bytes of memory that reading has come to.
    pub fn bytes(&self) -> u64 {
        u64::try_from(held_by_thread() - self.base.get()).unwrap_or(0)
    }

    /// The thread has done something else since it read the last time, with `bytes` held then.
    pub fn go_on(&self, bytes: u64) {
        let bytes = isize::try_from(bytes).unwrap_or(isize::MAX);
        self.base.set(held_by_thread().saturating_sub(bytes));
    }

    /// It ended because of the memory.
    pub fn no_room(&self) -> Option<NoRoom> {
        self.no_room.get()
    }

    pub fn is_empty(&self) -> bool {
        self.left.get() == 0
    }

    fn burn(&self, reads: u64) -> Option<()> {
        let before = self.left.get();
        let mut left = before.saturating_sub(reads);
        if before / LOOK_EVERY != left / LOOK_EVERY
            && let Err(why) = self.memory.hold(self.bytes())
        {
            self.no_room.set(Some(why));
            left = 0;
        }
        self.left.set(left);
        (left > 0 && here().abs_diff(self.shallow) < DEEPEST).then_some(())
    }
}

/// The address of something on the stack.
#[inline]
fn here() -> usize {
    let marker = 0u8;
    std::ptr::from_ref(std::hint::black_box(&marker)).addr()
}

#[derive(Debug, Clone)]
pub struct Reader<'a> {
    section: &'a Section<'a>,
    at: usize,
    len: usize,
    endian: RunTimeEndian,
    limits: &'a DwarfLimits<'a>,
}

impl<'a> Reader<'a> {
    pub fn new(
        section: &'a Section<'a>,
        endian: RunTimeEndian,
        limits: &'a DwarfLimits<'a>,
    ) -> Reader<'a> {
        Reader {
            section,
            at: 0,
            len: section.len(),
            endian,
            limits,
        }
    }

    #[inline]
    fn burn(&self, bytes: usize) -> gimli::Result<()> {
        let reads = 1 + bytes / BYTES_PER_READ;
        self.limits.burn(reads as u64).ok_or_else(|| self.end())
    }

    fn end(&self) -> gimli::Error {
        gimli::Error::UnexpectedEof(gimli::Reader::offset_id(self))
    }

    #[inline]
    fn forward(&mut self, len: usize) -> gimli::Result<()> {
        self.len = self.len.checked_sub(len).ok_or_else(|| self.end())?;
        self.at += len;
        Ok(())
    }

    fn bytes(&self) -> gimli::Result<Cow<'a, [u8]>> {
        let bytes = self.section.slice(self.at..self.at + self.len);
        bytes.ok_or_else(|| self.end())
    }
}

impl gimli::Reader for Reader<'_> {
    type Endian = RunTimeEndian;
    type Offset = usize;

    fn endian(&self) -> RunTimeEndian {
        self.endian
    }

    fn len(&self) -> usize {
        self.len
    }

    fn empty(&mut self) {
        self.len = 0;
    }

    fn truncate(&mut self, len: usize) -> gimli::Result<()> {
        if len > self.len {
            return Err(self.end());
        }
        self.len = len;
        Ok(())
    }

    fn offset_from(&self, base: &Self) -> usize {
        self.at - base.at
    }

    /// Of its section: only an error's text could tell two sections apart.
    fn offset_id(&self) -> ReaderOffsetId {
        ReaderOffsetId(self.at as u64)
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        let at = usize::try_from(id.0).ok()?.checked_sub(self.at)?;
        (at <= self.len).then_some(at)
    }

    fn find(&self, byte: u8) -> gimli::Result<usize> {
        let found = self.section.find(self.at..self.at + self.len, byte);
        let (Ok(searched) | Err(searched)) = found;
        self.burn(searched)?;
        found.map_err(|_| self.end())
    }

    #[inline]
    fn skip(&mut self, len: usize) -> gimli::Result<()> {
        self.burn(0)?;
        self.forward(len)
    }

    #[inline]
    fn split(&mut self, len: usize) -> gimli::Result<Self> {
        self.burn(0)?;
        let mut first = self.clone();
        self.forward(len)?;
        first.len = len;
        Ok(first)
    }

    fn to_slice(&self) -> gimli::Result<Cow<'_, [u8]>> {
        self.bytes()
    }

    fn to_string(&self) -> gimli::Result<Cow<'_, str>> {
        self.burn(self.len)?;
        let bad = |_| gimli::Error::BadUtf8;
        Ok(match self.bytes()? {
            Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).map_err(bad)?),
            Cow::Owned(bytes) => {
                let text = String::from_utf8(bytes);
                Cow::Owned(text.map_err(|error| bad(error.utf8_error()))?)
            }
        })
    }

    fn to_string_lossy(&self) -> gimli::Result<Cow<'_, str>> {
        self.burn(self.len)?;
        Ok(match self.bytes()? {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        })
    }

    #[inline]
    fn read_slice(&mut self, buffer: &mut [u8]) -> gimli::Result<()> {
        self.burn(0)?;
        let at = self.at;
        self.forward(buffer.len())?;
        self.section.copy(at, buffer).ok_or_else(|| self.end())
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::{ElfMemory, MOST_HELD};
    use super::*;
    use addr2line::gimli::Reader as _;

    #[test]
    fn reading_ends_with_the_fuel() {
        let memory = ElfMemory::default().file();
        let limits = DwarfLimits::for_bytes(0, &memory);
        let section = Section::whole(vec![7; 64]);
        let mut reader = Reader::new(&section, RunTimeEndian::Little, &limits);
        let mut again = reader.clone();
        assert_eq!(reader.read_u8(), Ok(7));
        for _ in 0..2 * LEAST {
            let _ = again.clone().read_u8();
        }
        assert!(limits.is_empty());
        assert!(reader.read_u8().is_err() && again.split(1).is_err());
    }

    #[test]
    fn reading_ends_where_it_holds_too_much_and_what_others_hold_does_not_count() {
        let section = Section::whole(vec![7; 8]);
        let memory = ElfMemory::default().file();
        let limits = DwarfLimits::for_bytes(1 << 30, &memory);
        let read = |times: u64| {
            let reader = Reader::new(&section, RunTimeEndian::Little, &limits);
            (0..times).all(|_| reader.clone().read_u8().is_ok())
        };
        let others = vec![1_u8; MOST_HELD as usize + 1];
        limits.go_on(5);
        assert!(read(2 * LOOK_EVERY) && limits.bytes() < 1 << 10);
        let held = vec![1_u8; MOST_HELD as usize + 1];
        assert!(!read(2 * LOOK_EVERY));
        assert_eq!(limits.no_room(), Some(NoRoom::TooLarge));
        assert!(limits.is_empty());
        assert_eq!(others.len(), held.len());
    }

    #[test]
    fn a_long_text_costs_more_than_a_short_one() {
        let text = Section::whole(vec![b'x'; 1 << 20]);
        let memory = ElfMemory::default().file();
        let limits = DwarfLimits::for_bytes(0, &memory);
        let reader = Reader::new(&text, RunTimeEndian::Little, &limits);
        let _ = reader.find(0);
        assert!(limits.left.get() <= LEAST - (1 << 20) / BYTES_PER_READ as u64);
    }

    #[test]
    fn reading_ends_where_the_stack_gets_deep() {
        fn deeper(reader: &mut Reader, level: u32) -> u32 {
            let room = std::hint::black_box([0u8; 1024]);
            match reader.clone().read_u8() {
                Ok(_) => deeper(reader, level + 1) + u32::from(room[0]),
                Err(_) => level,
            }
        }
        let levels = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn(|| {
                let memory = ElfMemory::default().file();
                let limits = DwarfLimits::for_bytes(0, &memory);
                let section = Section::whole(vec![7; 8]);
                deeper(
                    &mut Reader::new(&section, RunTimeEndian::Little, &limits),
                    0,
                )
            })
            .expect("a thread")
            .join()
            .expect("no overflow");
        assert!((100..=2048).contains(&levels), "{levels}");
    }
}
