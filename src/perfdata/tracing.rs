//! The TRACING_DATA section: the formats of the tracepoints. Layout: trace-event-read.c of
//! tools/perf/util.
//!
//! ```text
//! 17 08 44 "tracing" │ version\0 │ endian u8 │ long u8 │ page u32
//! "header_page\0" size u64 … │ "header_event\0" size u64 …
//! n u32 × (size u64, ftrace's own format) │ systems u32 × (name\0, n u32 × (size u64, format)) │ …
//! ```

use crate::decode::Cursor;

const MAGIC: &[u8] = b"\x17\x08\x44tracing";

/// (group, format text) of each tracepoint, as far as the section can be read.
pub fn formats(section: &[u8]) -> Vec<(String, String)> {
    let mut formats = Vec::new();
    let _as_far_as_it_goes = read(section, &mut formats);
    formats
}

fn read(section: &[u8], formats: &mut Vec<(String, String)>) -> Option<()> {
    let mut cursor = Cursor::new(section);
    (cursor.bytes(MAGIC.len())? == MAGIC).then_some(())?;
    let _version = text(&mut cursor)?;
    let _endian_and_long = cursor.bytes(2)?;
    let _page_size = cursor.u32()?;
    for _ in ["header_page", "header_event"] {
        let _name = text(&mut cursor)?;
        sized(&mut cursor)?;
    }
    let own = cursor.u32()?;
    for _ in 0..own {
        sized(&mut cursor)?;
    }
    let systems = cursor.u32()?;
    for _ in 0..systems {
        let group = text(&mut cursor)?.to_owned();
        let events = cursor.u32()?;
        for _ in 0..events {
            let format = sized(&mut cursor)?;
            formats.push((group.clone(), String::from_utf8_lossy(format).into_owned()));
        }
    }
    Some(())
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Option<&'a str> {
    let length = cursor.rest().iter().position(|byte| *byte == 0)?;
    let text = cursor.bytes(length)?;
    cursor.bytes(1)?;
    std::str::from_utf8(text).ok()
}

fn sized<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let size = usize::try_from(cursor.u64()?).ok()?;
    cursor.bytes(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section() -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(b"0.6\0\x00\x08");
        out.extend(4096u32.to_le_bytes());
        let sized = |out: &mut Vec<u8>, bytes: &[u8]| {
            out.extend((bytes.len() as u64).to_le_bytes());
            out.extend(bytes);
        };
        out.extend(b"header_page\0");
        sized(&mut out, b"page");
        out.extend(b"header_event\0");
        sized(&mut out, b"event");
        out.extend(1u32.to_le_bytes());
        sized(&mut out, b"function");
        out.extend(2u32.to_le_bytes());
        for (group, events) in [
            ("net", &[&b"ID: 1"[..], b"ID: 2"][..]),
            ("skb", &[b"ID: 3"]),
        ] {
            out.extend(group.bytes());
            out.push(0);
            out.extend((events.len() as u32).to_le_bytes());
            for event in events {
                sized(&mut out, event);
            }
        }
        out
    }

    #[test]
    fn every_tracepoint_has_its_group_and_its_format() {
        let found = formats(&section());
        let found: Vec<(&str, &str)> = found.iter().map(|(g, f)| (&**g, &**f)).collect();
        assert_eq!(
            found,
            [("net", "ID: 1"), ("net", "ID: 2"), ("skb", "ID: 3")]
        );
    }

    #[test]
    fn every_truncation_gives_what_was_there_before_it() {
        let whole = section();
        let mut most = 0;
        for cut in 0..whole.len() {
            let found = formats(&whole[..cut]).len();
            assert!(found >= most && found < 3, "cut at {cut}");
            most = found;
        }
        assert_eq!(most, 2);
    }

    #[test]
    fn absurd_counts_and_sizes_end_the_reading() {
        let whole = section();
        for at in 0..whole.len() - 8 {
            let mut bytes = whole.clone();
            bytes[at..at + 8].fill(0xff);
            assert!(formats(&bytes).len() <= 3);
        }
    }
}
