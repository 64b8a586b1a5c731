//! A watcher at work: in a terminal of its own, as a person would run it.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::host;
use crate::watcher::Watcher;

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// Between two looks at whether it still runs.
const LOOK: Duration = Duration::from_millis(50);

pub struct Running {
    pub pid: u32,
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<vt100::Parser>>,
    must_attach: bool,
    /// Its terminal goes away with this.
    _master: Box<dyn MasterPty + Send>,
}

impl Running {
    /// Starts it; why it did not start otherwise.
    pub fn start(watcher: &Watcher) -> Result<Running, String> {
        let size = PtySize {
            rows: ROWS,
            cols: COLUMNS,
            pixel_width: 0,
            pixel_height: 0,
        };
        let pty = native_pty_system().openpty(size).expect("a terminal");
        let mut command = CommandBuilder::new(&watcher.command[0]);
        command.args(&watcher.command[1..]);
        command.env("LANG", "C.UTF-8");
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command);
        let child = child.map_err(|why| why.to_string())?;
        let cells = |n| NonZeroU16::new(n).expect("a size");
        let screen = vt100::Parser::new(cells(ROWS), cells(COLUMNS), 0);
        let screen = Arc::new(Mutex::new(screen));
        let shown = Arc::clone(&screen);
        let mut output = pty.master.try_clone_reader().expect("a reader");
        thread::spawn(move || {
            let mut bytes = [0; 16384];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
                shown.process(&bytes[..n]);
            }
        });
        let mut input = pty.master.take_writer().expect("a writer");
        // Waits in the line until the watcher reads it.
        input.write_all(watcher.keys.as_bytes()).expect("a line");
        Ok(Running {
            pid: child.process_id().expect("it runs"),
            child,
            screen,
            must_attach: watcher.must_attach,
            _master: pty.master,
        })
    }

    /// Waits so long; an error as soon as it has ended, or when it does not watch then.
    pub fn live_through(&mut self, time: Duration) -> Result<(), String> {
        let until = Instant::now() + time;
        loop {
            if self.child.try_wait().expect("it is our child").is_some() {
                return Err(format!("ended: {}", self.last_words()));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::sleep(LOOK.min(left));
        }
        if self.must_attach && !host::holds_events(self.pid) {
            return Err(format!("attached nothing: {}", self.last_words()));
        }
        Ok(())
    }

    /// The first two lines it printed.
    fn last_words(&self) -> String {
        // What it said on its way out may still be under way.
        thread::sleep(LOOK);
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        let text = screen.screen().contents();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.take(2).collect::<Vec<_>>().join(" ")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
