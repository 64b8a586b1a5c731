//! The tracing-data section (tools/perf/util/trace-event-info.c): the formats of the events, from
//! which readers print their fields. And the format of an event that has none.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::bytes::{terminated, u32, u64};
use crate::decode::{Batch, Event, EventId, Place, Sample};

const VERSION: &str = "0.6";
const PAGE: u32 = 4096;

/// How pages of ftrace's own ring begin: there are none here, but readers insist.
const HEADER_PAGE: &str = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
";
const HEADER_EVENT: &str = "# compressed entry header\n";

/// The section with these formats, by group.
pub fn section<'a>(formats: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (group, format) in formats {
        let known = groups.entry(group).or_default();
        if !known.contains(&format) {
            known.push(format);
        }
    }
    let mut out = vec![23, 8, 68];
    out.extend(b"tracing");
    terminated(&mut out, VERSION);
    // Little-endian, longs of 8 bytes.
    out.extend([0, 8]);
    u32(&mut out, PAGE);
    for (name, header) in [("header_page", HEADER_PAGE), ("header_event", HEADER_EVENT)] {
        terminated(&mut out, name);
        u64(&mut out, header.len() as u64);
        out.extend(header.as_bytes());
    }
    // Formats of ftrace's own events.
    u32(&mut out, 0);
    u32(&mut out, groups.len() as u32);
    for (group, formats) in groups {
        terminated(&mut out, group);
        u32(&mut out, formats.len() as u32);
        for format in formats {
            u64(&mut out, format.len() as u64);
            out.extend(format.as_bytes());
        }
    }
    // kallsyms, printk formats, command lines.
    u32(&mut out, 0);
    u32(&mut out, 0);
    u64(&mut out, 0);
    out
}

/// What every event begins with, and its bytes.
const COMMON_FIELDS: &str = "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

";
const COMMON: usize = 8;

/// The wanted fields of an event without a format, one after the other behind the common ones:
/// numbers of 8 bytes; the device's name is text.
#[derive(Debug, Clone)]
pub struct Synthetic {
    id: u16,
    /// Is it text?
    fields: Vec<bool>,
}

impl Synthetic {
    /// With its format. `event`: which of the session it is.
    pub fn new(event: EventId, known: &Event) -> (Synthetic, String) {
        let spec = &known.spec;
        // Beside a breakpoint's there are the kernel's ids of tracepoints, which count up from 1.
        let id = match spec.place {
            Place::Tracepoint => event.0 + 1,
            Place::User { .. } | Place::Kernel { .. } => u16::MAX - event.0,
        };
        // A name with a path in it is a syntax error to libtraceevent.
        let name = (spec.name).replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let mut text = format!("name: {name}\nID: {id}\nformat:\n");
        text.push_str(COMMON_FIELDS);
        let mut fields = Vec::new();
        let (mut print, mut values) = (String::new(), String::new());
        for (index, name) in spec.fields.iter().enumerate() {
            // kfree_skb has no device field, and its `name` is one where it is told.
            let is_text = spec.device_field.as_ref() == Some(name) || name == "name";
            let offset = COMMON + 8 * index;
            let space = if index > 0 { " " } else { "" };
            if is_text {
                field(&mut text, "__data_loc char[]", name, (offset, 4, 0));
                let _infallible = write!(print, "{space}{name}=%s");
                let _infallible = write!(values, ", __get_str({name})");
            } else {
                field(&mut text, "long long", name, (offset, 8, 1));
                let _infallible = write!(print, "{space}{name}=%lld");
                let _infallible = write!(values, ", REC->{name}");
            }
            fields.push(is_text);
        }
        let _infallible = writeln!(text, "\nprint fmt: \"{print}\"{values}");
        (Synthetic { id, fields }, text)
    }

    /// What the kernel's raw bytes of such a sample would be.
    pub fn raw(&self, sample: &Sample, batch: &Batch, raw: &mut Vec<u8>) {
        raw.clear();
        raw.extend(self.id.to_le_bytes());
        raw.extend([0, 0]);
        u32(raw, sample.tid);
        let mut texts = Vec::new();
        let after = COMMON + 8 * self.fields.len();
        for (&value, &is_text) in sample.values.iter().zip(&self.fields) {
            if is_text {
                let text = batch.text(value);
                let offset = after + texts.len();
                // A u32: the length in its high half.
                u32(raw, ((text.len() + 1) << 16 | offset) as u32);
                u32(raw, 0);
                texts.extend_from_slice(text);
                texts.push(0);
            } else {
                u64(raw, value);
            }
        }
        raw.extend_from_slice(&texts);
    }
}

/// `place`: offset, size, whether it is signed.
fn field(text: &mut String, kind: &str, name: &str, place: (usize, usize, u8)) {
    let (offset, size, signed) = place;
    let _infallible = writeln!(
        text,
        "\tfield:{kind} {name};\toffset:{offset};\tsize:{size};\tsigned:{signed};"
    );
}

#[cfg(test)]
#[path = "tracing_tests.rs"]
mod tests;
