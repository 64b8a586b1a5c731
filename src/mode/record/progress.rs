//! One line on the terminal that says how far the recording is, and the last word.

use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};

use super::tape::Recorded;

/// A terminal that does not take the line (Ctrl-S) holds up the last word so long.
const PATIENCE: Duration = Duration::from_millis(200);

/// A terminal that does not take the line (Ctrl-S) holds up nothing but it.
pub struct Progress {
    lines: Option<(Sender<String>, JoinHandle<()>)>,
    said: Recorded,
}

impl Progress {
    /// On standard error, if that is a terminal.
    pub fn start() -> Progress {
        let terminal = io::stderr().is_terminal();
        let lines = terminal.then(|| {
            let (send, receive) = bounded::<String>(1);
            let show = move || {
                for line in receive {
                    let _nobody_reads = write!(io::stderr(), "\r{line}\x1b[K");
                }
            };
            let started = thread::Builder::new()
                .name("progress".to_owned())
                .spawn(show);
            started.ok().map(|thread| (send, thread))
        });
        Progress {
            lines: lines.flatten(),
            said: Recorded::default(),
        }
    }

    pub fn show(&mut self, now: Recorded) {
        if let Some((lines, _)) = self.lines.as_ref().filter(|_| now != self.said) {
            // The one before has not been taken yet: this one is left out.
            let _left_out = lines.try_send(line(&now));
            self.said = now;
        }
    }
}

impl Drop for Progress {
    /// What is said next has the line for itself.
    fn drop(&mut self) {
        let Some((lines, thread)) = self.lines.take() else {
            return;
        };
        drop(lines);
        let until = Instant::now() + PATIENCE;
        while !thread.is_finished() && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        if thread.is_finished() && self.said != Recorded::default() {
            let _nobody_reads = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(now: &Recorded) -> String {
    format!(
        "recording {} s, {} samples, {} lost, {}  Ctrl-C ends it",
        now.elapsed_ns / 1_000_000_000,
        now.samples,
        now.lost,
        bytes(now.bytes)
    )
}

/// What was kept.
pub fn summary(kept: &Recorded, path: &Path) -> String {
    format!(
        "{:.1} s with {} samples ({} lost), {} in {}",
        kept.elapsed_ns as f64 / 1e9,
        kept.samples,
        kept.lost,
        bytes(kept.bytes),
        path.display().to_string().replace(char::is_control, "?"),
    )
}

fn bytes(bytes: u64) -> String {
    match bytes as f64 {
        few if few < 1e4 => format!("{bytes} bytes"),
        few if few < 1e6 => format!("{:.0} kB", few / 1e3),
        many => format!("{:.1} MB", many / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_says_how_much_is_kept_where() {
        let kept = Recorded {
            elapsed_ns: 12_040_000_000,
            samples: 34_567,
            lost: 0,
            bytes: 5_600_000,
        };
        assert_eq!(
            summary(&kept, Path::new("a\x1b.perf.data")),
            "12.0 s with 34567 samples (0 lost), 5.6 MB in a?.perf.data"
        );
        assert!(line(&kept).len() <= 80);
    }
}
