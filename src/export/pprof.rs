//! pprof's format (github.com/google/pprof, proto/profile.proto), gzipped: what `go tool pprof`,
//! Pyroscope and Parca read. Names are in it: nobody has to look for files.

use std::hash::Hash;
use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;
use rustc_hash::FxHashMap;

use super::clean::clean;
use super::stacks::{Object, Profile, line, own, parts};
use crate::model::Stack;

/// The fields of the format that netop fills; numbers of strings are places in `string_table`.
#[derive(Clone, PartialEq, Message)]
struct Proto {
    #[prost(message, repeated, tag = "1")]
    sample_type: Vec<ValueType>,
    #[prost(message, repeated, tag = "2")]
    sample: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    mapping: Vec<Mapping>,
    #[prost(message, repeated, tag = "4")]
    location: Vec<Location>,
    #[prost(message, repeated, tag = "5")]
    function: Vec<Function>,
    #[prost(string, repeated, tag = "6")]
    string_table: Vec<String>,
    #[prost(int64, tag = "9")]
    time_nanos: i64,
    #[prost(int64, tag = "10")]
    duration_nanos: i64,
    #[prost(int64, repeated, tag = "13")]
    comment: Vec<i64>,
    #[prost(int64, tag = "14")]
    default_sample_type: i64,
}

#[derive(Clone, PartialEq, Message)]
struct ValueType {
    #[prost(int64, tag = "1")]
    kind: i64,
    #[prost(int64, tag = "2")]
    unit: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    /// Leaf first.
    #[prost(uint64, repeated, tag = "1")]
    location_id: Vec<u64>,
    #[prost(int64, repeated, tag = "2")]
    value: Vec<i64>,
    #[prost(message, repeated, tag = "3")]
    label: Vec<Label>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(int64, tag = "1")]
    key: i64,
    #[prost(int64, tag = "2")]
    text: i64,
    #[prost(int64, tag = "3")]
    number: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Mapping {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "5")]
    filename: i64,
    /// Readers look for no names when these are there.
    #[prost(bool, tag = "7")]
    has_functions: bool,
    #[prost(bool, tag = "8")]
    has_filenames: bool,
    #[prost(bool, tag = "9")]
    has_line_numbers: bool,
    #[prost(bool, tag = "10")]
    has_inline_frames: bool,
}

#[derive(Clone, PartialEq, Message)]
struct Location {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(uint64, tag = "2")]
    mapping_id: u64,
    #[prost(message, repeated, tag = "4")]
    line: Vec<Line>,
}

#[derive(Clone, PartialEq, Message)]
struct Line {
    #[prost(uint64, tag = "1")]
    function_id: u64,
    #[prost(int64, tag = "2")]
    line: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Function {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(int64, tag = "2")]
    name: i64,
    #[prost(int64, tag = "3")]
    system_name: i64,
    #[prost(int64, tag = "4")]
    filename: i64,
}

/// `None`: there is nothing in it.
pub fn profile(profile: &Profile) -> Option<Vec<u8>> {
    if profile.stacks.is_empty() {
        return None;
    }
    let mut zipped = GzEncoder::new(Vec::new(), Compression::default());
    zipped.write_all(&message(profile).encode_to_vec()).ok()?;
    zipped.finish().ok()
}

fn message(profile: &Profile) -> Proto {
    let mut tables = Tables::default();
    // The first string is empty: 0 is no string.
    tables.text("");
    let (kind, unit) = match profile.is_time() {
        true => ("cpu", "nanoseconds"),
        false => ("hits", "count"),
    };
    let sample_type = [("samples", "count"), (kind, unit)].map(|(kind, unit)| ValueType {
        kind: tables.text(kind),
        unit: tables.text(unit),
    });
    let stacks = profile.stacks.iter();
    let sample = stacks.map(|stack| tables.sample(profile, stack)).collect();
    let comment = [&profile.title, &profile.subtitle].map(|text| tables.text(text));
    Proto {
        sample_type: sample_type.to_vec(),
        sample,
        time_nanos: profile.at.saturating_sub((profile.seconds * 1e9) as u64) as i64,
        duration_nanos: (profile.seconds * 1e9) as i64,
        comment: comment.to_vec(),
        default_sample_type: tables.text(kind),
        mapping: tables.mappings.rows,
        location: tables.locations.rows,
        function: tables.functions.rows,
        string_table: tables.texts.rows,
    }
}

