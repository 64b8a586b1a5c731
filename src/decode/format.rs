//! The text of a tracepoint's `format` file → where its fields lie. Offsets are read from this
//! kernel, never assumed: PREEMPT_RT shifts the common header, releases insert fields.

use super::batch::Span;
use super::session::FIELDS;

/// One line `field:TYPE NAME; offset:O; size:S; signed:B;`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub offset: usize,
    pub size: usize,
    pub signed: bool,
    /// `__data_loc TYPE[]`: a u32, length in the high half, offset in the low.
    pub data_loc: bool,
    /// `TYPE name[N]`: a fixed array (comm[16], saddr[4]).
    pub array: bool,
}

/// A parsed `format` file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Format {
    pub id: u64,
    /// Without the `common_*` fields.
    pub fields: Vec<Field>,
    /// (field, value, name) of each `__print_symbolic` with numeric values.
    pub symbols: Vec<(String, u64, String)>,
}

/// Where the wanted fields of one event are; small, `Copy`, decided once at open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Layout {
    slots: [Slot; FIELDS],
    /// Samples bring the caller's address besides ([`super::Place::brings_caller`]).
    caller: bool,
}

impl Layout {
    #[must_use]
    pub fn with_caller(self, caller: bool) -> Layout {
        Layout { caller, ..self }
    }

