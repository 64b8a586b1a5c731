//! Thinning: of older seconds ten become one interval, with all their events.

use std::io;
use std::path::Path;

use super::entry::Entry;
use super::segment::SegmentWriter;
use super::segment_reader::SegmentReader;
use crate::decode::{Tick, join};

/// In the name of such a segment.
pub const THINNED: &str = ".10s";

const LENGTH_NS: u64 = 10 * 1_000_000_000;

/// Reads the segment up to where it can be read.
pub fn thin(from: &Path, to: &Path) -> io::Result<()> {
    let mut reader = SegmentReader::open(from)?;
    let mut writer = SegmentWriter::create(to)?;
    let mut joined: Option<Box<Tick>> = None;
    while let Ok(entry) = reader.read() {
        match entry {
            Entry::Tick(tick) if tick.interval_ns > 0 => {
                match &mut joined {
                    Some(joined) => join(joined, *tick),
                    none => *none = Some(tick),
                }
                // Ticks come some time before or after they are due.
                let long = |tick: &Tick| tick.interval_ns >= LENGTH_NS - LENGTH_NS / 20;
                if joined.as_deref().is_some_and(long) {
                    put(&mut writer, joined.take())?;
                }
            }
            other => {
                put(&mut writer, joined.take())?;
                writer.write(&other)?;
            }
        }
    }
    put(&mut writer, joined)?;
    writer.finish()
}

fn put(writer: &mut SegmentWriter, tick: Option<Box<Tick>>) -> io::Result<()> {
    match tick {
        Some(tick) => writer.write(&Entry::Tick(tick)),
        None => Ok(()),
    }
}
