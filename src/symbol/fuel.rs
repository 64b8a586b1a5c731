//! DWARF of strangers, read with measure. A few bytes of it can stand for endless work (a list of
//! ranges shared by every function) or for endless depth (functions inlined into each other):
//! every read burns fuel and looks how deep the stack is; where either ends, reading fails.

use std::borrow::Cow;
use std::cell::Cell;

use addr2line::gimli::{self, EndianSlice, Reader as _, ReaderOffsetId, RunTimeEndian};

/// Reads per byte of DWARF: all of it is read two or three times, most reads take some bytes.
const PER_BYTE: u64 = 4;
const LEAST: u64 = 1 << 16;
/// About 4 s of work; each read keeps some 20 bytes of memory, so 2 GB.
const MOST: u64 = 96 << 20;

/// A read in the middle of a long text costs one per so many bytes.
const BYTES_PER_READ: usize = 64;

/// The thread that reads has twice as much.
const DEEPEST: usize = 2 << 20;
pub const STACK: usize = 2 * DEEPEST;

/// Of one file, for as long as it is open.
#[derive(Debug)]
pub struct Fuel {
    left: Cell<u64>,
    /// Where the stack was.
    shallow: usize,
}

impl Fuel {
    /// To be called where nothing deep is under way.
    pub fn for_bytes(dwarf: u64) -> Fuel {
        Fuel {
            left: Cell::new(dwarf.saturating_mul(PER_BYTE).clamp(LEAST, MOST)),
            shallow: here(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.left.get() == 0
    }

    fn burn(&self, reads: u64) -> Option<()> {
        let left = self.left.get().saturating_sub(reads);
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
    bytes: EndianSlice<'a, RunTimeEndian>,
    fuel: &'a Fuel,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8], endian: RunTimeEndian, fuel: &'a Fuel) -> Reader<'a> {
        Reader {
            bytes: EndianSlice::new(bytes, endian),
            fuel,
        }
    }

    #[inline]
    fn burn(&self, bytes: usize) -> gimli::Result<()> {
        let reads = 1 + bytes / BYTES_PER_READ;
        let burned = self.fuel.burn(reads as u64);
        burned.ok_or_else(|| gimli::Error::UnexpectedEof(self.bytes.offset_id()))
    }
}

impl gimli::Reader for Reader<'_> {
    type Endian = RunTimeEndian;
    type Offset = usize;

    fn endian(&self) -> RunTimeEndian {
        self.bytes.endian()
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn empty(&mut self) {
        self.bytes.empty();
    }

    fn truncate(&mut self, len: usize) -> gimli::Result<()> {
        self.bytes.truncate(len)
    }

    fn offset_from(&self, base: &Self) -> usize {
        gimli::Reader::offset_from(&self.bytes, &base.bytes)
    }

    fn offset_id(&self) -> ReaderOffsetId {
        self.bytes.offset_id()
    }

    fn lookup_offset_id(&self, id: ReaderOffsetId) -> Option<usize> {
        self.bytes.lookup_offset_id(id)
    }

    fn find(&self, byte: u8) -> gimli::Result<usize> {
        let found = gimli::Reader::find(&self.bytes, byte);
        self.burn(*found.as_ref().unwrap_or(&self.bytes.len()))?;
        found
    }

    #[inline]
    fn skip(&mut self, len: usize) -> gimli::Result<()> {
        self.burn(0)?;
        self.bytes.skip(len)
    }

    #[inline]
    fn split(&mut self, len: usize) -> gimli::Result<Self> {
        self.burn(0)?;
        let bytes = self.bytes.split(len)?;
        let fuel = self.fuel;
        Ok(Reader { bytes, fuel })
    }

    fn to_slice(&self) -> gimli::Result<Cow<'_, [u8]>> {
        self.bytes.to_slice()
    }

    fn to_string(&self) -> gimli::Result<Cow<'_, str>> {
        self.burn(self.bytes.len())?;
        gimli::Reader::to_string(&self.bytes)
    }

    fn to_string_lossy(&self) -> gimli::Result<Cow<'_, str>> {
        self.burn(self.bytes.len())?;
        gimli::Reader::to_string_lossy(&self.bytes)
    }

    #[inline]
    fn read_slice(&mut self, buffer: &mut [u8]) -> gimli::Result<()> {
        self.burn(0)?;
        gimli::Reader::read_slice(&mut self.bytes, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_ends_with_the_fuel() {
        let fuel = Fuel::for_bytes(0);
        let mut reader = Reader::new(&[7; 64], RunTimeEndian::Little, &fuel);
        let mut again = reader.clone();
        assert_eq!(reader.read_u8(), Ok(7));
        for _ in 0..2 * LEAST {
            let _ = again.clone().read_u8();
        }
        assert!(fuel.is_empty());
        assert!(reader.read_u8().is_err() && again.split(1).is_err());
    }

    #[test]
    fn a_long_text_costs_more_than_a_short_one() {
        let text = vec![b'x'; 1 << 20];
        let fuel = Fuel::for_bytes(0);
        let reader = Reader::new(&text, RunTimeEndian::Little, &fuel);
        let _ = reader.find(0);
        assert!(fuel.left.get() <= LEAST - (1 << 20) / BYTES_PER_READ as u64);
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
                let fuel = Fuel::for_bytes(0);
                deeper(&mut Reader::new(&[7; 8], RunTimeEndian::Little, &fuel), 0)
            })
            .expect("a thread")
            .join()
            .expect("no overflow");
        assert!((100..=2048).contains(&levels), "{levels}");
    }
}