    pub fn brings_caller(self) -> bool {
        self.caller
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Slot {
    #[default]
    Absent,
    Number {
        offset: u16,
        size: u8,
        signed: bool,
    },
    DataLoc {
        offset: u16,
    },
    Text {
        offset: u16,
        len: u16,
    },
}

impl Format {
    /// Understands as much as is there; a text without an `ID:` line is refused.
    pub fn parse(text: &str) -> Result<Format, String> {
        let mut format = Format::default();
        let mut has_id = false;
        for line in text.lines() {
            let line = line.trim();
            if let Some(id) = line.strip_prefix("ID:") {
                format.id = id
                    .trim()
                    .parse()
                    .map_err(|_| format!("the id is no number: {id}"))?;
                has_id = true;
            } else if let Some(rest) = line.strip_prefix("field:") {
                if let Some(field) = parse_field(rest)
                    && !field.name.starts_with("common_")
                {
                    format.fields.push(field);
                }
            } else if let Some(print) = line.strip_prefix("print fmt:") {
                format.symbols = parse_symbols(print);
            }
        }
        if has_id {
            Ok(format)
        } else {
            Err("the format has no ID line".to_owned())
        }
    }

    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The layout of the wanted fields, and the names of those this kernel lacks.
    pub fn bind(&self, wanted: &[String]) -> (Layout, Vec<String>) {
        let mut layout = Layout::default();
        let mut missing = Vec::new();
        for (slot, name) in layout.slots.iter_mut().zip(wanted) {
            match self.field(name).and_then(Slot::of) {
                Some(found) => *slot = found,
                None => missing.push(name.clone()),
            }
        }
        (layout, missing)
    }
}

impl Slot {
    fn of(field: &Field) -> Option<Slot> {
        let offset = u16::try_from(field.offset).ok()?;
        if field.data_loc {
            return Some(Slot::DataLoc { offset });
        }
        if field.array {
            return Some(Slot::Text {
                offset,
                len: u16::try_from(field.size).ok()?,
            });
        }
        matches!(field.size, 1 | 2 | 4 | 8).then_some(Slot::Number {
            offset,
            size: field.size as u8,
            signed: field.signed,
        })
    }
}

impl Layout {
    /// Reads the wanted fields of one payload that lies at `base` of the batch's raw arena.
    /// A field that lies outside the payload is 0 (a text: empty).
    pub fn read(&self, raw: &[u8], base: u32) -> [u64; FIELDS] {
        self.slots.map(|slot| match slot {
            Slot::Absent => 0,
            Slot::Number {
                offset,
                size,
                signed,
            } => number(raw, offset as usize, size, signed),
            Slot::DataLoc { offset } => {
                let loc = number(raw, offset as usize, 4, false) as u32;
                text(raw, (loc & 0xffff) as usize, (loc >> 16) as usize, base)
            }
            Slot::Text { offset, len } => text(raw, offset as usize, len as usize, base),
        })
    }
}

fn number(raw: &[u8], offset: usize, size: u8, signed: bool) -> u64 {
    let Some(bytes) = raw.get(offset..offset + size as usize) else {
        return 0;
    };
    let mut wide = [0u8; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let value = u64::from_le_bytes(wide);
    if signed {
        let unused = 64 - 8 * u32::from(size);
        ((value << unused).cast_signed() >> unused).cast_unsigned()
    } else {
        value
    }
}

fn text(raw: &[u8], offset: usize, len: usize, base: u32) -> u64 {
    let inside = raw.get(offset..offset + len).is_some();
    let span = if inside {
        Span {
            start: base + offset as u32,
            len: len as u32,
        }
    } else {
        Span::default()
    };
    span.pack()
}

fn parse_field(rest: &str) -> Option<Field> {
    let mut parts = rest.split(';').map(str::trim);
    let declaration = parts.next()?;
    let mut field = Field {
        name: String::new(),
        offset: 0,
        size: 0,
        signed: false,
        data_loc: declaration.starts_with("__data_loc"),
        array: false,
    };
    for part in parts {
        let Some((key, value)) = part.split_once(':') else {
            continue;
        };
        match key {
            "offset" => field.offset = value.parse().ok()?,
            "size" => field.size = value.parse().ok()?,
            "signed" => field.signed = value == "1",
            _ => {}
        }
    }
    let last = declaration
        .rsplit(|c: char| c.is_whitespace() || c == '*')
        .next()?;
    let (name, array) = match last.split_once('[') {
        Some((name, _)) => (name, !field.data_loc),
        None => (last, false),
    };
    name.clone_into(&mut field.name);
    field.array = array;
    (!field.name.is_empty()).then_some(field)
}

/// `__print_symbolic(REC->field, { 2, "NAME" }, …)`; entries whose value is a macro name that
/// the kernel did not resolve are passed over.
fn parse_symbols(print: &str) -> Vec<(String, u64, String)> {
    let mut symbols = Vec::new();
    for call in print.split("__print_symbolic(").skip(1) {
        let Some(rest) = call.trim_start().strip_prefix("REC->") else {
            continue;
        };
        let Some((field, rest)) = rest.split_once(',') else {
            continue;
        };
        for entry in rest.split('{').skip(1) {
            let Some((pair, after)) = entry.split_once('}') else {
                break;
            };
            if let Some((value, name)) = pair.split_once(',')
                && let Some(value) = parse_value(value.trim())
            {
                let name = name.trim().trim_matches('"').to_owned();
                symbols.push((field.trim().to_owned(), value, name));
            }
            if after.trim_start().starts_with(')') {
                break;
            }
        }
    }
    symbols
}

fn parse_value(text: &str) -> Option<u64> {
    text.strip_prefix("0x").map_or_else(
        || text.parse().ok(),
        |hex| u64::from_str_radix(hex, 16).ok(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DROP: &str = "name: drop_event\nID: 77\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:void * skbaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
        \tfield:int ret;\toffset:16;\tsize:4;\tsigned:1;\n\
        \tfield:__data_loc char[] name;\toffset:20;\tsize:4;\tsigned:0;\n\
        \tfield:char comm[4];\toffset:24;\tsize:4;\tsigned:0;\n\
        \tfield:enum skb_drop_reason reason;\toffset:28;\tsize:2;\tsigned:0;\n\n\
        print fmt: \"x=%s r=%s\", __print_symbolic(REC->reason, { 2, \"ALPHA\" }, { 0x10, \"BETA\" }, { MACRO, \"GAMMA\" }), __print_symbolic(REC->ret, { 1, \"ONE\" })\n";

    fn wanted(names: &[&str]) -> Vec<String> {
        names.iter().map(|&n| n.to_owned()).collect()
    }

    fn payload() -> Vec<u8> {
        let mut raw = vec![0u8; 30];
        raw[16..20].copy_from_slice(&(-11i32).to_le_bytes());
        raw[20..24].copy_from_slice(&((5u32 << 16) + 30).to_le_bytes());
        raw[24..28].copy_from_slice(b"abcd");
        raw[28..30].copy_from_slice(&16u16.to_le_bytes());
        raw.extend_from_slice(b"eth0\0");
        raw
    }

    #[test]
    fn fields_are_read_by_the_offsets_of_the_format() {
        let format = Format::parse(DROP).unwrap();
        assert_eq!(format.id, 77);
        let (layout, missing) = format.bind(&wanted(&["ret", "name", "comm", "reason"]));
        assert!(missing.is_empty());
        let raw = payload();
        let values = layout.read(&raw, 100);
        assert_eq!(values[0].cast_signed(), -11);
        assert_eq!(Span::unpack(values[1]), Span { start: 130, len: 5 });
        assert_eq!(Span::unpack(values[2]), Span { start: 124, len: 4 });
        assert_eq!(values[3], 16);
    }

    #[test]
    fn a_missing_field_is_named_and_reads_as_nothing() {
        let format = Format::parse(DROP).unwrap();
        let (layout, missing) = format.bind(&wanted(&["rx_sk", "ret"]));
        assert_eq!(missing, vec!["rx_sk"]);
        assert_eq!(layout.read(&payload(), 0)[0], 0);
    }

    #[test]
    fn every_truncation_of_the_payload_reads_without_panic_and_within_bounds() {
        let format = Format::parse(DROP).unwrap();
        let (layout, _) = format.bind(&wanted(&["ret", "name", "comm", "reason"]));
        let raw = payload();
        for cut in 0..raw.len() {
            let values = layout.read(&raw[..cut], 0);
            for text in [values[1], values[2]] {
                let span = Span::unpack(text);
                assert!(
                    (span.start + span.len) as usize <= cut,
                    "cut at {cut}: {span:?}"
                );
            }
        }
    }

    #[test]
    fn every_truncation_of_the_format_text_parses_or_says_why_not() {
        for cut in 0..DROP.len() {
            if let Ok(format) = Format::parse(&DROP[..cut]) {
                assert!(format.fields.len() <= 5);
            }
        }
    }

    #[test]
    fn symbolic_names_belong_to_their_field_and_unresolved_macros_are_skipped() {
        let format = Format::parse(DROP).unwrap();
        let names: Vec<_> = format
            .symbols
            .iter()
            .map(|(f, v, n)| (f.as_str(), *v, n.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("reason", 2, "ALPHA"),
                ("reason", 16, "BETA"),
                ("ret", 1, "ONE")
            ]
        );
    }
}
