//! netop's trailer while it is written: lines of JSON, packed, in a file of their own beside the
//! recording, so that they take no memory; behind perf's last section in the end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use zstd::stream::write::Encoder;

use crate::perfdata::{BEGIN, END, Line, VERSION};

/// Fast, and text is packed about 20 times.
const LEVEL: i32 = 3;

pub struct Trailer {
    lines: Encoder<'static, File>,
    /// What the disk had no room for yet.
    waiting: Vec<u8>,
}

impl Trailer {
    /// `spill`: an empty file to write into and read from.
    pub fn new(spill: File) -> io::Result<Trailer> {
        Ok(Trailer {
            lines: Encoder::new(spill, LEVEL)?,
            waiting: Vec::new(),
        })
    }

    /// After an error the line is there all the same, and is written with the next one.
    pub fn line(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.waiting, line)?;
        self.waiting.push(b'\n');
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let mut written = 0;
        let mut result = Ok(());
        while written < self.waiting.len() && result.is_ok() {
            // An error means that nothing of it was taken.
            match self.lines.write(&self.waiting[written..]) {
                Ok(taken) => written += taken,
                Err(error) => result = Err(error),
            }
        }
        self.waiting.drain(..written);
        result
    }

    /// Bytes that are in the other file by now; what is being packed is about as much as zstd's
    /// window at the most.
    pub fn bytes(&self) -> io::Result<u64> {
        Ok(self.lines.get_ref().metadata()?.len())
    }

    /// Appends it to `out`, which is at its end.
    pub fn append_to(mut self, out: &mut (impl Write + Seek)) -> io::Result<()> {
        let begin = out.stream_position()?;
        self.write()?;
        let mut spill = self.lines.finish()?;
        spill.seek(SeekFrom::Start(0))?;
        out.write_all(&BEGIN)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&0u32.to_le_bytes())?;
        let mut part = vec![0; 1 << 16];
        loop {
            match spill.read(&mut part)? {
                0 => break,
                n => out.write_all(&part[..n])?,
            }
        }
        out.write_all(&begin.to_le_bytes())?;
        out.write_all(&END)
    }
}
