//! Bytes of a file or a pipe in the order they come, through one buffer: a file is never held whole.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use super::fault::Fault;

/// Read in one go.
const CHUNK: usize = 1 << 20;

/// A part of a file.
pub struct FilePart {
    pub file: File,
    pub at: u64,
    pub end: u64,
}

impl Read for FilePart {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let wanted = left.min(into.len());
        let read = self.file.read_at(&mut into[..wanted], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

pub struct Stream {
    from: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    /// What is left of the buffer.
    start: usize,
    end: usize,
    /// Of the byte at `start`.
    offset: u64,
}

impl Stream {
    pub fn new(from: Box<dyn Read + Send>, offset: u64) -> Stream {
        Stream {
            from,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            offset,
        }
    }

    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// At least `wanted` bytes from here on, or all there are.
    pub fn peek(&mut self, wanted: usize) -> Result<&[u8], Fault> {
        if self.end - self.start < wanted {
            self.fill(wanted)?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    pub fn skip(&mut self, bytes: usize) {
        let bytes = bytes.min(self.end - self.start);
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Passes over more than the buffer may hold. False: the stream ends before.
    pub fn skip_far(&mut self, mut bytes: u64) -> Result<bool, Fault> {
        while bytes > 0 {
            let here = self.peek(1)?.len() as u64;
            if here == 0 {
                return Ok(false);
            }
            let step = here.min(bytes);
            self.skip(step as usize);
            bytes -= step;
        }
        Ok(true)
    }

    fn fill(&mut self, wanted: usize) -> Result<(), Fault> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < wanted {
            // It grows with what has come, not with what is wanted.
            if self.end == self.buffer.len() {
                self.buffer.resize(2 * self.end, 0);
            }
            match self.from.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::io(self.offset + self.end as u64, &error)),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, as pipes do.
    struct Dribble(Vec<u8>, usize);

    impl Read for Dribble {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let few = (self.0.len() - self.1).min(7).min(into.len());
            into[..few].copy_from_slice(&self.0[self.1..self.1 + few]);
            self.1 += few;
            Ok(few)
        }
    }

    #[test]
    fn everything_comes_once_and_in_order_however_it_arrives() {
        let bytes: Vec<u8> = (0..3000u32).flat_map(u32::to_le_bytes).collect();
        let mut stream = Stream::new(Box::new(Dribble(bytes.clone(), 0)), 16);
        let mut seen: Vec<u8> = Vec::new();
        loop {
            let here = stream.peek(13).expect("no fault");
            let step = here.len().min(13);
            seen.extend(&here[..step]);
            stream.skip(step);
            if step == 0 {
                break;
            }
        }
        assert_eq!(seen, bytes);
        assert_eq!(stream.offset(), 16 + bytes.len() as u64);
    }

    #[test]
    fn more_than_the_buffer_holds_can_be_passed_over_and_the_end_is_told() {
        let mut stream = Stream::new(Box::new(io::repeat(1).take(5 << 20)), 0);
        assert!(stream.skip_far(4 << 20).expect("no fault"));
        assert_eq!(stream.offset(), 4 << 20);
        assert!(!stream.skip_far(2 << 20).expect("no fault"));
    }
}
