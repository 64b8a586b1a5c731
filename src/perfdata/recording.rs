//! A perf.data file, or what comes through a pipe: its description first, then its records.
//! Layout: `struct perf_file_header` of tools/perf/util/header.h.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::attr::Attr;
use super::described::Described;
use super::fault::Fault;
use super::features::{self, until_nul};
use super::records::{
    EVENT_UPDATE, HEADER_ATTR, HEADER_BUILD_ID, HEADER_FEATURE, HEADER_TRACING_DATA, Record,
    Records, USER,
};
use super::stream::{FilePart, Stream};
use super::trailer_reader::TrailerReader;
use crate::decode::Cursor;

/// How perf.data begins, in a file and through a pipe.
pub const MAGIC: [u8; 8] = *b"PERFILE2";

/// What a file begins with, and what a pipe does.
const FILE_HEADER: u64 = 104;
const PIPE_HEADER: u64 = 16;

/// Larger sections (formats, build ids) are no such thing.
const LARGEST_SECTION: u64 = 256 << 20;

/// PERF_EVENT_UPDATE__NAME.
const UPDATE_NAME: u64 = 2;

pub struct Recording {
    pub described: Described,
    /// The file's size; `None`: it is a pipe.
    pub size: Option<u64>,
    /// What could not be read of the description, a sentence each.
    pub notes: Vec<String>,
    trailer: Option<TrailerReader>,
    records: Records,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recording")
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// `-` is the standard input.
    pub fn open(path: &Path) -> Result<Recording, Fault> {
        let at = |error: &io::Error| Fault::io(0, error);
        let piped = path == Path::new("-");
        let path = if piped { Path::new("/dev/stdin") } else { path };
        let file = File::open(path).map_err(|e| at(&e))?;
        let meta = file.metadata().map_err(|e| at(&e))?;
        // So is a file of /proc; to read one may wait (kmsg), and take from others what is read.
        if meta.is_file() && meta.len() == 0 {
            return Err(Fault::new(0, "it is empty"));
        }
        if meta.is_dir() {
            return Err(Fault::new(
                0,
                "it is a directory: perf record --threads writes one file per thread there, which are not read",
            ));
        }
        Recording::read(file, meta.is_file().then_some(meta.len()))
    }

    /// `size`: of a regular file.
    fn read(mut file: File, size: Option<u64>) -> Result<Recording, Fault> {
        let mut start = [0; PIPE_HEADER as usize];
        match size {
            Some(_) => file.read_exact_at(&mut start, 0),
            None => file.read_exact(&mut start),
        }
        .map_err(|_| Fault::new(0, "the header of a perf.data file is expected"))?;
        if start[..8] != MAGIC {
            return Err(Fault::new(0, other_file(&start)));
        }
        let header = Cursor::new(&start[8..]).u64().unwrap_or(0);
        let mut recording = match (header, size) {
            (PIPE_HEADER, None) => Recording::new(Stream::new(Box::new(file), PIPE_HEADER), None),
            (PIPE_HEADER, Some(end)) => {
                let at = PIPE_HEADER;
                let part = FilePart { file, at, end };
                Recording::new(Stream::new(Box::new(part), at), Some(end))
            }
            (_, None) => {
                return Err(Fault::new(
                    8,
                    "it was written to a file, which cannot be read through a pipe: give its name",
                ));
            }
            (FILE_HEADER.., Some(size)) => Recording::of_file(file, size)?,
            (size, _) => {
                let what = format!(
                    "a header of {FILE_HEADER} or {PIPE_HEADER} bytes is expected, it says {size}"
                );
                return Err(Fault::new(8, what));
            }
        };
        recording.take_leading()?;
        Ok(recording)
    }

    fn new(stream: Stream, size: Option<u64>) -> Recording {
        Recording {
            described: Described::default(),
            size,
            notes: Vec::new(),
            trailer: None,
            records: Records::new(stream),
        }
    }

