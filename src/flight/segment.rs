//! A segment while it is written.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use zstd::stream::write::Encoder;

use super::entry::{Entry, MAGIC, VERSION};
use crate::sys::create_own_file;

/// Measured on seconds of 30 KB JSON with 200 connections: 8 takes 30 % less than 3, and above the
/// tables grow (8 MB here) for nothing.
const LEVEL: i32 = 8;

pub struct SegmentWriter {
    file: File,
    bytes: u64,
    /// The block to come.
    lines: Encoder<'static, Vec<u8>>,
    line: Vec<u8>,
}

impl SegmentWriter {
    /// A new file that only its owner may read.
    pub fn create(path: &Path) -> io::Result<SegmentWriter> {
        let mut file = create_own_file(path)?;
        let mut head = MAGIC.to_vec();
        head.extend(VERSION.to_le_bytes());
        head.extend(0u32.to_le_bytes());
        file.write_all(&head)?;
        Ok(SegmentWriter {
            file,
            bytes: head.len() as u64,
            lines: Encoder::new(Vec::new(), LEVEL)?,
            line: Vec::new(),
        })
    }

    pub fn write(&mut self, entry: &Entry) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, entry)?;
        self.line.push(b'\n');
        self.lines.write_all(&self.line)
    }

    /// What was written is with the kernel by then, as one block.
    pub fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()?;
        let packed = std::mem::take(self.lines.get_mut());
        self.block(&packed)
    }

    fn block(&mut self, packed: &[u8]) -> io::Result<()> {
        let mut block = (packed.len() as u32).to_le_bytes().to_vec();
        block.extend(crc32fast::hash(packed).to_le_bytes());
        block.extend(packed);
        self.file.write_all(&block)?;
        self.bytes += block.len() as u64;
        Ok(())
    }

    /// … and with the disk.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn finish(mut self) -> io::Result<()> {
        let unused = Encoder::new(Vec::new(), LEVEL)?;
        let packed = std::mem::replace(&mut self.lines, unused).finish()?;
        self.block(&packed)?;
        self.sync()
    }
}
