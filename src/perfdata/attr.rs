//! `struct perf_event_attr` as a file has it: what an event is and which parts its samples have.
//! Layout and bits: include/uapi/linux/perf_event.h. Older perfs wrote fewer bytes of it.

use crate::decode::Cursor;

/// Bits of `sample_type`.
pub mod part {
    pub const IP: u64 = 1;
    pub const TID: u64 = 1 << 1;
    pub const TIME: u64 = 1 << 2;
    pub const ADDR: u64 = 1 << 3;
    pub const READ: u64 = 1 << 4;
    pub const CALLCHAIN: u64 = 1 << 5;
    pub const ID: u64 = 1 << 6;
    pub const CPU: u64 = 1 << 7;
    pub const PERIOD: u64 = 1 << 8;
    pub const STREAM_ID: u64 = 1 << 9;
    pub const RAW: u64 = 1 << 10;
    pub const REGS_USER: u64 = 1 << 12;
    pub const STACK_USER: u64 = 1 << 13;
    pub const IDENTIFIER: u64 = 1 << 16;
}

/// `attr.type`.
pub const HARDWARE: u32 = 0;
pub const SOFTWARE: u32 = 1;
pub const TRACEPOINT: u32 = 2;

/// Bit fields behind `read_format`.
const FREQ: u64 = 1 << 10;
const SAMPLE_ID_ALL: u64 = 1 << 18;

/// PERF_ATTR_SIZE_VER0.
const SHORTEST: usize = 64;

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attr {
    pub kind: u32,
    /// Which event of its kind: of a tracepoint its id.
    pub config: u64,
    /// Hits between two samples, or samples per second when `freq`.
    pub period: u64,
    pub freq: bool,
    pub sample_type: u64,
    pub read_format: u64,
    /// Records other than samples end in a sample's id, time, CPU …
    pub sample_id_all: bool,
    /// What the records of this event carry.
    pub ids: Vec<u64>,
    /// As it was asked for; `None`: the file does not say.
    pub name: Option<String>,
}

impl Attr {
    /// `None`: cut short. Bytes behind what is known here are passed over.
    pub fn parse(bytes: &[u8]) -> Option<Attr> {
        if bytes.len() < SHORTEST {
            return None;
        }
        let mut cursor = Cursor::new(bytes);
        let kind = cursor.u32()?;
        let _size = cursor.u32()?;
        let (config, period) = (cursor.u64()?, cursor.u64()?);
        let (sample_type, read_format) = (cursor.u64()?, cursor.u64()?);
        let flags = cursor.u64()?;
        Some(Attr {
            kind,
            config,
            period,
            freq: flags & FREQ != 0,
            sample_type,
            read_format,
            sample_id_all: flags & SAMPLE_ID_ALL != 0,
            ids: Vec::new(),
            name: None,
        })
    }

    /// The size that it says it has.
    pub fn size(bytes: &[u8]) -> Option<usize> {
        let mut cursor = Cursor::new(bytes.get(4..)?);
        usize::try_from(cursor.u32()?).ok()
    }

    pub fn has(&self, parts: u64) -> bool {
        self.sample_type & parts != 0
    }

    /// Takes no samples: it is there for the side band (PERF_COUNT_SW_DUMMY).
    pub fn is_dummy(&self) -> bool {
        self.kind == SOFTWARE && self.config == 9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attr_of_any_length_is_read_and_every_truncation_is_refused() {
        let mut bytes = vec![0u8; 136];
        bytes[0..4].copy_from_slice(&TRACEPOINT.to_le_bytes());
        bytes[4..8].copy_from_slice(&136u32.to_le_bytes());
        bytes[8..16].copy_from_slice(&77u64.to_le_bytes());
        bytes[16..24].copy_from_slice(&10u64.to_le_bytes());
        bytes[24..32].copy_from_slice(&(part::IP | part::RAW).to_le_bytes());
        bytes[40..48].copy_from_slice(&(SAMPLE_ID_ALL | FREQ).to_le_bytes());
        for length in SHORTEST..=bytes.len() {
            let attr = Attr::parse(&bytes[..length]).expect("long enough");
            assert_eq!((attr.config, attr.period), (77, 10));
            assert!(attr.freq && attr.sample_id_all && attr.has(part::RAW));
        }
        for length in 0..SHORTEST {
            assert_eq!(Attr::parse(&bytes[..length]), None);
        }
        assert_eq!(Attr::size(&bytes), Some(136));
    }
}
