//! The head of the file: `struct perf_file_header` (tools/perf/util/header.h), the ids of every
//! event and CPU, the attributes.

use super::super::recording::MAGIC;
use super::attr::{self, What};
use super::bytes::u64;
use crate::decode::EventId;

const HEADER: usize = 104;
/// Attributes are followed by the section of their ids.
const ENTRY: usize = attr::SIZE + 16;

/// The id of an event's samples on a CPU, in files of netop: (index + 1, CPU + 1).
pub fn id(event: EventId, cpu: u32) -> u64 {
    let event = if event == EventId::CLOCK {
        u64::from(u16::MAX)
    } else {
        u64::from(event.0) + 1
    };
    event << 32 | u64::from(cpu + 1)
}

/// An event of the file.
#[derive(Debug, Clone)]
pub struct Recorded {
    pub event: EventId,
    pub what: What,
    pub name: String,
    pub ids: Vec<u64>,
}

/// As long as the events and CPUs are the same, it is as long as before. `data`: its length, and
/// the features behind it; 0 while the recording goes on.
pub fn head(events: &[Recorded], data: u64, features: &[u32]) -> Vec<u8> {
    let ids: usize = events.iter().map(|event| 8 * event.ids.len()).sum();
    let attrs = HEADER + ids;
    let end = attrs + ENTRY * events.len();
    let mut flags = [0u64; 4];
    for &feature in features {
        flags[feature as usize / 64] |= 1 << (feature % 64);
    }
    let mut out = Vec::with_capacity(end);
    out.extend(MAGIC);
    u64(&mut out, HEADER as u64);
    u64(&mut out, ENTRY as u64);
    // Sections: attributes, data, event types (gone long ago).
    for (offset, size) in [(attrs, (end - attrs) as u64), (end, data), (0, 0)] {
        u64(&mut out, offset as u64);
        u64(&mut out, size);
    }
    for word in flags {
        u64(&mut out, word);
    }
    let mut sections = Vec::new();
    for event in events {
        sections.push((out.len(), 8 * event.ids.len()));
        for &id in &event.ids {
            u64(&mut out, id);
        }
    }
    for (index, (event, (offset, size))) in events.iter().zip(sections).enumerate() {
        attr::encode(event.what, index == 0, &mut out);
        u64(&mut out, offset as u64);
        u64(&mut out, size as u64);
    }
    out
}
