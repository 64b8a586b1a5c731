//! How long names are waited for: a replay loses nothing by waiting, but no file of a stranger may
//! hold it up for long.

use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

/// Spent by every wait.
#[derive(Debug)]
pub struct Patience {
    left: Duration,
    /// The next rest.
    pause: Duration,
}

/// The first rest; each is twice as long as the one before, up to the longest.
const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(16);

impl Patience {
    pub fn new(left: Duration) -> Patience {
        Patience {
            left,
            pause: SHORTEST,
        }
    }

    /// Rests a moment, before something is tried again.
    pub fn rest(&mut self) {
        let began = Instant::now();
        thread::park_timeout(self.left.min(self.pause));
        self.pause = (2 * self.pause).min(LONGEST);
        self.left = self.left.saturating_sub(began.elapsed());
    }

    pub fn is_spent(&self) -> bool {
        self.left.is_zero()
    }

    /// Takes what is there, or waits for it while patience lasts.
    pub fn receive<T>(&mut self, from: &Receiver<T>) -> Result<T, RecvTimeoutError> {
        let began = Instant::now();
        let received = from.recv_timeout(self.left);
        self.left = self.left.saturating_sub(began.elapsed());
        received
    }
}
