//! A watcher at work: in a terminal of its own as a person would run it, or into a pipe as a
//! program would; and what it says of its cost meanwhile.

use std::io::{BufRead, BufReader, Read, Write};
use std::num::NonZeroU16;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::host;
use crate::said::{self, Report};
use crate::traffic_program::pin;
use crate::watcher::{Output, Watcher};

const ROWS: u16 = 40;
const COLUMNS: u16 = 120;

/// Between two looks at whether it still runs.
const LOOK: Duration = Duration::from_millis(50);

/// Where the bench reads what watchers print: not on the CPU that is measured.
const READER: usize = 1;

/// The screen is of the default interval.
const INTERVAL: f64 = 1.0;

pub struct Running {
    pub pid: u32,
    started: Instant,
    must_attach: bool,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Mutex<Shown>>,
    terminal: Option<Terminal>,
}

struct Terminal {
    input: Box<dyn Write + Send>,
    /// It goes away with this.
    _master: Box<dyn MasterPty + Send>,
}

/// What it has printed.
struct Shown {
    screen: vt100::Parser,
    /// The screen's first line whenever it became another, or each line of JSON.
    lines: Vec<(Instant, String)>,
}

impl Running {
    /// Starts it; why it did not start otherwise.
    pub fn start(watcher: &Watcher) -> Result<Running, String> {
        let cells = |n| NonZeroU16::new(n).expect("a size");
        let shown = Arc::new(Mutex::new(Shown {
            screen: vt100::Parser::new(cells(ROWS), cells(COLUMNS), 0),
            lines: Vec::new(),
        }));
        let started = Instant::now();
        let (child, terminal) = match watcher.output {
            Output::Screen => on_screen(watcher, Arc::clone(&shown))?,
            Output::Json => (into_pipe(watcher, Arc::clone(&shown))?, None),
        };
        Ok(Running {
            pid: child.process_id().expect("it runs"),
            started,
            must_attach: watcher.must_attach,
            child,
            shown,
            terminal,
        })
    }

    pub fn press(&mut self, keys: &str) {
        let terminal = self.terminal.as_mut().expect("it has a terminal");
        terminal.input.write_all(keys.as_bytes()).expect("a line");
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

    /// Until the same time after its start.
    pub fn live_until(&mut self, age: Duration) -> Result<(), String> {
        self.live_through(age.saturating_sub(self.started.elapsed()))
    }

    /// Seconds from its start.
    pub fn age(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.started).as_secs_f64()
    }

    /// What it has said of its cost so far; nothing if it is not netop.
    pub fn reports(&self) -> Vec<Report> {
        let on_screen = self.terminal.is_some();
        let shown = lock(&self.shown);
        let report = |(at, line): &(Instant, String)| {
            let (seconds, said) = if on_screen {
                (INTERVAL, said::on_screen(line))
            } else {
                said::in_json(line)?
            };
            said.busiest?;
            Some(Report {
                at: self.age(*at),
                seconds,
                said,
            })
        };
        shown.lines.iter().filter_map(report).collect()
    }

    pub fn header(&self) -> String {
        header(&lock(&self.shown).screen)
    }

    /// The first two lines it printed.
    fn last_words(&self) -> String {
        // What it said on its way out may still be under way.
        thread::sleep(LOOK);
        let text = lock(&self.shown).screen.screen().contents();
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.take(2).collect::<Vec<_>>().join(" ")
    }
}

type Started = (Box<dyn Child + Send + Sync>, Option<Terminal>);

fn on_screen(watcher: &Watcher, shown: Arc<Mutex<Shown>>) -> Result<Started, String> {
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
    let mut output = pty.master.try_clone_reader().expect("a reader");
    thread::spawn(move || {
        pin(READER);
        let mut bytes = [0; 16384];
        while let Ok(n @ 1..) = output.read(&mut bytes) {
            let mut shown = lock(&shown);
            shown.screen.process(&bytes[..n]);
            let line = header(&shown.screen);
            if shown.lines.last().is_none_or(|(_, last)| *last != line) {
                shown.lines.push((Instant::now(), line));
            }
        }
    });
    let mut input = pty.master.take_writer().expect("a writer");
    // Waits in the line until the watcher reads it.
    input.write_all(watcher.keys.as_bytes()).expect("a line");
    let terminal = Terminal {
        input,
        _master: pty.master,
    };
    Ok((child, Some(terminal)))
}

fn into_pipe(
    watcher: &Watcher,
    shown: Arc<Mutex<Shown>>,
) -> Result<Box<dyn Child + Send + Sync>, String> {
    let mut command = Command::new(&watcher.command[0]);
    command.args(&watcher.command[1..]).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|why| why.to_string())?;
    let output = child.stdout.take().expect("piped");
    thread::spawn(move || {
        pin(READER);
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            lock(&shown).lines.push((Instant::now(), line));
        }
    });
    Ok(Box::new(child))
}

fn header(screen: &vt100::Parser) -> String {
    let mut rows = screen.screen().rows(0, COLUMNS);
    rows.next().unwrap_or_default()
}

fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