    fn of_file(file: File, size: u64) -> Result<Recording, Fault> {
        let mut header = [0; FILE_HEADER as usize];
        file.read_exact_at(&mut header, 0)
            .map_err(|_| Fault::new(0, format!("a header of {FILE_HEADER} bytes is expected")))?;
        let mut words = header
            .chunks_exact(8)
            .map(|c| Cursor::new(c).u64().unwrap_or(0));
        let mut word = || words.next().unwrap_or(0);
        let (_magic, _size, attr_size) = (word(), word(), word());
        let (attrs, data) = ((word(), word()), (word(), word()));
        let _event_types = (word(), word());
        let bits = [word(), word(), word(), word()];
        let mut notes = Vec::new();
        let mut described = Described::default();
        read_attrs(&file, size, attr_size, attrs, &mut described)?;
        let (at, length) = data;
        if at > size {
            let what = format!("data is expected at byte {at}, and the file has {size} bytes");
            return Err(Fault::new(40, what));
        }
        let end = match at.checked_add(length) {
            // It was interrupted: nobody wrote the length, nor what stands behind the data.
            Some(end) if length > 0 && end <= size => end,
            _ => {
                notes.push(match length {
                    0 => "recording was interrupted: what had been written is shown".to_owned(),
                    _ => format!(
                        "data is cut short: the file ends after {} of {length} bytes",
                        size - at
                    ),
                });
                size
            }
        };
        if notes.is_empty() {
            read_features(&file, size, end, bits, &mut described, &mut notes);
        }
        let trailer = TrailerReader::find(&file, size);
        let part = FilePart { file, at, end };
        Ok(Recording {
            described,
            notes,
            trailer,
            ..Recording::new(Stream::new(Box::new(part), at), Some(size))
        })
    }

    /// netop's own part, when there is one.
    pub fn take_trailer(&mut self) -> Option<TrailerReader> {
        self.trailer.take()
    }

    /// Processor trace that has been passed over, bytes.
    pub fn trace_bytes(&self) -> u64 {
        self.records.trace_bytes
    }

    /// How far the reading is, bytes.
    pub fn offset(&self) -> u64 {
        self.records.offset()
    }

    /// The next record that is not the description's; `None`: the end.
    pub fn record(&mut self) -> Result<Option<Record<'_>>, Fault> {
        loop {
            let Some(record) = self.records.next()? else {
                return Ok(None);
            };
            match record.kind {
                HEADER_ATTR | HEADER_TRACING_DATA | HEADER_BUILD_ID | EVENT_UPDATE
                | HEADER_FEATURE => self.describe()?,
                _ => return Ok(self.records.again()),
            }
        }
    }

    /// A pipe's description comes as records before all others.
    fn take_leading(&mut self) -> Result<(), Fault> {
        let fault = self.record().err();
        self.records.unread();
        match fault {
            // What there is of an interrupted one is shown; that it ends comes again.
            Some(fault) if self.described.attrs.is_empty() => Err(fault),
            _ => Ok(()),
        }
    }

    /// Takes what the record given last says of the others.
    fn describe(&mut self) -> Result<(), Fault> {
        let described = &mut self.described;
        let Some(record) = self.records.again() else {
            return Ok(());
        };
        let offset = record.offset;
        let body = record.body;
        let taken = match record.kind {
            HEADER_ATTR => attr_record(body).map(|attr| described.add_attr(attr)),
            HEADER_BUILD_ID => features::build_id(body, described),
            EVENT_UPDATE => event_update(body, described),
            HEADER_FEATURE => feature_record(body, described),
            _ => {
                let Some(size) = Cursor::new(body).u32() else {
                    return Err(Fault::new(offset, "the size of the formats is expected"));
                };
                let section = self.records.payload(size as usize)?;
                features::take(features::TRACING_DATA, &section, &mut self.described)
            }
        };
        taken.ok_or_else(|| Fault::new(offset, "a whole record of the description is expected"))
    }
}

impl Record<'_> {
    /// The kernel wrote it, not perf.
    pub fn is_kernels(&self) -> bool {
        self.kind < USER
    }

    pub fn ends_round(&self) -> bool {
        self.kind == super::records::FINISHED_ROUND
    }
}

/// What it is instead of a recording, by how it begins, and what to do.
fn other_file(start: &[u8]) -> &'static str {
    const SNAPSHOT: &[u8] = b"{\"schema\"";
    if start.starts_with(SNAPSHOT) {
        return "it is a snapshot of netop, which netop export and netop diff read";
    }
    other_kind(start).unwrap_or("a perf.data file begins with PERFILE2, this one does not")
}

