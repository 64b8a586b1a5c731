//! What all open ELF files hold together. A file that needs more room lets go of those that nobody asks at
//! the moment, the one that waits longest first.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

/// Bytes of all files: the units of a debug build of 270 MB come to 50 MB, and all of netop is to stay
/// below 128 MB.
pub const MOST_HELD: u64 = 64 << 20;

/// Waited for files to be closed, or for another one to be read.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);

/// Of all files that share it.
#[derive(Debug, Clone, Default)]
pub struct ElfMemory(Arc<All>);

#[derive(Debug, Default)]
struct All {
    files: Mutex<Vec<Arc<Held>>>,
    /// Counts the times that files became idle.
    turn: AtomicU64,
}

#[derive(Debug)]
struct Held {
    bytes: AtomicU64,
    /// The turn in which it became idle; [`READING`]: it is not.
    idle_since: AtomicU64,
    close: Sender<()>,
}

const READING: u64 = u64::MAX;

/// Why a file may not hold more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRoom {
    /// It is too large alone.
    TooLarge,
    /// Others that are being read leave too little: later there may be more.
    Crowded,
}

/// The share of one file; ends with the value.
#[derive(Debug)]
pub struct FileMemory {
    all: ElfMemory,
    held: Arc<Held>,
    close: Receiver<()>,
}

impl ElfMemory {
    /// Of a file that is about to be read.
    pub fn file(&self) -> FileMemory {
        let (sender, close) = bounded(1);
        let held = Arc::new(Held {
            bytes: AtomicU64::new(0),
            idle_since: AtomicU64::new(READING),
            close: sender,
        });
        self.files().push(Arc::clone(&held));
        FileMemory {
            all: self.clone(),
            held,
            close,
        }
    }

    fn files(&self) -> MutexGuard<'_, Vec<Arc<Held>>> {
        self.0.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks idle files to close until what stays fits. True: it fits already.
    fn make_room(&self) -> bool {
        let files = self.files();
        let mut idle: Vec<&Arc<Held>> = Vec::new();
        let (mut all, mut closing) = (0, 0);
        for file in files.iter() {
            let bytes = file.bytes.load(Ordering::Relaxed);
            all += bytes;
            if file.close.is_full() {
                closing += bytes;
            } else if bytes > 0 && file.idle_since.load(Ordering::Relaxed) != READING {
                idle.push(file);
            }
        }
        if all <= MOST_HELD {
            return true;
        }
        idle.sort_by_cached_key(|file| file.idle_since.load(Ordering::Relaxed));
        for file in idle {
            if all.saturating_sub(closing) <= MOST_HELD {
                break;
            }
            closing += file.bytes.load(Ordering::Relaxed);
            // One message is enough.
            let _closing_already = file.close.try_send(());
        }
        false
    }
}

impl FileMemory {
    /// Bytes that the file holds while it is open.
    pub fn bytes(&self) -> u64 {
        self.held.bytes.load(Ordering::Relaxed)
    }

    /// It holds so much now. Waits for the room that idle files leave.
    pub fn hold(&self, bytes: u64) -> Result<(), NoRoom> {
        let before = self.held.bytes.swap(bytes, Ordering::Relaxed);
        if bytes == 0 {
            // It begins anew: nothing of it need be closed.
            let _none = self.close.try_recv();
        }
        if bytes <= before {
            return Ok(());
        }
        if bytes > MOST_HELD {
            return Err(NoRoom::TooLarge);
        }
        let began = Instant::now();
        while !self.all.make_room() {
            if began.elapsed() > PATIENCE {
                return Err(NoRoom::Crowded);
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// Nobody asks it for now: it may be closed. A message here: it must be.
    pub fn idle(&self) -> &Receiver<()> {
        let turn = self.all.0.turn.fetch_add(1, Ordering::Relaxed);
        self.held.idle_since.store(turn, Ordering::Relaxed);
        &self.close
    }

    /// It is being read.
    pub fn reading(&self) {
        self.held.idle_since.store(READING, Ordering::Relaxed);
    }
}

impl Drop for FileMemory {
    fn drop(&mut self) {
        let mut files = self.all.files();
        files.retain(|file| !Arc::ptr_eq(file, &self.held));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    #[test]
    fn a_file_that_needs_room_closes_the_idle_one_that_waits_longest_and_no_more() {
        let memory = ElfMemory::default();
        let [first, second, third, reading] = std::array::from_fn(|_| memory.file());
        for file in [&first, &second, &third, &reading] {
            assert_eq!(file.hold(15 * MB), Ok(()));
        }
        let second_closes = second.idle().clone();
        let (first_closes, third_closes) = (first.idle().clone(), third.idle().clone());
        let closed = thread::spawn(move || {
            assert_eq!(second_closes.recv(), Ok(()));
            drop(second);
        });
        assert_eq!(reading.hold(33 * MB), Ok(()));
        closed.join().expect("it was told");
        assert!(first_closes.is_empty() && third_closes.is_empty());
        assert_eq!(reading.bytes(), 33 * MB);
    }

    #[test]
    fn a_file_is_too_large_alone_or_crowded_by_one_that_is_read() {
        let memory = ElfMemory::default();
        let (one, other) = (memory.file(), memory.file());
        assert_eq!(one.hold(MOST_HELD + 1), Err(NoRoom::TooLarge));
        assert_eq!(one.hold(MOST_HELD - 5), Ok(()));
        assert_eq!(other.hold(5), Ok(()));
        let began = Instant::now();
        assert_eq!(other.hold(6), Err(NoRoom::Crowded));
        assert!(began.elapsed() >= PATIENCE);
        assert_eq!(one.hold(1), Ok(()), "less is always allowed");
        drop(one);
        assert_eq!(other.hold(MOST_HELD), Ok(()));
    }
}
