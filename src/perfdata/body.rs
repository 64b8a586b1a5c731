//! The parts of a sample's body, whichever its event has, in the order of `PERF_SAMPLE_*` in
//! include/uapi/linux/perf_event.h. What stands behind the raw bytes (registers, stack dumps) is
//! passed over.

use super::attr::{Attr, part};
use crate::decode::Cursor;

/// Bits of `read_format`.
const TIME_ENABLED: u64 = 1;
const TIME_RUNNING: u64 = 1 << 1;
const ID: u64 = 1 << 2;
const GROUP: u64 = 1 << 3;
const LOST: u64 = 1 << 4;

/// Counters of a group.
const MOST_READ: u64 = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SampleBody<'a> {
    pub ip: u64,
    pub pid: u32,
    pub tid: u32,
    pub time: Option<u64>,
    pub cpu: Option<u32>,
    pub period: Option<u64>,
    pub read: Option<Read<'a>>,
    /// Addresses, little-endian.
    pub chain: &'a [u8],
    pub raw: &'a [u8],
}

/// What counters had counted at the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read<'a> {
    format: u64,
    values: &'a [u8],
}

impl Read<'_> {
    /// (value, id) of each counter; an id of 0: the sample's own.
    pub fn values(&self) -> impl Iterator<Item = (u64, u64)> {
        let each =
            8 * (1 + usize::from(self.format & ID != 0) + usize::from(self.format & LOST != 0));
        self.values.chunks_exact(each).map(|counter| {
            let mut cursor = Cursor::new(counter);
            let value = cursor.u64().unwrap_or(0);
            let id = if self.format & ID == 0 {
                None
            } else {
                cursor.u64()
            };
            (value, id.unwrap_or(0))
        })
    }
}

impl<'a> SampleBody<'a> {
    /// `None`: cut short.
    pub fn parse(attr: &Attr, body: &'a [u8]) -> Option<SampleBody<'a>> {
        let mut cursor = Cursor::new(body);
        let mut sample = SampleBody::default();
        if attr.has(part::IDENTIFIER) {
            cursor.u64()?;
        }
        if attr.has(part::IP) {
            sample.ip = cursor.u64()?;
        }
        if attr.has(part::TID) {
            (sample.pid, sample.tid) = (cursor.u32()?, cursor.u32()?);
        }
        if attr.has(part::TIME) {
            sample.time = Some(cursor.u64()?);
        }
        for skipped in [part::ADDR, part::ID, part::STREAM_ID] {
            if attr.has(skipped) {
                cursor.u64()?;
            }
        }
        if attr.has(part::CPU) {
            sample.cpu = Some(cursor.u32()?);
            let _reserved = cursor.u32()?;
        }
        if attr.has(part::PERIOD) {
            sample.period = Some(cursor.u64()?);
        }
        if attr.has(part::READ) {
            sample.read = Some(read(attr.read_format, &mut cursor)?);
        }
        if attr.has(part::CALLCHAIN) {
            let frames = usize::try_from(cursor.u64()?).ok()?;
            sample.chain = cursor.bytes(frames.checked_mul(8)?)?;
        }
        if attr.has(part::RAW) {
            let length = cursor.u32()? as usize;
            sample.raw = cursor.bytes(length)?;
        }
        Some(sample)
    }
}

/// A group's times stand before its counters, a single counter's behind its value; its id is the
/// sample's own.
fn read<'a>(format: u64, cursor: &mut Cursor<'a>) -> Option<Read<'a>> {
    let words = |bits: &[u64]| 8 * bits.iter().filter(|bit| format & **bit != 0).count();
    let times = words(&[TIME_ENABLED, TIME_RUNNING]);
    let each = 8 + words(&[ID, LOST]);
    if format & GROUP != 0 {
        let counters = Some(cursor.u64()?).filter(|counters| *counters <= MOST_READ)?;
        cursor.bytes(times)?;
        let values = cursor.bytes(each * counters as usize)?;
        return Some(Read { format, values });
    }
    let values = cursor.bytes(8)?;
    cursor.bytes(times + each - 8)?;
    Some(Read { format: 0, values })
}

/// Where the id of a record's event stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct IdPlace {
    /// In a sample: bytes from the beginning of its body.
    sample: Option<usize>,
    /// In the tail of other records: bytes from their end.
    tail: Option<usize>,
}

impl IdPlace {
    /// It is at the same place in the records of every event of a file.
    pub fn of(attr: &Attr) -> IdPlace {
        if attr.has(part::IDENTIFIER) {
            return IdPlace {
                sample: Some(0),
                tail: attr.sample_id_all.then_some(8),
            };
        }
        if !attr.has(part::ID) {
            return IdPlace::default();
        }
        let before = [part::IP, part::TID, part::TIME, part::ADDR];
        let behind = [part::STREAM_ID, part::CPU];
        let set = |parts: &[u64]| parts.iter().filter(|bit| attr.has(**bit)).count();
        IdPlace {
            sample: Some(8 * set(&before)),
            tail: attr.sample_id_all.then(|| 8 * (1 + set(&behind))),
        }
    }

    pub fn in_sample(self, body: &[u8]) -> Option<u64> {
        Cursor::new(body.get(self.sample?..)?).u64()
    }

    pub fn in_tail(self, body: &[u8]) -> Option<u64> {
        let at = body.len().checked_sub(self.tail?)?;
        Cursor::new(&body[at..]).u64()
    }
}

/// When and where another record than a sample was written: its tail says (`sample_id_all`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    pub time: Option<u64>,
    pub cpu: Option<u32>,
}

impl Tail {
    pub fn parse(attr: &Attr, body: &[u8]) -> Tail {
        if !attr.sample_id_all {
            return Tail::default();
        }
        let parts = [
            part::TID,
            part::TIME,
            part::ID,
            part::STREAM_ID,
            part::CPU,
            part::IDENTIFIER,
        ];
        let set = parts.iter().filter(|bit| attr.has(**bit)).count();
        let Some(at) = body.len().checked_sub(8 * set) else {
            return Tail::default();
        };
        let mut cursor = Cursor::new(&body[at..]);
        let mut tail = Tail::default();
        for bit in parts {
            if !attr.has(bit) {
                continue;
            }
            match bit {
                part::TIME => tail.time = cursor.u64(),
                part::CPU => tail.cpu = cursor.u64().map(|cpu| cpu as u32),
                _ => {
                    cursor.u64();
                }
            }
        }
        tail
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
