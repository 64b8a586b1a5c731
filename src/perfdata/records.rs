//! The records of a data section one after the other; compressed ones are unpacked on the way.
//! Types and layout: include/uapi/linux/perf_event.h, tools/lib/perf/include/perf/event.h.

use zstd::stream::raw::{Decoder, Operation, OutBuffer};

use super::fault::Fault;
use super::stream::Stream;
use crate::decode::Cursor;

/// Records of perf itself begin here.
pub const USER: u32 = 64;
pub const HEADER_ATTR: u32 = 64;
pub const HEADER_TRACING_DATA: u32 = 66;
pub const HEADER_BUILD_ID: u32 = 67;
pub const FINISHED_ROUND: u32 = 68;
const AUXTRACE: u32 = 71;
pub const EVENT_UPDATE: u32 = 78;
pub const HEADER_FEATURE: u32 = 80;
const COMPRESSED: u32 = 81;
const COMPRESSED2: u32 = 83;

const HEADER: usize = 8;

/// A compressed record is one reading of a ring: larger ones are made to fill memory.
const MOST_UNPACKED: usize = 64 << 20;

/// What unpacking adds in one step.
const UNPACKED: usize = 256 << 10;

/// More than this of an event's formats is no such thing.
const LARGEST_PAYLOAD: usize = 256 << 20;

#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    pub kind: u32,
    pub misc: u16,
    /// Without the header.
    pub body: &'a [u8],
    /// Of the file; of a compressed record's: where that one is.
    pub offset: u64,
}

pub struct Records {
    stream: Stream,
    /// Length of the record that was given last: it is passed over with the next question.
    given: Given,
    unpack: Option<Unpack>,
    /// Data of processor trace (Intel PT, CoreSight) that was passed over.
    pub trace_bytes: u64,
}

#[derive(Clone, Copy)]
enum Given {
    Nothing,
    /// Of the stream.
    Plain(usize),
    /// Of what was unpacked.
    Unpacked(usize),
}

/// zstd goes on from record to record; a record may be cut by their borders.
struct Unpack {
    decoder: Decoder<'static>,
    bytes: Vec<u8>,
    start: usize,
    /// Of the compressed record.
    offset: u64,
}

impl Records {
    pub fn new(stream: Stream) -> Records {
        Records {
            stream,
            given: Given::Nothing,
            unpack: None,
            trace_bytes: 0,
        }
    }

    /// How far the reading is, bytes of the file.
    pub fn offset(&self) -> u64 {
        self.stream.offset()
    }

