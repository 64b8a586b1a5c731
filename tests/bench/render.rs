//! What drawing costs: the time of a frame of each view of a busy made-up host, and the bytes that go
//! to the terminal: all of a first frame, the differences of the next interval's, and of the same
//! again. `cargo bench --bench render`

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netop::engine::{Counting, Engine, Progress, Registry, Settings};
use netop::mode::DemoNames;
use netop::model::{Snapshot, Want};
use netop::source::demo::{Demo, Pace};
use netop::tui::{Options, UiState, parse_keys, render};
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

/// What is looked at, and the keys that lead there.
const VIEWS: [(&str, &str); 6] = [
    ("path", "1"),
    ("cpus", "2"),
    ("procs", "4"),
    ("stacks", "5"),
    ("flame", "5f"),
    ("help", "?"),
];

/// Intervals before the first frame: the window behind the CPU columns is full.
const BEFORE: usize = 35;
const FRAMES: usize = 200;

/// A terminal that only counts.
#[derive(Clone, Default)]
struct Line(Rc<Cell<usize>>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn main() {
    let registry = Registry::new(Vec::new());
    let mut engine = Engine::new(
        Box::new(Demo::new(1, Pace::AsFastAsPossible, registry.specs())),
        Box::new(DemoNames::default()),
        registry,
        Settings {
            max_overhead_pct: 100.0,
            counting: Counting::Auto,
            first_interval: None,
            banner: None,
            limits: netop::advice::Limits::default(),
            notes: Vec::new(),
        },
        Want::default(),
    );
    let snapshots: Vec<Arc<Snapshot>> = (0..=BEFORE).map(|_| next(&mut engine)).collect();
    println!("us per frame, median and most of {FRAMES}; bytes of the first frame, of the next");
    println!("interval's, and of the same again; the terminal's part of the work is not in it");
    for (name, keys) in VIEWS {
        for (width, height) in SIZES {
            let area = Rect::new(0, 0, width, height);
            let (last, before) = snapshots.split_last().expect("there are some");
            let mut ui = UiState::new(Options::default());
            ui.resize(width, height);
            for snapshot in before {
                ui.snapshot(Arc::clone(snapshot));
            }
            for key in parse_keys(keys).expect("keys") {
                let _wants = ui.key(key);
            }
            let mut times: Vec<Duration> = (0..FRAMES)
                .map(|_| {
                    let began = Instant::now();
                    let mut buffer = Buffer::empty(area);
                    render(&ui, area, &mut buffer);
                    std::hint::black_box(buffer);
                    began.elapsed()
                })
                .collect();
            times.sort();
            let line = Line::default();
            let viewport = Viewport::Fixed(area);
            let mut terminal = Terminal::with_options(
                CrosstermBackend::new(line.clone()),
                TerminalOptions { viewport },
            )
            .expect("a terminal that cannot fail");
            let mut bytes = |ui: &UiState| {
                line.0.set(0);
                let draw = |frame: &mut ratatui::Frame<'_>| render(ui, area, frame.buffer_mut());
                terminal.draw(draw).expect("nothing can fail");
                line.0.get()
            };
            let first = bytes(&ui);
            ui.snapshot(Arc::clone(last));
            let next = bytes(&ui);
            let same = bytes(&ui);
            println!(
                "{name:7} {width:3}x{height}: {:5} ({:5} at most); {first:6} {next:6} {same:3} bytes",
                times[FRAMES / 2].as_micros(),
                times[FRAMES - 1].as_micros(),
            );
        }
    }
}

fn next(engine: &mut Engine) -> Arc<Snapshot> {
    loop {
        if let Progress::Snapshot(snapshot) = engine.step(Duration::ZERO).expect("no end") {
            return snapshot;
        }
    }
}