/// What a file is that begins so, and is neither a recording nor JSON; `None`: not known.
pub fn other_kind(start: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 8] = [
        (
            b"2ELIFREP",
            "it comes from a big-endian machine, whose files are not read",
        ),
        (
            b"EPFRLI2E",
            "the bytes of each pair are swapped: it was damaged when it was copied",
        ),
        (
            b"PERFFILE",
            "it was made by a perf from before Linux 2.6.36: record it again",
        ),
        (b"\x1f\x8b", "it is compressed by gzip: gunzip it first"),
        (
            b"\x28\xb5\x2f\xfd",
            "it is compressed by zstd: unzstd it first",
        ),
        (b"\xfd7zXZ", "it is compressed by xz: unxz it first"),
        (b"BZh", "it is compressed by bzip2: bunzip2 it first"),
        (b"\x7fELF", "it is a program or library, no recording"),
    ];
    if let Some((_, said)) = KINDS.iter().find(|(begin, _)| start.starts_with(begin)) {
        return Some(said);
    }
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    let json = matches!(start.trim_ascii_start().first(), Some(b'{' | b'['));
    (start.len() >= PIPE_HEADER as usize && start.iter().all(is_text) && !json)
        .then_some("it is text, as perf script prints it: give the file that perf record wrote")
}

fn section(file: &File, size: u64, (at, length): (u64, u64), what: &str) -> Result<Vec<u8>, Fault> {
    let inside = at.checked_add(length).is_some_and(|end| end <= size);
    if !inside || length > LARGEST_SECTION {
        let what = format!("{length} bytes of {what} are expected, and the file has {size} in all");
        return Err(Fault::new(at, what));
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, at)
        .map_err(|error| Fault::io(at, &error))?;
    Ok(bytes)
}

/// Each attr, and where its ids are.
fn read_attrs(
    file: &File,
    size: u64,
    attr_size: u64,
    place: (u64, u64),
    described: &mut Described,
) -> Result<(), Fault> {
    let entries = section(file, size, place, "event attributes")?;
    let each = usize::try_from(attr_size).unwrap_or(0);
    if each < 80 || entries.is_empty() || entries.len() % each != 0 {
        let what = format!(
            "event attributes of at least 80 bytes each are expected, it says {} of {attr_size}",
            entries.len()
        );
        return Err(Fault::new(16, what));
    }
    for entry in entries.chunks_exact(each) {
        let (attr, ids) = entry.split_at(each - 16);
        let mut cursor = Cursor::new(ids);
        let place = (cursor.u64().unwrap_or(0), cursor.u64().unwrap_or(0));
        let ids = section(file, size, place, "event ids")?;
        let Some(attr) = Attr::parse(attr) else {
            continue;
        };
        described.add_attr(Attr {
            ids: words(&ids),
            ..attr
        });
    }
    Ok(())
}

/// A table of (offset, size) behind the data, one for each bit that is set.
fn read_features(
    file: &File,
    size: u64,
    table: u64,
    bits: [u64; 4],
    described: &mut Described,
    notes: &mut Vec<String>,
) {
    let set = (0..256u32).filter(|bit| bits[*bit as usize / 64] >> (bit % 64) & 1 == 1);
    for (place, feature) in (0u64..).zip(set) {
        if !features::KNOWN.contains(&feature) {
            continue;
        }
        let read = section(
            file,
            size,
            (table.saturating_add(16 * place), 16),
            "feature table",
        )
        .and_then(|entry| {
            let mut cursor = Cursor::new(&entry);
            let place = (cursor.u64().unwrap_or(0), cursor.u64().unwrap_or(0));
            let bytes = section(file, size, place, "a feature")?;
            features::take(feature, &bytes, described)
                .ok_or_else(|| Fault::new(place.0, format!("feature {feature} is expected whole")))
        });
        if let Err(fault) = read {
            notes.push(format!(
                "part of the file's description is missing: {fault}"
            ));
        }
    }
}

fn words(bytes: &[u8]) -> Vec<u64> {
    let mut cursor = Cursor::new(bytes);
    std::iter::from_fn(|| cursor.u64()).collect()
}

fn attr_record(body: &[u8]) -> Option<Attr> {
    let size = Attr::size(body)?;
    let (attr, ids) = body.split_at_checked(size)?;
    Some(Attr {
        ids: words(ids),
        ..Attr::parse(attr)?
    })
}

fn event_update(body: &[u8], described: &mut Described) -> Option<()> {
    let mut cursor = Cursor::new(body);
    let (kind, id) = (cursor.u64()?, cursor.u64()?);
    if kind == UPDATE_NAME {
        described.name(id, until_nul(cursor.rest()));
    }
    Some(())
}

fn feature_record(body: &[u8], described: &mut Described) -> Option<()> {
    let mut cursor = Cursor::new(body);
    let feature = u32::try_from(cursor.u64()?).ok()?;
    // What perf adds to a section in a pipe may be padding: a short one is no fault.
    let _as_far_as_it_goes = features::take(feature, cursor.rest(), described);
    Some(())
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
