//! netop's own part of a recording, read: what stands once (the run, the symbols) at the opening,
//! ticks and sessions one after the other while the samples are read. A stranger may have made it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::FileExt;

use super::fault::Fault;
use super::stream::FilePart;
use super::trailer::{BEGIN, END, Line, Run, Symbols, VERSION};
use crate::decode::{Cursor, Session};

/// Offset of BEGIN, END.
const TAIL: u64 = 16;
/// BEGIN, version, 0.
const HEAD: u64 = 16;

/// A line (a tick of a large host, all symbols) is shorter.
const LONGEST_LINE: u64 = 256 << 20;

/// How lines of ticks begin (`Line` is tagged from the outside).
const TICK: &[u8] = b"{\"tick\"";

/// What stands once.
#[derive(Debug, Clone, Default)]
pub struct Kept {
    pub run: Option<Run>,
    /// As it was first.
    pub session: Option<Session>,
    pub symbols: Symbols,
    pub ticks: u64,
}

pub struct TrailerReader {
    file: File,
    version: u32,
    /// Of the compressed lines.
    at: u64,
    end: u64,
    lines: Option<Lines>,
}

type Lines = BufReader<zstd::Decoder<'static, BufReader<FilePart>>>;

impl TrailerReader {
    /// `None`: the file has no trailer.
    pub fn find(file: &File, size: u64) -> Option<TrailerReader> {
        let mut tail = [0; TAIL as usize];
        let end = size.checked_sub(TAIL)?;
        file.read_exact_at(&mut tail, end).ok()?;
        let begin = Cursor::new(&tail).u64().filter(|_| tail[8..] == END)?;
        let at = begin.checked_add(HEAD).filter(|at| *at <= end)?;
        let mut head = [0; HEAD as usize];
        file.read_exact_at(&mut head, begin).ok()?;
        let version = Cursor::new(&head[8..])
            .u32()
            .filter(|_| head[..8] == BEGIN)?;
        Some(TrailerReader {
            file: file.try_clone().ok()?,
            version,
            at,
            end,
            lines: None,
        })
    }

    /// Reads everything that stands once; ticks are counted and read later.
    pub fn kept(&mut self) -> Result<Kept, Fault> {
        if self.version != VERSION {
            let what = format!(
                "netop's part of version {VERSION} is expected, it has {}: a newer netop reads it",
                self.version
            );
            return Err(Fault::new(self.at - 8, what));
        }
        let mut kept = Kept::default();
        while let Some(line) = self.line()? {
            if line.starts_with(TICK) {
                kept.ticks += 1;
                continue;
            }
            match self.parsed(&line)? {
                Line::Run(run) => kept.run = Some(run),
                Line::Session(session) if kept.session.is_none() => kept.session = Some(session),
                Line::Session(_) | Line::Tick { .. } => {}
                Line::Symbols(symbols) => kept.symbols = symbols,
            }
        }
        self.lines = None;
        Ok(kept)
    }

    /// The next line, from the first one on after [`Self::kept`].
    pub fn read(&mut self) -> Result<Option<Line>, Fault> {
        match self.line()? {
            Some(line) => self.parsed(&line).map(Some),
            None => Ok(None),
        }
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        let at = self.at;
        let failed = |error: std::io::Error| {
            Fault::new(
                at,
                format!("compressed lines of netop are expected: {error}"),
            )
        };
        let lines = match &mut self.lines {
            Some(lines) => lines,
            none => {
                let part = FilePart {
                    file: self.file.try_clone().map_err(failed)?,
                    at: self.at,
                    end: self.end,
                };
                none.insert(BufReader::new(zstd::Decoder::new(part).map_err(failed)?))
            }
        };
        let mut line = Vec::new();
        let read = lines
            .by_ref()
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut line);
        if read.map_err(failed)? == 0 {
            return Ok(None);
        }
        if line.pop() == Some(b'\n') {
            return Ok(Some(line));
        }
        Err(Fault::new(at, "a line of netop is expected to end"))
    }

    fn parsed(&self, line: &[u8]) -> Result<Line, Fault> {
        serde_json::from_slice(line)
            .map_err(|error| Fault::new(self.at, format!("a line of netop is expected: {error}")))
    }
}
