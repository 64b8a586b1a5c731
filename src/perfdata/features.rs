//! Feature sections of a perf.data header: HEADER_* of tools/perf/util/header.h. The same bytes
//! come as PERF_RECORD_HEADER_FEATURE in a pipe.

use super::described::{ClockData, Described};
use super::{Attr, tracing};
use crate::decode::Cursor;

pub const TRACING_DATA: u32 = 1;
pub const BUILD_ID: u32 = 2;
const HOSTNAME: u32 = 3;
const OSRELEASE: u32 = 4;
const VERSION: u32 = 5;
const ARCH: u32 = 6;
const NRCPUS: u32 = 7;
const CMDLINE: u32 = 11;
const EVENT_DESC: u32 = 12;
const SAMPLE_TIME: u32 = 21;
pub const CLOCK_DATA: u32 = 29;

/// The sections that are read; others are passed over.
pub const KNOWN: [u32; 11] = [
    TRACING_DATA,
    BUILD_ID,
    HOSTNAME,
    OSRELEASE,
    VERSION,
    ARCH,
    NRCPUS,
    CMDLINE,
    EVENT_DESC,
    SAMPLE_TIME,
    CLOCK_DATA,
];

/// More build ids than a host has files.
const MOST_BUILD_IDS: usize = 1 << 16;

/// Takes what the section says. `None`: it is cut short; what stood before is taken.
pub fn take(feature: u32, section: &[u8], into: &mut Described) -> Option<()> {
    let mut cursor = Cursor::new(section);
    match feature {
        TRACING_DATA => into.formats = tracing::formats(section),
        BUILD_ID => build_ids(&mut cursor, into)?,
        HOSTNAME => into.hostname = Some(string(&mut cursor)?),
        OSRELEASE => into.release = Some(string(&mut cursor)?),
        VERSION => into.version = Some(string(&mut cursor)?),
        ARCH => into.arch = Some(string(&mut cursor)?),
        NRCPUS => {
            let _configured = cursor.u32()?;
            into.cpus_online = Some(cursor.u32()?);
        }
        CMDLINE => {
            for _ in 0..cursor.u32()? {
                into.cmdline.push(string(&mut cursor)?);
            }
        }
        EVENT_DESC => event_desc(&mut cursor, into)?,
        SAMPLE_TIME => {
            let times = (cursor.u64()?, cursor.u64()?);
            // perf writes zeros where it did not look (-z, --no-buildid).
            into.sample_time = Some(times).filter(|(first, last)| 0 < *first && first <= last);
        }
        CLOCK_DATA => {
            let (_version, _clock) = (cursor.u32()?, cursor.u32()?);
            into.clock = Some(ClockData {
                wall_ns: cursor.u64()?,
                sample_ns: cursor.u64()?,
            });
        }
        _ => {}
    }
    Some(())
}

/// A length and so many bytes; the text ends at the first NUL.
fn string(cursor: &mut Cursor<'_>) -> Option<String> {
    let length = cursor.u32()? as usize;
    Some(until_nul(cursor.bytes(length)?))
}

pub fn until_nul(bytes: &[u8]) -> String {
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or(&[]);
    String::from_utf8_lossy(text).into_owned()
}

/// `struct perf_record_header_build_id`: 20 bytes of id and, in newer files, how many of them count.
fn build_ids(cursor: &mut Cursor<'_>, into: &mut Described) -> Option<()> {
    while !cursor.rest().is_empty() {
        let header = cursor.bytes(8)?;
        let size = usize::from(u16::from_le_bytes([header[6], header[7]]));
        build_id(cursor.bytes(size.checked_sub(8)?)?, into)?;
    }
    Some(())
}

/// The body of one.
pub fn build_id(body: &[u8], into: &mut Described) -> Option<()> {
    let mut cursor = Cursor::new(body);
    let _pid = cursor.u32()?;
    let id = cursor.bytes(24)?;
    let length = match id[20] {
        0 => 20,
        length => usize::from(length).min(20),
    };
    if into.build_ids.len() < MOST_BUILD_IDS {
        let path = until_nul(cursor.rest());
        into.build_ids.push((path, id[..length].to_vec()));
    }
    Some(())
}

/// Names of the events, by their ids.
fn event_desc(cursor: &mut Cursor<'_>, into: &mut Described) -> Option<()> {
    let events = cursor.u32()?;
    let attr_size = cursor.u32()? as usize;
    for event in 0..events {
        let attr = Attr::parse(cursor.bytes(attr_size)?)?;
        let ids = cursor.u32()?;
        let name = string(cursor)?;
        let ids = cursor.bytes(usize::try_from(u64::from(ids) * 8).ok()?)?;
        let first = Cursor::new(ids).u64();
        let known = into.attrs.iter_mut().enumerate().find(|(at, known)| {
            let by_id = first.is_some_and(|id| known.ids.contains(&id));
            by_id || (known.ids.is_empty() && *at == event as usize && known.config == attr.config)
        });
        if let Some((_, known)) = known {
            known.name = Some(name);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        let mut out = (text.len() as u32 + 3).to_le_bytes().to_vec();
        out.extend(text.bytes());
        out.extend([0; 3]);
        out
    }

    #[test]
    fn names_of_events_belong_to_the_attr_with_their_ids() {
        let mut described = Described::default();
        for id in [5, 6] {
            described.add_attr(Attr {
                ids: vec![id],
                ..Attr::default()
            });
        }
        let mut section = 1u32.to_le_bytes().to_vec();
        section.extend(64u32.to_le_bytes());
        section.extend([0; 64]);
        section.extend(1u32.to_le_bytes());
        section.extend(text("net:netif_rx"));
        section.extend(6u64.to_le_bytes());
        take(EVENT_DESC, &section, &mut described).expect("whole");
        assert_eq!(described.attrs[0].name, None);
        assert_eq!(described.attrs[1].name.as_deref(), Some("net:netif_rx"));
        for cut in 0..section.len() {
            let mut again = Described::default();
            assert_eq!(take(EVENT_DESC, &section[..cut], &mut again), None);
        }
    }

    #[test]
    fn build_ids_have_the_length_they_say_and_their_path() {
        let mut section = 67u32.to_le_bytes().to_vec();
        section.extend([0, 0x80, 44, 0]);
        section.extend((-1i32).to_le_bytes());
        section.extend([7; 20]);
        section.extend([16, 0, 0, 0]);
        section.extend(b"/a\0\0\0\0\0\0");
        let mut described = Described::default();
        take(BUILD_ID, &section, &mut described).expect("whole");
        assert_eq!(described.build_ids, [("/a".to_owned(), vec![7; 16])]);
        section[6] = 0;
        assert_eq!(take(BUILD_ID, &section, &mut described), None);
    }

    #[test]
    fn absurd_counts_take_no_more_than_the_section_holds() {
        for feature in KNOWN {
            let mut described = Described::default();
            let _refused = take(feature, &[0xff; 64], &mut described);
            assert!(described.cmdline.is_empty() && described.attrs.is_empty());
        }
    }
}
