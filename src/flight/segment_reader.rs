//! A segment read: to its end, or up to where it was torn. A stranger may have made it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use super::entry::{Entry, HEAD, MAGIC, VERSION};
use crate::sys::open_regular;

/// A line (a second of a large host) is shorter, and its figures take some five times as much memory.
const LONGEST_LINE: u64 = 32 << 20;

/// A segment is some 4 MB, and one line.
const LARGEST: u64 = 64 << 20;

/// How a segment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// Well, or between two seconds: it is still written, or its writer was killed.
    Whole,
    /// In the midst of something: what was met instead.
    Torn(String),
}

pub struct SegmentReader {
    lines: BufReader<zstd::Decoder<'static, BufReader<Blocks>>>,
    line: Vec<u8>,
}

impl SegmentReader {
    pub fn open(path: &Path) -> io::Result<SegmentReader> {
        let mut file = BufReader::new(open_regular(path, LARGEST)?);
        let mut head = [0; HEAD];
        file.read_exact(&mut head)?;
        let version = [head[8], head[9], head[10], head[11]];
        if head[..8] != MAGIC {
            return Err(io::Error::other("it is no segment of a flight recorder"));
        }
        if u32::from_le_bytes(version) != VERSION {
            let what = format!(
                "it has version {}, this netop reads {VERSION}: a newer netop reads it",
                u32::from_le_bytes(version)
            );
            return Err(io::Error::other(what));
        }
        let blocks = Blocks {
            file,
            block: io::Cursor::default(),
            torn: None,
        };
        Ok(SegmentReader {
            lines: BufReader::new(zstd::Decoder::new(blocks)?),
            line: Vec::new(),
        })
    }

    /// The next line; `Err`: there is none any more.
    pub fn read(&mut self) -> Result<Entry, Ended> {
        self.line.clear();
        let mut limited = self.lines.by_ref().take(LONGEST_LINE);
        let read = limited.read_until(b'\n', &mut self.line);
        if read.is_ok() && self.line.pop() == Some(b'\n') {
            let torn = |error| Ended::Torn(format!("a line of netop is expected: {error}"));
            return serde_json::from_slice(&self.line).map_err(torn);
        }
        if let Some(why) = self.lines.get_mut().get_mut().get_mut().torn.take() {
            return Err(Ended::Torn(why));
        }
        Err(match read {
            // The packed stream has no end where its writer was killed.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Ended::Torn(error.to_string())
            }
            _ if self.line.is_empty() => Ended::Whole,
            _ => Ended::Torn("it ends within a line".to_owned()),
        })
    }
}

/// The packed stream out of its blocks.
struct Blocks {
    file: BufReader<File>,
    block: io::Cursor<Vec<u8>>,
    /// Why there is no further one.
    torn: Option<String>,
}

impl Blocks {
    /// False: the file ends here, or what comes is no block.
    fn next(&mut self) -> io::Result<bool> {
        let mut head = Vec::new();
        self.file.by_ref().take(8).read_to_end(&mut head)?;
        let (Some(length), Some(sum)) = (head.first_chunk(), head.last_chunk()) else {
            if !head.is_empty() {
                self.torn = Some("it ends within a block".to_owned());
            }
            return Ok(false);
        };
        let (length, sum) = (u32::from_le_bytes(*length), u32::from_le_bytes(*sum));
        let mut block = Vec::new();
        let limited = self.file.by_ref().take(u64::from(length));
        let read = { limited }.read_to_end(&mut block)?;
        if head.len() < 8 || read < length as usize {
            self.torn = Some("it ends within a block".to_owned());
        } else if crc32fast::hash(&block) != sum || length == 0 {
            self.torn = Some("a block is not what was written".to_owned());
        }
        let whole = self.torn.is_none();
        if whole {
            self.block = io::Cursor::new(block);
        }
        Ok(whole)
    }
}

impl Read for Blocks {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.block.read(into)? {
                0 if !into.is_empty() && self.next()? => {}
                read => return Ok(read),
            }
        }
    }
}