/// Rows that are there once, found by what they are.
struct Table<K, R> {
    places: FxHashMap<K, usize>,
    rows: Vec<R>,
}

impl<K, R> Default for Table<K, R> {
    fn default() -> Table<K, R> {
        Table {
            places: FxHashMap::default(),
            rows: Vec::new(),
        }
    }
}

impl<K: Hash + Eq, R> Table<K, R> {
    /// The place of a row, which `new` makes if it is not there yet.
    fn place(&mut self, key: K, new: impl FnOnce() -> R) -> usize {
        let rows = &mut self.rows;
        *self.places.entry(key).or_insert_with(|| {
            rows.push(new());
            rows.len() - 1
        })
    }
}

/// Ids are places plus 1.
#[derive(Default)]
struct Tables {
    texts: Table<String, String>,
    mappings: Table<i64, Mapping>,
    functions: Table<(i64, i64), Function>,
    locations: Table<Arc<str>, Location>,
}

impl Tables {
    fn text(&mut self, text: &str) -> i64 {
        let text = clean(text).into_owned();
        self.texts.place(text.clone(), || text) as i64
    }

    fn sample(&mut self, profile: &Profile, stack: &Stack) -> Sample {
        let frames = own(stack).iter();
        let location_id = frames.map(|frame| self.location(profile, frame)).collect();
        let mut label = vec![Label {
            key: self.text("pid"),
            text: 0,
            number: stack.pid.into(),
        }];
        let texts = [
            ("comm", Some(&*stack.comm)),
            ("context", stack.context),
            ("stage", stack.stage),
            ("direction", stack.direction),
        ];
        for (key, text) in texts {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                label.push(Label {
                    key: self.text(key),
                    text: self.text(text),
                    number: 0,
                });
            }
        }
        Sample {
            location_id,
            value: vec![stack.samples as i64, stack.weight.round() as i64],
            label,
        }
    }

    /// One for each frame: what netop keeps of a frame are names, not addresses.
    fn location(&mut self, profile: &Profile, frame: &Arc<str>) -> u64 {
        if let Some(place) = self.locations.places.get(frame) {
            return *place as u64 + 1;
        }
        let (name, object) = parts(frame);
        let place = profile.lines.get(frame).and_then(|place| line(place));
        let (file, line) = place.unwrap_or_default();
        let function_id = self.function(name, file);
        let mapping_id = self.mapping(object);
        let id = self.locations.rows.len() as u64 + 1;
        let location = Location {
            id,
            mapping_id,
            line: vec![Line { function_id, line }],
        };
        self.locations.place(Arc::clone(frame), || location);
        id
    }

    fn function(&mut self, name: &str, file: &str) -> u64 {
        let (name, filename) = (self.text(name), self.text(file));
        let id = self.functions.rows.len() as u64 + 1;
        let new = || Function {
            id,
            name,
            system_name: name,
            filename,
        };
        self.functions.place((name, filename), new) as u64 + 1
    }

    fn mapping(&mut self, object: Object<'_>) -> u64 {
        let filename = match object {
            Object::Kernel => self.text("[kernel.kallsyms]"),
            Object::Module(module) => self.text(&format!("[{module}]")),
            Object::File(file) => self.text(file),
        };
        let id = self.mappings.rows.len() as u64 + 1;
        let new = || Mapping {
            id,
            filename,
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: true,
        };
        self.mappings.place(filename, new) as u64 + 1
    }
}

#[cfg(test)]
#[path = "pprof_tests.rs"]
mod tests;