    /// The next one; `None`: a clean end.
    pub fn next(&mut self) -> Result<Option<Record<'_>>, Fault> {
        match std::mem::replace(&mut self.given, Given::Nothing) {
            Given::Nothing => {}
            Given::Plain(length) => self.stream.skip(length),
            Given::Unpacked(length) => {
                if let Some(unpack) = &mut self.unpack {
                    unpack.start += length;
                }
            }
        }
        loop {
            if let Some(length) = self.unpacked()? {
                self.given = Given::Unpacked(length);
                break;
            }
            let offset = self.stream.offset();
            let Some((kind, length)) = header(self.stream.peek(HEADER)?, offset)? else {
                return self.end(offset);
            };
            let here = self.stream.peek(length)?.len();
            if here < length {
                let what = format!(
                    "a record of {length} bytes is expected, and the file ends after {here} of them"
                );
                return Err(Fault::new(offset, what));
            }
            match kind {
                COMPRESSED | COMPRESSED2 => {
                    self.take_compressed(kind, length)?;
                    self.stream.skip(length);
                }
                AUXTRACE => self.skip_auxtrace(length)?,
                _ => {
                    self.given = Given::Plain(length);
                    break;
                }
            }
        }
        Ok(self.again())
    }

    /// Nothing follows; nothing that was unpacked may be left.
    fn end(&self, offset: u64) -> Result<Option<Record<'_>>, Fault> {
        let left = self.unpack.as_ref().map_or(0, |u| u.bytes.len() - u.start);
        if left == 0 {
            return Ok(None);
        }
        let what = format!("the rest of a compressed record is expected behind {left} bytes of it");
        Err(Fault::new(offset, what))
    }

    /// The record that was given last.
    pub fn again(&mut self) -> Option<Record<'_>> {
        let (bytes, offset) = match self.given {
            Given::Nothing => return None,
            Given::Plain(length) => {
                let offset = self.stream.offset();
                (self.stream.peek(0).ok()?.get(..length)?, offset)
            }
            Given::Unpacked(length) => {
                let unpack = self.unpack.as_ref()?;
                let bytes = unpack.bytes.get(unpack.start..)?.get(..length)?;
                (bytes, unpack.offset)
            }
        };
        let mut cursor = Cursor::new(bytes);
        let kind = cursor.u32()?;
        let misc = cursor.u32()? as u16;
        Some(Record {
            kind,
            misc,
            body: cursor.rest(),
            offset,
        })
    }

    /// The record given last is given once more.
    pub fn unread(&mut self) {
        self.given = Given::Nothing;
    }

    /// `size` bytes that stand behind the record that was given last.
    pub fn payload(&mut self, size: usize) -> Result<Vec<u8>, Fault> {
        if let Given::Plain(length) = std::mem::replace(&mut self.given, Given::Nothing) {
            self.stream.skip(length);
        }
        let offset = self.stream.offset();
        let here = self.stream.peek(size.min(LARGEST_PAYLOAD))?;
        let Some(payload) = here.get(..size) else {
            let what = format!("{size} bytes are expected, and the file has {}", here.len());
            return Err(Fault::new(offset, what));
        };
        let payload = payload.to_vec();
        self.stream.skip(size);
        Ok(payload)
    }

    /// Length of the next whole record among what was unpacked.
    fn unpacked(&self) -> Result<Option<usize>, Fault> {
        let Some(unpack) = &self.unpack else {
            return Ok(None);
        };
        let rest = &unpack.bytes[unpack.start..];
        if rest.len() < HEADER {
            return Ok(None);
        }
        let found = header(rest, unpack.offset)?;
        Ok(found
            .map(|(_, length)| length)
            .filter(|length| *length <= rest.len()))
    }

    fn take_compressed(&mut self, kind: u32, length: usize) -> Result<(), Fault> {
        let offset = self.stream.offset();
        let failed =
            |error: std::io::Error| Fault::new(offset, format!("zstd data is expected: {error}"));
        let unpack = match &mut self.unpack {
            Some(unpack) => unpack,
            none => none.insert(Unpack {
                decoder: Decoder::new().map_err(failed)?,
                bytes: Vec::new(),
                start: 0,
                offset,
            }),
        };
        unpack.bytes.drain(..unpack.start);
        (unpack.start, unpack.offset) = (0, offset);
        let record = self.stream.peek(length)?;
        let body = &record[HEADER..length];
        let mut packed = match kind {
            COMPRESSED => body,
            _ => sized(body, offset)?,
        };
        loop {
            let end = unpack.bytes.len();
            if end > MOST_UNPACKED {
                let what = format!("at most {MOST_UNPACKED} unpacked bytes are expected");
                return Err(Fault::new(offset, what));
            }
            unpack.bytes.resize(end + UNPACKED, 0);
            let mut out = OutBuffer::around(&mut unpack.bytes[end..]);
            let mut input = zstd::stream::raw::InBuffer::around(packed);
            let result = unpack.decoder.run(&mut input, &mut out);
            let (read, written) = (input.pos(), out.pos());
            unpack.bytes.truncate(end + written);
            result.map_err(failed)?;
            packed = &packed[read..];
            if written < UNPACKED && (packed.is_empty() || (read == 0 && written == 0)) {
                return Ok(());
            }
        }
    }

    /// Trace data of a processor stands behind its record.
    fn skip_auxtrace(&mut self, length: usize) -> Result<(), Fault> {
        let offset = self.stream.offset();
        let record = self.stream.peek(length)?;
        let size = Cursor::new(&record[HEADER..length]).u64();
        self.stream.skip(length);
        let whole = match size {
            Some(size) => self.stream.skip_far(size)?,
            None => false,
        };
        if whole {
            self.trace_bytes += size.unwrap_or(0);
            return Ok(());
        }
        Err(Fault::new(
            offset,
            "processor trace data is expected to follow, and the file ends before it does",
        ))
    }
}

/// Type and length of the record that begins here; `None`: nothing begins here.
fn header(bytes: &[u8], offset: u64) -> Result<Option<(u32, usize)>, Fault> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut cursor = Cursor::new(bytes);
    let (Some(kind), Some(rest)) = (cursor.u32(), cursor.u32()) else {
        let what = format!("a record is expected, and there are {} bytes", bytes.len());
        return Err(Fault::new(offset, what));
    };
    let length = (rest >> 16) as usize;
    if length < HEADER {
        let what = format!("a record of at least {HEADER} bytes is expected, it says {length}");
        return Err(Fault::new(offset, what));
    }
    Ok(Some((kind, length)))
}

/// COMPRESSED2 says how many of its bytes count.
fn sized(body: &[u8], offset: u64) -> Result<&[u8], Fault> {
    let mut cursor = Cursor::new(body);
    let size = cursor.u64().and_then(|size| usize::try_from(size).ok());
    size.and_then(|size| cursor.bytes(size)).ok_or_else(|| {
        let what = format!(
            "a compressed record's size is expected within {}",
            body.len()
        );
        Fault::new(offset, what)
    })
}

#[cfg(test)]
#[path = "records_tests.rs"]
mod tests;
