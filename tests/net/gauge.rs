//! How fast the machine is at the moment: the same small work again and again, timed. A neighbour
//! on the other hyper-thread slows it as much as what runs beside it, while an interrupt or a theft
//! falls into few of the batches and does not move their median.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

/// Between two batches: one takes some 8 µs, half a percent of this.
const EVERY: Duration = Duration::from_millis(2);

/// Calls of pread(2) in a batch.
const CALLS: usize = 30;

const SIZE: usize = 1024;

pub struct Gauge {
    work: File,
    record: File,
    written: u64,
    last: Instant,
    buffer: [u8; SIZE],
}

impl Gauge {
    /// Appends to the file what each batch took: u32, ns, little endian. The file and the one
    /// that is read lie beside each other, which shall be on a tmpfs.
    pub fn create(path: &str) -> Gauge {
        let work = format!("{path}.work");
        std::fs::write(&work, [7; SIZE]).expect("room for a file");
        let opened = File::open(&work).expect("just written");
        std::fs::remove_file(&work).expect("our own");
        Gauge {
            work: opened,
            record: File::create(path).expect("room for a file"),
            written: 0,
            last: Instant::now(),
            buffer: [0; SIZE],
        }
    }

    /// Does a batch if it is time for one.
    pub fn look(&mut self) {
        let began = Instant::now();
        if began.duration_since(self.last) < EVERY {
            return;
        }
        self.last = began;
        for _ in 0..CALLS {
            let read = self.work.read_at(&mut self.buffer, 0);
            assert_eq!(read.ok(), Some(SIZE));
        }
        let took = began.elapsed().as_nanos() as u32;
        self.record
            .write_all_at(&took.to_le_bytes(), self.written)
            .expect("room for a figure");
        self.written += 4;
    }
}
