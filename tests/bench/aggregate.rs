//! The engine over 512 CPUs that nobody has: a million samples per second of 16 frames, most of
//! 2000 stacks, one in a hundred new. What a second of it costs, and what a tick and what is made
//! of it cost; one core. `cargo bench --bench aggregate`

#[path = "../synthetic/mod.rs"]
mod synthetic;

use std::sync::Arc;
use std::time::{Duration, Instant};

use netop::engine::{Engine, Progress};
use netop::model::Snapshot;
use netop::sys::Own;
use netop::tui::{Options, UiState, render};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use synthetic::Load;

const SECONDS: usize = 35;

/// CPU time of one second of traffic: of its batches, and of the tick that ends it.
struct Second {
    batches: Duration,
    tick: Duration,
}

fn second(engine: &mut Engine) -> (Second, Arc<Snapshot>) {
    let mut batches = Duration::ZERO;
    loop {
        let mut own = Own::new();
        let progress = engine.step(Duration::ZERO).expect("it never ends");
        let took = Duration::from_nanos(own.cpu_ns());
        match progress {
            Progress::Working => batches += took,
            Progress::Snapshot(snapshot) => {
                return (
                    Second {
                        batches,
                        tick: took,
                    },
                    snapshot,
                );
            }
            Progress::End => unreachable!("it never ends"),
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Median and least of ten.
fn timed(mut work: impl FnMut()) -> (Duration, Duration) {
    let times: Vec<Duration> = (0..10)
        .map(|_| {
            let began = Instant::now();
            work();
            began.elapsed()
        })
        .collect();
    let least = times.iter().min().copied().unwrap_or_default();
    (median(times), least)
}

fn main() {
    let seconds = std::env::var("SECONDS").ok().and_then(|s| s.parse().ok());
    let seconds = seconds.unwrap_or(SECONDS);
    println!("{seconds} s of traffic; CPU ms per second of it, median and most; MiB at most");
    for (cpus, samples) in [
        (2, 10_000),
        (2, 1_000_000),
        (64, 1_000_000),
        (512, 1_000_000),
    ] {
        run(cpus, samples, seconds);
    }
}

fn run(cpus: u32, samples: usize, seconds: usize) {
    let before = Own::new().anon_bytes().unwrap_or(0);
    let mut engine = synthetic::engine(Load {
        cpus,
        samples,
        stacks: 2000,
        new_every: 100,
    });
    let made = Own::new().anon_bytes().unwrap_or(0);
    let (mut batches, mut ticks, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let mut most = 0;
    let mut last = None;
    for _ in 0..seconds {
        let (second, snapshot) = second(&mut engine);
        all.push(second.batches + second.tick);
        batches.push(second.batches);
        ticks.push(second.tick);
        most = most.max(Own::new().anon_bytes().unwrap_or(0));
        last = Some(snapshot);
    }
    let snapshot = last.expect("a second passed");
    let (json, _) = timed(|| {
        std::hint::black_box(netop::export::json::line(&snapshot));
    });
    let area = Rect::new(0, 0, 120, 40);
    let (frame, _) = timed(|| {
        let mut ui = UiState::new(Options::default());
        ui.resize(area.width, area.height);
        ui.snapshot(Arc::clone(&snapshot));
        let mut buffer = Buffer::empty(area);
        render(&ui, area, &mut buffer);
        std::hint::black_box(buffer);
    });
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let worst = all.iter().max().copied().unwrap_or_default();
    println!(
        "{cpus:4} CPUs {samples:8} samples/s: {:6.1} ({:6.1} at most), of it the tick {:5.1}; JSON {:5.1}, first frame {:5.2}; {:4} (the host itself {})",
        ms(median(all)),
        ms(worst),
        ms(median(ticks)),
        ms(json),
        ms(frame),
        most >> 20,
        made.saturating_sub(before) >> 20,
    );
}
